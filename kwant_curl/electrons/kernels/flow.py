"""The flow at an energy: density of states and currents on each site."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.by_energy import ByEnergy
from kwant_curl.algebra.stack import OperatorStack
from kwant_curl.algebra.stars import star_densities
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.shares import Shares
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["FlowKernel"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FlowKernel:
    """Densities of states and currents of each site at any energy.

    currents: of all sites, in each direction; overlaps: where orbitals overlap, that of each site
    with all others comes before its currents, as a direction of its own; charges: in a Nambu
    model, the charge on each site (n_sites, size, size), size the orbitals of the largest one.
    """

    problem: ScatteringProblem
    numerics: Numerics
    currents: ByEnergy[OperatorStack]
    overlaps: bool = False
    charges: NDArray[np.complex128] | None = None

    @property
    def orbitals(self) -> None:
        """All of them."""

    def in_window(self) -> Self:
        """Return the same for one of many energies, where bound states were looked for already."""
        return replace(self, numerics=replace(self.numerics, in_window=True))

    def __call__(self, energy: float) -> Shares:
        """Return the traces on the sites by source, and the density of states."""
        shell = EnergyShell(self.problem, energy, self.numerics)
        currents = self.currents.at(energy)
        dos, *traces = _onsite_traces(currents, self.charges, shell, self.overlaps)
        size, current, capacity = (
            float(np.abs(trace).max(initial=0.0)) for trace in (dos, traces[1], traces[2])
        )
        sizes = (size, current, capacity, capacity, size)
        return Shares(tuple(traces), (dos,), sizes, sum(shell.n_modes), shell.notices)


def _onsite_traces(
    currents: OperatorStack,
    charges: NDArray[np.complex128] | None,
    shell: EnergyShell,
    overlaps: bool,
) -> tuple[FloatArray, ...]:
    """Return Tr D_alpha, again as electrons, Tr J_alpha, Tr[D J_alpha] and -Tr[D_alpha J] by site.

    Twice (n_leads, n_sites) and three times (n_leads, n_sites, dim).  On a site, with orbitals a,
    J_k is the Hermitian matrix 2 Re of <a| B_k D |b>, the rows B_k being half of the current
    operator.  With charges Q electrons are Tr[Q D_alpha], and the particle that feels the flow
    couples to Q: Q D Q stands for the D that goes with a J.  With overlaps Tr D is Mulliken's,
    the real part of that of D S.
    """
    n_leads, n_sites, dim = len(shell.n_modes), len(currents.start) - 1, currents.dim - overlaps
    dos, electrons = (np.zeros((n_leads, n_sites)) for _ in range(2))
    current, capacity, correction = (np.zeros((n_leads, n_sites, dim)) for _ in range(3))
    parts = currents.groups_by_rows()
    for sites, densities in star_densities(currents, parts, shell):
        n_parts = 1 + currents.dim
        n_orbitals = densities.shape[-1] // n_parts
        shape = (n_leads, len(sites), n_parts, n_orbitals, n_parts, n_orbitals)
        blocks = densities.reshape(shape)
        density = blocks[:, :, 0, :, 0]
        half = blocks[:, :, 1 + overlaps :, :, 0]  # <row a of B_k| D_alpha |b>
        total, total_half = density.sum(axis=0), half.sum(axis=0)
        counted = 2 * blocks[:, :, 1, :, 0] if overlaps else density
        dos[:, sites] = np.einsum("lnaa->ln", counted).real
        electrons[:, sites] = dos[:, sites]
        if charges is not None:
            q = charges[sites, :n_orbitals, :n_orbitals]
            electrons[:, sites] = np.einsum("nab,lnba->ln", q, density).real
            density, total = q @ density @ q, q @ total @ q
        current[:, sites] = 2 * np.einsum("lnkaa->lnk", half).real
        capacity[:, sites] = 2 * np.einsum("nba,lnkab->lnk", total, half).real
        correction[:, sites] = -2 * np.einsum("lnba,nkab->lnk", density, total_half).real
    return dos, electrons, current, capacity, correction
