"""Rates and stability as figures."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from kwant_curl.phonons import PumpingRates
from kwant_curl.runaway import Stability
from kwant_curl.trajectories import Trajectory
from kwant_curl.units import unit_names

__all__ = ["plot_pumping_rates", "plot_stability", "plot_trajectory"]

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
    energy_unit = unit_names(rates.units, energy_unit)[0]
    n = len(rates.driving)
    abscissa = np.arange(n) if x is None else np.asarray(x, dtype=float)
    if abscissa.shape != (n,):
        raise ValueError(f"x has shape {abscissa.shape}; expected {(n,)}, one per pair of modes.")
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
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
    ax.set_ylabel(f"rate ({energy_unit}/ħ)" if energy_unit else "rate")
    ax.legend()
    return ax


def plot_stability(
    result: Stability,
    *,
    ax: Axes | None = None,
    quantity: str = "growth",
    energy_unit: str | None = None,
) -> Axes:
    """Draw growth or frequency against bias; the keywords are described in `Stability.plot`."""
    if quantity not in ("growth", "frequency"):
        raise ValueError(f'quantity is {quantity!r}; expected "growth" or "frequency".')
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    unit = unit_names(result.units, energy_unit)[0]
    order = np.argsort(result.voltage)
    bias = result.voltage[order]
    runs_away = (result.growth > 0).any(axis=0)
    values = (result.growth if quantity == "growth" else result.frequencies.real)[order]
    style: Any = {"marker": "." if len(bias) < 2 else None}
    for mode in np.flatnonzero(~runs_away):
        ax.plot(bias, values[:, mode], color="0.7", linewidth=0.8, **style)
    for number, mode in enumerate(np.flatnonzero(runs_away)):
        ax.plot(bias, values[:, mode], color=f"C{number % 10}", label=f"mode {mode}", **style)
    if quantity == "growth":
        ax.axhline(0, color="black", linewidth=0.8)
    rate = f"growth of the energy{f' ({unit}/ħ)' if unit else ''}"
    frequency = f"frequency{f' ({unit})' if unit else ''}"
    ax.set_xlabel(f"bias ({unit})" if unit else "bias")
    ax.set_ylabel(rate if quantity == "growth" else frequency)
    if 0 < np.count_nonzero(runs_away) <= 10:
        ax.legend(title="run away")
    return ax


def plot_trajectory(
    result: Trajectory, *, ax: Axes | None = None, energy_unit: str | None = None
) -> Axes:
    """Draw the energy against time; the keywords are described in `Trajectory.plot`."""
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    unit = unit_names(result.units, energy_unit)[0]
    energy = result.energy.sum(axis=2)
    if len(energy) > 1:
        ax.plot(result.times, energy[:SHOWN].T, color="0.75", linewidth=0.6)
    ax.plot(result.times, energy.mean(axis=0), color="C0", label=f"mean of {len(energy)}")
    ax.set_xlabel(f"time (ħ/{unit})" if unit else "time")
    ax.set_ylabel(f"energy ({unit})" if unit else "energy")
    if len(energy) > 1:
        ax.legend()
    return ax
