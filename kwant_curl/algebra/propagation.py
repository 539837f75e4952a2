"""Traces that hold the Green's function: the Jacobian of the force and the velocity tensor.

Arrays only.  hbar = 1; scattering states are rows psi_n with D = (1/2 pi) sum_n |psi_n><psi_n|.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.matrix_elements import chunks
from kwant_curl.algebra.stack import Factors, SecondDerivatives, row_sums

__all__ = [
    "carried_tensors",
    "density_traces",
    "field_traces",
    "jacobians",
    "moved_tensors",
    "pair_traces",
    "trace_size",
    "velocity_tensors",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def jacobians(
    factors: Factors,
    second: SecondDerivatives,
    greens: ComplexArray,
    states: Sequence[ComplexArray],
) -> FloatArray:
    """Return the derivatives of the force by lead, for a degeneracy of one.

    Parameters
    ----------
    factors : Factors
        Those of the force operators (or of dH/dQ: they come in pairs), on the orbitals of `states`.
    second : SecondDerivatives
        d^2H/dQ_I dQ_J, on the same orbitals.
    greens : array (n_orbitals, n_orbitals)
        G^r.
    states : sequence of arrays (n_modes, n_orbitals)
        The scattering states of each lead.

    Returns
    -------
    array (n_leads, n_c, n_c)
        d Tr[F_I D_alpha]/dQ_J = -Tr[H_IJ D_alpha] - 2 Re Tr[H_I G^r H_J D_alpha].
    """
    n_c = len(factors.start) - 1
    return np.array(
        [
            -_second_traces(second, psi, n_c) - 2 * density_traces(factors, greens, psi).real
            for psi in states
        ]
    ).reshape(len(states), n_c, n_c)


def velocity_tensors(
    factors: Factors, slope: ComplexArray, states: Sequence[ComplexArray]
) -> FloatArray:
    """Return gamma_IJ = -2 Im Tr[H_I (dG^r/dE) H_J D_alpha] by lead, (n_leads, n_c, n_c).

    For a degeneracy of one; the force is -sum_J gamma_IJ dQ_J/dt.  slope: dG^r/dE.
    """
    return np.array([-2 * density_traces(factors, slope, psi).imag for psi in states])


def moved_tensors(
    factors: Factors, moved: Factors, greens: ComplexArray, states: Sequence[ComplexArray]
) -> FloatArray:
    """Return -2 Im Tr[N_I^+ G^r F_J D_alpha + F_I G^r N_J D_alpha] by lead, for that tensor.

    (n_leads, n_c, n_c), for a degeneracy of one: what orbitals that overlap add when they move.
    moved: N_I = <phi|d phi/dQ_I>, half of dS/dQ_I where that alone is known.
    """
    daggered = Factors(moved.right, moved.left, moved.start)
    return np.array(
        [
            -2
            * (
                density_traces(daggered, greens, psi, factors)
                + density_traces(factors, greens, psi, moved)
            ).imag
            for psi in states
        ]
    )


def pair_traces(factors: Factors, first: Any, second: ComplexArray) -> tuple[ComplexArray, float]:
    """Return Tr[F_I first F_J second], (n_c, n_c), and the size of the terms that it sums.

    Both matrices are (n_orbitals, n_orbitals).
    """
    sums = row_sums(factors.start)
    n_c, n_rows = sums.shape
    backwards = factors.left.conj().T.tocsr()
    result, size = np.zeros((n_c, n_c), complex), np.zeros((n_c, n_c))
    right = factors.right @ second
    for some in chunks(n_rows, 2 * n_rows):
        there = (factors.right[some] @ first) @ backwards
        back = right @ backwards[:, some]
        terms = there * back.T
        result += sums[:, some] @ (terms @ sums.T)
        size += sums[:, some] @ (np.abs(terms) @ sums.T)
    return result, float(size.max(initial=0.0))


def field_traces(fields: SecondDerivatives, matrix: ComplexArray, n_c: int) -> ComplexArray:
    """Return Tr[C_IJ matrix], (n_c, n_c), of operators C_IJ that are given by halves."""
    values = fields.value * matrix[fields.col, fields.row]
    values = values + fields.value.conj() * matrix[fields.row, fields.col]
    shape = (n_c, n_c)
    return sparse.coo_array((values, (fields.first, fields.second)), shape=shape).toarray()


def carried_tensors(
    fields: SecondDerivatives, states: Sequence[ComplexArray], n_c: int
) -> FloatArray:
    """Return -Tr[(d_I N_J - d_J N_I) D_alpha] by lead, (n_leads, n_c, n_c), for that tensor.

    The Lorentz force on electrons that the atoms carry along.  fields: these operators.
    """
    return np.array([-_second_traces(fields, psi, n_c) for psi in states])


def trace_size(factors: Factors, matrix: ComplexArray, states: Sequence[ComplexArray]) -> float:
    """Return a bound of 2 |Tr[F_I matrix F_J D_alpha]| that no cancellation makes small.

    From |<F_I psi| matrix |F_J psi>| <= max|matrix| |F_I psi|_1 |F_J psi|_1.
    """
    sums, largest = row_sums(factors.start), 0.0
    lengths = np.asarray(np.abs(factors.left).sum(axis=1)).reshape(-1, 1)
    for psi in states:
        forces = sums @ (lengths * np.abs(factors.right @ psi.T))
        largest = max(largest, float((forces**2).sum(axis=1).max(initial=0.0)))
    return float(np.abs(matrix).max(initial=0.0)) * largest / np.pi


def density_traces(
    factors: Factors, matrix: ComplexArray, states: ComplexArray, others: Factors | None = None
) -> ComplexArray:
    """Return Tr[A_I matrix B_J D] of all pairs, (n_operators, n_operators), D that of the states.

    others: those of the B, if they aren't the A.  With A_I = sum_r left_r^+ right_r it is the sum
    over the rows r of I and s of J of (right_r matrix left_s^+) (right_s D left_r^+).
    """
    others = factors if others is None else others
    sums, other_sums = row_sums(factors.start), row_sums(others.start)
    n_c, n_rows = sums.shape
    left, right = factors.left @ states.T, others.right @ states.T
    backwards = others.left.conj().T.tocsr()
    result = np.zeros((n_c, len(others.start) - 1), complex)
    for some in chunks(n_rows, 2 * other_sums.shape[1]):
        there = (factors.right[some] @ matrix) @ backwards
        back = (left[some].conj() @ right.T) / (2 * np.pi)
        result += sums[:, some] @ ((there * back) @ other_sums.T)
    return result


def _second_traces(second: SecondDerivatives, states: ComplexArray, n_c: int) -> FloatArray:
    """Return Tr[H_IJ D], (n_c, n_c), of these or other operators by pairs of coordinates."""
    n = states.shape[1]
    pairs, which = np.unique(second.row * n + second.col, return_inverse=True)
    row, col = np.divmod(pairs, n)
    by_orbital = np.ascontiguousarray(states.T)
    density = np.empty(len(pairs), complex)
    for some in chunks(len(pairs), 2 * len(states)):
        bra, ket = by_orbital[row[some]].conj(), by_orbital[col[some]]
        density[some] = np.einsum("pn,pn->p", bra, ket) / (2 * np.pi)
    values = 2 * (second.value * density[which]).real
    result = sparse.coo_array((values, (second.first, second.second)), shape=(n_c, n_c))
    return result.toarray()
