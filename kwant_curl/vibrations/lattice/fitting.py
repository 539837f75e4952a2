"""From the exact self-energy of the surroundings to a rational one: `PhononLeads`."""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.causal import causal_poles
from kwant_curl.algebra.memory import Memory
from kwant_curl.algebra.passive import passive_residues
from kwant_curl.vibrations.lattice.surfaces import band_frequencies
from kwant_curl.vibrations.lattice.surroundings import Surroundings
from kwant_curl.vibrations.phonon_leads import PhononLeads

__all__ = ["FitChoices", "fitted_leads"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

PER_DECADE = 5
"""Samples per decade of the distance from a band edge, on each side."""

FUNCTIONS = 4
"""Combinations of the elements of Pi, at random, from which poles are found."""

UNDAMPED = 1e-9
"""Poles closer to the real axis, in units of the top of the bands, are of vibrations that are bound
in the eliminated atoms, and get this width."""

TIGHTER = (0.3, 0.03, 0.01, 0.003)
"""Parts of rtol to which interpolants are made, one after another while the error exceeds it."""

DEEPER = 100
"""How much closer to the edges than `distance` there are samples, so that a fit doesn't feed energy
in there; they count less, by"""
LESS = 0.1

LOWEST = 1e-4
"""Frequencies of samples, in units of the top of the bands: below, Kwant can't tell the acoustic
branches' modes apart, and Pi is smooth."""

FAR = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Frequencies above the bands at which Pi is sampled, in units of their top."""

MARGIN = 1.02
"""The friction that is added, over the least that is needed where it was looked at."""


class FitChoices(NamedTuple):
    """How well to fit.

    rtol: error that is aimed at, relative to the largest element of Pi; distance: from band edges,
    in units of the top of the bands, within which nothing is promised; most: poles of a bath,
    mirror images included.
    """

    rtol: float
    distance: float
    most: int


class _Samples(NamedTuple):
    points: FloatArray
    values: ComplexArray

    def away_from(self, places: FloatArray, distance: float) -> "_Samples":
        """Return those that are so far from all of these places."""
        kept = np.abs(self.points[:, None] - places).min(axis=1, initial=np.inf) >= distance
        return _Samples(self.points[kept], self.values[kept])

    def with_others(self, others: "_Samples") -> "_Samples":
        """Return both together, in order."""
        points = np.concatenate([self.points, others.points])
        points, first = np.unique(points, return_index=True)
        return _Samples(points, np.concatenate([self.values, others.values])[first])


class _Fit(NamedTuple):
    memory: Memory
    error: float
    bound: FloatArray


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
            f"Vibrations at omega = {np.array2string(fit.bound, precision=6)} are bound in the "
            "atoms that don't move, and never leave: in the fit they are damped by a part of "
            f"{2 * UNDAMPED:.0e} of the top of the bands. Let the atoms move where they are."
        )
    return notices


def _fit(surroundings: Surroundings, number: int, choices: FitChoices) -> _Fit:
    """Fit one bath, with as few poles as suffice; what a fit hasn't seen, the next one has."""
    bath, problem = surroundings.baths[number], surroundings.problem
    part = replace(problem, leads=tuple(problem.leads[lead] for lead in bath.leads))
    alone = replace(surroundings, baths=(bath,))
    edges = band_frequencies(part)
    top, near = float(edges.max()), edges
    distance = choices.distance * top
    samples = _sampled(alone, _samples(edges, distance, top))
    static = alone.selfenergy(0.0)[0].real
    fits: list[_Fit] = []
    for part_of_rtol in TIGHTER:
        poles = _poles(samples, part_of_rtol * choices.rtol, choices.most)
        near = np.union1d(near, _on_axis(poles, top, near, distance))
        samples = samples.away_from(np.setdiff1d(near, edges), distance / 4)
        poles = _below(poles, top)
        memory = _with_residues(samples, poles, near, distance)
        memory = _at_rest(memory, static)
        unseen = _sampled(alone, _between(samples.points, poles, near, distance))
        largest = float(np.abs(unseen.values).max())
        error = float(np.abs(memory(unseen.points) - unseen.values).max()) / largest
        fits.append(_Fit(memory, error, np.setdiff1d(near, edges)))
        if error <= choices.rtol:
            break
        samples = samples.with_others(unseen)
    return min(fits, key=lambda fit: fit.error)


def _sampled(alone: Surroundings, points: FloatArray) -> _Samples:
    return _Samples(points, alone.selfenergy(points)[0])


def _samples(edges: FloatArray, distance: float, top: float) -> FloatArray:
    """Return frequencies that crowd at both sides of the edges, far within the distance."""
    least = distance / DEEPER
    ends = np.concatenate([[0.0], edges, [1.2 * top]])
    found = [np.array(FAR) * top, np.array([1.0, 3.0, 10.0]) * LOWEST * top]
    for low, high in pairwise(ends):
        half = (high - low) / 2
        if half <= least:
            continue
        n = 3 + int(np.ceil(PER_DECADE * np.log10(half / least)))
        away = np.geomspace(least, half, n)
        found += [low + away, high - away[:-1]]
    every = np.unique(np.concatenate(found))
    result: FloatArray = every[every >= LOWEST * top]
    return result


def _between(
    points: FloatArray, poles: ComplexArray, near: FloatArray, distance: float
) -> FloatArray:
    """Return frequencies between the samples and at poles, so far from edges; up to twice these."""
    middle = 0.45 * points[:-1] + 0.55 * points[1:]
    at_poles = (poles.real[:, None] + poles.imag[:, None] * np.array([-1.3, -0.4, 0.6])).ravel()
    found = np.setdiff1d(np.concatenate([middle, at_poles]), points)
    away = np.abs(found[:, None] - near).min(axis=1)
    result: FloatArray = found[
        (away >= distance) & (found < 2 * near.max()) & (found > LOWEST * near.max())
    ]
    return result


def _poles(samples: _Samples, rtol: float, most: int) -> ComplexArray:
    """Return poles of either sign of Im p."""
    flat = samples.values.reshape(len(samples.points), -1)
    mixing = np.random.default_rng(0).normal(size=(flat.shape[1], FUNCTIONS))
    few = flat if flat.shape[1] <= FUNCTIONS else flat @ (mixing / np.sqrt(flat.shape[1]))
    few = few[:, np.abs(few).max(axis=0) > 0]
    return causal_poles(samples.points, few, rtol * float(np.abs(few).max()), most)


def _on_axis(poles: ComplexArray, top: float, near: FloatArray, distance: float) -> FloatArray:
    """Return the frequencies of poles on the real axis, away from band edges: what is bound."""
    found = poles.real[np.abs(poles.imag) < UNDAMPED * top]
    away = np.abs(found[:, None] - near).min(axis=1, initial=np.inf)
    result: FloatArray = found[away > distance]
    return result


def _below(poles: ComplexArray, top: float) -> ComplexArray:
    """Return the poles below the axis, also those that the interpolant has above it."""
    imaginary = np.maximum(np.abs(poles.imag), UNDAMPED * top)
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
    samples: _Samples, poles: ComplexArray, near: FloatArray, distance: float
) -> Memory:
    """Return the memory of these poles that takes energy at all frequencies."""
    points, values = samples
    basis = _basis(values)
    away = np.abs(points[:, None] - near).min(axis=1)
    weights = np.where(away < distance / 2, LESS, 1.0)
    grid = _grid(poles, near)
    residues = passive_residues(points, basis.T @ values @ basis, weights, poles, grid)
    nothing = np.zeros((len(basis),) * 2)
    outer = basis @ residues @ basis.T
    memory = Memory(poles, (outer + outer.swapaxes(1, 2)) / 2, nothing, nothing)
    return _passive(memory, basis, np.concatenate([points, grid, grid[:-1] + np.diff(grid) / 2]))


