"""Whether a state is bound in the device at an energy: the linear system is singular there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.electrons.inverse import Inverse, factorised
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.model.linear import Equations
from kwant_curl.model.scattering import ScatteringProblem, Solved
from kwant_curl.model.solvers.singular import SingularMatrixError

__all__ = ["checked_inverse"]

ComplexArray = NDArray[np.complex128]

NEAR = 1e-9
"""A level that is this close to an energy, in units of the Hamiltonian, is as good as bound."""

MEANINGLESS = 1e-13
"""Closer than this, what is solved for is the level times rounding errors."""

LUCK = 100.0
"""By how much a random vector may underestimate the inverse, beside the root of its length."""


def checked_inverse(
    problem: ScatteringProblem,
    solved: Solved,
    equations: Equations,
    numerics: Numerics,
    orbitals: Any = None,
) -> tuple[Inverse, tuple[str, ...]]:
    """Factorise the linear system; raise if a level of the device is at its energy.

    Returns what is to be said of one that is near, too.
    """
    try:
        inverse = factorised(problem, equations, numerics, orbitals)
    except SingularMatrixError:
        level = _perturbed(problem, solved, numerics)
        raise ValueError(_singular(problem, solved.energy, level)) from None
    if numerics.in_window:
        return inverse, ()
    distance, vector = _closeness(inverse, problem)
    if distance < MEANINGLESS * problem.largest:
        raise ValueError(_singular(problem, solved.energy, _largest(vector)))
    if distance >= NEAR * problem.largest:
        return inverse, ()
    return inverse, (
        f"A state that is bound in the device, or as good as that, is within {distance:.1g} "
        f"of energy {solved.energy}; it is largest at orbital {_largest(vector)}. No lead "
        "fills it: where it is bound its share is left out, where it is not quite the "
        "results are of that state alone. Take an energy that is off it.",
    )


def _closeness(inverse: Inverse, problem: ScatteringProblem) -> tuple[float, ComplexArray]:
    """Return how far the system is from singular, and the state that makes it so, if it is near.

    The inverse of the norm of its inverse: from a random vector, and if that raises a suspicion
    by a step of the power method.
    """
    start = np.random.default_rng(0).uniform(-1, 1, 2 * inverse.size).view(complex)
    found = inverse.solve_transposed(start[:, None] / np.linalg.norm(start))[:, 0]
    norm = float(np.linalg.norm(found))
    if LUCK * np.sqrt(inverse.size) * norm * NEAR * problem.largest < 1:
        return 1 / norm, found[: problem.n_orbitals]
    again = inverse.solve(sparse.csc_matrix(found.conj()[:, None] / norm))[:, 0]
    return 1 / float(np.linalg.norm(again)), again[: problem.n_orbitals]


def _perturbed(problem: ScatteringProblem, solved: Solved, numerics: Numerics) -> int:
    """Return the orbital where the state is largest that makes a system singular."""
    equations = problem.equations(solved)
    matrix, n = equations.matrix, problem.n_orbitals
    every = np.arange(n)
    shift = np.full(n, 1j * NEAR * problem.largest)
    entries = (
        np.concatenate([matrix.data, shift]),
        (np.concatenate([matrix.row, every]), np.concatenate([matrix.col, every])),
    )
    shifted = sparse.coo_matrix(entries, shape=matrix.shape)
    shifted.sum_duplicates()
    inverse = factorised(problem, equations._replace(matrix=shifted), numerics)
    return _largest(_closeness(inverse, problem)[1])


def _largest(vector: ComplexArray) -> int:
    return int(np.abs(vector).argmax())


def _singular(problem: ScatteringProblem, energy: float, orbital: int) -> str:
    """Return what is said where there is no solution."""
    row = problem.hamiltonian[[orbital]].tocoo()
    alone = not np.any(row.data[row.col != orbital]) and not any(
        orbital in lead.orbitals for lead in problem.leads
    )
    what = "of an atom without bonds" if alone else "that is bound in the device"
    return (
        f"At energy {energy} there is a state {what}, largest at orbital {orbital}: no lead fills "
        "it, and the equations for the scattering states have no single solution. Take another "
        "energy, or couple it to a lead, or leave it out of the system."
    )
