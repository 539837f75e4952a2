"""How fast electrons emit and absorb directional phonons."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units

__all__ = ["PhononRates"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class PhononRates(Storable):
    """Rates of directional phonons: dN/dt = emission (N + 1) - absorption N.

    Made by `phonon_rates`.  The (+) mode of a pair turns from X to Y, the (-) mode the other way.
    All rates are in units of 1/time (energy, with hbar = 1).

    Attributes
    ----------
    lead_emission : array of float, shape (n_pairs, 2, n_leads, n_leads)
        Of (+) and (-), by electrons that come in through the lead of the first lead axis and are
        in a state that comes in through that of the second one afterwards.
    lead_absorption : array of float, shape (n_pairs, 2, n_leads, n_leads)
        By electrons that are in a state of the first lead afterwards, and of the second before.
    error : float
        Estimated error of the integration over energy, relative to the largest element.
    partial : bool
        Whether at some energies no lead has an open mode.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.
    pairs : array of int, shape (n_pairs, 2), or None
        Which modes X and Y are, where they are those of `VibrationalModes`.
    """

    DIMENSIONS = {  # noqa: RUF012
        "lead_emission": ("pair", "mode", "upper_lead", "lower_lead"),
        "lead_absorption": ("pair", "mode", "upper_lead", "lower_lead"),
        "pairs": ("pair", "member"),
    }
    DERIVED = {"growth": ("pair", "mode")}  # noqa: RUF012

    lead_emission: FloatArray
    lead_absorption: FloatArray
    error: float = 0.0
    partial: bool = False
    units: Units | None = None
    warnings: tuple[str, ...] = ()
    pairs: NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        """Say how many grow."""
        return (
            f"<PhononRates of {len(self.lead_emission)} pairs of modes, of which "
            f"{np.count_nonzero(self.growth.max(axis=1) > 0)} grow>{self._noted}"
        )

    @property
    def emission(self) -> FloatArray:
        """Emission of (+) and (-), (n_pairs, 2): spontaneous, and stimulated per phonon."""
        return read_only(self.lead_emission.sum(axis=(2, 3)))

    @property
    def absorption(self) -> FloatArray:
        """Rates of absorption of (+) and (-) per phonon, (n_pairs, 2)."""
        return read_only(self.lead_absorption.sum(axis=(2, 3)))

    @property
    def growth(self) -> FloatArray:
        """Emission minus absorption of (+) and (-), (n_pairs, 2): they grow where positive."""
        return read_only(self.emission - self.absorption)

    @property
    def occupation(self) -> FloatArray:
        """Steady number of phonons of (+) and (-), (n_pairs, 2); infinite where there is none.

        N = emission/(absorption - emission), if electrons are all that the mode exchanges energy
        with.
        """
        balance = -self.growth
        result = np.full_like(balance, np.inf)
        np.divide(self.emission, balance, out=result, where=balance > 0)
        return read_only(result)
