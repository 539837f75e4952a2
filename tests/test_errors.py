"""Bad input: each its own error, which says what was given, what was expected, what to do."""

import kwant
import numpy as np
import pytest
from scipy import sparse
from systems import MODELS, chain, random_system, square_wire

from kwant_curl import (
    Displacements,
    Exponential,
    Force,
    Matrices,
    NonequilibriumDensity,
    Parameters,
    PowerLaw,
    curl_map,
    flow_map,
    force_response,
)

ENERGY = 1.7
SCALED = Displacements(scaling=PowerLaw(2))


@pytest.fixture(scope="module")
def syst():
    return square_wire().finalized()


@pytest.fixture(scope="module")
def three_leads():
    return random_system(0, n_leads=3).finalized()


def by_density(syst, coordinates, energy, **keywords):
    return NonequilibriumDensity(syst, energy, **keywords)


ROUTINES = pytest.mark.parametrize("routine", [curl_map, force_response, by_density])


@ROUTINES
def test_builder_that_is_not_finalized(routine):
    with pytest.raises(TypeError, match=r"Builder that is not finalized; pass syst.finalized\(\)"):
        routine(square_wire(), SCALED, ENERGY)


@ROUTINES
def test_infinite_system(routine, syst):
    with pytest.raises(TypeError, match=r"syst is an infinite system.* expected a finite"):
        routine(syst.leads[0], SCALED, ENERGY)


@ROUTINES
def test_not_a_system(routine):
    with pytest.raises(TypeError, match="syst is a str; expected a finalized Kwant system"):
        routine("wire", SCALED, ENERGY)


@ROUTINES
def test_no_leads(routine):
    builder = square_wire()
    builder.leads = []
    with pytest.raises(ValueError, match=r"The system has no leads.* attach_lead"):
        routine(builder.finalized(), SCALED, ENERGY)


@ROUTINES
@pytest.mark.filterwarnings("ignore:Not specfying norbs:kwant._common.KwantDeprecationWarning")
def test_families_without_norbs(routine):
    lattice = kwant.lattice.square(name="bare")
    builder = kwant.Builder()
    builder[lattice(0, 0)] = 0
    with pytest.raises(ValueError, match=r"bare.* is not known; declare it with the `norbs`"):
        routine(builder.finalized(), SCALED, ENERGY)


class LowLevel(kwant.system.FiniteSystem):
    """A system without sites, as Kwant lets one write it."""

    def __init__(self, syst, site_ranges=None):
        self.graph, self.leads = syst.graph, syst.leads
        self.lead_interfaces, self.lead_paddings = syst.lead_interfaces, syst.lead_paddings
        self.parameters, self.site_ranges = frozenset(), site_ranges
        self.hamiltonian = syst.hamiltonian

    def hamiltonian(self, i, j, *args, params=None):
        raise AssertionError


@ROUTINES
def test_low_level_systems_without_norbs(routine, syst):
    """They have no site families to speak of."""
    with pytest.raises(ValueError, match=r"this LowLevel are not known: its `site_ranges` is None"):
        routine(LowLevel(syst), SCALED, ENERGY)
    known = LowLevel(syst, [(0, 1, 0), (24, 0, 24)])
    matrix = np.zeros((24, 24))
    matrix[9, 10] = matrix[10, 9] = 1
    expected = force_response(syst, Matrices([matrix]), ENERGY)
    found = force_response(known, Matrices([matrix]), ENERGY)
    np.testing.assert_allclose(found.friction, expected.friction)


class Named(kwant.builder.SiteFamily):
    """Sites with names, and positions nowhere."""

    def __init__(self):
        super().__init__("named", "named", 1)

    def normalize_tag(self, tag):
        return tag


