"""Vectors on sites as arrows."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from kwant_curl.plotting.sites import SMALL

__all__ = ["draw_arrows"]

FloatArray = NDArray[np.float64]

KEY = 0.08
"""What the key takes of the height."""

ARROWS = 24
"""Arrows along the longer side of a large map."""


def draw_arrows(
    ax: Axes, positions: FloatArray, vectors: FloatArray, spacing: float, label: str
) -> None:
    """Draw `vectors`, on large maps their mean in each cell of a coarse grid.

    A key above the map has the length of the longest; the axes make room for it.
    """
    cell = spacing
    if len(positions) >= SMALL:
        # Whole numbers of sites in a cell, the grid in the middle: arrows are as regular as sites.
        extent = np.ptp(positions, axis=0)
        cell = spacing * max(1, round(extent.max() / ARROWS / spacing))
        margin = 0.5 * (np.ceil((extent + spacing) / cell) * cell - extent)
        index = np.floor((positions - positions.min(axis=0) + margin) / cell).astype(int)
        _, which, count = np.unique(index, axis=0, return_inverse=True, return_counts=True)
        positions, vectors = (
            np.stack([np.bincount(which.ravel(), v) for v in values.T], axis=1) / count[:, None]
            for values in (positions, vectors)
        )
    length = np.linalg.norm(vectors, axis=1)
    shown = length > 0.02 * length.max()
    if not shown.any():
        return
    small = cell == spacing
    longest = (0.8 if small else 1.2) * cell
    arrows = ax.quiver(
        *positions[shown].T,
        *(vectors[shown] / length.max()).T,
        angles="xy",
        scale_units="xy",
        scale=1 / longest,
        pivot="middle",
        width=0.003,
        color="black",
        # Where discs leave room between them, below these.
        zorder=0.5 if small else 3,
    )
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + KEY * (high - low))
    text = f"{label} {length.max():.2g}"
    # The tail of the arrow, whose tip stays inside.
    place = 0.98 - longest / np.ptp(ax.get_xlim()), 1 - 0.5 * KEY
    ax.quiverkey(arrows, *place, 1.0, text, labelpos="W", coordinates="axes")
