"""Matrix elements of many operators between states, which are rows; arrays alone."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra import compiled
from kwant_curl.algebra.stack import Factors, OperatorStack, ranges, row_sums

__all__ = [
    "act",
    "all_matrix_elements",
    "chunks",
    "expectations",
    "matrix_elements",
    "weighted_trace",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

CHUNK = 2**21
"""Complex numbers in a temporary array: 32 MiB."""


def chunks(length: int, width: int) -> Iterator[slice]:
    """Cut `length` items of `width` complex numbers each into slices of at most CHUNK."""
    step = max(1, CHUNK // max(1, width))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def matrix_elements(
    operators: OperatorStack, bras: ComplexArray, kets: ComplexArray
) -> ComplexArray:
    """Return <bra_n| A_I |ket_n> for pairs of states, (n_states, n_operators)."""
    n_groups = len(operators.start) - 1
    result = np.empty((len(bras), n_groups, operators.dim), complex)
    halves = [operators.half(k) for k in range(operators.dim)]
    sums = row_sums(operators.start)
    for some in chunks(len(bras), len(operators.hubs)):
        bra, ket = bras[some].T, kets[some].T
        for k, half in enumerate(halves):
            rows = bra[operators.hubs].conj() * (half @ ket)
            rows += (half @ bra).conj() * ket[operators.hubs]
            result[some, :, k] = (sums @ rows).T
    return result.reshape(len(bras), len(operators))


def expectations(operators: OperatorStack, states: ComplexArray) -> FloatArray:
    """Return <psi_n| A_I |psi_n> for every state, (n_states, n_operators)."""
    result = np.empty((len(states), len(operators.start) - 1, operators.dim))
    compiled.expectations(operators, states, result)
    return result.reshape(len(states), len(operators))


def weighted_trace(
    operators: OperatorStack, states: ComplexArray, weights: FloatArray
) -> FloatArray:
    """Return sum_n weights_n <psi_n| A_I |psi_n> of every operator, (n_operators,)."""
    result = np.zeros(len(operators))
    for some in chunks(len(states), len(operators)):
        result += weights[some] @ expectations(operators, states[some])
    return result


def act(operators: OperatorStack, kets: ComplexArray) -> ComplexArray:
    """Return sum_I A_I |ket_n>, (n_states, n_orbitals)."""
    return np.ascontiguousarray((operators.sum() @ kets.T).T)


def all_matrix_elements(factors: Factors, bras: ComplexArray, kets: ComplexArray) -> ComplexArray:
    """Return A_I^{mn} = <bra_m| A_I |ket_n>, (n_operators, n_bras, n_kets)."""
    n_rows = np.diff(factors.start)
    result = np.zeros((len(n_rows), len(bras), len(kets)), complex)
    for count in np.unique(n_rows[n_rows > 0]):
        alike = np.flatnonzero(n_rows == count)
        for some in chunks(len(alike), count * (len(bras) + len(kets)) + len(bras) * len(kets)):
            n = len(alike[some])
            rows = ranges(factors.start[alike[some]], np.full(n, count))
            left = (factors.left[rows] @ bras.T).reshape(n, count, len(bras))
            right = (factors.right[rows] @ kets.T).reshape(n, count, len(kets))
            result[alike[some]] = left.conj().swapaxes(1, 2) @ right
    return result