def test_a_family_without_positions():
    """A chain of named sites between leads on a lattice."""
    family, lattice = Named(), kwant.lattice.square(norbs=1)
    builder = square_wire()
    for x, name in ((2, "a"), (3, "b")):
        builder[family(name)] = 4
        builder[family(name), lattice(x, 1)] = -1
    named = builder.finalized()
    for call in (
        lambda: curl_map(named, SCALED, ENERGY),
        lambda: force_response(named, Displacements([9], scaling=PowerLaw(2)), ENERGY),
        lambda: flow_map(named, ENERGY),
        lambda: flow_map(named, ENERGY, cell_volume=1.0),
        lambda: Force(named, SCALED).matrices(),
    ):
        with pytest.raises(TypeError, match=r"is a Named without a method pos, .* give it pos"):
            call()
    size = named.site_ranges[-1][2]
    response = force_response(named, Matrices([np.eye(size)]), ENERGY)
    assert response.friction.shape == (1, 1)


def test_absorption_goes_into_a_lead_known_by_its_self_energy():
    """What the message on a Hamiltonian that is not Hermitian says to do, can be done."""
    builder = square_wire()
    lattice = next(iter(builder.sites())).family
    builder[lattice(2, 2)] = 4 - 0.1j
    with pytest.raises(ValueError, match="absorption goes into a lead known by its self-energy"):
        force_response(builder.finalized(), Matrices([np.eye(24)]), ENERGY)
    builder[lattice(2, 2)] = 4
    builder.leads.append(
        kwant.builder.SelfEnergyLead(
            lambda energy, args=(), params=None: np.array([[-0.1j]]), [lattice(2, 2)], []
        )
    )
    response = force_response(
        builder.finalized(), Displacements([9], scaling=PowerLaw(2)), ENERGY, bias={0: 0.1}
    )
    assert response.lead_force.shape == (3, 2)


@ROUTINES
@pytest.mark.parametrize("lead", [2, -1, "left", True])
def test_bias_for_a_lead_that_is_not_there(routine, syst, lead):
    with pytest.raises(ValueError, match=f"bias names lead {lead!r}, but .* leads 0 to 1"):
        routine(syst, SCALED, ENERGY, bias={lead: 1.0})


@ROUTINES
def test_scalar_bias_with_three_leads(routine, three_leads):
    message = "bias is the number 1.0, which stands for two leads, but the system has 3"
    with pytest.raises(ValueError, match=message):
        routine(three_leads, SCALED, ENERGY)


def test_no_bias_needs_no_leads(three_leads):
    """Zero is none, of three leads too: as messages recommend it."""
    response = force_response(three_leads, SCALED, ENERGY, bias={0: 0.1})
    np.testing.assert_array_equal(response.at_bias(0.0).bias, np.zeros(3))
    np.testing.assert_array_equal(response.at_bias(0).force, 0.0)


@ROUTINES
@pytest.mark.parametrize("bias", [np.nan, np.inf, {0: np.nan}])
def test_bias_that_is_not_finite(routine, syst, bias):
    with pytest.raises(ValueError, match=r"bias(\[0\])? is .*; expected a finite number"):
        routine(syst, SCALED, ENERGY, bias=bias)


@ROUTINES
@pytest.mark.parametrize("bias", ["1", 1j, [1, 2], None, True])
def test_bias_that_is_no_number(routine, syst, bias):
    with pytest.raises(TypeError, match=r"bias is .*; expected a real number"):
        routine(syst, SCALED, ENERGY, bias=bias)


@ROUTINES
@pytest.mark.parametrize("energy", [np.nan, -np.inf])
def test_energy_that_is_not_finite(routine, syst, energy):
    with pytest.raises(ValueError, match=f"energy is {energy}; expected a finite number"):
        routine(syst, SCALED, energy)


@ROUTINES
def test_energy_that_is_not_real(routine, syst):
    with pytest.raises(TypeError, match=r"energy is 1j; expected a real number"):
        routine(syst, SCALED, 1j)


