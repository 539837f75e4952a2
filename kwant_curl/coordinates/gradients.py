"""Derivatives of the Hamiltonian that the user's own gradient functions return."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from kwant.builder import Site
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.algebra.stack import Entries
from kwant_curl.coordinates.displaced import at_image
from kwant_curl.coordinates.elements import hoppings, neighbours
from kwant_curl.coordinates.where import MovingSites
from kwant_curl.model.arguments import arguments
from kwant_curl.model.orbitals import block_orbitals

__all__ = [
    "Gradient",
    "OwnGradient",
    "block_entries",
    "block_norbs",
    "check_hermitian",
    "hopping_gradients",
    "onsite_gradients",
    "onsite_pairs",
]

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]
Gradient = Callable[..., Any]
"""gradient(site1, site2, **params): an array (dim, norb1, norb2), or (dim,)."""


def hopping_gradients(moving: MovingSites, gradient: Gradient) -> Entries:
    """Return halves of dH_12/dr_1 = gradient(site1, site2) and dH_12/dr_2 = -gradient.

    Each in the rows of the site that moves.
    """
    model, index = moving.model, moving.index
    found = [(e.i, e.j) for e in hoppings(model.syst, index >= 0)]
    bonds = np.array(found, np.int64).reshape(-1, 2)
    offsets = model.offsets
    own = OwnGradient(gradient, moving)
    sites = model.syst.sites
    blocks = [
        own(sites[i], at_image(sites[j], shift), block_norbs(offsets, i, j))
        for (i, j), shift in zip(bonds, moving.images(bonds), strict=True)
    ]
    ends = [
        block_entries(offsets, bonds[:, 0], bonds[:, 1], index[bonds[:, end]], sign, blocks)
        for end, sign in ((0, 1), (1, -1))
    ]
    return ends[0].joined(ends[1].conjugated())


def onsite_gradients(moving: MovingSites, gradient: Gradient) -> Entries:
    """Return halves of dH_ii/dr_other = gradient(site i, other): all that moves, its neighbours."""
    pairs = np.array(onsite_pairs(moving))
    site, other = pairs.T
    syst, offsets = moving.model.syst, moving.model.offsets
    own = OwnGradient(gradient, moving)
    blocks = [
        own(syst.sites[i], at_image(syst.sites[j], shift), block_norbs(offsets, i, i))
        for (i, j), shift in zip(pairs, moving.images(pairs), strict=True)
    ]
    check_hermitian(syst, site, blocks)
    return block_entries(offsets, site, site, moving.index[other], 1, blocks).halved()


def onsite_pairs(moving: MovingSites) -> list[tuple[int, int]]:
    """Return (site, other) for all that moves, `other`, and the sites that may see it."""
    syst = moving.model.syst
    return [
        (site, int(other))
        for other in moving.sites
        for site in [int(other), *neighbours(syst, other)]
    ]


def check_hermitian(
    syst: FiniteSystem,
    sites: IntArray,
    blocks: Sequence[NDArray[np.complex128]],
    *,
    noise: float = 0.0,
) -> None:
    """Raise unless these derivatives (dim, norb, norb) of onsite blocks are Hermitian.

    noise: by how much any of them may differ because of rounding errors.
    """
    for site, block in zip(sites, blocks, strict=True):
        asymmetry = np.abs(block - block.conj().swapaxes(1, 2))
        if asymmetry.max() > 1e-9 * np.abs(block).max() + noise:
            raise ValueError(
                f"The derivative of the onsite Hamiltonian of {syst.sites[site]} is not Hermitian "
                f"(by up to {asymmetry.max():.3g}); expected Hermitian matrices."
            )


def block_norbs(offsets: IntArray, i: int, j: int) -> tuple[int, int]:
    """Return the shape of the block from site j to site i."""
    return int(offsets[i + 1] - offsets[i]), int(offsets[j + 1] - offsets[j])


class OwnGradient:
    """A gradient function of the user's own, with those of the params that it takes."""

    def __init__(self, function: Gradient, moving: MovingSites) -> None:
        self._function, self._dim = function, moving.dim
        self._keywords = arguments(function, 2, moving.model.params)

    def __call__(self, site1: Site, site2: Site, norbs: tuple[int, int]) -> ComplexArray:
        """Return a matrix per direction, (dim, *norbs)."""
        block = np.asarray(self._function(site1, site2, **self._keywords), dtype=complex)
        if block.shape == (self._dim,) and norbs == (1, 1):
            block = block.reshape(self._dim, 1, 1)
        name = getattr(self._function, "__name__", repr(self._function))
        if block.shape != (self._dim, *norbs):
            raise ValueError(
                f"{name}({site1}, {site2}) returned an array of shape {block.shape}; expected "
                f"{(self._dim, *norbs)}: one matrix per direction."
            )
        if not np.isfinite(block).all():
            raise ValueError(f"{name}({site1}, {site2}) returned numbers that are not finite.")
        return block


def block_entries(
    offsets: IntArray,
    i: IntArray,
    j: IntArray,
    centre: IntArray,
    sign: int,
    blocks: Sequence[NDArray[np.complex128]],
) -> Entries:
    """Return entries of the blocks (dim, norb_i, norb_j) at sites (i, j), by centre.

    Blocks of a negative `centre` are left out.
    """
    kept = np.flatnonzero(centre >= 0)
    i, j, centre = i[kept], j[kept], centre[kept]
    row, col = block_orbitals(offsets, i, j)
    size = (offsets[i + 1] - offsets[i]) * (offsets[j + 1] - offsets[j])
    if not kept.size:
        return Entries(row, row, col, np.empty(0, complex))
    values = np.concatenate([blocks[k].reshape(len(blocks[k]), -1) for k in kept.tolist()], axis=1)
    dim = len(values)
    coordinate = dim * np.repeat(centre, size) + np.arange(dim)[:, None]
    return Entries(coordinate.ravel(), np.tile(row, dim), np.tile(col, dim), sign * values.ravel())
