"""Kwant's solver on MUMPS, with sparse right-hand sides, transposed systems, analyses reused."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import kwant.solvers.mumps
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["MumpsSolver"]

TRANSPOSED, AS_IT_IS = 0, 1
"""Values of MUMPS's control parameter 9: which system is solved."""

DENSE = 0
"""Value of its control parameter 20 for right-hand sides that are dense."""


class Factorisation(NamedTuple):
    """MUMPS's context, and the how manieth factorisation in it this is."""

    context: Any
    number: int


class KeepingSolver(kwant.solvers.mumps.Solver):
    """Kwant's solver with one context, which keeps its analysis while the pattern stays."""

    def __init__(self) -> None:
        super().__init__()
        # The ordering is the user's, who may have chosen one for Kwant's own routines.
        self.options(ordering=kwant.solvers.mumps.default_solver.ordering)
        self.number = 0
        self._context: Any = None
        self._pattern: tuple[NDArray[Any], NDArray[Any]] | None = None

    def _factorized(self, a: Any) -> Factorisation:
        """Factorise, as Kwant's solver does; what was factorised before is given up."""
        matrix = a.tocoo()
        known = self._pattern is not None and all(
            np.array_equal(old, new)
            for old, new in zip(self._pattern, (matrix.row, matrix.col), strict=True)
        )
        if not known:
            self._context = kwant.solvers.mumps.MUMPSContext()
            self._pattern = matrix.row, matrix.col
        self.number += 1
        self._context.factor(matrix, ordering=self.ordering, reuse_analysis=known)
        return Factorisation(self._context, self.number)


class MumpsSolver:
    """Solves one linear system after another, keeping the analysis while the pattern stays."""

    def __init__(self) -> None:
        self._solver = KeepingSolver()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it without what it keeps, which is this process's."""
        return MumpsSolver, ()

    @property
    def ordering(self) -> str:
        """The ordering of the factorisation, see `kwant.solvers.mumps.options`."""
        return str(self._solver.ordering)

    def problem(self, syst: Any, energy: float, params: Mapping[str, Any] | None) -> Any:
        """Return Kwant's linear system for all leads, factorised."""
        return self._solver.wave_function(syst, energy, params=params)

    def solve_block(self, factorised: Factorisation, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A x = rhs for a sparse CSC matrix rhs (n, k), as an array (n, k).

        Sparse, since MUMPS then skips the branches of its tree without right-hand sides: the
        states come in through the leads only.
        """
        return self._context_of(factorised).solve(rhs)

    def solve_transposed(self, factorised: Factorisation, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A^T x = rhs, as an array (n, k), for rhs (n, k): sparse CSC, or an array."""
        context = self._context_of(factorised)
        control = context.mumps_instance.icntl
        control[9] = TRANSPOSED
        if not sparse.issparse(rhs):
            control[20] = DENSE  # Kwant doesn't, after it has solved for sparse ones
        try:
            return context.solve(rhs)
        finally:
            control[9] = AS_IT_IS

    def _context_of(self, factorised: Factorisation) -> Any:
        if factorised.number != self._solver.number:
            raise RuntimeError(
                "This solver has factorised another system meanwhile. It serves one call at a "
                "time: give each thread a direct_solver() of its own."
            )
        return factorised.context
