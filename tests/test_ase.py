"""Dynamics of ASE under current: forces in its units, friction and noise, canonical equilibrium."""

import json
import subprocess
import sys
from itertools import pairwise
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
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet
from scipy.linalg import expm

from kwant_curl import (
    ATOMIC_UNITS,
    EV_ANGSTROM_AMU,
    CurrentInducedForces,
    CurrentInducedLangevin,
    Displacements,
    Matrices,
    PowerLaw,
    ResponseField,
    VibrationalModes,
    devices,
    force_response,
    langevin,
)
from kwant_curl.devices import Atoms
from kwant_curl.motion.bath import Bath, Damping
from kwant_curl.support.ase_units import AseUnits

BOND = 2.5


@pytest.fixture(autouse=True)
def _closed_files(monkeypatch):
    """Older versions of ASE keep a log file open, if only /dev/null."""
    made, make = [], MolecularDynamics.__init__

    def noted(self, *arguments, **keywords):
        made.append(self)
        make(self, *arguments, **keywords)

    monkeypatch.setattr(MolecularDynamics, "__init__", noted)
    yield
    for dynamics in made:
        dynamics.close()


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
    for a, b in pairwise(sites):
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
    """A field whose force, friction and noise are functions, in the units of ASE."""

    def __call__(self, displacements):
        raise AssertionError("solves for electrons")

    def given(self, tensors, force=None):
        object.__setattr__(self, "_tensors", tensors)
        object.__setattr__(self, "_force", force or (lambda q: np.zeros_like(q)))
        return self

    def near(self, displacements):
        n = len(displacements)
        zero = np.zeros((n, n))
        unit = AseUnits.of(EV_ANGSTROM_AMU)
        scale = {"friction": unit.friction, "velocity": unit.friction, "noise": unit.noise}
        found = self._tensors(displacements)
        known = {name: found.get(name, zero) / scale[name] for name in scale}
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
    np.testing.assert_array_equal(
        positions_of(CurrentInducedForces(field, EMT())), positions_of(EMT())
    )


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


def test_near_the_sites_it_is_the_motion_of_the_modes():
    """With the tensors of one place it is `langevin`, which knows hbar = 1 and modes alone."""
    field = field_of(refresh=10.0, jacobian=True, velocity=True)
    response, mass, n_steps = field(np.zeros(9)), 40.0, 60
    rng = np.random.default_rng(5)
    root = rng.normal(size=(9, 9))
    constants = 2.0 * np.eye(9) + 0.1 * root @ root.T
    modes = VibrationalModes.from_force_constants(
        constants, EV_ANGSTROM_AMU.mass(mass), units=EV_ANGSTROM_AMU
    )
    start = 0.05 * rng.normal(size=9)
    step = 2 * units.fs
    rate = EV_ANGSTROM_AMU.per_picosecond(1.0) / (1000 * units.fs)  # E/hbar in ASE's unit
    times = langevin(
        response,
        modes,
        n_steps * step * rate,
        time_step=step * rate * (1 + 1e-9),
        coordinates=np.linalg.solve(modes.patterns.T, start),
        damping=0.01 / rate,
        noise=False,
    )
    expected = times.coordinates[0] @ modes.patterns
    assert len(expected) == n_steps + 1

    atoms = ase.Atoms("Ar3", positions=BENT, masses=[mass] * 3)
    # The force at rest, which `langevin` leaves out, is held.
    held = response.force.reshape(3, 3)
    base = Potential(BENT, lambda x: 0 * x, lambda x: held + (constants @ x.ravel()).reshape(3, 3))
    atoms.calc = CurrentInducedForces(field, base, indices=[0, 1, 2])
    atoms.positions += start.reshape(3, 3)
    motion = CurrentInducedLangevin(atoms, step, noise=False, damping=0.01)
    found = [start]
    motion.attach(lambda: found.append((atoms.positions - BENT).ravel()))
    motion.run(n_steps)
    found.pop(1)  # ASE calls at the start too
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(start).max())
    assert np.abs(response.lorentz).max() > 0.01 * np.abs(response.friction).max()


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

    field, atoms = given(1, tensors, rotating(0.2), velocity=True, noise=True)
    atoms.calc = CurrentInducedForces(field, springs(atoms))
    atoms.set_momenta([[1.0, 0.0, 0.3]])
    motion = CurrentInducedLangevin(atoms, 0.05, rng=1, damping=0.1, temperature_K=300)
    places = []
    motion.attach(lambda: places.append(atoms.positions[0].copy()))
    motion.run(400)
    energies = motion.energies
    assert abs(energies.residual) < 1e-15 * 400
    assert abs(energies.drift) < 1e-3
    assert energies.kinetic == pytest.approx(atoms.get_kinetic_energy(), rel=1e-14)
    assert energies.friction < 0 < energies.noise
    q = np.array(places)
    forces = np.array([rotating(0.2)(each) for each in q])
    way = 0.5 * np.sum((forces[1:] + forces[:-1]) * np.diff(q, axis=0))
    assert abs(way) > 0.1
    # Noise makes the way rough: the work differs by what the step errs.
    assert energies.current == pytest.approx(way, rel=1e-2)


