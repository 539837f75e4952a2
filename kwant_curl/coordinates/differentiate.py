"""Numerical derivatives of Hamiltonian matrix elements, with an error that is checked."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.differentiate import derivative

__all__ = ["differentiate", "hessian", "kinked_slope", "second_derivative"]

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

SECOND_RTOL = 1e-9
"""Error that a second derivative may have, relative to its largest element (or, where that is
next to nothing, to the function over its scale squared)."""

SECOND_STEP = 8 * RELATIVE_STEP
"""Largest step of second differences, in units of the scale: rounding errors grow as step^-2."""

LEVELS = 8
"""How many steps, each half of the one before, second differences are taken with."""

KINK = 1e-6
"""Jump of a derivative that is overlooked, relative to the derivative after that."""

KINK_STEP = 1e-4
"""Step at which jumps of a first derivative are looked for, in units of the scale."""

ROUNDING = 8 * float(np.finfo(float).eps)
"""Rounding error of f(x + h) + f(x - h) - 2 f(x), extrapolated, in units of f."""


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
        Where the derivative can be trusted.
    """
    values = _remembered(function)

    def columns(x: NDArray[np.float64]) -> NDArray[np.float64]:
        if x.ndim == 1:
            return values(float(x[0]))
        return np.stack([values(float(xi)) for xi in x[0]], axis=1)

    here = values(point)
    if not here.size:
        return np.empty(0, complex), np.empty(0, bool)
    for guess in scales:
        scale = _resolving_scale(values, point, guess)
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
        if converged.all():
            break
    return slope.view(complex), converged.reshape(-1, 2).all(axis=1)


def second_derivative(
    function: Callable[[float], NDArray[np.complex128]], point: float, scales: tuple[float, ...]
) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
    """Differentiate a vector of complex numbers twice with respect to one real variable.

    Central second differences, their step halved, extrapolated to step zero by Richardson's
    scheme; of each element, the extrapolation that agrees best with those it is made of.

    Parameters
    ----------
    function, point, scales
        As in `differentiate`.

    Returns
    -------
    derivative : array of complex (n,)
        What is below its rounding error is zero.
    converged : array of bool (n,)
        Where the derivative can be trusted.
    """
    bend = _curvature(_remembered(function), point, scales)
    return bend.value.view(complex), np.asarray(bend.converged.reshape(-1, 2).all(axis=1))


def kinked_slope(
    function: Callable[[float], NDArray[np.complex128]], point: float, scale: float
) -> NDArray[np.bool_]:
    """Return where the first derivative jumps at the point, which central differences don't see.

    Second differences of a smooth function fall as step^2, those of one with a kink as step.
    """
    here = function(point)
    steps = KINK_STEP * scale / 2.0 ** np.arange(4)
    bends = np.abs([function(point + h) + function(point - h) - 2 * here for h in steps])
    size = np.abs(here).max(initial=0.0)
    return _fall_slowly(bends, KINK * size * steps / scale + ROUNDING * size)


def hessian(
    function: Callable[[FloatArray], NDArray[np.complex128]],
    point: FloatArray,
    scales: Sequence[tuple[float, ...]],
) -> tuple[NDArray[np.complex128], NDArray[np.bool_]]:
    """Return all second derivatives of a vector of complex numbers to several real variables.

    From second derivatives along lines: those of the variables a and b, and of a + b, each in
    the unit in which the function varies with it.

    Parameters
    ----------
    function : callable
        Takes an array (n_variables,), returns a complex array (n,).
    point : array of float (n_variables,)
        Where to differentiate.
    scales : sequence of tuples of float
        For each variable, as in `differentiate`.

    Returns
    -------
    derivatives : array of complex (n_variables, n_variables, n)
        Symmetric in the variables.
    converged : array of bool (n_variables, n_variables, n)
        Where they can be trusted.
    """

    def along(direction: FloatArray) -> Values:
        return _remembered(lambda x: function(point + x * direction))

    axes = np.eye(len(point))
    bends = [_curvature(along(e), 0.0, s) for e, s in zip(axes, scales, strict=True)]
    n = bends[0].value.size
    result = np.zeros((len(point), len(point), n))
    converged = np.zeros(result.shape, bool)
    for a, one in enumerate(bends):
        result[a, a], converged[a, a] = one.value, one.converged
        for b, other in enumerate(bends[:a]):
            both = _curvature(along(one.scale * axes[a] + other.scale * axes[b]), 0.0, (1.0,))
            terms = (both.value, one.scale**2 * one.value, other.scale**2 * other.value)
            mixed = terms[0] - terms[1] - terms[2]
            # A difference of equal numbers, each right up to its error, is no derivative.
            mixed[np.abs(mixed) <= 0.1 * SECOND_RTOL * sum(np.abs(term) for term in terms)] = 0
            result[a, b] = result[b, a] = mixed / (2 * one.scale * other.scale)
            converged[a, b] = converged[b, a] = both.converged & one.converged & other.converged
    both_parts = converged.reshape(*converged.shape[:2], -1, 2)
    return result.view(complex), np.asarray(both_parts.all(axis=3))


class _Curvature(NamedTuple):
    """A second derivative along a line; scale: the length on which the function varies."""

    value: FloatArray
    converged: NDArray[np.bool_]
    scale: float


