"""The levels of a device next to an energy: eigenvalues of H + Sigma at that energy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

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

ARNOLDI = 1e-6
"""Error of their distances from the energy, relatively: small on a level itself."""

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

    def near(self, energy: float, count: int) -> tuple[ComplexArray, ComplexArray]:
        """Return eigenvalues of H + Sigma(E) that are next to E, and their vectors as columns."""
        self.n_looks += 1
        try:
            equations = self._problem.equations(self._problem.solved_leads(energy))
            inverse = factorised(self._problem, equations, self._numerics)
            overlap = self._problem.overlap(energy)
        except (ValueError, SingularMatrixError):  # on a flat band; on a level, to the last digit
            if self.n_looks == self.most_looks:
                return NOTHING
            return self.near(energy + 0.5 * self.tiny, count)
        n = self._problem.n_orbitals
        if n <= DENSE:
            nothing = sparse.csr_array((inverse.size, 0), dtype=complex)
            greens = inverse.propagators(nothing, None).greens
            values, vectors = np.linalg.eig(greens @ overlap)
        else:
            values, vectors = _around(inverse, overlap, count)
        large = np.abs(values) > 0
        return energy - 1 / values[large], vectors[:, large]


NOTHING = np.empty(0, complex), np.empty((0, 0), complex)


def _around(inverse: Inverse, overlap: Any, count: int) -> tuple[ComplexArray, ComplexArray]:
    """Return the largest eigenvalues of S G, by Arnoldi's method, and their vectors' moduli.

    Those of its transpose: they have the same values, and those of bound states are complex
    conjugates; transposed systems take right-hand sides that are dense, and are solved for in less
    time.
    """
    n = overlap.shape[0]

    def transposed(vector: ComplexArray) -> ComplexArray:
        rhs = np.zeros((inverse.size, 1), complex)
        rhs[:n, 0] = overlap.T @ np.ravel(vector)
        solution: ComplexArray = -inverse.solve_transposed(rhs)[:n, 0]
        return solution

    start = np.random.default_rng(1).normal(size=n) + 0j
    operator = LinearOperator((n, n), matvec=transposed, dtype=complex)
    # Vectors at a time: SciPy takes 20 or more.  One level far closer than others is found at once.
    most = {"ncv": 2 * count + 2, "maxiter": 100 if count > 1 else 3}
    try:
        values, vectors = eigs(operator, k=count, which="LM", v0=start, tol=ARNOLDI, **most)
    except ArpackNoConvergence as failure:
        values, vectors = failure.eigenvalues, failure.eigenvectors
    return values, vectors
