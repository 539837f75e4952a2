"""Orbits that sustain themselves: the size at which what is gained in a turn is lost again."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.periodic import Local, PeriodicOrbit, Springs, neutral_orbit, size_of

__all__ = [
    "DECAYS",
    "RUNS_AWAY",
    "UNFINISHED",
    "Found",
    "NoCycleError",
    "size_of",
    "sustained_orbit",
]

FloatArray = NDArray[np.float64]

DECAYS = "decays"
RUNS_AWAY = "runs away"
UNFINISHED = "not found"

GAINS = (
    "No limit cycle up to the largest amplitude (max_amplitude), where the motion still gains more "
    "energy in a turn than it loses: it runs away."
)
ENDS = (
    "The orbits of growing amplitude end before one is found that neither gains nor loses energy, "
    "at the amplitude {:.4g} of sqrt(M) Q: without `start`, or from another bias, it may be found."
)
LOSES = "No limit cycle: the motion loses more energy than it gains at all amplitudes, and decays."

FACTOR = 4.0
"""By how much the square of the amplitude grows at most while the orbit still gains energy.

The root of that from where a step has failed.
"""

LOOSE = 0.1
"""How well, relative to the next change of its size, an orbit has to be known before that."""

VANISHED = 1e-2
"""Orbits smaller than this part of the first one are at rest, where that is stable."""

NEAR = 0.25
"""Changes of the amplitude that are smaller are left to Newton's method."""

ASTRAY = 0.5
"""Points that have moved by more, relative to the amplitude, have gone to another orbit."""

SMALLEST = 1e-3
"""Relative steps of size or surplus that are not made smaller."""

ASIDE = 1.1
"""A second size, relative to the first, where none is known."""


class NoCycleError(ValueError):
    """There is no limit cycle, or none was found.

    Attributes
    ----------
    reason : str
        "decays": to rest; "runs away": beyond the largest amplitude that was allowed;
        "not found": the search did not end, and nothing is known.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.7)
    >>> well = QuarticPotential(modes.force_constants, 20.0)
    >>> try:
    ...     limit_cycle(field, well, modes.masses, bias=0.5)
    ... except NoCycleError as error:
    ...     print(error.reason)
    decays
    """

    def __init__(self, message: str, reason: str = UNFINISHED) -> None:
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


class Found(NamedTuple):
    """A sustained orbit, the forces at its points, and its amplitude."""

    orbit: PeriodicOrbit
    local: Local
    amplitude: float


class _Sizes:
    """What is known of the surplus against the square of the amplitude, and where its zero is."""

    def __init__(self, limit: float, surplus_at_rest: float | None) -> None:
        self._limit, self.factor = limit, FACTOR
        self._known = [] if surplus_at_rest is None else [(0.0, surplus_at_rest)]

    def next(self, square: float, surplus: float) -> tuple[float, bool]:
        """Return the next square of the amplitude, and whether the zero is expected there."""
        self._known = [pair for pair in self._known if pair[0] != square]
        gains = [s for s, d in self._known if d > 0 and s < square]
        loses = [s for s, d in self._known if d <= 0 and s > square]
        low = square if surplus > 0 else max(gains, default=0.0)
        high = min(loses, default=np.inf) if surplus > 0 else square
        other = min(self._known, key=lambda pair: abs(pair[1]), default=None)
        self._known.append((square, surplus))
        if other is None:
            return square * (ASIDE if surplus > 0 else 1 / ASIDE), False
        slope = (surplus - other[1]) / (square - other[0])
        found = square - surplus / slope if slope else np.inf
        if low < found < min(high, self.factor * square):
            return min(found, self._limit), found < self._limit
        if np.isfinite(high):
            return 0.5 * (low + high), False
        return min(self.factor * square, self._limit), False


