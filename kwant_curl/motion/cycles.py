"""Limit cycles of atoms under current."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.floquet import between, floquet_multipliers
from kwant_curl.algebra.periodic import (
    Local,
    PeriodicOrbit,
    angles,
    fourier_slope,
    imbalance,
    size_of,
    tail,
)
from kwant_curl.algebra.sustained import DECAYS, Found, NoCycleError, sustained_orbit
from kwant_curl.motion.equations import EquationOfMotion
from kwant_curl.motion.field import ResponseField
from kwant_curl.motion.small import Rest, at_rest
from kwant_curl.results import LimitCycle
from kwant_curl.support.checks import positive_integer, positive_number, true_or_false
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.potentials import Potential

__all__ = ["Search", "limit_cycle", "search_of"]

FloatArray = NDArray[np.float64]

FIRST = 1 / 32
"""The first orbit that is tried, in units of the largest amplitude."""

BEND = 1e-3
"""Steps of differences of the friction, in units of the amplitude."""

ROUGH = 1e-3
"""Last harmonics that are as large, relative to the first, are worth a word."""


@recorded
def limit_cycle(
    field: ResponseField,
    potential: Potential,
    masses: ArrayLike,
    *,
    bias: float | Mapping[int, float] | None = None,
    start: LimitCycle | None = None,
    damping: ArrayLike = 0.0,
    max_amplitude: float = 1.0,
    n_points: int = 17,
    rtol: float = 1e-6,
    max_turns: int = 60,
    multipliers: bool = False,
    progress: Progress = None,
) -> LimitCycle:
    """Return the periodic motion in which what the current gives is lost again.

    M Q'' = -dU/dQ + F(Q) - (gamma(Q) + M damping) Q', without noise, F the whole force of the
    current at the displacements Q, gamma the velocity tensor there (``velocity=True`` of the
    field) or the friction.

    Parameters
    ----------
    field : ResponseField
        System, coordinates, bias and the rest.  The Jacobian is asked for in any case; `refresh`
        does not count: the electrons are solved for at each point.
    potential : callable
        ``potential(q)`` returns the potential energy U (n,) and the forces -dU/dQ (n, n_c) at
        displacements (n, n_c): that of the atoms without current.
    masses : array (n_c,)
        Mass of each coordinate.
    bias : number or mapping, optional
        Default: that of the field.
    start : LimitCycle, optional
        One that is near: at another bias, or in a similar potential.  Default: the vibration about
        the place of rest that grows fastest.
    damping : float or array (n_c,), default 0.0
        Damping of other origin: the rate at which the energy of each coordinate decays.
    max_amplitude : float, default 1.0
        How far to look, in units of the coordinates: see `LimitCycle.amplitude`.
    n_points : int, default 17
        Points of the cycle, odd.
    rtol : float, default 1e-6
        Accuracy of the points, relative to the amplitude; not better than the field's `rtol` where
        there is an integral over energy.
    max_turns : int, default 60
        How often the electrons are solved for at all points, at most.
    multipliers : bool, default False
        Floquet's multipliers too, which say whether the cycle is stable; takes 2 n_c more turns.
    progress : bool, optional
        Show a progress bar: turns.  Default: after two seconds, where somebody sees it.

    Returns
    -------
    LimitCycle

    Raises
    ------
    NoCycleError
        If there is none: its `reason` says whether the motion decays to rest, runs away beyond
        `max_amplitude`, or was not found.
    ValueError, TypeError
        For masses, damping and potentials of other shapes; where forces of potential and current
        have no place of rest, and where what grows there is no vibration; as `Model.moved` and
        `force_response` do.

    Warns
    -----
    RuntimeWarning
        As `force_response`, of all points once; if `n_points` are few for the shape of the cycle.

    Notes
    -----
    For each amplitude there is a damping, the same for all coordinates in units of their masses,
    with which an orbit of this amplitude is periodic; the orbit grows if it is positive, and it is
    the rate at which its energy grows.  Beginning with the fastest small vibration, for which it
    is the growth rate, orbits are followed to the amplitude at which it is zero.  Each orbit is
    solved for at equidistant phases with its frequency (Fourier collocation, Newton's method); how
    F changes is known from the Jacobian, how gamma does from the points before (Broyden).

    A cycle that exists beside a stable place of rest is found from a `start` alone, and one that
    is born from a vibration that grows more slowly than the fastest is not found.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.7)
    >>> well = QuarticPotential(modes.force_constants, 20.0)
    >>> cycle = limit_cycle(field, well, modes.masses, max_amplitude=0.5, n_points=9, rtol=1e-2)
    >>> print(f"{cycle.amplitude:.3f} {cycle.period:.1f}")
    0.017 623.3
    """
    search = search_of(field, potential, masses, damping, max_amplitude)
    search = search.refined(n_points, rtol, max_turns, progress)
    true_or_false("multipliers", multipliers)
    search = search if bias is None else search.at_bias(bias)
    if start is not None and not isinstance(start, LimitCycle):
        raise TypeError(f"start is a {type(start).__name__}; expected a LimitCycle.")
    before = search.equation.field.n_solved
    rest = search.rest(None if start is None else start.rest)
    found = search.found(rest, start)
    cycle = search.cycle(rest, found, multipliers=multipliers, before=before)
    issued(cycle.warnings)
    return cycle


@dataclass(frozen=True, eq=False)
class Search:
    """Looks for limit cycles; see `limit_cycle` for what it is told."""

    equation: EquationOfMotion
    extent: float
    n_points: int = 17
    rtol: float = 1e-6
    max_turns: int = 60
    progress: Progress = None

    def refined(self, n_points: int, rtol: float, max_turns: int, progress: Progress) -> "Search":
        """Check and take these numbers."""
        if positive_integer("n_points", n_points) < 5 or n_points % 2 == 0:
            raise ValueError(f"n_points is {n_points}; expected an odd number from 5 on.")
        accuracy, turns = positive_number("rtol", rtol), positive_integer("max_turns", max_turns)
        return Search(self.equation, self.extent, n_points, accuracy, turns, progress)

    def at_bias(self, bias: Any) -> "Search":
        """Return that at another bias."""
        equation = self.equation.at_bias(bias)
        others = self.n_points, self.rtol, self.max_turns, self.progress
        return Search(equation, self.extent, *others)

    def rest(self, near: FloatArray | None = None) -> Rest:
        """Return the place of rest, near displacements (n_c,), and the vibrations there."""
        roots = self.equation.roots
        start = np.zeros(len(roots)) if near is None else roots * near
        return at_rest(self.equation, start, self.extent)

    def found(self, rest: Rest, start: LimitCycle | None) -> Found:
        """Return the orbit that sustains itself, from the place of rest or another cycle."""
        roots = self.equation.roots
        surplus = None
        if start is not None:
            guess = self._again(start)
            if rest.growth > 0:
                surplus = rest.growth
        elif rest.growth > 0:
            guess = rest.small_orbit(roots, FIRST * self.extent, self.n_points)
            surplus = guess.surplus
        else:
            raise NoCycleError(
                "Small vibrations about the place of rest decay, the slowest with the rate "
                f"{-rest.growth:.4g} of its energy: no limit cycle grows from there. One of larger "
                "amplitude is found from a start alone.",
                DECAYS,
            )
        # Of this shape, since sizes are those of sqrt(M) Q.
        shape = size_of(guess.points) / size_of(guess.points / roots)
        largest, rtol = np.sqrt(2) * self.extent * shape, max(self.rtol, self.equation.error)
        with bar(self.progress, " turns") as shown:

            def local_at(x: FloatArray) -> Local:
                shown.update()
                return self.equation.local_at(x)

            limits = largest, rtol, self.max_turns
            return sustained_orbit(guess, local_at, self.equation.springs, limits, surplus)

    def _again(self, start: LimitCycle) -> PeriodicOrbit:
        """Return a cycle as a guess."""
        roots = self.equation.roots
        if start.points.shape[1] != len(roots):
            raise ValueError(
                f"start has {start.points.shape[1]} coordinates; expected {len(roots)}."
            )
        points = between(start.points * roots, angles(self.n_points))
        return PeriodicOrbit(points, start.frequency, 0.0)

    def cycle(self, rest: Rest, found: Found, *, multipliers: bool, before: int) -> LimitCycle:
        """Return the result; before: what was solved for before it was begun."""
        equation, local = self.equation, found.local
        orbit = PeriodicOrbit(local.points, found.orbit.frequency, 0.0)
        omega, roots = orbit.frequency, equation.roots
        slope = fourier_slope(len(local.points))
        way = slope @ local.points
        step = 2 * np.pi / len(way)
        missed = np.abs(imbalance(orbit, local, equation.springs)).max()
        lost = omega * step * np.einsum("ji,jik,jk->", way, local.damping, way)
        other = omega * step * float((way**2 @ equation.damping).sum())
        known = None
        if multipliers:
            full = equation.with_bends(local, BEND * found.amplitude)
            known = floquet_multipliers(orbit, full, equation.springs)
        field, last = equation.field, tail(local.points)
        notices = field.notices
        if last > ROUGH:
            notices += (
                f"The last harmonics that {len(way)} points hold are {last:.2g} of the first; give "
                f"n_points={2 * len(way) - 1}.",
            )
        return LimitCycle(
            bias=equation.shifts(),
            period=2 * np.pi / omega,
            points=local.points / roots,
            velocities=omega * way / roots,
            rest=rest.place / roots,
            masses=roots**2,
            work=step * float((local.force * way).sum()),
            friction_loss=float(lost) - other,
            damping_loss=other,
            growth=rest.growth,
            residual=float(missed / np.abs(omega**2 * slope @ way).max()),
            truncation=last,
            n_solved=field.n_solved - before,
            multipliers=known,
            units=field.units,
            warnings=notices,
        )


def search_of(
    field: ResponseField,
    potential: Potential,
    masses: ArrayLike,
    damping: ArrayLike,
    max_amplitude: float,
) -> Search:
    """Return a search of what users give, checked."""
    extent = positive_number("max_amplitude", max_amplitude)
    return Search(EquationOfMotion.of(field, potential, masses, damping, extent), extent)
