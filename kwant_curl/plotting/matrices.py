"""Matrices of coupled coordinates as figures."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.ticker import MaxNLocator

from kwant_curl.plotting.axes import chart_axes, colour_bar
from kwant_curl.plotting.scales import Scale, scales
from kwant_curl.plotting.sites import SIGNED
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.results.modes import ModeSet, Moved, check_same_coordinates
from kwant_curl.support.units import unit_names

__all__ = ["plot_force_response"]

QUANTITIES = {
    "curl": "generalised curl",
    "friction": "electronic friction",
    "jacobian": "Jacobian of the force",
    "velocity": "velocity tensor",
    "lorentz": "Lorentz-like force",
    "noise": "noise of the force",
}

NAMED = 24
"""Rows that are named one by one; of more, some are numbered."""


def plot_force_response(
    result: ForceResponse,
    *,
    ax: Axes | None = None,
    quantity: str = "curl",
    modes: ModeSet | None = None,
    labels: Sequence[str] | None = None,
    energy_unit: str | None = None,
    length_unit: str | None = None,
) -> Axes:
    """Draw a matrix in colour; the keywords are described in `ForceResponse.plot`."""
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity is {quantity!r}; expected one of {', '.join(QUANTITIES)}.")
    scale = _scale(result, quantity, modes is not None, (energy_unit, length_unit))
    names = _names(result, modes, labels, energy_unit)
    if modes is not None:
        result = result.project(modes.patterns)
    matrix = scale.factor * getattr(result, quantity)
    ax = chart_axes(ax)
    norm = CenteredNorm(halfrange=np.abs(matrix).max() or 1.0)
    image = ax.imshow(matrix, cmap=SIGNED, norm=norm)
    for axis in (ax.xaxis, ax.yaxis):
        if names is not None and len(names) <= NAMED:
            axis.set_ticks(range(len(names)), names)
        else:
            axis.set_major_locator(MaxNLocator(8, integer=True))
    if names is not None and len(names) <= NAMED:
        ax.tick_params("x", rotation=90)
    what = "coordinate" if modes is None else "mode"
    ax.set(xlabel=f"{what} J", ylabel=f"{what} I")
    colour_bar(ax, image, scale.label(QUANTITIES[quantity]))
    return ax


def _names(
    result: ForceResponse,
    modes: ModeSet | None,
    labels: Sequence[str] | None,
    energy_unit: str | None,
) -> list[str] | None:
    """Return the names of the rows: those given, modes by frequency, atoms by direction."""
    n = len(result.friction)
    if modes is not None:
        if not isinstance(modes, ModeSet):
            raise TypeError(f"modes is a {type(modes).__name__}; expected VibrationalModes.")
        moved = Moved(n, result.positions, result.sites, result.units, result.temperature)
        check_same_coordinates(moved, modes)
        n = len(modes.frequencies)
    if labels is not None:
        if len(labels) != n:
            raise ValueError(f"labels has {len(labels)} entries; expected {n}, one per row.")
        return list(labels)
    if modes is not None:
        scale = scales(result.units or modes.units, energy_unit).frequency
        return [f"{k}: {scale.text(omega)}" for k, omega in enumerate(modes.frequencies)]
    if result.positions is None:
        return None
    n_atoms, dim = result.positions.shape
    return [f"{atom} {axis}" for atom in range(n_atoms) for axis in "xyz"[:dim]]


def _scale(
    result: ForceResponse, quantity: str, of_modes: bool, given: tuple[str | None, str | None]
) -> Scale:
    """Return in what a matrix of displacements is or, mass-weighted, of modes; else no unit."""
    kinds = {"jacobian": "curl", "velocity": "friction", "lorentz": "friction"}
    kind = kinds.get(quantity, quantity)
    names = unit_names(result.units, *given)
    energy, length = names.energy, names.length
    if not of_modes:
        known = bool(energy and length) and result.positions is not None
        units = {"curl": names.curl, "friction": f"ħ/{length}²", "noise": f"{energy} ħ/{length}²"}
        return Scale(1.0, units[kind] if known else "")
    shown = scales(result.units, given[0])
    if kind == "friction":
        return shown.rate
    if kind == "noise":
        return Scale(1.0, f"{energy}²/ħ" if energy else "")
    return Scale(shown.frequency.factor**2, f"{shown.frequency.unit}²/ħ²" if energy else "")
