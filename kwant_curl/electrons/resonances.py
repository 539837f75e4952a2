"""Resonances near an energy: over what energies the states of a small device change."""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.model.scattering import BandEdgeError, ScatteringProblem

__all__ = ["resonance_distance"]

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]

SMALL = 60
"""Orbitals of the largest device of which all levels are found, in about a millisecond."""

SHARP = 0.1
"""A level is a resonance if its half width is below this part of the distance of the next one."""

FOUND = 3.0
"""How far a level may be, in half widths, from where it seemed to be from another energy."""

SEEN = 1e-2
"""The smallest share of a level on the orbitals asked for that is looked at."""

TRIED = 3
"""Levels that are looked at at their own energies: Sigma is another one there."""

BOUND = 1e-9
"""Half widths below this part of the Hamiltonian are those of bound states, which D lacks."""


def resonance_distance(
    problem: ScatteringProblem, energy: float, orbitals: IntArray | None
) -> float | None:
    """Return how far the nearest resonance is from an energy, in the complex plane, or None.

    The modulus of its distance and its half width, over less than which D is about constant: from
    eigenvalues of H + Sigma, at the energy first, then at those that seem to be next to it.  None
    if these are no resonances, or in a device of more than 60 orbitals.

    orbitals: those that are asked for, None for all; levels that are elsewhere don't count.
    """
    if problem.n_orbitals > SMALL:
        return None
    found = _sharp_levels(problem, energy, orbitals)
    if any(lead.is_precalculated for lead in problem.leads):
        return float(np.abs(found - energy).min()) if found.size else None
    for level in found[np.argsort(np.abs(found - energy))][:TRIED]:
        try:
            there = _sharp_levels(problem, float(level.real), orbitals)
        except BandEdgeError:
            continue
        near = there[np.abs(there.real - level.real) <= FOUND * np.abs(there.imag)]
        if near.size:
            return float(np.abs(near - energy).min())
    return None


def _sharp_levels(
    problem: ScatteringProblem, energy: float, orbitals: IntArray | None
) -> ComplexArray:
    """Return eigenvalues of H + Sigma(E) that are resonances, as far as they are seen from E."""
    matrix = problem.hamiltonian.toarray().astype(complex)
    solved = problem.solved_leads(energy)
    for lead, modes in zip(problem.leads, solved.modes, strict=True):
        sigma = lead.selfenergy(energy) if modes is None else modes[1].selfenergy()
        matrix[np.ix_(lead.orbitals, lead.orbitals)] += sigma
    levels, vectors = np.linalg.eig(matrix)
    shares = np.abs(vectors) ** 2 / (np.abs(vectors) ** 2).sum(axis=0)
    share = shares.sum(axis=0) if orbitals is None else shares[orbitals].sum(axis=0)
    width = -levels.imag
    apart = np.abs(levels[:, None] - levels)
    apart[apart <= width[:, None]] = np.inf  # the level itself, and what is as good as it
    sharp = (width < SHARP * apart.min(axis=1)) & (width > BOUND * problem.largest)
    return np.asarray(levels[sharp & (share > SEEN)])
