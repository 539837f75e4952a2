"""Friction and noise of atoms over a step: the middle of BAOAB, with a matrix."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.dynamics import ornstein_uhlenbeck

__all__ = ["Bath", "Damping", "Pushed"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Damping(NamedTuple):
    """Friction of other origin than the electrons: rates of each atom, (n,), and kT; h: the step.

    noise: whether it has any.
    """

    rates: FloatArray
    temperature: float
    step: float
    noise: bool


class Pushed(NamedTuple):
    """Momenta (n, 3) after friction alone, and after friction and noise."""

    damped: FloatArray
    momenta: FloatArray


class Bath:
    """What friction and noise do to the atoms' momenta, while the atoms stay where they are.

    u' = -Gamma u + xi of u = p/sqrt(m), solved exactly: Gamma and the noise hold the electrons'
    tensors of the atoms that move under them, full matrices, and the `damping` of each atom.

    Parameters
    ----------
    masses : array (n,)
    moving : array of int (n_moving,)
        The atoms of the electrons' tensors.
    damping : Damping
    free : array (n, 3, 3) or None
        Projectors on the directions in which each atom may move.
    """

    def __init__(
        self, masses: FloatArray, moving: IntArray, damping: Damping, free: FloatArray | None
    ) -> None:
        self._roots = np.sqrt(masses)[:, None]
        self._moving, self._damping, self._free = moving, damping, free
        self._decay = np.exp(-damping.rates * damping.step)[:, None]
        kt = damping.temperature if damping.noise else 0.0
        self._spread = np.sqrt(-kt * np.expm1(-2 * damping.rates * damping.step))[:, None]
        self._last: tuple[FloatArray, FloatArray] | None = None
        self._matrices: tuple[FloatArray, FloatArray] | None = None

    def push(
        self, momenta: FloatArray, gamma: FloatArray, noise: FloatArray, xi: FloatArray | None
    ) -> Pushed:
        """Return the momenta a step later.

        gamma, noise: of the electrons, (3 n_moving, 3 n_moving); xi: normal random numbers
        (n, 3), None without noise.
        """
        u = momenta / self._roots
        decay, root = self._of_electrons(gamma, noise)
        damped = self._decay * u
        damped[self._moving] = (decay @ u[self._moving].ravel()).reshape(-1, 3)
        if xi is None:
            return Pushed(self._roots * damped, self._roots * damped)
        kicks = self._spread * self._projected(xi)
        kicks[self._moving] = (root @ xi[self._moving].ravel()).reshape(-1, 3)
        return Pushed(self._roots * damped, self._roots * (damped + kicks))

    def _projected(self, vectors: FloatArray) -> FloatArray:
        if self._free is None:
            return vectors
        return np.einsum("nij,nj->ni", self._free, vectors)

    def _of_electrons(self, gamma: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return decay and root of the noise of the moving atoms; of equal tensors once."""
        if (
            self._last is None
            or self._matrices is None
            or not (np.array_equal(gamma, self._last[0]) and np.array_equal(noise, self._last[1]))
        ):
            self._last = gamma, noise
            self._matrices = self._solved(gamma, noise)
        return self._matrices

    def _solved(self, gamma: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
        roots = np.repeat(self._roots[self._moving], 3)
        weights = np.outer(roots, roots)
        rates = np.repeat(self._damping.rates[self._moving], 3)
        other = 2 * self._damping.temperature * rates if self._damping.noise else 0 * rates
        damping, spectrum = gamma / weights + np.diag(rates), noise / weights + np.diag(other)
        if self._free is not None:
            free = _block_diagonal(self._free[self._moving])
            damping, spectrum = free @ damping @ free, free @ spectrum @ free
        return ornstein_uhlenbeck(damping, 0.5 * (spectrum + spectrum.T), self._damping.step)


def _block_diagonal(blocks: FloatArray) -> FloatArray:
    """Return matrices (n, 3, 3) as the blocks of one (3 n, 3 n)."""
    n = len(blocks)
    result = np.zeros((n, 3, n, 3))
    result[np.arange(n), :, np.arange(n)] = blocks
    return result.reshape(3 * n, 3 * n)
