"""Rates and stability as figures."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from kwant_curl.plotting.axes import chart_axes
from kwant_curl.results.pumping_rates import PumpingRates
from kwant_curl.support.units import labelled, unit_names
from kwant_curl.vibrations.stabilities import Stability
from kwant_curl.vibrations.trajectories import Trajectory

__all__ = ["plot_pumping_rates", "plot_stability", "plot_trajectory"]

WORTH_MENTIONING = 1e-3
"""Modes that grow by less than this part of the fastest are drawn as if they didn't."""

IN_LEGEND = 8
"""Modes that are named."""

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
    ax = chart_axes(ax)
    names = unit_names(result.units, energy_unit)
    order = np.argsort(result.voltage, kind="stable")
    bias = result.voltage[order]
    values = (result.growth if quantity == "growth" else result.frequencies.real)[order]
    strength = result.growth.max(axis=0)
    floor = max(WORTH_MENTIONING * strength.max(), 1e-12 * np.abs(result.frequencies).max())
    runs_away = strength > floor
    lost = (runs_away & (result.growth > floor) & (result.frequencies.real == 0)).any(axis=0)
    marker = "." if len(bias) < 2 else None
    for mode in np.flatnonzero(~runs_away):
        ax.plot(bias, values[:, mode], color="0.7", linewidth=0.8, marker=marker)
    ranked = [mode for mode in np.argsort(-strength, kind="stable") if runs_away[mode]]
    for place, mode in enumerate(ranked):
        line = ax.plot(bias, values[:, mode], color=f"C{place % 10}", marker=marker)[0]
        line.set(linestyle="--" if lost[mode] else "-")
        if place < IN_LEGEND:
            line.set_label(f"mode {mode}{' (does not oscillate)' if lost[mode] else ''}")
    if quantity == "growth":
        ax.axhline(0, color="black", linewidth=0.8)
    rate = labelled("growth rate of the energy", names.rate)
    ax.set_xlabel(labelled("bias", names.energy))
    ax.set_ylabel(rate if quantity == "growth" else labelled("frequency", names.energy))
    if ranked:
        more = len(ranked) - IN_LEGEND
        ax.legend(title=f"run away (and {more} more)" if more > 0 else "run away")
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
    names = unit_names(result.units, energy_unit)
    energy = result.total_energy
    if len(energy) > 1:
        ax.plot(result.times, energy[:SHOWN].T, color=color, alpha=0.25, linewidth=0.6)
    name = f"mean of {len(energy)}" if label is None else label
    ax.plot(result.times, energy.mean(axis=0), color=color, label=name)
    ax.set_xlabel(labelled("time", names.time))
    ax.set_ylabel(labelled("energy", names.energy))
    if len(energy) > 1 or label is not None:
        ax.legend()
    return ax
