"""Orbits of atoms as figures."""

from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import CenteredNorm
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from kwant_curl.model.geometry import nearest_distance
from kwant_curl.plotting.axes import (
    chart_axes,
    colour_bar,
    finish_map,
    finish_space,
    label_axes,
    map_axes,
)
from kwant_curl.plotting.sites import SIGNED, discs, draw_bonds, sites_behind
from kwant_curl.support.units import unit_names
from kwant_curl.vibrations.motions import check_dimension
from kwant_curl.vibrations.orbits import Orbit

__all__ = ["plot_orbit", "scaled_moves"]

FloatArray = NDArray[np.float64]

PHASES = np.linspace(0, 2 * np.pi, 73)
"""Where ellipses are drawn through."""

VISIBLE = 0.02
"""Orbits with less than this part of the largest extent, or angular momentum, get no arrow."""

EQUALLY_FAST = 1e-9
"""Relative differences of speeds that are rounding: an ellipse is fastest at two points."""

FLAT_ORBIT = 1e-6
"""With less angular momentum than this, in hbar per quantum, nothing turns."""


def plot_orbit(
    orbit: Orbit,
    *,
    ax: Axes | None = None,
    syst: FiniteSystem | None = None,
    size: float = 0.4,
    length_unit: str | None = None,
) -> Axes:
    """Draw an orbit; the keywords are described in `Orbit.plot`."""
    dim = check_dimension(orbit.positions)
    centres = np.asarray(orbit.positions)
    sites = sites_behind(syst, centres)
    unit = unit_names(orbit.units, length_unit=length_unit).length
    if dim == 1:
        return _draw_wave(orbit, ax, unit, syst)
    ax = map_axes(ax, sites, dim, "orbit")
    spacing = nearest_distance(sites)
    moves = scaled_moves(orbit, PHASES, size * spacing)
    curves = np.moveaxis(centres + moves, 1, 0)  # atom by atom
    if syst is not None:
        draw_bonds(ax, syst, sites)
    if dim == 3:
        _draw_orbits_3d(ax, sites, curves, _momenta(orbit, dim))
        label_axes(ax, "xyz", unit)
        return ax
    discs(ax, sites, 0.15 * spacing, zorder=1)
    lines = _draw_orbits_2d(ax, curves, _momenta(orbit, dim))
    finish_map(ax, curves.reshape(-1, dim), 1.2 * spacing, unit)
    colour_bar(ax, lines, "angular momentum (ħ per quantum)")
    return ax


def scaled_moves(orbit: Orbit, phases: FloatArray, largest: float) -> FloatArray:
    """Return displacements (n_phases, n_atoms, dim), the largest component as long as `largest`."""
    dim = check_dimension(orbit.positions)
    unit = np.abs(orbit.vector).max() or 1.0
    result: FloatArray = orbit.displacements(phases).reshape(len(phases), -1, dim)
    return result * (largest / unit)


def _momenta(orbit: Orbit, dim: int) -> FloatArray:
    """Return the share of each atom in the angular momentum, (n_atoms,) in 2D, in 3D its length."""
    weighted = (np.sqrt(orbit.masses) * orbit.vector).reshape(-1, dim)
    total = (np.abs(weighted) ** 2).sum() or 1.0
    if dim == 2:
        result: FloatArray = 2 * (weighted[:, 0].conj() * weighted[:, 1]).imag / total
        return result
    axes = np.cross(weighted.conj(), weighted).imag
    length: FloatArray = np.linalg.norm(axes, axis=1) / total
    return length


def _turning_curves(curves: FloatArray, momenta: FloatArray) -> FloatArray:
    """Return the curves that deserve an arrow: neither tiny nor to and fro along a line."""
    extent = np.linalg.norm(np.ptp(curves, axis=1), axis=1)
    largest = np.abs(momenta).max()
    return curves[(extent > VISIBLE * extent.max()) & (np.abs(momenta) > VISIBLE * largest)]


