"""Periodic solutions of x'' = f(x) + F(x) - gamma(x) x' by Fourier collocation: arrays alone.

Masses are 1.  f is what a potential exerts, at hand wherever it is asked for; F and gamma cost
much more, and are known at the points of an orbit with the slopes of F.  Points x(theta_j),
(n_points, n), are at theta_j = 2 pi j/n_points, an odd number of them; the time is theta/omega.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Local",
    "PeriodicOrbit",
    "Springs",
    "angles",
    "fourier_slope",
    "harmonic_orbit",
    "imbalance",
    "neutral_orbit",
    "rest_position",
    "size_of",
    "tail",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

Springs = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""f and df_i/dx_k at points (n_points, n): (n_points, n) and (n_points, n, n)."""

ITERATIONS = 25
"""Newton's method takes four or five."""

LEARNS = 1e-3
"""Points that have moved by less, relative to the amplitude, tell nothing of how gamma changes."""

CONVERGED = 1e-10
"""A step of Newton's method that is as small, relative to the amplitude, is the last."""


class Local(NamedTuple):
    """The costly forces at points (n_points, n), and how they go on from there.

    force: F (n_points, n); slopes: dF_i/dx_k (n_points, n, n); damping: gamma, alike; bends:
    dgamma_ik/dx_l (n_points, n, n, n) as far as it is known.
    """

    points: FloatArray
    force: FloatArray
    slopes: FloatArray
    damping: FloatArray
    bends: FloatArray

    def force_at(self, points: FloatArray) -> FloatArray:
        """Return F to first order from where it is known."""
        apart = points - self.points
        result: FloatArray = self.force + np.einsum("jik,jk->ji", self.slopes, apart)
        return result

    def damping_at(self, points: FloatArray) -> FloatArray:
        """Return gamma as far as it is known there."""
        apart = points - self.points
        result: FloatArray = self.damping + np.einsum("jikl,jl->jik", self.bends, apart)
        return result

    def learned(self, before: "Local | None", amplitude: float) -> "Local":
        """Return the same with how gamma changes, from before and along the orbit.

        What is known of the changes is that of the last time, corrected where points have moved by
        more than a thousandth of the amplitude (C. G. Broyden, Math. Comput. 19, 577 (1965)), and
        along the orbit, where gamma is known all the way.
        """
        bends = self.bends
        if before is not None:
            apart = self.points - before.points
            far = np.linalg.norm(apart, axis=1) > LEARNS * amplitude
            change = np.where(far[:, None, None], self.damping - before.damping, 0.0)
            bends = _corrected(before.bends, np.where(far[:, None], apart, 0.0), change)
        slope = fourier_slope(len(self.points))
        along = np.einsum("jl,lik->jik", slope, self.damping)
        return self._replace(bends=_corrected(bends, slope @ self.points, along))


class PeriodicOrbit(NamedTuple):
    """An orbit, and the damping -surplus x' with which it would go on for ever.

    points (n_points, n); frequency: omega; surplus: a rate, positive for an orbit that gains energy
    without it; zero for a periodic solution.
    """

    points: FloatArray
    frequency: float
    surplus: float


