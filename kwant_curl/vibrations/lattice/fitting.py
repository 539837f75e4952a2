"""From the exact self-energy of the surroundings to a rational one: `PhononLeads`."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.causal import causal_poles, truncated_residues
from kwant_curl.algebra.gaining import gaining
from kwant_curl.algebra.memory import Memory
from kwant_curl.algebra.passive import passive_residues
from kwant_curl.vibrations.lattice.sampling import (
    Samples,
    apart,
    first_points,
    grid,
    points_between,
)
from kwant_curl.vibrations.lattice.surfaces import band_frequencies
from kwant_curl.vibrations.lattice.surroundings import Surroundings
from kwant_curl.vibrations.phonon_leads import PhononLeads

__all__ = ["FitChoices", "fitted_leads"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

FUNCTIONS = 4
"""Combinations of the elements of Pi, at random, from which poles are found."""

NARROW = 1e-6
"""Poles closer to the real axis, in units of the top of the bands, are of vibrations that are bound
in the eliminated atoms, or as good as bound: with residues that are real and positive."""

UNDAMPED = 1e-9
"""The least width of a pole, in units of the top of the bands."""

TIGHTER = (0.3, 0.1, 0.03, 0.01)
"""Parts of rtol to which interpolants are made, one after another while the error exceeds it."""

DEEPER = 100
"""How much closer to the edges than `distance` there are samples, so that a fit doesn't feed energy
in there; they count less, by"""
LESS = 0.1

CUT = 0.03
"""What a singular value of a residue can do at most, relative to rtol, where it is left out."""

MARGIN = 1.02
"""The friction that is added, over the least that is needed where it was looked at."""


class FitChoices(NamedTuple):
    """How well to fit.

    rtol: error that is aimed at, relative to the largest element of Pi(omega), or of Pi(0) where
    this is larger; distance: from band edges, in units of the top of the bands, within which
    nothing is promised; most: poles of a bath, mirror images included.
    """

    rtol: float
    distance: float
    most: int


class _Fit(NamedTuple):
    memory: Memory
    error: float
    bound: ComplexArray


def fitted_leads(
    surroundings: Surroundings, choices: FitChoices
) -> tuple[PhononLeads, tuple[str, ...]]:
    """Return the surroundings as PhononLeads, each bath a lead, and notices."""
    fits = [_fit(surroundings, number, choices) for number in range(len(surroundings.baths))]
    counts = [len(fit.memory.poles) for fit in fits]
    leads = PhononLeads(
        poles=np.concatenate([fit.memory.poles for fit in fits]),
        residues=np.concatenate([fit.memory.residues for fit in fits]),
        lead=np.repeat(np.arange(len(fits)), counts),
        constant=np.stack([fit.memory.constant for fit in fits]),
        friction=np.stack([fit.memory.friction for fit in fits]),
        error=max(fit.error for fit in fits),
    )
    return leads, tuple(text for fit in fits for text in _notices(fit, choices))


def _notices(fit: _Fit, choices: FitChoices) -> list[str]:
    notices = []
    if fit.error > choices.rtol:
        notices.append(
            f"The self-energy of the lattice is fitted with an error of {fit.error:.2g} by "
            f"{len(fit.memory.poles)} poles, more than rtol={choices.rtol:.2g}; take a larger "
            "max_poles=, a larger distance= from band edges, or let more atoms move."
        )
    if fit.bound.size:
        notices.append(
            f"Vibrations at omega = {np.array2string(fit.bound.real, precision=6)} are bound in "
            "the atoms that don't move, and never leave, or in more than a million periods: in the "
            f"fit they decay with rates up to {-2 * fit.bound.imag.min():.1g}. Let the atoms move "
            "where they are."
        )
    return notices


def _fit(surroundings: Surroundings, number: int, choices: FitChoices) -> _Fit:
    """Fit one bath, with as few poles as suffice; what a fit hasn't seen, the next one has."""
    bath, problem = surroundings.baths[number], surroundings.problem
    part = replace(problem, leads=tuple(problem.leads[lead] for lead in bath.leads))
    alone = replace(surroundings, baths=(bath,))
    edges = band_frequencies(part)
    top = float(edges.max())
    if choices.distance >= 1:  # fits are judged up to twice the top
        raise ValueError(_too_distant(choices.distance))
    samples = Samples.of(alone, first_points(edges, choices.distance / DEEPER * top))
    static = alone.selfenergy(0.0)[0].real
    largest = float(np.abs(static).max())
    if not largest and not samples.values.any():
        return _untouched(len(static))
    fits = list[_Fit]()
    for part_of_rtol in TIGHTER:
        poles = _poles(samples, largest, part_of_rtol * choices.rtol, choices.most)
        bound = (-poles.imag < NARROW * top) & (apart(poles.real, edges) > choices.distance * top)
        memory = _with_residues(samples, poles, bound, largest, choices, edges)
        memory = _at_rest(memory, static)
        unseen = Samples.of(alone, points_between(samples.points, poles, edges))
        near = np.concatenate([edges, poles.real[bound]])
        seen = unseen.where(apart(unseen.points, near) >= choices.distance * top)
        if not seen.points.size:
            raise ValueError(_too_distant(choices.distance))
        left = np.abs(memory(seen.points) - seen.values).max(axis=(1, 2))
        error = float((_sizes(seen, largest) * left).max()) / largest
        fits.append(_Fit(memory, error, poles[bound]))
        if error <= choices.rtol:
            break
        samples = samples.with_others(unseen)
    return min(fits, key=lambda fit: fit.error)


