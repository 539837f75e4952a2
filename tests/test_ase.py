"""Dynamics of ASE under current: forces in its units, friction and noise, canonical equilibrium."""

import json
import subprocess
import sys
from types import SimpleNamespace

import ase
import ase.io
import kwant
import numpy as np
import pytest
from ase import units
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixedLine, FixedPlane
from ase.md.verlet import VelocityVerlet
from scipy.linalg import expm

from kwant_curl import (
    ATOMIC_UNITS,
    EV_ANGSTROM_AMU,
    CurrentInducedForces,
    CurrentInducedLangevin,
    Displacements,
    Parameters,
    PowerLaw,
    ResponseField,
    Units,
    devices,
    force_response,
)
from kwant_curl.devices import Atoms
from kwant_curl.motion.bath import Bath, Damping

BOND = 2.5


def chain(places, shifts=0.0, length=1.0, energy=1.0):
    """Atoms in space between two leads, hoppings of -3.88 eV (2.5 Å/d)^4.

    shifts: of the atoms, the leads stay; length, energy: the units, in Å and eV.
    """
    places = np.asarray(places, float) / length
    step = BOND / length
    ends = [places[0] - [step, 0, 0], places[-1] + [step, 0, 0]]
    atoms = Atoms(places + shifts, name="atoms")
    left, right = (
        kwant.lattice.general([(step, 0, 0)], [end], name=name, norbs=1).sublattices[0]
        for name, end in (("left", ends[0]), ("right", ends[1]))
    )
    builder = kwant.Builder()
    sites = [left(0), *(atoms(i) for i in range(len(places))), right(0)]
    builder[sites] = 0
    for a, b in zip(sites[:-1], sites[1:], strict=True):
        distance = np.linalg.norm(np.subtract(a.pos, b.pos)) / step
        builder[a, b] = -3.88 / energy * distance**-4
    for lattice, direction in ((left, -step), (right, step)):
        lead = kwant.Builder(kwant.TranslationalSymmetry((direction, 0, 0)))
        lead[lattice(0)] = 0
        lead[lattice(0), lattice(1)] = -3.88 / energy
        builder.attach_lead(lead)
    return builder.finalized()


BENT = np.array([[0.0, 0.0, 0.0], [2.0, 1.5, 0.2], [4.0, 0.3, -0.4]])
"""Three atoms of a chain that is bent."""


def field_of(places=BENT, *, length=1.0, energy=1.0, **keywords):
    units = EV_ANGSTROM_AMU if length == 1 else ATOMIC_UNITS
    syst = chain(places, 0.0, length, energy)
    moving = Displacements(lambda site: site.family.name == "atoms", scaling=PowerLaw(4))
    keywords = {"bias": 0.5 / energy, "degeneracy": 2, "units": units, **keywords}
    return ResponseField(syst, moving, -3.3 / energy, **keywords)


class GivenField(ResponseField):
    """A field whose force, friction and noise are functions, in eV and Å."""

    def __call__(self, displacements):
        raise AssertionError("solves for electrons")

    def given(self, tensors, force=None):
        object.__setattr__(self, "_tensors", tensors)
        object.__setattr__(self, "_force", force or (lambda q: np.zeros_like(q)))
        return self

    def near(self, displacements):
        n = len(displacements)
        zero = np.zeros((n, n))
        known = {"friction": zero, "velocity": zero, "noise": zero, **self._tensors(displacements)}
        bias = np.array([0.5, -0.5]) * self.bias
        return SimpleNamespace(**known, bias=bias, temperature=self.temperature), 0 * displacements

    def force(self, displacements):
        return self._force(displacements)


def given(n_atoms, tensors=None, force=None, **keywords):
    """A field of atoms in a row, and the atoms, of the mass 1."""
    places = BOND * np.arange(n_atoms)[:, None] * np.array([1.0, 0, 0])
    syst = chain(places)
    moving = Displacements(lambda site: site.family.name == "atoms", scaling=PowerLaw(4))
    field = GivenField(syst, moving, 0.0, units=EV_ANGSTROM_AMU, **keywords)
    field.given(tensors or (lambda q: {}), force)
    return field, ase.Atoms("H" * n_atoms, positions=places, masses=np.ones(n_atoms))


class Potential(Calculator):
    """The potential energy sum_i f(x_i) of the displacements, and -f'(x_i)."""

    implemented_properties = ("energy", "forces")

    def __init__(self, places, energy, slope):
        super().__init__()
        self.places, self.energy, self.slope = places.copy(), energy, slope

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x = self.atoms.positions - self.places
        self.results = {"energy": float(self.energy(x).sum()), "forces": -self.slope(x)}


