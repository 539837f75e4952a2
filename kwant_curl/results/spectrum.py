"""What an integral over energy has seen: other biases and temperatures without a solve."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.interpolated import Interpolated, of_one_sign, weighted
from kwant_curl.algebra.occupations import lead_weighting, window
from kwant_curl.algebra.rational import Rational
from kwant_curl.algebra.segments import Fit, Segment, sample_weights
from kwant_curl.support.frozen import Frozen
from kwant_curl.support.storage import saved_within

__all__ = ["Spectrum", "UncoveredError", "kept_spectrum"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

KINDS = ("by_lead", "by_pair", "total")


class UncoveredError(ValueError):
    """What is asked for lies beyond the energies that were sampled."""


@saved_within
@dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Frozen):
    """Samples of a result's fields at some energies, and the rational fits between them.

    Attributes
    ----------
    energies : array of float, shape (n,)
        Where samples were taken.
    limits : array of float, shape (2,)
        Between which energies the fits hold.
    rtol : float
        Error that was asked for.
    segments : array of float, shape (n_segments, 2)
        Energies between which there is one fit, band edges of the leads.
    segment : array of int, shape (n,)
        In which of them each sample is.
    starts, points, weights, which : arrays
        The fits: the entries from starts[k] to starts[k + 1] are those of segment k: places,
        barycentric weights, samples.
    earlier_starts, earlier_points, earlier_weights, earlier_which : arrays
        The fits before the last ones, by which the error is told.
    names : tuple of str
        The fields, in the order of `parts`.
    kinds : tuple of str
        For each "by_lead", "by_pair" or "total": what it is weighted with, f_alpha - f,
        f_alpha (1 - f_beta), or -df/dE; in linear response -df/dE always.
    parts : tuple of arrays, shape (n, ...)
        The samples of each field.
    """

    DIMENSIONS = {  # noqa: RUF012
        "energies": ("sample",),
        "limits": ("end",),
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
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    parts: tuple[FloatArray, ...]

    def __repr__(self) -> str:
        """Say how many energies there are, and where."""
        low, high = self.limits
        return f"<Spectrum of {len(self.energies)} energies from {low:.6g} to {high:.6g}>"

    @property
    def nbytes(self) -> int:
        """Bytes that the samples take: the size of the fields times the number of energies."""
        return sum(part.nbytes for part in self.parts)

    @classmethod
    def of(
        cls,
        integral: Interpolated,
        limits: tuple[float, float],
        rtol: float,
        fields: Mapping[str, tuple[str, int, Any]],
    ) -> Self:
        """Keep what an integral has sampled.

        fields: for each field its kind, its number among the parts of that kind, and a factor.
        """
        parts = []
        for kind, number, factor in fields.values():
            at = KINDS.index(kind)
            part = np.array([sample.parts[at][number] for sample in integral.samples])
            part *= factor
            part.flags.writeable = False  # then it isn't copied
            parts.append(part)
        segment = np.zeros(len(integral.energies), dtype=np.int64)
        for number, members in enumerate(integral.members):
            segment[members] = number
        return cls(
            integral.energies,
            np.array(limits),
            float(rtol),
            np.array([(f.segment.low, f.segment.high) for f in integral.fits]).reshape(-1, 2),
            segment,
            *_listed(integral.fits),
            *_listed(integral.before),
            tuple(fields),
            tuple(kind for kind, _, _ in fields.values()),
            tuple(parts),
        )

    def mapped(self, functions: Mapping[str, Callable[[FloatArray], FloatArray]]) -> Self:
        """Return the same with each field's samples transformed; those not named are left out."""
        known = [i for i, name in enumerate(self.names) if name in functions]
        return replace(
            self,
            names=tuple(self.names[i] for i in known),
            kinds=tuple(self.kinds[i] for i in known),
            parts=tuple(functions[self.names[i]](self.parts[i]) for i in known),
        )

    def integrals(
        self, energy: float, bias: FloatArray, temperature: float, *, linear: bool
    ) -> tuple[dict[str, FloatArray], float]:
        """Return the fields at another bias and temperature, and the estimated error.

        Raises
        ------
        UncoveredError
            If these need energies beyond those that were sampled.
        """
        self._check_cover(energy, bias, temperature, linear)
        now, earlier = (
            self._sample_weights(fits, energy, bias, temperature, linear)
            for fits in (self._fits(), self._fits("earlier_"))
        )
        members = [np.flatnonzero(self.segment == k) for k in range(len(self.segments))]
        used = of_one_sign(now, list(self.parts), members, 0.1 * self.rtol)
        result: dict[str, FloatArray] = {}
        error = 0.0
        for name, kind, part in zip(self.names, self.kinds, self.parts, strict=True):
            at = KINDS.index(kind)
            result[name] = weighted(used[at], part)
            change = np.abs(weighted(now[at], part) - weighted(earlier[at], part))
            largest = weighted(np.abs(now[at]), np.abs(part)).max(initial=0.0) or 1.0
            error = max(error, float(change.max(initial=0.0)) / float(largest))
        return result, error

    def _fits(self, which: str = "") -> list[Fit]:
        """Return the last fits, or the ``earlier_`` ones."""
        starts, points, weights, samples = (
            getattr(self, which + name) for name in ("starts", "points", "weights", "which")
        )
        fits = []
        for number, (low, high) in enumerate(self.segments.tolist()):
            some = slice(starts[number], starts[number + 1])
            rational = Rational(np.arange(len(points[some])), points[some], weights[some])
            fits.append(Fit(Segment(low, high), rational, samples[some]))
        return fits

    def _sample_weights(
        self, fits: list[Fit], energy: float, bias: FloatArray, temperature: float, linear: bool
    ) -> tuple[FloatArray, ...]:
        """Return by what samples are multiplied, for each kind; at kT = 0 -df/dE is a delta."""
        n, n_leads = len(self.energies), len(bias)
        weighting = lead_weighting(energy, bias, temperature, linear=linear)
        by_lead, by_pair, total = sample_weights(fits, weighting, n)
        if temperature == 0:
            total = self._at_energy(fits, energy)
            if linear:
                by_lead = np.broadcast_to(total, (n_leads, n)).copy()
                by_pair = np.broadcast_to(total, (n_leads, n_leads, n)).copy()
        return by_lead, by_pair, total

    def _at_energy(self, fits: list[Fit], energy: float) -> FloatArray:
        for fit in fits:
            if fit.segment.low < energy < fit.segment.high:
                result = np.zeros(len(self.energies))
                result[fit.which] = fit.at(energy)
                return result
        raise UncoveredError(
            f"At zero temperature energy {energy:.6g} alone counts, which is on a band edge of the "
            "leads or a bound level, or was left out; call the routine there."
        )

    def _check_cover(
        self, energy: float, bias: FloatArray, temperature: float, linear: bool
    ) -> None:
        levels = np.array([energy]) if linear else np.append(energy + bias, energy)
        low, high = window(levels, temperature, max(float(np.log(4 / self.rtol)), 0.0))
        slack = 1e-9 * (self.limits[1] - self.limits[0])
        if low < self.limits[0] - slack or high > self.limits[1] + slack:
            raise UncoveredError(
                f"This needs energies from {low:.6g} to {high:.6g}, but the result was integrated "
                f"over those from {self.limits[0]:.6g} to {self.limits[1]:.6g}. Call the routine "
                "once with the largest bias= and the highest temperature= that are wanted: what "
                "lies within is then known."
            )


def kept_spectrum(
    integral: Interpolated | None,
    limits: tuple[float, float],
    rtol: float,
    fields: Mapping[str, tuple[str, int, Any]],
) -> Spectrum | None:
    """Return what an integral has sampled, if there was one: see `Spectrum.of`."""
    if integral is None or not integral.fits:
        return None
    return Spectrum.of(integral, limits, rtol, fields)


def _listed(fits: Sequence[Fit]) -> tuple[IntArray, FloatArray, FloatArray, IntArray]:
    """Return the fits of all segments as arrays: where each begins, places, weights, samples."""
    lengths = [len(fit.which) for fit in fits]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return (
        starts,
        np.concatenate([fit.rational.points for fit in fits] or [np.empty(0)]),
        np.concatenate([fit.rational.weights for fit in fits] or [np.empty(0)]),
        np.concatenate([fit.which for fit in fits] or [np.empty(0, np.int64)]),
    )
