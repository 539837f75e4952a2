"""The formulas, on arrays alone.

Scattering states are rows psi_n, normalised to unit current, so that the density of states
operator of a lead is D = (1/2 pi) sum_n |psi_n><psi_n|.  hbar = 1.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kwant_curl.stack import NonzeroRows, OperatorStack

__all__ = [
    "act",
    "all_matrix_elements",
    "lead_responses",
    "local_densities",
    "local_responses",
    "local_responses_by_modes",
    "matrix_elements",
    "onsite_sums",
    "rotation_vector",
    "weighted_trace",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

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
    result = np.empty((len(bras), len(operators)), complex)
    for some in chunks(len(bras), len(operators.rows)):
        pairs = bras[some][:, operators.rows].conj() * kets[some][:, operators.cols]
        result[some] = (operators.coefficients @ pairs.T).T
    return result


def weighted_trace(
    operators: OperatorStack, states: ComplexArray, weights: FloatArray
) -> FloatArray:
    """Return sum_n weights_n <psi_n| A_I |psi_n> of every operator, (n_operators,)."""
    pairs = np.zeros(len(operators.rows), complex)
    for some in chunks(len(operators.rows), len(states)):
        bras, kets = states[:, operators.rows[some]], states[:, operators.cols[some]]
        pairs[some] = np.einsum("np,n,np->p", bras.conj(), weights, kets)
    return (operators.coefficients @ pairs).real


def act(operators: OperatorStack, kets: ComplexArray) -> ComplexArray:
    """Return sum_I A_I |ket_n>, (n_states, n_orbitals)."""
    return np.ascontiguousarray((operators.sum() @ kets.T).T)


def all_matrix_elements(rows: NonzeroRows, bras: ComplexArray, kets: ComplexArray) -> ComplexArray:
    """Return A_I^{mn} = <bra_m| A_I |ket_n>, (n_operators, n_bras, n_kets)."""
    n_rows = np.diff(rows.start)
    result = np.zeros((len(n_rows), len(bras), len(kets)), complex)
    for count in np.unique(n_rows[n_rows > 0]):
        alike = np.flatnonzero(n_rows == count)
        for some in chunks(len(alike), count * (len(bras) + len(kets)) + len(bras) * len(kets)):
            which = rows.start[alike[some]][:, None] + np.arange(count)
            acted = rows.matrix[which.ravel()] @ kets.T
            bra = bras.T[rows.orbitals[which]].conj().swapaxes(1, 2)
            result[alike[some]] = bra @ acted.reshape(*which.shape, -1)
    return result


def lead_responses(
    rows: NonzeroRows, states: Sequence[ComplexArray]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Force, curl and friction of all coordinates by lead, for a degeneracy of one.

    Parameters
    ----------
    rows : NonzeroRows
        The force operators, on the orbitals of `states`.
    states : sequence of arrays (n_modes, n_orbitals)
        The scattering states of each lead.

    Returns
    -------
    force : array (n_leads, n_c)
        Tr[F_I D_alpha].
    curl : array (n_leads, n_c, n_c)
        4 pi Im Tr[F_I D F_J D_alpha] = (1/pi) sum_beta Im sum_{m in alpha, n in beta}
        F_I^{mn} F_J^{nm}; the term alpha = beta vanishes.
    friction : array (n_c, n_c)
        pi Re Tr[F_I D F_J D].

    Notes
    -----
    Todorov et al. (2011), Eq. 1, 31 and 32, in the basis of the scattering states.
    """
    n_leads, n_c = len(states), len(rows.start) - 1
    force = np.zeros((n_leads, n_c))
    curl = np.zeros((n_leads, n_c, n_c))
    friction = np.zeros((n_c, n_c))
    for a in range(n_leads):
        for b in range(a, n_leads):
            gram = np.zeros((n_c, n_c), complex)
            for some in chunks(len(states[a]), n_c * len(states[b])):
                elements = all_matrix_elements(rows, states[a][some], states[b])
                if a == b:
                    mode = np.arange(elements.shape[1])
                    diagonal = elements[:, mode, mode + some.start]
                    force[a] += diagonal.real.sum(axis=1) / (2 * np.pi)
                flat = elements.reshape(n_c, -1)
                gram += flat @ flat.conj().T
            if a == b:
                friction += gram.real / (4 * np.pi)
                continue
            friction += gram.real / (2 * np.pi)
            antisymmetric = (gram.imag - gram.imag.T) / (2 * np.pi)
            curl[a] += antisymmetric
            curl[b] -= antisymmetric
    return force, curl, friction


