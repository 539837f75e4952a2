"""Hoppings whose phases change as sites move: what depends on the gauge then, and a notice."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Entries, places, ranges
from kwant_curl.coordinates.base import Specification
from kwant_curl.model.model import Model

__all__ = ["BondPhases", "bond_phases", "gauge_notices"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

TURNS = 1e-6
"""Part of a change of hoppings, of the largest one, that is taken for a change of their phase."""


class BondPhases(NamedTuple):
    """How the phases of bonds change with coordinates, (n,) each.

    coordinate; here, there: sites of row and column; twist: Im Tr[H_ab^+ dH_ab], which is the
    phase's slope times `weight`, Tr[H_ab^+ H_ab]; change: the root of Tr[dH_ab^+ dH_ab].
    Spin-orbit coupling, and real orbitals that turn into each other, change the matrix but not
    this phase.
    """

    coordinate: IntArray
    here: IntArray
    there: IntArray
    twist: FloatArray
    weight: FloatArray
    change: FloatArray


def bond_phases(model: Model, halves: Entries) -> BondPhases:
    """Return those of the elements between different sites of halves of dH/dQ."""
    norbs, n_sites = np.diff(model.offsets), len(model.offsets) - 1
    site_of = np.repeat(np.arange(n_sites), norbs)
    off_site = site_of[halves.row] != site_of[halves.col]
    operator, row, col, slope = (array[off_site] for array in halves)
    here, there = site_of[row], site_of[col]
    value = _hamiltonian_at(model, np.unique(here), row, col)
    bonds, which = np.unique((operator * n_sites + here) * n_sites + there, return_inverse=True)
    operator, pair = np.divmod(bonds, n_sites**2)

    def summed(array: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(which, array, minlength=len(bonds)), dtype=float)

    first, second = np.divmod(pair, n_sites)
    turn = (value.conj() * slope).imag
    return BondPhases(
        operator,
        first,
        second,
        # Electrons and holes turn in opposite senses, which must not cancel.
        twist=summed(np.abs(turn) if model.has_holes else turn),
        weight=summed(np.abs(value) ** 2),
        change=np.sqrt(summed(np.abs(slope) ** 2)),
    )


def _hamiltonian_at(
    model: Model, sites: IntArray, row: IntArray, col: IntArray
) -> NDArray[np.complex128]:
    """Return elements of the Hamiltonian, in rows of these (sorted) sites."""
    rows, n = model.rows(sites).tocoo(), model.n_orbitals
    norbs = np.diff(model.offsets)[sites]
    index = places(ranges(model.offsets[sites], norbs), n)
    keys, wanted = rows.row.astype(np.int64) * n + rows.col, index[row] * n + col
    order = np.argsort(keys)
    keys, data = np.append(keys[order], -1), np.append(rows.data[order], 0)
    place = np.searchsorted(keys[:-1], wanted)
    return np.where(keys[place] == wanted, data[place], 0).astype(complex)


def gauge_notices(
    coordinates: Any, model: Model, forces: Derivatives, what: str
) -> tuple[str, ...]:
    """Say that `what` depends on the gauge if phases follow and nobody said how orbitals do."""
    cure = coordinates.cure_of_phases() if isinstance(coordinates, Specification) else None
    if cure is None:
        return ()
    found = bond_phases(model, forces.halves())
    size = np.sqrt(found.weight)
    turning = np.abs(found.twist) > TURNS * size * found.change.max(initial=0.0)
    if not turning.any():
        return ()
    first = int(turning.argmax())
    a, b = (model.syst.sites[site] for site in (found.here[first], found.there[first]))
    return (
        f"Hoppings change their phase with the coordinates, first that of {a} and {b}. If that "
        f"is the phase of a vector potential, {what} depends on its gauge: {cure}",
    )
