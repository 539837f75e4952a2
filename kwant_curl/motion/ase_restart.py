"""What a trajectory of ASE needs to be taken up where it was left: random numbers above all."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["KEY", "generator_of", "numbers_of", "state_of"]

KEY = "current_induced_langevin"
"""Where the state of a trajectory stands in the atoms' `info`, as JSON."""

HELD = {"steps", "start", "works", "random"}
"""What a state holds."""


def numbers_of(generator: np.random.Generator | None) -> dict[str, Any] | None:
    """Return the state of a generator as plain numbers and lists."""
    if generator is None:
        return None
    state = json.dumps(generator.bit_generator.state, default=np.ndarray.tolist)
    numbers: dict[str, Any] = json.loads(state)
    return numbers


def state_of(restart: Any, atoms: Any) -> Mapping[str, Any] | None:
    """Return the state to go on with, if there is one."""
    if restart is None or restart is False:
        return None
    found = json.loads(atoms.info.get(KEY, "null")) if restart is True else restart
    if not isinstance(found, Mapping) or not found.keys() >= HELD:
        raise ValueError(
            f"restart is {restart!r}, and the atoms' info has {sorted(atoms.info)}; expected a "
            f"frame of a trajectory that CurrentInducedLangevin has written (info[{KEY!r}]), or "
            "the dictionary that its state() returned."
        )
    return found


def generator_of(
    rng: Any, state: Mapping[str, Any] | None, noise: bool
) -> np.random.Generator | None:
    """Return the generator of the noise, as it was where a run is taken up; None without noise."""
    random = None if state is None else state["random"]
    if not noise:
        return None
    if random is not None:
        if rng is not None:
            raise ValueError("rng is given with restart, which has the state of one; give one.")
        bits = getattr(np.random, random["bit_generator"])()
        bits.state = random
        return np.random.Generator(bits)
    if rng is None:
        raise ValueError("rng is not given; pass a seed, so that the trajectory can be had again.")
    return np.random.default_rng(rng)
