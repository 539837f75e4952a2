"""Progress bars that appear where somebody sees them."""

from multiprocessing import parent_process
from typing import Any

import numpy as np
from tqdm.auto import tqdm

__all__ = ["Progress", "bar", "check_progress"]

Progress = bool | None
"""Whether to show a bar: always, never, or (None) once something takes long and is looked at."""

PATIENCE = 2.0
"""Seconds before a bar appears by itself."""


def check_progress(progress: object) -> None:
    """Raise for what is neither True, False nor None."""
    if progress is not None and not isinstance(progress, bool | np.bool_):
        raise TypeError(f"progress is {progress!r}; expected True, False or None.")


def bar(progress: Progress, unit: str, total: int | None = None) -> Any:
    """Return a progress bar that counts up to `total`, if that is known.

    None: shown after two seconds, on a terminal or in a notebook; True: at once, wherever the
    output goes; False: never.

    Raises
    ------
    TypeError
        For another `progress`.
    """
    check_progress(progress)
    if progress is None and parent_process() is not None:  # that of the caller is enough
        progress = False
    if progress is None:  # tqdm, in a notebook or not, takes None for "if somebody sees it"
        return tqdm(total=total, unit=unit, disable=None, delay=PATIENCE)
    return tqdm(total=total, unit=unit, disable=not progress)
