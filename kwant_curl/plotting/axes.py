"""Axes of figures: their shape, limits, labels, colour bars."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from kwant_curl.model.geometry import nearest_distance
from kwant_curl.support.units import labelled

__all__ = [
    "chart_axes",
    "colour_bar",
    "finish_map",
    "finish_space",
    "label_axes",
    "map_axes",
]

FloatArray = NDArray[np.float64]

FLAT = 0.4
"""Maps lower than this times their width have the colour bar below."""


def chart_axes(ax: Axes | None) -> Axes:
    """Return the axes that are given, or those of a new figure."""
    return plt.figure(layout="constrained").add_subplot() if ax is None else ax


def map_axes(ax: Axes | None, sites: FloatArray, dim: int, drawn: str) -> Axes:
    """Return the axes that are given, or those of a new figure, shaped like the device.

    Raise unless what is drawn, in `dim` dimensions, fits on them.
    """
    ax = _shaped_axes(sites) if ax is None else ax
    if dim == 3 and ax.name != "3d":
        raise ValueError(f"The {drawn} is in 3D; pass axes made with projection='3d'.")
    return ax


def _shaped_axes(positions: FloatArray) -> Axes:
    """Return axes of a new figure, shaped like the device."""
    if positions.shape[1] == 3:
        return plt.figure(figsize=(7.5, 4.5), layout="constrained").add_subplot(projection="3d")
    extent = np.ptp(positions, axis=0) + 2 * nearest_distance(positions)
    height = np.clip(5.6 * extent[1] / extent[0] + 0.8, 2.8, 8.0)
    # This layout makes the colour bar as high as axes of equal aspect are.
    return plt.figure(figsize=(7.5, height), layout="compressed").add_subplot()


def finish_map(ax: Axes, sites: FloatArray, margin: float, length_unit: str) -> None:
    """Set limits, aspect and labels of a map in 2D."""
    low, high = sites.min(axis=0) - margin, sites.max(axis=0) + margin
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    label_axes(ax, "xy", length_unit)


def finish_space(ax: Any, points: FloatArray) -> None:
    """Set limits, aspect and ticks of axes in 3D; flat devices get some room around them."""
    spacing = nearest_distance(points)
    low, high = points.min(axis=0) - 0.5 * spacing, points.max(axis=0) + 0.5 * spacing
    ax.set(**{f"{name}lim": limits for name, *limits in zip("xyz", low, high, strict=True)})
    ax.set_box_aspect(high - low, zoom=1.2)
    for axis, length in zip((ax.xaxis, ax.yaxis, ax.zaxis), high - low, strict=True):
        axis.set_major_locator(MaxNLocator(4 if length > 0.4 * (high - low).max() else 2))
    ax.xaxis.labelpad = 12


def label_axes(ax: Axes, names: str, length_unit: str) -> None:
    """Label axes with their names and the unit."""
    for name in names:
        ax.set(**{f"{name}label": labelled(name, length_unit)})


def colour_bar(ax: Axes, mappable: Any, label: str) -> None:
    """Add a colour bar where there is room: beside the map, or below a flat one."""
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    location: Any = "right" if height > FLAT * width else "bottom"
    bar = ax.figure.colorbar(mappable, ax=ax, label=label, location=location, aspect=25)
    if location == "bottom":
        bar.locator = MaxNLocator(5)
        bar.update_ticks()
