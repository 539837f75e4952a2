"""Operators that belong to coordinates: dH/dQ, or the forces -dH/dQ.

Arrays only: nothing here knows Kwant.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.stack import OperatorStack

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
    notices : tuple of str
        What is to be said of them: the routine that asks for them warns, and its result keeps it.

    Notes
    -----
    The other attributes are those of `OperatorStack`.
    """

    positions: NDArray[np.float64] | None = None
    sites: IntArray | None = None
    notices: tuple[str, ...] = ()

    def are_stars(self) -> bool:
        """Return whether the centres are cheaper by their rows than by all orbitals they touch.

        Such are sites whose hoppings follow them: one row per orbital and direction instead of
        the orbitals of all neighbours.
        """
        n_rows = np.diff(self.start)
        cost = np.sum(((1 + self.dim) * n_rows) ** 2)
        longest = np.zeros_like(n_rows)
        row_lengths = np.diff(self.indptr)
        holds_hub = self.cols == np.repeat(self.hubs, row_lengths)
        before = np.concatenate([[0], np.cumsum(holds_hub)])
        # What a row touches: its columns, and its hub if that is none of them.
        touched = row_lengths + (np.diff(before[self.indptr]) == 0)
        np.maximum.at(longest, np.repeat(np.arange(len(n_rows)), n_rows), touched)
        if cost <= np.sum(np.maximum(n_rows, longest) ** 2):  # no centre touches fewer
            return True
        return bool(cost <= np.sum(self._touched()[1] ** 2))

    def _touched(self) -> tuple[IntArray, IntArray]:
        """Return what each centre touches, sorted keys, and how many orbitals that are."""
        n_centres = len(self.start) - 1
        group = np.repeat(np.arange(n_centres), np.diff(self.start))
        rows = group * self.n_orbitals + self.hubs
        cols = np.repeat(group, np.diff(self.indptr)) * self.n_orbitals + self.cols
        keys = np.unique(np.concatenate([rows, cols]))
        return keys, np.bincount(keys // self.n_orbitals, minlength=n_centres)

    def centre_blocks(self) -> list[CentreBlocks]:
        """Return dense operators per centre, centres of as many orbitals together."""
        n_centres = len(self.start) - 1
        count = np.diff(self.indptr)
        centre = np.repeat(np.repeat(np.arange(n_centres), np.diff(self.start)), count)
        row = centre * self.n_orbitals + np.repeat(self.hubs, count)
        col = centre * self.n_orbitals + self.cols
        touched, size = self._touched()
        orbital_of = touched % self.n_orbitals
        start = np.concatenate([[0], np.cumsum(size)])
        here = [np.searchsorted(touched, key) - start[centre] for key in (row, col)]
        is_diagonal = np.array_equal(row, col)

        blocks = []
        for n_local in np.unique(size):
            alike = np.flatnonzero(size == n_local)
            some = np.flatnonzero(size[centre] == n_local)
            which = np.searchsorted(alike, centre[some])
            shape = (len(alike), n_local) if is_diagonal else (len(alike), n_local, n_local)
            local = [index[some] for index in (here[:1] if is_diagonal else here)]
            half = np.zeros((self.dim, *shape), complex)
            place: tuple[Any, ...] = (slice(None), which, *local)
            half[place] = self.values[:, some]
            whole = half + (half.conj() if is_diagonal else half.conj().swapaxes(2, 3))
            orbitals = orbital_of[start[alike][:, None] + np.arange(n_local)]
            blocks.append(CentreBlocks(alike, orbitals, np.moveaxis(whole, 0, 1)))
        return blocks
