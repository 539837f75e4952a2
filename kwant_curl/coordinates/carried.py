"""Orbitals that move in a magnetic field: each is carried along with a phase of its own.

A hopping from site b to site a holds the Peierls phase exp(i int_b^a A dl).  As a moves by dr, its
orbitals take on the phase exp(i A(r_a) dr) (London), so that in this basis the electrons obey
H - sum_a (v_a A(r_a)) n_a.  With that phase taken off, H(Q) has no such term at the atoms' places,
and its derivatives are dH/dr_a + i [H, A(r_a) n_a], the same in every gauge.  What is left of
the term is its curl: the Lorentz force on the n_a electrons that go along.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from kwant.builder import Site
from numpy.typing import NDArray

from kwant_curl.coordinates.elements import Element
from kwant_curl.coordinates.where import MovingSites
from kwant_curl.model.arguments import arguments
from kwant_curl.model.model import Model

__all__ = [
    "OwnPotential",
    "VectorPotential",
    "carried_phases",
    "check_constant_hoppings",
]

FloatArray = NDArray[np.float64]

VectorPotential = Callable[..., Any]
"""vector_potential(site, **params): an array (dim,), or a number in one dimension."""


class OwnPotential:
    """A vector potential of the user's own, with those of the params that it takes."""

    def __init__(self, function: VectorPotential, model: Model) -> None:
        self._function, self._dim = function, model.dim
        self._keywords = arguments(function, 1, model.params)

    def __call__(self, sites: Sequence[Site]) -> FloatArray:
        """Return A at these sites, (n_sites, dim)."""
        rows = [self._checked(site) for site in sites]
        return np.array(rows, dtype=float).reshape(-1, self._dim)

    def _checked(self, site: Site) -> FloatArray:
        value = np.asarray(self._function(site, **self._keywords))
        expected = f"expected {self._dim} finite real numbers, one per direction"
        if value.shape == () and self._dim == 1:
            value = value.reshape(1)
        if value.shape != (self._dim,):
            raise ValueError(
                f"vector_potential({site}) returned an array of shape {value.shape}; {expected}."
            )
        if value.dtype.kind not in "fiu":
            raise ValueError(
                f"vector_potential({site}) returned an array of {value.dtype}; {expected}."
            )
        if not np.isfinite(value).all():
            raise ValueError(f"vector_potential({site}) returned {value}; {expected}.")
        return value.astype(float)


def carried_phases(
    moving: MovingSites, elements: Sequence[Element], shifts: Mapping[int, FloatArray]
) -> NDArray[np.complex128] | float:
    """Return what takes the phases of moved orbitals off the flattened blocks of `elements`.

    shifts: {0 or 1, which end: shift}; these ends are sites that move.
    """
    if moving.potential is None:
        return 1.0
    sites = np.array([(e.i, e.j) for e in elements], dtype=np.int64).reshape(-1, 2)
    angle = np.zeros(len(elements))
    for end, shift in shifts.items():
        along = moving.potential[moving.index[sites[:, end]]] @ shift
        angle += along if end else -along
    onsite = sites[:, 0] == sites[:, 1]  # the orbitals of a site turn together
    size = np.diff(moving.model.offsets)[sites].prod(axis=1)
    return np.exp(1j * np.repeat(np.where(onsite, 0.0, angle), size))


def check_constant_hoppings(moving: MovingSites, constant: Sequence[Element]) -> None:
    """Raise if hoppings can't follow the vector potential, since no function gives them."""
    if moving.potential is None:
        return
    there = np.any(moving.potential != 0, axis=1)
    for element in constant:
        ends = moving.index[[element.i, element.j]]
        if there[ends[ends >= 0]].any():
            a, b = (moving.model.syst.sites[site] for site in (element.i, element.j))
            raise ValueError(
                f"The hopping between {a} and {b} is a constant, so its phase doesn't follow the "
                "sites, but vector_potential is given and isn't zero there. Leave such sites out "
                "of `where`, or give a value function with the phase exp(i int A dl). (Sites that "
                "attach_lead adds have the lead's values.)"
            )
