"""Junctions that repeat across the current: k points against a supercell, and against matrices."""

import pickle
from dataclasses import replace
from functools import cache, cached_property
from itertools import product

import kwant
import numpy as np
import pytest
from dense_junction import dense_filled, dense_green
from scipy import sparse

from kwant_curl import (
    Calculation,
    Displacements,
    Electrode,
    Junction,
    Matrices,
    NonequilibriumDensity,
    PowerLaw,
    Probe,
    curl_map,
    flow_map,
    force_response,
)

ENERGY = 0.35
STEP = 1e-3
STRIDE, WIDTH, REACH = 1.4, 3.2, 2.6
"""Planes of atoms along the current; the cell across it, which orbitals don't reach across."""
ACROSS = np.array([[0.0, WIDTH, 0.0], [0.0, 0.0, WIDTH]])

# Two orbitals per atom (or one), with overlaps and an onsite term that depends on near neighbours.


HOPPING = np.array([[-1.1, 0.4], [-0.4, 0.7]])
SHARED = np.array([[0.16, 0.06], [-0.06, 0.12]])


def matrices(positions, lattice, norbs=2):
    """Return {R: (H, S)} of atoms that repeat by the vectors of a lattice, (n, 3)."""
    n = len(positions)
    cells = list(product((-1, 0, 1), repeat=len(lattice)))
    result = {}
    levels = np.zeros(n)
    for cell in cells:
        bonds = positions + np.array(cell) @ np.asarray(lattice) - positions[:, None]
        length = np.linalg.norm(bonds, axis=2)
        i, j = np.nonzero((length > 0) & (length < REACH))
        bonds, length = bonds[i, j], length[i, j]
        fall = np.exp(-1.5 * (length - STRIDE)) * (1 - (length / REACH) ** 2) ** 3
        odd = bonds @ [1.0, 0.4, 0.2] / length
        even = np.where(np.eye(2, dtype=bool), 1.0, odd[:, None, None]) * fall[:, None, None]
        pair = np.zeros((2, n, n, 2, 2))
        pair[0, i, j], pair[1, i, j] = HOPPING * even, SHARED * even
        result[cell] = pair
        # None beyond half of the cell: what is nearer to an image is that one's.
        near = np.maximum(0.0, 1 - (length / (0.49 * WIDTH)) ** 2)
        np.add.at(levels, i, 0.5 * near**3)
    every = np.arange(n)
    own = result[(0,) * len(lattice)]
    own[0, every, every] += np.diag([0.1, 0.9]) + levels[:, None, None] * np.eye(2)
    own[1, every, every] += np.eye(2)
    for cell, pair in result.items():
        part = pair[..., :norbs, :norbs].swapaxes(2, 3)
        result[cell] = part.reshape(2, norbs * n, norbs * n)
    return {cell: pair for cell, pair in result.items() if np.any(pair) or not any(cell)}


def plane(x, lattice):
    """Return two atoms along each lattice vector, in a plane across the current."""
    shifts = [np.array(half) @ lattice / 2 for half in product((0, 1), repeat=len(lattice))]
    return [np.array([x, 0.0, 0.0]) + shift for shift in shifts]


@cache
def places(n_vectors, n_planes):
    """Return the atoms of a device of so many planes; the middle ones stand where they like."""
    lattice = ACROSS[:n_vectors]
    result = np.concatenate([plane(STRIDE * i, lattice) for i in range(n_planes)])
    ends = 2 * 2**n_vectors
    rng = np.random.default_rng(4)
    result[ends:-ends] += rng.uniform(-0.15, 0.15, (len(result) - 2 * ends, 3))
    return result


