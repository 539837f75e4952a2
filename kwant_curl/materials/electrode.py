"""Electrodes of principal layers, each of which couples to the next one alone."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import pairwise
from os import PathLike
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.materials.arrays import frozen, largest, mean_of_both, orbitals_of, sparse_matrix
from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.layers import neutral_level, smallest_overlap
from kwant_curl.materials.sisl_matrices import cell_matrices, read_hamiltonian, sisl_lattice
from kwant_curl.materials.transverse import (
    Cell,
    bloch_sum,
    by_cell,
    checked_images,
    checked_lattice,
    opposite,
)
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import EV_ANGSTROM_AMU, Units

__all__ = ["MATRICES", "SAME_PLACES", "Electrode", "Layer"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SAME_PLACES = 0.02
"""By how much, in Å, the atoms of two layers may lie apart after a common shift."""

NEXT_LAYERS = 0.5
"""By how much, in Å, atoms of a layer that isn't named may lie from where the period has them."""


MATRICES = ("hamiltonian", "overlap", "coupling", "coupling_overlap")
"""The names of the matrices that make an electrode."""


class Layer(NamedTuple):
    """The matrices of an `Electrode`, at a k point across the current."""

    hamiltonian: Any
    overlap: Any
    coupling: Any
    coupling_overlap: Any


