"""Adaptive integration over energy of many functions at once, by rational interpolation.

Between two band edges what is integrated is analytic, with poles off the axis that all elements
share.  A rational function goes through the samples; the next ones are taken where it still
changes.  Arrays only: nothing here knows Kwant.
"""

from collections.abc import Sequence
from logging import getLogger

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.element_errors import element_errors
from kwant_curl.algebra.halves import compared_with_halves
from kwant_curl.algebra.integral_errors import finished
from kwant_curl.algebra.interpolated import CANCELLING, Interpolated
from kwant_curl.algebra.pieces import Piece
from kwant_curl.algebra.sampled import Evaluate, Sampled
from kwant_curl.algebra.segments import Segment, Weighting, weight_of
from kwant_curl.algebra.singular_ends import check_ends

__all__ = ["interpolated"]

LOG = getLogger(__name__)

FloatArray = NDArray[np.float64]

FIRST, FIRST_OF_LIGHT = (0.1, 0.3, 0.5, 0.7, 0.9), (0.2, 0.5, 0.8)
"""Where the first samples of a segment are, in its variable, and where its weight is small."""

LIGHT = 10.0
"""A segment whose part of the weight is below this times rtol."""

SAFE = 0.8
"""The part of the error asked for at which the search ends."""

MUCH = 0.1
"""Where less than this is left of an integral, its samples are fitted the better for it."""

RESOLVED = 1e-8
"""No better than to this part of the integrals of moduli: samples have rounding errors."""