@ROUTINES
@pytest.mark.parametrize("degeneracy", [0, -2])
def test_degeneracy(routine, syst, degeneracy):
    with pytest.raises(ValueError, match=f"degeneracy is {degeneracy}; expected a positive"):
        routine(syst, SCALED, ENERGY, degeneracy=degeneracy)


@ROUTINES
def test_self_energy_lead(routine):
    """The advanced one in place of the retarded: electrons would come from nowhere."""
    builder = square_wire()
    interface = builder.leads[1].interface
    builder.leads[1] = kwant.builder.SelfEnergyLead(
        lambda energy, args=(), params=None: 0.3j * np.eye(len(interface)), interface, []
    )
    with pytest.raises(ValueError, match=r"lead 1 at energy .* instead of absorbing them"):
        routine(builder.finalized(), SCALED, ENERGY)


@ROUTINES
def test_misspelt_keyword(routine, syst):
    with pytest.raises(TypeError, match="biass"):
        routine(syst, SCALED, ENERGY, biass=1.0)


@pytest.mark.parametrize("coordinates", [Displacements, "all", None, [0, 1]])
@pytest.mark.parametrize("routine", [curl_map, force_response])
def test_coordinates_that_are_none(routine, syst, coordinates):
    with pytest.raises(TypeError, match="Parameters, Matrices or Probe"):
        routine(syst, coordinates, ENERGY)
    with pytest.raises(TypeError, match="Parameters, Matrices or Probe"):
        Force(syst, coordinates)


# Which sites move


def respond(syst, coordinates, **keywords):
    return force_response(syst, coordinates, ENERGY, **keywords)


def test_site_that_is_not_in_the_system(syst):
    lattice = syst.sites[0].family
    for where, name in (([lattice(50, 0)], "50"), ([999], "site 999"), ([-1], "site -1")):
        with pytest.raises(ValueError, match=f"`where` names .*{name}"):
            respond(syst, Displacements(where, scaling=PowerLaw(2)))
    with pytest.raises(ValueError, match="names a, which is no site of the system"):
        respond(syst, Displacements(["a"], scaling=PowerLaw(2)))


@pytest.mark.parametrize("where", [[0], [9, 3], lambda site: site.tag[0] == 0])
def test_site_on_an_interface(syst, where):
    message = "on the interface of a lead: moving it would change hoppings into the lead"
    with pytest.raises(ValueError, match=message):
        respond(syst, Displacements(where, scaling=PowerLaw(2)))


def test_none_leaves_out_the_interface(syst):
    result = curl_map(syst, SCALED, ENERGY)
    assert set(result.positions[:, 0]) == {1, 2, 3, 4}


def test_nothing_can_move():
    with pytest.raises(ValueError, match="Every site of the system is on a lead's interface"):
        respond(square_wire(length=2).finalized(), SCALED)


def test_nothing_moves(syst):
    for where in ([], lambda site: False):
        with pytest.raises(ValueError, match="`where` names no site"):
            respond(syst, Displacements(where, scaling=PowerLaw(2)))


def test_site_named_twice(syst):
    with pytest.raises(ValueError, match=r"`where` names <Site .*> more than once"):
        respond(syst, Displacements([9, 10, 9], scaling=PowerLaw(2)))


def test_where_of_another_kind(syst):
    with pytest.raises(TypeError, match="where is 3; expected a sequence of sites"):
        Displacements(3)
    with pytest.raises(TypeError, match="where is a single site; expected a sequence"):
        Displacements(syst.sites[9])


# How hoppings follow


def test_no_value_function_sees_the_position(syst):
    for routine in (respond, lambda s, c: Force(s, c).matrices()):
        with pytest.raises(ValueError, match=r"No value function .* depends on their position"):
            routine(syst, Displacements())


