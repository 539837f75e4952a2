"""What must hold on any system, tried on random ones."""

import kwant
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from systems import (
    dense_curl,
    lead_densities,
    random_hermitian,
    random_system,
    square_wire,
)

from kwant_curl import (
    Displacements,
    Force,
    Matrices,
    NonequilibriumDensity,
    PowerLaw,
    curl_map,
    force_response,
)

seeds = st.integers(0, 10_000)
leads = st.integers(2, 4)
orbitals = st.integers(1, 3)
energies = st.floats(-2.5, 2.5)


def shifts(seed, n_leads):
    return dict(enumerate(np.random.default_rng(seed + 1).normal(size=n_leads)))


def matrices_for(seed, syst, n=3):
    rng = np.random.default_rng(seed + 2)
    return [random_hermitian(rng, syst.site_ranges[-1][2]) for _ in range(n)]


def close(actual, expected, rtol=1e-10):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * scale)


@pytest.mark.heavy
@given(seeds, orbitals, leads, energies)
def test_density_of_states_is_that_of_the_green_function(seed, norbs, n_leads, energy):
    syst = random_system(seed, norbs=norbs, n_leads=n_leads).finalized()
    h = syst.hamiltonian_submatrix()
    sigma = np.zeros_like(h)
    gammas = []
    first = {site: orbital for site, _, orbital in syst.site_ranges}
    for lead, interface in zip(syst.leads, syst.lead_interfaces, strict=True):
        rows = first[interface[0]] + np.arange(norbs)
        part = np.zeros_like(h)
        part[np.ix_(rows, rows)] = lead.selfenergy(energy)
        gammas.append(1j * (part - part.conj().T))
        sigma += part
    green = np.linalg.inv(energy * np.eye(len(h)) - h - sigma)
    for bias, gamma in zip(np.eye(n_leads), gammas, strict=True):
        rho = NonequilibriumDensity(syst, energy, bias=dict(enumerate(bias)))
        close(rho.toarray(), green @ gamma @ green.conj().T / (2 * np.pi), rtol=1e-8)
    total = NonequilibriumDensity(syst, energy, bias=dict.fromkeys(range(n_leads), 1.0))
    close(total.toarray(), 0.5j / np.pi * (green - green.conj().T), rtol=1e-8)


@pytest.mark.heavy
@given(seeds, orbitals, leads, energies)
def test_response_is_the_trace_formula(seed, norbs, n_leads, energy):
    syst = random_system(seed, norbs=norbs, n_leads=n_leads).finalized()
    bias = shifts(seed, n_leads)
    slopes = matrices_for(seed, syst)
    response = force_response(syst, Matrices(slopes), energy, bias=bias, degeneracy=2)
    forces = -np.array(slopes)
    densities = lead_densities(syst, energy)
    close(response.curl, 2 * dense_curl(forces, densities, list(bias.values())))
    delta_rho = np.tensordot(list(bias.values()), densities, axes=1)
    close(response.force, 2 * np.einsum("iab,ba->i", forces, delta_rho).real)
    fd = forces @ densities.sum(axis=0)
    close(response.friction, 2 * np.pi * np.einsum("iab,jba->ij", fd, fd).real)


@pytest.mark.heavy
@given(seeds, orbitals, leads, energies)
def test_sum_rule_antisymmetry_and_linearity(seed, norbs, n_leads, energy):
    syst = random_system(seed, norbs=norbs, n_leads=n_leads).finalized()
    coordinates = Displacements(scaling=PowerLaw(2))
    local = curl_map(syst, coordinates, energy, bias=shifts(seed, n_leads))
    scale = np.abs(local.lead_curl).max()
    alike = local.at_bias(dict.fromkeys(range(n_leads), 0.7))
    np.testing.assert_allclose(alike.curl, 0, atol=1e-12 * scale)
    assert np.abs(alike.force).max() > 0  # the force depends on the dmu themselves

    response = force_response(
        syst, Matrices(matrices_for(seed, syst)), energy, bias=local_bias(local)
    )
    close(response.curl, -response.curl.T, rtol=1e-14)
    twice = {lead: 2 * shift for lead, shift in local_bias(local).items()}
    close(response.at_bias(twice).curl, 2 * response.curl, rtol=1e-14)
    solved = curl_map(syst, coordinates, energy, bias=twice)
    close(solved.curl, 2 * local.curl)
    close(solved.force, local.at_bias(twice).force)
    close(solved.friction, local.friction)


def local_bias(result):
    return dict(enumerate(result.bias))


