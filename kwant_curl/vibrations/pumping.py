"""Which pairs of vibrational modes the current drives, each pair by itself."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.dynamics import complex_frequencies
from kwant_curl.algebra.motions import fastest_motion
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.checks import positive_number
from kwant_curl.support.parallel import Executor, check_executor, mapped
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.mechanics import (
    Mechanics,
    either,
    mechanics,
    notices_of,
    notices_of_far_biases,
    other_damping,
)
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.pairs import PumpedPairs

__all__ = ["pumped_pairs"]

ComplexArray = NDArray[np.complex128]

PIECE = 2**14
"""Pairs whose equations are solved together."""

REMEMBERING = 2**6
"""As many with phonon leads, which take longer: one after another."""


def pumped_pairs(
    response: ForceResponse,
    modes: VibrationalModes,
    *,
    max_detuning: float | None = None,
    damping: ArrayLike = 0.0,
    executor: Executor | None = None,
    progress: Progress = None,
) -> PumpedPairs:
    """Return what the current does to every pair of vibrational modes, each pair by itself.

    For each pair the equation of motion of the two modes is solved with all that the response
    holds: force constants, curl (or the whole Jacobian), friction (or the velocity tensor).  Two
    degenerate modes grow at the driving minus the damping of `ForceResponse.pumping_rates`; others
    only where the driving exceeds their detuning.

    Parameters
    ----------
    response : ForceResponse
        Of the same coordinates as the modes, at the bias in question.
    modes : VibrationalModes
        The vibrations without current.
    max_detuning : float, optional
        Only pairs whose frequencies differ by less.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin than the electrons: the rate at which the energy of each mode
        decays.
    executor : optional
        Anything with the `map` of `concurrent.futures.Executor`, for pieces of 16384 pairs.
    progress : bool, optional
        Show a progress bar: pairs.  Default: after two seconds, on a terminal or in a notebook.

    Returns
    -------
    PumpedPairs
        Sorted by growth, the fastest first.

    Raises
    ------
    ValueError
        If there are fewer than two modes, or modes of other coordinates than the response's.

    Warns
    -----
    RuntimeWarning
        Where linear response is taken so far that the friction has become negative, or beyond a
        band edge of the leads; where the current's curl exceeds the springs.

    Notes
    -----
    Two modes by themselves are an approximation: `stability` has all of them at once.  The time
    grows as the number of pairs.  Phonon leads of the modes are in the growth, not in `damping`;
    they take the time of a `stability` of two modes per pair.
    """
    check_executor(executor)
    system = mechanics(response, modes, damping)
    notices = notices_of([response], [system], modes)
    omega = modes.frequencies
    first, second = np.triu_indices(len(omega), 1)
    if not first.size:
        raise ValueError(f"There is {len(omega)} mode; expected two or more, to make pairs.")
    if max_detuning is not None:
        near = np.abs(omega[first] - omega[second]) < positive_number("max_detuning", max_detuning)
        first, second = first[near], second[near]
    projected = response.without_spectrum().project(modes.patterns)
    pairs = np.stack([first, second], axis=1)
    with bar(progress, " pairs", len(pairs)) as shown:
        frequencies, amplitudes = _fastest(system, pairs, executor, shown)
    friction = np.diag(projected.friction) + other_damping(damping, len(omega))
    order = np.argsort(-frequencies.imag, kind="stable")
    k, m = first[order], second[order]
    return PumpedPairs(
        pairs=pairs[order],
        frequencies=frequencies[order],
        amplitudes=amplitudes[order],
        driving=projected.curl[k, m] / (2 * np.sqrt(omega[k] * omega[m])),
        damping=0.5 * (friction[k] + friction[m]),
        detuning=omega[m] - omega[k],
        patterns=modes.patterns,
        masses=modes.masses,
        positions=either(response.positions, modes.positions),
        units=either(response.units, modes.units),
        warnings=issued(notices, notices_of_far_biases([response])),
    )


def _fastest(
    system: Mechanics, pairs: NDArray[np.int64], executor: Executor | None, shown: Any
) -> tuple[ComplexArray, ComplexArray]:
    """Return Omega and the amplitudes of the fastest growing motion of each pair."""
    frequencies = np.empty(len(pairs), complex)
    amplitudes = np.empty((len(pairs), 2), complex)
    size = PIECE if system.memory is None else REMEMBERING
    parts = [slice(start, start + size) for start in range(0, len(pairs), size)]
    blocks = [(_blocks(system, pairs[part]), pairs[part]) for part in parts]
    for part, found in zip(parts, mapped(_fastest_of_each, blocks, executor), strict=True):
        frequencies[part], amplitudes[part] = found
        shown.update(len(found[0]))
    return frequencies, amplitudes


def _blocks(system: Mechanics, pairs: NDArray[np.int64]) -> Mechanics:
    """Return the equations of motion of pairs, (n_pairs, 2, 2) each; the memory of all modes."""
    row, col = pairs[:, :, None], pairs[:, None, :]
    return Mechanics(system.stiffness[row, col], system.damping[row, col], system.memory)


def _fastest_of_each(
    block: tuple[Mechanics, NDArray[np.int64]],
) -> tuple[ComplexArray, ComplexArray]:
    (stiffness, damping, memory), pairs = block
    if memory is not None:
        each = zip(stiffness, damping, pairs, strict=True)
        motions = [fastest_motion(s, gamma, memory.block(pair)) for s, gamma, pair in each]
        return np.array([m[1] for m in motions]), np.array([m[2] for m in motions])
    found, vectors = complex_frequencies(stiffness, damping)
    which, number = found.imag.argmax(axis=1), np.arange(len(found))
    return found[number, which], vectors[number, which]
