"""Draw results: each function takes `ax`, draws on it and returns it."""

from functools import singledispatch
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from kwant_curl.fields import FlowMap
from kwant_curl.orbits import Orbit, check_dimension
from kwant_curl.phonons import PumpingRates
from kwant_curl.results import CurlMap
from kwant_curl.runaway import Stability
from kwant_curl.system import check_finite_system, nearest_distance, site_positions
from kwant_curl.trajectories import Trajectory

__all__ = ["plot"]

FloatArray = NDArray[np.float64]

SIGNED = "RdBu_r"
"""Colour map of signed quantities: diverging, safe for the colour-blind."""

ARROWS = 24
"""Arrows along the longer side of a large map."""

FLAT = 0.4
"""Maps lower than this times their width have the colour bar below."""

EDGE = 1.1
"""Where a device ends: so far from its sites, in units of their spacing (a honeycomb's holes are
its inside)."""

PHASES = np.linspace(0, 2 * np.pi, 73)
"""Where ellipses are drawn through."""

VISIBLE = 0.02
"""Orbits smaller than this part of the largest are drawn without an arrow."""

SHOWN = 50
"""Trajectories that are drawn one by one."""

SMALL, LARGE = 100, 5000
"""Below so many sites each is drawn with its own arrow; above so many, as an image."""


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
        _label_axes(ax, "xyz", length_unit)
    else:
        if syst is not None and result.sites is not None:
            _draw_bonds(ax, syst, sites)
        _draw_curl_2d(ax, sites, result, label, length_unit)
        if vectors is not None:
            _draw_arrows(ax, result.positions, vectors, nearest_distance(sites))
    return ax


def _new_axes(positions: FloatArray) -> Axes:
    """Return axes of a new figure, shaped like the device."""
    if positions.shape[1] == 3:
        return plt.figure(figsize=(7.5, 4.5), layout="constrained").add_subplot(projection="3d")
    extent = np.ptp(positions, axis=0) + 2 * nearest_distance(positions)
    height = np.clip(5.6 * extent[1] / extent[0] + 0.8, 2.8, 8.0)
    # This layout makes the colour bar as high as axes of equal aspect are.
    return plt.figure(figsize=(7.5, height), layout="compressed").add_subplot()


def _draw_bonds(ax: Axes, syst: Any, sites: FloatArray) -> None:
    ends = np.array([(i, j) for i, j in syst.graph if i < j]).reshape(-1, 2)
    ax.add_collection(_lines(sites[ends]))


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


def _draw_curl_2d(
    ax: Axes, sites: FloatArray, result: CurlMap, label: str, length_unit: str
) -> None:
    spacing, curl = nearest_distance(sites), result.curl
    norm = CenteredNorm(halfrange=np.abs(curl).max() or 1.0)
    mappable: Any
    if result.sites is None:
        mappable = _draw_points(ax, result.positions, curl, norm)
        if sites is not result.positions:
            _draw_outline(ax, sites, spacing)
    else:
        diameter = spacing * (0.6 if len(sites) < SMALL else 1.0)
        _discs(ax, sites, diameter, zorder=1)
        mappable = _discs(ax, result.positions, diameter, zorder=2)
        mappable.set(array=curl, cmap=SIGNED, norm=norm)
    _finish_map(ax, sites, 2 * spacing, length_unit)
    _colour_bar(ax, mappable, label)


def _draw_points(ax: Axes, points: FloatArray, values: FloatArray, norm: Any) -> Any:
    """Draw values at the points of a probe: an image if they are a regular grid, else discs."""
    x, y = (np.unique(coordinate) for coordinate in points.T)
    if min(len(x), len(y)) > 1 and len(x) * len(y) == len(points):
        image = np.full((len(x), len(y)), np.nan)
        image[np.searchsorted(x, points[:, 0]), np.searchsorted(y, points[:, 1])] = values
        options: Any = {"cmap": SIGNED, "norm": norm, "shading": "nearest", "rasterized": True}
        return ax.pcolormesh(x, y, image.T, **options)
    discs = _discs(ax, points, nearest_distance(points), zorder=2)
    discs.set(array=values, cmap=SIGNED, norm=norm)
    return discs


