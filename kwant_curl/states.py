"""The scattering states on an energy shell, in blocks."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import kwant
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.checks import nonnegative_number, positive_number, real_number, true_or_false
from kwant_curl.occupations import COLD, chemical_potential_shifts
from kwant_curl.solvers import direct_solver
from kwant_curl.system import (
    check_finite_system,
    check_leads,
    has_modes,
    interface_orbitals,
    with_known_leads,
)

__all__ = [
    "MAX_MEMORY",
    "EnergyShell",
    "OperatingPoint",
    "Propagators",
    "energy_shell",
    "operating_point",
    "warn_if_closed",
    "warn_if_slow",
]

ComplexArray = NDArray[np.complex128]

MAX_MEMORY = 2**29
"""Bytes that the states in work may take, beside the factorisation and the results: 512 MiB."""

BLOCK = 64
"""States in a block at most: larger ones are not solved for faster (benchmarks/README.md)."""


GAIN = 1e-8
"""How negative i(Sigma - Sigma^+) may be by numerical errors, relative to Sigma."""

SLOW = 1e-5
"""A mode stands still below this part of its lead's hopping: 1e-10 of it from a band edge."""

ROUNDING = 1e-13
"""Below this part of Sigma, i(Sigma - Sigma^+) is rounding: nothing comes in there."""


class OperatingPoint(NamedTuple):
    """Where a device is operated: Fermi level, shifts of the leads (n_leads,), degeneracy, kT.

    linear: whether the response is linear in the shifts, or that of the whole bias window.
    """

    energy: float
    bias: NDArray[np.float64]
    degeneracy: float
    temperature: float = 0.0
    linear: bool = True


def operating_point(
    syst: Any,
    energy: Any,
    bias: float | Mapping[int, float],
    degeneracy: Any,
    temperature: Any = 0.0,
    linear: Any = True,
) -> OperatingPoint:
    """Check what a routine is given, from the system to the degeneracy."""
    check_finite_system(syst)
    check_leads(syst)
    mu = real_number("energy", energy)
    shifts = chemical_potential_shifts(bias, len(syst.leads))
    kt = nonnegative_number("temperature", temperature)
    return OperatingPoint(
        mu,
        shifts,
        positive_number("degeneracy", degeneracy),
        0.0 if kt < COLD * max(abs(mu), np.abs(shifts).max()) else kt,
        true_or_false("linear", linear),
    )


def warn_if_slow(slow_lead: int | None, energy: float, *, stacklevel: int) -> None:
    """Warn where a mode of a lead stands still."""
    if slow_lead is not None:
        warnings.warn(
            f"At energy {energy} a mode of lead {slow_lead} opens or closes: its electrons stand "
            "still, the density of states diverges, and so do curls and frictions. Take an energy "
            "that is off this band edge.",
            RuntimeWarning,
            stacklevel=stacklevel,
        )


def warn_if_closed(n_modes: int, energy: float, *, stacklevel: int) -> None:
    """Warn where no lead has an open mode."""
    if not n_modes:
        warnings.warn(
            f"No lead has an open mode at energy {energy}: there is no current, and all results "
            "are zero.",
            RuntimeWarning,
            stacklevel=stacklevel,
        )


class Propagators(NamedTuple):
    """States and retarded Green's function at some orbitals, at one energy.

    states: (n_states, n_orbitals), lead by lead; greens: G^r (n_orbitals, n_orbitals); slope:
    dG^r/dE likewise, or None.
    """

    states: ComplexArray
    greens: ComplexArray
    slope: ComplexArray | None


