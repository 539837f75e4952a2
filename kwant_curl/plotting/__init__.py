"""Draw results: each function takes `ax`, draws on it and returns it."""

from functools import singledispatch
from typing import Any

from matplotlib.axes import Axes

from kwant_curl.plotting.animation import animate
from kwant_curl.plotting.curls import plot_curl_map
from kwant_curl.plotting.flows import plot_flow_map
from kwant_curl.plotting.interactive import plot_interactive
from kwant_curl.plotting.motion import plot_orbit
from kwant_curl.plotting.rates import plot_pumping_rates, plot_stability, plot_trajectory

__all__ = [
    "animate",
    "plot",
    "plot_curl_map",
    "plot_flow_map",
    "plot_interactive",
    "plot_orbit",
    "plot_pumping_rates",
    "plot_stability",
    "plot_trajectory",
]


@singledispatch
def plot(result: Any, *, ax: Axes | None = None) -> Axes:
    """Draw a result: the same as ``result.plot(...)``.

    The other keywords are those of the result's own `plot`.

    Parameters
    ----------
    result : CurlMap, FlowMap, PumpingRates, Orbit, Stability or Trajectory
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.  3D results need 3D axes.

    Returns
    -------
    matplotlib.axes.Axes
    """
    raise TypeError(
        f"Can't draw a {type(result).__name__}; expected CurlMap, FlowMap, PumpingRates, Orbit, "
        "Stability or Trajectory."
    )


for draw in (
    plot_curl_map,
    plot_flow_map,
    plot_orbit,
    plot_pumping_rates,
    plot_stability,
    plot_trajectory,
):
    plot.register(draw)
