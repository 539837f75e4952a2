"""Operators of coordinates at any energy, where value functions see the energy: -(dH - E dS)/dQ."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from kwant_curl.algebra.by_energy import ByEnergy, Fixed, Varying
from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Entries, OperatorStack, SecondDerivatives
from kwant_curl.coordinates.base import Coordinates, forces_of, second_derivatives_of
from kwant_curl.model.model import Model

__all__ = [
    "changes_by_energy",
    "forces_by_energy",
    "second_derivatives_by_energy",
    "stacks_by_energy",
]

Stack = TypeVar("Stack", bound=OperatorStack)
Found = TypeVar("Found")

LINEAR = 1e-9
"""By how much operators may miss a straight line in the energy, relative to their largest element;
derivatives that are numerical are right to this."""


STEP = 0.01
"""A step in energy, in units of the Hamiltonian's elements."""


@dataclass(frozen=True, eq=False)
class _Line(Generic[Stack]):
    """Operators that are linear in energy: at energy 0, and on the same pattern how they change."""

    zero: Stack
    change: Stack

    def __call__(self, energy: float) -> Stack:
        return replace(self.zero, values=self.zero.values + energy * self.change.values)


def forces_by_energy(
    coordinates: Coordinates, model: Model, energy: float
) -> ByEnergy[Derivatives]:
    """Return the force operators at any energy; energy: one at which they are needed."""
    return stacks_by_energy(partial(forces_of, coordinates), model, energy)


def stacks_by_energy(
    find: Callable[[Model], Stack], model: Model, energy: float
) -> ByEnergy[Stack]:
    """Return operators at any energy from a function of the model; energy: a first one.

    Where they are linear in energy they are found at three energies; otherwise at each.
    """
    here = find(model.at(energy))
    if model.energy_parameter is None:
        return Fixed(here)
    anew = partial(_found, find, model)
    if not model.is_linear:
        return Varying(anew)
    unit = model.energy_unit
    zero, one = (anew(e) for e in (0.0, unit))
    zero, one = _on_one_pattern(zero, one)
    line = _Line(zero, replace(zero, values=(one.values - zero.values) / unit))
    mine, theirs = _on_one_pattern(line(energy), here)
    size = np.abs(zero.values).max(initial=0.0) + np.abs(one.values).max(initial=0.0)
    if np.abs(mine.values - theirs.values).max(initial=0.0) > LINEAR * size:
        return Varying(anew)
    return Varying(line)


def changes_by_energy(stacks: ByEnergy[Stack], unit: float) -> ByEnergy[Stack] | None:
    """Return how operators change with energy; None if they don't.

    unit: an energy of the order of the Hamiltonian's elements.
    """
    if isinstance(stacks, Fixed):
        return None
    if isinstance(stacks, Varying) and isinstance(stacks.find, _Line):
        return Fixed(stacks.find.change)
    return Varying(partial(_change, stacks, STEP * unit))


def _change(stacks: ByEnergy[Stack], step: float, energy: float) -> Stack:
    """Return the derivatives with respect to energy, of fourth order in the step."""
    ends = [stacks.at(energy + part * step) for part in (1, -1, 2, -2)]
    for first in range(1, 4):
        ends[0], ends[first] = _on_one_pattern(ends[0], ends[first])
    a, b, c, d = (_on_one_pattern(ends[0], end)[1].values for end in ends)
    return replace(ends[0], values=(8 * (a - b) - (c - d)) / (12 * step))


def _found(find: Callable[[Model], Found], model: Model, energy: float) -> Found:
    return find(model.at(energy))


def _on_one_pattern(one: Stack, other: Stack) -> tuple[Stack, Stack]:
    """Return the same operators, both with the elements that either has."""
    pattern = ("hubs", "start", "indptr", "cols")
    if all(np.array_equal(getattr(one, name), getattr(other, name)) for name in pattern):
        return one, other
    mine, theirs = one.halves(), other.halves()
    return _with_zeros(one, mine, theirs), _with_zeros(other, theirs, mine)


def _with_zeros(stack: Stack, halves: Entries, others: Entries) -> Stack:
    """Return a stack that has the elements of other halves too, as zeros."""
    none = others._replace(value=np.zeros_like(others.value))
    joined = halves.joined(none)
    wider = type(stack).from_halves(joined, len(stack), stack.n_orbitals, dim=stack.dim)
    kept = {name: getattr(stack, name) for name in ("positions", "sites") if hasattr(stack, name)}
    return replace(wider, **kept)


def second_derivatives_by_energy(
    coordinates: Any, model: Model, energy: float
) -> ByEnergy[SecondDerivatives]:
    """Return d^2H/dQ_I dQ_J at any energy."""
    here = second_derivatives_of(coordinates, model.at(energy))
    if model.energy_parameter is None:
        return Fixed(here)
    anew = partial(_found, partial(second_derivatives_of, coordinates), model)
    if not model.is_linear:
        return Varying(anew)
    unit = model.energy_unit
    zero, one = (anew(e) for e in (0.0, unit))
    return Varying(partial(_between, zero, one, unit))


def _between(
    zero: SecondDerivatives, one: SecondDerivatives, unit: float, energy: float
) -> SecondDerivatives:
    """Return the elements on the line through those at energies 0 and `unit`."""
    part = energy / unit
    return _scaled(zero, 1 - part).joined(_scaled(one, part))


def _scaled(second: SecondDerivatives, factor: float) -> SecondDerivatives:
    return second._replace(value=factor * second.value)
