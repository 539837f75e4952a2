"""The leads of a system at its params, evaluated once."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import kwant
import numpy as np
from kwant.physics import PropagatingModes, StabilizedModes
from kwant.system import InfiniteSystem, PrecalculatedLead
from numpy.typing import NDArray

from kwant_curl.model.cell_modes import modes_of_cells
from kwant_curl.model.energies import Curved, Values, holds_at, values_by_energy
from kwant_curl.model.mode_currents import check_currents, with_separate_currents

__all__ = ["CellEquations", "Cells", "Lead", "evaluated_lead", "same_cells"]

ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]
Modes = tuple[PropagatingModes, StabilizedModes]


class CellEquations(NamedTuple):
    """A lead's cells at an energy, which may be complex, and how they change with it.

    inverse: E - h, (n_cell, n_cell), without the lead's own self-energy; hopping: V from the next
    cell to the interface orbitals, (n_cell, n); back: V^+, continued to complex energies, (n,
    n_cell); changes: their derivatives with respect to E.
    """

    inverse: ComplexArray
    hopping: ComplexArray
    back: ComplexArray
    changes: tuple[ComplexArray, ComplexArray, ComplexArray]


class Cells(InfiniteSystem):
    """A lead of equal cells, as matrices: Kwant finds its modes and bands without its functions.

    energy_parameter: the entry of params in which its functions see the energy, which Kwant's own
    one is not then; the matrices of Kwant's methods are those at the energy of `params`.
    """

    def __init__(
        self,
        lead: InfiniteSystem,
        params: Mapping[str, Any] | None,
        energy_parameter: str | None = None,
    ) -> None:
        self.parameters: frozenset[str] = frozenset()
        # Complex, also where a low-level system of the user's own returns real matrices.
        self._cell = np.asarray(lead.cell_hamiltonian(params=params), dtype=complex)
        self._hopping = np.asarray(lead.inter_cell_hopping(params=params), dtype=complex)
        self._symmetry = lead.discrete_symmetry((), params=params)
        self._unit = _power_of_four(float(np.abs(self._hopping).max(initial=0.0)))
        self.varying: Values | None = None
        if energy_parameter is not None:
            find = _CellValues(lead, dict(params or {}), energy_parameter)
            largest = max(float(np.abs(self._cell).max(initial=0.0)), self._unit)
            self.varying = values_by_energy(find, _power_of_four(largest))

    def at(self, energy: float) -> tuple["Cells", float]:
        """Return the cells at an energy, and what Kwant is to take for it."""
        if self.varying is None:
            return self, energy
        there = copy(self)
        there.varying = None
        there._cell, there._hopping = self._split(self.varying.at(energy))
        there._unit = _power_of_four(float(np.abs(there._hopping).max(initial=0.0)))
        return there, 0.0

    def equations(self, energy: complex) -> CellEquations:
        """Return the cells at an energy, also above the real axis, and how they change."""
        if self.varying is None:
            one, none = np.eye(len(self._cell), dtype=complex), np.zeros_like(self._hopping)
            changes = one, none, none.T
            back = self._hopping.conj().T
            return CellEquations(energy * one - self._cell, self._hopping, back, changes)
        cell, hopping = self._split(self.varying.at(energy))
        back = self._split(self.varying.at(np.conj(energy)))[1].conj().T
        d_cell, d_hopping = self._split(self.varying.slope(energy))
        changes = -d_cell, d_hopping, d_hopping.conj().T
        return CellEquations(-cell, hopping, back, changes)

    def holds_at(self, energy: float) -> bool:
        """Ask the functions at an energy whether they are linear; if not, ask at each from now."""
        if self.varying is None or holds_at(self.varying, energy):
            return True
        self.varying = Curved(self.varying.find, self.varying.unit)
        return False

    def line(self) -> tuple[ComplexArray, ComplexArray, ComplexArray, ComplexArray] | None:
        """Return cell and hopping at energy 0, and their overlaps; None if they aren't linear."""
        if self.varying is None:
            return None
        if not self.varying.is_linear:
            return None
        zero, change = (self._split(part) for part in (self.varying.at(0.0), self.varying.slope(0)))
        return (*zero, -change[0], -change[1])

    def _split(self, values: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        """Return cell and hopping of the elements of both."""
        n = self._cell.size
        return values[:n].reshape(self._cell.shape), values[n:].reshape(self._hopping.shape)

    def modes(self, energy: float = 0, args: Any = (), *, params: Any = None) -> Modes:
        """Return the modes as Kwant finds them with hoppings of the order of one.

        Kwant takes velocities below 1e-10 for those of modes that stand still, in any unit.
        """
        there, energy = self.at(energy)
        unit = there._unit
        cell, hopping = (np.asarray(m / unit, complex) for m in (there._cell, there._hopping))
        propagating, stabilised = modes_of_cells(cell, hopping, energy / unit, there._symmetry)
        propagating = copy(propagating)
        propagating.wave_functions = propagating.wave_functions / np.sqrt(unit)
        propagating.velocities = propagating.velocities * unit
        root = stabilised.sqrt_hop * np.sqrt(unit)
        scaled = StabilizedModes(stabilised.vecs, stabilised.vecslmbdainv, stabilised.nmodes, root)
        found = with_separate_currents(propagating, scaled, there._hopping)
        check_currents(found[1])
        return found

    def selfenergy(self, energy: float = 0, args: Any = (), *, params: Any = None) -> ComplexArray:
        """Return the retarded self-energy, that of the modes."""
        return np.asarray(self.modes(energy)[1].selfenergy(), dtype=complex)

    def hamiltonian(self, i: int, j: int, *args: Any, params: Any = None) -> Any:
        """Sites are not known any more; only what is made of whole cells is asked for."""
        raise TypeError("A lead that is evaluated knows its cells, and no single sites.")

    def cell_hamiltonian(self, args: Any = (), sparse: bool = False, *, params: Any = None) -> Any:
        """Return the Hamiltonian of a cell, which may be written to."""
        return self._cell.copy()

    def inter_cell_hopping(
        self, args: Any = (), sparse: bool = False, *, params: Any = None
    ) -> Any:
        """Return the hopping to a cell's interface orbitals from the next cell, a copy too."""
        return self._hopping.copy()

    def discrete_symmetry(self, args: Any = (), *, params: Any = None) -> Any:
        """Return the symmetries that the lead declares."""
        return copy(self._symmetry)

    def with_symmetry(self, symmetry: Any) -> "Cells":
        """Return the same cells with other symmetries than the lead declares."""
        other = copy(self)
        other._symmetry = symmetry
        return other

    def is_like(self, other: "Cells") -> bool:
        """Return whether both have the same matrices, so the same modes."""
        return (
            np.array_equal(self._cell, other._cell)
            and np.array_equal(self._hopping, other._hopping)
            and self._varies_like(other)
            and len(self._symmetries()) == len(other._symmetries())
            and all(map(_same, self._symmetries(), other._symmetries()))
        )

    def _varies_like(self, other: "Cells") -> bool:
        """Return whether both change alike with energy; not where that isn't known."""
        if self.varying is None or other.varying is None:
            return self.varying is other.varying
        if not (self.varying.is_linear and other.varying.is_linear):
            return False
        return np.array_equal(self.varying.slope(0.0), other.varying.slope(0.0))

    def _symmetries(self) -> list[Any]:
        declared = self._symmetry
        one = [declared.time_reversal, declared.particle_hole, declared.chiral]
        projectors = declared.projectors
        return [*one, *(projectors if projectors is not None else ())]


@dataclass(frozen=True, eq=False)
class _CellValues:
    """The elements of a lead's cell and hopping at any energy that its functions see."""

    lead: InfiniteSystem
    params: dict[str, Any]
    name: str

    def __call__(self, energy: float) -> ComplexArray:
        """Return those of the cell first, then those of the hopping."""
        params = {**self.params, self.name: energy}
        cell = self.lead.cell_hamiltonian(params=params)
        hopping = self.lead.inter_cell_hopping(params=params)
        return np.concatenate([np.ravel(cell), np.ravel(hopping)]).astype(complex)


def _power_of_four(size: float) -> float:
    """Return the nearest power of four: it and its root multiply without rounding."""
    return float(4.0 ** np.round(np.log2(size) / 2)) if size else 1.0


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and not (one != other).nnz


@dataclass(frozen=True, eq=False)
class Lead:
    """A lead, and where it is attached.

    Attributes
    ----------
    source : Cells, or a lead that finds its modes or its self-energy in a way of its own
        What is asked.
    params : mapping or None
        What it is asked with.
    orbitals : array of int, shape (n_interface,)
        The orbitals of the system to which it is attached, in the order of its self-energy.
    has_modes : bool
        Whether it offers modes, not its self-energy alone.
    cells : Cells or None
        The lead as equal cells, if it is made of these.
    charges : tuple of int
        What comes in: electrons (1), in a Nambu model holes by themselves too (-1), or, in a
        superconductor, what is neither (0).
    projectors : tuple of arrays (n_interface, n)
        Of a lead that is taken by its self-energy and has several charges, the orbitals of each.
    energy_parameter : str or None
        Where a lead of the user's own sees the energy, if that isn't Kwant's.
    """

    source: Any
    params: Mapping[str, Any] | None
    orbitals: IntArray
    has_modes: bool
    cells: Cells | None = None
    charges: tuple[int, ...] = (1,)
    projectors: tuple[ComplexArray, ...] = ()
    energy_parameter: str | None = None

    @property
    def is_precalculated(self) -> bool:
        """Whether it is known at one energy only."""
        return isinstance(self.source, PrecalculatedLead)

    @property
    def kind(self) -> str:
        """Name of its class, for messages."""
        return type(self.source).__name__

    @cached_property
    def hopping_size(self) -> float | None:
        """The largest hopping between its cells, None where it isn't known."""
        if self.cells is not None:
            return float(np.abs(self.cells.inter_cell_hopping()).max(initial=0.0))
        if self.is_precalculated and self.has_modes:
            return float((np.abs(self.source.modes()[1].sqrt_hop) ** 2).max(initial=0.0))
        return None

    def modes(self, energy: float) -> Modes:
        """Return its modes as Kwant has them."""
        kwants, params = self._asked(energy)
        modes: Modes = self.source.modes(kwants, params=params)
        return modes

    def selfenergy(self, energy: float) -> ComplexArray:
        """Return its retarded self-energy, (n_interface, n_interface)."""
        kwants, params = self._asked(energy)
        return np.asarray(self.source.selfenergy(kwants, params=params), dtype=complex)

    def _asked(self, energy: float) -> tuple[float, Mapping[str, Any] | None]:
        """Return the energy and the params with which the source is asked."""
        if self.energy_parameter is None:
            return energy, self.params
        return 0.0, {**(self.params or {}), self.energy_parameter: energy}

    def any_selfenergy(self, energy: float) -> ComplexArray:
        """Return the same, also of a lead that offers modes alone."""
        return self.modes(energy)[1].selfenergy() if self.has_modes else self.selfenergy(energy)


def evaluated_lead(
    lead: Any,
    params: Mapping[str, Any] | None,
    orbitals: IntArray,
    energy_parameter: str | None = None,
) -> Lead:
    """Return a lead of a Kwant system at these params, which may hold the energy."""
    if not isinstance(lead, InfiniteSystem):
        has_modes = _has_modes(lead)
        return Lead(lead, params, orbitals, has_modes, energy_parameter=energy_parameter)
    cells = Cells(lead, params, energy_parameter)
    if _is_kwants(lead):
        return Lead(cells, None, orbitals, True, cells)
    return Lead(lead, params, orbitals, True, cells, energy_parameter=energy_parameter)


def _is_kwants(lead: InfiniteSystem) -> bool:
    """Return whether modes and self-energy are found from the cells, as Kwant finds them."""
    return not any(
        name in vars(lead) or getattr(type(lead), name) is not getattr(InfiniteSystem, name)
        for name in ("modes", "selfenergy")
    )


def _has_modes(lead: Any) -> bool:
    """Return whether it has them: a precalculated lead offers modes always, and may raise."""
    if kwant.system.is_selfenergy_lead(lead):
        return False
    if isinstance(lead, PrecalculatedLead):
        try:
            lead.modes()
        except ValueError:
            return False
    return True


def same_cells(leads: tuple[Lead, ...]) -> tuple[int, ...]:
    """Return for each lead the number of the first one with the same modes."""
    first: list[int] = []
    distinct: dict[int, Cells] = {}
    for number, lead in enumerate(leads):
        cells = lead.source
        if not isinstance(cells, Cells):
            first.append(number)
            continue
        alike = (other for other, known in distinct.items() if cells.is_like(known))
        first.append(next(alike, number))
        distinct.setdefault(first[-1], cells)
    return tuple(first)
