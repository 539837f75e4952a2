"""The linear system of a scattering problem, assembled from matrices that are there already.

A psi = rhs with A = H - E + Sigma^r, where the self-energy of a lead that is known by its modes is
folded out: rows and columns of its outgoing and evanescent waves, in Kwant's stabilised basis,
stand in for it (`kwant.physics.StabilizedModes`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.model.energies import Values

__all__ = [
    "Equations",
    "LeadEquations",
    "Shifted",
    "Triplets",
    "equations",
    "with_modes",
    "with_self_energy",
]

ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]


class Triplets(NamedTuple):
    """Elements of a sparse matrix: three arrays of one length; equal places add up."""

    row: NDArray[Any]
    col: NDArray[Any]
    value: ComplexArray


class LeadEquations(NamedTuple):
    """What a lead adds to the linear system, of which it is told the size before it.

    elements: of A; incoming: of the right-hand sides, one column per state; outgoing: of what makes
    of a solution, multiplied with its transpose, the amplitudes that go out, likewise; counts: how
    many states come in from each source, and go out to it; n_added: the rows and columns that are
    new.
    """

    elements: Triplets
    incoming: Triplets
    outgoing: Triplets
    counts: tuple[int, ...]
    n_added: int


class Equations(NamedTuple):
    """A psi = rhs.

    matrix: A, a sparse COO matrix; incoming: for each source, lead by lead, a sparse CSC matrix
    (n, n_states); the first `n_orbitals` unknowns are the wave function in the system; leads: what
    each has added.
    """

    matrix: Any
    incoming: tuple[Any, ...]
    n_orbitals: int
    leads: tuple[LeadEquations, ...]

    @property
    def outgoing(self) -> tuple[Any, ...]:
        """For each source B, sparse CSC (n, n_states): B^T psi are the amplitudes that go out.

        In modes of unit current, or, of a lead that is known by its self-energy, in the vectors u
        of which sum |u><u| is i(Sigma - Sigma^+).
        """
        size = self.matrix.shape[0]
        return tuple(
            source for lead in self.leads for source in _by_source(lead.outgoing, lead.counts, size)
        )


class Shifted:
    """H - E for one energy after another: a sparse matrix with a diagonal that is there always.

    varying: the elements of a sparse CSR matrix at any energy, which are taken as they are.
    """

    def __init__(self, hamiltonian: Any, varying: Values | None = None) -> None:
        n = hamiltonian.shape[0]
        full = hamiltonian.tocoo(copy=False)
        if varying is None and np.count_nonzero(full.row == full.col) < n:
            every = np.arange(n)
            row, col = np.append(full.row, every), np.append(full.col, every)
            value = np.append(full.data, np.zeros(n))
            full = sparse.coo_array((value, (row, col)), shape=(n, n)).tocsr().tocoo()
        self._elements = Triplets(full.row, full.col, full.data)
        self._diagonal = np.flatnonzero(full.row == full.col)
        self._varying = varying

    def at(self, energy: complex) -> Triplets:
        """Return the elements of H - E."""
        if self._varying is not None:
            return self._elements._replace(value=self._varying.at(energy))
        value = self._elements.value.copy()
        value[self._diagonal] -= energy
        return self._elements._replace(value=value)


def equations(shifted: Triplets, size: int, leads: Sequence[LeadEquations]) -> Equations:
    """Put together H - E of `size` orbitals and what each lead adds."""
    parts = [shifted, *(lead.elements for lead in leads)]
    n = size + sum(lead.n_added for lead in leads)
    row, col, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    incoming = tuple(
        source for lead in leads for source in _by_source(lead.incoming, lead.counts, n)
    )
    matrix = sparse.coo_matrix((value, (row, col)), shape=(n, n))
    return Equations(matrix, incoming, size, tuple(leads))


def _by_source(columns: Triplets, counts: Sequence[int], n: int) -> list[Any]:
    """Return the columns of each source of a lead, of n unknowns."""
    elements = columns.value, (columns.row, columns.col)
    whole = sparse.csc_matrix(elements, shape=(n, sum(counts)))
    if len(counts) == 1:
        return [whole]
    ends = np.cumsum(counts)
    return [whole[:, end - count : end] for end, count in zip(ends, counts, strict=True)]


def with_modes(
    stabilised: Any, orbitals: IntArray, size: int, counts: Sequence[int]
) -> LeadEquations:
    """Return what a lead adds that is known by its modes.

    stabilised: `kwant.physics.StabilizedModes`; orbitals: where it is attached; size: that of the
    system so far; counts: how many come in from each source.
    """
    u, ulinv, n_in = stabilised.vecs, stabilised.vecslmbdainv, stabilised.nmodes
    if not len(u):
        nothing = _elements(np.empty((0, 0)), orbitals[:0], orbitals[:0])
        return LeadEquations(nothing, nothing, nothing, tuple(counts), 0)
    root = stabilised.sqrt_hop
    new = size + np.arange(root.shape[1])
    outgoing = size + np.arange(u.shape[1] - n_in)
    elements = _joined(
        _elements(root @ u[:, n_in:], orbitals, outgoing),
        _elements(root.conj().T, new, orbitals),
        _elements(-ulinv[:, n_in:], new, outgoing),
    )
    states = np.arange(n_in)
    incoming = _joined(
        _elements(-root @ u[:, :n_in], orbitals, states),
        _elements(ulinv[:, :n_in], new, states),
    )
    amplitudes = _elements(np.eye(n_in), outgoing[:n_in], states)
    return LeadEquations(elements, incoming, amplitudes, tuple(counts), len(new))


def with_self_energy(
    sigma: ComplexArray, columns: Sequence[ComplexArray], orbitals: IntArray
) -> LeadEquations:
    """Return what a lead adds that is known by its self-energy.

    columns: (n_interface, n_states), what comes in from each source.
    """
    counts = tuple(part.shape[1] for part in columns)
    whole, states = np.concatenate(columns, axis=1), np.arange(sum(counts))
    return LeadEquations(
        _elements(sigma, orbitals, orbitals),
        _elements(whole, orbitals, states),
        _elements(whole.conj(), orbitals, states),
        counts,
        0,
    )


def _elements(block: NDArray[Any], rows: IntArray, cols: IntArray) -> Triplets:
    """Return the nonzero elements of a dense block at these rows and columns."""
    i, j = np.nonzero(block)
    index = np.int32
    return Triplets(rows[i].astype(index), cols[j].astype(index), block[i, j].astype(complex))


def _joined(*parts: Triplets) -> Triplets:
    return Triplets(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
