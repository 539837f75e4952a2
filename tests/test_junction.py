"""Junctions in nonorthogonal bases: matrices in, a Kwant system and coordinates out."""

import pickle
from copy import copy
from dataclasses import replace
from functools import cache
from itertools import product

import kwant
import numpy as np
import pytest
from ase import Atoms
from dense_junction import dense_filled, dense_green
from kwant.physics import StabilizedModes
from scipy import sparse
from scipy.linalg import eigh
from scipy.spatial.transform import Rotation

from kwant_curl import (
    ATOMIC_UNITS,
    EV_ANGSTROM_AMU,
    Calculation,
    Electrode,
    Junction,
    Matrices,
    Model,
    Units,
    VibrationalModes,
    critical_bias,
    curl_map,
    force_response,
)
from kwant_curl.materials.arrays import orbitals_of
from kwant_curl.materials.ends import zero_shift
from kwant_curl.materials.layers import neutral_level
from kwant_curl.model.mode_currents import with_separate_currents

sisl = pytest.importorskip("sisl")

ENERGY = 0.3
DISTANCE, LAYER = 1.3, 2

# A chain of two orbitals per atom, whose elements fall off with distance and end before the layer
# after the next; the atoms in the middle stand where they like.


def chain_matrices(positions, reach=2 * LAYER * DISTANCE - DISTANCE + 0.1):
    """Return H and S of atoms at these positions."""
    hopping = np.array([[-1.0, 0.3], [-0.3, 0.8]])
    shared = np.array([[0.20, 0.06], [-0.06, 0.15]])
    n = len(positions)
    hamiltonian, overlap = np.zeros((2, 2 * n, 2 * n))
    for i, j in product(range(n), repeat=2):
        place = np.ix_([2 * i, 2 * i + 1], [2 * j, 2 * j + 1])
        bond = positions[j] - positions[i]
        distance = np.linalg.norm(bond)
        if i == j:
            hamiltonian[place], overlap[place] = np.diag([0.0, 1.2]), np.eye(2)
        elif distance < reach:
            decay = np.exp(-2 * (distance - DISTANCE)) * (1 - (distance / reach) ** 2) ** 3
            # The odd elements change their sign with the bond's direction.
            odd = bond[0] / distance + 0.4 * bond[1] / distance
            even = np.where(np.eye(2, dtype=bool), 1.0, odd)
            hamiltonian[place] = hopping * even * decay
            overlap[place] = shared * even * decay
    return hamiltonian, overlap


def straight(n, first=0):
    return np.outer(np.arange(first, first + n), [DISTANCE, 0, 0])


@cache
def chain_electrode():
    n = 3 * LAYER
    hamiltonian, overlap = chain_matrices(straight(n))
    layers = np.arange(n).reshape(3, LAYER)
    whole = Calculation(hamiltonian, overlap, straight(n), 2)
    return Electrode.from_calculation(whole, layers, electrons=1.6)


@cache
def bent_positions(n=11):
    positions = straight(n)
    rng = np.random.default_rng(3)
    positions[4 : n - 4] += rng.uniform(-0.25, 0.25, (n - 8, 3))
    return positions


def chain_run(positions):
    return Calculation(*chain_matrices(positions), positions, 2)


@cache
def chain_junction():
    return Junction(chain_run(bent_positions()), chain_electrode())


# Transmission, with Kwant alone.


@pytest.mark.parametrize("energy", [-1.1, -0.4, ENERGY, 1.8])
def test_kwant_gives_the_transmission_of_the_nonorthogonal_device(energy):
    junction = chain_junction()
    device = junction.device
    dense = device.hamiltonian.toarray(), device.overlap.toarray()
    green, (left, right) = dense_green(*dense, chain_electrode(), energy)
    expected = np.trace(right @ green @ left @ green.conj().T).real
    assert expected > 0.01
    smatrix = kwant.smatrix(junction.syst, 0, params={"E": energy})
    assert np.isclose(smatrix.transmission(1, 0), expected, rtol=1e-8)
    # States are normalised to unit current: D of each lead.
    states = kwant.wave_function(junction.syst, 0, params={"E": energy})
    for lead, filled in enumerate(dense_filled(*dense, chain_electrode(), energy)):
        psi = states(lead)
        assert np.allclose(psi.T @ psi.conj() / (2 * np.pi), filled, atol=1e-8)


def test_sites_are_the_atoms_in_their_order_and_none_is_added():
    junction = chain_junction()
    syst = junction.syst
    assert len(syst.sites) == len(bent_positions())
    assert np.allclose([site.pos for site in syst.sites], bent_positions())
    whole = syst.hamiltonian_submatrix(params={"E": ENERGY})
    device = junction.device
    assert np.array_equal(whole, (device.hamiltonian - ENERGY * device.overlap).toarray())
    assert [list(i) for i in syst.lead_interfaces] == [[0, 1], [9, 10]]


def test_atoms_in_another_order_make_the_same_junction():
    order = np.random.default_rng(0).permutation(11)
    moved = Junction(chain_run(bent_positions()[order]), chain_electrode(), keep=np.argsort(order))
    params = {"E": ENERGY}
    expected = kwant.smatrix(chain_junction().syst, 0, params=params).transmission(1, 0)
    assert np.isclose(kwant.smatrix(moved.syst, 0, params=params).transmission(1, 0), expected)


def test_junctions_and_systems_go_to_other_processes():
    copy = pickle.loads(pickle.dumps(chain_junction()))
    again = pickle.loads(pickle.dumps(copy.syst)).hamiltonian_submatrix(params={"E": ENERGY})
    expected = chain_junction().syst.hamiltonian_submatrix(params={"E": ENERGY})
    assert np.array_equal(again, expected)
    assert repr(copy.report()) == repr(chain_junction().report())


def test_what_is_known_can_not_be_written_to():
    junction = chain_junction()
    coordinates = junction.displacements(chain_runs([5]), align=0)
    arrays = [
        junction.keep,
        junction.device.positions,
        junction.device.hamiltonian.data,
        junction.left.coupling.data,
        junction.left.period,
        junction.report().shift,
        coordinates.report().change,
        coordinates.positions,
        coordinates.hamiltonians[0].data,
        coordinates.overlaps[0].indices,
    ]
    assert not any(array.flags.writeable for array in arrays)


def test_an_ideal_wire_transmits_everything():
    junction = Junction(chain_run(straight(7)), chain_electrode())
    report = junction.report()
    assert report.verdict == "sound"
    assert max(*report.mismatch, *report.mismatch_coupling, *abs(report.shift)) < 1e-14
    smatrix = kwant.smatrix(junction.syst, 0, params={"E": ENERGY})
    n_modes = smatrix.num_propagating(0)
    assert n_modes >= 1
    assert np.isclose(smatrix.transmission(1, 0), n_modes)


def test_a_longer_calculation_is_cut():
    whole = chain_run(bent_positions())
    junction = Junction(whole, chain_electrode(), keep=range(2, 9))
    assert len(junction.syst.sites) == 7
    # The layers that were cut off are those of the electrodes.
    params = {"E": ENERGY}
    expected = kwant.smatrix(chain_junction().syst, 0, params=params).transmission(1, 0)
    assert np.isclose(kwant.smatrix(junction.syst, 0, params=params).transmission(1, 0), expected)
    assert np.nanmax(junction.report().mismatch_coupling) < 1e-14


