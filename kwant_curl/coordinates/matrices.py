"""Coordinates given by their dH/dQ as matrices."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Entries, SecondDerivatives
from kwant_curl.coordinates.base import Specification
from kwant_curl.model.model import Model

__all__ = ["Matrices", "hermitian_matrix", "stack_matrices"]

HERMITICITY = 1e-10
"""How far from Hermitian a matrix may be, relative to its largest element."""


@dataclass(frozen=True)
class Matrices(Specification):
    """Generalised coordinates whose dH/dQ_I are given as matrices.

    As they come from a density functional code, say, or from a model of one's own.

    Parameters
    ----------
    matrices : sequence of sparse or dense Hermitian matrices
        dH/dQ_I of each coordinate, each (n_orbitals, n_orbitals), in energy per unit of Q_I.
        Note the sign: the derivative of the Hamiltonian, not the force operator, which is
        minus it.
    second : mapping, optional
        ``{(I, J): d^2H/dQ_I dQ_J}``, Hermitian matrices of the same kind, each pair once and in
        either order.  Pairs that are not in it have none; without it H is linear in all Q.

    Notes
    -----
    Coordinates are ordered as `matrices`.  Shapes and Hermiticity are checked when a system
    is at hand: a matrix of the wrong shape, or one that is not Hermitian, raises ValueError.
    """

    matrices: Sequence[Any] = field(repr=False)
    _: KW_ONLY
    second: Mapping[tuple[int, int], Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.matrices, np.ndarray) and self.matrices.ndim == 2:
            raise ValueError(
                "matrices is a single matrix; expected a sequence of them, e.g. [matrix]."
            )
        if sparse.issparse(self.matrices):
            raise ValueError(
                "matrices is a single sparse matrix; expected a sequence of them, e.g. [matrix]."
            )
        object.__setattr__(self, "matrices", tuple(self.matrices))
        if not self.matrices:
            raise ValueError("matrices is empty; expected at least one matrix dH/dQ.")
        if self.second is not None:
            object.__setattr__(self, "second", _checked_pairs(self.second, len(self.matrices)))

    def first_derivatives(self, model: Model) -> Derivatives:
        """Return dH/dQ of all coordinates."""
        n = model.n_orbitals
        return stack_matrices(
            [hermitian_matrix(m, n, f"Matrix {i}") for i, m in enumerate(self.matrices)]
        )

    def second_derivatives(self, model: Model) -> SecondDerivatives:
        """Return d^2H/dQ_I dQ_J of all pairs of coordinates: those of `second`, else none."""
        n = model.n_orbitals
        result = SecondDerivatives.empty()
        for (i, j), given in (self.second or {}).items():
            matrix = hermitian_matrix(given, n, f"The second derivative ({i}, {j})")
            none = np.zeros(matrix.nnz, np.int64)
            _, row, col, value = Entries(none, matrix.row, matrix.col, matrix.data).halved()
            for first, second in {(i, j), (j, i)}:
                one, other = np.full(len(row), first), np.full(len(row), second)
                result = result.joined(SecondDerivatives(one, other, row, col, value))
        return result


def _checked_pairs(second: Any, n_matrices: int) -> dict[tuple[int, int], Any]:
    """Return `second` as a dict, or raise unless it names each pair of coordinates once."""
    if not isinstance(second, Mapping):
        raise TypeError(
            f"second is a {type(second).__name__}; expected a mapping {{(I, J): d^2H/dQ_I dQ_J}}."
        )
    for pair in second:
        is_pair = isinstance(pair, tuple) and len(pair) == 2
        if not is_pair or not all(
            isinstance(k, Integral) and not isinstance(k, bool) and 0 <= int(k) < n_matrices
            for k in pair
        ):
            raise ValueError(
                f"second has the key {pair!r}; expected a pair (I, J) of coordinates, each from "
                f"0 to {n_matrices - 1}."
            )
        if pair[0] != pair[1] and pair[::-1] in second:
            raise ValueError(
                f"second names the pair {pair} and {pair[::-1]} too, which is the same derivative; "
                "give one of them."
            )
    return {(int(i), int(j)): matrix for (i, j), matrix in second.items()}


def hermitian_matrix(matrix: Any, size: int, name: str) -> Any:
    """Return `matrix` as a sparse COO array, or raise if it has the wrong shape or symmetry."""
    if np.shape(matrix) != (size, size):
        raise ValueError(
            f"{name} has shape {np.shape(matrix)}; expected {(size, size)}, the number of "
            "orbitals of the system."
        )
    result = sparse.csr_array(matrix, dtype=complex)
    result.sum_duplicates()
    if not np.isfinite(result.data).all():
        raise ValueError(f"{name} has elements that are not finite.")
    asymmetry = abs(result - result.conj().T)
    if asymmetry.nnz and asymmetry.max() > HERMITICITY * abs(result).max():
        raise ValueError(
            f"{name} is not Hermitian: it differs from its conjugate transpose by up to "
            f"{asymmetry.max():.3g}. A force operator is Hermitian; pass the Hermitian dH/dQ."
        )
    return result.tocoo()


def stack_matrices(matrices: Sequence[Any]) -> Derivatives:
    """Return the derivatives whose dH/dQ_I are these sparse COO arrays."""
    entries = Entries(
        np.concatenate([np.full(m.nnz, i) for i, m in enumerate(matrices)]),
        np.concatenate([m.row for m in matrices]),
        np.concatenate([m.col for m in matrices]),
        np.concatenate([m.data for m in matrices]),
    )
    return Derivatives.from_entries(entries, len(matrices), matrices[0].shape[0])
