"""Stein's equation X = A X B + C."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import schur, solve_triangular

__all__ = ["stein"]

ComplexArray = NDArray[np.complex128]


def stein(left: ComplexArray, right: ComplexArray, rhs: ComplexArray) -> tuple[ComplexArray, float]:
    """Return X of X = left X right + rhs, not finite where it has none, and min |1 - l r|.

    l and r are the eigenvalues of left and right.  In the Schur bases of both, where X follows
    column by column.
    """
    upper, left_basis = schur(left, output="complex")
    other, right_basis = schur(right, output="complex")
    regularity = float(np.abs(1 - np.outer(np.diag(upper), np.diag(other))).min(initial=1.0))
    known = left_basis.conj().T @ rhs @ right_basis
    if regularity == 0:
        return np.full_like(known, np.nan), 0.0
    result = np.zeros_like(known)
    one = np.eye(len(left))
    for j in range(len(other)):
        column = known[:, j] + upper @ (result[:, :j] @ other[:j, j])
        result[:, j] = solve_triangular(one - other[j, j] * upper, column)
    return left_basis @ result @ right_basis.conj().T, regularity