def test_units_of_the_arrays():
    units = Units.named("Rydberg", "Bohr")
    energy, length = units.energy / EV_ANGSTROM_AMU.energy, units.length / EV_ANGSTROM_AMU.length
    assert energy == pytest.approx(13.605693, rel=1e-7)
    assert length == pytest.approx(0.52917721, rel=1e-7)
    given = chain_electrode()
    electrode = Electrode(
        given.hamiltonian / energy,
        given.overlap,
        given.coupling / energy,
        given.coupling_overlap,
        atoms=given.positions / length,
        orbitals=2,
        period=given.period / length,
        beyond=(0.0, 0.0),
        units=units,
    )
    hamiltonian, overlap = chain_matrices(bent_positions())
    junction = Junction.from_arrays(
        hamiltonian / energy, overlap, bent_positions() / length, 2, left=electrode, units=units
    )
    assert np.allclose(junction.device.positions, bent_positions())
    assert np.allclose(electrode.period, given.period)
    one, other = (
        kwant.smatrix(j.syst, 0, params={"E": ENERGY}).transmission(1, 0)
        for j in (junction, chain_junction())
    )
    assert np.isclose(one, other, rtol=1e-9)


def test_an_orthogonal_basis_needs_no_overlap():
    hopping = np.array([[-1.0]])
    electrode = Electrode(
        [[0.0]], None, hopping, None, atoms=[[0, 0, 0]], orbitals=1, period=[1, 0, 0], electrons=1
    )
    assert abs(electrode.fermi) < 1e-9
    matrix = -np.eye(5, k=1) - np.eye(5, k=-1) + np.diag([0, 0, 0.7, 0, 0])
    junction = Junction.from_arrays(matrix, None, straight(5) / DISTANCE, 1, left=electrode)
    smatrix = kwant.smatrix(junction.syst, 0, params={"E": 0.4})
    expected = 1 / (1 + 0.7**2 / (4 - 0.4**2))
    assert np.isclose(smatrix.transmission(1, 0), expected)


def test_the_zero_of_energy_of_the_electrodes():
    device = chain_run(bent_positions())
    shifted = replace(device, hamiltonian=device.hamiltonian + 0.3 * device.overlap)
    junction = Junction(shifted, chain_electrode())
    assert np.allclose(junction.report().shift, 0.3)
    assert np.allclose(junction.report().mismatch, 0, atol=1e-12)
    assert junction.report().verdict == "doubtful"
    assert "align_electrodes" in repr(junction.report())
    aligned = Junction(shifted, chain_electrode(), align_electrodes=True)
    assert aligned.report().verdict == "sound"
    # The Fermi level goes with the electrodes, and nothing depends on where the zero is.
    level = chain_electrode().fermi
    assert junction.fermi == level
    assert aligned.fermi == pytest.approx(level + 0.3)
    assert f"left electrode, Fermi level {level + 0.3:.5f} eV" in repr(aligned.report())
    there, here = (
        kwant.smatrix(j.syst, 0, params={"E": j.fermi}).transmission(1, 0)
        for j in (aligned, chain_junction())
    )
    assert np.isclose(there, here)
    there = kwant.smatrix(aligned.syst, 0, params={"E": ENERGY + 0.3}).transmission(1, 0)
    here = kwant.smatrix(chain_junction().syst, 0, params={"E": ENERGY}).transmission(1, 0)
    assert np.isclose(there, here)


def test_electrodes_whose_fermi_levels_differ():
    device, left = chain_run(bent_positions()), chain_electrode()
    report = Junction(device, left).report()
    assert report.verdict == "sound"
    assert np.array_equal(report.levels, report.fermi[1:])
    other = replace(left, fermi=left.fermi + 0.006)
    junction = Junction(device, left, other)
    assert junction.report().verdict == "doubtful"
    assert "0.006 eV apart without a bias" in repr(junction.report())
    with pytest.raises(ValueError, match=r"The junction has no Fermi level: .* 0.006 eV apart"):
        _ = junction.fermi
    near = Junction(device, left, replace(left, fermi=left.fermi + 0.004))
    assert near.report().verdict == "sound"
    assert near.fermi == pytest.approx(left.fermi + 0.002)
    with pytest.raises(ValueError, match="Fermi level of the right electrode isn't known"):
        _ = Junction(device, left, replace(left, fermi=None)).fermi


def test_rounding_of_a_file_is_taken_out_and_reported():
    hamiltonian, overlap = chain_matrices(bent_positions())
    noise = 1e-8 * np.random.default_rng(1).uniform(-1, 1, hamiltonian.shape)
    noisy = Calculation(hamiltonian + noise, overlap, bent_positions(), 2)
    assert 1e-9 < noisy.asymmetry[0] < 1e-8
    report = Junction(noisy, chain_electrode()).report()
    assert report.asymmetry[0] == noisy.asymmetry[0]
    assert abs(noisy.hamiltonian - noisy.hamiltonian.T).max() == 0


def test_the_fermi_level_holds_the_electrons():
    electrode = chain_electrode()
    matrices = (
        (electrode.hamiltonian, electrode.overlap),
        (
            electrode.coupling,
            electrode.coupling_overlap,
        ),
    )
    levels = [neutral_level(*matrices, n) for n in (0.5, 1.6, 3.0)]
    assert levels[1] == electrode.fermi
    assert np.all(np.diff(levels) > 0)


# Coordinates from displaced calculations.

STEP = 1e-3


def displaced(positions, atom, axis, step):
    result = positions.copy()
    result[atom, axis] += step
    return result


def chain_runs(atoms, step=STEP, run=chain_run):
    positions = bent_positions()
    return {
        (atom, axis): tuple(run(displaced(positions, atom, i, s)) for s in (step, -step))
        for atom in atoms
        for i, axis in enumerate("xyz")
    }


def at_one_energy(junction, coordinates, energy, bias=1.0, **keywords):
    """Return the response of both spins."""
    known = {"bias": bias, "degeneracy": 2, "energy_parameter": "E"}
    return force_response(junction.syst, coordinates, energy, **known, **keywords)


