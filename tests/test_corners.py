"""Where code goes wrong: mixed orbitals, small chunks, one-sided leads, rounding, scales."""

import kwant
import numpy as np
import pytest
import tinyarray
from scipy import sparse
from systems import (
    central_difference,
    dense_curl,
    lead_densities,
    random_hermitian,
    random_system,
    square_wire,
)

import kwant_curl as kc
from kwant_curl import devices
from kwant_curl.algebra import compiled
from kwant_curl.algebra import matrix_elements as kernels
from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Entries
from kwant_curl.model.geometry import site_positions
from kwant_curl.model.orbitals import interface_sites
from kwant_curl.results.mode_pairs import ROUNDING

ENERGY = 0.4
NORBS = {"a": 1, "b": 3, "c": 2}


def mixed_system(moved=None, function=False):
    """A ring of atoms with one, three and two orbitals, with a lead at each of two of them.

    moved: {tag: new position} puts single atoms elsewhere.  function: value functions of the
    positions instead of constants.
    """
    rng = np.random.default_rng(8)
    positions = rng.uniform(-0.2, 0.2, (6, 2)) + 2 * np.array(
        [(np.cos(x), np.sin(x)) for x in np.arange(6) * np.pi / 3]
    )
    for tag, position in (moved or {}).items():
        positions[tag] = position
    names = "bacbca"
    families = {n: devices.Atoms(positions, name=n, norbs=norbs) for n, norbs in NORBS.items()}
    sites = [families[n](i) for i, n in enumerate(names)]
    builder = kwant.Builder()
    for site in sites:
        builder[site] = random_hermitian(rng, site.family.norbs, 1.0) * 0.3
    bonds = [(i, (i + 1) % 6) for i in range(6)] + [(0, 3), (4, 1)]
    amplitude = {}
    for i, j in bonds:
        shape = (sites[i].family.norbs, sites[j].family.norbs)
        amplitude[i, j] = rng.normal(size=shape) + 1j * rng.normal(size=shape)

        def value(a, b, t=amplitude[i, j]):
            return t * np.linalg.norm(np.array(a.pos) - np.array(b.pos)) ** -2

        builder[sites[i], sites[j]] = value if function else value(sites[i], sites[j])
    if function:  # Kwant takes no functions with default arguments
        for i, j in bonds:
            t = amplitude[i, j]
            builder[sites[i], sites[j]] = inverse_square(t)
    for number, (site, norbs) in enumerate(((sites[0], 3), (sites[2], 2))):
        chain = kwant.lattice.general(
            [(1, 0)], [(0, 9 + number)], name=f"z{number}", norbs=norbs
        ).sublattices[0]
        builder[chain(0)] = np.zeros((norbs, norbs))
        builder[chain(0), site] = 1.1 * np.eye(norbs)
        lead = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
        lead[chain(0)] = np.zeros((norbs, norbs))
        lead[chain(0), chain(1)] = -np.eye(norbs)
        builder.attach_lead(lead)
    return builder.finalized(), sites, amplitude, positions


def inverse_square(t):
    def value(a, b):
        return t * np.linalg.norm(np.array(a.pos) - np.array(b.pos)) ** -2

    return value


MOVING = [4, 1, 3]


def moved_hamiltonian(q):
    positions = mixed_system()[3]
    shifted = {tag: positions[tag] + dq for tag, dq in zip(MOVING, q.reshape(-1, 2), strict=True)}
    return mixed_system(shifted)[0].hamiltonian_submatrix()


def expected_forces():
    axes = np.eye(2 * len(MOVING))
    return -np.array([central_difference(lambda x, e=e: moved_hamiltonian(x * e)) for e in axes])


def bond_gradient(amplitude, sites):
    """The gradient of the bonds of `mixed_system` as a user would write it."""
    by_sites = {(sites[i], sites[j]): t for (i, j), t in amplitude.items()}

    def gradient(site1, site2):
        bond = np.array(site1.pos) - np.array(site2.pos)
        return -2 * bond[:, None, None] * by_sites[site1, site2] / np.linalg.norm(bond) ** 4

    return gradient


