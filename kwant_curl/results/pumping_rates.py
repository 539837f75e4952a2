"""How fast the current pumps a pair of vibrations into a rotation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.support.checks import positive_array
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PumpingRates", "pumping_rates"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class PumpingRates(Storable):
    """Rates at which directional phonons multiply: dN/dt = growth * N.

    A pair of coordinates X, Y of equal mass M and angular frequency omega makes two directional
    modes.  The (+) mode turns from X to Y, anticlockwise, with angular momentum +hbar; the (-)
    mode turns the other way.

    Attributes
    ----------
    driving : array of float, shape (n,)
        kappa_XY / (2 M omega), what the current adds to the growth of (+) and takes from (-);
        negative where it drives (-).
    damping : array of float, shape (n,)
        (eta_XX + eta_YY) / (2 M), the electronic friction of either mode, there without current.
    units : Units or None
        The units, for labels.

    Notes
    -----
    Rates are in units of energy (hbar = 1): one oscillator, or pair of modes, per entry, in the
    order of the result or of the modes that they were asked of.  Todorov et al. (2011),
    Eq. 30 to 32, with N + 1 ~ N.
    """

    DIMENSIONS = {"driving": ("pair",), "damping": ("pair",)}  # noqa: RUF012
    DERIVED = {"growth": ("pair", "mode"), "threshold": ("pair",)}  # noqa: RUF012

    driving: FloatArray
    damping: FloatArray
    units: Units | None = None

    def __repr__(self) -> str:
        """Say how many grow, and where the threshold is lowest."""
        if not self.driving.size:
            return "<PumpingRates of nothing>"
        return (
            f"<PumpingRates of {len(self.driving)} pairs of modes, of which "
            f"{np.count_nonzero(self.growth.max(axis=1) > 0)} grow; threshold from "
            f"{self.threshold.min():.4g} times the present bias>"
        )

    @property
    def growth(self) -> FloatArray:
        """Growth rates of (+) and (-), shape (n, 2): -damping + driving, -damping - driving."""
        return read_only(
            np.stack([self.driving - self.damping, -self.driving - self.damping], axis=-1)
        )

    @property
    def threshold(self) -> FloatArray:
        """The factor on the present bias at which the driven mode starts to grow, shape (n,).

        Infinite where the current drives neither mode.
        """
        driving = np.abs(self.driving)
        result = np.full_like(driving, np.inf)
        np.divide(self.damping, driving, out=result, where=driving > 0)
        return read_only(result)

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        x: ArrayLike | None = None,
        xlabel: str = "mode",
        energy_unit: str | None = None,
    ) -> "Axes":
        """Draw the driving of the (+) mode by the current, between the friction of either sign.

        A mode grows where the driving leaves the band: (+) above it, (-) below.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        x : array (n,), optional
            Abscissa of each entry, which are then joined by a line; default its index.
        xlabel : str
            Label of the abscissa.
        energy_unit : str, optional
            Unit of the rates (hbar = 1), for the label; default that of the result.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(self, ax=ax, x=x, xlabel=xlabel, energy_unit=energy_unit)


def pumping_rates(
    kappa: FloatArray,
    friction_trace: FloatArray,
    frequency: ArrayLike,
    mass: ArrayLike,
    *,
    units: Units | None = None,
) -> PumpingRates:
    """Return the rates of pairs with these kappa_XY and eta_XX + eta_YY (Eq. 30), (n,) each.

    Frequency and mass are one number, or one per pair; raise if they are not positive.
    """
    omega = positive_array("frequency", frequency, len(kappa))
    masses = positive_array("mass", mass, len(kappa))
    return PumpingRates(kappa / (2 * masses * omega), friction_trace / (2 * masses), units)