def _grid(poles: ComplexArray, near: FloatArray) -> FloatArray:
    """Return frequencies at which a fit could feed energy in."""
    top = float(near.max())
    close = np.geomspace(1e-9, 0.1, 81) * top
    whole = [
        (poles.real[:, None] + poles.imag[:, None] * np.linspace(-3, 3, 13)).ravel(),
        (near[:, None] + np.concatenate([-close, close])).ravel(),
        np.linspace(0, 3 * top, 601),
        np.geomspace(3 * top, 1e4 * top, 40),
    ]
    grid = np.unique(np.concatenate(whole))
    result: FloatArray = grid[grid > 1e-6 * top]
    return result


def _at_rest(memory: Memory, static: FloatArray) -> Memory:
    """Return the memory with the exact Pi(0): what it does to atoms at rest.

    A lattice that is shifted as a whole has no forces, and with an error here it would run away.
    """
    return memory._replace(constant=static - memory(0.0).real)


def _passive(memory: Memory, basis: FloatArray, grid: FloatArray) -> Memory:
    """Return the memory with the least friction with which it damps at all these frequencies."""
    inner = memory.projected(basis.T)
    lowest = 0.0
    for part in np.array_split(grid, 1 + len(grid) // 500):
        damping = -inner(part).imag / part[:, None, None]
        lowest = min(lowest, float(np.linalg.eigvalsh(damping).min()))
    friction = -MARGIN * lowest * (basis @ basis.T)
    return memory._replace(friction=(friction + friction.T) / 2)
