"""Second derivatives by moving sites and calling the system's value functions again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.second_differences import hessian
from kwant_curl.algebra.stack import SecondDerivatives
from kwant_curl.coordinates.carried import carried_phases
from kwant_curl.coordinates.elements import Element, element_at, hoppings, onsites
from kwant_curl.coordinates.moved import moved_values
from kwant_curl.coordinates.second.halves import block_halves, ends_of
from kwant_curl.coordinates.where import MovingSites

__all__ = ["second_of_moved_sites"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def second_of_moved_sites(moving: MovingSites) -> SecondDerivatives:
    """Return those of the onsite terms and hoppings whose functions see `site.pos`."""
    syst, moves = moving.model.syst, moving.index >= 0
    on_sites = [e for e in onsites(syst, moving.sites) if e.names is not None]
    bonds = [e for e in hoppings(syst, moves) if e.names is not None]
    result = SecondDerivatives.empty()
    for elements, ends in (
        (on_sites, (0,)),
        ([e for e in bonds if moves[e.i] and not moves[e.j]], (0,)),
        ([e for e in bonds if moves[e.j] and not moves[e.i]], (1,)),
        ([e for e in bonds if moves[e.i] and moves[e.j]], (0, 1)),
    ):
        bends = _moved_bends(moving, elements, ends)
        sites = ends_of(elements).T
        coordinates = [moving.coordinates(sites[end]) for end in ends]
        result = result.joined(
            block_halves(moving.model, elements, np.concatenate(coordinates), bends)
        )
    return result


def _moved_bends(
    moving: MovingSites, elements: Sequence[Element], ends: tuple[int, ...]
) -> ComplexArray:
    """Return second derivatives of these elements to the positions of these ends."""
    model, dim = moving.model, moving.dim

    def values(x: FloatArray) -> ComplexArray:
        shifts = dict(zip(ends, x.reshape(-1, dim), strict=True))
        return moved_values(model, elements, shifts) * carried_phases(moving, elements, shifts)

    n_variables = len(ends) * dim
    bends, converged = hessian(values, np.zeros(n_variables), [(moving.scale,)] * n_variables)
    if not converged.all():
        culprit = element_at(model, elements, int(np.argwhere(~converged)[0, 2]))
        raise ValueError(
            f"Second differences of {culprit} with respect to the positions of its sites don't "
            "converge. Is it smooth there? If not, leave the site out of `where`; if so, say how "
            "the Hamiltonian follows with hopping_gradient=... and onsite_gradient=... instead."
        )
    return bends