class EnergyShell:
    """The scattering states at one energy: one linear system, factorised once for all leads.

    Rows are states as `kwant.wave_function` returns them, normalised to unit incoming current,
    at the orbitals asked for.  Of a lead that is known by its self-energy alone they are as many
    vectors of which D_alpha is the same sum, (1/2 pi) sum_n |psi_n><psi_n|.

    Attributes
    ----------
    n_modes : tuple of int
        The open modes, so the states, of each lead.
    slow_lead : int or None
        A lead with a mode that stands still: the energy is at the edge of one of its bands.
    orbitals : array of int or None
        The orbitals asked for; None for all.
    max_memory : float
        Bytes for a block of states.
    adjoint : bool
        Whether the linear system is solved for these orbitals instead of for the states.
    """

    def __init__(
        self,
        syst: Any,
        params: Mapping[str, Any] | None,
        problem: Any,
        rhs: Sequence[Any],
        solver: Any,
        orbitals: NDArray[np.int64] | None,
        route: str,
        max_memory: float,
    ) -> None:
        self._factorised = problem.factorized_h
        self._rhs = rhs
        self._solver = solver
        self._n_orbitals = problem.num_orb
        self.n_modes = tuple(rhs.shape[1] for rhs in self._rhs)
        self.slow_lead = _slow_lead(syst, rhs, params)
        self.orbitals = orbitals
        self.max_memory = max_memory
        n_wanted = problem.num_orb if orbitals is None else len(orbitals)
        n_states = sum(self.n_modes)
        cheaper = n_wanted < n_states and 16 * n_wanted * n_states <= max_memory
        self.adjoint = {"modes": False, "adjoint": True}.get(route, cheaper)
        # The solution itself, and what is made of it.
        per_column = 2 * 16 * self._rhs[0].shape[0]
        self._block = int(min(BLOCK, max(1, max_memory // per_column)))

    def blocks(self) -> Iterator[tuple[int, ComplexArray]]:
        """Yield (lead, some of its states (n_states, n_orbitals)), lead by lead."""
        if self.adjoint:
            yield from enumerate(self.states_by_lead())
            return
        for lead, rhs in enumerate(self._rhs):
            for some in self._slices(rhs.shape[1]):
                psi = self._solver.solve_block(self._factorised, rhs[:, some]).T
                whole = self.orbitals is None
                yield lead, psi[:, : self._n_orbitals] if whole else psi[:, self.orbitals]

    def states(self) -> ComplexArray:
        """Return all states, lead by lead, (n_states, n_orbitals)."""
        n = self._n_orbitals if self.orbitals is None else len(self.orbitals)
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
        """Return all states of each lead, (n_modes, n_orbitals)."""
        return self.split(self.states())

    def split(self, states: ComplexArray) -> list[ComplexArray]:
        """Return what `states` gives lead by lead."""
        return np.split(states, np.cumsum(self.n_modes)[:-1])

    def propagators(self, slope: Any = None) -> "Propagators":
        """Return all states, and the Green's function between the orbitals asked for.

        Parameters
        ----------
        slope : sparse (n_orbitals, n_orbitals), optional
            The energy derivative of the leads' self-energies, for that of the Green's function:
            dG/dE = -G (1 - dSigma/dE) G.
        """
        n = self._n_orbitals if self.orbitals is None else len(self.orbitals)
        here = slice(0, n) if self.orbitals is None else self.orbitals
        states = np.empty((sum(self.n_modes), n), complex)
        greens = np.empty((n, n), complex)
        slopes = None if slope is None else np.empty((n, n), complex)
        incoming = self._incoming()
        for some, columns in self._rows_of_the_inverse():
            states[:, some] = incoming.T @ columns
            greens[some] = -columns[here].T  # A holds H - E: G = -1/A
            if slopes is not None:
                rhs = np.zeros_like(columns)
                inside = columns[: self._n_orbitals]
                rhs[: self._n_orbitals] = inside - slope.T @ inside
                again = self._solver.solve_transposed(self._factorised, rhs)
                slopes[some] = -again[here].T
        return Propagators(states, greens, slopes)

    def _fill_by_orbitals(self, result: ComplexArray) -> None:
        """Set the states at the orbitals: psi = e^T A^-1 rhs = (A^-T e)^T rhs."""
        incoming = self._incoming()
        for some, columns in self._rows_of_the_inverse():
            result[:, some] = incoming.T @ columns

    def _incoming(self) -> Any:
        """Return the right-hand sides of all leads, sparse (n_equations, n_states)."""
        return sparse.hstack(self._rhs, format="csr")

    def _rows_of_the_inverse(self) -> Iterator[tuple[slice, ComplexArray]]:
        """Yield some of the orbitals asked for, and A^-T e of their unit vectors e as columns."""
        size = self._rhs[0].shape[0]
        orbitals = np.arange(self._n_orbitals) if self.orbitals is None else self.orbitals
        for some in self._slices(len(orbitals)):
            here = orbitals[some]
            unit = (np.ones(len(here), complex), (here, np.arange(len(here))))
            rhs = sparse.csc_matrix(unit, shape=(size, len(here)))
            yield some, self._solver.solve_transposed(self._factorised, rhs)

    def _slices(self, length: int) -> Iterator[slice]:
        for start in range(0, length, self._block):
            yield slice(start, min(start + self._block, length))


def energy_shell(
    syst: Any,
    energy: float,
    *,
    params: Mapping[str, Any] | None = None,
    orbitals: NDArray[np.int64] | None = None,
    route: str = "auto",
    max_memory: float = MAX_MEMORY,
    solver: Any = None,
) -> EnergyShell:
    """Set up and factorise the scattering problem.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized system with leads.
    energy : float
        Where on the energy axis.
    params : mapping, optional
        Parameters of the system's value functions.
    orbitals : array of int, optional
        The states are wanted at these orbitals only, sorted.
    route : {"auto", "modes", "adjoint"}
        Solve for each state, or for each orbital; "auto": for what there is less of, and for
        the states where those at the orbitals would take more than max_memory.
    max_memory : float
        Bytes for the states that are being solved for.
    solver : optional
        From `direct_solver`; default: a new one.

    Returns
    -------
    EnergyShell

    Raises
    ------
    ValueError, TypeError
        For another route, a limit that is not positive, a solver that is none of ours, and a
        self-energy that feeds electrons in.
    """
    if route not in ("auto", "modes", "adjoint"):
        raise ValueError(f'route is {route!r}; expected "auto", "modes" or "adjoint".')
    memory = np.inf if max_memory == np.inf else positive_number("max_memory", max_memory)
    if solver is None:
        solver = direct_solver()
    elif isinstance(solver, type) or not hasattr(solver, "solve_transposed"):
        raise TypeError(
            f"solver is of type {type(solver).__name__}; expected what direct_solver() returns "
            "(with its parentheses), or None."
        )
    syst = with_known_leads(syst)
    problem = solver.problem(syst, energy, params)
    rhs = [
        _absorbed(syst, lead, energy, params, incoming.shape[0])
        if kwant.system.is_selfenergy_lead(syst.leads[lead])
        else sparse.csc_matrix(incoming)
        for lead, incoming in enumerate(problem.rhs)
    ]
    return EnergyShell(syst, params, problem, rhs, solver, orbitals, route, memory)


def _slow_lead(syst: Any, rhs: Sequence[Any], params: Mapping[str, Any] | None) -> int | None:
    """Return a lead with a mode that stands still, as at a band edge, where D diverges.

    Modes are normalised to unit current, so what comes in goes as the hopping over the root of
    the velocity.
    """
    for number, (lead, incoming) in enumerate(zip(syst.leads, rhs, strict=True)):
        hopping = _hopping(lead, params)
        if hopping is None or not incoming.shape[1]:
            continue
        if float(abs(incoming).power(2).sum(axis=0).max()) * SLOW > hopping:
            return number
    return None


def _hopping(lead: Any, params: Mapping[str, Any] | None) -> float | None:
    """Return the largest hopping between the cells of a lead, None where it isn't known."""
    if isinstance(lead, kwant.system.InfiniteSystem):
        return float(np.abs(lead.inter_cell_hopping(params=params)).max(initial=0.0))
    if isinstance(lead, kwant.system.PrecalculatedLead) and has_modes(lead):
        return float((np.abs(lead.modes()[1].sqrt_hop) ** 2).max(initial=0.0))
    return None


def _absorbed(
    syst: Any, lead: int, energy: float, params: Mapping[str, Any] | None, size: int
) -> Any:
    """Return right-hand sides (size, k) of what comes in through a lead known by its self-energy.

    With Gamma = i(Sigma - Sigma^+) = sum_k |u_k><u_k|, the vectors psi_k = G^r u_k serve as
    scattering states: D_alpha = (1/2 pi) G^r Gamma G^a = (1/2 pi) sum_k |psi_k><psi_k|.
    """
    sigma = np.asarray(syst.leads[lead].selfenergy(energy, params=params), dtype=complex)
    values, vectors = np.linalg.eigh(1j * (sigma - sigma.conj().T))
    magnitude = np.abs(sigma).max(initial=0.0)
    if values.min(initial=0.0) < -GAIN * magnitude:
        raise ValueError(
            f"The self-energy of lead {lead} at energy {energy} feeds electrons in instead of "
            f"absorbing them: i(Sigma - Sigma^+) has the eigenvalue {values.min():.3g}. Expected "
            "the retarded self-energy, whose anti-Hermitian part is negative."
        )
    open_ones = values > ROUNDING * magnitude
    columns = vectors[:, open_ones] * np.sqrt(values[open_ones])
    rows = interface_orbitals(syst, lead)
    col = np.arange(columns.shape[1])
    entries = (columns.ravel(), (np.repeat(rows, len(col)), np.tile(col, len(rows))))
    return sparse.csc_matrix(entries, shape=(size, len(col)))
