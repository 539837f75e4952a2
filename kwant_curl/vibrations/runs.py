"""Groups of trajectories, step by step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kwant_curl.algebra.coloured import Spectrum, bytes_of_noise, coloured_noise
from kwant_curl.algebra.dynamics import Propagation
from kwant_curl.algebra.surrounded import SurroundedPropagation
from kwant_curl.support.parallel import Executor, mapped

__all__ = ["Group", "Run", "check_finite", "followed"]

FloatArray = NDArray[np.float64]


class Group(NamedTuple):
    """Trajectories that move together: their start, (n, n_modes), and their noise, if any."""

    coordinates: FloatArray
    velocities: FloatArray
    generator: Generator | None


@dataclass(frozen=True, eq=False)
class Run:
    """So many steps of the integrator, of which every so many are noted.

    spectra: of the noise on the modes and by each lead, where it isn't white; period: of that
    noise, in steps, and the width over which its spectrum is averaged; n_leads: of how many leads
    the heat is noted, the first ones.
    """

    move: Propagation | SurroundedPropagation
    spectra: tuple[Spectrum | None, ...]
    period: tuple[int, float]
    n_steps: int
    every: int
    n_leads: int

    def __call__(
        self, group: Group, tick: Callable[[], Any] | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return coordinates and velocities, (2, n_times, n, n_modes), and heat; tick: each step.

        heat: (n_times, n, n_leads).
        """
        q, v, generator = group
        n_times = self.n_steps // self.every + 1
        kept, heats = np.empty((2, n_times, *q.shape)), np.zeros((n_times, len(q), self.n_leads))
        kept[:, 0] = q, v
        with np.errstate(over="ignore", invalid="ignore"):
            for number, (*motion, heat) in enumerate(self._motion(q, v, generator), 1):
                if number % self.every == 0:
                    kept[:, number // self.every] = motion
                    heats[number // self.every] = heat[:, : self.n_leads]
                    check_finite(motion[0], self.step * number)
                if tick is not None:
                    tick()
        return kept, heats

    @property
    def step(self) -> float:
        """The time of a step."""
        move = self.move
        return move.step if isinstance(move, Propagation) else move.modes.step

    def _motion(
        self, q: FloatArray, v: FloatArray, generator: Generator | None
    ) -> Iterator[tuple[FloatArray, FloatArray, Any]]:
        """Yield coordinates, velocities and heat after each step."""
        if isinstance(self.move, SurroundedPropagation):
            forces = [self._forces(spectrum, q.shape, generator) for spectrum in self.spectra]
            yield from self.move.motion((q, v), self.n_steps, forces, generator)
            return
        nothing = np.zeros((len(q), 0))
        for _ in range(self.n_steps):
            xi = None if generator is None else generator.standard_normal(q.shape)
            q, v = self.move.advance(q, v, xi)
            yield q, v, nothing

    def _forces(
        self, spectrum: Spectrum | None, shape: tuple[int, ...], generator: Generator | None
    ) -> FloatArray | None:
        """Return the noise of a source at all times, (n_steps + 1, n, n_modes), if it has any."""
        if spectrum is None or generator is None:
            return None
        n, n_modes = shape
        length, width = self.period
        whole = coloured_noise(spectrum, length, self.step, (n, n_modes), generator, width)
        return whole[: self.n_steps + 1].copy()

    def together(self, n_modes: int, max_memory: float) -> float:
        """Return how many trajectories may move together; raise if one takes too much."""
        count = sum(spectrum is not None for spectrum in self.spectra)
        if not count:
            return np.inf
        each = 8 * count * (self.n_steps + 1) * n_modes + bytes_of_noise(self.period[0], n_modes)
        if each > max_memory:
            raise ValueError(
                f"The noise of one trajectory takes {each:.3g} bytes, more than max_memory="
                f"{max_memory:.3g}: {self.n_steps} steps of {n_modes} modes, in a period of "
                f"{self.period[0]} (two to eight durations). Allow more, or take a shorter "
                "duration, a longer time_step or fewer modes."
            )
        return max_memory // each


def followed(
    run: Run, groups: list[Group], executor: Executor | None, shown: Any
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield what becomes of each group; the bar counts steps here, and whole groups elsewhere."""
    if executor is None:
        yield from (run(group, shown.update) for group in groups)
        return
    for kept in mapped(run, groups, executor):
        shown.update(run.n_steps)
        yield kept


def check_finite(coordinates: FloatArray, time: float) -> None:
    """Raise if the motion has run away by this time."""
    if not np.isfinite(coordinates).all():
        raise ValueError(
            f"The motion has grown beyond all numbers by the time {time:.4g}: it runs away. Ask "
            "for a shorter duration."
        )
