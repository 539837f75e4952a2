"""From energy shells to results: thermal averages and bias windows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from kwant_curl.algebra.integration import Sample, integrate
from kwant_curl.algebra.occupations import fermi, fermi_difference, reach, thermal_weight, window
from kwant_curl.electrons.beside import Beside
from kwant_curl.electrons.bound import bound_states, counted_range
from kwant_curl.electrons.notices import (
    closed_notices,
    integral_notices,
    lost_notices,
    slow_notices,
)
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.model.bands import band_edges
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import check_energy_dependence
from kwant_curl.model.sources import Sources
from kwant_curl.support.parallel import mapped

__all__ = [
    "Average",
    "Kernel",
    "Shares",
    "averaged",
    "energy_bar",
    "integration_points",
    "lead_weights",
    "response_sizes",
]

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
    that their elements are sums of; n_modes: the open modes of all leads; slow_lead: that of an
    `EnergyShell`.
    """

    by_lead: Parts
    total: Parts
    sizes: tuple[float, ...]
    n_modes: int
    slow_lead: int | None = None
    by_pair: Parts = ()


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
    """

    by_lead: Parts
    by_pair: Parts
    total: Parts
    error: float
    partial: bool
    notices: tuple[str, ...] = ()
    crossed: Parts = ()

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
    mu, temperature, sources = point.energy, point.temperature, kernel.problem.sources
    filled = point.of_sources(sources)
    if not point.is_one_energy:
        check_energy_dependence(kernel.problem, "an integral over energies")
    equilibrium: Parts = ()
    notices: tuple[str, ...] = ()
    if temperature == 0:
        here = kernel(mu)
        notices = slow_notices(here.slow_lead, mu)
        equilibrium = here.total
    if point.is_one_energy:
        notices += closed_notices(here.n_modes, mu)
        scale = 1.0 if point.linear else 0.0
        by_lead, by_pair = (
            tuple(scale * part for part in parts) for parts in (here.by_lead, here.by_pair)
        )
        quality: Quality = (0.0, False, notices)
        return Average.of((by_lead, by_pair, equilibrium), sources, point.linear, quality)
    with energy_bar(numerics) as bar:
        points, bound = integration_points(kernel.problem, filled, numerics, kernel.orbitals)
        summed = _WeightedShares(
            Beside(kernel.in_window(), float(np.ptp(points))), filled, numerics, bar
        )
        integral = integrate(summed, points, numerics.rtol)
    error = integral.error + point.rounding
    notices += bound + integral_notices(integral.error, numerics.rtol, summed.closed)
    notices += lost_notices(point.rounding, numerics.rtol)
    by_lead, by_pair, total = _divided(integral.parts, *summed.counts)
    quality = error, summed.closed, notices
    return Average.of((by_lead, by_pair, equilibrium or total), sources, point.linear, quality)


def integration_points(
    problem: ScatteringProblem,
    point: OperatingPoint,
    numerics: Numerics,
    orbitals: NDArray[np.int64] | None,
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the limits of the integral, and where the integrand isn't smooth between them.

    And what is to be said of states that are bound there; no energy that is solved at is on one
    of them then.
    """
    levels = np.array([point.energy])
    if not point.linear:
        levels = np.append(point.energy + point.bias, levels)
    limits = window(levels, point.temperature, reach(numerics.rtol))
    edges = band_edges(problem, limits[0], limits[-1])
    counted = counted_range(point, numerics.rtol)
    bound, notices = bound_states(problem, *counted, numerics, orbitals)
    return np.union1d(limits, np.append(edges, bound)), notices


class _WeightedShares:
    """The integrand: the shares of many energies at a time, weighted.

    closed: whether an energy that counts has no open modes; counts: how many arrays are by lead
    and by pair of leads.
    """

    def __init__(
        self,
        kernel: Callable[[float], Shares],
        point: OperatingPoint,
        numerics: Numerics,
        bar: Any,
    ) -> None:
        self._kernel, self._point, self._numerics, self._bar = kernel, point, numerics, bar
        self.closed, self.counts = False, (0, 0)

    def __call__(self, energies: Sequence[float]) -> Iterator[Sample]:
        shares = mapped(self._kernel, energies, self._numerics.executor, self._bar)
        for energy, share in zip(energies, shares, strict=True):
            weights = lead_weights(energy, self._point)
            counts = weights.size(self._point) > self._numerics.rtol
            self.closed = self.closed or (counts and not share.n_modes)
            self.counts = len(share.by_lead), len(share.by_pair)
            total = share.total if self._point.temperature > 0 else ()
            kinds = (share.by_lead, share.by_pair, total)
            parts = [(w, part) for w, kind in zip(weights, kinds, strict=True) for part in kind]
            sizes = share.sizes[: len(parts)]  # those of the last kind are not wanted at T = 0
            yield (
                tuple(_times(weight, part) for weight, part in parts),
                tuple(
                    float(np.abs(weight).max()) * size
                    for (weight, _), size in zip(parts, sizes, strict=True)
                ),
            )


def energy_bar(numerics: Numerics) -> Any:
    """Return a progress bar that counts energies, shown if that is wanted."""
    return tqdm(disable=not numerics.progress, unit=" energies")


def _divided(parts: Parts, n_first: int, n_second: int) -> tuple[Parts, Parts, Parts]:
    """Return the first parts, the second ones, and the others."""
    middle = n_first + n_second
    return parts[:n_first], parts[n_first:middle], parts[middle:]


class LeadWeights(NamedTuple):
    """Weights of `Shares` at an energy: (n_sources,), (n_sources, n_sources), and a number."""

    by_lead: NDArray[np.float64]
    by_pair: NDArray[np.float64]
    total: NDArray[np.float64]

    def size(self, point: OperatingPoint) -> float:
        """Return how much an energy counts, compared with the one that counts most."""
        if point.linear:
            return float(4 * point.temperature * self.total)
        if not point.temperature:
            return float(np.abs(self.by_lead).max())
        # Fermi functions that are x apart differ by tanh(x / 4 kT) at most.
        most = np.tanh(np.abs(point.bias) / (4 * point.temperature)).max()
        return float(np.abs(self.by_lead).max() / most) if most else 0.0


def lead_weights(energy: float, point: OperatingPoint) -> LeadWeights:
    """Return the weights of what an energy shell gives.  point: with the shifts of the sources."""
    mu, temperature, n_leads = point.energy, point.temperature, len(point.bias)
    thermal = np.array(thermal_weight(energy, mu, temperature) if temperature > 0 else 0.0)
    if point.linear:
        return LeadWeights(np.full(n_leads, thermal), np.full((n_leads, n_leads), thermal), thermal)
    filled = fermi(energy, mu + point.bias, temperature)
    beyond = fermi_difference(energy - mu, point.bias, temperature)
    return LeadWeights(beyond, np.outer(filled, 1 - filled), thermal)


def _times(weights: NDArray[np.float64], part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `part` times the weights of its first axes."""
    return weights.reshape(*weights.shape, *[1] * (part.ndim - weights.ndim)) * part
