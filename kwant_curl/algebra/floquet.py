"""What becomes of small deviations from a periodic orbit in one turn."""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.periodic import Local, PeriodicOrbit, Springs, angles, fourier_slope

__all__ = ["between", "floquet_multipliers"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

STEPS = 24
"""Runge-Kutta steps from a point of the orbit to the next."""


def between(values: FloatArray, theta: FloatArray) -> FloatArray:
    """Return what is known at the angles of an orbit, (n_points, ...), at others: (n, ...)."""
    n_points = len(values)
    apart = 0.5 * (theta[:, None] - angles(n_points))
    waves = np.sin(apart)
    hits = np.abs(waves) < 1e-13
    weights = np.sin(n_points * apart) / (n_points * np.where(hits, 1.0, waves))
    result: FloatArray = np.tensordot(np.where(hits, 1.0, weights), values, axes=1)
    return result


def floquet_multipliers(orbit: PeriodicOrbit, local: Local, springs: Springs) -> ComplexArray:
    """Return the factors (2 n,) of small deviations in a turn, the largest first.

    One of them is 1, that of a deviation along the orbit; the orbit is stable if all others are
    smaller in modulus.  Of an odd number of points, at which all of `local` is known, `bends` too.
    """
    points, omega, _ = orbit
    n_points, n = points.shape
    velocity = omega * fourier_slope(n_points) @ points
    stiffness = -springs(points)[1] - local.slopes
    stiffness += np.einsum("jikl,jk->jil", local.bends, velocity)
    rates = np.zeros((n_points, 2 * n, 2 * n))
    rates[:, :n, n:] = np.eye(n)
    rates[:, n:, :n] = -stiffness
    rates[:, n:, n:] = -local.damping
    n_steps = STEPS * n_points
    times = 2 * np.pi * np.arange(2 * n_steps + 1) / (2 * n_steps)
    fine = between(rates, times) / omega
    step, turned = 2 * np.pi / n_steps, np.eye(2 * n)
    for first, middle, last in zip(fine[:-2:2], fine[1:-1:2], fine[2::2], strict=True):
        one = first @ turned
        two = middle @ (turned + 0.5 * step * one)
        three = middle @ (turned + 0.5 * step * two)
        four = last @ (turned + step * three)
        turned = turned + step / 6 * (one + 2 * two + 2 * three + four)
    found = np.linalg.eigvals(turned).astype(complex)
    return found[np.argsort(-np.abs(found), kind="stable")]
