"""Energies of an integral at which the modes of a lead can't be told apart: one beside is taken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from numpy.linalg import LinAlgError

from kwant_curl.model.scattering import BandEdgeError

__all__ = ["Attempt", "Beside"]

Found = TypeVar("Found")

STEPS = (1e-10, -1e-10, 1e-8, -1e-8, 1e-6, -1e-6)
"""How far to go, in units of the window: a node of an integral may lie on a band edge by chance."""


@dataclass(frozen=True)
class Beside(Generic[Found]):
    """What is found at an energy, or, if that is on a band edge to the last digits, next to it.

    So an integral that takes minutes isn't lost by one of its energies.  width: that of the window
    of energies.
    """

    find: Callable[[float], Found]
    width: float

    def __call__(self, energy: float) -> Found:
        """Return what is found, or raise if the modes can't be told apart there either."""
        try:
            return self.find(energy)
        except BandEdgeError as failure:
            for step in STEPS:
                try:
                    return self.find(energy + step * self.width)
                except BandEdgeError:
                    continue
            raise failure from None


NUMERICAL = (ValueError, RuntimeError, ArithmeticError, LinAlgError)
"""What numbers raise that can't be calculated with; anything else is a mistake in a program."""


@dataclass(frozen=True)
class Attempt(Generic[Found]):
    """What is found at an energy, or what numbers raise there, noted as such."""

    find: Callable[[float], Found]

    def __call__(self, energy: float) -> Found | Exception:
        """Return one of the two."""
        try:
            return self.find(energy)
        except NUMERICAL as failure:
            return failure
