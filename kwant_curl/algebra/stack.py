"""Many sparse Hermitian operators in one container, and the views of it that the kernels take.

Arrays only: nothing here knows Kwant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = [
    "Entries",
    "Factors",
    "OperatorStack",
    "SecondDerivatives",
    "places",
    "ranges",
    "real_if_real",
    "row_sums",
]

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]


class Entries(NamedTuple):
    """Elements (A_operator)[row, col] = value of many operators, in any order; equal ones add up.

    Four arrays of one length.
    """

    operator: IntArray
    row: IntArray
    col: IntArray
    value: NDArray[Any]

    def joined(self, other: Self) -> Self:
        """Return the entries of both."""
        return type(self)(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    def conjugated(self) -> Self:
        """Return the entries of the conjugate transposes."""
        return type(self)(self.operator, self.col, self.row, self.value.conj())

    def halved(self) -> Self:
        """Return one half B of Hermitian operators A = B + B^+: upper triangles, half diagonals."""
        upper = self.row <= self.col
        operator, row, col, value = (array[upper] for array in self)
        return type(self)(operator, row, col, np.where(row == col, 0.5 * value, value))


class SecondDerivatives(NamedTuple):
    """Elements of halves of d^2H/dQ_I dQ_J = B_IJ + B_IJ^+, in any order; equal ones add up.

    Five arrays of one length: first I, second J, row, col, value of (B_IJ)[row, col].  Both (I, J)
    and (J, I) are there.
    """

    first: IntArray
    second: IntArray
    row: IntArray
    col: IntArray
    value: NDArray[Any]

    @classmethod
    def empty(cls) -> Self:
        """Return those of a Hamiltonian that is linear in all coordinates."""
        none = np.empty(0, np.int64)
        return cls(none, none, none, none, np.empty(0))

    def joined(self, other: Self) -> Self:
        """Return the elements of both."""
        return type(self)(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))

    def on_orbitals(self, orbitals: IntArray, n_orbitals: int) -> Self:
        """Return the same on a space of these (sorted) orbitals, of `n_orbitals`, alone."""
        index = places(orbitals, n_orbitals)
        row, col = index[self.row], index[self.col]
        if min(row.min(initial=0), col.min(initial=0)) < 0:
            raise ValueError("The operators touch orbitals that are not among these.")
        return self._replace(row=row, col=col)


class Factors(NamedTuple):
    """Operators as sums over their rows r of |left_r^*><right_r^*|: A_I = sum_r left_r^+ right_r.

    left, right: sparse (n_rows, n_orbitals), stacked operator by operator; start:
    (n_operators + 1,) where the rows of each operator begin.
    """

    left: Any
    right: Any
    start: IntArray


@dataclass(frozen=True, eq=False)
class OperatorStack:
    """Hermitian operators A = B + B^+, stored by the nonzero rows of their halves B.

    Operators come in groups of `dim` that share their orbitals: the directions x, y(, z) of a
    site that moves.  Operator I is direction I % dim of group I // dim.  Any split of A into
    halves is right; the fewer rows, the cheaper.  A site that moves takes the rows of its own
    orbitals, since each of its bonds ends there.

    Attributes
    ----------
    hubs : array of int, shape (n_rows,)
        The orbital of each row, group by group, sorted within a group.
    start : array of int, shape (n_groups + 1,)
        Where the rows of each group begin.
    indptr : array of int, shape (n_rows + 1,)
        Where the elements of each row begin, as in a CSR matrix.
    cols : array of int, shape (n_elements,)
        The column of each element.
    values : array, shape (dim, n_elements)
        The elements of B in each direction; real where all of them are.
    n_orbitals : int
        Dimension of the Hamiltonian.
    """

    hubs: IntArray
    start: IntArray
    indptr: IntArray
    cols: IntArray
    values: NDArray[Any]
    n_orbitals: int

    @classmethod
    def from_entries(
        cls, entries: Entries, n_operators: int, n_orbitals: int, *, dim: int = 1
    ) -> Self:
        """Collect the entries of Hermitian operators, given in any order."""
        return cls.from_halves(entries.halved(), n_operators, n_orbitals, dim=dim)

    @classmethod
    def from_halves(
        cls, halves: Entries, n_operators: int, n_orbitals: int, *, dim: int = 1
    ) -> Self:
        """Collect the entries of B, A = B + B^+, given in any order."""
        group, direction = np.divmod(halves.operator.astype(np.int64), dim)
        row_key = group * n_orbitals + halves.row
        rows, row = np.unique(row_key, return_inverse=True)
        keys, element = np.unique(row * n_orbitals + halves.col, return_inverse=True)
        row_of, cols = np.divmod(keys, n_orbitals)
        values = np.zeros((dim, len(keys)), complex)
        np.add.at(values, (direction, element), halves.value)
        group_of, hubs = np.divmod(rows, n_orbitals)
        start = np.searchsorted(group_of, np.arange(n_operators // dim + 1))
        indptr = np.searchsorted(row_of, np.arange(len(rows) + 1))
        return cls(hubs, start, indptr, cols, real_if_real(values), n_orbitals)

    def halves(self) -> Entries:
        """Return the entries of B."""
        count = np.diff(self.indptr)
        group = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))
        operator = self.dim * np.repeat(group, count) + np.arange(self.dim)[:, None]
        row = np.tile(np.repeat(self.hubs, count), self.dim)
        return Entries(operator.ravel(), row, np.tile(self.cols, self.dim), self.values.ravel())

    def __neg__(self) -> Self:
        """Return the operators -A_I."""
        return replace(self, values=-self.values)

    def __len__(self) -> int:
        """Return the number of operators."""
        return self.dim * (len(self.start) - 1)

    @property
    def dim(self) -> int:
        """The number of operators in each group."""
        return len(self.values)

    @property
    def orbitals(self) -> IntArray:
        """The orbitals that any operator touches, sorted."""
        touched = np.zeros(self.n_orbitals, bool)
        touched[self.hubs] = True
        touched[self.cols] = True
        return np.flatnonzero(touched)

    def on_orbitals(self, orbitals: IntArray) -> Self:
        """Return the same operators on a space of these (sorted) orbitals alone."""
        index = places(orbitals, self.n_orbitals)
        return replace(self, hubs=index[self.hubs], cols=index[self.cols], n_orbitals=len(orbitals))

    def half(self, direction: int) -> Any:
        """Return the rows of B in one direction as a sparse array (n_rows, n_orbitals)."""
        shape = (len(self.hubs), self.n_orbitals)
        return sparse.csr_array((self.values[direction], self.cols, self.indptr), shape=shape)

    def groups_by_rows(self) -> list[IntArray]:
        """Return the groups, those of as many rows together."""
        n_rows = np.diff(self.start)
        return [np.flatnonzero(n_rows == count) for count in np.unique(n_rows)]

    def matrices(self) -> Iterator[Any]:
        """Yield the A_I as sparse arrays (n_orbitals, n_orbitals)."""
        for first, last in zip(self.start[:-1], self.start[1:], strict=True):
            here = slice(self.indptr[first], self.indptr[last])
            row = np.repeat(self.hubs[first:last], np.diff(self.indptr[first : last + 1]))
            for values in self.values[:, here]:
                yield self._whole(row, self.cols[here], values)

    def sum(self) -> Any:
        """Return the sum of all A_I as a sparse array (n_orbitals, n_orbitals)."""
        row = np.repeat(self.hubs, np.diff(self.indptr))
        return self._whole(row, self.cols, self.values.sum(axis=0))

    def _whole(self, row: IntArray, col: IntArray, values: NDArray[Any]) -> Any:
        shape = (self.n_orbitals, self.n_orbitals)
        half = sparse.csr_array((values.astype(complex), (row, col)), shape=shape)
        return half + half.conj().T

    def factors(self) -> Factors:
        """Return each A_I as a sum over as few rows as there are."""
        whole = self._whole_factors()
        return whole if whole.start[-1] <= 2 * self.dim * len(self.hubs) else self._half_factors()

    def _half_factors(self) -> Factors:
        """Return the factors |hub><row of B| and |row of B><hub| for every row."""
        n_rows = len(self.hubs)
        hub = sparse.csr_array(
            (np.ones(n_rows), self.hubs, np.arange(n_rows + 1)), shape=(n_rows, self.n_orbitals)
        )
        hubs = [hub] * self.dim
        rows = [self.half(k) for k in range(self.dim)]
        group = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))
        operator = np.tile((self.dim * group + np.arange(self.dim)[:, None]).ravel(), 2)
        order = np.argsort(operator, kind="stable")
        count = np.bincount(operator, minlength=len(self))
        return Factors(
            sparse.vstack([*hubs, *rows], format="csr")[order],
            sparse.vstack([*rows, *hubs], format="csr")[order],
            np.concatenate([[0], np.cumsum(count)]),
        )

    def _whole_factors(self) -> Factors:
        """Return the factors |orbital><row of A| for every nonzero row."""
        halves = self.halves()
        operator, row, col, value = halves.joined(halves.conjugated())
        keys, place = np.unique(operator * self.n_orbitals + row, return_inverse=True)
        index, orbitals = np.divmod(keys, self.n_orbitals)
        shape = (len(keys), self.n_orbitals)
        right = sparse.csr_array((value, (place, col)), shape=shape)
        left = sparse.csr_array(
            (np.ones(len(keys)), orbitals, np.arange(len(keys) + 1)), shape=shape
        )
        return Factors(left, right, np.searchsorted(index, np.arange(len(self) + 1)))


def row_sums(start: IntArray) -> Any:
    """Return the sparse array (n_groups, n_rows) that adds up the rows of each group.

    start: (n_groups + 1,) where the rows of each begin.
    """
    n_rows = int(start[-1])
    shape = (len(start) - 1, n_rows)
    return sparse.csr_array((np.ones(n_rows), np.arange(n_rows), start), shape=shape)


def real_if_real(values: NDArray[Any]) -> NDArray[Any]:
    """Return the real parts if there is no imaginary one, which halves time and memory."""
    if np.iscomplexobj(values) and not values.imag.any():
        return np.ascontiguousarray(values.real)
    return values


def places(some: IntArray, n: int) -> IntArray:
    """Return where each of 0 .. n - 1 stands in `some`, -1 for those that don't."""
    result = np.full(n, -1)
    result[some] = np.arange(len(some))
    return result


def ranges(first: IntArray, count: IntArray) -> IntArray:
    """Return first[0], first[0] + 1, ... (count[0] of them), then those of first[1], and so on."""
    before = np.cumsum(count) - count
    return np.arange(count.sum()) + np.repeat(first - before, count)
