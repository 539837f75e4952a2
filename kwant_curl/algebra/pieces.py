"""A segment that is being sampled: its fits, by how much they change, and where to look next.

Arrays only: nothing here knows Kwant.
"""

import math

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.rational import fitted
from kwant_curl.algebra.sampled import Sampled
from kwant_curl.algebra.segments import COARSE, Fit, Segment
from kwant_curl.algebra.sketches import CANCELLED

__all__ = ["Piece"]

FloatArray = NDArray[np.float64]

FITTED = 0.03
"""What a fit leaves at samples that it doesn't go through, in units of the error that is asked."""

PATIENCE, NOISE, LONG = 12, 1e-3, 60
"""An error that has not halved in 12 rounds, and is below 1e-3, doesn't fall any more; nor one
that is larger after 60."""


class Piece:
    """A segment, its samples so far, and how far its fit is from the one before.

    places: where it was sampled, in the segment's variable; index: the numbers of these samples;
    fit, before: the last fit and the last but one; change, size, total: of each combination by how
    much the fits differ, the modulus, and the value, integrated; floor: of each part, what is
    rounding; next: where to sample; wanted: where that is asked for besides.
    """

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.places: list[float] = []
        self.index: list[int] = []
        self.fit: Fit | None = None
        self.before: Fit | None = None
        self.change = self.size = self.total = self.floor = np.zeros(0)
        self.next: list[float] = []
        self.wanted: list[float] = []
        self.is_checked = self.has_failed = False
        self.probed: set[bool] = set()
        self.history: list[float] = []
        self._support: list[int] = []

    @property
    def has_stopped(self) -> bool:
        """Whether the error is one of rounding: no smaller than it was many samples ago."""
        recent, earlier = self.history[-PATIENCE:], self.history[:-PATIENCE]
        stays = bool(earlier) and min(recent) > 0.5 * min(earlier)
        return stays and (max(recent) < NOISE or len(self.history) > LONG)

    def add(self, place: float, number: int | None) -> None:
        """Note a sample, by its number, or that it failed."""
        if number is None:
            self.has_failed = True
            return
        self.places.append(place)
        self.index.append(number)

    def refit(self, sampled: Sampled, left: float) -> None:
        """Fit the samples again, and compare with the fit before; left: see `Search`."""
        places = np.array(self.places)
        slopes = self.segment.slope(places)[:, None]
        rows = slopes * sampled.rows_of(self.index)
        noise = slopes * sampled.noise_of(self.index)
        rational = fitted(places, rows, FITTED * left * sampled.rtol, noise, self._support)
        self._support = rational.support.tolist()
        fit = Fit(self.segment, rational, np.array(self.index)[rational.support])
        self.before, self.fit = self.fit, fit
        self._compare(sampled, fit, self.before)

    def half_fit(self, sampled: Sampled, left: float, first: int) -> Fit:
        """Return a fit of every other sample, from the first one or the second (0 or 1)."""
        some = np.argsort(self.places)[min(first, len(self.places) - 1) :: 2]
        places, index = np.array(self.places)[some], np.array(self.index)[some]
        slopes = self.segment.slope(places)[:, None]
        rows, noise = slopes * sampled.rows_of(index), slopes * sampled.noise_of(index)
        known = np.flatnonzero(np.isin(some, self._support)).tolist()
        rational = fitted(places, rows, FITTED * left * sampled.rtol, noise, known)
        return Fit(self.segment, rational, index[rational.support])

    def _compare(self, sampled: Sampled, fit: Fit, before: Fit | None) -> None:
        """Find where two fits differ most, and by how much in all."""
        poles = fit.rational.poles()
        if before is not None:
            poles = np.concatenate([poles, before.rational.poles()])
        grid = self.segment.grid(poles, sampled.weighting, COARSE)
        envelope = sampled.envelope(grid.energies) * grid.widths[:, None]
        rows = np.array(sampled.rows)
        basis = fit.basis(grid.s)
        now = basis @ rows[fit.which]
        self.size = (np.abs(now) * envelope).sum(axis=0)
        self.total = (now * envelope).sum(axis=0)
        # The size of the terms of each part, integrated, as far as it is rounding.
        sizes = np.array([sampled.samples[i].sizes for i in fit.which])
        reach = np.abs(basis).T @ envelope[:, sampled.sketch.first]
        self.floor = CANCELLED / sampled.rtol * (reach * sizes).sum(axis=0)
        if before is None:
            self.change = np.full(rows.shape[1], np.inf)
            self.next = []
            return
        change = np.abs(now - before.basis(grid.s) @ rows[before.which]) * envelope
        self.change = change.sum(axis=0)
        scale = sampled.sketch.scale(self.size, self.floor)
        density = (change / scale)[:, sampled.sketch.counts].max(axis=1)
        self.next = self._roughest(grid.s, density, grid.panel)

    def _roughest(
        self, s: FloatArray, density: FloatArray, panel: NDArray[np.int64]
    ) -> list[float]:
        """Return places in the two panels where the fits differ most."""
        every = np.bincount(panel, density)
        found: list[float] = []
        for which in np.argsort(every)[::-1][:6]:
            inside = np.flatnonzero(panel == which)
            place = float(s[inside[density[inside].argmax()]])
            if self._is_new(place) and all(abs(place - other) > 0.02 for other in found):
                found.append(place)
            if len(found) == 2:
                break
        return found

    def _is_new(self, place: float) -> bool:
        nearest = min((abs(place - other) for other in self.places), default=math.inf)
        return nearest > 4 * float(np.finfo(float).eps)

    def unseen(self, sampled: Sampled) -> list[float]:
        """Return where to look once more: in the widest gap, and beside the narrowest pole."""
        places = [self.widest_gap(sampled)]
        if self.fit is not None:
            poles = self.fit.rational.poles()
            inside = poles[(poles.real > 0) & (poles.real < 1) & (poles.imag > 0)]
            if inside.size:
                pole = inside[inside.imag.argmin()]
                beside = np.array([pole.real - pole.imag, pole.real + pole.imag])
                near = np.abs(beside[:, None] - self.places).min(axis=1)
                which = int(near.argmax())
                if near[which] > 0.3 * pole.imag and 0 < beside[which] < 1:
                    places.append(float(beside[which]))
        return [place for place in places if self._is_new(place)]

    def widest_gap(self, sampled: Sampled) -> float:
        """Return the middle of the gap between samples that counts most."""
        ends = np.concatenate([[0.0], np.sort(self.places), [1.0]])
        middle, gaps = 0.5 * (ends[1:] + ends[:-1]), np.diff(ends)
        envelope = sampled.envelope(self.segment.energy(middle))
        return float(middle[(gaps * envelope.max(axis=1)).argmax()])

    def error(self, sampled: Sampled, scale: FloatArray) -> float:
        """Return by how much the fits differ; nothing is known without samples.

        scale: what the error of each combination is measured by.
        """
        if self.fit is None:
            return 0.0 if self.has_failed else np.inf
        return float((self.change / scale)[sampled.sketch.counts].max(initial=0.0))
