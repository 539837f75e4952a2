"""Vibrational modes: by hand, and from runs of ASE and Phonopy."""

import dataclasses

import ase
import ase.units
import kwant
import numpy as np
import phonopy
import pytest
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.optimize import BFGS
from ase.vibrations import Vibrations, VibrationsData
from phonopy.interface import calculator as calculators
from phonopy.structure.atoms import PhonopyAtoms
from scipy import constants, sparse
from scipy.linalg import eigvalsh
from scipy.spatial.transform import Rotation

from kwant_curl import Displacements, Parameters, PowerLaw, force_response
from kwant_curl.devices import Atoms, gold_chain
from kwant_curl.support.storage import read_result
from kwant_curl.support.units import ATOMIC_UNITS, EV_ANGSTROM_AMU, MEV_NANOMETRE_AMU, Units
from kwant_curl.vibrations import VibrationalModes
from kwant_curl.vibrations.other_programs import IN_ANGSTROM, IN_BOHR, length_in_angstrom

RNG = np.random.default_rng(5)


def springs(n, rng=RNG, ground=1.0):
    """Return random force constants (n, n), positive definite."""
    half = rng.normal(size=(n, n))
    return half @ half.T + ground * np.eye(n)


def system(positions):
    """Return a finalized system with a site at each position, in their order."""
    atoms = Atoms(positions)
    builder = kwant.Builder()
    builder[(atoms(i) for i in range(len(positions)))] = 0.0
    builder[[(atoms(i + 1), atoms(i)) for i in range(len(positions) - 1)]] = -1.0
    return builder.finalized()


def zigzag(n, dim=3):
    """Return the positions of n atoms, none of them above another one."""
    i = np.arange(n)
    places = np.stack([2.6 * i, 0.7 * (-1.0) ** i, 0.4 * np.cos(2.0 * i)], axis=1)
    return places[:, :dim]


def hessian(n, rng=RNG):
    return springs(3 * n, rng).reshape(n, 3, n, 3)


MOVING = Displacements(scaling=PowerLaw(2))


def only(where):
    return Displacements(where, scaling=PowerLaw(2))


# By hand


def test_two_masses_on_springs():
    """Two equal masses, each on a spring k to a wall, and a spring c between them."""
    k, c, m = 2.0, 0.7, 3.0
    modes = VibrationalModes.from_force_constants([[k + c, -c], [-c, k + c]], m)
    np.testing.assert_allclose(modes.frequencies, np.sqrt([k / m, (k + 2 * c) / m]))
    np.testing.assert_allclose(modes.vectors, np.array([[1, 1], [1, -1]]) / np.sqrt(2))
    np.testing.assert_allclose(modes.patterns, modes.vectors / np.sqrt(m))
    np.testing.assert_allclose(modes.masses, [m, m])
    assert len(modes) == 2


def test_unequal_masses_on_a_spring():
    """The relative motion has the reduced mass; a weak spring to the ground holds the rest."""
    weak, k, masses = 1e-7, 1.3, np.array([1.0, 4.0])
    matrix = k * np.array([[1, -1], [-1, 1]]) + weak * np.diag(masses)
    modes = VibrationalModes.from_force_constants(matrix, masses)
    reduced = masses.prod() / masses.sum()
    np.testing.assert_allclose(modes.frequencies**2, [weak, k / reduced + weak], rtol=1e-8)
    np.testing.assert_allclose(modes.patterns[0], np.ones(2) / np.sqrt(masses.sum()), rtol=1e-6)


def test_force_constants_come_back():
    matrix, masses = springs(9), RNG.uniform(1, 5, 9)
    modes = VibrationalModes.from_force_constants(matrix, masses)
    np.testing.assert_allclose(modes.force_constants, matrix, atol=1e-12 * np.abs(matrix).max())
    np.testing.assert_allclose(modes.vectors @ modes.vectors.T, np.eye(9), atol=1e-13)
    generalised = eigvalsh(matrix, np.diag(masses))
    np.testing.assert_allclose(modes.frequencies**2, generalised)
    for omega, pattern in zip(modes.frequencies, modes.patterns, strict=True):
        np.testing.assert_allclose(matrix @ pattern, omega**2 * masses * pattern, atol=1e-11)


def test_sparse_force_constants():
    matrix = np.diag([3.0, 3.0, 3.0]) - np.diag([1.0, 1.0], 1) - np.diag([1.0, 1.0], -1)
    dense = VibrationalModes.from_force_constants(matrix, 2.0)
    for kind in (sparse.csr_array, sparse.coo_matrix):
        modes = VibrationalModes.from_force_constants(kind(matrix), 2.0)
        np.testing.assert_array_equal(modes.vectors, dense.vectors)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_masses_per_atom(dim):
    matrix, per_atom = springs(4 * dim), np.array([1.0, 2.0, 3.0, 4.0])
    each = VibrationalModes.from_force_constants(matrix, np.repeat(per_atom, dim))
    positions = zigzag(4, dim)
    for keywords in ({}, {"positions": positions}, {"positions": positions, "sites": range(4)}):
        modes = VibrationalModes.from_force_constants(matrix, per_atom, **keywords)
        np.testing.assert_array_equal(modes.masses, each.masses)
        np.testing.assert_array_equal(modes.frequencies, each.frequencies)


