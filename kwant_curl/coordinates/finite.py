"""How the Hamiltonian follows sites that are displaced by finite amounts."""

from copy import copy
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.stack import Entries, SecondDerivatives
from kwant_curl.algebra.straight import along
from kwant_curl.coordinates.displaced import DisplacedSites, at_image, displaced
from kwant_curl.coordinates.elements import (
    Element,
    called,
    element_name,
    hoppings,
    onsites,
    present_values,
)
from kwant_curl.coordinates.gradients import Gradient, OwnGradient, block_norbs
from kwant_curl.coordinates.laws import Scaling
from kwant_curl.coordinates.scaled import bond_lengths, ratios
from kwant_curl.coordinates.seen import displacements_seen
from kwant_curl.coordinates.where import MovingSites
from kwant_curl.model.bonds import bond_rows
from kwant_curl.model.model import Model
from kwant_curl.model.moved import Change
from kwant_curl.model.orbitals import block_orbitals

__all__ = [
    "check_as_functions",
    "expanded",
    "of_gradients",
    "of_scaled_bonds",
    "of_value_functions",
    "replaced",
    "system_moved",
]

CHANGED = 1e-12
"""By how much an element may differ from what its value function returns, by rounding."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def system_moved(
    syst: FiniteSystem, sites: IntArray, shifts: FloatArray, positions: FloatArray
) -> Any:
    """Return the system with some of its sites displaced, (n, dim); positions: then of all."""
    moved = copy(syst)
    moved.sites = DisplacedSites(syst.sites, dict(zip(sites.tolist(), shifts, strict=True)))
    moved.displaced_positions = positions
    return moved


def of_scaled_bonds(moving: MovingSites, shifts: FloatArray, scaling: Scaling) -> Any:
    """Return H_ij (t(d')/t(d) - 1) of every bond of a moving site.

    shifts: by how much each of the system's sites is displaced, (n_sites, dim).
    """
    syst, bonds = moving.model.syst, bond_rows(moving.model, moving.sites, moving.periods)
    before = bond_lengths(syst, bonds)
    vector = bonds.vector + (shifts[bonds.there] - shifts[bonds.here]).T
    after = bond_lengths(syst, bonds._replace(vector=vector))
    factor = ratios(syst, bonds.here, bonds.there, (before, after), scaling)
    value = bonds.value * (factor - 1)
    row, col = np.repeat(bonds.hubs, np.diff(bonds.indptr)), bonds.cols
    # Bonds between two sites that move are in the rows of both.
    other = moving.index[bonds.there] < 0
    return _matrix(
        np.append(row, col[other]),
        np.append(col, row[other]),
        np.append(value, value[other].conj()),
        bonds.n_orbitals,
    )


def of_value_functions(moving: MovingSites, shifts: FloatArray) -> Change:
    """Return what value functions return at displaced sites, in place of what is there."""
    syst = moving.model.syst
    on_sites, bonds = onsites(syst, moving.sites), hoppings(syst, moving.index >= 0)
    elements = [element for element in on_sites + bonds if element.names is not None]
    check_as_functions(moving.model, elements)
    if moving.model.origin is moving.model:  # whether they see it, before anything is kept by site
        displacements_seen(moving, [e for e in on_sites if e.names is not None], bonds)
    blocks = []
    for element in elements:
        ends = {end: shifts[site] for end, site in enumerate((element.i, element.j))}
        if element.i == element.j:
            del ends[1]
        blocks.append(called(moving.model, element, ends, _displaced_if_moved))
    return replaced(moving.model, elements, blocks)


def check_as_functions(model: Model, elements: list[Element]) -> None:
    """Raise if a displaced model's elements are no longer what their value functions return."""
    if model.origin is model:
        return
    for element, present in zip(elements, present_values(model, elements), strict=True):
        value = called(model, element, {})
        if np.abs(value - present).max(initial=0.0) > CHANGED * np.abs(present).max(initial=0.0):
            raise ValueError(
                f"{element_name(model, element)[:1].upper()}{element_name(model, element)[1:]} "
                "returns another value than the displaced model has there: other coordinates, "
                "which follow a law, a gradient or matrices, have changed it. Coordinates that ask "
                "value functions can't go on from there; describe both by one law, or by matrices."
            )


def replaced(model: Model, elements: list[Element], blocks: list[ComplexArray]) -> Change:
    """Return the change of elements to new blocks, each flattened."""
    before = present_values(model, elements)
    for element, block, old in zip(elements, blocks, before, strict=True):
        if block.shape != old.shape or not np.isfinite(block).all():
            names = [str(model.syst.sites[site]) for site in dict.fromkeys((element.i, element.j))]
            raise ValueError(
                f"The value function {getattr(element.value, '__name__', element.value)!r} of "
                f"{' and '.join(names)}, called where the coordinates are displaced to, returned "
                f"{block}; expected {len(old)} finite numbers. Displace less, or look at the "
                "function there."
            )
    pairs = np.array([(e.i, e.j) for e in elements], np.int64).reshape(-1, 2)
    return Change(_of_blocks(model, pairs, blocks), _of_blocks(model, pairs, before))


def of_gradients(moving: MovingSites, shifts: FloatArray, gradient: Gradient) -> Any:
    """Return the integral of a hopping gradient along the straight way to the displaced sites."""
    model = moving.model
    found = [(e.i, e.j) for e in hoppings(model.syst, moving.index >= 0)]
    bonds = np.array(found, np.int64).reshape(-1, 2)
    apart = shifts[bonds[:, 0]] - shifts[bonds[:, 1]]
    own, offsets, sites = OwnGradient(gradient, moving), model.offsets, model.syst.sites
    images = moving.images(bonds)

    def blocks(s: float) -> ComplexArray:
        values = [
            np.tensordot(
                way,
                own(
                    at_image(sites[i], s * shifts[i]),
                    at_image(sites[j], image + s * shifts[j]),
                    block_norbs(offsets, i, j),
                ),
                axes=1,
            ).ravel()
            for (i, j), image, way in zip(bonds.tolist(), images, apart, strict=True)
        ]
        return np.concatenate(values) if values else np.empty(0, complex)

    value = along(blocks)
    if value is None:
        name = getattr(gradient, "__name__", repr(gradient))
        raise ValueError(
            f"{name} can't be integrated along the way to the displaced sites: it is not smooth "
            "there, or its sites come too close. Displace less, in several steps."
        )
    size = np.diff(offsets)[bonds].prod(axis=1)
    return _of_blocks(model, bonds, np.split(value, np.cumsum(size)[:-1]))


def expanded(
    forces: Any, second: SecondDerivatives, displacement: FloatArray, n_orbitals: int
) -> Any:
    """Return sum_I q_I dH/dQ_I + 1/2 sum_IJ q_I q_J d^2H/dQ_I dQ_J of operators as halves."""
    halves: Entries = forces.halves()
    q = displacement
    weight = 0.5 * q[second.first] * q[second.second]
    row = np.append(halves.row, second.row)
    col = np.append(halves.col, second.col)
    value = np.append(q[halves.operator] * halves.value, weight * second.value)
    half = _matrix(row, col, value, n_orbitals)
    return half + half.conj().T


def _displaced_if_moved(site: Any, shift: FloatArray) -> Any:
    return displaced(site, shift) if np.any(shift) else site


def _of_blocks(model: Model, pairs: IntArray, blocks: list[ComplexArray]) -> Any:
    """Return the Hermitian matrix of blocks, hoppings given in one direction; equal ones add up."""
    i, j = pairs.T
    row, col = block_orbitals(model.offsets, i, j)
    value = np.concatenate(blocks) if blocks else np.empty(0, complex)
    norbs = np.diff(model.offsets)
    is_hopping = np.repeat(i != j, norbs[i] * norbs[j])
    return _matrix(
        np.append(row, col[is_hopping]),
        np.append(col, row[is_hopping]),
        np.append(value, value[is_hopping].conj()),
        model.n_orbitals,
    )


def _matrix(row: IntArray, col: IntArray, value: NDArray[Any], n_orbitals: int) -> Any:
    return sparse.csr_array((value, (row, col)), shape=(n_orbitals, n_orbitals))
