"""What is solved for at the points of a way, and more of them until a sum along it is known."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.ways import Steps, chebyshev_points, closed_steps, open_steps, smooth_steps
from kwant_curl.support.checks import true_or_false
from kwant_curl.support.progress import Progress, bar

__all__ = ["Walk", "Way", "check_cycle", "is_closed", "place_on", "refined", "responses", "through"]

FloatArray = NDArray[np.float64]
Found = TypeVar("Found")
Solve = Callable[[FloatArray], Found]
"""What is found at a point (n_c,)."""
Way = Callable[[float], ArrayLike]
"""way(s): the displacements (n_c,) for s from 0 to 1."""

FIRST = 16
"""Intervals of the first rule; each next one has twice as many.  With few, both rules may miss the
same waves: a potential of four sites that slides along a lattice has a force of period pi/2."""

SAME_PLACE = 1e-9
"""How near, relative to its extent, a way's end is to its beginning if it is closed."""

SAME_CHANGE = 1e-4
"""How well, relative to its change, what is at a cycle's end is that at its beginning."""

ROUNDING = 1e-9
"""The same, relative to the largest value: derivatives that are numerical are right to this."""


@dataclass(frozen=True, eq=False)
class Walk(Generic[Found]):
    """Points of a way (n_points, n_c), the steps of its quadrature, and what was found there."""

    points: FloatArray
    steps: Steps
    found: Sequence[Found]
    is_cycle: bool


def through(
    solve: Solve[Found], path: ArrayLike, is_cycle: bool | None, progress: Progress
) -> Walk[Found]:
    """Return what is found at given points, (n_points, n_c).

    is_cycle: None if that is to be told by the last point, which is then the first one.
    """
    points = _points(path)
    closed = is_closed(points) if is_cycle is None else true_or_false("is_cycle", is_cycle)
    steps = closed_steps(points) if closed else open_steps(points)
    return Walk(points, steps, responses(solve, points, progress), closed)


def refined(
    solve: Solve[Found],
    way: Way,
    is_cycle: bool | None,
    max_points: int,
    progress: Progress,
) -> Iterator[Walk[Found]]:
    """Yield what is found along a way with ever more points, until they would be too many.

    They are doubled, those that are there being kept: at equal steps of s for cycles, at
    Chebyshev's points otherwise.
    """
    if isinstance(max_points, bool) or not isinstance(max_points, Integral) or max_points <= FIRST:
        raise ValueError(
            f"max_points is {max_points!r}; expected a whole number, {FIRST + 1} at least, which "
            "the first rule takes."
        )
    if is_cycle is None:
        is_cycle = is_closed(np.stack([place_on(way, s) for s in (0.0, 0.37, 1.0)]))
    known: dict[float, Found] = {}
    n = FIRST
    while True:
        times = np.linspace(0, 1, n + 1) if is_cycle else chebyshev_points(n)
        points = np.stack([place_on(way, s) for s in times.tolist()])
        steps = closed_steps(points) if is_cycle else smooth_steps(points)
        # A dyadic fraction, or a cosine of one: the same number whenever it comes.
        keys = [round(s, 14) for s in times.tolist()]
        new = [place for place, key in enumerate(keys) if key not in known]
        solved = responses(solve, points[new], progress)
        known.update(zip([keys[place] for place in new], solved, strict=True))
        yield Walk(points, steps, [known[key] for key in keys], is_cycle)
        n *= 2
        if n + 1 > max_points:
            return


def responses(solve: Solve[Found], points: FloatArray, progress: Progress) -> list[Found]:
    """Return what is found at each point, (n_points, n_c)."""
    with bar(progress, "point", len(points)) as shown:
        found = []
        for point in points:
            found.append(solve(point))
            shown.update()
    return found


def check_cycle(what: str, by_lead: FloatArray, error: float) -> None:
    """Raise unless what is at the end of a cycle is that at its beginning.

    by_lead: (n_leads, n_points, n_c), known to this relative error.
    """
    missed = np.abs(by_lead[:, -1] - by_lead[:, 0]).max()
    size, change = np.abs(by_lead).max(), np.ptp(by_lead, axis=1).max()
    if missed > max(SAME_CHANGE * change, max(ROUNDING, 2 * error) * size):
        raise ValueError(
            f"At the end of the cycle {what} differs from that at its beginning by {missed:.3g}, "
            f"and along it by {change:.3g}; expected a last point that is the first one again, or "
            "a period of the coordinates further. Of another way say is_cycle=False."
        )


def is_closed(points: FloatArray) -> bool:
    """Return whether the last of these points is the first one."""
    extent = np.ptp(points, axis=0).max()
    return bool(np.abs(points[-1] - points[0]).max() <= SAME_PLACE * extent)


def place_on(way: Way, s: float) -> FloatArray:
    """Return where a way is, (n_c,)."""
    if not callable(way):
        raise TypeError(
            f"way is a {type(way).__name__}; expected a function of s from 0 to 1. Given points go "
            "to force_along."
        )
    place = np.asarray(way(s), dtype=float)
    if place.ndim != 1 or not np.isfinite(place).all():
        raise ValueError(
            f"way({s:.3g}) returned an array of shape {place.shape}; expected finite numbers "
            "(n_c,), one per coordinate."
        )
    return place


def _points(path: ArrayLike) -> FloatArray:
    """Return the points of a way as an array (n_points, n_c), or raise."""
    if callable(path):
        raise TypeError(
            "path is a function; expected points (n_points, n_c). Functions go to work."
        )
    points = np.asarray(path, dtype=float)
    if points.ndim != 2 or len(points) < 2 or not points.size or not np.isfinite(points).all():
        raise ValueError(
            f"path has shape {points.shape}; expected finite numbers (n_points, n_c), the "
            "displacements at two points at least."
        )
    return points
