"""A rational self-energy that takes energy, and gives none, at every frequency.

Arrays only.  Where -Im Pi(omega)/omega of a fit has a negative eigenvalue, in a dip beside a band
edge, an oscillator as narrow as the dip takes what is fed in there, and has no effect elsewhere;
what is left is made up for by a constant friction.
"""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.gaining import gaining
from kwant_curl.algebra.memory import Memory

__all__ = ["passive"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

ROUNDS = 6
"""How often oscillators are added."""

MARGIN = 1.02
"""The friction that is added, over the least that is needed where it was looked at."""

ENOUGH = 1.3
"""How much more than what is fed in an oscillator takes."""

PIECE = 2**21
"""Elements of the matrices that are calculated together."""


def passive(memory: Memory, frequencies: FloatArray, allowed: float) -> Memory:
    """Return the memory with oscillators and friction, so that it damps at all frequencies.

    Parameters
    ----------
    memory : Memory
        Its friction is none.
    frequencies : array (n,)
        Where it is looked at, positive and ascending.
    allowed : float
        The friction up to which no oscillators are added.
    """
    damping = _dampings(memory, frequencies)
    lowest, vectors = _lowest(damping)
    for _ in range(ROUNDS):
        dips = _minima(lowest, -allowed)
        if not dips.size:
            break
        added = _oscillators(frequencies, lowest, vectors, dips, allowed)
        damping += _dampings(added, frequencies)
        lowest, vectors = _lowest(damping)
        memory = memory._replace(
            poles=np.concatenate([memory.poles, added.poles]),
            residues=np.concatenate([memory.residues, added.residues]),
        )
    one = np.eye(len(memory.friction))
    memory = memory._replace(friction=MARGIN * max(0.0, -float(lowest.min())) * one)
    while (found := gaining(memory)) is not None:  # between those frequencies
        memory = memory._replace(friction=memory.friction - MARGIN * found[1] * one)
    return memory


def _dampings(memory: Memory, frequencies: FloatArray) -> FloatArray:
    """Return -Im Pi/omega, (n, rank, rank)."""
    result = np.empty((len(frequencies), *memory.friction.shape))
    pieces = -(-result.size // PIECE)
    for some in np.array_split(np.arange(len(frequencies)), pieces):
        result[some] = memory.damping(frequencies[some])
    return result


def _lowest(damping: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lowest eigenvalue at each frequency, and its vector."""
    values, columns = np.linalg.eigh(damping)
    return values[:, 0], columns[:, :, 0]


def _minima(values: FloatArray, limit: float) -> IntArray:
    """Return where values have minima below a limit."""
    around = np.concatenate([[np.inf], values, [np.inf]])
    found: IntArray = np.flatnonzero(
        (values <= around[:-2]) & (values < around[2:]) & (values < limit)
    )
    return found


def _oscillators(
    frequencies: FloatArray,
    lowest: FloatArray,
    vectors: FloatArray,
    dips: IntArray,
    allowed: float,
) -> Memory:
    """Return damped oscillators, one for each dip, of its frequency, depth, vector and width."""
    out = np.flatnonzero(lowest >= -0.5 * allowed)
    left = out[np.maximum(np.searchsorted(out, dips) - 1, 0)] if out.size else 0 * dips
    right = out[np.minimum(np.searchsorted(out, dips), out.size - 1)] if out.size else dips * 0 - 1
    at = frequencies[dips]
    width = np.maximum(np.abs(frequencies[right] - at), np.abs(at - frequencies[left]))
    width = np.minimum(width, 0.5 * at)
    strength = -ENOUGH * lowest[dips] * width * at
    along = vectors[dips]
    rank = along.shape[1]
    nothing = np.zeros((rank, rank))
    residues = strength[:, None, None] * along[:, :, None] * along[:, None, :]
    return Memory(at - 1j * width, residues.astype(complex), nothing, nothing)
