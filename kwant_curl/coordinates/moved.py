"""Derivatives of the Hamiltonian by moving sites and calling the system's value functions again."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tinyarray
from kwant.builder import Site
from numpy.typing import NDArray

from kwant_curl.algebra.differentiate import differentiate
from kwant_curl.algebra.stack import Entries
from kwant_curl.coordinates.carried import carried_phases, check_constant_hoppings
from kwant_curl.coordinates.elements import Element, element_at, hoppings, onsites
from kwant_curl.coordinates.gradients import block_entries, check_hermitian
from kwant_curl.coordinates.where import MovingSites
from kwant_curl.model.model import Model
from kwant_curl.support.warning import warn

__all__ = ["MovedSite", "moved_sites_derivatives", "moved_values"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class MovedSite(Site):
    """A site of the same family and tag, so equal to the original, at another position."""

    def __new__(cls, site: Site, shift: FloatArray) -> "MovedSite":
        """Displace `site` by `shift`."""
        self = tuple.__new__(cls, site)
        self.moved_to = tinyarray.array(np.asarray(site.pos, float) + shift)
        return self

    @property
    def pos(self) -> Any:
        """Where the site is now."""
        return self.moved_to


def moved_sites_derivatives(moving: MovingSites) -> Entries:
    """Return halves of dH/dr of the onsite terms and hoppings whose functions see `site.pos`."""
    syst = moving.model.syst
    on_sites = [e for e in onsites(syst, moving.sites) if e.names is not None]
    all_bonds = hoppings(syst, moving.index >= 0)
    bonds = [e for e in all_bonds if e.names is not None]
    constant = [e for e in all_bonds if e.names is None]
    check_constant_hoppings(moving, constant)
    ends = [
        _one_end_moved(moving, elements, end)
        for elements, end in ((on_sites, 0), (bonds, 0), (bonds, 1))
    ]
    hopping_entries = ends[1].joined(ends[2].conjugated())
    if constant and np.any(hopping_entries.value):
        warn(
            f"{len(constant)} hoppings of the sites that move are constants and don't follow, "
            f"though others do; the first is that of {syst.sites[constant[0].i]} and "
            f"{syst.sites[constant[0].j]} (sites that attach_lead adds have the lead's values)."
        )
    entries = ends[0].halved().joined(hopping_entries)
    if not np.any(entries.value):
        raise ValueError(
            "No value function of the sites that move depends on their position, so every force "
            "would be zero. Say how the hoppings follow, with scaling=PowerLaw(...), "
            "scaling=Exponential(...) or hopping_gradient=..., or write value functions that use "
            "site.pos."
        )
    return entries


def _one_end_moved(moving: MovingSites, elements: Sequence[Element], end: int) -> Entries:
    """Return derivatives of these elements with respect to the position of one of their sites."""
    model, index = moving.model, moving.index
    moved = [e for e in elements if index[(e.i, e.j)[end]] >= 0]
    offsets = model.offsets
    i, j = np.array([(e.i, e.j) for e in moved], dtype=np.int64).reshape(-1, 2).T
    columns = []
    for direction in np.eye(moving.dim):

        def values(x: float, direction: FloatArray = direction) -> NDArray[np.complex128]:
            shifts = {end: x * direction}
            return moved_values(model, moved, shifts) * carried_phases(moving, moved, shifts)

        derivative, converged = differentiate(values, 0.0, (moving.scale,))
        if not converged.all():
            culprit = element_at(model, moved, int(np.flatnonzero(~converged)[0]))
            raise ValueError(
                f"Finite differences of {culprit} with respect to the position of its "
                f"{('first', 'second')[end]} site don't converge. Is it smooth there? If not, "
                "leave the site out of `where`; if so, say how the Hamiltonian follows with "
                "hopping_gradient=... and onsite_gradient=... instead."
            )
        columns.append(derivative)
    size = (offsets[i + 1] - offsets[i]) * (offsets[j + 1] - offsets[j])
    blocks = np.split(np.stack(columns), np.cumsum(size)[:-1], axis=1) if moved else []
    onsite = np.flatnonzero(i == j).tolist()
    norbs = np.diff(offsets)
    shaped = [blocks[k].reshape(moving.dim, norbs[i[k]], -1) for k in onsite]
    check_hermitian(model.syst, i[onsite], shaped)
    return block_entries(offsets, i, j, index[(i, j)[end]], 1, blocks)


def moved_values(
    model: Model, elements: Sequence[Element], shifts: Mapping[int, FloatArray]
) -> NDArray[np.complex128]:
    """Call the value functions of `elements` with sites shifted: {0 or 1, which end: shift}."""
    blocks = []
    for element in elements:
        sites = [model.syst.sites[element.i]]
        if element.i != element.j:
            sites.append(model.syst.sites[element.j])
        for end, shift in shifts.items():
            sites[end] = MovedSite(sites[end], shift)
        value = element.value(*sites, *_params_of(element, model.params))
        blocks.append(np.ravel(np.asarray(value, dtype=complex)))
    return np.concatenate(blocks) if blocks else np.empty(0, complex)


def _params_of(element: Element, params: Mapping[str, Any] | None) -> list[Any]:
    missing = [name for name in element.names or () if name not in (params or {})]
    if missing:
        raise TypeError(
            f"The value function {element.value!r} takes {missing}, which params does not hold."
        )
    return [(params or {})[name] for name in element.names or ()]
