"""Work along a way: the steps dQ that forces at its points are multiplied with, and added up."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

__all__ = ["Steps", "chebyshev_points", "closed_steps", "open_steps", "smooth_steps"]

FloatArray = NDArray[np.float64]

GAUSS = 4
"""Points between two nodes of a spline: exact for a spline times the slope of one."""


class Steps(NamedTuple):
    """Steps dQ at the points of a way, (n_points, n_c), and of the rule with every second point.

    The work is the sum of force times step; that of the coarse rule tells how well it is known.
    Coarse ones are NaN where there are too few points to leave some out.
    """

    fine: FloatArray
    coarse: FloatArray


def closed_steps(path: FloatArray) -> Steps:
    """Return those of a cycle whose points (n + 1, n_c) are those of a smooth one at equal times.

    The last point is the first one again, where the force is the same, also if the coordinates
    have gone on by a period.  The rule is the trapezoidal one, with derivatives by Fourier
    transforms: its error falls faster than any power of n.
    """
    coarse = np.full_like(path, np.nan)
    if (len(path) - 1) % 2 == 0 and len(path) > 4:
        coarse = np.zeros_like(path)
        coarse[::2] = _closed(path[::2])
    return Steps(_closed(path), coarse)


def _closed(path: FloatArray) -> FloatArray:
    n = len(path) - 1
    winding = path[-1] - path[0]
    turning = path[:-1] - np.linspace(0, 1, n, endpoint=False)[:, None] * winding
    waves = np.fft.rfftfreq(n, 1 / n)
    if n % 2 == 0:
        waves[-1] = 0.0  # of the fastest one the sign is not known
    slope = np.fft.irfft(2j * np.pi * waves[:, None] * np.fft.rfft(turning, axis=0), n, axis=0)
    steps = np.zeros_like(path)
    steps[:-1] = (slope + winding) / n
    # Half of the first step is taken at the last point, which is the same one.
    steps[0], steps[-1] = 0.5 * steps[0], 0.5 * steps[0]
    return steps


def open_steps(path: FloatArray) -> Steps:
    """Return those of a smooth way through points (n_points, n_c), by cubic splines."""
    coarse = np.full_like(path, np.nan)
    if len(path) % 2 == 1 and len(path) > 3:
        coarse = np.zeros_like(path)
        coarse[::2] = _through(path[::2])
    return Steps(_through(path), coarse)


def _through(path: FloatArray) -> FloatArray:
    n = len(path)
    if n == 2:
        return 0.5 * np.stack([path[1] - path[0]] * 2)
    times = np.arange(n, dtype=float)
    nodes, weights = np.polynomial.legendre.leggauss(GAUSS)
    at = (times[:-1, None] + 0.5 * (1 + nodes)).ravel()
    shares = CubicSpline(times, np.eye(n))(at)
    slopes = CubicSpline(times, path)(at, 1)
    steps: FloatArray = shares.T @ (np.tile(0.5 * weights, n - 1)[:, None] * slopes)
    return steps


def chebyshev_points(n_intervals: int) -> FloatArray:
    """Return the n + 1 points of a way from 0 to 1 at which `smooth_steps` takes it."""
    return np.asarray(0.5 * (1 - np.cos(np.pi * np.arange(n_intervals + 1) / n_intervals)))


def smooth_steps(path: FloatArray) -> Steps:
    """Return those of a smooth way known at `chebyshev_points`, by its Chebyshev series.

    The error falls faster than any power of the number of points (Clenshaw and Curtis).
    """
    coarse = np.full_like(path, np.nan)
    if (len(path) - 1) % 2 == 0 and len(path) > 4:
        coarse = np.zeros_like(path)
        coarse[::2] = _smooth(path[::2])
    return Steps(_smooth(path), coarse)


def _smooth(path: FloatArray) -> FloatArray:
    n = len(path) - 1
    x = 2 * chebyshev_points(n) - 1
    nodes, weights = np.polynomial.legendre.leggauss(n + 1)
    series = np.polynomial.chebyshev.chebvander(x, n)
    at = np.polynomial.chebyshev.chebvander(nodes, n)
    # What each value adds to a series, and the slope of the way, at points where products of two
    # polynomials of this order are integrated exactly.
    shares = at @ np.linalg.inv(series)
    slope = np.polynomial.chebyshev.chebder(np.linalg.solve(series, path), axis=0)
    slopes = np.polynomial.chebyshev.chebval(nodes, slope).T
    steps: FloatArray = shares.T @ (weights[:, None] * slopes)
    return steps
