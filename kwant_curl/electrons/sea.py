"""What all occupied states give, integrated above the real axis, where nothing is narrow."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integration import interpolated
from kwant_curl.algebra.occupations import fermi_poles
from kwant_curl.algebra.segments import Segment, Weighting
from kwant_curl.algebra.sketches import Sample
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.sampling import energy_bar
from kwant_curl.support.parallel import mapped

__all__ = ["integral_above"]

FloatArray = NDArray[np.float64]
Above = Callable[[complex], tuple[FloatArray, float]]
"""Returns an array at an energy above the real axis, and the size of the terms it sums."""


class Integral(NamedTuple):
    """An integral, and how many energies it took.

    error: an estimate, relative to the largest element of the integral of the modulus.
    """

    value: FloatArray
    error: float
    n_energies: int


FEWEST, MOST = 8, 1024
"""Poles of the Fermi function to begin with, and at most: enough for bands as wide as 1e5 kT."""


def integral_above(
    above: Above, point: OperatingPoint, numerics: Numerics, width: float
) -> Integral:
    """Return the integral of an array over y from 0 to infinity, at mu + iy; at kT a sum.

    2 pi kT times the sum over the poles of the Fermi function, mu + i (2n + 1) pi kT, for what
    is even in y and falls as y^-2 or faster.  width: about that of the bands, an energy.
    """
    with energy_bar(numerics) as bar:
        if point.temperature > 0:
            samples = partial(_samples, above, point.energy, numerics, bar)
            return _matsubara_sum(samples, point.temperature, numerics.rtol)

        def mapped_on(places: Sequence[float]) -> Iterator[Sample]:
            x = np.array(places)
            samples = _samples(above, point.energy, numerics, bar, width * x / (1 - x))
            for slope, (part, size) in zip(width / (1 - x) ** 2, samples, strict=True):
                yield Sample(((slope * part,),), (slope * size,))

        plain = Weighting(lambda x: (np.ones(len(x)),), np.empty(0, complex), np.empty(0))
        found = interpolated(
            mapped_on, [Segment(0.0, 1.0)], plain, numerics.rtol, max_energies=numerics.max_energies
        )
        return Integral(found.integrals(plain, 0.0)[0][0], found.error, found.n_energies)


def _samples(
    above: Above, mu: float, numerics: Numerics, bar: object, heights: FloatArray
) -> Iterator[tuple[FloatArray, float]]:
    """Yield the array and its size at each height above mu."""
    energies = [complex(mu, y) for y in heights]
    return mapped(above, energies, numerics.executor, bar)


def _matsubara_sum(
    samples: Callable[[FloatArray], Iterator[tuple[FloatArray, float]]],
    temperature: float,
    rtol: float,
) -> Integral:
    """Take twice as many poles until the sum stays the same."""
    before, error, n_energies = None, np.inf, 0
    count = FEWEST // 2
    while error > rtol and count < MOST:
        count *= 2
        heights, weights = fermi_poles(count)
        steps = 2 * np.pi * temperature * weights
        parts = [part for part, _ in samples(temperature * heights)]
        total = np.tensordot(steps, parts, axes=1)
        modulus = np.tensordot(steps, np.abs(parts), axes=1)
        if before is not None:
            error = float(np.abs(total - before).max(initial=0.0) / (modulus.max(initial=0.0) or 1))
        before, n_energies = total, n_energies + count
    return Integral(total, error, n_energies)
