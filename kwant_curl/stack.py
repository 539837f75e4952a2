"""Many sparse Hermitian operators in one container, and the views of it that the kernels take.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Entries", "NonzeroRows", "OperatorStack"]

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]


class Entries(NamedTuple):
    """Elements (A_operator)[row, col] = value of many operators, in any order; equal ones add up.

    Four arrays of one length.
    """

    operator: IntArray
    row: IntArray
    col: IntArray
    value: ComplexArray

    def joined(self, other: Self) -> Self:
        """Return the entries of both."""
        return type(self)(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    def with_conjugates(self) -> Self:
        """Return these entries and those of the conjugate transpose."""
        return self.joined(type(self)(self.operator, self.col, self.row, self.value.conj()))


class NonzeroRows(NamedTuple):
    """The nonzero rows of every operator, stacked operator by operator.

    matrix: (n_rows, n_orbitals) the rows; orbitals: (n_rows,) the orbital of each;
    start: (n_operators + 1,) where the rows of each operator begin.
    """

    matrix: Any
    orbitals: IntArray
    start: IntArray


@dataclass(frozen=True, eq=False)
class OperatorStack:
    """Hermitian operators A_I, stored on the union of their orbital pairs.

    Attributes
    ----------
    rows, cols : array of int, shape (n_pairs,)
        The pairs of orbitals (p, q), each once.
    coefficients : sparse array of complex, shape (n_operators, n_pairs)
        Row I holds the elements (A_I)_pq of every pair.  Both (p, q) and (q, p) are there.
    n_orbitals : int
        Dimension of the Hamiltonian.
    """

    rows: IntArray
    cols: IntArray
    coefficients: Any
    n_orbitals: int

    @classmethod
    def from_entries(cls, entries: Entries, n_operators: int, n_orbitals: int) -> Self:
        """Collect entries, given in any order."""
        key = entries.row.astype(np.int64) * n_orbitals + entries.col
        pairs, pair = np.unique(key, return_inverse=True)
        coefficients = sparse.csr_array(
            (entries.value.astype(complex), (entries.operator, pair)),
            shape=(n_operators, len(pairs)),
        )
        coefficients.sum_duplicates()
        rows, cols = np.divmod(pairs, n_orbitals)
        return cls(rows, cols, coefficients, n_orbitals)

    def __neg__(self) -> Self:
        """Return the operators -A_I."""
        return replace(self, coefficients=-self.coefficients)

    def __len__(self) -> int:
        """Return the number of operators."""
        return int(self.coefficients.shape[0])

    @property
    def orbitals(self) -> IntArray:
        """The orbitals that any operator touches, sorted."""
        return np.unique(np.concatenate([self.rows, self.cols]))

    def on_orbitals(self, orbitals: IntArray) -> Self:
        """Return the same operators on a space of these (sorted) orbitals alone."""
        return replace(
            self,
            rows=np.searchsorted(orbitals, self.rows),
            cols=np.searchsorted(orbitals, self.cols),
            n_orbitals=len(orbitals),
        )

    def matrices(self) -> Iterator[Any]:
        """Yield the A_I as sparse arrays (n_orbitals, n_orbitals)."""
        c = self.coefficients
        shape = (self.n_orbitals, self.n_orbitals)
        for start, stop in zip(c.indptr[:-1], c.indptr[1:], strict=True):
            pair = c.indices[start:stop]
            entries = (c.data[start:stop], (self.rows[pair], self.cols[pair]))
            yield sparse.csr_array(entries, shape=shape)

    def sum(self) -> Any:
        """Return the sum of all A_I as a sparse array (n_orbitals, n_orbitals)."""
        values = np.asarray(self.coefficients.sum(axis=0)).ravel()
        shape = (self.n_orbitals, self.n_orbitals)
        return sparse.csr_array((values, (self.rows, self.cols)), shape=shape)

    def nonzero_rows(self) -> NonzeroRows:
        """Return the nonzero rows of all A_I, stacked."""
        c = self.coefficients.tocoo()
        key = c.row.astype(np.int64) * self.n_orbitals + self.rows[c.col]
        keys, row = np.unique(key, return_inverse=True)
        index, orbitals = np.divmod(keys, self.n_orbitals)
        matrix = sparse.csr_array(
            (c.data, (row, self.cols[c.col])), shape=(len(keys), self.n_orbitals)
        )
        start = np.searchsorted(index, np.arange(len(self) + 1))
        return NonzeroRows(matrix, orbitals, start)
