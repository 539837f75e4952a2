"""Whether surroundings only take energy: -Im Pi(omega)/omega is a matrix of damping.

Arrays alone.
"""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.memory import Memory

__all__ = ["gaining"]

FloatArray = NDArray[np.float64]

AROUND = (-64.0, -16.0, -4.0, -1.0, 0.0, 1.0, 4.0, 16.0, 64.0)
"""Where around a pole, in its distance from the real axis."""

BEYOND = (2.0, 10.0, 100.0)
"""Where beyond the last pole, in its frequency."""

ROUNDING = 1e-12
"""Below this part of the terms a negative damping is rounding of their sum."""

PIECE = 2**22
"""Elements of the matrices that are looked at together."""


def gaining(memory: Memory) -> tuple[float, float] | None:
    """Return a frequency, and the eigenvalue of -Im Pi/omega there, that is negative; None without.

    Looked for at zero, at frequencies around each pole, beyond all of them, and at infinity, where
    the friction is left.  What is rounding of the sum over poles is none.
    """
    lowest = float(np.linalg.eigvalsh(memory.friction).min(initial=0.0))
    if lowest < -ROUNDING * np.abs(memory.friction).max(initial=0.0):
        return np.inf, lowest
    if not len(memory.poles):
        return None
    near = memory.poles.real[:, None] - memory.poles.imag[:, None] * np.array(AROUND)
    last = np.abs(memory.poles).max()
    omegas = np.unique(np.abs(np.concatenate([[0.0], near.ravel(), last * np.array(BEYOND)])))
    sizes = np.abs(memory.residues).max(axis=(1, 2))
    pieces = -(-omegas.size * memory.friction.size // PIECE)
    worst = min(_lowest(memory, sizes, part) for part in np.array_split(omegas, pieces))
    return None if worst[0] >= 0 else (worst[2], worst[1])


def _lowest(memory: Memory, sizes: FloatArray, omegas: FloatArray) -> tuple[float, float, float]:
    """Return the lowest eigenvalue beyond rounding, relative to that, itself, and where it is."""
    # -Im Pi/omega without a cancellation at zero: both terms of a pole together.
    real, imaginary = memory.poles.real, memory.poles.imag
    below = (
        np.abs(omegas[:, None] - memory.poles) ** 2 * np.abs(omegas[:, None] + memory.poles) ** 2
    )
    of_real = -4 * imaginary * real / below
    of_imaginary = -2 * (omegas[:, None] ** 2 - (memory.poles**2).real) / below
    damping = np.tensordot(of_real, memory.residues.real, 1)
    damping += np.tensordot(of_imaginary, memory.residues.imag, 1) + memory.friction
    terms = (np.abs(of_real) + np.abs(of_imaginary)) @ sizes
    terms = len(memory.friction) * (terms + np.abs(memory.friction).max(initial=0.0))
    values = np.linalg.eigvalsh(damping)[:, 0]
    beyond = values / np.where(terms > 0, terms, 1.0) + ROUNDING
    worst = int(beyond.argmin())
    return float(beyond[worst]), float(values[worst]), float(omegas[worst])
