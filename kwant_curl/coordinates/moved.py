"""Derivatives of the Hamiltonian by moving sites and calling the system's value functions again."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.differentiate import RTOL, differentiate
from kwant_curl.algebra.stack import Entries
from kwant_curl.coordinates.carried import carried_phases, check_constant_hoppings
from kwant_curl.coordinates.elements import Element, called, element_at, hoppings, onsites
from kwant_curl.coordinates.gradients import block_entries, check_hermitian
from kwant_curl.coordinates.seen import displacements_seen
from kwant_curl.coordinates.where import MovingSites
from kwant_curl.model.model import Model

__all__ = ["moved_sites_derivatives", "moved_values"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def moved_sites_derivatives(moving: MovingSites) -> tuple[Entries, tuple[str, ...]]:
    """Return halves of dH/dr of the onsite terms and hoppings whose functions see `site.pos`.

    And notices, of what doesn't see it, or by half.
    """
    syst = moving.model.syst
    on_sites = [e for e in onsites(syst, moving.sites) if e.names is not None]
    bonds = hoppings(syst, moving.index >= 0)
    functions = [e for e in bonds if e.names is not None]
    check_constant_hoppings(moving, [e for e in bonds if e.names is None])
    notices = displacements_seen(moving, on_sites, bonds)
    ends = [
        _one_end_moved(moving, elements, end)
        for elements, end in ((on_sites, 0), (functions, 0), (functions, 1))
    ]
    return ends[0].halved().joined(ends[1]).joined(ends[2].conjugated()), notices


def _one_end_moved(moving: MovingSites, elements: Sequence[Element], end: int) -> Entries:
    """Return derivatives of these elements with respect to the position of one of their sites."""
    model, index = moving.model, moving.index
    moved = [e for e in elements if index[(e.i, e.j)[end]] >= 0]
    offsets = model.offsets
    i, j = np.array([(e.i, e.j) for e in moved], dtype=np.int64).reshape(-1, 2).T
    columns = []
    # Far from the origin a position is known less exactly, compared with a step.
    far = float(np.abs(model.positions).max(initial=0.0)) / moving.scale
    rtol = max(RTOL, 1e4 * float(np.finfo(float).eps) * far)
    for direction in np.eye(moving.dim):

        def values(x: float, direction: FloatArray = direction) -> NDArray[np.complex128]:
            shifts = {end: x * direction}
            return moved_values(model, moved, shifts) * carried_phases(moving, moved, shifts)

        derivative, converged = differentiate(values, 0.0, (moving.scale,), rtol=rtol)
        if not converged.all():
            culprit = element_at(model, moved, int(np.flatnonzero(~converged)[0]))
            raise ValueError(
                f"Finite differences of {culprit} with respect to the position of its "
                f"{('first', 'second')[end]} site don't converge. Does it jump or bend at the "
                "site? Then leave the site out of `where`, or let the edge fall between sites. If "
                "it is smooth there, say how the Hamiltonian follows with hopping_gradient=... and "
                "onsite_gradient=... instead."
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
    blocks = [called(model, element, shifts) for element in elements]
    return np.concatenate(blocks) if blocks else np.empty(0, complex)