@dataclass(frozen=True, eq=False, repr=False)
class Electrode:
    """A half-infinite electrode, in eV and Å: its principal layer, and the coupling to the next.

    Layers are counted from left to right, in the direction of `period`, in both electrodes.

    Parameters
    ----------
    hamiltonian, overlap : sparse or dense matrices, shape (n, n)
        H and S (None: orthogonal) within a layer, orbitals grouped by atom.
    coupling, coupling_overlap : sparse or dense matrices, shape (n, n)
        H and S (None: orthogonal) between a layer (rows) and the next one to its right (columns).
    atoms : ase.Atoms, or array of float, shape (n_atoms, 3)
        Positions of a layer; where the origin is doesn't matter.
    orbitals : int or array of int, shape (n_atoms,)
        The number of orbitals of each atom.
    period : array of float, shape (3,)
        From a layer to the next one to its right.
    fermi : float, optional
        The Fermi level, in the zero of energy of `hamiltonian`.
    electrons : float, optional
        In place of `fermi`: how many electrons a neutral layer holds, of those that have orbitals,
        two in a level.  The Fermi level then follows from the bands.  Not with `images`.
    beyond : pair of float, optional
        The largest elements of H (in the unit of energy) and S between a layer and the one after
        the next, which are left out; None if that isn't known.
    units : Units
        In which all of these are given; an `ase.Atoms` has its positions in Å.
    asymmetry : tuple of float
        The largest elements of what was not Hermitian in H and S, and was taken out before.
    images : mapping, optional
        Of an electrode that repeats across the current: ``{(n1, n2): (H, S, coupling,
        coupling_overlap)}``, the same four matrices from the orbitals of its cell (rows) to those
        of the image that is n1 and n2 vectors of `lattice` away (columns), overlaps None if they
        are zero.  Opposite images are both there, its own cell is not.
    lattice : array of float, shape (n, 3), optional
        One or two lattice vectors across the current.

    Attributes
    ----------
    smallest : float
        The smallest eigenvalue of the overlap of the whole electrode, at a few momenta.

    Raises
    ------
    TypeError, ValueError
        For arrays that don't fit, and for an overlap that is not positive definite.

    Examples
    --------
    >>> Electrode([[0.0]], None, [[-1.0]], None, atoms=places[:1], orbitals=1,
    ...           period=[2.0, 0, 0], electrons=1)
    <Electrode: layers of 1 atoms and 1 orbitals, 2 Å apart, Fermi level 0.0000 eV>
    """

    hamiltonian: Any
    overlap: Any
    coupling: Any
    coupling_overlap: Any
    _: KW_ONLY
    atoms: Any
    orbitals: Any
    period: Any
    fermi: float | None = None
    electrons: float | None = None
    beyond: tuple[float, float] | None = None
    units: Units = EV_ANGSTROM_AMU
    asymmetry: tuple[float, float] = (0.0, 0.0)
    images: Mapping[Cell, tuple[Any, Any, Any, Any]] | None = None
    lattice: FloatArray | None = None
    smallest: float = field(init=False)

    def __post_init__(self) -> None:
        units = self.units
        layer = Calculation(
            self.hamiltonian,
            self.overlap,
            self.atoms,
            self.orbitals,
            fermi=self.fermi,
            units=units,
        )
        energy = units.energy / EV_ANGSTROM_AMU.energy
        lattice = checked_lattice(self.lattice, units)
        shape = layer.hamiltonian.shape
        images, of_images = checked_images(self.images, lattice, shape, MATRICES, energy)
        coupling, between = _couplings(self.coupling, self.coupling_overlap, layer)
        coupling = frozen(coupling * energy)
        smallest = _smallest(layer.overlap, between)
        fermi = layer.fermi
        if self.electrons is not None:
            if fermi is not None:
                raise ValueError("fermi and electrons are both given; leave out one of them.")
            if images:
                raise ValueError(
                    "electrons is given for an electrode that repeats across the current, whose "
                    "bands depend on k there; expected fermi=, from the program that made it."
                )
            matrices = (layer.hamiltonian, layer.overlap), (coupling, between)
            fermi = neutral_level(*matrices, self.electrons)
        taken = (self.asymmetry[0] * energy, self.asymmetry[1])
        values: dict[str, Any] = {
            "hamiltonian": layer.hamiltonian,
            "overlap": layer.overlap,
            "coupling": coupling,
            "coupling_overlap": between,
            "atoms": layer.positions,
            "orbitals": layer.orbitals,
            "period": _period(self.period, units),
            "fermi": fermi,
            "electrons": None,
            "units": EV_ANGSTROM_AMU,
            "asymmetry": tuple(map(max, taken, layer.asymmetry, of_images)),
            "images": images,
            "lattice": lattice,
            "smallest": smallest,
        }
        if self.beyond is not None:
            values["beyond"] = (float(self.beyond[0]) * energy, float(self.beyond[1]))
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def positions(self) -> FloatArray:
        """Where the atoms of the layer are, (n_atoms, 3), in Å."""
        positions: FloatArray = self.atoms
        return positions

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        fermi = "" if self.fermi is None else f", Fermi level {self.fermi:.4f} eV"
        return (
            f"<Electrode: layers of {len(self)} atoms and {self.orbitals.sum()} orbitals, "
            f"{np.linalg.norm(self.period):.4g} Å apart{fermi}>"
        )

    def by_cell(self, name: str) -> dict[Cell, Any]:
        """Return one of its four matrices, by its name, from the cell to all cells across."""
        place = MATRICES.index(name)
        images = {cell: found[place] for cell, found in (self.images or {}).items()}
        n_vectors = 0 if self.lattice is None else len(self.lattice)
        return by_cell(getattr(self, name), images, n_vectors)

    def at(self, point: ArrayLike) -> Layer:
        """Return the matrices at a k point across the current, as `Calculation.at` does."""
        return Layer(*(bloch_sum(self.by_cell(name), point) for name in MATRICES))

    @classmethod
    def from_calculation(
        cls,
        calculation: Calculation,
        layers: Sequence[ArrayLike],
        *,
        electrons: float | None = None,
    ) -> Self:
        """Return an electrode cut out of a calculation of many layers.

        Parameters
        ----------
        calculation : Calculation
            Of a long piece of the electrode.
        layers : sequence of arrays of int
            The atoms of two or three layers that follow each other from left to right, in the
            same order in each.  The first two make the electrode; the third tells what couples
            beyond the next layer.
        electrons : float, optional
            Of a neutral layer, as in `Electrode`.

        Raises
        ------
        ValueError
            For layers that are no copies of each other, and for atoms that lie between the layers
            along the current and are in none of them.
        """
        if len(layers) not in (2, 3):
            raise ValueError(f"layers has {len(layers)} layers; expected two or three.")
        atoms = [np.asarray(layer, dtype=np.int64) for layer in layers]
        period = _shift(calculation, atoms)
        _check_nothing_between(calculation.positions, np.concatenate(atoms), period)
        first, second, *third = (orbitals_of(layer, calculation.orbitals) for layer in atoms)
        whole = [calculation.by_cell(name) for name in ("hamiltonian", "overlap")]
        beyond = None
        if third:
            far = [max(largest(m[first][:, third[0]]) for m in cells.values()) for cells in whole]
            beyond = (far[0], far[1])
        cut = {
            cell: tuple(
                cells[cell][first][:, other] for other in (first, second) for cells in whole
            )
            for cell in whole[0]
        }
        return cls(
            *next(iter(cut.values())),
            images={cell: found for cell, found in cut.items() if any(cell)},
            lattice=calculation.lattice,
            atoms=calculation.positions[atoms[0]],
            orbitals=calculation.orbitals[atoms[0]],
            period=period,
            beyond=beyond,
            electrons=electrons,
        )

    @classmethod
    def from_sisl(
        cls, hamiltonian: Any, axis: int, *, spin: int = 0, electrons: float | None = None
    ) -> Self:
        """Return the electrode whose layer is the cell of a `sisl.Hamiltonian`.

        Parameters
        ----------
        hamiltonian : sisl.Hamiltonian, or path
            With elements to the neighbouring cells; a file is read by sisl.
        axis : {0, 1, 2}
            The lattice vector along which layers follow each other.
        spin : int, default 0
            Which one of a collinear calculation.
        electrons : float, optional
            Of a neutral layer, as in `Electrode`; None: sisl's zero of energy is the Fermi level.
        """
        if isinstance(hamiltonian, str | PathLike):
            hamiltonian = read_hamiltonian(hamiltonian)
        cells = cell_matrices(hamiltonian, axis, spin)
        if 1 not in cells or -1 not in cells:
            raise ValueError(
                "The electrode has no elements to its neighbouring cells along axis "
                f"{axis}; expected a calculation with k points along it."
            )
        layers, taken = _by_image(cells)
        far = [p for along, found in cells.items() if abs(along) > 1 for p in found.values()]
        hamiltonians, overlaps = zip((0.0, 0.0), *far, strict=True)
        return cls(
            *layers.pop((0, 0)),
            images=layers or None,
            lattice=sisl_lattice(hamiltonian, axis) if layers else None,
            atoms=np.asarray(hamiltonian.geometry.xyz),
            orbitals=np.asarray(hamiltonian.geometry.orbitals),
            period=np.asarray(hamiltonian.geometry.cell)[axis],
            fermi=0.0 if electrons is None else None,
            electrons=electrons,
            beyond=(max(map(largest, hamiltonians)), max(map(largest, overlaps))),
            asymmetry=taken,
        )


