"""dH/dQ of every kind of coordinate against closed forms and against each other."""

import kwant
import numpy as np
import pytest
from scipy import sparse
from systems import MODELS, atoms_of, chain, dense_derivatives, square_wire

from kwant_curl import Displacements, Exponential, Force, Matrices, Parameters, PowerLaw


def forces(syst, coordinates, params=None):
    return np.array([f.toarray() for f in Force(syst, coordinates).matrices(params=params)])


def test_one_bond_in_closed_form():
    """t ~ d^-4: moving atom 2 of a chain by x weakens the left bond and strengthens the right."""
    syst = chain(5, hopping=-2.0).finalized()
    (force,) = forces(syst, Displacements([2], scaling=PowerLaw(4)))
    expected = np.zeros((5, 5))
    # dH_12/dx = t (-4) = 8 on the left, -8 on the right; F = -dH/dx
    expected[1, 2] = expected[2, 1] = -8
    expected[2, 3] = expected[3, 2] = 8
    np.testing.assert_allclose(force, expected)


def test_exponential_in_closed_form():
    syst = chain(5, hopping=-2.0).finalized()
    (force,) = forces(syst, Displacements([2], scaling=Exponential(0.5)))
    assert force[1, 2] == pytest.approx(2.0 * -2.0)  # F = -t (d ln t/dd), t = -2, 1/length = 2


def test_graphene_law():
    """exp(-3.37 (d/d0 - 1)) has the length d0/3.37."""
    law = Exponential(1.42 / 3.37)
    d = np.array([1.3, 1.42, 1.6])

    def hopping(d):
        return np.exp(-3.37 * (d / 1.42 - 1))

    slope = (hopping(d + 1e-6) - hopping(d - 1e-6)) / 2e-6
    np.testing.assert_allclose(law.log_derivative(d), slope / hopping(d), rtol=1e-8)
    slope = ((d + 1e-6) ** -2.5 - (d - 1e-6) ** -2.5) / 2e-6
    np.testing.assert_allclose(PowerLaw(2.5).log_derivative(d), slope / d**-2.5, rtol=1e-8)


def test_moving_everything_is_moving_nothing():
    """Rigid shifts change no bond: the forces of all atoms of a closed system add up to zero."""
    model = MODELS["two orbitals, scaled"]
    builder = model.builder(model.positions(), np.ones((2, 2)))
    builder.leads = []
    total = forces(builder.finalized(), Displacements(scaling=PowerLaw(3)))
    np.testing.assert_allclose(total.reshape(-1, 2, *total.shape[1:]).sum(axis=0), 0, atol=1e-13)
    assert np.abs(total).max() > 0.1


def test_few_and_many_moving_sites_take_the_same_derivatives():
    """Below half of the sites only a part of the Hamiltonian is evaluated."""
    syst = square_wire(length=8, norbs=2, disorder=1.0).finalized()
    everything = Displacements(scaling=PowerLaw(2))
    all_forces = forces(syst, everything)
    sites = [site for site in range(4, 28)]
    for k, site in enumerate(sites[:3]):
        alone = forces(syst, Displacements([site], scaling=PowerLaw(2)))
        np.testing.assert_array_equal(alone, all_forces[2 * k : 2 * k + 2])


def test_law_per_pair_of_families():
    model = MODELS["one orbital"]
    syst = model.syst(model.positions())
    atoms = syst.sites[atoms_of(syst)[0]].family
    lattice = next(site.family for site in syst.sites if site.family != atoms)
    where = atoms_of(syst)
    uniform = forces(syst, Displacements(where, scaling=PowerLaw(3)))
    laws = {(atoms, atoms): PowerLaw(3), (lattice, atoms): PowerLaw(3)}
    np.testing.assert_array_equal(forces(syst, Displacements(where, scaling=laws)), uniform)
    stiff = {(atoms, atoms): PowerLaw(3), (atoms, lattice): PowerLaw(0)}
    mixed = forces(syst, Displacements(where, scaling=stiff))
    inner = np.ix_(range(len(uniform)), where, where)
    np.testing.assert_array_equal(mixed[inner], uniform[inner])
    mixed[inner] = 0
    assert not mixed.any()
    uniform[inner] = 0
    assert uniform.any()


