"""Residues with which a rational self-energy takes energy, and gives none, at every frequency.

Arrays only.  Least squares, and then the nearest to these for which -Im Pi(omega)/omega >= 0: where
an eigenvalue is negative, its vector gives a linear inequality for the residues, until there is
none.  There are far fewer inequalities than residues, so the dual problem is solved (least-distance
programming: C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, ch. 23).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from kwant_curl.algebra.causal import causal_columns, causal_residues

__all__ = ["passive_residues"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

INDEPENDENT = 1e-13
"""Singular values below this part of the largest are rounding."""

STEEPEST = 100.0
"""By how much Im Pi counts more at low frequencies, at most: a damping is Im Pi/omega."""

ROUNDS = 8
"""How often inequalities are added; what is still negative then is left to friction."""

MOST = 200
"""Inequalities that are added in a round."""


class _Given(NamedTuple):
    """What is fitted: see `passive_residues`."""

    points: FloatArray
    values: ComplexArray
    weights: FloatArray


class _Inequalities(NamedTuple):
    """Each is form . Z . vector vector^T >= 0, Z (n_columns, rank, rank) the coordinates."""

    forms: FloatArray
    vectors: FloatArray

    def added(self, forms: FloatArray, vectors: FloatArray) -> "_Inequalities":
        size = np.linalg.norm(forms, axis=1, keepdims=True)
        return _Inequalities(
            np.concatenate([self.forms, forms / size]), np.concatenate([self.vectors, vectors])
        )

    def nearest(self, start: FloatArray) -> FloatArray | None:
        """Return the nearest Z for which none is negative; None where none is found."""
        along = np.einsum("ik,kab,ia,ib->i", self.forms, start, *[self.vectors] * 2, optimize=True)
        size = float(np.abs(along).max()) or 1.0
        squares, vectors = np.linalg.eigh(
            (self.forms @ self.forms.T) * (self.vectors @ self.vectors.T) ** 2
        )
        root = np.sqrt(np.maximum(squares, 0.0))[:, None] * vectors.T
        unit = np.zeros(len(root) + 1)
        unit[-1] = 1.0
        rows = np.concatenate([root, -along[None] / size])
        try:
            found, _ = nnls(rows, unit, maxiter=30 * len(unit))
        except RuntimeError:
            return None
        left = 1.0 - rows[-1] @ found
        if left < np.finfo(float).eps:
            return None
        factors = self.forms * (size / left * found)[:, None]
        result: FloatArray = start + np.einsum(
            "ik,ia,ib->kab", factors, *[self.vectors] * 2, optimize=True
        )
        return result


def passive_residues(
    points: FloatArray,
    values: ComplexArray,
    weights: FloatArray,
    poles: ComplexArray,
    real: NDArray[np.bool_],
    grid: FloatArray,
    tolerated: float,
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
    real : array of bool (n_poles,)
        Whose residues are real: of oscillators that are hardly damped.
    grid : array (n_grid,)
        Frequencies, positive and ascending, at which -Im Pi/omega is to be positive semidefinite.
    tolerated : float
        Negative eigenvalues up to this are left.
    """
    best, back = _least_squares(_Given(points, values, weights), poles, real)
    forms = -(causal_columns(grid, poles, real).imag / grid[:, None]) @ back
    rank = values.shape[1]
    inequalities = _Inequalities(np.empty((0, len(best))), np.empty((0, rank)))
    found = best
    for _ in range(ROUNDS):
        lowest, vectors = _lowest(forms, found)
        worst = _minima(lowest, -tolerated)
        if not worst.size:
            break
        inequalities = inequalities.added(forms[worst], vectors[worst])
        nearest = inequalities.nearest(best)
        if nearest is None:
            break
        found = nearest
    return causal_residues(np.tensordot(back, found, 1), real)


def _least_squares(
    given: _Given, poles: ComplexArray, real: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Return the best Z in orthonormal coordinates, and what makes residues of them."""
    columns = causal_columns(given.points, poles, real)
    plain = given.weights[:, None]
    damping = plain * np.clip(poles.real.max() / given.points, 1.0, STEEPEST)[:, None]
    matrix = np.concatenate([plain * columns.real, damping * columns.imag])
    flat = given.values.reshape(len(given.points), -1)
    wanted = np.concatenate([plain * flat.real, damping * flat.imag])
    size = np.linalg.norm(matrix, axis=0)
    size[size == 0] = 1.0
    left, strength, right = np.linalg.svd(matrix / size, full_matrices=False)
    kept = strength > INDEPENDENT * strength[0]
    best = (left[:, kept].T @ wanted).reshape(-1, *given.values.shape[1:])
    return best, right[kept].T / strength[kept] / size[:, None]


def _lowest(forms: FloatArray, found: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lowest eigenvalue of the damping at each point of the grid, and its vector."""
    values, vectors = np.empty(len(forms)), np.empty((len(forms), found.shape[1]))
    for part in np.array_split(np.arange(len(forms)), 1 + len(forms) // 500):
        lowest, columns = np.linalg.eigh(np.tensordot(forms[part], found, 1))
        values[part], vectors[part] = lowest[:, 0], columns[:, :, 0]
    return values, vectors


def _minima(values: FloatArray, limit: float) -> IntArray:
    """Return where values have minima below a limit, the lowest ones."""
    around = np.concatenate([[np.inf], values, [np.inf]])
    low = (values <= around[:-2]) & (values <= around[2:]) & (values < limit)
    found = np.flatnonzero(low)
    return found[np.argsort(values[found])[:MOST]]
