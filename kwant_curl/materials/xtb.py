"""Self-consistent matrices from tblite, which is imported when it is asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from kwant_curl.support.units import ATOMIC_UNITS

__all__ = ["check_ase", "xtb_calculation", "xtb_on_atom"]

METHODS = ("GFN1-xTB", "GFN2-xTB", "IPEA1-xTB")
"""What tblite has parameters for."""

PAIRS = (0.1, 0.2, 0.4)
"""How far apart, in Bohr, two equal atoms stand from whose overlap the gradients follow."""

ELECTRONIC_TEMPERATURE = 300.0
"""Of the occupations in tblite, in kelvin; its default."""


def xtb_calculation(atoms: Any, method: str, accuracy: float, charge: float) -> dict[str, Any]:
    """Return the arguments of a `Calculation`, in atomic units."""
    check_ase(atoms)
    if any(atoms.pbc):
        raise ValueError(
            "atoms has periodic directions, in which tblite would fold all images into one matrix; "
            "expected a molecule that is long enough, atoms.pbc = False."
        )
    positions = atoms.get_positions() * ATOMIC_UNITS.length_from_angstrom(1.0)
    calculator = _calculator(method, atoms.get_atomic_numbers(), positions, charge)
    calculator.set("accuracy", accuracy)
    calculator.set("temperature", ATOMIC_UNITS.temperature(ELECTRONIC_TEMPERATURE))
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


def xtb_on_atom(number: int, method: str) -> NDArray[np.float64]:
    """Return <phi_i|d phi_j/dR> of the orbitals of one atom of this element, (3, n, n), in 1/Å.

    From the overlap of two equal atoms that stand close to each other: what is odd in their
    distance, extrapolated to none.
    """
    slopes = [[_slope(number, method, axis, d) for axis in range(3)] for d in PAIRS]
    near, middle, far = map(np.array, slopes)
    # The error goes with the square of the distance, and what is left of it with the fourth power.
    first, second = (4 * near - middle) / 3, (4 * middle - far) / 3
    gradient: NDArray[np.float64] = (16 * first - second) / 15
    return gradient * ATOMIC_UNITS.length_from_angstrom(1.0)


def _slope(number: int, method: str, axis: int, distance: float) -> NDArray[np.float64]:
    """Return half of the difference of the overlaps at this distance, and at minus it, over it."""
    positions = np.zeros((2, 3))
    positions[1, axis] = distance
    result = _calculator(method, np.array([number, number]), positions, 0.0).singlepoint()
    overlap = result.get("overlap-matrix")
    n = len(overlap) // 2
    slope: NDArray[np.float64] = (overlap[:n, n:] - overlap[n:, :n]) / (2 * distance)
    return slope


def check_ase(atoms: Any) -> None:
    """Raise unless these are ase.Atoms."""
    if not hasattr(atoms, "get_atomic_numbers"):
        raise TypeError(f"atoms is a {type(atoms).__name__}; expected ase.Atoms.")


def _calculator(
    method: str, numbers: NDArray[Any], positions: NDArray[np.float64], charge: float
) -> Any:
    """Return tblite's calculator, quiet, which keeps its matrices; positions in Bohr."""
    try:
        from tblite.interface import Calculator
    except ImportError as missing:
        raise ImportError(
            "Calculations with xTB need tblite, which isn't installed: pip install tblite."
        ) from missing
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")
    calculator = Calculator(method, numbers, positions, charge=charge)
    calculator.set("verbosity", 0)
    calculator.set("save-integrals", 1)
    return calculator


def _fermi_level(energies: NDArray[np.float64], n_electrons: float) -> float:
    """Return the chemical potential of so many electrons, two in a level."""
    temperature = ATOMIC_UNITS.temperature(ELECTRONIC_TEMPERATURE)

    def excess(level: float) -> float:
        return float(2 * expit((level - energies) / temperature).sum() - n_electrons)

    return float(brentq(excess, energies.min() - 1, energies.max() + 1, xtol=1e-13))
