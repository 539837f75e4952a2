"""A scattering problem as matrices: what is asked at any energy, and travels to any process."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.model.energies import Values
from kwant_curl.model.leads import Cells, Lead, Modes, same_cells
from kwant_curl.model.linear import (
    Equations,
    LeadEquations,
    Shifted,
    Triplets,
    equations,
    with_modes,
    with_self_energy,
)
from kwant_curl.model.solvers import DirectSolver, direct_solver, solver_for_one_call
from kwant_curl.model.sources import Sources

__all__ = ["BandEdgeError", "ScatteringProblem", "Solved"]

ComplexArray = NDArray[np.complex128]
Found = TypeVar("Found")

KEPT = 2
"""Energies whose modes are kept: that of the system, and one at which something is looked at."""

GAIN = 1e-8
"""How negative i(Sigma - Sigma^+) may be by numerical errors, relative to Sigma."""

MIXED = 1e-8
"""Below this part of a self-energy, what mixes electrons and holes is an error of its modes."""

ROUNDING = 1e-13
"""Below this part of Sigma, i(Sigma - Sigma^+) is rounding: nothing comes in there."""


class BandEdgeError(ValueError):
    """Kwant can't tell the modes of a lead apart at an energy: most likely a band edge."""


class Solved(NamedTuple):
    """The leads at one energy: for each its modes, or None where it has no modes."""

    energy: float
    modes: tuple[Modes | None, ...]


@dataclass(frozen=True, eq=False)
class ScatteringProblem:
    """A Hamiltonian and its leads.

    Attributes
    ----------
    hamiltonian : sparse CSR array (n_orbitals, n_orbitals)
    leads : tuple of Lead
    for_one_call : bool
        Whether it is asked at one energy, most likely, so that no thorough analysis pays.
    doubled : bool
        Whether each electron is there twice, as an electron and as a hole: a Nambu model.
    varying : Values or None
        The elements of the Hamiltonian at any energy, where value functions see the energy: what
        is called H - E is then H - E S, and `hamiltonian` is that at one energy.
    """

    hamiltonian: Any
    leads: tuple[Lead, ...]
    for_one_call: bool = False
    doubled: bool = False
    varying: Values | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_kept", threading.local())

    def __getstate__(self) -> dict[str, Any]:
        """Travel without what is kept for each thread: solver and modes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def continuing(self, other: Self) -> Self:
        """Return this with the solver and the modes that `other` keeps, whose leads are the same.

        Of one thread both then keep one, so that only the last that was asked has its equations
        factorised.
        """
        object.__setattr__(self, "_kept", vars(other)["_kept"])
        vars(self)["first_alike"] = other.first_alike
        return self

    @property
    def n_orbitals(self) -> int:
        """Dimension of the Hamiltonian."""
        return int(self.hamiltonian.shape[0])

    @cached_property
    def largest(self) -> float:
        """The largest element of the Hamiltonian and of the leads' hoppings: the energy scale."""
        hoppings = (lead.hopping_size or 0.0 for lead in self.leads)
        return max(float(np.abs(self.hamiltonian.data).max(initial=0.0)), *hoppings) or 1.0

    @property
    def solver(self) -> DirectSolver:
        """The solver of the present thread, which keeps its analysis for later energies."""
        kept: threading.local = vars(self)["_kept"]
        if not hasattr(kept, "solver"):
            kept.solver = solver_for_one_call() if self.for_one_call else direct_solver()
        solver: DirectSolver = kept.solver
        return solver

    @cached_property
    def _shifted(self) -> Shifted:
        return Shifted(self.hamiltonian, self.varying)

    def overlap(self, energy: complex) -> Any:
        """Return the change of E - H with E, sparse CSR: one, or the overlap S."""
        if self.varying is None:
            return sparse.eye_array(self.n_orbitals, format="csr")
        pattern = self.hamiltonian.indices, self.hamiltonian.indptr
        change = -self.varying.slope(energy)
        return sparse.csr_array((change, *pattern), shape=self.hamiltonian.shape)

    def shifted(self, energy: complex) -> Triplets:
        """Return the elements of H - E."""
        return self._shifted.at(energy)

    @cached_property
    def first_alike(self) -> tuple[int, ...]:
        """For each lead the number of the first one that has the same modes."""
        return same_cells(self.leads)

    @cached_property
    def sources(self) -> Sources:
        """What comes in through each lead."""
        lead = np.repeat(np.arange(len(self.leads)), [len(lead.charges) for lead in self.leads])
        charge = np.array([charge for lead in self.leads for charge in lead.charges])
        return Sources(lead, charge, 0.5 if self.doubled else 1.0)

    def distinct_cells(self) -> list[Cells]:
        """Return the leads that are made of equal cells, equal ones once."""
        distinct = (self.leads[number].cells for number in sorted(set(self.first_alike)))
        return [cells for cells in distinct if cells is not None]

    def of_each_lead(self, find: Callable[[int], Found]) -> list[Found]:
        """Return find(number) for each lead; of those that are equal it is found once."""
        found: list[Found] = []
        for number, first in enumerate(self.first_alike):
            found.append(find(number) if first == number else found[first])
        return found

    def solved_leads(self, energy: float) -> Solved:
        """Return the modes of the leads at an energy; those of the last few are kept."""
        kept: threading.local = vars(self)["_kept"]
        known: deque[Solved] = vars(kept).setdefault("solved", deque(maxlen=KEPT))
        for solved in known:
            if solved.energy == energy:
                known.remove(solved)
                known.append(solved)  # the one that was needed last goes last
                return solved

        def modes(number: int) -> Modes | None:
            lead = self.leads[number]
            return _modes(lead, number, energy) if lead.has_modes else None

        known.append(Solved(energy, tuple(self.of_each_lead(modes))))
        return known[-1]

    def equations(self, solved: Solved) -> Equations:
        """Return the linear system at the energy at which the leads are solved."""
        size, parts = self.n_orbitals, list[LeadEquations]()
        for number, (lead, modes) in enumerate(zip(self.leads, solved.modes, strict=True)):
            if modes is None or lead.projectors:
                sigma = lead.selfenergy(solved.energy) if modes is None else modes[1].selfenergy()
                _check_size(number, len(sigma), len(lead.orbitals), "A self-energy")
                columns = _columns_by_charge(sigma, lead, number, solved.energy)
                parts.append(with_self_energy(sigma, columns, lead.orbitals))
            else:
                if len(modes[1].vecs):
                    n_hopping = modes[1].sqrt_hop.shape[0]
                    _check_size(number, n_hopping, len(lead.orbitals), "A hopping")
                counts = modes[0].block_nmodes if len(lead.charges) > 1 else (modes[1].nmodes,)
                parts.append(with_modes(modes[1], lead.orbitals, size, counts))
            size += parts[-1].n_added
        return equations(self.shifted(solved.energy), self.n_orbitals, parts)


