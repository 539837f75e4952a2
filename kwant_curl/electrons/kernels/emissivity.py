"""What coordinates that move take from each lead at an energy: the emissivities."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.by_energy import ByEnergy
from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.matrix_elements import chunks, expectations
from kwant_curl.electrons.kernels.local import where_touched
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.shares import Shares
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["EmissivityKernel"]


@dataclass(frozen=True, eq=False)
class EmissivityKernel:
    """The electrons that each lead gives per unit of each coordinate, at any energy.

    parts: the operators, and the orbitals that they are on, None for all; energy: the Fermi level.
    """

    problem: ScatteringProblem
    numerics: Numerics
    parts: ByEnergy[tuple[Derivatives, NDArray[np.int64] | None]]
    energy: float

    @classmethod
    def of(
        cls,
        problem: ScatteringProblem,
        numerics: Numerics,
        forces: ByEnergy[Derivatives],
        energy: float,
    ) -> Self:
        """Take states where forces touch them, or everywhere if that is most of the system."""
        return cls(problem, numerics, forces.map(where_touched), energy)

    @property
    def orbitals(self) -> NDArray[np.int64] | None:
        """The orbitals at which states are wanted, at the Fermi level."""
        return self.parts.at(self.energy)[1]

    def in_window(self) -> Self:
        """Return the same for one of many energies, where bound states were looked for already."""
        return replace(self, numerics=replace(self.numerics, in_window=True))

    def __call__(self, energy: float) -> Shares:
        """Return Tr[F_I (1/2 pi) G^a Gamma_alpha G^r] by lead, (n_leads, n_c)."""
        forces, orbitals = self.parts.at(energy)
        shell = EnergyShell(self.problem, energy, self.numerics, orbitals)
        emissivity = np.zeros((len(shell.n_modes), len(forces)))
        sizes = np.zeros(len(forces))
        for source, states in enumerate(shell.outgoing_by_lead()):
            for some in chunks(len(states), len(forces)):
                shares = expectations(forces, states[some]) / (2 * np.pi)
                emissivity[source] += shares.sum(axis=0)
                sizes += np.abs(shares).sum(axis=0)
        size = float(sizes.max(initial=0.0))
        return Shares((emissivity,), (), (size,), sum(shell.n_modes), shell.notices)
