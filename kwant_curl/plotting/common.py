"""What figures share: axes, sites, bonds, outlines, labels."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kwant_curl.system import nearest_distance

__all__ = [
    "EDGE",
    "LARGE",
    "SIGNED",
    "SMALL",
    "colour_bar",
    "discs",
    "distance_to_sites",
    "draw_bonds",
    "draw_outline",
    "finish_map",
    "finish_space",
    "label_axes",
    "nearest_values",
    "new_axes",
]

FloatArray = NDArray[np.float64]

SIGNED = "RdBu_r"
"""Colour map of signed quantities: diverging, safe for the colour-blind."""

FLAT = 0.4
"""Maps lower than this times their width have the colour bar below."""

EDGE = 1.1
"""Where a device ends: so far from its sites, in units of their spacing (a honeycomb's holes are
its inside)."""

PIXELS = 1000
"""Pixels of an image along its longer side, at most."""

SMALL, LARGE = 100, 5000
"""Below so many sites each is drawn with its own arrow; above so many, as an image."""


def new_axes(positions: FloatArray) -> Axes:
    """Return axes of a new figure, shaped like the device."""
    if positions.shape[1] == 3:
        return plt.figure(figsize=(7.5, 4.5), layout="constrained").add_subplot(projection="3d")
    extent = np.ptp(positions, axis=0) + 2 * nearest_distance(positions)
    height = np.clip(5.6 * extent[1] / extent[0] + 0.8, 2.8, 8.0)
    # This layout makes the colour bar as high as axes of equal aspect are.
    return plt.figure(figsize=(7.5, height), layout="compressed").add_subplot()


def draw_bonds(ax: Any, syst: Any, sites: FloatArray) -> None:
    """Draw a line for each hopping of the system, in 2D or 3D."""
    ends = np.array([(i, j) for i, j in syst.graph if i < j]).reshape(-1, 2)
    options: dict[str, Any] = {"colors": "0.8", "linewidths": 0.5, "zorder": 0}
    if sites.shape[1] == 3:
        ax.add_collection3d(Line3DCollection(list(sites[ends]), **options))
        return
    options["rasterized"] = len(ends) > LARGE
    ax.add_collection(LineCollection(list(sites[ends]), **options))


def discs(ax: Axes, positions: FloatArray, diameter: float, zorder: float) -> EllipseCollection:
    """Add discs whose size is in the unit of the positions."""
    n = len(positions)
    result = EllipseCollection(
        np.full(n, diameter),
        np.full(n, diameter),
        np.zeros(n),
        units="xy",
        offsets=positions,
        offset_transform=ax.transData,
        facecolors="0.85",
        zorder=zorder,
        rasterized=n > LARGE,
    )
    ax.add_collection(result)
    return result


def nearest_values(
    sites: FloatArray, values: FloatArray, spacing: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a regular grid x, y, and on it (n_x, n_y) the value of the nearest site.

    Not a number outside of the device.  At most PIXELS points along the longer side.
    """
    low, high = sites.min(axis=0) - spacing, sites.max(axis=0) + spacing
    step = max(spacing / 3, float((high - low).max()) / PIXELS)
    x, y = (np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    distance, nearest = cKDTree(sites).query(points)
    return x, y, np.where(distance < EDGE * spacing, values[nearest], np.nan)


def distance_to_sites(sites: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the distance of each point of a grid to the nearest site, (n_x, n_y)."""
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    return cKDTree(sites).query(points)[0]


def draw_outline(ax: Axes, sites: FloatArray, spacing: float) -> None:
    """Draw a line around the sites."""
    low, high = sites.min(axis=0) - 2 * spacing, sites.max(axis=0) + 2 * spacing
    step = max(0.25 * spacing, np.ptp(sites, axis=0).max() / 500)
    x, y = (np.arange(a, b, step) for a, b in zip(low, high, strict=True))
    distance = distance_to_sites(sites, x, y)
    ax.contour(x, y, distance.T, [EDGE * spacing], colors="0.3", linewidths=0.8)


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
        ax.set(**{f"{name}label": f"{name} ({length_unit})" if length_unit else name})


def colour_bar(ax: Axes, mappable: Any, label: str) -> None:
    """Add a colour bar where there is room: beside the map, or below a flat one."""
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    location: Any = "right" if height > FLAT * width else "bottom"
    bar = ax.figure.colorbar(mappable, ax=ax, label=label, location=location, aspect=25)
    if location == "bottom":
        bar.locator = MaxNLocator(5)
        bar.update_ticks()
