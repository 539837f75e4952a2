"""Where the bands of the leads begin and end."""

import numpy as np
from kwant.physics import Bands
from numpy.typing import NDArray

from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["band_edges"]

FloatArray = NDArray[np.float64]

MOMENTA = 65
"""Momenta at which bands are looked at, from -pi to pi."""

FLAT = 1e-6
"""Velocity, relative to the largest, below which a change of its sign is a band edge."""


def band_edges(problem: ScatteringProblem, low: float, high: float) -> FloatArray:
    """Return the energies between `low` and `high` at which modes of leads open or close, sorted.

    These are the extrema of the leads' bands.  An extremum that two of 65 momenta don't enclose
    is missed, and so are leads that are known by modes or a self-energy alone.
    """
    edges = [_extrema(Bands(cells), low, high) for cells in problem.distinct_cells()]
    every = np.sort(np.concatenate([[], *edges]))
    grain = 1e-12 * max(abs(low), abs(high), high - low)
    distinct = np.diff(every, prepend=-np.inf) > grain
    result: FloatArray = every[distinct & (every > low) & (every < high)]
    return result


def _extrema(bands: Bands, low: float, high: float) -> FloatArray:
    """Return the energies at which the velocity of a band is zero."""
    momenta = np.linspace(-np.pi, np.pi, MOMENTA)
    energies, velocities = (
        np.stack(parts)
        for parts in zip(*(bands(k, derivative_order=1) for k in momenta), strict=True)
    )
    small = FLAT * (np.abs(velocities).max() or 1.0)
    step = momenta[1] - momenta[0]
    edges = list(energies[np.abs(velocities) <= small])
    turns = (velocities[:-1] * velocities[1:] < 0) & (
        np.minimum(np.abs(velocities[:-1]), np.abs(velocities[1:])) > small
    )
    for i, band in zip(*np.nonzero(turns), strict=True):
        reach = step * np.abs(velocities[i : i + 2, band]).max()
        near = energies[i : i + 2, band]
        if near.max() + reach > low and near.min() - reach < high:
            edges += _turning_point(bands, momenta[i], momenta[i + 1], band, small)
    return np.array(edges)


def _turning_point(bands: Bands, left: float, right: float, band: int, small: float) -> list[float]:
    """Return the energy at which a band's velocity changes its sign, unless it jumps there."""
    sign = bands(left, derivative_order=1)[1][band] > 0
    for _ in range(50):
        middle = 0.5 * (left + right)
        energies, velocities = bands(middle, derivative_order=1)
        if (velocities[band] > 0) == sign:
            left = middle
        else:
            right = middle
    return [float(energies[band])] if abs(velocities[band]) <= small else []