def _draw_curl_3d(ax: Any, sites: FloatArray, result: CurlMap, label: str) -> None:
    ax.scatter(*sites.T, color="0.5", s=8, alpha=0.6, linewidths=0)
    strength = np.linalg.norm(result.curl, axis=1)
    longest = strength.max() or 1.0
    shown = strength > 0.05 * longest
    arrows = ax.quiver(
        *result.positions[shown].T,
        *(1.3 * nearest_distance(sites) / longest * result.curl[shown]).T,
        linewidths=1.2,
        cmap="viridis_r",
        norm=Normalize(0, longest),
    )
    arrows.set_array(strength[shown])
    ax.set_box_aspect(np.ptp(sites, axis=0) + nearest_distance(sites), zoom=1.2)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(4))
    ax.xaxis.labelpad = 12
    ax.figure.colorbar(arrows, ax=ax, label=f"magnitude of the {label}", shrink=0.7, pad=0.1)


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
def plot_flow_map(
    result: FlowMap,
    *,
    ax: Axes | None = None,
    vectors: ArrayLike | None = None,
    width: float | None = None,
    length_unit: str = "",
    label: str | None = None,
) -> Axes:
    """Draw a flow map; the keywords are described in `FlowMap.plot`."""
    sites = result.positions
    if sites.shape[1] != 2:
        raise ValueError(
            f"The flow is in {sites.shape[1]}D; streamlines are drawn in 2D only. In 3D, draw a "
            "section of interpolate()."
        )
    ax = _new_axes(sites) if ax is None else ax
    grid = result.interpolate(vectors, width=width)
    x, y = grid.axes
    inside = _distance_to_sites(sites, x, y) < EDGE * result.spacing
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
    _draw_outline(ax, sites, result.spacing)
    speed = np.where(inside, np.linalg.norm(grid.vectors, axis=-1), 0)
    if speed.any():
        flows = (speed > 0.005 * speed.max())[..., None]
        u, v = np.moveaxis(np.where(flows, grid.vectors, np.nan), -1, 0).swapaxes(1, 2)
        thickness: Any = 2 * np.sqrt(speed.T / speed.max())
        ax.streamplot(x, y, u, v, color="black", linewidth=thickness, arrowsize=0.8, density=1.2)
    unit = f" (1/{length_unit}⁴)" if length_unit else ""
    default = "curl of p j" if result.momentum is not None else f"curl of D j{unit}"
    _finish_map(ax, sites, 2 * result.spacing, length_unit)
    _colour_bar(ax, image, default if label is None else label)
    return ax


