"""Motion that is not harmonic, as `langevin` is asked for it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.checks import positive_integer, positive_number
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.anharmonic import AnharmonicRun, Field, Places
from kwant_curl.vibrations.beginnings import Seed, Steps, generator_of, start_of
from kwant_curl.vibrations.mechanics import check_response, either
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.noises import NoiseKind
from kwant_curl.vibrations.potentials import Potential
from kwant_curl.vibrations.runs import Group
from kwant_curl.vibrations.trajectories import Trajectory

__all__ = ["Asked", "anharmonic_motion", "check_anharmonic"]

FloatArray = NDArray[np.float64]


class Asked(NamedTuple):
    """What a user says of motion that is not harmonic: see `langevin`."""

    field: Field
    potential: Potential | None
    damping: FloatArray
    kind: NoiseKind
    seed: Seed | None
    max_memory: float


def check_anharmonic(
    response: Any, modes: VibrationalModes, kind: NoiseKind, given: Mapping[str, Any]
) -> None:
    """Raise for what harmonic motion alone can have."""
    if isinstance(response, ForceResponse) or not hasattr(response, "near"):
        check_response(response, modes)
    elif not isinstance(modes, VibrationalModes):
        raise TypeError(f"modes is a {type(modes).__name__}; expected VibrationalModes.")
    elif kind != "none" and not response.noise:
        raise ValueError(
            "The field has no noise: make it by ResponseField(..., noise=True), or call langevin "
            "with noise=False."
        )
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} is given, which is for harmonic motion; leave it out.")
    if kind == "quantum":
        raise ValueError('noise is "quantum", which is for harmonic motion; expected "classical".')
    if modes.leads is not None:
        raise ValueError(
            "The modes have leads, whose memory is for harmonic motion: leave the leads out, "
            "and give what they damp as damping=."
        )


def anharmonic_motion(
    asked: Asked,
    modes: VibrationalModes,
    steps: Steps,
    start: tuple[ArrayLike | None, ArrayLike | None, int],
    every: int,
    progress: Progress,
) -> Trajectory:
    """Follow motion that is not harmonic."""
    q, v, n = start
    shape = (positive_integer("n_trajectories", n), len(modes))
    memory = positive_number("max_memory", asked.max_memory)
    places = Places(asked.field, modes, asked.damping, steps.step, asked.kind != "none", memory)
    run = AnharmonicRun(places, asked.potential, steps.number, positive_integer("every", every))
    generator = generator_of(asked.kind, asked.seed)
    group = Group(start_of("coordinates", q, shape), start_of("velocities", v, shape), generator)
    with bar(progress, " steps", steps.number) as shown:
        kept, energies, works = run(group, shown.update)
    return Trajectory(
        times=steps.step * run.every * np.arange(kept.shape[1], dtype=float),
        coordinates=kept[0].swapaxes(0, 1),
        velocities=kept[1].swapaxes(0, 1),
        mode_frequencies=modes.frequencies,
        patterns=modes.patterns,
        noise=asked.kind,
        potential=energies.T,
        works=works.swapaxes(0, 1),
        units=either(asked.field.units, modes.units),
        warnings=issued(asked.field.notices),
    )
