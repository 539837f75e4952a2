"""Flow maps as figures."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from numpy.typing import ArrayLike

from kwant_curl.plotting.axes import colour_bar, finish_map, map_axes
from kwant_curl.plotting.sites import draw_image, draw_outline, inside_device
from kwant_curl.results.flow_map import FlowMap
from kwant_curl.support.units import labelled, unit_names

__all__ = ["plot_flow_map"]


def plot_flow_map(
    result: FlowMap,
    *,
    ax: Axes | None = None,
    vectors: ArrayLike | None = None,
    width: float | None = None,
    length_unit: str | None = None,
    label: str | None = None,
) -> Axes:
    """Draw a flow map; the keywords are described in `FlowMap.plot`."""
    names = unit_names(result.units, length_unit=length_unit)
    sites = result.positions
    if sites.shape[1] != 2:
        raise ValueError(
            f"The flow is in {sites.shape[1]}D; streamlines are drawn in 2D only. In 3D, draw a "
            "section of interpolate()."
        )
    ax = map_axes(ax, sites, 2, "flow")
    grid = result.interpolate(vectors, width=width)
    x, y = grid.axes
    inside = inside_device(sites, result.spacing, x, y)
    curl = np.where(inside, grid.curl, np.nan)
    norm = CenteredNorm(halfrange=np.nanmax(np.abs(curl)) or 1.0)
    image = draw_image(ax, x, y, curl, norm)
    draw_outline(ax, sites, result.spacing)
    speed = np.where(inside, np.linalg.norm(grid.vectors, axis=-1), 0)
    if speed.any():
        flows = (speed > 0.005 * speed.max())[..., None]
        u, v = np.moveaxis(np.where(flows, grid.vectors, np.nan), -1, 0).swapaxes(1, 2)
        thickness: Any = 2 * np.sqrt(speed.T / speed.max())
        ax.streamplot(x, y, u, v, color="black", linewidth=thickness, arrowsize=0.8, density=1.2)
    if label is None:
        of_density = labelled("curl of D j", names.flow_curl)
        label = of_density if result.momentum is None else "curl of p j"
    finish_map(ax, sites, 2 * result.spacing, names.length)
    colour_bar(ax, image, label)
    return ax
