"""Units: from those of atomistic codes to those of a Hamiltonian, and back."""

from dataclasses import dataclass, field
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import constants

__all__ = [
    "ATOMIC_UNITS",
    "EV_ANGSTROM_AMU",
    "LENGTHS",
    "MEV_NANOMETRE_AMU",
    "UnitNames",
    "Units",
    "check_units",
    "labelled",
    "spaced",
    "unit_names",
]

Number = TypeVar("Number", float, NDArray[np.float64])

ENERGIES = {
    "eV": constants.electron_volt,
    "meV": constants.milli * constants.electron_volt,
    "Hartree": constants.physical_constants["Hartree energy"][0],
    "Rydberg": constants.physical_constants["Hartree energy"][0] / 2,
}
LENGTHS = {
    "Å": constants.angstrom,
    "nm": constants.nano,
    "Bohr": constants.physical_constants["Bohr radius"][0],
}


def _times(value: Number, factor: float) -> Number:
    """Return value times factor, an array for what is neither a number nor an array."""
    if not isinstance(value, float | int | np.generic | np.ndarray):
        value = np.asarray(value, dtype=float)
    return value * factor


@dataclass(frozen=True)
class Units:
    """The units of energy E and length L of a Hamiltonian, with hbar = 1.

    Masses are then in hbar^2/(E L^2), force constants in E/L^2, forces in E/L, frequencies and
    rates in E/hbar: a frequency omega is the energy hbar omega.  Methods take a number, or an array
    or a list of numbers, of which they make an array.

    Attributes
    ----------
    energy_unit, length_unit : str
        Names of E and L, for labels.
    energy : float
        E in joule.
    length : float
        L in metre.

    Examples
    --------
    >>> units = Units.named("eV", "Å")
    >>> round(units.mass(12.0), 1), round(units.temperature(300.0), 5)
    (2870.7, 0.02585)
    >>> round(units.per_picosecond(1e-3), 3)  # 1 meV/hbar
    1.519
    """

    energy_unit: str
    length_unit: str
    energy: float = field(repr=False)
    length: float = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("energy", "length"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected a positive number.")

    @classmethod
    def named(cls, energy_unit: str, length_unit: str) -> Self:
        """Return the units with these names: eV, meV, Hartree or Rydberg; Å, nm or Bohr."""
        length_unit = "Å" if length_unit.lower() == "angstrom" else length_unit
        for name, unit, table in (
            ("energy_unit", energy_unit, ENERGIES),
            ("length_unit", length_unit, LENGTHS),
        ):
            if unit not in table:
                raise ValueError(
                    f"{name} is {unit!r}; expected one of {', '.join(table)}. For other units give "
                    "their size in SI units: Units(energy_unit, length_unit, energy, length)."
                )
        return cls(energy_unit, length_unit, ENERGIES[energy_unit], LENGTHS[length_unit])

    @property
    def time_unit(self) -> float:
        """The unit of time hbar/E, in seconds."""
        return float(constants.hbar / self.energy)

    @property
    def _amu(self) -> float:
        """One atomic mass unit, in hbar^2/(E L^2)."""
        # The unit of mass, hbar^2/(E L^2), is E T^2/L^2 with the unit of time T.
        return float(constants.atomic_mass * (self.length / self.time_unit) ** 2 / self.energy)

    def mass(self, amu: Number) -> Number:
        """Return a mass given in atomic mass units, in hbar^2/(E L^2)."""
        return _times(amu, self._amu)

    def amu(self, mass: Number) -> Number:
        """Return a mass given in hbar^2/(E L^2), in atomic mass units."""
        return _times(mass, 1 / self._amu)

    def length_from_angstrom(self, length: Number) -> Number:
        """Return a length given in Å, in L."""
        return _times(length, constants.angstrom / self.length)

    def force_constants(self, force_constants: Number) -> Number:
        """Return force constants given in eV/Å^2, in E/L^2."""
        factor = constants.electron_volt / self.energy * (self.length / constants.angstrom) ** 2
        return _times(force_constants, factor)

    def frequency_from_thz(self, nu: Number) -> Number:
        """Return omega = 2 pi nu, in E/hbar, of a frequency nu in THz (oscillations per ps)."""
        return _times(nu, constants.h * constants.tera / self.energy)

    def terahertz(self, omega: Number) -> Number:
        """Return nu = omega/(2 pi) in THz of a frequency omega in E/hbar."""
        return _times(omega, 1 / (constants.h * constants.tera / self.energy))

    def frequency_from_wavenumber(self, wavenumber: Number) -> Number:
        """Return omega = 2 pi c/lambda, in E/hbar, of a wave number 1/lambda in 1/cm."""
        return _times(wavenumber, constants.h * constants.c / constants.centi / self.energy)

    def wavenumber(self, omega: Number) -> Number:
        """Return 1/lambda in 1/cm, as spectroscopists have it, of a frequency omega in E/hbar."""
        return _times(omega, 1 / (constants.h * constants.c / constants.centi / self.energy))

    def frequency_from_millielectronvolt(self, energy: Number) -> Number:
        """Return omega, in E/hbar, of an energy hbar omega in meV; any energy in meV, in E."""
        return _times(energy, constants.milli * constants.electron_volt / self.energy)

    def millielectronvolt(self, omega: Number) -> Number:
        """Return an energy, or hbar omega of a frequency in E/hbar, in meV."""
        return _times(omega, (self.energy / (constants.milli * constants.electron_volt)))

    def temperature(self, kelvin: Number) -> Number:
        """Return kT, in E, of a temperature T in kelvin."""
        return _times(kelvin, constants.k / self.energy)

    def kelvin(self, temperature: Number) -> Number:
        """Return T in kelvin of a temperature given as kT in E."""
        return _times(temperature, 1 / (constants.k / self.energy))

    def per_picosecond(self, rate: Number) -> Number:
        """Return a rate given in E/hbar, per picosecond."""
        return _times(rate, constants.pico / self.time_unit)

    def volt(self, energy: Number) -> Number:
        """Return the voltage, in V, whose times the electron's charge is an energy in E."""
        return _times(energy, self.energy / constants.electron_volt)

    def ampere(self, current: Number) -> Number:
        """Return the current, in A, of electrons at a rate given in E/hbar."""
        return _times(current, constants.elementary_charge / self.time_unit)

    def watt(self, power: Number) -> Number:
        """Return a power given in E^2/hbar, in W."""
        return _times(power, self.energy / self.time_unit)

    def nanonewton(self, force: Number) -> Number:
        """Return a force given in E/L, in nN."""
        return _times(force, self.energy / self.length / constants.nano)


def check_units(units: Units | None) -> Units | None:
    """Return what was given as units, or raise if it is something else."""
    if units is not None and not isinstance(units, Units):
        raise TypeError(
            f"units is {units!r}; expected Units, such as EV_ANGSTROM_AMU or "
            "Units.named('eV', 'Å'), or None."
        )
    return units


class UnitNames(NamedTuple):
    """Names of units, for labels and texts; empty where they are not known."""

    energy: str
    length: str

    @property
    def force(self) -> str:
        """Unit of a force: E/L."""
        return f"{self.energy}/{self.length}" if self.energy and self.length else ""

    @property
    def curl(self) -> str:
        """Unit of the curl of a force, and of force constants: E/L^2."""
        return f"{self.energy}/{self.length}²" if self.energy and self.length else ""

    @property
    def flow_curl(self) -> str:
        """Unit of the curl of densities of states times currents, in 2D: 1/L^4."""
        return f"1/{self.length}⁴" if self.length else ""

    @property
    def rate(self) -> str:
        """Unit of rates: E/hbar."""
        return f"{self.energy}/ħ" if self.energy else ""

    @property
    def time(self) -> str:
        """Unit of time: hbar/E."""
        return f"ħ/{self.energy}" if self.energy else ""


def spaced(unit: str) -> str:
    """Return a unit as it follows a number: after a space, or nothing."""
    return f" {unit}" if unit else ""


def labelled(name: str, unit: str) -> str:
    """Return the label of a quantity: its name, and its unit in brackets if there is one."""
    return f"{name} ({unit})" if unit else name


def unit_names(
    units: Units | None, energy_unit: str | None = None, length_unit: str | None = None
) -> UnitNames:
    """Return names for labels: those of the units, or those given where there are none.

    Raises
    ------
    ValueError
        For names that contradict the units: a label doesn't convert what it labels.
    """
    known = (None, None) if units is None else (units.energy_unit, units.length_unit)
    for name, given, own in (
        ("energy_unit", energy_unit, known[0]),
        ("length_unit", length_unit, known[1]),
    ):
        if given is not None and own is not None and given != own:
            raise ValueError(
                f"{name} is {given!r}, but the result is in {own}; a label converts nothing. Leave "
                "it out, or convert the numbers."
            )
    return UnitNames(known[0] or energy_unit or "", known[1] or length_unit or "")


EV_ANGSTROM_AMU = Units.named("eV", "Å")
ATOMIC_UNITS = Units.named("Hartree", "Bohr")
MEV_NANOMETRE_AMU = Units.named("meV", "nm")
