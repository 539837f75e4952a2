"""The levels of a device next to an energy: eigenvalues of H + Sigma at that energy."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.arnoldi import largest_eigenvalues
from kwant_curl.electrons.inverse import Inverse, factorised
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.solvers.singular import SingularMatrixError

__all__ = ["DENSE", "NearestLevels"]

ComplexArray = NDArray[np.complex128]

TINY = 1e-12
"""A level that is narrower, in units of the Hamiltonian, is bound; an integral resolves what is
wider."""

DENSE = 150
"""Orbitals up to which all eigenvalues are found at once."""

MOST_VECTORS, OF_ONE = 100, 16
"""Vectors of Arnoldi's method at most, and where one level is asked for, which is found at once if
it is far closer than others."""

BEYOND = 1.2
"""How far a level must be beyond those asked for to show that they are all."""

MOST_LOOKS = 16
"""Factorisations that a window is worth, four times as many in small systems."""


class NearestLevels:
    """Levels next to one energy after another.

    n_looks: factorisations so far; most_looks: how many a window is worth; tiny: the half width of
    a level that is as good as bound.
    """

    def __init__(self, problem: ScatteringProblem, numerics: Numerics) -> None:
        self._problem, self._numerics = problem, numerics
        self.tiny = TINY * problem.largest
        self.most_looks = MOST_LOOKS if problem.n_orbitals > DENSE else 4 * MOST_LOOKS
        self.n_looks = 0

    def near(
        self, energy: float, count: int, reach: float = np.inf
    ) -> tuple[ComplexArray, ComplexArray]:
        """Return eigenvalues of H + Sigma(E) that are next to E, and their vectors as columns.

        In large systems so many at most, and none that is known to be farther than reach, but for
        one, whose distance is known roughly.
        """
        self.n_looks += 1
        try:
            equations = self._problem.equations(self._problem.solved_leads(energy))
            inverse = factorised(self._problem, equations, self._numerics)
            overlap = self._problem.overlap(energy)
        except (ValueError, SingularMatrixError):  # on a flat band; on a level, to the last digit
            if self.n_looks == self.most_looks:
                return NOTHING
            return self.near(energy + 0.5 * self.tiny, count, reach)
        n = self._problem.n_orbitals
        if n <= DENSE:
            nothing = sparse.csr_array((inverse.size, 0), dtype=complex)
            greens = inverse.propagators(nothing, None).greens
            values, vectors = np.linalg.eig(greens @ overlap)
        else:
            fitting = self._numerics.max_memory / (16 * n)
            most = int(min(MOST_VECTORS if count > 1 else OF_ONE, fitting))
            transposed = _transposed(inverse, overlap)
            values, vectors = largest_eigenvalues(transposed, n, count, most, 1 / (BEYOND * reach))
        large = np.abs(values) > 0
        return energy - 1 / values[large], vectors[:, large]


NOTHING = np.empty(0, complex), np.empty((0, 0), complex)


def _transposed(inverse: Inverse, overlap: Any) -> Callable[[ComplexArray], ComplexArray]:
    """Return the transpose of S G, which is applied to vectors as columns.

    It has the same eigenvalues, and vectors of the same moduli, those of bound states being complex
    conjugates; transposed systems take right-hand sides that are dense, and are solved for in less
    time.
    """
    n, back = overlap.shape[0], overlap.T.tocsr()

    def apply(vectors: ComplexArray) -> ComplexArray:
        rhs = np.zeros((inverse.size, vectors.shape[1]), complex)
        rhs[:n] = back @ vectors
        solution: ComplexArray = -inverse.solve_transposed(rhs)[:n]
        return solution

    return apply
