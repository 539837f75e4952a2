"""Kwant's sparse solvers, with what they don't offer: systems transposed, and analyses reused."""

from typing import Any

import kwant

__all__ = ["direct_solver"]


def direct_solver(backend: str | None = None) -> Any:
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
    has_mumps = kwant.solvers.default.smodule.__name__ == "kwant.solvers.mumps"
    if backend not in (None, "mumps", "superlu"):
        raise ValueError(f'backend is {backend!r}; expected "mumps", "superlu" or None.')
    if backend == "mumps" and not has_mumps:
        raise ValueError(
            'backend is "mumps", but this Kwant was built without MUMPS; install MUMPS and build '
            'Kwant again, or take "superlu".'
        )
    if has_mumps and backend != "superlu":
        from kwant_curl.solvers.mumps import MumpsSolver

        return MumpsSolver()
    from kwant_curl.solvers.superlu import SuperLUSolver

    return SuperLUSolver()
