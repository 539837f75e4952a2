"""Coordinates given by their dH/dQ as matrices."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from hashlib import sha256
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Entries, SecondDerivatives
from kwant_curl.coordinates.base import Specification, check_number
from kwant_curl.coordinates.finite import expanded
from kwant_curl.model.model import Model
from kwant_curl.model.moved import Change
from kwant_curl.support.checks import positive_array

__all__ = ["Matrices", "hermitian_matrix", "stack_matrices"]

FloatArray = NDArray[np.float64]

SUMMED = 1e-6
"""By how much N + N^+ may miss dS/dQ, relatively: both may come from finite differences."""

HERMITICITY = 1e-10
"""How far from Hermitian a matrix may be, relative to its largest element."""


@dataclass(frozen=True)
class Matrices(Specification):
    """Generalised coordinates whose dH/dQ_I are given as matrices.

    As they come from a density functional code, say, or from a model of one's own.

    Parameters
    ----------
    matrices : sequence of sparse or dense Hermitian matrices
        dH/dQ_I of each coordinate, each (n_orbitals, n_orbitals), in energy per unit of Q_I.
        Note the sign: the derivative of the Hamiltonian, not the force operator, which is
        minus it.
    second : mapping, optional
        ``{(I, J): d^2H/dQ_I dQ_J}``, Hermitian matrices of the same kind, each pair once and in
        either order.  Pairs that are not in it have none; without it H is linear in all Q.
    overlaps : sequence of sparse or dense Hermitian matrices, optional
        dS/dQ_I of orbitals that overlap, for systems with an `energy_parameter`: the operators are
        then dH/dQ_I - E dS/dQ_I.
    one_sided : sequence of sparse or dense matrices, optional
        N_I = <phi_i|d phi_j/dQ_I>, with N_I + N_I^+ = dS/dQ_I, which the velocity tensor and
        `phonon_rates` need besides.

    Notes
    -----
    Coordinates are ordered as `matrices`.  Shapes and Hermiticity are checked when a system
    is at hand: a matrix of the wrong shape, or one that is not Hermitian, raises ValueError.

    Examples
    --------
    >>> shift = np.zeros((15, 15))
    >>> shift[7, 7] = 1.0  # the onsite term of one orbital, per unit of Q
    >>> force_response(syst, Matrices([shift]), energy).friction.shape
    (1, 1)
    """

    matrices: Sequence[Any] = field(repr=False)
    _: KW_ONLY
    second: Mapping[tuple[int, int], Any] | None = field(default=None, repr=False)
    overlaps: Sequence[Any] | None = field(default=None, repr=False)
    one_sided: Sequence[Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.matrices, np.ndarray) and self.matrices.ndim == 2:
            raise ValueError(
                "matrices is a single matrix; expected a sequence of them, e.g. [matrix]."
            )
        if sparse.issparse(self.matrices):
            raise ValueError(
                "matrices is a single sparse matrix; expected a sequence of them, e.g. [matrix]."
            )
        object.__setattr__(self, "matrices", tuple(map(copy, self.matrices)))
        if not self.matrices:
            raise ValueError("matrices is empty; expected at least one matrix dH/dQ.")
        if self.second is not None:
            object.__setattr__(self, "second", _checked_pairs(self.second, len(self.matrices)))
        for name in ("overlaps", "one_sided"):
            self._check_number(name)
        if self.one_sided is not None and self.overlaps is None:
            raise ValueError("one_sided is given without overlaps; expected dS/dQ too.")

    @classmethod
    def from_couplings(cls, couplings: Sequence[Any], frequencies: ArrayLike) -> Self:
        """Return the coordinates q_k of modes whose couplings to the electrons are energies.

        dH/dq_k = sqrt(2 omega_k) M_k for H' = sum_k M_k (b_k + b_k^+), as electron-phonon codes
        give it: q_k = (b_k + b_k^+)/sqrt(2 omega_k) has the mass 1, and hbar = 1.

        Parameters
        ----------
        couplings : sequence of sparse or dense Hermitian matrices
            M_k of each mode, each (n_orbitals, n_orbitals), in energy.
        frequencies : float or array (n_modes,)
            omega_k, positive, in the same unit of energy.

        Returns
        -------
        Matrices
            One coordinate per mode, in their order; the modes in this basis are
            ``VibrationalModes(frequencies, identity, 1.0)``.

        Raises
        ------
        ValueError
            For frequencies that are not positive, or not as many as couplings; and as `Matrices`.
        """
        matrices = cls(couplings).matrices
        omega = positive_array("frequencies", frequencies, len(matrices))
        roots = np.sqrt(2 * omega).tolist()
        scaled = [
            root * (matrix if sparse.issparse(matrix) else np.asarray(matrix))
            for root, matrix in zip(roots, matrices, strict=True)
        ]
        return cls(scaled)

    def _check_number(self, name: str) -> None:
        """Raise unless there are as many of these matrices as coordinates, or none."""
        given = getattr(self, name)
        if given is None:
            return
        n_given = len(given) if isinstance(given, Sequence) else np.shape(given)[0]
        if n_given != len(self.matrices):
            raise ValueError(
                f"{name} holds {n_given} matrices; expected {len(self.matrices)}, as many as "
                "there are coordinates."
            )
        object.__setattr__(self, name, tuple(given))

    @cached_property
    def contents(self) -> str:
        """A hash of the matrices, by which copies know of each other's displacements."""
        found = sha256()
        second = sorted((self.second or {}).items())
        parts = [*self.matrices, *(m for _, m in second), *(self.overlaps or ())]
        found.update(repr([len(self.matrices), [pair for pair, _ in second]]).encode())
        for part in parts:
            matrix = sparse.csr_array(part, dtype=complex)
            for array in (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)):
                found.update(array.tobytes())
            found.update(matrix.data.tobytes())
        return found.hexdigest()

    def change(self, model: Model, displacement: FloatArray) -> Change:
        """Return what a finite displacement (n_c,) changes, to second order in all."""
        check_number(displacement, len(self.matrices))
        forces, second = self.first_derivatives(model), self.second_derivatives(model)
        return Change(expanded(forces, second, displacement, model.n_orbitals))

    def first_derivatives(self, model: Model) -> Derivatives:
        """Return dH/dQ of all coordinates, dH/dQ - E dS/dQ where orbitals overlap."""
        found = self._first_matrices(model)
        displacement = model.displacement(self)
        if displacement is not None and self.second:
            for (i, j), given in self.second.items():
                matrix = sparse.csr_array(given, dtype=complex)
                for one, other in {(i, j), (j, i)}:
                    found[one] = (found[one] + displacement[other] * matrix).tocoo()
        return stack_matrices(found)

    def _first_matrices(self, model: Model) -> list[Any]:
        """Return dH/dQ - E dS/dQ where nothing is displaced, as sparse COO arrays."""
        n = model.n_orbitals
        found = [hermitian_matrix(m, n, f"Matrix {i}") for i, m in enumerate(self.matrices)]
        if self.overlaps is None:
            return found
        if model.energy_parameter is None:
            raise ValueError(
                "overlaps are given, but no energy_parameter; pass the name of the entry of params "
                'in which value functions see the energy, e.g. energy_parameter="E".'
            )
        energy = float((model.params or {})[model.energy_parameter])
        overlaps = self._checked_overlaps(n)
        pairs = zip(found, overlaps, strict=True)
        return [(one - energy * other).tocoo() for one, other in pairs]

    def _checked_overlaps(self, n_orbitals: int) -> list[Any]:
        """Return dS/dQ as sparse arrays."""
        return [
            hermitian_matrix(overlap, n_orbitals, f"Overlap {i}")
            for i, overlap in enumerate(self.overlaps or ())
        ]

    def one_sided_overlaps(self, model: Model) -> list[Any] | None:
        """Return <phi_i|d phi_j/dQ_I> of all coordinates as sparse arrays, or None."""
        if self.one_sided is None:
            return None
        n, result = model.n_orbitals, list[Any]()
        for i, (given, overlap) in enumerate(
            zip(self.one_sided, self._checked_overlaps(n), strict=True)
        ):
            if np.shape(given) != (n, n):
                raise ValueError(
                    f"One-sided overlap {i} has shape {np.shape(given)}; expected {(n, n)}."
                )
            matrix = sparse.csr_array(given, dtype=complex)
            missed = abs(matrix + matrix.conj().T - overlap)
            if missed.nnz and missed.max() > SUMMED * max(abs(overlap).max(), abs(matrix).max()):
                raise ValueError(
                    f"One-sided overlap {i} and its conjugate transpose differ from dS/dQ by up to "
                    f"{missed.max():.3g}; expected N + N^+ = dS/dQ."
                )
            result.append(matrix)
        return result

    def second_derivatives(self, model: Model) -> SecondDerivatives:
        """Return d^2H/dQ_I dQ_J of all pairs of coordinates: those of `second`, else none."""
        n = model.n_orbitals
        result = SecondDerivatives.empty()
        for (i, j), given in (self.second or {}).items():
            matrix = hermitian_matrix(given, n, f"The second derivative ({i}, {j})")
            none = np.zeros(matrix.nnz, np.int64)
            _, row, col, value = Entries(none, matrix.row, matrix.col, matrix.data).halved()
            for first, second in {(i, j), (j, i)}:
                one, other = np.full(len(row), first), np.full(len(row), second)
                result = result.joined(SecondDerivatives(one, other, row, col, value))
        return result