def _by_image(
    cells: Mapping[int, Mapping[Cell, tuple[Any, Any]]],
) -> tuple[dict[Cell, tuple[Any, ...]], tuple[float, float]]:
    """Return {image: (H, S, coupling, coupling_overlap)}, and what differs in both directions."""
    images = {cell for along in (-1, 0, 1) for cell in cells[along]}
    images |= {opposite(cell) for cell in images}
    some = cells[0][0, 0]
    none = tuple(None if one is None else sparse.csr_array(one.shape) for one in some)
    result, differ = {}, [0.0, 0.0]
    for cell in sorted(images):
        forth, back = cells[1].get(cell, none), cells[-1].get(opposite(cell), none)
        both = [
            mean_of_both("coupling", one, other) for one, other in zip(forth, back, strict=True)
        ]
        differ = [max(size, found) for size, (_, found) in zip(differ, both, strict=True)]
        result[cell] = (*cells[0].get(cell, none), *(matrix for matrix, _ in both))
    return result, (differ[0], differ[1])


def _couplings(coupling: Any, overlap: Any, layer: Calculation) -> tuple[Any, Any]:
    """Return H and S between two layers as sparse arrays, or raise."""
    shape = layer.hamiltonian.shape
    found = sparse_matrix("coupling", coupling, shape)
    if not largest(found):
        raise ValueError("coupling is zero; expected elements between a layer and the next.")
    return found, sparse_matrix(
        "coupling_overlap", sparse.csr_array(shape) if overlap is None else overlap, shape
    )


