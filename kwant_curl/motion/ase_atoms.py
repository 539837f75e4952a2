"""Which atoms of ASE the coordinates of a field are, and by how much they are displaced."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from kwant_curl.coordinates.base import forces_of
from kwant_curl.motion.field import ResponseField
from kwant_curl.support.ase_units import AseUnits
from kwant_curl.support.frozen import read_only
from kwant_curl.vibrations.matching import Match, point
from kwant_curl.vibrations.other_programs import Crystal

__all__ = ["FieldAtoms"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HINT = " If the atoms are displaced from the sites by now, say which they are: indices=[...]."

OFF = 1e-6
"""How far, in Å, atoms may be off the plane or line of a system in which they move."""


class FieldAtoms:
    """The atoms of ASE that a field's coordinates displace.

    Parameters
    ----------
    field : ResponseField
        Of Cartesian displacements of sites.
    indices : sequence of int, optional
        The atoms, in the order of the sites that move.  Default: those at the sites.
    tolerance : float
        How far, in Å, a site may be from its atom where no indices are given.
    """

    def __init__(
        self, field: ResponseField, indices: Sequence[int] | None, tolerance: float
    ) -> None:
        self.units = AseUnits.of(field.units)
        moved = forces_of(field.coordinates, field.model)
        if moved.positions is None or moved.sites is None:
            raise TypeError(
                f"The field's coordinates are {type(field.coordinates).__name__}, which don't say "
                "where atoms are; expected Displacements of sites, or those of a Junction."
            )
        self.places = read_only(self.units.length * moved.positions)
        self.sites, self._syst, self._tolerance = moved.sites, field.model.syst, tolerance
        self._given = None if indices is None else _checked(indices, len(self.places))
        self._found: IntArray | None = None
        self._off = np.zeros((len(self.places), 3 - self.dim))

    @property
    def dim(self) -> int:
        """The dimension of space of the system: x, y(, z) of the atoms."""
        return self.places.shape[1]

    @property
    def indices(self) -> IntArray:
        """The atoms, (n,); raises as long as they are not known."""
        known = self._given if self._found is None else self._found
        if known is None:
            raise ValueError(
                "Which atoms move is known as soon as there are any: attach the calculator to "
                "the atoms and ask for forces, or give indices=[...]."
            )
        return known

    def displacements(self, atoms: Any) -> FloatArray:
        """Return the displacements of the coordinates, (n_c,), in the field's unit of length."""
        positions = np.asarray(atoms.positions, dtype=float)
        if self._found is None:
            self._match(positions)
        mine = positions[self.indices]
        q = mine[:, : self.dim] - self.places
        if atoms.pbc.any():
            q = _nearest_images(q, atoms)
        off = np.abs(mine[:, self.dim :] - self._off)
        if off.size and off.max() > OFF:
            self._raise_off(off)
        return np.asarray(q / self.units.length).ravel()

    def whole(self, vectors: FloatArray, n_atoms: int) -> FloatArray:
        """Return vectors (n_c,) of the coordinates as those of all atoms, (n_atoms, 3)."""
        result = np.zeros((n_atoms, 3))
        result[self.indices, : self.dim] = vectors.reshape(-1, self.dim)
        return result

    def in_space(self, tensor: FloatArray) -> FloatArray:
        """Return a tensor (n_c, n_c) of the coordinates as one of atoms with x, y and z."""
        n = len(self.places)
        result = np.zeros((n, 3, n, 3))
        result[:, : self.dim, :, : self.dim] = tensor.reshape(n, self.dim, n, self.dim)
        return result.reshape(3 * n, 3 * n)

    def _match(self, positions: FloatArray) -> None:
        """Find the atoms, or check those that were given."""
        found = self._given
        if found is None:
            everyone = np.arange(len(positions))
            crystal = Crystal(positions, everyone, np.ones(len(positions)), np.empty(0), HINT)
            found = Match(self._syst, self.sites, self.places, crystal, self._tolerance, "Å").rows()
        elif found.max() >= len(positions):
            raise ValueError(
                f"indices names atom {found.max()}, but the atoms are 0 to {len(positions) - 1}."
            )
        else:
            self._check_order(positions[found, : self.dim], found)
        self._off = positions[found, self.dim :].copy()
        self._found = read_only(found)

    def _check_order(self, mine: FloatArray, found: IntArray) -> None:
        """Raise where the same atoms in another order would be nearer to the sites."""
        squares = ((mine[:, None] - self.places) ** 2).sum(axis=2)
        best = linear_sum_assignment(squares)[1]
        if squares.trace() > squares[np.arange(len(best)), best].sum() + OFF**2:
            first = int(np.flatnonzero(best != np.arange(len(best)))[0])
            own, other = (self._syst.sites[self.sites[i]] for i in (first, best[first]))
            raise ValueError(
                f"Atom {found[first]} at {point(mine[first])} Å is, by indices, the site {own} at "
                f"{point(self.places[first])} Å; it belongs to {other} at "
                f"{point(self.places[best[first]])} Å. Expected the atoms in the order of the "
                "sites that move."
            )

    def _raise_off(self, off: FloatArray) -> None:
        atom, axis = np.unravel_index(int(off.argmax()), off.shape)
        raise ValueError(
            f"Atom {self.indices[atom]} has moved by {off.max():.3g} Å along "
            f"{'xyz'[self.dim + int(axis)]}, and the system has {self.dim} dimension(s): it "
            "doesn't know the force there. Hold the atoms: ase.constraints.FixCartesian(indices, "
            f"mask={tuple(k >= self.dim for k in range(3))}), or take a system in 3D."
        )


def _checked(indices: ArrayLike, number: int) -> IntArray:
    """Return indices as an array, or raise."""
    array = np.asarray(indices)
    if array.shape != (number,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"indices has shape {array.shape} and type {array.dtype}; expected {number} whole "
            "numbers, one atom for each site that moves."
        )
    if array.min() < 0 or len(np.unique(array)) < number:
        raise ValueError(f"indices is {array.tolist()}; expected distinct atoms, counted from 0.")
    return array.astype(np.int64)


def _nearest_images(vectors: FloatArray, atoms: Any) -> FloatArray:
    """Return displacements (n, dim) to the nearest image: atoms may have been wrapped."""
    from ase.geometry import find_mic

    whole = np.zeros((len(vectors), 3))
    whole[:, : vectors.shape[1]] = vectors
    nearest: FloatArray = find_mic(whole, atoms.cell, atoms.pbc)[0]
    return nearest[:, : vectors.shape[1]]
