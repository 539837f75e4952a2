"""Which pairs of vibrational modes the current drives, each pair by itself."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.balance import growth_by_force
from kwant_curl.algebra.dynamics import complex_frequencies
from kwant_curl.algebra.memory import Memory
from kwant_curl.algebra.motions import fastest_motion
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.checks import positive_number
from kwant_curl.support.parallel import Executor, check_executor, mapped
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.mechanics import (
    Mechanics,
    check_response,
    either,
    jacobian_of,
    mechanics_of_modes,
    memory_of,
    notices_of,
    notices_of_far_biases,
    other_damping,
)
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.pairs import SOURCES, PumpedPairs
from kwant_curl.vibrations.stabilities import MARGINAL

__all__ = ["pumped_pairs"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

PIECE = 2**14
"""Pairs whose equations are solved together."""

REMEMBERING = 2**6
"""As many with phonon leads, which take longer: one after another."""


@recorded
def pumped_pairs(
    response: ForceResponse,
    modes: VibrationalModes,
    *,
    by: Literal["driving", "growth"] = "driving",
    max_detuning: float | None = None,
    damping: ArrayLike = 0.0,
    executor: Executor | None = None,
    progress: Progress = None,
) -> PumpedPairs:
    """Return what the current does to every pair of vibrational modes, each pair by itself.

    For each pair the equation of motion of the two modes is solved with all that the response
    holds: force constants, curl (or the whole Jacobian), friction (or the velocity tensor).  Two
    degenerate modes grow at the driving minus the damping of `ForceResponse.pumping_rates`; others
    only where the driving exceeds their detuning.  What each force adds to the growth is in
    `PumpedPairs.contributions`, and adds up.

    Parameters
    ----------
    response : ForceResponse
        Of the same coordinates as the modes, at the bias in question.
    modes : VibrationalModes
        The vibrations without current.
    by : {"driving", "growth"}
        What the pairs are sorted by: how strongly the current drives them, in either sense, or how
        fast they grow.
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
        The largest `|driving|`, or growth, first.

    Raises
    ------
    ValueError
        If there are fewer than two modes, or modes of other coordinates than the response's; for
        another word as `by`.

    Warns
    -----
    RuntimeWarning
        Where linear response is taken so far that the friction has become negative, or beyond a
        band edge of the leads; where the current's curl exceeds the springs.

    Notes
    -----
    Two modes by themselves are an approximation: `stability` has all of them at once.  The time
    grows as the number of pairs.  Phonon leads of the modes are in the growth, and the column
    "lattice", not in `damping`; they take the time of a `stability` of two modes per pair.

    A mode that grows alone, by a negative friction or a spring that is lost, does so in all its
    pairs: `PumpedPairs.single` names it once, and `PumpedPairs.of_single` these pairs.

    Examples
    --------
    >>> pumped_pairs(response, modes).orbit().sense
    'angular momentum 0.205 ħ per quantum, anticlockwise'
    """
    check_executor(executor)
    if by not in ("driving", "growth"):
        raise ValueError(f"by is {by!r}; expected 'driving' or 'growth'.")
    check_response(response, modes)
    projected = response.without_spectrum().project(modes.patterns)
    system = mechanics_of_modes(projected, modes, damping, memory_of(modes))
    notices = notices_of([response], [system], modes)
    pairs = _near_pairs(modes.frequencies, max_detuning)
    with bar(progress, " pairs", len(pairs)) as shown:
        frequencies, amplitudes = _fastest(system, pairs, executor, shown)
    k, m = pairs.T
    driving = projected.curl[k, m] / (2 * np.sqrt(modes.frequencies[k] * modes.frequencies[m]))
    order = np.argsort(-(frequencies.imag if by == "growth" else np.abs(driving)), kind="stable")
    pairs, frequencies, amplitudes = pairs[order], frequencies[order], amplitudes[order]
    other = other_damping(damping, len(modes))
    contributions = _contributions(frequencies, amplitudes, pairs, projected, modes, other)
    friction = np.diag(projected.friction) + other
    single, single_frequencies = _growing_alone(system)
    return PumpedPairs(
        pairs=pairs,
        frequencies=frequencies,
        amplitudes=amplitudes,
        driving=driving[order],
        damping=friction[pairs].mean(axis=1),
        detuning=np.diff(modes.frequencies[pairs], axis=1)[:, 0],
        contributions=contributions,
        single=single,
        single_frequencies=single_frequencies,
        patterns=modes.patterns,
        masses=modes.masses,
        positions=either(response.positions, modes.positions),
        by=by,
        units=either(response.units, modes.units),
        warnings=issued(notices, notices_of_far_biases([response])),
    )


def _near_pairs(omega: FloatArray, max_detuning: float | None) -> NDArray[np.int64]:
    """Return the pairs k < m of modes that are nearly enough degenerate, (n_pairs, 2)."""
    if len(omega) < 2:
        raise ValueError(f"There is {len(omega)} mode; expected two or more, to make pairs.")
    pairs = np.stack(np.triu_indices(len(omega), 1), axis=1)
    if max_detuning is None:
        return pairs
    apart = np.abs(np.diff(omega[pairs], axis=1)[:, 0])
    return pairs[apart < positive_number("max_detuning", max_detuning)]


def _contributions(
    frequencies: ComplexArray,
    amplitudes: ComplexArray,
    pairs: NDArray[np.int64],
    projected: ForceResponse,
    modes: VibrationalModes,
    other: FloatArray,
) -> FloatArray:
    """Return what each of the forces adds to the growth of each pair, (n_pairs, n_sources)."""
    friction, jacobian = projected.friction, jacobian_of(projected)
    velocity = friction if projected.lead_velocity is None else projected.velocity

    def work(matrix: FloatArray) -> ComplexArray:
        return _forms(matrix[pairs[:, :, None], pairs[:, None, :]], amplitudes)

    speeds = 1j * frequencies
    by_source = {
        "curl": work(0.5 * (jacobian - jacobian.T)),
        "springs": work(0.5 * (jacobian + jacobian.T)),
        "friction": speeds * work(friction),
        "bias friction": speeds * work(0.5 * (velocity + velocity.T) - friction),
        "Lorentz": np.zeros_like(speeds),  # it does no work: at right angles to the velocity
        "lattice": -_lattice(frequencies, amplitudes, pairs, memory_of(modes)),
        "other damping": speeds * work(np.diag(other)),
    }
    forces = np.stack([by_source[source] for source in SOURCES])
    return growth_by_force(frequencies, amplitudes, modes.frequencies[pairs] ** 2, forces).T


def _forms(blocks: ComplexArray | FloatArray, amplitudes: ComplexArray) -> ComplexArray:
    """Return a^+ M a of each pair, (n_pairs,), for blocks (n_pairs, 2, 2)."""
    result: ComplexArray = np.einsum("pi,pij,pj->p", amplitudes.conj(), blocks, amplitudes)
    return result


def _lattice(
    frequencies: ComplexArray,
    amplitudes: ComplexArray,
    pairs: NDArray[np.int64],
    memory: Memory | None,
) -> ComplexArray:
    """Return a^+ Pi(Omega) a of each pair, zero without phonon leads."""
    if memory is None:
        return np.zeros(len(pairs), complex)
    each = [memory.block(pair)(omega) for pair, omega in zip(pairs, frequencies, strict=True)]
    return _forms(np.array(each).reshape(-1, 2, 2), amplitudes)


def _growing_alone(system: Mechanics) -> tuple[NDArray[np.int64], ComplexArray]:
    """Return the modes that grow without any other, and their Omega, the fastest first."""
    numbers = np.arange(len(system.stiffness))[:, None]
    frequencies = _fastest_of_each((_blocks(system, numbers), numbers))[0]
    which = np.flatnonzero(frequencies.imag > MARGINAL * np.abs(frequencies).max())
    which = which[np.argsort(-frequencies.imag[which], kind="stable")]
    return which, frequencies[which]


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
    """Return the equations of motion of pairs, (n_pairs, 2, 2) each; the memory of all modes.

    Or of single modes, (n_modes, 1, 1).
    """
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
