"""A lattice between leads: force constants of a device and of what it is attached to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.model.model import Model
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.support.checks import positive_array, positive_integer, positive_number
from kwant_curl.support.frozen import read_only
from kwant_curl.support.magnitudes import check_masses
from kwant_curl.support.units import EV_ANGSTROM_AMU, Units
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.harmonic import SparseMatrix, sparse_symmetric_matrix
from kwant_curl.vibrations.lattice.checks import check_ends, check_stable, dimension
from kwant_curl.vibrations.lattice.fitting import FitChoices, fitted_leads
from kwant_curl.vibrations.lattice.leads import LatticeLead
from kwant_curl.vibrations.lattice.response import Response
from kwant_curl.vibrations.lattice.sum_rule import broken_by, held, net_forces
from kwant_curl.vibrations.lattice.surfaces import (
    band_frequencies,
    frequencies_of,
    lead_selfenergies,
)
from kwant_curl.vibrations.lattice.surroundings import Surroundings, baths_of
from kwant_curl.vibrations.lattice.system import coordinates_of, lattice_system
from kwant_curl.vibrations.local import LocalVibrations
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.other_programs import AseData, AseVibrations, crystal_of_ase
from kwant_curl.vibrations.phonon_leads import PhononLeads

if TYPE_CHECKING:
    from kwant.system import FiniteSystem

__all__ = ["Lattice"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False, repr=False)
class Lattice:
    """Atoms on springs between leads of atoms on springs, into which vibrations leave.

    Made by `from_arrays`, `from_ase` and `of_lead`.  hbar = 1, units as for `VibrationalModes`.

    Attributes
    ----------
    force_constants : sparse CSR array, shape (n_c, n_c)
        K of the device, symmetric; what lies beyond it is held in its diagonal blocks.
    masses : array of float, shape (n_atoms,)
    leads : tuple of LatticeLead
        Each attached to atoms of the device.
    positions : array of float, shape (n_atoms, dim), or None
    units : Units or None

    Examples
    --------
    >>> lead = LatticeLead([[2.0]], [[-1.0]], 1.0)  # a chain of springs of strength 1
    >>> springs = 2 * np.eye(3) - np.eye(3, k=1) - np.eye(3, k=-1)
    >>> chain = Lattice.from_arrays(springs, 1.0, [lead.at([0]), lead.at([2])])
    >>> chain
    <Lattice: 3 atoms, 1 coordinates each, 2 leads>
    >>> chain.modes([1])
    <VibrationalModes: 1 modes of 1 coordinates, frequencies from 1.414 to 1.414>
    """

    force_constants: Any
    masses: FloatArray
    leads: tuple[LatticeLead, ...]
    positions: FloatArray | None = None
    units: Units | None = None

    def __repr__(self) -> str:
        return f"<Lattice: {len(self)} atoms, {self.dim} coordinates each, {len(self.leads)} leads>"

    def __len__(self) -> int:
        return len(self.masses)

    @classmethod
    def from_arrays(
        cls,
        force_constants: ArrayLike | SparseMatrix,
        masses: ArrayLike,
        leads: Sequence[LatticeLead],
        *,
        positions: ArrayLike | None = None,
        units: Units | None = None,
        sum_rule: bool = False,
        tolerance: float = 1e-3,
    ) -> Self:
        """Return a lattice.

        Parameters
        ----------
        force_constants : array or sparse array of float
            K of the device in E/L^2, symmetric; shape (n_c, n_c), or (n_atoms, dim, n_atoms, dim):
            cut out of a larger lattice, so that an atom's own block knows the springs to atoms
            beyond, too.
        masses : float or array (n_atoms,)
            Masses in hbar^2/(E L^2); `Units.mass` makes them from atomic mass units.
        leads : sequence of LatticeLead
            With their `atoms`: outermost atoms of the device that are a cell of the lead.
        positions : array (n_atoms, dim), optional
            Where the atoms are.
        units : Units, optional
            Units of energy and length; masses below that of a hydrogen atom are then an error.
        sum_rule : bool
            Whether the blocks of the atoms are changed such that a shift of the whole lattice
            has no forces (by the symmetric part of what it has); `broken_sum_rule` says by how
            much it is broken.
        tolerance : float
            By how much a device's ends may differ from cells of the leads, relative to the
            largest force constant.

        Raises
        ------
        ValueError
            For arrays that don't fit, leads of another material than the device's ends, and
            lattices that aren't stable, with the omega^2 that is negative.
        """
        matrix = sparse_symmetric_matrix(force_constants)
        dim = dimension(matrix.shape[0], np.shape(force_constants), leads, positions)
        mass = read_only(positive_array("masses", masses, matrix.shape[0] // dim))
        check_masses(mass, units, name="masses")
        places = None if positions is None else read_only(np.asarray(positions, dtype=float))
        check_ends(matrix, mass, leads, positive_number("tolerance", tolerance))
        made = cls(matrix, mass, tuple(leads), places, units)
        if sum_rule:
            made = made._with_sum_rule()
        check_stable(made.problem, made.leads)
        return made

    @classmethod
    def from_ase(
        cls,
        vibrations: AseData | AseVibrations,
        leads: Sequence[LatticeLead],
        *,
        units: Units = EV_ANGSTROM_AMU,
        sum_rule: bool = False,
        tolerance: float = 1e-3,
    ) -> Self:
        """Return a lattice of the atoms that ASE has displaced, in their order, all in 3D.

        Parameters
        ----------
        vibrations : ase.vibrations.VibrationsData or ase.vibrations.Vibrations
            The second derivatives of the energy, after ``run()``.
        leads, units, sum_rule, tolerance
            As for `from_arrays`; `atoms` of the leads count the displaced ones.
        """
        crystal = crystal_of_ase(vibrations, units)
        return cls.from_arrays(
            crystal.force_constants,
            crystal.masses,
            leads,
            positions=crystal.positions[crystal.displaced],
            units=units,
            sum_rule=sum_rule,
            tolerance=tolerance,
        )

    @classmethod
    def of_lead(
        cls,
        lead: LatticeLead,
        n_cells: int = 2,
        *,
        positions: ArrayLike | None = None,
        units: Units | None = None,
    ) -> Self:
        """Return a perfect lattice: some cells of a lead, which goes on at both ends.

        Lead 0 is its beginning, attached to the first cell, lead 1 its end.
        """
        if positive_integer("n_cells", n_cells) < 2:
            raise ValueError("n_cells is 1; expected a cell at each end, 2 or more.")
        step = sparse.eye_array(n_cells, k=1)
        matrix = sparse.kron(sparse.eye_array(n_cells), lead.force_constants, format="csr")
        matrix = matrix + sparse.kron(step, lead.coupling, format="csr")
        matrix = matrix + sparse.kron(step.T, lead.coupling.T, format="csr")
        n = len(lead)
        ends = (lead.mirrored().at(np.arange(n)), lead.at(np.arange(n) + n * (n_cells - 1)))
        masses = np.tile(lead.masses, n_cells)
        return cls.from_arrays(matrix, masses, ends, positions=positions, units=units)

    @property
    def dim(self) -> int:
        """Coordinates per atom."""
        return int(self.force_constants.shape[0]) // len(self.masses)

    @cached_property
    def syst(self) -> "FiniteSystem":
        """The lattice as a finalized Kwant system.

        Its Hamiltonian is M^(-1/2) K M^(-1/2), its energy omega^2, its sites are the atoms in
        their order with norbs = dim: ``kwant.smatrix(lattice.syst, omega**2)``.
        """
        root = np.repeat(np.sqrt(self.masses), self.dim)
        over = sparse.diags_array(1 / root)
        leads = [(lead, np.repeat(np.sqrt(lead.masses), self.dim)) for lead in self.leads]
        return lattice_system(over @ self.force_constants @ over, leads, self.dim, self.positions)

    @cached_property
    def problem(self) -> ScatteringProblem:
        """The matrices of `syst` and its leads."""
        return Model(self.syst).scattering

    @cached_property
    def band_edges(self) -> FloatArray:
        """Frequencies at which branches of the leads begin and end, ascending; zero left out."""
        return read_only(band_frequencies(self.problem))

    @property
    def broken_sum_rule(self) -> FloatArray:
        """By how much the acoustic sum rule is broken: of the device, and of each lead.

        The largest force on an atom where the whole lattice is shifted by one, relative to the
        largest force constant.
        """
        forces, largest = self._net_forces(), float(np.abs(self.force_constants.data).max())
        of_leads = [lead.broken_sum_rule for lead in self.leads]
        return read_only(np.array([broken_by(forces, largest), *of_leads]))

    def _net_forces(self) -> FloatArray:
        dim = self.dim
        forces = net_forces(self.force_constants, dim)
        for lead in self.leads:
            forces[lead.atoms] += net_forces(lead.coupling, dim)
        return forces

    def _with_sum_rule(self) -> Self:
        matrix = held(self.force_constants, self._net_forces())
        leads = tuple(lead.with_sum_rule() for lead in self.leads)
        return replace(self, force_constants=matrix, leads=leads)

    def selfenergy(self, omega: ArrayLike) -> tuple[ComplexArray, ...]:
        """Return the exact Pi of each lead, on the coordinates of the cell that it is attached to.

        Parameters
        ----------
        omega : float or complex, or array of these
            Frequencies on the real axis or above it.

        Returns
        -------
        tuple of arrays of complex, shape (..., n_cell, n_cell)
            Mass-weighted, retarded: to be added to M^(-1/2) K M^(-1/2), in the order of the
            lead's `atoms`.
        """
        frequencies = frequencies_of(omega)
        cells = [coordinates_of(lead.atoms, self.dim) for lead in self.leads]
        found = [np.zeros((frequencies.size, len(c), len(c)), complex) for c in cells]
        for point, w in enumerate(frequencies.ravel()):
            sigmas = lead_selfenergies(self.problem, complex(w))
            for number, sigma in sigmas.items():
                order = np.argsort(cells[number])
                orbitals = self.problem.leads[number].orbitals
                at = order[np.searchsorted(cells[number][order], orbitals)]
                found[number][point][np.ix_(at, at)] = sigma
        return tuple(read_only(each.reshape(*frequencies.shape, *each.shape[1:])) for each in found)

    def transmission(self, omega: ArrayLike, lead_in: int = 0, lead_out: int = 1) -> FloatArray:
        """Return the transmission of vibrations from a lead to another one, of the shape of omega.

        T(omega) = Tr[Gamma_out D Gamma_in D^+], Gamma = -2 Im Pi: of a perfect lattice the number
        of its branches at omega, which is real.
        """
        return read_only(self._response.transmission(omega, lead_in, lead_out))

    @property
    def _response(self) -> Response:
        return Response(self.problem)

    def local_density(self, omega: ArrayLike, atoms: ArrayLike | None = None) -> LocalVibrations:
        """Return the exact local density of vibrations, -(2/pi) Im[omega D_ii(omega)].

        Parameters
        ----------
        omega : array of float or complex, shape (n_omega,)
            Frequencies; an imaginary part broadens what is bound in the device.
        atoms : sequence of int, optional
            Whose density; default all.

        Returns
        -------
        LocalVibrations
            Its integral over all omega > 0 is one for each coordinate.
        """
        frequencies = np.atleast_1d(frequencies_of(omega))
        chosen = self._atoms(atoms)
        columns = coordinates_of(chosen, self.dim)
        density = self._response.density(frequencies, columns)
        places = None if self.positions is None else self.positions[chosen]
        return LocalVibrations(frequencies.real, density, places, self.band_edges, units=self.units)

    def surroundings(self, moving: ArrayLike) -> Surroundings:
        """Return what moving atoms feel of all others: ``.selfenergy(omega)`` is exact.

        Parameters
        ----------
        moving : sequence of int
            Atoms of the device; all others are eliminated, with the leads.

        Returns
        -------
        Surroundings
            With `baths`, the leads and eliminated coordinates that are connected with each
            other, into which Pi splits.
        """
        columns = coordinates_of(self._atoms(moving), self.dim)
        return Surroundings(self.problem, columns, baths_of(self.problem, columns, self.dim))

    def leads_of(
        self,
        moving: ArrayLike,
        *,
        rtol: float = 1e-4,
        distance: float = 1e-3,
        max_poles: int = 4000,
    ) -> PhononLeads:
        """Return the surroundings of moving atoms as `PhononLeads`, by a rational fit.

        Parameters
        ----------
        moving : sequence of int
            Atoms of the device, in the order in which their coordinates are wanted.
        rtol : float
            Error that is aimed at, relative to Pi(omega), or Pi(0) where this is larger.
        distance : float
            From band edges, in units of the highest frequency of the leads: closer to them, where
            Pi has roots, nothing is promised.
        max_poles : int
            Of a lead, mirror images included; each adds two variables with its image.

        Returns
        -------
        PhononLeads
            Each lead is one of the baths of `surroundings`: leads that eliminated atoms connect
            with each other are one, since memory can't be split between them; one that touches no
            moving atom is there, with Pi = 0.  `error` is
            measured at frequencies that the fit has not seen.  Where the fit would feed energy in
            (outside of the bands, where Pi has no damping at all, by its error), the least
            `friction` that prevents it is added; it is what is left of damping there.  In deeper
            dips, which are narrow and beside band edges, damped oscillators do that.

        Raises
        ------
        ValueError
            For eliminated atoms that are connected with no lead, and a `distance` that leaves no
            frequency.
        """
        choices = FitChoices(
            positive_number("rtol", rtol),
            positive_number("distance", distance),
            positive_integer("max_poles", max_poles),
        )
        leads, notices = fitted_leads(self.surroundings(moving), choices)
        issued(notices)
        return leads

    def modes(
        self,
        moving: ArrayLike,
        *,
        sites: ArrayLike | None = None,
        rtol: float = 1e-4,
        distance: float = 1e-3,
        max_poles: int = 4000,
    ) -> VibrationalModes:
        """Return the modes of moving atoms, all others held, with the lattice as their leads.

        Parameters
        ----------
        moving : sequence of int
            Atoms of the device, in the order of the coordinates.
        sites : sequence of int, optional
            The sites of the electrons' system that they are.
        rtol, distance, max_poles
            As for `leads_of`.
        """
        chosen = self._atoms(moving)
        columns = coordinates_of(chosen, self.dim)
        return VibrationalModes.from_force_constants(
            self.force_constants[columns][:, columns],
            np.repeat(self.masses[chosen], self.dim),
            positions=None if self.positions is None else self.positions[chosen],
            sites=sites,
            units=self.units,
            leads=self.leads_of(chosen, rtol=rtol, distance=distance, max_poles=max_poles),
        )

    def _atoms(self, atoms: ArrayLike | None) -> NDArray[np.int64]:
        """Return atoms of the device, each once; all if none are named."""
        if atoms is None:
            return np.arange(len(self))
        numbers = np.asarray(atoms)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not numbers.size:
            raise ValueError(f"Atoms are {atoms!r}; expected a sequence of their numbers.")
        if (
            numbers.min() < 0
            or numbers.max() >= len(self)
            or len(set(numbers.tolist())) < len(numbers)
        ):
            raise ValueError(f"Atoms are {atoms!r}; expected each once, of 0 to {len(self) - 1}.")
        return numbers.astype(np.int64)
