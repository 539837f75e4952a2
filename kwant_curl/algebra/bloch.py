"""Energies of bands: eigenvalues of H(k) = H_0 + V e^(-ik) + V^dagger e^(ik), at many momenta."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

__all__ = ["BlochCells"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

LARGE, BANDED = 64, 10
"""A matrix of more than 64 orbitals, 10 times as wide as its diagonals reach, is treated as a
banded one: its eigenvalues are found faster than those of a full one (measured up to 800)."""


class BlochCells(NamedTuple):
    """A chain of equal cells, its orbitals in an order in which H(k) is narrow.

    cell, hopping: within a cell, and from one to the next, in units of `unit`; reach: how far the
    diagonals of H(k) reach, 0 where it is treated as full.
    """

    cell: ComplexArray
    hopping: ComplexArray
    reach: int
    unit: float
    is_real: bool

    @classmethod
    def of(cls, cell: ComplexArray, hopping: ComplexArray) -> "BlochCells":
        """Return the chain of these matrices."""
        unit = max(np.abs(cell).max(initial=0.0), np.abs(hopping).max(initial=0.0)) or 1.0
        is_real = not (np.any(np.imag(cell)) or np.any(np.imag(hopping)))
        order, reach = _narrow(cell, hopping) if len(cell) > LARGE else (np.arange(len(cell)), 0)
        if BANDED * reach >= len(cell):
            reach = 0
        here, on = ((part[np.ix_(order, order)] / unit).astype(complex) for part in (cell, hopping))
        return cls(here, on, reach, float(unit), is_real)

    @property
    def work(self) -> float:
        """Roughly the number of operations for the energies at one momentum."""
        n = len(self.cell)
        return float(n**2 * (BANDED * self.reach or n))

    def energies(self, momenta: FloatArray, *, single: bool = True) -> FloatArray:
        """Return the energies at the momenta, sorted, (n_momenta, n_orbitals).

        single: in single precision, to 1e-6 of the unit or so.
        """
        kind = np.complex64 if single else np.complex128
        phases = np.exp(-1j * momenta).astype(kind)
        cell, hopping = self.cell.astype(kind), self.hopping.astype(kind)
        parts = cell, hopping, hopping.conj().T
        if self.reach:
            here, on, back = (_diagonals(part, self.reach) for part in parts)
            matrices = (here + phase * on + phase.conj() * back for phase in phases)
            found = np.stack([_banded_energies(matrix) for matrix in matrices])
        else:
            forwards = phases[:, None, None] * parts[1]
            found = np.linalg.eigvalsh(parts[0] + forwards + forwards.conj().swapaxes(1, 2))
        return np.asarray(self.unit * found.astype(np.float64))

    def around(self, n_momenta: int) -> FloatArray:
        """Return the energies at momenta around the circle, (n_momenta, n_orbitals).

        n_momenta is even.
        """
        momenta = 2 * np.pi * np.arange(n_momenta) / n_momenta
        if not self.is_real:
            return self.energies(momenta)
        half = self.energies(momenta[: n_momenta // 2 + 1])  # E(-k) = E(k)
        return np.concatenate([half, half[-2:0:-1]])

    def has_bands_of(self, other: "BlochCells") -> bool:
        """Return whether both have the same energies at a momentum and its opposite.

        Then they are taken to be the same chain, but for order and direction.
        """
        if len(self.cell) != len(other.cell):
            return False
        momenta = np.array([1.0] if self.is_real and other.is_real else [1.0, -1.0])
        mine, theirs = (
            np.sort(chain.energies(momenta, single=False), axis=None) for chain in (self, other)
        )
        return bool(np.abs(mine - theirs).max(initial=0.0) <= 1e-12 * len(self.cell) * self.unit)


def _banded_energies(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return the eigenvalues of a matrix that is given by its lower diagonals, which is lost.

    What `scipy.linalg.eigvals_banded` does, which takes as long for its questions about the
    arguments as for a matrix of a hundred rows.
    """
    solve = lapack.chbevd if matrix.dtype == np.complex64 else lapack.zhbevd
    values, _, failure = solve(matrix, compute_v=0, lower=1, overwrite_ab=1)
    if failure:
        raise np.linalg.LinAlgError(f"LAPACK's hbevd found no eigenvalues: info is {failure}.")
    return np.asarray(values)


def _narrow(cell: ComplexArray, hopping: ComplexArray) -> tuple[NDArray[np.intp], int]:
    """Return an order of the orbitals in which H(k) is narrow, and how far its diagonals reach."""
    couples = hopping != 0
    rows, columns = np.nonzero((cell != 0) | couples | couples.T)
    starts = np.searchsorted(rows, np.arange(len(cell) + 1)).astype(np.int32)
    stored = sparse.csr_array((np.ones(len(rows)), columns.astype(np.int32), starts))
    order = sparse.csgraph.reverse_cuthill_mckee(stored, symmetric_mode=True)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return order, int(np.abs(place[rows] - place[columns]).max(initial=0))


def _diagonals(matrix: NDArray[Any], reach: int) -> NDArray[Any]:
    """Return the lower diagonals, (reach + 1, n), as LAPACK wants them."""
    lower = np.zeros((reach + 1, len(matrix)), dtype=matrix.dtype)
    for below in range(reach + 1):
        lower[below, : len(matrix) - below] = np.diagonal(matrix, -below)
    return lower
