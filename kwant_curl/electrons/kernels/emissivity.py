"""What coordinates that move take from each lead at an energy: the emissivities."""

from dataclasses import dataclass

import numpy as np

from kwant_curl.algebra.matrix_elements import chunks, expectations
from kwant_curl.electrons.kernels.touched import TouchedKernel
from kwant_curl.electrons.shares import Shares
from kwant_curl.electrons.shell import EnergyShell

__all__ = ["EmissivityKernel"]


@dataclass(frozen=True, eq=False)
class EmissivityKernel(TouchedKernel):
    """The electrons that each lead gives per unit of each coordinate, at any energy."""

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
