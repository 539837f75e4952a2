"""The memory of which a damping is known at real frequencies: causal, by a rational function.

Arrays alone.  Of a response Lambda(omega), the transform of something real that comes after its
cause, the anti-Hermitian part omega gamma(omega) is given; the Hermitian part follows (Kramers and
Kronig), since all poles of the rational function are below the real axis.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.memory import Memory

__all__ = ["remembered"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

ACCURACY = 0.01
"""Poles are added until the damping is met to this part of itself."""

LEAST = 0.02
"""Below this part of the largest damping it is met to this part of that."""

WEAKEST = 1e-6
"""Directions that are damped by a smaller part than this of the strongest aren't told apart."""

BEYOND = 4.0
"""How far beyond the last frequency the fit is looked at, in that frequency."""

PER_INTERVAL = 4
"""At how many frequencies between two of the table."""

DEPENDENT = 1e-7
"""Combinations of poles that matter to this part only are left out."""


def remembered(frequencies: FloatArray, damping: ComplexArray) -> Memory:
    """Return Pi(omega) = -Lambda(omega) with Pi(0) = 0 and damping as given, nearly.

    Parameters
    ----------
    frequencies : array (n_frequencies,)
        Positive and ascending.
    damping : array of complex (n_frequencies, n, n)
        gamma(omega), Hermitian.  omega gamma is linear in between; before the first and beyond the
        last frequency Re gamma and omega Im gamma are constant.

    Returns
    -------
    Memory
        Its residues are not symmetric where gamma is complex, and its damping
        -(Pi - Pi^+)/(2i omega) meets gamma to 1 %, or as far as a pole for each frequency can, up
        to an imaginary constant over omega: that is part of the value at zero.
    """
    outward, inward = _directions(damping)
    known = _Known.of(frequencies, inward @ damping @ inward.T)
    knots = np.concatenate([[0.0], frequencies])
    most = len(frequencies)
    n_poles = 0
    while True:
        poles, residues, error = known.fitted(_spread(knots, n_poles))
        if error <= ACCURACY or n_poles == most:
            break
        n_poles = min(max(2, 2 * n_poles), most)
    nothing = np.zeros(damping.shape[1:])
    memory = Memory(poles, residues, nothing, known.friction).projected(outward)
    return memory._replace(constant=-memory(0.0).real)


def _directions(damping: ComplexArray) -> tuple[FloatArray, FloatArray]:
    """Return a matrix and its inverse, to coordinates that are all damped about alike.

    Else what is damped weakly would be lost in the errors of what is damped strongly.
    """
    values, columns = np.linalg.eigh(damping.real.mean(axis=0))
    size = np.sqrt(np.maximum(np.abs(values), WEAKEST * np.abs(values).max(initial=0.0)))
    size[size == 0] = 1.0
    return columns * size, (columns / size).T


def _spread(knots: FloatArray, number: int) -> ComplexArray:
    """Return so many poles, as dense as the knots are, and as wide as they are apart."""
    places = np.linspace(0, len(knots) - 1, number + 1)
    ends = np.interp(places, np.arange(len(knots)), knots)
    poles: ComplexArray = 0.5 * (ends[1:] + ends[:-1]) - 1j * np.diff(ends)
    return poles


class _Known(NamedTuple):
    """What poles are to make up for, at frequencies of which the last ones are beyond the table.

    friction: (n, n) Re gamma at the end of the table; real, turning: (n_omega, n, n) Re gamma and
    omega Im gamma less those at the end; weights: (n_omega,) one over the size that an error is
    compared with.
    """

    omega: FloatArray
    friction: FloatArray
    real: FloatArray
    turning: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, frequencies: FloatArray, damping: ComplexArray) -> "_Known":
        """Return it with a table continued by constants."""
        n = len(frequencies)
        knots = np.concatenate([[0.0], frequencies])
        places = np.linspace(0, n, PER_INTERVAL * n + 1)
        inside = np.interp(places, np.arange(n + 1), knots)
        outside = frequencies[-1] * np.linspace(1, BEYOND, 2 * n + 1)[1:]
        omega = np.concatenate([inside, outside])
        lasting = _between(omega, frequencies, frequencies[:, None, None] * damping)
        # Constant before the first frequency and beyond the last one.
        of = np.clip(omega, frequencies[0], frequencies[-1])[:, None, None]
        real, turning = lasting.real / of, lasting.imag
        size = np.abs(real).max(axis=(1, 2))
        size = np.maximum(size, LEAST * size.max(initial=0.0))
        size[size == 0] = 1.0
        return cls(omega, damping[-1].real, real - real[-1], turning - turning[-1], 1 / size)

    def fitted(self, poles: ComplexArray) -> tuple[ComplexArray, ComplexArray, float]:
        """Return poles, residues, and the largest error relative to the damping."""
        omega = self.omega[:, None]
        shapes = 2 / (omega**2 - poles**2)
        # Re gamma is symmetric and -Im Pi/omega of symmetric residues; Im gamma is antisymmetric,
        # and omega times it is Re Pi of antisymmetric ones.
        symmetric = np.hstack([-shapes.imag, -shapes.real])
        antisymmetric = np.hstack([(poles * shapes).real, -(poles * shapes).imag])
        # An error of omega Im gamma counts over omega, and below the first frequency over that.
        over = self.weights / np.maximum(self.omega, self.omega[PER_INTERVAL])
        first, error = _solved(symmetric, self.real, self.weights)
        second, other = _solved(antisymmetric, self.turning, over)
        return poles, first + second, max(error, other)


def _between(omega: FloatArray, known: FloatArray, values: NDArray[np.inexact]) -> NDArray[Any]:
    """Return matrices (n_known, n, n) in between, linear, and constant beyond."""
    place = np.interp(omega, known, np.arange(len(known)))
    lower = np.minimum(place.astype(int), max(len(known) - 2, 0))
    upper = np.minimum(lower + 1, len(known) - 1)
    part = (place - lower)[:, None, None]
    result: NDArray[Any] = (1 - part) * values[lower] + part * values[upper]
    return result


def _solved(
    columns: FloatArray, values: FloatArray, weights: FloatArray
) -> tuple[ComplexArray, float]:
    """Return residues (n_poles, n, n) by least squares, and the largest error that is left."""
    n, n_poles = values.shape[-1], columns.shape[1] // 2
    wanted = weights[:, None] * values.reshape(len(values), -1)
    weighted = weights[:, None] * columns
    size = np.linalg.norm(weighted, axis=0)
    found = np.linalg.lstsq(weighted / size, wanted, rcond=DEPENDENT)[0] / size[:, None]
    error = float(np.abs(weighted @ found - wanted).max(initial=0.0))
    return (found[:n_poles] + 1j * found[n_poles:]).reshape(n_poles, n, n), error
