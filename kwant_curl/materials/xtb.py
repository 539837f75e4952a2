"""Self-consistent matrices from tblite, which is imported when it is asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from kwant_curl.support.units import ATOMIC_UNITS

__all__ = ["xtb_calculation"]

ELECTRONIC_TEMPERATURE = 300.0
"""Of the occupations in tblite, in kelvin; its default."""


def xtb_calculation(atoms: Any, method: str, accuracy: float, charge: float) -> dict[str, Any]:
    """Return the arguments of a `Calculation`, in atomic units."""
    try:
        from tblite.interface import Calculator
    except ImportError as missing:
        raise ImportError(
            "Calculation.from_xtb needs tblite, which isn't installed: pip install tblite."
        ) from missing
    if not hasattr(atoms, "get_atomic_numbers"):
        raise TypeError(f"atoms is a {type(atoms).__name__}; expected ase.Atoms.")
    if any(atoms.pbc):
        raise ValueError(
            "atoms has periodic directions, in which tblite would fold all images into one matrix; "
            "expected a molecule that is long enough, atoms.pbc = False."
        )
    positions = atoms.get_positions() * ATOMIC_UNITS.length_from_angstrom(1.0)
    calculator = Calculator(method, atoms.get_atomic_numbers(), positions, charge=charge)
    calculator.set("verbosity", 0)
    calculator.set("accuracy", accuracy)
    calculator.set("temperature", ATOMIC_UNITS.temperature(ELECTRONIC_TEMPERATURE))
    calculator.set("save-integrals", 1)
    result = calculator.singlepoint()
    overlap = result.get("overlap-matrix")
    energies = result.get("orbital-energies")
    projected = overlap @ result.get("orbital-coefficients")
    atom_of = calculator.get("shell-map")[calculator.get("orbital-map")]
    return {
        "hamiltonian": (projected * energies) @ projected.T,
        "overlap": overlap,
        "atoms": positions,
        "orbitals": np.bincount(atom_of, minlength=len(atoms)),
        "forces": -result.get("gradient"),
        "fermi": _fermi_level(energies, float(result.get("orbital-occupations").sum())),
        "units": ATOMIC_UNITS,
    }


def _fermi_level(energies: NDArray[np.float64], n_electrons: float) -> float:
    """Return the chemical potential of so many electrons, two in a level."""
    temperature = ATOMIC_UNITS.temperature(ELECTRONIC_TEMPERATURE)

    def excess(level: float) -> float:
        return float(2 * expit((level - energies) / temperature).sum() - n_electrons)

    return float(brentq(excess, energies.min() - 1, energies.max() + 1, xtol=1e-13))
