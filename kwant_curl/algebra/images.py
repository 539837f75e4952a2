"""Images in a lattice of periods: the nearest one, and those in a box."""

from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from kwant_curl.support.frozen import read_only

__all__ = ["images_in_box", "nearest_images", "period_vectors", "shortest_period"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

TIE = 1e-6
"""Images are as near as each other if their distances differ by less, relative to these."""


def period_vectors(periods: ArrayLike | None) -> FloatArray | None:
    """Return what users give as periods as an array (n, dim), or raise; None stays None."""
    if periods is None:
        return None
    try:
        vectors = np.asarray(periods, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(
            f"periods is {periods!r}; expected vectors, (n, dim), of the periods of a system that "
            "closes on itself, or None."
        ) from None
    if not vectors.size:
        return read_only(np.empty((0, 0)))
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(
            f"periods is {periods!r}; expected finite vectors, (n, dim): [(0, 6)] for a strip in "
            "the plane of six rows that are 1 apart, the last of which is bound to the first."
        )
    if np.linalg.matrix_rank(vectors) < len(vectors):
        raise ValueError(f"periods is {vectors.tolist()}; expected linearly independent vectors.")
    return read_only(vectors)


def nearest_images(
    vectors: FloatArray, periods: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return what to add to vectors (n, dim) for the nearest image, and whether that is unique."""
    lattice = _reduced(periods)
    shifts = -np.round(vectors @ np.linalg.pinv(lattice)) @ lattice
    # Rounding each component by itself may miss the nearest one, by one step in each direction.
    steps = np.array(list(np.ndindex((3,) * len(lattice)))) - 1
    near = shifts[:, None] + steps @ lattice
    distance = np.linalg.norm(vectors[:, None] + near, axis=2)
    order = np.argsort(distance, axis=1, kind="stable")[:, :2]
    best, second = np.take_along_axis(distance, order, axis=1).T
    chosen = np.take_along_axis(near, order[:, :1, None], axis=1)[:, 0]
    return chosen, second > (1 + TIE) * best


def shortest_period(periods: FloatArray) -> float:
    """Return the length of the shortest vector of the lattice, up to a factor of order one."""
    return float(np.linalg.norm(_reduced(periods), axis=1).min())


def _reduced(periods: FloatArray) -> FloatArray:
    """Return vectors of the same lattice, none of which another one makes shorter."""
    vectors = np.array(periods)
    changed = True
    while changed:
        changed = False
        for i, j in np.ndindex(len(vectors), len(vectors)):
            overlap = vectors[i] @ vectors[j] / (vectors[j] @ vectors[j])
            if i != j and abs(overlap) > 0.5 + TIE:
                vectors[i] -= np.round(overlap) * vectors[j]
                changed = True
    return vectors


def images_in_box(
    positions: FloatArray, periods: FloatArray | None, low: FloatArray, high: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return which positions (n, dim) have images in a box, and where these are.

    Without periods, all positions, as they are.  Raise if images of different positions coincide.
    """
    if periods is None or not len(periods):
        return np.arange(len(positions)), positions
    inverse = np.linalg.pinv(periods)
    ends = np.stack([low - positions.max(axis=0), high - positions.min(axis=0)])
    reach = np.sort(ends[:, :, None] * inverse, axis=0).sum(axis=1)  # (2, n): of the multiples
    ranges = [range(int(np.ceil(a)), int(np.floor(b)) + 1) for a, b in reach.T]
    which, where = [], []
    for times in product(*ranges):
        images = positions + np.array(times) @ periods
        inside = np.flatnonzero(((images >= low) & (images <= high)).all(axis=1))
        which.append(inside)
        where.append(images[inside])
    _check_apart(positions, periods, np.concatenate(which), np.concatenate(where))
    return np.concatenate(which), np.concatenate(where)


def _check_apart(
    positions: FloatArray, periods: FloatArray, which: IntArray, where: FloatArray
) -> None:
    """Raise if images of different positions are at one place: several sites may share theirs."""
    if not len(where):
        return
    grain = TIE * shortest_period(periods)
    one, other = cKDTree(where).query_pairs(grain, output_type="ndarray").T
    apart = np.abs(positions[which[one]] - positions[which[other]]).max(axis=1) > 2 * grain
    if apart.any():
        first = int(apart.argmax())
        a, b = (positions[which[end[first]]].tolist() for end in (one, other))
        raise ValueError(
            f"periods is {periods.tolist()}, by which the sites at {a} and {b} are images of each "
            "other. Expected vectors by which no two sites of the system are apart: all of a "
            "cylinder's circumference, not a part of it."
        )
