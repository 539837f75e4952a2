"""Which vibration runs away at a bias."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from kwant_curl.algebra.dynamics import complex_frequencies
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.mechanics import (
    Mechanics,
    either,
    mechanics,
    notices_of,
    notices_of_the_band,
)
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.stabilities import Stability

__all__ = ["AtBias", "Bias", "at_bias", "solved", "stability"]

ComplexArray = NDArray[np.complex128]

Bias = float | Mapping[int, float]
"""Between two leads, or the shift of each."""

AtBias = ForceResponse | Callable[[Any], ForceResponse]
"""A response that may be scaled, or a function of the bias that returns it."""


def stability(
    response: AtBias,
    modes: VibrationalModes,
    bias: Bias | Sequence[Bias] | None = None,
    *,
    damping: ArrayLike = 0.0,
) -> Stability:
    """Return the complex frequencies of the vibrations under current.

    The equation of motion in the basis of the modes, where masses are 1,
    q'' = -(omega^2 - J) q - gamma q', is solved with all that the response holds: J its Jacobian,
    or the curl's part of it, -curl/2; gamma its velocity tensor, or the friction of equilibrium.

    Parameters
    ----------
    response : ForceResponse or callable
        Of the same coordinates as the modes, in linear response if there is more than one bias; or
        a function ``response(bias)`` that returns it at each bias, for whole bias windows
        (``linear=False``).
    modes : VibrationalModes
        The vibrations without current: all, or those that are allowed to mix.
    bias : number, mapping, or a sequence of these, optional
        Where: a number V (lead 0 at +V/2, lead 1 at -V/2), ``{lead: dmu}``, or many of them.
        Default: the bias of the response.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin than the electrons, into the leads' lattice for instance: the rate
        at which the energy of each mode decays.

    Returns
    -------
    Stability

    Raises
    ------
    ValueError, TypeError
        For modes of other coordinates than the response's; for several biases and a response that
        is not linear in the bias; for something else than a response; for negative damping.

    Warns
    -----
    RuntimeWarning
        Where linear response is taken so far that the friction has become negative, or beyond a
        band edge of the leads; where the current's curl exceeds the springs.

    Notes
    -----
    A mode that grows and oscillates is a runaway ("waterwheel") mode.  One with Re Omega = 0 that
    grows is none: the current has made a spring negative, and the atoms leave their places.

    The positions of the atoms are those without current: the shift of the equilibrium by the force
    is not followed.  A threshold from linear response is worth a check with the whole window.
    """
    if bias is None and not isinstance(response, ForceResponse) and callable(response):
        raise TypeError("response is a function of the bias, but bias is not given.")
    biases = [None] if bias is None else _listed(bias)
    answers = [at_bias(response, b) for b in biases]
    systems = [mechanics(answer, modes, damping) for answer in answers]
    notices = notices_of(answers, systems, modes)
    frequencies, amplitudes = solved(systems)
    _follow(frequencies, amplitudes)
    return Stability(
        bias=np.array([answer.bias for answer in answers]),
        frequencies=frequencies,
        amplitudes=amplitudes,
        patterns=modes.patterns,
        masses=modes.masses,
        positions=either(answers[0].positions, modes.positions),
        units=either(answers[0].units, modes.units),
        warnings=issued(notices, notices_of_the_band(answers)),
    )


def solved(systems: Sequence[Mechanics]) -> tuple[ComplexArray, ComplexArray]:
    """Return Omega (n_systems, n_modes) and the amplitudes (n_systems, n_modes, n_modes)."""
    return complex_frequencies(
        np.array([system.stiffness for system in systems]),
        np.array([system.damping for system in systems]),
    )


def _listed(bias: Bias | Sequence[Bias]) -> list[Any]:
    """Return the biases; rows of an array (n, n_leads), as `Stability.bias` is, are mappings."""
    if isinstance(bias, Mapping | str) or not np.iterable(bias):
        return [bias]
    listed = [
        b if isinstance(b, Mapping) else dict(enumerate(b)) if np.iterable(b) else b for b in bias
    ]
    if not listed:
        raise ValueError("bias is empty; expected at least one.")
    return listed


def at_bias(response: AtBias, bias: Bias | None) -> ForceResponse:
    """Return the response at a bias, or at its own for None; raise for something else."""
    if isinstance(response, ForceResponse):
        return response if bias is None else response.at_bias(bias)
    if not callable(response):
        raise TypeError(
            f"response is a {type(response).__name__}; expected a ForceResponse, or a function of "
            "the bias that returns one."
        )
    answer = response(bias)
    if not isinstance(answer, ForceResponse):
        raise TypeError(
            f"response returned a {type(answer).__name__} at the bias {bias!r}; expected a "
            "ForceResponse."
        )
    return answer


def _follow(frequencies: ComplexArray, amplitudes: ComplexArray) -> None:
    """Reorder the modes at each bias, in place, so that each is most like itself at the last."""
    for point in range(1, len(frequencies)):
        overlap = np.abs(amplitudes[point - 1].conj() @ amplitudes[point].T) ** 2
        order = linear_sum_assignment(overlap, maximize=True)[1]
        frequencies[point] = frequencies[point, order]
        amplitudes[point] = amplitudes[point, order]
