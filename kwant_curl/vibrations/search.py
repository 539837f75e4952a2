"""The search for the bias at which the first vibration begins to grow."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from kwant_curl.algebra.decay import DecayingEnergy
from kwant_curl.algebra.dynamics import fastest_growth, forward_frequencies
from kwant_curl.algebra.growing import followed
from kwant_curl.algebra.memory import Memory, without_constants
from kwant_curl.algebra.motions import MANY, fastest_motion, growing_motion, motions
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.parallel import Executor, mapped
from kwant_curl.vibrations.mechanics import Mechanics
from kwant_curl.vibrations.runaway import Bias, OperatedModes
from kwant_curl.vibrations.stabilities import MARGINAL

__all__ = ["Bracket", "Search", "scaled"]

ComplexArray = NDArray[np.complex128]
FloatArray = NDArray[np.float64]
Forces = tuple[FloatArray, FloatArray, Memory | None]
"""Stiffness, damping, and what remembers: nothing where Pi has no poles."""

Motion = tuple[complex, ComplexArray | None]
"""Omega and v; None where only Omega is known."""

ITERATIONS = 2000
"""Of the root search: enough to halve from the largest number to the smallest."""

ALIKE = 0.5
"""Overlap of the vectors of one motion at neighbouring biases, at least."""

NEAR = 1e-6
"""Frequencies of one motion at one bias differ by less, relative to the largest."""

UNDAMPED = 100.0
"""Growth of motions that nothing damps, in units of what is taken for none."""

ABOVE = (1e-6, 1e-4, 1e-2)
"""How far above the root, relative to it, what grows there is looked for."""

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
        many = len(frequencies) >= MANY and not operated.remembers
        self._decay = DecayingEnergy(frequencies, MARGINAL) if many else None
        self._known: dict[float, tuple[ForceResponse, Mechanics]] = {}
        self._undecided = math.inf
        self._slowest: Motion | None = None

    def at(self, v: float) -> tuple[ForceResponse, Mechanics]:
        """Return the response and the equation of motion at a multiple of the direction."""
        if v not in self._known:
            self._keep(v, self._operated.at(scaled(self._direction, v)))
            self._bar.update()
        return self._known[v]

    def growing(self, v: float) -> Motion | None:
        """Return a motion that grows there, if there is one."""
        if self._is_decaying(v):
            return None
        stiffness, damping, memory = self._forces(v)
        if memory is not None:
            return growing_motion(stiffness, damping, memory, self._tiny)
        if self._slowest is not None:  # of the last bias: it may be the one
            found = followed(stiffness, damping, *self._slowest)
            if found is not None and found[0].imag > self._tiny:
                return found
        frequencies = forward_frequencies(stiffness, damping)
        fastest = complex(frequencies[frequencies.imag.argmax()])
        if fastest.imag > self._tiny:
            return fastest, None
        self._slowest = None if self._decay is None else (fastest, None)
        return None

    def _forces(self, v: float) -> Forces:
        """Return the equation of motion there, of Pi what is constant in the first two."""
        return without_constants(*self.at(v)[1])

    def _is_decaying(self, v: float) -> bool:
        """Return whether an energy shows that nothing grows there.

        Beyond a bias where none was found none is looked for.
        """
        if self._decay is None or v >= self._undecided:
            return False
        if self._decay.is_found(v, self._forces(v)[:2]):
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
            points = [scaled(self._direction, v) for v in some]
            yield from zip(
                some, mapped(self._operated.at, points, self._executor, self._bar), strict=True
            )

    def root(self, bracket: Bracket, rtol: float) -> tuple[float, int, complex, ComplexArray]:
        """Return the bias, and the number, Omega and v of the mode that begins to grow there."""
        low, high, motion = bracket
        relative = max(rtol, 4 * np.finfo(float).eps)
        remembers = self._forces(high)[2] is not None
        if self._decay is not None or remembers:
            own = self._followed(low, high, motion, relative)
            if own is not None:
                found = self._last_word(*own, relative)
                if found is not None:
                    return own[0], *found
                high = own[0]
        root = _root(self._excess, low, high, relative)
        return root, *self._growing_from(root, bracket.high)

    def _growing_from(self, root: float, high: float) -> tuple[int, complex, ComplexArray]:
        """Return number, Omega and v of the motion that grows above the root.

        Others that nothing damps neither grow nor decay at any bias: where there are any it is
        that which grows a little above, followed back.
        """
        found = fastest_motion(*self._forces(root))
        stiffness, damping, memory = self._forces(root)
        frequencies = motions(stiffness, damping, memory)[0]
        if np.count_nonzero(frequencies.imag > found[1].imag - UNDAMPED * self._tiny) < 2:
            return found
        for step in ABOVE:
            v = min(root * (1 + step), high)
            _, omega, vector = fastest_motion(*self._forces(v))
            if omega.imag > UNDAMPED * self._tiny:
                own = followed(stiffness, damping, omega, vector, memory)
                omega, vector = (omega, vector) if own is None else own
                return int(np.abs(frequencies - omega).argmin()), omega, vector
        return found

    def _last_word(
        self, root: float, omega: complex, vector: ComplexArray, rtol: float
    ) -> tuple[int, complex, ComplexArray] | None:
        """Return number, Omega and v of the motion that was followed; None if another one grows.

        And where the root is a jump from one motion to another.
        """
        stiffness, damping, memory = self._forces(root)
        if memory is None:
            found = fastest_motion(stiffness, damping)
            return found if found[1].imag <= 2 * self._tiny else None
        frequencies, _, missing = motions(stiffness, damping, memory)
        own = max(omega.imag, self._tiny)
        another = frequencies.imag.max() > own + self._tiny
        if missing or another or own > self._tiny + rtol * np.abs(frequencies).max():
            return None
        number = int(np.abs(frequencies - omega).argmin())
        if abs(frequencies[number] - omega) > NEAR * abs(frequencies).max():  # not among them
            below = int(np.count_nonzero(frequencies.real < omega.real))
            number = min(below, len(frequencies) - 1)
        return number, omega, vector

    def _excess(self, v: float) -> float:
        stiffness, damping, memory = self._forces(v)
        if memory is None:
            return fastest_growth(stiffness, damping) - self._tiny
        return fastest_motion(stiffness, damping, memory)[1].imag - self._tiny

    def _followed(
        self, low: float, high: float, motion: Motion, rtol: float
    ) -> tuple[float, complex, ComplexArray] | None:
        """Return where one motion begins to grow, and it there; None if it gets lost."""
        known: dict[float, tuple[complex, ComplexArray]] = {}

        def excess(v: float) -> float:
            nearest = min(known, key=lambda other: abs(other - v), default=None)
            stiffness, damping, memory = self._forces(v)
            start = motion if nearest is None else known[nearest]
            found = followed(stiffness, damping, *start, memory)
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
        return (root, *known[root]) if _is_one_motion(known, root, self._tiny) else None

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


def scaled(direction: Bias, factor: float) -> Bias:
    """Return a multiple of a bias."""
    if isinstance(direction, Mapping):
        return {lead: factor * shift for lead, shift in direction.items()}
    return factor * direction