def test_law_of_ones_own():
    class Morse:
        def log_derivative(self, distance):
            return -2 * np.tanh(distance)

    syst = chain(5).finalized()
    (force,) = forces(syst, Displacements([2], scaling=Morse()))
    assert force[1, 2] == pytest.approx(-2 * np.tanh(1.0))


def test_where_as_sites_indices_or_function():
    syst = square_wire().finalized()
    lattice = syst.sites[0].family
    by_index = forces(syst, Displacements([9, 13], scaling=PowerLaw(2)))
    assert [tuple(syst.sites[i].tag) for i in (9, 13)] == [(2, 1), (3, 1)]
    by_site = forces(syst, Displacements([lattice(2, 1), lattice(3, 1)], scaling=PowerLaw(2)))
    by_function = forces(
        syst,
        Displacements(lambda site: site.tag[0] in (2, 3) and site.tag[1] == 1, scaling=PowerLaw(2)),
    )
    np.testing.assert_array_equal(by_site, by_index)
    np.testing.assert_array_equal(by_function, by_index)
    array = forces(syst, Displacements(np.array([9, 13]), scaling=PowerLaw(2)))
    np.testing.assert_array_equal(array, by_index)


def potential_wire(depth=-1.0):
    """A wire whose onsite terms see the position, with a parameter."""
    builder = square_wire(length=5, width=3)

    def onsite(site, center):
        x, y = site.pos
        return 4 + depth * np.exp(-((x - center) ** 2) - 0.5 * y**2)

    for site in list(builder.sites()):
        builder[site] = onsite
    return builder.finalized()


def test_onsite_terms_that_see_the_position():
    """Only the onsite functions depend on it; the constants don't follow."""
    syst = potential_wire()
    actual = forces(syst, Displacements([7]), {"center": 2.2})
    x, y = syst.sites[7].pos
    value = -np.exp(-((x - 2.2) ** 2) - 0.5 * y**2)
    expected = np.zeros_like(actual)
    expected[0, 7, 7] = 2 * (x - 2.2) * value
    expected[1, 7, 7] = y * value
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-14)


def test_onsite_gradient_of_neighbours():
    """An onsite energy that depends on the distances to the neighbours, u_i = sum_j d_ij^-2."""
    syst = square_wire(norbs=2).finalized()

    def gradient(site, other, strength):
        """d(strength u_site)/d r_other times the unit matrix."""
        if site == other:
            around = [syst.sites[j] for j in syst.graph.out_neighbors(syst.id_by_site[site])]
            return sum(-gradient(site, third, strength) for third in around)
        bond = np.array(other.pos) - np.array(site.pos)
        return strength * -2 * bond[:, None, None] * np.eye(2)

    coordinates = Displacements([9], scaling=PowerLaw(2), onsite_gradient=gradient)
    only_hoppings = forces(syst, Displacements([9], scaling=PowerLaw(2)))
    extra = forces(syst, coordinates, {"strength": 0.3, "unused": 1}) - only_hoppings
    offset = 2 * 9
    # The neighbours of site 9 = (2, 1): left 5, right 13, below 8, above 10.
    for site, (x, y) in {5: (-1, 0), 13: (1, 0), 8: (0, -1), 10: (0, 1)}.items():
        slope = -2 * 0.3 * np.array([-x, -y])  # d u_site/d r_9 = -2 (r_9 - r_site)
        block = extra[:, 2 * site : 2 * site + 2, 2 * site : 2 * site + 2]
        np.testing.assert_allclose(block, -slope[:, None, None] * np.eye(2), atol=1e-14)
    np.testing.assert_allclose(extra[:, offset, offset], 0, atol=1e-14)  # by symmetry
    assert np.count_nonzero(np.abs(extra) > 1e-12) == 8


def test_parameters_against_differences_of_the_hamiltonian():
    model = MODELS["two orbitals, spin-orbit"]
    syst = model.syst_of_parameters(model.positions())
    names = ["y1", "x0"]
    params = {"x0": 0.07, "y0": -0.02, "x1": 0.0, "y1": 0.11}

    def hamiltonian(q):
        shifted = {n: params[n] + dq for n, dq in zip(names, q, strict=True)}
        return syst.hamiltonian_submatrix(params={**params, **shifted})

    expected = -dense_derivatives(hamiltonian, 2)
    actual = forces(syst, Parameters(names), params)
    np.testing.assert_allclose(actual, expected, atol=1e-9)


