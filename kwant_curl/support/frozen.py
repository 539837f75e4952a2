"""Arrays in results are read-only."""

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frozen", "field_values", "read_only"]


def read_only(array: Any) -> NDArray[Any]:
    """Return `array` as an array that can't be written to; one that can't be, as it is."""
    if type(array) is np.ndarray and array.base is None and not array.flags.writeable:
        return array
    result = np.array(array)
    result.flags.writeable = False
    return result


def field_values(instance: Any) -> list[tuple[str, Any]]:
    """Return the names of a dataclass's fields, and what they are."""
    return [(field.name, getattr(instance, field.name)) for field in fields(instance)]


class Frozen:
    """What frozen dataclasses share: their arrays are read-only, in copies too."""

    DIMENSIONS: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Names of the dimensions of the arrays that are fields."""

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the dimensions of each array."""
        return self.DIMENSIONS

    def __post_init__(self) -> None:
        """Make read-only arrays of the fields that have dimensions, and of what tuples hold."""
        named = self.dimensions()
        for name, value in field_values(self):
            if value is not None and name in named:
                object.__setattr__(self, name, read_only(value))
            elif isinstance(value, tuple | list):
                frozen = (part if isinstance(part, str) else read_only(part) for part in value)
                object.__setattr__(self, name, tuple(frozen))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back from another process, or as a copy, with arrays that are read-only still."""
        for name, value in state.items():
            for array in value if isinstance(value, tuple) else (value,):
                if isinstance(array, np.ndarray):
                    array.flags.writeable = False
            object.__setattr__(self, name, value)
