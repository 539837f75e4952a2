"""What the integrals of emission and absorption have seen: other biases, temperatures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.interpolated import Interpolated, of_one_sign
from kwant_curl.algebra.occupations import window
from kwant_curl.algebra.quanta import exchange_weighting, steps
from kwant_curl.algebra.segments import Fit, sample_weights
from kwant_curl.results.samples import Samples, check_cover, fitted, stacked, summed
from kwant_curl.support.storage import saved_within

__all__ = ["ExchangeSpectrum", "kept_exchanges"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@saved_within
@dataclass(frozen=True, eq=False, repr=False)
class ExchangeSpectrum(Samples):
    """Samples of the golden rule's traces between E and E + quantum, and the fits between them.

    One integral over E for each different quantum, one after the other, in ascending order.  The
    traces don't depend on bias and temperature, and serve emission and absorption.

    Attributes
    ----------
    energies : array of float, shape (n,)
        The lower energies E at which samples were taken, for one quantum after the other.
    limits : array of float, shape (n_quanta, 2)
        Between which of them the fits hold, for each quantum.
    rtol, segments, segment, starts, points, weights, which : arrays
        As those of `Spectrum`.
    earlier_starts, earlier_points, earlier_weights, earlier_which : arrays
        As those of `Spectrum`.
    quanta : array of float, shape (n_pairs,) or (n_frequencies,)
        hbar omega of each pair of modes, or of each frequency.
    parts : tuple of arrays, shape (n_of_quantum, n_leads, n_leads, ...)
        For each different quantum the samples of what has it, the lead at the upper energy first.

    Examples
    --------
    >>> rates = phonon_rates(syst, moving, modes, energy, bias=0.05, temperature=0.01)
    >>> type(rates.spectrum).__name__, rates.spectrum.nbytes > 0
    ('ExchangeSpectrum', True)
    """

    DIMENSIONS = {**Samples.DIMENSIONS, "quanta": ("quantum",)}  # noqa: RUF012

    quanta: FloatArray

    @classmethod
    def of(
        cls,
        integrals: Sequence[tuple[Interpolated, tuple[float, float]]],
        quanta: FloatArray,
        factors: Sequence[Any],
        rtol: float,
    ) -> Self:
        """Keep what the integrals of different quanta have sampled, in ascending order of these.

        integrals: with the limits of each; those after an energy that failed are missing; quanta:
        of all that is asked for; factors: for each integral, what its samples are multiplied by.
        """
        found = [integral for integral, _ in integrals]
        return cls(
            **fitted(found),
            limits=np.array([limits for _, limits in integrals]),
            rtol=float(rtol),
            quanta=quanta,
            parts=tuple(
                stacked(integral.samples, 0, 0, factor)
                for integral, factor in zip(found, factors, strict=False)
            ),
        )

    def mapped(self, function: Any) -> Self:
        """Return the same with all samples transformed."""
        return replace(self, parts=tuple(function(part) for part in self.parts))

    def integrals(
        self, levels: FloatArray, temperature: float
    ) -> tuple[list[FloatArray], list[FloatArray], float]:
        """Return emission and absorption of each different quantum, and the estimated error.

        levels: the leads' chemical potentials, (n_leads,).

        Raises
        ------
        UncoveredError
            If these need energies beyond those that were sampled.
        """
        reach = max(float(np.log(4 / self.rtol)), 0.0)
        for quantum, limits in zip(np.unique(self.quanta), self.limits, strict=False):
            check_cover(window(steps(levels, quantum), temperature, reach), limits)
        emitted, absorbed, error = list[FloatArray](), list[FloatArray](), 0.0
        for one in self._by_quantum():
            weighting = exchange_weighting(levels, one.quantum, temperature)
            now, earlier = (sample_weights(f, weighting, len(one.part)) for f in one.fits)
            used = of_one_sign(now, [one.part], one.members, 0.1 * self.rtol)
            kinds = zip((emitted, absorbed), used, now, earlier, strict=True)
            for found, *weights in kinds:
                value, own = summed(one.part, *weights)
                found.append(value)
                error = max(error, own)
        return emitted, absorbed, error

    def _by_quantum(self) -> Iterator["_OfQuantum"]:
        """Yield what there is of each quantum."""
        fits, earlier = self.fits(), self.fits("earlier_")
        start = 0
        for quantum, part in zip(np.unique(self.quanta), self.parts, strict=False):
            segment = self.segment[start : start + len(part)]
            numbers = np.unique(segment)
            members = [np.flatnonzero(segment == k) for k in numbers]
            own, before = (
                [some[k]._replace(which=some[k].which - start) for k in numbers]
                for some in (fits, earlier)
            )
            yield _OfQuantum(float(quantum), part, (own, before), members)
            start += len(part)


class _OfQuantum(NamedTuple):
    """The samples of one quantum, the last fits and those before, and each one's samples."""

    quantum: float
    part: FloatArray
    fits: tuple[list[Fit], list[Fit]]
    members: list[IntArray]


def kept_exchanges(
    integrals: Sequence[tuple[Interpolated, tuple[float, float]]],
    quanta: FloatArray,
    factors: Sequence[Any],
    rtol: float,
) -> ExchangeSpectrum | None:
    """Return what integrals have sampled, if there were any: see `ExchangeSpectrum.of`."""
    if not integrals:
        return None
    return ExchangeSpectrum.of(integrals, quanta, factors, rtol)
