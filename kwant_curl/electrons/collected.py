"""Scattering states of many energies that together make up Delta rho."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import triu

from kwant_curl.algebra.integral_errors import Failed
from kwant_curl.algebra.occupations import lead_weighting
from kwant_curl.algebra.segments import sample_weights
from kwant_curl.electrons.averages import integrated_shares
from kwant_curl.electrons.notices import closed_notices, lost_notices
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.shares import Shares
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import check_energy_dependence

__all__ = ["Collected", "collected_states"]


class Collected(NamedTuple):
    """States and weights that make up Delta rho.

    error: of the density in an orbital, relative to the largest; partial: whether at an energy
    that counts no lead has an open mode; notices: what is to be said; failed: an energy that
    counts, at which the integral had to end.
    """

    states: NDArray[np.complex128]
    weights: NDArray[np.float64]
    energies: NDArray[np.float64]
    error: float
    partial: bool
    notices: tuple[str, ...]
    failed: Failed | None = None


@dataclass(frozen=True, eq=False)
class _DensityKernel:
    """The density in each orbital and on each bond; states: those of each energy asked for.

    bonds: pairs of orbitals (2, n_bonds); n_modes: of each source, for each of these energies.
    """

    problem: ScatteringProblem
    numerics: Numerics
    bonds: NDArray[np.int64]
    orbitals: None = None
    states: list[NDArray[np.complex128]] = field(default_factory=list)
    n_modes: list[tuple[int, ...]] = field(default_factory=list)

    def in_window(self) -> Self:
        """Return the same, keeping states in the same lists, for one of many energies."""
        return replace(self, numerics=replace(self.numerics, in_window=True))

    def __call__(self, energy: float) -> Shares:
        """Return the density of states in each orbital and on each bond, by source."""
        shell = EnergyShell(self.problem, energy, self.numerics)
        psi = shell.states()
        self.states.append(psi)
        self.n_modes.append(shell.n_modes)
        parts = [_densities(part, self.bonds) for part in shell.split(psi)]
        on_orbitals, on_bonds = (np.array(some) for some in zip(*parts, strict=True))
        size = float(on_orbitals.max(initial=0.0))
        by_lead = on_orbitals, on_bonds.real, on_bonds.imag
        return Shares(by_lead, (), (size, size, size), sum(shell.n_modes), shell.notices)


def _densities(
    psi: NDArray[np.complex128], bonds: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return sum psi_i^* psi_i / 2 pi of all orbitals, and psi_i^* psi_j of all bonds."""
    unit = 1 / (2 * np.pi)
    on_orbitals = unit * (np.abs(psi) ** 2).sum(axis=0)
    on_bonds = np.zeros(bonds.shape[1], complex)
    for state in psi:
        on_bonds += unit * state[bonds[0]].conj() * state[bonds[1]]
    return on_orbitals, on_bonds


def collected_states(
    problem: ScatteringProblem, point: OperatingPoint, numerics: Numerics
) -> Collected:
    """Return states and weights that make up Delta rho.

    The states of the energies at which the density in each orbital is sampled for its integral.
    """
    rounding = point.rounding
    point, share = point.of_sources(problem.sources), problem.sources.share
    check_energy_dependence(problem, "an integral over energies")
    kernel = _DensityKernel(problem, numerics, np.array(triu(problem.hamiltonian, 1).nonzero()))
    summed = integrated_shares(kernel, point, numerics)
    weighting = lead_weighting(point.energy, point.bias, point.temperature, linear=point.linear)
    integral = summed.integral
    # Of both signs: what is positive isn't all that is asked of the density matrix.
    by_lead = sample_weights(integral.fits, weighting, len(integral.energies))[0]
    if point.linear:
        by_lead = point.bias[:, None] * by_lead
    # Those of the integral are the last ones: the limits may have been looked at before.
    last = slice(-by_lead.shape[1], None)
    states, n_modes = kernel.states[last], kernel.n_modes[last]
    weights = np.concatenate([np.repeat(w, n) for w, n in zip(by_lead.T, n_modes, strict=True)])
    count = weights != 0
    states = np.concatenate(states)[count]
    weights = share * point.degeneracy / (2 * np.pi) * weights[count]
    energies = np.repeat(integral.energies, [sum(counts) for counts in n_modes])[count]
    n_open = sum(map(sum, n_modes))
    notices = summed.notices if n_open else closed_notices(0, point.energy)
    notices += lost_notices(rounding, numerics.rtol)
    error = integral.error + rounding
    partial = summed.closed and n_open > 0
    return Collected(states, weights, energies, error, partial, notices, integral.failed)
