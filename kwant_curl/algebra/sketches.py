"""A few random combinations that stand for many functions of energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Parts", "Sample", "Sketch"]

FloatArray = NDArray[np.float64]
Parts = tuple[FloatArray, ...]

PLAIN, EVEN = 4, 2
"""Combinations of each part: of its elements as they are, and of all of them made alike."""

ROUNDING = 1e-14
"""What is rounding in an element, relative to its terms."""

CANCELLED = 1e-12
"""What is left of a sum of terms that cancel, relative to the terms, is rounding: generously."""

FEW = 8
"""Elements that are taken as they are."""


NO_COLUMNS = np.empty(0, np.int64)


class Sample(NamedTuple):
    """What is known at an energy.

    parts: arrays, kind by kind, of which each is weighted in its own way; sizes: for each part, of
    the terms that its elements are sums of: where they cancel, rounding errors are not integrated.
    """

    parts: tuple[Parts, ...]
    sizes: tuple[float, ...]

    @property
    def flat(self) -> list[FloatArray]:
        """All parts, in their order, flattened."""
        return [part.ravel() for kind in self.parts for part in kind]

    @property
    def beyond_rounding(self) -> "Sample":
        """The same with zeros for the parts of whose terms rounding is all that is left."""
        sizes, kinds = iter(self.sizes), list[Parts]()
        for kind in self.parts:
            kinds.append(
                tuple(
                    part
                    if np.abs(part).max(initial=0.0) > CANCELLED * size
                    else np.zeros_like(part)
                    for part, size in zip(kind, sizes, strict=False)
                )
            )
        return Sample(tuple(kinds), self.sizes)


@dataclass(frozen=True, eq=False)
class Sketch:
    """Linear combinations of the elements of samples, with seeded random signs.

    signs: for each part, (n_elements, n_columns); part, kind: those that each column belongs to;
    counts: which columns the error is measured by; units: for each kind, the largest weight of
    each of its first axes, relative to the largest of all.
    """

    signs: tuple[FloatArray, ...]
    part: NDArray[np.int64]
    kind: NDArray[np.int64]
    counts: NDArray[np.bool_]
    units: tuple[FloatArray, ...]

    @classmethod
    def of(cls, samples: Sequence[Sample], weights: tuple[FloatArray, ...]) -> "Sketch":
        """Return a sketch for samples like these, which are weighted like that somewhere.

        weights: for each kind (..., n_energies).
        """
        if not samples:
            return cls((), NO_COLUMNS, NO_COLUMNS, NO_COLUMNS > 0, ())
        units = tuple(_relative(np.abs(kind).max(axis=-1)) for kind in weights)
        kinds = [k for k, parts in enumerate(samples[0].parts) for _ in parts]
        rng, columns = np.random.default_rng(0), list[tuple[FloatArray, NDArray[np.bool_]]]()
        for number, kind in enumerate(kinds):
            stack = np.array([sample.flat[number] for sample in samples])
            shape = [part for parts in samples[0].parts for part in parts][number].shape
            unit = units[kind].reshape((*units[kind].shape, *[1] * (len(shape) - units[kind].ndim)))
            columns.append(_columns(stack, np.broadcast_to(unit, shape).ravel(), rng))
        numbers = [len(counts) for _, counts in columns]
        return cls(
            tuple(signs for signs, _ in columns),
            np.repeat(np.arange(len(kinds)), numbers),
            np.repeat(np.array(kinds, dtype=np.int64), numbers),
            np.concatenate([counts for _, counts in columns]),
            units,
        )

    @property
    def first(self) -> NDArray[np.int64]:
        """The first column of each part, (n_parts,)."""
        return np.unique(self.part, return_index=True)[1]

    def __call__(self, sample: Sample) -> FloatArray:
        """Return the combinations of a sample's elements, (n_columns,)."""
        pairs = zip(sample.flat, self.signs, strict=True)
        return np.concatenate([part @ signs for part, signs in pairs])

    def noise(self, sample: Sample) -> FloatArray:
        """Return what is rounding in the combinations, (n_columns,)."""
        norms = np.concatenate([np.linalg.norm(signs, axis=0) for signs in self.signs])
        result: FloatArray = ROUNDING * np.array(sample.sizes)[self.part] * norms
        return result

    def envelope(self, weights: tuple[FloatArray, ...]) -> FloatArray:
        """Return by what each column is weighted at most, (n_energies, n_columns)."""
        largest = []
        for kind, unit in zip(weights, self.units, strict=True):
            flat, units = np.abs(kind).reshape(-1, kind.shape[-1]), unit.reshape(-1, 1)
            scaled = np.divide(flat, units, out=np.zeros_like(flat), where=units > 0)
            largest.append(scaled.max(axis=0))
        result: FloatArray = np.array(largest)[self.kind].T
        return result

    def largest(self, columns: FloatArray) -> FloatArray:
        """Return the largest of the columns of each part that count, (n_parts,)."""
        result = np.zeros(len(self.first))
        np.maximum.at(result, self.part[self.counts], columns[self.counts])
        return result

    def scale(self, size: FloatArray, floor: FloatArray) -> FloatArray:
        """Return what each column's error is measured by: the largest of its part, (n_columns,).

        size: (n_columns,) integrals of moduli; floor: (n_parts,) what is rounding anyway.
        """
        most = np.maximum(floor, self.largest(size))
        most[most == 0] = 1.0
        result: FloatArray = np.where(self.counts, most[self.part], np.maximum(size, 1e-300))
        return result


def _relative(largest: FloatArray) -> FloatArray:
    return largest / (largest.max(initial=0.0) or 1.0)


def _columns(
    stack: FloatArray, unit: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the signs of a part's columns, and which of them count."""
    if len(unit) <= FEW:
        return np.diag(unit), np.ones(len(unit), dtype=bool)
    signs = rng.choice([-1.0, 1.0], size=(len(unit), PLAIN + EVEN)) * unit[:, None]
    size = np.abs(stack).max(axis=0)
    even = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    signs[:, PLAIN:] *= even[:, None]
    return signs, np.arange(PLAIN + EVEN) < PLAIN
