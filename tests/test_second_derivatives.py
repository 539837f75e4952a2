"""d^2H/dQ dQ of every kind of coordinate against rebuilt systems, and against each other."""

from itertools import product

import kwant
import numpy as np
import pytest
from scipy import sparse
from systems import (
    MODELS,
    atoms_of,
    chain,
    random_hermitian,
    rashba_gradient,
    square_wire,
)

from kwant_curl import Displacements, Exponential, Matrices, Parameters, PowerLaw, Probe
from kwant_curl.algebra.second_differences import hessian, second_derivative

pytestmark = pytest.mark.heavy

NAMES = ["x0", "y0", "x1", "y1"]
ISOTROPIC = ["one orbital", "three leads", "3D wire", "two orbitals, scaled"]
POINT = dict(zip(NAMES, (0.07, -0.02, 0.0, 0.11), strict=True))


def dense(second, n_coordinates, n_orbitals):
    """The (n_c, n_c, n, n) array of all d^2H/dQ_I dQ_J."""
    half = np.zeros((n_coordinates, n_coordinates, n_orbitals, n_orbitals), complex)
    np.add.at(half, tuple(second[:4]), second.value)
    return half + half.conj().swapaxes(2, 3)


def bends(syst, coordinates, params=None):
    n_c = len(coordinates.hamiltonian_derivatives(syst, params=params))
    second = coordinates.hamiltonian_second_derivatives(syst, params=params)
    return dense(second, n_c, syst.hamiltonian_submatrix(params=params).shape[0])


def reference(hamiltonian, n_coordinates, h=0.01):
    """Second differences of sixth order in each pair of coordinates, at Q = 0."""
    weights = [(1, 1.5), (2, -3 / 20), (3, 1 / 90)]
    axes = h * np.eye(n_coordinates)
    here = hamiltonian(np.zeros(n_coordinates))

    def along(step):
        terms = [w * (hamiltonian(k * step) + hamiltonian(-k * step)) for k, w in weights]
        return (sum(terms) - 49 / 18 * here) / h**2

    straight = [along(e) for e in axes]
    result = np.empty((n_coordinates, n_coordinates, *here.shape), complex)
    for a, b in product(range(n_coordinates), repeat=2):
        if a == b:
            result[a, a] = straight[a]
        elif a < b:
            mixed = (along(axes[a] + axes[b]) - along(axes[a] - axes[b])) / 4
            result[a, b] = result[b, a] = mixed
    return result


def close(actual, expected, rtol=1e-6):
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * np.abs(expected).max())


def moved(model, moving, q):
    positions = model.positions()
    positions[moving] += np.reshape(q, (len(moving), model.dim))
    return positions


def rebuilt(model, moving):
    return reference(
        lambda q: model.syst(moved(model, moving, q)).hamiltonian_submatrix(),
        len(moving) * model.dim,
    )


def where_of(syst, moving):
    return [atoms_of(syst)[i] for i in moving]


# Against rebuilt systems


@pytest.mark.parametrize("name", MODELS)
def test_value_functions(name):
    """Atoms 0 and 1 share a bond, 0 has others to sites that don't move."""
    model, moving = MODELS[name], [1, 0]
    syst = model.syst_of_functions(model.positions())
    actual = bends(syst, Displacements(where_of(syst, moving)))
    close(actual, rebuilt(model, moving))
    np.testing.assert_array_equal(actual, actual.swapaxes(0, 1))


@pytest.mark.parametrize("name", ISOTROPIC)
def test_scaling_law(name):
    model, moving = MODELS[name], [1, 0, 2]
    syst = model.syst(model.positions())
    actual = bends(syst, Displacements(where_of(syst, moving), scaling=PowerLaw(3)))
    close(actual, rebuilt(model, moving))
    np.testing.assert_array_equal(actual, actual.swapaxes(0, 1))
    functions = model.syst_of_functions(model.positions())
    close(actual, bends(functions, Displacements(where_of(functions, moving))), rtol=1e-8)


class Morse:
    """A law of one's own: t ~ cosh(d)^-2."""

    def log_derivative(self, distance):
        assert distance.ndim == 1
        return -2 * np.tanh(distance)


