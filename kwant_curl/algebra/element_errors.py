"""By how much integrals change from one fit to another, element by element.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.interpolated import CANCELLING, weighted
from kwant_curl.algebra.sampled import Sampled
from kwant_curl.algebra.segments import Fit
from kwant_curl.algebra.sketches import CANCELLED

__all__ = ["element_errors"]

FloatArray = NDArray[np.float64]


class _Changes(NamedTuple):
    """Of each part in a segment: how much an element changes, how large all are, what they are.

    size: the integral of the modulus; floor: what is rounding of the terms.
    """

    change: FloatArray
    size: FloatArray
    floor: FloatArray
    values: list[FloatArray]


def element_errors(fits: Sequence[tuple[Fit, Fit]], sampled: Sampled) -> FloatArray:
    """Return by how much the elements of integrals change at most, (n_segments,).

    Relative to the largest element of each part.

    Parameters
    ----------
    fits : sequence of (Fit, Fit)
        Of each segment, the one that counts and another, by which the error is told.
    sampled : Sampled
        What they go through.
    """
    every = [_changes(fit, other, sampled) for fit, other in fits]
    change, size, floor = (np.array(some) for some in list(zip(*every, strict=True))[:3])
    # Narrow levels give much of both signs: what is left of it is what is asked for.
    left = [
        np.abs(np.sum(values, axis=0)).max(initial=0.0)
        for values in zip(*(changes.values for changes in every), strict=True)
    ]
    modulus, rounding = size.sum(axis=0), floor.sum(axis=0)
    largest = np.maximum(np.maximum(left, CANCELLING * modulus), rounding)
    result: FloatArray = (change / np.where(largest > 0, largest, 1.0)).max(axis=1)
    return result


def _changes(fit: Fit, other: Fit, sampled: Sampled) -> _Changes:
    """Return what changes in a segment from one fit to another."""
    samples = sampled.samples
    first, kinds, values = 0, list[tuple[float, float, float]](), list[FloatArray]()
    now, then = fit.weights(sampled.weighting), other.weights(sampled.weighting)
    for kind, (new, old) in enumerate(zip(now, then, strict=True)):
        for number in range(len(samples[0].parts[kind])):
            ours, theirs = (
                np.array([samples[i].parts[kind][number] for i in some.which])
                for some in (fit, other)
            )
            values.append(weighted(new, ours))
            change = np.abs(values[-1] - weighted(old, theirs)).max(initial=0.0)
            size = weighted(np.abs(new), np.abs(ours)).max(initial=0.0)
            terms = np.array([samples[i].sizes[first] for i in fit.which])
            floor = float((np.abs(new).reshape(-1, len(terms)) @ terms).max(initial=0.0))
            kinds.append((float(change), float(size), CANCELLED / sampled.rtol * floor))
            first += 1
    change_of, size_of, floor_of = np.array(kinds).reshape(-1, 3).T
    return _Changes(change_of, size_of, floor_of, values)
