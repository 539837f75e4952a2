"""The energy balance of linear motions: which force feeds them, and how fast.  Arrays only."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forces", "growth_by_force"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class Forces(NamedTuple):
    """What acts on modes beside their springs, q'' = -omega^2 q + jacobian q - sum(dampings) q'.

    squares: omega^2, (n,); jacobian and each of the dampings: (n, n).
    """

    squares: FloatArray
    jacobian: FloatArray
    dampings: Sequence[FloatArray]


def growth_by_force(
    frequencies: ComplexArray, amplitudes: ComplexArray, pairs: NDArray[np.int64], forces: Forces
) -> FloatArray:
    """Return what each force adds to the growth of motions q(t) = Re a exp(-i Omega t) of pairs.

    The rate at which it does work, over the energy of the motion without current: with
    E = (|Omega|^2 + a^+ omega^2 a)/2

    - of the antisymmetric part A of the Jacobian: -Re Omega Im(a^+ A a)/E;
    - of its symmetric part S: Im Omega a^+ S a/E;
    - of a damping gamma: -|Omega|^2 Re(a^+ gamma a)/E, to which an antisymmetric part, which is at
      right angles to the motion, adds nothing.

    Their sum is 2 Im Omega exactly: the equation of motion from the left with the velocity,
    (-i Omega a)^+, and the real part taken; also of what does not oscillate.

    Parameters
    ----------
    frequencies : array of complex (n_pairs,)
    amplitudes : array of complex (n_pairs, 2)
    pairs : array of int (n_pairs, 2)
        Which modes the amplitudes are those of.
    forces : Forces

    Returns
    -------
    array (n_pairs, 2 + n_dampings)
        Antisymmetric and symmetric part of the Jacobian, and the dampings.
    """
    size = np.abs(amplitudes) ** 2
    speed = np.abs(frequencies) ** 2
    energy = 0.5 * (speed * size.sum(axis=1) + (forces.squares[pairs] * size).sum(axis=1))
    work_along = _expectations(forces.jacobian, pairs, amplitudes)
    rates = [-frequencies.real * work_along.imag, frequencies.imag * work_along.real]
    for gamma in forces.dampings:
        rates.append(-speed * _expectations(gamma, pairs, amplitudes).real)
    return np.stack(rates, axis=1) / energy[:, None]


def _expectations(
    matrix: FloatArray, pairs: NDArray[np.int64], amplitudes: ComplexArray
) -> ComplexArray:
    """Return a^+ M a of each pair, (n_pairs,): real of a symmetric M, imaginary of the other."""
    blocks = matrix[pairs[:, :, None], pairs[:, None, :]]
    result: ComplexArray = np.einsum("pi,pij,pj->p", amplitudes.conj(), blocks, amplitudes)
    return result