@pytest.mark.heavy
@pytest.mark.parametrize("way", ["law", "law, all sites", "gradient", "functions"])
def test_different_numbers_of_orbitals(way):
    syst, sites, amplitude, _ = mixed_system(function=way == "functions")
    where = [sites[tag] for tag in MOVING]
    coordinates = {
        "law": kc.Displacements(where, scaling=kc.PowerLaw(2)),
        "law, all sites": kc.Displacements(scaling=kc.PowerLaw(2)),
        "gradient": kc.Displacements(where, hopping_gradient=bond_gradient(amplitude, sites)),
        "functions": kc.Displacements(where),
    }[way]
    forces = np.array([f.toarray() for f in kc.Force(syst, coordinates).matrices()])
    if way == "law, all sites":
        # Six atoms: the ends of the chains are on interfaces.
        order = [i for i in range(len(syst.sites)) if not syst.sites[i].family.name.startswith("z")]
        rows = [order.index(syst.id_by_site[site]) for site in where]
        forces = forces.reshape(6, 2, *forces.shape[1:])[rows].reshape(-1, *forces.shape[1:])
    expected = expected_forces()
    np.testing.assert_allclose(forces, expected, atol=1e-9 * np.abs(expected).max())


def test_response_and_density_with_different_numbers_of_orbitals():
    syst, sites, *_ = mixed_system()
    coordinates = kc.Displacements([sites[tag] for tag in MOVING], scaling=kc.PowerLaw(2))
    densities = lead_densities(syst, ENERGY)
    expected = dense_curl(expected_forces(), densities, [0.5, -0.5])
    response = kc.force_response(syst, coordinates, ENERGY)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(response.curl, expected, atol=1e-8 * scale)
    local = kc.curl_map(syst, coordinates, ENERGY)
    np.testing.assert_allclose(local.curl, np.diagonal(expected, 1)[::2], atol=1e-8 * scale)
    rho = kc.NonequilibriumDensity(syst, ENERGY, bias={1: 0.3})
    # One scalar for all sites is what Kwant's density gets wrong here, see below.
    ones = {family: np.eye(family.norbs) for family in {site.family for site in syst.sites}}
    per_site = rho.expectation(kwant.operator.Density(syst, ones))
    np.testing.assert_allclose(rho.density(), per_site, atol=1e-14)
    flow = kc.flow_map(syst, ENERGY, cell_volume=2.0, bias={1: 0.3})
    np.testing.assert_allclose(flow.density * 2.0, per_site, atol=1e-14)
    probe = kc.Probe([(0.1, 0.2)], width=3.0)
    f = kc.Force(syst, probe).matrices()[0].diagonal()
    positions = np.repeat(
        [site.pos for site in syst.sites], [site.family.norbs for site in syst.sites], axis=0
    )
    offset = positions - (0.1, 0.2)
    gauss = np.exp(-(offset**2).sum(axis=1) / 18) / (18 * np.pi)
    np.testing.assert_allclose(f, -gauss * offset[:, 0] / 9, rtol=1e-10, atol=1e-13)


def test_value_functions_that_return_lists():
    """As Kwant does, the numerical way takes scalars, lists and arrays."""
    builder = square_wire(norbs=2)

    def hopping(a, b):
        d = np.linalg.norm(np.array(a.pos) - np.array(b.pos))
        return [[-(d**-2), 0], [0, -(d**-2)]]

    for pair in list(builder.hoppings()):
        builder[pair] = hopping
    syst = builder.finalized()
    by_function = kc.Force(syst, kc.Displacements([9])).matrices()
    by_law = kc.Force(syst, kc.Displacements([9], scaling=kc.PowerLaw(2))).matrices()
    for one, other in zip(by_function, by_law, strict=True):
        np.testing.assert_allclose(one.toarray(), other.toarray(), atol=1e-11)


def everything(syst, max_memory=2**29):
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    probe = kc.Probe([(2.2, 1.4), (3.0, 2.0), (1.5, 0.3)], width=1.0)
    size = syst.site_ranges[-1][2]
    rng = np.random.default_rng(0)
    matrices = kc.Matrices([random_hermitian(rng, size) for _ in range(3)])
    states = rng.normal(size=(7, size)) + 1j * rng.normal(size=(7, size))
    force = kc.Force(syst, moving).bind()
    flow = kc.flow_map(syst, 1.7, max_memory=max_memory)
    yield from (force(states), force.act(states), force.matrix(states, states[:3]))
    yield from (force.trace(states, np.arange(7.0)), flow.current)
    for result in (
        kc.curl_map(syst, moving, 1.7, max_memory=max_memory),
        kc.curl_map(syst, probe, 1.7, max_memory=max_memory),
        kc.force_response(syst, moving, 1.7),
        kc.force_response(syst, matrices, 1.7),
    ):
        yield from (result.lead_force, result.lead_curl, result.friction)


