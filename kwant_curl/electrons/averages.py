"""From energy shells to results: thermal averages and bias windows."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kwant_curl.algebra.interpolated import Interpolated
from kwant_curl.algebra.occupations import lead_weighting
from kwant_curl.electrons.beside import Beside
from kwant_curl.electrons.notices import closed_notices, lost_notices, window_notices
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.sampling import Shells, energy_bar, sampled
from kwant_curl.electrons.shares import Average, Kernel, Parts, Quality
from kwant_curl.electrons.windows import integration_window
from kwant_curl.model.selfenergy_slopes import check_energy_dependence
from kwant_curl.support.threads import for_small_matrices

__all__ = ["Integrated", "averaged", "integrated_shares"]


def averaged(kernel: Kernel, point: OperatingPoint, numerics: Numerics) -> Average:
    """Weight the shares of energy shells with the occupations of the leads."""
    sources = kernel.problem.sources
    if point.is_one_energy:
        return _at_one_energy(kernel, point)
    check_energy_dependence(kernel.problem, "an integral over energies")
    # First what would be an error by itself, so that no integral is lost by it.
    here = kernel(point.energy) if point.temperature == 0 else None
    summed = integrated_shares(kernel, point.of_sources(sources), numerics)
    integral, parts, sizes = summed.integral, summed.parts, summed.sizes
    notices = summed.notices + lost_notices(point.rounding, numerics.rtol)
    if here is not None:
        notices = here.notices + notices
        parts, sizes = (*parts[:2], here.total), here.total_sizes
    quality = integral.error + point.rounding, summed.closed, notices
    average = Average.of(parts, sources, point.linear, quality)
    kept = integral if sources.are_leads else None
    return replace(
        average, sizes=sizes, integral=kept, limits=summed.limits, failed=integral.failed
    )


def _at_one_energy(kernel: Kernel, point: OperatingPoint) -> Average:
    """Return the average where the Fermi level alone counts."""
    here = kernel(point.energy)
    notices = here.notices + closed_notices(here.n_modes, point.energy)
    scale = 1.0 if point.linear else 0.0
    by_lead, by_pair = (
        tuple(scale * part for part in parts) for parts in (here.by_lead, here.by_pair)
    )
    quality: Quality = (0.0, False, notices)
    parts = by_lead, by_pair, here.total
    average = Average.of(parts, kernel.problem.sources, point.linear, quality)
    return replace(average, sizes=here.total_sizes)


class Integrated(NamedTuple):
    """The integral of shares: the samples, its parts by kind, and what is to be said of it.

    sizes: of the terms of the last kind's parts, integrated.
    closed: whether at an energy that counts no lead has an open mode; limits: of the energies.
    """

    integral: Interpolated
    parts: tuple[Parts, Parts, Parts]
    sizes: tuple[float, ...]
    closed: bool
    notices: tuple[str, ...]
    limits: tuple[float, float]


def integrated_shares(kernel: Kernel, point: OperatingPoint, numerics: Numerics) -> Integrated:
    """Integrate the shares of energy shells; point: with the shifts of the sources."""
    weighting = lead_weighting(point.energy, point.bias, point.temperature, linear=point.linear)
    with energy_bar(numerics) as shown, for_small_matrices(kernel.problem.n_orbitals):
        found = integration_window(kernel, point, weighting, numerics)
        evaluate = Shells(Beside(kernel.in_window(), float(np.ptp(found.points))), numerics, shown)
        integral = sampled(evaluate, kernel.problem, found, weighting, numerics)
    closed = any(
        weighting.counts(energy, numerics.rtol)
        for energy, n_modes in evaluate.n_modes.items()
        if not n_modes
    )
    notices = found.levels.notices + window_notices(integral, numerics.rtol, closed)
    by_lead, by_pair, total = integral.integrals(weighting, 0.1 * numerics.rtol)
    sizes = integral.sizes_of_last_kind(weighting)
    limits = float(found.points[0]), float(found.points[-1])
    return Integrated(integral, (by_lead, by_pair, total), sizes, closed, notices, limits)