class Repeated:
    """A junction of cells of 2^n atoms in each of some planes, n lattice vectors; electrodes alike.

    numbers: how many cells make one larger one, whose images all go into one matrix: Gamma.
    """

    def __init__(self, n_vectors, n_planes=6, norbs=2, numbers=None):
        self.lattice, self.norbs, self.numbers = ACROSS[:n_vectors], norbs, numbers
        self.positions = places(n_vectors, n_planes)
        self.size = 2 * 2**n_vectors  # atoms of a layer, two planes

    def number_of(self, atom):
        """Return the number of an atom of the first cell."""
        if self.numbers is None:
            return atom
        layer, place = divmod(atom, self.size)
        return np.prod(self.numbers) * layer * self.size + place

    def whole(self, positions):
        """Return the atoms of all cells, layer by layer, and the vectors by which they repeat."""
        if self.numbers is None:
            return positions, self.lattice
        cells = np.array(list(product(*map(range, self.numbers)))) @ self.lattice
        layers = positions.reshape(-1, 1, self.size, 3) + cells[:, None]
        return layers.reshape(-1, 3), np.array(self.numbers)[:, None] * self.lattice

    def calculation(self, moved=None):
        """Return the calculation; moved: (atom of the first cell, axis, by)."""
        positions, lattice = self.whole(self.positions)
        if moved is not None:
            atom, axis, by = moved
            positions = positions.copy()
            positions[self.number_of(atom), axis] += by
        return self._of(matrices(positions, lattice, self.norbs), positions, lattice)

    def _of(self, found, positions, lattice):
        own = found.pop((0,) * len(lattice))
        if self.numbers is not None:
            return Calculation(*(own + sum(found.values(), 0 * own)), positions, self.norbs)
        return Calculation(*own, positions, self.norbs, images=found, lattice=lattice)

    @cached_property
    def electrode(self):
        """The electrode, cut out of three layers of an endless one."""
        line = np.concatenate([plane(STRIDE * i, self.lattice) for i in range(6)])
        line, lattice = self.whole(line)
        endless = matrices(line, [[6 * STRIDE, 0, 0], *lattice], self.norbs)
        found = {cell[1:]: pair for cell, pair in endless.items() if cell[0] == 0}
        layers = np.arange(len(line)).reshape(3, -1)
        return Electrode.from_calculation(self._of(found, line, lattice), layers)

    def junction(self, k_points=None, **keywords):
        return Junction(self.calculation(), self.electrode, k_points=k_points, **keywords)

    def runs(self, atoms):
        return {
            (self.number_of(atom), axis): tuple(
                self.calculation((atom, axis, sign * STEP)) for sign in (1, -1)
            )
            for atom, axis in product(atoms, range(3))
        }

    def displacements(self, junction, atoms, **keywords):
        return junction.displacements(self.runs(atoms), align=0, **keywords)


def response(junction, coordinates, energy=ENERGY, **keywords):
    known = {"bias": 1.0, "degeneracy": 2, "energy_parameter": "E"}
    return force_response(junction.syst, coordinates, energy, **known | keywords)


def assert_equal(one, other, names, rtol=1e-10):
    for name in names:
        found, expected = getattr(one, name), getattr(other, name)
        size = np.abs(expected).max()
        assert size > 1e-3, name
        assert np.abs(found - expected).max() < rtol * size, name


@cache
def three():
    """Return a junction with three k points, and the supercell of three cells."""
    return Repeated(1).junction((3,)), Repeated(1, numbers=(3,)).junction()


MOVING = (5, 6)
ON_ATOM = np.array([[[0, c], [-c, 0]] for c in (0.4, 0.1, 0.2)])


@cache
def three_coordinates():
    models = Repeated(1), Repeated(1, numbers=(3,))
    return [
        model.displacements(
            junction, MOVING, on_atom={model.number_of(atom): ON_ATOM for atom in MOVING}
        )
        for model, junction in zip(models, three(), strict=True)
    ]


# Against a supercell.


@pytest.mark.heavy
@pytest.mark.parametrize("energy", [ENERGY, -0.5, 1.1])
def test_k_points_are_a_supercell(energy):
    keywords = {"velocity": True, "noise": True}
    one, other = (
        response(junction, coordinates, energy, **keywords)
        for junction, coordinates in zip(three(), three_coordinates(), strict=True)
    )
    assert one.warnings == other.warnings
    assert_equal(one, other, ["force", "curl", "friction", "velocity", "noise"])


def test_the_jacobian_is_that_of_the_supercell():
    found = []
    for junction, coordinates in zip(three(), three_coordinates(), strict=True):
        linear = Matrices(coordinates.hamiltonians, overlaps=coordinates.overlaps)
        found.append(response(junction, linear, jacobian=True))
    assert_equal(*found, ["jacobian", "curl"])


def test_maps_of_atoms_are_those_of_the_supercell():
    one, other = (
        curl_map(junction.syst, coordinates, ENERGY, energy_parameter="E")
        for junction, coordinates in zip(three(), three_coordinates(), strict=True)
    )
    assert np.array_equal(one.sites, MOVING)
    assert np.allclose(one.positions, other.positions)
    assert_equal(one, other, ["force", "curl", "friction"])


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("numbers", "points"), [((2, 2), (2, 2)), ((2, 1), ([[0, 0], [0.5, 0]], [0.5, 0.5]))]
)
def test_two_directions_across(numbers, points):
    one, other = Repeated(2, norbs=1), Repeated(2, norbs=1, numbers=numbers)
    found = []
    for model, k_points in ((one, points), (other, None)):
        junction = model.junction(k_points)
        coordinates = model.displacements(junction, [9])
        found.append(response(junction, coordinates))
    assert_equal(*found, ["force", "curl", "friction"])


