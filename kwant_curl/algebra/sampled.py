"""The samples of an integral over energy so far, and their combinations that the search looks at.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integral_errors import Failed
from kwant_curl.algebra.interpolated import Skipped
from kwant_curl.algebra.segments import COARSE, NO_POLES, Segment, Weighting
from kwant_curl.algebra.sketches import Sample, Sketch

__all__ = ["Evaluate", "Sampled"]

FloatArray = NDArray[np.float64]

Evaluate = Callable[[Sequence[float]], Iterable[Sample | Exception]]
"""Takes many energies, returns a sample for each, or what it raised."""


class Sampled:
    """What has been sampled, at which energies, and what it is weighted with.

    rows: combinations of each sample's elements, as `sketch` makes them; skipped: energies that
    failed where they hardly count; failed: the first one that counts; rtol: the error that is
    asked for.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        segments: Sequence[Segment],
        weighting: Weighting,
        rtol: float,
    ) -> None:
        self._evaluate, self._segments = evaluate, segments
        self.weighting, self.rtol = weighting, rtol
        self.energies: list[float] = []
        self.samples: list[Sample] = []
        self.rows: list[FloatArray] = []
        self.skipped: list[Skipped] = []
        self.failed: Failed | None = None
        self.sketch = Sketch.of((), ())

    @property
    def n_energies(self) -> int:
        """How many energies were tried."""
        return len(self.energies) + len(self.skipped)

    def add(self, energies: Sequence[float]) -> list[int | None]:
        """Sample at some energies; return the number of each sample, None where it failed.

        All of them, also after one that failed: workers may have done them already.
        """
        found: list[int | None] = []
        for energy, sample in zip(energies, self._evaluate(energies), strict=True):
            if isinstance(sample, Exception):
                self._skip(energy, sample)
                found.append(None)
                continue
            found.append(len(self.energies))
            self.energies.append(energy)
            self.samples.append(sample.beyond_rounding)
        if self.samples and not self.rows:
            grids = (segment.grid(NO_POLES, self.weighting, COARSE) for segment in self._segments)
            everywhere = np.concatenate([grid.energies for grid in grids])
            self.sketch = Sketch.of(self.samples, self.weighting.of(everywhere))
        self.rows += [self.sketch(sample) for sample in self.samples[len(self.rows) :]]
        if self.failed is not None:
            self.failed = self.failed._replace(energies=tuple(self.energies))
        return found

    def _skip(self, energy: float, failure: Exception) -> None:
        """Note an energy that failed, and whether it counts."""
        if not self.weighting.counts(energy, self.rtol):
            self.skipped.append(Skipped(energy, f"{type(failure).__name__}: {failure}"))
        elif self.failed is None:
            self.failed = Failed(energy, failure, (), self.n_energies)

    def rows_of(self, which: Iterable[int]) -> FloatArray:
        """Return the combinations of some samples, (n, n_columns)."""
        return np.array([self.rows[i] for i in which])

    def noise_of(self, which: Iterable[int]) -> FloatArray:
        """Return what is rounding in these combinations, (n, n_columns)."""
        return np.array([self.sketch.noise(self.samples[i]) for i in which])

    def envelope(self, energies: FloatArray) -> FloatArray:
        """Return by what each combination is weighted at most, (n_energies, n_columns)."""
        return self.sketch.envelope(self.weighting.of(energies))
