"""The force of the current as a calculator of ASE."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from kwant_curl.motion.ase_atoms import FieldAtoms
from kwant_curl.motion.field import ResponseField
from kwant_curl.results import ForceResponse
from kwant_curl.support.checks import positive_number
from kwant_curl.support.warning import issued

__all__ = ["CurrentInducedForces"]

FloatArray = NDArray[np.float64]
T = TypeVar("T")


class CurrentInducedForces(Calculator):
    """A calculator of ASE that adds the force of the current to another calculator's.

    F = F_base + Delta F(Q), at the present positions of the atoms, in eV/Å.  It goes wherever a
    calculator does: `ase.md.verlet.VelocityVerlet`, `CurrentInducedLangevin`, optimizers that
    need no energy.

    Parameters
    ----------
    field : ResponseField
        Of displacements of sites, or of atoms of a `Junction`, with `units`; its bias, `linear`,
        `jacobian` and `refresh` say how the force is calculated.
    base : ase calculator, optional
        The atoms' forces without current.  Default: none.
    indices : sequence of int, optional
        Which of the atoms are those that the field's coordinates displace, in the order of the
        sites.  Default: those that are at the sites when forces are first asked for.
    tolerance : float, default 0.1
        How far, in Å, a site may then be from its atom.

    Attributes
    ----------
    field : ResponseField
    base : ase calculator or None
    indices : array of int, shape (n_moving,)
        Which atoms the coordinates displace, once that is known.
    warnings : tuple of str
        What the field's responses have warned of.

    Raises
    ------
    ValueError, TypeError
        For a field without units or of other coordinates.  When forces are asked for: for atoms
        that don't match the sites, that leave the plane of a system in 2D, and as the field where
        it is displaced to (two sites of a bond that meet, a law that overflows).

    Warns
    -----
    RuntimeWarning
        As the field's responses, each text once.

    Notes
    -----
    The sites where nothing is displaced are the reference: an atom's displacement is its
    position minus that of its site.  Where atoms are periodic the nearest image counts.  In 2D the
    sites are compared with x and y of the atoms, in 1D with x.

    The force of the current is not the gradient of anything: ``energy`` (and ``free_energy``) is
    that of `base` alone, zero without one.  Stresses and other properties are not passed on.  The
    equilibrium part of the electrons' force belongs to `base`.

    Friction, noise and velocity tensors have methods of their own, of the atoms that move, x, y
    and z of one after the other; zero along directions that a system in less than three
    dimensions doesn't know.  `CurrentInducedLangevin` moves atoms with them.

    Examples
    --------
    >>> from ase import Atoms
    >>> field = ResponseField(syst, moving, energy, bias=0.5, units=EV_ANGSTROM_AMU)
    >>> atoms = Atoms("H", [[2.05, 1.0, 0.0]])
    >>> atoms.calc = CurrentInducedForces(field)  # a base comes second, as EMT()
    >>> atoms.get_forces().shape
    (1, 3)
    """

    def __init__(
        self,
        field: ResponseField,
        base: Any = None,
        *,
        indices: Sequence[int] | None = None,
        tolerance: float = 0.1,
    ) -> None:
        super().__init__()
        if not isinstance(field, ResponseField):
            raise TypeError(f"field is a {type(field).__name__}; expected a ResponseField.")
        if isinstance(base, type) or not (base is None or hasattr(base, "get_forces")):
            raise TypeError(f"base is {base!r}; expected a calculator of ASE, or None.")
        self.field, self.base = field, base
        self.warnings: tuple[str, ...] = ()
        self._parts: tuple[FloatArray, FloatArray] = (np.empty(0), np.empty(0))
        self._atoms_of = FieldAtoms(field, indices, positive_number("tolerance", tolerance))
        has_free = base is None or "free_energy" in getattr(base, "implemented_properties", ())
        self.implemented_properties = ["energy", "forces", *(["free_energy"] if has_free else [])]

    @property
    def indices(self) -> NDArray[np.int64]:
        """Which atoms the coordinates displace; raises as long as that is not known."""
        return self._atoms_of.indices

    def check_state(self, atoms: Any, tol: float = 0.0) -> list[str]:
        """Return what has changed since the last calculation, by the least bit."""
        if self.atoms is None:
            return list(all_changes)
        return [name for name in all_changes if not _same(name, self.atoms, atoms)]

    def calculate(
        self,
        atoms: Any = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Calculate what ASE asks for; the electrons are solved for where it is forces."""
        super().calculate(atoms, properties, system_changes)
        if "forces" in properties:
            self._parts = self.base_forces(self.atoms), self.current_forces(self.atoms)
            self.results["forces"] = self._parts[0] + self._parts[1]
        self.results["energy"] = self._energy()
        if "free_energy" in properties:
            self.results["free_energy"] = self._energy(force_consistent=True)

    def base_forces(self, atoms: Any) -> FloatArray:
        """Return the forces of `base`, (n_atoms, 3) in eV/Å."""
        if self.base is None:
            return np.zeros((len(atoms), 3))
        return np.array(self.base.get_forces(atoms), dtype=float)

    def current_forces(self, atoms: Any) -> FloatArray:
        """Return the forces of the current, (n_atoms, 3) in eV/Å."""
        force = self._asked(self.field.force, atoms)
        return self._atoms_of.whole(self._atoms_of.units.force * force, len(atoms))

    def forces_of_both(self, atoms: Any) -> tuple[FloatArray, FloatArray]:
        """Return the forces of `base` and of the current, (n_atoms, 3) each, in eV/Å.

        Those that were calculated last if the atoms are still where they were.
        """
        self.get_forces(atoms)
        return self._parts

    def response(self, atoms: Any) -> ForceResponse:
        """Return the response at the atoms' positions, in the units of the field.

        With `refresh` that of the nearest node.
        """
        return self._asked(self.field.near, atoms)[0]

    def friction(self, atoms: Any) -> FloatArray:
        """Return the electronic friction of equilibrium, (3 n_moving, 3 n_moving).

        In eV/Å per Å of ASE's unit of time, sqrt(amu/eV) Å.
        """
        return self._tensor(self.response(atoms).friction, self._atoms_of.units.friction)

    def velocity(self, atoms: Any) -> FloatArray:
        """Return the velocity tensor gamma of a force -gamma v, in the units of `friction`.

        Its symmetric part is friction, its antisymmetric part the Lorentz-like force; for a field
        with ``velocity=True``.
        """
        return self._tensor(self.response(atoms).velocity, self._atoms_of.units.friction)

    def lorentz(self, atoms: Any) -> FloatArray:
        """Return the antisymmetric part of `velocity`."""
        return self._tensor(self.response(atoms).lorentz, self._atoms_of.units.friction)

    def noise(self, atoms: Any) -> FloatArray:
        """Return S of the noise <xi(t) xi(t')> = S delta(t - t') of the force, as `friction`.

        In (eV/Å)^2 times ASE's unit of time, for a field with ``noise=True``; 2 kT times the
        friction in equilibrium.
        """
        return self._tensor(self.response(atoms).noise, self._atoms_of.units.noise)

    def damping_and_noise(self, atoms: Any, *, noise: bool) -> tuple[FloatArray, FloatArray]:
        """Return what an equation of motion takes: gamma as `velocity`, and S as `noise`.

        gamma is the velocity tensor if the field has it, otherwise the friction of equilibrium; S
        that of the field if it has it, and 2 kT friction without a bias.

        Raises
        ------
        ValueError
            For noise at a bias from a field without it.
        """
        response, units = self.response(atoms), self._atoms_of.units
        gamma = response.velocity if self.field.velocity else response.friction
        spectrum = np.zeros_like(gamma)
        if noise and self.field.noise:
            spectrum = response.noise
        elif noise and response.bias.any():
            raise ValueError(
                "At a bias the noise of the electrons is not 2 kT times the friction; give "
                "ResponseField(..., noise=True), or noise=False for motion without it."
            )
        elif noise:
            spectrum = 2 * response.temperature * response.friction
        return self._tensor(gamma, units.friction), self._tensor(spectrum, units.noise)

    @property
    def electron_temperature(self) -> float:
        """Temperature kT of the electrons, in eV."""
        return self._atoms_of.units.energy * self.field.temperature

    def _energy(self, **kind: bool) -> float:
        """Return the energy of the base."""
        if self.base is None:
            return 0.0
        return float(self.base.get_potential_energy(self.atoms, **kind))

    def _tensor(self, tensor: FloatArray, unit: float) -> FloatArray:
        return unit * self._atoms_of.in_space(tensor)

    def _asked(self, ask: Callable[[FloatArray], T], atoms: Any) -> T:
        """Return what the field says where the atoms are; warn of what it has come to warn of."""
        q = self._atoms_of.displacements(atoms)
        try:
            found = ask(q)
        except ValueError as error:
            self._add_where(error, q)
            raise
        if self.field.notices != self.warnings:
            issued(text for text in self.field.notices if text not in self.warnings)
            self.warnings = self.field.notices
        return found

    def _add_where(self, error: ValueError, q: FloatArray) -> None:
        """Say of which atoms an error is."""
        moved = self._atoms_of.units.length * np.linalg.norm(
            q.reshape(-1, self._atoms_of.dim), axis=1
        )
        most = int(moved.argmax())
        error.add_note(
            f"So where the atoms are by now: atom {self.indices[most]} is {moved[most]:.4g} Å from "
            "its site, the others less."
        )


def _same(name: str, first: Any, second: Any) -> bool:
    """Return whether two atoms objects have the same positions, or cell, or what else is named."""
    if name in ("cell", "pbc"):
        return np.array_equal(getattr(first, name), getattr(second, name))
    if name not in first.arrays and name not in second.arrays:
        return True
    if name in first.arrays and name in second.arrays:
        return np.array_equal(first.arrays[name], second.arrays[name])
    return False
