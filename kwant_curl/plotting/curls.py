"""Curl maps as figures."""

from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm, Normalize
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from numpy.typing import ArrayLike, NDArray

from kwant_curl.model.geometry import nearest_distance
from kwant_curl.plotting.arcs import turning_arcs, unit_vectors
from kwant_curl.plotting.arrows import draw_arrows
from kwant_curl.plotting.axes import colour_bar, finish_map, finish_space, label_axes, map_axes
from kwant_curl.plotting.leads import draw_leads
from kwant_curl.plotting.scales import scales
from kwant_curl.plotting.sites import (
    LARGE,
    SIGNED,
    SMALL,
    discs,
    draw_bonds,
    draw_image,
    draw_outline,
    nearest_values,
    sites_behind,
)
from kwant_curl.results.curl_map import CurlMap
from kwant_curl.support.units import labelled, unit_names

__all__ = ["plot_curl_map"]

FloatArray = NDArray[np.float64]


def plot_curl_map(
    result: CurlMap,
    *,
    ax: Axes | None = None,
    syst: FiniteSystem | None = None,
    current: ArrayLike | None = None,
    length_unit: str | None = None,
    energy_unit: str | None = None,
) -> Axes:
    """Draw a curl map; the keywords are described in `CurlMap.plot`."""
    names = unit_names(result.units, energy_unit, length_unit)
    dim = result.positions.shape[1]
    vectors = None if current is None else np.asarray(current, dtype=float)
    if vectors is not None and vectors.shape != result.positions.shape:
        raise ValueError(
            f"current has shape {vectors.shape}; expected {result.positions.shape}, one vector "
            "per centre."
        )
    sites = sites_behind(syst, result.positions)
    ax = map_axes(ax, sites, dim, "result")
    label = labelled("curl of the force", names.curl)
    if dim == 3:
        if vectors is not None:
            raise ValueError("current is given for a 3D map; it is drawn in 2D only.")
        _draw_curl_3d(ax, sites, result, label)
        label_axes(ax, "xyz", names.length)
    else:
        if syst is not None and result.sites is not None and len(sites) <= LARGE:
            draw_bonds(ax, syst, sites, result.periods)
        _draw_curl_2d(ax, sites, result, label, names.length)
        if vectors is not None:
            draw_arrows(ax, result.positions, vectors, nearest_distance(sites), "current")
        if syst is not None and len(syst.leads) == len(result.bias):
            draw_leads(ax, syst, sites, result.bias, scales(result.units, energy_unit).bias)
    return ax


def _draw_curl_2d(
    ax: Axes, sites: FloatArray, result: CurlMap, label: str, length_unit: str
) -> None:
    spacing, curl = nearest_distance(sites), result.curl
    norm = CenteredNorm(halfrange=np.abs(curl).max() or 1.0)
    mappable: Any
    if result.sites is None:
        mappable = _draw_points(ax, result.positions, curl, norm)
        if sites is not result.positions:
            draw_outline(ax, sites, spacing)
    elif len(sites) > LARGE:
        mappable = _draw_image(ax, sites, result, norm)
        draw_outline(ax, sites, spacing)
    else:
        diameter = spacing * (0.6 if len(sites) < SMALL else 1.0)
        discs(ax, sites, diameter, zorder=1)
        mappable = discs(ax, result.positions, diameter, zorder=2)
        mappable.set(array=curl, cmap=SIGNED, norm=norm)
    finish_map(ax, sites, 2 * spacing, length_unit)
    colour_bar(ax, mappable, label)


def _draw_image(ax: Axes, sites: FloatArray, result: CurlMap, norm: Normalize) -> Any:
    """Draw the curl of the nearest site at each pixel; sites that don't move stay white."""
    values = np.full(len(sites), np.nan)
    values[slice(None) if sites is result.positions else result.sites] = result.curl
    x, y, image = nearest_values(sites, values, nearest_distance(sites))
    return draw_image(ax, x, y, image, norm)


def _draw_points(ax: Axes, points: FloatArray, values: FloatArray, norm: Normalize) -> Any:
    """Draw values at the points of a probe: an image if they are a regular grid, else discs."""
    x, y = (np.unique(coordinate) for coordinate in points.T)
    if min(len(x), len(y)) > 1 and len(x) * len(y) == len(points):
        image = np.full((len(x), len(y)), np.nan)
        image[np.searchsorted(x, points[:, 0]), np.searchsorted(y, points[:, 1])] = values
        return draw_image(ax, x, y, image, norm)
    result = discs(ax, points, nearest_distance(points), zorder=2)
    result.set(array=values, cmap=SIGNED, norm=norm)
    return result


def _draw_curl_3d(ax: Any, sites: FloatArray, result: CurlMap, label: str) -> None:
    """Draw three quarters of a circle around each curl, with an arrow that turns as it does."""
    ax.scatter(*sites.T, color="0.5", s=8, alpha=0.6, linewidths=0)
    strength = np.linalg.norm(result.curl, axis=1)
    longest = strength.max() or 1.0
    shown = strength > 0.05 * longest
    bar: Any = ScalarMappable(Normalize(0, longest), "viridis_r")
    if shown.any():
        _draw_arcs(ax, result, strength, shown, nearest_distance(sites), bar)
    finish_space(ax, sites)
    ax.figure.colorbar(bar, ax=ax, label=f"magnitude of the {label}", shrink=0.7, pad=0.1)


def _draw_arcs(
    ax: Any,
    result: CurlMap,
    strength: FloatArray,
    shown: NDArray[np.bool_],
    spacing: float,
    colours: ScalarMappable,
) -> None:
    """Draw the arcs of the centres that are shown, and a head at the end of each."""
    radii = 0.55 * spacing * np.sqrt(strength[shown] / strength.max())
    arcs = turning_arcs(result.positions[shown], result.curl[shown], radii)
    options: Any = {"cmap": colours.cmap, "norm": colours.norm, "linewidths": 1.6}
    lines = Line3DCollection(list(arcs), **options)
    lines.set_array(strength[shown])
    ax.add_collection3d(lines)
    heads = 0.7 * radii[:, None] * unit_vectors(arcs[:, -1] - arcs[:, -2])
    tips = ax.quiver(*arcs[:, -1].T, *heads.T, arrow_length_ratio=1.0, **options)
    tips.set_array(strength[shown])
