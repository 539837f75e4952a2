"""The acoustic sum rule: a lattice that is shifted as a whole has no forces."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["broken_by", "held", "net_forces"]

FloatArray = NDArray[np.float64]


def net_forces(rows: FloatArray, dim: int) -> FloatArray:
    """Return the force on each atom where all atoms are shifted, (n_atoms, dim, dim).

    rows: force constants (n_atoms dim, n_others dim), of these atoms with all others.
    """
    n, others = rows.shape[0] // dim, rows.shape[1] // dim
    result: FloatArray = rows.reshape(n, dim, others, dim).sum(axis=2)
    return result


def broken_by(forces: FloatArray, largest: float) -> float:
    """Return the largest force, relative to the largest force constant."""
    return float(np.abs(forces).max(initial=0.0) / largest)


def held(matrix: FloatArray, forces: FloatArray) -> FloatArray:
    """Return the matrix with the symmetric part of these forces taken off each atom's block."""
    dim = forces.shape[1]
    result = matrix.copy()
    for atom, block in enumerate(forces):
        own = slice(atom * dim, (atom + 1) * dim)
        result[own, own] -= (block + block.T) / 2
    return result
