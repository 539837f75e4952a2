"""Langevin dynamics of the atoms under current."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.random import BitGenerator, Generator, RandomState, SeedSequence
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.dynamics import Propagation, propagation
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.checks import positive_number, true_or_false
from kwant_curl.support.parallel import Executor, check_executor, mapped
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.mechanics import (
    either,
    mechanics,
    notices_of,
    notices_of_far_biases,
    other_damping,
)
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.trajectories import Trajectory

__all__ = ["langevin"]

FloatArray = NDArray[np.float64]

Seed = int | Sequence[int] | SeedSequence | BitGenerator | Generator | RandomState
"""What `numpy.random.default_rng` takes."""

STEPS_PER_RADIAN = 20
"""Steps in 1/omega of the fastest mode, by default: 126 in its period."""

TOGETHER = 2**13
"""Coordinates that move together: trajectories beyond go to another worker."""

FEWEST_PER_RADIAN = 2
"""Fewer steps in 1/omega than this are an error: at 1/2 the integrator is unstable."""


def langevin(
    response: ForceResponse,
    modes: VibrationalModes,
    duration: float,
    *,
    time_step: float | None = None,
    coordinates: ArrayLike | None = None,
    velocities: ArrayLike | None = None,
    damping: ArrayLike = 0.0,
    noise: bool = True,
    n_trajectories: int = 1,
    every: int = 1,
    seed: Seed | None = None,
    executor: Executor | None = None,
    progress: Progress = None,
) -> Trajectory:
    """Follow the vibrations in time, driven by the current and by its noise.

    q'' = -(omega^2 - J) q - gamma q' + xi, <xi(t) xi(t')> = S delta(t - t'), in the basis of the
    modes; J, gamma and S are the Jacobian (or the curl's part of it), the velocity tensor (or the
    friction) and the noise of the response.

    Parameters
    ----------
    response : ForceResponse
        Of the same coordinates as the modes, at the bias in question; with ``noise=True`` unless
        the trajectory is to be without.
    modes : VibrationalModes
        The vibrations without current.
    duration : float
        How long, in units of 1/energy.
    time_step : float, optional
        The longest step; `duration` is a whole number of steps.  Default: 1/20 of 1/omega of the
        fastest motion.
    coordinates, velocities : array (n_modes,) or (n_trajectories, n_modes), optional
        Of the modes at the start; default zero.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin than the electrons: the rate at which the energy of each mode
        decays.  It brings noise of its own, of the response's temperature.
    noise : bool, default True
        Whether the noise of the force acts.
    n_trajectories : int, default 1
        As many at a time, with noise of their own.
    every : int, default 1
        Every how many steps the motion is noted.
    seed : optional
        Of the noise, anything that `numpy.random.default_rng` takes.  Equal seeds give equal
        trajectories, on any executor.
    executor : optional
        Anything with the `map` of `concurrent.futures.Executor`, for groups of trajectories.
    progress : bool, optional
        Show a progress bar: steps.  Default: after two seconds, on a terminal or in a notebook.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError
        For noise without a seed or from a response that holds none; a time step that is too long
        for the fastest mode; arrays of the wrong shape; modes of other coordinates.

    Warns
    -----
    RuntimeWarning
        As `stability`.

    Notes
    -----
    The integrator is BAOAB (Leimkuhler and Matthews, 2013), with a matrix of friction whose step
    is exact; it errs as the square of the step.  The motion is about the atoms' equilibrium with
    the current: the constant part of the force, which shifts it, is left out.  Noise that is not
    white, and that of other origin than the electrons, is too.
    """
    check_executor(executor)
    if modes.leads is not None:
        raise ValueError(
            "The modes have phonon leads, whose memory langevin does not follow. Take modes "
            "without (dataclasses.replace(modes, leads=None)), and what the leads damp as damping=."
        )
    system = mechanics(response, modes, damping)
    notices = notices_of([response], [system], modes)
    total = positive_number("duration", duration)
    n_steps = math.ceil(total / _time_step(time_step, modes, system.stiffness) - 1e-9)
    step = total / n_steps
    shape = (_count("n_trajectories", n_trajectories), len(modes))
    apart = _count("every", every)
    spectrum = np.zeros(2 * (len(modes),))
    if true_or_false("noise", noise):
        other = 2 * response.temperature * other_damping(damping, len(modes))
        spectrum = response.without_spectrum().project(modes.patterns).noise + np.diag(other)
    if noise and seed is None:
        raise ValueError("seed is not given; pass one, so that the trajectory can be had again.")
    run = _Run(propagation(system.stiffness, system.damping, spectrum, step), n_steps, apart)
    q, v = _start("coordinates", coordinates, shape), _start("velocities", velocities, shape)
    groups = _groups(q, v, np.random.default_rng(seed) if noise else None)
    with bar(progress, " steps", n_steps * len(groups)) as shown:
        kept = np.concatenate(list(_followed(run, groups, executor, shown)), axis=2)
    return Trajectory(
        times=step * apart * np.arange(kept.shape[1], dtype=float),
        coordinates=kept[0].swapaxes(0, 1),
        velocities=kept[1].swapaxes(0, 1),
        mode_frequencies=modes.frequencies,
        patterns=modes.patterns,
        units=either(response.units, modes.units),
        warnings=issued(notices, notices_of_far_biases([response])),
    )


class _Group(NamedTuple):
    """Trajectories that move together: their start, (n, n_modes), and their noise, if any."""

    coordinates: FloatArray
    velocities: FloatArray
    generator: Generator | None


def _groups(q: FloatArray, v: FloatArray, generator: Generator | None) -> list[_Group]:
    """Return groups of trajectories, each with random numbers of its own."""
    size = max(1, TOGETHER // q.shape[1])
    starts = range(0, len(q), size)
    own: list[Generator | None] = [None] * len(starts)
    if generator is not None:
        own = [np.random.default_rng(generator.integers(2**63, size=4)) for _ in starts]
    return [
        _Group(q[start : start + size], v[start : start + size], each)
        for start, each in zip(starts, own, strict=True)
    ]


@dataclass(frozen=True)
class _Run:
    """So many steps of the integrator, of which every so many are noted."""

    move: Propagation
    n_steps: int
    every: int

    def __call__(self, group: _Group, tick: Callable[[], Any] | None = None) -> FloatArray:
        """Return coordinates and velocities, (2, n_times, n, n_modes); tick: called each step."""
        q, v, generator = group
        kept = np.empty((2, self.n_steps // self.every + 1, *q.shape))
        kept[:, 0] = q, v
        with np.errstate(over="ignore", invalid="ignore"):
            for number in range(1, self.n_steps + 1):
                xi = None if generator is None else generator.standard_normal(q.shape)
                q, v = self.move.advance(q, v, xi)
                if number % self.every == 0:
                    kept[:, number // self.every] = q, v
                    _check_finite(q, self.move.step * number)
                if tick is not None:
                    tick()
        return kept


def _followed(
    run: _Run, groups: list[_Group], executor: Executor | None, shown: Any
) -> Iterator[FloatArray]:
    """Yield what becomes of each group; the bar counts steps here, and whole groups elsewhere."""
    if executor is None:
        yield from (run(group, shown.update) for group in groups)
        return
    for kept in mapped(run, groups, executor):
        shown.update(run.n_steps)
        yield kept


def _time_step(time_step: float | None, modes: VibrationalModes, stiffness: FloatArray) -> float:
    """Return the longest step; the current may stiffen springs beyond the fastest mode."""
    stiffest = np.sqrt(np.abs(np.linalg.eigvals(stiffness)).max())
    fastest = max(float(modes.frequencies.max()), float(stiffest))
    if time_step is None:
        return 1 / (STEPS_PER_RADIAN * fastest)
    step = positive_number("time_step", time_step)
    if step * fastest > 1 / FEWEST_PER_RADIAN:
        raise ValueError(
            f"time_step is {step:.4g}, too long for the fastest motion, of frequency "
            f"{fastest:.4g}; expected at most {1 / (FEWEST_PER_RADIAN * fastest):.4g}."
        )
    return step


def _check_finite(coordinates: FloatArray, time: float) -> None:
    if not np.isfinite(coordinates).all():
        raise ValueError(
            f"The motion has grown beyond all numbers by the time {time:.4g}: it runs away. Ask "
            "for a shorter duration."
        )


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}; expected a positive whole number.")
    return int(value)


def _start(name: str, values: ArrayLike | None, shape: tuple[int, int]) -> FloatArray:
    if values is None:
        return np.zeros(shape)
    array = np.asarray(values)
    if array.shape not in (shape, shape[1:]) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} has shape {array.shape} and type {array.dtype}; expected real numbers of "
            f"shape {shape[1:]} or {shape}."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has entries that are not finite.")
    return np.broadcast_to(array.astype(float), shape)
