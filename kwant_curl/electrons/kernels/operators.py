"""The operators of coordinates that are coupled to each other, at any energy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.by_energy import ByEnergy, Fixed, Varying
from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Factors, SecondDerivatives

__all__ = ["Operators", "joined_factors", "moved_factors", "operators_by_energy"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Operators:
    """Force operators, and what else the tensors that are wanted need, on some orbitals.

    second: second derivatives, for the Jacobian; fields: d_I N_J - d_J N_I of orbitals that are
    carried along, in a magnetic field or since they overlap, for the velocity tensor; moved: the
    one-sided overlaps <phi|d phi/dQ_I> of orbitals that overlap, for that too.
    """

    factors: Factors
    second: SecondDerivatives | None
    fields: SecondDerivatives | None
    orbitals: IntArray
    moved: Factors | None = None

    @classmethod
    def of(
        cls,
        forces: Derivatives,
        second: SecondDerivatives | None,
        fields: SecondDerivatives | None = None,
        moved: Factors | None = None,
    ) -> Self:
        """Put all on the orbitals that any of them touches; moved: on all orbitals."""
        orbitals, n = forces.orbitals, forces.n_orbitals
        for some in (second, fields):
            if some is not None:
                orbitals = np.unique(np.concatenate([orbitals, some.row, some.col]))
        if moved is not None:
            touched = [part.indices for part in (moved.left, moved.right)]
            orbitals = np.unique(np.concatenate([orbitals, *touched]))
            moved = Factors(moved.left[:, orbitals], moved.right[:, orbitals], moved.start)
        second, fields = (
            None if some is None else some.on_orbitals(orbitals, n) for some in (second, fields)
        )
        return cls(forces.on_orbitals(orbitals).factors(), second, fields, orbitals, moved)


@dataclass(frozen=True, eq=False)
class _AtEnergy:
    """Makes the operators of an energy.

    changes: those of the forces with energy, of which one half stands for one-sided overlaps that
    are not known; moved: these where they are.
    """

    forces: ByEnergy[Derivatives]
    second: ByEnergy[SecondDerivatives] | None
    fields: SecondDerivatives | None
    changes: ByEnergy[Derivatives] | None
    moved: Factors | None

    def __call__(self, energy: float) -> Operators:
        second = None if self.second is None else self.second.at(energy)
        moved = self.moved
        if moved is None and self.changes is not None:
            change = self.changes.at(energy)
            moved = replace(change, values=0.5 * change.values).factors()
        return Operators.of(self.forces.at(energy), second, self.fields, moved)


def operators_by_energy(
    forces: ByEnergy[Derivatives],
    second: ByEnergy[SecondDerivatives] | None,
    fields: SecondDerivatives | None = None,
    changes: ByEnergy[Derivatives] | None = None,
    moved: Factors | None = None,
) -> ByEnergy[Operators]:
    """Return the operators at any energy; changes, moved: for the velocity tensor."""
    find = _AtEnergy(forces, second, fields, changes, moved)
    return Fixed(find(0.0)) if isinstance(forces, Fixed) else Varying(find)


def moved_factors(overlaps: Sequence[Any]) -> Factors:
    """Return one-sided overlaps, sparse (n_orbitals, n_orbitals) each, by their nonzero rows."""
    left, right, count = [], [], []
    for overlap in overlaps:
        matrix = sparse.csr_array(overlap, dtype=complex)
        rows = np.flatnonzero(np.diff(matrix.indptr))
        here = np.ones(len(rows)), rows, np.arange(len(rows) + 1)
        left.append(sparse.csr_array(here, shape=(len(rows), matrix.shape[0])))
        right.append(matrix[rows])
        count.append(len(rows))
    start = np.concatenate([[0], np.cumsum(count)])
    return Factors(sparse.vstack(left, format="csr"), sparse.vstack(right, format="csr"), start)


def joined_factors(one: Factors, part: complex, other: Factors, rest: complex) -> Factors:
    """Return the operators part A_I + rest B_I, which need not be Hermitian."""
    operator = np.concatenate(
        [np.repeat(np.arange(len(some.start) - 1), np.diff(some.start)) for some in (one, other)]
    )
    order = np.argsort(operator, kind="stable")
    return Factors(
        sparse.vstack([one.left, other.left], format="csr")[order],
        sparse.vstack([part * one.right, rest * other.right], format="csr")[order],
        one.start + other.start,
    )
