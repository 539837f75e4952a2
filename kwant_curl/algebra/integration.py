"""Adaptive integration over energy of many quantities at once, many energies at a time.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad_vec

__all__ = ["Integral", "Sample", "gauss_points", "integrate"]

FloatArray = NDArray[np.float64]
Parts = tuple[FloatArray, ...]
Sample = tuple[Parts, tuple[float, ...]]

CANCELLED = 1e-12
"""What is left of a sum of terms that cancel, relative to the terms, is rounding: generously."""


class Integral(NamedTuple):
    """Integrals of several arrays over energy.

    parts: the integrals; error: an estimate of their error, relative to the largest element of
    the integral of each array's modulus; n_energies: how many energies were evaluated.
    """

    parts: Parts
    error: float
    n_energies: int


def integrate(
    evaluate: Callable[[Sequence[float]], Iterable[Sample]], points: FloatArray, rtol: float
) -> Integral:
    """Integrate a tuple of arrays from the first to the last of `points`, sorted.

    Gauss and Kronrod's 21 points, intervals halved where the error is largest, by
    `scipy.integrate.quad_vec`.  Between two break points a and b the variable is s with
    E = a + (b - a) sin^2(pi s/2): at a band edge, where the integrand may go as (E - a)^(-1/2) or
    (E - a)^(1/2), it is then smooth in s.

    Parameters
    ----------
    evaluate : callable
        Takes many energies, returns for each the arrays, and for each array the size of the terms
        that its elements are sums of: where they cancel, rounding errors are not integrated.
    points : array (n_points,)
        Limits, and break points between them: jumps and band edges.
    rtol : float
        Error to be reached, in the sense of `Integral`.
    """
    nodes = _Nodes(evaluate, points, CANCELLED / rtol)
    options: dict[str, Any] = {
        "points": np.arange(1, len(points) - 1),
        "norm": "max",
        "epsabs": rtol,
        "epsrel": 0,
    }
    first = partial(quad_vec, nodes, 0, len(points) - 1, limit=len(points) - 1, **options)
    nodes.fetch(first)
    value, error = first()  # no interval is halved yet
    if error > rtol:
        value, error = quad_vec(nodes, 0, len(points) - 1, workers=nodes.map, **options)
    return Integral(nodes.taken_apart(value), float(error), nodes.n_energies)


def substituted(s: FloatArray, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the energies at s, of which each unit is a segment between two points, and dE/ds."""
    segment = np.clip(s.astype(int), 0, len(points) - 2)
    x = 0.5 * np.pi * (s - segment)
    length = np.diff(points)[segment]
    energy = points[segment] + length * np.sin(x) ** 2
    return energy, length * np.pi * np.sin(x) * np.cos(x)


def gauss_points(
    points: FloatArray, low: float, high: float, order: int
) -> Iterator[tuple[float, float]]:
    """Yield energies and weights of Gauss and Legendre's rule for s from low to high."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    half = 0.5 * (high - low)
    energies, slopes = substituted(low + half * (1 + nodes), points)
    yield from zip(energies.tolist(), (half * weights * slopes).tolist(), strict=True)


def _beyond_rounding(part: FloatArray, size: float) -> FloatArray:
    """Return the elements of an array, zero if all that is left of its terms is rounding."""
    if np.abs(part).max(initial=0.0) <= CANCELLED * size:
        return np.zeros(part.size)
    return part.ravel()


class _Nodes:
    """The integrand as `quad_vec` wants it, from values that are fetched many at a time.

    `quad_vec` asks for one node after another.  So what it does is done twice: first the nodes
    are noted and zeros returned, then all are evaluated together and it runs on these values.
    """

    def __init__(
        self,
        evaluate: Callable[[Sequence[float]], Iterable[Sample]],
        points: FloatArray,
        floor: float,
    ) -> None:
        self._evaluate, self._points, self._floor = evaluate, points, floor
        self._noted: list[float] | None = None
        self._values: dict[float, FloatArray] = {}
        self._shapes: list[tuple[int, ...]] = []
        self._scales: FloatArray = np.empty(0)
        self.n_energies = 0

    def __call__(self, s: float) -> FloatArray:
        if self._noted is not None:
            self._noted.append(s)
            return np.zeros(1)
        return self._values[s]

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Apply what evaluates nodes to all items, the nodes of all fetched first."""
        listed = list(items)
        self._values.clear()  # those before are in the integrals of their intervals
        self.fetch(lambda: [function(item) for item in listed])
        return [function(item) for item in listed]

    def fetch(self, visit: Callable[[], Any]) -> None:
        """Evaluate the integrand at all nodes that `visit` asks for."""
        self._noted = []
        visit()
        noted, self._noted = self._noted, None
        energies, slopes = substituted(np.array(noted), self._points)
        values, sizes = [], []
        for slope, (parts, size) in zip(slopes, self._evaluate(energies.tolist()), strict=True):
            self._shapes = [part.shape for part in parts]
            known = [_beyond_rounding(*pair) for pair in zip(parts, size, strict=True)]
            values.append(slope * np.concatenate(known))
            sizes.append(slope * np.array(size))
        self.n_energies += len(noted)
        if not self._scales.size:
            self._scales = self._magnitudes(np.abs(values).mean(axis=0), np.mean(sizes, axis=0))
        self._values |= {s: value / self._scales for s, value in zip(noted, values, strict=True)}

    def _magnitudes(self, moduli: FloatArray, sizes: FloatArray) -> FloatArray:
        """Return, for each element, the largest integrated modulus in the array it belongs to."""
        length = len(self._points) - 1
        parts = np.split(length * moduli, self._ends()[:-1])
        return np.concatenate(
            [
                np.full(part.size, max(part.max(initial=0.0), length * self._floor * size) or 1.0)
                for part, size in zip(parts, sizes, strict=True)
            ]
        )

    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])

    def taken_apart(self, value: FloatArray) -> Parts:
        """Return the arrays of a vector as `quad_vec` has it."""
        parts = np.split(value * self._scales, self._ends()[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True))
