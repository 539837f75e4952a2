"""Self-energies of a half-infinite row of equal cells at many energies at once, and their slopes.

Arrays only, above the real axis: Sigma = V^+ g V with g = 1/(E - h - Sigma), whose derivative is
Sigma' = F (Sigma' - 1) F^T with F = V^+ g, for real symmetric h and real V.
"""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.decimation import decimated

__all__ = ["self_energies"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

DOUBLINGS = 60
"""Of the number of cells in a sum, at most."""

PIECE = 2**19
"""Elements of the matrices that are calculated together: as many as the cache holds."""


def self_energies(
    cell: FloatArray, hopping: FloatArray, energies: ComplexArray
) -> tuple[ComplexArray, ComplexArray, FloatArray]:
    """Return Sigma and dSigma/dE, (n_energies, n, n), and by how much Sigma misses its equation.

    cell: h, (n_cell, n_cell); hopping: V, to the first n orbitals of a cell from the next one
    (n_cell, n); the last: (n_energies,), relative to Sigma.
    """
    pieces = -(-energies.size * cell.size // PIECE)
    parts = [_of_some(cell, hopping, some) for some in np.array_split(energies, pieces)]
    values, slopes, missed = (np.concatenate(part) for part in zip(*parts, strict=True))
    return values, slopes, missed


def _of_some(
    cell: FloatArray, hopping: FloatArray, energies: ComplexArray
) -> tuple[ComplexArray, ComplexArray, FloatArray]:
    n = hopping.shape[1]
    inverse = energies[:, None, None] * np.eye(len(cell)) - cell
    sigma = decimated(inverse, hopping.astype(complex), hopping.T.astype(complex))
    forwards = _forwards(inverse, hopping, sigma)
    # One step of Newton's method: decimation loses digits where a few cells have a level.
    sigma = sigma + _summed(forwards @ hopping - sigma, forwards[..., :n])
    forwards = _forwards(inverse, hopping, sigma)
    missed = np.abs(forwards @ hopping - sigma).max(axis=(1, 2))
    size = np.abs(sigma).max(axis=(1, 2))
    slope = _summed(-forwards @ forwards.swapaxes(1, 2), forwards[..., :n])
    return sigma, slope, np.divide(missed, size, out=missed, where=size > 0)


def _forwards(inverse: ComplexArray, hopping: FloatArray, sigma: ComplexArray) -> ComplexArray:
    """Return V^+ g, (n_energies, n, n_cell)."""
    n = hopping.shape[1]
    attached = inverse.copy()
    attached[:, :n, :n] -= sigma
    return hopping.T @ np.linalg.inv(attached)


def _summed(known: ComplexArray, forwards: ComplexArray) -> ComplexArray:
    """Return X = known + F X F^T, the sum over all cells: of twice as many at each step."""
    power = forwards
    for _ in range(DOUBLINGS):
        known = known + power @ known @ power.swapaxes(1, 2)
        power = power @ power
        if np.abs(power).max(initial=0.0) <= np.finfo(float).eps:
            break
    return known