def test_signs_do_not_depend_on_rounding():
    ring = 3 * np.eye(4) - np.roll(np.eye(4), 1, 0) - np.roll(np.eye(4), -1, 0)
    matrix = ring + np.diag([0, 0.1, 0, 0.1])
    modes = VibrationalModes.from_force_constants(matrix, 1.0)
    for factor in (1 - 1e-15, 1 + 1e-15, 3.0, 1 / 7):
        again = VibrationalModes.from_force_constants(matrix * factor, 1.0)
        np.testing.assert_allclose(again.vectors, modes.vectors, atol=1e-12)
    size = np.abs(modes.vectors)
    top = (size > (1 - 1e-6) * size.max(axis=1, keepdims=True)).argmax(axis=1)
    assert (modes.vectors[np.arange(4), top] > 0).all()


def test_modes_of_a_response_have_mass_one():
    """Friction and curl of mass-weighted patterns: the amplitude of a mode decays with eta/2."""
    device = gold_chain(4)
    response = force_response(device.syst, device.coordinates, device.energy, bias=0.1)
    modes = VibrationalModes.from_force_constants(springs(4), device.mass, units=EV_ANGSTROM_AMU)
    projected = response.project(modes.patterns)
    np.testing.assert_allclose(
        projected.friction, modes.vectors @ response.friction @ modes.vectors.T / device.mass
    )
    assert np.trace(projected.friction) == pytest.approx(np.trace(response.friction) / device.mass)


# The result


@pytest.fixture(scope="module")
def modes():
    return VibrationalModes.from_force_constants(
        springs(6, np.random.default_rng(0)),
        [500.0, 1000.0, 1500.0],
        positions=zigzag(3, 2),
        sites=[4, 2, 7],
        units=EV_ANGSTROM_AMU,
    )


def test_repr(modes):
    low, high = modes.frequencies[[0, -1]]
    assert repr(modes) == (
        f"<VibrationalModes: 6 modes of 6 coordinates, frequencies from {low:.4g} to {high:.4g} eV>"
    )
    plain = VibrationalModes.from_force_constants([[4.0]], 1.0)
    assert repr(plain) == ("<VibrationalModes: 1 modes of 1 coordinates, frequencies from 2 to 2>")


def test_frozen_and_read_only(modes):
    for field in dataclasses.fields(modes):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(modes, field.name, 0)
    for array in (modes.vectors, modes.frequencies, modes.masses, modes.positions, modes.sites):
        assert not array.flags.writeable
    for array in (modes.patterns, modes.force_constants):
        assert not array.flags.writeable


def test_select(modes):
    for which in ([1, 4], np.array([1, 4]), [1, -2], np.isin(np.arange(6), [1, 4])):
        some = modes.select(which)
        np.testing.assert_array_equal(some.frequencies, modes.frequencies[[1, 4]])
        np.testing.assert_array_equal(some.vectors, modes.vectors[[1, 4]])
        np.testing.assert_array_equal(some.sites, modes.sites)
        assert some.units is EV_ANGSTROM_AMU
    np.testing.assert_array_equal(modes.select([4, 1]).vectors, modes.vectors[[4, 1]])
    assert len(modes.select(3)) == 1
    with pytest.raises(ValueError, match="2 modes of 6 coordinates don't determine the force"):
        modes.select([0, 1]).force_constants  # noqa: B018


def test_in_a_file(modes, tmp_path):
    for result in (modes, VibrationalModes.from_force_constants(springs(2), 1.0)):
        result.save(tmp_path / "modes.npz")
        again = read_result(tmp_path / "modes.npz", [VibrationalModes])
        for field in dataclasses.fields(result):
            np.testing.assert_array_equal(getattr(again, field.name), getattr(result, field.name))


def test_as_a_data_set(modes):
    data = modes.to_xarray()
    assert data["vectors"].dims == ("mode", "coordinate")
    assert data["positions"].dims == ("atom", "direction")
    assert data["sites"].dims == ("atom",)
    assert data.attrs["energy_unit"] == "eV"
    assert "positions" not in VibrationalModes.from_force_constants(springs(2), 1.0).to_xarray()


# ASE


def run_of_ase(symbols, positions, fixed, folder):
    """Return atoms that are relaxed but for the fixed ones, and the vibrations of the others."""
    atoms = ase.Atoms(symbols, positions=positions)
    atoms.set_constraint(FixAtoms(fixed))
    atoms.calc = EMT()
    assert BFGS(atoms, logfile=None).run(fmax=1e-4, steps=500)
    moving = np.setdiff1d(np.arange(len(atoms)), fixed)
    vibrations = Vibrations(atoms, indices=moving, name=str(folder / "vib"))
    vibrations.run()
    return atoms, vibrations


@pytest.fixture(scope="module")
def gold(tmp_path_factory):
    """Return a run of ASE: a zigzag of gold and copper atoms between fixed ends."""
    return run_of_ase("Au2CuAuCuAu2", zigzag(7), [0, 1, 5, 6], tmp_path_factory.mktemp("ase"))


@pytest.fixture(scope="module")
def constants_of_ase():
    """The ratio of hbar/sqrt(eV amu) with SciPy's constants to that with ASE's older ones."""
    ours = constants.hbar / np.sqrt(constants.electron_volt * constants.atomic_mass)
    return ours / (ase.units._hbar / np.sqrt(ase.units._e * ase.units._amu))


