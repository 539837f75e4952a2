"""Linear equations of motion q'' = -S q - gamma q' + xi: the formulas, on arrays alone.

S (stiffness) and gamma (damping) need not be symmetric.  Masses are 1: the coordinates are modes.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, expm
from scipy.spatial import cKDTree

__all__ = [
    "Propagation",
    "angular_momenta",
    "complex_frequencies",
    "fastest_growth",
    "forward_frequencies",
    "normalised",
    "ornstein_uhlenbeck",
    "propagation",
    "travel",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

NEIGHBOURS = 1.3
"""Neighbours are closer than this times the usual distance to the nearest atom."""

ROUNDING = 1e-12
"""How negative an eigenvalue of a positive semidefinite matrix may be, relative to the largest."""


def complex_frequencies(
    stiffness: FloatArray, damping: FloatArray
) -> tuple[ComplexArray, ComplexArray]:
    """Solve (S - i Omega gamma - Omega^2) v = 0, the motion being q(t) = Re v exp(-i Omega t).

    Parameters
    ----------
    stiffness, damping : array (..., n, n)
        S and gamma.

    Returns
    -------
    frequencies : array of complex (..., n)
        Omega, by ascending real part.  Im Omega is the growth of the amplitude.  Of the 2 n
        solutions, which come in pairs Omega, -Omega^*, those with a positive real part; of two
        that don't oscillate the one that decays more slowly.
    vectors : array of complex (..., n, n)
        v of each, a row, of length one, its largest component real and positive.
    """
    companion, unit = _companion(stiffness, damping)
    rates, columns = np.linalg.eig(companion)
    solutions: ComplexArray = np.multiply(1j, rates)
    order = _forward(solutions)
    frequencies = np.take_along_axis(solutions, order, axis=-1) * unit[..., 0]
    vectors = np.take_along_axis(columns, order[..., None, :], axis=-1)
    vectors = vectors[..., : stiffness.shape[-1], :].swapaxes(-1, -2)
    return frequencies, normalised(vectors)


def forward_frequencies(stiffness: FloatArray, damping: FloatArray) -> ComplexArray:
    """Return the frequencies of `complex_frequencies` without the vectors."""
    companion, unit = _companion(stiffness, damping)
    frequencies: ComplexArray = np.multiply(1j, np.linalg.eigvals(companion))
    result: ComplexArray = np.take_along_axis(frequencies, _forward(frequencies), axis=-1)
    return result * unit[..., 0]


def _forward(frequencies: ComplexArray) -> NDArray[np.int64]:
    """Return which of the 2 n solutions are those with a positive real part, ascending."""
    n = frequencies.shape[-1] // 2
    # Real parts that are rounding are zero, so that pairs are told apart by their damping.
    oscillates = np.abs(frequencies.real) > ROUNDING
    key = np.where(oscillates, np.sign(frequencies.real), 0.0)
    order = np.lexsort((frequencies.imag, key), axis=-1)[..., n:]
    parts = np.take_along_axis(frequencies.real, order, axis=-1)
    ascending = np.argsort(parts, axis=-1, kind="stable")
    return np.take_along_axis(order, ascending, axis=-1)


def _companion(stiffness: FloatArray, damping: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the matrices (..., 2n, 2n) of q and q', and the unit (..., 1, 1) of frequency.

    In units in which the stiffness is about 1, small growth isn't lost in rounding.
    """
    n = stiffness.shape[-1]
    unit = np.sqrt(np.abs(stiffness).max(axis=(-2, -1), keepdims=True))
    unit = np.where(unit > 0, unit, 1.0)
    companion = np.zeros((*stiffness.shape[:-2], 2 * n, 2 * n))
    companion[..., :n, n:] = np.eye(n)
    companion[..., n:, :n] = -stiffness / unit**2
    companion[..., n:, n:] = -damping / unit
    return companion, unit


def fastest_growth(stiffness: FloatArray, damping: FloatArray) -> float:
    """Return the largest Im Omega of one system, without its vectors."""
    companion, unit = _companion(stiffness, damping)
    return float(np.linalg.eigvals(companion).real.max() * unit.item())


