"""The scattering states on an energy shell, in blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.electrons.checked import checked_inverse
from kwant_curl.electrons.inverse import Propagators
from kwant_curl.electrons.notices import slow_notices
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.model.linear import Equations
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import self_energy_slope

__all__ = ["EnergyShell"]

ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

SLOW = 1e-5
"""A mode stands still below this part of its lead's hopping: 1e-10 of it from a band edge."""


class EnergyShell:
    """The scattering states at one energy: one linear system, factorised once for all leads.

    Rows are states as `kwant.wave_function` returns them, normalised to unit incoming current,
    at the orbitals asked for.  Of a lead that is known by its self-energy alone they are as many
    vectors of which D_alpha is the same sum, (1/2 pi) sum_n |psi_n><psi_n|.

    Attributes
    ----------
    n_modes : tuple of int
        The open modes, so the states, of each source: lead by lead, see `Sources`.
    notices : tuple of str
        What is to be said of the energy: a state bound near it, a mode that stands still.
    orbitals : array of int or None
        The orbitals asked for; None for all.
    max_memory : float
        Bytes for a block of states.
    adjoint : bool
        Whether the linear system is solved for these orbitals instead of for the states.
    """

    def __init__(
        self,
        problem: ScatteringProblem,
        energy: float,
        numerics: Numerics,
        orbitals: IntArray | None = None,
    ) -> None:
        self._problem = problem
        self._solved = problem.solved_leads(energy)
        equations = problem.equations(self._solved)
        self._rhs = equations.incoming
        found = checked_inverse(problem, self._solved, equations, numerics, orbitals)
        self._inverse, notices = found
        self.n_modes = tuple(rhs.shape[1] for rhs in self._rhs)
        self.notices = notices + slow_notices(_slow_lead(problem, equations), energy)
        self.orbitals = orbitals
        self.max_memory = numerics.max_memory
        n_wanted = self.n_wanted
        n_states = sum(self.n_modes)
        self.adjoint = numerics.route == "adjoint"
        if numerics.route == "auto":
            fits = 16 * n_wanted * n_states <= self.max_memory
            self.adjoint = n_wanted < n_states and fits

    @property
    def n_wanted(self) -> int:
        """How many orbitals were asked for."""
        return self._problem.n_orbitals if self.orbitals is None else len(self.orbitals)

    def blocks(self) -> Iterator[tuple[int, ComplexArray]]:
        """Yield (source, some of its states (n_states, n_orbitals)), lead by lead."""
        if self.adjoint:
            yield from enumerate(self.states_by_lead())
            return
        for source, rhs in enumerate(self._rhs):
            for some in self._inverse.slices(rhs.shape[1]):
                psi = self._inverse.solve(rhs[:, some]).T
                whole = self.orbitals is None
                yield source, psi[:, : self._problem.n_orbitals] if whole else psi[:, self.orbitals]

    def states(self) -> ComplexArray:
        """Return all states, lead by lead, (n_states, n_orbitals)."""
        n = self.n_wanted
        result = np.empty((sum(self.n_modes), n), complex)
        if self.adjoint:
            self._fill_by_orbitals(result)
            return result
        filled = 0
        for _, block in self.blocks():
            result[filled : filled + len(block)] = block
            filled += len(block)
        return result

    def states_by_lead(self) -> list[ComplexArray]:
        """Return all states of each source, (n_modes, n_orbitals)."""
        return self.split(self.states())

    def outgoing_by_lead(self) -> list[ComplexArray]:
        """Return the states that go out through one mode each, (n_modes, n_orbitals) by source.

        Such a state is a solution that leaves through this mode alone, sum_n S_mn^* psi_n of the
        others; of them (1/2 pi) sum_m |psi_m><psi_m| is (1/2 pi) G^a Gamma_alpha G^r.  What goes
        out of mode m from a source at an orbital is the conjugate of the state there, up to a
        phase (and the sign of A) that is the same for all orbitals.
        """
        # Assembled once more, rather than kept by all shells.
        again = self._problem.equations(self._solved)
        outgoing = sparse.hstack(again.outgoing, format="csc")
        result = np.empty((outgoing.shape[1], self.n_wanted), complex)
        if self.adjoint:
            for some, columns in self._inverse.columns():
                result[:, some] = outgoing.T @ columns
        else:
            here = slice(self._problem.n_orbitals) if self.orbitals is None else self.orbitals
            for some in self._inverse.slices(len(result)):
                result[some] = self._inverse.solve_transposed(outgoing[:, some])[here].T
        return self.split(result.conj())

    def split(self, states: ComplexArray) -> list[ComplexArray]:
        """Return what `states` gives source by source."""
        return np.split(states, np.cumsum(self.n_modes)[:-1])

    def propagators(self, *, slopes: bool = False) -> Propagators:
        """Return all states, and the Green's function between the orbitals asked for.

        slopes: whether its energy derivative too, dG/dE = -G (S - dSigma/dE) G.
        """
        change = None
        if slopes:
            overlap = self._problem.overlap(self._solved.energy)
            change = overlap - self_energy_slope(self._problem, self._solved)
        return self._inverse.propagators(self._incoming(), change)

    def _fill_by_orbitals(self, result: ComplexArray) -> None:
        """Set the states at the orbitals: psi = e^T A^-1 rhs = (A^-T e)^T rhs."""
        incoming = self._incoming()
        for some, columns in self._inverse.rows():
            result[:, some] = incoming.T @ columns

    def _incoming(self) -> Any:
        """Return the right-hand sides of all leads, sparse (n_equations, n_states)."""
        return sparse.hstack(self._rhs, format="csr")


def _slow_lead(problem: ScatteringProblem, equations: Equations) -> int | None:
    """Return a lead with a mode that stands still, as at a band edge, where D diverges.

    Modes are normalised to unit current, so what comes in goes as the hopping over the root of
    the velocity.
    """
    for number, incoming in zip(problem.sources.lead, equations.incoming, strict=True):
        lead = problem.leads[number]
        if lead.hopping_size is None or not incoming.shape[1]:
            continue
        # The rows of the system: those of the lead's own waves are in another unit.
        into_system = abs(incoming[: equations.n_orbitals])
        if float(into_system.power(2).sum(axis=0).max()) * SLOW > lead.hopping_size:
            return int(number)
    return None
