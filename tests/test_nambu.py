"""Nambu (Bogoliubov-de Gennes) models: the normal system without doubling, superconductors."""

from itertools import combinations

import kwant
import numpy as np
import pytest
from systems import SIGMA

import kwant_curl as kc
from kwant_curl.devices import Atoms

TAU_Z = np.diag([1.0, -1.0])
SCALED = kc.PowerLaw(2)


def plain(h):
    return h


def tau_first(h):
    """Electrons first: kron(tau, orbital)."""
    zero = np.zeros_like(h)
    return np.block([[h, zero], [zero, -h.conj()]])


def tau_last(h):
    """Each orbital's electron and hole beside each other: kron(orbital, tau)."""
    return np.kron(h, np.diag([1, 0])) - np.kron(h.conj(), np.diag([0, 1]))


def rotated(h):
    """Majorana orbitals, of which neither is an electron."""
    n = len(h)
    turn = np.kron(np.array([[1, 1], [1j, -1j]]) / np.sqrt(2), np.eye(n))
    return turn @ tau_first(h) @ turn.conj().T


def charge_of(double, norbs):
    """The charge that goes with a doubling, which makes it of the number of electrons."""
    return None if double is plain else double(np.eye(norbs, dtype=complex))


def random_device(double, *, norbs=1, n_leads=2, mu=0.3, seed=3):
    """A few atoms with random complex Hamiltonians, chains as leads; `double` makes it Nambu."""
    rng = np.random.default_rng(seed)
    size = len(double(np.eye(norbs, dtype=complex)))
    positions = rng.normal(size=(6, 2)) + 3 * np.arange(6)[:, None]
    atoms = Atoms(positions, norbs=size)
    builder = kwant.Builder()

    def block():
        return rng.normal(size=(norbs, norbs)) + 1j * rng.normal(size=(norbs, norbs))

    one = np.eye(norbs, dtype=complex)
    for i in range(6):
        h = block()
        builder[atoms(i)] = double(0.3 * (h + h.conj().T) - mu * one)
    for i, j in combinations(range(6), 2):
        if j == i + 1 or rng.random() < 0.3:
            builder[atoms(i), atoms(j)] = double(block())
    for number in range(n_leads):
        lattice = kwant.lattice.general(
            [(1, 0)], [(0, 10 + number)], name=f"lead{number}", norbs=size
        ).sublattices[0]
        builder[lattice(0)] = double((0.2 * number - mu) * one)
        builder[atoms((2 * number) % 6), lattice(0)] = double(block())
        lead = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
        lead[lattice(0)] = double((0.2 * number - mu) * one)
        lead[lattice(0), lattice(1)] = double(-2.0 * one)
        builder.attach_lead(lead)
    return builder.finalized()
