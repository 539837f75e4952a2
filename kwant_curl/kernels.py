"""The formulas, on arrays alone.

Scattering states are rows psi_n, normalised to unit current, so that the density of states
operator of a lead is D = (1/2 pi) sum_n |psi_n><psi_n|.  hbar = 1.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl import compiled
from kwant_curl.stack import Factors, OperatorStack, ranges, row_sums

__all__ = [
    "LeadResponses",
    "StarDensities",
    "act",
    "add_local_densities",
    "all_matrix_elements",
    "expectations",
    "lead_responses",
    "local_responses",
    "local_responses_by_modes",
    "matrix_elements",
    "rotation_vector",
    "star_densities",
    "star_responses",
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


class LeadResponses(NamedTuple):
    """What coupled coordinates answer, for a degeneracy of one.

    force: (n_leads, n_c) Tr[F_I D_alpha]; curl: (n_leads, n_c, n_c) 4 pi Im Tr[F_I D F_J D_alpha]
    = (1/pi) sum_beta Im sum_{m in alpha, n in beta} F_I^{mn} F_J^{nm}, of which the term
    alpha = beta vanishes; friction: (n_c, n_c) pi Re Tr[F_I D F_J D]; noise:
    (n_leads, n_leads, n_c, n_c) 2 pi Re Tr[F_I D_beta F_J D_alpha], symmetric in both pairs of
    axes, or None.
    """

    force: FloatArray
    curl: FloatArray
    friction: FloatArray
    noise: FloatArray | None


def lead_responses(
    factors: Factors, states: Sequence[ComplexArray], *, noise: bool = False
) -> LeadResponses:
    """Return force, curl, friction and noise of all coordinates by lead, for a degeneracy of one.

    Parameters
    ----------
    factors : Factors
        Those of the force operators, on the orbitals of `states`.
    states : sequence of arrays (n_modes, n_orbitals)
        The scattering states of each lead.
    noise : bool
        Whether the noise of each pair of leads is kept.

    Notes
    -----
    Todorov et al. (2011), Eq. 1, 31 and 32, in the basis of the scattering states.
    """
    n_leads, n_c = len(states), len(factors.start) - 1
    force = np.zeros((n_leads, n_c))
    curl = np.zeros((n_leads, n_c, n_c))
    friction = np.zeros((n_c, n_c))
    pairs = np.zeros((n_leads, n_leads, n_c, n_c)) if noise else None
    for a in range(n_leads):
        for b in range(a, n_leads):
            gram, diagonal = _gram(factors, states[a], states[b], a == b)
            force[a] += diagonal
            friction += gram.real / ((4 if a == b else 2) * np.pi)
            if pairs is not None:
                pairs[a, b] = pairs[b, a] = gram.real / (2 * np.pi)
            if a != b:
                antisymmetric = (gram.imag - gram.imag.T) / (2 * np.pi)
                curl[a] += antisymmetric
                curl[b] -= antisymmetric
    return LeadResponses(force, curl, friction, pairs)


def _gram(
    factors: Factors, bras: ComplexArray, kets: ComplexArray, same: bool
) -> tuple[ComplexArray, FloatArray]:
    """Return sum_mn F_I^{mn} F_J^{mn*} and, between the same states, sum_m F_I^{mm}/2 pi."""
    n_c = len(factors.start) - 1
    gram, trace = np.zeros((n_c, n_c), complex), np.zeros(n_c)
    for some in chunks(len(bras), n_c * len(kets)):
        elements = all_matrix_elements(factors, bras[some], kets)
        if same:
            mode = np.arange(elements.shape[1])
            diagonal = elements[:, mode, mode + some.start]
            trace += diagonal.real.sum(axis=1) / (2 * np.pi)
        flat = elements.reshape(n_c, -1)
        gram += flat @ flat.conj().T
    return gram, trace


def add_local_densities(states: ComplexArray, orbitals: IntArray, densities: ComplexArray) -> None:
    """Add (1/2 pi) sum_n |psi_n><psi_n| on the orbitals (n, size) of each centre.

    densities: (n, size, size), changed in place.
    """
    n, size = orbitals.shape
    by_orbital = states.T
    for some in chunks(n, size * (len(states) + size)):
        local = by_orbital[orbitals[some]]
        densities[some] += local @ local.conj().swapaxes(1, 2) / (2 * np.pi)


class StarDensities:
    """D_alpha between the hubs and the rows of groups of operators, added up as states come.

    Parameters
    ----------
    operators : OperatorStack
        The operators.
    parts : sequence of int arrays
        Groups of the stack, in each part those of as many rows.
    n_leads : int
        How many leads there are.
    """

    def __init__(self, operators: OperatorStack, parts: Sequence[IntArray], n_leads: int) -> None:
        self._operators, self._parts = operators, parts
        n_rows = [np.diff(operators.start)[part[0]] for part in parts]
        sizes = [(1 + operators.dim) * count for count in n_rows]
        self._sums = [
            np.zeros((n_leads, len(part), size, size), complex)
            for part, size in zip(parts, sizes, strict=True)
        ]

    def add(self, lead: int, states: ComplexArray) -> None:
        """Add some states (n_states, n_orbitals) of a lead."""
        for part, total in zip(self._parts, self._sums, strict=True):
            compiled.add_grams(self._operators, part, states, total[lead])

    def of_parts(self) -> Iterator[tuple[IntArray, ComplexArray]]:
        """Yield some groups (n,) of a part and their D_alpha (n_leads, n, size, size), until done.

        size = (1 + dim) n_rows: the hubs of a group first, then its rows in each direction.
        """
        for part, total in zip(self._parts, self._sums, strict=True):
            n_leads, n, size, _ = total.shape
            for some in chunks(n, n_leads * size**2):
                lower: ComplexArray = np.tril(total[:, some])
                above = np.tril(total[:, some], -1).conj().swapaxes(-1, -2)
                yield part[some], (lower + above) / (2 * np.pi)


def star_densities(
    operators: OperatorStack, parts: Sequence[IntArray], shell: Any
) -> Iterator[tuple[IntArray, ComplexArray]]:
    """Yield what `StarDensities.of_parts` does, for the states of an energy shell.

    The states come block by block and are forgotten.  Only where the sums take more memory than
    allowed and the states less than the sums, the states are kept and some groups taken at a time.
    """
    n_leads = len(shell.n_modes)
    sizes = [(1 + operators.dim) * int(np.diff(operators.start)[part[0]]) for part in parts]
    memory = 16 * n_leads * sum(len(p) * size**2 for p, size in zip(parts, sizes, strict=True))
    if memory <= max(shell.max_memory, 16 * sum(shell.n_modes) * operators.n_orbitals):
        sums = StarDensities(operators, parts, n_leads)
        for lead, states in shell.blocks():
            sums.add(lead, states)
        yield from sums.of_parts()
        return
    kept = shell.states_by_lead()
    for part, size in zip(parts, sizes, strict=True):
        for some in chunks(len(part), n_leads * size**2):
            sums = StarDensities(operators, [part[some]], n_leads)
            for lead, states in enumerate(kept):
                sums.add(lead, states)
            yield from sums.of_parts()


def star_responses(densities: ComplexArray, dim: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Force, curl and friction of centres that are stars by lead, for a degeneracy of one.

    The force operators of a centre are F_i = sum_a |a><i_a| + h.c., with its hubs a and the rows
    i_a of their halves.  So the traces need D on the hubs and the rows alone.

    Parameters
    ----------
    densities : array (n_leads, n, size, size)
        D_alpha between the hubs, then the rows of each direction: size = (1 + dim) n_hubs.
    dim : int
        The number of directions.

    Returns
    -------
    force, curl, friction
        As those of `local_responses`.
    """
    n_leads, n, size = densities.shape[:3]
    shape = (n, 1 + dim, size // (1 + dim), 1 + dim, size // (1 + dim))
    total = densities.sum(axis=0).reshape(shape)
    force = np.zeros((n_leads, n, dim))
    curl = np.zeros((n_leads, n, dim, dim))
    friction = np.zeros((n, dim, dim))
    for lead, density in enumerate(densities):
        part = density.reshape(shape)
        force[lead] = 2 * np.einsum("nkaa->nk", part[:, 1:, :, 0]).real
        # Tr[F_i D F_j D_alpha] of F_i = |a><i_a| + |i_a><a|, F_j likewise with b.
        trace = np.einsum("niab,njba->nij", total[:, 1:, :, 0], part[:, 1:, :, 0])
        trace += np.einsum("niajb,nba->nij", total[:, 1:, :, 1:], part[:, 0, :, 0])
        trace += np.einsum("nab,njbia->nij", total[:, 0, :, 0], part[:, 1:, :, 1:])
        trace += np.einsum("najb,nbia->nij", total[:, 0, :, 1:], part[:, 0, :, 1:])
        curl[lead] = 4 * np.pi * trace.imag
        friction += np.pi * trace.real
    return force, curl, friction


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


def rotation_vector(curl: FloatArray) -> FloatArray:
    """Return the curl vector (..., 3), or scalar (...) in 2D, of tensors dF_j/dx_i - dF_i/dx_j."""
    if curl.shape[-1] == 2:
        return curl[..., 0, 1]
    return np.stack([curl[..., 1, 2], curl[..., 2, 0], curl[..., 0, 1]], axis=-1)
