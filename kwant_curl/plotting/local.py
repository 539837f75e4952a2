"""Local densities of vibrations as figures."""

from matplotlib.axes import Axes

from kwant_curl.plotting.axes import chart_axes
from kwant_curl.support.units import labelled, unit_names
from kwant_curl.vibrations.local import LocalVibrations

__all__ = ["plot_local_vibrations"]


def plot_local_vibrations(
    result: LocalVibrations,
    *,
    ax: Axes | None = None,
    label: str | None = None,
    color: str = "C0",
    energy_unit: str | None = None,
) -> Axes:
    """Draw a density against frequency; the keywords are described in `LocalVibrations.plot`."""
    ax = chart_axes(ax)
    unit = unit_names(result.units, energy_unit).energy
    for edge in () if result.band_edges is None else result.band_edges:
        ax.axvline(edge, color="0.85", linewidth=0.8, zorder=0)
    ax.plot(result.frequencies, result.density.sum(axis=1), color=color, label=label)
    ax.set_xlabel(labelled("frequency", unit))
    ax.set_ylabel(labelled("density of vibrations", f"1/{unit}" if unit else ""))
    if label is not None:
        ax.legend()
    return ax
