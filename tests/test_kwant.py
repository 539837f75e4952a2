"""Against Kwant: currents, densities, transmissions, solvers."""

import kwant
import numpy as np
import pytest
from systems import MODELS, has_mumps, random_hermitian, square_wire

from kwant_curl import (
    Displacements,
    Force,
    NonequilibriumDensity,
    PowerLaw,
    curl_map,
    direct_solver,
    force_response,
)

ENERGY = 1.7


@pytest.fixture(scope="module")
def syst():
    return square_wire(disorder=1.0, norbs=2).finalized()


def sum_over_modes(syst, operator, energy, dmu, params=None):
    wave = kwant.wave_function(syst, energy, params=params)
    return sum(
        shift * operator(psi) / (2 * np.pi) for lead, shift in dmu.items() for psi in wave(lead)
    )


@pytest.mark.parametrize("operator", ["Current", "Density", "Source"])
@pytest.mark.parametrize("onsite", [1, np.array([[1, 0.2j], [-0.2j, -1]])])
def test_expectation_of_kwant_operators(syst, operator, onsite):
    op = getattr(kwant.operator, operator)(syst, onsite)
    dmu = {0: 0.4, 1: -0.9}
    rho = NonequilibriumDensity(syst, ENERGY, bias=dmu, degeneracy=3)
    expected = 3 * sum_over_modes(syst, op, ENERGY, dmu)
    np.testing.assert_allclose(rho.expectation(op), expected, atol=1e-13)
    np.testing.assert_allclose(rho.expectation(op.bind()), expected, atol=1e-13)


def test_density_matrix_against_its_parts(syst):
    rho = NonequilibriumDensity(syst, ENERGY, bias=0.7, degeneracy=2)
    dense = rho.toarray()
    np.testing.assert_allclose(dense, dense.conj().T, atol=1e-15)
    rng = np.random.default_rng(0)
    bra, ket = rng.normal(size=(2, 5, len(dense))) + 1j * rng.normal(size=(2, 5, len(dense)))
    np.testing.assert_allclose(rho.act(ket), ket @ dense.T, atol=1e-13)
    np.testing.assert_allclose(rho.act(ket[0]), dense @ ket[0], atol=1e-13)
    expected = np.einsum("ni,ij,nj->n", bra.conj(), dense, ket)
    np.testing.assert_allclose(rho(bra, ket), expected, atol=1e-13)
    assert rho(bra[0], ket[0]) == pytest.approx(expected[0])
    assert rho(bra).dtype == float
    np.testing.assert_allclose(rho(bra), rho(bra, bra).real, atol=1e-13)
    density = kwant.operator.Density(syst)
    np.testing.assert_allclose(rho.density(), rho.expectation(density), atol=1e-14)
    matrix = random_hermitian(rng, len(dense))
    assert rho.expectation(matrix) == pytest.approx(np.trace(matrix @ dense))


def test_current_through_a_cut_is_transmission_times_bias(syst):
    bias = 0.3
    rho = NonequilibriumDensity(syst, ENERGY, bias=bias)
    cut = [(a, b) for a, b in syst.graph if syst.sites[a].tag[0] == 3 and syst.sites[b].tag[0] == 2]
    through = rho.expectation(kwant.operator.Current(syst, where=cut, sum=True))
    transmission = kwant.smatrix(syst, ENERGY).transmission(1, 0)
    assert 0.1 < transmission < 8
    assert through == pytest.approx(transmission * bias / (2 * np.pi), rel=1e-12)


def test_parameters_reach_kwant_operators():
    model = MODELS["one orbital"]
    syst = model.syst_of_parameters(model.positions())
    params = {"x0": 0.1, "y0": -0.05, "x1": 0.0, "y1": 0.02}
    current = kwant.operator.Current(syst)
    rho = NonequilibriumDensity(syst, model.energy, params=params)
    bound = current.bind(params=params)
    expected = sum_over_modes(syst, bound, model.energy, {0: 0.5, 1: -0.5}, params)
    for operator in (current, bound):
        np.testing.assert_allclose(rho.expectation(operator), expected, atol=1e-14)


@pytest.mark.parametrize("kind", ["curl_map", "force_response"])
def test_mumps_and_superlu_give_the_same(kind):
    if not has_mumps():
        pytest.skip("Kwant was built without MUMPS")
    syst = square_wire(length=12, width=8, disorder=0.7).finalized()
    routine = {"curl_map": curl_map, "force_response": force_response}[kind]
    results = []
    for backend in ("mumps", "superlu"):
        solver = direct_solver(backend)
        results.append(routine(syst, Displacements(scaling=PowerLaw(2)), ENERGY, solver=solver))
    for field in ("curl", "force", "friction"):
        one, other = (getattr(result, field) for result in results)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9 * np.abs(other).max())


def test_precalculated_leads():
    syst = square_wire(disorder=0.7).finalized()
    coordinates = Displacements(scaling=PowerLaw(2))
    before = curl_map(syst, coordinates, ENERGY)
    after = curl_map(syst.precalculate(ENERGY, what="modes"), coordinates, ENERGY)
    np.testing.assert_allclose(after.curl, before.curl, atol=1e-12)


def test_lead_without_open_modes_contributes_nothing():
    builder = square_wire(disorder=0.5)
    narrow = kwant.lattice.square(norbs=1)
    lead = kwant.Builder(kwant.TranslationalSymmetry((0, 1)))
    lead[narrow(2, 0)] = 20.0
    lead[narrow.neighbors()] = -1.0
    builder.attach_lead(lead)
    syst = builder.finalized()
    assert kwant.smatrix(syst, ENERGY).num_propagating(2) == 0
    coordinates = Displacements([8, 9], scaling=PowerLaw(2))
    with_bias, without = (
        force_response(syst, coordinates, ENERGY, bias={0: 0.5, 1: -0.5, 2: shift})
        for shift in (1.0, 0.0)
    )
    np.testing.assert_array_equal(with_bias.lead_force[2], 0)
    np.testing.assert_array_equal(with_bias.curl, without.curl)
    assert np.abs(without.curl).max() > 0


def test_no_open_mode_anywhere_is_zero_and_warns():
    syst = square_wire().finalized()
    coordinates = Displacements(scaling=PowerLaw(2))
    for routine in (curl_map, force_response):
        with pytest.warns(RuntimeWarning, match="No lead has an open mode at energy -3.0"):
            result = routine(syst, coordinates, -3.0)
        assert not result.curl.any()
        assert not result.force.any()
        assert not result.friction.any()
    with pytest.warns(RuntimeWarning, match="No lead has an open mode"):
        rho = NonequilibriumDensity(syst, -3.0)
    assert not rho.toarray().any()
    assert not rho.expectation(Force(syst, coordinates)).any()
    assert not rho.expectation(kwant.operator.Current(syst)).any()
    assert not rho.density().any()
