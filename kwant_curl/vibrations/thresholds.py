"""At what bias the first vibration runs away."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from kwant_curl.algebra.dynamics import fastest_growth
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.checks import positive_number, real_number
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.mechanics import (
    Mechanics,
    mechanics,
    notices_of,
    notices_of_the_band,
)
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.runaway import AtBias, Bias, at_bias, solved
from kwant_curl.vibrations.stabilities import MARGINAL

__all__ = ["critical_bias"]

ITERATIONS = 2000
"""Of the root search: enough to halve from the largest number to the smallest."""


def critical_bias(
    response: AtBias,
    modes: VibrationalModes,
    largest: float,
    *,
    direction: Bias = 1.0,
    damping: ArrayLike = 0.0,
    steps: int = 64,
    rtol: float = 1e-9,
) -> float:
    """Return the bias at which the first vibration begins to grow.

    Parameters
    ----------
    response, modes
        As for `stability`.
    largest : float
        How far to search, positive.
    direction : number or mapping
        What the bias is a multiple of.  Default 1.0, for two leads: the result is the bias V
        itself; -1.0 for the reversed current.  ``{lead: dmu}`` for other leads.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin, as for `stability`.
    steps : int
        The biases that are looked at first: an instability that begins and ends between two of
        them goes unseen.
    rtol : float
        Relative error of the result.

    Returns
    -------
    float
        The smallest V so that at V times `direction` a mode is about to grow; infinite if none
        does up to `largest`.

    Raises
    ------
    ValueError
        If a mode grows without bias, for a direction without a bias, and as `stability`.

    Warns
    -----
    RuntimeWarning
        If what grows there does not oscillate: a spring has become negative; and as `stability`.

    Notes
    -----
    The root of the largest Im Omega, by `scipy.optimize.brentq`.  For two degenerate modes with
    diagonal friction and the curl alone, V = 2 omega sqrt(eta_XX eta_YY)/|kappa_XY/V|.
    """
    limit, accuracy = positive_number("largest", largest), positive_number("rtol", rtol)
    _check_direction(direction)
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps is {steps!r}; expected a positive whole number.")

    def system(v: float) -> tuple[ForceResponse, Mechanics]:
        answer = at_bias(response, _scaled(direction, v))
        return answer, mechanics(answer, modes, damping)

    without = system(0.0)[1]  # which looks at the response and the modes first
    tiny = MARGINAL * float(modes.frequencies.max())

    def excess(v: float) -> float:
        return fastest_growth(*system(v)[1]) - tiny

    if fastest_growth(*without) > tiny:
        raise ValueError(
            "A mode grows without bias: the friction is not positive, or the Hamiltonian's "
            "derivatives are not those of this system."
        )
    last = 0.0
    for v in limit * np.arange(1, steps + 1) / steps:
        if excess(v) > 0:
            root = _root(excess, last, float(v), accuracy)
            issued(_notices_of_the_root(*system(root), modes, root))
            return root
        last = float(v)
    return math.inf


def _root(excess: Callable[[float], float], low: float, high: float, rtol: float) -> float:
    """Return where `excess` turns positive, to a relative error that holds for small roots too."""
    relative = max(rtol, 4 * np.finfo(float).eps)
    tiny = np.finfo(float).tiny
    return float(brentq(excess, low, high, xtol=tiny, rtol=relative, maxiter=ITERATIONS))


def _check_direction(direction: Bias) -> None:
    shifts = list(direction.values()) if isinstance(direction, Mapping) else [direction]
    numbers = [real_number("direction", shift) for shift in shifts]
    if not any(numbers):
        raise ValueError(f"direction is {direction!r}, no bias at all; expected one to multiply.")


def _notices_of_the_root(
    answer: ForceResponse, system: Mechanics, modes: VibrationalModes, root: float
) -> list[str]:
    """Return what to say where what becomes unstable is no vibration, and as `stability`."""
    notices = [*notices_of([answer], [system], modes), *notices_of_the_band([answer])]
    frequencies = solved([system])[0][0]
    if frequencies[frequencies.imag.argmax()].real == 0:
        notices.append(
            f"What becomes unstable at {root:.4g} is no vibration that runs away: the current has "
            "made a spring negative, so that the atoms leave their places."
        )
    return notices


def _scaled(direction: Bias, factor: float) -> Bias:
    if isinstance(direction, Mapping):
        return {lead: factor * shift for lead, shift in direction.items()}
    return factor * direction