def test_frequencies_of_a_run_of_ase(gold, constants_of_ase):
    atoms, vibrations = gold
    syst = system(atoms.positions)
    assert constants_of_ase == pytest.approx(1, abs=1e-7)
    expected = vibrations.get_energies().real * constants_of_ase
    for source in (vibrations, vibrations.get_vibrations()):
        modes = VibrationalModes.from_ase(source, syst, only([2, 3, 4]))
        np.testing.assert_allclose(modes.frequencies, expected, rtol=1e-10)
    np.testing.assert_array_equal(modes.sites, [2, 3, 4])
    np.testing.assert_allclose(modes.positions, atoms.positions[2:5])
    assert modes.units == EV_ANGSTROM_AMU
    np.testing.assert_allclose(
        EV_ANGSTROM_AMU.amu(modes.masses), np.repeat(atoms.get_masses()[2:5], 3)
    )
    expected = vibrations.get_vibrations().get_hessian_2d()
    np.testing.assert_allclose(modes.force_constants, expected, atol=1e-12)


def test_modes_of_a_run_of_ase(gold):
    """ASE's modes are displacements of mass-weighted length one, up to their sign."""
    atoms, vibrations = gold
    modes = VibrationalModes.from_ase(vibrations, system(atoms.positions), only([2, 3, 4]))
    theirs = vibrations.get_vibrations().get_modes().reshape(9, 9)
    ours = modes.patterns * np.sqrt(EV_ANGSTROM_AMU.mass(1.0))
    overlap = (ours * EV_ANGSTROM_AMU.amu(modes.masses)) @ theirs.T
    np.testing.assert_allclose(np.abs(overlap), np.eye(9), atol=1e-6)


def test_sites_in_another_order_than_the_atoms(gold):
    atoms, vibrations = gold
    straight = VibrationalModes.from_ase(vibrations, system(atoms.positions), only([2, 3, 4]))
    order = np.array([5, 3, 0, 4, 6, 2, 1])
    syst = system(atoms.positions[order])
    moving = [3, 1, 5]
    modes = VibrationalModes.from_ase(vibrations, syst, only(moving))
    assert order[moving].tolist() == [4, 3, 2]
    np.testing.assert_allclose(modes.frequencies, straight.frequencies, rtol=1e-10)
    np.testing.assert_array_equal(modes.sites, moving)
    np.testing.assert_allclose(modes.positions, atoms.positions[[4, 3, 2]])
    reordered = straight.patterns.reshape(9, 3, 3)[:, ::-1].reshape(9, 9)
    np.testing.assert_allclose(modes.patterns, reordered, atol=1e-8)


def test_fewer_atoms_than_ase_displaced(gold):
    atoms, vibrations = gold
    modes = VibrationalModes.from_ase(vibrations, system(atoms.positions), only([4, 2]))
    matrix = vibrations.get_vibrations().get_hessian()[[2, 0]][:, :, [2, 0]].reshape(6, 6)
    masses = EV_ANGSTROM_AMU.mass(atoms.get_masses()[[4, 2]])
    expected = VibrationalModes.from_force_constants(matrix, masses)
    np.testing.assert_allclose(modes.frequencies, expected.frequencies)
    np.testing.assert_allclose(modes.vectors, expected.vectors, atol=1e-10)


def test_a_planar_system(tmp_path, constants_of_ase):
    """In 2D the atoms move in the plane: the modes of ASE that don't leave it."""
    atoms, vibrations = run_of_ase("Au6", zigzag(6) * [1, 1, 0], [0, 1, 5], tmp_path)
    syst = system(atoms.positions[::-1, :2])
    modes = VibrationalModes.from_ase(vibrations, syst, only([1, 2, 3]))
    data = vibrations.get_vibrations()
    energies, patterns = data.get_energies_and_modes()
    planar = np.abs(patterns[:, :, 2]).max(axis=1) < 1e-6
    assert planar.sum() == len(modes) == 6
    np.testing.assert_allclose(
        modes.frequencies, energies[planar].real * constants_of_ase, rtol=1e-8
    )
    np.testing.assert_allclose(modes.positions, atoms.positions[[4, 3, 2], :2])


def test_a_linear_system():
    matrix = hessian(4)
    atoms = ase.Atoms("C4", positions=zigzag(4) * [1, 0, 0])
    modes = VibrationalModes.from_ase(VibrationsData(atoms, matrix), system(zigzag(4, 1)), MOVING)
    expected = VibrationalModes.from_force_constants(
        matrix[:, 0, :, 0], EV_ANGSTROM_AMU.mass(12.011), positions=zigzag(4, 1)
    )
    np.testing.assert_allclose(modes.frequencies, expected.frequencies)
    np.testing.assert_allclose(modes.vectors, expected.vectors, atol=1e-12)


