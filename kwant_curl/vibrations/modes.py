"""Vibrational modes of the atoms: of vectors, from force constants, from ASE and Phonopy."""

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.memory import Memory
from kwant_curl.coordinates import Displacements
from kwant_curl.results.modes import ModeSet
from kwant_curl.support.frozen import read_only
from kwant_curl.support.magnitudes import check_frequencies, check_masses
from kwant_curl.support.matrices import check_atoms
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import EV_ANGSTROM_AMU, Units, spaced, unit_names
from kwant_curl.vibrations.harmonic import SparseMatrix, harmonic_modes
from kwant_curl.vibrations.local import (
    Linewidths,
    LocalVibrations,
    linewidths_of,
    local_density_of,
)
from kwant_curl.vibrations.matching import moving_atoms
from kwant_curl.vibrations.mode_checks import (
    check_held,
    check_leads,
    checked_frequencies,
    masses_of_coordinates,
    mode_indices,
    normalised,
    pattern_rows,
)
from kwant_curl.vibrations.other_programs import (
    AseData,
    AseVibrations,
    PhonopyCalculation,
    crystal_of_ase,
    crystal_of_phonopy,
)
from kwant_curl.vibrations.phonon_leads import PhononLeads

if TYPE_CHECKING:
    from kwant.system import FiniteSystem

