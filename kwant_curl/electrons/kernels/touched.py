"""States where forces touch them: what kernels of one energy with many operators share."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.by_energy import ByEnergy
from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["TouchedKernel"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TouchedKernel:
    """Force operators at any energy, on the orbitals that they touch.

    parts: the operators, and the orbitals that they are on, those at which states are wanted, or
    None for all; energy: the Fermi level.
    """

    problem: ScatteringProblem
    numerics: Numerics
    parts: ByEnergy[tuple[Derivatives, IntArray | None]]
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
        return cls(problem, numerics, forces.map(_where_touched), energy)

    @property
    def orbitals(self) -> IntArray | None:
        """The orbitals at which states are wanted, at the Fermi level."""
        return self.parts.at(self.energy)[1]

    def in_window(self) -> Self:
        """Return the same for one of many energies, where bound states were looked for already."""
        return replace(self, numerics=replace(self.numerics, in_window=True))


def _where_touched(forces: Derivatives) -> tuple[Derivatives, IntArray | None]:
    """Return forces on the orbitals that they touch, and these; all if that is most of them."""
    touched = forces.orbitals
    if 2 * len(touched) > forces.n_orbitals:
        return forces, None
    return forces.on_orbitals(touched), touched
