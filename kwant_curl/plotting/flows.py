"""Flow maps as figures."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from numpy.typing import ArrayLike

from kwant_curl.fields import FlowMap
from kwant_curl.plotting.common import (
    EDGE,
    SIGNED,
    colour_bar,
    distance_to_sites,
    draw_outline,
    finish_map,
    new_axes,
)
from kwant_curl.units import unit_names

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
    length_unit = unit_names(result.units, length_unit=length_unit)[1]
    sites = result.positions
    if sites.shape[1] != 2:
        raise ValueError(
            f"The flow is in {sites.shape[1]}D; streamlines are drawn in 2D only. In 3D, draw a "
            "section of interpolate()."
        )
    ax = new_axes(sites) if ax is None else ax
    grid = result.interpolate(vectors, width=width)
    x, y = grid.axes
    inside = distance_to_sites(sites, x, y) < EDGE * result.spacing
    curl = np.where(inside, grid.curl, np.nan)
    image = ax.pcolormesh(
        x,
        y,
        curl.T,
        cmap=SIGNED,
        norm=CenteredNorm(halfrange=np.nanmax(np.abs(curl)) or 1.0),
        shading="nearest",
        rasterized=True,
    )
    draw_outline(ax, sites, result.spacing)
    speed = np.where(inside, np.linalg.norm(grid.vectors, axis=-1), 0)
    if speed.any():
        flows = (speed > 0.005 * speed.max())[..., None]
        u, v = np.moveaxis(np.where(flows, grid.vectors, np.nan), -1, 0).swapaxes(1, 2)
        thickness: Any = 2 * np.sqrt(speed.T / speed.max())
        ax.streamplot(x, y, u, v, color="black", linewidth=thickness, arrowsize=0.8, density=1.2)
    unit = f" (1/{length_unit}⁴)" if length_unit else ""
    default = "curl of p j" if result.momentum is not None else f"curl of D j{unit}"
    finish_map(ax, sites, 2 * result.spacing, length_unit)
    colour_bar(ax, image, default if label is None else label)
    return ax