__all__ = ["VibrationalModes"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class VibrationalModes(ModeSet, Storable):
    """Harmonic vibrations of the atoms: frequencies and patterns of displacements.

    Of mode vectors that you have, or by `from_force_constants`, `from_eigenvectors`, `from_ase` and
    `from_phonopy`.  hbar = 1: with energies in E and lengths in L, frequencies are the energies
    hbar omega in E, masses are in hbar^2/(E L^2).

    Parameters
    ----------
    frequencies : array of float, shape (n_modes,)
        omega of each mode, positive, in any order.
    patterns : array of float, shape (n_modes, n_c) or (n_modes, n_atoms, dim)
        A mode per row: the displacements u_I, of any length.  Real, and orthogonal with the masses:
        sum_I M_I u_I u'_I = 0 (up to 1e-6 for modes of length one).  Coordinates are ordered as
        those of `Displacements`.
    masses : float or array (n_c,) or (n_atoms,)
        Masses, of each coordinate or of each atom; `Units.mass` makes them from atomic mass units.
    positions : array of float, shape (n_atoms, dim), optional
        Where the atoms are that move, if that is known.
    sites : array of int, shape (n_atoms,), optional
        The sites of the system that they are, if that is known.
    units : Units, optional
        The units, for labels; masses and frequencies that no atoms have are then an error.
    leads : PhononLeads, optional
        The lattice around the moving atoms, into which the vibrations leave, in the same
        coordinates.  The frequencies are then those with this lattice held, with all their digits.

    Raises
    ------
    ValueError
        For patterns that are complex or not orthogonal, frequencies that are not positive,
        masses that don't fit, and leads with which the atoms don't stay where they are.

    Notes
    -----
    The attributes have the names of the parameters: `patterns`, of shape (n_modes, n_c), are
    normalised, sum_I M_I u_I^2 = 1, so that u_I = sum_k patterns[k, I] q_k and the mass of each q_k
    is 1; `masses` are those of the coordinates, (n_c,).

    Examples
    --------
    >>> units = EV_ANGSTROM_AMU
    >>> omega = units.frequency_from_millielectronvolt(np.array([18.0, 18.5]))
    >>> VibrationalModes(omega, [[1.0, 0.0], [0.0, 1.0]], units.mass(12.0), units=units)
    <VibrationalModes: 2 modes of 2 coordinates, frequencies from 0.018 to 0.0185 eV>
    """

    DIMENSIONS = {  # noqa: RUF012
        "frequencies": ("mode",),
        "patterns": ("mode", "coordinate"),
        "masses": ("coordinate",),
        "positions": ("atom", "direction"),
        "sites": ("atom",),
    }
    DERIVED = {"vectors": ("mode", "coordinate")}  # noqa: RUF012

    frequencies: FloatArray
    patterns: FloatArray
    masses: FloatArray
    _: KW_ONLY
    positions: FloatArray | None = None
    sites: IntArray | None = None
    units: Units | None = None
    leads: PhononLeads | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        rows = pattern_rows(self.patterns)
        n_modes, n_c = rows.shape
        check_atoms(self.positions, self.sites, n_c)
        known = self.positions if self.positions is not None else self.sites
        masses = masses_of_coordinates(self.masses, n_c, None if known is None else len(known))
        check_masses(masses, self.units, name="masses")
        frequencies = checked_frequencies(self.frequencies, n_modes)
        check_frequencies(frequencies, self.units, name="frequencies")
        check_leads(self.leads, n_c)
        object.__setattr__(self, "frequencies", read_only(frequencies))
        object.__setattr__(self, "masses", read_only(masses))
        object.__setattr__(self, "patterns", read_only(normalised(rows, masses)))
        check_held(self.frequencies, self.vectors, self.leads)

    def __repr__(self) -> str:
        """Say how many modes there are, and between which frequencies."""
        unit = spaced(unit_names(self.units).energy)
        return (
            f"<VibrationalModes: {len(self)} modes of {len(self.masses)} coordinates, frequencies "
            f"from {self.frequencies.min():.4g} to {self.frequencies.max():.4g}{unit}>"
        )

    def __len__(self) -> int:
        return len(self.frequencies)

    @property
    def vectors(self) -> FloatArray:
        """Mass-weighted displacements sqrt(M_I) u_I, shape (n_modes, n_c), orthonormal rows."""
        return read_only(self.patterns * np.sqrt(self.masses))

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
        chosen = mode_indices(which, len(self))
        return replace(self, frequencies=self.frequencies[chosen], patterns=self.patterns[chosen])

    def local_density(self, omega: ArrayLike) -> LocalVibrations:
        """Return the local density of vibrations of the moving atoms, with their leads.

        Parameters
        ----------
        omega : array of float or complex, shape (n_omega,)
            Frequencies.

        Returns
        -------
        LocalVibrations
            By the rational self-energy of `leads`; `Lattice.local_density` has the exact one.

        Raises
        ------
        ValueError
            Without leads.
        """
        points = np.atleast_1d(np.asarray(omega, dtype=complex))
        density = local_density_of(self.frequencies, self.vectors, self._memory(), points)
        return LocalVibrations(points.real, density, self.positions, units=self.units)

    def linewidths(self) -> Linewidths:
        """Return damping, lifetime and shift of each mode by the leads, without current.

        Raises
        ------
        ValueError
            Without leads.
        """
        found = linewidths_of(self.frequencies, self._memory())
        return Linewidths(self.frequencies, *found, units=self.units)

    def _memory(self) -> Memory:
        """Return the self-energy of the leads in the basis of the modes."""
        if self.leads is None:
            raise ValueError(
                "These modes have no leads: their vibrations don't leave. Make them by "
                "Lattice.modes, or give leads=."
            )
        return self.leads.memory().projected(self.vectors)

    @classmethod
    def from_force_constants(
        cls,
        force_constants: ArrayLike | SparseMatrix,
        masses: ArrayLike,
        *,
        positions: ArrayLike | None = None,
        sites: ArrayLike | None = None,
        units: Units | None = None,
        leads: PhononLeads | None = None,
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
            Units of energy and length, for labels; masses below that of a hydrogen atom, and
            frequencies above 1 eV, are then an error.
        leads : PhononLeads, optional
            The lattice around the moving atoms, which K holds fixed, in the same coordinates.

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
        found = harmonic_modes(force_constants, masses, positions, sites)
        return cls(**found._asdict(), units=units, leads=leads)

    @classmethod
    def from_eigenvectors(
        cls,
        frequencies: ArrayLike,
        eigenvectors: ArrayLike,
        masses: ArrayLike,
        *,
        positions: ArrayLike | None = None,
        sites: ArrayLike | None = None,
        units: Units | None = None,
    ) -> Self:
        """Return modes that are known by eigenvectors of the dynamical matrix.

        Parameters
        ----------
        frequencies : array (n_modes,)
            omega of each mode.
        eigenvectors : array (n_modes, n_c) or (n_modes, n_atoms, dim)
            Mass-weighted displacements sqrt(M_I) u_I, a mode per row, of any length: those of
            M^(-1/2) K M^(-1/2).
        masses, positions, sites, units
            As for `VibrationalModes`.

        Returns
        -------
        VibrationalModes

        Raises
        ------
        ValueError
            As `VibrationalModes`.
        """
        rows = pattern_rows(eigenvectors)
        places = None if positions is None else np.asarray(positions, dtype=float)
        numbers = None if sites is None else np.asarray(sites)
        check_atoms(places, numbers, rows.shape[1])
        known = places if places is not None else numbers
        mass = masses_of_coordinates(masses, rows.shape[1], None if known is None else len(known))
        patterns = rows / np.sqrt(mass)
        omega = np.asarray(frequencies)
        return cls(omega, patterns, mass, positions=places, sites=numbers, units=units)

    @classmethod
    def from_ase(
        cls,
        vibrations: AseData | AseVibrations,
        syst: "FiniteSystem",
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
        atoms = moving_atoms(crystal_of_ase, vibrations, syst, coordinates, units, tolerance)
        return cls.from_force_constants(**atoms._asdict(), units=units)

    @classmethod
    def from_phonopy(
        cls,
        phonon: PhonopyCalculation,
        syst: "FiniteSystem",
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
        Sites are compared with ``phonon.primitive.positions``, in Å or Bohr as its `calculator`
        has it: images in other cells don't count.  Phonopy 4 reduces the unit cell by default;
        ``Phonopy(..., primitive_matrix="P")`` keeps it as it was given.  Frequencies of Phonopy
        are taken as THz, its default.
        """
        atoms = moving_atoms(crystal_of_phonopy, phonon, syst, coordinates, units, tolerance)
        return cls.from_force_constants(**atoms._asdict(), units=units)
