"""Responses of centres that are stars: sites that move, and the bonds that end there.

Scattering states are rows psi_n, normalised to unit current, so that the density of states
operator of a lead is D = (1/2 pi) sum_n |psi_n><psi_n|.  hbar = 1.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra import compiled
from kwant_curl.algebra.matrix_elements import chunks
from kwant_curl.algebra.rounding import curls_of_traces
from kwant_curl.algebra.stack import OperatorStack

__all__ = ["StarDensities", "star_densities", "star_responses"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]


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
    traces = np.zeros((n_leads, n, dim, dim), complex)
    friction = np.zeros((n, dim, dim))
    for lead, density in enumerate(densities):
        part = density.reshape(shape)
        force[lead] = 2 * np.einsum("nkaa->nk", part[:, 1:, :, 0]).real
        # Tr[F_i D F_j D_alpha] of F_i = |a><i_a| + |i_a><a|, F_j likewise with b.
        trace = np.einsum("niab,njba->nij", total[:, 1:, :, 0], part[:, 1:, :, 0])
        trace += np.einsum("niajb,nba->nij", total[:, 1:, :, 1:], part[:, 0, :, 0])
        trace += np.einsum("nab,njbia->nij", total[:, 0, :, 0], part[:, 1:, :, 1:])
        trace += np.einsum("najb,nbia->nij", total[:, 0, :, 1:], part[:, 0, :, 1:])
        traces[lead] = trace
        friction += np.pi * trace.real
    return force, curls_of_traces(traces), friction
