"""Responses of centres each by itself, from dense blocks on the orbitals that it touches.

Scattering states are rows psi_n, normalised to unit current, so that the density of states
operator of a lead is D = (1/2 pi) sum_n |psi_n><psi_n|.  hbar = 1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.matrix_elements import chunks
from kwant_curl.algebra.rounding import curls_of_traces

__all__ = [
    "add_local_densities",
    "block_responses",
    "block_responses_by_modes",
    "rotation_vector",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]


def add_local_densities(states: ComplexArray, orbitals: IntArray, densities: ComplexArray) -> None:
    """Add (1/2 pi) sum_n |psi_n><psi_n| on the orbitals (n, size) of each centre.

    densities: (n, size, size), changed in place.
    """
    n, size = orbitals.shape
    by_orbital = states.T
    for some in chunks(n, size * (len(states) + size)):
        local = by_orbital[orbitals[some]]
        densities[some] += local @ local.conj().swapaxes(1, 2) / (2 * np.pi)


def block_responses(
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
    traces = np.zeros((n_leads, n, dim, dim), complex)
    friction = np.zeros((n, dim, dim))
    for some in chunks(n, (n_leads + 2) * dim * size**2):
        total = _products(forces[some], densities[:, some].sum(axis=0))
        for lead, density in enumerate(densities[:, some]):
            part = _products(forces[some], density)
            force[lead, some] = np.einsum("ndss->nd", part).real
            trace = np.einsum("nirs,njsr->nij", total, part)
            traces[lead, some] = trace
            friction[some] += np.pi * trace.real
    return force, curls_of_traces(traces), friction


def block_responses_by_modes(
    forces: ComplexArray, states: ComplexArray, n_modes: Sequence[int]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what `block_responses` does, from matrix elements between the states.

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
    grams: ComplexArray = np.array([part @ part.conj().swapaxes(1, 2) for part in flat])
    friction = grams.real.sum(axis=0) / (4 * np.pi)
    return force, curls_of_traces(grams / (4 * np.pi**2)), friction


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
