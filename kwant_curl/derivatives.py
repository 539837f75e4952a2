"""Operators that belong to coordinates: dH/dQ, or the forces -dH/dQ.

Arrays only: nothing here knows Kwant.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.stack import OperatorStack

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
        centre by centre, x, y(, z) within one.  None if the coordinates are not Cartesian.
    sites : array of int, shape (n_centres,), or None
        The sites that the centres are, if they are sites.

    Notes
    -----
    The other attributes are those of `OperatorStack`.
    """

    positions: NDArray[np.float64] | None = None
    sites: IntArray | None = None

    def centre_blocks(self) -> list[CentreBlocks]:
        """Return dense operators per centre, centres of as many orbitals together.

        A centre without any entry is in a block of size zero.
        """
        if self.positions is None:
            raise ValueError("These coordinates have no positions, so they have no centres.")
        n_centres, dim = self.positions.shape
        c = self.coefficients.tocoo()
        centre, component = np.divmod(c.row.astype(np.int64), dim)
        row = centre * self.n_orbitals + self.rows[c.col]
        col = centre * self.n_orbitals + self.cols[c.col]
        touched = np.unique(np.concatenate([row, col]))
        centre_of, orbital_of = np.divmod(touched, self.n_orbitals)
        start = np.searchsorted(centre_of, np.arange(n_centres + 1))
        size = np.diff(start)
        local = [np.searchsorted(touched, row) - start[centre]]
        if not np.array_equal(self.rows, self.cols):
            local.append(np.searchsorted(touched, col) - start[centre])

        by_size = np.argsort(size, kind="stable")
        entries = np.argsort(size[centre], kind="stable")
        sizes = np.unique(size)
        blocks = []
        for n_local, centres, here in zip(
            sizes,
            np.split(by_size, np.searchsorted(size[by_size], sizes[1:])),
            np.split(entries, np.searchsorted(size[centre[entries]], sizes[1:])),
            strict=True,
        ):
            orbitals = orbital_of[start[centres][:, None] + np.arange(n_local)]
            matrices = np.zeros((len(centres), dim) + len(local) * (n_local,), complex)
            which = np.searchsorted(centres, centre[here])
            matrices[which, component[here], *(index[here] for index in local)] = c.data[here]
            blocks.append(CentreBlocks(centres, orbitals, matrices))
        return blocks