def test_the_work_of_a_curl_around_an_orbit():
    """The curl, 2 kappa here, times the area; on a circle friction of the same size balances it."""
    kappa = gamma = 0.2
    field, atoms = given(1, lambda q: {"friction": gamma * np.eye(3)}, rotating(kappa))
    atoms.calc = CurrentInducedForces(field, springs(atoms), indices=[0])
    atoms.positions[0] += [0.5, 0, 0]
    atoms.set_momenta([[0.0, 0.5, 0.0]])
    n = 200
    motion = CurrentInducedLangevin(atoms, 2 * np.pi / n, noise=False)
    motion.run(2 * n)
    work = 2 * kappa * np.pi * 0.5**2
    assert motion.energies.current / 2 == pytest.approx(work, rel=1e-3)
    assert motion.energies.friction / 2 == pytest.approx(-work, rel=1e-3)
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
    free = np.stack([np.diag([1.0, 0, 1]), np.diag([0.0, 1, 1]), np.eye(3) - 1 / 3])
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

    field, atoms = given(6, lambda q: {"friction": np.diag(rate(q))}, bias=0.0, temperature=kt)
    base = Potential(atoms.positions, well, lambda x: 12 * x**3 - 6 * x + 0.3)
    atoms.calc = CurrentInducedForces(field, base)
    motion = CurrentInducedLangevin(atoms, step, rng=3)
    start, places, squares = atoms.positions.copy(), [], []

    def note():
        places.append((atoms.positions - start).ravel())
        squares.append(atoms.get_momenta().ravel() ** 2)

    motion.attach(note)
    motion.run(2000)
    x = np.array(places[101:]).reshape(10, -1, 18)
    fine = np.linspace(-3, 3, 4001)
    weight = np.exp(-well(fine) / kt)
    itos = weight * rate(fine)
    for function in (np.array, np.square, lambda x: x > 0):
        means = function(x).mean(axis=1)
        error = means.std() / np.sqrt(means.size)
        canonical, other = (np.sum(function(fine) * w) / w.sum() for w in (weight, itos))
        assert means.mean() == pytest.approx(canonical, abs=4 * error)
        assert error < 0.03
        if function is not np.square:
            assert abs(means.mean() - other) > 8 * error
    # Equipartition, up to the integrator's error of velocities: 1 - h^2 <U''>/4.
    curvature = np.sum((36 * fine**2 - 6) * weight) / weight.sum()
    expected = kt * (1 - step**2 * curvature / 4)
    assert np.mean(squares[101:]) == pytest.approx(expected, rel=0.02)
    # Jumps: as many there as back, of those that take eight steps as of all.
    x = x.reshape(-1, 18)
    region = np.digitize(x, [-0.4, 0.4])
    there = np.zeros((3, 3))
    np.add.at(there, (region[:-8].ravel(), region[8:].ravel()), 1)
    assert there[0, 2] > 100
    assert there[0, 2] == pytest.approx(there[2, 0], rel=0.1)
    assert there[0, 1] == pytest.approx(there[1, 0], rel=0.1)