def _distance_to_sites(sites: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the distance of each point of a grid to the nearest site, (n_x, n_y)."""
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    return cKDTree(sites).query(points)[0]


def _draw_outline(ax: Axes, sites: FloatArray, spacing: float) -> None:
    """Draw a line around the sites."""
    low, high = sites.min(axis=0) - 2 * spacing, sites.max(axis=0) + 2 * spacing
    step = max(0.25 * spacing, np.ptp(sites, axis=0).max() / 500)
    x, y = (np.arange(a, b, step) for a, b in zip(low, high, strict=True))
    distance = _distance_to_sites(sites, x, y)
    ax.contour(x, y, distance.T, [EDGE * spacing], colors="0.3", linewidths=0.8)


def _finish_map(ax: Axes, sites: FloatArray, margin: float, length_unit: str) -> None:
    """Set limits, aspect and labels of a map in 2D."""
    low, high = sites.min(axis=0) - margin, sites.max(axis=0) + margin
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    _label_axes(ax, "xy", length_unit)


def _label_axes(ax: Axes, names: str, length_unit: str) -> None:
    for name in names:
        ax.set(**{f"{name}label": f"{name} ({length_unit})" if length_unit else name})


def _colour_bar(ax: Axes, mappable: Any, label: str) -> None:
    """Add a colour bar where there is room: beside the map, or below a flat one."""
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    location: Any = "right" if height > FLAT * width else "bottom"
    ax.figure.colorbar(mappable, ax=ax, label=label, location=location, aspect=25)


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


@plot.register
def plot_orbit(
    orbit: Orbit,
    *,
    ax: Axes | None = None,
    syst: Any = None,
    size: float = 0.4,
    length_unit: str | None = None,
) -> Axes:
    """Draw an orbit; the keywords are described in `Orbit.plot`."""
    dim = check_dimension(orbit.positions)
    centres = np.asarray(orbit.positions)
    if syst is None:
        sites = centres
    else:
        check_finite_system(syst)
        sites = site_positions(syst)
    unit = orbit.length_unit if length_unit is None else length_unit
    if dim == 1:
        return _draw_wave(orbit, ax, unit)
    ax = _new_axes(sites) if ax is None else ax
    if dim == 3 and ax.name != "3d":
        raise ValueError("The orbit is in 3D; pass axes made with projection='3d'.")
    spacing = nearest_distance(sites)
    largest = np.abs(orbit.vector).max() or 1.0
    moves = orbit.displacements(PHASES).reshape(len(PHASES), -1, dim) * (size * spacing / largest)
    curves = np.moveaxis(centres + moves, 1, 0)  # atom by atom
    if dim == 3:
        _draw_orbits_3d(ax, sites, curves)
        _label_axes(ax, "xyz", unit)
        return ax
    if syst is not None:
        _draw_bonds(ax, syst, sites)
    _discs(ax, sites, 0.25 * spacing, zorder=1)
    _draw_orbits_2d(ax, curves)
    _finish_map(ax, sites, (size + 0.4) * spacing, unit)
    return ax


def _draw_orbits_2d(ax: Axes, curves: FloatArray) -> None:
    """Draw closed curves (n, n_points, 2), coloured by their sense, with an arrow on each."""
    steps = np.diff(curves, axis=1)
    middle = curves.mean(axis=1, keepdims=True)
    offset = curves[:, :-1] - middle
    area = 0.5 * (offset[..., 0] * steps[..., 1] - offset[..., 1] * steps[..., 0]).sum(axis=1)
    norm = CenteredNorm(halfrange=np.abs(area).max() or 1.0)
    lines = LineCollection(list(curves), array=area, cmap=SIGNED, norm=norm, linewidths=1.8)
    lines.set(zorder=3, path_effects=[Stroke(linewidth=2.8, foreground="0.35"), Normal()])
    ax.add_collection(lines)
    length = np.linalg.norm(steps, axis=2).sum(axis=1)
    for curve in curves[length > VISIBLE * length.max()]:
        _draw_sense(ax, curve)


def _draw_sense(ax: Axes, curve: FloatArray) -> None:
    """Draw the head of an arrow where the curve is fastest."""
    fastest = int(np.linalg.norm(np.diff(curve, axis=0), axis=1).argmax())
    ax.annotate(
        "",
        xy=tuple(curve[fastest + 1]),
        xytext=tuple(curve[fastest]),
        arrowprops={
            "arrowstyle": "-|>",
            "mutation_scale": 16,
            "color": "black",
            "shrinkA": 0,
            "shrinkB": 0,
        },
        zorder=4,
    )


def _draw_orbits_3d(ax: Any, sites: FloatArray, curves: FloatArray) -> None:
    ax.scatter(*sites.T, color="0.5", s=8, alpha=0.6, linewidths=0)
    for curve in curves:
        ax.plot(*curve.T, color="C0", linewidth=1.5)
        fastest = int(np.linalg.norm(np.diff(curve, axis=0), axis=1).argmax())
        step = 6 * (curve[fastest + 1] - curve[fastest])
        ax.quiver(*curve[fastest], *step, color="black", arrow_length_ratio=0.8)
    extent = np.ptp(np.concatenate([sites, *curves]), axis=0)
    ax.set_box_aspect(extent + nearest_distance(sites), zoom=1.1)


def _draw_wave(orbit: Orbit, ax: Axes | None, unit: str) -> Axes:
    """Draw a wave on a line, and where it is a quarter of a period later."""
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    x = np.asarray(orbit.positions)[:, 0]
    order = np.argsort(x)
    now, later = orbit.displacements([0, np.pi / 2])[:, order] / np.abs(orbit.vector).max()
    envelope = np.abs(orbit.vector[order]) / np.abs(orbit.vector).max()
    ax.fill_between(x[order], -envelope, envelope, color="0.92", label="amplitude")
    ax.plot(x[order], now, ".-", color="C0", label="displacement")
    ax.plot(x[order], later, ".-", color="C1", linewidth=0.8, label="a quarter of a period later")
    ax.set_ylabel("displacement (arbitrary units)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    _label_axes(ax, "x", unit)
    return ax


@plot.register
def plot_stability(
    result: Stability,
    *,
    ax: Axes | None = None,
    quantity: str = "growth",
    energy_unit: str | None = None,
) -> Axes:
    """Draw growth or frequency against bias; the keywords are described in `Stability.plot`."""
    if quantity not in ("growth", "frequency"):
        raise ValueError(f'quantity is {quantity!r}; expected "growth" or "frequency".')
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    unit = result.energy_unit if energy_unit is None else energy_unit
    order = np.argsort(result.voltage)
    bias = result.voltage[order]
    runs_away = (result.growth > 0).any(axis=0)
    values = (result.growth if quantity == "growth" else result.frequencies.real)[order]
    style: Any = {"marker": "." if len(bias) < 2 else None}
    for mode in np.flatnonzero(~runs_away):
        ax.plot(bias, values[:, mode], color="0.7", linewidth=0.8, **style)
    for number, mode in enumerate(np.flatnonzero(runs_away)):
        ax.plot(bias, values[:, mode], color=f"C{number % 10}", label=f"mode {mode}", **style)
    if quantity == "growth":
        ax.axhline(0, color="black", linewidth=0.8)
    rate = f"growth of the energy{f' ({unit}/ħ)' if unit else ''}"
    frequency = f"frequency{f' ({unit})' if unit else ''}"
    ax.set_xlabel(f"bias ({unit})" if unit else "bias")
    ax.set_ylabel(rate if quantity == "growth" else frequency)
    if 0 < np.count_nonzero(runs_away) <= 10:
        ax.legend(title="run away")
    return ax


@plot.register
def plot_trajectory(
    result: Trajectory, *, ax: Axes | None = None, energy_unit: str | None = None
) -> Axes:
    """Draw the energy against time; the keywords are described in `Trajectory.plot`."""
    if ax is None:
        ax = plt.figure(layout="constrained").add_subplot()
    unit = result.energy_unit if energy_unit is None else energy_unit
    energy = result.energy.sum(axis=2)
    if len(energy) > 1:
        ax.plot(result.times, energy[:SHOWN].T, color="0.75", linewidth=0.6)
    ax.plot(result.times, energy.mean(axis=0), color="C0", label=f"mean of {len(energy)}")
    ax.set_xlabel(f"time (ħ/{unit})" if unit else "time")
    ax.set_ylabel(f"energy ({unit})" if unit else "energy")
    if len(energy) > 1:
        ax.legend()
    return ax
