"""What is the same at all energies, or another thing at each: operators above all."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["ByEnergy", "Fixed", "Varying"]

Thing = TypeVar("Thing")
Seen = TypeVar("Seen", covariant=True)
Other = TypeVar("Other")


class ByEnergy(Protocol[Seen]):
    """Something at any energy."""

    def at(self, energy: float) -> Seen:
        """Return it at an energy."""
        ...

    def map(self, function: Callable[[Any], Other]) -> "ByEnergy[Other]":
        """Return what a function makes of it, by energy again."""
        ...


@dataclass(frozen=True, eq=False)
class Fixed(Generic[Thing]):
    """The same at all energies."""

    value: Thing

    def at(self, energy: float) -> Thing:
        """Return it."""
        return self.value

    def map(self, function: Callable[[Thing], Other]) -> "Fixed[Other]":
        """Return what a function makes of it, once for all."""
        return Fixed(function(self.value))


@dataclass(frozen=True, eq=False)
class Varying(Generic[Thing]):
    """Another thing at each energy.

    find: a function of the energy, picklable if there is an executor.
    """

    find: Callable[[float], Thing]

    def at(self, energy: float) -> Thing:
        """Return it at an energy."""
        return self.find(energy)

    def map(self, function: Callable[[Thing], Other]) -> "Varying[Other]":
        """Return what a function makes of it, anew at each energy."""
        return Varying(partial(_made, function, self.find))


def _made(
    function: Callable[[Thing], Other], find: Callable[[float], Thing], energy: float
) -> Other:
    return function(find(energy))
