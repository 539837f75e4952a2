"""Samples of integrals over energy, and the rational fits through them, as results keep them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.interpolated import Interpolated, weighted
from kwant_curl.algebra.rational import Rational
from kwant_curl.algebra.segments import Fit, Segment
from kwant_curl.algebra.sketches import Sample
from kwant_curl.support.frozen import Frozen

__all__ = ["Samples", "UncoveredError", "check_cover", "fitted", "stacked", "summed"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class UncoveredError(ValueError):
    """What is asked for lies beyond the energies that were sampled."""


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Frozen):
    """Energies at which there are samples, and rational fits between them.

    The fields are described in `Spectrum`; limits: of several integrals (n_integrals, 2); parts:
    (n, ...) each, the samples.
    """

    DIMENSIONS = {  # noqa: RUF012
        "energies": ("sample",),
        "limits": ("integral", "end"),
        "segments": ("segment", "end"),
        "segment": ("sample",),
        "starts": ("start",),
        "points": ("point",),
        "weights": ("point",),
        "which": ("point",),
        "earlier_starts": ("start",),
        "earlier_points": ("earlier_point",),
        "earlier_weights": ("earlier_point",),
        "earlier_which": ("earlier_point",),
    }

    energies: FloatArray
    limits: FloatArray
    rtol: float
    segments: FloatArray
    segment: IntArray
    starts: IntArray
    points: FloatArray
    weights: FloatArray
    which: IntArray
    earlier_starts: IntArray
    earlier_points: FloatArray
    earlier_weights: FloatArray
    earlier_which: IntArray
    parts: tuple[FloatArray, ...]

    def __repr__(self) -> str:
        """Say how many energies there are, and where."""
        low, high = self.limits.min(), self.limits.max()
        name = type(self).__name__
        return f"<{name} of {len(self.energies)} energies from {low:.6g} to {high:.6g}>"

    @property
    def nbytes(self) -> int:
        """Bytes that the samples take: the size of the fields times the number of energies."""
        return sum(part.nbytes for part in self.parts)

    def fits(self, which: str = "") -> list[Fit]:
        """Return the last fits of all segments, or the ``earlier_`` ones."""
        starts, points, weights, samples = (
            getattr(self, which + name) for name in ("starts", "points", "weights", "which")
        )
        fits = []
        for number, (low, high) in enumerate(self.segments.tolist()):
            some = slice(starts[number], starts[number + 1])
            rational = Rational(np.arange(len(points[some])), points[some], weights[some])
            fits.append(Fit(Segment(low, high), rational, samples[some]))
        return fits


def fitted(integrals: Sequence[Interpolated]) -> dict[str, Any]:
    """Return what `Samples` keep of integrals, one after the other, beside limits and samples."""
    segment, fits, before = list[IntArray](), list[Fit](), list[Fit]()
    n_samples = 0
    for integral in integrals:
        numbers = np.zeros(len(integral.energies), dtype=np.int64)
        for number, members in enumerate(integral.members, start=len(fits)):
            numbers[members] = number
        segment.append(numbers)
        for known, some in ((fits, integral.fits), (before, integral.before)):
            known += [fit._replace(which=fit.which + n_samples) for fit in some]
        n_samples += len(numbers)
    ends = [(fit.segment.low, fit.segment.high) for fit in fits]
    return {
        "energies": np.concatenate([integral.energies for integral in integrals]),
        "segments": np.array(ends).reshape(-1, 2),
        "segment": np.concatenate(segment),
        **_listed(fits),
        **_listed(before, "earlier_"),
    }


def _listed(fits: Sequence[Fit], which: str = "") -> dict[str, Any]:
    """Return the fits of all segments as arrays: where each begins, places, weights, samples."""
    lengths = [len(fit.which) for fit in fits]
    arrays = {
        "starts": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "points": np.concatenate([fit.rational.points for fit in fits] or [np.empty(0)]),
        "weights": np.concatenate([fit.rational.weights for fit in fits] or [np.empty(0)]),
        "which": np.concatenate([fit.which for fit in fits] or [np.empty(0, np.int64)]),
    }
    return {which + name: array for name, array in arrays.items()}


def stacked(samples: Iterable[Sample], kind: int, number: int, factor: Any) -> FloatArray:
    """Return a part of all samples, (n, ...), times a factor, read-only."""
    part = np.array([sample.parts[kind][number] for sample in samples])
    part *= factor
    part.flags.writeable = False  # then it isn't copied
    return part


def summed(
    part: FloatArray, used: FloatArray, now: FloatArray, earlier: FloatArray
) -> tuple[FloatArray, float]:
    """Return the integral of a part (n, ...), and the estimated error.

    used: by what its samples are multiplied (..., n); now, earlier: the same of the last fit and
    the one before as they are, which tell the error, relative to the integral of the modulus.
    """
    change = np.abs(weighted(now, part) - weighted(earlier, part))
    largest = weighted(np.abs(now), np.abs(part)).max(initial=0.0) or 1.0
    return weighted(used, part), float(change.max(initial=0.0)) / float(largest)


def check_cover(needed: tuple[float, float], limits: FloatArray) -> None:
    """Raise unless all energies that are needed lie between the limits of an integral."""
    low, high = needed
    slack = 1e-9 * (limits[1] - limits[0])
    if low < limits[0] - slack or high > limits[1] + slack:
        raise UncoveredError(
            f"This needs energies from {low:.6g} to {high:.6g}, but the result was integrated "
            f"over those from {limits[0]:.6g} to {limits[1]:.6g}. Call the routine "
            "once with the largest bias= and the highest temperature= that are wanted: what "
            "lies within is then known."
        )
