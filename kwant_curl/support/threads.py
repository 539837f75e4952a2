"""How many threads the numerical libraries, and the loops of our own, may have."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from threadpoolctl import threadpool_limits

__all__ = ["available_threads", "one_thread"]

ALONE = ContextVar("ALONE", default=True)
"""Whether no other processes share the cores, as far as we know: false in `one_thread`."""


@contextmanager
def one_thread(*, libraries: bool) -> Iterator[None]:
    """Give one thread, or OMP_NUM_THREADS, to the loops here, and to other libraries if asked."""
    token = ALONE.set(False)
    try:
        with threadpool_limits(available_threads() if libraries else None):
            yield
    finally:
        ALONE.reset(token)


def available_threads() -> int:
    """Return OMP_NUM_THREADS if it is set, as for the other numerical libraries, else the cores.

    Without it, one where others share the cores.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    if not ALONE.get():
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
