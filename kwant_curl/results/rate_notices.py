"""What to say of pumping rates where the assumptions of Eq. 30 don't hold, with the numbers."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwant_curl.results.base import Response

if TYPE_CHECKING:
    from kwant_curl.results.pumping_rates import PumpingRates

__all__ = [
    "notices_of_far_thresholds",
    "notices_of_fast_rates",
    "notices_of_quanta",
    "notices_of_springs",
    "notices_of_uneven_friction",
]

FloatArray = NDArray[np.float64]

FAST = 0.1
"""Rates above this part of omega are not slow: the energy of a motion that grows at omega/10 is
exp(2 pi/10) = 1.9 times as large a turn later."""

EARLY = 0.8
"""Thresholds below this part of those of Eq. 30 are not the same number any more."""

SPLIT = 0.5
"""Springs of the current above this part of the driving matter: they take a part
1 - sqrt(1 - 1/4) = 13 % of it."""


def notices_of_fast_rates(rates: "PumpingRates", omega: FloatArray) -> Iterator[str]:
    """Yield what to say of a driving and a damping that are not well below the frequency."""
    driving, damping = np.abs(rates.driving) / omega, rates.damping / omega
    n = int(driving.argmax())
    if driving[n] > FAST:
        yield (
            f"The driving is up to {driving[n]:.3g} times the frequency (entry {n}: "
            f"{rates.driving[n]:.3g} at {omega[n]:.3g}), but rates (Eq. 30) are for slow growth: "
            "at a tenth of the frequency the energy changes by a factor of 1.9 in a turn. With "
            # Less by what the rounding to two digits may add.
            f"{0.95 * FAST / driving[n]:.2g} times the bias, by at_bias, it is less; `stability` "
            "solves the equation of motion itself. Thresholds don't depend on the bias."
        )
    n = int(damping.argmax())
    if damping[n] > FAST:
        yield (
            f"The damping is up to {damping[n]:.3g} times the frequency (entry {n}: "
            f"{rates.damping[n]:.3g} at {omega[n]:.3g}), at any bias, but rates and thresholds "
            "(Eq. 30) are for slow changes. Is the mass right? `stability` solves the equation of "
            "motion itself."
        )


def notices_of_uneven_friction(rates: "PumpingRates") -> Iterator[str]:
    """Yield what to say where a pair grows long before Eq. 30 says so."""
    held = replace(rates, springs=None).full_threshold
    first, lowest = int(held.argmin()), float(rates.threshold.min())
    if held[first] < EARLY * lowest:
        yield (
            f"The friction differs between directions: by itself it lets entry {first} grow from "
            f"{held[first]:.3g} times the present bias, where Eq. 30, which takes its mean, says "
            f"{rates.threshold[first]:.3g}, and {lowest:.3g} of the first one. Take "
            "`full_threshold` and `full_growth`."
        )


def notices_of_springs(rates: "PumpingRates") -> Iterator[str]:
    """Yield what to say where the current's springs split pairs that it drives."""
    if rates.springs is None:
        return
    driving = np.abs(rates.driving)
    springs = np.linalg.norm(rates.springs, axis=1)
    part = np.divide(springs, driving, out=np.zeros_like(driving), where=driving > 0)
    split = part > SPLIT
    if not split.any():
        return
    n = int(part.argmax())
    still = np.count_nonzero(part >= 1)
    yield (
        f"The current's own springs, the symmetric part of dF/dQ, split {split.sum()} of "
        f"{len(part)} pairs by more than {SPLIT:g} times the driving (entry {n}: {part[n]:.3g}), "
        f"and {still} by more than the driving, which then turn at no bias. Rates and thresholds "
        "(Eq. 30) leave these springs out; `full_threshold` and `critical_bias` have them."
    )


def notices_of_quanta(response: Response, omega: FloatArray) -> Iterator[str]:
    """Yield what to say of hbar omega that reaches the next band edge or resonance."""
    distance, what = response.nearest_change()
    if omega.max() >= distance:
        yield (
            f"hbar omega is {omega.max():.3g}, and {what} is "
            f"{distance:.3g} from the Fermi level: rates (Eq. 30) take D as constant over "
            "hbar omega. `phonon_rates` does not."
        )


def notices_of_far_thresholds(response: Response, threshold: float) -> Iterator[str]:
    """Yield what to say of a threshold that is beyond the next band edge or resonance."""
    distance, what = response.nearest_change()
    shift = float(np.abs(response.bias).max())
    if response.linear and np.isfinite(threshold) and threshold * shift >= distance:
        yield (
            f"At the lowest threshold, {threshold:.3g} times the present bias, a lead is shifted "
            f"by {threshold * shift:.3g}, and {what} is {distance:.3g} "
            "from the Fermi level: linear response does not reach as far, a calculation with the "
            "whole bias window does (linear=False)."
        )