def springs(atoms, k=1.0):
    return Potential(atoms.positions, lambda x: 0.5 * k * x**2, lambda x: k * x)


def test_force_is_that_of_the_system_rebuilt_there_beside_the_base():
    field = field_of()
    shifts = np.array([[0.1, -0.05, 0.02], [0.0, 0.1, -0.1], [-0.04, 0.03, 0.06]])
    # Atoms of the leads and others stand between those that move, which come in another order.
    positions = np.array([BENT[2], [9, 9, 9], BENT[0], BENT[1], BENT[0] - [BOND, 0, 0]])
    atoms = ase.Atoms("AuCuAuAuAu", positions=positions)
    base = EMT()
    atoms.calc = CurrentInducedForces(field, base)
    atoms.get_forces()
    np.testing.assert_array_equal(atoms.calc.indices, [2, 3, 0])
    atoms.positions[[2, 3, 0]] += shifts
    rebuilt = chain(BENT, shifts)
    there = force_response(rebuilt, field.coordinates, field.energy, bias=0.5, degeneracy=2).force
    forces, alone = atoms.get_forces(), base.get_forces(atoms)
    assert np.abs(there).max() > 1e-3
    np.testing.assert_allclose((forces - alone)[[2, 3, 0]].ravel(), there, rtol=0, atol=1e-12)
    np.testing.assert_array_equal((forces - alone)[[1, 4]], 0)
    assert atoms.get_potential_energy() == base.get_potential_energy(atoms)
    free = base.get_potential_energy(atoms, force_consistent=True)
    assert atoms.get_potential_energy(force_consistent=True) == free
    with pytest.raises(NotImplementedError):
        atoms.get_stress()


def test_other_units_are_converted():
    """Of a Hamiltonian in Hartree and Bohr; the unit of time by a rate per picosecond."""
    length, energy = 1 / ATOMIC_UNITS.length_from_angstrom(1.0), 27.211386245981
    known = {"velocity": True, "noise": True}
    kt = EV_ANGSTROM_AMU.temperature(300.0)
    found = []
    for field in (
        field_of(temperature=0.0, **known),
        field_of(length=length, energy=energy, **known),
    ):
        atoms = ase.Atoms("Au3", positions=BENT)
        atoms.calc = calculator = CurrentInducedForces(field)
        atoms.positions += 0.03 * np.sin(np.arange(9)).reshape(3, 3)
        tensors = [getattr(calculator, n)(atoms) for n in ("friction", "velocity", "noise")]
        assert calculator.lorentz(atoms) == pytest.approx(0.5 * (tensors[1] - tensors[1].T))
        found.append([atoms.get_forces(), *tensors])
    for ours, theirs in zip(*found, strict=True):
        assert np.abs(ours).max() > 1e-6
        np.testing.assert_allclose(theirs, ours, rtol=1e-7, atol=1e-9 * np.abs(ours).max())
    # The rate at which momenta decay, by another route.
    mass = atoms.get_masses()[0]
    response = calculator.response(atoms)
    rate = ATOMIC_UNITS.per_picosecond(response.friction[0, 0] / ATOMIC_UNITS.mass(mass))
    assert found[1][1][0, 0] / mass * 1000 * units.fs == pytest.approx(rate, rel=1e-6)
    # 2 kT friction without a bias.
    warm = field_of(bias=0.0, temperature=kt)
    calculator = CurrentInducedForces(warm, indices=[0, 1, 2])
    gamma, noise = calculator.damping_and_noise(atoms, noise=True)
    np.testing.assert_allclose(noise, 2 * units.kB * 300 * gamma, rtol=1e-5, atol=1e-12)


def test_without_current_it_is_the_base_to_the_last_bit():
    def positions_of(calculator):
        atoms = ase.Atoms("Au3", positions=BENT)
        atoms.calc = calculator
        atoms.set_momenta(np.arange(9.0).reshape(3, 3))
        VelocityVerlet(atoms, 2 * units.fs).run(20)
        return atoms.positions

    field = field_of(bias=0.0, refresh=10.0)
    np.testing.assert_array_equal(positions_of(CurrentInducedForces(field, EMT())), positions_of(EMT()))


