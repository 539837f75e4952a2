"""The acoustic sum rule: a lattice that is shifted as a whole has no forces."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["broken_by", "held", "net_forces"]

FloatArray = NDArray[np.float64]


def net_forces(rows: Any, dim: int) -> FloatArray:
    """Return the force on each atom where all atoms are shifted, (n_atoms, dim, dim).

    rows: force constants (n_atoms dim, n_others dim), of these atoms with all others, sparse or
    dense.
    """
    n, others = rows.shape[0] // dim, rows.shape[1] // dim
    result: FloatArray = (rows @ np.tile(np.eye(dim), (others, 1))).reshape(n, dim, dim)
    return result


def broken_by(forces: FloatArray, largest: float) -> float:
    """Return the largest force, relative to the largest force constant."""
    return float(np.abs(forces).max(initial=0.0) / largest)


def held(matrix: Any, forces: FloatArray) -> Any:
    """Return a sparse matrix with the symmetric part of these forces off each atom's block."""
    blocks = (forces + forces.swapaxes(1, 2)) / 2
    n = np.arange(len(blocks) + 1)
    return sparse.csr_array(matrix - sparse.bsr_array((blocks, n[:-1], n), shape=matrix.shape))
