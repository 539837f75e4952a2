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
) -> NDArray[np.complex128] | None:
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
    array of complex (n,), or None if no scale led to convergence.
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
        return np.empty(0, complex)
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
        if result.success.all() and np.all(result.error <= RTOL * expected):
            return np.ascontiguousarray(result.df).view(complex)
    return None