def sustained_orbit(
    start: PeriodicOrbit,
    local_at: Callable[[FloatArray], Local],
    springs: Springs,
    limits: tuple[float, float, int],
    surplus_at_rest: float | None = None,
) -> Found:
    """Return the orbit that goes on by itself: its surplus is zero.

    Parameters
    ----------
    start : PeriodicOrbit
        A guess, of any size.
    local_at, springs : callable
        The costly forces at points, and those of the potential.
    limits : (float, float, int)
        The largest amplitude (see `size_of`), the accuracy relative to the amplitude, and how often
        the forces at all points are asked for at most.
    surplus_at_rest : float, optional
        That of an orbit of size zero, if it is positive.

    Raises
    ------
    NoCycleError
        If it decays or grows beyond the largest amplitude; if it is not found.

    Notes
    -----
    For each size there is a damping with which an orbit of this size is periodic: its surplus, an
    analytic function of the square of the size.  Its zero is looked for by secants, and once it is
    near by Newton's method without a given size: the surplus is then lowered as far as it goes.
    Orbits need be known the better the nearer the zero is.
    """
    largest, rtol, sweeps = limits
    search = _Search(start, largest, rtol, surplus_at_rest)
    local: Local | None = None
    for _ in range(sweeps):
        local = local_at(search.orbit.points).learned(local, search.amplitude)
        if search.improve(local, springs):
            return Found(search.orbit, local, search.amplitude)
    raise NoCycleError(
        f"The search for a limit cycle has not ended after {sweeps} turns around it; allow more "
        "(max_turns), or a larger rtol."
    )


class _Search:
    """The orbit that is being improved, of a given size or (target) of a given surplus.

    last: the last orbit that was found, as well as it has to be known.
    """

    def __init__(
        self, start: PeriodicOrbit, largest: float, rtol: float, surplus_at_rest: float | None
    ) -> None:
        self.orbit, self.amplitude = start, size_of(start.points)
        self._largest, self._rtol = largest, rtol
        self._sizes = _Sizes(largest**2, surplus_at_rest)
        self._smallest = 0.0 if surplus_at_rest else VANISHED * self.amplitude
        self._target: float | None = None
        self._last, self._begun = start, start.points

    def improve(self, local: Local, springs: Springs) -> bool:
        """Return whether the orbit is that which was looked for.

        Else `orbit` is the next one to ask for the forces of.
        """
        try:
            found = neutral_orbit(self.orbit, local, springs, self.amplitude, self._target)
        except (ValueError, np.linalg.LinAlgError) as failure:
            self._go_back(failure)
            return False
        moved, strayed = (
            float(np.abs(found.points - points).max() / self.amplitude)
            for points in (self.orbit.points, self._begun)
        )
        if strayed > ASTRAY:
            self._go_back(None)
            return False
        self.orbit = found
        if self._target is None:
            self._resize(moved)
            return False
        self.amplitude = size_of(found.points)
        if self.amplitude > self._largest:
            raise NoCycleError(GAINS, RUNS_AWAY)
        if self.amplitude < self._smallest:
            raise NoCycleError(LOSES, DECAYS)
        if moved <= self._rtol and self._target == 0:
            return True
        if moved <= LOOSE and self._target != 0:
            self._last, self._begun, self._target = found, found.points, 0.0
        return False

    def _resize(self, moved: float) -> None:
        """Choose the next size, if the orbit is known well enough for that."""
        square, is_expected = self._sizes.next(self.amplitude**2, self.orbit.surplus)
        following = float(np.sqrt(square))
        change = abs(following / self.amplitude - 1)
        if moved > max(LOOSE * change, self._rtol):
            return
        if self.orbit.surplus > 0 and self.amplitude >= self._largest:
            raise NoCycleError(GAINS, RUNS_AWAY)
        if following < self._smallest:
            raise NoCycleError(LOSES, DECAYS)
        self._last = self.orbit
        self._set(self.orbit, following)
        if is_expected and change < NEAR:
            self._target = 0.0

    def _go_back(self, failure: Exception | None) -> None:
        """Take half of the step that has failed, in size or in surplus."""
        before, surplus = size_of(self._last.points), self._last.surplus
        if self._target is None:
            self._sizes.factor **= 0.5
            middle = float(np.sqrt(self.amplitude * before))
            if abs(middle / before - 1) < SMALLEST:
                raise NoCycleError(ENDS.format(before)) from failure
            self._set(self._last, middle)
            return
        self._target = 0.5 * (self._target + surplus)
        if abs(self._target - surplus) < SMALLEST * abs(surplus):
            raise NoCycleError(ENDS.format(before)) from failure
        self._set(self._last, before)

    def _set(self, orbit: PeriodicOrbit, amplitude: float) -> None:
        """Go on with an orbit that is larger or smaller about its centre."""
        centre = orbit.points.mean(axis=0)
        points = centre + amplitude / size_of(orbit.points) * (orbit.points - centre)
        self.orbit, self.amplitude = orbit._replace(points=points), amplitude
        self._begun = points