@pytest.mark.heavy
@pytest.mark.parametrize("keywords", [{"temperature": 0.004}, {"linear": False, "bias": 0.04}])
def test_integrals_are_those_of_the_supercell(keywords):
    found = []
    for model, k_points in (
        (Repeated(1, norbs=1), (2,)),
        (Repeated(1, norbs=1, numbers=(2,)), None),
    ):
        junction = model.junction(k_points)
        coordinates = model.displacements(junction, [5])
        found.append(response(junction, coordinates, rtol=1e-6, **keywords))
    assert found[0].error < 1e-5
    assert_equal(*found, ["force", "curl", "friction"], rtol=1e-6)


def test_the_density_of_a_cell_is_the_average_over_copies():
    one, other = (
        NonequilibriumDensity(junction.syst, ENERGY, energy_parameter="E").density()
        for junction in three()
    )
    average = three()[0].k_average(one)
    layers = other.reshape(3, 3, 4)  # layers, cells, atoms
    assert np.abs(average).max() > 0.01
    assert np.allclose(average, layers[:, 0].ravel(), atol=1e-12)
    assert three()[0].k_average(np.ones((36, 3))).shape == (12, 3)
    with pytest.raises(ValueError, match=r"values has shape \(12,\); expected 36 entries"):
        three()[0].k_average(average)


# Against matrices, with points and weights of any kind.

POINTS = np.array([[0.07], [0.31], [-0.28], [0.62]])
WEIGHTS = np.array([0.1, 0.35, 0.3, 0.25])


