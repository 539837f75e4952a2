"""Which energies count: limits of an integral, and where it isn't smooth between them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import REACH, reach, window
from kwant_curl.algebra.segments import Weighting
from kwant_curl.electrons.bound import Levels, narrow_levels
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.shares import Kernel
from kwant_curl.model.bands import band_edges
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["Window", "integration_window"]

FloatArray = NDArray[np.float64]

FAR_TAIL, MOST_FAR = 15.0, 8
"""How much further narrow levels are looked for, in kT, and how many of them are looked at."""


class Window(NamedTuple):
    """Energies of an integral: limits and break points, band edges, and narrow levels."""

    points: FloatArray
    edges: FloatArray
    levels: Levels


def integration_window(
    kernel: Kernel, point: OperatingPoint, weighting: Weighting, numerics: Numerics
) -> Window:
    """Return the energies of an integral; none that is solved at is on a level that is bound."""
    problem, kt = kernel.problem, point.temperature
    filled = np.array([point.energy])
    if not point.linear:
        filled = np.append(point.energy + point.bias, filled)
    low, high = window(filled, kt, reach(numerics.rtol))
    low, high = _beyond_a_gap(problem, low, high, point)
    far = window(filled, kt, reach(numerics.rtol) + FAR_TAIL)
    far = min(low, far[0]), max(high, far[1])
    # Those at the ends too where energies around them are left out; and see `_that_count`.
    beyond = kt + (1 + 1e-9) * numerics.exclude
    edges = band_edges(problem, far[0] - beyond, far[1] + beyond)
    found = narrow_levels(problem, far, edges, numerics, kernel.orbitals)
    for energy in _that_count(kernel, found, (low, high), point, weighting, numerics.rtol):
        low, high = min(low, energy), max(high, energy)
    found = found.between(low, high)
    inner = edges[(edges > low) & (edges < high)]
    points = np.union1d([low, high], np.concatenate([inner, found.bound]))
    return Window(points, edges, found)


def _beyond_a_gap(
    problem: ScatteringProblem, low: float, high: float, point: OperatingPoint
) -> tuple[float, float]:
    """Return limits that go as far beyond the next band edge, if no lead is open at mu."""
    if not point.temperature:
        return low, high
    modes = problem.solved_leads(point.energy).modes
    if any(some is None or some[0].velocities.size for some in modes):
        return low, high
    widest = REACH * point.temperature
    edges = band_edges(problem, point.energy - widest, point.energy + widest)
    distance = float(np.abs(edges - point.energy).min(initial=widest))
    return low - distance, high + distance


def _that_count(
    kernel: Kernel,
    levels: Levels,
    limits: tuple[float, float],
    point: OperatingPoint,
    weighting: Weighting,
    rtol: float,
) -> Iterator[float]:
    """Yield energies as far as which narrow levels beyond the limits count.

    Where a level is much narrower than kT, what it adds may be as large as all that is near the
    Fermi level, though hardly any electrons are there: each is looked at once.
    """
    outside = [pair for pair in levels.resonances if not limits[0] < pair[0] < limits[1]]
    if not outside or not point.temperature:
        return
    find = kernel.in_window()
    here, kt = find(point.energy), point.temperature

    def weight(energy: float) -> float:
        return max(
            float(np.abs(kind).max(initial=0.0)) for kind in weighting.of(np.array([energy]))
        )

    nearest = sorted(outside, key=lambda pair: abs(pair[0] - point.energy))[:MOST_FAR]
    for energy, width in nearest:
        there = find(energy)
        pairs = zip((*there.by_lead, *there.total), (*here.by_lead, *here.total), strict=True)
        sizes = [(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)) for a, b in pairs]
        share = max(
            a * width * weight(energy) - 0.1 * rtol * b * kt * weight(point.energy)
            for a, b in sizes
        )
        if share > 0:
            yield energy + np.sign(energy - point.energy) * min(30 * width, kt)