def trajectory(path, steps, calculator, restart=None, rng=None, **keywords):
    """Bent atoms under current, for so many steps; from the last frame where there are some."""
    if restart is None:
        atoms = ase.Atoms("Au3", positions=BENT)
        atoms.set_momenta(np.arange(9.0).reshape(3, 3))
    else:
        atoms = ase.io.read(path)
    atoms.calc = calculator
    motion = CurrentInducedLangevin(
        atoms,
        2 * units.fs,
        rng=rng,
        restart=restart,
        trajectory=str(path),
        append_trajectory=restart is not None,
        **keywords,
    )
    motion.run(steps)
    return atoms, motion


@pytest.mark.parametrize("bits", ["PCG64", "MT19937"])
def test_a_run_that_is_taken_up_is_the_same_bit_by_bit(tmp_path, bits):
    warm = {"damping": 0.01, "temperature_K": 600.0}

    def calculator():
        field = field_of(refresh=0.2, jacobian=True, velocity=True, noise=True)
        base = Potential(BENT, lambda x: 2.0 * x**2, lambda x: 4.0 * x)
        return CurrentInducedForces(field, base, indices=[0, 1, 2])

    def rng():
        return np.random.Generator(getattr(np.random, bits)(5))

    whole, motion = trajectory(tmp_path / "whole.traj", 30, calculator(), rng=rng(), **warm)
    trajectory(tmp_path / "parts.traj", 12, calculator(), rng=rng(), **warm)
    parts, second = trajectory(tmp_path / "parts.traj", 18, calculator(), restart=True, **warm)
    assert motion.energies.current != 0
    assert second.nsteps == 30
    np.testing.assert_array_equal(parts.positions, whole.positions)
    np.testing.assert_array_equal(parts.get_momenta(), whole.get_momenta())
    assert second.energies == motion.energies
    frames = [ase.io.read(tmp_path / name, index=":") for name in ("whole.traj", "parts.traj")]
    assert len(frames[0]) == len(frames[1]) == 31
    for one, two in zip(*frames, strict=True):
        np.testing.assert_array_equal(one.positions, two.positions)
        np.testing.assert_array_equal(one.get_forces(), two.get_forces())
        assert one.get_potential_energy() == two.get_potential_energy()
        assert json.loads(one.info["current_induced_langevin"])["works"].keys() == {
            "base",
            "current",
            "friction",
            "noise",
        }


def test_a_state_of_ones_own_and_what_can_not_be_taken_up(tmp_path):
    def motion_of(**keywords):
        field, atoms = given(1, lambda q: {"friction": np.eye(3)}, bias=0.0, temperature=0.5)
        atoms.calc = CurrentInducedForces(field, springs(atoms), indices=[0])
        return CurrentInducedLangevin(atoms, 0.1, **keywords)

    first = motion_of(rng=3)
    first.run(5)
    state = json.loads(json.dumps(first.state()))
    first.run(5)
    again = motion_of(rng=3)
    again.run(5)
    second = motion_of(restart=state)
    second.atoms.positions, momenta = again.atoms.positions.copy(), again.atoms.get_momenta()
    second.atoms.set_momenta(momenta)
    second.run(5)
    np.testing.assert_array_equal(second.atoms.positions, first.atoms.positions)
    assert second.get_time() == pytest.approx(1.0)
    for keywords, message in (
        ({"restart": True}, "restart is True, and the atoms' info has"),
        ({"restart": {"steps": 3}}, "expected a frame of a trajectory"),
        ({"restart": state, "rng": 1}, "rng is given with restart"),
        ({}, "rng is not given; pass a seed"),
    ):
        with pytest.raises(ValueError, match=message):
            motion_of(**keywords)


