"""States that are bound in the device: no lead fills them, and scattering states don't know them.

In a window of energies they are looked for as eigenvalues of H + Sigma(E) that are real and equal
to E.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.electrons.nearest_levels import NearestLevels
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["Levels", "counted_range", "narrow_levels"]

ComplexArray = NDArray[np.complex128]

HARMLESS = 1e-12
"""Below this share on the orbitals that are asked for, a bound state is not missed there."""

NEIGHBOURS, FEW = 12, 3
"""Eigenvalues around an energy that are found in larger systems, and where one is followed."""

CLOSEST, FARTHEST, LOOKS_BESIDE, BESIDE = 1e-9, 0.3, 12, 1e-3
"""Where levels beside a band edge are looked for first, in units of the Hamiltonian, how far from
it they may be, in the root of these, and in how many steps they are followed; and up to where
resonances there are looked at each."""

NARROW, SUSPECTS = 0.05, 8
"""Levels narrower than this part of what lies between two band edges are looked at each; so many
of those that are as good as real are followed to their own energies."""


class Level(NamedTuple):
    """A state bound at an energy: the orbital where it is largest, its share on those asked for."""

    energy: float
    orbital: int
    share: float


def counted_range(point: OperatingPoint, rtol: float) -> tuple[float, float]:
    """Return the energies between which occupations differ, or change, by more than rtol."""
    tail = point.temperature * max(np.log(4 / rtol), 0.0)
    levels = [point.energy] if point.linear else [point.energy, *(point.energy + point.bias)]
    return float(min(levels) - tail), float(max(levels) + tail)


class Levels(NamedTuple):
    """Levels of the device between two energies that are narrow, and what is to be said of them.

    bound: energies of bound states, sorted; resonances: (energy, half width) of others.
    """

    bound: NDArray[np.float64]
    resonances: tuple[tuple[float, float], ...]
    notices: tuple[str, ...]

    def between(self, low: float, high: float) -> "Levels":
        """Return those between two energies."""
        inside = (self.bound > low) & (self.bound < high)
        resonances = tuple(pair for pair in self.resonances if low < pair[0] < high)
        notices = self.notices if inside.any() else ()
        return Levels(self.bound[inside], resonances, notices)


def narrow_levels(
    problem: ScatteringProblem,
    limits: tuple[float, float],
    edges: NDArray[np.float64],
    numerics: Numerics,
    orbitals: Any,
) -> Levels:
    """Return states that are bound between two energies, and resonances that are narrow there.

    edges: the leads' band edges, those beyond the limits too if they are known.  Bound ones that
    don't reach the orbitals asked for (None: all) are no loss.
    """
    search = _Search(problem, numerics, orbitals)
    low, high = limits
    levels = search.between([low, *edges[(edges > low) & (edges < high)], high])
    missed = [level for level in levels if level.share > HARMLESS]
    notices: tuple[str, ...] = ()
    if missed:
        energies = ", ".join(f"{level.energy:.9g}" for level in missed[:3])
        more = f" and {len(missed) - 3} more" if len(missed) > 3 else ""
        notices += (
            f"In the window of energies, from {low:.6g} to {high:.6g}, states are bound in the "
            f"device, at {energies}{more}; the first is largest at orbital {missed[0].orbital}. "
            "No lead fills them, so that it isn't known how they are occupied, and their share in "
            "force, curl, friction and density is left out. Couple them to a lead, however "
            "weakly, or take a window without them.",
        )
    bound = np.array([level.energy for level in levels])
    return Levels(bound, tuple(sorted(search.resonances)), notices)


class _Search:
    """The search for bound states and resonances."""

    def __init__(self, problem: ScatteringProblem, numerics: Numerics, orbitals: Any) -> None:
        self._problem, self._orbitals = problem, orbitals
        self._levels = NearestLevels(problem, numerics)
        self.resonances: set[tuple[float, float]] = set()

    def between(self, points: list[float]) -> list[Level]:
        """Return the bound states between energies, from a look between any two of them.

        points: the limits, and the band edges between them, beside which levels are looked for too.
        """
        middle = 0.5 * (points[0] + points[-1])
        central = sorted(points[1:-1], key=lambda edge: abs(edge - middle))[
            : self._levels.most_looks // 2
        ]
        found = [level for edge in central for level in self._beside(edge)]
        self._levels.n_looks = 0
        waiting = list(pairwise(points))
        while waiting and self._levels.n_looks < self._levels.most_looks:
            start, end = waiting.pop(0)
            centre = 0.5 * (start + end)
            values, _ = self._levels.near(centre, NEIGHBOURS, 0.5 * (end - start))
            inside = values[(values.real > start) & (values.real < end)]
            narrow = -inside.imag < NARROW * (end - start)
            suspect = -inside.imag <= 0.3 * np.abs(inside.real - centre) + self._levels.tiny
            for value in inside[narrow & ~suspect]:
                self._note(value.real, value)
            for value in sorted(inside[suspect], key=lambda value: abs(value.imag))[:SUSPECTS]:
                found += self._followed(value, centre)
            reach = np.abs(values - centre).max(initial=0.0)
            if self._n_found(values) and reach < 0.5 * (end - start):
                waiting += [(start, centre - reach), (centre + reach, end)]
        return self._distinct(found, points[0], points[-1])

    def _n_found(self, values: ComplexArray) -> bool:
        """Return whether there are more levels than these."""
        return 0 < len(values) < self._problem.n_orbitals

    def _note(self, energy: float, value: complex) -> None:
        """Note a resonance that was found at an energy next to it."""
        if abs(value.real - energy) <= 3 * abs(value.imag):
            self.resonances.add((float(value.real), float(abs(value.imag))))

    def _beside(self, edge: float) -> list[Level]:
        """Return the bound state next to a band edge, on the side where its mode is closed.

        A weak attraction splits it off from the band, by its square.  It is seen from there alone,
        since self-energies go as the root of the distance; in that root it is followed.
        """
        root = np.sqrt(CLOSEST * self._problem.largest)
        side = self._closed_side(edge, root**2)
        before: tuple[float, float] | None = None
        for _ in range(LOOKS_BESIDE):
            energy = edge + side * root**2
            values, vectors = self._levels.near(energy, 1)
            if not len(values):
                return []
            nearest = int(np.abs(values - energy).argmin())
            miss, width = values[nearest].real - energy, abs(values[nearest].imag)
            if before and abs(miss) <= max(0.3 * width, self._levels.tiny):
                if width <= self._levels.tiny:
                    close = np.abs(values - energy) <= 10 * self._levels.tiny
                    return self._as_levels(energy, vectors[:, close])
                if root**2 < BESIDE * self._problem.largest:  # farther ones are seen otherwise
                    self._note(energy, values[nearest])
                return []
            slope = (miss - before[1]) / (root - before[0]) if before else -miss / root
            before, root = (root, miss), root - miss / slope if slope else 0.0
            if not 0 < root < FARTHEST * np.sqrt(self._problem.largest):
                return []
        return []

    def _closed_side(self, edge: float, step: float) -> float:
        """Return on which side of a band edge fewer modes are open: 1 above, -1 below."""
        try:  # below last, where most are closed: the modes of the last energy are kept
            above, below = (self._problem.solved_leads(e) for e in (edge + step, edge - step))
        except ValueError:  # a flat band
            return -1.0
        n_below, n_above = (
            sum(modes[1].nmodes for modes in solved.modes if modes) for solved in (below, above)
        )
        return 1.0 if n_below > n_above else -1.0

    def _followed(self, value: complex, centre: float) -> list[Level]:
        """Return the bound state that a level becomes if it is followed to its own energy."""
        before, miss, width = centre, value.real - centre, abs(value.imag)
        energy = value.real
        while self._levels.n_looks < self._levels.most_looks:
            values, vectors = self._levels.near(energy, FEW)
            if not len(values):
                return []
            nearest = int(np.abs(values - energy).argmin())
            here = values[nearest].real - energy
            now = abs(values[nearest].imag)
            is_there = abs(here) <= max(0.3 * now, self._levels.tiny)
            if is_there and now <= self._levels.tiny:
                close = np.abs(values - energy) <= 10 * self._levels.tiny
                return self._as_levels(energy, vectors[:, close])
            if is_there or now > max(0.5 * width, self._levels.tiny) or here == miss:
                self._note(energy, values[nearest])
                return []
            slope = (here - miss) / (energy - before)
            before, miss, width, energy = energy, here, now, energy - here / slope
        return []

    def _as_levels(self, energy: float, vectors: ComplexArray) -> list[Level]:
        squares = np.abs(vectors) ** 2
        asked = squares if self._orbitals is None else squares[self._orbitals]
        shares = asked.sum(axis=0) / squares.sum(axis=0)
        first = int(shares.argmax())
        return [Level(energy, int(squares[:, first].argmax()), float(shares[first]))]

    def _distinct(self, found: list[Level], low: float, high: float) -> list[Level]:
        """Return the levels in the window, each once."""
        result: list[Level] = []
        for level in sorted(found):
            if not low <= level.energy <= high:
                continue
            if not result or level.energy - result[-1].energy > 10 * self._levels.tiny:
                result.append(level)
        return result
