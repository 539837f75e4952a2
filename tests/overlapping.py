"""A model of orbitals that overlap, as a Kwant system and as dense matrices of its own."""

from functools import cache

import kwant
import numpy as np
from scipy.linalg import eig

from kwant_curl.devices import Atoms

NAME = "E"
END = np.array([[-1.0, 0.0], [4.0, 0.0]])
"""The atoms next to the leads, a unit apart from the next ones, stay where they are."""
REST = np.array([[0.05, 0.1], [1.1, -0.15], [2.0, 0.2], [2.95, -0.05]])
ONSITE = np.array([[0.1, 0.15], [0.15, -0.3]])
LEVELS = np.array([[1.0, 0.1], [0.1, 1.0]])


def hopping_and_overlap(r1, r2):
    """Return H and S between two atoms, (2, 2) each; no functions of the distance alone."""
    d = np.asarray(r2, float) - np.asarray(r1, float)
    length = np.sqrt(d @ d)
    x, y = d / length
    angular = np.array([[1.0, x], [-x, x * x - 0.5 * y * y]])
    return -1.1 * np.exp(1 - length) * angular, 0.16 * np.exp(1.6 * (1 - length)) * angular


def onsite(site, E):
    return ONSITE - E * LEVELS


def hopping(a, b, E):
    h, s = hopping_and_overlap(a.pos, b.pos)
    return h - E * s


def syst_of(positions=REST, onsite=onsite, hopping=hopping):
    """Return the finalized system: two chains, and four atoms that move in between."""
    atoms = Atoms(np.asarray(positions, float), norbs=2)
    builder = kwant.Builder()
    builder[(atoms(i) for i in range(len(positions)))] = onsite
    builder[((atoms(i + 1), atoms(i)) for i in range(len(positions) - 1))] = hopping
    builder[((atoms(i + 2), atoms(i)) for i in range(len(positions) - 2))] = hopping
    for end, inner, step in ((END[0], 0, -1), (END[1], len(positions) - 1, 1)):
        chain = kwant.lattice.Monatomic([(1.0, 0.0)], offset=end, name=f"{step}", norbs=2)
        builder[chain(0)] = onsite
        builder[chain(0), atoms(inner)] = hopping
        lead = kwant.Builder(kwant.TranslationalSymmetry((float(step), 0.0)))
        lead[chain(0)] = onsite
        lead[chain(0), chain(1)] = hopping
        builder.attach_lead(lead)
    return builder.finalized()


def waves_away(energy, h, s):
    """Return factors from cell to cell (2,), and the waves as columns, that go away or decay."""

    def both(e):
        out, back = h - e * s, h.conj().T - e * s.conj().T
        one, none = np.eye(2), np.zeros((2, 2))
        left = np.block([[e * LEVELS - ONSITE, -back], [one, none]])
        factors, waves = eig(left, np.block([[out, none], [none, one]]))
        return factors, waves[:2]

    decaying = both(energy + 1e-5j)[0]
    factors, waves = both(energy)
    decaying = decaying[np.argsort(np.abs(decaying))[:2]]
    which = [int(np.abs(factors - factor).argmin()) for factor in decaying]
    return factors[which], waves[:, which] / np.linalg.norm(waves[:, which], axis=0)


class Dense:
    """The same as matrices: the atoms that move first, then the ends."""

    def __init__(self, positions=REST):
        positions = np.asarray(positions, float)
        n = len(positions)
        every = np.concatenate([positions, END])
        self.H, self.S = (np.kron(np.eye(n + 2), part) for part in (ONSITE, LEVELS))
        bonds = [(i, i + 1) for i in range(n - 1)] + [(i, i + 2) for i in range(n - 2)]
        for i, j in [*bonds, (n, 0), (n + 1, n - 1)]:
            blocks = hopping_and_overlap(every[i], every[j])
            for matrix, block in zip((self.H, self.S), blocks, strict=True):
                matrix[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = block
                matrix[2 * j : 2 * j + 2, 2 * i : 2 * i + 2] = block.T
        self.n_atoms = n

    def sigmas(self, energy):
        """Return the self-energies of both leads, from the waves that leave or decay."""
        result = []
        for number, step in enumerate((-1.0, 1.0)):
            h, s = hopping_and_overlap([0, 0], [step, 0])
            out = h - energy * s
            factors, waves = waves_away(energy, h, s)
            sigma = np.zeros(self.H.shape, complex)
            here = slice(2 * (self.n_atoms + number), 2 * (self.n_atoms + number) + 2)
            sigma[here, here] = out @ (waves * factors) @ np.linalg.inv(waves)
            result.append(sigma)
        return result

    def greens(self, energy):
        """Return G^r."""
        return np.linalg.inv(energy * self.S - self.H - sum(self.sigmas(energy)))

    def densities(self, energy):
        """Return D of each lead."""
        greens = self.greens(energy)
        return [
            greens @ (1j * (sigma - sigma.conj().T)) @ greens.conj().T / (2 * np.pi)
            for sigma in self.sigmas(energy)
        ]


@cache
def derivatives(step=2e-3):
    """Return dH/dQ and dS/dQ of the atoms that move, x and y of each, by finite differences."""
    result = []
    for i in range(REST.size):

        def moved(part, i=i):
            positions = REST.copy()
            positions.flat[i] += part * step
            return Dense(positions)

        ends = [moved(part) for part in (1, -1, 2, -2, 3, -3)]
        weights = np.array([45, -45, -9, 9, 1, -1]) / (60 * step)
        result.append(
            tuple(
                sum(w * getattr(end, name) for w, end in zip(weights, ends, strict=True))
                for name in "HS"
            )
        )
    return result


def syst_of_matrices(H, S=None):
    """Return a system of these matrices between two chains; S None: without an energy parameter.

    The first orbital and the last are in the chains' own basis, where hoppings are -1.
    """
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()

    def element(i, j):
        if S is None:
            return H[i, j]
        return lambda *args: H[i, j] - args[-1] * S[i, j]

    n = len(H)
    named = {1: "a, E", 2: "a, b, E"}
    builder[(lattice(i) for i in range(n))] = 0.0
    for i in range(n):
        for j in range(i + 1):
            if H[i, j] or (S is not None and S[i, j]):
                value = element(i, j)
                sites = (lattice(i), lattice(j)) if i != j else (lattice(i),)
                if S is not None:
                    value = eval(f"lambda {named[len(sites)]}: f(E)", {"f": value})
                builder[sites if len(sites) == 2 else sites[0]] = value
    for step in (-1, 1):
        lead = kwant.Builder(kwant.TranslationalSymmetry((step,)))
        lead[lattice(0)] = 0.0 if S is None else lambda a, E: -E
        lead[lattice.neighbors()] = -1.0
        builder.attach_lead(lead)
    return builder.finalized()
