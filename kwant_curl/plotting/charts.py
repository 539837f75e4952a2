"""Rates and trajectories as figures."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from kwant_curl.plotting.axes import chart_axes
from kwant_curl.plotting.scales import scales
from kwant_curl.results.pumping_rates import PumpingRates
from kwant_curl.support.units import labelled, unit_names
from kwant_curl.vibrations.trajectories import Trajectory

__all__ = ["plot_pumping_rates", "plot_trajectory"]

SHOWN = 50
"""Trajectories that are drawn one by one."""


def plot_pumping_rates(
    rates: PumpingRates,
    *,
    ax: Axes | None = None,
    x: ArrayLike | None = None,
    xlabel: str = "mode",
    energy_unit: str | None = None,
) -> Axes:
    """Draw rates; the keywords are described in `PumpingRates.plot`."""
    names = unit_names(rates.units, energy_unit)
    n = len(rates.driving)
    abscissa = np.arange(n) if x is None else np.asarray(x, dtype=float)
    if abscissa.shape != (n,):
        raise ValueError(f"x has shape {abscissa.shape}; expected {(n,)}, one per pair of modes.")
    ax = chart_axes(ax)
    if x is None:
        ax.vlines(abscissa, -rates.damping, rates.damping, color="0.8", label="electronic friction")
    else:
        ax.fill_between(
            abscissa, -rates.damping, rates.damping, color="0.85", label="electronic friction"
        )
    style = "." if x is None else "-"
    ax.plot(abscissa, rates.driving, style, color="C0", label="driving by the current")
    ax.axhline(0, color="0.5", linewidth=0.8)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(labelled("rate", names.rate))
    ax.legend()
    return ax


def plot_trajectory(
    result: Trajectory,
    *,
    ax: Axes | None = None,
    color: str = "C0",
    label: str | None = None,
    energy_unit: str | None = None,
) -> Axes:
    """Draw the energy against time; the keywords are described in `Trajectory.plot`."""
    ax = chart_axes(ax)
    names, time = unit_names(result.units, energy_unit), scales(result.units, energy_unit).time
    energy, times = result.total_energy, time.factor * result.times
    if len(energy) > 1:
        ax.plot(times, energy[:SHOWN].T, color=color, alpha=0.25, linewidth=0.6)
    name = f"mean of {len(energy)}" if label is None else label
    ax.plot(times, energy.mean(axis=0), color=color, label=name)
    ax.set_xlabel(time.label("time"))
    ax.set_ylabel(labelled("energy", names.energy))
    if len(energy) > 1 or label is not None:
        ax.legend()
    return ax
