"""Trajectories as figures."""

from matplotlib.axes import Axes

from kwant_curl.plotting.axes import chart_axes
from kwant_curl.plotting.scales import scales
from kwant_curl.support.units import labelled, unit_names
from kwant_curl.vibrations.trajectories import Trajectory

__all__ = ["plot_trajectory"]

SHOWN = 50
"""Trajectories that are drawn one by one."""


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
