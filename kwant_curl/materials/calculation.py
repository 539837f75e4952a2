"""What a program knows of atoms at one geometry: matrices, positions, forces."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.materials.arrays import hermitian_part, orbitals_of, sparse_matrix
from kwant_curl.materials.sisl_matrices import read_hamiltonian, sisl_calculation
from kwant_curl.materials.transverse import (
    Cell,
    bloch_sum,
    by_cell,
    checked_images,
    checked_lattice,
)
from kwant_curl.materials.xtb import check_ase, xtb_calculation, xtb_on_atom
from kwant_curl.support.checks import real_number
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import EV_ANGSTROM_AMU, Units, check_units

__all__ = ["Calculation", "atom_positions", "orbital_numbers"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CLOSEST = 0.4
"""The least distance between atoms, in Å: H2 has 0.74."""


@dataclass(frozen=True, eq=False, repr=False)
class Calculation:
    """What a program knows of atoms at one geometry, in eV and Å.

    Parameters
    ----------
    hamiltonian, overlap : sparse or dense matrices, shape (n_orbitals, n_orbitals)
        H, and S or None for an orthogonal basis.  Orbitals are grouped by atom, in the order of
        the atoms.  What is not Hermitian in them is taken out.
    atoms : ase.Atoms, or array of float, shape (n_atoms, 3)
        The positions.
    orbitals : int or array of int, shape (n_atoms,)
        The number of orbitals of each atom.
    forces : array of float, shape (n_atoms, 3), optional
        The forces on the atoms, for force constants from displaced calculations.
    fermi : float, optional
        The Fermi level, in the zero of energy of `hamiltonian`.
    units : Units
        In which all of these are given; an `ase.Atoms` has its positions in Å.
    dropped : float
        The largest element of H that couples to periodic images and was left out, in eV.
    images : mapping, optional
        Of a calculation that repeats across the current: ``{(n1, n2): (H, S)}``, the matrices from
        its orbitals (rows) to those of the image that is n1 and n2 vectors of `lattice` away
        (columns), S None if it is zero.  Opposite images are both there, its own cell is not.
    lattice : array of float, shape (n, 3), optional
        One or two lattice vectors across the current.

    Attributes
    ----------
    asymmetry : tuple of float
        The largest elements of what was not Hermitian in H (eV), and in S, images among them.

    Raises
    ------
    TypeError, ValueError
        For arrays that don't fit, that are not finite or far from Hermitian, and for atoms that
        are closer to each other than any two atoms are.

    Examples
    --------
    >>> chain = Calculation(-np.eye(6, k=1) - np.eye(6, k=-1), None, atoms=places, orbitals=1)
    >>> chain
    <Calculation: 6 atoms, 6 orbitals>
    """

    hamiltonian: Any
    overlap: Any
    atoms: Any
    orbitals: Any
    _: KW_ONLY
    forces: FloatArray | None = None
    fermi: float | None = None
    units: Units = EV_ANGSTROM_AMU
    dropped: float = 0.0
    images: Mapping[Cell, tuple[Any, Any]] | None = None
    lattice: FloatArray | None = None
    asymmetry: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        check_units(self.units)
        positions = atom_positions(self.atoms, self.units)
        n_atoms = len(positions)
        orbitals = orbital_numbers(self.orbitals, n_atoms)
        shape = (int(orbitals.sum()),) * 2
        energy = self.units.energy / EV_ANGSTROM_AMU.energy
        given = sparse_matrix("hamiltonian", self.hamiltonian, shape) * energy
        overlap = np.eye(shape[0]) if self.overlap is None else self.overlap
        hamiltonian, of_hamiltonian = hermitian_part("hamiltonian", given)
        overlap, of_overlap = hermitian_part("overlap", sparse_matrix("overlap", overlap, shape))
        lattice = checked_lattice(self.lattice, self.units)
        names = ("hamiltonian", "overlap")
        images, of_images = checked_images(self.images, lattice, shape, names, energy)
        values: dict[str, Any] = {
            "hamiltonian": hamiltonian,
            "overlap": overlap,
            "atoms": read_only(positions),
            "orbitals": read_only(orbitals),
            "images": images,
            "lattice": lattice,
            "asymmetry": (max(of_hamiltonian, of_images[0]), max(of_overlap, of_images[1])),
            "units": EV_ANGSTROM_AMU,
        }
        if self.forces is not None:
            forces = np.array(self.forces, dtype=float)
            if forces.shape != positions.shape or not np.isfinite(forces).all():
                raise ValueError(
                    f"forces has shape {forces.shape}; expected {positions.shape}, finite numbers."
                )
            per_length = EV_ANGSTROM_AMU.length / self.units.length
            values["forces"] = read_only(forces * energy * per_length)
        if self.fermi is not None:
            values["fermi"] = real_number("fermi", self.fermi) * energy
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def positions(self) -> FloatArray:
        """Where the atoms are, (n_atoms, 3), in Å."""
        positions: FloatArray = self.atoms
        return positions

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        fermi = "" if self.fermi is None else f", Fermi level {self.fermi:.4f} eV"
        repeats = "" if not self.images else f", {len(self.images)} images across"
        return f"<Calculation: {len(self)} atoms, {self.orbitals.sum()} orbitals{repeats}{fermi}>"

    def by_cell(self, name: str) -> dict[Cell, Any]:
        """Return one of the matrices, "hamiltonian" or "overlap", from the cell to all cells."""
        place = ("hamiltonian", "overlap").index(name)
        images = {cell: pair[place] for cell, pair in (self.images or {}).items()}
        n_vectors = 0 if self.lattice is None else len(self.lattice)
        return by_cell(getattr(self, name), images, n_vectors)

    def at(self, point: ArrayLike) -> Self:
        """Return the calculation at a k point across the current, whose matrices are Bloch sums.

        point: in units of the reciprocal lattice vectors, (n,); of none where nothing repeats.
        """
        if self.lattice is None:
            return self
        return replace(
            self,
            hamiltonian=bloch_sum(self.by_cell("hamiltonian"), point),
            overlap=bloch_sum(self.by_cell("overlap"), point),
            images=None,
            lattice=None,
        )

    def part(self, atoms: ArrayLike) -> Self:
        """Return what it knows of some of its atoms, in the order in which they are named."""
        chosen = np.asarray(atoms, dtype=np.int64)
        orbitals = orbitals_of(chosen, self.orbitals)
        return replace(
            self,
            hamiltonian=self.hamiltonian[orbitals][:, orbitals],
            overlap=self.overlap[orbitals][:, orbitals],
            atoms=self.positions[chosen],
            orbitals=self.orbitals[chosen],
            forces=None if self.forces is None else self.forces[chosen],
            images={
                cell: tuple(matrix[orbitals][:, orbitals] for matrix in pair)
                for cell, pair in (self.images or {}).items()
            },
        )

    @classmethod
    def from_sisl(cls, hamiltonian: Any, *, axis: int | None = None, spin: int = 0) -> Self:
        """Return what a `sisl.Hamiltonian` holds, or the file that has one.

        Parameters
        ----------
        hamiltonian : sisl.Hamiltonian, or path
            A file is read by ``sisl.get_sile(path).read_hamiltonian()``.
        axis : {0, 1, 2}, optional
            The lattice vector along which current flows.  Elements to neighbouring cells along it
            are left out, and `dropped` says how large they are; without it there may be none.
            Those to cells across it are kept as `images`, for transverse k points.
        spin : int, default 0
            Which one of a collinear calculation.

        Raises
        ------
        ImportError
            Without sisl, for a path.
        ValueError
            For elements between cells where no `axis` is given, and noncollinear spins.
        """
        if isinstance(hamiltonian, str | PathLike):
            hamiltonian = read_hamiltonian(hamiltonian)
        return cls(**sisl_calculation(hamiltonian, axis, spin))

    @classmethod
    def from_xtb(
        cls, atoms: Any, method: str = "GFN1-xTB", *, accuracy: float = 0.01, charge: float = 0.0
    ) -> Self:
        """Return what tblite finds for a molecule: self-consistent H and S, forces, Fermi level.

        Parameters
        ----------
        atoms : ase.Atoms
            Without periodic directions.
        method : {"GFN1-xTB", "GFN2-xTB", "IPEA1-xTB"}
        accuracy : float
            That of tblite, which multiplies its thresholds of convergence.
        charge : float
            Of the molecule, in units of the elementary charge.

        Notes
        -----
        tblite's own ``hamiltonian-matrix`` is the one without charges.  H is made of the orbitals
        C and their energies e: S C diag(e) C^T S.  The Fermi level is that of occupations at the
        electronic temperature of 300 K, of both spins.
        """
        return cls(**xtb_calculation(atoms, method, accuracy, charge))

    @staticmethod
    def xtb_on_atom(atoms: Any, method: str = "GFN1-xTB") -> dict[int, FloatArray]:
        """Return <phi_i|d phi_j/dR> between the orbitals of each atom by itself, for `on_atom=`.

        Parameters
        ----------
        atoms : ase.Atoms
            The same as those of the calculations.
        method : {"GFN1-xTB", "GFN2-xTB", "IPEA1-xTB"}

        Returns
        -------
        dict
            ``{atom: array (3, n, n)}``, in 1/Å, of all atoms.

        Notes
        -----
        They are in no overlap matrix of the molecule.  Those of an element are found from the
        overlap of two equal atoms, a few tenths of a Bohr apart.
        """
        check_ase(atoms)
        numbers = [int(number) for number in atoms.get_atomic_numbers()]
        of_element = {number: read_only(xtb_on_atom(number, method)) for number in set(numbers)}
        return {atom: of_element[number] for atom, number in enumerate(numbers)}


def atom_positions(atoms: Any, units: Units) -> FloatArray:
    """Return the positions of atoms in Å, (n_atoms, 3), or raise."""
    if hasattr(atoms, "get_positions"):
        positions = np.array(atoms.get_positions(), dtype=float)
    else:
        length = units.length / EV_ANGSTROM_AMU.length
        positions = np.array(atoms, dtype=float) * length
    if positions.ndim != 2 or positions.shape[1] != 3 or not len(positions):
        raise ValueError(
            f"atoms has positions of shape {positions.shape}; expected (n_atoms, 3), or ase.Atoms."
        )
    if not np.isfinite(positions).all():
        raise ValueError("atoms has positions that are not finite.")
    distance = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(distance, np.inf)
    if distance.min() < CLOSEST:
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        raise ValueError(
            f"Atoms {i} and {j} are {distance.min():.3g} Å apart; expected at least {CLOSEST} Å. "
            "Are the positions in other units? units=Units.named('Rydberg', 'Bohr') says so, and "
            "positions that are fractions of a cell are to be multiplied with it."
        )
    return positions


def orbital_numbers(orbitals: ArrayLike, n_atoms: int) -> IntArray:
    """Return the number of orbitals of each atom, or raise."""
    numbers = np.asarray(orbitals)
    if numbers.dtype.kind not in "iu" or numbers.shape not in ((), (n_atoms,)):
        raise ValueError(
            f"orbitals is {orbitals!r}; expected the number of orbitals of each of {n_atoms} "
            "atoms, or one number for all."
        )
    if numbers.min() < 1:
        raise ValueError("orbitals has an atom without any; leave such atoms out.")
    return np.array(np.broadcast_to(numbers, (n_atoms,)), dtype=np.int64)