def _checked_pairs(second: Any, n_matrices: int) -> dict[tuple[int, int], Any]:
    """Return `second` as a dict, or raise unless it names each pair of coordinates once."""
    if not isinstance(second, Mapping):
        raise TypeError(
            f"second is a {type(second).__name__}; expected a mapping {{(I, J): d^2H/dQ_I dQ_J}}."
        )
    for pair in second:
        is_pair = isinstance(pair, tuple) and len(pair) == 2
        if not is_pair or not all(
            isinstance(k, Integral) and not isinstance(k, bool) and 0 <= int(k) < n_matrices
            for k in pair
        ):
            raise ValueError(
                f"second has the key {pair!r}; expected a pair (I, J) of coordinates, each from "
                f"0 to {n_matrices - 1}."
            )
        if pair[0] != pair[1] and pair[::-1] in second:
            raise ValueError(
                f"second names the pair {pair} and {pair[::-1]} too, which is the same derivative; "
                "give one of them."
            )
    return {(int(i), int(j)): matrix for (i, j), matrix in second.items()}


def hermitian_matrix(matrix: Any, size: int, name: str) -> Any:
    """Return `matrix` as a sparse COO array, or raise if it has the wrong shape or symmetry."""
    if np.shape(matrix) != (size, size):
        raise ValueError(
            f"{name} has shape {np.shape(matrix)}; expected {(size, size)}, the number of "
            "orbitals of the system."
        )
    result = sparse.csr_array(matrix, dtype=complex)
    result.sum_duplicates()
    if not np.isfinite(result.data).all():
        raise ValueError(f"{name} has elements that are not finite.")
    asymmetry = abs(result - result.conj().T)
    if asymmetry.nnz and asymmetry.max() > HERMITICITY * abs(result).max():
        raise ValueError(
            f"{name} is not Hermitian: it differs from its conjugate transpose by up to "
            f"{asymmetry.max():.3g}. A force operator is Hermitian; pass the Hermitian dH/dQ."
        )
    return result.tocoo()


def stack_matrices(matrices: Sequence[Any]) -> Derivatives:
    """Return the derivatives whose dH/dQ_I are these sparse COO arrays."""
    entries = Entries(
        np.concatenate([np.full(m.nnz, i) for i, m in enumerate(matrices)]),
        np.concatenate([m.row for m in matrices]),
        np.concatenate([m.col for m in matrices]),
        np.concatenate([m.data for m in matrices]),
    )
    return Derivatives.from_entries(entries, len(matrices), matrices[0].shape[0])
