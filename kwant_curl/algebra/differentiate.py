"""Numerical derivatives of Hamiltonian matrix elements, with an error that is checked."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.differentiate import derivative

__all__ = ["RELATIVE_STEP", "RTOL", "differentiate", "remembered", "resolving_scale"]

FloatArray = NDArray[np.float64]
Values = Callable[[float], FloatArray]

RTOL = 1e-10
"""Error that a derivative may have, relative to its largest element (or, where that is next to
nothing, to the function over its scale)."""

RELATIVE_STEP = 0.0161803
"""Largest step, in units of the scale on which the function is expected to vary; no round number,
since many steps of those are periods of something."""

SHRINKINGS = 16
"""How often a scale is divided by 8 until the function is resolved on it."""

BROKEN = 0.1
"""As the step is divided by 8, second differences of a smooth function fall to 1/64, those of one
that bends at the point to 1/8, those of one that jumps there not at all."""

SINGULAR = 1 / 45
"""The same: above it, a few times in turn, the second derivative at the point is infinite."""


def differentiate(
    function: Callable[[float], NDArray[np.complex128]],
    point: float,
    scales: tuple[float, ...],
    rtol: float = RTOL,
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
    rtol : float
        Error that the derivative may have.

    Returns
    -------
    derivative : array of complex (n,)
        What is below its rounding error is zero.
    converged : array of bool (n,)
        Where the derivative can be trusted.  If the function jumps or bends at the point, there
        alone it can't.
    """
    values = remembered(function)

    def columns(x: NDArray[np.float64]) -> NDArray[np.float64]:
        if x.ndim == 1:
            return values(float(x[0]))
        return np.stack([values(float(xi)) for xi in x[0]], axis=1)

    here = values(point)
    if not here.size:
        return np.empty(0, complex), np.empty(0, bool)
    jumped = np.zeros(here.size, bool)
    for guess in scales:
        scale, broken = resolving_scale(values, point, guess)
        jumped |= broken
        if broken.any():
            slope, converged = np.zeros(here.size), ~broken
            continue
        step = RELATIVE_STEP * scale
        size = max(np.abs(here).max(), np.abs(values(point + step)).max())
        result = derivative(
            columns,
            np.full(here.size, point),
            initial_step=step,
            maxiter=10,  # steps stay well above the spacing of floats
            # Well above the rounding errors of the first step, well below rtol.
            tolerances={"rtol": rtol, "atol": 0.01 * rtol * size / scale},
            preserve_shape=True,
        )
        expected = max(np.abs(result.df).max(), size / max(scales))
        converged = np.isfinite(result.df) & (result.error <= rtol * expected)
        slope = np.where(np.abs(result.df) > 0.01 * rtol * size / scale, result.df, 0.0)
        converged &= ~jumped | (slope != 0)  # steps may be lost in the rounding of what jumps
        if converged.all():
            break
    trusted: NDArray[np.bool_] = np.asarray(converged.reshape(-1, 2).all(axis=1))
    return slope.view(complex), trusted


def remembered(function: Callable[[float], NDArray[np.complex128]]) -> Values:
    """Return the function with real and imaginary parts side by side, called once per point."""
    cache: dict[float, FloatArray] = {}

    def values(x: float) -> FloatArray:
        if x not in cache:
            cache[x] = np.ascontiguousarray(function(x), dtype=complex).view(float)
        return cache[x]

    return values


def resolving_scale(values: Values, point: float, scale: float) -> tuple[float, NDArray[np.bool_]]:
    """Return the first of scale, scale/8, ... on which the function is seen to be smooth.

    And which elements jump or bend at the point, however near one looks.  Central differences
    don't look at the function's value in the middle, so a peak that is narrower than the steps
    would go unseen.  Second differences see it: those of a smooth function fall by a factor of 4
    as the step is halved.  Elements whose second derivative is singular are smooth on no scale,
    and don't count.
    """
    here, guess = values(point), scale
    before, peak = np.full(here.size, np.inf), np.zeros(here.size)
    slow, steady = np.zeros(here.size, int), np.zeros(here.size, int)
    resolved_on, singular, broken = (np.zeros(here.size, kind) for kind in (float, bool, bool))
    open_ones = np.ones(here.size, bool)
    for _ in range(SHRINKINGS):
        step = RELATIVE_STEP * scale
        wide, narrow = (
            values(point + s) + values(point - s) - 2 * here for s in (step, 0.5 * step)
        )
        noise = 1e-9 * np.abs(here).max() + 1e-15 * np.abs(values(point + step)).max()
        size = np.abs(wide)
        resolved = np.abs(4 * narrow - wide) <= 0.25 * size + noise
        # What has fallen slowly and is next to nothing all at once was lost in rounding.
        lost = open_ones & resolved & (peak > 1e3 * noise)
        broken |= lost & (slow > 1) & (size <= 2 * noise)
        singular |= lost & (steady > 2) & (size <= 8 * noise)
        resolved_on[open_ones & resolved] = scale
        open_ones &= ~resolved
        slow = np.where(size >= BROKEN * before, slow + 1, 0)
        steady = np.where(size >= SINGULAR * before, steady + 1, 0)
        before, peak = size, np.maximum(peak, size)
        if not open_ones.any() or step < 1e-8 * abs(point):
            break
        scale /= 8
    resolved_on[open_ones] = scale
    visible = open_ones & (peak > 1e3 * noise)
    broken |= visible & (slow > 1)
    smooth = ~(singular | broken | (visible & (steady > 2)))
    return float(resolved_on[smooth].min(initial=guess)), broken
