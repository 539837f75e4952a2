"""How many threads the numerical libraries, and the loops of our own, may have."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import current_thread, main_thread

from threadpoolctl import threadpool_limits

__all__ = ["available_threads", "chosen_threads", "for_small_matrices", "one_thread"]

LARGE = 50_000
"""Orbitals from which on a second thread gains something in a factorisation."""

ALONE = ContextVar("ALONE", default=True)
"""Whether no other processes share the cores, as far as we know: false in `one_thread`."""


CHOSEN: ContextVar[int | None] = ContextVar("CHOSEN", default=None)
"""How many the user wants, within `chosen_threads`."""


@contextmanager
def chosen_threads(number: int | None) -> Iterator[None]:
    """Give so many threads to the loops here and to other libraries; None changes nothing."""
    token = CHOSEN.set(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        CHOSEN.reset(token)


@contextmanager
def one_thread(*, libraries: bool) -> Iterator[None]:
    """Give one thread, or OMP_NUM_THREADS, to the loops here, and to other libraries if asked."""
    token = ALONE.set(False)
    try:
        with threadpool_limits(available_threads() if libraries else None):
            yield
    finally:
        ALONE.reset(token)


@contextmanager
def for_small_matrices(size: int) -> Iterator[None]:
    """Give the numerical libraries one thread where matrices are small, unless the user chose.

    Theirs wait for each other longer than they compute, by far if something else runs too.  size:
    of the system, in orbitals.  Not in threads of the user's own, which would restore the limits in
    any order.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    chosen = CHOSEN.get() is not None or any(name in os.environ for name in names)
    if chosen or size > LARGE or not ALONE.get() or current_thread() is not main_thread():
        yield
        return
    with threadpool_limits(1):
        yield


def available_threads() -> int:
    """Return OMP_NUM_THREADS if it is set, as for the other numerical libraries, else the cores.

    Within `chosen_threads` as many as that; without either, one where others share the cores.
    """
    chosen = CHOSEN.get()
    if chosen is not None:
        return chosen
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    if not ALONE.get():
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
