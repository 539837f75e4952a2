"""Residues with which a rational self-energy takes energy, and gives none, at every frequency.

Arrays only.  Least squares under -Im Pi(omega)/omega >= 0: where an eigenvalue is negative, its
vector gives a linear inequality for the residues, until there is none (least-distance programming:
C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, ch. 23).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from kwant_curl.algebra.causal import causal_columns, causal_residues

__all__ = ["passive_residues"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

INDEPENDENT = 1e-13
"""Singular values below this part of the largest are rounding."""

ROUNDS = 12
"""How often inequalities are added; what is still negative then is left to friction."""

NEGLIGIBLE = 1e-10
"""Below this part of the largest damping a negative one is left."""

MOST = 400
"""Inequalities that are added in a round."""


class _Fit(NamedTuple):
    """Least squares in orthonormal coordinates z: numbers = back z, damping = forms z."""

    best: FloatArray
    back: FloatArray
    forms: FloatArray
    rows: NDArray[np.intp]
    cols: NDArray[np.intp]

    def damping(self, z: FloatArray, rank: int) -> FloatArray:
        """Return -Im Pi/omega at the grid, (n_grid, rank, rank)."""
        elements = self.forms @ z
        result = np.zeros((len(elements), rank, rank))
        result[:, self.rows, self.cols] = result[:, self.cols, self.rows] = elements
        return result


def passive_residues(
    points: FloatArray,
    values: ComplexArray,
    weights: FloatArray,
    poles: ComplexArray,
    grid: FloatArray,
) -> ComplexArray:
    """Return the residues (n_poles, rank, rank) that fit samples best and damp at a grid.

    Parameters
    ----------
    points : array (n,)
        Frequencies of the samples, positive.
    values : array (n, rank, rank)
        Samples of Pi, symmetric.
    weights : array (n,)
        How much each counts.
    poles : array (n_poles,)
        Below the axis.
    grid : array (n_grid,)
        Frequencies, positive and ascending, at which -Im Pi/omega is to be positive semidefinite:
        up to what is left after a few rounds, which is the caller's to look at.
    """
    rank = values.shape[1]
    fit = _least_squares(points, values, weights, poles, grid)
    z = fit.best
    inequalities: list[FloatArray] = []
    twice = np.where(fit.rows == fit.cols, 1.0, 2.0)
    for _ in range(ROUNDS):
        lowest, vectors = np.linalg.eigh(fit.damping(z, rank))
        size = np.abs(lowest).max()
        worst = _minima(lowest[:, 0], -NEGLIGIBLE * size)
        if not worst.size:
            break
        for place in worst:
            vector = vectors[place, :, 0]
            form = twice * vector[fit.rows] * vector[fit.cols]
            inequality = np.outer(fit.forms[place], form).ravel()
            inequalities.append(inequality / np.linalg.norm(inequality))
        nearest = _nearest(fit.best.ravel(), np.array(inequalities))
        if nearest is None:
            break
        z = nearest.reshape(fit.best.shape)
    found = causal_residues(fit.back @ z)
    residues = np.zeros((len(poles), rank, rank), complex)
    residues[:, fit.rows, fit.cols] = residues[:, fit.cols, fit.rows] = found
    return residues


def _least_squares(
    points: FloatArray,
    values: ComplexArray,
    weights: FloatArray,
    poles: ComplexArray,
    grid: FloatArray,
) -> _Fit:
    rows, cols = np.triu_indices(values.shape[1])
    columns = weights[:, None] * causal_columns(points, poles)
    wanted = weights[:, None] * values[:, rows, cols]
    matrix = np.concatenate([columns.real, columns.imag])
    size = np.linalg.norm(matrix, axis=0)
    size[size == 0] = 1.0
    left, strength, right = np.linalg.svd(matrix / size, full_matrices=False)
    kept = strength > INDEPENDENT * strength[0]
    best = left[:, kept].T @ np.concatenate([wanted.real, wanted.imag])
    back = right[kept].T / strength[kept] / size[:, None]
    forms = -(causal_columns(grid, poles).imag / grid[:, None]) @ back
    return _Fit(best, back, forms, rows, cols)


def _minima(values: FloatArray, limit: float) -> NDArray[np.intp]:
    """Return where values have minima below a limit, the lowest ones."""
    around = np.concatenate([[np.inf], values, [np.inf]])
    low = (values <= around[:-2]) & (values <= around[2:]) & (values < limit)
    found = np.flatnonzero(low)
    return found[np.argsort(values[found])[:MOST]]


def _nearest(start: FloatArray, inequalities: FloatArray) -> FloatArray | None:
    """Return the nearest vector for which no inequality is negative; None where none is found."""
    slack = -inequalities @ start
    size = float(np.abs(slack).max()) or 1.0
    rows = np.concatenate([inequalities.T, slack[None] / size])
    unit = np.zeros(len(rows))
    unit[-1] = 1.0
    try:
        found, _ = nnls(rows, unit, maxiter=30 * rows.shape[1])
    except RuntimeError:
        return None
    left = rows @ found - unit
    if left[-1] > -np.finfo(float).eps:
        return None
    result: FloatArray = start - size * left[:-1] / left[-1]
    return result
