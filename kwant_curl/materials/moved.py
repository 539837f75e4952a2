"""Coordinates of atoms in a nonorthogonal basis: dH/dQ - E dS/dQ."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Entries, SecondDerivatives
from kwant_curl.coordinates.base import Specification, check_number
from kwant_curl.coordinates.finite import expanded
from kwant_curl.materials.reports import DisplacementReport
from kwant_curl.model.geometry import site_positions
from kwant_curl.model.model import Model
from kwant_curl.model.moved import Change

__all__ = ["AtomDisplacements"]

FloatArray = NDArray[np.float64]

SAME_SITES = 1e-4
"""By how much, in Å, the sites of a system may lie from the atoms of the junction."""


@dataclass(frozen=True, eq=False, repr=False)
class AtomDisplacements(Specification):
    """Cartesian displacements of atoms, with dH and dS from displaced calculations.

    Made by `Junction.displacements`.  Coordinates are ordered atom by atom, x, y, z within one.

    Attributes
    ----------
    hamiltonians, overlaps : tuple of sparse arrays, shape (n_orbitals, n_orbitals)
        dH/dQ in eV/Å and dS/dQ in 1/Å of each coordinate, in the orbitals of the device.
    positions : array of float, shape (n_atoms, 3)
        Where the atoms are that move, in Å.
    sites : array of int, shape (n_atoms,)
        The sites of ``junction.syst`` that they are; with k points those of the first copy.
    places : array of float, shape (n_sites, 3)
        Where all atoms of the device are, in Å: a system whose sites are elsewhere is refused.
    one_sided : tuple of sparse arrays, or None
        <phi_i|d phi_j/dQ> of each coordinate, in 1/Å, where they are known.
    springs : array of float, shape (n_c, n_c), or None
        The force constants of the atoms that move, in eV/Å^2, from the forces of the displaced
        calculations; symmetric, with the acoustic sum rule.  None: these had no forces.  Where the
        junction repeats, those of atoms that move with all of their images.
    force_constants : array of float, shape (n_c, n_c)
        The same, or a ValueError that says what is missing.
    checks : DisplacementReport
        What `report` returns.

    Notes
    -----
    The routines differentiate H - E S at the energies that they need: give them
    ``energy_parameter="E"``.  Second derivatives are not known, so there is no ``jacobian=True``.
    With k points atoms move in one cell alone, and the matrices couple the copies of the device.

    Examples
    --------
    >>> junction = Junction(chain, layer)
    >>> atoms = junction.displacements(displaced, align=0)
    >>> atoms
    <AtomDisplacements: 1 atoms, without force constants; sound>
    >>> response = force_response(
    ...     junction.syst, atoms, junction.fermi, bias=0.1, energy_parameter="E"
    ... )
    >>> response.friction.shape
    (3, 3)
    """

    hamiltonians: tuple[Any, ...]
    overlaps: tuple[Any, ...]
    positions: FloatArray
    sites: NDArray[np.int64]
    places: FloatArray
    one_sided: tuple[Any, ...] | None
    springs: FloatArray | None
    checks: DisplacementReport

    def __repr__(self) -> str:
        known = "with" if self.springs is not None else "without"
        return (
            f"<AtomDisplacements: {len(self.sites)} atoms, {known} force constants; "
            f"{self.checks.verdict}>"
        )

    @property
    def force_constants(self) -> FloatArray:
        """Those of the atoms that move, (n_c, n_c) in eV/Å^2; raises if no run had forces."""
        if self.springs is None:
            raise ValueError(
                "The displaced calculations had no forces, so there are no force constants. Give "
                "forces= to each Calculation (files of sisl have none), or take those of another "
                "program: VibrationalModes.from_phonopy, from_ase."
            )
        return self.springs

    def report(self) -> DisplacementReport:
        """Return what the displaced calculations are worth, in numbers, with a verdict."""
        return self.checks

    def first_derivatives(self, model: Model) -> Derivatives:
        """Return dH/dQ - E dS/dQ of all coordinates, at the energy of the model."""
        of_hamiltonian, of_overlap = self._stacks
        if model.n_orbitals != of_hamiltonian.n_orbitals:
            raise ValueError(
                f"The system has {model.n_orbitals} orbitals, the displaced calculations "
                f"{of_hamiltonian.n_orbitals}; expected the junction's own system, junction.syst."
            )
        self._check_sites(model)
        values = of_hamiltonian.values - _energy_of(model) * of_overlap.values
        return replace(of_hamiltonian, values=values, positions=self.positions, sites=self.sites)

    def _check_sites(self, model: Model) -> None:
        """Raise unless the sites of the system are where the atoms of the device are."""
        found = site_positions(model.syst)
        if found.shape != self.places.shape:
            raise ValueError(
                f"The system has sites of shape {found.shape}, the displaced calculations "
                f"{self.places.shape}; expected the junction's own system, junction.syst."
            )
        apart = np.abs(found - self.places).max(axis=1)
        if apart.max() > SAME_SITES:
            site = int(self.sites[apart[self.sites].argmax()])
            site = site if apart[site] > SAME_SITES else int(apart.argmax())
            moves = ", which moves," if site in self.sites else ""
            raise ValueError(
                f"The system is not that of the displaced calculations: site {site}{moves} is at "
                f"{found[site].round(4).tolist()} Å, in these at "
                f"{self.places[site].round(4).tolist()}. Expected the system of the junction whose "
                "displacements() made the coordinates, junction.syst."
            )

    def change(self, model: Model, displacement: FloatArray) -> Change:
        """Return what a finite displacement (n_c,) changes, to first order."""
        check_number(displacement, len(self.hamiltonians))
        forces, none = self.first_derivatives(model), SecondDerivatives.empty()
        return Change(expanded(forces, none, displacement, model.n_orbitals))

    def second_derivatives(self, model: Model) -> SecondDerivatives:
        """Raise: displacements of one atom at a time don't give them."""
        raise TypeError(
            "jacobian=True needs d^2H/dQ_I dQ_J, which displacements of one atom at a time don't "
            "give; leave it out."
        )

    def one_sided_overlaps(self, model: Model) -> list[Any] | None:
        """Return <phi_i|d phi_j/dQ> of each coordinate as sparse arrays, None if not known."""
        return None if self.one_sided is None else list(self.one_sided)

    @cached_property
    def _stacks(self) -> tuple[Derivatives, Derivatives]:
        """All dH, and all dS, with the same elements."""
        patterns = [
            abs(dh).astype(bool) + abs(ds).astype(bool)
            for dh, ds in zip(self.hamiltonians, self.overlaps, strict=True)
        ]
        found = [pattern.tocoo() for pattern in patterns]
        operator = np.concatenate([np.full(p.nnz, n) for n, p in enumerate(found)])
        row, col = (np.concatenate([getattr(p, axis) for p in found]) for axis in ("row", "col"))
        n_orbitals = self.hamiltonians[0].shape[0]
        stacks = []
        for matrices in (self.hamiltonians, self.overlaps):
            pairs = zip(matrices, found, strict=True)
            value = np.concatenate([_elements(m, p) for m, p in pairs])
            entries = Entries(operator, row, col, value)
            stacks.append(Derivatives.from_entries(entries, len(found), n_orbitals, dim=3))
        return stacks[0], stacks[1]


def _elements(matrix: Any, pattern: Any) -> NDArray[Any]:
    """Return the elements of a matrix where the pattern has some."""
    if not pattern.nnz:  # of which SciPy makes a sparse array
        return np.empty(0)
    found: NDArray[Any] = sparse.csr_array(matrix)[pattern.row, pattern.col]
    return found


def _energy_of(model: Model) -> float:
    """Return the energy that the model's value functions see, or raise if that has no name."""
    if model.energy_parameter is None:
        raise ValueError(
            "In a nonorthogonal basis dH/dQ - E dS/dQ depends on the energy, but nobody said which "
            'entry of params is the energy; pass energy_parameter="E" for a junction\'s system.'
        )
    return float((model.params or {})[model.energy_parameter])
