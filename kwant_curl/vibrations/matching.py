"""Which atoms of an atomistic calculation the moving sites of a system are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kwant_curl.coordinates import Displacements
from kwant_curl.coordinates.where import moving_sites
from kwant_curl.model.checks import check_finite_system
from kwant_curl.model.geometry import site_positions
from kwant_curl.support.checks import positive_number
from kwant_curl.support.units import Units
from kwant_curl.vibrations.other_programs import Crystal

if TYPE_CHECKING:
    from kwant.system import FiniteSystem

__all__ = ["MovingAtoms", "moving_atoms", "point"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Source = TypeVar("Source")


class MovingAtoms(NamedTuple):
    """The arguments of `VibrationalModes.from_force_constants`, of the sites that move."""

    force_constants: FloatArray
    masses: FloatArray
    positions: FloatArray
    sites: IntArray


def moving_atoms(
    crystal_of: Callable[[Source, Units], Crystal],
    source: Source,
    syst: "FiniteSystem",
    coordinates: Displacements,
    units: Units,
    tolerance: float,
) -> MovingAtoms:
    """Return what a calculation knows of the sites that move; all other atoms are held fixed.

    Parameters
    ----------
    crystal_of, source : callable, object
        How to read the calculation, and the calculation.
    syst, coordinates, units, tolerance
        As for `VibrationalModes.from_ase`.
    """
    _check_arguments(coordinates, units)
    crystal = crystal_of(source, units)
    check_finite_system(syst)
    within = positive_number("tolerance", tolerance)
    moving = moving_sites(syst, coordinates.where)
    places = site_positions(syst)[moving]
    rows = Match(syst, moving, places, crystal, within, units.length_unit).rows()
    dim = places.shape[1]
    part = crystal.force_constants[rows][:, :dim, rows, :dim]
    return MovingAtoms(part, crystal.masses[rows], places, moving)


def _check_arguments(coordinates: Any, units: Any) -> None:
    if not isinstance(coordinates, Displacements):
        raise TypeError(
            f"coordinates is a {type(coordinates).__name__}; expected Displacements: vibrations "
            "are displacements of atoms."
        )
    if not isinstance(units, Units):
        raise TypeError(f"units is {units!r}; expected Units, as EV_ANGSTROM_AMU.")


@dataclass(frozen=True)
class Match:
    """The atoms of a crystal at which the moving sites of a system are."""

    syst: "FiniteSystem"
    sites: IntArray
    places: FloatArray
    crystal: Crystal
    tolerance: float
    length_unit: str

    def rows(self) -> IntArray:
        """Return where each site's atom is among the displaced ones, or raise."""
        atoms = self._nearest_atoms()
        self._check_distinct(atoms)
        order = np.full(len(self.crystal.positions), -1)
        order[self.crystal.displaced] = np.arange(len(self.crystal.displaced))
        rows = order[atoms]
        fixed = np.flatnonzero(rows < 0)
        if fixed.size:
            first = fixed[0]
            raise ValueError(
                f"{self._site(first)} is atom {atoms[first]}, which is not among the "
                f"{len(self.crystal.displaced)} atoms whose force constants were calculated "
                f"({fixed.size} of the {len(rows)} moving sites are not). Displace it too "
                "(indices= of ase.vibrations.Vibrations), or leave the site out by `where` of "
                "Displacements."
            )
        return rows

    def _nearest_atoms(self) -> IntArray:
        dim = self.places.shape[1]
        # In 2D and 1D atoms may be above each other: both are then within the tolerance.
        distance, nearest = cKDTree(self.crystal.positions[:, :dim]).query(self.places, k=[1, 2])
        far = np.flatnonzero(distance[:, 0] > self.tolerance)
        if far.size:
            raise ValueError(self._far_message(far, distance[:, 0], nearest[:, 0]))
        several = np.flatnonzero(distance[:, 1] <= self.tolerance)
        if several.size:
            first = several[0]
            one, two = nearest[first]
            raise ValueError(
                f"{self._site(first)} may be atom {one} or atom {two}, which are both within "
                f"{self._length(self.tolerance)} of it in the {dim} direction(s) of the system. "
                "Give a smaller tolerance=, or leave one of the atoms out of the calculation."
            )
        return np.asarray(nearest[:, 0])

    def _check_distinct(self, atoms: IntArray) -> None:
        _, first, times = np.unique(atoms, return_index=True, return_counts=True)
        if (times > 1).any():
            atom = atoms[first[times > 1][0]]
            one, two = np.flatnonzero(atoms == atom)[:2]
            raise ValueError(
                f"{self._site(one)} and {self._site(two)} are both atom {atom} "
                f"at {self._point(self.crystal.positions[atom])}; expected one site per atom. "
                "Give a smaller tolerance=, or leave one of them out by `where` of Displacements."
            )

    def _far_message(self, far: IntArray, distance: FloatArray, nearest: IntArray) -> str:
        first = far[0]
        atom = nearest[first]
        return (
            f"{self._site(first)} has no atom within {self._length(self.tolerance)}: the nearest "
            f"is atom {atom} at {self._point(self.crystal.positions[atom])}, "
            f"{self._length(distance[first])} away ({far.size} of the {len(self.sites)} moving "
            "sites have none). Shift the atoms onto the sites (atoms.translate), check units=, "
            "give a larger tolerance=, or leave the site out by `where` of Displacements."
            f"{self.crystal.hint}"
        )

    def _site(self, i: int) -> str:
        return f"{self.syst.sites[self.sites[i]]} at {self._point(self.places[i])}"

    def _point(self, position: FloatArray) -> str:
        return f"{point(position)} {self.length_unit}".rstrip()

    def _length(self, length: float) -> str:
        return f"{length:.4g} {self.length_unit}".rstrip()


def point(position: FloatArray) -> str:
    """Return a position as text."""
    return f"({', '.join(f'{x:.4g}' for x in position)})"
