"""A device as figures show it: its sites, bonds and outline, and what is known at its sites."""

from typing import Any

import numpy as np
from contourpy import contour_generator
from kwant.system import FiniteSystem
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection, QuadMesh
from matplotlib.colors import Normalize
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kwant_curl.algebra.images import nearest_images
from kwant_curl.model.checks import check_finite_system
from kwant_curl.model.geometry import site_positions

__all__ = [
    "EDGE",
    "LARGE",
    "SIGNED",
    "SMALL",
    "discs",
    "draw_bonds",
    "draw_image",
    "draw_outline",
    "inside_device",
    "nearest_values",
    "sites_behind",
]

FloatArray = NDArray[np.float64]

SIGNED = "RdBu_r"
"""Colour map of signed quantities: diverging, safe for the colour-blind."""

EDGE = 1.1
"""Where a device ends: so far from its sites, in units of their spacing (a honeycomb's holes are
its inside)."""

CLOSED = 3.0
"""Bays of the edge that a disc of this radius, in units of the spacing, can't enter are inside."""

PIXELS = 1000
"""Pixels of an image along its longer side, at most."""

SMALL, LARGE = 100, 5000
"""Below so many sites each is drawn with its own arrow; above so many, as an image."""


def sites_behind(syst: FiniteSystem | None, positions: FloatArray) -> FloatArray:
    """Return where the sites of the system are, or without one the positions themselves."""
    if syst is None:
        return positions
    check_finite_system(syst)
    return site_positions(syst)


def draw_bonds(
    ax: Any, syst: FiniteSystem, sites: FloatArray, periods: FloatArray | None = None
) -> None:
    """Draw a line for each hopping of the system, in 2D or 3D.

    A bond to an image is drawn half way, from either end.
    """
    ends = np.array([(i, j) for i, j in syst.graph if i < j]).reshape(-1, 2)
    lines = sites[ends]
    if periods is not None and len(periods) and len(ends):
        vectors = lines[:, 1] - lines[:, 0]
        shifts = nearest_images(vectors, periods)[0]
        wrapped = np.abs(shifts).max(axis=1) > 0
        half = 0.5 * (vectors + shifts)[wrapped]
        stubs = [
            np.stack([end, end + sign * half], axis=1)
            for end, sign in zip(lines[wrapped].swapaxes(0, 1), (1, -1), strict=True)
        ]
        lines = np.concatenate([lines[~wrapped], *stubs])
    options: dict[str, Any] = {"colors": "0.8", "linewidths": 0.5, "zorder": 0}
    if sites.shape[1] == 3:
        ax.add_collection3d(Line3DCollection(list(lines), **options))
        return
    options["rasterized"] = len(lines) > LARGE
    ax.add_collection(LineCollection(list(lines), **options))


def discs(ax: Axes, positions: FloatArray, diameter: float, zorder: float) -> EllipseCollection:
    """Add discs whose size is in the unit of the positions.

    They share one path, which files of vector graphics then hold once.
    """
    result = EllipseCollection(
        [diameter],
        [diameter],
        [0.0],
        units="xy",
        offsets=positions,
        offset_transform=ax.transData,
        facecolors="0.85",
        zorder=zorder,
        rasterized=len(positions) > LARGE,
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
    nearest = cKDTree(sites).query(points)[1]
    return x, y, np.where(inside_device(sites, spacing, x, y), values[nearest], np.nan)


def draw_image(
    ax: Axes, x: FloatArray, y: FloatArray, values: FloatArray, norm: Normalize
) -> QuadMesh:
    """Draw a signed quantity, (n_x, n_y) on a regular grid, in colour."""
    options: Any = {"cmap": SIGNED, "norm": norm, "shading": "nearest", "rasterized": True}
    return ax.pcolormesh(x, y, values.T, **options)


def inside_device(
    sites: FloatArray, spacing: float, x: FloatArray, y: FloatArray
) -> NDArray[np.bool_]:
    """Return which points of a grid are inside of the device's outline, (n_x, n_y)."""
    return _depth(sites, spacing, x, y) > 0


def draw_outline(ax: Axes, sites: FloatArray, spacing: float) -> None:
    """Draw a line around the sites."""
    x, y = _grid_around(sites, spacing, 2 * spacing)
    depth = _depth(sites, spacing, x, y)
    ax.contour(x, y, depth.T, [0.0], colors="0.3", linewidths=0.8)


def _depth(sites: FloatArray, spacing: float, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return how far points of a grid are inside of the outline; negative outside of it.

    Discs around the sites would give an edge of bulges.  Those of radius CLOSED give one that is
    nearly straight, too far out; the outline lies as far inside of it as takes it back to EDGE.
    """
    radius = CLOSED * spacing
    around = _grid_around(sites, spacing, radius + 2 * spacing)
    far = contour_generator(*around, _distances(sites, *around).T).lines(radius)
    edge = np.concatenate([np.asarray(line) for line in far])
    distance = _distances(edge, x, y)
    inside = _distances(sites, x, y) < radius
    return np.where(inside, distance, -distance) - (CLOSED - EDGE) * spacing


def _grid_around(sites: FloatArray, spacing: float, margin: float) -> tuple[FloatArray, FloatArray]:
    low, high = sites.min(axis=0) - margin, sites.max(axis=0) + margin
    step = max(0.25 * spacing, float(np.ptp(sites, axis=0).max()) / 500)
    x, y = (np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))
    return x, y


def _distances(points: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the distance of each point of a grid to the nearest of `points`, (n_x, n_y)."""
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    return cKDTree(points).query(grid)[0]