def test_atoms_in_any_order_of_indices():
    """Rows of the Hessian are in the order of the indices, whatever that is."""
    matrix = hessian(3)
    atoms = ase.Atoms("AuCCuAg", positions=zigzag(4))
    syst = system(zigzag(4))
    straight = VibrationalModes.from_ase(
        VibrationsData(atoms, matrix, indices=[1, 2, 3]), syst, only([1, 2, 3])
    )
    order = [2, 0, 1]
    shuffled = VibrationsData(atoms, matrix[order][:, :, order].copy(), indices=[-1, 1, 2])
    modes = VibrationalModes.from_ase(shuffled, syst, only([1, 2, 3]))
    np.testing.assert_allclose(modes.force_constants, straight.force_constants)
    np.testing.assert_allclose(modes.frequencies, straight.frequencies)


@pytest.mark.parametrize("units", [ATOMIC_UNITS, MEV_NANOMETRE_AMU], ids=["Bohr", "nm"])
def test_other_units(units):
    data = VibrationsData(ase.Atoms("C4", positions=zigzag(4)), hessian(4))
    expected = VibrationalModes.from_ase(data, system(zigzag(4)), MOVING)
    syst = system(units.length_from_angstrom(zigzag(4)))
    tolerance = units.length_from_angstrom(0.1)
    modes = VibrationalModes.from_ase(data, syst, MOVING, units=units, tolerance=tolerance)
    np.testing.assert_allclose(
        units.millielectronvolt(modes.frequencies), 1e3 * expected.frequencies
    )
    np.testing.assert_allclose(units.amu(modes.masses), 12.011)
    np.testing.assert_allclose(modes.vectors, expected.vectors, atol=1e-10)
    assert modes.units == units


def test_atoms_slightly_off_the_sites():
    data = VibrationsData(ase.Atoms("C4", positions=zigzag(4) + 0.04), hessian(4))
    modes = VibrationalModes.from_ase(data, system(zigzag(4)), MOVING)
    np.testing.assert_allclose(modes.positions, zigzag(4))
    with pytest.raises(ValueError, match=r"has no atom within 0.05 Å"):
        VibrationalModes.from_ase(data, system(zigzag(4)), MOVING, tolerance=0.05)


def test_sites_on_the_interface_of_a_lead_are_held():
    device = gold_chain(3)
    places = np.array([site.pos for site in device.syst.sites])
    positions = np.concatenate([places, np.zeros((5, 2))], axis=1)
    data = VibrationsData(ase.Atoms("Au5", positions=positions), hessian(5))
    modes = VibrationalModes.from_ase(data, device.syst, device.coordinates)
    assert len(modes) == 3
    response = force_response(device.syst, device.coordinates, device.energy, bias=0.1)
    assert response.project(modes.patterns).friction.shape == (3, 3)


# Phonopy


def crystal(n=3, symbols=("Au", "Cu", "C"), cell=(8.0, 9.0, 10.0)):
    return PhonopyAtoms(symbols=list(symbols), positions=zigzag(n) + 2.0, cell=np.diag(cell))


@pytest.fixture(scope="module")
def by_hand():
    """Return Phonopy with force constants of springs between all, and to the ground."""
    phonon = phonopy.Phonopy(crystal(), np.eye(3), primitive_matrix="P")
    matrix = springs(9, np.random.default_rng(8))
    phonon.force_constants = np.ascontiguousarray(matrix.reshape(3, 3, 3, 3).swapaxes(1, 2))
    return phonon, matrix


@pytest.mark.parametrize("calculator", [None, "vasp", "qe", "abinit", "siesta", "cp2k", "elk"])
def test_phonopy_of_calculators_in_bohr(by_hand, calculator):
    """The same atoms and springs, as each program has them."""
    plain, matrix = by_hand
    length = length_in_angstrom(calculator)
    cell = crystal(cell=(8.0, 9.0, 10.0))
    scaled = PhonopyAtoms(
        symbols=cell.symbols, positions=cell.positions / length, cell=cell.cell / length
    )
    phonon = phonopy.Phonopy(scaled, np.eye(3), primitive_matrix="P", calculator=calculator)
    factor = plain.unit_conversion_factor / phonon.unit_conversion_factor
    springs_there = matrix * factor**2
    phonon.force_constants = np.ascontiguousarray(springs_there.reshape(3, 3, 3, 3).swapaxes(1, 2))
    syst = system(cell.positions)
    modes = VibrationalModes.from_phonopy(phonon, syst, MOVING)
    expected = VibrationalModes.from_phonopy(plain, syst, MOVING)
    np.testing.assert_allclose(modes.frequencies, expected.frequencies, rtol=1e-9)
    far = cell.positions.copy()
    far[1] += [0, 0, 0.5]
    with pytest.raises(ValueError, match=r"0\.5 Å away"):
        VibrationalModes.from_phonopy(phonon, system(far), MOVING)


@pytest.mark.skipif(
    not hasattr(calculators, "get_calculator_physical_units"), reason="an older Phonopy"
)
def test_lengths_of_the_calculators_of_phonopy():
    for calculator in (*IN_ANGSTROM, *IN_BOHR):
        try:
            known = calculators.get_calculator_physical_units(calculator).distance_to_A
        except ValueError:  # an older Phonopy, which knows fewer calculators
            continue
        assert length_in_angstrom(calculator) == pytest.approx(known, rel=1e-6)


def test_a_calculator_that_is_not_known():
    with pytest.raises(ValueError, match=r"phonon.calculator is 'other', whose unit of length"):
        length_in_angstrom("other")