def _untouched(n: int) -> _Fit:
    """Return the fit of a bath that no moving atom is connected with: nothing."""
    nothing, no_poles = np.zeros((n, n)), np.empty(0, complex)
    return _Fit(Memory(no_poles, np.empty((0, n, n), complex), nothing, nothing), 0.0, no_poles)


def _too_distant(distance: float) -> str:
    return (
        f"distance is {distance:.6g}, in units of the highest frequency of the leads, which leaves "
        "no frequency to judge a fit at: all are closer to a band edge (or to what is bound). "
        "Expected a small part of it, such as 1e-3."
    )


def _sizes(samples: Samples, largest: float) -> FloatArray:
    """Return how much samples count: relative to themselves where they are larger than this."""
    size = np.abs(samples.values).max(axis=(1, 2))
    return largest / np.maximum(size, largest)


def _poles(samples: Samples, largest: float, rtol: float, most: int) -> ComplexArray:
    """Return poles below the axis, also those that the interpolant has above it."""
    flat = samples.values.reshape(len(samples.points), -1)
    mixing = np.random.default_rng(0).normal(size=(flat.shape[1], FUNCTIONS))
    few = flat if flat.shape[1] <= FUNCTIONS else flat @ (mixing / np.sqrt(flat.shape[1]))
    few = few[:, np.abs(few).max(axis=0) > 0]
    weights = _sizes(samples, largest)
    tol = rtol * float((weights * np.abs(few).max(axis=1)).max())
    poles = causal_poles(samples.points, few, weights, tol, most)
    imaginary = np.maximum(np.abs(poles.imag), UNDAMPED * samples.points.max())
    result: ComplexArray = np.maximum(poles.real, 0.0) - 1j * imaginary
    return result


def _basis(values: ComplexArray) -> FloatArray:
    """Return an orthonormal basis of the coordinates that Pi acts on, (n_c, rank)."""
    rows = np.concatenate([values.real, values.imag]).reshape(-1, values.shape[-1])
    gram = rows.T @ rows
    squares, vectors = np.linalg.eigh(gram)
    kept: FloatArray = vectors[:, squares > 1e-24 * squares.max()]
    return kept


def _with_residues(
    samples: Samples,
    poles: ComplexArray,
    bound: NDArray[np.bool_],
    largest: float,
    choices: FitChoices,
    edges: FloatArray,
) -> Memory:
    """Return the memory of these poles that takes energy at all frequencies."""
    basis, distance = _basis(samples.values), choices.distance * float(edges.max())
    used = samples.where(apart(samples.points, poles.real[bound]) > distance / 4)
    frequencies = grid(poles, edges)
    residues = passive_residues(
        used.points,
        basis.T @ used.values @ basis,
        _sizes(used, largest) * np.where(apart(used.points, edges) < distance / 2, LESS, 1.0),
        poles,
        bound,
        frequencies,
        CUT * choices.rtol * largest / float(edges.max()),
    )
    squares, vectors = np.linalg.eigh(residues[bound].real)
    residues[bound] = (vectors * np.maximum(squares, 0.0)[:, None]) @ vectors.swapaxes(1, 2)
    width = np.where(bound, distance, -poles.imag)
    residues = truncated_residues(residues, CUT * choices.rtol * largest * width)
    outer = basis @ residues @ basis.T
    nothing = np.zeros((len(basis),) * 2)
    memory = Memory(poles, (outer + outer.swapaxes(1, 2)) / 2, nothing, nothing)
    middle = frequencies[:-1] + np.diff(frequencies) / 2
    return _passive(memory, basis, np.concatenate([samples.points, frequencies, middle]))


def _at_rest(memory: Memory, static: FloatArray) -> Memory:
    """Return the memory with the exact Pi(0): what it does to atoms at rest.

    A lattice that is shifted as a whole has no forces, and with an error here it would run away.
    """
    return memory._replace(constant=static - memory(0.0).real)


def _passive(memory: Memory, basis: FloatArray, frequencies: FloatArray) -> Memory:
    """Return the memory with the least friction with which it damps at all these frequencies."""
    inner = memory.projected(basis.T)
    lowest = 0.0
    for part in np.array_split(frequencies, 1 + len(frequencies) // 500):
        damping = -inner(part).imag / part[:, None, None]
        lowest = min(lowest, float(np.linalg.eigvalsh(damping).min()))
    touched = basis @ basis.T
    touched = (touched + touched.T) / 2
    result = memory._replace(friction=-MARGIN * lowest * touched)
    while (found := gaining(result)) is not None:  # between those frequencies
        result = result._replace(friction=result.friction - MARGIN * found[1] * touched)
    return result
