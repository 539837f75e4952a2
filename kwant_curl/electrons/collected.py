"""Scattering states of many energies that together make up Delta rho."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integration import gauss_points
from kwant_curl.electrons.averages import integration_points, lead_weights
from kwant_curl.electrons.beside import Beside
from kwant_curl.electrons.notices import closed_notices, integral_notices, lost_notices
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import check_energy_dependence

__all__ = ["Collected", "collected_states"]

NARROWEST = 2.0**-20
"""Intervals of `collected_states` are not halved beyond this part of a segment."""


class Collected(NamedTuple):
    """States and weights that make up Delta rho.

    error: of the density in an orbital, relative to the largest; partial: whether at an energy
    that counts no lead has an open mode; notices: what is to be said.
    """

    states: NDArray[np.complex128]
    weights: NDArray[np.float64]
    error: float
    partial: bool
    notices: tuple[str, ...]


class _Sample(NamedTuple):
    """States of an interval, their weights, and the density in each orbital; see `Collected`."""

    low: float
    high: float
    states: NDArray[np.complex128]
    weights: NDArray[np.float64]
    density: NDArray[np.float64]
    partial: bool


def collected_states(
    problem: ScatteringProblem, point: OperatingPoint, numerics: Numerics
) -> Collected:
    """Return states and weights that make up Delta rho.

    The states at Gauss and Legendre's 16 points of intervals in the variable of `integrate`, which
    are halved until that no longer changes the density in each orbital.
    """
    rounding = point.rounding
    point, share = point.of_sources(problem.sources), problem.sources.share
    check_energy_dependence(problem, "an integral over energies")
    points, bound = integration_points(problem, point, numerics, None)

    def shell_at(energy: float) -> EnergyShell:
        return EnergyShell(problem, energy, numerics)

    at_energy = Beside(shell_at, float(np.ptp(points)))

    def sample(low: float, high: float) -> _Sample:
        states, weights, partial = [], [], False
        for energy, width in gauss_points(points, low, high, 16):
            all_weights = lead_weights(energy, point)
            by_lead = all_weights.by_lead * (point.bias if point.linear else 1.0)
            shell = at_energy(energy)
            counts = all_weights.size(point) > numerics.rtol
            partial = partial or (counts and not sum(shell.n_modes))
            states.append(shell.states())
            weights.append(width * np.repeat(by_lead, shell.n_modes) / (2 * np.pi))
        psi, weight = np.concatenate(states), np.concatenate(weights)
        # Of both signs of the bias alike, or they could cancel and hide what is rough.
        return _Sample(low, high, psi, weight, np.abs(weight) @ np.abs(psi) ** 2, partial)

    waiting = [sample(i, i + 1) for i in range(len(points) - 1)]
    size = np.sum([part.density for part in waiting], axis=0).max(initial=0.0) or 1.0
    done, error = [], 0.0
    while waiting:
        part = waiting.pop()
        middle = 0.5 * (part.low + part.high)
        halves = [sample(part.low, middle), sample(middle, part.high)]
        change = np.abs(halves[0].density + halves[1].density - part.density).max() / size
        part_of_all = (part.high - part.low) / (len(points) - 1)
        if change <= numerics.rtol * part_of_all or part.high - part.low < NARROWEST:
            done += halves
            error += float(change)
        else:
            waiting += halves
    states = np.concatenate([part.states for part in done])
    weights = share * point.degeneracy * np.concatenate([part.weights for part in done])
    partial = bool(len(states)) and any(part.partial for part in done)
    notices = bound + closed_notices(len(states), point.energy)
    notices += integral_notices(error, numerics.rtol, partial)
    notices += lost_notices(rounding, numerics.rtol)
    return Collected(states, weights, error + rounding, partial, notices)
