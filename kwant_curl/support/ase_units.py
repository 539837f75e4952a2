"""From the units of a Hamiltonian to those of ASE: eV, Å, amu, and times in Å sqrt(amu/eV)."""

import math
from dataclasses import dataclass
from typing import Any, Self

from kwant_curl.support.units import Units

__all__ = ["AseUnits"]


@dataclass(frozen=True)
class AseUnits:
    """The units of energy E, length L and time hbar/E of a Hamiltonian, in ASE's.

    Attributes
    ----------
    energy : float
        E in eV.
    length : float
        L in Å.
    time : float
        hbar/E in ASE's unit of time, Å sqrt(amu/eV).
    """

    energy: float
    length: float
    time: float

    @classmethod
    def of(cls, units: Any) -> Self:
        """Return those of these units; raise if there are none."""
        if not isinstance(units, Units):
            raise ValueError(
                f"The field has units={units!r}, and ASE has eV and Å; give ResponseField(..., "
                "units=EV_ANGSTROM_AMU), or Units.named('Hartree', 'Bohr'), say."
            )
        energy = float(units.millielectronvolt(1.0)) / 1000
        length = 1 / float(units.length_from_angstrom(1.0))
        # 1 amu is so many hbar^2/(E L^2), that is E time^2/L^2.
        return cls(energy, length, length / math.sqrt(float(units.mass(1.0)) * energy))

    @property
    def force(self) -> float:
        """The unit of force, E/L, in eV/Å."""
        return self.energy / self.length

    @property
    def friction(self) -> float:
        """The unit of friction, hbar/L^2, in eV/Å per Å of a unit of time."""
        return self.energy * self.time / self.length**2

    @property
    def noise(self) -> float:
        """The unit of noise, hbar E/L^2, in (eV/Å)^2 times the unit of time."""
        return self.energy * self.friction
