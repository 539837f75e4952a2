"""What atomistic codes know of atoms and their force constants.

Neither ASE nor Phonopy is imported here: what they hand over is taken by its methods.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.units import LENGTHS, Units

__all__ = [
    "AseData",
    "AseVibrations",
    "Crystal",
    "PhonopyCalculation",
    "crystal_of_ase",
    "crystal_of_phonopy",
    "length_in_angstrom",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

IN_ANGSTROM = ("vasp", "aims", "castep", "cp2k", "crystal", "lammps", "pwmat")
IN_BOHR = (
    *("abacus", "abinit", "dftbp", "elk", "exciting", "fleur", "octopus", "qe", "qlm", "siesta"),
    *("turbomole", "wien2k"),
)
"""Programs whose cells Phonopy keeps in these units: its `calculator`, None for vasp."""

REAL = 1e-8
"""How large the imaginary part of a dynamical matrix may be, relative to the largest element."""


class AseData(Protocol):
    """What is taken from ase.vibrations.VibrationsData."""

    def get_atoms(self) -> Any:
        """Return the atoms, with positions and masses."""

    def get_hessian(self) -> Any:
        """Return the force constants, (n_displaced, 3, n_displaced, 3)."""

    def get_indices(self) -> Any:
        """Return which atoms are displaced."""


class AseVibrations(Protocol):
    """What is taken from ase.vibrations.Vibrations."""

    def get_vibrations(self) -> AseData:
        """Return the data."""


class PhonopyCalculation(Protocol):
    """What is taken from phonopy.Phonopy."""

    @property
    def primitive(self) -> Any:
        """The primitive cell, with positions and masses."""

    @property
    def dynamical_matrix(self) -> Any:
        """The dynamical matrix, or None without force constants."""

    @property
    def unit_conversion_factor(self) -> Any:
        """From the root of an eigenvalue to THz."""


@dataclass(frozen=True)
class Crystal:
    """What an atomistic code knows, in the units of the Hamiltonian.

    Attributes
    ----------
    positions : array (n_all, 3)
        All atoms.
    displaced : array of int (n_displaced,)
        Those of which the force constants are known.
    masses : array (n_displaced,)
    force_constants : array (n_displaced, 3, n_displaced, 3)
    hint : str
        Why a site may have no atom, beside its place.
    """

    positions: FloatArray
    displaced: IntArray
    masses: FloatArray
    force_constants: FloatArray
    hint: str = ""


def crystal_of_ase(vibrations: AseData | AseVibrations, units: Units) -> Crystal:
    """Return what VibrationsData of ASE, or Vibrations, know."""
    reads = getattr(vibrations, "get_vibrations", None)
    data: Any = reads() if callable(reads) else vibrations
    if not all(hasattr(data, name) for name in ("get_atoms", "get_hessian", "get_indices")):
        raise TypeError(
            f"vibrations is a {type(vibrations).__name__}; expected ase.vibrations.VibrationsData "
            "or ase.vibrations.Vibrations after its run()."
        )
    atoms = data.get_atoms()
    # Negative indices count from the end, as in ASE.
    displaced = np.asarray(data.get_indices(), dtype=np.int64) % len(atoms)
    return Crystal(
        positions=units.length_from_angstrom(np.asarray(atoms.get_positions())),
        displaced=displaced,
        masses=units.mass(np.asarray(atoms.get_masses()))[displaced],
        force_constants=units.force_constants(np.asarray(data.get_hessian())),
    )


def crystal_of_phonopy(phonon: PhonopyCalculation, units: Units) -> Crystal:
    """Return what Phonopy knows of its primitive cell at Gamma."""
    needed = ("primitive", "dynamical_matrix", "unit_conversion_factor")
    if not all(hasattr(phonon, name) for name in needed):
        raise TypeError(
            f"phonon is a {type(phonon).__name__}; expected phonopy.Phonopy with force constants."
        )
    dynamical = phonon.dynamical_matrix
    if dynamical is None:
        raise ValueError(
            "phonon has no force constants; call its produce_force_constants(), or set its "
            "force_constants, before."
        )
    # Its eigenvalues, times the square of the factor, are the squares of frequencies in THz.
    dynamical.run((0.0, 0.0, 0.0))
    matrix = np.asarray(dynamical.dynamical_matrix)
    imaginary = np.abs(matrix.imag).max()
    if not imaginary <= REAL * np.abs(matrix).max():
        raise ValueError(
            "phonon has a dynamical matrix at Gamma that is not real (its imaginary part is up to "
            f"{imaginary / np.abs(matrix).max():.2g} of the largest element); expected that of "
            "real, finite force constants."
        )
    primitive = phonon.primitive
    masses = units.mass(np.asarray(primitive.masses, dtype=float))
    n = len(masses)
    squares = matrix.real * units.frequency_from_thz(float(phonon.unit_conversion_factor)) ** 2
    root = np.sqrt(np.repeat(masses, 3))
    return Crystal(
        positions=units.length_from_angstrom(
            np.asarray(primitive.positions)
            * length_in_angstrom(getattr(phonon, "calculator", None))
        ),
        displaced=np.arange(n),
        masses=masses,
        force_constants=(squares * np.outer(root, root)).reshape(n, 3, n, 3),
        hint=_reduced(phonon, n),
    )


def length_in_angstrom(calculator: str | None) -> float:
    """Return the unit of length, in Å, of the cells that Phonopy has of a calculator."""
    if calculator is None or calculator in IN_ANGSTROM:
        return 1.0
    if calculator in IN_BOHR:
        return LENGTHS["Bohr"] / LENGTHS["Å"]
    raise ValueError(
        f"phonon.calculator is {calculator!r}, whose unit of length isn't known here; expected "
        f"None, {', '.join(IN_ANGSTROM)} (Å), or {', '.join(IN_BOHR)} (Bohr). Take "
        "VibrationalModes.from_force_constants, with lengths in the unit of the sites."
    )


def _reduced(phonon: PhonopyCalculation, n_atoms: int) -> str:
    """Return what to say where Phonopy has reduced the cell that it was given."""
    given = len(getattr(phonon, "unitcell", ()))
    if given <= n_atoms:
        return ""
    return (
        f" Phonopy has reduced the unit cell of {given} atoms to a primitive one of {n_atoms} (by "
        'default since its version 4); Phonopy(..., primitive_matrix="P") keeps all of them.'
    )
