"""The inverse of a linear system, between the orbitals that are asked for."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.electrons.numerics import Numerics
from kwant_curl.model.linear import Equations
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.solvers import DirectSolver

__all__ = ["Inverse", "Propagators", "factorised"]

ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

BLOCK = 64
"""States in a block at most: larger ones are not solved for faster (benchmarks/README.md)."""


class Propagators(NamedTuple):
    """States and retarded Green's function at some orbitals, at one energy.

    states: (n_states, n_orbitals), lead by lead; greens: G^r (n_orbitals, n_orbitals); slope:
    dG^r/dE likewise, or None.
    """

    states: ComplexArray
    greens: ComplexArray
    slope: ComplexArray | None


class Inverse:
    """A^-1 of a linear system that is factorised: solutions, and rows at some orbitals.

    orbitals: those asked for, None for all; size: the number of equations.
    """

    def __init__(
        self, equations: Equations, solver: DirectSolver, numerics: Numerics, orbitals: Any
    ) -> None:
        self._solver = solver
        self.size = equations.matrix.shape[0]
        self._n_orbitals = equations.n_orbitals
        self._orbitals = np.arange(equations.n_orbitals) if orbitals is None else orbitals
        # The solution itself, and what is made of it.
        self._block = int(max(1, min(BLOCK, numerics.max_memory / (2 * 16 * self.size))))
        self._factorised = solver.factorise(equations.matrix)

    def solve(self, rhs: Any) -> ComplexArray:
        """Return A^-1 rhs of a sparse CSC matrix, (n, k)."""
        return self._solver.solve_block(self._factorised, rhs)

    def solve_transposed(self, rhs: Any) -> ComplexArray:
        """Return A^-T rhs, (n, k)."""
        return self._solver.solve_transposed(self._factorised, rhs)

    def slices(self, length: int) -> Iterator[slice]:
        """Yield blocks of right-hand sides whose solutions fit the memory."""
        for start in range(0, length, self._block):
            yield slice(start, min(start + self._block, length))

    def rows(self) -> Iterator[tuple[slice, ComplexArray]]:
        """Yield some of the orbitals asked for, and A^-T e of their unit vectors e as columns."""
        for some, units in self._units():
            yield some, self.solve_transposed(units)

    def columns(self) -> Iterator[tuple[slice, ComplexArray]]:
        """Yield some of the orbitals asked for, and A^-1 e of their unit vectors e."""
        for some, units in self._units():
            yield some, self.solve(units)

    def _units(self) -> Iterator[tuple[slice, Any]]:
        """Yield some of the orbitals asked for, and their unit vectors as sparse columns."""
        for some in self.slices(len(self._orbitals)):
            here = self._orbitals[some]
            unit = (np.ones(len(here), complex), (here, np.arange(len(here))))
            yield some, sparse.csc_matrix(unit, shape=(self.size, len(here)))

    def propagators(self, incoming: Any, change: Any) -> Propagators:
        """Return the states of what comes in, sparse (n, n_states), and the Green's function.

        change: that of E - H - Sigma with E, sparse (n_orbitals, n_orbitals), for
        dG/dE = -G change G, or None.
        """
        n = len(self._orbitals)
        inside = slice(0, self._n_orbitals)
        states = np.empty((incoming.shape[1], n), complex)
        greens = np.empty((n, n), complex)
        derivative = None if change is None else np.empty((n, n), complex)
        for some, columns in self.rows():
            states[:, some] = incoming.T @ columns
            greens[some] = -columns[self._orbitals].T  # A holds H - E: G = -1/A
            if derivative is not None:
                rhs = np.zeros_like(columns)
                rhs[inside] = change.T @ columns[inside]
                derivative[some] = -self.solve_transposed(rhs)[self._orbitals].T
        return Propagators(states, greens, derivative)


def factorised(
    problem: ScatteringProblem, equations: Equations, numerics: Numerics, orbitals: Any = None
) -> Inverse:
    """Return the inverse of a linear system, by the user's solver or the problem's own.

    orbitals: those asked for, None for all.
    """
    solver = problem.solver if numerics.solver is None else numerics.solver
    return Inverse(equations, solver, numerics, orbitals)
