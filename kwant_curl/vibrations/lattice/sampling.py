"""At which frequencies the self-energy of the surroundings is looked at."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.vibrations.lattice.surroundings import Surroundings

__all__ = ["Samples", "apart", "first_points", "grid", "points_between", "raised"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

PER_DECADE = 3
"""Samples per decade of the distance from a band edge, on each side."""

LOWEST = 1e-4
"""Frequencies of samples, in units of the top of the bands: below, Kwant can't tell the acoustic
branches' modes apart, and Pi is smooth."""

HIGHEST = 1e-3
"""How far from zero and from band edges samples are raised above the real axis the most, in units
of the top of the bands."""

FAR = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Frequencies above the bands at which Pi is sampled, in units of their top."""


class Samples(NamedTuple):
    """Pi and dPi/domega (n, n_c, n_c) at complex frequencies, (n,) ascending."""

    points: ComplexArray
    values: ComplexArray
    slopes: ComplexArray

    @classmethod
    def of(cls, around: Surroundings, bath: int, points: ComplexArray) -> "Samples":
        """Return the exact self-energy of a bath, at frequencies above the real axis."""
        return cls(points, *around.above(bath, points))

    def where(self, kept: NDArray[np.bool_]) -> "Samples":
        """Return some of them."""
        return Samples(*(part[kept] for part in self))

    def with_others(self, others: "Samples") -> "Samples":
        """Return both together, in order."""
        both = [np.concatenate(parts) for parts in zip(self, others, strict=True)]
        _, first = np.unique(both[0].real, return_index=True)
        return Samples(*(part[first] for part in both))


def raised(points: FloatArray, edges: FloatArray, part: float) -> ComplexArray:
    """Return frequencies above the real axis, where the exact self-energy is found faster.

    By a part of the distance to a band edge, or to zero, but little: a rational function of these
    is as good on the axis.
    """
    top = float(edges.max())
    near = np.minimum(apart(points, edges), points)
    return points + 1j * part * np.minimum(near, HIGHEST * top)


def apart(points: FloatArray, places: FloatArray) -> FloatArray:
    """Return how far points are from the nearest of some places."""
    result: FloatArray = np.abs(points[:, None] - places).min(axis=1, initial=np.inf)
    return result


def first_points(edges: FloatArray, least: float) -> FloatArray:
    """Return frequencies that crowd at both sides of the edges, up to a least distance."""
    top = float(edges.max())
    ends = np.concatenate([[0.0], edges, [1.2 * top]])
    found = [np.array(FAR) * top, np.array([1.0, 3.0, 10.0, 30.0]) * LOWEST * top]
    for low, high in pairwise(ends):
        half = (high - low) / 2
        if half <= least:
            continue
        n = 3 + int(np.ceil(PER_DECADE * np.log10(half / least)))
        away = np.geomspace(least, half, n)
        # Zero is an end without a root in most lattices; the lowest samples are given above.
        found += [low + away if low > 0 else np.linspace(0, half, n)[1:], high - away[:-1]]
    every = np.unique(np.concatenate(found))
    result: FloatArray = every[every >= LOWEST * top]
    return result


def points_between(points: FloatArray, poles: ComplexArray, edges: FloatArray) -> FloatArray:
    """Return frequencies between every other two samples, and at poles that fall between them."""
    top = float(edges.max())
    middle = 0.45 * points[:-1:2] + 0.55 * points[1::2][: len(points[:-1:2])]
    width = -poles.imag
    narrow = width < apart(poles.real, points)
    peaks = poles.real[narrow, None] + width[narrow, None] * np.array([-1.0, 0.3])
    found = np.setdiff1d(np.concatenate([middle, peaks.ravel()]), points)
    least = apart(points, edges).min()
    result: FloatArray = found[
        (apart(found, edges) >= least) & (found < 2 * top) & (found > LOWEST * top)
    ]
    return result


def grid(poles: ComplexArray, edges: FloatArray) -> FloatArray:
    """Return frequencies at which a fit could feed energy in."""
    top = float(edges.max())
    close = np.geomspace(1e-8, 0.03, 40) * top
    whole = [
        (poles.real[:, None] + poles.imag[:, None] * np.linspace(-3, 3, 7)).ravel(),
        (edges[:, None] + np.concatenate([-close, close])).ravel(),
        np.linspace(0, 3 * top, 601),
        np.geomspace(3 * top, 1e4 * top, 40),
    ]
    every = np.unique(np.concatenate(whole))
    result: FloatArray = every[every > 1e-6 * top]
    return result
