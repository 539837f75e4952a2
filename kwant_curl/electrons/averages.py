"""From energy shells to results: thermal averages and bias windows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integration import (
    DivergentIntegralError,
    Evaluate,
    interpolated,
    segments_between,
)
from kwant_curl.algebra.interpolated import Interpolated
from kwant_curl.algebra.occupations import REACH, lead_weighting, reach, window
from kwant_curl.algebra.segments import Weighting
from kwant_curl.algebra.sketches import Sample
from kwant_curl.electrons.beside import Attempt, Beside
from kwant_curl.electrons.bound import Levels, narrow_levels
from kwant_curl.electrons.notices import (
    closed_notices,
    lost_notices,
    window_notices,
)
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.model.bands import band_edge_lead, band_edges
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import check_energy_dependence
from kwant_curl.model.sources import Sources
from kwant_curl.support.parallel import mapped
from kwant_curl.support.progress import bar
from kwant_curl.support.threads import for_small_matrices

__all__ = [
    "Average",
    "Kernel",
    "Shares",
    "Window",
    "averaged",
    "energy_bar",
    "integrated_shares",
    "response_sizes",
    "sampled",
]

FAR_TAIL, MOST_FAR = 15.0, 8
"""How much further narrow levels are looked for, in kT, and how many of them are looked at."""

FloatArray = NDArray[np.float64]
Parts = tuple[FloatArray, ...]
Quality = tuple[float, bool, tuple[str, ...]]
"""The error of an integral, and whether it is partial."""


@dataclass(frozen=True)
class Shares:
    """What an energy shell gives.

    by_lead: arrays (n_sources, ...) that are weighted with f_alpha - f, or -df/dE, the sources
    being the leads unless `Sources` says otherwise; by_pair: arrays (n_sources, n_sources, ...)
    that are weighted with f_alpha (1 - f_beta), or -df/dE; total: arrays that are weighted with
    -df/dE always; sizes: for each of them, those by lead first, then those by pair, of the terms
    that their elements are sums of; n_modes: the open modes of all leads; notices: those of an
    `EnergyShell`.
    """

    by_lead: Parts
    total: Parts
    sizes: tuple[float, ...]
    n_modes: int
    notices: tuple[str, ...] = ()
    by_pair: Parts = ()

    @property
    def total_sizes(self) -> tuple[float, ...]:
        """The sizes of `total`, the last of all."""
        return self.sizes[len(self.sizes) - len(self.total) :]


def response_sizes(friction: FloatArray, n_modes: int) -> tuple[float, float, float]:
    """Return the sizes of force, curl and friction, from the friction, in which nothing cancels.

    Tr[F D]^2 <= n_modes Tr[F D F D], which is the friction over pi; the curl is as large.
    """
    largest = float(np.abs(friction).max(initial=0.0))
    return float(np.sqrt(n_modes * largest)), largest, largest


@dataclass(frozen=True)
class Average:
    """Shares that are integrated over energy, and how well: see `Response`.

    notices: what is to be said of the energies and the integral.
    By lead, and by pair of leads; crossed: in a Nambu model in linear response, what is by pair
    between electrons of the first lead and holes of the second, else empty.
    sizes: of the terms of each of `total`; integral: the samples, where there is an integral by
    lead; limits: the energies that it goes over.
    """

    by_lead: Parts
    by_pair: Parts
    total: Parts
    error: float
    partial: bool
    notices: tuple[str, ...] = ()
    crossed: Parts = ()
    sizes: tuple[float, ...] = ()
    integral: Interpolated | None = None
    limits: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(
        cls, parts: tuple[Parts, Parts, Parts], sources: Sources, linear: bool, quality: Quality
    ) -> Self:
        """Put together what is by source, by pair of sources, and neither."""
        by_source, by_pair, total = parts
        by_lead = tuple(sources.of_leads(part, per_shift=linear) for part in by_source)
        total = tuple(part if sources.are_leads else sources.share * part for part in total)
        if not linear:
            pairs = tuple(sources.of_pairs(part) for part in by_pair)
            return cls(by_lead, pairs, total, *quality)
        exchanged = [sources.exchanged(part) for part in by_pair]
        crossed = tuple(part for _, part in exchanged if part is not None)
        return cls(by_lead, tuple(part for part, _ in exchanged), total, *quality, crossed)


class Kernel(Protocol):
    """What a routine asks of an energy; picklable if there is an executor."""

    @property
    def problem(self) -> ScatteringProblem:
        """The problem whose states it asks for."""
        ...

    def in_window(self) -> "Kernel":
        """Return the same for one of many energies, where bound states were looked for already."""
        ...

    @property
    def orbitals(self) -> NDArray[np.int64] | None:
        """The orbitals at which it asks for them, None for all."""
        ...

    def __call__(self, energy: float) -> Shares:
        """Return the shares of an energy shell."""
        ...


def averaged(kernel: Kernel, point: OperatingPoint, numerics: Numerics) -> Average:
    """Weight the shares of energy shells with the occupations of the leads."""
    sources = kernel.problem.sources
    if point.is_one_energy:
        return _at_one_energy(kernel, point)
    check_energy_dependence(kernel.problem, "an integral over energies")
    summed = integrated_shares(kernel, point.of_sources(sources), numerics)
    integral, parts, sizes = summed.integral, summed.parts, summed.sizes
    notices = summed.notices + lost_notices(point.rounding, numerics.rtol)
    if point.temperature == 0:
        here = kernel(point.energy)
        notices = here.notices + notices
        parts, sizes = (*parts[:2], here.total), here.total_sizes
    quality = integral.error + point.rounding, summed.closed, notices
    average = Average.of(parts, sources, point.linear, quality)
    kept = integral if sources.are_leads else None
    return replace(average, sizes=sizes, integral=kept, limits=summed.limits)


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
        points, edges, levels = integration_points(kernel, point, weighting, numerics)
        evaluate = _Shells(Beside(kernel.in_window(), float(np.ptp(points))), numerics, shown)
        found = Window(points, edges, levels)
        integral = sampled(evaluate, kernel.problem, found, weighting, numerics)
    closed = any(
        weighting.counts(energy, numerics.rtol)
        for energy, n_modes in evaluate.n_modes.items()
        if not n_modes
    )
    notices = levels.notices + window_notices(integral, numerics.rtol, closed)
    by_lead, by_pair, total = integral.integrals(weighting, 0.3 * numerics.rtol)
    sizes = integral.sizes_of_last_kind(weighting)
    limits = float(points[0]), float(points[-1])
    return Integrated(integral, (by_lead, by_pair, total), sizes, closed, notices, limits)


class Window(NamedTuple):
    """Energies of an integral: limits and break points, band edges, and narrow levels."""

    points: FloatArray
    edges: FloatArray
    levels: Levels


def sampled(
    evaluate: Evaluate,
    problem: ScatteringProblem,
    found: Window,
    weighting: Weighting,
    numerics: Numerics,
) -> Interpolated:
    """Sample a window of energies, or say why its integral doesn't exist."""
    segments = segments_between(
        found.points, weighting, numerics.rtol, found.edges, numerics.exclude
    )
    if not segments:
        raise ValueError(
            f"exclude is {numerics.exclude:.6g}, which leaves no energies to integrate over; "
            "expected less than half the distance of the leads' band edges."
        )
    try:
        return interpolated(
            evaluate,
            segments,
            weighting,
            numerics.rtol,
            candidates=found.levels.resonances,
            max_energies=numerics.max_energies,
        )
    except DivergentIntegralError as failure:
        raise ValueError(_divergent(problem, failure.energy, found.levels)) from None


