"""How near a motion is to what doesn't move: the leads, and atoms that are held fixed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.coordinates import Coordinates, forces_by_energy
from kwant_curl.model.model import Model

__all__ = ["Nearness", "nearness"]

ComplexArray = NDArray[np.complex128]
FloatArray = NDArray[np.float64]


class Nearness(NamedTuple):
    """Parts, from 0 to 1, of a motion.

    at_interfaces: of the squared elements of its dH, those in a row or column of an orbital that a
    lead is attached to; beside_fixed: of its energy, that of atoms whose dH touches sites that
    don't move, None where the coordinates are not displacements of sites.
    """

    at_interfaces: float
    beside_fixed: float | None


def nearness(
    model: Model, coordinates: Coordinates, energy: float, vector: ComplexArray, masses: FloatArray
) -> Nearness:
    """Return how near the motion with displacements v (n_c,) is to what doesn't move."""
    forces = forces_by_energy(coordinates, model, energy).at(energy)
    total = sum(v * matrix for v, matrix in zip(vector, forces.matrices(), strict=True))
    entries = total.tocoo()
    weight = np.abs(entries.data) ** 2
    lead = np.zeros(model.n_orbitals, bool)
    lead[np.concatenate([one.orbitals for one in model.scattering.leads])] = True
    near = lead[entries.row] | lead[entries.col]
    at_interfaces = float(weight[near].sum() / weight.sum()) if weight.any() else 0.0
    return Nearness(at_interfaces, _beside_fixed(model, forces, np.abs(vector) ** 2 * masses))


def _beside_fixed(model: Model, forces: Derivatives, energies: FloatArray) -> float | None:
    """Return the part of the energy, given per coordinate, in atoms that touch fixed sites."""
    if forces.sites is None or not energies.any():
        return None
    moves = np.zeros(len(model.offsets) - 1, bool)
    moves[forces.sites] = True
    fixed = np.repeat(~moves, np.diff(model.offsets))
    touches = []
    for matrix in forces.matrices():
        entries = matrix.tocoo()
        there = np.concatenate([entries.row, entries.col])[np.tile(entries.data != 0, 2)]
        touches.append(fixed[there].any())
    by_atom = np.array(touches).reshape(len(forces.sites), -1).any(axis=1)
    of_atom = energies.reshape(len(forces.sites), -1).sum(axis=1)
    return float(of_atom[by_atom].sum() / of_atom.sum())
