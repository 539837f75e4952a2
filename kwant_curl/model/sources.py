"""What comes in through each lead: electrons, and in a Nambu model holes by themselves."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sources"]

FloatArray = NDArray[np.float64]


class Sources(NamedTuple):
    """The reservoirs of incoming states, lead by lead.

    lead: (n_sources,) the lead of each; charge: (n_sources,) of its states, by which the lead's
    chemical potential shifts them: 1 for electrons, -1 for holes, 0 for what comes in through a
    superconductor; share: 1/2 in a Nambu model, which holds each electron twice.
    """

    lead: NDArray[np.int64]
    charge: NDArray[np.int64]
    share: float

    @property
    def are_leads(self) -> bool:
        """Whether there are electrons alone, one source per lead."""
        return self.share == 1

    @property
    def pinned(self) -> NDArray[np.bool_]:
        """Which leads have no chemical potential of their own, (n_leads,)."""
        return np.bincount(self.lead, self.charge == 0) > 0

    def shifts(self, bias: FloatArray) -> FloatArray:
        """Return by how much the levels of each source shift, (n_sources,)."""
        return self.charge * bias[self.lead]

    def of_leads(self, part: FloatArray, *, per_shift: bool = False, axis: int = 0) -> FloatArray:
        """Return what is given by source along an axis by lead, times the share.

        per_shift: whether it is given per unit shift of a source, and wanted per that of a lead.
        """
        if self.are_leads:
            return part
        return self.share * self.summed(part, self.charge if per_shift else 1.0, axis)

    def summed(
        self, part: FloatArray, weights: NDArray[Any] | float = 1.0, axis: int = 0
    ) -> FloatArray:
        """Return the sums over the sources of each lead along an axis."""
        if self.are_leads:
            return part
        to_leads = weights * (self.lead == np.arange(self.lead[-1] + 1)[:, None])
        return np.moveaxis(np.tensordot(to_leads, part, axes=(1, axis)), 0, axis)

    def of_pairs(self, part: FloatArray, *, axes: tuple[int, int] = (0, 1)) -> FloatArray:
        """Return what goes from one source to another, along two axes, by pairs of leads.

        A hole that goes from one lead to another is an electron that goes the other way.
        """
        if self.are_leads:
            return part
        pairs = np.moveaxis(part, axes, (0, 1))
        backwards = self._between_holes
        shape = (*backwards.shape, *[1] * (pairs.ndim - 2))
        there, back = (
            self.summed(self.summed(np.where(some.reshape(shape), pairs, 0.0)), axis=1)
            for some in (~backwards, backwards)
        )
        return np.moveaxis(self.share * (there + back.swapaxes(0, 1)), (0, 1), axes)

    def exchanged(self, pairs: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Return what pairs of sources (n_sources, n_sources, ...) exchange, by pairs of leads.

        Symmetric in the pair.  What goes between sources with the shifts s and t counts by s - t,
        which is the difference of the leads' shifts between electrons, its opposite between
        holes, and the sum of them from an electron of the first lead to a hole of the second: two
        arrays (n_leads, n_leads, ...), the second one None without holes.
        """
        if self.are_leads:
            return pairs, None
        product = np.multiply.outer(self.charge, self.charge)
        to_holes = (product < 0) & (self.charge[:, None] > 0)
        shape = (*product.shape, *[1] * (pairs.ndim - 2))
        alike = self.of_pairs(np.where((product >= 0).reshape(shape), pairs, 0.0))
        return alike, self.of_pairs(np.where(to_holes.reshape(shape), pairs, 0.0))

    @property
    def _between_holes(self) -> NDArray[np.bool_]:
        """Of which pairs the order is that of holes, (n_sources, n_sources)."""
        least = np.minimum.outer(self.charge, self.charge)
        return (least < 0) & (np.multiply.outer(self.charge, self.charge) >= 0)
