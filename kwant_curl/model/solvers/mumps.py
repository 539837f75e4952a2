"""MUMPS as Kwant binds it, with sparse right-hand sides, transposed systems, analyses reused."""

from typing import Any, NamedTuple

import kwant.linalg.mumps
import kwant.solvers.mumps
import numpy as np
from kwant.linalg.mumps import MUMPSContext, MUMPSError
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.model.solvers.singular import SingularMatrixError

__all__ = ["MumpsSolver"]

QUICK_ORDERING = "amf"
"""Ordering by the least fill: the analysis takes a tenth of the time of nested dissection."""

SHUFFLING, THOROUGH = "scotch", "pord"
"""SCOTCH's threads race and its random numbers go on from call to call: equal calls would differ by
rounding, and integrals take other energies.  PORD's dissection, in every MUMPS, is always the same,
and as good."""

TINY, SMALL = 2**12, 2**16
"""Unknowns up to which what it leads to is solved as fast, and factorised as fast."""

TRANSPOSED, AS_IT_IS = 0, 1
"""Values of MUMPS's control parameter 9: which system is solved."""

SINGULAR = (-6, -10)
"""Its errors for a matrix that is singular by its pattern, or by its elements."""

DENSE = 0
"""Value of its control parameter 20 for right-hand sides that are dense."""


class Factorisation(NamedTuple):
    """MUMPS's context, and the how manieth factorisation in it this is."""

    context: MUMPSContext
    number: int


class MumpsSolver:
    """Solves one linear system after another, keeping the analysis while the pattern stays.

    Parameters
    ----------
    once : bool
        Whether most patterns are expected to come once.  The first analysis of a small one is then
        quick, and thorough only when it comes again.  Tiny ones are never worth a thorough one.
    """

    def __init__(self, *, once: bool = False) -> None:
        # The ordering is the user's, who may have chosen one for Kwant's own routines.
        self.ordering: str = kwant.solvers.mumps.default_solver.ordering
        self._once = once
        self._may_choose = self.ordering == _usual_ordering()
        if self._may_choose and self.ordering == SHUFFLING:
            self.ordering = THOROUGH
        self._is_quick = False
        self._number = 0
        self._context: Any = None
        self._pattern: tuple[NDArray[Any], NDArray[Any]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it without what it keeps, which is this process's."""
        return MumpsSolver, ()

    def factorise(self, matrix: Any) -> Factorisation:
        """Factorise a sparse COO matrix, which may be overwritten; what was before is given up."""
        known = self._pattern is not None and all(
            np.array_equal(old, new)
            for old, new in zip(self._pattern, (matrix.row, matrix.col), strict=True)
        )
        is_tiny = matrix.shape[0] <= TINY
        reuse = known and (is_tiny or not self._is_quick)
        if not reuse:
            self._context = MUMPSContext()
            self._pattern = matrix.row, matrix.col
            pays = is_tiny or (self._once and not known and matrix.shape[0] <= SMALL)
            self._is_quick = self._may_choose and pays
        self._number += 1
        ordering = QUICK_ORDERING if self._is_quick else self.ordering
        try:
            self._context.factor(matrix, ordering=ordering, reuse_analysis=reuse, overwrite_a=True)
        except MUMPSError as failure:
            self._pattern = None  # nothing is left that could be used again
            if failure.error in SINGULAR:
                raise SingularMatrixError from failure
            raise
        return Factorisation(self._context, self._number)

    def solve_block(self, factorised: Factorisation, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A x = rhs for a sparse CSC matrix rhs (n, k), as an array (n, k).

        Sparse, since MUMPS then skips the branches of its tree without right-hand sides: the
        states come in through the leads only.
        """
        return _solution(self._context_of(factorised), rhs)

    def solve_transposed(self, factorised: Factorisation, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A^T x = rhs, as an array (n, k), for rhs (n, k): sparse CSC, or an array."""
        context = self._context_of(factorised)
        control = context.mumps_instance.icntl
        control[9] = TRANSPOSED
        try:
            return _solution(context, rhs)
        finally:
            control[9] = AS_IT_IS

    def _context_of(self, factorised: Factorisation) -> Any:
        if factorised.number != self._number:
            raise RuntimeError(
                "This solver has factorised another system meanwhile. It serves one call at a "
                "time: give each thread a direct_solver() of its own."
            )
        return factorised.context


def _solution(context: MUMPSContext, rhs: Any) -> NDArray[np.complex128]:
    """Return the solution (n, k) for a sparse or dense rhs (n, k)."""
    is_single = rhs.shape == (1, 1)  # Kwant takes no array of one element, but a vector
    if is_single:
        rhs = np.ravel(rhs.toarray() if sparse.issparse(rhs) else rhs)
    if not sparse.issparse(rhs):
        context.mumps_instance.icntl[20] = DENSE  # Kwant doesn't, after it solved for sparse ones
    solution: NDArray[np.complex128] = context.solve(rhs)
    return solution[:, None] if is_single else solution


def _usual_ordering() -> str:
    """Return the ordering that Kwant takes where the user chose none."""
    possible = kwant.linalg.mumps.possible_orderings()
    return next(name for name in ("metis", "scotch", "auto") if name in possible)