def test_more_than_one_way_to_follow():
    def gradient(a, b):
        return np.zeros(2)

    with pytest.raises(ValueError, match="Both scaling and hopping_gradient are given"):
        Displacements(scaling=PowerLaw(2), hopping_gradient=gradient)
    with pytest.raises(ValueError, match="onsite_gradient is given alone"):
        Displacements(onsite_gradient=gradient)
    with pytest.raises(TypeError, match="hopping_gradient is 3; expected a function"):
        Displacements(hopping_gradient=3)


def test_scaling_of_another_kind(syst):
    with pytest.raises(TypeError, match="scaling holds 2; expected PowerLaw"):
        Displacements(scaling=2)
    lattice = syst.sites[0].family
    with pytest.raises(TypeError, match=r"has the key .*expected a pair of site families"):
        Displacements(scaling={lattice: PowerLaw(2)})
    other = kwant.lattice.square(name="other", norbs=1)
    with pytest.raises(ValueError, match=r"scaling has no law for bonds between .* and"):
        respond(syst, Displacements(scaling={(other, lattice): PowerLaw(2)}))


def test_two_laws_for_one_pair():
    syst = MODELS["one orbital"].syst(MODELS["one orbital"].positions())
    a, b = syst.sites[0].family, syst.sites[-1].family
    laws = {(a, a): PowerLaw(1), (b, b): PowerLaw(1), (a, b): PowerLaw(1), (b, a): PowerLaw(2)}
    with pytest.raises(ValueError, match="two different laws for bonds between"):
        respond(syst, Displacements(scaling=laws))


def test_laws():
    with pytest.raises(TypeError, match="exponent is 'two'; expected a real number"):
        PowerLaw("two")
    with pytest.raises(ValueError, match="length is 0; expected a positive number"):
        Exponential(0)


def test_bond_without_length():
    lattice = kwant.lattice.square(norbs=1)
    twin = kwant.lattice.square(norbs=1, name="twin")
    builder = square_wire()
    builder[twin(2, 2)] = 0
    builder[twin(2, 2), lattice(2, 2)] = -1
    with pytest.raises(ValueError, match="share a bond and a position"):
        respond(builder.finalized(), SCALED)


def test_law_that_returns_nonsense(syst):
    class Law:
        def log_derivative(self, distance):
            return np.nan

    with pytest.raises(ValueError, match=r"log_derivative of .* returned an array \(\)"):
        respond(syst, Displacements(scaling=Law()))


def test_functions_that_do_not_see_the_position():
    """Differences of equal numbers are rounding errors, not forces."""
    builder = square_wire()
    for hopping in list(builder.hoppings()):
        builder[hopping] = lambda a, b, t, phi: -t * np.exp(1j * phi)
    with pytest.raises(ValueError, match=r"No value function .* depends on their position"):
        respond(builder.finalized(), Displacements(), params={"t": 0.7, "phi": 0.3})


def test_gradient_of_the_wrong_shape(syst):
    def gradient(site1, site2):
        return np.zeros((3, 1, 1))

    with pytest.raises(ValueError, match=r"returned an array of shape \(3, 1, 1\); expected \(2"):
        respond(syst, Displacements(hopping_gradient=gradient))
    with pytest.raises(ValueError, match="returned numbers that are not finite"):
        respond(syst, Displacements(hopping_gradient=lambda a, b: [np.nan, 0]))


def test_gradient_that_misses_a_parameter(syst):
    def gradient(site1, site2, strength):
        return np.zeros(2)

    with pytest.raises(TypeError, match=r"gradient takes 'strength', which params does not hold"):
        respond(syst, Displacements(hopping_gradient=gradient))


def test_onsite_gradient_that_is_not_hermitian():
    syst = square_wire(norbs=2).finalized()
    coordinates = Displacements(
        scaling=PowerLaw(2), onsite_gradient=lambda a, b: np.ones((2, 1, 1)) * [[0, 1], [0, 0]]
    )
    with pytest.raises(ValueError, match=r"derivative of the onsite Hamiltonian of .* is not Herm"):
        respond(syst, coordinates)


