"""Operators that belong to coordinates: dH/dQ, or the forces -dH/dQ.

Arrays only: nothing here knows Kwant.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.stack import OperatorStack, ranges

__all__ = ["CentreBlocks", "Derivatives"]

IntArray = NDArray[np.int64]


class CentreBlocks(NamedTuple):
    """Dense operators of the centres that touch the same number of orbitals, `size`.

    centres: (n,) which centres; orbitals: (n, size) the orbitals each one touches, sorted;
    matrices: (n, dim, size, size) the operators on these orbitals, or (n, dim, size) their
    diagonals if all are diagonal.
    """

    centres: IntArray
    orbitals: IntArray
    matrices: NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Derivatives(OperatorStack):
    """The operators dH/dQ_I of all coordinates I, in their order; ``-derivatives`` are the forces.

    Attributes
    ----------
    positions : array of float, shape (n_centres, dim), or None
        For Cartesian coordinates, where the centres are; the coordinates are then ordered
        centre by centre, x, y(, z) within one, and a centre is a group of the stack.  None if
        the coordinates are not Cartesian.
    sites : array of int, shape (n_centres,), or None
        The sites that the centres are, if they are sites.

    Notes
    -----
    The other attributes are those of `OperatorStack`.
    """

    positions: NDArray[np.float64] | None = None
    sites: IntArray | None = None

    def stars(self) -> list[IntArray]:
        """Return the centres that are cheaper by their rows than by all orbitals they touch.

        Such are the sites whose hoppings follow them: one row per orbital and direction instead
        of the orbitals of all neighbours.  Centres with as many rows together.
        """
        n_rows = np.diff(self.start)
        length = np.zeros(len(n_rows), np.int64)
        group = np.repeat(np.arange(len(n_rows)), n_rows)
        np.maximum.at(length, group, np.diff(self.indptr))
        is_star = self.dim * n_rows <= length
        parts = [groups[is_star[groups]] for groups in self.groups_by_rows()]
        return [part for part in parts if part.size]

    def centre_blocks(self, centres: IntArray) -> list[CentreBlocks]:
        """Return dense operators of some centres, those of as many orbitals together."""
        n_rows = np.diff(self.start)[centres]
        rows = ranges(self.start[centres], n_rows)
        count = np.diff(self.indptr)[rows]
        elements = ranges(self.indptr[rows], count)
        centre = np.repeat(np.repeat(np.arange(len(centres)), n_rows), count)
        row = centre * self.n_orbitals + np.repeat(self.hubs[rows], count)
        col = centre * self.n_orbitals + self.cols[elements]
        touched = np.unique(np.concatenate([row, col]))
        centre_of, orbital_of = np.divmod(touched, self.n_orbitals)
        start = np.searchsorted(centre_of, np.arange(len(centres) + 1))
        size = np.diff(start)
        here = [np.searchsorted(touched, key) - start[centre] for key in (row, col)]
        is_diagonal = np.array_equal(row, col)
        values = self.values[:, elements]

        blocks = []
        for n_local in np.unique(size):
            alike = np.flatnonzero(size == n_local)
            some = np.flatnonzero(size[centre] == n_local)
            which = np.searchsorted(alike, centre[some])
            shape = (len(alike), n_local) if is_diagonal else (len(alike), n_local, n_local)
            local = [index[some] for index in (here[:1] if is_diagonal else here)]
            half = np.zeros((self.dim, *shape), complex)
            place: tuple[Any, ...] = (slice(None), which, *local)
            half[place] = values[:, some]
            whole = half + (half.conj() if is_diagonal else half.conj().swapaxes(2, 3))
            orbitals = orbital_of[start[alike][:, None] + np.arange(n_local)]
            blocks.append(CentreBlocks(centres[alike], orbitals, np.moveaxis(whole, 0, 1)))
        return blocks
