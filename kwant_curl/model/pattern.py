"""The elements of a Hamiltonian that may not be zero, where value functions see the energy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.stack import ranges

__all__ = ["Elements", "Pattern"]

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]


class Pattern(NamedTuple):
    """Row and column of elements, row by row, and where the rows start, (n_orbitals + 1,)."""

    row: IntArray
    col: IntArray
    start: IntArray

    @classmethod
    def of(cls, bonds: IntArray, offsets: IntArray) -> Self:
        """Return the elements of bonds, (n, 2) sites, and of the sites by themselves.

        offsets: the first orbital of each site, and last the number of orbitals.
        """
        norbs, n_orbitals = np.diff(offsets), int(offsets[-1])
        every = np.arange(len(norbs))
        here, there = np.concatenate([bonds, np.stack([every, every], axis=1)]).T
        size = norbs[here] * norbs[there]
        place = ranges(np.zeros_like(size), size)
        width = np.repeat(norbs[there], size)
        row = np.repeat(offsets[here], size) + place // width
        col = np.repeat(offsets[there], size) + place % width
        row, col = np.divmod(np.unique(row * n_orbitals + col), n_orbitals)
        return cls(row, col, np.searchsorted(row, np.arange(n_orbitals + 1)))

    def joined(self, matrix: Any) -> Self:
        """Return these elements and those of a sparse matrix."""
        found, n = matrix.tocoo(), len(self.start) - 1
        keys = np.concatenate([self.row * n + self.col, found.row.astype(np.int64) * n + found.col])
        row, col = np.divmod(np.unique(keys), n)
        return type(self)(row, col, np.searchsorted(row, np.arange(n + 1)))

    def matrix(self, values: ComplexArray) -> Any:
        """Return the sparse CSR matrix of these elements, zeros included."""
        n = len(self.start) - 1
        return sparse.csr_array((values, self.col, self.start), shape=(n, n))

    def values(self, matrix: Any) -> ComplexArray:
        """Return the elements of a sparse matrix, zeros included, which Kwant leaves out."""
        found, n = matrix.tocoo(), len(self.start) - 1
        result = np.zeros(len(self.row), complex)
        keys = found.row.astype(np.int64) * n + found.col
        result[np.searchsorted(self.row * n + self.col, keys)] = found.data
        return result


@dataclass(frozen=True, eq=False)
class Elements:
    """The elements of a Hamiltonian, sparse and as a function of energy, on a pattern."""

    hamiltonian: Callable[[float], Any]
    pattern: Pattern

    def __call__(self, energy: float) -> ComplexArray:
        """Return them at an energy."""
        return self.pattern.values(self.hamiltonian(energy))
