"""Where the bands of the leads begin and end."""

from collections.abc import Iterable

import numpy as np
from kwant.physics import Bands
from numpy.typing import NDArray
from scipy.optimize import brentq

from kwant_curl.algebra.bloch import BlochCells
from kwant_curl.algebra.generalised_bands import GeneralisedBands
from kwant_curl.model.leads import Cells
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["band_edge_lead", "band_edges", "nearest_edge"]

FloatArray = NDArray[np.float64]

MOMENTA = 65
"""Momenta at which bands are looked at, from -pi to pi."""

FEW_MOMENTA = 20
"""The same for `nearest_edge`: eigenvalues alone, in single precision, which is what they cost."""

ALIKE = 1e-4
"""Leads whose energies differ by less, relative to their largest element, are taken to be equal."""

SMALL, PART = 24, 0.3
"""A lead's cell of so few orbitals is looked at always; a larger one, if that takes this part of
the work of a factorisation, roughly: a few per cent of a map."""

FLAT = 1e-6
"""Velocity, relative to the largest, below which a change of its sign is a band edge."""


def band_edges(problem: ScatteringProblem, low: float, high: float) -> FloatArray:
    """Return the energies between `low` and `high` at which modes of leads open or close, sorted.

    These are the extrema of the leads' bands.  An extremum that two of 65 momenta don't enclose
    is missed, and so are leads that are known by modes or a self-energy alone.  Where cells depend
    on energy, not linearly, the open modes are counted at 65 energies instead.
    """
    leads = problem.distinct_cells()
    if problem.varying is None:
        edges = [_extrema(bands, low, high) for bands in _distinct(map(Bands, leads))]
    else:
        edges = [_edges_of_varying(cells, low, high) for cells in leads]
    every = np.sort(np.concatenate([[], *edges]))
    grain = 1e-12 * max(abs(low), abs(high), high - low)
    distinct = np.diff(every, prepend=-np.inf) > grain
    result: FloatArray = every[distinct & (every > low) & (every < high)]
    return result


def band_edge_lead(problem: ScatteringProblem, energy: float) -> int | None:
    """Return the first lead with a mode that opens or closes at an energy, or None."""
    for number, lead in enumerate(problem.leads):
        if lead.cells is None:
            continue
        grain = 1e-9 * problem.largest
        low, high = energy - grain, energy + grain
        if problem.varying is None:
            edges = _extrema(Bands(lead.cells), low, high)
        else:
            edges = _edges_of_varying(lead.cells, low, high)
        if np.abs(edges - energy).min(initial=np.inf) <= grain:
            return number
    return None


def nearest_edge(problem: ScatteringProblem, energy: float) -> float | None:
    """Return how far the next energy is at which modes of leads open or close, or None.

    In passing, from eigenvalues at 20 momenta and parabolas through them: within a few per cent
    of the width of a band, and without gaps that are narrower than a band's change from one
    momentum to the next.  None where that isn't known, or takes more than a few per cent of a map.
    """
    if problem.varying is not None:
        return _nearest_of_varying(problem, energy)
    chains = []
    for cells in problem.distinct_cells():
        cell, hopping = cells.cell_hamiltonian(), cells.inter_cell_hopping()
        square = np.zeros_like(cell)
        square[:, : hopping.shape[1]] = hopping
        chains.append(BlochCells.of(cell, square))
        if not _is_cheap(chains[-1], problem.n_orbitals):
            return None
    sampled: list[FloatArray] = []
    for chain in chains:
        if not any(_has_energies(chain, energies) for energies in sampled):
            sampled.append(chain.around(FEW_MOMENTA))
    distances = [
        np.abs(_sampled_extrema(energies) - energy).min(initial=np.inf) for energies in sampled
    ]
    nearest = min(distances, default=np.inf)
    return float(nearest) if np.isfinite(nearest) else None


def _nearest_of_varying(problem: ScatteringProblem, energy: float) -> float | None:
    """Return the same where orbitals overlap, of leads that are small; None for others."""
    lines = [cells.line() for cells in problem.distinct_cells()]
    momenta = 2 * np.pi * np.arange(FEW_MOMENTA) / FEW_MOMENTA
    distances = []
    for line in lines:
        if line is None or len(line[0]) > SMALL:
            return None
        bands = np.array([GeneralisedBands.of(line)(k) for k in momenta])
        distances.append(np.abs(_sampled_extrema(bands) - energy).min(initial=np.inf))
    nearest = min(distances, default=np.inf)
    return float(nearest) if np.isfinite(nearest) else None


def _edges_of_varying(cells: Cells, low: float, high: float) -> FloatArray:
    """Return the band edges of a lead whose cells depend on energy themselves."""
    line = cells.line()
    if line is not None:
        return _extrema(GeneralisedBands.of(line), low, high)
    energies = np.linspace(low, high, MOMENTA)
    counts = [_n_open(cells, energy) for energy in energies]
    edges = []
    for left, right, before, after in zip(
        energies[:-1], energies[1:], counts[:-1], counts[1:], strict=True
    ):
        a, b = left, right
        while before != after and b - a > 1e-12 * max(abs(a), abs(b), high - low):
            middle = 0.5 * (a + b)
            a, b = (middle, b) if _n_open(cells, middle) == before else (a, middle)
        if before != after:
            edges.append(0.5 * (a + b))
    return np.array(edges)


