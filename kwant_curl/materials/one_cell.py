"""From derivatives with all images of an atom displaced to those with one of them, and to k points.

A calculation that repeats moves an atom together with its images.  What belongs to the one in the
cell itself: elements between two orbitals follow the atoms that they are on; those of neither go
with the nearest image.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.materials.arrays import frozen
from kwant_curl.materials.k_points import KPoints
from kwant_curl.materials.transverse import Cell, phases

__all__ = ["Alone", "Lattice", "Places", "between_images", "moved_alone", "on_cells", "to_k_points"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

EQUALLY_FAR = 1e-3
"""By how much, in Å, the distances of images may differ that share an element."""

MUCH_NEARER = 1.5
"""How many times as far the next image must be for an element to belong to the nearest clearly."""


class Lattice(NamedTuple):
    """Where orbitals are, (n_orbitals, 3), and the vectors between images, (n, 3)."""

    places: FloatArray
    vectors: FloatArray


class Alone(NamedTuple):
    """Elements of a matrix between all cells: row and column as orbitals and cells, (n_x, ...)."""

    row: IntArray
    row_cell: IntArray
    col: IntArray
    col_cell: IntArray
    value: NDArray[Any]


class Places(NamedTuple):
    """Elements from the cell to others, and where they and the images of an atom are.

    row, col: (n,) orbitals; cell: (n, n_vectors) that of the column; value: (n,); images: (n_T,
    n_vectors) cells; distance: (n, n_T) of each image from the nearer of two orbitals.
    """

    row: IntArray
    col: IntArray
    cell: IntArray
    value: NDArray[Any]
    images: IntArray
    distance: FloatArray

    @classmethod
    def of(cls, matrices: Mapping[Cell, Any], lattice: Lattice, atom: FloatArray) -> "Places":
        """Return those of derivatives with respect to an atom at this place and its images."""
        found = [sparse.coo_array(matrix) for matrix in matrices.values()]
        sizes = [matrix.nnz for matrix in found]
        row, col, value = (
            np.concatenate([getattr(matrix, name) for matrix in found])
            for name in ("row", "col", "data")
        )
        cell = np.repeat(np.array(list(matrices), dtype=np.int64), sizes, axis=0)
        here = lattice.places[row]
        there = lattice.places[col] + cell @ lattice.vectors
        # Whole cells from the atom to where orbitals are, and those beside.
        inverse = np.linalg.pinv(lattice.vectors)
        near = np.rint((np.concatenate([here, there]) - atom) @ inverse).astype(np.int64)
        n_vectors = len(lattice.vectors)
        low = near.min(axis=0, initial=0) - 1
        high = near.max(axis=0, initial=0) + 1
        ranges = [range(a, b + 1) for a, b in zip(low, high, strict=True)]
        images = np.array(list(product(*ranges)), dtype=np.int64).reshape(-1, n_vectors)
        moved = atom + images @ lattice.vectors
        distance = np.minimum(
            *(np.linalg.norm(ends[:, None] - moved, axis=2) for ends in (here, there))
        )
        return cls(row.astype(np.int64), col.astype(np.int64), cell, value, images, distance)


def moved_alone(places: Places) -> Alone:
    """Return the derivative with respect to the atom in the cell itself, between all cells.

    Each element is divided among the images that are nearest to one of its two orbitals.
    """
    nearest = places.distance < places.distance.min(axis=1, keepdims=True) + EQUALLY_FAR
    element, image = np.nonzero(nearest)
    share = places.value[element] / nearest.sum(axis=1)[element]
    # Seen from the image: moved by as many cells, it is the atom in the cell itself.
    row_cell = -places.images[image]
    return Alone(
        places.row[element],
        row_cell,
        places.col[element],
        places.cell[element] + row_cell,
        share,
    )


def between_images(places: Places) -> float:
    """Return the largest element that an image other than the nearest is about as near to."""
    first, second = np.sort(places.distance, axis=1)[:, :2].T
    # Elements on the atom itself follow it, whatever else is near.
    unclear = (first > EQUALLY_FAR) & (second < MUCH_NEARER * first)
    return float(np.abs(places.value[unclear]).max(initial=0.0))


def on_cells(alone: Sequence[Alone], n_orbitals: int) -> tuple[list[Cell], list[Any]]:
    """Return the cells that elements reach, its own first, and matrices between their orbitals.

    Orbital i of the cell at place c of the list is number c * n_orbitals + i.
    """
    n_vectors = alone[0].row_cell.shape[1]
    none = np.zeros((1, n_vectors), dtype=np.int64)
    every = np.concatenate([none, *(c for one in alone for c in (one.row_cell, one.col_cell))])
    distinct, number = np.unique(every, axis=0, return_inverse=True)
    own = int(number.ravel()[0])
    order = np.concatenate([[own], np.delete(np.arange(len(distinct)), own)])
    place = np.argsort(order)[number.ravel()][1:]
    size = len(distinct) * n_orbitals
    matrices, start = [], 0
    for one in alone:
        n = len(one.row)
        row = place[start : start + n] * n_orbitals + one.row
        col = place[start + n : start + 2 * n] * n_orbitals + one.col
        start += 2 * n
        matrices.append(frozen(sparse.csr_array((one.value, (row, col)), shape=(size, size))))
    return [tuple(map(int, cell)) for cell in distinct[order]], matrices


def to_k_points(matrices: Sequence[Any], cells: Sequence[Cell], k: KPoints) -> tuple[Any, ...]:
    """Return matrices between the copies of a device at k points, from those between cells.

    M(k, k') = sqrt(w_k w_k') sum_PQ exp(-2 pi i k P) M_PQ exp(2 pi i k' Q).
    """
    n_orbitals = matrices[0].shape[0] // len(cells)
    waves = np.sqrt(k.weights) * phases(cells, k.points).T
    bloch = sparse.csr_array(sparse.kron(waves, sparse.eye_array(n_orbitals)))
    back = sparse.csr_array(bloch.conj().T)
    return tuple(frozen(sparse.csr_array(back @ matrix @ bloch)) for matrix in matrices)
