"""The motion that grows fastest, and one that is followed as the forces change.

Arrays alone, of q'' = -S q - gamma q'; Omega and v as in `dynamics`.
"""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.dynamics import complex_frequencies, forward_frequencies

__all__ = ["MANY", "fastest_motion", "followed"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

MANY = 200
"""From so many modes on the vector of one is worth a search of its own."""

STEPS = 15
"""Of Newton's method, which doubles the digits at each."""

CLOSE = 1e-11
"""Newton's method ends with a step as small, relative to the stiffest mode: no digit is left."""

RESIDUAL = 1e-12
"""A solution is one of forces that differ by no more than this, relative to the largest."""


def fastest_motion(stiffness: FloatArray, damping: FloatArray) -> tuple[int, complex, ComplexArray]:
    """Return the number, Omega and v of the motion that grows fastest.

    The number is that by ascending real part, as in `complex_frequencies`.
    """
    if len(stiffness) >= MANY:
        frequencies = forward_frequencies(stiffness, damping)
        number = int(frequencies.imag.argmax())
        found = followed(stiffness, damping, complex(frequencies[number]), None)
        if found is not None:
            return number, complex(frequencies[number]), found[1]
    frequencies, vectors = complex_frequencies(stiffness, damping)
    number = int(frequencies.imag.argmax())
    return number, complex(frequencies[number]), vectors[number]


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
def followed(
    stiffness: FloatArray, damping: FloatArray, frequency: complex, vector: ComplexArray | None
) -> tuple[complex, ComplexArray] | None:
    """Return Omega and v of a motion near those given, by Newton's method; None without one.

    v: of length one, its largest component real and positive.  Without a vector the search
    begins at random.
    """
    n = len(stiffness)
    unit = float(np.sqrt(np.abs(stiffness).max()))
    stiff, damp, omega = stiffness / unit**2, damping / unit, frequency / unit
    v = np.random.default_rng(n).normal(size=n) + 0j if vector is None else vector
    v = v / np.linalg.norm(v)
    diagonal = np.diag_indices(n)
    for _ in range(STEPS):
        equation = stiff - 1j * omega * damp
        equation[diagonal] -= omega**2
        slope = 1j * (damp @ v) + 2 * omega * v  # minus the derivative of the equation, on v
        try:
            turned = np.linalg.solve(equation, slope)
        except np.linalg.LinAlgError:  # exactly at a solution
            omega *= 1 + CLOSE
            continue
        step = complex(1 / np.vdot(v, turned))
        omega, v = omega + step, turned / np.linalg.norm(turned)
        missed = stiff @ v - omega * (1j * (damp @ v) + omega * v)
        if abs(step) <= CLOSE and np.linalg.norm(missed) <= RESIDUAL:
            part = v[np.abs(v).argmax()]
            return omega * unit, v * (abs(part) / part)
    return None
