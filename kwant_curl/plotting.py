"""Draw results: each function takes `ax`, draws on it and returns it."""

from functools import singledispatch
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from kwant_curl.phonons import PumpingRates
from kwant_curl.results import CurlMap
from kwant_curl.system import check_finite_system, site_positions

__all__ = ["plot"]

FloatArray = NDArray[np.float64]

SIGNED = "RdBu_r"
"""Colour map of signed quantities: diverging, safe for the colour-blind."""

ARROWS = 24
"""Arrows along the longer side of a large map."""

FLAT = 0.4
"""Maps lower than this times their width have the colour bar below."""

SMALL, LARGE = 100, 5000
"""Below so many sites each is drawn with its own arrow; above so many, as an image."""


@singledispatch
def plot(result: Any, *, ax: Axes | None = None) -> Axes:
    """Draw a result: the same as ``result.plot(...)``.

    The other keywords are those of `CurlMap.plot` and `PumpingRates.plot`.

    Parameters
    ----------
    result : CurlMap or PumpingRates
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.  3D results need 3D axes.

    Returns
    -------
    matplotlib.axes.Axes
    """
    raise TypeError(f"Can't draw a {type(result).__name__}; expected CurlMap or PumpingRates.")


@plot.register
def plot_curl_map(
    result: CurlMap,
    *,
    ax: Axes | None = None,
    syst: Any = None,
    current: ArrayLike | None = None,
    length_unit: str = "",
    energy_unit: str = "",
) -> Axes:
    """Draw a curl map; the keywords are described in `CurlMap.plot`."""
    dim = result.positions.shape[1]
    vectors = None if current is None else np.asarray(current, dtype=float)
    if vectors is not None and vectors.shape != result.positions.shape:
        raise ValueError(
            f"current has shape {vectors.shape}; expected {result.positions.shape}, one vector "
            "per centre."
        )
    if syst is None:
        sites = result.positions
    else:
        check_finite_system(syst)
        sites = site_positions(syst)
    ax = _new_axes(sites) if ax is None else ax
    if dim == 3 and ax.name != "3d":
        raise ValueError("The result is in 3D; pass axes made with projection='3d'.")
    unit = f" ({energy_unit}/{length_unit}²)" if energy_unit and length_unit else ""
    label = f"curl of the force{unit}"
    if dim == 3:
        if vectors is not None:
            raise ValueError("current is given for a 3D map; it is drawn in 2D only.")
        _draw_curl_3d(ax, sites, result, label)
    else:
        if syst is not None:
            ends = np.array([(i, j) for i, j in syst.graph if i < j]).reshape(-1, 2)
            ax.add_collection(_lines(sites[ends]))
        _draw_curl_2d(ax, sites, result, label)
        if vectors is not None:
            _draw_arrows(ax, result.positions, vectors, _spacing(sites))
    for name in "xyz"[:dim]:
        ax.set(**{f"{name}label": f"{name} ({length_unit})" if length_unit else name})
    return ax


def _new_axes(positions: FloatArray) -> Axes:
    """Return axes of a new figure, shaped like the device."""
    if positions.shape[1] == 3:
        return plt.figure(figsize=(7.5, 4.5), layout="constrained").add_subplot(projection="3d")
    extent = np.ptp(positions, axis=0) + 2 * _spacing(positions)
    height = np.clip(5.6 * extent[1] / extent[0] + 0.8, 2.8, 8.0)
    # This layout makes the colour bar as high as axes of equal aspect are.
    return plt.figure(figsize=(7.5, height), layout="compressed").add_subplot()


def _lines(segments: FloatArray) -> LineCollection:
    return LineCollection(
        list(segments), colors="0.8", linewidths=0.5, zorder=0, rasterized=len(segments) > LARGE
    )


