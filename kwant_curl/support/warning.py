"""Warnings that name the user's line, however deep in the package they arise."""

import os
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

__all__ = ["issued"]

PACKAGE = str(Path(__file__).parents[1]) + os.sep


def issued(notices: Iterable[str], recorded: Iterable[str] = ()) -> tuple[str, ...]:
    """Warn of what a call has noticed, of equal texts once; return them, for a result's field.

    recorded: what the field holds besides, without a warning: reservations on what follows from a
    result rather than on the result.  What is deeper in the package returns its notices, and the
    routine that the user called issues them: nobody need know what was said before.
    """
    distinct = tuple(dict.fromkeys(notices))
    for notice in distinct:
        _warn(notice)
    return tuple(dict.fromkeys([*distinct, *recorded]))


def _warn(message: str) -> None:
    """Issue a RuntimeWarning at the first line on the way here that isn't the package's."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, RuntimeWarning, stacklevel=level)