@pytest.mark.parametrize("x", [0.0, 1e-6, 0.3, 40.0])
@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: np.exp(x / 10), lambda x: np.exp(x / 10) / 10),
        (lambda x: np.cos(5 * x) + 3, lambda x: -5 * np.sin(5 * x)),
        (lambda x: 7 + x, lambda x: 1.0),
        (lambda x: (x + 1) ** -3.0, lambda x: -3 * (x + 1) ** -4.0),
    ],
)
def test_numerical_derivatives_are_good_to_1e_9(x, function, slope):
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site, x: function(x)
    force = forces(builder.finalized(), Parameters("x"), {"x": x})
    np.testing.assert_allclose(force[0], -slope(x) * np.eye(24), rtol=1e-9, atol=1e-9 * 1e-3)


def test_parameters_with_a_given_derivative():
    syst = potential_wire()
    x = np.array([site.pos[0] for site in syst.sites])
    y = np.array([site.pos[1] for site in syst.sites])

    def derivative(params):
        distance = x - params["center"]
        return sparse.diags_array(-2 * distance * np.exp(-(distance**2) - 0.5 * y**2))

    params = {"center": 1.8}
    numerical = forces(syst, Parameters("center"), params)
    for given in (derivative, derivative(params)):
        analytic = forces(syst, Parameters("center", derivatives={"center": given}), params)
        np.testing.assert_allclose(analytic, numerical, atol=1e-11)


def test_a_parameter_where_an_element_vanishes():
    """Kwant drops zeros from sparse Hamiltonians; their derivatives must not be lost."""
    builder = chain(5)
    lattice = next(iter(builder.sites())).family
    builder[lattice(2)] = lambda site, gate: gate
    builder[lattice(2), lattice(1)] = lambda a, b, gate: -1 + gate * 0.5j
    force = forces(builder.finalized(), Parameters("gate"), {"gate": 0.0})[0]
    expected = np.zeros((5, 5), complex)
    expected[2, 2] = -1
    expected[2, 1], expected[1, 2] = -0.5j, 0.5j
    np.testing.assert_allclose(force, expected, atol=1e-12)


def test_substituted_parameters():
    """A Builder's substituted names are the ones that count."""
    builder = chain(5)
    builder.leads = []
    for site in list(builder.sites()):
        builder[site] = lambda site, gate: 4 + gate
    syst = builder.substituted(gate="top").finalized()
    force = forces(syst, Parameters("top"), {"top": 0.1})[0]
    np.testing.assert_allclose(force, -np.eye(5), atol=1e-11)


def test_matrices_sparse_or_dense():
    syst = chain(4).finalized()
    dense = np.diag([0, 1.0, 0, 2]) + 0j
    dense[1, 2], dense[2, 1] = 1j, -1j
    for given in (dense, sparse.csr_matrix(dense), sparse.coo_array(dense)):
        np.testing.assert_array_equal(forces(syst, Matrices([given]))[0], -dense)


def test_specifications_are_plain_and_frozen():
    for spec, name in (
        (PowerLaw(2), "exponent"),
        (Exponential(2), "length"),
        (Displacements([1]), "where"),
        (Parameters("a"), "names"),
        (Matrices([np.eye(2)]), "matrices"),
    ):
        with pytest.raises(AttributeError):
            setattr(spec, name, None)
    assert PowerLaw(2) == PowerLaw(2.0)
    assert Displacements([1, 2], scaling=PowerLaw(2)) == Displacements((1, 2), scaling=PowerLaw(2))


def test_low_level_systems_take_matrices_and_displacements_say_no():
    class Bare(kwant.system.FiniteSystem):
        def __init__(self, syst):
            self.graph, self.leads = syst.graph, syst.leads
            self.lead_interfaces, self.site_ranges = syst.lead_interfaces, syst.site_ranges
            self.parameters = frozenset()
            self.hamiltonian = syst.hamiltonian

        def hamiltonian(self, i, j, *args, params=None):
            raise AssertionError

    syst = Bare(chain(4).finalized())
    assert forces(syst, Matrices([np.eye(4)])).shape == (1, 4, 4)
    with pytest.raises(TypeError, match=r"Bare without sites; expected a finalized kwant\.Builder"):
        Force(syst, Displacements(scaling=PowerLaw(2))).matrices()
