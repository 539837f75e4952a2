"""Junctions that repeat across the current: k points against a supercell, and against matrices."""

from functools import cache
from itertools import product

import kwant
import numpy as np
import pytest
from dense_junction import dense_filled
from scipy import sparse

from kwant_curl import (
    Calculation,
    Electrode,
    Junction,
    force_response,
)

ENERGY = 0.35
STEP = 1e-3
STRIDE, WIDTH, REACH = 1.4, 3.2, 2.6
"""Planes of atoms along the current; the cell across it, which orbitals don't reach across."""
ACROSS = np.array([[0.0, WIDTH, 0.0], [0.0, 0.0, WIDTH]])

# Two orbitals per atom (or one), with overlaps and an onsite term that depends on near neighbours.


def pair_elements(bond):
    """Return H and S between two atoms (2, 2)."""
    length = np.linalg.norm(bond)
    fall = np.exp(-1.5 * (length - STRIDE)) * (1 - (length / REACH) ** 2) ** 3
    odd = (bond[0] + 0.4 * bond[1] + 0.2 * bond[2]) / length
    even = np.where(np.eye(2, dtype=bool), 1.0, odd)
    hopping = np.array([[-1.1, 0.4], [-0.4, 0.7]])
    shared = np.array([[0.16, 0.06], [-0.06, 0.12]])
    return hopping * even * fall, shared * even * fall


def neighbour_term(length):
    """Return what a neighbour adds to an atom's onsite terms; none beyond half of the cell."""
    return 0.5 * max(0.0, 1 - (length / (0.49 * WIDTH)) ** 2) ** 3


def matrices(positions, lattice, norbs=2):
    """Return {R: (H, S)} of atoms that repeat by the vectors of a lattice, (n, 3)."""
    n = len(positions)
    cells = list(product((-1, 0, 1), repeat=len(lattice)))
    result = {cell: np.zeros((2, norbs * n, norbs * n)) for cell in cells}
    own = result[(0,) * len(lattice)]
    own[0] += np.kron(np.eye(n), np.diag([0.1, 0.9][:norbs]))
    own[1] += np.eye(norbs * n)
    for cell, (i, j) in product(cells, product(range(n), repeat=2)):
        bond = positions[j] + np.array(cell) @ lattice - positions[i]
        length = np.linalg.norm(bond)
        if 0 < length < REACH:
            place = np.ix_(norbs * i + np.arange(norbs), norbs * j + np.arange(norbs))
            for matrix, block in zip(result[cell], pair_elements(bond), strict=True):
                matrix[place] += block[:norbs, :norbs]
            here = norbs * i + np.arange(norbs)
            own[0][here, here] += neighbour_term(length)
    return {cell: pair for cell, pair in result.items() if np.any(pair) or not any(cell)}


def plane(x, lattice):
    """Return two atoms along each lattice vector, in a plane across the current."""
    shifts = [np.array(half) @ lattice / 2 for half in product((0, 1), repeat=len(lattice))]
    return [np.array([x, 0.0, 0.0]) + shift for shift in shifts]


@cache
def places(n_vectors, n_planes):
    """Return the atoms of a device of so many planes; the middle ones stand where they like."""
    lattice = ACROSS[:n_vectors]
    result = np.concatenate([plane(STRIDE * i, lattice) for i in range(n_planes)])
    ends = 2 * 2**n_vectors
    rng = np.random.default_rng(4)
    result[ends:-ends] += rng.uniform(-0.15, 0.15, (len(result) - 2 * ends, 3))
    return result


def repeated(positions, lattice, numbers, layers):
    """Return the atoms of many cells, those of each layer (slices of one cell) of all together."""
    shifts = [np.array(cell) @ lattice for cell in product(*map(range, numbers))]
    return np.concatenate([positions[layer] + s for layer in layers for s in shifts])


class Repeated:
    """A junction of cells of 2^n atoms in each of some planes, n lattice vectors; electrodes alike.

    numbers: how many cells are one, which is then taken at Gamma.
    """

    def __init__(self, n_vectors, n_planes=6, norbs=2, numbers=None):
        self.lattice, self.norbs, self.numbers = ACROSS[:n_vectors], norbs, numbers
        self.positions = places(n_vectors, n_planes)
        self.size = 2 * 2**n_vectors  # atoms of a layer
        n = len(self.positions)
        self.layers = [slice(0, self.size), slice(self.size, n - self.size), slice(-self.size, n)]
        self.layers[2] = slice(n - self.size, n)

    def calculation(self, moved=None):
        """Return the calculation; moved: (atom of the cell, axis, by)."""
        positions = self.positions
        if self.numbers is None:
            return self._of(self._displaced(positions, moved, 0), self.lattice)
        whole = repeated(positions, self.lattice, self.numbers, self.layers)
        atom = None if moved is None else self.number_of(moved[0])
        vectors = np.array(self.numbers)[:, None] * self.lattice
        return self._of(self._displaced(whole, moved, atom), vectors, at_gamma=True)

    def number_of(self, atom):
        """Return the number of an atom of the first cell."""
        if self.numbers is None:
            return atom
        layer = next(n for n, some in enumerate(self.layers) if some.start <= atom < some.stop)
        n_cells = np.prod(self.numbers)
        return n_cells * self.layers[layer].start + atom - self.layers[layer].start

    def _displaced(self, positions, moved, number):
        result = positions.copy()
        if moved is not None:
            atom, axis, by = moved
            result[atom if self.numbers is None else number, axis] += by
        return result

    def _of(self, positions, lattice, at_gamma=False):
        found = matrices(positions, lattice, self.norbs)
        own = found.pop((0,) * len(lattice))
        if at_gamma:
            total = own + sum(found.values(), np.zeros_like(own))
            return Calculation(*total, positions, self.norbs)
        return Calculation(*own, positions, self.norbs, images=found, lattice=lattice)

    @property
    def electrode(self):
        """The electrode, cut out of three layers of a straight piece."""
        line = np.concatenate([plane(STRIDE * i, self.lattice) for i in range(6)])
        layers = [slice(n * self.size, (n + 1) * self.size) for n in range(3)]
        lattice = self.lattice
        if self.numbers is not None:
            line = repeated(line, lattice, self.numbers, layers)
            lattice = np.array(self.numbers)[:, None] * lattice
        # Of the middle: the environment of its atoms is that of an endless electrode.
        straight = self._straight(line, lattice)
        n = len(line) // 3
        atoms = np.arange(3 * n).reshape(3, n)
        return Electrode.from_calculation(straight, atoms)

    def _straight(self, line, lattice):
        period = [[4 * STRIDE * 1.5, 0.0, 0.0]]
        found = matrices(line, np.concatenate([period, lattice]), self.norbs)
        across = {}
        for cell, pair in found.items():
            if cell[0] == 0:
                across[cell[1:]] = pair
        own = across.pop((0,) * len(lattice))
        if self.numbers is not None:
            return Calculation(*(own + sum(across.values(), 0 * own)), line, self.norbs)
        return Calculation(*own, line, self.norbs, images=across, lattice=lattice)

    def junction(self, k_points=None, **keywords):
        return Junction(self.calculation(), self.electrode, k_points=k_points, **keywords)

    def displacements(self, junction, atoms, **keywords):
        runs = {
            (self.number_of(atom), axis): tuple(
                self.calculation((atom, axis, sign * STEP)) for sign in (1, -1)
            )
            for atom, axis in product(atoms, range(3))
        }
        return junction.displacements(runs, align=0, **keywords)
