"""Second derivatives from the gradients that users give as functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.algebra.differentiate import differentiate
from kwant_curl.algebra.second_differences import kinked_slope
from kwant_curl.algebra.stack import SecondDerivatives
from kwant_curl.coordinates.displaced import at_image
from kwant_curl.coordinates.elements import Element, hoppings
from kwant_curl.coordinates.gradients import Gradient, OwnGradient, block_norbs, onsite_pairs
from kwant_curl.coordinates.second.halves import block_halves, ends_of, of_difference
from kwant_curl.coordinates.where import MovingSites

__all__ = ["second_of_hopping_gradient", "second_of_onsite_gradient"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def second_of_hopping_gradient(moving: MovingSites, gradient: Gradient) -> SecondDerivatives:
    """Return those of hoppings that depend on r_1 - r_2, from gradient(site1, site2) = dH_12/dr_1.

    The gradient is differentiated with site1 displaced.
    """
    bonds = hoppings(moving.model.syst, moving.index >= 0)
    pairs = ends_of(bonds)
    blocks = [(int(i), int(j)) for i, j in pairs]
    bends = _Slopes(moving, gradient, pairs, blocks).of_ends(0)
    coordinates = np.concatenate([moving.coordinates(end) for end in pairs.T])
    # Second derivatives are the same in either order of directions; errors average out.
    return block_halves(moving.model, bonds, coordinates, of_difference(_symmetric(bends)))


def second_of_onsite_gradient(moving: MovingSites, gradient: Gradient) -> SecondDerivatives:
    """Return those of onsite terms, from gradient(site i, other) = dH_ii/dr_other.

    The terms are taken as sums over pairs (i, other): second derivatives are those to `other`,
    to `other` and i, and, from gradient(i, i), to i.
    """
    index = moving.index
    pairs = np.array(onsite_pairs(moving), dtype=np.int64)
    site, other = pairs.T
    result = SecondDerivatives.empty()
    for chosen, both_move in (
        (site == other, False),
        ((site != other) & (index[site] < 0), False),
        ((site != other) & (index[site] >= 0), True),
    ):
        some = pairs[chosen]
        blocks = [(int(i), int(i)) for i in some[:, 0]]
        slopes = _Slopes(moving, gradient, some, blocks).of_ends
        own = _symmetric(slopes(0, 1) if np.array_equal(*some.T) else slopes(1))
        coordinates = [moving.coordinates(some[:, 1])]
        if both_move:
            mixed = slopes(0)
            none = np.zeros_like(own)
            own = np.concatenate([np.hstack([own, mixed]), np.hstack([mixed.swapaxes(0, 1), none])])
            coordinates.append(moving.coordinates(some[:, 0]))
        elements = [Element(i, i, gradient, ()) for i, _ in blocks]
        result = result.joined(
            block_halves(moving.model, elements, np.concatenate(coordinates), own)
        )
    return result


def _symmetric(bends: ComplexArray) -> ComplexArray:
    return np.asarray(0.5 * (bends + bends.swapaxes(0, 1)))


@dataclass(frozen=True)
class _Slopes:
    """Derivatives of a gradient to the positions of its sites.

    pairs: (n, 2) the sites of each call; blocks: the sites of row and column of what it returns.
    """

    moving: MovingSites
    gradient: Gradient
    pairs: IntArray
    blocks: Sequence[tuple[int, int]]

    def of_ends(self, *ends: int) -> ComplexArray:
        """Return d gradient_a/dr_b, (dim, dim, n), r that of these ends of each pair together."""
        dim, scale, columns = self.moving.dim, self.moving.scale, []
        for direction in np.eye(dim):

            def along(x: float, direction: FloatArray = direction) -> ComplexArray:
                return self._values(x * direction, ends).ravel()

            slope, converged = differentiate(along, 0.0, (scale,))
            bad = ~converged | kinked_slope(along, 0.0, scale)
            if bad.any():
                first = int(np.flatnonzero(bad.reshape(dim, -1).any(axis=0))[0])
                sizes = np.cumsum([rows * cols for rows, cols in self._norbs])
                culprit = self.pairs[np.searchsorted(sizes, first, side="right")]
                raise ValueError(_diverging(self.moving.model.syst, self.gradient, culprit))
            columns.append(slope.reshape(dim, -1))
        return np.stack(columns, axis=1)

    @cached_property
    def _norbs(self) -> list[tuple[int, int]]:
        return [block_norbs(self.moving.model.offsets, i, j) for i, j in self.blocks]

    @cached_property
    def _own(self) -> OwnGradient:
        return OwnGradient(self.gradient, self.moving)

    @cached_property
    def _images(self) -> FloatArray:
        return self.moving.images(self.pairs)

    def _values(self, shift: FloatArray, ends: tuple[int, ...]) -> ComplexArray:
        """Return the gradients (dim, n) with these ends shifted."""
        found = [np.empty((self.moving.dim, 0), complex)]
        for pair, image, shape in zip(self.pairs, self._images, self._norbs, strict=True):
            shifts = [np.zeros_like(image), image]
            for end in ends:
                shifts[end] = shifts[end] + shift
            sites = [
                at_image(self.moving.model.syst.sites[k], by)
                for k, by in zip(pair, shifts, strict=True)
            ]
            found.append(self._own(sites[0], sites[1], shape).reshape(self.moving.dim, -1))
        return np.concatenate(found, axis=1)


def _diverging(syst: FiniteSystem, gradient: Gradient, pair: IntArray) -> str:
    name = getattr(gradient, "__name__", repr(gradient))
    sites = ", ".join(str(syst.sites[k]) for k in pair)
    return (
        f"Finite differences of the gradient {name}({sites}) with respect to the position of a "
        "site don't converge, so there is no second derivative of the Hamiltonian. Is it smooth "
        "there? If not, leave the site out of `where`."
    )
