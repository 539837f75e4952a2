"""Rational functions that are causal and real in time, through samples on the real axis.

Arrays only.  f(w) = sum_j [R_j/(w - p_j) - R_j^*/(w + p_j^*)] with poles below the axis, which is
what `Memory` takes.  The poles are those of a rational interpolant (AAA, as in `rational`, but of
complex samples and with support in pairs, omega and -omega, so that they come in pairs too):
n/d with d(w) = sum_j [v_j/(w - s_j) - v_j^*/(w + s_j)] and n alike, with v_j f_j for v_j.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvals

__all__ = ["causal_columns", "causal_poles", "causal_residues", "truncated_residues"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

REAL_POLE = 1e-6
"""A pole's real part below this part of its modulus is zero: one on the imaginary axis."""

AS_BAD = 0.3
"""Each round interpolates at the peaks of what is left, down to this part of the highest."""


def causal_poles(
    points: FloatArray, values: ComplexArray, weights: FloatArray, tol: float, most: int
) -> ComplexArray:
    """Return poles, those with Re p >= 0 alone, of either sign of Im p.

    Parameters
    ----------
    points : array (n,)
        Frequencies of the samples, positive, all different.
    values : array (n, n_functions)
        The samples; f(-omega) = f(omega)^*.
    weights : array (n,)
        By how much each counts.
    tol : float
        What is left at the samples, in the unit of the values.
    most : int
        How many poles there are at most, mirror images included.
    """
    most = min(most // 2, len(points))
    support = np.empty(0, np.int64)
    terms = np.empty(0, complex)
    fit = np.broadcast_to(values.real.mean(axis=0), values.shape)
    while len(support) < most:
        left = weights * np.abs(fit - values).max(axis=1)
        left[support] = 0
        if left.max() <= tol:
            break
        worst = _peaks(left, max(tol, AS_BAD * left.max()))
        room = min(1 + len(support) // 3, most - len(support))
        support = np.concatenate([support, worst[:room]])
        terms, fit = _interpolant(points, values, weights, support)
    return _right_half(_zeros(points[support], terms))


def _peaks(left: FloatArray, least: float) -> IntArray:
    """Return where the samples have maxima that are so high, the highest first."""
    around = np.concatenate([[0.0], left, [0.0]])
    found = np.flatnonzero((left >= around[:-2]) & (left >= around[2:]) & (left >= least))
    return found[np.argsort(-left[found])]


def _interpolant(
    points: FloatArray, values: ComplexArray, weights: FloatArray, support: IntArray
) -> tuple[ComplexArray, ComplexArray]:
    """Return the v_j of a support and the interpolant at all samples."""
    others = np.setdiff1d(np.arange(len(points)), support)
    m, at = len(support), values[support]
    near = 1 / (points[others, None] - points[support])
    far = 1 / (points[others, None] + points[support])
    given = values[others][:, :, None]
    first = (given - at.T) * near[:, None, :]
    second = (given - at.T.conj()) * far[:, None, :]
    # Of the unknowns Re v and Im v; equations are real, too.
    columns = np.concatenate([first - second, 1j * (first + second)], axis=2)
    columns = (columns * weights[others, None, None]).reshape(-1, 2 * m)
    rows = np.concatenate([columns.real, columns.imag])
    size = np.linalg.norm(rows, axis=0)
    size[size == 0] = 1.0
    triangle = np.linalg.qr(rows / size, mode="r")
    found = np.linalg.svd(triangle)[2][-1] / size
    terms = found[:m] + 1j * found[m:]
    weighted = terms[:, None] * at
    fit = values.copy()
    fit[others] = near @ weighted - far @ weighted.conj()
    fit[others] /= (near @ terms - far @ terms.conj())[:, None]
    return terms / np.abs(terms).max(), fit


def _zeros(points: FloatArray, terms: ComplexArray) -> ComplexArray:
    """Return the zeros of sum_j [v_j/(s - s_j) - v_j^*/(s + s_j)], v: terms, s_j: points.

    Of s = i x the equation is real: (v_j/i)/(x + i s_j) and its complex conjugate.
    """
    m = len(points)
    arrow = np.zeros((2 * m + 1, 2 * m + 1))
    arrow[0, 1 : m + 1], arrow[0, m + 1 :] = terms.imag, terms.real
    arrow[1 : m + 1, 0] = 1.0
    arrow[1 : m + 1, m + 1 :] = np.diag(points)
    arrow[m + 1 :, 1 : m + 1] = -np.diag(points)
    found = eigvals(arrow, np.diag([0.0, *np.ones(2 * m)]), check_finite=False)
    limit = 1e4 * np.abs(points).max(initial=0.0)
    finite: ComplexArray = 1j * found[np.isfinite(found) & (np.abs(found) < limit)]
    return finite


def _right_half(poles: ComplexArray) -> ComplexArray:
    """Return the poles that aren't mirror images -p^* of others."""
    on_axis = np.abs(poles.real) <= REAL_POLE * np.abs(poles)
    kept: ComplexArray = np.where(on_axis, 1j * poles.imag, poles)
    return kept[on_axis | (poles.real > 0)]


def causal_columns(
    points: FloatArray, poles: ComplexArray, real: NDArray[np.bool_]
) -> ComplexArray:
    """Return what multiplies Re R_j and, where R_j isn't real, Im R_j of all but the last of these.

    The sum of the imaginary parts vanishes, so that f falls off as 1/omega^2.  (n, n_columns).
    """
    near, far = (1 / (points[:, None] - p) for p in (poles, -poles.conj()))
    imaginary = 1j * (near + far)[:, ~real]
    imaginary = imaginary[:, :-1] - imaginary[:, -1:]
    return np.concatenate([near - far, imaginary], axis=1)


def causal_residues(numbers: FloatArray, real: NDArray[np.bool_]) -> ComplexArray:
    """Return R_j, (n_poles, ...), of the factors of `causal_columns`, (n_columns, ...)."""
    n, turning = len(real), np.flatnonzero(~real)
    residues: ComplexArray = numbers[:n].astype(complex)
    if turning.size:
        residues[turning[:-1]] += 1j * numbers[n:]
        residues[turning[-1]] -= 1j * numbers[n:].sum(axis=0)
    return residues


def truncated_residues(residues: ComplexArray, least: FloatArray) -> ComplexArray:
    """Return symmetric residues (n_poles, n, n) without singular values below some, (n_poles,)."""
    left, strength, _ = np.linalg.svd(residues)
    left = left * (strength > least[:, None])[:, None, :]
    onto = left @ left.conj().swapaxes(1, 2)
    return onto @ residues @ onto.swapaxes(1, 2)
