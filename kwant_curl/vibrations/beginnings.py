"""How motions begin, in what steps they go on, and what draws their noise."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.random import BitGenerator, Generator, RandomState, SeedSequence
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.memory import Memory
from kwant_curl.support.checks import positive_number
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.noises import NoiseKind

__all__ = ["Seed", "Steps", "generator_of", "start_of", "steps_of"]

FloatArray = NDArray[np.float64]

Seed = int | Sequence[int] | SeedSequence | BitGenerator | Generator | RandomState
"""What `numpy.random.default_rng` takes."""

STEPS_PER_RADIAN = 20
"""Steps in 1/omega of the fastest mode, by default: 126 in its period."""

FEWEST_PER_RADIAN = 2
"""Fewer steps in 1/omega than this are an error: at 1/2 the integrator is unstable."""


class Steps(NamedTuple):
    """The time of a step, how many there are, and the frequency of the fastest motion."""

    step: float
    number: int
    fastest: float


def generator_of(kind: NoiseKind, seed: Seed | None) -> Generator | None:
    """Return what draws the noise, if there is any."""
    if kind == "none":
        return None
    if seed is None:
        raise ValueError("seed is not given; pass one, so that the trajectory can be had again.")
    return np.random.default_rng(seed)


def steps_of(
    duration: Any,
    time_step: float | None,
    modes: VibrationalModes,
    stiffness: FloatArray,
    memories: tuple[Memory, ...],
) -> Steps:
    """Return the steps; the current, and the lattice, may stiffen springs beyond the modes'."""
    total = positive_number("duration", duration)
    for memory in memories:
        stiffness = stiffness + memory.constant
    stiffest = np.sqrt(np.abs(np.linalg.eigvals(stiffness)).max())
    fastest = max(float(modes.frequencies.max()), float(stiffest))
    for memory in memories:
        fastest = max(fastest, float(memory.poles.real.max(initial=0.0)))
    longest = 1 / (STEPS_PER_RADIAN * fastest)
    if time_step is not None:
        longest = positive_number("time_step", time_step)
    if longest * fastest > 1 / FEWEST_PER_RADIAN:
        raise ValueError(
            f"time_step is {longest:.4g}, too long for the fastest motion, of frequency "
            f"{fastest:.4g}; expected at most {1 / (FEWEST_PER_RADIAN * fastest):.4g}."
        )
    number = math.ceil(total / longest - 1e-9)
    return Steps(total / number, number, fastest)


def start_of(name: str, values: ArrayLike | None, shape: tuple[int, int]) -> FloatArray:
    """Return coordinates or velocities (n_trajectories, n_modes) at the start, or raise."""
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
