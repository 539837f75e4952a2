"""Pairs of modes as figures: what adds to the growth of each."""

import numpy as np
from matplotlib.axes import Axes

from kwant_curl.plotting.axes import chart_axes
from kwant_curl.plotting.bars import bar_legend, stacked_bars
from kwant_curl.plotting.scales import scales
from kwant_curl.results.phonon_rates import PhononRates
from kwant_curl.support.checks import positive_integer
from kwant_curl.vibrations.pairs import SOURCES, PumpedPairs

__all__ = ["plot_phonon_rates", "plot_pumped_pairs"]

ROOMY = 6
"""Of more bars the names are small."""


def plot_pumped_pairs(
    result: PumpedPairs,
    *,
    ax: Axes | None = None,
    rows: int = 10,
    energy_unit: str | None = None,
) -> Axes:
    """Draw contributions to the growth; the keywords are described in `PumpedPairs.plot`."""
    n = min(positive_integer("rows", rows), len(result))
    if not n:
        raise ValueError("There are no pairs of modes to draw.")
    shown = scales(result.units, energy_unit)
    ax = chart_axes(ax)
    which = np.flatnonzero(result.matters)
    parts = shown.rate.factor * result.contributions[:n, which]
    labels = [SOURCES[source] for source in which]
    total = shown.rate.factor * result.growth[:n]
    stacked_bars(ax, np.maximum(parts, 0), np.maximum(-parts, 0), labels, total)
    names = [
        f"{first}, {second}{'*' if alone else ''}\n{shown.frequency.factor * omega:.4g}"
        for (first, second), alone, omega in zip(
            result.pairs[:n], result.of_single[:n], result.frequencies[:n].real, strict=True
        )
    ]
    ax.set_xticks(np.arange(n), names, fontsize="medium" if n <= ROOMY else "small")
    ax.set_xlabel(shown.frequency.label("pair of modes, frequency"))
    ax.set_ylabel(shown.rate.label("growth rate of the energy"))
    bar_legend(ax)
    return ax


def plot_phonon_rates(
    result: PhononRates,
    *,
    ax: Axes | None = None,
    rows: int = 10,
    energy_unit: str | None = None,
) -> Axes:
    """Draw emission and absorption; the keywords are described in `PhononRates.plot`."""
    n = min(positive_integer("rows", rows), len(result.lead_emission))
    shown = scales(result.units, energy_unit)
    ax = chart_axes(ax)
    n_leads = len(result.bias)
    emission, absorption = (
        shown.rate.factor * rates[:n].reshape(2 * n, n_leads**2)
        for rates in (result.lead_emission, result.lead_absorption)
    )
    labels = [f"{upper}, {lower}" for upper in range(n_leads) for lower in range(n_leads)]
    stacked_bars(ax, emission, absorption, labels, emission.sum(axis=1) - absorption.sum(axis=1))
    names = [name for pair in range(n) for name in _senses(result, pair)]
    ax.set_xticks(np.arange(2 * n), names, fontsize="medium" if 2 * n <= ROOMY else "small")
    ax.set_xlabel("directional mode")
    ax.set_ylabel(shown.rate.label("absorption (down), emission (up)"))
    bar_legend(ax, "leads of the electron's upper, lower state")
    return ax


def _senses(result: PhononRates, pair: int) -> list[str]:
    """Return the names of the (+) and the (-) mode of a pair."""
    modes = f"{pair}" if result.pairs is None else ", ".join(map(str, result.pairs[pair]))
    return [f"{modes}\n({sense})" for sense in ("+", "−")]