def test_value_functions_that_are_not_hermitian():
    """Kwant finds it when it solves; an operator by itself does not solve."""
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site, gate: 4 + 0.1j * gate * site.pos[0]
    syst = builder.finalized()
    with pytest.raises(ValueError, match=r"onsite Hamiltonian of <Site .* is not Hermitian"):
        Force(syst, Displacements([9])).matrices(params={"gate": 1.0})
    with pytest.raises(ValueError, match="The derivative to 'gate' is not Hermitian"):
        Force(syst, Parameters("gate")).matrices(params={"gate": 1.0})


def test_value_function_that_is_not_smooth():
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site: 4.0 if site.pos[0] > 2 else 5.0
    with pytest.raises(
        ValueError, match=r"Finite differences of the value function <lambda>\(<Site"
    ):
        respond(builder.finalized(), Displacements())


# Parameters


@pytest.fixture(scope="module")
def with_parameter():
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site, gate: 4 + gate * site.pos[0]
    return builder.finalized()


def test_parameter_that_is_not_in_params(with_parameter):
    with pytest.raises(ValueError, match=r"'gate' is not in params, which holds \[\]"):
        respond(with_parameter, Parameters("gate"))


def test_parameter_that_no_function_takes(with_parameter):
    with pytest.raises(ValueError, match=r"No value function .* 'gat'; they take \['gate'\]"):
        respond(with_parameter, Parameters("gat"), params={"gate": 0.0, "gat": 0.0})


@pytest.mark.parametrize("value", ["x", np.ones(2), 1j])
def test_parameter_that_is_no_number(with_parameter, value):
    with pytest.raises(TypeError, match=r"params\['gate'\] is .*; expected a real number"):
        respond(with_parameter, Parameters("gate"), params={"gate": value})


def test_parameter_that_a_lead_takes():
    builder = square_wire()
    lead = builder.leads[0].builder
    for site in list(lead.sites()):
        lead[site] = lambda site, gate: 4 + gate
    for site in list(builder.sites()):
        builder[site] = lambda site, gate: 4 + gate
    with pytest.raises(ValueError, match=r"Lead 0 takes the parameter 'gate' too.*gate_lead"):
        respond(builder.finalized(), Parameters("gate"), params={"gate": 0.0})


def test_names_of_parameters():
    for names in ([], [3], None):
        with pytest.raises(TypeError, match=r"names is .*; expected one or more names"):
            Parameters(names)
    with pytest.raises(ValueError, match="expected each name once"):
        Parameters(["a", "a"])
    with pytest.raises(ValueError, match=r"derivatives are given for \['b'\]"):
        Parameters("a", derivatives={"b": np.eye(2)})


def test_parameter_at_a_step():
    builder = square_wire()
    for site in list(builder.sites()):
        builder[site] = lambda site, gate: 4.0 + (gate > 0.3)
    with pytest.raises(ValueError, match=r"can't be differentiated numerically at gate = 0.3"):
        respond(builder.finalized(), Parameters("gate"), params={"gate": 0.3})


# Matrices


@pytest.mark.parametrize("shape", [(3, 3), (24, 23), (24,)])
def test_matrices_of_the_wrong_shape(syst, shape):
    with pytest.raises(ValueError, match=r"Matrix 1 has shape .*; expected \(24, 24\)"):
        respond(syst, Matrices([np.eye(24), np.zeros(shape)]))


def test_matrices_that_are_not_hermitian(syst):
    matrix = np.zeros((24, 24))
    matrix[3, 4] = 0.5
    for given in (matrix, sparse.csr_matrix(matrix)):
        with pytest.raises(
            ValueError, match=r"Matrix 0 is not Hermitian: it differs .* by up to 0.5"
        ):
            respond(syst, Matrices([given]))


def test_derivative_that_is_not_hermitian(with_parameter):
    coordinates = Parameters("gate", derivatives={"gate": np.eye(24) * 1j})
    with pytest.raises(ValueError, match="The derivative to 'gate' is not Hermitian"):
        respond(with_parameter, coordinates, params={"gate": 0.0})