FAR = 30.0
"""A segment whose error is this many times too large gets two samples at a time."""


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

    Returns
    -------
    Interpolated
        Where an energy failed that counts, what is known by then; see its `failed`.

    Raises
    ------
    IntegrationError
        Where such an energy failed, and no other one was done.
    DivergentIntegralError
        If the integral doesn't exist.
    """
    sampled = Sampled(evaluate, segments, weighting, rtol)
    search = _Search(sampled, [Piece(segment) for segment in segments])
    search.begin(candidates)
    ended = not search.pieces
    while not ended and sampled.n_energies < max_energies:
        search.evaluate_next(max_energies)
        if not sampled.samples:
            finished(None, sampled.failed)
        search.fit()
        ended = search.choose()
        LOG.info("%d energies: error %.3g, rtol %.3g", sampled.n_energies, search.error, rtol)
        if sampled.failed is not None:
            return search.result(False)
    return search.result(ended)


class _Search:
    """The search: which samples are worth it, and when they are enough.

    error: of all segments, estimated, relative.
    """

    def __init__(self, sampled: Sampled, pieces: list[Piece]) -> None:
        self.pieces, self._sampled = pieces, sampled
        self.error = np.inf
        self._left = 1.0  # of the integral of a modulus, where much of both signs cancels

    def begin(self, candidates: Sequence[tuple[float, float]]) -> None:
        """Choose the first samples: a few everywhere, and two at each resonance."""
        masses = [weight_of(piece.segment, self._sampled.weighting) for piece in self.pieces]
        for piece, mass in zip(self.pieces, masses, strict=True):
            low, high = piece.segment.low, piece.segment.high
            is_light = mass < LIGHT * self._sampled.rtol * sum(masses)
            places = list(FIRST_OF_LIGHT if is_light else FIRST)
            for energy, width in candidates:
                near = [energy, energy + width if energy + width < high else energy - width]
                places += [
                    float(piece.segment.place(np.array(e)).real) for e in near if low < e < high
                ]
            piece.next = sorted(set(places))

    def evaluate_next(self, max_energies: int) -> None:
        """Evaluate what was chosen, all segments together."""
        wanted = [(piece, s) for piece in self.pieces for s in piece.next]
        wanted = wanted[: max(max_energies - self._sampled.n_energies, 0)]
        energies = [float(piece.segment.energy(np.array(s))) for piece, s in wanted]
        numbers = self._sampled.add(energies)
        for (piece, s), number in zip(wanted, numbers, strict=True):
            piece.add(s, number)

    def fit(self) -> None:
        """Fit each segment that has new samples, and compare with the fit before."""
        for piece in self.pieces:
            if piece.next and piece.places:
                piece.refit(self._sampled, self._left)

    def choose(self) -> bool:
        """Keep the samples that are worth it; return whether none is."""
        sampled = self._sampled
        known = [piece for piece in self.pieces if piece.fit is not None]
        total = sampled.sketch.scale(
            np.sum([piece.size for piece in known], axis=0),
            np.sum([piece.floor for piece in known], axis=0),
        )
        errors = np.array([piece.error(sampled, total) for piece in self.pieces])
        self.error = float(errors.sum())
        limit = SAFE * self._left * sampled.rtol
        # Those are left alone whose errors together are small.
        rank = np.argsort(errors)
        small = np.cumsum(errors[rank]) <= limit
        done = np.zeros(len(errors), dtype=bool)
        done[rank[small]] = True
        for piece in self.pieces:
            check_ends(piece, sampled, total)
        for piece, error, is_done in zip(self.pieces, errors, done, strict=True):
            self._choose_in(piece, float(error), bool(is_done))
        return not any(piece.next for piece in self.pieces) and self._is_known_by_element()

    def _choose_in(self, piece: Piece, error: float, is_done: bool) -> None:
        """Choose the next samples of a segment."""
        piece.history.append(error)
        if piece.wanted:
            piece.next, piece.wanted = piece.wanted, []
        elif piece.has_stopped:
            piece.next = []
        elif not is_done:
            piece.is_checked = False
            if not np.isfinite(error):
                piece.next = [piece.widest_gap(self._sampled)]
            piece.next = piece.next[: 2 if error > FAR * self._sampled.rtol else 1]
            if not piece.next and piece.places:
                piece.next = [piece.widest_gap(self._sampled)]
        elif not piece.is_checked:
            piece.is_checked, piece.next = True, piece.unseen(self._sampled)
        else:
            piece.next = []

    def _is_known_by_element(self) -> bool:
        """Return whether each element by itself is known; else look at the roughest segment."""
        pieces = [piece for piece in self.pieces if piece.fit is not None and not piece.has_stopped]
        fits = [(p.fit, p.before) for p in pieces if p.fit is not None and p.before is not None]
        if not fits:
            return True
        rtol, asked_before = self._sampled.rtol, self._left
        errors = element_errors(fits, self._sampled)
        self._left = min(asked_before, max(self._part_left(pieces), RESOLVED / rtol))
        self.error = max(self.error, float(errors.sum()))
        if errors.sum() <= rtol and self._left > 0.5 * asked_before:
            return True
        piece = pieces[int(errors.argmax())]
        piece.is_checked, piece.next = False, piece.unseen(self._sampled)
        return not piece.next

    def _part_left(self, pieces: list[Piece]) -> float:
        """Return what is left of the integrals of moduli at worst, 1 unless that is little."""
        left, modulus = (
            self._sampled.sketch.largest(np.abs(np.sum(some, axis=0)))
            for some in ([piece.total for piece in pieces], [piece.size for piece in pieces])
        )
        counts = modulus > np.sum([piece.floor for piece in pieces], axis=0)
        part = np.divide(left, modulus, out=np.ones_like(left), where=counts).min(initial=1.0)
        return max(float(part), CANCELLING) if part < MUCH else 1.0

    def result(self, ended: bool) -> Interpolated:
        """Return what was found."""
        sampled = self._sampled
        known = [piece for piece in self.pieces if piece.fit is not None]
        fits = [piece.fit for piece in known if piece.fit is not None]
        before = [piece.before or piece.fit for piece in known]
        others = [fit for fit in before if fit is not None]
        error = self.error if self.pieces else 0.0
        if known and not (ended and error <= sampled.rtol):
            change, others = compared_with_halves(known, sampled, self._left)
            error = max(error, change)
        if sampled.failed is not None and len(known) < len(self.pieces):
            error = np.inf
        return Interpolated(
            np.array(sampled.energies),
            tuple(sampled.samples),
            tuple(fits),
            tuple(others),
            tuple(np.array(piece.index) for piece in known),
            error,
            tuple(sampled.skipped),
            ended,
            sampled.failed,
        )
