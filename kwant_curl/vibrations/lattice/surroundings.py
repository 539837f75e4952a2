"""What the moving atoms feel of all others: the exact self-energy, bath by bath."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.support.frozen import read_only
from kwant_curl.vibrations.lattice.surfaces import (
    frequencies_of,
    lead_selfenergies,
    lead_selfenergies_above,
)

__all__ = ["Bath", "Surroundings", "baths_of"]

ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

DENSE = 300
"""Up to so many coordinates a dense solve is faster than a sparse one."""


class Bath(NamedTuple):
    """Leads, and the eliminated coordinates that are connected with them."""

    leads: tuple[int, ...]
    coordinates: IntArray


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The atoms around those that move, eliminated: [omega^2 - D - Pi(omega)] q = 0.

    Mass-weighted, with D that of the moving atoms with all others held.

    Attributes
    ----------
    problem : ScatteringProblem
        The lattice.
    moving : array of int (n_c,)
        The coordinates that move.
    baths : tuple of Bath
        The parts into which Pi splits: eliminated atoms belong to the leads that they are
        connected with, and leads that eliminated atoms connect with each other are one bath.
    """

    problem: ScatteringProblem
    moving: IntArray
    baths: tuple[Bath, ...]

    def selfenergy(self, omega: ArrayLike) -> ComplexArray:
        """Return the exact Pi of each bath, (n_baths, ..., n_c, n_c), on or above the real axis."""
        frequencies = frequencies_of(omega)
        n = len(self.moving)
        found = np.array([self._at(complex(w)) for w in frequencies.ravel()])
        shape = (len(self.baths), *frequencies.shape, n, n)
        return read_only(found.reshape(-1, len(self.baths), n, n).swapaxes(0, 1).reshape(shape))

    def _at(self, omega: complex) -> list[ComplexArray]:
        needed = [number for bath in self.baths for number in bath.leads]
        sigmas = lead_selfenergies(self.problem, omega, needed)
        return [self._of_bath(number, omega, sigmas)[0] for number in range(len(self.baths))]

    def above(self, which: int, omegas: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        """Return Pi of a bath and dPi/domega, (n_omegas, n_c, n_c), off the real axis.

        For many frequencies at once, above the axis by more than rounding.
        """
        of_leads = lead_selfenergies_above(self.problem, omegas, self.baths[which].leads)
        shape = (len(omegas), len(self.moving), len(self.moving))
        values, slopes = np.empty(shape, complex), np.empty(shape, complex)
        place, one = self._parts[which][0], np.eye(len(self.moving))
        for at, omega in enumerate(omegas):
            sigmas = {number: found[0][at] for number, found in of_leads.items()}
            values[at], moved = self._of_bath(which, complex(omega), sigmas)
            follow, slope = np.concatenate([one, moved]), -moved.T @ moved
            for number, found in of_leads.items():
                rows = follow[place[self.problem.leads[number].orbitals]]
                slope += rows.T @ found[1][at] @ rows
            slopes[at] = 2 * omega * slope
        return values, slopes

    @cached_property
    def _parts(self) -> list[tuple[IntArray, Any]]:
        """For each bath where coordinates are in it, moving ones first, and its matrix D.

        Dense where it is small.
        """
        found = []
        for bath in self.baths:
            own = np.concatenate([self.moving, bath.coordinates])
            place = np.full(self.problem.n_orbitals, -1)
            place[own] = np.arange(len(own))
            part = sparse.coo_array(self.problem.hamiltonian[own][:, own])
            kept = (part.row >= len(self.moving)) | (part.col >= len(self.moving))
            elements = part.data[kept], (part.row[kept], part.col[kept])
            matrix = sparse.csc_array(elements, shape=part.shape, dtype=complex)
            found.append((place, matrix.toarray() if len(own) <= DENSE else matrix))
        return found

    def _of_bath(
        self, which: int, omega: complex, sigmas: dict[int, ComplexArray]
    ) -> tuple[ComplexArray, ComplexArray]:
        """Return Pi of a bath: Sigma_mm + A_mr [omega^2 - A_rr]^-1 A_rm, A = D + Sigma.

        And how the eliminated coordinates follow, [omega^2 - A_rr]^-1 A_rm.
        """
        bath, m = self.baths[which], len(self.moving)
        place, matrix = self._parts[which]
        at = [place[self.problem.leads[number].orbitals] for number in bath.leads]
        if isinstance(matrix, np.ndarray):
            whole = matrix.copy()
            for orbitals, number in zip(at, bath.leads, strict=True):
                whole[np.ix_(orbitals, orbitals)] += sigmas[number]
            direct, between = whole[:m, :m], whole[m:, :m]
        else:
            blocks = [sigmas[number] for number in bath.leads]
            elements = [_placed(*pair) for pair in zip(at, blocks, strict=True)]
            row, col, value = (np.concatenate(parts) for parts in zip(*elements, strict=True))
            whole = matrix + sparse.csc_array((value, (row, col)), shape=matrix.shape)
            direct, between = whole[:m, :m].toarray(), whole[m:, :m].toarray()
        moved = np.zeros((len(bath.coordinates), m), complex)
        if not len(bath.coordinates):
            return np.asarray(direct), moved
        touched = np.flatnonzero(between.any(axis=0))
        right = between[:, touched]
        if isinstance(matrix, np.ndarray):
            solved = np.linalg.solve(omega**2 * np.eye(len(right)) - whole[m:, m:], right)
        else:
            inner = omega**2 * sparse.eye_array(len(right)) - whole[m:, m:]
            solved = splu(sparse.csc_array(inner)).solve(right)
        through = right.T @ solved
        direct[np.ix_(touched, touched)] += (through + through.T) / 2
        moved[:, touched] = solved
        return np.asarray(direct), moved


def _placed(orbitals: IntArray, block: ComplexArray) -> tuple[IntArray, IntArray, ComplexArray]:
    """Return a block's rows, columns and elements in the whole."""
    n = len(orbitals)
    return np.repeat(orbitals, n), np.tile(orbitals, n), block.ravel()


def baths_of(problem: ScatteringProblem, moving: IntArray, dim: int) -> tuple[Bath, ...]:
    """Return the baths around moving coordinates; raise for eliminated atoms without a lead."""
    others = np.setdiff1d(np.arange(problem.n_orbitals), moving)
    links = sparse.coo_array(problem.hamiltonian[others][:, others])
    place = np.full(problem.n_orbitals, -1)
    place[others] = np.arange(len(others))
    row, col = [links.row], [links.col]
    for number, lead in enumerate(problem.leads):
        touched = place[lead.orbitals]
        touched = touched[touched >= 0]
        row.append(touched)
        col.append(np.full(len(touched), len(others) + number))
    # Coordinates of one atom belong together.
    atoms = others // dim
    together = np.flatnonzero(np.diff(atoms) == 0)
    row, col = [*row, together], [*col, together + 1]
    ones = np.ones(sum(map(len, row)))
    size = len(others) + len(problem.leads)
    graph = sparse.coo_array((ones, (np.concatenate(row), np.concatenate(col))), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    of_leads = label[len(others) :]
    lonely = np.flatnonzero(~np.isin(label[: len(others)], of_leads))
    if lonely.size:
        names = np.unique(atoms[lonely])
        raise ValueError(
            f"Atoms {names.tolist()} don't move and are connected with no lead except by those "
            "that do; their vibrations would never leave. Let them move too."
        )
    return tuple(
        Bath(
            tuple(np.flatnonzero(of_leads == one).tolist()),
            others[label[: len(others)] == one],
        )
        for one in dict.fromkeys(of_leads.tolist())
    )