def _period(period: Any, units: Units) -> FloatArray:
    """Return the period in Å, or raise."""
    vector = np.array(period, dtype=float) * (units.length / EV_ANGSTROM_AMU.length)
    if vector.shape != (3,) or not 0 < np.linalg.norm(vector) < np.inf:
        raise ValueError(
            f"period is {period!r}; expected a vector (3,), from a layer to the next one."
        )
    return read_only(vector)


def _smallest(overlap: Any, between: Any) -> float:
    """Return the smallest eigenvalue of the overlap of the whole electrode, or raise."""
    smallest = smallest_overlap(overlap, between)
    if smallest <= 0:
        raise ValueError(
            "The overlap of the electrode is not positive definite: its smallest eigenvalue is "
            f"{smallest:.3g}. Expected that of linearly independent orbitals; are layer and "
            "coupling those of one electrode, and is the layer thick enough?"
        )
    return smallest


def _shift(calculation: Calculation, layers: list[Any]) -> FloatArray:
    """Return the vector from one layer to the next, or raise if they are not alike."""
    for layer in layers:
        if layer.ndim != 1 or len(layer) != len(layers[0]) or not len(layer):
            raise ValueError("layers have different numbers of atoms; expected as many in each.")
        if layer.min() < 0 or layer.max() >= len(calculation):
            raise ValueError(f"layers name atoms beyond 0 to {len(calculation) - 1}.")
        if not np.array_equal(calculation.orbitals[layer], calculation.orbitals[layers[0]]):
            raise ValueError("layers have atoms of different orbitals; expected the same atoms.")
    steps = [
        calculation.positions[after] - calculation.positions[before]
        for before, after in pairwise(layers)
    ]
    period: FloatArray = np.mean(steps[0], axis=0)
    apart = max(np.abs(step - period).max() for step in steps)
    if apart > SAME_PLACES:
        raise ValueError(
            f"The layers are no copies of each other: atoms are up to {apart:.3g} Å from where the "
            f"period {period.round(3).tolist()} Å takes them, more than {SAME_PLACES}. Name the "
            "atoms of each layer in the same order, those of a straight piece of the electrode."
        )
    return period


def _check_nothing_between(positions: FloatArray, named: IntArray, period: FloatArray) -> None:
    """Raise if atoms lie between these along the period that belong to no layer before or after."""
    along = positions @ (period / np.linalg.norm(period))
    inside = (along > along[named].min()) & (along < along[named].max())
    inside[named] = False
    forgotten = []
    for atom in np.flatnonzero(inside):
        # Layers that reach into each other: the next one, which isn't named, is an image of these.
        apart = positions[atom] - positions[named]
        periods = np.rint(apart @ period / (period @ period))
        distance = np.linalg.norm(apart - periods[:, None] * period, axis=1)
        if distance.min() > NEXT_LAYERS:
            forgotten.append(int(atom))
    if forgotten:
        raise ValueError(
            f"Atoms {forgotten} of the calculation lie between the layers along the current, and "
            "are in none of them: the electrode would have a gap there. Expected layers that "
            "follow each other without any atom left out; name all atoms of each layer."
        )
