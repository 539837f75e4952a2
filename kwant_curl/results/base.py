"""What responses to the bias share: where the device is operated, how the leads add up."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import check_pinned, chemical_potential_shifts
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names

__all__ = ["Response"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Response(Storable, saved=False):
    """What results share: where the device is operated, and how the leads' shares add up.

    Attributes
    ----------
    temperature : float
        kT, an energy.
    linear : bool
        Whether the response is linear in the bias.  What is given by lead is then per unit shift
        of each lead's chemical potential; otherwise it is each lead's share at this bias.
    error : float
        Estimated error of the integration over energy, relative to the largest element of each
        quantity (of the integral of its modulus); zero where nothing was integrated.
    partial : bool
        Whether the window holds energies at which no lead has an open mode.
    units : Units or None
        The units, for labels, if they were given.
    pinned : array of bool, shape (n_leads,), or None
        In a Nambu model, which leads are superconducting, so that they can't be shifted.
    band_distance : float or None
        How far the next band edge of the leads is from the Fermi level, roughly; None where that
        is not known (for leads that are wide compared with the system, it would take too long).
    warnings : tuple of str
        What was warned of.
    """

    energy: float
    bias: FloatArray
    degeneracy: float
    _: KW_ONLY
    temperature: float = 0.0
    linear: bool = True
    error: float = 0.0
    partial: bool = False
    units: Units | None = None
    pinned: NDArray[np.bool_] | None = None
    band_distance: float | None = None
    warnings: tuple[str, ...] = ()

    def at_bias(self, bias: float | Mapping[int, float]) -> Self:
        """Return the result at another bias, without a new solve; exact in linear response.

        Raises
        ------
        ValueError
            For the result of a whole bias window (``linear=False``), which can't be scaled, and for
            a bias that shifts a superconducting lead.
        """
        if not self.linear:
            raise ValueError(
                "This result is that of a whole bias window (linear=False), which another bias "
                "changes; call the routine again with the other bias."
            )
        shifts = chemical_potential_shifts(bias, len(self.bias))
        check_pinned(shifts, self.pinned)
        return replace(self, bias=shifts)

    @property
    def _operation(self) -> str:
        """Where the device is operated, as text."""
        energy = spaced(unit_names(self.units).energy)
        return f"energy {self.energy:.6g}{energy}, bias {dict(enumerate(self.bias.tolist()))}"

    def superposed(self, by_lead: FloatArray) -> FloatArray:
        """Return the sum of all leads' shares, of what is given by lead."""
        weights = self.bias if self.linear else np.ones(len(self.bias))
        return read_only(np.tensordot(weights, by_lead, axes=1))