def _modes(lead: Lead, number: int, energy: float) -> Modes:
    """Return the modes of a lead, or say where Kwant finds none."""
    try:
        return lead.modes(energy)
    except (ValueError, RuntimeError, np.linalg.LinAlgError) as failure:
        if lead.source is not lead.cells:  # modes of the user's own, with errors of their own
            raise
        raise BandEdgeError(
            f"Kwant can't tell the modes of lead {number} at energy {energy} apart: "
            f"{str(failure).rstrip('.')}. "
            "Most likely a mode opens or closes there, or a band is flat. Take an energy that is "
            "off this band edge."
        ) from failure


def _check_size(lead: int, n_given: int, n_interface: int, what: str) -> None:
    if n_given != n_interface:
        raise ValueError(
            f"{what} of {n_given} orbitals belongs to lead {lead}, which is attached to "
            f"{n_interface} orbitals; expected as many."
        )


def _columns_by_charge(
    sigma: ComplexArray, lead: Lead, number: int, energy: float
) -> list[ComplexArray]:
    """Return what comes in through a lead known by its self-energy, charge by charge."""
    if not lead.projectors:
        return [_incoming_columns(sigma, number, energy)]
    electrons_to_holes = [
        one.conj().T @ sigma @ other
        for one in lead.projectors
        for other in lead.projectors
        if one is not other
    ]
    mixing = max((np.abs(part).max() for part in electrons_to_holes), default=0.0)
    if mixing > MIXED * np.abs(sigma).max():
        raise ValueError(
            f"The self-energy of lead {number} mixes electrons and holes at energy {energy} by up "
            f"to {mixing:.3g}, although it doesn't at energy 0, where a superconductor does. "
            "Expected a normal lead, or one that mixes them at energy 0."
        )
    return [p @ _incoming_columns(p.conj().T @ sigma @ p, number, energy) for p in lead.projectors]


def _incoming_columns(sigma: ComplexArray, lead: int, energy: float) -> ComplexArray:
    """Return what comes in through a lead known by its self-energy, (n_interface, n_states).

    With Gamma = i(Sigma - Sigma^+) = sum_k |u_k><u_k|, the vectors psi_k = G^r u_k serve as
    scattering states: D_alpha = (1/2 pi) G^r Gamma G^a = (1/2 pi) sum_k |psi_k><psi_k|.
    """
    values, vectors = np.linalg.eigh(1j * (sigma - sigma.conj().T))
    magnitude = np.abs(sigma).max(initial=0.0)
    if values.min(initial=0.0) < -GAIN * magnitude:
        raise ValueError(
            f"The self-energy of lead {lead} at energy {energy} feeds electrons in instead of "
            f"absorbing them: i(Sigma - Sigma^+) has the eigenvalue {values.min():.3g}. Expected "
            "the retarded self-energy, whose anti-Hermitian part is negative."
        )
    open_ones = values > ROUNDING * magnitude
    columns: ComplexArray = vectors[:, open_ones] * np.sqrt(values[open_ones])
    return columns
