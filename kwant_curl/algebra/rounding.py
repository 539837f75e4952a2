"""What is left of terms that cancel: curls that are rounding are zero.  Arrays only."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["antisymmetric_part", "curls_of_traces"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

ROUNDING = 1e-13
"""Below this part of its terms, a sum of many of them is rounding of states and sums."""


def curls_of_traces(traces: ComplexArray) -> FloatArray:
    """Return 4 pi Im of Tr[F_i D F_j D_alpha], (n_leads, n, dim, dim), without rounding.

    Real parts are as large as the terms.  All leads together give zero, so that of the lead with
    the largest terms, the rounding of which may exceed the curls of others, follows from these.
    """
    curl = 4 * np.pi * traces.imag
    size = 4 * np.pi * np.trace(traces.real, axis1=2, axis2=3)
    curl[np.abs(curl) <= ROUNDING * size[:, :, None, None]] = 0
    if len(curl):
        largest = size.argmax(axis=0)
        centre = np.arange(curl.shape[1])
        curl[largest, centre] -= curl.sum(axis=0)
    return curl


def antisymmetric_part(gram: ComplexArray) -> FloatArray:
    """Return the imaginary part of a Gram matrix, which is antisymmetric, without rounding."""
    imaginary: FloatArray = 0.5 * (gram.imag - gram.imag.T)
    length = np.sqrt(np.abs(gram.diagonal()))
    imaginary[np.abs(imaginary) <= ROUNDING * np.outer(length, length)] = 0
    return imaginary
