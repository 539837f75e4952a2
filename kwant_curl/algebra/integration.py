"""Adaptive integration over energy of many functions at once, by rational interpolation.

Between two band edges what is integrated is analytic, with poles off the axis that all elements
share.  A rational function goes through the samples; the next ones are taken where it still
changes.  Arrays only: nothing here knows Kwant.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.interpolated import CANCELLING, Interpolated, Skipped, weighted
from kwant_curl.algebra.rational import fitted
from kwant_curl.algebra.segments import (
    COARSE,
    Fit,
    Segment,
    Weighting,
)
from kwant_curl.algebra.sketches import CANCELLED, Sample, Sketch

__all__ = [
    "DivergentIntegralError",
    "Evaluate",
    "IntegrationError",
    "interpolated",
    "segments_between",
]

FloatArray = NDArray[np.float64]

FIRST, FIRST_OF_LIGHT = (0.1, 0.3, 0.5, 0.7, 0.9), (0.2, 0.5, 0.8)
"""Where the first samples of a segment are, in its variable, and where its weight is small."""

LIGHT = 10.0
"""A segment whose part of the weight is below this times rtol."""

FITTED = 0.03
"""What a fit leaves at samples that it doesn't go through, in units of the error that is asked."""

SAFE = 0.8
"""The part of the error asked for at which the search ends."""

MUCH = 0.1
"""Where less than this is left of an integral, its samples are fitted the better for it."""

RESOLVED = 1e-8
"""No better than to this part of the integrals of moduli: samples have rounding errors."""

FAR = 30.0
"""A segment whose error is this many times too large gets two samples at a time."""

PATIENCE, NOISE, LONG = 12, 1e-3, 60
"""An error that has not halved in 12 rounds, and is below 1e-3, doesn't fall any more; nor one
that is larger after 60."""

NEGLIGIBLE = 0.01
"""A segment is left out if its weight is this part of rtol squared: E^(-1/2) counts by its root."""


NONE = np.empty(0, complex)
NO_EDGES = np.empty(0)


NEAR_END, NEARER_END = 1e-3, 1e-5
"""Places next to an end of a segment where it is told whether an integral exists."""

SINGULAR = 0.1
"""A function that is 1/s at the end of a segment, times s: from one place to the other as good as
the same; a regular one falls to a hundredth."""