@pytest.mark.parametrize(
    ("law", "hopping"),
    [
        (PowerLaw(2.5), lambda d: d**-2.5),
        (Exponential(0.4), lambda d: np.exp(-d / 0.4)),
        (Morse(), lambda d: np.cosh(d) ** -2.0),
    ],
)
def test_laws_in_closed_form(law, hopping):
    """The system is rebuilt with hoppings that follow the law from where they are."""
    model, moving = MODELS["two orbitals, scaled"], [0, 1]
    start = model.syst(model.positions())
    n = start.hamiltonian_submatrix().shape[0]
    first = start.hamiltonian_submatrix()
    norbs = np.repeat(np.arange(len(start.sites)), 2)

    def distances(q):
        syst = model.syst(moved(model, moving, q))
        positions = np.array([np.array(site.pos, float) for site in syst.sites])[norbs]
        return np.linalg.norm(positions[:, None] - positions, axis=2)

    bond = norbs[:, None] != norbs

    def hamiltonian(q):
        scale = np.ones((n, n))
        scale[bond] = hopping(distances(q)[bond]) / hopping(distances(np.zeros(4))[bond])
        return first * scale

    coordinates = Displacements(where_of(start, moving), scaling=law)
    close(bends(start, coordinates), reference(hamiltonian, 4))


def test_one_bond_in_closed_form():
    """A chain, t ~ d^-4: t'' = 20 t along the bond."""
    syst = chain(5, hopping=-2.0).finalized()
    actual = bends(syst, Displacements([2, 3], scaling=PowerLaw(4)))
    expected = np.zeros((2, 2, 5, 5))
    for i, j, bond in ((0, 0, (1, 2)), (0, 0, (2, 3)), (1, 1, (2, 3)), (1, 1, (3, 4))):
        expected[i, j][bond] = -40
    expected[0, 1, 2, 3] = expected[1, 0, 2, 3] = 40
    close(actual, expected + expected.swapaxes(2, 3), rtol=1e-10)


def test_laws_by_families():
    model = MODELS["one orbital"]
    syst = model.syst(model.positions())
    where = atoms_of(syst)
    atoms = syst.sites[where[0]].family
    lattice = next(site.family for site in syst.sites if site.family != atoms)
    uniform = bends(syst, Displacements(where, scaling=PowerLaw(3)))
    laws = {(atoms, atoms): PowerLaw(3), (lattice, atoms): PowerLaw(3)}
    np.testing.assert_array_equal(bends(syst, Displacements(where, scaling=laws)), uniform)
    laws = {(atoms, atoms): PowerLaw(3), (lattice, atoms): Exponential(0.7)}
    mixed = bends(syst, Displacements(where, scaling=laws))
    exponential = bends(syst, Displacements(where, scaling=Exponential(0.7)))
    inside = np.zeros(uniform.shape[2:], bool)
    inside[np.ix_(where, where)] = True
    close(mixed, np.where(inside, uniform, exponential), rtol=1e-10)


@pytest.mark.parametrize("sites", [[13], range(4, 28)])
def test_few_and_many_moving_sites(sites):
    """Below half of the sites only a part of the Hamiltonian is evaluated."""
    syst = square_wire(length=8, norbs=2, disorder=1.0).finalized()
    actual = bends(syst, Displacements(sites, scaling=PowerLaw(2)))
    everything = bends(syst, Displacements(range(4, 28), scaling=PowerLaw(2)))
    k = slice(None) if len(sites) > 1 else slice(18, 20)
    close(actual, everything[k, k], rtol=1e-12)


def rashba_of_sites(site1, site2):
    return rashba_gradient(np.asarray(site1.pos), np.asarray(site2.pos))


def test_hopping_gradient():
    model, moving = MODELS["two orbitals, spin-orbit"], [1, 0]
    syst = model.syst_of_functions(model.positions())
    where = where_of(syst, moving)
    actual = bends(syst, Displacements(where, hopping_gradient=rashba_of_sites))
    close(actual, rebuilt(model, moving))
    close(actual, bends(syst, Displacements(where)), rtol=1e-8)
    np.testing.assert_array_equal(actual, actual.swapaxes(0, 1))


