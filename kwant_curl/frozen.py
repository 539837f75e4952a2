"""Arrays in results are read-only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["freeze", "read_only"]


def read_only(array: Any) -> NDArray[Any]:
    """Return `array` as an array that can't be written to."""
    result = np.array(array)
    result.flags.writeable = False
    return result


def freeze(instance: Any, *names: str) -> None:
    """Make these fields of a frozen dataclass read-only arrays, from its ``__post_init__``."""
    for name in names:
        object.__setattr__(instance, name, read_only(getattr(instance, name)))
