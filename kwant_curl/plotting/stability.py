"""Growth and frequencies against bias as figures."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from kwant_curl.plotting.axes import chart_axes
from kwant_curl.plotting.scales import Scales, scales
from kwant_curl.vibrations.critical import CriticalBias
from kwant_curl.vibrations.stabilities import Stability

__all__ = ["plot_stability"]

FIRST = "#d55e00"
"""Colour of the mode that grows first: vermilion, which the colour-blind tell from grey."""

GROWING, QUIET = "0.35", "0.75"
"""Of others that grow somewhere, and of those that don't."""


def plot_stability(
    result: Stability,
    *,
    ax: Axes | None = None,
    quantity: str = "growth",
    critical: CriticalBias | None = None,
    energy_unit: str | None = None,
) -> Axes:
    """Draw growth or frequency against bias; the keywords are described in `Stability.plot`."""
    if quantity not in ("growth", "frequency"):
        raise ValueError(f'quantity is {quantity!r}; expected "growth" or "frequency".')
    shown = scales(result.units, energy_unit)
    onset, first = _marked(result, critical)
    ax = chart_axes(ax)
    how = "grows fastest" if onset is None else "grows first"
    _draw_modes(ax, result, quantity, shown, (first, how))
    if quantity == "growth":
        ax.axhline(0, color="black", linewidth=0.8)
    if onset is not None:
        label = f"critical bias {shown.bias.text(onset)}"
        ax.axvline(shown.bias.factor * onset, color=FIRST, linestyle=":", label=label)
    rate = shown.rate.label("growth rate of the energy")
    ax.set_xlabel(shown.bias.label("bias"))
    ax.set_ylabel(rate if quantity == "growth" else shown.frequency.label("frequency"))
    ax.legend()
    return ax


def _marked(result: Stability, critical: CriticalBias | None) -> tuple[float | None, int | None]:
    """Return the critical bias and the mode in colour, by the samples or as they are given."""
    if critical is not None:
        return _given(result, critical)
    if result.onset is not None:
        return result.onset
    lowest = np.abs(result.voltage).argmin()
    growing = not result.is_stable[lowest]
    return None, int(result.growth[lowest].argmax()) if growing else None


def _given(result: Stability, critical: CriticalBias) -> tuple[float | None, int | None]:
    """Return the bias of a search, and which of these modes is the one that it found."""
    if not isinstance(critical, CriticalBias):
        raise TypeError(
            f"critical is a {type(critical).__name__}; expected a CriticalBias, from critical_bias."
        )
    if critical.amplitudes is None or critical.shifts is None:
        return None, None
    n_basis, n_leads = result.amplitudes.shape[2], result.bias.shape[1]
    if critical.units != result.units or (n_basis,) != critical.amplitudes.shape:
        raise ValueError(
            f"critical is of {len(critical.amplitudes)} vibrations in {critical.units}, the "
            f"stability of {n_basis} in {result.units}; expected those of the same modes."
        )
    if critical.shifts.shape != (n_leads,):
        raise ValueError(
            f"critical is of {len(critical.shifts)} leads, the stability of {n_leads}; expected "
            "those of the same response."
        )
    nearest = np.linalg.norm(result.bias - critical.shifts, axis=1).argmin()
    overlap = np.abs(result.amplitudes[nearest].conj() @ critical.amplitudes)
    return float(critical), int(overlap.argmax())


def _draw_modes(
    ax: Axes, result: Stability, quantity: str, shown: Scales, coloured: tuple[int | None, str]
) -> None:
    """Draw a line for each mode: those that don't grow, others that do, the coloured one on top."""
    first, how = coloured
    order = np.argsort(result.voltage, kind="stable")
    bias = shown.bias.factor * result.voltage[order]
    growth = shown.rate.factor * result.growth[order]
    frequency = shown.frequency.factor * result.frequencies.real[order]
    values = growth if quantity == "growth" else frequency
    grows: NDArray[np.bool_] = np.asarray(result.growing.any(axis=0))
    lost = np.asarray((result.growing & (result.frequencies.real == 0)).any(axis=0))
    others = np.arange(result.frequencies.shape[1]) != first
    marker = "." if len(bias) < 2 else None
    for which, colour, label in (
        (others & ~grows, QUIET, "modes that decay"),
        (others & grows, GROWING, "other modes that grow" if grows.sum() > 1 else "grows"),
    ):
        for place, mode in enumerate(np.flatnonzero(which)):
            line = ax.plot(bias, values[:, mode], color=colour, linewidth=0.8, marker=marker)[0]
            line.set(linestyle="--" if lost[mode] else "-", label="_" if place else label)
    if first is not None:
        line = ax.plot(bias, values[:, first], color=FIRST, marker=marker, linewidth=1.8)[0]
        still = ", does not oscillate" if lost[first] else ""
        line.set(linestyle="--" if lost[first] else "-", label=f"mode {first}, {how}{still}")
