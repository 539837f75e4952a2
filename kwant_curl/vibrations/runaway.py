"""Which vibration runs away at a bias."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from kwant_curl.algebra.memory import Memory
from kwant_curl.algebra.motions import Solutions, motions
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.parallel import Executor, check_executor, mapped
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.mechanics import (
    FORCES,
    Mechanics,
    check_response,
    either,
    growth_shares,
    mechanics_of_modes,
    memory_of,
    notices_of,
    notices_of_far_biases,
    notices_of_missing,
    projected,
)
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.stabilities import Stability

__all__ = ["AtBias", "Bias", "Operated", "OperatedModes", "stability"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

Bias = float | Mapping[int, float]
"""Between two leads, or the shift of each."""

AtBias = ForceResponse | Callable[[Any], ForceResponse]
"""A response that may be scaled, or a function of the bias that returns it."""


@recorded
def stability(
    response: AtBias,
    modes: VibrationalModes,
    bias: Bias | Sequence[Bias] | None = None,
    *,
    damping: ArrayLike = 0.0,
    executor: Executor | None = None,
    progress: Progress = None,
) -> Stability:
    """Return the complex frequencies of the vibrations under current.

    The equation of motion in the basis of the modes, where masses are 1,
    q'' = -(omega^2 - J) q - gamma q', is solved with all that the response holds: J its Jacobian,
    or the curl's part of it, -curl/2; gamma its velocity tensor, or the friction of equilibrium.

    Parameters
    ----------
    response : ForceResponse or callable
        Of the same coordinates as the modes: in linear response, or of a whole bias window
        (``linear=False``) that is as wide as the largest bias, whose energies serve all smaller
        ones; or a function ``response(bias)`` that returns it at each bias.
    modes : VibrationalModes
        The vibrations without current: all, or those that are allowed to mix.
    bias : number, mapping, or a sequence of these, optional
        Where: a number V (lead 0 at +V/2, lead 1 at -V/2), ``{lead: dmu}``, or many of them.
        Default: the bias of the response.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin than the electrons, into the leads' lattice for instance: the rate
        at which the energy of each mode decays.
    executor : optional
        Anything with the `map` of `concurrent.futures.Executor`, for the biases; a function of the
        bias must be picklable for processes.
    progress : bool, optional
        Show a progress bar: biases.  Default: after two seconds, on a terminal or in a notebook.

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
        band edge of the leads; where the current's curl exceeds the springs; where more solutions
        grow than are reported.

    Notes
    -----
    A mode that grows and oscillates is a runaway ("waterwheel") mode.  One with Re Omega = 0 that
    grows is none: the current has made a spring negative, and the atoms leave their places.

    With `leads` of the modes the equation is
    [Omega^2 - omega^2 + J - Pi(Omega) + i Omega gamma] v = 0, which has more solutions than modes,
    of the lattice.  Reported are all that grow or are about to, then those with the largest share
    of the moving atoms; of more than 400 variables those that Newton's method finds from the
    modes, with what grows counted by the argument principle.  Above 4000 variables what was
    counted and not found is a warning; see the theory page.

    The positions of the atoms are those without current: the shift of the equilibrium by the force
    is not followed.  A threshold from linear response is worth a check with the whole window.

    Examples
    --------
    >>> stability(response, modes, [0.0, 0.02])
    <Stability of 2 modes at 2 biases: stable>
    """
    if bias is None and not isinstance(response, ForceResponse) and callable(response):
        raise TypeError("response is a function of the bias, but bias is not given.")
    check_executor(executor)
    biases = [None] if bias is None else _listed(bias)
    operated = OperatedModes.of(response, modes, damping)
    with bar(progress, " biases", len(biases)) as shown:
        points = list(mapped(operated.solved, biases, executor, shown))
    answers, systems = [point.response for point in points], [point.system for point in points]
    notices = notices_of(answers, systems, modes)
    notices += notices_of_missing(answers, [point.solutions.missing for point in points])
    frequencies = np.array([point.solutions.frequencies for point in points])
    amplitudes = np.array([point.solutions.vectors for point in points])
    shares = np.array([point.shares.T for point in points])
    _follow(frequencies, amplitudes, shares)
    of_atoms = response if isinstance(response, ForceResponse) else answers[0]
    return Stability(
        bias=np.array([answer.bias for answer in answers]),
        frequencies=frequencies,
        amplitudes=amplitudes,
        patterns=modes.patterns,
        masses=modes.masses,
        positions=either(of_atoms.positions, modes.positions),
        **dict(zip(FORCES, np.moveaxis(shares, 2, 0), strict=True)),
        units=either(of_atoms.units, modes.units),
        warnings=issued(notices, notices_of_far_biases(answers)),
    )


class Operated(NamedTuple):
    """The vibrations at a bias: the response, the equation of motion, and its solutions.

    shares: what each force adds to their growth, (4, n_modes), as `growth_shares` returns it.
    """

    response: ForceResponse
    system: Mechanics
    solutions: Solutions
    shares: FloatArray


@dataclass(frozen=True)
class OperatedModes:
    """The vibrations at any bias; a response that knows other biases is projected on them once."""

    response: AtBias
    modes: VibrationalModes
    damping: ArrayLike
    memory: Memory | None

    @classmethod
    def of(cls, response: AtBias, modes: VibrationalModes, damping: ArrayLike) -> Self:
        """Check that response and modes go together, where the response is known."""
        memory = None
        if isinstance(modes, VibrationalModes):
            memory = memory_of(modes)
        if isinstance(response, ForceResponse):
            check_response(response, modes)
            response = response.project(modes.patterns)
        return cls(response, modes, damping, memory)

    @property
    def knows_biases(self) -> bool:
        """Whether the response knows other biases by itself, without a call."""
        return isinstance(self.response, ForceResponse)

    @property
    def remembers(self) -> bool:
        """Whether there are leads whose self-energy depends on the frequency."""
        return self.memory is not None and len(self.memory.poles) > 0

    def at(self, bias: Bias | None) -> tuple[ForceResponse, Mechanics]:
        """Return response and equation of motion; None: at the response's own bias."""
        answer = _at_bias(self.response, bias)
        of_modes = answer if self.knows_biases else projected(answer, self.modes)
        return answer, mechanics_of_modes(of_modes, self.modes, self.damping, self.memory)

    def solved(self, bias: Bias | None) -> Operated:
        """Return them with the solutions, Omega and v by ascending Re Omega."""
        answer, system = self.at(bias)
        found = motions(*system)
        shares = growth_shares(system, self.modes, self.damping, *found[:2])
        return Operated(answer, system, found, shares)


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


def _at_bias(response: AtBias, bias: Bias | None) -> ForceResponse:
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


def _follow(frequencies: ComplexArray, amplitudes: ComplexArray, shares: FloatArray) -> None:
    """Reorder the modes at each bias, in place, so that each is most like itself at the last."""
    for point in range(1, len(frequencies)):
        overlap = np.abs(amplitudes[point - 1].conj() @ amplitudes[point].T) ** 2
        order = linear_sum_assignment(overlap, maximize=True)[1]
        for array in (frequencies, amplitudes, shares):
            array[point] = array[point, order]
