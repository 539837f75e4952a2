"""dH/dQ of all coordinates in one sparse container, and the views of it that the kernels take.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["CentreBlocks", "Derivatives", "Entries", "NonzeroRows"]

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]


class Entries(NamedTuple):
    """Elements (dH/dQ_coordinate)[row, col] = value, in any order; equal ones add up.

    Four arrays of one length.
    """

    coordinate: IntArray
    row: IntArray
    col: IntArray
    value: ComplexArray

    def joined(self, other: Self) -> Self:
        """Return the entries of both."""
        return type(self)(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    def with_conjugates(self) -> Self:
        """Return these entries and those of the conjugate transpose."""
        return self.joined(type(self)(self.coordinate, self.col, self.row, self.value.conj()))


class CentreBlocks(NamedTuple):
    """Dense dH/dQ of the centres that touch the same number of orbitals, `size`.

    centres: (n,) which centres; orbitals: (n, size) the orbitals each one touches, sorted;
    matrices: (n, dim, size, size) dH/dQ on these orbitals.
    """

    centres: IntArray
    orbitals: IntArray
    matrices: ComplexArray


class NonzeroRows(NamedTuple):
    """The nonzero rows of every dH/dQ, stacked coordinate by coordinate.

    matrix: (n_rows, n_orbitals) the rows; orbitals: (n_rows,) the orbital of each;
    start: (n_coordinates + 1,) where the rows of each coordinate begin.
    """

    matrix: Any
    orbitals: IntArray
    start: IntArray


@dataclass(frozen=True, eq=False)
class Derivatives:
    """dH/dQ_I for all coordinates I, stored on the union of their orbital pairs.

    Attributes
    ----------
    rows, cols : array of int, shape (n_pairs,)
        The pairs of orbitals (p, q), each once.
    coefficients : sparse array of complex, shape (n_coordinates, n_pairs)
        Row I holds the elements (dH/dQ_I)_pq of every pair.  Both (p, q) and (q, p) are there.
    n_orbitals : int
        Dimension of the Hamiltonian.
    positions : array of float, shape (n_centres, dim), or None
        For Cartesian coordinates, where the centres are; the coordinates are then ordered
        centre by centre, x, y(, z) within one.  None if the coordinates are not Cartesian.
    sites : array of int, shape (n_centres,), or None
        The sites that the centres are, if they are sites.
    """

    rows: IntArray
    cols: IntArray
    coefficients: Any
    n_orbitals: int
    positions: NDArray[np.float64] | None = None
    sites: IntArray | None = None

    @classmethod
    def from_entries(
        cls,
        entries: Entries,
        *,
        n_coordinates: int,
        n_orbitals: int,
        positions: NDArray[np.float64] | None = None,
        sites: IntArray | None = None,
    ) -> Self:
        """Collect entries, given in any order."""
        key = entries.row.astype(np.int64) * n_orbitals + entries.col
        pairs, pair = np.unique(key, return_inverse=True)
        coefficients = sparse.csr_array(
            (entries.value.astype(complex), (entries.coordinate, pair)),
            shape=(n_coordinates, len(pairs)),
        )
        coefficients.sum_duplicates()
        rows, cols = np.divmod(pairs, n_orbitals)
        return cls(rows, cols, coefficients, n_orbitals, positions, sites)

    @property
    def n_coordinates(self) -> int:
        """Number of coordinates."""
        return int(self.coefficients.shape[0])

    @property
    def orbitals(self) -> IntArray:
        """The orbitals that any coordinate touches, sorted."""
        return np.unique(np.concatenate([self.rows, self.cols]))

    def on_orbitals(self, orbitals: IntArray) -> Self:
        """Return the same derivatives on a space of these (sorted) orbitals alone."""
        return type(self)(
            np.searchsorted(orbitals, self.rows),
            np.searchsorted(orbitals, self.cols),
            self.coefficients,
            len(orbitals),
            self.positions,
            self.sites,
        )

    def matrices(self) -> Iterator[Any]:
        """Yield dH/dQ_I as sparse arrays (n_orbitals, n_orbitals), one per coordinate."""
        c = self.coefficients
        shape = (self.n_orbitals, self.n_orbitals)
        for start, stop in zip(c.indptr[:-1], c.indptr[1:], strict=True):
            pair = c.indices[start:stop]
            entries = (c.data[start:stop], (self.rows[pair], self.cols[pair]))
            yield sparse.csr_array(entries, shape=shape)

    def sum(self) -> Any:
        """Return the sum of all dH/dQ_I as a sparse array (n_orbitals, n_orbitals)."""
        values = np.asarray(self.coefficients.sum(axis=0)).ravel()
        shape = (self.n_orbitals, self.n_orbitals)
        return sparse.csr_array((values, (self.rows, self.cols)), shape=shape)

    def nonzero_rows(self) -> NonzeroRows:
        """Return the nonzero rows of all dH/dQ_I, stacked."""
        c = self.coefficients.tocoo()
        key = c.row.astype(np.int64) * self.n_orbitals + self.rows[c.col]
        keys, row = np.unique(key, return_inverse=True)
        coordinate, orbitals = np.divmod(keys, self.n_orbitals)
        matrix = sparse.csr_array(
            (c.data, (row, self.cols[c.col])), shape=(len(keys), self.n_orbitals)
        )
        start = np.searchsorted(coordinate, np.arange(self.n_coordinates + 1))
        return NonzeroRows(matrix, orbitals, start)

    def centre_blocks(self) -> list[CentreBlocks]:
        """Return dense dH/dQ per centre, centres of as many orbitals together.

        A centre without any entry is in a block of size zero.
        """
        if self.positions is None:
            raise ValueError("These coordinates have no positions, so they have no centres.")
        n_centres, dim = self.positions.shape
        c = self.coefficients.tocoo()
        centre, component = np.divmod(c.row.astype(np.int64), dim)
        by_row = centre * self.n_orbitals + self.rows[c.col]
        by_col = centre * self.n_orbitals + self.cols[c.col]
        touched = np.unique(np.concatenate([by_row, by_col]))
        centre_of, orbital_of = np.divmod(touched, self.n_orbitals)
        start = np.searchsorted(centre_of, np.arange(n_centres + 1))
        size = np.diff(start)
        local_row = np.searchsorted(touched, by_row) - start[centre]
        local_col = np.searchsorted(touched, by_col) - start[centre]

        blocks = []
        for n_local in np.unique(size):
            centres = np.flatnonzero(size == n_local)
            orbitals = orbital_of[start[centres][:, None] + np.arange(n_local)]
            matrices = np.zeros((len(centres), dim, n_local, n_local), complex)
            here = size[centre] == n_local
            which = np.searchsorted(centres, centre[here])
            matrices[which, component[here], local_row[here], local_col[here]] = c.data[here]
            blocks.append(CentreBlocks(centres, orbitals, matrices))
        return blocks
