"""Rational functions in barycentric form through samples of many functions that share poles.

Arrays only: nothing here knows energies.  Set-valued AAA: Y. Nakatsukasa, O. Sete, L. N. Trefethen,
SIAM J. Sci. Comput. 40, A1494 (2018); P. Lietaert, K. Meerbergen, J. Perez, B. Vandereycken, IMA J.
Numer. Anal. 42, 2316 (2022).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvals

__all__ = ["Rational", "fitted", "graded_rule"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

INDEPENDENT = 1e-9
"""Functions that are combinations of others to this part of the largest don't help to fit."""

ROUNDING = 1e-13
"""What is left between a fit and samples, relative to each, that is rounding."""

LEAST = 1e-30
"""Samples below this part of the largest are zero."""

NARROWEST = 2.0**-46
"""Panels are not halved beyond this part of the whole."""


class Rational(NamedTuple):
    """r(s) = [sum_j w_j f_j/(s - s_j)]/[sum_j w_j/(s - s_j)], for any values f_j.

    support: where in the samples each s_j is, (m,); points: the s_j, (m,); weights: the w_j, (m,).
    """

    support: NDArray[np.int64]
    points: FloatArray
    weights: FloatArray

    def basis(self, s: FloatArray) -> FloatArray:
        """Return what multiplies each f_j at each s, (n_s, m); each row sums to one."""
        apart = s[:, None] - self.points
        at_point = apart == 0
        apart[at_point] = 1.0
        terms = self.weights / apart
        terms[at_point.any(axis=1)] = 0.0
        terms[at_point] = 1.0
        return terms / _off_zero(terms)

    def poles(self) -> ComplexArray:
        """Return where the denominator vanishes, (m - 1,) or fewer."""
        m = len(self.points)
        if m < 2:
            return np.empty(0, complex)
        arrow = np.zeros((m + 1, m + 1))
        arrow[0, 1:], arrow[1:, 0] = self.weights, 1.0
        arrow[1:, 1:] = np.diag(self.points)
        found = eigvals(arrow, np.diag([0.0, *np.ones(m)]), check_finite=False)
        finite: ComplexArray = found[np.isfinite(found) & (np.abs(found) < 1e8)]
        return finite


def fitted(
    points: FloatArray,
    values: FloatArray,
    rtol: float,
    noise: FloatArray | float = 0.0,
    before: Sequence[int] = (),
) -> Rational:
    """Return a rational function through samples, of as low an order as they allow.

    Parameters
    ----------
    points : array (n,)
        Where the samples are, all different.
    values : array (n, n_functions)
        The samples; each function counts relative to its largest.
    rtol : float
        What is left at the other samples, relative to each.
    noise : array (n, n_functions)
        How uncertain the samples are.
    before : sequence of int
        Samples that are among the s_j already, of an earlier fit: none is taken out.
    """
    rtol = max(rtol, ROUNDING)
    noise = np.broadcast_to(noise, values.shape)
    size = np.abs(values).max(axis=0, initial=0.0)
    known = size > 10 * noise.max(axis=0, initial=0.0)
    if not known.any():
        return Rational(np.array([0]), points[:1], np.ones(1))
    values, noise = values[:, known], noise[:, known]
    size = size[known]
    least = np.median(noise / size, axis=1) / rtol
    values = _independent(values / size)
    n, rank = values.shape
    # Each sample that is no s_j gives `rank` equations for the w_j.
    most = max(1, min(n - 1, int(n * rank / (rank + 1))))
    support = list(before)[:most] or [
        int(np.abs(values - values.mean(axis=0)).max(axis=1).argmax())
    ]
    while True:
        weights, left = _least_squares(points, values, support, least)
        worst = int(left.argmax())
        if left[worst] <= rtol or len(support) >= most:
            chosen = np.array(support)
            return Rational(chosen, points[chosen], weights)
        support.append(worst)


def _independent(values: FloatArray) -> FloatArray:
    """Return combinations of the functions without those that others give."""
    left, strength, _ = np.linalg.svd(values, full_matrices=False)
    rank = int(np.count_nonzero(strength > INDEPENDENT * strength[0]))
    result: FloatArray = left[:, :rank] * strength[:rank]
    return result


def _least_squares(
    points: FloatArray, values: FloatArray, support: Sequence[int], least: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the weights of a support, and what is left at each sample, relative to itself.

    least: what samples are taken for at least, (n,), where they are uncertain.
    """
    n, m = len(points), len(support)
    others = np.setdiff1d(np.arange(n), support)
    cauchy = 1 / (points[others, None] - points[support])
    # Each sample counts relative to itself: beside a narrow peak the others would be rounding.
    own = np.abs(values).max(axis=1)
    own = np.maximum(np.maximum(own, least), LEAST * own.max() or 1.0)[others, None]
    loewner = (values[others, :, None] - values[support].T) * (cauchy / own)[:, None, :]
    # Columns of like size, so that narrow spacings don't drown the others.
    rows = loewner.reshape(-1, m)
    size = np.linalg.norm(rows, axis=0)
    size[size == 0] = 1.0
    weights = np.linalg.svd(rows / size, full_matrices=len(rows) < m)[2][-1] / size
    terms = cauchy * weights
    fit = (terms @ values[support]) / _off_zero(terms)
    left = np.zeros(n)
    left[others] = (np.abs(fit - values[others]) / own).max(axis=1)
    return weights / np.abs(weights).max(), left


def _off_zero(terms: FloatArray) -> FloatArray:
    """Return sums of rows, kept off zero by what is rounding: on a pole, to the last digits."""
    total = terms.sum(axis=1, keepdims=True)
    least = 8 * np.finfo(float).eps * np.abs(terms).sum(axis=1, keepdims=True)
    result: FloatArray = np.where(np.abs(total) < least, np.copysign(least, total), total)
    return result


def graded_rule(
    breaks: FloatArray, poles: ComplexArray, order: int
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Return Gauss and Legendre's points and weights, on panels that are short near poles.

    A panel's half is at most two thirds of the distance of its middle from any pole: with 16 points
    the rule is exact to 1e-12 or so.

    Parameters
    ----------
    breaks : array (n,)
        Ends, and jumps between them, sorted.
    poles : array of complex
        Of all that is integrated.
    order : int
        Points of each panel.

    Returns
    -------
    points, weights : array (n_points,)
    panel : array of int (n_points,)
        Which panel each is in, from left to right.
    """
    left, right = breaks[:-1], breaks[1:]
    least = NARROWEST * (breaks[-1] - breaks[0])
    kept = []
    while len(left):
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        near = np.abs(middle[:, None] - poles).min(axis=1, initial=np.inf)
        split = (1.5 * half > near) & (half > least)
        kept.append(np.array([middle[~split], half[~split]]))
        left, right = (
            np.concatenate([left[split], middle[split]]),
            np.concatenate([middle[split], right[split]]),
        )
    middle, half = np.concatenate(kept, axis=1)
    order_of = np.argsort(middle)
    middle, half = middle[order_of, None], half[order_of, None]
    nodes, weights = np.polynomial.legendre.leggauss(order)
    panel = np.repeat(np.arange(len(middle)), order)
    return (middle + half * nodes).ravel(), (half * weights).ravel(), panel
