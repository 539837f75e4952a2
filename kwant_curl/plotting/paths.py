"""Forces along ways and over planes of the coordinates as figures."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from numpy.typing import ArrayLike, NDArray

from kwant_curl.plotting.axes import chart_axes, colour_bar
from kwant_curl.plotting.sites import SIGNED
from kwant_curl.results.force_path import ForcePath
from kwant_curl.results.force_plane import ForcePlane
from kwant_curl.support.units import labelled, unit_names

__all__ = ["plot_force_path", "plot_force_plane"]

FloatArray = NDArray[np.float64]

QUANTITIES = ("force", "work", "bias")

BIASES = 51
"""Points of a line of work against bias, if they are not given."""


def plot_force_path(
    result: ForcePath,
    *,
    ax: Axes | None = None,
    quantity: str = "force",
    biases: ArrayLike | None = None,
    energy_unit: str | None = None,
    length_unit: str | None = None,
) -> Axes:
    """Draw the force along a way; the keywords are described in `ForcePath.plot`."""
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity is {quantity!r}; expected one of {', '.join(QUANTITIES)}.")
    names = unit_names(result.units, energy_unit, length_unit)
    ax = chart_axes(ax)
    ax.axhline(0, color="0.5", linewidth=0.8)
    if quantity == "bias":
        _draw_bias(ax, result, biases)
        ax.set_xlabel(labelled("bias", names.energy))
        per = "per cycle" if result.is_cycle else "along the path"
        ax.set_ylabel(labelled(f"work {per}", names.energy))
        return ax
    if biases is not None:
        raise ValueError('biases are given, which are for quantity="bias".')
    way = np.diff(result.path, axis=0)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(way, axis=1))])
    if quantity == "work":
        ax.plot(length, result.work_so_far, ".-")
        ax.set_ylabel(labelled("work so far", names.energy))
    else:
        ends = (way[-1:], way[:1]) if result.is_cycle else (way[:1], way[-1:])
        around = np.concatenate([ends[0], way, ends[1]])
        tangent = around[1:] + around[:-1]
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        ax.plot(length, np.sum(result.force * tangent, axis=1), ".-")
        ax.set_ylabel(labelled("force along the way", names.force))
    ax.set_xlabel(labelled("way", names.length))
    return ax


def _draw_bias(ax: Axes, result: ForcePath, biases: ArrayLike | None) -> None:
    """Draw the work against the bias, of which the result's own is scaled."""
    own = float(np.ptp(result.bias))
    voltages = np.linspace(0, own, BIASES) if biases is None else np.asarray(biases, dtype=float)
    if voltages.ndim != 1:
        raise ValueError(f"biases has shape {voltages.shape}; expected a list of numbers.")
    shifts = [voltage / own * result.bias for voltage in voltages.tolist()]
    works = [result.at_bias(dict(enumerate(shift.tolist()))).work for shift in shifts]
    ax.plot(voltages, works)


def plot_force_plane(
    result: ForcePlane,
    *,
    ax: Axes | None = None,
    arrows: int = 15,
    energy_unit: str | None = None,
    length_unit: str | None = None,
) -> Axes:
    """Draw the force over a plane; the keywords are described in `ForcePlane.plot`."""
    if min(len(result.x), len(result.y)) < 2:
        raise ValueError(
            f"The plane has {len(result.x)} x {len(result.y)} points; expected two at least in "
            "each direction."
        )
    names = unit_names(result.units, energy_unit, length_unit)
    ax = chart_axes(ax)
    values = result.rotation
    norm = CenteredNorm(halfrange=np.abs(values).max() or 1.0)
    image = ax.pcolormesh(
        result.x, result.y, values.T, shading="gouraud", cmap=SIGNED, norm=norm, rasterized=True
    )
    _draw_forces(ax, result, arrows)
    ax.set_xlabel(labelled("x, along u", names.length))
    ax.set_ylabel(labelled("y, along v", names.length))
    colour_bar(ax, image, labelled("curl in the plane", names.curl))
    return ax


def _draw_forces(ax: Axes, result: ForcePlane, arrows: int) -> None:
    """Draw about so many arrows in each direction, the longest as long as they are apart."""
    every = [slice(None, None, max(1, len(axis) // arrows)) for axis in (result.x, result.y)]
    x, y = result.x[every[0]], result.y[every[1]]
    force = result.components[every[0], every[1]]
    longest = np.linalg.norm(force, axis=2).max()
    if not longest:
        return
    apart = np.array([np.diff(x).max(initial=0.0), np.diff(y).max(initial=0.0)]).max()
    quiver = ax.quiver(
        *np.meshgrid(x, y, indexing="ij"),
        force[..., 0],
        force[..., 1],
        angles="xy",
        scale_units="xy",
        scale=longest / apart,
        pivot="middle",
        width=0.004,
    )
    names = unit_names(result.units)
    label = labelled(f"{longest:.3g}", names.force).replace("(", "").replace(")", "")
    ax.quiverkey(quiver, 0.85, 1.04, longest, label, labelpos="E")
