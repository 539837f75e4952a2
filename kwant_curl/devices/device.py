"""A ready-made device: a finalized system with all that the routines ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kwant_curl.coordinates import Displacements
from kwant_curl.support.units import Units

__all__ = ["Device", "ion_mass"]


def ion_mass(amu: float, energy_unit: str, length_unit: str) -> float:
    """Return a mass given in atomic mass units in hbar^2 / (energy length^2)."""
    return Units.named(energy_unit, length_unit).mass(amu)


@dataclass(frozen=True)
class Device:
    """A finalized system, what moves in it, and where to look.

    Attributes
    ----------
    name : str
        What it is, for a title.
    syst : kwant.system.FiniteSystem
        Two leads: 0 on the left, 1 on the right.
    coordinates : Displacements
        The atoms that move and how hoppings follow.
    energy : float
        Fermi level, in `energy_unit`.
    bias : float
        A typical bias times the electron's charge, in `energy_unit`.
    frequency : float
        hbar omega of a typical vibration, in `energy_unit`.
    mass : float
        Mass of an ion, in hbar^2 / (energy_unit length_unit^2).
    energy_unit, length_unit : str
        Units of the Hamiltonian and of the positions.
    degeneracy : int
        2: the Hamiltonian is spinless and stands for both spins.
    params : mapping or None
        Parameters of the value functions.

    Examples
    --------
    >>> device = gold_chain(10)
    >>> device.name, device.frequency
    ('gold chain', 0.01)
    """

    name: str
    syst: Any
    coordinates: Displacements
    energy: float
    bias: float
    frequency: float
    mass: float
    energy_unit: str = "eV"
    length_unit: str = "Å"
    degeneracy: int = 2
    params: Mapping[str, Any] | None = None

    @property
    def units(self) -> Units:
        """The units, for the routines and their figures."""
        return Units.named(self.energy_unit, self.length_unit)