def test_hopping_gradient_that_does_not_change_is_that_of_a_linear_hopping():
    syst = square_wire().finalized()
    coordinates = Displacements([9, 10], hopping_gradient=lambda a, b: np.array([0.3, 2.0]))
    second = coordinates.hamiltonian_second_derivatives(syst)
    assert [len(array) for array in second] == [0] * 5
    still = Displacements([9, 10], hopping_gradient=lambda a, b: np.zeros(2))
    assert not len(still.hamiltonian_second_derivatives(syst).value)


SPLITTING = np.array([[1, 0.4j], [-0.4j, 0.5]])


def pair_potential(v):
    return np.exp(-(v @ v))


def pair_slope(v):
    """d pair_potential/dv."""
    return -2 * v * np.exp(-(v @ v))


def position_of(site):
    return np.asarray(site.pos, float)


def around(syst, site):
    number = syst.id_by_site[site]
    return [syst.sites[other] for other in syst.graph.out_neighbors(number)]


@pytest.mark.parametrize("moving", [[1, 0], [4], [2, 0, 1, 3, 4, 5]])
def test_onsite_gradient(moving):
    """Onsite terms that are sums over the neighbours, as gradient and in rebuilt systems."""
    model = MODELS["two orbitals, scaled"]
    syst = model.syst(model.positions())

    def gradient(site, other, strength):
        if site == other:
            slopes = [
                pair_slope(position_of(site) - position_of(third)) for third in around(syst, site)
            ]
        else:
            slopes = [-pair_slope(position_of(site) - position_of(other))]
        return strength * np.sum(slopes, axis=0)[:, None, None] * SPLITTING

    def hamiltonian(q):
        now = model.syst(moved(model, moving, q))
        result = now.hamiltonian_submatrix()
        for k, site in enumerate(now.sites):
            here = position_of(site)
            energies = [pair_potential(here - position_of(third)) for third in around(now, site)]
            result[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] += 0.3 * np.sum(energies) * SPLITTING
        return result

    where = where_of(syst, moving)
    coordinates = Displacements(where, scaling=PowerLaw(3), onsite_gradient=gradient)
    actual = bends(syst, coordinates, {"strength": 0.3})
    # Two neighbours of one site are not mixed in a sum over pairs.
    close(actual, reference(hamiltonian, 2 * len(moving)))
    close(actual, actual.swapaxes(0, 1), rtol=1e-9)
    hopping_gradient = Displacements(
        where, hopping_gradient=scaled_gradient, onsite_gradient=gradient
    )
    close(bends(syst, hopping_gradient, {"strength": 0.3}), actual, rtol=1e-8)


def scaled_gradient(site1, site2):
    """Derivative of systems.two_orbital_hopping with respect to the first position."""
    v = position_of(site1) - position_of(site2)
    matrix = np.array([[1, 0.3j], [-0.3j, 0.6]])
    return 3 * v[:, None, None] * np.linalg.norm(v) ** -5 * matrix


def test_onsite_functions_that_see_the_position():
    """An onsite value function against the gradient of the same term."""
    builder = square_wire(norbs=2)
    for site in list(builder.sites()):
        builder[site] = lambda site: pair_potential(0.3 * position_of(site)) * SPLITTING
    syst = builder.finalized()

    def gradient(site, other):
        slope = 0.3 * pair_slope(0.3 * position_of(site)) if site == other else np.zeros(2)
        return slope[:, None, None] * SPLITTING

    where = [9, 5, 10]
    by_function = bends(syst, Displacements(where))
    by_gradient = bends(syst, Displacements(where, scaling=PowerLaw(0), onsite_gradient=gradient))
    close(by_function, by_gradient, rtol=1e-8)
    for i, j in product(range(3), repeat=2):
        if i != j:
            assert not by_function[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].any()