class DivergentIntegralError(ValueError):
    """An integral doesn't exist: a function goes as 1/(E - E0) at an end E0 of a segment.

    Attributes
    ----------
    energy : float
        E0.
    """

    def __init__(self, energy: float) -> None:
        self.energy = energy
        super().__init__(
            f"The integral over energy does not exist: as 1/(E - E0) at E0 = {energy}."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by the energy that it is made of."""
        return DivergentIntegralError, (self.energy,)


class IntegrationError(ValueError):
    """An energy of an integral failed that counts; what was raised there is the `__cause__`.

    The same call with ``max_energies=error.n_done``, if that isn't 0, gives the result of the
    energies that were done before, and its `error`.

    Attributes
    ----------
    energy : float
        The energy that failed.
    energies : tuple of float
        Those that were done.
    n_done : int
        How many energies came before, those that failed without counting included.
    """

    def __init__(self, reason: str, energy: float, energies: Sequence[float], n_done: int) -> None:
        self.energy, self.energies, self.n_done = energy, tuple(energies), n_done
        self._reason = reason
        known = f"; max_energies={n_done} gives what these tell" if n_done else ""
        super().__init__(
            f"At energy {energy} of an integral, which counts, there was an error: "
            f"{reason.rstrip('.')}. {n_done} energies were done before{known}. If a mode of a lead "
            "opens or closes there, exclude=... leaves out the energies around it."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by what it is made of."""
        return IntegrationError, (self._reason, self.energy, self.energies, self.n_done)


Evaluate = Callable[[Sequence[float]], Iterable[Sample | Exception]]


@dataclass
class _Part:
    """A segment, its samples so far, and how far its fit is from the one before."""

    segment: Segment
    places: list[float] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    support: list[int] = field(default_factory=list)
    fit: Fit | None = None
    before: Fit | None = None
    change: FloatArray = field(default_factory=lambda: np.zeros(0))
    size: FloatArray = field(default_factory=lambda: np.zeros(0))
    total: FloatArray = field(default_factory=lambda: np.zeros(0))
    floor: FloatArray = field(default_factory=lambda: np.zeros(0))
    next: list[float] = field(default_factory=list)
    wanted: list[float] = field(default_factory=list)
    is_checked: bool = False
    has_failed: bool = False
    probed: set[bool] = field(default_factory=set)
    history: list[float] = field(default_factory=list)

    @property
    def has_stopped(self) -> bool:
        """Whether the error is one of rounding: no smaller than it was many samples ago."""
        recent, earlier = self.history[-PATIENCE:], self.history[:-PATIENCE]
        stays = bool(earlier) and min(recent) > 0.5 * min(earlier)
        return stays and (max(recent) < NOISE or len(self.history) > LONG)


def segments_between(
    points: FloatArray,
    weighting: Weighting,
    rtol: float,
    edges: FloatArray = NO_EDGES,
    exclude: float = 0.0,
) -> tuple[Segment, ...]:
    """Return the segments between break points whose weight counts.

    What is within `exclude` of an edge is left out.
    """
    segments = list[Segment]()
    ends = np.concatenate([edges - exclude, edges + exclude]) if exclude else NO_EDGES
    ends = ends[(ends > points[0]) & (ends < points[-1])]
    for start, end in pairwise(np.union1d(points, ends).tolist()):
        if not np.any(np.abs(edges - 0.5 * (start + end)) < exclude):
            segments.append(Segment(start, end))
    masses = np.array([_mass(segment, weighting) for segment in segments])
    counts = masses > NEGLIGIBLE * min(rtol, 1.0) ** 2 * masses.sum()
    return tuple(segment for segment, one in zip(segments, counts, strict=True) if one)


def _mass(segment: Segment, weighting: Weighting) -> float:
    grid = segment.grid(NONE, weighting, COARSE)
    kinds = weighting.of(grid.energies)
    widths = grid.widths * grid.slopes
    return max(float((np.abs(kind) @ widths).max(initial=0.0)) for kind in kinds)


def interpolated(
    evaluate: Evaluate,
    segments: Sequence[Segment],
    weighting: Weighting,
    rtol: float,
    *,
    candidates: Sequence[tuple[float, float]] = (),
    max_energies: int = 10_000,
) -> Interpolated:
    """Sample functions of energy until their weighted integrals are known.

    Parameters
    ----------
    evaluate : callable
        Takes many energies, returns a `Sample` for each, or what it raised.
    segments : sequence of Segment
        Between band edges.
    weighting : Weighting
        What the samples are integrated with.
    rtol : float
        Error to be reached, relative to the largest element of each part's integral, or to a
        thousandth of that of its modulus.
    candidates : sequence of (energy, width)
        Resonances, each of which is looked at.
    max_energies : int
        How many energies are taken at most.
    """
    search = _Search(evaluate, [_Part(segment) for segment in segments], weighting, rtol)
    search.begin(candidates)
    ended = not search.parts
    while not ended and search.n_energies < max_energies:
        search.evaluate_next(max_energies)
        search.fit()
        ended = search.choose()
    return search.result(ended)


class _Search:
    """The search: what has been sampled, and where to look next."""

    def __init__(
        self, evaluate: Evaluate, parts: list[_Part], weighting: Weighting, rtol: float
    ) -> None:
        self.parts = parts
        self._evaluate, self._weighting, self._rtol = evaluate, weighting, rtol
        self._energies: list[float] = []
        self._samples: list[Sample] = []
        self._rows: list[FloatArray] = []
        self._skipped: list[Skipped] = []
        self._sketch = Sketch.of((), ())
        self._error = np.inf
        self._left = 1.0  # of the integral of a modulus, where much of both signs cancels

    @property
    def n_energies(self) -> int:
        return len(self._energies) + len(self._skipped)

    def begin(self, candidates: Sequence[tuple[float, float]]) -> None:
        """Choose the first samples: a few everywhere, and two at each resonance."""
        masses = [_mass(part.segment, self._weighting) for part in self.parts]
        for part, mass in zip(self.parts, masses, strict=True):
            low, high = part.segment.low, part.segment.high
            is_light = mass < LIGHT * self._rtol * sum(masses)
            places = list(FIRST_OF_LIGHT if is_light else FIRST)
            for energy, width in candidates:
                near = [energy, energy + width if energy + width < high else energy - width]
                places += [
                    float(part.segment.place(np.array(e)).real) for e in near if low < e < high
                ]
            part.next = sorted(set(places))

    def evaluate_next(self, max_energies: int) -> None:
        """Evaluate what was chosen, all segments together."""
        wanted = [(part, s) for part in self.parts for s in part.next]
        wanted = wanted[: max(max_energies - self.n_energies, 0)]
        energies = [float(part.segment.energy(np.array(s))) for part, s in wanted]
        for (part, s), energy, sample in zip(
            wanted, energies, self._evaluate(energies), strict=True
        ):
            if isinstance(sample, Exception):
                self._skip(part, energy, sample)
                continue
            part.places.append(s)
            part.index.append(len(self._energies))
            self._energies.append(energy)
            self._samples.append(sample.beyond_rounding)
        if not self._rows:
            probes = (part.segment.grid(NONE, self._weighting, COARSE) for part in self.parts)
            everywhere = np.concatenate([grid.energies for grid in probes])
            self._sketch = Sketch.of(self._samples, self._weighting.of(everywhere))
        self._rows += [self._sketch(sample) for sample in self._samples[len(self._rows) :]]

    def _skip(self, part: _Part, energy: float, failure: Exception) -> None:
        """Note an energy that failed, or raise where it counts."""
        part.has_failed = True
        if self._weighting.counts(energy, self._rtol):
            raise IntegrationError(
                str(failure), energy, self._energies, self.n_energies
            ) from failure
        self._skipped.append(Skipped(energy, f"{type(failure).__name__}: {failure}"))

    def fit(self) -> None:
        """Fit each segment that has new samples, and compare with the fit before."""
        for part in self.parts:
            if not part.next or not part.places:
                continue
            places = np.array(part.places)
            slopes = part.segment.slope(places)[:, None]
            rows = slopes * [self._rows[i] for i in part.index]
            noise = slopes * [self._sketch.noise(self._samples[i]) for i in part.index]
            rational = fitted(places, rows, FITTED * self._left * self._rtol, noise, part.support)
            part.support = rational.support.tolist()
            fit = Fit(part.segment, rational, np.array(part.index)[rational.support])
            self._compare(part, fit, part.fit)
            part.before, part.fit = part.fit, fit

    def _compare(self, part: _Part, fit: Fit, before: Fit | None) -> None:
        """Find where two fits of a segment differ most, and by how much in all."""
        poles = fit.rational.poles()
        if before is not None:
            poles = np.concatenate([poles, before.rational.poles()])
        grid = part.segment.grid(poles, self._weighting, COARSE)
        envelope = self._sketch.envelope(self._weighting.of(grid.energies)) * grid.widths[:, None]
        rows = np.array(self._rows)
        basis = fit.basis(grid.s)
        now = basis @ rows[fit.which]
        part.size = (np.abs(now) * envelope).sum(axis=0)
        part.total = (now * envelope).sum(axis=0)
        # The size of the terms of each part, integrated, as far as it is rounding.
        sizes = np.array([self._samples[i].sizes for i in fit.which])
        reach = np.abs(basis).T @ envelope[:, self._sketch.first]
        part.floor = CANCELLED / self._rtol * (reach * sizes).sum(axis=0)
        if before is None:
            part.change = np.full(rows.shape[1], np.inf)
            part.next = []
            return
        change = np.abs(now - before.basis(grid.s) @ rows[before.which]) * envelope
        part.change = change.sum(axis=0)
        part.next = self._roughest(part, grid.s, change, grid.panel)

    def _roughest(
        self, part: _Part, s: FloatArray, change: FloatArray, panel: NDArray[np.int64]
    ) -> list[float]:
        """Return places in the two panels where the fits differ most."""
        scale = self._sketch.scale(part.size, part.floor)
        density = (change / scale)[:, self._sketch.counts].max(axis=1)
        every = np.bincount(panel, density)
        found: list[float] = []
        for which in np.argsort(every)[::-1][:6]:
            inside = np.flatnonzero(panel == which)
            place = float(s[inside[density[inside].argmax()]])
            if self._is_new(part, place) and all(abs(place - other) > 0.02 for other in found):
                found.append(place)
            if len(found) == 2:
                break
        return found

    @staticmethod
    def _is_new(part: _Part, place: float) -> bool:
        nearest = min(abs(place - other) for other in part.places)
        return nearest > 4 * float(np.finfo(float).eps)

    def choose(self) -> bool:
        """Keep the samples that are worth it; return whether none is."""
        known = [part for part in self.parts if part.fit is not None]
        total = self._sketch.scale(
            np.sum([part.size for part in known], axis=0),
            np.sum([part.floor for part in known], axis=0),
        )
        errors = np.array([self._error_of(part, total) for part in self.parts])
        self._error = float(errors.sum())
        limit = SAFE * self._left * self._rtol
        # Those are left alone whose errors together are small.
        rank = np.argsort(errors)
        small = np.cumsum(errors[rank]) <= limit
        done = np.zeros(len(errors), dtype=bool)
        done[rank[small]] = True
        for part in self.parts:
            self._check_ends(part, total)
        for part, error, is_done in zip(self.parts, errors, done, strict=True):
            part.history.append(float(error))
            if part.wanted:
                part.next, part.wanted = part.wanted, []
            elif part.has_stopped:
                part.next = []
            elif not is_done:
                part.is_checked = False
                if not np.isfinite(error):
                    part.next = [self._widest_gap(part)]
                part.next = part.next[: 2 if error > FAR * self._rtol else 1]
                if not part.next and part.places:
                    part.next = [self._widest_gap(part)]
            elif not part.is_checked:
                part.is_checked, part.next = True, self._unseen(part)
            else:
                part.next = []
        return not any(part.next for part in self.parts) and self._is_known_by_element()

    def _error_of(self, part: _Part, scale: FloatArray) -> float:
        """Return by how much the fits of a segment differ; nothing is known without samples."""
        if part.fit is None:
            return 0.0 if part.has_failed else np.inf
        return float((part.change / scale)[self._sketch.counts].max(initial=0.0))

    def _unseen(self, part: _Part) -> list[float]:
        """Return where to look once more: in the widest gap, and beside the narrowest pole."""
        places = [self._widest_gap(part)]
        if part.fit is not None:
            poles = part.fit.rational.poles()
            inside = poles[(poles.real > 0) & (poles.real < 1) & (poles.imag > 0)]
            if inside.size:
                pole = inside[inside.imag.argmin()]
                beside = np.array([pole.real - pole.imag, pole.real + pole.imag])
                near = np.abs(beside[:, None] - part.places).min(axis=1)
                which = int(near.argmax())
                if near[which] > 0.3 * pole.imag and 0 < beside[which] < 1:
                    places.append(float(beside[which]))
        return [place for place in places if self._is_new(part, place)]

    def _is_known_by_element(self) -> bool:
        """Return whether each element by itself is known; else look at the roughest segment."""
        parts = [part for part in self.parts if part.fit is not None and not part.has_stopped]
        fits = [(part, part.fit, part.before) for part in parts]
        changes = [self._changes(fit, before) for _, fit, before in fits if fit and before]
        if not changes:
            return True
        change, size, floor = (np.array(some) for some in list(zip(*changes, strict=True))[:3])
        # Narrow levels give much of both signs: what is left of it is what is asked for.
        left = [
            np.abs(np.sum(values, axis=0)).max(initial=0.0)
            for values in zip(*(values for *_, values in changes), strict=True)
        ]
        modulus, rounding = size.sum(axis=0), floor.sum(axis=0)
        largest = np.maximum(np.maximum(left, CANCELLING * modulus), rounding)
        asked_before = self._left
        self._left = min(asked_before, max(self._part_left(parts), RESOLVED / self._rtol))
        errors = (change / np.where(largest > 0, largest, 1.0)).max(axis=1)
        self._error = max(self._error, float(errors.sum()))
        if errors.sum() <= self._rtol and self._left > 0.5 * asked_before:
            return True
        part = parts[int(errors.argmax())]
        part.is_checked, part.next = False, self._unseen(part)
        return not part.next

    def _part_left(self, parts: list[_Part]) -> float:
        """Return what is left of the integrals of moduli at worst, 1 unless that is little."""
        left, modulus = (
            self._sketch.largest(np.abs(np.sum(some, axis=0)))
            for some in ([part.total for part in parts], [part.size for part in parts])
        )
        counts = modulus > np.sum([part.floor for part in parts], axis=0)
        part = np.divide(left, modulus, out=np.ones_like(left), where=counts).min(initial=1.0)
        return max(float(part), CANCELLING) if part < MUCH else 1.0

    def _changes(
        self, fit: Fit, before: Fit
    ) -> tuple[FloatArray, FloatArray, FloatArray, list[FloatArray]]:
        """Return, for each part, how much an element changes, how large all are, and what they are.

        How large: the integral of the modulus, and what is rounding of the terms.
        """
        first, kinds, values = 0, list[tuple[float, float, float]](), list[FloatArray]()
        now, earlier = fit.weights(self._weighting), before.weights(self._weighting)
        for kind, (new, old) in enumerate(zip(now, earlier, strict=True)):
            for number in range(len(self._samples[0].parts[kind])):
                ours, theirs = (
                    np.array([self._samples[i].parts[kind][number] for i in some.which])
                    for some in (fit, before)
                )
                values.append(weighted(new, ours))
                change = np.abs(values[-1] - weighted(old, theirs)).max(initial=0.0)
                size = weighted(np.abs(new), np.abs(ours)).max(initial=0.0)
                terms = np.array([self._samples[i].sizes[first] for i in fit.which])
                floor = float((np.abs(new).reshape(-1, len(terms)) @ terms).max(initial=0.0))
                kinds.append((float(change), float(size), CANCELLED / self._rtol * floor))
                first += 1
        change_of, size_of, floor_of = np.array(kinds).reshape(-1, 3).T
        return change_of, size_of, floor_of, values

    def _check_ends(self, part: _Part, scale: FloatArray) -> None:
        """Raise if a function goes as 1/(E - E0) at an end; look there if the fit says so."""
        if part.fit is None:
            return
        for is_high in (False, True):
            places = [1 - s if is_high else s for s in (NEAR_END, NEARER_END)]
            if is_high in part.probed:
                known = [part.places.index(s) for s in places if s in part.places]
                slopes = part.segment.slope(np.array(places))[:, None]
                values = slopes * [self._rows[part.index[i]] for i in known]
                if len(known) == len(places) and self._is_singular(part, values, places, scale):
                    raise DivergentIntegralError(part.segment.high if is_high else part.segment.low)
                continue
            fit = part.fit.basis(np.array(places)) @ np.array(self._rows)[part.fit.which]
            if self._is_singular(part, fit, places, scale):
                part.probed.add(is_high)
                part.wanted += [s for s in places if s not in part.places]

    def _is_singular(
        self, part: _Part, values: FloatArray, places: list[float], scale: FloatArray
    ) -> bool:
        """Return whether values at two places near an end go as 1/s there, and count."""
        energies = part.segment.energy(np.array(places))
        weights = self._sketch.envelope(self._weighting.of(energies))
        near, nearer = np.abs(values * weights) * [[NEAR_END], [NEARER_END]] / scale
        counts = self._sketch.counts & (nearer > self._rtol)
        return bool(np.any(nearer[counts] > SINGULAR * near[counts]))

    def _widest_gap(self, part: _Part) -> float:
        """Return the middle of the gap between samples that counts most."""
        ends = np.concatenate([[0.0], np.sort(part.places), [1.0]])
        middle, gaps = 0.5 * (ends[1:] + ends[:-1]), np.diff(ends)
        envelope = self._sketch.envelope(self._weighting.of(part.segment.energy(middle)))
        return float(middle[(gaps * envelope.max(axis=1)).argmax()])

    def result(self, ended: bool) -> Interpolated:
        """Return what was found."""
        known = [part for part in self.parts if part.fit is not None]
        fits = [part.fit for part in known if part.fit is not None]
        before = [part.before or part.fit for part in known]
        return Interpolated(
            np.array(self._energies),
            tuple(self._samples),
            tuple(fits),
            tuple(fit for fit in before if fit is not None),
            tuple(np.array(part.index) for part in known),
            self._error if self.parts else 0.0,
            tuple(self._skipped),
            ended,
        )
