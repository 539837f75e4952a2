"""A device between two equal electrodes as dense matrices, with overlaps."""

import numpy as np

__all__ = ["dense_filled", "dense_green"]


def surface(onsite, back, forth, rounds=60):
    """Return the surface Green's function by decimation; back and forth to deeper layers."""
    inner, outer = onsite.copy(), onsite.copy()
    for _ in range(rounds):
        green = np.linalg.inv(inner)
        a, b = back @ green @ forth, forth @ green @ back
        outer, inner = outer - a, inner - a - b
        back, forth = -back @ green @ back, -forth @ green @ forth
    return np.linalg.inv(outer)


def dense_green(hamiltonian, overlap, electrode, energy, eta=1e-11):
    """Return G and the two Gammas of a device between equal electrodes, with overlaps."""
    z = energy + 1j * eta
    within = z * electrode.overlap.toarray() - electrode.hamiltonian.toarray()
    overlaps, hoppings = electrode.coupling_overlap.toarray(), electrode.coupling.toarray()
    between = z * overlaps - hoppings
    # Not its conjugate: z is a number on both sides of the diagonal.
    backwards = z * overlaps.conj().T - hoppings.conj().T
    left = backwards @ surface(within, backwards, between) @ between
    right = between @ surface(within, between, backwards) @ backwards
    n = len(within)
    sigma = np.zeros((2, *hamiltonian.shape), complex)
    sigma[0, :n, :n], sigma[1, -n:, -n:] = left, right
    green = np.linalg.inv(z * overlap - hamiltonian - sigma.sum(axis=0))
    return green, 1j * (sigma - sigma.conj().swapaxes(1, 2))


def dense_filled(hamiltonian, overlap, electrode, energy):
    """Return D of each lead."""
    green, gamma = dense_green(hamiltonian, overlap, electrode, energy)
    return np.array([green @ g @ green.conj().T / (2 * np.pi) for g in gamma])
