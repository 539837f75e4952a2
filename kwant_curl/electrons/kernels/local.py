"""What each atom by itself answers at an energy: force, curl and friction, centre by centre."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.blocks import (
    add_local_densities,
    block_responses,
    block_responses_by_modes,
    rotation_vector,
)
from kwant_curl.algebra.derivatives import CentreBlocks, Derivatives
from kwant_curl.algebra.matrix_elements import chunks
from kwant_curl.algebra.stars import star_densities, star_responses
from kwant_curl.electrons.kernels.touched import TouchedKernel
from kwant_curl.electrons.shares import Shares, response_sizes
from kwant_curl.electrons.shell import EnergyShell

__all__ = ["LocalKernel", "local_responses"]

IntArray = NDArray[np.int64]
Responses = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Force (n_leads, n, dim) and curl (n_leads, n, dim, dim) by lead, friction (n, dim, dim)."""


@dataclass(frozen=True, eq=False)
class LocalKernel(TouchedKernel):
    """Force, curl and friction of each centre at any energy."""

    def __call__(self, energy: float) -> Shares:
        """Return force and curl by lead, and the friction."""
        forces, orbitals = self.parts.at(energy)
        shell = EnergyShell(self.problem, energy, self.numerics, orbitals)
        force, curl, friction = local_responses(forces, shell)
        n_modes = sum(shell.n_modes)
        sizes = response_sizes(friction, n_modes)
        by_lead = (force, rotation_vector(curl))
        return Shares(by_lead, (friction,), sizes, n_modes, shell.notices)


def local_responses(forces: Derivatives, shell: EnergyShell) -> Responses:
    """Return force, curl and friction of each centre by lead, in the order of the centres."""
    n, dim = forces.positions.shape  # type: ignore[union-attr]
    n_leads = len(shell.n_modes)
    force = np.zeros((n_leads, n, dim))
    curl = np.zeros((n_leads, n, dim, dim))
    friction = np.zeros((n, dim, dim))
    for centres, part in _by_centres(forces, shell):
        force[:, centres], curl[:, centres], friction[centres] = part
    return force, curl, friction


def _by_centres(forces: Derivatives, shell: EnergyShell) -> Iterator[tuple[IntArray, Responses]]:
    """Yield some centres and their responses until all are done."""
    if not forces.are_stars():
        yield from _by_blocks(forces.centre_blocks(), shell)
        return
    for some, density in star_densities(forces, forces.groups_by_rows(), shell):
        yield some, star_responses(density, forces.dim)


def _by_blocks(
    blocks: list[CentreBlocks], shell: EnergyShell
) -> Iterator[tuple[IntArray, Responses]]:
    """Yield the same for centres that are no stars.

    D_alpha is added up on all orbitals of each centre as the states come, and the states are
    forgotten.  Only where that takes more memory than allowed, the states are kept and the
    centres taken a few at a time.
    """
    n_leads = len(shell.n_modes)
    sizes = [(n_leads, *block.orbitals.shape, block.orbitals.shape[1]) for block in blocks]
    if 16 * sum(math.prod(size) for size in sizes) > shell.max_memory:
        yield from _by_modes(blocks, shell.states(), shell.n_modes)
        return
    densities = [np.zeros(size, complex) for size in sizes]
    for lead, states in shell.blocks():
        for block, density in zip(blocks, densities, strict=True):
            add_local_densities(states, block.orbitals, density[lead])
    for block, density in zip(blocks, densities, strict=True):
        yield block.centres, block_responses(block.matrices, density)


def _by_modes(
    blocks: list[CentreBlocks], kept: NDArray[np.complex128], n_modes: Sequence[int]
) -> Iterator[tuple[IntArray, Responses]]:
    """Yield some centres and their responses, from matrix elements between all states."""
    by_orbital = kept.T
    for block in blocks:
        n, touched = block.orbitals.shape
        dim, n_states = block.matrices.shape[1], sum(n_modes)
        for some in chunks(n, (dim + 1) * n_states * (touched + n_states)):
            local = by_orbital[block.orbitals[some]]
            yield (
                block.centres[some],
                block_responses_by_modes(block.matrices[some], local, n_modes),
            )