def test_without_friction_it_is_velocity_verlet_and_drifts_as_the_square_of_the_step():
    def moved(motion_of, steps):
        field, atoms = given(3)
        base = Potential(atoms.positions, lambda x: x**4 + x**2, lambda x: 4 * x**3 + 2 * x)
        atoms.calc = CurrentInducedForces(field, base)
        atoms.set_momenta(np.arange(9.0).reshape(3, 3) / 5)
        motion = motion_of(atoms, 4.0 / steps)
        drifts = []
        for _ in range(steps):
            motion.run(1)
            drifts.append(motion.energies.drift if hasattr(motion, "energies") else 0.0)
        return atoms, motion, np.abs(drifts).max()

    def langevin(atoms, step):
        return CurrentInducedLangevin(atoms, step, noise=False)

    ours, motion, drift = moved(langevin, 100)
    theirs = moved(VelocityVerlet, 100)[0]
    np.testing.assert_allclose(ours.positions, theirs.positions, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.get_momenta(), theirs.get_momenta(), rtol=0, atol=1e-12)
    energies = motion.energies
    assert abs(energies.residual) < 1e-13
    assert energies.current == energies.friction == energies.noise == 0
    total = ours.get_total_energy() - energies.kinetic_start - energies.potential_start
    assert energies.drift == pytest.approx(total, abs=1e-13)
    assert drift / moved(langevin, 200)[2] == pytest.approx(4, rel=0.05)


def rotating(kappa):
    """The force kappa (-y, x, 0) on each atom."""
    turn = kappa * np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]])
    return lambda q: (q.reshape(-1, 3) @ turn.T).ravel()


def test_energies_add_up_and_the_work_of_the_current_is_that_along_the_way():
    """Of a force with a curl, friction with a Lorentz-like part, and noise."""
    gamma = np.array([[0.3, 0.1, 0.0], [-0.2, 0.2, 0.05], [0.0, 0.05, 0.4]])
    noise = 0.1 * np.eye(3) + 0.02

    def tensors(q):
        return {"velocity": (1 + q[0] ** 2) * gamma, "noise": noise}

    field, atoms = given(1, tensors, rotating(0.8), velocity=True, noise=True)
    atoms.calc = CurrentInducedForces(field, springs(atoms))
    atoms.set_momenta([[1.0, 0.0, 0.3]])
    motion = CurrentInducedLangevin(atoms, 0.02, rng=1, damping=0.1, temperature_K=300)
    places = []
    motion.attach(lambda: places.append(atoms.positions[0].copy()))
    motion.run(1500)
    energies = motion.energies
    assert abs(energies.residual) < 1e-15 * 1500
    assert abs(energies.drift) < 1e-3
    assert energies.kinetic == pytest.approx(atoms.get_kinetic_energy(), rel=1e-14)
    assert energies.friction < 0 < energies.noise
    q = np.array(places)
    forces = np.array([rotating(0.8)(each) for each in q])
    way = 0.5 * np.sum((forces[1:] + forces[:-1]) * np.diff(q, axis=0))
    assert way > 1
    # Noise makes the way rough: the work differs by what the step errs.
    assert energies.current == pytest.approx(way, rel=1e-2)


def test_the_work_of_a_curl_around_an_orbit():
    """kappa_xy times the area, kappa_xy = 2 kappa here: of Runge's orbit, as friction balances."""
    kappa, gamma = 0.2, 0.2  # a circle of any size: work kappa r^2 omega = gamma r^2 omega^2
    field, atoms = given(1, lambda q: {"friction": gamma * np.eye(3)}, rotating(kappa))
    atoms.calc = CurrentInducedForces(field, springs(atoms))
    atoms.positions[0] += [0.5, 0, 0]
    atoms.set_momenta([[0.0, 0.5, 0.0]])
    n = 400
    motion = CurrentInducedLangevin(atoms, 2 * np.pi / n, noise=False)
    motion.run(5 * n)
    work = 2 * kappa * np.pi * 0.5**2
    assert motion.energies.current / 5 == pytest.approx(work, rel=1e-3)
    assert motion.energies.friction / 5 == pytest.approx(-work, rel=1e-3)
    assert np.linalg.norm(atoms.positions) == pytest.approx(0.5, rel=1e-3)


GAMMA = np.array(
    [
        [0.5, 0.2, 0, 0.1, 0, 0],
        [-0.3, 0.4, 0.1, 0, 0, 0.1],
        [0, 0.1, 0.6, 0, 0.2, 0],
        [0.1, 0, 0, 0.3, 0, 0.1],
        [0, 0, -0.1, 0, 0.5, 0],
        [0, 0.1, 0, 0.1, 0, 0.2],
    ]
)
"""A velocity tensor of two atoms: not symmetric, its symmetric part positive."""


def plane_constraints(n):
    return [FixedPlane(1, (1, 1, 0)), FixCartesian(n - 1, (True, False, False))]