def test_a_broken_bond_stops_the_run():
    field, atoms = given(2)
    atoms.calc = CurrentInducedForces(field)
    atoms.set_momenta([[0.0, 0, 0], [1.0, 0, 0]])
    seen = []
    motion = CurrentInducedLangevin(
        atoms,
        0.1,
        noise=False,
        bonds={(0, 1): BOND + 0.55},
        on_break=lambda dynamics, broken: seen.append((dynamics, broken)),
    )
    with pytest.warns(RuntimeWarning, match="bond between atoms 0 and 1 broke at .* fs") as caught:
        assert not motion.run(100)
    assert caught[0].filename == __file__
    assert motion.nsteps == 6
    assert motion.stopped == str(caught[0].message)
    assert seen == [(motion, ((0, 1), pytest.approx(BOND + 0.6), BOND + 0.55))]
    # An observer stops a run too; a run that isn't stopped has no reason.
    motion = CurrentInducedLangevin(atoms, 0.1, noise=False)
    motion.attach(lambda: motion.stop("far enough") if atoms.positions[1, 0] > 4 else None)
    with pytest.warns(RuntimeWarning, match="far enough"):
        motion.run(100)
    assert 4 < atoms.positions[1, 0] < 4.11
    atoms.positions[1, 0] -= 2
    assert motion.run(2)
    assert motion.stopped is None
    # In periodic cells the nearest image counts.
    atoms.positions[1, 0] = 2.5
    atoms.set_cell([20.0, 20, 20])
    atoms.pbc = True
    atoms.wrap()
    atoms.positions[1, 0] += 20
    motion = CurrentInducedLangevin(atoms, 0.1, noise=False, bonds={(0, 1): 3.0})
    assert motion.run(1)


def test_wrapped_atoms_are_displaced_by_the_nearest_image():
    field = field_of()
    atoms = ase.Atoms("Au3", positions=BENT, cell=[30, 30, 30], pbc=True)
    atoms.calc = CurrentInducedForces(field)
    atoms.get_forces()
    atoms.positions[0] += [-0.1, 0.05, -0.1]
    expected = atoms.get_forces()
    atoms.wrap()
    assert np.abs(atoms.positions[0] - BENT[0]).max() > 20
    np.testing.assert_allclose(atoms.get_forces(), expected, rtol=0, atol=1e-11)


def test_atoms_in_the_plane():
    """A system in 2D: no force along z, and no motion there."""
    device = devices.bent_molecule()
    field = ResponseField(device.syst, device.coordinates, device.energy, units=device.units)
    places = np.array([site.pos for site in device.syst.sites])
    atoms = ase.Atoms(f"Au{len(places)}", positions=np.pad(places, ((0, 0), (0, 1))))
    atoms.positions[:, 2] = 3
    atoms.calc = calculator = CurrentInducedForces(field)
    atoms.positions[calculator.field.model.syst.sites.index(device.coordinates.where[0])] += (
        0.05,
        0,
        0,
    )
    forces = atoms.get_forces()
    assert not forces[:, 2].any()
    assert np.abs(forces[:, :2]).max() > 1e-4
    assert calculator.friction(atoms).shape == (9, 9)
    assert not calculator.friction(atoms)[2::3].any()
    atoms.positions[calculator.indices[1], 2] += 0.01
    with pytest.raises(
        ValueError, match=r"has moved by 0.01 Å along z.*mask=\(False, False, True\)"
    ):
        atoms.get_forces()


def test_what_is_no_field_or_not_of_these_atoms_is_refused():
    field, _ = given(3)
    atoms = ase.Atoms("H3", positions=BOND * np.arange(3)[:, None] * [1.0, 0, 0])

    def forces(indices=None, shift=0.0, of=field):
        moved = atoms.copy()
        moved.positions[1, 1] += shift
        moved.calc = CurrentInducedForces(of, indices=indices)
        return moved.get_forces()

    for make, error, message in (
        (lambda: CurrentInducedForces(field.model), TypeError, "field is a Model; expected a Resp"),
        (lambda: CurrentInducedForces(field, EMT), TypeError, "base is <class"),
        (lambda: forces(of=field_of(units=None)), ValueError, "units=None, and ASE has eV and Å"),
        (lambda: forces(shift=0.3), ValueError, r"no atom within 0.1 Å.*indices=\[...\]"),
        (lambda: forces([0, 1]), ValueError, "indices has shape .2,.*expected 3 whole numbers"),
        (lambda: forces([0, 1, 1]), ValueError, "expected distinct atoms"),
        (lambda: forces([0, 1, 3]), ValueError, "names atom 3, but the atoms are 0 to 2"),
        (lambda: forces([1, 0, 2]), ValueError, r"Atom 1 at \(2.5, 0, 0\) Å is, by indices"),
        (lambda: CurrentInducedForces(field).indices, ValueError, "Which atoms move"),
    ):
        with pytest.raises(error, match=message):
            make()
    matrices = ResponseField(field.syst, Matrices([np.eye(5)]), 0.0, units=EV_ANGSTROM_AMU)
    with pytest.raises(TypeError, match=r"Matrices, which don't say where atoms are"):
        CurrentInducedForces(matrices)
    assert not forces([0, 1, 2], shift=0.3).any()


