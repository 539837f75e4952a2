"""States that are bound in the device: no lead fills them, and scattering states don't know them.

At such an energy the linear system is singular; in a window of energies they are looked for as
eigenvalues of H + Sigma(E) that are real and equal to E.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from kwant_curl.electrons.inverse import Inverse
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.model.linear import Equations
from kwant_curl.model.scattering import ScatteringProblem, Solved
from kwant_curl.model.solvers.singular import SingularMatrixError

__all__ = ["Levels", "checked_inverse", "counted_range", "narrow_levels"]

ComplexArray = NDArray[np.complex128]

NEAR = 1e-9
"""A level that is this close to an energy, in units of the Hamiltonian, is as good as bound."""

TINY = 1e-12
"""A level that is narrower, in the same units, is bound; an integral resolves what is wider."""

MEANINGLESS = 1e-13
"""Closer than this, what is solved for is the level times rounding errors."""

HARMLESS = 1e-12
"""Below this share on the orbitals that are asked for, a bound state is not missed there."""

LUCK = 100.0
"""By how much a random vector may underestimate the inverse, beside the root of its length."""

DENSE = 150
"""Orbitals up to which all eigenvalues are found at once."""

NEIGHBOURS, FEW = 12, 3
"""Eigenvalues around an energy that are found in larger systems, and where one is followed."""

ARNOLDI = 1e-6
"""Error of their distances from the energy, relatively: small on a level itself."""

MOST_LOOKS = 16
"""Factorisations that a window is worth, four times as many in small systems."""

CLOSEST, FARTHEST, LOOKS_BESIDE, BESIDE = 1e-9, 0.3, 12, 1e-3
"""Where levels beside a band edge are looked for first, in units of the Hamiltonian, how far from
it they may be, in the root of these, and in how many steps they are followed; and up to where
resonances there are looked at each."""

NARROW, SUSPECTS = 0.05, 8
"""Levels narrower than this part of what lies between two band edges are looked at each; so many
of those that are as good as real are followed to their own energies."""


class Level(NamedTuple):
    """A state bound at an energy: the orbital where it is largest, its share on those asked for."""

    energy: float
    orbital: int
    share: float


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
        inverse = _inverse(problem, equations, numerics, orbitals)
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


def _inverse(
    problem: ScatteringProblem, equations: Equations, numerics: Numerics, orbitals: Any = None
) -> Inverse:
    solver = problem.solver if numerics.solver is None else numerics.solver
    return Inverse(equations, solver, numerics, orbitals)


def _closeness(inverse: Inverse, problem: ScatteringProblem) -> tuple[float, ComplexArray]:
    """Return how far the system is from singular, and the state that makes it so, if it is near.

    The inverse of the norm of its inverse: from a random vector, and if that raises a suspicion
    by a step of the power method.
    """
    rng = np.random.default_rng(0)
    start = rng.normal(size=(inverse.size, 2)) @ [1, 1j]
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
    inverse = _inverse(problem, equations._replace(matrix=shifted), numerics)
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


def counted_range(point: OperatingPoint, rtol: float) -> tuple[float, float]:
    """Return the energies between which occupations differ, or change, by more than rtol."""
    tail = point.temperature * max(np.log(4 / rtol), 0.0)
    levels = [point.energy] if point.linear else [point.energy, *(point.energy + point.bias)]
    return float(min(levels) - tail), float(max(levels) + tail)


class Levels(NamedTuple):
    """Levels of the device between two energies that are narrow, and what is to be said of them.

    bound: energies of bound states, sorted; resonances: (energy, half width) of others.
    """

    bound: NDArray[np.float64]
    resonances: tuple[tuple[float, float], ...]
    notices: tuple[str, ...]

    def between(self, low: float, high: float) -> "Levels":
        """Return those between two energies."""
        inside = (self.bound > low) & (self.bound < high)
        resonances = tuple(pair for pair in self.resonances if low < pair[0] < high)
        notices = self.notices if inside.any() else ()
        return Levels(self.bound[inside], resonances, notices)


def narrow_levels(
    problem: ScatteringProblem,
    limits: tuple[float, float],
    edges: NDArray[np.float64],
    numerics: Numerics,
    orbitals: Any,
) -> Levels:
    """Return states that are bound between two energies, and resonances that are narrow there.

    edges: the leads' band edges, those beyond the limits too if they are known.  Bound ones that
    don't reach the orbitals asked for (None: all) are no loss.
    """
    search = _Search(problem, numerics, orbitals)
    low, high = limits
    levels = search.between([low, *edges[(edges > low) & (edges < high)], high])
    missed = [level for level in levels if level.share > HARMLESS]
    notices: tuple[str, ...] = ()
    if missed:
        energies = ", ".join(f"{level.energy:.9g}" for level in missed[:3])
        more = f" and {len(missed) - 3} more" if len(missed) > 3 else ""
        notices += (
            f"In the window of energies, from {low:.6g} to {high:.6g}, states are bound in the "
            f"device, at {energies}{more}; the first is largest at orbital {missed[0].orbital}. "
            "No lead fills them, so that it isn't known how they are occupied, and their share in "
            "force, curl, friction and density is left out. Couple them to a lead, however "
            "weakly, or take a window without them.",
        )
    bound = np.array([level.energy for level in levels])
    return Levels(bound, tuple(sorted(search.resonances)), notices)


class _Search:
    """The search for bound states and resonances; n_looks: factorisations so far."""

    def __init__(self, problem: ScatteringProblem, numerics: Numerics, orbitals: Any) -> None:
        self._problem, self._numerics, self._orbitals = problem, numerics, orbitals
        self._tiny = TINY * problem.largest
        self._most_looks = MOST_LOOKS if problem.n_orbitals > DENSE else 4 * MOST_LOOKS
        self.resonances: set[tuple[float, float]] = set()
        self.n_looks = 0

    def between(self, points: list[float]) -> list[Level]:
        """Return the bound states between energies, from a look between any two of them.

        points: the limits, and the band edges between them, beside which levels are looked for too.
        """
        middle = 0.5 * (points[0] + points[-1])
        central = sorted(points[1:-1], key=lambda edge: abs(edge - middle))[: self._most_looks // 2]
        found = [level for edge in central for level in self._beside(edge)]
        self.n_looks = 0
        waiting = list(pairwise(points))
        while waiting and self.n_looks < self._most_looks:
            start, end = waiting.pop(0)
            centre = 0.5 * (start + end)
            values, _ = self._levels(centre, NEIGHBOURS)
            inside = values[(values.real > start) & (values.real < end)]
            narrow = -inside.imag < NARROW * (end - start)
            suspect = -inside.imag <= 0.3 * np.abs(inside.real - centre) + self._tiny
            for value in inside[narrow & ~suspect]:
                self._note(value.real, value)
            for value in sorted(inside[suspect], key=lambda value: abs(value.imag))[:SUSPECTS]:
                found += self._followed(value, centre)
            reach = np.abs(values - centre).max(initial=0.0)
            if self._n_found(values) and reach < 0.5 * (end - start):
                waiting += [(start, centre - reach), (centre + reach, end)]
        return self._distinct(found, points[0], points[-1])

    def _n_found(self, values: ComplexArray) -> bool:
        """Return whether there are more levels than these."""
        return 0 < len(values) < self._problem.n_orbitals

    def _note(self, energy: float, value: complex) -> None:
        """Note a resonance that was found at an energy next to it."""
        if abs(value.real - energy) <= 3 * abs(value.imag):
            self.resonances.add((float(value.real), float(abs(value.imag))))

    def _beside(self, edge: float) -> list[Level]:
        """Return the bound state next to a band edge, on the side where its mode is closed.

        A weak attraction splits it off from the band, by its square.  It is seen from there alone,
        since self-energies go as the root of the distance; in that root it is followed.
        """
        side = self._closed_side(edge)
        root = np.sqrt(CLOSEST * self._problem.largest)
        before: tuple[float, float] | None = None
        for _ in range(LOOKS_BESIDE):
            energy = edge + side * root**2
            values, vectors = self._levels(energy, 1)
            if not len(values):
                return []
            nearest = int(np.abs(values - energy).argmin())
            miss, width = values[nearest].real - energy, abs(values[nearest].imag)
            if before and abs(miss) <= max(0.3 * width, self._tiny):
                if width <= self._tiny:
                    close = np.abs(values - energy) <= 10 * self._tiny
                    return self._as_levels(energy, vectors[:, close])
                if root**2 < BESIDE * self._problem.largest:  # farther ones are seen otherwise
                    self._note(energy, values[nearest])
                return []
            slope = (miss - before[1]) / (root - before[0]) if before else -miss / root
            before, root = (root, miss), root - miss / slope if slope else 0.0
            if not 0 < root < FARTHEST * np.sqrt(self._problem.largest):
                return []
        return []

    def _closed_side(self, edge: float) -> float:
        """Return on which side of a band edge fewer modes are open: 1 above, -1 below."""
        step = CLOSEST * self._problem.largest
        try:
            below, above = (self._problem.solved_leads(e) for e in (edge - step, edge + step))
        except ValueError:  # a flat band
            return -1.0
        n_below, n_above = (
            sum(modes[1].nmodes for modes in solved.modes if modes) for solved in (below, above)
        )
        return 1.0 if n_below > n_above else -1.0

    def _followed(self, value: complex, centre: float) -> list[Level]:
        """Return the bound state that a level becomes if it is followed to its own energy."""
        before, miss, width = centre, value.real - centre, abs(value.imag)
        energy = value.real
        while self.n_looks < self._most_looks:
            values, vectors = self._levels(energy, FEW)
            if not len(values):
                return []
            nearest = int(np.abs(values - energy).argmin())
            here = values[nearest].real - energy
            now = abs(values[nearest].imag)
            is_there = abs(here) <= max(0.3 * now, self._tiny)
            if is_there and now <= self._tiny:
                close = np.abs(values - energy) <= 10 * self._tiny
                return self._as_levels(energy, vectors[:, close])
            if is_there or now > max(0.5 * width, self._tiny) or here == miss:
                self._note(energy, values[nearest])
                return []
            slope = (here - miss) / (energy - before)
            before, miss, width, energy = energy, here, now, energy - here / slope
        return []

    def _as_levels(self, energy: float, vectors: ComplexArray) -> list[Level]:
        squares = np.abs(vectors) ** 2
        asked = squares if self._orbitals is None else squares[self._orbitals]
        shares = asked.sum(axis=0) / squares.sum(axis=0)
        first = int(shares.argmax())
        return [Level(energy, int(squares[:, first].argmax()), float(shares[first]))]

    def _levels(self, energy: float, count: int) -> tuple[ComplexArray, ComplexArray]:
        """Return eigenvalues of H + Sigma(E) that are next to E, and their vectors as columns."""
        self.n_looks += 1
        try:
            equations = self._problem.equations(self._problem.solved_leads(energy))
            inverse = _inverse(self._problem, equations, self._numerics)
            overlap = self._problem.overlap(energy)
        except (ValueError, SingularMatrixError):  # on a flat band; on a level, to the last digit
            if self.n_looks == self._most_looks:
                return NOTHING
            return self._levels(energy + 0.5 * self._tiny, count)
        n = self._problem.n_orbitals
        if n <= DENSE:
            nothing = sparse.csr_array((inverse.size, 0), dtype=complex)
            greens = inverse.propagators(nothing, None).greens
            values, vectors = np.linalg.eig(greens @ overlap)
        else:
            values, vectors = _around(inverse, overlap, count)
        large = np.abs(values) > 0
        return energy - 1 / values[large], vectors[:, large]

    def _distinct(self, found: list[Level], low: float, high: float) -> list[Level]:
        """Return the levels in the window, each once."""
        result: list[Level] = []
        for level in sorted(found):
            if not low <= level.energy <= high:
                continue
            if not result or level.energy - result[-1].energy > 10 * self._tiny:
                result.append(level)
        return result


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
