"""What an energy gives, and what an integral over many makes of it."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integral_errors import Failed
from kwant_curl.algebra.interpolated import Interpolated
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.sources import Sources

__all__ = ["Average", "Kernel", "Parts", "Quality", "Shares", "response_sizes"]

FloatArray = NDArray[np.float64]
Parts = tuple[FloatArray, ...]
Quality = tuple[float, bool, tuple[str, ...]]
"""The error of an integral, whether it is partial, and what is to be said of it."""


@dataclass(frozen=True)
class Shares:
    """What an energy shell gives.

    by_lead: arrays (n_sources, ...) that are weighted with f_alpha - f, or -df/dE, the sources
    being the leads unless `Sources` says otherwise; by_pair: arrays (n_sources, n_sources, ...)
    that are weighted with f_alpha (1 - f_beta), or -df/dE; total: arrays that are weighted with
    -df/dE always; sizes: for each of them, those by lead first, then those by pair, of the terms
    that their elements are sums of; n_modes: the open modes of all leads; notices: those of an
    `EnergyShell`.
    """

    by_lead: Parts
    total: Parts
    sizes: tuple[float, ...]
    n_modes: int
    notices: tuple[str, ...] = ()
    by_pair: Parts = ()

    @property
    def total_sizes(self) -> tuple[float, ...]:
        """The sizes of `total`, the last of all."""
        return self.sizes[len(self.sizes) - len(self.total) :]


def response_sizes(friction: FloatArray, n_modes: int) -> tuple[float, float, float]:
    """Return the sizes of force, curl and friction, from the friction, in which nothing cancels.

    Tr[F D]^2 <= n_modes Tr[F D F D], which is the friction over pi; the curl is as large.
    """
    largest = float(np.abs(friction).max(initial=0.0))
    return float(np.sqrt(n_modes * largest)), largest, largest


@dataclass(frozen=True)
class Average:
    """Shares that are integrated over energy, and how well: see `Response`.

    notices: what is to be said of the energies and the integral.
    By lead, and by pair of leads; crossed: in a Nambu model in linear response, what is by pair
    between electrons of the first lead and holes of the second, else empty.
    sizes: of the terms of each of `total`; integral: the samples, where there is an integral by
    lead; limits: the energies that it goes over; failed: one that counts, at which it had to end.
    """

    by_lead: Parts
    by_pair: Parts
    total: Parts
    error: float
    partial: bool
    notices: tuple[str, ...] = ()
    crossed: Parts = ()
    sizes: tuple[float, ...] = ()
    integral: Interpolated | None = None
    limits: tuple[float, float] = (0.0, 0.0)
    failed: Failed | None = None

    @classmethod
    def of(
        cls, parts: tuple[Parts, Parts, Parts], sources: Sources, linear: bool, quality: Quality
    ) -> Self:
        """Put together what is by source, by pair of sources, and neither."""
        by_source, by_pair, total = parts
        by_lead = tuple(sources.of_leads(part, per_shift=linear) for part in by_source)
        total = tuple(part if sources.are_leads else sources.share * part for part in total)
        if not linear:
            pairs = tuple(sources.of_pairs(part) for part in by_pair)
            return cls(by_lead, pairs, total, *quality)
        exchanged = [sources.exchanged(part) for part in by_pair]
        crossed = tuple(part for _, part in exchanged if part is not None)
        return cls(by_lead, tuple(part for part, _ in exchanged), total, *quality, crossed)


class Kernel(Protocol):
    """What a routine asks of an energy; picklable if there is an executor."""

    @property
    def problem(self) -> ScatteringProblem:
        """The problem whose states it asks for."""
        ...

    def in_window(self) -> "Kernel":
        """Return the same for one of many energies, where bound states were looked for already."""
        ...

    @property
    def orbitals(self) -> NDArray[np.int64] | None:
        """The orbitals at which it asks for them, None for all."""
        ...

    def __call__(self, energy: float) -> Shares:
        """Return the shares of an energy shell."""
        ...
