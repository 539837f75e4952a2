"""What comes in through each lead: electrons, and in a Nambu model holes by themselves."""

from typing import NamedTuple

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
        weights = self.charge if per_shift else np.ones(len(self.charge))
        return self.share * self.summed(part, weights, axis)

    def summed(
        self, part: FloatArray, weights: FloatArray | float = 1.0, axis: int = 0
    ) -> FloatArray:
        """Return the sums over the sources of each lead along an axis."""
        if self.are_leads:
            return part
        to_leads = weights * (self.lead == np.arange(self.lead[-1] + 1)[:, None])
        return np.moveaxis(np.tensordot(to_leads, part, axes=(1, axis)), 0, axis)

    def of_pairs(self, part: FloatArray, *, axes: tuple[int, int] = (0, 1)) -> FloatArray:
        """Return what is given by pairs of sources along two axes by pairs of leads."""
        first, second = axes
        return self.share * self.summed(self.summed(part, axis=first), axis=second)

    def exchanged(self, pairs: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Return what pairs of sources (n_sources, n_sources, ...) exchange, by pairs of leads.

        Symmetric in the pair.  What goes between sources with the shifts s and t counts by s - t,
        which is the difference of the leads' shifts between electrons, its opposite between
        holes, and the sum of them from an electron of the first lead to a hole of the second: two
        arrays (n_leads, n_leads, ...), the second one None without holes.
        """
        if self.are_leads:
            return pairs, None
        n = int(self.lead[-1]) + 1
        alike, crossed = (np.zeros((n, n, *pairs.shape[2:])) for _ in range(2))
        for a, (lead_a, charge_a) in enumerate(zip(self.lead, self.charge, strict=True)):
            for b, (lead_b, charge_b) in enumerate(zip(self.lead, self.charge, strict=True)):
                part = self.share * pairs[a, b]
                if charge_a * charge_b < 0:
                    if charge_a > 0:
                        crossed[lead_a, lead_b] += part
                elif min(charge_a, charge_b) < 0:
                    alike[lead_b, lead_a] += part
                else:
                    alike[lead_a, lead_b] += part
        return alike, crossed
