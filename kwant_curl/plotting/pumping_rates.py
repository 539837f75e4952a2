"""Rates of directional phonons as figures: side by side, or over the atoms."""

from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, LogNorm
from matplotlib.ticker import FormatStrFormatter, LogLocator
from numpy.typing import ArrayLike, NDArray

from kwant_curl.model.geometry import nearest_distance
from kwant_curl.plotting.axes import (
    chart_axes,
    colour_bar,
    finish_map,
    finish_space,
    label_axes,
    map_axes,
)
from kwant_curl.plotting.scales import Scales, scales
from kwant_curl.plotting.sites import SIGNED, SMALL, discs, sites_behind
from kwant_curl.results.pumping_rates import PumpingRates
from kwant_curl.support.units import unit_names

__all__ = ["plot_pumping_rates"]

FloatArray = NDArray[np.float64]

QUANTITIES = ("rates", "growth", "driving", "threshold")

FAR = 100.0
"""Thresholds above so many times the lowest have the same colour."""


def plot_pumping_rates(
    rates: PumpingRates,
    *,
    ax: Axes | None = None,
    quantity: str = "rates",
    x: ArrayLike | None = None,
    xlabel: str = "mode",
    syst: FiniteSystem | None = None,
    energy_unit: str | None = None,
    length_unit: str | None = None,
) -> Axes:
    """Draw rates; the keywords are described in `PumpingRates.plot`."""
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity is {quantity!r}; expected one of {', '.join(QUANTITIES)}.")
    shown = scales(rates.units, energy_unit)
    if quantity == "rates":
        if syst is not None:
            raise ValueError('syst is given, which is for maps: quantity="growth", for example.')
        return _draw_rates(ax, rates, x, xlabel, shown)
    if x is not None:
        raise ValueError('x is given, which is for quantity="rates".')
    if rates.positions is None:
        raise ValueError(
            f"{quantity} is a map, but these rates don't know where the atoms are: those of "
            'CurlMap.pumping_rates do (not of older files). Or take quantity="rates".'
        )
    length = unit_names(rates.units, energy_unit, length_unit).length
    sites = sites_behind(syst, rates.positions)
    ax = map_axes(ax, sites, rates.positions.shape[1], "result")
    _draw_map(ax, rates, sites, length, _values(rates, quantity, shown))
    return ax


def _draw_rates(
    ax: Axes | None, rates: PumpingRates, x: ArrayLike | None, xlabel: str, shown: Scales
) -> Axes:
    """Draw the driving between the friction of either sign."""
    driving, damping = (shown.rate.factor * rate for rate in (rates.driving, rates.damping))
    n = len(driving)
    abscissa = np.arange(n) if x is None else np.asarray(x, dtype=float)
    if abscissa.shape != (n,):
        raise ValueError(f"x has shape {abscissa.shape}; expected {(n,)}, one per pair of modes.")
    ax = chart_axes(ax)
    if x is None:
        ax.vlines(abscissa, -damping, damping, color="0.8", label="electronic friction")
    else:
        ax.fill_between(abscissa, -damping, damping, color="0.85", label="electronic friction")
    style = "." if x is None else "-"
    ax.plot(abscissa, driving, style, color="C0", label="driving by the current")
    ax.axhline(0, color="0.5", linewidth=0.8)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(shown.rate.label("rate"))
    ax.legend()
    return ax


def _values(rates: PumpingRates, quantity: str, shown: Scales) -> tuple[FloatArray, str]:
    """Return what is drawn of each atom, and its label."""
    if quantity == "growth":
        label = shown.rate.label("growth of the faster mode")
        return shown.rate.factor * rates.growth.max(axis=1), label
    if quantity == "driving":
        return shown.rate.factor * rates.driving, shown.rate.label("driving of (+) by the current")
    if rates.voltage is None:
        return rates.threshold, "threshold (times the present bias)"
    return shown.bias.factor * rates.threshold_bias, shown.bias.label("threshold bias")


def _draw_map(
    ax: Any,
    rates: PumpingRates,
    sites: FloatArray,
    length_unit: str,
    drawn: tuple[FloatArray, str],
) -> None:
    """Draw discs (in 3D dots) in colour on the atoms, grey where a threshold is infinite."""
    values, label = drawn
    places = np.asarray(rates.positions)
    known = np.isfinite(values)
    is_threshold = label.startswith("threshold")
    low = values[known].min() if known.any() else 1.0
    options: dict[str, Any] = {
        "norm": CenteredNorm(halfrange=np.abs(values[known]).max(initial=0.0) or 1.0),
        "cmap": SIGNED,
    }
    if is_threshold:
        high = values[known].max() if known.any() else 1.0
        low = low if low > 0 else high / FAR or 1.0
        high = min(FAR * low, high) if high > low else 2 * low
        options = {"norm": LogNorm(low, high), "cmap": "viridis"}
    if places.shape[1] == 3:
        ax.scatter(*sites.T, color="0.7", s=8, linewidths=0)
        mappable = ax.scatter(*places[known].T, c=values[known], s=40, depthshade=False, **options)
        finish_space(ax, sites)
        label_axes(ax, "xyz", length_unit)
        ax.figure.colorbar(mappable, ax=ax, label=label, shrink=0.7, pad=0.1)
    else:
        spacing = min(nearest_distance(sites), nearest_distance(places))
        diameter = spacing * (0.6 if len(sites) < SMALL else 1.0)
        discs(ax, np.concatenate([sites, places[~known]]), diameter, zorder=1)
        mappable = discs(ax, places[known], diameter, zorder=2)
        mappable.set(array=values[known], **options)
        finish_map(ax, sites, 2 * spacing, length_unit)
        colour_bar(ax, mappable, label)
    if is_threshold:
        bar = mappable.colorbar
        bar.locator, bar.formatter = LogLocator(subs=(1, 2, 5)), FormatStrFormatter("%g")
        bar.minorticks_off()
        bar.update_ticks()