def test_a_cell_that_phonopy_has_reduced():
    """As it does by default since its version 4."""
    places = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    unitcell = PhonopyAtoms(symbols=["Au"] * 4, scaled_positions=places, cell=4.06 * np.eye(3))
    fcc = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    phonon = phonopy.Phonopy(unitcell, np.eye(3), primitive_matrix=fcc)
    phonon.force_constants = np.zeros((4, 4, 3, 3)) + np.eye(3) * np.eye(4)[:, :, None, None]
    with pytest.raises(ValueError, match=r"reduced the unit cell of 4 atoms to a .* one of 1.*\"P"):
        VibrationalModes.from_phonopy(phonon, system(unitcell.positions), MOVING)


def terahertz_of_phonopy(phonon):
    phonon.run_qpoints([[0, 0, 0]])
    return np.array(phonon.qpoints.frequencies[0])


def test_frequencies_of_phonopy(by_hand):
    phonon, matrix = by_hand
    syst = system(phonon.primitive.positions)
    modes = VibrationalModes.from_phonopy(phonon, syst, MOVING)
    terahertz = EV_ANGSTROM_AMU.terahertz(modes.frequencies)
    np.testing.assert_allclose(terahertz, terahertz_of_phonopy(phonon), rtol=1e-10)
    # Phonopy's constants are older than SciPy's.
    np.testing.assert_allclose(modes.force_constants, matrix, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        EV_ANGSTROM_AMU.amu(modes.masses), np.repeat(phonon.primitive.masses, 3)
    )


def test_phonopy_in_another_order_and_in_the_plane(by_hand):
    phonon, matrix = by_hand
    order = np.array([2, 0, 1])
    syst = system(phonon.primitive.positions[order, :2])
    modes = VibrationalModes.from_phonopy(phonon, syst, only([2, 0]))
    blocks = matrix.reshape(3, 3, 3, 3)[[1, 2], :2][:, :, [1, 2], :2]
    masses = EV_ANGSTROM_AMU.mass(phonon.primitive.masses[[1, 2]])
    expected = VibrationalModes.from_force_constants(blocks.reshape(4, 4), masses)
    np.testing.assert_allclose(modes.frequencies, expected.frequencies, rtol=1e-6)
    np.testing.assert_allclose(modes.vectors, expected.vectors, atol=1e-6)
    np.testing.assert_array_equal(modes.sites, [2, 0])


def test_phonopy_and_ase_agree(by_hand):
    phonon, matrix = by_hand
    positions = phonon.primitive.positions
    syst = system(ATOMIC_UNITS.length_from_angstrom(positions[::-1]))
    atoms = ase.Atoms(phonon.primitive.symbols, positions=positions)
    atoms.set_masses(phonon.primitive.masses)
    data = VibrationsData(atoms, matrix.reshape(3, 3, 3, 3))
    one = VibrationalModes.from_ase(data, syst, only([1, 2]), units=ATOMIC_UNITS)
    two = VibrationalModes.from_phonopy(phonon, syst, only([1, 2]), units=ATOMIC_UNITS)
    # Phonopy's constants are older than SciPy's.
    np.testing.assert_allclose(one.frequencies, two.frequencies, rtol=1e-6)
    np.testing.assert_allclose(one.vectors, two.vectors, atol=1e-6)