def _curvature(values: Values, point: float, scales: tuple[float, ...]) -> _Curvature:
    here = values(point)
    if not here.size:
        return _Curvature(np.empty(0), np.empty(0, bool), scales[0])
    for scale in _candidates(values, point, scales):
        step = SECOND_STEP * scale
        sizes = _sizes(values, point, step / 8)
        if not sizes.any():  # or steps were lost in the rounding of what the function makes of them
            sizes = _sizes(values, point, RELATIVE_STEP * max(scales))
        size = sizes.max()
        best, error, n_steps = _extrapolated(values, point, step, sizes, max(scales))
        expected = max(np.abs(best).max(), size / max(scales) ** 2)
        steps = np.array([step / 2**level for level in range(n_steps)])
        kinked = _kinked(values, point, steps, sizes, expected)
        converged = (error <= SECOND_RTOL * expected) & ~kinked
        if converged.all():
            break
    value = np.where(np.abs(best) > error, best, 0.0)
    largest = np.abs(value).max()
    unit = min(scale, float(np.sqrt(size / largest))) if size and largest else scale
    return _Curvature(value, converged, unit)


def _candidates(values: Values, point: float, scales: tuple[float, ...]) -> Iterator[float]:
    """Yield scales to try: those on which the function is resolved, then the guesses as such.

    A function that begins with the fourth power looks unresolved on every scale.
    """
    for guess in scales:
        scale = _resolving_scale(values, point, guess)
        yield from (scale, scale / 8)
    yield from scales


def _extrapolated(
    values: Values, point: float, step: float, sizes: FloatArray, scale: float
) -> tuple[FloatArray, FloatArray, int]:
    """Return second derivatives, their errors, and how many steps were taken."""
    here = values(point)
    best, error = np.zeros_like(here), np.full_like(here, np.inf)
    row: list[FloatArray] = []
    for level in range(LEVELS):
        h = step / 2**level
        noise = ROUNDING * sizes / h**2
        # Far steps may leave the function's domain; what comes of it agrees with nothing.
        with np.errstate(invalid="ignore", over="ignore"):
            current = [(values(point + h) + values(point - h) - 2 * here) / h**2]
            for order, previous in enumerate(row):
                finer = current[order]
                new = finer + (finer - previous) / (4 ** (order + 1) - 1)
                distance = np.maximum(np.abs(new - finer), np.abs(new - previous)) + noise
                better = distance < error
                best[better], error[better] = new[better], distance[better]
                current.append(new)
        row = current
        enough = 0.01 * SECOND_RTOL * max(np.abs(best).max(), sizes.max() / scale**2)
        if level >= 3 and error.max() <= enough:
            break
    return best, error, level + 1


def _kinked(
    values: Values, point: float, steps: FloatArray, sizes: FloatArray, expected: float
) -> NDArray[np.bool_]:
    """Return where the second derivative jumps at the point, which second differences don't see.

    The slopes of chords of a smooth function approach their limit as step^2, those of one that
    has different second derivatives on either side as step.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        slopes = [(values(point + h) - values(point - h)) / h for h in steps[-4:]]
        changes = np.abs(np.diff(slopes, axis=0))
    noise = KINK * expected * steps[-3:, None] + ROUNDING * sizes / steps[-3:, None]
    return _fall_slowly(changes, noise)


def _fall_slowly(changes: FloatArray, noise: FloatArray) -> NDArray[np.bool_]:
    """Return which changes (n_steps, n) fall by less than 8/3, as the step is halved, each time.

    At a single step the terms of a smooth function may happen to cancel.
    """
    noise = noise.reshape(len(changes), -1)
    slow = changes[1:] > 0.375 * changes[:-1] + noise[1:]
    return np.asarray(slow.all(axis=0))


def _sizes(values: Values, point: float, step: float) -> FloatArray:
    """Return the moduli of the complex numbers at the point or at a step from it, twice each."""
    parts = np.abs([values(point), values(point + step), values(point - step)])
    moduli = np.hypot(parts[:, ::2], parts[:, 1::2])
    return np.repeat(np.fmax.reduce(moduli), 2)


def _remembered(function: Callable[[float], NDArray[np.complex128]]) -> Values:
    """Return the function with real and imaginary parts side by side, called once per point."""
    cache: dict[float, FloatArray] = {}

    def values(x: float) -> FloatArray:
        if x not in cache:
            cache[x] = np.ascontiguousarray(function(x), dtype=complex).view(float)
        return cache[x]

    return values


def _resolving_scale(values: Values, point: float, scale: float) -> float:
    """Return the first of scale, scale/8, ... on which the function is seen to be smooth.

    Central differences don't look at the function's value in the middle, so a peak that is
    narrower than the steps would go unseen.  Second differences see it: those of a smooth
    function fall by a factor of 4 as the step is halved.
    """
    here = values(point)
    for _ in range(SHRINKINGS):
        step = RELATIVE_STEP * scale
        wide, narrow = (
            values(point + s) + values(point - s) - 2 * here for s in (step, 0.5 * step)
        )
        noise = 1e-9 * np.abs(here).max()
        resolved = np.all(np.abs(4 * narrow - wide) <= 0.25 * np.abs(wide) + noise)
        if resolved or step < 1e-8 * abs(point):  # smaller steps would be lost in the point
            break
        scale /= 8
    return scale
