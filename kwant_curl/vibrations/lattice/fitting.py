"""From the exact self-energy of the surroundings to a rational one: `PhononLeads`."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.balanced import balanced
from kwant_curl.algebra.memory import Memory
from kwant_curl.algebra.passive import passive
from kwant_curl.vibrations.lattice.sampling import (
    Samples,
    apart,
    first_points,
    grid,
    points_between,
    raised,
)
from kwant_curl.vibrations.lattice.surfaces import band_frequencies
from kwant_curl.vibrations.lattice.surroundings import Surroundings
from kwant_curl.vibrations.phonon_leads import PhononLeads

__all__ = ["FitChoices", "fitted_leads"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

NARROW = 1e-6
"""Poles closer to the real axis, in units of the top of the bands, are of vibrations that are bound
in the eliminated atoms, or as good as bound: with residues that are real and positive."""

UNDAMPED = 1e-9
"""The least width of a pole, in units of the top of the bands."""

TIGHTER = (0.3, 0.1, 0.03, 0.01)
"""Parts of rtol up to which singular values are left out, one after another while the error exceeds
it."""

SHARE = 0.3
"""How much of rtol what a root at an edge does beyond `distance` may be: what isn't resolved there,
up to x from the edge, is wrong by x^(1/2), and is felt at a distance d as x^(3/2)/d."""

RAISED = 0.1, 0.01
"""By what part of the distance to an edge samples, and those that test a fit, are off the axis."""

FRICTION = 0.2
"""How much of rtol may be friction by which a fit doesn't feed energy in; beyond, oscillators do
that."""

CONFIRMED = 8
"""At how many frequencies, where a fit is worst, its error is taken on the real axis itself."""


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
    """Fit one bath, of as low an order as suffices; what a fit hasn't seen, the next one has."""
    bath, problem = surroundings.baths[number], surroundings.problem
    part = replace(problem, leads=tuple(problem.leads[lead] for lead in bath.leads))
    edges = band_frequencies(part)
    top = float(edges.max())
    if choices.distance >= 1:  # fits are judged up to twice the top
        raise ValueError(_too_distant(choices.distance))
    alone = replace(surroundings, baths=(bath,))
    static = alone.selfenergy(0.0)[0].real
    least = min(0.1 * choices.distance, (SHARE * choices.rtol * choices.distance) ** (2 / 3))
    points = first_points(edges, least * top)
    samples = Samples.of(alone, 0, raised(points, edges, RAISED[0]))
    largest = float(np.abs(static).max())
    if not largest and not samples.values.any():
        return _untouched(len(static))
    fits = list[_Fit]()
    for part_of_rtol in TIGHTER:
        memory, bound = _reduced(samples, static, part_of_rtol, choices, edges)
        points = points_between(samples.points.real, memory.poles, edges)
        near = np.concatenate([edges, bound.real])
        points = points[apart(points, near) >= choices.distance * top]
        if not points.size:
            raise ValueError(_too_distant(choices.distance))
        unseen = Samples.of(alone, 0, raised(points, edges, RAISED[1]))
        left = _errors(memory, unseen.points, unseen.values, largest)
        worst = points[np.argsort(-left)[:CONFIRMED]]
        confirmed = _errors(memory, worst, alone.selfenergy(worst)[0], largest)
        fits.append(_Fit(memory, max(float(left.max()), float(confirmed.max())), bound))
        if fits[-1].error <= choices.rtol:
            break
        missed = left > 0.5 * choices.rtol
        samples = samples.with_others(unseen.where(missed))
    return min(fits, key=lambda fit: fit.error)


def _errors(
    memory: Memory, points: NDArray[np.inexact], values: ComplexArray, largest: float
) -> FloatArray:
    """Return errors, relative to Pi there, or to Pi at rest where that is larger, (n,)."""
    size = np.maximum(np.abs(values).max(axis=(1, 2)), largest)
    left: FloatArray = np.abs(memory(points) - values).max(axis=(1, 2)) / size
    return left


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


def _basis(values: ComplexArray) -> FloatArray:
    """Return an orthonormal basis of the coordinates that Pi acts on, (n_c, rank)."""
    largest = np.abs(values).max()
    rows = np.concatenate([values.real, values.imag]).reshape(-1, values.shape[-1]) / largest
    squares, vectors = np.linalg.eigh(rows.T @ rows)
    kept: FloatArray = vectors[:, squares > 1e-24 * squares.max()]
    return kept


def _reduced(
    samples: Samples,
    static: FloatArray,
    part_of_rtol: float,
    choices: FitChoices,
    edges: FloatArray,
) -> tuple[Memory, ComplexArray]:
    """Return a memory of low order that takes energy at all frequencies, and what is bound.

    Reduced is the kernel of the friction, [Pi(omega) - Pi(0)]/(-i omega), in units in which it is
    of the order of one: its error is one of Pi that vanishes at rest, and an error of damping.
    """
    top, largest = float(edges.max()), float(np.abs(static).max())
    basis, omega = _basis(samples.values), samples.points / top
    rest = basis.T @ (static / largest) @ basis
    factor = 1j / omega[:, None, None]
    kernel = (basis.T @ (samples.values / largest) @ basis - rest) * factor
    slopes = basis.T @ (samples.slopes * (top / largest)) @ basis * factor
    slopes -= kernel / omega[:, None, None]
    found = balanced(omega, kernel, slopes, part_of_rtol * choices.rtol, choices.most)
    poles, residues = _poles_of(found.rates, found.vectors)
    bound = (-poles.imag < NARROW) & (apart(poles.real, edges / top) > choices.distance)
    residues[bound] = _positive(residues[bound])
    nothing = np.zeros_like(rest)
    memory = Memory(poles, residues, nothing, nothing)
    frequencies = np.union1d(grid(poles, edges / top), samples.points.real / top)
    memory = passive(memory, frequencies, FRICTION * choices.rtol)
    whole = memory.projected(basis).scaled(1 / top)
    unit = largest / top**2
    whole = whole._replace(
        residues=unit * (whole.residues + whole.residues.swapaxes(1, 2)) / 2,
        friction=unit * (whole.friction + whole.friction.T) / 2,
    )
    # What a lattice does that is shifted as a whole is exact: with an error it would run away.
    return whole._replace(constant=static - whole(0.0).real), poles[bound] * top


def _poles_of(rates: ComplexArray, vectors: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Return poles of Pi below the axis, those with Re p >= 0 alone, and their residues.

    Of the kernel c c^T/(s - s_j), s = -i omega, the force s c c^T/(s - s_j) has the residue
    p c c^T at omega = p = i s_j.
    """
    poles = 1j * rates
    poles.real[rates.imag == 0] = 0.0
    kept = poles.real >= 0
    poles, vectors = poles[kept], vectors[kept]
    half = np.where(poles.real == 0, 0.5, 1.0)  # counted twice, as its own mirror image
    poles = poles.real - 1j * np.maximum(np.abs(poles.imag), UNDAMPED)
    residues = (half * poles)[:, None, None] * vectors[:, :, None] * vectors[:, None, :]
    return poles, residues


def _positive(residues: ComplexArray) -> ComplexArray:
    """Return the part of residues that is real, positive semidefinite and of rank one."""
    squares, vectors = np.linalg.eigh(residues.real)
    strength = np.maximum(squares[:, -1], 0.0)[:, None, None]
    result: ComplexArray = strength * vectors[:, :, -1, None] * vectors[:, None, :, -1] + 0j
    return result
