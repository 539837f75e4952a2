"""From energy shells to results: thermal averages and bias windows."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from kwant_curl.bands import band_edges, bottom
from kwant_curl.checks import positive_number
from kwant_curl.integration import Integral, Sample, gauss_points, integrate
from kwant_curl.occupations import fermi, thermal_weight, window
from kwant_curl.parallel import check_executor, mapped
from kwant_curl.solvers import direct_solver
from kwant_curl.states import OperatingPoint, energy_shell, warn_if_closed, warn_if_slow

__all__ = [
    "RTOL",
    "Average",
    "Shares",
    "averaged",
    "check_integration",
    "collected_states",
    "kept_solver",
    "occupied",
    "response_sizes",
    "warn_of_integral",
]

RTOL = 1e-6
"""Error of integrals over energy that is asked for, relative to the largest element."""

Parts = tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Shares:
    """What an energy shell gives.

    by_lead: arrays (n_leads, ...) that are weighted with f_alpha - f, or -df/dE; by_pair: arrays
    (n_leads, n_leads, ...) that are weighted with f_alpha (1 - f_beta), or -df/dE; total: arrays
    that are weighted with -df/dE always; sizes: for each of them, those by lead first, then those
    by pair, of the terms that their elements are sums of; n_modes: the open modes of all leads;
    slow_lead: that of an `EnergyShell`.
    """

    by_lead: Parts
    total: Parts
    sizes: tuple[float, ...]
    n_modes: int
    slow_lead: int | None = None
    by_pair: Parts = ()


def response_sizes(friction: NDArray[np.float64], n_modes: int) -> tuple[float, float, float]:
    """Return the sizes of force, curl and friction, from the friction, in which nothing cancels.

    Tr[F D]^2 <= n_modes Tr[F D F D], which is the friction over pi; the curl is as large.
    """
    largest = float(np.abs(friction).max(initial=0.0))
    return float(np.sqrt(n_modes * largest)), largest, largest


@dataclass(frozen=True)
class Average:
    """Shares that are integrated over energy, and how well: see `Response`."""

    by_lead: Parts
    by_pair: Parts
    total: Parts
    error: float
    partial: bool


def check_integration(rtol: Any, executor: Any) -> float:
    """Return the tolerance; raise for what can't be one, or for an executor that is none."""
    check_executor(executor)
    return positive_number("rtol", rtol)


def kept_solver(solver: Any, executor: Any) -> Any:
    """Return the solver of all energies: the one given, or a new one; none for an executor.

    It serves one call at a time, so there each energy has its own.
    """
    if executor is not None:
        return None
    return direct_solver() if solver is None else solver


def averaged(
    at_energy: Callable[..., Shares],
    syst: Any,
    point: OperatingPoint,
    *,
    params: Mapping[str, Any] | None,
    rtol: float,
    executor: Any,
    progress: bool,
    solver: Any,
) -> Average:
    """Weight the shares of energy shells with the occupations of the leads.

    Parameters
    ----------
    at_energy : callable
        ``at_energy(energy, solver=solver)`` returns `Shares`.  Picklable if there is an executor.
    syst, params
        Where the leads' bands are read from.
    point : OperatingPoint
        Fermi level, bias, temperature, and whether the response is linear in the bias.
    rtol, executor, progress, solver
        As the routines have them.
    """
    rtol = check_integration(rtol, executor)
    mu, temperature = point.energy, point.temperature
    shell = partial(at_energy, solver=kept_solver(solver, executor))
    equilibrium: Parts = ()
    if temperature == 0:
        here = shell(mu)
        warn_if_slow(here.slow_lead, mu, stacklevel=4)
        equilibrium = here.total
    if temperature == 0 and (point.linear or not point.bias.any()):
        warn_if_closed(here.n_modes, mu, stacklevel=4)
        scale = 1.0 if point.linear else 0.0
        by_lead, by_pair = (
            tuple(scale * part for part in parts) for parts in (here.by_lead, here.by_pair)
        )
        return Average(by_lead, by_pair, equilibrium, 0.0, False)

    levels = np.array([mu]) if point.linear else np.append(mu + point.bias, mu)
    limits = window(levels, temperature)
    points = np.union1d(limits, band_edges(syst, limits[0], limits[-1], params))
    counts, closed = [(0, 0)], [False]
    with tqdm(disable=not progress, unit=" energies") as bar:

        def weighted(energies: Sequence[float]) -> Iterator[Sample]:
            shares = mapped(shell, energies, executor, bar)
            for energy, share in zip(energies, shares, strict=True):
                weights = _weights(energy, point)
                closed[0] = closed[0] or (weights.size(point) > rtol and not share.n_modes)
                counts[0] = len(share.by_lead), len(share.by_pair)
                kinds = (share.by_lead, share.by_pair, share.total if temperature > 0 else ())
                parts = [(w, part) for w, kind in zip(weights, kinds, strict=True) for part in kind]
                yield (
                    tuple(_times(weight, part) for weight, part in parts),
                    tuple(
                        float(np.abs(weight).max()) * size
                        for (weight, _), size in zip(parts, share.sizes, strict=False)
                    ),
                )

        integral = integrate(weighted, points, rtol)
    warn_of_integral(integral.error, rtol, closed[0], stacklevel=4)
    by_lead, by_pair, total = _divided(integral.parts, *counts[0])
    return Average(by_lead, by_pair, equilibrium or total, integral.error, closed[0])