def test_far_from_the_origin():
    """Differences of large positions are rounded; the derivatives are good all the same."""
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    for x, y in product(range(1000, 1004), range(1000, 1003)):
        builder[lattice(x, y)] = 0
    builder[lattice.neighbors()] = lambda a, b: -(np.linalg.norm(a.pos - b.pos) ** -2.0)
    syst = builder.finalized()
    by_law = bends(syst, Displacements([4, 5], scaling=PowerLaw(2)))
    close(bends(syst, Displacements([4, 5])), by_law, rtol=1e-8)


# Parameters


@pytest.mark.parametrize("name", [name for name in MODELS if "scaled" not in name])
def test_parameters(name):
    """Including mixed derivatives, of one atom and of two that share a bond."""
    model = MODELS[name]
    syst = model.syst_of_parameters(model.positions())

    def hamiltonian(q):
        params = {n: POINT[n] + dq for n, dq in zip(NAMES, q, strict=True)}
        return syst.hamiltonian_submatrix(params=params)

    actual = bends(syst, Parameters(NAMES), POINT)
    close(actual, reference(hamiltonian, 4))
    np.testing.assert_array_equal(actual, actual.swapaxes(0, 1))


@pytest.mark.parametrize("name", ["one orbital", "magnetic field", "two orbitals, spin-orbit"])
def test_parameters_and_displacements_agree(name):
    model = MODELS[name]
    by_names = model.syst_of_parameters(model.positions())
    by_sites = model.syst_of_functions(model.positions())
    displaced = bends(by_sites, Displacements(where_of(by_sites, [0, 1])))
    close(bends(by_names, Parameters(NAMES), dict.fromkeys(NAMES, 0.0)), displaced, rtol=1e-8)


def test_parameters_of_different_functions_and_units():
    """Names of hugely different size; elements that take one, the other, or both."""
    builder = chain(5)
    lattice = next(iter(builder.sites())).family
    builder[lattice(1)] = lambda site, wide: np.cos(wide / 200)
    builder[lattice(2)] = lambda site, fine: np.exp(fine / 1e-3)
    builder[lattice(3)] = lambda site, wide, fine: np.sin(wide / 200 + fine / 1e-3)
    builder[lattice(2), lattice(3)] = lambda a, b, fine, wide: fine * wide + 1j * wide**2
    params = {"wide": 150.0, "fine": 2e-3}
    actual = bends(builder.finalized(), Parameters(["fine", "wide"]), params)
    phase = 150 / 200 + 2
    expected = np.zeros((2, 2, 5, 5), complex)
    expected[0, 0, 2, 2] = np.exp(2) * 1e6
    expected[0, 0, 3, 3] = -np.sin(phase) * 1e6
    expected[1, 1, 1, 1] = -np.cos(0.75) / 200**2
    expected[1, 1, 3, 3] = -np.sin(phase) / 200**2
    expected[1, 1, 2, 3], expected[1, 1, 3, 2] = 2j, -2j
    expected[0, 1, 3, 3] = expected[1, 0, 3, 3] = -np.sin(phase) * 1e3 / 200
    expected[0, 1, 2, 3] = expected[0, 1, 3, 2] = 1
    expected[1, 0, 2, 3] = expected[1, 0, 3, 2] = 1
    for i, j in product(range(2), repeat=2):
        scale = np.abs(expected[i, j]).max()
        np.testing.assert_allclose(actual[i, j], expected[i, j], rtol=0, atol=1e-8 * scale)


def test_linear_parameters_have_none():
    builder = chain(5)
    lattice = next(iter(builder.sites())).family
    builder[lattice(2)] = lambda site, gate, field: 4 + 3 * gate - 0.7 * field
    builder[lattice(2), lattice(1)] = lambda a, b, gate: -1 + gate * 0.5j
    syst = builder.finalized()
    for gate, field in product([0.0, 1e-6, 0.3, 40.0], repeat=2):
        second = Parameters(["gate", "field"]).hamiltonian_second_derivatives(
            syst, params={"gate": gate, "field": field}
        )
        assert not len(second.value)


# Matrices


