"""Directional phonons: how fast the current pumps a pair of vibrations into a rotation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.frozen import freeze, read_only
from kwant_curl.storage import Storable
from kwant_curl.units import Units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PhononRates",
    "PumpingRates",
    "mode_pairs",
    "mode_patterns",
    "pair_responses",
    "plane_responses",
    "pumping_rates",
]

FloatArray = NDArray[np.float64]

ROUNDING = 1e3 * np.finfo(float).eps
"""Relative rounding error of a sum of many terms, generously."""


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

    def __post_init__(self) -> None:
        freeze(self, "driving", "damping")

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
        from kwant_curl.plotting import plot_pumping_rates

        return plot_pumping_rates(self, ax=ax, x=x, xlabel=xlabel, energy_unit=energy_unit)


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
    """

    DIMENSIONS = {  # noqa: RUF012
        "lead_emission": ("pair", "mode", "upper_lead", "lower_lead"),
        "lead_absorption": ("pair", "mode", "upper_lead", "lower_lead"),
    }
    DERIVED = {"growth": ("pair", "mode")}  # noqa: RUF012

    lead_emission: FloatArray
    lead_absorption: FloatArray
    error: float = 0.0
    partial: bool = False
    units: Units | None = None

    def __repr__(self) -> str:
        """Say how many grow."""
        return (
            f"<PhononRates of {len(self.lead_emission)} pairs of modes, of which "
            f"{np.count_nonzero(self.growth.max(axis=1) > 0)} grow>"
        )

    def __post_init__(self) -> None:
        freeze(self, "lead_emission", "lead_absorption")

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


def mode_pairs(modes: ArrayLike, n_coordinates: int) -> FloatArray:
    """Return modes (2, n_c) or (n_pairs, 2, n_c) as pairs of patterns X, Y (n_pairs, 2, n_c)."""
    array = np.asarray(modes)
    shape = "(2, n_c) or (n_pairs, 2, n_c)"
    pairs = mode_patterns(
        array[None] if array.ndim == 2 else array, n_coordinates, ndim=3, shape=shape
    )
    if pairs.shape[1] != 2:
        raise ValueError(f"modes has shape {array.shape}; expected {shape}: pairs of X and Y.")
    return pairs


def mode_patterns(modes: ArrayLike, n_coordinates: int, *, ndim: int, shape: str) -> FloatArray:
    """Return `modes` as an array of floats, or raise if it is not one of this shape."""
    array = np.asarray(modes)
    if array.ndim != ndim or array.shape[-1] != n_coordinates or not array.size:
        raise ValueError(
            f"modes has shape {np.shape(modes)}; expected {shape} with n_c = {n_coordinates}."
        )
    if np.iscomplexobj(array) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"modes has entries of type {array.dtype}; expected real numbers. The real and "
            "imaginary parts of a complex mode are its X and Y."
        )
    if not np.isfinite(array).all():
        raise ValueError("modes has entries that are not finite.")
    return array.astype(float)


def pumping_rates(
    kappa: FloatArray,
    friction_trace: FloatArray,
    frequency: FloatArray,
    mass: FloatArray,
    *,
    units: Units | None = None,
) -> PumpingRates:
    """Return the rates of pairs with these kappa_XY and eta_XX + eta_YY (Eq. 30)."""
    return PumpingRates(kappa / (2 * mass * frequency), friction_trace / (2 * mass), units)


def pair_responses(
    curl: FloatArray, friction: FloatArray, modes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return kappa_XY and eta_XX + eta_YY of each pair of modes (n_pairs, 2, n_c)."""
    x, y = modes[:, 0], modes[:, 1]
    kappa = _without_rounding(x, curl, y)
    return kappa, _without_rounding(x, friction, x) + _without_rounding(y, friction, y)


def _without_rounding(left: FloatArray, matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Return left_p . matrix . right_p of each pair p, zero where it is below its rounding error.

    Otherwise modes that don't couple to the electrons would have thresholds made of noise.
    """
    value = np.einsum("pi,pi->p", left @ matrix, right)
    size = np.einsum("pi,pi->p", np.abs(left) @ np.abs(matrix), np.abs(right))
    return np.where(np.abs(value) > ROUNDING * size, value, 0.0)


def plane_responses(
    curl: FloatArray, friction: FloatArray, axis: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return kappa and the trace of the friction in the plane of rotation of each centre.

    Parameters
    ----------
    curl : array (n,) in 2D or (n, 3) in 3D
        Curl of the force on each centre.
    friction : array (n, dim, dim)
        Friction tensor of each centre.
    axis : array (3,) or (n, 3), or None
        Axis of rotation in 3D, of any length; None for each centre's own curl (and z where the
        curl vanishes).
    """
    trace = np.trace(friction, axis1=1, axis2=2)
    if curl.ndim == 1:
        return curl, trace
    axes = np.broadcast_to(curl if axis is None else axis, curl.shape)
    length = np.linalg.norm(axes, axis=1, keepdims=True)
    unit = np.divide(axes, length, out=np.tile([0.0, 0.0, 1.0], (len(axes), 1)), where=length > 0)
    along = np.einsum("ni,nij,nj->n", unit, friction, unit)
    return np.einsum("ni,ni->n", unit, curl), trace - along