def normalised(vectors: ComplexArray) -> ComplexArray:
    """Return rows of length one, with a largest component that is real and positive."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=-1, keepdims=True), axis=-1)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: ComplexArray = vectors * (np.abs(largest) / largest) / length
    return result


def angular_momenta(vectors: ComplexArray, masses: FloatArray, dim: int) -> FloatArray:
    """Return the angular momentum of motions Re v exp(-i omega t), in hbar per quantum.

    L omega/energy = 2 sum_i m_i Im(v_ix^* v_iy) / sum_i m_i |v_i|^2, which lies between -1 and 1.

    Parameters
    ----------
    vectors : array of complex (..., n_c)
        Displacements, site by site, x, y(, z) within a site.
    masses : array (n_c,)
        Masses of the coordinates.
    dim : int
        2 or 3.

    Returns
    -------
    array (...) about z in 2D, (..., 3) in 3D.
    """
    weighted = (np.sqrt(masses) * vectors).reshape(*vectors.shape[:-1], -1, dim)
    total = (np.abs(weighted) ** 2).sum(axis=(-2, -1))
    if dim == 2:
        x, y = weighted[..., 0], weighted[..., 1]
        turning: FloatArray = 2 * (x.conj() * y).imag.sum(axis=-1) / total
        return turning
    axes = np.cross(weighted.conj(), weighted).imag.sum(axis=-2)
    vector: FloatArray = axes / total[..., None]
    return vector


def travel(vectors: ComplexArray, positions: FloatArray) -> FloatArray:
    """Return which way waves Re v exp(-i omega t) travel, a vector of length up to 1.

    sum_ij n_ij Im(v_i^* . v_j) / sum_ij |v_i| |v_j| over pairs of neighbours, n_ij the unit
    vector from i to j: sin(q a) for exp(i q x) on a chain, positive for a wave that travels towards
    positive x, zero for a standing one.  Neighbours are atoms that are apart by less than 1.3
    times the usual distance to the nearest one; atoms at the same place are none.

    Parameters
    ----------
    vectors : array of complex (..., n_atoms * dim)
    positions : array (n_atoms, dim)

    Returns
    -------
    array (..., dim)
    """
    n_atoms, dim = positions.shape
    moves = vectors.reshape(*vectors.shape[:-1], n_atoms, dim)
    places = np.unique(positions, axis=0)
    if len(places) < 2:
        return np.zeros((*vectors.shape[:-1], dim))
    nearest = float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
    pairs = cKDTree(positions).query_pairs(NEIGHBOURS * nearest, output_type="ndarray")
    apart = positions[pairs[:, 1]] - positions[pairs[:, 0]]
    elsewhere = apart.any(axis=1)
    (first, second), apart = pairs[elsewhere].T, apart[elsewhere]
    towards = apart / np.linalg.norm(apart, axis=1, keepdims=True)
    phases = (moves[..., first, :].conj() * moves[..., second, :]).sum(axis=-1).imag
    length = np.linalg.norm(moves, axis=-1)
    size = (length[..., first] * length[..., second]).sum(axis=-1)[..., None]
    result = np.zeros((*vectors.shape[:-1], dim))
    np.divide(phases @ towards, size, out=result, where=size > 0)
    return result


class Propagation(NamedTuple):
    """A step of the integrator: see `propagation`.

    kick: (n, n), -S h/2; decay: (n, n), exp(-gamma h); noise: (n, n), a root R of the
    covariance R R^T of the velocity that the noise adds; step: h.
    """

    kick: FloatArray
    decay: FloatArray
    noise: FloatArray
    step: float

    def advance(
        self, q: FloatArray, v: FloatArray, xi: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        """Return coordinates and velocities (n_trajectories, n) one step later.

        xi: normal random numbers of the same shape, or None without noise.
        """
        v = v + q @ self.kick.T
        q = q + 0.5 * self.step * v
        v = v @ self.decay.T
        if xi is not None:
            v = v + xi @ self.noise.T
        q = q + 0.5 * self.step * v
        return q, v + q @ self.kick.T


def propagation(
    stiffness: FloatArray, damping: FloatArray, noise: FloatArray, step: float
) -> Propagation:
    """Return a step of BAOAB, with a matrix of friction.

    Kick, drift, Ornstein-Uhlenbeck step, drift, kick: B. Leimkuhler, C. Matthews, Appl. Math. Res.
    Express 2013, 34 (2013).  The middle step, v' = -gamma v + xi, is solved exactly, with the
    covariance int_0^h exp(-gamma s) noise exp(-gamma^T s) ds of what the noise adds (C. F. Van
    Loan, IEEE Trans. Autom. Control 23, 395 (1978)); so the antisymmetric part of gamma turns the
    velocity without doing work.

    Raises
    ------
    ValueError
        For a noise that is not positive semidefinite.
    """
    decay, root = ornstein_uhlenbeck(damping, noise, step)
    return Propagation(-0.5 * step * stiffness, decay, root, step)


def ornstein_uhlenbeck(
    damping: FloatArray, noise: FloatArray, step: float
) -> tuple[FloatArray, FloatArray]:
    """Solve v' = -gamma v + xi for a step, <xi(t) xi^T(t')> = noise delta(t - t'): masses are 1.

    Returns
    -------
    decay : array (n, n)
        exp(-gamma h).
    root : array (n, n)
        The symmetric root R of the covariance R R^T that the noise adds.

    Raises
    ------
    ValueError
        For a noise that is not positive semidefinite.
    """
    eigenvalues = np.linalg.eigvalsh(noise)
    largest = float(np.abs(eigenvalues).max(initial=0.0))
    lowest = float(eigenvalues.min(initial=0.0))
    if lowest < -ROUNDING * largest:
        raise ValueError(
            f"The noise is not positive semidefinite: it has an eigenvalue of {lowest:.3g} (the "
            f"largest is {largest:.3g})."
        )
    # In a unit in which the noise is as large as the friction: an exponential of both is taken.
    unit = largest / (float(np.linalg.norm(damping, 2)) or 1 / step) or 1.0
    decay, covariance = _decay_and_covariance(damping, noise / unit, step)
    values, columns = eigh(0.5 * (covariance + covariance.T))
    # The symmetric root, which no choice of signs of the columns changes.
    return decay, (columns * np.sqrt(unit * np.maximum(values, 0.0))) @ columns.T


def _decay_and_covariance(
    damping: FloatArray, noise: FloatArray, step: float
) -> tuple[FloatArray, FloatArray]:
    """Return exp(-gamma h) and the covariance of what the noise adds in the time h.

    From a step that is short compared with the friction, doubled as often as it takes.
    """
    n = len(damping)
    doublings = max(0, math.ceil(math.log2(max(float(np.linalg.norm(damping, 2)) * step, 1e-300))))
    block = np.block([[damping, noise], [np.zeros((n, n)), -damping.T]])
    whole = expm(step / 2**doublings * block)
    decay = whole[n:, n:].T
    covariance = decay @ whole[:n, n:]
    for _ in range(doublings):
        covariance = covariance + decay @ covariance @ decay.T
        decay = decay @ decay
    return decay, covariance
