"""How fast electrons emit and absorb directional phonons."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.results.exchange_spectrum import ExchangeSpectrum
from kwant_curl.results.operated import Operated
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PhononRates", "rates_by_pair"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class PhononRates(Operated):
    """Rates of directional phonons: dN/dt = emission (N + 1) - absorption N.

    Made by `phonon_rates`.  The (+) mode of a pair turns from X to Y, the (-) mode the other way.
    All rates are in units of 1/time (energy, with hbar = 1).

    `at_bias` and `at_temperature` give the rates elsewhere within the window, without a solve,
    from the samples that the result keeps: for each energy of the integrals one number for (+)
    and one for (-) of each pair of modes and pair of leads, ``spectrum.nbytes`` in all.

    Attributes
    ----------
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy of every level.
    lead_emission : array of float, shape (n_pairs, 2, n_leads, n_leads)
        Of (+) and (-), by electrons that come in through the lead of the first lead axis and are
        in a state that comes in through that of the second one afterwards.
    lead_absorption : array of float, shape (n_pairs, 2, n_leads, n_leads)
        By electrons that are in a state of the first lead afterwards, and of the second before.
    temperature : float
        kT of the electrons.
    error : float
        Estimated error of the integration over energy, relative to the largest element.
    partial : bool
        Whether at some energies no lead has an open mode.
    units : Units or None
        The units, for labels.
    pinned : array of bool, shape (n_leads,), or None
        In a Nambu model, which leads are superconducting, so that they can't be shifted.
    warnings : tuple of str
        What was warned of.
    spectrum : ExchangeSpectrum or None
        The energies that were sampled (not in a Nambu model): rates at other biases and
        temperatures within the window follow from it.
    pairs : array of int, shape (n_pairs, 2), or None
        Which modes X and Y are, where they are those of `VibrationalModes`.

    Examples
    --------
    >>> rates = phonon_rates(syst, moving, modes, energy, bias=0.05, temperature=0.01)
    >>> np.allclose(rates.growth, rates.emission - rates.absorption)
    True
    >>> rates.at_bias(0.02).growth.shape  # within the window, without a new solve
    (1, 2)
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("lead",),
        "pinned": ("lead",),
        "lead_emission": ("pair", "mode", "upper_lead", "lower_lead"),
        "lead_absorption": ("pair", "mode", "upper_lead", "lower_lead"),
        "pairs": ("pair", "member"),
    }
    DERIVED = {"growth": ("pair", "mode")}  # noqa: RUF012

    lead_emission: FloatArray
    lead_absorption: FloatArray
    _: KW_ONLY
    pairs: NDArray[np.int64] | None = None
    spectrum: ExchangeSpectrum | None = None

    def __repr__(self) -> str:
        """Say how many grow."""
        return (
            f"<PhononRates of {len(self.lead_emission)} pairs of modes, of which "
            f"{np.count_nonzero(self.growth.max(axis=1) > 0)} grow>{self._noted}"
        )

    def _integrated(
        self, spectrum: ExchangeSpectrum, shifts: FloatArray, temperature: float
    ) -> tuple[dict[str, Any], float]:
        """Return the rates that follow from a spectrum, and the estimated error."""
        emitted, absorbed, error = spectrum.integrals(self.energy + shifts, temperature)
        emission, absorption = (rates_by_pair(spectrum.quanta, r) for r in (emitted, absorbed))
        return {"lead_emission": emission, "lead_absorption": absorption}, error

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

    def plot(
        self, *, ax: "Axes | None" = None, rows: int = 10, energy_unit: str | None = None
    ) -> "Axes":
        """Draw emission (upwards) and absorption (downwards) of each mode, by pair of leads.

        A stack of bars for (+) and for (-) of each pair of modes, a colour for each pair of leads:
        that of the electron's state of higher energy, and that of the lower one.  A mark is at
        emission minus absorption, `growth`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        rows : int
            How many pairs of modes, at most, from the first on.
        energy_unit : str, optional
            Unit of energy of the label; the numbers are in it over hbar then.  Default: 1/ps where
            the units are known.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(self, ax=ax, rows=rows, energy_unit=energy_unit)


def rates_by_pair(quanta: FloatArray, found: Sequence[FloatArray]) -> FloatArray:
    """Return (n_pairs, 2, n_leads, n_leads) from (n_leads, n_leads, n_of_quantum, 2) by quantum.

    quanta: of each pair, (n_pairs,); found: in ascending order of these.  Unknown, NaN, are those
    after an energy that failed.
    """
    n_leads = len(found[0])
    result = np.full((len(quanta), 2, n_leads, n_leads), np.nan)
    for quantum, rates in zip(np.unique(quanta), found, strict=False):
        result[quanta == quantum] = np.moveaxis(rates, (0, 1), (2, 3))
    return result
