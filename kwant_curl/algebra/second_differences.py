"""Second derivatives of Hamiltonian matrix elements, with an error that is checked."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.differentiate import RELATIVE_STEP, remembered, resolving_scale

__all__ = ["hessian", "kinked_slope", "second_derivative"]

FloatArray = NDArray[np.float64]
Values = Callable[[float], FloatArray]

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
    bend = _curvature(remembered(function), point, scales)
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
        return remembered(lambda x: function(point + x * direction))

    axes = np.eye(len(point))
    bends = [_curvature(along(e), 0.0, s) for e, s in zip(axes, scales, strict=True)]
    n = bends[0].value.size
    result = np.zeros((len(point), len(point), n))
    converged = np.zeros(result.shape, bool)
    for a, one in enumerate(bends):
        result[a, a], converged[a, a] = one.value, one.converged
        for b, other in enumerate(bends[:a]):
            if not all(bend.converged.all() for bend in bends):
                converged[a, b] = converged[b, a] = one.converged & other.converged
                continue
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
    trusted = np.zeros(here.size, bool)  # on any scale: others alone are to be blamed
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
        trusted |= converged
        if converged.all():
            break
    if trusted.any() and not trusted.all():
        converged = trusted
    value = np.where(np.abs(best) > error, best, 0.0)
    largest = np.abs(value).max()
    unit = min(scale, float(np.sqrt(size / largest))) if size and largest else scale
    return _Curvature(value, converged, unit)


def _candidates(values: Values, point: float, scales: tuple[float, ...]) -> Iterator[float]:
    """Yield scales to try: those on which the function is resolved, then the guesses as such.

    A function that begins with the fourth power looks unresolved on every scale.
    """
    for guess in scales:
        scale, _ = resolving_scale(values, point, guess)
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
