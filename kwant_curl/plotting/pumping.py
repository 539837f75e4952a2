"""Pumped charge as a figure."""

import numpy as np
from matplotlib.axes import Axes

from kwant_curl.plotting.axes import chart_axes
from kwant_curl.results.pumped_charge import PumpedCharge
from kwant_curl.support.units import labelled, unit_names

__all__ = ["plot_pumped_charge"]


def plot_pumped_charge(
    result: PumpedCharge, *, ax: Axes | None = None, length_unit: str | None = None
) -> Axes:
    """Draw the charge so far along a way; the keywords are described in `PumpedCharge.plot`."""
    names = unit_names(result.units, length_unit=length_unit)
    ax = chart_axes(ax)
    ax.axhline(0, color="0.5", linewidth=0.8)
    way = np.linalg.norm(np.diff(result.path, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(way)])
    for lead, so_far in enumerate(result.charge_so_far):
        ax.plot(length, so_far, ".-", label=f"lead {lead}")
    ax.set_xlabel(labelled("way", names.length))
    ax.set_ylabel("electrons from the lead so far")
    ax.legend()
    return ax
