"""A motion that is followed as the forces change, by Newton's method.

Arrays alone, of q'' = -S q - gamma q' - (Pi q)(t); Omega and v as in `dynamics`, Pi as in `memory`.
"""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.memory import Memory, without_constants

__all__ = ["followed"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

STEPS = 15
"""Of Newton's method, which doubles the digits at each."""

CLOSE = 1e-11
"""Newton's method ends with a step as small, relative to the stiffest mode: no digit is left."""

RESIDUAL = 1e-12
"""A solution is one of forces that differ by no more than this, relative to the largest."""


@np.errstate(divide="ignore", over="ignore", invalid="ignore")
def followed(
    stiffness: FloatArray,
    damping: FloatArray,
    frequency: complex,
    vector: ComplexArray | None,
    memory: Memory | None = None,
) -> tuple[complex, ComplexArray] | None:
    """Return Omega and v of a motion near those given, by Newton's method; None without one.

    v: of length one, its largest component real and positive.  Without a vector the search
    begins at random.
    """
    stiffness, damping, memory = without_constants(stiffness, damping, memory)
    n = len(stiffness)
    unit = float(np.sqrt(np.abs(stiffness).max()))
    kept = None if memory is None else memory.scaled(unit)
    stiff, damp, omega = stiffness / unit**2, damping / unit, frequency / unit
    v = np.random.default_rng(n).normal(size=n) + 0j if vector is None else vector
    v = v / np.linalg.norm(v)
    diagonal = np.diag_indices(n)
    for _ in range(STEPS):
        springs, bent = _springs(stiff, kept, omega)
        equation = springs - 1j * omega * damp
        equation[diagonal] -= omega**2
        slope = 1j * (damp @ v) + 2 * omega * v  # minus the derivative of the equation, on v
        if bent is not None:
            slope -= bent @ v
        try:
            turned = np.linalg.solve(equation, slope)
        except np.linalg.LinAlgError:  # exactly at a solution
            omega *= 1 + CLOSE
            continue
        step = complex(1 / np.vdot(v, turned))
        omega, v = omega + step, turned / np.linalg.norm(turned)
        springs, _ = _springs(stiff, kept, omega)
        missed = springs @ v - omega * (1j * (damp @ v) + omega * v)
        largest = max(1.0, float(np.abs(springs).max()))
        if abs(step) <= CLOSE and np.linalg.norm(missed) <= RESIDUAL * largest:
            part = v[np.abs(v).argmax()]
            return omega * unit, v * (abs(part) / part)
    return None


def _springs(
    stiffness: FloatArray, memory: Memory | None, omega: complex
) -> tuple[FloatArray | ComplexArray, ComplexArray | None]:
    """Return S + Pi at a frequency, and the derivative of Pi, if there is one."""
    if memory is None:
        return stiffness, None
    return stiffness + memory(omega), memory.slope(omega)