@pytest.mark.heavy
@given(seeds, orbitals, energies)
def test_friction_is_positive(seed, norbs, energy):
    syst = random_system(seed, norbs=norbs).finalized()
    response = force_response(syst, Matrices(matrices_for(seed, syst, n=4)), energy)
    eigenvalues = np.linalg.eigvalsh(response.friction)
    assert eigenvalues.min() > -1e-12 * eigenvalues.max()
    for tensor in curl_map(syst, Displacements(scaling=PowerLaw(2)), energy).friction:
        assert np.linalg.eigvalsh(tensor).min() >= -1e-12 * np.abs(tensor).max()


@pytest.mark.heavy
@given(seeds, orbitals, leads, energies)
def test_gauge(seed, norbs, n_leads, energy):
    """A unitary transformation of each atom's orbitals changes nothing that is observed."""
    builder = random_system(seed, norbs=norbs, n_leads=n_leads)
    rng = np.random.default_rng(seed + 3)
    rotation = {}
    for site in builder.sites():
        random = rng.normal(size=(norbs, norbs)) + 1j * rng.normal(size=(norbs, norbs))
        fixed = "lead" in site.family.name
        rotation[site] = np.eye(norbs) if fixed else np.linalg.qr(random)[0]
    coordinates = Displacements(scaling=PowerLaw(2))
    bias = shifts(seed, n_leads)
    before = curl_map(builder.finalized(), coordinates, energy, bias=bias)
    for site, value in list(builder.site_value_pairs()):
        builder[site] = rotation[site] @ value @ rotation[site].conj().T
    for (a, b), value in list(builder.hopping_value_pairs()):
        builder[a, b] = rotation[a] @ value @ rotation[b].conj().T
    after = curl_map(builder.finalized(), coordinates, energy, bias=bias)
    for field in ("curl", "force", "friction"):
        close(getattr(after, field), getattr(before, field), rtol=1e-9)


@pytest.mark.heavy
@given(seeds, energies)
def test_relabelled_leads(seed, energy):
    builder = random_system(seed, n_leads=3)
    coordinates = Displacements(scaling=PowerLaw(2))
    bias = shifts(seed, 3)
    before = curl_map(builder.finalized(), coordinates, energy, bias=bias)
    order = [2, 0, 1]
    builder.leads = [builder.leads[lead] for lead in order]
    relabelled = {new: bias[old] for new, old in enumerate(order)}
    after = curl_map(builder.finalized(), coordinates, energy, bias=relabelled)
    for field in ("curl", "force", "friction"):
        close(getattr(after, field), getattr(before, field))


@pytest.mark.parametrize("norbs", [1, 2])
def test_curl_map_is_the_diagonal_of_the_response(norbs):
    syst = square_wire(disorder=0.8, norbs=norbs).finalized()
    coordinates = Displacements(scaling=PowerLaw(2))
    local = curl_map(syst, coordinates, 1.7, degeneracy=3)
    response = force_response(syst, coordinates, 1.7, degeneracy=3)
    close(local.curl, np.diagonal(response.curl, 1)[::2])
    close(local.force.ravel(), response.force)
    for i, tensor in enumerate(local.friction):
        close(tensor, response.friction[2 * i : 2 * i + 2, 2 * i : 2 * i + 2])


def test_mirror_images_turn_the_other_way():
    """y -> -y turns the sign of the curl and of F_y; a reversed bias turns all signs."""
    syst = square_wire(length=5, width=5).finalized()
    result = curl_map(syst, Displacements(scaling=PowerLaw(2)), 1.7)
    assert np.abs(result.curl).max() > 1e-3
    by_place = {tuple(p): c for p, c in zip(result.positions, result.curl, strict=True)}
    for (x, y), curl in by_place.items():
        assert by_place[x, 4 - y] == pytest.approx(-curl, abs=1e-12)
    np.testing.assert_allclose(result.at_bias(-1.0).curl, -result.curl, rtol=1e-12)


def test_where_keeps_its_order():
    syst = square_wire(disorder=0.5).finalized()
    everything = curl_map(syst, Displacements(scaling=PowerLaw(2)), 1.7)
    some = [13, 9, 10]
    part = curl_map(syst, Displacements(some, scaling=PowerLaw(2)), 1.7)
    np.testing.assert_array_equal(part.sites, some)
    rows = [list(everything.sites).index(site) for site in some]
    for field in ("positions", "curl", "force", "friction"):
        close(getattr(part, field), getattr(everything, field)[rows])
    forces = Force(syst, Displacements(some, scaling=PowerLaw(2)))
    psi = kwant.wave_function(syst, 1.7)(0)[0]
    moved = Force(syst, Displacements(some[::-1], scaling=PowerLaw(2)))
    np.testing.assert_allclose(
        forces(psi).reshape(-1, 2)[::-1], moved(psi).reshape(-1, 2), rtol=1e-13
    )