def cluster(moved=None, n_cells=5):
    """Return H and S of some cells that don't repeat, one atom in the middle one moved."""
    positions = Repeated(1).positions
    shifts = (np.arange(n_cells) - n_cells // 2)[:, None, None] * ACROSS[0]
    places = (positions + shifts).reshape(-1, 3)
    if moved is not None:
        atom, axis, by = moved
        places[n_cells // 2 * len(positions) + atom, axis] += by
    # So far away that there are no images.
    return matrices(places, np.array([[0.0, 100.0, 0.0]]))[0,]


def test_force_and_curl_of_matrices():
    """All of it again: the atom really moved alone, D by decimation, and sums over cells."""
    model = Repeated(1)
    junction = model.junction((POINTS, WEIGHTS))
    found = response(junction, model.displacements(junction, MOVING))
    calculation, electrode = model.calculation(), model.electrode
    n, n_cells = 24, 5
    filled = []
    for k in POINTS:
        device, layer = calculation.at(k), electrode.at(k)
        dense = device.hamiltonian.toarray(), device.overlap.toarray()
        filled.append(dense_filled(*dense, layer, ENERGY))
    number = np.arange(n_cells)
    apart = number - number[:, None]  # of columns from rows
    waves = np.exp(-2j * np.pi * apart * POINTS[:, :, None])  # of D between cells
    densities = np.einsum("k,kPQ,kaij->aPiQj", WEIGHTS, waves, np.array(filled))
    densities = densities.reshape(2, n_cells * n, n_cells * n)
    forces = []
    for atom, axis in product(MOVING, range(3)):
        plus, minus = (cluster((atom, axis, sign * STEP)) for sign in (1, -1))
        change = (plus - minus) / (2 * STEP)
        forces.append(-(change[0] - ENERGY * change[1]))
    every, shifted = densities.sum(axis=0), densities[0] - densities[1]  # twice the half of each
    assert np.allclose(found.force, [np.trace(f @ shifted).real for f in forces], atol=1e-9)
    pairs = list(product(forces, repeat=2))
    curl = [4 * np.pi * np.trace(f @ every @ g @ shifted).imag for f, g in pairs]
    friction = [2 * np.pi * np.trace(f @ every @ g @ every).real for f, g in pairs]
    assert np.abs(curl).max() > 0.1
    assert np.allclose(found.curl.ravel(), curl, atol=1e-8)
    assert np.allclose(found.friction.ravel(), friction, atol=1e-8)


def test_transmissions_of_each_point_and_of_a_cell():
    model = Repeated(1)
    junction = model.junction((POINTS, WEIGHTS))
    smatrix = kwant.smatrix(junction.syst, 0, params={"E": ENERGY})
    each = np.array([smatrix.transmission((1, k), (0, k)) for k in range(4)])
    assert smatrix.transmission(1, 0) == pytest.approx(each.sum())
    assert smatrix.transmission((1, 2), (0, 1)) == 0
    calculation, electrode = model.calculation(), model.electrode
    for k, found in zip(POINTS, each, strict=True):
        device, layer = calculation.at(k), electrode.at(k)
        dense = device.hamiltonian.toarray(), device.overlap.toarray()
        green, (left, right) = dense_green(*dense, layer, ENERGY)
        expected = np.trace(right @ green @ left @ green.conj().T).real
        assert found == pytest.approx(expected, rel=1e-7)
    grid, supercell = (
        kwant.smatrix(j.syst, 0, params={"E": ENERGY}).transmission(1, 0) for j in three()
    )
    assert grid == pytest.approx(supercell)
    assert np.allclose(three()[0].weights, 1 / 3)
    assert junction.weights @ each == pytest.approx(each @ WEIGHTS)


@pytest.mark.heavy
def test_equal_points_share_their_weights():
    model = Repeated(1, norbs=1)
    whole = model.junction(([[0.0], [0.3]], [0.4, 0.6]))
    parts = model.junction(([[0.3], [0.0], [1.3]], [0.25, 0.4, 0.35]))
    found = [response(j, model.displacements(j, [5])) for j in (whole, parts)]
    assert_equal(*found, ["force", "curl", "friction"], rtol=1e-9)


def test_one_point_moves_all_images():
    model = Repeated(1)
    junction = model.junction((1,))
    coordinates = model.displacements(junction, [5])
    plus, minus = (model.calculation((5, 0, sign * STEP)).at([0.0]) for sign in (1, -1))
    change = (plus.hamiltonian - minus.hamiltonian) / (2 * STEP)
    assert abs(coordinates.hamiltonians[0] - change).max() < 1e-12
    assert coordinates.hamiltonians[0].dtype == float


# Files of sisl.


def sisl_hamiltonian(calculation, length):
    """Return a calculation as sisl has it, current along the second lattice vector."""
    sisl = pytest.importorskip("sisl")
    lattice = [[0, WIDTH, 0], [length, 0, 0], [0, 0, 9.0]]
    geometry = sisl.Geometry(calculation.positions, sisl.Atom(6, R=[3.0]), lattice=lattice)
    geometry.set_nsc([3, 3, 1])
    result = sisl.Hamiltonian(geometry, orthogonal=False)
    hamiltonians, overlaps = (calculation.by_cell(name) for name in ("hamiltonian", "overlap"))
    for (cell, *along), matrix in hamiltonians.items():
        whole = matrix.toarray(), overlaps[cell, *along].toarray()
        for i, j in zip(*np.nonzero(whole[1]), strict=True):
            result[i, j, (cell, *(along or [0]), 0)] = whole[0][i, j], whole[1][i, j]
    return result


def written(hamiltonian, path):
    sisl = pytest.importorskip("sisl")
    with sisl.get_sile(path, "w") as file:
        file.write_hamiltonian(hamiltonian)
    return path


def test_files_of_sisl(tmp_path):
    model = Repeated(1, norbs=1)
    arrays = model.junction((3,))
    device = written(sisl_hamiltonian(model.calculation(), 30.0), tmp_path / "device.TSHS")
    layer = [[0, WIDTH, 0], [2 * STRIDE, 0, 0]]
    positions = np.concatenate([plane(STRIDE * i, ACROSS[:1]) for i in range(2)])
    found = matrices(positions, np.array(layer, dtype=float), 1)
    own = found.pop((0, 0))
    bulk = Calculation(*own, positions, 1, images=found, lattice=layer)
    left = written(sisl_hamiltonian(bulk, 2 * STRIDE), tmp_path / "electrode.TSHS")
    junction = Junction.from_sisl(device, left, axis=1, k_points=(3, 1))
    assert np.allclose(junction.left.lattice, [[0, WIDTH, 0], [0, 0, 9.0]])
    here, there = (
        kwant.smatrix(j.syst, 0, params={"E": ENERGY}).transmission(1, 0)
        for j in (junction, arrays)
    )
    assert here == pytest.approx(there, rel=1e-8)
    for (atom, axis), pair in model.runs([5]).items():
        for sign, run in zip("+-", pair, strict=True):
            written(sisl_hamiltonian(run, 30.0), tmp_path / f"{atom}{'xyz'[axis]}{sign}.TSHS")
    coordinates = junction.displacements(tmp_path, align=0, atoms=[5], axis=1)
    expected = response(arrays, model.displacements(arrays, [5])).curl
    assert np.allclose(response(junction, coordinates).curl, expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"k_points differ along lattice vector 1, along which"):
        Junction.from_sisl(device, left, axis=1, k_points=(3, 2))


# What doesn't fit.


def test_k_points_that_cannot_be():
    model = Repeated(1)
    with pytest.raises(ValueError, match=r"repeats across the current, but k_points is not given"):
        model.junction()
    with pytest.raises(ValueError, match="nothing repeats across the current"):
        Repeated(1, numbers=(1,)).junction((3,))
    for wrong in ((3, 3), (0,), ([[0.0, 0.0]], [1.0]), ([[0.0], [0.5]], [1.0]), (1, 2, 3.5)):
        with pytest.raises(ValueError, match=r"k_points .*; expected 1 whole numbers, those of a"):
            model.junction(wrong)
    for wrong in (3, "Gamma", ()):
        with pytest.raises(TypeError, match=r"k_points is .*; expected 1 whole numbers"):
            model.junction(wrong)
    for weights in ([0.5, 0.6], [1.0, 1.0]):
        with pytest.raises(ValueError, match=r"weights of k_points sum to .*; expected 1. All poi"):
            model.junction(([[0.0], [0.5]], weights))
    with pytest.raises(ValueError, match="not finite, or weights <= 0"):
        model.junction(([[0.0], [0.5]], [1.5, -0.5]))
    flat = model.calculation()
    flat = replace(flat, lattice=ACROSS, images={(n, 0): m for (n,), m in flat.images.items()})
    layer = model.electrode
    layer = replace(layer, lattice=ACROSS, images={(n, 0): m for (n,), m in layer.images.items()})
    assert len(Junction(flat, layer, k_points=(2, 1)).weights) == 2
    with pytest.raises(
        ValueError, match="along lattice vector 1, along which the junction doesn't"
    ):
        Junction(flat, layer, k_points=(2, 2))


def test_k_points_without_their_opposite():
    model = Repeated(1)
    third = 1 / 3
    for points, weights, lonely in (
        ([0, third], [third, 2 * third], "0.333333"),
        ([0, third, -third], [0.5, 0.3, 0.2], "0.333333"),
        ([0.25], [1.0], "0.25"),
    ):
        report = model.junction((np.array(points)[:, None], weights)).report()
        assert report.verdict == "doubtful"
        assert any(f"weights of ({lonely}) and of its opposite" in d for d in report.doubts)
    for points, weights in (
        ([0, third, 2 * third - 1], [third] * 3),  # up to lattice vectors
        ([0.25, 0.25, -0.25], [0.25, 0.25, 0.5]),  # one twice
        ([0.5], [1.0]),
    ):
        report = model.junction((np.array(points)[:, None], weights)).report()
        assert not any("opposite" in d for d in report.doubts)


def test_parts_that_repeat_otherwise():
    model = Repeated(1)
    device, electrode = model.calculation(), model.electrode
    wider = replace(electrode, lattice=1.1 * ACROSS[:1])
    with pytest.raises(ValueError, match=r"3.2, 0.0\]\] Å, the right electrode by \[\[0.0, 3.52"):
        Junction(device, electrode, wider, k_points=(2,))
    alone = replace(electrode, images=None, lattice=None)
    with pytest.raises(ValueError, match="the left electrode by nothing; expected the same"):
        Junction(device, alone, k_points=(2,))
    pairs = device.images
    for images, text in (
        ({(1,): pairs[1,]}, r"images has \(1,\) but not \(-1,\)"),
        ({**pairs, (0,): pairs[1,]}, r"key \(0,\); expected 1 whole numbers"),
        ({(1, 0): pairs[1,], (-1, 0): pairs[-1,]}, r"key \(1, 0\); expected 1 whole numbers"),
        ({(1,): pairs[1,][:1], (-1,): pairs[-1,]}, r"images\[\(1,\)\] is no tuple of 2"),
        ({(1,): pairs[1,], (-1,): pairs[1,]}, "hamiltonian to the image .* conjugate transpose"),
        ({(1,): (np.eye(3), None), (-1,): (np.eye(3), None)}, r"shape \(3, 3\); expected \(24, 24"),
    ):
        with pytest.raises(ValueError, match=text):
            replace(device, images=images)
    with pytest.raises(ValueError, match="images are given without lattice="):
        replace(device, lattice=None)
    for lattice in (ACROSS[0], np.eye(3), [[0, 1.0, 0], [0, 2.0, 0]], [[np.inf, 0, 0]]):
        with pytest.raises(ValueError, match=r"lattice .* expected"):
            replace(device, lattice=lattice)
    with pytest.raises(ValueError, match="repeats across the current, whose bands depend on k"):
        replace(electrode, electrons=3.0)


def test_overlaps_at_a_point_that_are_not_positive():
    model = Repeated(1)
    device = model.calculation()
    more = {cell: (h, s + 0.6 * sparse.eye_array(24)) for cell, (h, s) in device.images.items()}
    broken = replace(device, images=more)
    with pytest.raises(ValueError, match="overlap of the device is not positive definite"):
        Junction(broken, model.electrode, k_points=([[0.5]], [1.0]))


def test_runs_that_do_not_repeat():
    model = Repeated(1)
    junction, runs = three()[0], model.runs([5])
    plus, minus = runs[5, 0]
    for change in ({"images": None}, {"images": None, "lattice": None}):
        wrong = replace(plus, **change)
        with pytest.raises(ValueError, match=r"atom 5 along \+x has 0 images .* expected images="):
            junction.displacements(runs | {(5, 0): (wrong, minus)}, align=0)


def test_atoms_that_reach_their_own_images():
    """Of these elements a calculation in which all images move knows nothing."""
    model = Repeated(1)
    device = model.calculation()
    own = sparse.csr_array(np.diag([0.0] * 10 + [0.02] + [0.0] * 13))  # orbital 0 of atom 5
    more = {cell: (h + own, s) for cell, (h, s) in device.images.items()}
    near = replace(device, images=more)
    with pytest.raises(
        ValueError, match=r"Atom 5 and its own image .* up to 0.02 eV, .* larger cell"
    ):
        Junction(near, model.electrode, k_points=(2,)).displacements(model.runs([5]), align=0)
    wide = Junction(near, model.electrode, k_points=(2,), tolerance=0.1)
    report = wide.displacements(model.runs([5]), align=0).report()
    assert report.own_images == pytest.approx(0.02)
    assert any("its own image share elements up to 0.02 eV" in doubt for doubt in report.doubts)
    assert not wide.displacements(model.runs([6]), align=0).report().own_images


def test_changes_between_images_are_a_doubt():
    model, junction = Repeated(1), three()[0]
    report = three_coordinates()[0].report()
    assert 0 < report.between < 0.1 * report.change.max()
    assert "dH shared with them" in repr(report)
    assert np.isnan(three_coordinates()[1].report().between)
    # A level that lies as far from the atom as from its image, and follows both.
    place = 2 * 4 + 1
    runs = model.runs([5])
    calculations = [
        replace(run, hamiltonian=run.hamiltonian + sign * STEP * level)
        for sign, run in zip((1, -1), runs[5, 0], strict=True)
        for level in [sparse.csr_array(([1.0], ([place], [place])), shape=(24, 24))]
    ]
    found = junction.displacements(runs | {(5, 0): tuple(calculations)}, align=0).report()
    assert any("about as near to another image" in doubt for doubt in found.doubts)


def test_what_needs_bonds_is_refused():
    syst = three()[0].syst
    known = {"energy_parameter": "E"}
    moving = Displacements([5], scaling=PowerLaw(-2))
    for call in (
        lambda: flow_map(syst, ENERGY, cell_volume=1.0, **known),
        lambda: curl_map(syst, moving, ENERGY, **known),
        lambda: curl_map(syst, Probe([[3.0, 1.0, 0.0]], width=2.0), ENERGY, **known),
    ):
        with pytest.raises(ValueError, match="copies of a junction at transverse k points"):
            call()


def test_junctions_with_k_points_go_to_other_processes():
    junction = three()[0]
    again = pickle.loads(pickle.dumps(junction))
    params = {"E": ENERGY}
    expected = junction.syst.hamiltonian_submatrix(params=params)
    assert np.array_equal(again.syst.hamiltonian_submatrix(params=params), expected)
    syst = pickle.loads(pickle.dumps(junction.syst))
    assert np.array_equal(syst.hamiltonian_submatrix(params=params), expected)
    assert "images across" in repr(junction.calculation)
