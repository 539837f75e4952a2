"""Checks of matrices and atoms that users pass: what was given, what was expected."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = [
    "SYMMETRIC",
    "antisymmetric",
    "check_atoms",
    "real_matrix",
    "sparse_symmetric",
    "symmetric",
]

FloatArray = NDArray[np.float64]

SYMMETRIC = 1e-6
"""By how much a matrix may miss its symmetry, relative to its largest element."""


def real_matrix(name: str, value: Any, size: int | None = None) -> FloatArray:
    """Return `value` as an array (size, size) of floats, or raise; None: of any size."""
    array = np.asarray(value)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise ValueError(f"{name} has shape {array.shape}; expected (n_c, n_c).")
    if size is not None and len(array) != size:
        raise ValueError(f"{name} has shape {array.shape}; expected {(size, size)}, as friction.")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} has entries of type {array.dtype}; expected real numbers.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has entries that are not finite.")
    return array.astype(float)


def symmetric(name: str, array: FloatArray, cure: str) -> FloatArray:
    """Return the symmetric part; raise if the rest is more than the error of a calculation."""
    return np.asarray(_part(name, array, 1, cure), dtype=float)


def sparse_symmetric(name: str, matrix: Any, cure: str) -> Any:
    """Return the symmetric part of a sparse array, or raise as `symmetric`."""
    return sparse.csr_array(_part(name, matrix, 1, cure))


def antisymmetric(name: str, array: FloatArray, cure: str) -> FloatArray:
    """Return the antisymmetric part; raise if the rest is more than the error of a calculation."""
    return np.asarray(_part(name, array, -1, cure), dtype=float)


def _part(name: str, array: Any, sign: int, cure: str) -> Any:
    rest = abs(array - sign * array.T)
    if rest.max() > SYMMETRIC * abs(array).max():
        i, j = np.unravel_index(rest.argmax(), array.shape)
        kind, differ = ("symmetric", "differ") if sign > 0 else ("antisymmetric", "add up to")
        raise ValueError(
            f"{name} is not {kind}: elements ({i}, {j}) and ({j}, {i}) are {array[i, j]:.6g} and "
            f"{array[j, i]:.6g}, they {differ}{' by' if sign > 0 else ''} {rest[i, j]:.2g}. {cure}"
        )
    return (array + sign * array.T) / 2


def check_atoms(positions: FloatArray | None, sites: NDArray[Any] | None, n_c: int) -> None:
    """Raise unless n_c coordinates may be those of atoms at these positions and sites."""
    if positions is not None:
        shape = positions.shape
        if len(shape) != 2 or shape[1] not in (1, 2, 3) or shape[0] * shape[1] != n_c:
            raise ValueError(
                f"positions has shape {shape}; expected (n_atoms, dim) with n_atoms dim = {n_c}, "
                "the number of coordinates, and dim 1, 2 or 3."
            )
        if not np.isfinite(positions).all():
            raise ValueError("positions has entries that are not finite.")
    if sites is not None:
        possible = [n_c // dim for dim in (1, 2, 3) if n_c % dim == 0]
        lengths = possible if positions is None else [len(positions)]
        if sites.ndim != 1 or len(sites) not in lengths or sites.dtype.kind not in "iu":
            raise ValueError(
                f"sites is an array {sites.shape} of {sites.dtype}; expected the index of the "
                f"site of each atom, {' or '.join(map(str, lengths))} integers."
            )
        if len(np.unique(sites)) < len(sites):
            raise ValueError(f"sites is {sites}; expected each site once.")
