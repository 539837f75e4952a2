"""How a hopping follows the length of its bond."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from kwant.builder import SiteFamily
from numpy.typing import NDArray

from kwant_curl.support.checks import positive_number, real_number

__all__ = ["Exponential", "PowerLaw", "Scaling", "ScalingLaw"]


@runtime_checkable
class ScalingLaw(Protocol):
    """What `Displacements` asks of a scaling law: its logarithmic derivative.

    A law of one's own is any object with this method.  For finite displacements it may have a
    method ``ratio(before, after)`` too, which returns t(after)/t(before) of two arrays of bond
    lengths; otherwise the derivative is integrated.
    """

    def log_derivative(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithmic derivative d ln t / dd of the hopping t at bond lengths `distance`.

        Parameters
        ----------
        distance : array of float, shape (n_bonds,)
            Bond lengths, all positive.

        Returns
        -------
        array of float, shape (n_bonds,), in inverse lengths.
        """
        ...


Scaling = ScalingLaw | Mapping[tuple[SiteFamily, SiteFamily], ScalingLaw]
"""One law for all bonds, or one for each pair of site families."""


@dataclass(frozen=True)
class PowerLaw:
    """Hoppings that scale with the bond length as t ~ d^-exponent.

    Parameters
    ----------
    exponent : float
        Dimensionless; positive for a hopping that weakens as the bond is stretched.

    Examples
    --------
    >>> PowerLaw(2).ratio(np.array([1.0]), np.array([1.1])).round(4)
    array([0.8264])
    """

    exponent: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "exponent", real_number("exponent", self.exponent))

    def log_derivative(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return -exponent / d, in inverse lengths, for all bond lengths at once."""
        return -self.exponent / distance

    def ratio(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return t(after)/t(before) = (before/after)^exponent of bond lengths."""
        return (before / after) ** self.exponent


@dataclass(frozen=True)
class Exponential:
    """Hoppings that scale with the bond length as t ~ exp(-d / length).

    Parameters
    ----------
    length : float
        Decay length, positive, in the unit of the sites' positions.  A law written as
        exp(-b (d/d0 - 1)) has length d0/b.

    Examples
    --------
    >>> print(Exponential(0.5).log_derivative(np.array([1.0, 1.5])))
    [-2. -2.]
    """

    length: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", positive_number("length", self.length))

    def log_derivative(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return -1 / length, in inverse lengths, for all bond lengths at once."""
        return np.full_like(distance, -1 / self.length)

    def ratio(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return t(after)/t(before) = exp(-(after - before)/length) of bond lengths."""
        return np.exp((before - after) / self.length)