def _draw_orbits_2d(ax: Axes, curves: FloatArray, momenta: FloatArray) -> LineCollection:
    """Draw closed curves (n, n_points, 2), coloured by their sense, with an arrow on each."""
    largest = np.abs(momenta).max()
    norm = CenteredNorm(halfrange=largest if largest > FLAT_ORBIT else 1.0)
    lines = LineCollection(list(curves), array=momenta, cmap=SIGNED, norm=norm, linewidths=1.8)
    lines.set(zorder=3, path_effects=[Stroke(linewidth=2.8, foreground="0.35"), Normal()])
    ax.add_collection(lines)
    if largest > FLAT_ORBIT:
        for curve in _turning_curves(curves, momenta):
            _draw_sense(ax, curve, np.ptp(curve, axis=0).max() / np.ptp(curves, axis=1).max())
    return lines


def _draw_sense(ax: Axes, curve: FloatArray, size: float) -> None:
    """Draw the head of an arrow where the curve is fastest."""
    fastest = _fastest(curve)
    ax.annotate(
        "",
        xy=tuple(curve[fastest + 1]),
        xytext=tuple(curve[fastest]),
        arrowprops={
            "arrowstyle": "-|>",
            "mutation_scale": 8 + 8 * size,
            "color": "black",
            "shrinkA": 0,
            "shrinkB": 0,
        },
        zorder=4,
    )


def _fastest(curve: FloatArray) -> int:
    """Return the first of the points where a curve is fastest, which rounding would tell apart."""
    speed = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    return int((speed > (1 - EQUALLY_FAST) * speed.max()).argmax())


def _draw_orbits_3d(ax: Any, sites: FloatArray, curves: FloatArray, momenta: FloatArray) -> None:
    ax.scatter(*sites.T, color="0.3", s=10, linewidths=0)
    for curve in curves:
        ax.plot(*curve.T, color="C0", linewidth=1.5)
    if np.abs(momenta).max() > FLAT_ORBIT:
        for curve in _turning_curves(curves, momenta):
            fastest = _fastest(curve)
            step = 6 * (curve[fastest + 1] - curve[fastest])
            ax.quiver(*curve[fastest], *step, color="black", arrow_length_ratio=0.8)
    finish_space(ax, sites)


def _draw_wave(orbit: Orbit, ax: Axes | None, unit: str, syst: FiniteSystem | None = None) -> Axes:
    """Draw a wave on a line, where it is a quarter of a period later, and which way it travels.

    With the system, its leads too: at the bottom, on the side where each is attached.
    """
    ax = chart_axes(ax)
    x = np.asarray(orbit.positions)[:, 0]
    order = np.argsort(x)
    now, later = orbit.displacements([0, np.pi / 2])[:, order] / np.abs(orbit.vector).max()
    envelope = np.abs(orbit.vector[order]) / np.abs(orbit.vector).max()
    ax.fill_between(x[order], -envelope, envelope, color="0.92", label="amplitude")
    ax.plot(x[order], now, ".-", color="C0", label="displacement")
    ax.plot(x[order], later, ".-", color="C1", linewidth=0.8, label="a quarter of a period later")
    ax.set_ylabel("displacement (arbitrary units)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    label_axes(ax, "x", unit)
    ax.set_ylim(-1.25, 1.35)
    travels = float(orbit.travel[0])
    if abs(travels) > VISIBLE:
        way = "→ travels to the right" if travels > 0 else "← travels to the left"
        ax.text(0.5, 0.95, f"{way} ({travels:+.2f})", ha="center", transform=ax.transAxes)
    if syst is not None:
        centre = float(x.mean())
        for lead, interface in enumerate(syst.lead_interfaces):
            left = np.mean([syst.sites[site].pos[0] for site in interface]) < centre
            place, side = (0.01, "left") if left else (0.99, "right")
            ax.text(place, 0.02, f"lead {lead}", ha=side, transform=ax.transAxes)
    return ax
