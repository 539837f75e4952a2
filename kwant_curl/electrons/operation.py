"""Where a device is operated."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import (
    COLD,
    check_pinned,
    chemical_potential_shifts,
    window_rounding,
)
from kwant_curl.model.model import Model
from kwant_curl.model.sources import Sources
from kwant_curl.support.checks import (
    nonnegative_number,
    positive_number,
    real_number,
    true_or_false,
)
from kwant_curl.support.magnitudes import check_temperature
from kwant_curl.support.units import Units, check_units

__all__ = ["OperatingPoint", "operating_point"]


class OperatingPoint(NamedTuple):
    """Where a device is operated: Fermi level, shifts of the leads (n_leads,), degeneracy, kT.

    linear: whether the response is linear in the shifts, or that of the whole bias window; pinned:
    in a Nambu model, which leads are superconducting (n_leads,), else None.
    """

    energy: float
    bias: NDArray[np.float64]
    degeneracy: float
    temperature: float = 0.0
    linear: bool = True
    pinned: NDArray[np.bool_] | None = None

    @property
    def is_one_energy(self) -> bool:
        """Whether the Fermi level alone counts, and nothing is integrated."""
        return self.temperature == 0 and (self.linear or not self.bias.any())

    @property
    def rounding(self) -> float:
        """How large rounding errors of the leads' chemical potentials are, relative to a window."""
        if self.linear or self.temperature > 0:
            return 0.0
        return window_rounding(self.energy, self.bias)

    def of_sources(self, sources: Sources) -> Self:
        """Return the same with the shifts of what comes in: holes against their lead."""
        return self if sources.are_leads else self._replace(bias=sources.shifts(self.bias))


def operating_point(
    model: Model,
    energy: Any,
    bias: float | Mapping[int, float],
    degeneracy: Any,
    temperature: Any = 0.0,
    linear: Any = True,
    units: Units | None = None,
) -> OperatingPoint:
    """Check what a routine is given, from the Fermi level to the units."""
    check_units(units)
    mu = real_number("energy", energy)
    shifts = chemical_potential_shifts(bias, len(model.syst.leads))
    kt = nonnegative_number("temperature", temperature)
    if model.energy_parameter is not None:
        reach = np.append(0.0, np.append(shifts, [0.618 * kt, -0.618 * kt, 10 * kt]))
        model.check_linear(np.unique(mu + reach))
    pinned = model.scattering.sources.pinned if model.has_holes else None
    check_pinned(shifts, pinned)
    if not linear and kt == 0:
        window_rounding(mu, shifts)
    kt = 0.0 if kt < COLD * max(abs(mu), np.abs(shifts).max()) else kt
    check_temperature(kt, units)
    return OperatingPoint(
        mu,
        shifts,
        positive_number("degeneracy", degeneracy),
        kt,
        true_or_false("linear", linear),
        pinned,
    )