def test_second_matrices():
    rng = np.random.default_rng(3)
    syst = chain(6).finalized()
    matrices = [random_hermitian(rng, 6) for _ in range(3)]
    second = {(0, 0): random_hermitian(rng, 6), (2, 1): random_hermitian(rng, 6)}
    given = {(0, 0): sparse.csr_array(second[0, 0]), (2, 1): second[2, 1]}
    expected = np.zeros((3, 3, 6, 6), complex)
    expected[0, 0] = second[0, 0]
    expected[2, 1] = expected[1, 2] = second[2, 1]
    np.testing.assert_allclose(bends(syst, Matrices(matrices, second=given)), expected)
    assert not bends(syst, Matrices(matrices)).any()


# Probe


@pytest.mark.parametrize("name", ["two orbitals, scaled", "3D wire"])
def test_probe(name):
    model = MODELS[name]
    syst = model.syst(model.positions())
    points = np.random.default_rng(1).uniform(0, 1.5, (3, model.dim))

    def slopes(shift):
        probe = Probe(points + shift, width=1.2, strength=3.0)
        stack = probe.hamiltonian_derivatives(syst)
        return np.array([m.toarray() for m in stack.matrices()])

    probe = Probe(points, width=1.2, strength=3.0)
    actual = bends(syst, probe)
    blocks = actual.reshape(3, model.dim, 3, model.dim, *actual.shape[2:])
    h = 1e-3
    for b, e in enumerate(np.eye(model.dim)):
        terms = {k: slopes(k * h * e) for k in (-2, -1, 1, 2)}
        expected = (8 * (terms[1] - terms[-1]) - (terms[2] - terms[-2])) / (12 * h)
        for p in range(3):
            found = blocks[p, :, p, b]
            np.testing.assert_allclose(
                found, expected[p * model.dim : (p + 1) * model.dim], rtol=0, atol=1e-9
            )
    for p, q in product(range(3), repeat=2):
        assert (p == q) == blocks[p, :, q].any()
    np.testing.assert_array_equal(actual, actual.swapaxes(0, 1))


@pytest.mark.filterwarnings("ignore:.*points have no site within reach:RuntimeWarning")
def test_probe_out_of_reach():
    syst = square_wire().finalized()
    probe = Probe([[100.0, 100.0]], width=1.0)
    assert not len(probe.hamiltonian_second_derivatives(syst).value)


# How many there are


def still(*sites):
    return np.zeros(2)


@pytest.mark.parametrize(
    "how",
    [
        {"scaling": PowerLaw(2)},
        {"hopping_gradient": still},
        {"scaling": PowerLaw(2), "onsite_gradient": still},
        {},
    ],
)
def test_site_without_bonds(how):
    builder = square_wire()
    alone = kwant.lattice.square(norbs=1, name="alone")(20, 20)
    builder[alone] = 1.0
    second = Displacements([alone], **how).hamiltonian_second_derivatives(builder.finalized())
    assert [len(array) for array in second] == [0] * 5


def test_number_of_entries_grows_with_the_number_of_sites():
    counts = []
    for length in (10, 20, 30, 40):
        coordinates = Displacements(scaling=PowerLaw(2))
        second = coordinates.hamiltonian_second_derivatives(square_wire(length).finalized())
        counts.append(len(second.value))
        pairs = np.stack([second.first, second.second])
        swapped = np.unique(pairs[::-1], axis=1)
        np.testing.assert_array_equal(np.unique(pairs, axis=1), swapped)
    assert len(set(np.diff(counts))) == 1


# Numerical second derivatives


@pytest.mark.parametrize("x", [0.0, 1e-6, 0.3, 40.0, -3e3])
@pytest.mark.parametrize(
    ("function", "bend"),
    [
        (lambda x: np.exp(x / 1e3), lambda x: np.exp(x / 1e3) / 1e6),
        (lambda x: np.cos(5 * x) + 3, lambda x: -25 * np.cos(5 * x)),
        (lambda x: np.exp(2j * x), lambda x: -4 * np.exp(2j * x)),
        (lambda x: (x**2 + 1) ** -1.5, lambda x: (12 * x**2 - 3) * (x**2 + 1) ** -3.5),
        (lambda x: x**3 - 2 * x**2 + 5, lambda x: 6 * x - 4),
        (lambda x: x**4, lambda x: 12 * x**2),
        (lambda x: x**5 + 1, lambda x: 20 * x**3),
        (lambda x: 7 - 2j * x, lambda x: 0.0),
        (lambda x: 7.0, lambda x: 0.0),
        (lambda x: 0.0, lambda x: 0.0),
    ],
)
def test_second_derivatives_are_good_to_1e_8(x, function, bend):
    scales = (abs(x), 1.0) if x else (1.0,)
    found, converged = second_derivative(lambda x: np.array([function(x)]), x, scales)
    assert converged.all()
    tolerance = 1e-9 * abs(function(x)) / max(scales) ** 2
    np.testing.assert_allclose(found, bend(x), rtol=1e-8, atol=tolerance)
    if bend(x) == 0:
        assert abs(found[0]) <= tolerance