def occupied(
    at_energy: Callable[..., tuple[NDArray[np.float64], float]],
    syst: Any,
    point: OperatingPoint,
    *,
    params: Mapping[str, Any] | None,
    rtol: float,
    executor: Any,
    progress: bool,
    solver: Any,
) -> Integral:
    """Integrate one array times the Fermi function at mu over all energies of the leads' bands.

    at_energy: ``at_energy(energy, solver=solver)`` returns the array, and the size of the terms
    that its elements are sums of.  The others are as `averaged` has them.
    """
    low = bottom(syst, params)
    mu, temperature = point.energy, point.temperature
    limits = window(np.array([mu]), temperature)
    edges = band_edges(syst, low, limits[-1], params)
    points = np.union1d(limits[limits >= low], edges)
    shell = partial(at_energy, solver=kept_solver(solver, executor))
    with tqdm(disable=not progress, unit=" energies") as bar:

        def weighted(energies: Sequence[float]) -> Iterator[Sample]:
            for energy, (part, size) in zip(
                energies, mapped(shell, energies, executor, bar), strict=True
            ):
                filled = float(fermi(energy, mu, temperature))
                yield (filled * part,), (filled * size,)

        return integrate(weighted, points, rtol)


def _divided(parts: Parts, n_first: int, n_second: int) -> tuple[Parts, Parts, Parts]:
    """Return the first parts, the second ones, and the others."""
    middle = n_first + n_second
    return parts[:n_first], parts[n_first:middle], parts[middle:]


class _Weights(NamedTuple):
    """Weights of `Shares` at an energy: (n_leads,), (n_leads, n_leads), and a number."""

    by_lead: NDArray[np.float64]
    by_pair: NDArray[np.float64]
    total: NDArray[np.float64]

    def size(self, point: OperatingPoint) -> float:
        """Return how much an energy counts, compared with the one that counts most."""
        if point.linear:
            return float(4 * point.temperature * self.total)
        return float(np.abs(self.by_lead).max())


def _weights(energy: float, point: OperatingPoint) -> _Weights:
    """Return the weights of what an energy shell gives."""
    mu, temperature, n_leads = point.energy, point.temperature, len(point.bias)
    thermal = np.array(thermal_weight(energy, mu, temperature) if temperature > 0 else 0.0)
    if point.linear:
        return _Weights(np.full(n_leads, thermal), np.full((n_leads, n_leads), thermal), thermal)
    filled = fermi(energy, mu + point.bias, temperature)
    return _Weights(filled - fermi(energy, mu, temperature), np.outer(filled, 1 - filled), thermal)


def _times(weights: NDArray[np.float64], part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `part` times the weights of its first axes."""
    return weights.reshape(*weights.shape, *[1] * (part.ndim - weights.ndim)) * part


def warn_of_integral(error: float, rtol: float, closed: bool, *, stacklevel: int) -> None:
    """Warn of an integral that has not converged, and of energies without open modes."""
    if error > rtol:
        warnings.warn(
            f"The integral over energy did not converge to rtol={rtol:.3g}: its estimated error "
            f"is {error:.3g}, as the result's `error` says.",
            RuntimeWarning,
            stacklevel=stacklevel,
        )
    if closed:
        warnings.warn(
            "At some energies of the window no lead has an open mode: the result is that of the "
            "others, and its `partial` is True.",
            RuntimeWarning,
            stacklevel=stacklevel,
        )


NARROWEST = 2.0**-20
"""Intervals of `collected_states` are not halved beyond this part of a segment."""


class _Sample(NamedTuple):
    """States of an interval, their weights, and the density in each orbital."""

    low: float
    high: float
    states: NDArray[np.complex128]
    weights: NDArray[np.float64]
    density: NDArray[np.float64]


def collected_states(
    syst: Any,
    point: OperatingPoint,
    *,
    params: Mapping[str, Any] | None,
    rtol: float,
    max_memory: float,
    solver: Any,
) -> tuple[NDArray[np.complex128], NDArray[np.float64], float]:
    """Return states and weights that make up Delta rho, and the error of the density in them.

    The states at Gauss and Legendre's 16 points of intervals in the variable of `integrate`, which
    are halved until that no longer changes the density in each orbital.
    """
    solver = direct_solver() if solver is None else solver
    levels = point.energy + (0 * point.bias if point.linear else np.append(point.bias, 0))
    limits = window(levels, point.temperature)
    points = np.union1d(limits, band_edges(syst, limits[0], limits[-1], params))

    def sample(low: float, high: float) -> _Sample:
        states, weights = [], []
        for energy, share in gauss_points(points, low, high, 16):
            by_lead = _weights(energy, point).by_lead * (point.bias if point.linear else 1.0)
            shell = energy_shell(syst, energy, params=params, max_memory=max_memory, solver=solver)
            states.append(shell.states())
            weights.append(share * np.repeat(by_lead, shell.n_modes) / (2 * np.pi))
        psi, weight = np.concatenate(states), np.concatenate(weights)
        # Of both signs of the bias alike, or they could cancel and hide what is rough.
        return _Sample(low, high, psi, weight, np.abs(weight) @ np.abs(psi) ** 2)

    waiting = [sample(i, i + 1) for i in range(len(points) - 1)]
    size = np.sum([part.density for part in waiting], axis=0).max(initial=0.0) or 1.0
    done, error = [], 0.0
    while waiting:
        part = waiting.pop()
        middle = 0.5 * (part.low + part.high)
        halves = [sample(part.low, middle), sample(middle, part.high)]
        change = np.abs(halves[0].density + halves[1].density - part.density).max() / size
        if change <= rtol * (part.high - part.low) or part.high - part.low < NARROWEST:
            done += halves
            error += float(change)
        else:
            waiting += halves
    states = np.concatenate([part.states for part in done])
    warn_of_integral(error, rtol * len(points), not len(states), stacklevel=4)
    return states, point.degeneracy * np.concatenate([part.weights for part in done]), error
