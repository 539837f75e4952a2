"""Sites at arbitrary positions, for molecules and relaxed structures."""

from collections.abc import Sequence
from typing import Any

import tinyarray
from kwant.builder import SiteFamily
from numpy.typing import NDArray

__all__ = ["Atoms"]


class Atoms(SiteFamily):
    """A family of atoms at given positions; ``atoms(i)`` is the site at ``positions[i]``.

    Parameters
    ----------
    positions : array of float, shape (n_atoms, dim)
    name : str, optional
        Tells apart families with the same positions.
    norbs : int, default 1
        Number of orbitals per atom.

    Examples
    --------
    >>> atoms = Atoms([(0.0, 0.0), (1.2, 0.7)])
    >>> print(atoms(1).pos)
    [1.2 0.7]
    """

    def __init__(self, positions: Any, name: str = "", norbs: int = 1) -> None:
        self.positions = tuple(tinyarray.array(position, float) for position in positions)
        points = [tuple(position) for position in self.positions]
        super().__init__(f"{type(self).__name__}({points!r}, {name!r}, {norbs})", name, norbs)

    def normalize_tag(self, tag: Sequence[int]) -> Any:
        """Return the tag in its standard form, or raise if there is no such atom."""
        (index,) = tag
        if not 0 <= index < len(self.positions):
            raise ValueError(f"atom {index} is not among the {len(self.positions)} positions.")
        return tinyarray.array((index,), int)

    def pos(self, tag: Sequence[int]) -> NDArray[Any]:
        """Return the position of the atom with this tag."""
        return self.positions[tag[0]]
