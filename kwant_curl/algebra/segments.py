"""Energies between two band edges: samples there, a rational fit, and its integrals.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from kwant_curl.algebra.rational import Rational, graded_rule

__all__ = [
    "NO_POLES",
    "Fit",
    "Grid",
    "Segment",
    "Weighting",
    "made_positive",
    "sample_weights",
    "segments_between",
    "weight_of",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

LEAST = 1e-30
"""Weights below this part of the largest stay as they are."""

FINE, COARSE = 16, 8
"""Points of each panel for integrals that are returned, and for those that steer."""

NEGLIGIBLE = 0.01
"""A segment is left out if its weight is this part of rtol squared: E^(-1/2) counts by its root."""

NO_POLES = np.empty(0, complex)
NO_EDGES = np.empty(0)


class Weighting(NamedTuple):
    """What multiplies samples in an integral over energy.

    of: takes energies (n,), returns for each kind of part an array (..., n), its first axes being
    the first ones of these parts; poles: those of the weights above the real axis; breaks: where
    they jump.
    """

    of: Callable[[FloatArray], tuple[FloatArray, ...]]
    poles: ComplexArray
    breaks: FloatArray

    @property
    def largest(self) -> list[float]:
        """The largest weight of each kind, from the places where they change."""
        levels = np.sort(np.concatenate([self.poles.real, self.breaks]))
        between = 0.5 * (levels[1:] + levels[:-1])
        kinds = self.of(np.concatenate([levels, between]))
        return [float(np.abs(kind).max(initial=0.0)) for kind in kinds]

    def counts(self, energy: float, part: float) -> bool:
        """Return whether an energy's weights are more than this part of the largest.

        All count where the weights change nowhere.
        """
        if not self.poles.size and not self.breaks.size:
            return True
        pairs = zip(self.of(np.array([energy])), self.largest, strict=True)
        return any(np.abs(here).max(initial=0.0) > part * most for here, most in pairs if most)


class Grid(NamedTuple):
    """Points of a rule in a segment: places s, energies, weights for ds, dE/ds, panels."""

    s: FloatArray
    energies: FloatArray
    widths: FloatArray
    slopes: FloatArray
    panel: NDArray[np.int64]


@dataclass(frozen=True)
class Segment:
    """Energies from `low` to `high`; the variable is s with E = low + (high - low) sin^2(pi s/2).

    At a band edge, where functions go as (E - low)^(-1/2) or (E - low)^(1/2), they are smooth in s
    if they are multiplied by dE/ds, and poles stay poles.
    """

    low: float
    high: float

    def energy(self, s: FloatArray) -> FloatArray:
        """Return the energies at s, measured from the nearer end."""
        part = np.sin(0.5 * np.pi * np.minimum(s, 1 - s)) ** 2 * (self.high - self.low)
        return np.where(s <= 0.5, self.low + part, self.high - part)

    def slope(self, s: FloatArray) -> FloatArray:
        """Return dE/ds."""
        near = np.minimum(s, 1 - s)
        result: FloatArray = 0.5 * np.pi * np.sin(np.pi * near) * (self.high - self.low)
        return result

    def place(self, energy: ComplexArray | FloatArray) -> ComplexArray:
        """Return s of energies, which may be complex."""
        length = self.high - self.low
        below, above = (energy - self.low) / length + 0j, (self.high - energy) / length + 0j
        near = np.real(below) <= 0.5
        root = np.where(near, np.sqrt(below), np.sqrt(above))
        angle = 2 / np.pi * np.arcsin(root)
        result: ComplexArray = np.where(near, angle, 1 - angle)
        return result

    def grid(self, poles: ComplexArray, weighting: Weighting, order: int) -> Grid:
        """Return a rule for what has these poles in s, with these weights."""
        inside = weighting.breaks[(weighting.breaks > self.low) & (weighting.breaks < self.high)]
        breaks = np.union1d([0.0, 1.0], self.place(inside).real)
        every = np.concatenate([poles, self.place(weighting.poles)])
        s, ds, panel = graded_rule(breaks, every, order)
        return Grid(s, self.energy(s), ds, self.slope(s), panel)


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
    masses = np.array([weight_of(segment, weighting) for segment in segments])
    counts = masses > NEGLIGIBLE * min(rtol, 1.0) ** 2 * masses.sum()
    return tuple(segment for segment, one in zip(segments, counts, strict=True) if one)


def weight_of(segment: Segment, weighting: Weighting) -> float:
    """Return the integral of the modulus of the weights over a segment, the largest of all."""
    grid = segment.grid(NO_POLES, weighting, COARSE)
    kinds = weighting.of(grid.energies)
    widths = grid.widths * grid.slopes
    return max(float((np.abs(kind) @ widths).max(initial=0.0)) for kind in kinds)


class Fit(NamedTuple):
    """A rational fit in a segment, of samples times dE/ds, and the samples it stands on.

    which: samples the s_j of the fit are, among all; (m,).
    """

    segment: Segment
    rational: Rational
    which: NDArray[np.int64]

    def weights(self, weighting: Weighting) -> tuple[FloatArray, ...]:
        """Return for each kind the integrals of weights times basis functions, (..., m)."""
        grid = self.segment.grid(self.rational.poles(), weighting, FINE)
        basis = grid.widths[:, None] * self.basis(grid.s)
        return tuple(kind @ basis for kind in weighting.of(grid.energies))

    def basis(self, s: FloatArray) -> FloatArray:
        """Return what samples are multiplied by at s to give the function times dE/ds, (n_s, m)."""
        return self.rational.basis(s) * self.segment.slope(self.rational.points)

    def at(self, energy: float) -> FloatArray:
        """Return what samples are multiplied by to give the function at an energy, (m,)."""
        s = self.segment.place(np.array([energy])).real
        result: FloatArray = self.basis(s)[0] / self.segment.slope(s)
        return result


def sample_weights(
    fits: Sequence[Fit], weighting: Weighting, n_samples: int
) -> tuple[FloatArray, ...]:
    """Return for each kind by what samples are multiplied in the integral, (..., n_samples)."""
    found: list[FloatArray] = []
    for fit in fits:
        for kind, weights in enumerate(fit.weights(weighting)):
            if kind == len(found):
                found.append(np.zeros((*weights.shape[:-1], n_samples)))
            found[kind][..., fit.which] += weights
    return tuple(found)


def made_positive(
    weights: FloatArray,
    members: Sequence[NDArray[np.int64]],
    stacks: Sequence[FloatArray],
    units: Sequence[float],
) -> FloatArray:
    """Return weights of one sign that give nearly the same integrals.

    What is a sum of positive matrices then stays one.

    Parameters
    ----------
    weights : array (n_samples,)
    members : sequence of arrays of int
        The samples of each segment.
    stacks : sequence of arrays (n_samples, n_elements)
        What is integrated.
    units : sequence of float
        For each array about the integral of its modulus.
    """
    result = weights.copy()
    for some in members:
        ours = weights[some]
        sign = np.sign(ours.sum()) or 1.0
        if np.all(sign * ours >= 0) or np.abs(ours).max() < LEAST * np.abs(weights).max():
            continue
        scaled = (stack[some] / unit for stack, unit in zip(stacks, units, strict=True))
        gram = np.sum([part @ part.T for part in scaled], axis=0)
        # In units of the samples' sizes, so that narrow peaks don't drown the others.
        size = np.sqrt(np.diag(gram))
        size[size == 0] = 1.0
        strength, vectors = np.linalg.eigh(gram / np.outer(size, size))
        functions = size[:, None] * vectors * np.sqrt(np.maximum(strength, 0))
        found, _ = nnls(functions.T, sign * (ours @ functions), maxiter=30 * len(some))
        result[some] = sign * found
    return result
