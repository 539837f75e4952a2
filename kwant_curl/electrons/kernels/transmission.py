"""What goes from lead to lead at an energy."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.stack import places
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.shares import Shares
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["TransmissionKernel"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class TransmissionKernel:
    """The current into each lead of what comes in through each, at any energy.

    Of electrons alone, one source per lead.
    """

    problem: ScatteringProblem
    numerics: Numerics

    @property
    def orbitals(self) -> NDArray[np.int64]:
        """Those to which leads are attached."""
        return np.unique(np.concatenate([lead.orbitals for lead in self.problem.leads]))

    def in_window(self) -> Self:
        """Return the same for one of many energies, where bound states were looked for already."""
        return replace(self, numerics=replace(self.numerics, in_window=True))

    def __call__(self, energy: float) -> Shares:
        """Return the transmissions by source, (n_leads, n_leads), see `_transmissions`."""
        wanted = self.orbitals
        shell = EnergyShell(self.problem, energy, self.numerics, wanted)
        place = places(wanted, self.problem.n_orbitals)
        widths = [
            (place[lead.orbitals], _width(sigma))
            for lead, sigma in zip(self.problem.leads, self._self_energies(energy), strict=True)
        ]
        found = _transmissions(shell.states_by_lead(), widths)
        size = float(np.abs(found).max(initial=0.0))
        return Shares((found,), (), (size,), sum(shell.n_modes), shell.notices)

    def _self_energies(self, energy: float) -> list[ComplexArray]:
        """Return Sigma of each lead, of modes that are known already where it has any."""
        modes = self.problem.solved_leads(energy).modes
        return [
            lead.selfenergy(energy) if some is None else some[1].selfenergy()
            for lead, some in zip(self.problem.leads, modes, strict=True)
        ]


def _width(sigma: ComplexArray) -> ComplexArray:
    """Return Gamma = i (Sigma - Sigma^+)."""
    return 1j * (sigma - sigma.conj().T)


def _transmissions(
    states: list[ComplexArray], widths: list[tuple[NDArray[np.int64], ComplexArray]]
) -> FloatArray:
    """Return T_ab = sum_n <psi_an| Gamma_b |psi_an> from lead a to b, minus their sum for a = b.

    G Gamma_a G^+ is the sum of |psi_an><psi_an|, so that this is Tr[Gamma_b G Gamma_a G^+].
    """
    result = np.zeros((len(widths), len(widths)))
    for source, psi in enumerate(states):
        for lead, (orbitals, width) in enumerate(widths):
            if lead != source:
                there = psi[:, orbitals]
                result[source, lead] = np.vdot(there, there @ width.T).real
        result[source, source] = -result[source].sum()
    return result
