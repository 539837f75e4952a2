"""From force constants to modes: K v = omega^2 M v."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.linalg import eigh

from kwant_curl.support.matrices import check_atoms, sparse_symmetric, symmetric
from kwant_curl.vibrations.matching import point
from kwant_curl.vibrations.mode_checks import masses_of_coordinates

__all__ = [
    "HarmonicModes",
    "SparseMatrix",
    "harmonic_modes",
    "sparse_symmetric_matrix",
    "symmetric_matrix",
]

FloatArray = NDArray[np.float64]
SparseMatrix: TypeAlias = sparse.sparray | sparse.spmatrix

CURE = "If that is the error of finite differences, give (K + K.T)/2."

ZERO_MODE = 1e-9
"""Below this part of the largest omega^2, that of a mode is zero up to rounding."""


class HarmonicModes(NamedTuple):
    """The arrays of `VibrationalModes`."""

    frequencies: FloatArray
    patterns: FloatArray
    masses: FloatArray
    positions: FloatArray | None
    sites: NDArray[Any] | None


def harmonic_modes(
    force_constants: ArrayLike | SparseMatrix,
    masses: ArrayLike,
    positions: ArrayLike | None,
    sites: ArrayLike | None,
) -> HarmonicModes:
    """Solve for the modes; the arguments are those of `VibrationalModes.from_force_constants`."""
    matrix = symmetric_matrix(force_constants)
    places = None if positions is None else np.asarray(positions, dtype=float)
    numbers = None if sites is None else np.asarray(sites)
    check_atoms(places, numbers, len(matrix))
    mass = masses_of_coordinates(masses, len(matrix), None if places is None else len(places))
    root = np.sqrt(mass)
    squares, columns = eigh(matrix / np.outer(root, root))
    patterns = _with_signs(columns.T) / root
    _check_positive(squares, patterns, places, numbers)
    return HarmonicModes(np.sqrt(squares), patterns, mass, places, numbers)


def symmetric_matrix(force_constants: Any) -> FloatArray:
    """Return the force constants as a dense symmetric matrix, or raise."""
    dense = force_constants.toarray() if sparse.issparse(force_constants) else force_constants
    array = np.asarray(dense)
    if array.ndim == 4 and array.shape[:2] == array.shape[2:]:
        array = array.reshape(2 * (array.shape[0] * array.shape[1],))
    _check_numbers(array.shape, array)
    return symmetric("force_constants", array.astype(float), CURE)


def sparse_symmetric_matrix(force_constants: Any) -> Any:
    """Return the force constants as a sparse symmetric CSR array, or raise as for a dense one."""
    if not sparse.issparse(force_constants):
        return sparse.csr_array(symmetric_matrix(force_constants))
    matrix = sparse.csr_array(force_constants)
    _check_numbers(matrix.shape, matrix.data)
    return sparse_symmetric("force_constants", matrix.astype(float), CURE)


def _check_numbers(shape: tuple[int, ...], values: NDArray[Any]) -> None:
    """Raise unless these are real numbers, elements of a matrix."""
    if values.dtype.kind not in "fiuc":
        raise TypeError(f"force_constants has entries of type {values.dtype}; expected numbers.")
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        raise ValueError(
            f"force_constants has shape {shape}; expected (n_c, n_c) or (n_atoms, dim, "
            "n_atoms, dim)."
        )
    if np.iscomplexobj(values):
        raise ValueError("force_constants is complex; expected real numbers.")
    if not np.isfinite(values).all():
        raise ValueError("force_constants has entries that are not finite.")


def _with_signs(vectors: FloatArray) -> FloatArray:
    """Return the vectors with the sign that makes the largest component of each positive."""
    size = np.abs(vectors)
    # The first one of those that are as large up to rounding, which would choose otherwise.
    top = (size > (1 - 1e-6) * size.max(axis=1, keepdims=True)).argmax(axis=1)
    return np.asarray(vectors * np.sign(vectors[np.arange(len(vectors)), top])[:, None])


def _check_positive(
    squares: FloatArray,
    patterns: FloatArray,
    positions: FloatArray | None,
    sites: NDArray[Any] | None,
) -> None:
    """Raise unless all omega^2 are positive, and name what moves in the lowest mode."""
    wrong = np.count_nonzero(squares <= ZERO_MODE * np.abs(squares).max())
    if not wrong:
        return
    coordinate = int(np.abs(patterns[0]).argmax())
    raise ValueError(
        f"The force constants are not positive: eigenvalue 0 of {len(squares)}, omega^2 = "
        f"{squares[0]:.4g} (the largest is {squares[-1]:.4g}), is negative or zero ({wrong} of the "
        f"{len(squares)} are); most moves "
        f"{_mover(coordinate, len(squares), positions, sites)}. Relax the atoms with the method "
        "that gives the force constants, hold some of them fixed (atoms that nothing holds have "
        "modes of zero frequency), or calculate the force constants with more atoms around."
    )


def _mover(
    coordinate: int, n_c: int, positions: FloatArray | None, sites: NDArray[Any] | None
) -> str:
    """Say what moves with this coordinate."""
    known = positions if positions is not None else sites
    if known is None:
        return f"coordinate {coordinate}"
    atom, direction = divmod(coordinate, n_c // len(known))
    name = f"atom {atom}" if sites is None else f"site {sites[atom]}"
    place = "" if positions is None else f" at {point(positions[atom])}"
    return f"{name}{place}, along {'xyz'[direction]}"
