"""Masses, frequencies and temperatures that no vibration has: those given in other units.

Only what is beyond everything known is refused.  Heavy masses are not: what moves may be a cluster.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.support.units import Units

__all__ = ["check_frequencies", "check_masses", "check_temperature"]

LIGHTEST = 1.0
"""Atomic mass units.  Hydrogen has 1.008; with eV and Å, so all elements up to uranium (0.995 of
these units, if their masses are not converted) are told from what is meant."""

FASTEST = 1000.0
"""hbar omega in meV: the hydrogen molecule, whose vibration is the fastest of all, has 546."""

HOTTEST = 1000.0
"""kT in meV, 11600 K: there is no condensed matter at that temperature."""


def check_masses(
    masses: ArrayLike,
    units: Units | None,
    *,
    name: str = "mass",
    squares: NDArray[np.float64] | None = None,
) -> None:
    """Raise for masses that no atom has, where the units are known.

    squares: the squares of the lengths of the patterns, where the masses are those of their
    coordinates: that of an atom is the mass over the square.
    """
    if units is None:
        return
    given = np.atleast_1d(np.asarray(masses, dtype=float))
    of_atoms = given if squares is None else np.broadcast_to(given, squares.shape)
    with np.errstate(divide="ignore"):  # a pattern without length has no atoms
        of_atoms = of_atoms / (1.0 if squares is None else squares)
    which = int(of_atoms.argmin())
    amu = units.amu(float(of_atoms[which]))
    if amu >= LIGHTEST:
        return
    value = float(given[which % len(given)])
    unit_patterns = squares is None or squares[which] == 1
    what = "" if unit_patterns else "with these patterns that of atoms of "
    raise ValueError(
        f"{name} is {value:.6g} hbar^2/({units.energy_unit} {units.length_unit}^2), which is "
        f"{what}{amu:.3g} atomic mass units, less than a hydrogen atom (1.008). If {value:.6g} is "
        f"in atomic mass units, give units.mass({value:.6g}), {units.mass(value):.6g}."
    )


def check_frequencies(
    frequencies: ArrayLike, units: Units | None, *, name: str = "frequency"
) -> None:
    """Raise for frequencies that no vibration of atoms has, where the units are known."""
    if units is None:
        return
    value = float(np.max(frequencies))
    if units.millielectronvolt(value) <= FASTEST:
        return
    others = {
        f"units.{method.__name__}({value:.6g})": method(value)
        for method in (
            units.frequency_from_millielectronvolt,
            units.frequency_from_thz,
            units.frequency_from_wavenumber,
        )
    }
    cures = ", ".join(f"{call} = {number:.4g}" for call, number in others.items())
    raise ValueError(
        f"{name} is {value:.6g} {units.energy_unit}/ħ, which is hbar omega = "
        f"{units.millielectronvolt(value) / 1000:.4g} eV; no atoms vibrate faster than those of "
        f"H2, 0.546 eV. If it is in meV, THz or 1/cm, give one of {cures}."
    )


def check_temperature(
    temperature: float, units: Units | None, *, name: str = "temperature"
) -> None:
    """Raise for a kT that no device and no lead of it has, where the units are known."""
    if units is None or units.millielectronvolt(temperature) <= HOTTEST:
        return
    raise ValueError(
        f"{name} is {temperature:.6g} {units.energy_unit}, which is "
        f"{units.kelvin(temperature):.3g} K: kT is expected, an energy. If {temperature:.6g} is in "
        f"kelvin, give units.temperature({temperature:.6g}), {units.temperature(temperature):.6g}."
    )
