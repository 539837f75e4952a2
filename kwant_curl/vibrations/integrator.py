"""Langevin dynamics of the atoms under current."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.coloured import check_positive, period
from kwant_curl.algebra.dynamics import propagation
from kwant_curl.algebra.memory import Memory
from kwant_curl.algebra.surrounded import surrounded_propagation
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.results.noise_spectrum import NoiseSpectrum
from kwant_curl.support.checks import positive_integer, positive_number
from kwant_curl.support.parallel import Executor, check_executor
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.anharmonic import Everywhere, Field
from kwant_curl.vibrations.beginnings import Seed, Steps, generator_of, start_of, steps_of
from kwant_curl.vibrations.electron_memory import electron_memory, notices_of_memory
from kwant_curl.vibrations.far import Asked, anharmonic_motion, check_anharmonic
from kwant_curl.vibrations.mechanics import (
    Mechanics,
    either,
    mechanics,
    notices_of,
    notices_of_far_biases,
    other_damping,
    projected,
)
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.noises import (
    NoiseKind,
    Noises,
    checked_spectrum,
    classical_noises,
    cutoff_of,
    lead_memories,
    noise_kind,
    quantum_noises,
    temperatures_of_leads,
)
from kwant_curl.vibrations.potentials import Potential
from kwant_curl.vibrations.runs import Group, Run, followed
from kwant_curl.vibrations.trajectories import Trajectory

__all__ = ["langevin"]

FloatArray = NDArray[np.float64]

TOGETHER = 2**13
"""Coordinates that move together: trajectories beyond go to another worker."""

CUTOFF = 10.0
"""Where quantum noise ends by default, in frequencies of the fastest motion."""

POSITIVE = 1e-6
"""Eigenvalues of a spectrum that are as negative, relative to the largest, are errors of a fit."""

MAX_MEMORY = 2**29
"""Bytes that noise with a spectrum may take at a time."""


@recorded
def langevin(
    response: ForceResponse | Field,
    modes: VibrationalModes,
    duration: float,
    *,
    anharmonic: Potential | None = None,
    time_step: float | None = None,
    coordinates: ArrayLike | None = None,
    velocities: ArrayLike | None = None,
    damping: ArrayLike = 0.0,
    noise: bool | NoiseKind = True,
    lead_temperatures: Mapping[int, float] | None = None,
    spectrum: NoiseSpectrum | None = None,
    cutoff: float | None = None,
    n_trajectories: int = 1,
    every: int = 1,
    seed: Seed | None = None,
    max_memory: float = MAX_MEMORY,
    executor: Executor | None = None,
    progress: Progress = None,
) -> Trajectory:
    """Follow the vibrations in time, driven by the current and by noise.

    q'' = -(omega^2 - J) q - gamma q' - (Pi q)(t) + xi, in the basis of the modes; J and gamma are
    the Jacobian (or the curl's part of it) and the velocity tensor (or the friction) of the
    response, Pi the self-energy of the leads of the modes, if they have any.  The noise xi is
    that of electrons, lattice and other friction, classical or quantum.

    Parameters
    ----------
    response : ForceResponse or ResponseField
        Of the same coordinates as the modes, at the bias in question; with ``noise=True`` for
        classical noise.  A `ResponseField`: the response wherever the atoms are at the time, see
        the notes.
    modes : VibrationalModes
        The vibrations without current, with their `leads` if the lattice is to be there.
    duration : float
        How long, in units of 1/energy.
    anharmonic : callable, optional
        A potential in place of the modes' springs, all of it: ``anharmonic(q)`` returns the
        potential energy (n,) and the forces (n, n_c) at displacements (n, n_c) of the coordinates,
        n trajectories at a time.  Default: springs, sum_k omega_k^2 q_k^2/2.
    time_step : float, optional
        The longest step; `duration` is a whole number of steps.  Default: 1/20 of 1/omega of the
        fastest motion, that of the lattice included.
    coordinates, velocities : array (n_modes,) or (n_trajectories, n_modes), optional
        Of the modes at the start; default zero.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin than electrons and `leads`: the rate at which the energy of each
        mode decays.  It brings noise of its own, of the response's temperature.
    noise : bool, "classical" or "quantum", default True
        Which noise acts.  ``True`` is "classical": a friction gamma has the noise 2 kT gamma at
        all frequencies.  "quantum": omega coth(omega/2kT) takes the place of 2 kT, zero-point
        motion included.  ``False``: none.
    lead_temperatures : mapping, optional
        kT of the lattice in leads, ``{lead: kT}``; default the response's temperature.
    spectrum : NoiseSpectrum, optional
        The electrons' noise and damping at finite frequency; "quantum" noise needs it at a bias.
        Of the response's coordinates or of `modes.patterns`, at the same energy, bias and
        temperature.  The electrons' damping is then the spectrum's at every frequency, in place
        of the response's.  Beyond its last frequency there is no noise of electrons, and their
        damping is constant.
    cutoff : float, optional
        The frequency beyond which there is no quantum noise; default 10 times that of the fastest
        motion.
    n_trajectories : int, default 1
        As many at a time, with noise of their own.
    every : int, default 1
        Every how many steps the motion is noted.
    seed : optional
        Of the noise, anything that `numpy.random.default_rng` takes.  Equal seeds give equal
        trajectories, on any executor.
    max_memory : float, default 512 MiB
        Bytes that noise with a spectrum may take at a time; trajectories go in groups for that.
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
        For noise without a seed, or classical noise from a response that holds none; quantum
        noise at a bias without a `spectrum`, or one of other coordinates; a time step that is too
        long for the fastest motion; arrays of the wrong shape; modes of other coordinates; noise
        that doesn't fit into `max_memory`.  With `anharmonic` or a field: for phonon leads, quantum
        noise, an `executor` and other things of harmonic motion; a potential that returns arrays of
        other shapes or numbers that are not finite.

    Warns
    -----
    RuntimeWarning
        As `stability`; where the memory of the electrons doesn't damp the modes as `spectrum` has
        it, to 5 %.

    Notes
    -----
    The integrator is BAOAB (Leimkuhler and Matthews, 2013), with a matrix of friction whose step
    is exact; it errs as the square of the step.  What leads and electrons remember,
    y' = -i p y - i W q of each pole p of Pi, moves with the coordinates, exactly while these move
    uniformly.  They begin at rest, as if the atoms had been at zero before.

    Electrons with a `spectrum` have a self-energy of this form too: poles through the damping of
    the spectrum, to 1 % where its frequencies are dense enough.  Its Hermitian part, which shifts
    frequencies, follows by causality; at zero frequency it is the response's.

    Noise of a spectrum is made for the whole duration by Fourier transform, periodic in at least
    twice the duration, and longer by what it takes the leads to forget (to 1.5e-8): none of it is
    felt again.  It takes eight durations at most; then the spectrum is averaged between its
    frequencies, correlations over a time t are too small by a part 1 - sinc(pi t/period), at
    most 3 %, and narrower lines stand at the nearest frequency.  At zero temperature quantum
    correlations decay as 1/t^2 only, and at the end of the period so much of them is left.  A
    lead's noise is that of its own Pi,
    2 (-Im Pi/omega) E(omega) with E = kT or omega/2 coth(omega/2kT), so that equilibrium is that
    of the whole lattice.

    Quantum noise of friction without memory (electrons without a `spectrum`, `damping`, a
    constant friction of leads) grows with omega: mean squares of coordinates converge with the
    cutoff, those of velocities grow by (gamma/pi) ln(cutoff/omega), which is physical if friction
    ends there.  The friction itself doesn't end.

    The motion is about the atoms' equilibrium with the current: the constant part of the force,
    which shifts it, is left out.

    With `anharmonic` or a `ResponseField` the atoms move in the potential with the whole force of
    the current, the part included that shifts the equilibrium: M Q'' = -dU/dQ + F(Q) - gamma(Q) Q'
    + xi, Q = sum_k q_k patterns[k], by the same integrator with the tensors of the middle of each
    step; the noise is white, and there is no lattice with a memory.  Of one response F is linear,
    F + J Q.  A field with `refresh` has the tensors of its nodes and, with ``jacobian=True``, the
    force to first order from there; without `refresh` the electrons are solved for twice a step.
    Trajectories move together.

    Examples
    --------
    >>> start = {"coordinates": [1.0, 0.0], "noise": False}
    >>> run = langevin(response.at_bias(0.0), modes, 2000.0, every=50, **start)
    >>> bool(run.energy[0, -1].sum() < run.energy[0, 0].sum())  # friction
    True
    """
    check_executor(executor)
    kind = noise_kind(noise)
    if anharmonic is not None or not isinstance(response, ForceResponse):
        given = dict(lead_temperatures=lead_temperatures, spectrum=spectrum, cutoff=cutoff)
        check_anharmonic(response, modes, kind, given | {"executor": executor})
        field = Everywhere(response) if isinstance(response, ForceResponse) else response
        return anharmonic_motion(
            Asked(field, anharmonic, other_damping(damping, len(modes)), kind, seed, max_memory),
            modes,
            steps_of(duration, time_step, modes, np.diag(modes.frequencies**2), ()),
            (coordinates, velocities, n_trajectories),
            every,
            progress,
        )
    system = mechanics(response, modes, damping)
    notices = notices_of([response], [system], modes)
    leads = lead_memories(modes)
    steps = steps_of(duration, time_step, modes, system.stiffness, leads)
    shape = (positive_integer("n_trajectories", n_trajectories), len(modes))
    apart = positive_integer("every", every)
    of_modes = None if spectrum is None else checked_spectrum(spectrum, response, modes)
    wanted = _Wanted(kind, lead_temperatures, of_modes, cutoff)
    noises = _noises(wanted, response, modes, damping, steps.fastest)
    memories = leads
    if of_modes is not None:
        electrons = electron_memory(of_modes, projected(response, modes))
        notices += notices_of_memory(electrons, of_modes, modes)
        system = system._replace(damping=np.diag(other_damping(damping, len(modes))))
        memories = (*leads, electrons)
    generator = generator_of(kind, seed)
    run = _run(system, memories, noises, steps, apart, len(leads))
    q, v = start_of("coordinates", coordinates, shape), start_of("velocities", velocities, shape)
    together = run.together(len(modes), positive_number("max_memory", max_memory))
    groups = _groups(q, v, together, generator)
    with bar(progress, " steps", steps.number * len(groups)) as shown:
        kept, heat = zip(*followed(run, groups, executor, shown), strict=True)
    motion = np.concatenate(kept, axis=2)
    return Trajectory(
        times=steps.step * apart * np.arange(motion.shape[1], dtype=float),
        coordinates=motion[0].swapaxes(0, 1),
        velocities=motion[1].swapaxes(0, 1),
        mode_frequencies=modes.frequencies,
        patterns=modes.patterns,
        heat=np.concatenate(heat, axis=1).swapaxes(0, 1) if leads else None,
        noise=kind,
        units=either(response.units, modes.units),
        warnings=issued(notices, notices_of_far_biases([response])),
    )


class _Wanted(NamedTuple):
    """What a user wants of noise: see `langevin`."""

    kind: NoiseKind
    lead_temperatures: Mapping[int, float] | None
    spectrum: NoiseSpectrum | None
    cutoff: float | None


def _noises(
    wanted: _Wanted,
    response: ForceResponse,
    modes: VibrationalModes,
    damping: ArrayLike,
    fastest: float,
) -> Noises:
    """Return the noise that acts, or raise for what doesn't go together."""
    kind, given, spectrum, cutoff = wanted
    if kind == "classical" and spectrum is not None:
        raise ValueError(
            'spectrum is that of quantum noise; expected noise="quantum" with it, or noise=False, '
            "for the damping alone."
        )
    if kind != "quantum" and cutoff is not None:
        raise ValueError(
            'cutoff is that of quantum noise; expected noise="quantum" with it, or none.'
        )
    if kind == "none" and given is not None:
        raise ValueError("lead_temperatures are those of noise, which is off; leave them out.")
    temperatures = temperatures_of_leads(given, modes, response.temperature)
    if kind == "none":
        return Noises.nothing(len(modes), len(temperatures) + (spectrum is not None))
    if kind == "classical":
        found = classical_noises(response, modes, damping, temperatures)
    else:
        limit = cutoff_of(cutoff, fastest, CUTOFF)
        found = quantum_noises(response, modes, damping, temperatures, spectrum, limit)
    error = 0.0 if spectrum is None else spectrum.error
    for number, source in enumerate(found.spectra):
        if source is not None:
            of_lead = 0 < number <= len(temperatures)
            name = f"lead {number - 1} of the lattice" if of_lead else "the electrons"
            check_positive(source, 2 * fastest, max(POSITIVE, error), name)
    return found


def _run(
    system: Mechanics,
    memories: tuple[Memory, ...],
    noises: Noises,
    steps: Steps,
    every: int,
    n_leads: int,
) -> Run:
    """Return the steps to be taken; the first n_leads memories are those of leads."""
    own, *of_memories = noises.white
    length = period(steps.number, steps.step, noises.slowest)
    numbers = length, steps.number, every, n_leads
    if memories or any(spectrum is not None for spectrum in noises.spectra):
        move = surrounded_propagation(
            system.stiffness, system.damping, own, memories, of_memories, steps.step
        )
        return Run(move, noises.spectra, *numbers)
    alone = propagation(system.stiffness, system.damping, own, steps.step)
    return Run(alone, noises.spectra, *numbers)


def _groups(
    q: FloatArray, v: FloatArray, together: float, generator: Generator | None
) -> list[Group]:
    """Return groups of trajectories, each with random numbers of its own."""
    size = int(min(max(1, TOGETHER // q.shape[1]), together))
    starts = range(0, len(q), size)
    own: list[Generator | None] = [None] * len(starts)
    if generator is not None:
        own = [np.random.default_rng(generator.integers(2**63, size=4)) for _ in starts]
    return [
        Group(q[start : start + size], v[start : start + size], each)
        for start, each in zip(starts, own, strict=True)
    ]