@pytest.mark.heavy
@pytest.mark.parametrize("max_memory", [2**29, 1])
@pytest.mark.parametrize("chunk", [1, 50, 700])
def test_small_chunks_change_nothing(monkeypatch, chunk, max_memory):
    syst = square_wire(disorder=0.8, norbs=2).finalized()
    expected = list(everything(syst))
    monkeypatch.setattr(kernels, "CHUNK", chunk)
    monkeypatch.setattr(compiled, "TILE", chunk)
    for one, other in zip(everything(syst, max_memory), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * np.abs(other).max())


def test_chunks_cover_everything():
    for length, width in ((10, 3), (1, 10**9), (0, 5), (7, 0)):
        covered = [i for some in kernels.chunks(length, width) for i in range(length)[some]]
        assert covered == list(range(length))


def test_scalar_bias_is_split_in_halves():
    """The force depends on the dmu themselves, not on their difference alone."""
    syst = square_wire(disorder=0.5).finalized()
    coordinates = kc.Displacements([9], scaling=kc.PowerLaw(2))
    by_number = kc.force_response(syst, coordinates, 1.7, bias=0.8)
    by_lead = kc.force_response(syst, coordinates, 1.7, bias={0: 0.4, 1: -0.4})
    other = kc.force_response(syst, coordinates, 1.7, bias={0: 0.8})
    np.testing.assert_array_equal(by_number.force, by_lead.force)
    np.testing.assert_allclose(other.curl, by_lead.curl)
    assert np.abs(other.force - by_lead.force).max() > 1e-3


@pytest.mark.parametrize("closed", [0, 1])
def test_one_lead_without_modes_is_no_warning(closed):
    """Modes in either lead are modes; with one lead alone a single one will do."""
    builder = square_wire(width=1)
    builder.leads = []
    lattice = next(iter(builder.sites())).family
    for number, direction in enumerate((-1, 1)):
        lead = kwant.Builder(kwant.TranslationalSymmetry((direction, 0)))
        lead[lattice(0, 0)] = 50.0 if number == closed else 4.0
        lead[lattice.neighbors()] = -1.0
        builder.attach_lead(lead)
    syst = builder.finalized()
    result = kc.curl_map(syst, kc.Displacements(scaling=kc.PowerLaw(2)), 3.0)
    assert np.abs(result.lead_force[1 - closed]).max() > 0
    assert not result.lead_force[closed].any()


def test_operators_that_are_bound_in_part():
    """A density with a function as onsite binds its onsite only, a current the Hamiltonian only."""
    builder = square_wire()
    for hopping in list(builder.hoppings()):
        builder[hopping] = lambda a, b, t: -t
    syst = builder.finalized()
    params = {"t": 0.9, "s": 2.0}
    rho = kc.NonequilibriumDensity(syst, 1.7, params=params)
    operators = [
        kwant.operator.Density(syst, lambda site, s: s),
        kwant.operator.Current(syst, 1),
        kwant.operator.Current(syst, lambda site, s: s, sum=True),
        kwant.operator.Density(syst, 1, sum=True),
    ]
    for operator in operators:
        np.testing.assert_allclose(
            rho.expectation(operator), rho.expectation(operator.bind(params=params)), atol=1e-15
        )
    assert np.ndim(rho.expectation(operators[2])) == 0
    with pytest.warns(RuntimeWarning, match="No lead has an open mode"):
        nothing = kc.NonequilibriumDensity(syst, -9.0, params=params)
    assert [np.shape(nothing.expectation(o)) for o in operators] == [(24,), (76,), (), ()]


