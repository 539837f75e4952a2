"""Kwant's solver on MUMPS, with sparse right-hand sides, transposed systems, analyses reused."""

from typing import Any

import kwant.solvers.mumps
import numpy as np
from numpy.typing import NDArray

__all__ = ["MumpsSolver"]

TRANSPOSED, AS_IT_IS = 0, 1
"""Values of MUMPS's control parameter 9: which system is solved."""


class MumpsSolver(kwant.solvers.mumps.Solver):
    """Solves one linear system after another, keeping the analysis while the pattern stays."""

    def __init__(self) -> None:
        super().__init__()
        # The ordering is the user's, who may have chosen one for Kwant's own routines.
        self.options(ordering=kwant.solvers.mumps.default_solver.ordering)
        self._context: Any = None
        self._pattern: tuple[NDArray[Any], NDArray[Any]] | None = None

    def _factorized(self, a: Any) -> Any:
        """Factorise, as Kwant's solver does; what was factorised before is given up."""
        matrix = a.tocoo()
        known = self._pattern is not None and all(
            np.array_equal(old, new)
            for old, new in zip(self._pattern, (matrix.row, matrix.col), strict=True)
        )
        if not known:
            self._context = kwant.solvers.mumps.MUMPSContext()
            self._pattern = matrix.row, matrix.col
        self._context.factor(matrix, ordering=self.ordering, reuse_analysis=known)
        return self._context

    def solve_block(self, factorised: Any, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A x = rhs for a sparse CSC matrix rhs (n, k), as an array (n, k).

        Sparse, since MUMPS then skips the branches of its tree without right-hand sides: the
        states come in through the leads only.
        """
        return factorised.solve(rhs)

    def solve_transposed(self, factorised: Any, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A^T x = rhs for a sparse CSC matrix rhs (n, k), as an array (n, k)."""
        control = factorised.mumps_instance.icntl
        control[9] = TRANSPOSED
        try:
            return factorised.solve(rhs)
        finally:
            control[9] = AS_IT_IS
