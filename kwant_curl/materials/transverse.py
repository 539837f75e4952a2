"""What repeats across the current: matrices from a cell to its images, and their Bloch sums."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.algebra.stack import real_if_real
from kwant_curl.materials.arrays import frozen, mean_of_both, sparse_matrix
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import EV_ANGSTROM_AMU, Units

__all__ = [
    "Cell",
    "Images",
    "bloch_sum",
    "by_cell",
    "checked_images",
    "checked_lattice",
    "opposite",
    "phases",
    "same_lattice",
    "wide",
]

Cell = tuple[int, ...]
"""A cell by the numbers of lattice vectors that it is away; () where nothing repeats."""

FloatArray = NDArray[np.float64]

SAME_LATTICE = 0.005
"""By how much, in Å, the lattice vectors of two calculations may differ."""


class Images(NamedTuple):
    """The matrices from a cell to each of its images, and what was not Hermitian in H and S."""

    matrices: dict[Cell, tuple[Any, ...]]
    asymmetry: tuple[float, float]


def checked_lattice(lattice: ArrayLike | None, units: Units) -> FloatArray | None:
    """Return the lattice vectors across the current in Å, (n, 3), or raise."""
    if lattice is None:
        return None
    vectors = np.array(lattice, dtype=float) * (units.length / EV_ANGSTROM_AMU.length)
    if vectors.ndim != 2 or vectors.shape[1] != 3 or len(vectors) not in (1, 2):
        raise ValueError(
            f"lattice has shape {vectors.shape}; expected one or two vectors across the current, "
            "(1, 3) or (2, 3)."
        )
    if not np.isfinite(vectors).all() or np.linalg.matrix_rank(vectors) < len(vectors):
        raise ValueError(
            f"lattice is {np.asarray(lattice).tolist()}; expected finite, independent vectors."
        )
    return read_only(vectors)


def checked_images(
    images: Mapping[Any, Any] | None,
    lattice: FloatArray | None,
    shape: tuple[int, int],
    names: Sequence[str],
    energy: float,
) -> Images:
    """Return the matrices to images as sparse arrays, those of `energy` in eV, or raise.

    names: of the matrices of each image; the first two are H and S within a layer, and go with
    those of the opposite image; overlaps may be None.
    """
    if not images:
        return Images({}, (0.0, 0.0))
    if lattice is None:
        raise ValueError("images are given without lattice=, the vectors between them.")
    given = {_cell(key, len(lattice)): value for key, value in images.items()}
    found: dict[Cell, tuple[Any, ...]] = {}
    for cell, value in given.items():
        if opposite(cell) not in given:
            raise ValueError(
                f"images has {cell} but not {opposite(cell)}; expected both, the conjugate "
                "transposes of each other within a layer."
            )
        if not isinstance(value, tuple | list | np.ndarray) or len(value) != len(names):
            raise ValueError(
                f"images[{cell}] is no tuple of {len(names)}; expected ({', '.join(names)})."
            )
        found[cell] = tuple(
            _matrix(f"{name} to the image {cell}", one, shape, 1.0 if "overlap" in name else energy)
            for name, one in zip(names, value, strict=True)
        )
    result, taken = {}, [0.0, 0.0]
    for cell, value in found.items():
        pairs = [
            mean_of_both(f"{name} to the image {cell}", one, other)
            for name, one, other in zip(names[:2], value, found[opposite(cell)], strict=False)
        ]
        taken = [max(size, left_out) for size, (_, left_out) in zip(taken, pairs, strict=True)]
        result[cell] = (*(frozen(matrix) for matrix, _ in pairs), *value[2:])
    return Images(result, (taken[0], taken[1]))


def _cell(key: Any, n_vectors: int) -> Cell:
    """Return the image that a key names, or raise."""
    numbers = np.asarray(key)
    if numbers.shape != (n_vectors,) or numbers.dtype.kind not in "iu" or not numbers.any():
        raise ValueError(
            f"images has the key {key!r}; expected {n_vectors} whole numbers, how many lattice "
            "vectors the image is away, not all zero."
        )
    return tuple(map(int, numbers))


def _matrix(name: str, matrix: Any, shape: tuple[int, int], energy: float) -> Any:
    """Return one of these, zero if it is None."""
    if matrix is None:
        return frozen(sparse.csr_array(shape))
    return frozen(energy * sparse_matrix(name, matrix, shape))


def opposite(cell: Cell) -> Cell:
    """Return the image on the other side."""
    return tuple(-number for number in cell)


def by_cell(zero: Any, images: Mapping[Cell, Any], n_vectors: int) -> dict[Cell, Any]:
    """Return the matrices from a cell to all cells, its own first."""
    return {(0,) * n_vectors: zero, **images}


def phases(cells: Iterable[Cell], points: ArrayLike) -> NDArray[Any]:
    """Return exp(2 pi i k R) of cells R at points k in units of reciprocal vectors, (n_k, n_R)."""
    turns = np.atleast_2d(points) @ np.array(list(cells), dtype=float).T
    # Whole and half turns without rounding, so that real matrices stay real.
    turns = turns - np.rint(turns)
    cosine, sine = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    whole = np.abs(2 * turns - np.rint(2 * turns)) < 1e-14
    return real_if_real(np.where(whole, np.rint(cosine), cosine + 1j * sine))


def bloch_sum(matrices: Mapping[Cell, Any], point: ArrayLike) -> Any:
    """Return M(k) = sum_R M_0R exp(2 pi i k R), sparse; real where all phases are."""
    factors = phases(matrices, point)[0]
    found = (factor * matrix for factor, matrix in zip(factors, matrices.values(), strict=True))
    return sparse.csr_array(sum(found, next(found)))


def wide(matrices: Mapping[Cell, Any], cells: Sequence[Cell]) -> Any:
    """Return the matrices to these cells side by side, sparse."""
    shape = next(iter(matrices.values())).shape
    parts = [matrices.get(cell) for cell in cells]
    if len(parts) == 1 and parts[0] is not None:
        return parts[0]
    none = sparse.csr_array(shape)
    return sparse.csr_array(sparse.hstack([none if part is None else part for part in parts]))


def same_lattice(one: FloatArray | None, other: FloatArray | None) -> bool:
    """Return whether two calculations repeat alike across the current."""
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and bool(np.abs(one - other).max() < SAME_LATTICE)