def _divergent(problem: ScatteringProblem, energy: float, levels: Levels) -> str:
    """Return what is said where an integral doesn't exist."""
    if energy in levels.bound:
        return (
            f"At {energy:.12g} there is a state that is as good as bound in the device, but not "
            "quite: its width is below what energies resolve, and so is what it adds to the "
            "integral over energy. Couple it to a lead, or take it out, or take an energy, bias "
            "and temperature whose window is off it."
        )
    lead = band_edge_lead(problem, energy)
    where = "" if lead is None else f", where a mode of lead {lead} opens or closes"
    return (
        f"The integral over energy does not exist: at {energy:.9g}{where}, what is asked for goes "
        "as 1/(E - E0), because nothing in the device scatters electrons that stand still there. "
        "Put a scatterer (disorder, a barrier, another width) into the device, take an energy, "
        "bias and temperature whose window is off it, or leave out the energies around it with "
        "exclude=half their width."
    )


def integration_points(
    kernel: Kernel, point: OperatingPoint, weighting: Weighting, numerics: Numerics
) -> tuple[FloatArray, FloatArray, Levels]:
    """Return the limits of the integral, and where the integrand isn't smooth between them.

    And band edges, and what there is of narrow levels; no energy that is solved at is on one that
    is bound.
    """
    problem, kt = kernel.problem, point.temperature
    filled = np.array([point.energy])
    if not point.linear:
        filled = np.append(point.energy + point.bias, filled)
    low, high = window(filled, kt, reach(numerics.rtol))
    low, high = _beyond_a_gap(problem, low, high, point)
    far = window(filled, kt, reach(numerics.rtol) + FAR_TAIL)
    far = min(low, far[0]), max(high, far[1])
    # Those at the ends too where energies around them are left out; and see `_that_count`.
    beyond = kt + (1 + 1e-9) * numerics.exclude
    edges = band_edges(problem, far[0] - beyond, far[1] + beyond)
    found = narrow_levels(problem, far, edges, numerics, kernel.orbitals)
    for energy in _that_count(kernel, found, (low, high), point, weighting, numerics.rtol):
        low, high = min(low, energy), max(high, energy)
    found = found.between(low, high)
    inner = edges[(edges > low) & (edges < high)]
    return np.union1d([low, high], np.concatenate([inner, found.bound])), edges, found


