"""Stacks of bars: what adds to a rate upwards from zero, what takes from it downwards."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

__all__ = ["bar_legend", "stacked_bars"]

FloatArray = NDArray[np.float64]

OKABE_ITO = ("#d55e00", "#0072b2", "#56b4e9", "#cc79a7", "#e69f00", "#009e73", "#999999")
"""Colours that the colour-blind tell apart."""

COLUMNS, ROW = 3, 0.09
"""Of a legend, and the height of its rows in units of that of the bars."""


def stacked_bars(
    ax: Axes, up: FloatArray, down: FloatArray, labels: Sequence[str], total: FloatArray
) -> None:
    """Draw a stack at 0, 1, ...: parts (n, n_parts), not negative, and their sum (n,) as a mark.

    Colours are those of the labels by their place, over again after the last one, hatched then.
    """
    place = np.arange(len(up))
    for sign, parts in ((1, up), (-1, down)):
        start = np.cumsum(parts, axis=1) - parts
        for number, label in enumerate(labels):
            bars = ax.bar(
                place,
                sign * parts[:, number],
                0.7,
                sign * start[:, number],
                color=OKABE_ITO[number % len(OKABE_ITO)],
                label=label if sign > 0 else None,
            )
            for bar in bars if number >= len(OKABE_ITO) else ():
                bar.set_hatch("//" * (number // len(OKABE_ITO)))
    ax.plot(place, total, "D", color="black", markerfacecolor="white", label="growth, the sum")
    ax.axhline(0, color="black", linewidth=0.8)


def bar_legend(ax: Axes, title: str | None = None) -> None:
    """Add a legend with room of its own above the bars."""
    handles, _ = ax.get_legend_handles_labels()
    n_rows = -(-len(handles) // COLUMNS) + (title is not None)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + (0.05 + ROW * n_rows) * (high - low))
    ax.legend(title=title, ncols=COLUMNS, loc="upper center", fontsize="small")