def _discs(ax: Axes, positions: FloatArray, diameter: float, zorder: float) -> EllipseCollection:
    """Add discs whose size is in the unit of the positions."""
    n = len(positions)
    discs = EllipseCollection(
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
    ax.add_collection(discs)
    return discs


def _draw_curl_2d(ax: Axes, sites: FloatArray, result: CurlMap, label: str) -> None:
    spacing = _spacing(sites)
    diameter = spacing * (0.6 if len(sites) < SMALL else 1.0)
    _discs(ax, sites, diameter, zorder=1)
    discs = _discs(ax, result.positions, diameter, zorder=2)
    curl = result.curl
    discs.set(array=curl, cmap=SIGNED, norm=CenteredNorm(halfrange=np.abs(curl).max() or 1.0))
    ax.set_aspect("equal")
    low, high = sites.min(axis=0) - spacing, sites.max(axis=0) + spacing
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    location: Any = "right" if high[1] - low[1] > FLAT * (high[0] - low[0]) else "bottom"
    ax.figure.colorbar(discs, ax=ax, label=label, location=location, aspect=25)


def _draw_curl_3d(ax: Any, sites: FloatArray, result: CurlMap, label: str) -> None:
    ax.scatter(*sites.T, color="0.5", s=8, alpha=0.6, linewidths=0)
    strength = np.linalg.norm(result.curl, axis=1)
    longest = strength.max() or 1.0
    shown = strength > 0.05 * longest
    arrows = ax.quiver(
        *result.positions[shown].T,
        *(1.3 * _spacing(sites) / longest * result.curl[shown]).T,
        linewidths=1.2,
        cmap="viridis_r",
        norm=Normalize(0, longest),
    )
    arrows.set_array(strength[shown])
    ax.set_box_aspect(np.ptp(sites, axis=0) + _spacing(sites), zoom=1.2)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(4))
    ax.xaxis.labelpad = 12
    ax.figure.colorbar(arrows, ax=ax, label=f"magnitude of the {label}", shrink=0.7, pad=0.1)


def _spacing(positions: FloatArray) -> float:
    """Return the usual distance between neighbouring sites."""
    if len(positions) < 2:
        return 1.0
    distance, _ = cKDTree(positions).query(positions, k=2)
    return float(np.median(distance[:, 1]))


def _draw_arrows(ax: Axes, positions: FloatArray, vectors: FloatArray, spacing: float) -> None:
    """Draw `vectors`, on large maps their mean in each cell of a coarse grid."""
    cell = spacing
    if len(positions) >= SMALL:
        cell = max(np.ptp(positions, axis=0).max() / ARROWS, spacing)
        index = np.floor((positions - positions.min(axis=0)) / cell).astype(int)
        _, which, count = np.unique(index, axis=0, return_inverse=True, return_counts=True)
        positions, vectors = (
            np.stack([np.bincount(which.ravel(), v) for v in values.T], axis=1) / count[:, None]
            for values in (positions, vectors)
        )
    length = np.linalg.norm(vectors, axis=1)
    shown = length > 0.02 * length.max()
    if not shown.any():
        return
    ax.quiver(
        *positions[shown].T,
        *(vectors[shown] / length.max()).T,
        angles="xy",
        scale_units="xy",
        scale=1 / ((0.8 if cell == spacing else 1.2) * cell),
        pivot="middle",
        width=0.003,
        color="black",
        zorder=3,
    )


@plot.register
def plot_pumping_rates(
    rates: PumpingRates,
    *,
    ax: Axes | None = None,
    x: ArrayLike | None = None,
    xlabel: str = "mode",
    energy_unit: str = "",
) -> Axes:
    """Draw rates; the keywords are described in `PumpingRates.plot`."""
    n = len(rates.driving)
    abscissa = np.arange(n) if x is None else np.asarray(x, dtype=float)
    if abscissa.shape != (n,):
        raise ValueError(f"x has shape {abscissa.shape}; expected {(n,)}, one per pair of modes.")
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    if x is None:
        ax.vlines(abscissa, -rates.damping, rates.damping, color="0.8", label="electronic friction")
    else:
        ax.fill_between(
            abscissa, -rates.damping, rates.damping, color="0.85", label="electronic friction"
        )
    style = "." if x is None else "-"
    ax.plot(abscissa, rates.driving, style, color="C0", label="driving by the current")
    ax.axhline(0, color="0.5", linewidth=0.8)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(f"rate ({energy_unit}/ħ)" if energy_unit else "rate")
    ax.legend()
    return ax
