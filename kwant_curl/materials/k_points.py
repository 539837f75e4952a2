"""Points of the transverse Brillouin zone, with weights."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.materials.transverse import Cell
from kwant_curl.support.frozen import read_only

__all__ = ["KPoints", "check_directions", "checked_k_points", "without_opposites"]

FloatArray = NDArray[np.float64]

SUM = 1e-6
"""By how much the weights may miss one."""


class KPoints(NamedTuple):
    """Points in units of the reciprocal lattice vectors, (n_k, n), and their weights, (n_k,)."""

    points: FloatArray
    weights: FloatArray


def checked_k_points(given: Any, n_vectors: int) -> KPoints:
    """Return the points of a grid centred at Gamma, or those given with their weights, or raise."""
    expected = (
        f"expected {n_vectors} whole numbers, those of a grid along each lattice vector, or "
        f"(points, weights) of shapes (n_k, {n_vectors}) and (n_k,)"
    )
    if not isinstance(given, tuple | list | np.ndarray) or not len(given):
        raise TypeError(f"k_points is {given!r}; {expected}.")
    if all(isinstance(number, int | np.integer) for number in given):
        if len(given) != n_vectors or min(given) < 1:
            raise ValueError(f"k_points is {given!r}; {expected}.")
        return _grid(np.asarray(given))
    if len(given) != 2:
        raise ValueError(f"k_points has {len(given)} parts; {expected}.")
    points, weights = given
    return _explicit(points, weights, n_vectors, expected)


def _grid(numbers: NDArray[Any]) -> KPoints:
    points = np.stack(np.unravel_index(np.arange(numbers.prod()), numbers), axis=1) / numbers
    return KPoints(read_only(points), read_only(np.full(len(points), 1 / len(points))))


def _explicit(points: ArrayLike, weights: ArrayLike, n_vectors: int, expected: str) -> KPoints:
    places, shares = np.array(points, dtype=float), np.array(weights, dtype=float)
    if places.ndim != 2 or places.shape[1] != n_vectors or shares.shape != places.shape[:1]:
        raise ValueError(
            f"k_points has points of shape {places.shape} and weights of shape {shares.shape}; "
            f"{expected}."
        )
    if not np.isfinite(places).all() or not (shares > 0).all():
        raise ValueError(f"k_points has points that are not finite, or weights <= 0; {expected}.")
    if not abs(shares.sum() - 1) < SUM:
        raise ValueError(
            f"The weights of k_points sum to {shares.sum():.8g}; expected 1. All points of the "
            "Brillouin zone count, k and -k each."
        )
    return KPoints(read_only(places), read_only(shares / shares.sum()))


def check_directions(k: KPoints, cells: Iterable[Cell]) -> None:
    """Raise if points differ along a lattice vector along which no matrix has an image."""
    reached = np.abs(np.array(list(cells), dtype=int).reshape(-1, k.points.shape[1])).max(
        axis=0, initial=0
    )
    apart = k.points - k.points[0]
    varied = np.abs(apart - np.rint(apart)).max(axis=0) > 0
    for direction in np.flatnonzero(varied & (reached == 0)):
        raise ValueError(
            f"k_points differ along lattice vector {direction}, along which the junction doesn't "
            "repeat: no matrix has elements to a cell in this direction. Expected one point along "
            "it, e.g. k_points=(4, 1); are the calculation's k points along it missing?"
        )


def without_opposites(k: KPoints) -> tuple[str, ...]:
    """Return what is to be said of points whose opposite is not there, or has another weight.

    Up to reciprocal lattice vectors; points that are there twice count together.
    """
    for point in k.points:
        same, opposite = _weight_at(k, point), _weight_at(k, -point)
        if abs(same - opposite) > SUM:
            place = ", ".join(f"{number:.6g}" for number in point)
            return (
                f"the k points are not those of the whole Brillouin zone: the weights of ({place}) "
                f"and of its opposite are {same:.6g} and {opposite:.6g}, and what is odd in k "
                "doesn't cancel; give k and -k, with the same weight each",
            )
    return ()


def _weight_at(k: KPoints, place: FloatArray) -> float:
    apart = k.points - place
    return float((np.abs(apart - np.rint(apart)) < SUM).all(axis=1) @ k.weights)