@pytest.mark.parametrize("held", [False, True])
def test_friction_with_a_matrix_in_closed_form(held):
    """p(t) = exp(-gamma t) p(0) of free atoms, within what constraints leave."""
    field, atoms = given(2, lambda q: {"velocity": GAMMA}, velocity=True)
    masses = np.array([1.0, 4.0])
    atoms.set_masses(masses)
    roots = np.repeat(np.sqrt(masses), 3)
    free = np.eye(6)
    if held:
        atoms.set_constraint([FixedPlane(1, (1, 1, 0)), FixCartesian([0], (False, True, False))])
        free[3:5, 3:5] -= 0.5
        free[1, 1] = 0
    atoms.calc = CurrentInducedForces(field)
    start = np.array([[1.0, 2.0, -1.0], [0.5, -0.5, 1.0]])
    atoms.set_momenta(start)
    motion = CurrentInducedLangevin(atoms, 0.1, noise=False, damping=[0.1, 0.3])
    motion.run(20)
    rates = free @ (GAMMA / np.outer(roots, roots) + np.diag(np.repeat([0.1, 0.3], 3))) @ free
    expected = roots * (expm(-2.0 * rates) @ (free @ start.ravel() / roots))
    np.testing.assert_allclose(atoms.get_momenta().ravel(), expected, rtol=0, atol=1e-13)
    assert motion.energies.friction == pytest.approx(
        atoms.get_kinetic_energy() - motion.energies.kinetic_start, abs=1e-14
    )


def test_friction_and_noise_leave_maxwells_distribution():
    """At every position, with constraints too: decay kT m decay^T + noise = kT m."""
    masses, moving, kt = np.array([1.0, 3.0, 2.0]), np.array([2, 0]), 0.7
    free = np.stack([np.diag([1.0, 0, 1]), np.eye(3), np.eye(3) - 1 / 3])
    damping = Damping(np.array([0.2, 0.5, 0.0]), kt, 0.4, True)
    bath = Bath(masses, moving, damping, free)
    gamma = GAMMA
    noise = kt * (gamma + gamma.T)
    basis = np.eye(9).reshape(9, 3, 3)
    zero = np.zeros((3, 3))
    project = np.zeros((3, 3, 3, 3))
    project[range(3), :, range(3)] = free
    project = project.reshape(9, 9)
    decay = np.stack([bath.push(e, gamma, noise, zero).momenta.ravel() for e in basis], axis=1)
    kicks = np.stack([bath.push(zero, gamma, noise, e).momenta.ravel() for e in basis], axis=1)
    maxwell = kt * project @ np.diag(np.repeat(masses, 3)) @ project
    after = decay @ maxwell @ decay.T + kicks @ kicks.T
    np.testing.assert_allclose(after, maxwell, rtol=0, atol=1e-13)


def well(x):
    """A double well, the left one deeper, 3 x^4 - 3 x^2 + 0.3 x."""
    return 3 * x**4 - 3 * x**2 + 0.3 * x


def test_equilibrium_is_canonical_where_friction_depends_on_the_place():
    """Means in a double well, and detailed balance of its jumps; Ito's would be far away."""
    kt, step = 0.5, 0.15

    def rate(x):
        return 1.5 + np.tanh(4 * x)

    field, atoms = given(
        4, lambda q: {"friction": np.diag(rate(q))}, bias=0.0, temperature=kt
    )
    base = Potential(atoms.positions, well, lambda x: 12 * x**3 - 6 * x + 0.3)
    atoms.calc = CurrentInducedForces(field, base)
    motion = CurrentInducedLangevin(atoms, step, rng=3)
    start, places, squares = atoms.positions.copy(), [], []

    def note():
        places.append((atoms.positions - start).ravel())
        squares.append(atoms.get_momenta().ravel() ** 2)

    motion.attach(note)
    motion.run(8000)
    x = np.array(places[200:])
    fine = np.linspace(-3, 3, 4001)
    weight = np.exp(-well(fine) / kt)
    for function in (lambda x: x, lambda x: x**2, lambda x: x > 0):
        mean = np.sum(function(fine) * weight) / weight.sum()
        blocks = function(x).reshape(4, -1, 12).mean(axis=1)
        error = blocks.std() / np.sqrt(blocks.size)
        assert abs(blocks.mean() - mean) < 4 * error + 0.01
        itos = np.sum(function(fine) * weight * rate(fine)) / np.sum(weight * rate(fine))
        assert abs(blocks.mean() - itos) > 4 * error or abs(itos - mean) < 0.05
    assert np.mean(squares[200:]) == pytest.approx(kt, rel=0.03)
    # Jumps between three regions: as many there as back.
    region = np.digitize(x, [-0.35, 0.35])
    there = np.zeros((3, 3))
    np.add.at(there, (region[:-8].ravel(), region[8:].ravel()), 1)
    turning = (there[0, 1] + there[1, 2] + there[2, 0]) - (there[1, 0] + there[2, 1] + there[0, 2])
    assert abs(turning) < 0.03 * (there.sum() - there.trace())
    assert there[0, 2] == pytest.approx(there[2, 0], rel=0.15)