def test_entries_may_repeat():
    """Contributions to one element add up, also through sparse matrices with duplicates."""
    one = np.array([0, 0, 1])
    entries = Entries(one, one, one, np.array([1.0, 2.0, 5.0]) + 0j)
    stack = Derivatives.from_entries(entries, 2, 3)
    dense = [matrix.toarray() for matrix in stack.matrices()]
    np.testing.assert_array_equal(dense, [np.diag([3, 0, 0]), np.diag([0, 5, 0])])
    twice = sparse.coo_array(([1.0, 1.0], ([2, 2], [2, 2])), shape=(24, 24))
    force = kc.Force(square_wire().finalized(), kc.Matrices([twice])).matrices()[0]
    assert force[2, 2] == -2


def test_keys_do_not_overflow():
    """A million orbitals: pairs of them are beyond 32 bits."""
    n = 10**6
    index = np.array([0, 1], dtype=np.int32)
    far = np.array([n - 1, n - 2], dtype=np.int32)
    entries = Entries(index, far, far, np.ones(2, complex))
    stack = Derivatives.from_entries(entries, 2, n)
    np.testing.assert_array_equal(stack.orbitals, [n - 2, n - 1])
    np.testing.assert_array_equal(stack.factors().left.indices, [n - 1, n - 2])


def test_nearly_hermitian_is_not_hermitian():
    matrix = np.eye(24)
    matrix[2, 3] = 1e-6
    with pytest.raises(ValueError, match="not Hermitian"):
        kc.Force(square_wire().finalized(), kc.Matrices([matrix])).matrices()


def test_parameter_on_a_small_scale():
    """Where a step of the size of one would leave the function's domain."""
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site, gap: np.emath.sqrt(gap).real
    force = kc.Force(builder.finalized(), kc.Parameters("gap")).matrices(params={"gap": 1e-3})[0]
    np.testing.assert_allclose(force.diagonal(), -0.5 / np.sqrt(1e-3), rtol=1e-9)


def test_positions_on_a_small_scale():
    """Lengths in metres: the steps follow the bonds."""
    lattice = kwant.lattice.square(1e-9, norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(5) for y in range(3))] = 4
    builder[lattice.neighbors()] = lambda a, b: -1e-36 / np.sum(np.square(a.pos - b.pos)) ** 2
    syst = builder.finalized()
    (_, force) = kc.Force(syst, kc.Displacements([7])).matrices()
    above = syst.id_by_site[lattice(2, 2)]
    assert force[7, above] == pytest.approx(4e9, rel=1e-9)  # -d(-d^-4)/dy with y towards it


def peak(length, width, strength=1.0):
    """Onsite terms with a Gaussian of this width at (x0, y0), on a lattice of this constant."""

    def onsite(site, x0, y0):
        r2 = (site.pos[0] - x0) ** 2 + (site.pos[1] - y0) ** 2
        return 4 - strength * np.exp(-r2 / width**2)

    lattice = kwant.lattice.square(length, norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(5) for y in range(3))] = onsite
    builder[lattice.neighbors()] = -1
    return builder.finalized()


@pytest.mark.parametrize(
    ("length", "width", "x0", "y0"),
    [(1e-10, 1.5e-10, 0.0, 1.2e-10), (1e-10, 1.5e-10, 0.0, 0.0), (1.0, 0.01, 2.003, 1.0)],
)
def test_features_narrower_than_the_first_steps(length, width, x0, y0):
    """They are found, instead of a converged zero."""
    syst = peak(length, width)
    force = kc.Force(syst, kc.Parameters(["x0", "y0"])).matrices(params={"x0": x0, "y0": y0})
    position = np.array([site.pos for site in syst.sites])
    offset = position - (x0, y0)
    slope = np.exp(-(offset**2).sum(axis=1) / width**2)[:, None] * 2 * offset / width**2
    actual = np.stack([f.diagonal() for f in force], axis=1)
    np.testing.assert_allclose(actual, slope, rtol=1e-8, atol=1e-9 * np.abs(slope).max())


def test_features_far_from_the_origin():
    """A parameter of 10,000 with a peak of width 1."""
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[lattice(0, 0)] = lambda site, x0: np.exp(-((x0 - 10_000) ** 2))
    force = kc.Force(builder.finalized(), kc.Parameters("x0")).matrices(params={"x0": 10_000.3})
    assert force[0][0, 0] == pytest.approx(0.6 * np.exp(-0.09), rel=1e-8)


