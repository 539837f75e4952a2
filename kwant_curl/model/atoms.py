"""Atoms as Kwant's sites, with the blocks of matrices between them as value functions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import kwant
from kwant.lattice import Monatomic
from numpy.typing import NDArray

__all__ = ["Blocks", "Elements", "OneAtom", "filled"]

Block = tuple[NDArray[Any], NDArray[Any]]


class OneAtom(Monatomic):
    """The site family of one atom and its images along an electrode; families sort as atoms do.

    So the sites of a finalized system are the atoms in their order, and its orbitals are theirs.
    """

    def __init__(self, number: int, position: Any, period: Any, norbs: int) -> None:
        super().__init__([period], position, name=f"atom {number}", norbs=norbs)
        self.number = number
        name: str = f"{number:08d} {super().__repr__()}"
        self.canonical_repr, self.hash = name, hash(name)


@dataclass(frozen=True, eq=False)
class Blocks:
    """A matrix between two atoms, by their numbers and how many layers they are apart."""

    blocks: dict[tuple[int, int, int], NDArray[Any]]

    def onsite(self, site: Any) -> NDArray[Any]:
        """Return the block of an atom."""
        return self.hopping(site, site)

    def hopping(self, site1: Any, site2: Any) -> NDArray[Any]:
        """Return the block between two atoms."""
        apart = int(site2.tag[0] - site1.tag[0])
        return self.blocks[site1.family.number, site2.family.number, apart]


@dataclass(frozen=True, eq=False)
class Elements:
    """H - E S between two atoms, by their numbers and how many layers they are apart.

    sums_over_images: whether they are Bloch sums, so that two sites have no one bond.
    """

    blocks: dict[tuple[int, int, int], Block]
    sums_over_images: bool = False
    energy_parameter: ClassVar[str] = "E"

    def onsite(self, site: Any, E: float) -> NDArray[Any]:
        """Return the block of an atom."""
        return self._block(site, site, E)

    def hopping(self, site1: Any, site2: Any, E: float) -> NDArray[Any]:
        """Return the block between two atoms."""
        return self._block(site1, site2, E)

    def _block(self, site1: Any, site2: Any, energy: float) -> NDArray[Any]:
        apart = int(site2.tag[0] - site1.tag[0])
        hamiltonian, overlap = self.blocks[site1.family.number, site2.family.number, apart]
        block: NDArray[Any] = hamiltonian - energy * overlap
        return block


def filled(
    builder: kwant.Builder, families: list[OneAtom], numbers: Any, elements: Blocks | Elements
) -> kwant.Builder:
    """Return the builder with the atoms of these numbers and all of the elements between them."""
    onsite: Callable[..., Any] = elements.onsite
    hopping: Callable[..., Any] = elements.hopping
    for number in numbers:
        builder[families[number](0)] = onsite
    for one, other, apart in elements.blocks:
        if apart > 0 or (apart == 0 and one < other):
            builder[families[one](0), families[other](apart)] = hopping
    return builder
