"""The largest eigenvalues of an operator, by Arnoldi's method, with no more steps than needed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["largest_eigenvalues"]

ComplexArray = NDArray[np.complex128]

BLOCK = 2
"""Vectors at a time: a direct solver takes as long for two as for one."""

FIRST, LONGER = 6, 1.2
"""Vectors at the first look at the eigenvalues, and by how many times as many at each next."""

PRECISE, ROUGH = 1e-6, 1e-1
"""Errors of eigenvalues that are asked for; and of one that only shows where these end, relative
to its distance from there too."""


def largest_eigenvalues(
    operator: Callable[[ComplexArray], ComplexArray],
    size: int,
    count: int,
    most: int,
    enough: float = 0.0,
) -> tuple[ComplexArray, ComplexArray]:
    """Return eigenvalues of an operator, the largest first, and their vectors as columns.

    Parameters
    ----------
    operator : callable
        Takes vectors as columns (size, n), returns as many.
    size : int
        Its dimension.
    count : int
        Eigenvalues that are asked for at most; fewer are returned if `most` steps don't show them.
    most : int
        Vectors to which it is applied at most; one step is taken always.
    enough : float
        Smaller ones aren't asked for: the first of these, roughly known, is the last one returned.

    Notes
    -----
    Of those that are returned none is left out in between, as far as the first vectors, which are
    random, tell.  Relative errors, as the residuals have them, are 1e-6; 0.1 of the last one, if
    it is smaller than `enough`, and it is too small by ten times its error.
    """
    width = min(BLOCK, size)
    most = max(min(most, size) // width, 1) * width
    basis = np.zeros((size, most + width), complex, order="F")
    matrix = np.zeros((most + width, most), complex)
    start = np.random.default_rng(1).normal(size=(size, 2 * width)).view(complex)
    basis[:, :width] = np.linalg.qr(start)[0]
    look = FIRST
    for first in range(0, most, width):
        n = first + width
        new = operator(basis[:, first:n])
        basis[:, n : n + width], matrix[: n + width, first:n] = _orthogonal(new, basis[:, :n])
        if n < min(look, most):
            continue
        look = int(np.ceil(LONGER * n))
        values, inner = np.linalg.eig(matrix[:n, :n])
        order = np.argsort(-np.abs(values))[:count]
        values, inner = values[order], inner[:, order]
        error = np.linalg.norm(matrix[n : n + width, first:n] @ inner[first:n], axis=0)
        sizes = np.abs(values)
        small = sizes < enough
        known = error <= np.maximum(PRECISE * sizes, ROUGH * np.minimum(sizes, enough - sizes))
        n_known = len(known) if known.all() else int(known.argmin())
        if n_known == count or small[:n_known].any():
            break
    n_known = min(n_known, int(small.argmax()) + 1 if small.any() else count)
    return values[:n_known], basis[:, :n] @ inner[:, :n_known]


def _orthogonal(vectors: ComplexArray, basis: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Return what vectors add to an orthonormal basis, and their coefficients in both.

    Twice: where one direction is far larger than others, once leaves rounding errors of it.
    """
    n, width = basis.shape[1], vectors.shape[1]
    coefficients = np.zeros((n + width, width), complex)
    turned = np.eye(width, dtype=complex)
    for _ in range(2):
        inside = basis.conj().T @ vectors
        coefficients[:n] += inside @ turned
        vectors, factor = np.linalg.qr(vectors - basis @ inside)
        turned = factor @ turned
    coefficients[n:] = turned
    return vectors, coefficients
