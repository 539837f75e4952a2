"""Surroundings that remember: q'' = -S q - gamma q' - (Pi q)(t), with a rational self-energy Pi.

Arrays alone.  Pi(omega) = C - i omega Gamma + sum_j [R_j/(omega - p_j) - R_j^*/(omega + p_j^*)],
with poles p_j below the real axis: real in time, Pi(-omega^*) = Pi(omega)^*, and zero before its
cause.  It is made of further variables, y_j' = -i p_j y_j - i W_j q, the force being
-2 Re sum_j U_j y_j with R_j = U_j W_j.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Memory", "evolution", "frictional", "quadratic_forms", "without_constants"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

RANK = 1e-13
"""Singular values of a residue below this part of the largest of all are rounding."""

PIECE = 2**21
"""Elements of the matrices that are calculated together."""


class Memory(NamedTuple):
    """A rational self-energy of n coordinates of mass 1.

    poles: (n_poles,), Im p < 0 and Re p >= 0; residues: (n_poles, n, n) symmetric, -R^* the one at
    -p^*; constant, friction: C and Gamma, (n, n) real and symmetric.
    """

    poles: ComplexArray
    residues: ComplexArray
    constant: FloatArray
    friction: FloatArray

    def __call__(self, omega: ArrayLike) -> ComplexArray:
        """Return Pi at any omega, (..., n, n); below the real axis it is continued from above."""
        w = np.asarray(omega, dtype=complex)[..., None]
        near, far = 1 / (w - self.poles), 1 / (w + self.poles.conj())
        result: ComplexArray = np.tensordot(near, self.residues, 1)
        result -= np.tensordot(far, self.residues.conj(), 1)
        return result + self.constant - 1j * w[..., None] * self.friction

    def damping(self, omega: ArrayLike, width: float = 0.0) -> FloatArray:
        """Return -Im Pi(omega)/omega at real omega, (..., n, n), at zero frequency its limit.

        width: its mean over so many frequencies around each, in closed form, which holds what is
        narrower.
        """
        w = np.asarray(omega, dtype=float)[..., None]
        if width:
            shares = self._summed(w + 0.5 * width) - self._summed(w - 0.5 * width)
            shares /= width
        else:
            shares = 2 / (w**2 - self.poles**2)
        result: FloatArray = self.friction - np.tensordot(shares, self.residues, 1).imag
        return result

    def _summed(self, omega: FloatArray) -> ComplexArray:
        """Return the integral of 2/(omega^2 - p^2): neither logarithm crosses its cut."""
        result: ComplexArray = (
            np.log(omega - self.poles) - np.log(omega + self.poles)
        ) / self.poles
        return result

    def slope(self, omega: ArrayLike) -> ComplexArray:
        """Return dPi/domega at any omega, (..., n, n)."""
        w = np.asarray(omega, dtype=complex)[..., None]
        near, far = 1 / (w - self.poles) ** 2, 1 / (w + self.poles.conj()) ** 2
        result: ComplexArray = np.tensordot(far, self.residues.conj(), 1)
        result -= np.tensordot(near, self.residues, 1)
        return result - 1j * self.friction

    def scaled(self, unit: float) -> Self:
        """Return it for frequencies in another unit: omega/unit, Pi/unit^2."""
        return self._replace(
            poles=self.poles / unit,
            residues=self.residues / unit**3,
            constant=self.constant / unit**2,
            friction=self.friction / unit,
        )

    def projected(self, patterns: FloatArray) -> Self:
        """Return it in other coordinates, Q = sum_k patterns[k] q_k."""
        left, right = patterns, patterns.T
        return self._replace(
            residues=left @ self.residues @ right,
            constant=left @ self.constant @ right,
            friction=left @ self.friction @ right,
        )

    def block(self, which: NDArray[np.int64]) -> Self:
        """Return it for some of the coordinates, the others being held."""
        rows, columns = np.ix_(which, which)
        return self._replace(
            residues=self.residues[:, rows, columns],
            constant=self.constant[rows, columns],
            friction=self.friction[rows, columns],
        )

    def factors(self) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
        """Return p, U and W of the further variables: (n_y,), (n, n_y), (n_y, n).

        As many per pole as its residue has singular values.
        """
        u, s, v = np.linalg.svd(self.residues, full_matrices=False)
        kept = s > RANK * s.max(initial=0.0)
        root = np.sqrt(s)
        outward = (u * root[:, None]).swapaxes(1, 2)[kept].T
        return self.poles[np.nonzero(kept)[0]], outward, (root[..., None] * v)[kept]


def frictional(friction: FloatArray) -> Memory:
    """Return what damps without remembering: Pi(omega) = -i omega friction."""
    n = len(friction)
    poles, residues = np.empty(0, complex), np.empty((0, n, n), complex)
    return Memory(poles, residues, np.zeros((n, n)), friction)


def without_constants(
    stiffness: FloatArray, damping: FloatArray, memory: Memory | None
) -> tuple[FloatArray, FloatArray, Memory | None]:
    """Return S + C, gamma + Gamma, and what is left of the memory: its poles, or None."""
    if memory is None:
        return stiffness, damping, None
    whole = stiffness + memory.constant, damping + memory.friction
    if not len(memory.poles):
        return *whole, None
    nothing = np.zeros_like(memory.constant)
    return *whole, memory._replace(constant=nothing, friction=nothing)


def quadratic_forms(
    matrices: "Memory | Callable[[ComplexArray], ComplexArray]",
    omegas: ComplexArray,
    vectors: ComplexArray,
) -> ComplexArray:
    """Return v_s^+ A(omega_s) v_s, (n_s,), for rows v_s; few A at a time: (n, n) each."""
    result = np.empty(len(omegas), complex)
    piece = max(1, PIECE // vectors.shape[1] ** 2)
    for start in range(0, len(omegas), piece):
        part = slice(start, start + piece)
        turned = np.einsum("sij,sj->si", matrices(omegas[part]), vectors[part])
        result[part] = (vectors[part].conj() * turned).sum(axis=1)
    return result


def evolution(stiffness: FloatArray, damping: FloatArray, memory: Memory) -> FloatArray:
    """Return the real matrix A of (q, q', Re y, Im y)' = A (q, q', Re y, Im y)."""
    n = len(stiffness)
    poles, outward, inward = memory.factors()
    m = len(poles)
    matrix = np.zeros((2 * n + 2 * m,) * 2)
    matrix[:n, n : 2 * n] = np.eye(n)
    matrix[n : 2 * n, :n] = -stiffness - memory.constant
    matrix[n : 2 * n, n : 2 * n] = -damping - memory.friction
    real, imaginary = slice(2 * n, 2 * n + m), slice(2 * n + m, None)
    matrix[n : 2 * n, real], matrix[n : 2 * n, imaginary] = -2 * outward.real, 2 * outward.imag
    # y' = -i p y - i W q
    matrix[real, :n], matrix[imaginary, :n] = inward.imag, -inward.real
    matrix[real, real] = matrix[imaginary, imaginary] = np.diag(poles.imag)
    matrix[real, imaginary], matrix[imaginary, real] = np.diag(poles.real), -np.diag(poles.real)
    return matrix
