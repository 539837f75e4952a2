"""What makes a motion grow: the work of each force over the energy.  Arrays alone."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["growth_by_force"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def growth_by_force(
    frequencies: ComplexArray, vectors: ComplexArray, springs: FloatArray, forces: ComplexArray
) -> FloatArray:
    """Return what each force adds to the growth 2 Im Omega of motions v exp(-i Omega t).

    With forces A_i v beside those of the springs a motion obeys
    (Omega^2 - omega_k^2 + sum_i A_i) v = 0.  The product with the velocity, i Omega^* v^+, has
    the real part

    2 Im Omega = sum_i 2 Re(i Omega^* v^+ A_i v)/(|Omega|^2 v^+ v + v^+ omega_k^2 v),

    exactly, at any Omega: the work of each force per unit of time over the energy, kinetic and of
    the springs.

    Parameters
    ----------
    frequencies, vectors : array (n_s,), (n_s, n)
        Omega and v of each motion.
    springs : array (n,) or (n_s, n)
        omega_k^2, positive.
    forces : array of complex (n_forces, n_s)
        v^+ A_i(Omega) v.

    Returns
    -------
    array (n_forces, n_s)
    """
    weights = np.abs(vectors) ** 2
    energy = np.abs(frequencies) ** 2 * weights.sum(axis=1) + (weights * springs).sum(axis=1)
    work: FloatArray = 2 * (1j * frequencies.conj() * forces).real / energy
    return work