@pytest.mark.parametrize("turns", [1, 400, 5000])
def test_fast_phases(turns):
    """Steps are no multiples of the period, and elements that don't change are no hindrance."""
    builder = square_wire()
    for hopping in list(builder.hoppings()):
        builder[hopping] = lambda a, b, phi: -np.exp(2j * np.pi * turns * phi)
    for phi in (0.0, 0.3):
        force = kc.Force(builder.finalized(), kc.Parameters("phi")).matrices(params={"phi": phi})
        np.testing.assert_allclose(np.abs(force[0].data), 2 * np.pi * turns, rtol=1e-9)


def test_constants_among_functions_are_said():
    """Padding sites of a lead hold the lead's constants, which don't follow."""
    builder = square_wire()
    for hopping in list(builder.hoppings()):
        builder[hopping] = lambda a, b: -(np.linalg.norm(np.array(a.pos) - np.array(b.pos)) ** -2.0)
    lattice = next(iter(builder.sites())).family
    kc.Force(builder.finalized(), kc.Displacements()).matrices()
    builder[lattice(2, 1), lattice(3, 1)] = -1
    with pytest.warns(RuntimeWarning, match="1 hoppings of the sites that move are constants"):
        kc.Force(builder.finalized(), kc.Displacements()).matrices()


def test_a_site_without_bonds_feels_nothing():
    builder = square_wire()
    lattice = next(iter(builder.sites())).family
    builder[lattice(50, 50)] = 4
    syst = builder.finalized()
    for keywords in (
        {"scaling": kc.PowerLaw(2)},
        {"hopping_gradient": lambda a, b: np.zeros(2)},
    ):
        moving = kc.Displacements([lattice(50, 50)], **keywords)
        assert not kc.curl_map(syst, moving, 1.7).friction.any()


def test_natural_mistakes():
    syst = square_wire().finalized()
    with pytest.raises(TypeError, match=r"scaling holds <class .*PowerLaw"):
        kc.Displacements(scaling=kc.PowerLaw)
    with pytest.raises(TypeError, match="where is a site family"):
        kc.Displacements(syst.sites[0].family)
    with pytest.raises(TypeError, match="where is a mask; expected indices"):
        kc.Displacements(np.ones(24, bool))
    assert kc.Parameters(np.array(["a", "b"])).names == ("a", "b")
    local = kc.curl_map(syst, kc.Displacements(scaling=kc.PowerLaw(2)), 1.7)
    with pytest.raises(ValueError, match="frequency is complex"):
        local.pumping_rates(1 + 1j)


def test_gradient_functions_take_what_they_want():
    syst = square_wire().finalized()

    def with_default(site1, site2, t=1.0):
        return t * 2 * (np.array(site1.pos) - np.array(site2.pos))

    def with_all(site1, site2, **params):
        return params["t"] * 2 * (np.array(site1.pos) - np.array(site2.pos))

    plain = kc.Force(syst, kc.Displacements([9], hopping_gradient=with_default))
    keywords = kc.Force(syst, kc.Displacements([9], hopping_gradient=with_all))
    one = plain.matrices()[0].toarray()
    np.testing.assert_array_equal(keywords.matrices(params={"t": 3.0})[0].toarray(), 3 * one)
    np.testing.assert_array_equal(plain.matrices(params={"t": 3.0})[0].toarray(), 3 * one)


def test_axis_where_the_curl_vanishes():
    """No axis of its own: about z."""
    wire = devices.nanowire(radius=5.0, neck=4.0, length=5.0)
    result = kc.curl_map(wire.syst, wire.coordinates, wire.energy).at_bias(0.0)
    rates = result.pumping_rates(0.01, 1e5)
    expected = (result.friction[:, 0, 0] + result.friction[:, 1, 1]) / 2e5
    np.testing.assert_allclose(rates.damping, expected)
    axes = np.ones((len(expected), 3))
    axes[3] = 0
    with pytest.raises(ValueError, match="axis has a vector that is zero"):
        result.pumping_rates(1.0, axis=axes)
    with pytest.raises(ValueError, match="axis has a vector that is zero or not finite"):
        result.pumping_rates(1.0, axis=(np.nan, 0, 1))
    with pytest.raises(ValueError, match="axis has shape"):
        result.pumping_rates(1.0, axis=axes.T)


