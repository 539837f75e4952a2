"""Kwant's sparse solvers, with what they don't offer: systems transposed, and analyses reused."""

from typing import Any, Literal, Protocol

import kwant
import numpy as np
from numpy.typing import NDArray

__all__ = ["DirectSolver", "direct_solver", "solver_for_one_call"]


class DirectSolver(Protocol):
    """What solves sparse linear systems, one after another: see `direct_solver`."""

    def factorise(self, matrix: Any) -> Any:
        """Return the factorisation of a square sparse COO matrix, which may be overwritten.

        Ours raise `singular.SingularMatrixError` where there is none.
        """
        ...

    def solve_block(self, factorised: Any, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A x = rhs for a sparse CSC matrix rhs (n, k), as an array (n, k)."""
        ...

    def solve_transposed(self, factorised: Any, rhs: Any) -> NDArray[np.complex128]:
        """Return x of A^T x = rhs, as an array (n, k), for rhs (n, k): sparse CSC, or an array."""
        ...


def direct_solver(backend: Literal["mumps", "superlu"] | None = None) -> DirectSolver:
    """Return a solver for loops over energies, biases and parameters.

    Passed as ``solver=`` to each call of `curl_map`, `force_response`, `flow_map` or
    `NonequilibriumDensity`, it keeps the symbolic analysis of the linear system from one call to
    the next and reuses it as long as the pattern of nonzero elements stays: over energies and
    parameters, unless an element of the Hamiltonian becomes exactly zero.  Results agree to
    rounding.

    Parameters
    ----------
    backend : {"mumps", "superlu"}, optional
        Default: MUMPS if Kwant was built with it, as for Kwant's own routines, else SuperLU
        (SciPy's), which can't reuse an analysis.

    Returns
    -------
    solver
        To be passed on.  It holds the last factorisation and serves one call at a time: give
        each thread its own.  Pickled, it arrives without what it keeps.

    Examples
    --------
    >>> solver = direct_solver()
    >>> maps = [curl_map(syst, moving, energy, solver=solver) for energy in energies]

    Raises
    ------
    ValueError
        For another backend, or MUMPS where Kwant was built without.
    """
    return _solver(backend, once=False)


def solver_for_one_call() -> DirectSolver:
    """Return a solver for what is likely to be solved at one energy."""
    return _solver(None, once=True)


def _solver(backend: str | None, *, once: bool) -> DirectSolver:
    has_mumps = kwant.solvers.default.smodule.__name__ == "kwant.solvers.mumps"
    if backend not in (None, "mumps", "superlu"):
        raise ValueError(f'backend is {backend!r}; expected "mumps", "superlu" or None.')
    if backend == "mumps" and not has_mumps:
        raise ValueError(
            'backend is "mumps", but this Kwant was built without MUMPS; install MUMPS and build '
            'Kwant again, or take "superlu".'
        )
    if has_mumps and backend != "superlu":
        from kwant_curl.model.solvers.mumps import MumpsSolver

        return MumpsSolver(once=once)
    from kwant_curl.model.solvers.superlu import SuperLUSolver

    return SuperLUSolver()
