"""What atomistic codes know of atoms and their force constants, and which sites they are.

Neither ASE nor Phonopy is imported here: what they hand over is taken by its methods.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kwant_curl.units import Units

__all__ = ["Crystal", "Match", "crystal_of_ase", "crystal_of_phonopy", "point"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

REAL = 1e-8
"""How large the imaginary part of a dynamical matrix may be, relative to the largest element."""


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
    """

    positions: FloatArray
    displaced: IntArray
    masses: FloatArray
    force_constants: FloatArray


def crystal_of_ase(vibrations: Any, units: Units) -> Crystal:
    """Return what VibrationsData of ASE, or Vibrations, know."""
    data = vibrations
    if callable(getattr(vibrations, "get_vibrations", None)):
        data = vibrations.get_vibrations()
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


def crystal_of_phonopy(phonon: Any, units: Units) -> Crystal:
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
        positions=units.length_from_angstrom(np.asarray(primitive.positions)),
        displaced=np.arange(n),
        masses=masses,
        force_constants=(squares * np.outer(root, root)).reshape(n, 3, n, 3),
    )


@dataclass(frozen=True)
class Match:
    """The atoms of a crystal at which the moving sites of a system are."""

    syst: Any
    sites: IntArray
    places: FloatArray
    crystal: Crystal
    tolerance: float
    length_unit: str

    def rows(self) -> IntArray:
        """Return where each site's atom is among the displaced ones, or raise."""
        atoms = self._nearest_atoms()
        self._check_distinct(atoms)
        order = np.full(len(self.crystal.positions), -1)
        order[self.crystal.displaced] = np.arange(len(self.crystal.displaced))
        rows = order[atoms]
        fixed = np.flatnonzero(rows < 0)
        if fixed.size:
            first = fixed[0]
            raise ValueError(
                f"{self._site(first)} is atom {atoms[first]}, which is not among the "
                f"{len(self.crystal.displaced)} atoms whose force constants were calculated "
                f"({fixed.size} of the {len(rows)} moving sites are not). Displace it too "
                "(indices= of ase.vibrations.Vibrations), or leave the site out by `where` of "
                "Displacements."
            )
        return rows

    def _nearest_atoms(self) -> IntArray:
        dim = self.places.shape[1]
        # In 2D and 1D atoms may be above each other: both are then within the tolerance.
        distance, nearest = cKDTree(self.crystal.positions[:, :dim]).query(self.places, k=[1, 2])
        far = np.flatnonzero(distance[:, 0] > self.tolerance)
        if far.size:
            raise ValueError(self._far_message(far, distance[:, 0], nearest[:, 0]))
        several = np.flatnonzero(distance[:, 1] <= self.tolerance)
        if several.size:
            first = several[0]
            one, two = nearest[first]
            raise ValueError(
                f"{self._site(first)} may be atom {one} or atom {two}, which are both within "
                f"{self._length(self.tolerance)} of it in the {dim} direction(s) of the system. "
                "Give a smaller tolerance=, or leave one of the atoms out of the calculation."
            )
        return np.asarray(nearest[:, 0])

    def _check_distinct(self, atoms: IntArray) -> None:
        _, first, times = np.unique(atoms, return_index=True, return_counts=True)
        if (times > 1).any():
            atom = atoms[first[times > 1][0]]
            one, two = np.flatnonzero(atoms == atom)[:2]
            raise ValueError(
                f"{self._site(one)} and {self._site(two)} are both atom {atom} "
                f"at {self._point(self.crystal.positions[atom])}; expected one site per atom. "
                "Give a smaller tolerance=, or leave one of them out by `where` of Displacements."
            )

    def _far_message(self, far: IntArray, distance: FloatArray, nearest: IntArray) -> str:
        first = far[0]
        atom = nearest[first]
        return (
            f"{self._site(first)} has no atom within {self._length(self.tolerance)}: the nearest "
            f"is atom {atom} at {self._point(self.crystal.positions[atom])}, "
            f"{self._length(distance[first])} away ({far.size} of the {len(self.sites)} moving "
            "sites have none). Shift the atoms onto the sites (atoms.translate), check units=, "
            "give a larger tolerance=, or leave the site out by `where` of Displacements."
        )

    def _site(self, i: int) -> str:
        return f"{self.syst.sites[self.sites[i]]} at {self._point(self.places[i])}"

    def _point(self, position: FloatArray) -> str:
        return f"{point(position)} {self.length_unit}".rstrip()

    def _length(self, length: float) -> str:
        return f"{length:.4g} {self.length_unit}".rstrip()


def point(position: FloatArray) -> str:
    """Return a position as text."""
    return f"({', '.join(f'{x:.4g}' for x in position)})"