@pytest.mark.parametrize("function", [lambda x: 7 - 2 * x, lambda x: 3.0, lambda x: 1e9 * x])
@pytest.mark.parametrize("x", [0.0, 1e-6, 0.3, 40.0, -3e3])
def test_what_is_linear_has_none(function, x):
    scales = (abs(x), 1.0) if x else (1.0,)
    found, converged = second_derivative(lambda x: np.array([function(x)]), x, scales)
    assert converged.all()
    assert not found.any()


@pytest.mark.parametrize(
    "function", [abs, lambda x: x * abs(x), lambda x: float(x > 0), lambda x: max(x, 0) ** 2]
)
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_what_is_not_smooth_does_not_converge(function, offset):
    _, converged = second_derivative(
        lambda x: np.array([1j * function(x) + np.cos(x) + offset, np.sin(x)]), 0.0, (1.0,)
    )
    np.testing.assert_array_equal(converged, [False, True])


def test_functions_that_end_near_the_point():
    """Large steps leave the domain of the square root; small ones don't."""
    with np.errstate(invalid="ignore"):
        found, converged = second_derivative(lambda x: np.array([np.sqrt(x)]), 0.03, (1.0,))
    assert converged.all()
    np.testing.assert_allclose(found, -0.25 * 0.03**-1.5, rtol=1e-8)


def test_hessian_of_variables_that_do_not_mix():
    """Differences of equal numbers are zero, not their rounding errors."""
    found, converged = hessian(
        lambda x: np.array([np.exp(x[0]) + np.cos(x[1]), np.exp(x[0] + 2j * x[1])]),
        np.array([0.2, 0.4]),
        [(0.2, 1.0), (0.4, 1.0)],
    )
    assert converged.all()
    mixed = np.exp(0.2 + 0.8j)
    np.testing.assert_allclose(found[..., 0], [[np.exp(0.2), 0], [0, -np.cos(0.4)]], rtol=1e-8)
    np.testing.assert_allclose(found[..., 1], mixed * np.array([[1, 2j], [2j, -4]]), rtol=1e-8)


# Errors


@pytest.mark.parametrize(
    "function", [lambda x: abs(x) * x, lambda x: float(x > 0), lambda x: 2.0 + abs(x)]
)
def test_value_function_with_a_kink(function):
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site: function(site.pos[0] - 2)
    with pytest.raises(
        ValueError, match=r"Second differences of the value function <lambda>\(<Site.* converge"
    ):
        Displacements([9]).hamiltonian_second_derivatives(builder.finalized())


def test_onsite_function_that_is_not_hermitian():
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site: 4 + 1j * site.pos[0] ** 2
    coordinates = Displacements([9])
    with pytest.raises(ValueError, match=r"onsite Hamiltonian of <Site .* is not Hermitian"):
        coordinates.hamiltonian_second_derivatives(builder.finalized())


@pytest.mark.parametrize("kink", [lambda x: 0.1 * abs(x), lambda x: float(x > 0)])
def test_law_with_a_kink(kink):
    class Law:
        def __repr__(self):
            return "Kinked"

        def log_derivative(self, distance):
            return np.array([-2 + kink(d - 1) for d in distance])

    syst = square_wire().finalized()
    with pytest.raises(ValueError, match="log_derivative of Kinked at the bond length 1 don't"):
        bends(syst, Displacements(scaling=Law()))
    lattice = syst.sites[0].family
    by_families = Displacements(scaling={(lattice, lattice): Law()})
    with pytest.raises(ValueError, match="log_derivative of Kinked at the bond length 1 don't"):
        bends(syst, by_families)