def _corrected(bends: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """Return bends (n_points, n, n, n) that turn the steps (n_points, n) into the changes."""
    missed = change - np.einsum("jikl,jl->jik", bends, step)
    length = (step**2).sum(axis=1)
    direction = np.divide(step, length[:, None], out=np.zeros_like(step), where=length[:, None] > 0)
    result: FloatArray = bends + missed[..., None] * direction[:, None, None, :]
    return result


def angles(n_points: int) -> FloatArray:
    """Return theta_j of the points."""
    return 2 * np.pi * np.arange(n_points) / n_points


def fourier_slope(n_points: int) -> FloatArray:
    """Return the matrix of d/dtheta at an odd number of equidistant points."""
    apart = angles(n_points)[:, None] - angles(n_points)
    signs = (-1.0) ** np.subtract.outer(np.arange(n_points), np.arange(n_points))
    np.fill_diagonal(apart, np.pi)
    result: FloatArray = 0.5 * signs / np.sin(0.5 * apart)
    np.fill_diagonal(result, 0.0)
    return result


def harmonic_orbit(
    rest: FloatArray, vector: ComplexArray, amplitude: float, n_points: int
) -> FloatArray:
    """Return rest + Re amplitude v exp(-i theta), (n_points, n)."""
    turning = np.exp(-1j * angles(n_points))[:, None] * vector
    result: FloatArray = rest + amplitude * turning.real
    return result


def imbalance(orbit: PeriodicOrbit, local: Local, springs: Springs) -> FloatArray:
    """Return x'' - f - F + (gamma + surplus) x' at the points, (n_points, n)."""
    points, omega, surplus = orbit
    slope = fourier_slope(len(points))
    velocity = omega * slope @ points
    damped = np.einsum("jik,jk->ji", local.damping_at(points), velocity) + surplus * velocity
    result: FloatArray = omega * slope @ velocity - springs(points)[0] - local.force_at(points)
    return result + damped


def size_of(points: FloatArray) -> float:
    """Return the root of twice the mean square distance from the centre.

    Of Re amplitude v exp(-i theta) with v of length one, the amplitude.
    """
    return float(np.sqrt(2 * np.mean(((points - points.mean(axis=0)) ** 2).sum(axis=1))))


def neutral_orbit(
    guess: PeriodicOrbit,
    local: Local,
    springs: Springs,
    amplitude: float,
    given: float | None = None,
) -> PeriodicOrbit:
    """Return the orbit of a given size near a guess, with its frequency and its surplus.

    Or, if a surplus is `given`, that with this one, of any size.  By Newton's method, with F and
    gamma to first order from the points where they are known.  Of the orbits that differ by their
    phase, that which is nearest to the guess.

    Raises
    ------
    ValueError
        Where it does not converge.
    """
    points, omega, surplus = guess
    n_points, n = points.shape
    slope, unit = fourier_slope(n_points), np.eye(n)
    ahead = (slope @ points) / (n_points * amplitude)
    for _ in range(ITERATIONS):
        outwards = 2 / (n_points * amplitude) * (points - points.mean(axis=0))
        missed = [
            0.5 * (size_of(points) ** 2 / amplitude - amplitude),
            np.sum(ahead * (points - guess.points)),
        ]
        rest = imbalance(PeriodicOrbit(points, omega, surplus), local, springs)
        way, gamma = slope @ points, local.damping_at(points)
        stiffness = -springs(points)[1] - local.slopes
        stiffness += omega * np.einsum("jikl,jk->jil", local.bends, way)
        inner = omega * np.einsum("jl,jik->jilk", slope, gamma + surplus * unit)
        inner += omega**2 * np.einsum("jl,ik->jilk", slope @ slope, unit)
        inner[np.arange(n_points), :, np.arange(n_points)] += stiffness
        damped = np.einsum("jik,jk->ji", gamma, way) + surplus * way
        jacobian = np.zeros((n_points * n + 2,) * 2)
        jacobian[:-2, :-2] = inner.reshape(n_points * n, -1)
        jacobian[:-2, -2] = (2 * omega * slope @ way + damped).ravel()
        jacobian[:-2, -1] = omega * way.ravel()
        jacobian[-2, :-2], jacobian[-1, :-2] = outwards.ravel(), ahead.ravel()
        if given is not None:
            missed[0] = surplus - given
            jacobian[-2] = 0.0
            jacobian[-2, -1] = 1.0
        step = np.linalg.solve(jacobian, -np.concatenate([rest.ravel(), missed]))
        points = points + step[:-2].reshape(n_points, n)
        omega, surplus = omega + float(step[-2]), surplus + float(step[-1])
        small = np.abs(step[:-2]).max() <= CONVERGED * amplitude
        if small and np.abs(step[-2:]).max() <= CONVERGED * abs(omega):
            return PeriodicOrbit(points, omega, surplus)
    raise ValueError(
        f"No orbit of the amplitude {amplitude:.4g} was found: Newton's method does not converge."
    )


def rest_position(
    start: FloatArray,
    local_at: Callable[[FloatArray], Local],
    springs: Springs,
    accuracy: float,
    error: float,
) -> Local:
    """Return the forces where f + F is zero, (1, n) each, by Newton's method.

    accuracy: a length; error: of F, relative to itself, beyond which nothing is known.

    Raises
    ------
    ValueError
        Where it does not converge.
    """
    x = start[None]
    for _ in range(ITERATIONS):
        local = local_at(x)
        force, slopes = springs(x)
        stiffness = -(slopes + local.slopes)[0]
        step = np.linalg.solve(stiffness, (force + local.force)[0])
        unknown = error * np.abs(np.linalg.solve(stiffness, local.force[0])).max()
        if np.abs(step).max() <= accuracy + unknown:
            return local
        x = x + step
    raise ValueError("No place was found at which the forces of potential and current cancel.")


def tail(points: FloatArray) -> float:
    """Return the size of the two last harmonics of an orbit, relative to the largest."""
    harmonics = np.linalg.norm(np.fft.rfft(points, axis=0)[1:], axis=1)
    return float(harmonics[-2:].max() / harmonics.max())
