"""What responses to the bias share: how the leads add up, linearly or of a whole window."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import window_rounding
from kwant_curl.results.operated import Operated
from kwant_curl.results.spectrum import Spectrum
from kwant_curl.support.frozen import read_only

__all__ = ["Response"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Response(Operated, saved=False):
    """What results share: where the device is operated, and how the leads' shares add up.

    Attributes
    ----------
    linear : bool
        Whether the response is linear in the bias.  What is given by lead is then per unit shift
        of each lead's chemical potential; otherwise it is each lead's share at this bias.
    band_distance : float or None
        How far the next band edge of the leads is from the Fermi level, roughly; None where that
        is not known (for leads that are wide compared with the system, it would take too long).
    resonance_distance : float or None
        How far the nearest resonance of the device is from the Fermi level, the root of the squares
        of its distance and its half width; None where there is none, or more than 60 orbitals.
    spectrum : Spectrum or None
        See `Operated`, as for all others.
    """

    _: KW_ONLY
    linear: bool = True
    band_distance: float | None = None
    resonance_distance: float | None = None
    spectrum: Spectrum | None = None

    def nearest_change(self) -> tuple[float, str]:
        """Return how far D is about constant around the Fermi level, and what is there, as text.

        The distance of the next band edge of the leads, or of the nearest resonance of the device;
        infinite if neither is known.
        """
        known = [
            (self.band_distance, "the next band edge of the leads"),
            (self.resonance_distance, "the nearest resonance of the device, with its half width,"),
        ]
        return min(
            ((distance, what) for distance, what in known if distance is not None),
            default=(np.inf, "nothing"),
        )

    def at_bias(self, bias: float | Mapping[int, float]) -> Self:
        """Return the result at another bias, without a new solve; exact in linear response.

        Of a whole bias window (``linear=False``) any bias whose window lies within that which was
        integrated over, from the energies that were sampled there.

        Raises
        ------
        ValueError
            For a window that goes beyond that of the result, or a result that has kept no energies
            (of a Nambu model), and for a bias that shifts a superconducting lead.
        """
        if self.linear:
            return replace(self, bias=self._shifts(bias))
        return super().at_bias(bias)

    def _integrated(
        self, spectrum: Spectrum, shifts: FloatArray, temperature: float
    ) -> tuple[dict[str, Any], float]:
        """Return the fields that follow from a spectrum, and the estimated error."""
        linear = self.linear
        fields, error = spectrum.integrals(self.energy, shifts, temperature, linear=linear)
        if not linear and temperature == 0:
            error += window_rounding(self.energy, shifts)
        known: dict[str, Any] = dict(fields)
        if temperature == self.temperature == 0:  # of the Fermi level itself, and known already
            total = zip(spectrum.names, spectrum.kinds, strict=True)
            known |= {name: getattr(self, name) for name, kind in total if kind == "total"}
        return known, error

    def superposed(self, by_lead: FloatArray) -> FloatArray:
        """Return the sum of all leads' shares, of what is given by lead."""
        weights = self.bias if self.linear else np.ones(len(self.bias))
        return read_only(np.tensordot(weights, by_lead, axes=1))
