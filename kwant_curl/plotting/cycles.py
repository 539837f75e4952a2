"""Limit cycles as figures."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from kwant_curl.plotting.axes import chart_axes
from kwant_curl.plotting.scales import scales
from kwant_curl.results.limit_cycle import LimitCycle
from kwant_curl.results.limit_cycles import LimitCycles
from kwant_curl.support.units import labelled, unit_names

__all__ = ["plot_limit_cycle", "plot_limit_cycles"]

FloatArray = NDArray[np.float64]

FINE = 201
"""Points of a curve."""

MARKS = {"rest": "s", "cycle": "o", "runs away": "x", "not found": "x"}


def plot_limit_cycle(
    result: LimitCycle,
    *,
    ax: Axes | None = None,
    coordinates: tuple[int, int] | None = None,
    color: str = "C0",
    label: str | None = None,
    length_unit: str | None = None,
) -> Axes:
    """Draw a cycle; the keywords are described in `LimitCycle.plot`."""
    names, shown = unit_names(result.units, None, length_unit), scales(result.units)
    ax = chart_axes(ax)
    times = np.linspace(0, result.period, FINE)
    way, rest = result.displacements(times), result.rest
    n_c = way.shape[1]
    if n_c == 1 and coordinates is None:
        curve = np.column_stack([way[:, 0], np.gradient(way[:, 0], shown.time.factor * times)])
        per_time = f"{names.length}/{shown.time.unit}" if names.length and shown.time.unit else ""
        titles = [labelled("coordinate 0", names.length), labelled("its velocity", per_time)]
        rest = np.array([rest[0], 0.0])
    else:
        chosen = _chosen(result, coordinates)
        curve, rest = way[:, chosen], rest[chosen]
        titles = [labelled(f"coordinate {i}", names.length) for i in chosen]
        ax.set_aspect("equal")
    ax.plot(*curve.T, color=color, label=label)
    ax.plot(*rest, "+", color=color, markersize=10)
    for place in (0, FINE // 2):
        ax.annotate(
            "",
            curve[place + 3],
            curve[place],
            arrowprops={"arrowstyle": "-|>", "color": color, "mutation_scale": 16},
        )
    ax.set(xlabel=titles[0], ylabel=titles[1])
    if result.units is not None:
        frequency = shown.frequency.text(result.frequency)
        ax.set_title(f"frequency {frequency}, period {shown.time.text(result.period)}")
    if label is not None:
        ax.legend()
    return ax


def _chosen(result: LimitCycle, coordinates: tuple[int, int] | None) -> list[int]:
    """Return the two coordinates to draw."""
    n_c = result.points.shape[1]
    if coordinates is None:
        size = np.ptp(result.points, axis=0)
        return sorted(np.argsort(-size, kind="stable")[:2].tolist())
    given = np.asarray(coordinates)
    right = given.shape == (2,) and given.dtype.kind in "iu"
    if not right or not ((given >= 0) & (given < n_c)).all():
        raise ValueError(f"coordinates is {coordinates!r}; expected two of 0 to {n_c - 1}.")
    return [int(i) for i in given]


def plot_limit_cycles(
    result: LimitCycles,
    *,
    ax: Axes | None = None,
    quantity: str = "amplitude",
    color: str = "C0",
    energy_unit: str | None = None,
    length_unit: str | None = None,
) -> Axes:
    """Draw cycles against bias; the keywords are described in `LimitCycles.plot`."""
    names = unit_names(result.units, energy_unit, length_unit)
    shown = scales(result.units, energy_unit)
    labels = {
        "amplitude": labelled("amplitude of the limit cycle", names.length),
        "work": labelled("work of the current per turn", names.energy),
        "frequency": shown.frequency.label("frequency of the limit cycle"),
    }
    if quantity not in labels:
        raise ValueError(f"quantity is {quantity!r}; expected one of {', '.join(labels)}.")
    values = getattr(result, quantity) * (
        shown.frequency.factor if quantity == "frequency" else 1.0
    )
    ax = chart_axes(ax)
    order = np.argsort(result.voltage, kind="stable")
    biases, heights = _with_onset(result, quantity, result.voltage[order], values[order])
    ax.plot(shown.bias.factor * biases, heights, color=color, linewidth=1.0)
    outcome = np.array(result.outcome)
    for kind in dict.fromkeys(result.outcome):
        which = outcome == kind
        heights = values[which]
        if kind in ("runs away", "not found"):  # at the upper edge: there is no number
            heights = np.full(which.sum(), np.nanmax(values, initial=0.0))
        if np.isnan(heights).all():
            continue
        face = color if kind == "cycle" else "none"
        at = shown.bias.factor * result.voltage[which]
        marks = ax.plot(at, heights, MARKS[kind], color=color, label=kind)[0]
        marks.set_markerfacecolor(face)
    if result.critical is not None:
        onset = shown.bias.factor * result.critical
        ax.axvline(onset, color="0.5", linestyle="--", linewidth=0.8, label="onset")
    ax.set(xlabel=shown.bias.label("bias"), ylabel=labels[quantity])
    ax.legend()
    return ax


def _with_onset(
    result: LimitCycles, quantity: str, voltage: FloatArray, values: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the line: amplitude and work begin at the onset, if the cycles do."""
    known = np.isfinite(values)
    voltage, values = voltage[known], values[known]
    if result.critical is None or quantity == "frequency":
        return voltage, values
    place = int(np.searchsorted(voltage, result.critical))
    below = values[:place] if result.critical > 0 else values[place:]
    if below.any():  # hysteresis
        return voltage, values
    return np.insert(voltage, place, result.critical), np.insert(values, place, 0.0)
