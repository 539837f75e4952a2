"""The flow at an energy: density of states and currents on each site."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.stack import OperatorStack
from kwant_curl.algebra.stars import star_densities
from kwant_curl.electrons.averages import Shares
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["FlowKernel"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FlowKernel:
    """Densities of states and currents of each site at any energy; currents: of all sites."""

    problem: ScatteringProblem
    numerics: Numerics
    currents: OperatorStack

    @property
    def orbitals(self) -> None:
        """All of them."""

    def __call__(self, energy: float) -> Shares:
        """Return the traces on the sites by lead, and the density of states."""
        shell = EnergyShell(self.problem, energy, self.numerics)
        traces = _onsite_traces(self.currents, shell)
        dos, current, capacity, _ = (float(np.abs(trace).max(initial=0.0)) for trace in traces)
        sizes = (dos, current, capacity, capacity, dos)
        return Shares(traces, traces[:1], sizes, sum(shell.n_modes), shell.slow_lead)


def _onsite_traces(currents: OperatorStack, shell: EnergyShell) -> tuple[FloatArray, ...]:
    """Return Tr D_alpha, Tr J_alpha, Tr[D J_alpha] and -Tr[D_alpha J] on each site.

    (n_leads, n_sites) and three times (n_leads, n_sites, dim).  On a site, with orbitals a, J_k is
    the Hermitian matrix 2 Re of <a| B_k D |b>, the rows B_k being half of the current operator.
    """
    n_leads, n_sites, dim = len(shell.n_modes), len(currents.start) - 1, currents.dim
    dos = np.zeros((n_leads, n_sites))
    current, capacity, correction = (np.zeros((n_leads, n_sites, dim)) for _ in range(3))
    parts = currents.groups_by_rows()
    for sites, densities in star_densities(currents, parts, shell):
        n_orbitals = densities.shape[-1] // (1 + dim)
        shape = (n_leads, len(sites), 1 + dim, n_orbitals, 1 + dim, n_orbitals)
        blocks = densities.reshape(shape)
        density = blocks[:, :, 0, :, 0]
        half = blocks[:, :, 1:, :, 0]  # <row a of B_k| D_alpha |b>
        total, total_half = density.sum(axis=0), half.sum(axis=0)
        dos[:, sites] = np.einsum("lnaa->ln", density).real
        current[:, sites] = 2 * np.einsum("lnkaa->lnk", half).real
        capacity[:, sites] = 2 * np.einsum("nba,lnkab->lnk", total, half).real
        correction[:, sites] = -2 * np.einsum("lnba,nkab->lnk", density, total_half).real
    return dos, current, capacity, correction
