"""The search for the bias at which the first vibration begins to grow."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from kwant_curl.algebra.decay import DecayingEnergy
from kwant_curl.algebra.dynamics import fastest_growth, forward_frequencies
from kwant_curl.algebra.growing import MANY, fastest_motion, followed
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.parallel import Executor, mapped
from kwant_curl.vibrations.mechanics import Mechanics
from kwant_curl.vibrations.runaway import Bias, OperatedModes
from kwant_curl.vibrations.stabilities import MARGINAL

__all__ = ["Bracket", "Search"]

ComplexArray = NDArray[np.complex128]
Motion = tuple[complex, ComplexArray | None]
"""Omega and v; None where only Omega is known."""

ITERATIONS = 2000
"""Of the root search: enough to halve from the largest number to the smallest."""

ALIKE = 0.5
"""Overlap of the vectors of one motion at neighbouring biases, at least."""

ROUND = 8
"""Biases that an executor gets at a time: those beyond the first instability are for nothing."""


class Bracket(NamedTuple):
    """Between these biases a mode begins to grow; growing: one that grows at the upper."""

    low: float
    high: float
    growing: Motion


class Search:
    """Looks for the first bias, a multiple of a direction, at which a mode grows.

    Of many modes the eigenvalues are not calculated where an energy shows that nothing grows, and
    the root is that of one mode that is followed; the eigenvalues there are the last word.
    """

    def __init__(
        self, operated: OperatedModes, direction: Bias, executor: Executor | None, bar: Any
    ) -> None:
        self._operated, self._direction = operated, direction
        self._executor, self._bar = None if operated.knows_biases else executor, bar
        frequencies = operated.modes.frequencies
        self._tiny = MARGINAL * float(frequencies.max())
        self._decay = DecayingEnergy(frequencies, MARGINAL) if len(frequencies) >= MANY else None
        self._known: dict[float, tuple[ForceResponse, Mechanics]] = {}
        self._undecided = math.inf
        self._slowest: Motion | None = None

    def at(self, v: float) -> tuple[ForceResponse, Mechanics]:
        """Return the response and the equation of motion at a multiple of the direction."""
        if v not in self._known:
            self._keep(v, self._operated.at(_scaled(self._direction, v)))
            self._bar.update()
        return self._known[v]

    def growing(self, v: float) -> Motion | None:
        """Return a motion that grows there, if there is one."""
        if self._is_decaying(v):
            return None
        forces = self.at(v)[1]
        if self._slowest is not None:  # of the last bias: it may be the one
            found = followed(*forces, *self._slowest)
            if found is not None and found[0].imag > self._tiny:
                return found
        frequencies = forward_frequencies(*forces)
        fastest = complex(frequencies[frequencies.imag.argmax()])
        if fastest.imag > self._tiny:
            return fastest, None
        self._slowest = None if self._decay is None else (fastest, None)
        return None

    def _is_decaying(self, v: float) -> bool:
        """Return whether an energy shows that nothing grows there.

        Beyond a bias where none was found none is looked for.
        """
        if self._decay is None or v >= self._undecided:
            return False
        if self._decay.is_found(v, self.at(v)[1]):
            return True
        self._undecided = v
        return False

    def bracket(self, biases: Sequence[float]) -> Bracket | None:
        """Return between which of ascending biases, and zero, the first mode begins to grow."""
        last = 0.0
        for v, found in self._evaluated(biases):
            self._keep(v, found)
            motion = self.growing(v)
            if motion is not None:
                return Bracket(last, v, motion)
            last = v
        return None

    def _evaluated(
        self, biases: Sequence[float]
    ) -> Iterator[tuple[float, tuple[ForceResponse, Mechanics]]]:
        for start in range(0, len(biases), ROUND):
            some = biases[start : start + ROUND]
            points = [_scaled(self._direction, v) for v in some]
            yield from zip(
                some, mapped(self._operated.at, points, self._executor, self._bar), strict=True
            )

    def root(self, bracket: Bracket, rtol: float) -> tuple[float, int, complex, ComplexArray]:
        """Return the bias, and the number, Omega and v of the mode that begins to grow there."""
        low, high, motion = bracket
        relative = max(rtol, 4 * np.finfo(float).eps)
        if self._decay is not None:
            root = self._followed(low, high, motion, relative)
            if root is not None:
                found = fastest_motion(*self.at(root)[1])
                if found[1].imag <= 2 * self._tiny:  # and not another one, that grows before
                    return root, *found
                high = root
        root = _root(self._excess, low, high, relative)
        return root, *fastest_motion(*self.at(root)[1])

    def _excess(self, v: float) -> float:
        return fastest_growth(*self.at(v)[1]) - self._tiny

    def _followed(self, low: float, high: float, motion: Motion, rtol: float) -> float | None:
        """Return where one motion begins to grow; None if it gets lost."""
        known: dict[float, tuple[complex, ComplexArray]] = {}

        def excess(v: float) -> float:
            nearest = min(known, key=lambda other: abs(other - v), default=None)
            found = followed(*self.at(v)[1], *(motion if nearest is None else known[nearest]))
            if found is None:
                raise ValueError("The motion is lost.")
            known[v] = found
            return found[0].imag - self._tiny

        try:
            excess(high)
            root = _root(excess, low, high, rtol)
            excess(root)
        except ValueError:
            return None
        return root if _is_one_motion(known, root, self._tiny) else None

    def _keep(self, v: float, found: tuple[ForceResponse, Mechanics]) -> None:
        """Keep what was found at the last biases."""
        self._known[v] = found
        while len(self._known) > 3:
            del self._known[next(iter(self._known))]


def _is_one_motion(
    known: dict[float, tuple[complex, ComplexArray]], root: float, tiny: float
) -> bool:
    """Return whether what was followed is the same motion on both sides of the root.

    Where one takes the place of another the growth may change its sign by a jump.
    """
    omega, vector = known[root]
    side = np.sign(omega.imag - tiny)
    across = [v for v, (other, _) in known.items() if np.sign(other.imag - tiny) != side]
    if side == 0 or not across:
        return bool(side == 0)
    nearest = min(across, key=lambda v: abs(v - root))
    return bool(abs(np.vdot(vector, known[nearest][1])) > ALIKE)


def _root(excess: Callable[[float], float], low: float, high: float, rtol: float) -> float:
    """Return where `excess` turns positive, to a relative error that holds for small roots too."""
    tiny = np.finfo(float).tiny
    return float(brentq(excess, low, high, xtol=tiny, rtol=rtol, maxiter=ITERATIONS))


def _scaled(direction: Bias, factor: float) -> Bias:
    if isinstance(direction, Mapping):
        return {lead: factor * shift for lead, shift in direction.items()}
    return factor * direction
