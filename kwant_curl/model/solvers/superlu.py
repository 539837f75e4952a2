"""SciPy's SuperLU, with blocks of right-hand sides and transposed systems."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from kwant_curl.model.solvers.singular import SingularMatrixError

__all__ = ["SuperLUSolver"]


class SuperLUSolver:
    """Solves one linear system after another.  SuperLU offers no analysis that can be kept."""

    def factorise(self, matrix: Any) -> SuperLU:
        """Factorise a sparse COO matrix."""
        try:
            return splu(matrix.tocsc())
        except RuntimeError as failure:
            if "singular" in str(failure):
                raise SingularMatrixError from failure
            raise

    def solve_block(self, factorised: SuperLU, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A x = rhs for a sparse CSC matrix rhs (n, k), as an array (n, k)."""
        return factorised.solve(rhs.toarray())

    def solve_transposed(self, factorised: SuperLU, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A^T x = rhs, as an array (n, k), for rhs (n, k): sparse CSC, or an array."""
        whole = rhs.toarray() if sparse.issparse(rhs) else rhs
        return factorised.solve(whole, trans="T")