def test_a_single_matrix():
    for matrix in (np.eye(3), sparse.eye_array(3)):
        with pytest.raises(ValueError, match="matrices is a single"):
            Matrices(matrix)
    with pytest.raises(ValueError, match="matrices is empty"):
        Matrices([])


def test_matrix_that_is_not_finite(syst):
    with pytest.raises(ValueError, match="Matrix 0 has elements that are not finite"):
        respond(syst, Matrices([np.full((24, 24), np.nan)]))


# Results


@pytest.fixture(scope="module")
def response(syst):
    return force_response(syst, Displacements([9, 10], scaling=PowerLaw(2)), ENERGY)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (3, 4), (1, 3, 4), (2, 2, 2, 4), (0, 2, 4)])
def test_modes_of_the_wrong_shape(response, shape):
    with pytest.raises(ValueError, match=r"modes has shape .*; expected \(2, n_c\) or"):
        response.pumping_rates(np.ones(shape), 1.0)


def test_projection_on_the_wrong_shape(response):
    with pytest.raises(ValueError, match=r"modes has shape \(2, 3\); expected \(n_modes, n_c\)"):
        response.project(np.ones((2, 3)))


def test_modes_that_are_not_real(response):
    with pytest.raises(ValueError, match="real and imaginary parts of a complex mode are its X"):
        response.pumping_rates(np.ones((2, 4), complex), 1.0)
    with pytest.raises(ValueError, match="modes has entries that are not finite"):
        response.project(np.full((2, 4), np.inf))


@pytest.mark.parametrize("name", ["frequency", "mass"])
@pytest.mark.parametrize("value", [0, -1.0, np.nan, [1.0, 0.0]])
def test_mass_and_frequency(syst, response, name, value):
    keywords = {"frequency": 1.0, "mass": 1.0, name: value}
    modes = np.ones((2, 2, 4))
    with pytest.raises(ValueError, match=f"{name} is .*; expected positive, finite numbers"):
        response.pumping_rates(modes, **keywords)
    local = curl_map(syst, Displacements([9, 10], scaling=PowerLaw(2)), ENERGY)
    with pytest.raises(ValueError, match=f"{name} is .*; expected positive, finite numbers"):
        local.pumping_rates(**keywords)


def test_wrong_number_of_masses(response):
    with pytest.raises(ValueError, match=r"mass has shape \(3,\); expected one real number, or 1"):
        response.pumping_rates(np.ones((2, 4)), 1.0, mass=[1, 2, 3])
    with pytest.raises(ValueError, match=r"frequency has shape .*; expected one real number"):
        response.pumping_rates(np.ones((2, 4)), "fast")


def test_curl_map_in_one_dimension():
    with pytest.raises(ValueError, match=r"positions in 1 dimension\(s\); a curl needs 2 or 3"):
        curl_map(chain(6).finalized(), SCALED, 0.3)


def test_curl_map_of_coordinates_without_positions(syst):
    with pytest.raises(TypeError, match="Matrices has no positions to map"):
        curl_map(syst, Matrices([np.eye(24)]), ENERGY)


def test_axis(syst):
    local = curl_map(syst, SCALED, ENERGY)
    with pytest.raises(ValueError, match="axis is given for a 2D system"):
        local.pumping_rates(1.0, axis=(0, 0, 1))
    wire = MODELS["3D wire"]
    spatial = curl_map(wire.syst(wire.positions()), SCALED, wire.energy)
    with pytest.raises(ValueError, match=r"axis has shape \(2,\); expected \(3,\) or"):
        spatial.pumping_rates(1.0, axis=(0, 1))
    with pytest.raises(ValueError, match="axis has a vector that is zero or not finite"):
        spatial.pumping_rates(1.0, axis=(0, 0, 0))