def _beyond_a_gap(
    problem: ScatteringProblem, low: float, high: float, point: OperatingPoint
) -> tuple[float, float]:
    """Return limits that go as far beyond the next band edge, if no lead is open at mu."""
    if not point.temperature:
        return low, high
    modes = problem.solved_leads(point.energy).modes
    if any(some is None or some[0].velocities.size for some in modes):
        return low, high
    widest = REACH * point.temperature
    edges = band_edges(problem, point.energy - widest, point.energy + widest)
    distance = float(np.abs(edges - point.energy).min(initial=widest))
    return low - distance, high + distance


def _that_count(
    kernel: Kernel,
    levels: Levels,
    limits: tuple[float, float],
    point: OperatingPoint,
    weighting: Weighting,
    rtol: float,
) -> Iterator[float]:
    """Yield energies as far as which narrow levels beyond the limits count.

    Where a level is much narrower than kT, what it adds may be as large as all that is near the
    Fermi level, though hardly any electrons are there: each is looked at once.
    """
    outside = [pair for pair in levels.resonances if not limits[0] < pair[0] < limits[1]]
    if not outside or not point.temperature:
        return
    find = kernel.in_window()
    here, kt = find(point.energy), point.temperature

    def weight(energy: float) -> float:
        return max(
            float(np.abs(kind).max(initial=0.0)) for kind in weighting.of(np.array([energy]))
        )

    nearest = sorted(outside, key=lambda pair: abs(pair[0] - point.energy))[:MOST_FAR]
    for energy, width in nearest:
        there = find(energy)
        pairs = zip((*there.by_lead, *there.total), (*here.by_lead, *here.total), strict=True)
        sizes = [(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)) for a, b in pairs]
        share = max(
            a * width * weight(energy) - 0.1 * rtol * b * kt * weight(point.energy)
            for a, b in sizes
        )
        if share > 0:
            yield energy + np.sign(energy - point.energy) * min(30 * width, kt)


class _Shells:
    """The samples of many energies; n_modes: how many are open at each that was evaluated."""

    def __init__(self, kernel: Callable[[float], Shares], numerics: Numerics, bar: Any) -> None:
        self._kernel, self._numerics, self._bar = kernel, numerics, bar
        self.n_modes: dict[float, int] = {}

    def __call__(self, energies: Sequence[float]) -> Iterator[Sample | Exception]:
        find = Attempt(self._kernel)
        shares = mapped(find, energies, self._numerics.executor, self._bar)
        for energy, share in zip(energies, shares, strict=True):
            if isinstance(share, Exception):
                yield share
                continue
            self.n_modes[energy] = share.n_modes
            yield Sample((share.by_lead, share.by_pair, share.total), share.sizes)


def energy_bar(numerics: Numerics) -> Any:
    """Return a progress bar that counts energies, shown if that is wanted."""
    return bar(numerics.progress, " energies")
