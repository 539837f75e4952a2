"""Rational functions of least order through samples of a symmetric matrix: balanced truncation.

Arrays only.  H(s) = sum_j c_j c_j^T/(s - s_j), real in time, from samples of H and H' at
frequencies omega with s = -i omega.  With weights of a quadrature over frequency the divided
differences d_k^T [H(s_k) - H(s_l)] d_l/(s_k - s_l) (a Loewner matrix) are the product of the roots
of both Gramians: their eigenvalues are the Hankel singular values, and what is left out below a
tolerance is an error of H of that size (I. V. Gosea, S. Gugercin, C. Beattie, SIAM J. Sci. Comput.
44, A2165 (2022)).  Left and right samples are the same here, so that the matrix is symmetric and
each residue has rank one.  Along directions d_k at random; and at -omega^* the complex conjugate.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["Balanced", "balanced"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

DIRECTIONS = 2
"""Directions per sample."""

SPARSE = 8.0
"""More of them, in proportion, where samples are apart by more than so many times the median."""

FEW = 1200
"""Up to so many rows all eigenvalues are calculated at once."""

SHARE = 0.25
"""Of more, the space of the largest ones is looked for with this share of them at first."""

BELOW = 0.1
"""That space is large enough if it holds eigenvalues as small, relative to the tolerance."""


class Balanced(NamedTuple):
    """H(s) = sum_j c_j c_j^T/(s - s_j): all rates s_j, (n,), and vectors c_j, (n, rank)."""

    rates: ComplexArray
    vectors: ComplexArray


class _Data(NamedTuple):
    """What is known along directions d, weighted: s (k,), d and H d (k, rank).

    own, own_slopes: d_k^T H d_l and d_k^T H' d_l of the same sample, (k, k), else zero; same: where
    these are.
    """

    s: ComplexArray
    along: FloatArray
    values: ComplexArray
    own: ComplexArray
    own_slopes: ComplexArray
    same: NDArray[np.bool_]


def balanced(
    points: ComplexArray,
    values: ComplexArray,
    slopes: ComplexArray,
    tolerance: float,
    most: int,
) -> Balanced:
    """Return a rational function of low order through samples.

    Parameters
    ----------
    points : array of complex (n,)
        omega, with positive real parts, ascending; on the real axis or closely above it.
    values, slopes : array of complex (n, rank, rank)
        H and dH/domega there, symmetric.
    tolerance : float
        Hankel singular values below it are left out.
    most : int
        How many of them are kept at most.
    """
    data = _along(points, values, slopes, np.random.default_rng(0))
    loewner, shifted, rows = _loewner(data)
    sizes, columns = _largest(loewner, tolerance)
    kept = np.argsort(-np.abs(sizes))[:most]
    kept = kept[np.abs(sizes[kept]) > tolerance]
    sign, columns = np.sign(sizes[kept]), columns[:, kept] / np.sqrt(np.abs(sizes[kept]))
    # H(s) = C (A - s J)^-1 C^T with J = diag(sign): E = -J of the pencil, and s_j real or in pairs.
    rates, vectors = np.linalg.eig(sign[:, None] * (columns.T @ shifted @ columns))
    norm = np.einsum("ij,i,ij->j", vectors, sign, vectors)
    outward = rows.T @ columns @ vectors / np.sqrt(-norm.astype(complex))
    return Balanced(rates.astype(complex), outward.T)


def _along(
    points: ComplexArray, values: ComplexArray, slopes: ComplexArray, generator: Generator
) -> _Data:
    """Return samples along orthogonal directions at random, with weights of a quadrature."""
    n, rank = len(points), values.shape[1]
    gaps = np.gradient(points.real)
    counts = np.ceil(DIRECTIONS * np.maximum(gaps / np.median(gaps) / SPARSE, 1.0)).clip(max=rank)
    kept = np.arange(rank) < counts[:, None]
    directions = np.linalg.qr(generator.normal(size=(n, rank, rank)))[0].swapaxes(1, 2)
    directions *= np.sqrt(gaps / np.pi * rank / counts)[:, None, None]
    of_values = directions @ values
    sample, number = np.nonzero(kept)
    same = sample[:, None] == sample
    row, column = np.nonzero(same)
    own, own_slopes = np.zeros((2, *same.shape), complex)
    for into, forms in (
        (own, of_values @ directions.swapaxes(1, 2)),
        (own_slopes, 1j * directions @ slopes @ directions.swapaxes(1, 2)),
    ):
        into[row, column] = forms[sample[row], number[row], number[column]]
    along = directions[kept]
    return _Data(-1j * points[sample], along, of_values[kept], own, own_slopes, same)


def _loewner(data: _Data) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return divided differences of H and of s H, (2 k, 2 k), and the rows of H, (2 k, rank).

    In cosines and sines of the samples at omega and -omega^*, where all of them are real.
    """
    s, across = data.s, data.values @ data.along.T
    apart = np.where(data.same, 1.0, s[:, None] - s)
    near = np.where(data.same, data.own_slopes, (across - across.T) / apart)
    near_s = (s[:, None] * across - s * across.T) / apart
    near_s = np.where(data.same, data.own + s * data.own_slopes, near_s)
    apart = s[:, None] - s.conj()
    far = (across - across.conj().T) / apart
    far_s = (s[:, None] * across - s.conj() * across.conj().T) / apart
    rows = np.sqrt(2) * np.concatenate([data.values.real, -data.values.imag])
    return _real(near, far), _real(near_s, far_s), rows


def _real(near: ComplexArray, far: ComplexArray) -> FloatArray:
    """Return T^T [[near, far], [far^*, near^*]] T with T = [[1, i], [1, -i]]/sqrt(2)."""
    plus, minus = near + far, near - far
    result = np.block([[plus.real, -minus.imag], [-plus.imag, -minus.real]])
    return 0.5 * (result + result.T)


def _largest(matrix: FloatArray, tolerance: float) -> tuple[FloatArray, FloatArray]:
    """Return eigenvalues of a symmetric matrix, all above the tolerance among them, and vectors.

    Of a large one in the space that random vectors are taken to, which is enlarged until it holds
    smaller ones too.
    """
    n = len(matrix)
    count = int(SHARE * n) if n > FEW else n
    generator = np.random.default_rng(1)
    while count < n:
        space = np.linalg.qr(matrix @ generator.normal(size=(n, count)))[0]
        sizes, columns = np.linalg.eigh(space.T @ matrix @ space)
        if np.abs(sizes).min() < BELOW * tolerance:
            return sizes, space @ columns
        count *= 2
    sizes, columns = np.linalg.eigh(matrix)
    return sizes, columns