def test_what_is_rounding_and_what_is_not():
    """Couplings ten orders below the largest count; what is below their own rounding doesn't."""
    syst = random_system(4).finalized()
    response = kc.force_response(syst, kc.Displacements(scaling=kc.PowerLaw(2)), 0.3)
    n = len(response.force)
    weak = np.zeros((2, n))
    weak[0, 0], weak[1, 1] = 1e-5, 1e-5
    with pytest.warns(RuntimeWarning, match="nearest resonance"):
        rates = response.pumping_rates(weak, 1.0)
    assert rates.driving[0] == pytest.approx(1e-10 * response.curl[0, 1] / 2, rel=1e-10)
    assert 1e-14 < ROUNDING < 1e-10
    eigenvalues, vectors = np.linalg.eigh(response.friction)
    silent = vectors[:, np.abs(eigenvalues) < 1e-14 * eigenvalues.max()].T[:2]
    assert len(silent) == 2
    with pytest.warns(RuntimeWarning, match="nearest resonance"):
        rates = response.pumping_rates(silent, 1.0)
    assert np.isinf(rates.threshold[0])


def test_sites_of_a_lattice_with_its_own_positions():
    """A family that moves its sites is asked for each of them."""

    class Wavy(kwant.lattice.Monatomic):
        def pos(self, tag):
            x, y = super().pos(tag)
            return tinyarray.array((x, y + 0.1 * x))

    flat = kwant.lattice.square(norbs=1)
    wavy = Wavy(np.eye(2), norbs=1)
    for lattice, slope in ((flat, 0.0), (wavy, 0.1)):
        builder = kwant.Builder()
        builder[(lattice(x, y) for x in range(4) for y in range(3))] = 4
        builder[lattice.neighbors()] = -1
        syst = builder.finalized()
        positions = site_positions(syst)
        np.testing.assert_allclose(
            positions, [(x, y + slope * x) for x, y in (site.tag for site in syst.sites)]
        )


def test_families_of_different_dimensions():
    builder = square_wire()
    builder[devices.Atoms([(0, 0, 1)], name="up")(0)] = 4
    with pytest.raises(ValueError, match=r"positions of different dimensions \[2, 3\]"):
        kc.curl_map(builder.finalized(), kc.Displacements(scaling=kc.PowerLaw(2)), 1.7)