def test_gradient_with_a_kink():
    def kinked(site1, site2):
        return np.array([abs(site1.pos[1] - 1), 0.0])

    syst = square_wire().finalized()
    with pytest.raises(ValueError, match=r"the gradient kinked\(<Site .* don't converge"):
        bends(syst, Displacements([9], hopping_gradient=kinked))
    coordinates = Displacements([9], scaling=PowerLaw(2), onsite_gradient=kinked)
    with pytest.raises(ValueError, match=r"the gradient kinked\(<Site .* don't converge"):
        bends(syst, coordinates)


def test_parameters_with_a_kink():
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site, gate, tilt: 4 + tilt * max(gate - 0.3, 0)
    syst = builder.finalized()
    coordinates = Parameters(["gate", "tilt"], derivatives={"gate": np.eye(24)})
    with pytest.raises(ValueError, match=r"twice numerically at gate = 0.3: .* function <lambda>"):
        bends(syst, coordinates, {"gate": 0.3, "tilt": 1.0})
    with pytest.raises(ValueError, match="'gate' is not in params"):
        coordinates.hamiltonian_second_derivatives(syst)


def test_pairs_of_second_matrices():
    matrices = [np.eye(6), np.eye(6)]
    for pair in ((0, 2), (-1, 0), (0, True), 3, (0, 1, 1), (0, 1.0)):
        with pytest.raises(ValueError, match=r"second has the key .* each from 0 to 1"):
            Matrices(matrices, second={pair: np.eye(6)})
    with pytest.raises(ValueError, match=r"second names the pair \(0, 1\) and \(1, 0\) too"):
        Matrices(matrices, second={(0, 1): np.eye(6), (1, 0): np.eye(6)})
    with pytest.raises(TypeError, match="second is a list; expected a mapping"):
        Matrices(matrices, second=[np.eye(6)])


def test_second_matrices_of_the_wrong_kind():
    syst = chain(6).finalized()
    matrices = [np.eye(6), np.eye(6)]
    with pytest.raises(ValueError, match=r"second derivative \(0, 1\) has shape \(3, 3\)"):
        bends(syst, Matrices(matrices, second={(0, 1): np.eye(3)}))
    with pytest.raises(ValueError, match=r"second derivative \(1, 1\) is not Hermitian"):
        bends(syst, Matrices(matrices, second={(1, 1): 1j * np.eye(6)}))
    assert "second" not in repr(Matrices(matrices, second={(1, 1): np.eye(6)}))


def test_onsite_gradient_of_a_pair_term_that_depends_on_both_places():
    """H_ii = sum_other x_i^2 y_other: d/dx_i d/dy_other is 2 x_i, d/dy_i d/dx_other is zero."""
    syst = chain_in_a_plane(4)
    here, there = 2, 3

    def gradient(site, other):
        x = site.pos[0]
        if site != other:
            return np.array([0.0, x**2])
        return np.array([2 * x * sum(third.pos[1] for third in around(syst, site)), 0.0])

    coordinates = Displacements([here, there], scaling=PowerLaw(0), onsite_gradient=gradient)
    result = bends(syst, coordinates)[..., here, here]
    x, y = (syst.sites[here].pos[0], sum(syst.sites[k].pos[1] for k in (1, 3)))
    expected = np.zeros((4, 4))
    expected[0, 0] = 2 * y
    expected[0, 3] = expected[3, 0] = 2 * x
    np.testing.assert_allclose(result, expected, atol=1e-8)


def chain_in_a_plane(n_sites):
    """A chain along x at y = 1, with leads."""
    lattice = kwant.lattice.general([(1, 0)], [(0, 1)], norbs=1).sublattices[0]
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(n_sites))] = 0
    builder[lattice.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[lattice(0)] = 0
    lead[lattice.neighbors()] = -1
    builder.attach_lead(lead)
    return builder.finalized()
