"""Checks of numbers that users pass: what was given, what was expected."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ascending_array",
    "nonnegative_number",
    "positive_array",
    "positive_integer",
    "positive_number",
    "real_number",
    "true_or_false",
]


def true_or_false(name: str, value: Any) -> bool:
    """Return `value` as a bool, or raise if it is not one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} is {value!r}; expected True or False.")
    return bool(value)


def real_number(name: str, value: Any, expected: str = "a real number") -> float:
    """Return `value` as a float, or raise if it is not one finite real number."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}; expected {expected}.")
    if not np.isfinite(float(value)):
        raise ValueError(f"{name} is {value!r}; expected a finite number.")
    return float(value)


def positive_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise if it is not one positive number."""
    number = real_number(name, value)
    if number <= 0:
        raise ValueError(f"{name} is {value!r}; expected a positive number.")
    return number


def positive_integer(name: str, value: Any) -> int:
    """Return `value` as an int, or raise if it is not a positive whole number."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}; expected a positive whole number.")
    return int(value)


def nonnegative_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise if it is not one number that is zero or positive."""
    number = real_number(name, value)
    if number < 0:
        raise ValueError(f"{name} is {value!r}; expected a number that is not negative.")
    return number


def positive_array(name: str, value: Any, size: int) -> NDArray[np.float64]:
    """Return `value`, one number or one per entry, as an array (size,) of positive numbers."""
    if np.iscomplexobj(value):
        raise ValueError(f"{name} is complex; expected real numbers.")
    try:
        array = np.broadcast_to(np.asarray(value, dtype=float), (size,))
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} has shape {np.shape(value)}; expected one real number, or {size} of them."
        ) from None
    if not np.all(np.isfinite(array) & (array > 0)):
        raise ValueError(f"{name} is {value!r}; expected positive, finite numbers.")
    return array


def ascending_array(name: str, value: Any, *, distinct: bool = True) -> NDArray[np.float64]:
    """Return `value` as an array (n,) of positive numbers, n > 0, in ascending order, or raise.

    distinct: whether none may be there twice.
    """
    given = np.atleast_1d(np.asarray(value))
    array = positive_array(name, given, given.size)
    steps = np.diff(array)
    ordered = (steps > 0 if distinct else steps >= 0).all()
    if given.ndim > 1 or not given.size or not ordered:
        raise ValueError(f"{name} is {value!r}; expected some numbers, ascending.")
    return array
