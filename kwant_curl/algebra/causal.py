"""Rational functions that are causal and real in time, through samples on the real axis.

Arrays only.  f(w) = sum_j [R_j/(w - p_j) - R_j^*/(w + p_j^*)] with poles below the axis, which is
what `Memory` takes.  The poles are those of a rational interpolant (AAA, as in `rational`,
but of complex samples and with support in pairs, omega and -omega, so that they come in pairs too).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvals

__all__ = ["causal_columns", "causal_poles", "causal_residues"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

REAL_POLE = 1e-6
"""A pole's real part below this part of its modulus is zero: one on the imaginary axis."""


def causal_poles(points: FloatArray, values: ComplexArray, tol: float, most: int) -> ComplexArray:
    """Return poles, those with Re p >= 0 alone, of either sign of Im p.

    Parameters
    ----------
    points : array (n,)
        Frequencies of the samples, positive, all different.
    values : array (n, n_functions)
        The samples; f(-omega) = f(omega)^*.
    tol : float
        What is left at the samples, in the unit of the values.
    most : int
        How many poles there are at most, mirror images included.
    """
    n = len(points)
    where = np.concatenate([points, -points])
    given = np.concatenate([values, values.conj()])
    most = min(most, n)
    support: list[int] = []
    fit = np.broadcast_to(given.mean(axis=0), given.shape)
    weights = np.empty(0, complex)
    while len(support) < most:
        left = np.abs(fit - given).max(axis=1)
        left[support] = 0
        if left.max() <= tol:
            break
        # Several at a time where there are many already: each round costs as much as all before.
        worst = _peaks(left[:n])[: 1 + len(support) // 24]
        support += [*worst, *(worst + n)]
        weights, fit = _interpolant(where, given, support)
    return _right_half(_poles(where[support], weights))


def _peaks(left: FloatArray) -> NDArray[np.intp]:
    """Return where the samples have maxima, the highest first."""
    around = np.concatenate([[0.0], left, [0.0]])
    found = np.flatnonzero((left >= around[:-2]) & (left >= around[2:]) & (left > 0))
    return found[np.argsort(-left[found])]


def _interpolant(
    where: FloatArray, given: ComplexArray, support: list[int]
) -> tuple[ComplexArray, ComplexArray]:
    """Return the weights of a support and the interpolant at all samples."""
    others = np.setdiff1d(np.arange(len(where)), support)
    cauchy = 1 / (where[others, None] - where[support])
    loewner = (given[others, :, None] - given[support].T) * cauchy[:, None, :]
    rows = loewner.reshape(-1, len(support))
    size = np.linalg.norm(rows, axis=0)
    size[size == 0] = 1.0
    _, triangle = np.linalg.qr(rows / size)
    weights = np.linalg.svd(triangle)[2][-1].conj() / size
    fit = given.copy()
    fit[others] = (cauchy @ (weights[:, None] * given[support])) / (cauchy @ weights)[:, None]
    return weights / np.abs(weights).max(), fit


def _poles(points: FloatArray, weights: ComplexArray) -> ComplexArray:
    """Return the zeros of sum_j weights_j/(s - points_j)."""
    m = len(points)
    arrow = np.zeros((m + 1, m + 1), complex)
    arrow[0, 1:], arrow[1:, 0] = weights, 1.0
    arrow[1:, 1:] = np.diag(points)
    found = eigvals(arrow, np.diag([0.0, *np.ones(m)]), check_finite=False)
    limit = 1e4 * np.abs(points).max(initial=0.0)
    finite: ComplexArray = found[np.isfinite(found) & (np.abs(found) < limit)]
    return finite


def _right_half(poles: ComplexArray) -> ComplexArray:
    """Return the poles that aren't mirror images -p^* of others."""
    on_axis = np.abs(poles.real) <= REAL_POLE * np.abs(poles)
    kept: ComplexArray = np.where(on_axis, 1j * poles.imag, poles)
    return kept[on_axis | (poles.real > 0)]


def causal_columns(points: FloatArray, poles: ComplexArray) -> ComplexArray:
    """Return what multiplies Re R_j and, of all but the last, Im R_j: (n, 2 n_poles - 1).

    The sum of the imaginary parts vanishes, so that f falls off as 1/omega^2.
    """
    near, far = (1 / (points[:, None] - p) for p in (poles, -poles.conj()))
    imaginary = 1j * (near + far)
    imaginary = imaginary[:, :-1] - imaginary[:, -1:]
    return np.concatenate([near - far, imaginary], axis=1)


def causal_residues(numbers: FloatArray) -> ComplexArray:
    """Return R_j, (n_poles, n_functions), of the factors of `causal_columns`."""
    n = (len(numbers) + 1) // 2
    result: ComplexArray = numbers[:n].astype(complex)
    result[:-1] += 1j * numbers[n:]
    result[-1] -= 1j * numbers[n:].sum(axis=0)
    return result
