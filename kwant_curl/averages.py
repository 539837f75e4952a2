"""From energy shells to results: thermal averages and bias windows."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from kwant_curl.bands import band_edges
from kwant_curl.checks import positive_number
from kwant_curl.integration import integrate
from kwant_curl.occupations import fermi, thermal_weight, window
from kwant_curl.parallel import check_executor, mapped
from kwant_curl.solvers import direct_solver
from kwant_curl.states import OperatingPoint, warn_if_closed

__all__ = ["RTOL", "Average", "Shares", "averaged", "check_integration"]

RTOL = 1e-6
"""Error of integrals over energy that is asked for, relative to the largest element."""

Parts = tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Shares:
    """What an energy shell gives.

    by_lead: arrays (n_leads, ...) that are weighted with f_alpha - f, or -df/dE; total: arrays
    that are weighted with -df/dE always; n_modes: the open modes of all leads.
    """

    by_lead: Parts
    total: Parts
    n_modes: int


@dataclass(frozen=True)
class Average:
    """Shares that are integrated over energy, and how well: see `Response`."""

    by_lead: Parts
    total: Parts
    error: float
    partial: bool


def check_integration(rtol: Any, executor: Any) -> float:
    """Return the tolerance; raise for what can't be one, or for an executor that is none."""
    check_executor(executor)
    return positive_number("rtol", rtol)


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
    if solver is None and executor is None:
        solver = direct_solver()
    shell = partial(at_energy, solver=solver)
    if temperature == 0 and (point.linear or not point.bias.any()):
        here = shell(mu)
        warn_if_closed(here.n_modes, mu, stacklevel=4)
        scale = 1.0 if point.linear else 0.0
        return Average(tuple(scale * part for part in here.by_lead), here.total, 0.0, False)

    levels = np.array([mu]) if point.linear else np.append(mu + point.bias, mu)
    limits = window(levels, temperature)
    points = np.union1d(limits, band_edges(syst, limits[0], limits[-1], params))
    n_shares, closed = [0], [False]
    with tqdm(disable=not progress, unit=" energies") as bar:

        def weighted(energies: Sequence[float]) -> Iterator[Parts]:
            shares = mapped(shell, energies, executor, bar)
            for energy, share in zip(energies, shares, strict=True):
                by_lead, total = _weights(energy, point)
                counts = np.abs(by_lead).max() > np.finfo(float).eps
                closed[0] = closed[0] or (counts and not share.n_modes)
                n_shares[0] = len(share.by_lead)
                yield (
                    *(_times(by_lead, part) for part in share.by_lead),
                    *(total * part for part in share.total if temperature > 0),
                )

        integral = integrate(weighted, points, rtol)
    _warn(integral.error, rtol, closed[0])
    parts, n = integral.parts, n_shares[0]
    rest = parts[n:] if temperature > 0 else shell(mu).total
    return Average(parts[:n], rest, integral.error, closed[0])


def _weights(energy: float, point: OperatingPoint) -> tuple[NDArray[np.float64], float]:
    """Return the weights of each lead's shares at an energy, and that of the total."""
    mu, temperature = point.energy, point.temperature
    thermal = thermal_weight(energy, mu, temperature) if temperature > 0 else 0.0
    if point.linear:
        return np.full(len(point.bias), thermal), thermal
    filled = fermi(energy, mu + point.bias, temperature) - fermi(energy, mu, temperature)
    return filled, thermal


def _times(weights: NDArray[np.float64], part: NDArray[np.float64]) -> NDArray[np.float64]:
    return weights.reshape(-1, *[1] * (part.ndim - 1)) * part


def _warn(error: float, rtol: float, closed: bool) -> None:
    if error > rtol:
        warnings.warn(
            f"The integral over energy did not converge to rtol={rtol:.3g}: its estimated error "
            f"is {error:.3g}, as the result's `error` says.",
            RuntimeWarning,
            stacklevel=4,
        )
    if closed:
        warnings.warn(
            "At some energies of the window no lead has an open mode: the result is that of the "
            "others, and its `partial` is True.",
            RuntimeWarning,
            stacklevel=4,
        )
