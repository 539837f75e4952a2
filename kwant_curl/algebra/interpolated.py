"""Samples of many functions of energy, the fits through them, and their integrals.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integral_errors import Failed
from kwant_curl.algebra.segments import Fit, Weighting, made_positive, sample_weights
from kwant_curl.algebra.sketches import Parts, Sample

__all__ = ["Interpolated", "Skipped", "of_one_sign", "weighted"]

CANCELLING = 1e-3
"""The part of an integral of a modulus that is the least to which errors are compared: narrow
levels give much of both signs, and what is left of it is what is asked for."""

FloatArray = NDArray[np.float64]


class Skipped(NamedTuple):
    """An energy that failed, where its weight is small."""

    energy: float
    reason: str


@dataclass(frozen=True, eq=False)
class Interpolated:
    """Samples at some energies, and rational fits through them.

    energies: (n,); samples: one for each; fits: of each segment, the last; before: of each, one by
    which the error is told, the last but one, or of half the samples; members: of each segment,
    which samples are in it; error: what was estimated for the weights that steered; skipped:
    energies that failed where they hardly count; ended: whether the search came to an end by
    itself; failed: an energy that counts, at which it had to end.
    """

    energies: FloatArray
    samples: tuple[Sample, ...]
    fits: tuple[Fit, ...]
    before: tuple[Fit, ...]
    members: tuple[NDArray[np.int64], ...]
    error: float
    skipped: tuple[Skipped, ...]
    ended: bool
    failed: Failed | None = None

    @property
    def n_energies(self) -> int:
        """How many energies were evaluated."""
        return len(self.energies) + len(self.skipped)

    def stacks(self, kind: int) -> list[FloatArray]:
        """Return the samples of each part of a kind, (n, ...)."""
        parts = [sample.parts[kind] for sample in self.samples]
        return [np.array(stack) for stack in zip(*parts, strict=True)]

    def weights(self, weighting: Weighting, rtol: float) -> tuple[FloatArray, ...]:
        """Return for each kind by what samples are multiplied in the integral, (..., n).

        Of one sign where that changes the integrals by less than `rtol`.
        """
        plain = sample_weights(self.fits, weighting, len(self.energies))
        parts = [stack for kind in range(len(plain)) for stack in self.stacks(kind)]
        return of_one_sign(plain, parts, self.members, rtol)

    def integrals(self, weighting: Weighting, rtol: float) -> tuple[Parts, ...]:
        """Return the integrals of all parts, kind by kind."""
        return tuple(
            tuple(weighted(kind, stack) for stack in self.stacks(number))
            for number, kind in enumerate(self.weights(weighting, rtol))
        )

    def sizes_of_last_kind(self, weighting: Weighting) -> tuple[float, ...]:
        """Return the integrals of the sizes of the terms of the last kind's parts."""
        weights = np.abs(sample_weights(self.fits, weighting, len(self.energies))[-1])
        count = len(self.samples[0].parts[-1])
        sizes = np.array([sample.sizes[len(sample.sizes) - count :] for sample in self.samples])
        return tuple((weights @ sizes).tolist())


def weighted(weights: FloatArray, stack: FloatArray) -> FloatArray:
    """Return sum_j weights[..., j] stack[j, ..., :], the first axes of both being the same."""
    lead = "abc"[: weights.ndim - 1]
    result: FloatArray = np.einsum(f"{lead}n,n{lead}...->{lead}...", weights, stack)
    return result


def of_one_sign(
    weights: tuple[FloatArray, ...],
    stacks: list[FloatArray],
    members: Sequence[NDArray[np.int64]],
    rtol: float,
) -> tuple[FloatArray, ...]:
    """Return weights (..., n) of one sign for each of the first axes, where they do as well.

    Equal ones stay equal: what holds at each energy holds for the integrals.
    """
    flat = [stack.reshape(len(stack), -1) for stack in stacks]
    known: dict[bytes, FloatArray] = {}

    def positive(row: FloatArray) -> FloatArray:
        size = float(np.abs(row).max(initial=0.0))
        if row.tobytes() not in known and size > 0:
            ours = row / size
            units = [float(np.abs(ours @ np.abs(stack)).max(initial=0.0)) or 1.0 for stack in flat]
            found = made_positive(ours, members, flat, units)
            changes = (
                np.abs((found - ours) @ stack).max(initial=0.0)
                / max(np.abs(ours @ stack).max(initial=0.0), CANCELLING * unit)
                for stack, unit in zip(flat, units, strict=True)
            )
            known[row.tobytes()] = size * found if max(changes, default=0.0) <= rtol else row
        elif not size:
            return row
        return known[row.tobytes()]

    return tuple(np.apply_along_axis(positive, -1, kind) for kind in weights)