def _n_open(cells: Cells, energy: float) -> int:
    """Return how many modes are open; -1 at an edge, where Kwant can't tell."""
    try:
        return int(cells.modes(energy)[1].nmodes)
    except (ValueError, RuntimeError, np.linalg.LinAlgError):
        return -1


def _has_energies(lead: BlochCells, sampled: FloatArray) -> bool:
    """Return whether a lead has the energies of another one, (n_momenta, n_bands), or its mirror's.

    At one of these momenta and its opposite, in single precision.
    """
    if len(lead.cell) != sampled.shape[1]:
        return False
    probes = np.array([3] if lead.is_real else [3, -3])
    mine = np.sort(lead.energies(2 * np.pi * probes / FEW_MOMENTA), axis=None)
    return bool(np.abs(mine - np.sort(sampled[probes], axis=None)).max() <= ALIKE * lead.unit)


def _distinct(leads: Iterable[Bands]) -> list[Bands]:
    """Return leads without those whose bands are another's, in another direction say."""
    found: list[tuple[Bands, BlochCells]] = []
    for bands in leads:
        chain = BlochCells.of(bands.ham, bands.hop)
        if not any(chain.has_bands_of(other) for _, other in found):
            found.append((bands, chain))
    return [bands for bands, _ in found]


def _is_cheap(lead: BlochCells, n_orbitals: int) -> bool:
    """Return whether eigenvalues cost little, compared with the states of the system."""
    n = len(lead.cell)
    work = (1 if lead.is_real else 2) * FEW_MOMENTA * lead.work
    return n <= SMALL or work <= PART * n_orbitals * n**2


def _sampled_extrema(energies: FloatArray) -> FloatArray:
    """Return the extrema of bands that are sampled around the circle, (n_momenta, n_bands).

    Bands that are sorted by energy have kinks where they cross: a maximum of the lower one and,
    within a step, a minimum of the upper one.  No mode opens or closes there.
    """
    here = np.arange(len(energies))
    behind, ahead = here - 1, (here + 1) % len(here)
    before, after = energies[behind], energies[ahead]
    turns = (energies - before) * (after - energies) <= 0
    bend = before - 2 * energies + after
    step = np.maximum(np.abs(energies - before), np.abs(after - energies))[:, :-1]
    tops, bottoms = (turns & (bend < 0))[:, :-1], (turns & (bend > 0))[:, 1:]
    kinks = np.zeros_like(turns)
    for there in (behind, here, ahead):  # of the minimum
        gap = energies[there, 1:] - energies[:, :-1]
        meet = tops & bottoms[there] & (gap <= step)
        kinks[:, :-1] |= meet
        kinks[there, 1:] |= meet
    vertex = np.divide((after - before) ** 2, 8 * bend, out=np.zeros_like(bend), where=bend != 0)
    result: FloatArray = (energies - vertex)[turns & ~kinks]
    return result


def _extrema(bands: Bands | GeneralisedBands, low: float, high: float) -> FloatArray:
    """Return the energies at which the velocity of a band is zero."""
    matrices = bands if isinstance(bands, GeneralisedBands) else (bands.ham, bands.hop)
    is_real = not any(np.any(np.imag(matrix)) for matrix in matrices)
    momenta = np.linspace(-np.pi, np.pi, MOMENTA)
    if is_real:  # E(-k) = E(k)
        momenta = momenta[MOMENTA // 2 :]
    energies, velocities = (
        np.stack(parts)
        for parts in zip(*(bands(k, derivative_order=1) for k in momenta), strict=True)
    )
    small = FLAT * (np.abs(velocities).max() or 1.0)
    step = momenta[1] - momenta[0]
    edges = list(energies[np.abs(velocities) <= small])
    turns = (velocities[:-1] * velocities[1:] < 0) & (
        np.minimum(np.abs(velocities[:-1]), np.abs(velocities[1:])) > small
    )
    for i, band in zip(*np.nonzero(turns), strict=True):
        reach = step * np.abs(velocities[i : i + 2, band]).max()
        near = energies[i : i + 2, band]
        if near.max() + reach > low and near.min() - reach < high:
            edges += _turning_point(bands, momenta[i], momenta[i + 1], band, small)
    return np.array(edges)


def _turning_point(
    bands: Bands | GeneralisedBands, left: float, right: float, band: int, small: float
) -> list[float]:
    """Return the energy at which a band's velocity changes its sign, unless it jumps there."""

    def velocity(k: float) -> float:
        return float(bands(k, derivative_order=1)[1][band])

    k = brentq(velocity, left, right, xtol=1e-14, rtol=1e-14)
    energies, velocities = bands(k, derivative_order=1)
    return [float(energies[band])] if abs(velocities[band]) <= small else []