def test_derivatives_are_those_of_the_matrices():
    junction = chain_junction()
    coordinates = junction.displacements(chain_runs([4, 6]), align=0)
    assert np.array_equal(coordinates.sites, [4, 6])
    assert np.allclose(coordinates.positions, bent_positions()[[4, 6]])
    with pytest.raises(ValueError, match=r"calculations had no forces, .* Give forces= to each"):
        _ = coordinates.force_constants
    assert "without force constants" in repr(coordinates)
    model = Model(junction.syst, {"E": ENERGY}, energy_parameter="E")
    found = coordinates.first_derivatives(model)
    assert np.array_equal(found.sites, [4, 6])
    assert found.dim == 3
    for n, matrix in enumerate(found.matrices()):
        atom, axis = (4, 6)[n // 3], n % 3
        plus, minus = (
            chain_matrices(displaced(bent_positions(), atom, axis, s)) for s in (STEP, -STEP)
        )
        dh, ds = ((one - other) / (2 * STEP) for one, other in zip(plus, minus, strict=True))
        assert np.allclose(matrix.toarray(), dh - ENERGY * ds, atol=1e-9)
    assert len(list(found.matrices())) == 6
    again = pickle.loads(pickle.dumps(coordinates)).first_derivatives(model)
    assert np.array_equal(again.values, found.values)


def test_force_and_curl_against_a_dense_calculation_with_atoms_moved():
    junction, electrode = chain_junction(), chain_electrode()
    coordinates = junction.displacements(chain_runs([5]), align=0)
    response = at_one_energy(junction, coordinates, ENERGY)

    def force(positions):
        filled = dense_filled(*chain_matrices(positions), electrode, ENERGY)
        shifted = filled[0] - filled[1]  # twice the half of each, for both spins
        result = []
        for axis in range(3):
            plus, minus = (chain_matrices(displaced(positions, 5, axis, s)) for s in (STEP, -STEP))
            dh, ds = ((one - other) / (2 * STEP) for one, other in zip(plus, minus, strict=True))
            result.append(-np.trace((dh - ENERGY * ds) @ shifted).real)
        return np.array(result)

    assert np.allclose(response.force, force(bent_positions()), rtol=1e-6)
    step = 1e-4
    slopes = [
        (
            force(displaced(bent_positions(), 5, axis, step))
            - force(displaced(bent_positions(), 5, axis, -step))
        )
        / (2 * step)
        for axis in range(3)
    ]
    curl = np.array(slopes) - np.array(slopes).T
    assert np.abs(curl).max() > 0.01
    assert np.allclose(response.curl, curl, atol=1e-4 * np.abs(curl).max())


def test_maps_and_matrices_say_the_same():
    junction = chain_junction()
    coordinates = junction.displacements(chain_runs([4, 6]), align=0)
    response = at_one_energy(junction, coordinates, ENERGY)
    model = Model(junction.syst, {"E": ENERGY}, energy_parameter="E")
    matrices = Matrices(list(coordinates.first_derivatives(model).matrices()))
    plain = force_response(
        junction.syst, matrices, ENERGY, bias=1.0, degeneracy=2, energy_parameter="E"
    )
    with pytest.raises(ValueError, match="pass energy_parameter='E'"):
        force_response(junction.syst, matrices, 0.0, params={"E": ENERGY})
    assert np.allclose(plain.curl, response.curl, rtol=1e-9, atol=1e-12)
    assert np.allclose(plain.friction, response.friction, rtol=1e-9, atol=1e-12)
    result = curl_map(
        junction.syst, coordinates, ENERGY, bias=1.0, degeneracy=2, energy_parameter="E"
    )
    assert np.array_equal(result.sites, [4, 6])
    assert np.allclose(result.positions, bent_positions()[[4, 6]])
    for n in (0, 3):
        x, y, z = range(n, n + 3)
        one = [response.curl[y, z], response.curl[z, x], response.curl[x, y]]
        assert np.allclose(result.curl[n // 3], one, rtol=1e-9, atol=1e-12)


def test_a_direction_in_which_nothing_changes():
    """At right angles to a plane of atoms: matrices without an element."""
    junction, positions = chain_junction(), bent_positions()
    still = (displaced(positions, 5, 2, step) for step in (STEP, -STEP))
    same = tuple(Calculation(*chain_matrices(positions), places, 2) for places in still)
    found, other = (
        at_one_energy(junction, junction.displacements(each, align=0), ENERGY)
        for each in (chain_runs([5]) | {(5, "z"): same}, chain_runs([5]))
    )
    assert not found.curl[2].any()
    assert not found.friction[2].any()
    assert np.allclose(found.curl[:2, :2], other.curl[:2, :2], rtol=1e-9)


def test_the_velocity_tensor_wants_one_sided_overlaps():
    junction = chain_junction()
    on_atom = {5: np.array([[[0, c], [-c, 0]] for c in (0.4, 0.1, 0.0)])}
    runs = chain_runs([5])
    without = junction.displacements(runs, align=0)
    with pytest.warns(RuntimeWarning, match="one-sided|one_sided"):
        at_one_energy(junction, without, ENERGY, velocity=True)
    known = junction.displacements(runs, align=0, on_atom=on_atom)
    found = at_one_energy(junction, known, ENERGY, velocity=True)
    assert not found.warnings
    matrices = Matrices(known.hamiltonians, overlaps=known.overlaps, one_sided=known.one_sided)
    expected = at_one_energy(junction, matrices, ENERGY, velocity=True)
    assert np.allclose(found.lead_velocity, expected.lead_velocity, rtol=1e-9, atol=1e-12)


def test_alignment_takes_a_moving_zero_out_again():
    """A zero of energy that moves with the atoms is an artefact of the program."""
    slope = {0: 0.7, 1: -0.4, 2: 0.2}

    def run(positions):
        moved = (positions - bent_positions()).sum(axis=0)
        zero = sum(slope[axis] * moved[axis] for axis in range(3))
        hamiltonian, overlap = chain_matrices(positions)
        return Calculation(hamiltonian + zero * overlap, overlap, positions, 2, fermi=zero - 0.5)

    junction = chain_junction()
    plain = junction.displacements(chain_runs([5]), align=0)
    expected = at_one_energy(junction, plain, ENERGY).curl
    runs = chain_runs([5], run=run)
    for align in ("fermi", "lead", list(slope.values())):
        coordinates = junction.displacements(runs, align=align)
        report = coordinates.report()
        for zero in (report.zero_fermi, report.zero_lead, report.zero_used):
            assert np.allclose(zero, list(slope.values()), atol=1e-8)
        assert np.allclose(at_one_energy(junction, coordinates, ENERGY).curl, expected, atol=1e-7)
        assert report.verdict == "sound"
    left = junction.displacements(runs, align=0)
    assert np.abs(at_one_energy(junction, left, ENERGY).curl - expected).max() > 0.01
    assert left.report().ends > 0.1
    assert "sum over displaced atoms" in repr(left.report())
    with pytest.raises(ValueError, match="'fermi', but a displaced calculation has no Fermi level"):
        junction.displacements(chain_runs([5]), align="fermi")


def test_sum_rules_of_translation():
    junction = chain_junction()
    report = junction.displacements(chain_runs(range(3, 8)), align=0).report()
    assert report.translation_overlap < 1e-7
    # All neighbours of the inner ones move, those of the outer ones don't; here H is two-centred.
    assert report.translation < 1e-7
    with_onsite = chain_runs(range(3, 8))
    plus, minus = with_onsite[4, "x"]
    broken = replace(plus, overlap=plus.overlap * (1 + 3e-5))
    with_onsite[4, "x"] = broken, minus
    doubtful = junction.displacements(with_onsite, align=0)
    assert doubtful.report().translation_overlap > 0.02
    assert "verdict: doubtful" in repr(doubtful.report())


def test_force_constants_with_the_acoustic_sum_rule():
    rng = np.random.default_rng(8)
    n = len(bent_positions())
    between = rng.normal(size=(n, n, 3, 3))
    between = between + between.transpose(1, 0, 2, 3)
    between = between + between.swapaxes(2, 3)
    anchor = 0.01  # to a place in space, which no isolated system has

    def run(positions):
        moved = positions - bent_positions()
        forces = -np.einsum("abxy,aby->ax", between, moved[:, None] - moved)
        return replace(chain_run(positions), forces=forces - anchor * moved)

    found = chain_junction().displacements(chain_runs([4, 6], run=run), align=0)
    assert found.report().drift == pytest.approx(anchor, rel=1e-6)
    assert found.report().asymmetry < 1e-6
    constants = found.force_constants.reshape(2, 3, 2, 3)
    assert np.allclose(constants[0, :, 1], -between[4, 6])
    # Without the anchor: what holds an atom is all others.
    others = np.delete(between[4], 4, axis=0).sum(axis=0)
    assert np.allclose(constants[0, :, 0], others)

    def fixed(positions):  # what a program returns that sets the forces on fixed atoms to zero
        calculation = run(positions)
        forces = calculation.forces.copy()
        forces[:4] = 0
        return replace(calculation, forces=forces)

    with pytest.raises(ValueError, match=r"add up to .*get_forces\(apply_constraint=False\)"):
        chain_junction().displacements(chain_runs([4, 6], run=fixed), align=0)
    runs = chain_runs([4, 6], run=run)
    runs[6, "y"] = tuple(replace(calculation, forces=None) for calculation in runs[6, "y"])
    with pytest.raises(ValueError, match="those of atom 6 haven't"):
        chain_junction().displacements(runs, align=0)


def test_one_sided_overlaps():
    junction = chain_junction()
    assert junction.displacements(chain_runs([5]), align=0).one_sided_overlaps(None) is None
    on_atom = np.array([[[0, c], [-c, 0]] for c in (0.4, 0.1, 0.0)])
    runs = chain_runs([5, 6])
    found = junction.displacements(runs, align=0, on_atom={5: on_atom, 6: 2 * on_atom})
    one_sided = found.one_sided_overlaps(Model(junction.syst, {"E": 0.0}))
    for n, (matrix, overlap) in enumerate(zip(one_sided, found.overlaps, strict=True)):
        # Both sides together are the change of the overlap.
        assert np.allclose((matrix + matrix.T - overlap).toarray(), 0)
        here = [[10, 11], [12, 13]][n // 3]
        dense = matrix.toarray()
        assert np.allclose(dense[np.ix_(here, here)], (1 + n // 3) * on_atom[n % 3])
        assert not np.delete(dense, here, axis=1).any()
    with pytest.raises(ValueError, match="on_atom lacks atom 6"):
        junction.displacements(runs, align=0, on_atom={5: on_atom})
    with pytest.raises(ValueError, match=r"on_atom\[5\] has shape \(2, 2\)"):
        junction.displacements(chain_runs([5]), align=0, on_atom={5: on_atom[0]})
    with pytest.raises(ValueError, match=r"not anti-Hermitian, by up to 0.8"):
        junction.displacements(chain_runs([5]), align=0, on_atom={5: np.abs(on_atom)})


def test_coordinates_ask_for_the_energy():
    junction = chain_junction()
    coordinates = junction.displacements(chain_runs([5]), align=0)
    with pytest.raises(ValueError, match='pass energy_parameter="E"'):
        coordinates.first_derivatives(Model(junction.syst, {"E": 0.0}))
    with pytest.raises(TypeError, match="jacobian=True needs"):
        coordinates.second_derivatives(Model(junction.syst, {"E": 0.0}, energy_parameter="E"))
    other = Junction(chain_run(straight(7)), chain_electrode())
    with pytest.raises(ValueError, match=r"The system has 14 orbitals, .* 22; .* junction.syst"):
        coordinates.first_derivatives(Model(other.syst, {"E": 0.0}, energy_parameter="E"))


def test_coordinates_of_another_junction_are_refused():
    coordinates = chain_junction().displacements(chain_runs([5]), align=0)
    for atom, text in ((5, "site 5, which moves, is at"), (6, "site 6 is at")):
        other = Junction(chain_run(displaced(bent_positions(), atom, 1, 0.01)), chain_electrode())
        with pytest.raises(ValueError, match=f"not that of the displaced calculations: {text}"):
            at_one_energy(other, coordinates, ENERGY)
    lattice = kwant.lattice.chain(norbs=1)
    wire = kwant.Builder()
    wire[(lattice(i) for i in range(22))] = lambda site, E: -E
    wire[lattice.neighbors()] = 1.0
    with pytest.raises(ValueError, match=r"The system has sites of shape \(22, 1\), .* \(11, 3\)"):
        coordinates.first_derivatives(Model(wire.finalized(), {"E": 0.0}, energy_parameter="E"))
    # The same atoms, of another calculation at the same places, are the same.
    again = Junction(chain_run(bent_positions()), chain_electrode())
    assert at_one_energy(again, coordinates, ENERGY).curl.shape == (3, 3)


def test_modes_of_nearly_equal_momenta_are_separated():
    """As rounding mixes them where orbitals reach far: by any amount, with Kwant none the wiser."""
    # The last orbital of a cell is a dead end, which no hopping reaches from the next cell.
    hopping = np.diag([-1.0, -1.0, -0.7, 0.0]).astype(complex)
    cell = 0.2 * np.eye(4)
    cell[2, 3] = cell[3, 2] = 0.1
    propagating, stabilised = kwant.physics.modes(cell, hopping)
    hopping = hopping[:, :3]
    n = stabilised.nmodes
    same = with_separate_currents(propagating, stabilised, hopping)
    assert same[0] is propagating
    alike = np.flatnonzero(np.abs(propagating.velocities[:n]) > 1.5)
    assert len(alike) == 2
    mixing = np.eye(n)
    mixing[np.ix_(alike, alike)] = [[1.0, 0.6], [0.0, 0.8]]  # each of unit current still
    mixed = copy(propagating)
    mixed.wave_functions = propagating.wave_functions.copy()
    mixed.wave_functions[:, :n] = mixed.wave_functions[:, :n] @ mixing
    vecs, inverse = stabilised.vecs.copy(), stabilised.vecslmbdainv.copy()
    vecs[:, :n], inverse[:, :n] = vecs[:, :n] @ mixing, inverse[:, :n] @ mixing
    wrong = StabilizedModes(vecs, inverse, n, stabilised.sqrt_hop)
    waves, found = with_separate_currents(mixed, wrong, hopping)
    for one, other in (
        (waves.wave_functions, propagating.wave_functions),
        (found.vecs, stabilised.vecs),
        (found.vecslmbdainv, stabilised.vecslmbdainv),
    ):
        assert np.allclose(one[:, :n] @ one[:, :n].conj().T, other[:, :n] @ other[:, :n].conj().T)
        assert np.array_equal(one[:, n:], other[:, n:])


# Self-consistent calculations: a bent molecule in a chain of carbon, by xTB.

BOND = 1.28
XTB_LAYER = 3
MOVING = (8, 9, 18, 19)
KEPT = [*range(2, 9), 18, 19, *range(9, 16)]


def kinked_chain(arm=8):
    """Return C8-CH=CH-C8, the moving atoms relaxed beforehand."""
    line = np.outer(np.arange(arm), [BOND, 0, 0])
    first = np.add(line[-1], [1.351, 0, 0])
    second = np.add(first, [0.784, 1.178, 0])
    hydrogen = [0.526, -0.952, 0]
    places = [line, [first, second], np.add(second, [1.351, 0, 0]) + line]
    return np.concatenate([*places, [first + hydrogen, second - hydrogen]])


def xtb(positions, rotation=None):
    symbols = "C" * (len(positions) - 2) + "H2"
    rotation = np.eye(3) if rotation is None else rotation
    return Calculation.from_xtb(Atoms(symbols, positions @ rotation.T), accuracy=0.001)


@cache
def xtb_electrode(name="none"):
    """Return the electrode of a chain of 27 atoms, turned by one of the rotations."""
    line = np.outer(np.arange(27), [BOND, 0, 0]) @ ROTATIONS[name].T
    layers = np.arange(9, 18).reshape(3, XTB_LAYER)
    chain = Calculation.from_xtb(Atoms("C27", line), accuracy=0.001)
    return Electrode.from_calculation(chain, layers, electrons=4 * XTB_LAYER)


ROTATIONS = {
    "none": np.eye(3),
    "turned": Rotation.from_euler("zyx", [0.7, -0.4, 1.1]).as_matrix(),
}


@cache
def xtb_junction(name):
    """Return the junction in an orientation, its displaced runs, and what moves."""
    positions, rotation = kinked_chain(), ROTATIONS[name]
    junction = Junction(
        xtb(positions, rotation),
        xtb_electrode(name),
        keep=KEPT,
        align_electrodes=True,
        tolerance=0.02,
    )
    # Along x, y, z of space, not of the molecule.
    steps = {
        (atom, axis): tuple(s * rotation[axis] for s in (0.001, -0.001))
        for atom in MOVING
        for axis in range(3)
    }
    runs = {}
    for (atom, axis), pair in steps.items():
        runs[atom, axis] = tuple(xtb(moved(positions, atom, s), rotation) for s in pair)
    return junction, junction.displacements(runs, align="lead")


def moved(positions, atom, by):
    result = positions.copy()
    result[atom] += by
    return result


def test_matrices_of_xtb_are_those_that_hold():
    """The orbitals and their energies solve H C = S C e, with the charges in H."""
    water = Atoms("OH2", [[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    for method, of_hydrogen in (("GFN1-xTB", 2), ("GFN2-xTB", 1)):
        found = Calculation.from_xtb(water, method)
        assert found.orbitals.tolist() == [4, of_hydrogen, of_hydrogen]
        levels = eigh(found.hamiltonian.toarray(), found.overlap.toarray(), eigvals_only=True)
        # Eight valence electrons in four levels, and the Fermi level in the gap.
        assert levels[3] < found.fermi < levels[4]
        assert levels[4] - levels[3] > 5
        assert np.abs(found.forces.sum(axis=0)).max() < 1e-5
        assert found.asymmetry[0] < 1e-10


@pytest.mark.heavy
def test_gradients_on_an_atom_are_those_of_slater_orbitals():
    methane = Atoms("CH", [[0, 0, 0], [1.1, 0, 0]])
    carbon, hydrogen = Calculation.xtb_on_atom(methane).values()
    assert carbon.shape == (3, 4, 4)
    assert np.allclose(carbon, -carbon.swapaxes(1, 2), atol=1e-12)
    # <s|d p_x/dX> of 2s and 2p with the exponents of carbon in GFN1, in 1/Bohr.
    s, p = 1.960324, 1.832096
    norm = np.sqrt((2 * s) ** 5 * (2 * p) ** 5) / 24
    expected = -np.sqrt(3) * norm * (6 - 8 * p / (s + p)) / (s + p) ** 4
    # In the order of tblite: s, y, z, x.  What it has is a sum of six Gaussians.
    bohr = EV_ANGSTROM_AMU.length / ATOMIC_UNITS.length
    for axis, orbital in enumerate((3, 1, 2)):
        assert carbon[axis, 0, orbital] == pytest.approx(expected * bohr, rel=1e-3)
        other = carbon[axis].copy()
        other[0, orbital] = other[orbital, 0] = 0
        assert np.abs(other).max() < 1e-8
    assert np.abs(hydrogen).max() < 1e-8
    junction, _ = xtb_junction("none")
    positions = kinked_chain()
    atoms = Atoms("C18H2", positions)
    runs = {
        (8, axis): tuple(xtb(moved(positions, 8, s * np.eye(3)[axis])) for s in (0.01, -0.01))
        for axis in range(3)
    }
    on_atom = Calculation.xtb_on_atom(atoms)
    coordinates = junction.displacements(runs, align="lead", on_atom=on_atom)
    for one, overlap in zip(coordinates.one_sided, coordinates.overlaps, strict=True):
        assert abs(one + one.T - overlap).max() < 1e-8


def test_the_xtb_junction_carries_current():
    junction, coordinates = xtb_junction("none")
    report = junction.report()
    assert report.overlap > 0.1
    assert report.beyond[0] < 0.003
    transmission = kwant.smatrix(junction.syst, 0, params={"E": junction.fermi}).transmission(1, 0)
    assert 0.5 < transmission < 2
    # The Fermi level of a finite molecule moves much more than the potential at its ends.
    zeros = coordinates.report()
    assert np.abs(zeros.zero_fermi).max() > 5 * np.abs(zeros.zero_lead).max()
    assert zeros.verdict == "sound"
    assert zeros.translation_overlap < 1e-10


def test_the_curl_is_that_of_new_self_consistent_runs_with_atoms_moved():
    junction, coordinates = xtb_junction("none")
    shift = junction.report().shift[0]
    given = xtb_electrode()
    electrode = replace(
        given,
        hamiltonian=given.hamiltonian + shift * given.overlap,
        coupling=given.coupling + shift * given.coupling_overlap,
    )
    energy, atom, step = junction.fermi, MOVING[0], 0.01
    reference = junction.calculation
    ends = [orbitals_of(atoms, reference.orbitals) for atoms in np.array([KEPT[:3], KEPT[-3:]])]

    @cache
    def run(x, y):
        """Return a self-consistent calculation, with the zero of energy of its ends."""
        found = xtb(moved(kinked_chain(), atom, [x * step, y * step, 0]))
        change = found.hamiltonian - reference.hamiltonian
        parts = [[m[e][:, e] for e in ends] for m in (change, found.overlap)]
        zero = zero_shift(*(sparse.block_diag(part) for part in parts))
        return replace(found, hamiltonian=found.hamiltonian - zero * found.overlap)

    def force(x, y, axis):
        """Return the force of the current along an axis, with the atom moved by (x, y) steps."""
        here = Junction(run(x, y), electrode, keep=KEPT, tolerance=0.02)
        psi = kwant.wave_function(here.syst, 0, params={"E": energy})
        filled = [psi(lead).T @ psi(lead).conj() / (2 * np.pi) for lead in (0, 1)]
        plus, minus = (run(x + s * (axis == 0), y + s * (axis == 1)) for s in (1, -1))
        orbitals = orbitals_of(np.array(KEPT), reference.orbitals)
        dh, ds = (
            ((getattr(plus, name) - getattr(minus, name)) / (2 * step))[orbitals][:, orbitals]
            for name in ("hamiltonian", "overlap")
        )
        return -np.trace((dh - energy * ds) @ (filled[0] - filled[1])).real

    response = at_one_energy(junction, coordinates, energy)
    place = 3 * int(np.flatnonzero(coordinates.sites == KEPT.index(atom))[0])
    expected = (force(1, 0, 1) - force(-1, 0, 1) - force(0, 1, 0) + force(0, -1, 0)) / (2 * step)
    assert abs(expected) > 0.1
    assert response.curl[place, place + 1] == pytest.approx(expected, rel=0.01)
    assert response.force[place] == pytest.approx(force(0, 0, 0), rel=0.01)


@pytest.mark.heavy
def test_the_critical_bias_is_the_same_in_another_orientation():
    found = []
    for name in ROTATIONS:
        junction, coordinates = xtb_junction(name)
        # At the junction's Fermi level a mode is so soft that there are warnings.
        response = at_one_energy(junction, coordinates, xtb_electrode(name).fermi)
        masses = np.where(np.array(KEPT)[coordinates.sites] < 18, 12.011, 1.008)
        modes = VibrationalModes.from_force_constants(
            coordinates.force_constants,
            EV_ANGSTROM_AMU.mass(masses),
            positions=coordinates.positions,
            sites=coordinates.sites,
            units=EV_ANGSTROM_AMU,
        )
        found.append((critical_bias(response, modes, 50.0), modes.frequencies, response.curl))
    assert np.isfinite(found[0][0])
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-4)
    assert np.allclose(found[1][1], found[0][1], rtol=3e-4)
    turn = np.kron(np.eye(len(MOVING)), ROTATIONS["turned"])
    largest = np.abs(found[0][2]).max()
    assert np.allclose(turn.T @ found[1][2] @ turn, found[0][2], atol=1e-3 * largest)


# Files of sisl.


def sisl_geometry(positions, length, nsc):
    geometry = sisl.Geometry(
        np.add(positions, [0, 5, 5]), sisl.Atom(6, R=[4.0, 4.0]), lattice=[length, 10, 10]
    )
    geometry.set_nsc(nsc)
    return geometry


def sisl_electrode(noise=0.0, layer=LAYER):
    """Return the electrode as sisl has it, with elements to five cells."""
    whole = chain_matrices(straight(5 * layer))
    hamiltonian = sisl.Hamiltonian(
        sisl_geometry(straight(layer), layer * DISTANCE, [5, 1, 1]), orthogonal=False
    )
    n = 2 * layer
    rng = np.random.default_rng(2)
    for cell in range(-2, 3):
        for i, j in product(range(n), repeat=2):
            h, s = (m[2 * n + i, (2 + cell) * n + j] for m in whole)
            if h or s:
                hamiltonian[i, j, (cell, 0, 0)] = h + noise * rng.uniform(-1, 1), s
    return hamiltonian


def sisl_device(positions):
    length = len(positions) * DISTANCE
    hamiltonian = sisl.Hamiltonian(sisl_geometry(positions, length, [1, 1, 1]), orthogonal=False)
    h, s = chain_matrices(positions)
    for i, j in zip(*np.nonzero(s), strict=True):
        hamiltonian[i, j] = h[i, j], s[i, j]
    return hamiltonian


def written(hamiltonian, path):
    with sisl.get_sile(path, "w") as file:
        file.write_hamiltonian(hamiltonian)
    return path


def test_files_of_sisl_make_the_same_junction(tmp_path):
    device = written(sisl_device(bent_positions()), tmp_path / "device.TSHS")
    left = written(sisl_electrode(), tmp_path / "electrode.TSHS")
    junction = Junction.from_sisl(device, left, axis=0)
    assert junction.report().verdict == "sound"
    assert junction.report().beyond[0] < 1e-6
    assert junction.left.fermi == 0
    here, there = (
        kwant.smatrix(j.syst, 0, params={"E": ENERGY}).transmission(1, 0)
        for j in (junction, chain_junction())
    )
    assert np.isclose(here, there, rtol=1e-9)
    # In memory, with an electrode of another kind, and noise as in a file of few digits.
    noisy = Junction.from_sisl(
        sisl_device(bent_positions()), sisl_electrode(1e-8), chain_electrode(), axis=0
    )
    assert 1e-9 < noisy.report().asymmetry[0] < 1e-7
    here = kwant.smatrix(noisy.syst, 0, params={"E": ENERGY}).transmission(1, 0)
    assert np.isclose(here, there, rtol=1e-5)


def test_displaced_files_are_read_from_a_directory(tmp_path):
    junction = Junction.from_sisl(sisl_device(bent_positions()), sisl_electrode(), axis=0)
    for atom, axis, (sign, step) in product((5, 6), range(3), (("+", STEP), ("-", -STEP))):
        device = sisl_device(displaced(bent_positions(), atom, axis, step))
        written(device, tmp_path / f"{atom}{'xyz'[axis]}{sign}.TSHS")
    found = junction.displacements(tmp_path, align="fermi", atoms=[5, 6], axis=0)
    expected = chain_junction().displacements(chain_runs([5, 6]), align=0)
    for one, other in zip(found.hamiltonians, expected.hamiltonians, strict=True):
        assert abs(one - other).max() < 1e-8
    for one, other in zip(found.overlaps, expected.overlaps, strict=True):
        assert abs(one - other).max() < 1e-8
    (tmp_path / "6y-.TSHS").unlink()
    with pytest.raises(FileNotFoundError, match=r"atom 6 displaced along -y is missing: .*6y-"):
        junction.displacements(tmp_path, align="fermi", atoms=[5, 6])
    with pytest.raises(ValueError, match="atoms is None"):
        junction.displacements(tmp_path, align="fermi")
    with pytest.raises(ValueError, match="atoms goes with a directory"):
        junction.displacements(chain_runs([5]), align="fermi", atoms=[5])


def test_what_sisl_holds_and_a_junction_has_not():
    transverse = sisl.Hamiltonian(sisl_geometry(straight(2), 2.6, [3, 3, 1]), orthogonal=False)
    transverse[0, 0], transverse[0, 0, (0, 1, 0)] = (0.1, 1.0), (0.2, 0.1)
    with pytest.raises(ValueError, match=r"images has \(1, 0\) but not \(-1, 0\)"):
        Calculation.from_sisl(transverse, axis=0)
    transverse[0, 0, (0, -1, 0)] = 0.2, 0.1
    assert set(Calculation.from_sisl(transverse, axis=0).images) == {(1, 0), (-1, 0)}
    with pytest.raises(ValueError, match=r"to the cell \(0, -?1, 0\), and no axis is given"):
        Calculation.from_sisl(transverse)
    with pytest.raises(ValueError, match="axis= is the direction of the current"):
        Calculation.from_sisl(sisl_electrode())
    with pytest.raises(ValueError, match="axis is 4"):
        Calculation.from_sisl(sisl_electrode(), axis=4)
    assert Calculation.from_sisl(sisl_electrode(), axis=0).dropped > 0.1
    with pytest.raises(ValueError, match="no elements to its neighbouring cells along axis 0"):
        Electrode.from_sisl(sisl_device(straight(2)), 0)
    spin = sisl.Hamiltonian(sisl_geometry(straight(2), 2.6, [3, 1, 1]), spin="non-collinear")
    with pytest.raises(ValueError, match="expected collinear spins"):
        Calculation.from_sisl(spin, axis=0)
    with pytest.raises(ValueError, match="spin is 1; the Hamiltonian has 1"):
        Calculation.from_sisl(sisl_electrode(), axis=0, spin=1)
    with pytest.raises(TypeError, match=r"int is not a sisl.Hamiltonian"):
        Calculation.from_sisl(3)
    thin = sisl_electrode(layer=1)
    with pytest.raises(ValueError, match=r"left electrode is too thin: .*tile\(2, axis\)"):
        Junction.from_sisl(sisl_device(bent_positions()), thin, axis=0)


# What doesn't fit.


def test_calculations_that_cannot_be():
    hamiltonian, overlap = chain_matrices(straight(4))
    with pytest.raises(ValueError, match=r"hamiltonian has shape \(8, 8\); expected \(12, 12\)"):
        Calculation(hamiltonian, overlap, straight(4), 3)
    with pytest.raises(ValueError, match=r"orbitals is \[2, 2\]; expected"):
        Calculation(hamiltonian, overlap, straight(4), [2, 2])
    with pytest.raises(ValueError, match="an atom without any"):
        Calculation(hamiltonian, overlap, straight(4), [0, 2, 4, 2])
    with pytest.raises(ValueError, match="overlap has elements that are not finite"):
        Calculation(hamiltonian, overlap * np.nan, straight(4), 2)
    with pytest.raises(TypeError, match="hamiltonian has elements of type"):
        Calculation(hamiltonian.astype(bool), overlap, straight(4), 2)
    with pytest.raises(ValueError, match="hamiltonian differs from its conjugate transpose"):
        Calculation(np.triu(hamiltonian), overlap, straight(4), 2)
    with pytest.raises(ValueError, match=r"atoms has positions of shape \(4, 2\)"):
        Calculation(hamiltonian, overlap, straight(4)[:, :2], 2)
    with pytest.raises(ValueError, match="positions that are not finite"):
        Calculation(hamiltonian, overlap, np.full((4, 3), np.inf), 2)
    with pytest.raises(ValueError, match=r"0 and 1 are 0.13 Å apart.*Rydberg"):
        Calculation(hamiltonian, overlap, straight(4) / 10, 2)
    with pytest.raises(ValueError, match=r"forces has shape \(3, 3\)"):
        Calculation(hamiltonian, overlap, straight(4), 2, forces=np.zeros((3, 3)))
    with pytest.raises(TypeError, match="units is 'eV'"):
        Calculation(hamiltonian, overlap, straight(4), 2, units="eV")
    with pytest.raises(TypeError, match=r"atoms is a ndarray; expected ase.Atoms"):
        Calculation.from_xtb(straight(4))
    for wrong in ("GFN-1", "gfn1-xtb", None):
        with pytest.raises(ValueError, match=r"method is .*; expected one of GFN1-xTB, GFN2-xTB"):
            Calculation.from_xtb(Atoms("C2", straight(2)), wrong)
    with pytest.raises(ValueError, match="atoms has periodic directions"):
        Calculation.from_xtb(Atoms("C2", straight(2), cell=[9, 9, 9], pbc=True))


def test_electrodes_that_cannot_be():
    given = chain_electrode()
    parts = (given.hamiltonian, given.overlap, given.coupling, given.coupling_overlap)
    keywords = {"atoms": given.positions, "orbitals": 2, "period": given.period}
    assert "layers of 2 atoms and 4 orbitals, 2.6 Å apart" in repr(Electrode(*parts, **keywords))
    with pytest.raises(ValueError, match="not positive definite: its smallest eigenvalue is -"):
        Electrode(*parts[:3], 10 * parts[3], **keywords)
    # As clearly if the Fermi level is to follow from the bands.
    with pytest.raises(ValueError, match="not positive definite: its smallest eigenvalue is -"):
        Electrode(*parts[:3], 10 * parts[3], **keywords, electrons=2)
    with pytest.raises(ValueError, match="coupling is zero"):
        Electrode(*parts[:2], 0 * parts[2], parts[3], **keywords)
    with pytest.raises(ValueError, match=r"period is 2.6; expected a vector"):
        Electrode(*parts, **(keywords | {"period": 2.6}))
    with pytest.raises(ValueError, match=r"electrons is 9; expected .* fewer than 8"):
        Electrode(*parts, **keywords, electrons=9)
    with pytest.raises(ValueError, match="fermi and electrons are both given"):
        Electrode(*parts, **keywords, electrons=2, fermi=0.0)
    whole = chain_run(straight(6))
    for layers, text in (
        ([[0, 1]], "1 layers; expected two or three"),
        ([[0, 1], [2]], "different numbers of atoms"),
        ([[0, 1], [2, 9]], "beyond 0 to 5"),
        ([[0, 1], [3, 2]], "no copies of each other"),
        ([[0, 1], [2, 3], [5, 4]], "no copies of each other"),
    ):
        with pytest.raises(ValueError, match=text):
            Electrode.from_calculation(whole, layers)


def test_electrodes_with_a_gap_between_their_layers():
    whole = chain_run(straight(12))
    for layers, between in (
        ([[0, 1], [3, 4], [6, 7]], r"\[2, 5\]"),
        ([[0, 1], [4, 5]], r"\[2, 3\]"),
    ):
        with pytest.raises(ValueError, match=f"Atoms {between} .* between the layers .* a gap"):
            Electrode.from_calculation(whole, layers)
    # Layers that reach into each other: atom 5 lies before 6, in the layer after [2, 4].
    assert len(Electrode.from_calculation(whole, [[0, 3], [2, 5], [4, 7]])) == 2


def test_a_coupling_that_is_not_known_is_a_doubt():
    electrode = chain_electrode()
    gap = replace(electrode, period=1.2 * electrode.period)
    report = Junction(chain_run(bent_positions()), gap).report()
    assert np.isnan(report.mismatch_coupling).all()
    assert report.verdict == "doubtful"
    for name, doubt in zip(("left", "right"), report.doubts, strict=True):
        assert (
            f"layers of the {name} electrode couple as those of the device do isn't known" in doubt
        )


def test_junctions_that_cannot_be():
    device, electrode = chain_run(bent_positions()), chain_electrode()
    with pytest.raises(TypeError, match="calculation is a ndarray"):
        Junction(device.positions, electrode)
    with pytest.raises(TypeError, match="right is a tuple; expected an Electrode"):
        Junction(device, electrode, (1, 2))
    for keep in ([], [0.5], [0, 0, 1, 2], [0, 1, 2, 11]):
        with pytest.raises(ValueError, match="keep"):
            Junction(device, electrode, keep=keep)
    with pytest.raises(ValueError, match="The device has 3 atoms, the layers at its ends 4"):
        Junction(device, electrode, keep=[0, 1, 2])
    broken = replace(device, overlap=device.overlap - 0.9 * sparse.eye_array(22))
    with pytest.raises(ValueError, match="not positive definite: its smallest eigenvalue is -0"):
        Junction(broken, electrode)
    with pytest.raises(ValueError, match=r"left end of the device is no layer .* atoms lie up to"):
        Junction(device, electrode, keep=[1, 0, *range(2, 11)])
    backwards = replace(electrode, period=-electrode.period)
    with pytest.raises(ValueError, match="left electrode has the wrong orientation: its period"):
        Junction(device, backwards)
    turned = replace(
        electrode,
        coupling=electrode.coupling.T,
        coupling_overlap=electrode.coupling_overlap.T,
    )
    with pytest.raises(ValueError, match="transpose of its coupling fits: it has the wrong orient"):
        Junction(device, turned)
    longer = replace(electrode, coupling_overlap=0.5 * electrode.coupling_overlap)
    with pytest.raises(ValueError, match="layers follow each other as in the device"):
        Junction(chain_run(straight(9)), longer)
    other = replace(electrode, overlap=electrode.overlap + 0.1 * sparse.eye_array(4))
    with pytest.raises(ValueError, match=r"overlap of the left end .* by up to 0.1"):
        Junction(device, other)
    with pytest.raises(ValueError, match=r"atoms of \[2, 2\] orbitals, .* of \[1, 3\]"):
        Junction(device, replace(electrode, orbitals=[1, 3]))
    with pytest.raises(ValueError, match="Inner atoms of the device couple to atoms that keep="):
        Junction(chain_run(straight(9)), electrode, keep=[0, 1, 2, 3, 5, 6], tolerance=1e-3)
    thin = replace(electrode, beyond=(0.5, 0.1))
    with pytest.raises(ValueError, match=r"right electrode is too thin: .* 0.5 eV"):
        Junction(device, electrode, thin)


def test_what_is_doubtful_is_said():
    electrode = replace(chain_electrode(), beyond=None)
    assert "left electrode couples beyond the next layer isn't known" in repr(
        Junction(chain_run(bent_positions()), electrode).report()
    )
    device = chain_run(bent_positions())
    level = sparse.diags_array(np.r_[0.4, np.zeros(21)])
    changed = replace(device, hamiltonian=device.hamiltonian + level)
    report = Junction(changed, chain_electrode()).report()
    assert "the left end of the device differs from the electrode by 0." in report.doubts[1]
    assert "doubtful" in repr(Junction(changed, chain_electrode()))


def test_a_large_tolerance_does_not_make_it_sound():
    fewer = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    cut = Junction(chain_run(bent_positions()), chain_electrode(), keep=fewer, tolerance=9.0)
    assert cut.report().cut > 0.1
    assert "inner atoms of the device couple to atoms that keep= leaves" in cut.report().doubts[-1]
    # What is lost is H - E_F S at the Fermi level of the shifted electrodes.
    lifted = chain_run(bent_positions())
    lifted = replace(lifted, hamiltonian=lifted.hamiltonian + 2.0 * lifted.overlap)
    keywords = {"keep": fewer, "tolerance": 9.0, "align_electrodes": True}
    aligned = Junction(lifted, chain_electrode(), **keywords)
    assert aligned.report().cut == pytest.approx(cut.report().cut)
    device, electrode = chain_run(bent_positions()), chain_electrode()
    thin = replace(electrode, beyond=(0.02, 0.0))
    doubts = Junction(device, thin, electrode, tolerance=0.1).report().doubts
    assert len(doubts) == 1
    assert (
        "a layer of the left electrode couples to the one after the next by up to 0.02" in doubts[0]
    )
    # The device's first orbital is lifted by 0.08 eV, or all of it by 0.06 eV.
    level = sparse.diags_array(np.r_[0.08, np.zeros(21)])
    for change, text in (
        (level, "differs from the electrode"),
        (0.06 * device.overlap, "the zero of"),
    ):
        other = replace(device, hamiltonian=device.hamiltonian + change)
        assert text in Junction(other, electrode, tolerance=1.0).report().doubts[0]


def test_large_steps_are_a_doubt():
    junction = chain_junction()
    for step, verdict in ((0.02, "sound"), (0.05, "doubtful")):
        report = junction.displacements(chain_runs([5], step), align=0).report()
        assert report.step == pytest.approx(step)
        assert report.verdict == verdict
    assert "atoms are displaced by 0.05 Å" in report.doubts[0]
    assert "with the Fermi level not known; with the ends" in repr(report)


def test_displaced_calculations_that_do_not_fit():
    junction = chain_junction()
    runs = chain_runs([5])
    with pytest.raises(TypeError, match="align"):
        junction.displacements(runs)
    with pytest.raises(ValueError, match="align is 'Fermi'; expected 'fermi'"):
        junction.displacements(runs, align="Fermi")
    with pytest.raises(ValueError, match=r"align has shape \(2,\); expected one number, or 3"):
        junction.displacements(runs, align=[0.1, 0.2])
    for align in (None, True, [None, 1.0, 2.0]):
        with pytest.raises(TypeError, match=r"align is .*; expected 'fermi'"):
            junction.displacements(runs, align=align)
    with pytest.raises(ValueError, match=r"align is nan; expected 'fermi'"):
        junction.displacements(runs, align=np.nan)
    with pytest.raises(ValueError, match="runs is empty, no atom is displaced; expected a mapping"):
        junction.displacements({}, align=0)
    with pytest.raises(TypeError, match="runs is list; expected a mapping"):
        junction.displacements([1], align=0)
    with pytest.raises(ValueError, match=r"key \(5, 'w'\); expected \(atom, axis\)"):
        junction.displacements({(5, "w"): runs[5, "x"]}, align=0)
    with pytest.raises(ValueError, match=r"atom 5 displaced along z are missing; .*runs\[5, 'z'\]"):
        junction.displacements({key: runs[key] for key in ((5, "x"), (5, "y"))}, align=0)
    with pytest.raises(ValueError, match=r"Atoms \[0\] are displaced, which are in the layers"):
        junction.displacements(chain_runs([0]), align=0)
    fewer = [0, 1, 5, 9, 10]
    cut = Junction(chain_run(bent_positions()), chain_electrode(), keep=fewer, tolerance=9)
    with pytest.raises(ValueError, match=r"Atoms \[4\] are displaced, which are not in the dev"):
        cut.displacements(chain_runs([4]), align=0)
    for pair, text in (
        (runs[5, "y"], "atom 5 along [+]x .* moves by nothing .* atom 5 by 0.001 Å across it"),
        (chain_runs([6])[6, "x"], "moves by nothing .* atom 6 by 0.001 Å .* counted from zero"),
        (runs[5, "x"][::-1], "[+]x has that atom displaced by 0.001 Å the other way; .* exchanged"),
        ((runs[5, "x"][0], junction.calculation), "atom 5 along -x is not displaced: all atoms"),
        ((runs[5, "x"][0], chain_run(displaced(bent_positions(), 5, 0, -2e-3))), "as far in both"),
    ):
        with pytest.raises(ValueError, match=text):
            junction.displacements(runs | {(5, "x"): pair}, align=0)
    for pair in (runs[5, "x"][0], (1, 2)):
        with pytest.raises(TypeError, match="Calculation"):
            junction.displacements(runs | {(5, "x"): pair}, align=0)
    fewer = chain_run(bent_positions()[:-1])
    with pytest.raises(ValueError, match="10 atoms with 20 orbitals, the reference 11 with 22"):
        junction.displacements(runs | {(5, "x"): (fewer, fewer)}, align=0)
