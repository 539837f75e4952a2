"""What an integral over energy has seen: other biases and temperatures without a solve."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.interpolated import Interpolated, of_one_sign
from kwant_curl.algebra.occupations import lead_weighting, window
from kwant_curl.algebra.segments import Fit, sample_weights
from kwant_curl.results.samples import (
    Samples,
    UncoveredError,
    check_cover,
    fitted,
    stacked,
    summed,
)
from kwant_curl.support.storage import saved_within

__all__ = ["Spectrum", "kept_spectrum"]

FloatArray = NDArray[np.float64]

ASIDE = 1e-7
"""How far from the end of a segment its fit is evaluated at least, in its width."""

KINDS = ("by_lead", "by_pair", "total")


@saved_within
@dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Samples):
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

    Examples
    --------
    >>> window = force_response(syst, moving, energy, bias=0.05, linear=False)
    >>> bool(len(window.spectrum.energies) > 2)
    True
    >>> window.without_spectrum().spectrum is None
    True
    """

    DIMENSIONS = {**Samples.DIMENSIONS, "limits": ("end",)}  # noqa: RUF012

    names: tuple[str, ...]
    kinds: tuple[str, ...]

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
        return cls(
            **fitted([integral]),
            limits=np.array(limits),
            rtol=float(rtol),
            names=tuple(fields),
            kinds=tuple(kind for kind, _, _ in fields.values()),
            parts=tuple(
                stacked(integral.samples, KINDS.index(kind), number, factor)
                for kind, number, factor in fields.values()
            ),
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
        levels = np.array([energy]) if linear else np.append(energy + bias, energy)
        check_cover(
            window(levels, temperature, max(float(np.log(4 / self.rtol)), 0.0)), self.limits
        )
        now, earlier = (
            self._sample_weights(fits, energy, bias, temperature, linear)
            for fits in (self.fits(), self.fits("earlier_"))
        )
        members = [np.flatnonzero(self.segment == k) for k in range(len(self.segments))]
        used = of_one_sign(now, list(self.parts), members, 0.1 * self.rtol)
        result: dict[str, FloatArray] = {}
        error = 0.0
        for name, kind, part in zip(self.names, self.kinds, self.parts, strict=True):
            at = KINDS.index(kind)
            result[name], own = summed(part, used[at], now[at], earlier[at])
            error = max(error, own)
        return result, error

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
            low, high = fit.segment.low, fit.segment.high
            # An end of the window was chosen; others are where something happens.
            if low < energy < high or (energy in self.limits and low <= energy <= high):
                aside = ASIDE * (high - low)  # the variable of the fit stands still at the end
                result = np.zeros(len(self.energies))
                result[fit.which] = fit.at(min(max(energy, low + aside), high - aside))
                return result
        raise UncoveredError(
            f"At zero temperature energy {energy:.6g} alone counts, which is on a band edge of the "
            "leads or a bound level, or was left out; call the routine there."
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
