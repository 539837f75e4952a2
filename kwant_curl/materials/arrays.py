"""Matrices as they come: sparse, Hermitian, frozen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import eigvalsh

from kwant_curl.algebra.stack import ranges

__all__ = [
    "blocks",
    "frozen",
    "hermitian_part",
    "largest",
    "mean_of_both",
    "orbitals_of",
    "smallest_eigenvalue",
    "sparse_matrix",
]

ASYMMETRY = 1e-3
"""How far a matrix may be from Hermitian, relative to its largest element, before it is refused."""


def sparse_matrix(name: str, matrix: Any, shape: tuple[int, int]) -> Any:
    """Return a dense or sparse matrix as a sparse array of this shape that can't be written to."""
    if np.shape(matrix) != shape:
        raise ValueError(
            f"{name} has shape {np.shape(matrix)}; expected {shape}, from the number of orbitals "
            "per atom."
        )
    result = sparse.csr_array(matrix)
    if result.dtype.kind not in "fciu":
        raise TypeError(f"{name} has elements of type {result.dtype}; expected numbers.")
    result = result.astype(complex if result.dtype.kind == "c" else float)
    if not np.isfinite(result.data).all():
        raise ValueError(f"{name} has elements that are not finite.")
    return frozen(result)


def frozen(matrix: Any) -> Any:
    """Return a sparse CSR array whose arrays are sorted, and can't be written to."""
    matrix.sum_duplicates()
    for array in (matrix.data, matrix.indices, matrix.indptr):
        array.flags.writeable = False
    return matrix


def hermitian_part(name: str, matrix: Any) -> tuple[Any, float]:
    """Return the Hermitian part of a matrix, and the largest element of what it leaves out."""
    other = sparse.csr_array(matrix.conj().T)
    asymmetry = largest(matrix - other) / 2
    if asymmetry > ASYMMETRY * largest(matrix):
        raise ValueError(
            f"{name} differs from its conjugate transpose by up to {2 * asymmetry:.3g}; expected a "
            "Hermitian matrix, up to the precision of a file."
        )
    return frozen(sparse.csr_array(0.5 * (matrix + other))), asymmetry


def mean_of_both(name: str, matrix: Any, back: Any) -> tuple[Any, float]:
    """Return a matrix to another place, as it is and as it is from there, and half of what differs.

    Raises if that is much.
    """
    if matrix is None:
        return None, 0.0
    other = sparse.csr_array(back.conj().T)
    both = sparse.block_array([[None, matrix], [back, None]])
    _, difference = hermitian_part(name, both)
    return 0.5 * (sparse.csr_array(matrix) + other), difference


def largest(matrix: Any) -> float:
    """Return the largest modulus of the elements of a matrix, zero if there is none."""
    if matrix is None:
        return 0.0
    data = matrix.data if sparse.issparse(matrix) else np.asarray(matrix)
    return float(np.abs(data).max(initial=0.0))


def smallest_eigenvalue(matrix: Any) -> float:
    """Return the smallest eigenvalue of a Hermitian matrix."""
    dense = matrix.toarray() if sparse.issparse(matrix) else matrix
    return float(eigvalsh(dense, subset_by_index=[0, 0])[0])


def orbitals_of(atoms: NDArray[np.int64], orbitals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the orbitals of some atoms, in their order; `orbitals` are the numbers of all."""
    start = np.concatenate([[0], np.cumsum(orbitals)])
    return ranges(start[atoms], orbitals[atoms])


def blocks(
    matrices: tuple[Any, Any], orbitals: NDArray[np.int64]
) -> dict[tuple[int, int], tuple[NDArray[Any], NDArray[Any]]]:
    """Return the blocks of H and S between atoms (row, column), where one of them isn't zero."""
    start = np.concatenate([[0], np.cumsum(orbitals)])
    atom = np.repeat(np.arange(len(orbitals)), orbitals)
    pattern = [sparse.coo_array(matrix) for matrix in matrices]
    keys = [
        atom[found.row[found.data != 0]] * len(orbitals) + atom[found.col[found.data != 0]]
        for found in pattern
    ]
    dense = [sparse.csr_array(matrix) for matrix in matrices]
    result = {}
    for key in np.unique(np.concatenate(keys)):
        i, j = divmod(int(key), len(orbitals))
        place = (slice(start[i], start[i + 1]), slice(start[j], start[j + 1]))
        one, other = (matrix[place].toarray() for matrix in dense)
        result[i, j] = (one, other)
    return result