def test_dynamics_refuses_what_it_does_not_know():
    field, atoms = given(3)
    noisy = field_of()

    def motion(of=field, constraint=None, **keywords):
        moved = atoms.copy()
        moved.positions = BENT if of is noisy else moved.positions
        moved.calc = CurrentInducedForces(of, springs(moved))
        moved.set_constraint(constraint)
        motion = CurrentInducedLangevin(moved, 0.1, **{"noise": False, **keywords})
        motion.run(1)

    crossed = [FixedLine(0, (1, 0, 0)), FixedPlane(0, (1, 1, 0))]
    for keywords, error, message in (
        ({"of": noisy, "noise": True, "rng": 1}, ValueError, "not 2 kT times the friction"),
        ({"constraint": FixBondLength(0, 1)}, TypeError, "the constraint FixBond"),
        ({"constraint": crossed}, ValueError, "Atom 0 has constraints along directions"),
        ({"damping": [1.0, 2.0]}, ValueError, "or 3, one per atom"),
        ({"damping": -1.0}, ValueError, "not negative"),
        ({"temperature_K": -1.0}, ValueError, "temperature_K is -1.0"),
        ({"bonds": [(0, 1)]}, TypeError, "expected a mapping"),
        ({"bonds": {(0, 3): 1.0}}, ValueError, "two of the 3 atoms"),
        ({"bonds": {0: 1.0}}, TypeError, "expected a pair of atoms"),
        ({"bonds": {(0, 1): 0.0}}, ValueError, "expected a positive number"),
    ):
        with pytest.raises(error, match=message):
            motion(**keywords)
    atoms.calc = EMT()
    with pytest.raises(TypeError, match="calculator is a EMT; expected CurrentInducedForces"):
        CurrentInducedLangevin(atoms, 0.1, rng=1)


def test_held_atoms_stay():
    field, atoms = given(2, lambda q: {"friction": np.eye(6) + 0.1}, bias=0.0, temperature=0.5)
    start = atoms.positions.copy()
    atoms.set_constraint(FixAtoms([0]))
    atoms.calc = CurrentInducedForces(field, springs(atoms))
    motion = CurrentInducedLangevin(atoms, 0.1, rng=1, damping=0.1)
    motion.run(20)
    np.testing.assert_array_equal(atoms.positions[0], start[0])
    assert not atoms.get_momenta()[0].any()
    assert np.abs(atoms.positions[1] - start[1]).min() > 0.01
    assert abs(motion.energies.residual) < 1e-13


def test_atoms_that_meet_and_motion_without_end_are_errors():
    field = field_of()
    atoms = ase.Atoms("Au3", positions=BENT)
    atoms.calc = CurrentInducedForces(field, indices=[0, 1, 2])
    atoms.get_forces()
    atoms.positions[1] = atoms.positions[0] + 1e-90
    with pytest.raises(ValueError, match="bond") as raised:
        atoms.get_forces()
    assert "atom 1 is 2.5" in raised.value.__notes__[0]
    field, atoms = given(1, force=lambda q: 1e200 * q)
    atoms.calc = CurrentInducedForces(field)
    atoms.positions += 0.01
    motion = CurrentInducedLangevin(atoms, 1.0, noise=False)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ValueError, match=r"grown beyond all numbers in step .*, of atom 0 first"),
    ):
        motion.run(10)


def test_the_package_needs_no_ase():
    code = """
import sys
sys.modules["ase"] = None
import kwant_curl
from kwant_curl import *
assert "CurrentInducedForces" not in kwant_curl.__all__
assert not hasattr(kwant_curl, "nothing")
try:
    kwant_curl.CurrentInducedForces
except ImportError as error:
    assert "needs ASE" in str(error), error
else:
    raise AssertionError
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
