"""Vibrational modes of the atoms: from force constants, from ASE and from Phonopy."""

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.linalg import eigh

from kwant_curl.checks import positive_array, positive_number
from kwant_curl.coordinates import Displacements
from kwant_curl.coordinates.where import moving_sites
from kwant_curl.frozen import freeze, read_only
from kwant_curl.storage import Storable
from kwant_curl.system import check_finite_system, site_positions
from kwant_curl.units import EV_ANGSTROM_AMU, Units
from kwant_curl.vibrations.crystals import Crystal, Match, crystal_of_ase, crystal_of_phonopy, point

__all__ = ["VibrationalModes"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ORTHONORMAL = 1e-8
"""By how much products of the vectors may differ from those of orthonormal ones."""

SYMMETRIC = 1e-6
"""By how much force constants may differ from their transpose, relative to the largest."""

HYDROGEN = 1.0
"""Atomic mass units; the lightest atom has 1.008."""

ZERO_MODE = 1e-9
"""Below this part of the largest omega^2, that of a mode is zero up to rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class VibrationalModes(Storable):
    """Harmonic vibrations of the atoms: frequencies and patterns of displacements.

    Made by `from_force_constants`, `from_ase` and `from_phonopy`.  hbar = 1: with energies in E
    and lengths in L, frequencies are the energies hbar omega in E, masses are in hbar^2/(E L^2).

    Attributes
    ----------
    frequencies : array of float, shape (n_modes,)
        omega of each mode, ascending.
    vectors : array of float, shape (n_modes, n_c)
        A mode per row: the mass-weighted displacements sqrt(M_I) u_I, orthonormal.  Coordinates
        are ordered as those of `Displacements`.
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are that move, if that is known.
    sites : array of int, shape (n_atoms,), or None
        The sites of the system that they are, if that is known.
    units : Units or None
        The units, for labels.
    """

    DIMENSIONS = {  # noqa: RUF012
        "frequencies": ("mode",),
        "vectors": ("mode", "coordinate"),
        "masses": ("coordinate",),
        "positions": ("atom", "direction"),
        "sites": ("atom",),
    }

    frequencies: FloatArray
    vectors: FloatArray
    masses: FloatArray
    positions: FloatArray | None = None
    sites: IntArray | None = None
    _: KW_ONLY
    units: Units | None = None

    def __post_init__(self) -> None:
        freeze(self, "frequencies", "vectors", "masses")
        n_c = _check_modes(self.frequencies, self.vectors, self.masses)
        for name in ("positions", "sites"):
            if getattr(self, name) is not None:
                freeze(self, name)
        _check_atoms(self.positions, self.sites, n_c)

    def __repr__(self) -> str:
        """Say how many modes there are, and between which frequencies."""
        unit = "" if self.units is None else f" {self.units.energy_unit}"
        return (
            f"<VibrationalModes: {len(self)} modes of {len(self.masses)} coordinates, frequencies "
            f"from {self.frequencies.min():.4g} to {self.frequencies.max():.4g}{unit}>"
        )

    def __len__(self) -> int:
        return len(self.frequencies)

    @property
    def patterns(self) -> FloatArray:
        """Displacement patterns, shape (n_modes, n_c), for `ForceResponse.project`.

        u_I = sum_k patterns[k, I] q_k, where the mass of each q_k is 1.
        """
        return read_only(self.vectors / np.sqrt(self.masses))

    @property
    def force_constants(self) -> FloatArray:
        """Force constants K, shape (n_c, n_c), in E/L^2, of a complete set of modes.

        Raises
        ------
        ValueError
            For fewer modes than coordinates, which don't determine K.
        """
        if len(self) < len(self.masses):
            raise ValueError(
                f"{len(self)} modes of {len(self.masses)} coordinates don't determine the force "
                "constants; take them from all modes, before select()."
            )
        weighted = self.vectors * np.sqrt(self.masses)
        return read_only(weighted.T * self.frequencies**2 @ weighted)

    def select(self, which: ArrayLike) -> Self:
        """Return some of the modes.

        Parameters
        ----------
        which : sequence of int or of bool
            Indices of modes, in the order in which they are wanted, or whether each is.

        Returns
        -------
        VibrationalModes

        Raises
        ------
        ValueError
            If `which` names no mode, one more than once, or one that isn't there.
        """
        chosen = _mode_indices(which, len(self))
        return replace(self, frequencies=self.frequencies[chosen], vectors=self.vectors[chosen])

    @classmethod
    def from_force_constants(
        cls,
        force_constants: Any,
        masses: ArrayLike,
        *,
        positions: ArrayLike | None = None,
        sites: ArrayLike | None = None,
        units: Units | None = None,
    ) -> Self:
        """Return the modes of K v = omega^2 M v.

        Parameters
        ----------
        force_constants : array or sparse array of float
            K, the second derivatives of the energy, symmetric and positive definite, in E/L^2;
            shape (n_c, n_c), or (n_atoms, dim, n_atoms, dim).
        masses : float or array (n_c,) or (n_atoms,)
            Masses in hbar^2/(E L^2), of each coordinate or of each atom, n_c = dim n_atoms;
            `Units.mass` makes them from atomic mass units.
        positions : array (n_atoms, dim), optional
            Where the atoms are that move.
        sites : array of int (n_atoms,), optional
            The sites of the system that they are.
        units : Units, optional
            Units of energy and length, for labels; masses below that of a hydrogen atom are then
            an error.

        Returns
        -------
        VibrationalModes
            Each vector with the sign that makes its largest component positive.

        Raises
        ------
        TypeError, ValueError
            For force constants that are not real, finite and symmetric, that have a direction
            in which no force drives the atoms back, and for masses that don't fit.
        """
        matrix = _symmetric_matrix(force_constants)
        places = None if positions is None else np.asarray(positions, dtype=float)
        numbers = None if sites is None else np.asarray(sites)
        _check_atoms(places, numbers, len(matrix))
        mass = _masses(masses, len(matrix), None if places is None else len(places))
        _check_heavy(mass, units)
        root = np.sqrt(mass)
        squares, columns = eigh(matrix / np.outer(root, root))
        vectors = _with_signs(columns.T)
        _check_positive(squares, vectors / root, places, numbers)
        return cls(
            np.sqrt(squares),
            vectors,
            mass,
            places,
            numbers,
            units=units,
        )

    @classmethod
    def from_ase(
        cls,
        vibrations: Any,
        syst: Any,
        coordinates: Displacements,
        *,
        units: Units = EV_ANGSTROM_AMU,
        tolerance: float = 0.1,
    ) -> Self:
        """Return the modes of the moving atoms of a system from a calculation of ASE.

        Parameters
        ----------
        vibrations : ase.vibrations.VibrationsData or ase.vibrations.Vibrations
            The second derivatives of the energy, after ``run()``.
        syst : kwant.system.FiniteSystem
            A finalized Builder whose sites are at the positions of the atoms.
        coordinates : Displacements
            What moves: the others are held fixed, whether ASE displaced them or not.
        units : Units
            Units of the Hamiltonian and of the sites' positions.
        tolerance : float
            How far a site may be from its atom, in units of length of the sites.

        Returns
        -------
        VibrationalModes
            In the coordinates of `coordinates`, in their order.

        Raises
        ------
        TypeError, ValueError
            For other objects, for sites that are not each one atom that ASE displaced, and as
            `from_force_constants`.

        Notes
        -----
        In 2D the sites are compared with x and y of the atoms, which move in the plane alone; in
        1D with x.
        """
        _check_arguments(coordinates, units)
        crystal = crystal_of_ase(vibrations, units)
        return cls._of_moving_atoms(crystal, syst, coordinates, units, tolerance)

    @classmethod
    def from_phonopy(
        cls,
        phonon: Any,
        syst: Any,
        coordinates: Displacements,
        *,
        units: Units = EV_ANGSTROM_AMU,
        tolerance: float = 0.1,
    ) -> Self:
        """Return the modes of the moving atoms of a system from a calculation of Phonopy.

        Parameters
        ----------
        phonon : phonopy.Phonopy
            With force constants; those at Gamma of its primitive cell are taken, so all images
            of an atom move together.
        syst, coordinates, units, tolerance
            As for `from_ase`.

        Returns
        -------
        VibrationalModes
            In the coordinates of `coordinates`, in their order.

        Raises
        ------
        TypeError, ValueError
            For other objects, for sites that are not each one atom of the primitive cell, and as
            `from_force_constants`.

        Notes
        -----
        Sites are compared with ``phonon.primitive.positions``, in Å, as they are: images in other
        cells don't count.  ``Phonopy(..., primitive_matrix="P")`` keeps the unit cell as it was
        given.  Frequencies of Phonopy are taken as THz, its default.
        """
        _check_arguments(coordinates, units)
        crystal = crystal_of_phonopy(phonon, units)
        return cls._of_moving_atoms(crystal, syst, coordinates, units, tolerance)

    @classmethod
    def _of_moving_atoms(
        cls,
        crystal: Crystal,
        syst: Any,
        coordinates: Displacements,
        units: Units,
        tolerance: float,
    ) -> Self:
        """Return the modes of the sites that move, where all other atoms are held fixed."""
        check_finite_system(syst)
        within = positive_number("tolerance", tolerance)
        moving = moving_sites(syst, coordinates.where)
        places = site_positions(syst)[moving]
        match = Match(syst, moving, places, crystal, within, units.length_unit)
        rows = match.rows()
        dim = places.shape[1]
        part = crystal.force_constants[rows][:, :dim, rows, :dim]
        return cls.from_force_constants(
            part.reshape(2 * (len(rows) * dim,)),
            crystal.masses[rows],
            positions=places,
            sites=moving,
            units=units,
        )


def _check_arguments(coordinates: Any, units: Any) -> None:
    if not isinstance(coordinates, Displacements):
        raise TypeError(
            f"coordinates is a {type(coordinates).__name__}; expected Displacements: vibrations "
            "are displacements of atoms."
        )
    if not isinstance(units, Units):
        raise TypeError(f"units is {units!r}; expected Units, as EV_ANGSTROM_AMU.")


def _check_modes(frequencies: FloatArray, vectors: FloatArray, masses: FloatArray) -> int:
    """Return the number of coordinates, or raise if these are no modes."""
    n_modes, n_c = frequencies.size, masses.size
    shapes = {"frequencies": frequencies, "vectors": vectors, "masses": masses}
    expected = {"frequencies": (n_modes,), "vectors": (n_modes, n_c), "masses": (n_c,)}
    for name, array in shapes.items():
        if array.shape != expected[name] or not array.size:
            raise ValueError(
                f"{name} has shape {array.shape}; expected frequencies (n_modes,), vectors "
                f"(n_modes, n_c) and masses (n_c,), here with n_modes = {n_modes}, n_c = {n_c}."
            )
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ValueError(f"{name} has entries that are not real, finite numbers.")
    positive_array("frequencies", frequencies, n_modes)
    positive_array("masses", masses, n_c)
    deviation = np.abs(vectors @ vectors.T - np.eye(n_modes)).max()
    if deviation > ORTHONORMAL:
        raise ValueError(
            f"vectors are not orthonormal: their products differ by up to {deviation:.2g} from "
            "those of orthonormal rows; give the mass-weighted ones, sqrt(M_I) u_I."
        )
    return n_c


def _check_atoms(positions: FloatArray | None, sites: NDArray[Any] | None, n_c: int) -> None:
    """Raise unless n_c coordinates may be those of atoms at these positions and sites."""
    if positions is not None:
        shape = positions.shape
        if len(shape) != 2 or shape[1] not in (1, 2, 3) or shape[0] * shape[1] != n_c:
            raise ValueError(
                f"positions has shape {shape}; expected (n_atoms, dim) with n_atoms dim = {n_c}, "
                "the number of coordinates, and dim 1, 2 or 3."
            )
        if not np.isfinite(positions).all():
            raise ValueError("positions has entries that are not finite.")
    if sites is not None:
        possible = [n_c // dim for dim in (1, 2, 3) if n_c % dim == 0]
        lengths = possible if positions is None else [len(positions)]
        if sites.ndim != 1 or len(sites) not in lengths or sites.dtype.kind not in "iu":
            raise ValueError(
                f"sites is an array {sites.shape} of {sites.dtype}; expected the index of the "
                f"site of each atom, {' or '.join(map(str, lengths))} integers."
            )
        if len(np.unique(sites)) < len(sites):
            raise ValueError(f"sites is {sites}; expected each site once.")


def _mode_indices(which: ArrayLike, n_modes: int) -> IntArray:
    given = np.atleast_1d(np.asarray(which))
    if given.dtype == bool:
        if given.shape != (n_modes,):
            raise ValueError(
                f"which is a mask of shape {given.shape}; expected ({n_modes},), one per mode."
            )
        given = np.flatnonzero(given)
    if not given.size:
        raise ValueError(f"which names no mode; expected some of the {n_modes}.")
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ValueError(f"which is {which!r}; expected indices of modes, or a mask.")
    if given.min() < -n_modes or given.max() >= n_modes:
        raise ValueError(f"which is {which!r}; the modes are 0 to {n_modes - 1}.")
    chosen = given % n_modes
    if len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"which is {which!r}; expected each mode once.")
    return np.asarray(chosen, dtype=np.int64)


def _symmetric_matrix(force_constants: Any) -> FloatArray:
    """Return the force constants as a dense symmetric matrix, or raise."""
    dense = force_constants.toarray() if sparse.issparse(force_constants) else force_constants
    array = np.asarray(dense)
    if array.dtype.kind not in "fiuc":
        raise TypeError(f"force_constants has entries of type {array.dtype}; expected numbers.")
    if array.ndim == 4 and array.shape[:2] == array.shape[2:]:
        array = array.reshape(2 * (array.shape[0] * array.shape[1],))
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise ValueError(
            f"force_constants has shape {array.shape}; expected (n_c, n_c) or (n_atoms, dim, "
            "n_atoms, dim)."
        )
    if np.iscomplexobj(array):
        raise ValueError("force_constants is complex; expected real numbers.")
    if not np.isfinite(array).all():
        raise ValueError("force_constants has entries that are not finite.")
    difference = np.abs(array - array.T)
    if difference.max() > SYMMETRIC * np.abs(array).max():
        i, j = np.unravel_index(difference.argmax(), array.shape)
        raise ValueError(
            f"force_constants is not symmetric: elements ({i}, {j}) and ({j}, {i}) are "
            f"{array[i, j]:.6g} and {array[j, i]:.6g}, they differ by {difference[i, j]:.2g}. If "
            "that is the error of finite differences, give (K + K.T)/2."
        )
    return np.asarray((array + array.T) / 2, dtype=float)


def _masses(masses: ArrayLike, n_c: int, n_atoms: int | None) -> FloatArray:
    """Return the mass of each coordinate."""
    per_atom = [n_c // dim for dim in (2, 3) if n_c % dim == 0] if n_atoms is None else [n_atoms]
    size = np.size(masses)
    if np.ndim(masses) > 1 or size not in (1, n_c, *per_atom):
        raise ValueError(
            f"masses has shape {np.shape(masses)}; expected one number, {n_c} of them (one per "
            f"coordinate) or {' or '.join(map(str, per_atom))} (one per atom)."
        )
    given = positive_array("masses", masses, size)
    return np.repeat(given, n_c // size)


def _check_heavy(masses: FloatArray, units: Units | None) -> None:
    """Raise for masses that no atom has: those given in atomic mass units, most likely."""
    if units is not None and units.amu(float(masses.min())) < HYDROGEN:
        raise ValueError(
            f"masses has {masses.min():.6g} hbar^2/({units.energy_unit} {units.length_unit}^2), "
            f"which is {units.amu(float(masses.min())):.3g} atomic mass units, less than a "
            "hydrogen atom; give masses=units.mass(amu)."
        )


def _with_signs(vectors: FloatArray) -> FloatArray:
    """Return the vectors with the sign that makes the largest component of each positive."""
    size = np.abs(vectors)
    # The first one of those that are as large up to rounding, which would choose otherwise.
    top = (size > (1 - 1e-6) * size.max(axis=1, keepdims=True)).argmax(axis=1)
    return np.asarray(vectors * np.sign(vectors[np.arange(len(vectors)), top])[:, None])


def _check_positive(
    squares: FloatArray,
    patterns: FloatArray,
    positions: FloatArray | None,
    sites: NDArray[Any] | None,
) -> None:
    """Raise unless all omega^2 are positive, and name what moves in the lowest mode."""
    wrong = np.count_nonzero(squares <= ZERO_MODE * np.abs(squares).max())
    if not wrong:
        return
    coordinate = int(np.abs(patterns[0]).argmax())
    raise ValueError(
        f"The force constants are not positive: eigenvalue 0 of {len(squares)}, omega^2 = "
        f"{squares[0]:.4g} (the largest is {squares[-1]:.4g}), is negative or zero ({wrong} of the "
        f"{len(squares)} are); most moves "
        f"{_mover(coordinate, len(squares), positions, sites)}. Relax the atoms with the method "
        "that gives the force constants, hold some of them fixed (atoms that nothing holds have "
        "modes of zero frequency), or calculate the force constants with more atoms around."
    )


def _mover(
    coordinate: int, n_c: int, positions: FloatArray | None, sites: NDArray[Any] | None
) -> str:
    """Say what moves with this coordinate."""
    known = positions if positions is not None else sites
    if known is None:
        return f"coordinate {coordinate}"
    atom, direction = divmod(coordinate, n_c // len(known))
    name = f"atom {atom}" if sites is None else f"site {sites[atom]}"
    place = "" if positions is None else f" at {point(positions[atom])}"
    return f"{name}{place}, along {'xyz'[direction]}"
