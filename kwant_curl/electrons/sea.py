"""What all occupied states give, integrated above the real axis, where nothing is narrow."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integral_errors import Failed, IntegrationError
from kwant_curl.algebra.integration import interpolated
from kwant_curl.algebra.occupations import fermi_poles
from kwant_curl.algebra.segments import Segment, Weighting
from kwant_curl.algebra.sketches import Sample
from kwant_curl.electrons.beside import Attempt
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

    value: None where nothing is known; error: an estimate, relative to the largest element of the
    integral of the modulus; failed: an energy at which it had to end.
    """

    value: FloatArray | None
    error: float
    n_energies: int
    failed: Failed | None = None


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
            return _matsubara_sum(samples, point.energy, point.temperature, numerics.rtol)

        def mapped_on(places: Sequence[float]) -> Iterator[Sample | Exception]:
            x = np.array(places)
            samples = _samples(above, point.energy, numerics, bar, width * x / (1 - x))
            for slope, found in zip(width / (1 - x) ** 2, samples, strict=True):
                if isinstance(found, Exception):
                    yield found
                    continue
                part, size = found
                yield Sample(((slope * part,),), (slope * size,))

        plain = Weighting(lambda x: (np.ones(len(x)),), np.empty(0, complex), np.empty(0))
        whole, most = [Segment(0.0, 1.0)], numerics.max_energies
        try:
            found = interpolated(mapped_on, whole, plain, numerics.rtol, max_energies=most)
        except IntegrationError as nothing:  # the first energies; what else is known is not lost
            place, cause = complex(nothing.energy), nothing.__cause__
            why = cause if isinstance(cause, Exception) else nothing
            first = Failed(_above_axis(place, point.energy, width), why, (), 0)
            return Integral(None, np.inf, 0, first)
        failed = found.failed and found.failed._replace(
            energy=_above_axis(found.failed.energy, point.energy, width),
            energies=tuple(_above_axis(x, point.energy, width) for x in found.failed.energies),
        )
        return Integral(found.integrals(plain, 0.0)[0][0], found.error, found.n_energies, failed)


def _above_axis(place: complex, mu: float, width: float) -> complex:
    """Return the energy of a place between 0 and 1."""
    return complex(mu, width * place.real / (1 - place.real))


def _samples(
    above: Above, mu: float, numerics: Numerics, bar: object, heights: FloatArray
) -> Iterator[tuple[FloatArray, float] | Exception]:
    """Yield the array and its size at each height above mu, or what numbers raise there."""
    energies = [complex(mu, y) for y in heights]
    return mapped(Attempt(above), energies, numerics.executor, bar)


def _matsubara_sum(
    samples: Callable[[FloatArray], Iterator[tuple[FloatArray, float] | Exception]],
    mu: float,
    temperature: float,
    rtol: float,
) -> Integral:
    """Take twice as many poles until the sum stays the same."""
    before: FloatArray | None = None
    error, n_energies = np.inf, 0
    count = FEWEST // 2
    while error > rtol and count < MOST:
        count *= 2
        heights, weights = fermi_poles(count)
        steps = 2 * np.pi * temperature * weights
        parts = list[FloatArray]()
        energies = [complex(mu, temperature * height) for height in heights]
        for energy, found in zip(energies, samples(temperature * heights), strict=True):
            if isinstance(found, Exception):
                done = tuple(energies[: len(parts)])
                failed = Failed(energy, found, done, n_energies + len(parts))
                return Integral(before, error, n_energies, failed)
            parts.append(found[0])
        total = np.tensordot(steps, parts, axes=1)
        modulus = np.tensordot(steps, np.abs(parts), axes=1)
        if before is not None:
            error = float(np.abs(total - before).max(initial=0.0) / (modulus.max(initial=0.0) or 1))
        before, n_energies = total, n_energies + count
    return Integral(before, error, n_energies)
