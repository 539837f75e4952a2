"""Numerical derivatives of Hamiltonian matrix elements, with an error that is checked."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.differentiate import derivative

__all__ = ["differentiate"]

RTOL = 1e-10
"""Error that a derivative may have, relative to its largest element (or, where that is next to
nothing, to the function over its scale)."""

RELATIVE_STEP = 0.02
"""Largest step, in units of the scale on which the function is expected to vary."""


def differentiate(
    function: Callable[[float], NDArray[np.complex128]], point: float, scales: tuple[float, ...]
) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
    """Differentiate a vector of complex numbers with respect to one real variable.

    The central differences of eighth order of `scipy.differentiate.derivative`, their step
    halved until two of them agree.

    Parameters
    ----------
    function : callable
        Takes a float, returns a complex array (n,).
    point : float
        Where to differentiate.
    scales : tuple of float
        Guesses of the scale on which the function varies: the next is tried where one
        doesn't lead to a converged derivative.

    Returns
    -------
    derivative : array of complex (n,)
        What is below its rounding error is zero.
    converged : array of bool (n,)
        Where the derivative can be trusted.
    """
    cache: dict[float, NDArray[np.float64]] = {}

    def values(x: float) -> NDArray[np.float64]:
        if x not in cache:
            cache[x] = np.ascontiguousarray(function(x), dtype=complex).view(float)
        return cache[x]

    def columns(x: NDArray[np.float64]) -> NDArray[np.float64]:
        if x.ndim == 1:
            return values(float(x[0]))
        return np.stack([values(float(xi)) for xi in x[0]], axis=1)

    here = values(point)
    if not here.size:
        return np.empty(0, complex), np.empty(0, bool)
    for scale in scales:
        step = RELATIVE_STEP * scale
        size = max(np.abs(here).max(), np.abs(values(point + step)).max())
        result = derivative(
            columns,
            np.full(here.size, point),
            initial_step=step,
            maxiter=30,
            # Well above the rounding errors of the first step, well below RTOL.
            tolerances={"rtol": RTOL, "atol": 0.01 * RTOL * size / scale},
            preserve_shape=True,
        )
        expected = max(np.abs(result.df).max(), size / max(scales))
        converged = result.success & (result.error <= RTOL * expected)
        slope = np.where(np.abs(result.df) > 0.01 * RTOL * size / scale, result.df, 0.0)
        if converged.all():
            break
    return slope.view(complex), converged.reshape(-1, 2).all(axis=1)