@pytest.mark.parametrize(
    ("device", "decay"),
    [
        (devices.graphene_constriction, 3.37 / 1.42),
        (devices.gold_chain, 4 / 2.5),
        (devices.bent_molecule, 4 / 2.5),
        (devices.nanowire, 4 / (4.08 / np.sqrt(2))),
        (devices.point_contact, 2 / 5.0),
    ],
)
def test_how_the_hoppings_of_devices_follow(device, decay):
    """|dH_ij| over |H_ij|: the slope d ln t / dd of the literature, on every bond."""
    made = device()
    law = made.coordinates.scaling
    free = np.setdiff1d(np.arange(len(made.syst.sites)), interface_sites(made.syst))
    moving = kc.Displacements([int(free[len(free) // 2])], scaling=law)
    force = sum(abs(f).power(2) for f in kc.Force(made.syst, moving).matrices())
    hamiltonian = abs(made.syst.hamiltonian_submatrix(sparse=True).tocsr())
    rows, cols = force.nonzero()
    slope = np.sqrt(force[rows, cols]) / np.asarray(hamiltonian[rows, cols]).ravel()
    np.testing.assert_allclose(slope, decay, rtol=1e-9)


def test_gates_of_the_point_contact():
    device = devices.point_contact()
    h = device.syst.hamiltonian_submatrix(sparse=True).diagonal().real
    hopping = (h[0] - 4 * 10.0 * np.exp(-((200 / 50) ** 2)) * (1 - np.exp(-((150 / 50) ** 2)))) / 4
    for site, value in zip(device.syst.sites, h, strict=True):
        x, y = site.pos / 50.0
        gate = 4 * 10.0 * np.exp(-(x**2)) * (1 - np.exp(-(y**2)))
        assert value == pytest.approx(4 * hopping + gate)


def test_what_kwant_gets_wrong_is_no_silent_number():
    """Kwant 1.5 reads onsite matrices with the wrong stride where `norbs` differ."""
    syst, *_ = mixed_system()
    rho = kc.NonequilibriumDensity(syst, ENERGY)
    state = rho.states[0].copy()
    total = np.vdot(state, state).real
    assert kwant.operator.Density(syst, sum=True)(state) != pytest.approx(total)
    ones = {family: np.eye(family.norbs) for family in {site.family for site in syst.sites}}
    assert kwant.operator.Density(syst, ones, sum=True)(state) == pytest.approx(total)
    with pytest.raises(ValueError, match=r"give the operator \{family: matrix\}"):
        rho.expectation(kwant.operator.Density(syst))
    for operator in (kwant.operator.Current(syst), kwant.operator.Current(syst, ones)):
        with pytest.raises(ValueError, match="use MomentumCurrent"):
            rho.expectation(operator)


def test_currents_with_different_numbers_of_orbitals():
    """Site vectors bond by bond, with dense blocks."""
    syst, *_ = mixed_system()
    rho = kc.NonequilibriumDensity(syst, ENERGY)
    psi = rho.states[1]
    h = syst.hamiltonian_submatrix()
    start = np.cumsum([0] + [site.family.norbs for site in syst.sites])
    expected = np.zeros((len(syst.sites), 2))
    divergence = np.zeros(len(syst.sites))
    for i, j in syst.graph:
        a, b = (slice(start[k], start[k + 1]) for k in (i, j))
        flow = -2 * (psi[a].conj() @ h[a, b] @ psi[b]).imag
        divergence[i] += flow
        expected[i] += 0.5 * flow * (np.array(syst.sites[j].pos) - np.array(syst.sites[i].pos))
    inner = np.setdiff1d(np.arange(len(syst.sites)), np.concatenate(syst.lead_interfaces))
    np.testing.assert_allclose(divergence[inner], 0, atol=1e-13)
    assert np.abs(expected).max() > 0.01
    actual = kc.MomentumCurrent(syst, cell_volume=2.0)(psi)
    np.testing.assert_allclose(actual, expected / 2.0, atol=1e-13)


@pytest.mark.parametrize("routine", [kc.curl_map, kc.force_response, kc.flow_map])
def test_a_mode_that_stands_still_is_said(routine):
    """At a band edge D diverges; close to it, and in integrals across it, all is well."""
    wire = square_wire(length=6, width=5, disorder=0.7).finalized()  # a mode opens at 1
    moving = () if routine is kc.flow_map else (kc.Displacements(scaling=kc.PowerLaw(2)),)
    with pytest.warns(RuntimeWarning, match="a mode of lead 0 opens or closes"):
        routine(wire, *moving, 1.0 + 1e-13)
    with pytest.warns(RuntimeWarning, match="a mode of lead 0 opens or closes"):
        # The friction is that at the Fermi level, in a window too.
        routine(wire, *moving, 1.0 + 1e-13, bias=1e-3, linear=False, rtol=1e-1)
    routine(wire, *moving, 1.0 + 1e-7)
    routine(wire, *moving, 1.0, temperature=0.01, rtol=1e-2)
    if routine is kc.force_response:
        with pytest.warns(RuntimeWarning, match="a mode of lead 0 opens or closes"):
            routine(wire, *moving, 1.0 + 1e-13, velocity=True)


def test_a_mode_that_stands_still_in_a_density():
    wire = square_wire(length=6, width=5).finalized()
    with pytest.warns(RuntimeWarning, match="a mode of lead 0 opens or closes"):
        kc.NonequilibriumDensity(wire, 1.0 + 1e-13)


def test_units_that_are_none():
    wire = square_wire(length=5, width=3).finalized()
    with pytest.raises(TypeError, match="units is 'eV'; expected Units, such as EV_ANGSTROM_AMU"):
        kc.flow_map(wire, 1.7, units="eV")
    result = kc.curl_map(wire, kc.Displacements(scaling=kc.PowerLaw(2)), 1.7)
    with pytest.raises(TypeError, match=r"orbit is a CurlMap; expected an Orbit"):
        kc.animate(result)
    assert "energy 1.7 eV" in repr(kc.flow_map(wire, 1.7, units=kc.EV_ANGSTROM_AMU))
    assert "<tr><td>curl</td><td>float64</td><td>(9,)</td><td>centre</td></tr>" in (
        result._repr_html_()
    )
