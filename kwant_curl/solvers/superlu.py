"""Kwant's solver on SciPy's SuperLU, with blocks of right-hand sides and transposed systems."""

from collections.abc import Mapping
from typing import Any

import kwant.solvers.sparse
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

__all__ = ["SuperLUSolver"]


class FactorisingSolver(kwant.solvers.sparse.Solver):
    """Kwant's solver with factors that can be used transposed."""

    def _factorized(self, a: Any) -> Any:
        """Factorise, as Kwant's solver does."""
        return splu(sparse.csc_matrix(a))


class SuperLUSolver:
    """Solves one linear system after another.  SuperLU offers no analysis that can be kept."""

    def __init__(self) -> None:
        self._solver = FactorisingSolver()

    def problem(self, syst: Any, energy: float, params: Mapping[str, Any] | None) -> Any:
        """Return Kwant's linear system for all leads, factorised."""
        return self._solver.wave_function(syst, energy, params=params)

    def solve_block(self, factorised: Any, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A x = rhs for a sparse CSC matrix rhs (n, k), as an array (n, k)."""
        return factorised.solve(rhs.toarray())

    def solve_transposed(self, factorised: Any, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A^T x = rhs, as an array (n, k), for rhs (n, k): sparse CSC, or an array."""
        whole = rhs.toarray() if sparse.issparse(rhs) else rhs
        return factorised.solve(whole, trans="T")