def test_a_run_of_phonopy():
    """Displacements and forces of EMT; a crystal's atoms but one are held."""
    lattice = 4.06
    unitcell = PhonopyAtoms(
        symbols=["Au"] * 4,
        scaled_positions=[[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
        cell=lattice * np.eye(3),
    )
    phonon = phonopy.Phonopy(unitcell, 2 * np.eye(3), primitive_matrix="P")
    phonon.generate_displacements(distance=0.01)
    phonon.forces = [emt_forces(cell) for cell in phonon.supercells_with_displacements]
    phonon.produce_force_constants()
    phonon.symmetrize_force_constants()
    syst = system(unitcell.positions)
    with pytest.raises(ValueError, match=r"\(3 of the 12 are\)"):
        VibrationalModes.from_phonopy(phonon, syst, MOVING)
    modes = VibrationalModes.from_phonopy(phonon, syst, only([1, 2, 3]))
    assert len(modes) == 9
    # Optical modes of the cubic cell at Gamma are those of the primitive one at X: 2 to 5 THz.
    terahertz = EV_ANGSTROM_AMU.terahertz(modes.frequencies)
    assert 0.5 < terahertz.min() < terahertz.max() < terahertz_of_phonopy(phonon).max() + 1e-9
    single = VibrationalModes.from_phonopy(phonon, syst, only([3]))
    np.testing.assert_allclose(single.frequencies, single.frequencies[0], rtol=1e-6)


def emt_forces(cell):
    atoms = ase.Atoms(cell.symbols, positions=cell.positions, cell=cell.cell, pbc=True)
    atoms.calc = EMT()
    return atoms.get_forces()


def test_phonopy_keeps_what_it_has_calculated(by_hand):
    phonon, _ = by_hand
    phonon.run_qpoints([[0.5, 0, 0]])
    before = np.array(phonon.qpoints.frequencies)
    VibrationalModes.from_phonopy(phonon, system(phonon.primitive.positions), MOVING)
    np.testing.assert_array_equal(phonon.qpoints.frequencies, before)


# Errors


@pytest.mark.parametrize("shape", [(3, 4), (9,), (2, 3, 3, 2), (0, 0)])
def test_force_constants_of_the_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"force_constants has shape .*; expected \(n_c, n_c\)"):
        VibrationalModes.from_force_constants(np.ones(shape), 1.0)


def test_force_constants_that_are_no_real_numbers():
    with pytest.raises(ValueError, match="force_constants is complex; expected real"):
        VibrationalModes.from_force_constants(np.eye(2) * 1j, 1.0)
    with pytest.raises(ValueError, match="force_constants has entries that are not finite"):
        VibrationalModes.from_force_constants([[1.0, np.nan], [np.nan, 1.0]], 1.0)
    with pytest.raises(TypeError, match="force_constants has entries of type"):
        VibrationalModes.from_force_constants([["a"]], 1.0)


def test_force_constants_that_are_not_symmetric():
    matrix = springs(4)
    matrix[1, 3] += 0.25
    with pytest.raises(
        ValueError, match=r"not symmetric: elements \(1, 3\) and \(3, 1\).*differ by 0.25.*K.T"
    ):
        VibrationalModes.from_force_constants(matrix, 1.0)


def test_force_constants_that_are_not_positive():
    matrix = np.diag([1.0, 2.0, 3.0, -0.5, 4.0, 5.0])
    with pytest.raises(
        ValueError,
        match=r"eigenvalue 0 of 6, omega\^2 = -0\.25 \(the largest is 2\.5\), is negative or zero "
        r"\(1 of the 6 are\); most "
        r"moves coordinate 3\. Relax the atoms .* hold some of them fixed .* more atoms",
    ):
        VibrationalModes.from_force_constants(matrix, 2.0)
    with pytest.raises(ValueError, match=r"most moves atom 1 at \(2.6, -0.7\), along y"):
        VibrationalModes.from_force_constants(matrix, 2.0, positions=zigzag(3, 2))
    with pytest.raises(ValueError, match=r"most moves site 8, along x"):
        VibrationalModes.from_force_constants(matrix, 2.0, sites=[9, 8])


def test_modes_of_zero_frequency():
    free = np.array([[1.0, -1.0], [-1.0, 1.0]])
    for matrix in (free, np.zeros((2, 2)), free + 1e-10 * np.eye(2)):
        with pytest.raises(ValueError, match="The force constants are not positive"):
            VibrationalModes.from_force_constants(matrix, 1.0)


def test_masses():
    matrix = springs(6)
    with pytest.raises(
        ValueError,
        match=r"masses has shape \(4,\); expected one number, 6 of them .* or 3 or 2 \(one per at",
    ):
        VibrationalModes.from_force_constants(matrix, np.ones(4))
    with pytest.raises(ValueError, match=r"6 of them .* or 3 \(one per atom\)"):
        VibrationalModes.from_force_constants(matrix, np.ones(2), positions=zigzag(3, 2))
    for wrong in (0.0, -1.0, [1, np.inf, 1], np.zeros(6)):
        with pytest.raises(ValueError, match=r"masses is .*; expected positive, finite numbers"):
            VibrationalModes.from_force_constants(matrix, wrong)
    with pytest.raises(ValueError, match="masses is complex"):
        VibrationalModes.from_force_constants(matrix, 1j)


def test_positions_and_sites_that_do_not_fit():
    for wrong in (np.zeros((2, 2)), np.zeros(6), np.zeros((1, 6))):
        with pytest.raises(ValueError, match=r"positions has shape .*; expected"):
            VibrationalModes.from_force_constants(springs(6), 1.0, positions=wrong)
    with pytest.raises(ValueError, match="positions has entries that are not finite"):
        VibrationalModes.from_force_constants([[1.0]], 1.0, positions=[[np.nan]])
    for wrong in ([1, 2, 3, 4], [0.5, 1.0], [[1, 2]]):
        with pytest.raises(ValueError, match=r"sites is an array .*; expected the index"):
            VibrationalModes.from_force_constants(springs(6), 1.0, sites=wrong)
    with pytest.raises(ValueError, match=r"site of each atom, 3 integers"):
        VibrationalModes.from_force_constants(springs(6), 1.0, positions=zigzag(3, 2), sites=[1, 2])


def test_modes_of_vectors(modes):
    """Patterns of any length and sign come back normalised with the masses."""
    rng = np.random.default_rng(3)
    same = VibrationalModes(
        modes.frequencies,
        modes.patterns * rng.uniform(0.1, 10.0, (6, 1)),
        modes.masses,
        positions=modes.positions,
        sites=modes.sites,
    )
    np.testing.assert_allclose(same.patterns, modes.patterns, rtol=1e-12)
    np.testing.assert_allclose((same.patterns**2) @ same.masses, 1.0, rtol=1e-12)
    np.testing.assert_allclose(same.force_constants, modes.force_constants, atol=1e-12)
    again = VibrationalModes(same.frequencies, same.patterns, same.masses)
    np.testing.assert_array_equal(again.patterns, same.patterns)
    np.testing.assert_allclose(
        VibrationalModes.from_eigenvectors(
            modes.frequencies, 3 * modes.vectors, modes.masses
        ).patterns,
        modes.patterns,
        rtol=1e-12,
    )


def test_masses_of_modes_of_vectors():
    """One number, one per atom, or one per coordinate; patterns by atoms and directions."""
    rng = np.random.default_rng(4)
    masses = np.repeat(rng.uniform(1.0, 3.0, 3), 2)
    vectors = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    omega = rng.uniform(0.1, 1.0, 6)  # in any order
    one = VibrationalModes(omega, vectors / np.sqrt(masses), masses)
    other = VibrationalModes(
        omega, (vectors / np.sqrt(masses)).reshape(6, 3, 2), masses[::2], positions=zigzag(3, 2)
    )
    third = VibrationalModes.from_eigenvectors(omega, vectors.reshape(6, 3, 2), masses[::2])
    for same in (other, third):
        np.testing.assert_allclose(same.patterns, one.patterns, rtol=1e-12)
        np.testing.assert_array_equal(same.masses, masses)
    np.testing.assert_allclose(one.vectors, vectors, rtol=1e-12)
    np.testing.assert_array_equal(one.frequencies, omega)
    equal = VibrationalModes(omega, vectors, 4.0)
    np.testing.assert_allclose(equal.patterns, vectors / 2, rtol=1e-12)
    assert VibrationalModes.from_eigenvectors(omega, vectors, 4.0).masses.shape == (6,)


def test_modes_that_are_none(modes):
    skew = [[1.0, 0.0], [0.6, 0.8]]
    with pytest.raises(ValueError, match=r"modes 0 and 1 is 0\.6 .* Are the masses those"):
        VibrationalModes([1.0, 2.0], skew, np.ones(2))
    with pytest.raises(ValueError, match=r"divide these by sqrt\(M\), or .* from_eigenvectors"):
        VibrationalModes([1.0, 2.0], [[1.0, 1.0], [1.0, -1.0]], [1.0, 3.0])
    with pytest.raises(ValueError, match="nothing moves in mode 1"):
        VibrationalModes([1.0, 2.0], [[1.0, 1.0], [0.0, 0.0]], 1.0)
    with pytest.raises(ValueError, match=r"masses has shape \(3,\); expected one number, 2 of"):
        VibrationalModes([1.0, 2.0], np.eye(2), np.ones(3))
    with pytest.raises(ValueError, match=r"positions has shape \(3, 2\)"):
        VibrationalModes([1.0, 2.0], np.eye(2), np.ones(3), positions=np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"frequencies is .*; expected positive"):
        VibrationalModes([0.0, 2.0], np.eye(2), np.ones(2))
    with pytest.raises(ValueError, match="patterns is complex; expected real displacements"):
        VibrationalModes([1.0, 2.0], 1j * np.eye(2), np.ones(2))
    with pytest.raises(ValueError, match="patterns has entries that are not real, finite"):
        VibrationalModes([1.0, 2.0], [[np.nan, 1.0], [1.0, 0.0]], np.ones(2))
    with pytest.raises(ValueError, match=r"frequencies has shape \(1,\); expected \(2,\)"):
        VibrationalModes([1.0], np.eye(2), np.ones(2))
    with pytest.raises(ValueError, match=r"patterns has shape \(0, 2\)"):
        VibrationalModes([], np.empty((0, 2)), np.ones(2))


def test_select_nothing(modes):
    for nothing in ([], np.zeros(6, bool)):
        with pytest.raises(ValueError, match="which names no mode; expected some of the 6"):
            modes.select(nothing)
    with pytest.raises(ValueError, match="expected each mode once"):
        modes.select([1, -5])
    with pytest.raises(ValueError, match="the modes are 0 to 5"):
        modes.select([6])
    with pytest.raises(ValueError, match=r"mask of shape \(3,\); expected \(6,\)"):
        modes.select([True, False, True])
    for wrong in ([0.5], [[0, 1]]):
        with pytest.raises(ValueError, match="expected indices of modes, or a mask"):
            modes.select(wrong)


@pytest.fixture(scope="module")
def four():
    return VibrationsData(ase.Atoms("C4", positions=zigzag(4)), hessian(4))


def test_a_site_without_atom(four):
    far = zigzag(4)
    far[2] += [0, 0, 0.5]
    with pytest.raises(
        ValueError,
        match=r"at \(5.2, 0.7, .*\) Å has no atom within 0.1 Å: the nearest is atom 2 at \(5.2, "
        r"0.7, .*\) Å, 0.5 Å away \(1 of the 4 .*atoms.translate.*tolerance=.*`where`",
    ):
        VibrationalModes.from_ase(four, system(far), MOVING)
    VibrationalModes.from_ase(four, system(far), only([0, 1]))


def test_a_site_that_may_be_two_atoms(four):
    stacked = zigzag(4)
    stacked[1] = stacked[0] + [0.02, 0, 2.0]
    data = VibrationsData(ase.Atoms("C4", positions=stacked), four.get_hessian())
    with pytest.raises(ValueError, match=r"may be atom 0 or atom 1, .* within 0.1 Å .* in the 2 d"):
        VibrationalModes.from_ase(data, system(zigzag(4, 2)), only([0, 2]))
    modes = VibrationalModes.from_ase(data, system(zigzag(4, 2)), only([2, 3]))
    assert len(modes) == 4


def test_two_sites_on_one_atom(four):
    close = zigzag(4)
    close[1] = close[0] + [0.02, 0, 0]
    with pytest.raises(ValueError, match=r"are both atom 0 at \(0, 0.7, 0.4\) Å; expected one si"):
        VibrationalModes.from_ase(four, system(close), MOVING)


def test_a_site_that_was_not_displaced(four):
    data = VibrationsData(four.get_atoms(), hessian(3), indices=[0, 1, 3])
    with pytest.raises(
        ValueError, match=r"is atom 2, which is not among the 3 atoms .* \(1 of the 4 .*indices="
    ):
        VibrationalModes.from_ase(data, system(zigzag(4)), MOVING)


def test_the_wrong_objects(four, by_hand):
    syst, phonon = system(zigzag(4)), by_hand[0]
    with pytest.raises(TypeError, match=r"vibrations is a Atoms; expected ase.vibrations.Vibrati"):
        VibrationalModes.from_ase(four.get_atoms(), syst, MOVING)
    with pytest.raises(TypeError, match=r"phonon is a VibrationsData; expected phonopy.Phonopy"):
        VibrationalModes.from_phonopy(four, syst, MOVING)
    for make, source in (
        (VibrationalModes.from_ase, four),
        (VibrationalModes.from_phonopy, phonon),
    ):
        with pytest.raises(TypeError, match="coordinates is a Parameters; expected Displacements"):
            make(source, syst, Parameters("gate"))
        with pytest.raises(TypeError, match=r"syst is a kwant.Builder that is not finalized"):
            make(source, kwant.Builder(), MOVING)
        with pytest.raises(TypeError, match="units is 'eV'; expected Units, as EV_ANGSTROM_AMU"):
            make(source, syst, MOVING, units="eV")
        with pytest.raises(ValueError, match="tolerance is 0; expected a positive number"):
            make(source, syst, MOVING, tolerance=0)


def test_phonopy_without_force_constants():
    phonon = phonopy.Phonopy(crystal(), np.eye(3), primitive_matrix="P")
    with pytest.raises(ValueError, match="phonon has no force constants; call"):
        VibrationalModes.from_phonopy(phonon, system(phonon.primitive.positions), MOVING)


def test_a_dynamical_matrix_that_is_not_real(by_hand):
    class Dynamical:
        dynamical_matrix = np.array([[1, 0.5j], [-0.5j, 1]])

        def run(self, q):
            assert tuple(q) == (0, 0, 0)

    class Phonon:
        primitive = by_hand[0].primitive
        dynamical_matrix = Dynamical()
        unit_conversion_factor = 15.6

    with pytest.raises(ValueError, match=r"not real \(its imaginary part is up to 0.5 of"):
        VibrationalModes.from_phonopy(Phonon(), system(zigzag(3)), MOVING)


def test_a_structure_that_is_not_relaxed():
    """A compressed chain buckles: the error names the site that moves most."""
    matrix = np.diag([2.0, -0.3, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    turn = Rotation.from_euler("z", 10, degrees=True).as_matrix()
    turns = np.kron(np.eye(4), turn)
    data = VibrationsData.from_2d(ase.Atoms("C4", positions=zigzag(4)), turns @ matrix @ turns.T)
    with pytest.raises(ValueError, match=r"most moves site 0 at \(0, 0.7, 0.4\), along"):
        VibrationalModes.from_ase(data, system(zigzag(4)), MOVING)


def test_units_of_ones_own(four):
    """In units of 2 Å and 0.5 eV."""
    units = Units("half", "two", EV_ANGSTROM_AMU.energy / 2, EV_ANGSTROM_AMU.length * 2)
    modes = VibrationalModes.from_ase(four, system(zigzag(4) / 2), MOVING, units=units)
    expected = VibrationalModes.from_ase(four, system(zigzag(4)), MOVING)
    np.testing.assert_allclose(modes.frequencies, 2 * expected.frequencies)
    np.testing.assert_allclose(modes.force_constants, 8 * expected.force_constants, atol=1e-12)


def test_masses_that_no_atom_has():
    """Atomic mass units where hbar^2/(E L^2) is meant."""
    with pytest.raises(ValueError, match=r"0\.823 atomic mass units, .*units\.mass"):
        VibrationalModes.from_force_constants(np.eye(3), 197.0, units=EV_ANGSTROM_AMU)
    mass = EV_ANGSTROM_AMU.mass(1.008)
    VibrationalModes.from_force_constants(np.eye(3), mass, units=EV_ANGSTROM_AMU)


def test_force_constants_by_atoms():
    """(n_atoms, dim, n_atoms, dim) is the matrix, atom by atom."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6))
    matrix = root @ root.T + np.eye(6)
    one = VibrationalModes.from_force_constants(matrix, [1.0, 2.0])
    other = VibrationalModes.from_force_constants(matrix.reshape(2, 3, 2, 3), [1.0, 2.0])
    np.testing.assert_array_equal(one.vectors, other.vectors)


def test_sites_that_come_twice():
    with pytest.raises(ValueError, match=r"sites is \[1 1\]; expected each site once"):
        VibrationalModes.from_force_constants(np.eye(4), 1.0, sites=[1, 1])
