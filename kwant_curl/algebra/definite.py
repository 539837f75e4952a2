"""Whether a sparse symmetric matrix is positive definite, without its eigenvalues."""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

__all__ = ["is_positive"]


def is_positive(matrix: Any, least: float) -> bool:
    """Return whether all eigenvalues are above `least`; False also where that isn't known.

    Decomposed with pivots on the diagonal, as a positive definite matrix always can be: by
    Sylvester's law the pivots have the signs of the eigenvalues.
    """
    shifted = sparse.csc_array(matrix - least * sparse.eye_array(matrix.shape[0]))
    try:
        parts = splu(
            shifted, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
    except RuntimeError:  # a pivot that is zero
        return False
    if (parts.perm_r != parts.perm_c).any():
        return False
    return bool((parts.U.diagonal() > 0).all() and np.isfinite(parts.U.data).all())
