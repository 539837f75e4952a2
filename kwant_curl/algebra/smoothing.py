"""Sums of Gaussians on regular grids, and their derivatives; arrays alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["smoothed_curl", "smoothed_vectors"]

FloatArray = NDArray[np.float64]

REACH = 7.5
"""Where Gaussians are cut, in units of their standard deviation: 6e-13 of the peak."""


def smoothed_vectors(
    points: FloatArray, vectors: FloatArray, axes: Sequence[FloatArray], width: float
) -> FloatArray:
    """Return sum_i vectors_i K(r - points_i) on the grid of `axes`, (n_x, n_y(, n_z), dim)."""
    first, *rest = (_factor(points[:, d], axis, width) for d, axis in enumerate(axes))
    right = _columns_outer(rest)
    fields = [_product(first, right, component) for component in vectors.T]
    return np.stack(fields, axis=-1).reshape(*(len(axis) for axis in axes), len(axes))


def smoothed_curl(
    points: FloatArray, vectors: FloatArray, axes: Sequence[FloatArray], width: float
) -> FloatArray:
    """Return the curl of the same field: (n_x, n_y) in 2D, (n_x, n_y, n_z, 3) in 3D."""
    shape = tuple(len(axis) for axis in axes)
    factors = [_factor(points[:, d], axis, width) for d, axis in enumerate(axes)]
    slopes = [_factor(points[:, d], axis, width, slope=True) for d, axis in enumerate(axes)]
    along = []
    for d in range(len(axes)):
        first, *rest = [slopes[k] if k == d else factors[k] for k in range(len(axes))]
        along.append((first, _columns_outer(rest)))

    def rotation(i: int, j: int) -> FloatArray:
        curl = _product(*along[i], vectors[:, j]) - _product(*along[j], vectors[:, i])
        return curl.reshape(shape)

    if len(axes) == 2:
        return rotation(0, 1)
    return np.stack([rotation(1, 2), rotation(2, 0), rotation(0, 1)], axis=-1)


def _factor(
    coordinate: FloatArray, axis: FloatArray, width: float, *, slope: bool = False
) -> sparse.csc_array:
    """Return the Gaussian of one coordinate, or its derivative, as a sparse (n_axis, n_points)."""
    step = axis[1] - axis[0]
    reach = int(np.ceil(REACH * width / step))
    nearest = np.rint((coordinate - axis[0]) / step).astype(np.int64)
    row = nearest + np.arange(-reach, reach + 1)[:, None]
    col = np.broadcast_to(np.arange(len(coordinate)), row.shape)
    inside = (row >= 0) & (row < len(axis))
    row, col = row[inside], col[inside]
    distance = axis[row] - coordinate[col]
    value = np.exp(-(distance**2) / (2 * width**2)) / np.sqrt(2 * np.pi * width**2)
    if slope:
        value *= -distance / width**2
    return sparse.csc_array((value, (row, col)), shape=(len(axis), len(coordinate)))


def _product(first: sparse.csc_array, right: sparse.csc_array, weights: FloatArray) -> FloatArray:
    """Return the sum over points of weight times the outer product of two columns."""
    return (first.multiply(weights[None, :]).tocsr() @ right.T.tocsr()).toarray()


def _columns_outer(factors: Sequence[sparse.csc_array]) -> sparse.csc_array:
    """Return the matrix whose columns are the outer products of those of the factors."""
    if len(factors) == 1:
        return factors[0]
    a, b = factors
    n = a.shape[1]
    count_a, count_b = np.diff(a.indptr), np.diff(b.indptr)
    count = count_a * count_b
    col = np.repeat(np.arange(n), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    i, j = np.divmod(within, count_b[col])
    i, j = a.indptr[col] + i, b.indptr[col] + j
    row = a.indices[i].astype(np.int64) * b.shape[0] + b.indices[j]
    return sparse.csc_array((a.data[i] * b.data[j], (row, col)), shape=(a.shape[0] * b.shape[0], n))