def local_densities(states: ComplexArray, orbitals: IntArray) -> ComplexArray:
    """Return the blocks of D on the orbitals (n, size) of each centre, (n, size, size)."""
    n, size = orbitals.shape
    result = np.zeros((n, size, size), complex)
    by_orbital = states.T
    for some in chunks(n, size * (len(states) + size)):
        local = by_orbital[orbitals[some]]
        result[some] = local @ local.conj().swapaxes(1, 2) / (2 * np.pi)
    return result


def local_responses(
    forces: ComplexArray, densities: ComplexArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Force, curl and friction of each centre by lead, for a degeneracy of one.

    Parameters
    ----------
    forces : array (n, dim, size, size), or (n, dim, size) for diagonals
        The force operators on the orbitals that the centre touches.
    densities : array (n_leads, n, size, size)
        D_alpha on the same orbitals.

    Returns
    -------
    force : array (n_leads, n, dim)
        Tr[F_i D_alpha].
    curl : array (n_leads, n, dim, dim)
        4 pi Im Tr[F_i D F_j D_alpha].
    friction : array (n, dim, dim)
        pi Re Tr[F_i D F_j D].

    Notes
    -----
    Todorov et al. (2011), Eq. 1, 31 and 32.  F touches only the orbitals of the block, so the
    traces need D there and nowhere else.
    """
    n_leads, (n, dim, size) = len(densities), forces.shape[:3]
    force = np.zeros((n_leads, n, dim))
    curl = np.zeros((n_leads, n, dim, dim))
    friction = np.zeros((n, dim, dim))
    for some in chunks(n, (n_leads + 2) * dim * size**2):
        total = _products(forces[some], densities[:, some].sum(axis=0))
        for lead, density in enumerate(densities[:, some]):
            part = _products(forces[some], density)
            force[lead, some] = np.einsum("ndss->nd", part).real
            trace = np.einsum("nirs,njsr->nij", total, part)
            curl[lead, some] = 4 * np.pi * trace.imag
            friction[some] += np.pi * trace.real
    return force, curl, friction


def local_responses_by_modes(
    forces: ComplexArray, states: ComplexArray, n_modes: Sequence[int]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what `local_responses` does, from matrix elements between the states.

    The cheaper way for centres that touch more orbitals than there are states.

    Parameters
    ----------
    forces : array (n, dim, size, size), or (n, dim, size) for diagonals
        The force operators on the orbitals that the centre touches.
    states : array (n, size, n_states)
        The scattering states on the same orbitals, lead by lead.
    n_modes : sequence of int
        How many of the states come in through each lead.
    """
    acted = _products(forces, states)
    elements = states.conj().swapaxes(1, 2)[:, None] @ acted
    diagonal = np.einsum("ndmm->ndm", elements).real / (2 * np.pi)
    ends = np.cumsum(n_modes)
    leads = [slice(end - count, end) for end, count in zip(ends, n_modes, strict=True)]
    force = np.array([diagonal[:, :, lead].sum(axis=2) for lead in leads])
    flat = [elements[:, :, lead].reshape(*forces.shape[:2], -1) for lead in leads]
    grams = np.array([part @ part.conj().swapaxes(1, 2) for part in flat])
    return force, grams.imag / np.pi, grams.real.sum(axis=0) / (4 * np.pi)


def _products(forces: ComplexArray, density: ComplexArray) -> ComplexArray:
    """Return F_i times an array (n, size, k) of each centre, (n, dim, size, k)."""
    if forces.ndim == 3:
        return forces[..., None] * density[:, None]
    return forces @ density[:, None]


def onsite_sums(left: ComplexArray, right: ComplexArray, p: IntArray, q: IntArray) -> ComplexArray:
    """Return (1/2 pi) sum_n left[p, n] right[q, n]^* for pairs of orbitals, (n_pairs,).

    left, right: (n_orbitals, n_states).
    """
    result = np.empty(len(p), complex)
    for some in chunks(len(p), left.shape[1]):
        result[some] = np.einsum("pn,pn->p", left[p[some]], right[q[some]].conj())
    result /= 2 * np.pi
    return result


def rotation_vector(curl: FloatArray) -> FloatArray:
    """Return the curl vector (..., 3), or scalar (...) in 2D, of tensors dF_j/dx_i - dF_i/dx_j."""
    if curl.shape[-1] == 2:
        return curl[..., 0, 1]
    return np.stack([curl[..., 1, 2], curl[..., 2, 0], curl[..., 0, 1]], axis=-1)
