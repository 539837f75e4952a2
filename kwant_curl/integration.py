"""Adaptive integration over energy of many quantities at once, many energies at a time.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad_vec

__all__ = ["Integral", "integrate"]

FloatArray = NDArray[np.float64]
Parts = tuple[FloatArray, ...]


class Integral(NamedTuple):
    """Integrals of several arrays over energy.

    parts: the integrals; error: an estimate of their error, relative to the largest element of
    the integral of each array's modulus; n_energies: how many energies were evaluated.
    """

    parts: Parts
    error: float
    n_energies: int


def integrate(
    evaluate: Callable[[Sequence[float]], Iterable[Parts]], points: FloatArray, rtol: float
) -> Integral:
    """Integrate a tuple of arrays from the first to the last of `points`, sorted.

    Gauss and Kronrod's 21 points, intervals halved where the error is largest, by
    `scipy.integrate.quad_vec`.  Between two break points a and b the variable is s with
    E = a + (b - a) sin^2(pi s/2): at a band edge, where the integrand may go as (E - a)^(-1/2) or
    (E - a)^(1/2), it is then smooth in s.

    Parameters
    ----------
    evaluate : callable
        Takes many energies, returns the arrays at each.
    points : array (n_points,)
        Limits, and break points between them: jumps and band edges.
    rtol : float
        Error to be reached, in the sense of `Integral`.
    """
    nodes = _Nodes(evaluate, points)
    options: dict[str, Any] = {
        "points": np.arange(1, len(points) - 1),
        "norm": "max",
        "epsabs": rtol,
        "epsrel": 0,
    }
    limits = 0, len(points) - 1
    nodes.fetch(lambda: quad_vec(nodes, *limits, **options))
    value, error = quad_vec(nodes, *limits, workers=nodes.map, **options)
    return Integral(nodes.taken_apart(value), float(error), nodes.n_energies)


class _Nodes:
    """The integrand as `quad_vec` wants it, from values that are fetched many at a time.

    `quad_vec` asks for one node after another.  So it runs twice: first the nodes are noted and
    zeros are returned, then all are evaluated together, then it runs on these values.
    """

    def __init__(
        self, evaluate: Callable[[Sequence[float]], Iterable[Parts]], points: FloatArray
    ) -> None:
        self._evaluate, self._points = evaluate, points
        self._noted: list[float] | None = None
        self._values: dict[float, FloatArray] = {}
        self._shapes: list[tuple[int, ...]] = []
        self._scales: FloatArray = np.empty(0)
        self.n_energies = 0

    def __call__(self, s: float) -> FloatArray:
        if self._noted is not None:
            self._noted.append(s)
            return np.zeros(1)
        return self._values.pop(s)

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Apply what evaluates nodes to all items, the nodes of all fetched first."""
        listed = list(items)
        self.fetch(lambda: [function(item) for item in listed])
        return [function(item) for item in listed]

    def fetch(self, visit: Callable[[], Any]) -> None:
        """Evaluate the integrand at all nodes that `visit` asks for."""
        self._noted = []
        visit()
        noted, self._noted = self._noted, None
        energies, slopes = self._substituted(np.array(noted))
        for s, slope, parts in zip(noted, slopes, self._evaluate(energies.tolist()), strict=True):
            self._shapes = [part.shape for part in parts]
            self._values[s] = slope * np.concatenate([part.ravel() for part in parts])
        self.n_energies += len(noted)
        if not self._scales.size:
            self._scales = self._magnitudes(len(self._points) - 1)
            self._values = {s: value / self._scales for s, value in self._values.items()}
        else:
            for s in noted:
                self._values[s] = self._values[s] / self._scales

    def _substituted(self, s: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the energies at s and dE/ds."""
        segment = np.clip(s.astype(int), 0, len(self._points) - 2)
        x = 0.5 * np.pi * (s - segment)
        length = np.diff(self._points)[segment]
        energy = self._points[segment] + length * np.sin(x) ** 2
        return energy, length * np.pi * np.sin(x) * np.cos(x)

    def _magnitudes(self, length: int) -> FloatArray:
        """Return, for each element, the largest integrated modulus in the array it belongs to."""
        total = sum(np.abs(value) for value in self._values.values())
        parts = np.split(length * total / len(self._values), self._ends()[:-1])
        largest = [np.full(part.size, part.max(initial=0.0) or 1.0) for part in parts]
        return np.concatenate(largest)

    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])

    def taken_apart(self, value: FloatArray) -> Parts:
        """Return the arrays of a vector as `quad_vec` has it."""
        parts = np.split(value * self._scales, self._ends()[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True))
