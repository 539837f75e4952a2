"""Leads that are known by their self-energy alone."""

import kwant
import numpy as np
import pytest
from systems import MODELS, atoms_of, has_mumps, random_hermitian, square_wire, two_levels

import kwant_curl as kc
from kwant_curl.model.leads import Cells

ENERGY = 1.7


@pytest.mark.heavy
@pytest.mark.parametrize("route", ["modes", "adjoint"])
@pytest.mark.parametrize("name", MODELS)
def test_self_energies_give_what_modes_give(name, route):
    model = MODELS[name]
    syst = model.syst(model.positions())
    leads = syst.precalculate(model.energy, what="selfenergy").leads
    moving = kc.Displacements(atoms_of(syst), scaling=kc.PowerLaw(2))
    options = {"bias": model.dmu(), "route": route}
    expected = [
        routine(syst, moving, model.energy, **options)
        for routine in (kc.curl_map, kc.force_response)
    ]
    for some in (range(len(leads)), [1]):
        mixed = model.syst(model.positions())
        mixed.leads = [leads[i] if i in some else lead for i, lead in enumerate(mixed.leads)]
        for routine, wanted in zip((kc.curl_map, kc.force_response), expected, strict=True):
            result = routine(mixed, moving, model.energy, **options)
            for field in ("lead_force", "lead_curl", "friction"):
                one, other = getattr(result, field), getattr(wanted, field)
                np.testing.assert_allclose(one, other, rtol=0, atol=1e-9 * np.abs(other).max())


def test_flow_and_density():
    syst = square_wire(length=7, width=5, norbs=2, disorder=0.7).finalized()
    bare = syst.precalculate(ENERGY, what="selfenergy")
    one, other = (kc.flow_map(s, ENERGY) for s in (bare, syst))
    for field in ("lead_dos", "lead_current", "lead_capacity", "lead_correction"):
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), atol=1e-10)
    one, other = (kc.NonequilibriumDensity(s, ENERGY) for s in (bare, syst))
    np.testing.assert_allclose(one.toarray(), other.toarray(), atol=1e-10)


def test_density_of_states_of_a_random_self_energy():
    """D_alpha = G Gamma_alpha G^+ / 2 pi, with dense matrices; interfaces in odd order."""
    rng = np.random.default_rng(3)
    builder = square_wire(length=5, width=3, norbs=2, disorder=0.5)
    sites = list(builder.sites())
    sigmas, chosen = [], [[sites[4], sites[1]], [sites[9], sites[1], sites[7]]]
    builder.leads[:] = []
    for interface in chosen:
        size = 2 * len(interface)
        low_rank = rng.normal(size=(size, 2)) + 1j * rng.normal(size=(size, 2))
        hermitian = random_hermitian(rng, size, density=1.0)
        sigmas.append(np.asarray(hermitian) - 0.5j * low_rank @ low_rank.conj().T)
        builder.leads.append(
            kwant.builder.SelfEnergyLead(
                lambda energy, args=(), params=None, s=sigmas[-1]: s, interface, []
            )
        )
    syst = builder.finalized()
    rows = [
        np.concatenate([2 * syst.id_by_site[site] + np.arange(2) for site in interface])
        for interface in chosen
    ]
    inverse = ENERGY * np.eye(30) - syst.hamiltonian_submatrix()
    for where, sigma in zip(rows, sigmas, strict=True):
        inverse[np.ix_(where, where)] -= sigma
    green = np.linalg.inv(inverse)
    for lead, (where, sigma) in enumerate(zip(rows, sigmas, strict=True)):
        gamma = 1j * (sigma - sigma.conj().T)
        expected = green[:, where] @ gamma @ green[:, where].conj().T / (2 * np.pi)
        rho = kc.NonequilibriumDensity(syst, ENERGY, bias={lead: 1.0})
        assert np.count_nonzero(rho.weights) == 2
        np.testing.assert_allclose(rho.toarray(), expected, atol=1e-12)


def test_two_levels():
    syst, coordinates = two_levels()
    result = kc.force_response(syst, coordinates, 0.0)
    np.testing.assert_allclose(np.diag(result.friction), [2.21048532, 1.32629119], atol=1e-8)
    assert result.curl[0, 1] == pytest.approx(1.32629119, abs=1e-8)


def test_closed_self_energy_leads():
    """A real self-energy binds, but nothing comes in through it."""
    builder = square_wire()
    for i, lead in enumerate(builder.leads):
        size = len(lead.interface)
        builder.leads[i] = kwant.builder.SelfEnergyLead(
            lambda energy, args=(), params=None, size=size: 0.2 * np.eye(size), lead.interface, []
        )
    with pytest.warns(RuntimeWarning, match="No lead has an open mode"):
        result = kc.curl_map(
            builder.finalized(), kc.Displacements([8], scaling=kc.PowerLaw(2)), ENERGY
        )
    assert not result.friction.any()


@pytest.mark.parametrize("backend", ["superlu", *(["mumps"] if has_mumps() else [])])
@pytest.mark.parametrize("route", ["modes", "adjoint"])
def test_one_level_between_two_leads(backend, route):
    """The textbook's first example: D = Gamma/2 pi/((E - e)^2 + Gamma^2/4), eta = pi D^2."""
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[lattice(0, 0)] = lambda site, level: 0.1 + level
    for width in (0.6, 0.2):

        def sigma(energy, args=(), *, params=None, width=width):
            return np.array([[-0.5j * width]])

        builder.leads.append(kwant.builder.SelfEnergyLead(sigma, [lattice(0, 0)], []))
    response = kc.force_response(
        builder.finalized(),
        kc.Parameters("level"),
        0.3,
        params={"level": 0.0},
        bias=0.5,
        jacobian=True,
        route=route,
        solver=kc.direct_solver(backend),
    )
    density = 0.8 / (2 * np.pi) / (0.2**2 + 0.4**2)
    np.testing.assert_allclose(response.friction, np.pi * density**2, rtol=1e-12)
    slope = 2 * 0.2 / (0.2**2 + 0.4**2)  # d ln D_alpha/d(level) with leads that stay
    force = -0.25 * density * (0.6 - 0.2) / 0.8
    np.testing.assert_allclose(response.force, force, rtol=1e-12)
    np.testing.assert_allclose(response.jacobian, force * slope, rtol=1e-12)


@pytest.mark.parametrize("what", ["modes", "selfenergy", "all"])
def test_precalculated_leads_are_refused_where_energies_differ(what):
    """What they are at other energies they don't know."""
    plain = square_wire(length=5, width=3).finalized()
    syst = plain.precalculate(ENERGY, what=what)
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    window = {"bias": 0.1, "linear": False}
    for ask in (
        lambda: kc.curl_map(syst, moving, ENERGY, temperature=0.01),
        lambda: kc.curl_map(syst, moving, ENERGY, **window),
        lambda: kc.force_response(syst, moving, ENERGY, **window),
        lambda: kc.flow_map(syst, ENERGY, temperature=0.01),
        lambda: kc.NonequilibriumDensity(syst, ENERGY, **window),
    ):
        with pytest.raises(
            ValueError, match=r"Lead 0 is precalculated .* an integral over energies"
        ):
            ask()
    with pytest.raises(ValueError, match=r"Lead 0 is precalculated .* golden rule"):
        kc.phonon_rates(syst, moving, np.eye(18)[:2], ENERGY, frequency=0.1)
    np.testing.assert_allclose(
        kc.curl_map(syst, moving, ENERGY).curl, kc.curl_map(plain, moving, ENERGY).curl, atol=1e-12
    )


def test_a_lead_at_its_band_edge():
    """Where Kwant's decomposition fails, the lead and the energy are named."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x) for x in range(4))] = 0.0
    builder[lattice.neighbors()] = -1.0
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    lead[lattice(0)] = 0.0
    lead[lattice.neighbors()] = -1.0
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    syst = builder.finalized()
    with pytest.raises(ValueError, match=r"lead 0 at energy -2.0 apart: .* off this band edge"):
        kc.NonequilibriumDensity(syst, -2.0)
    assert kc.NonequilibriumDensity(syst, -1.999).density().size == 4


@pytest.mark.parametrize("hopping", [1.0, 50.0, 3e-3])
def test_modes_in_a_unit_of_their_own_are_kwants(hopping):
    """Velocities, momenta and wave functions at unit current; Kwant's own tolerance holds here."""
    lat = kwant.lattice.square(norbs=1)
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(3))] = lambda site: 0.1 * hopping * site.pos[1]
    lead[lat.neighbors()] = -hopping
    finished = lead.finalized()
    ours, stabilised = Cells(finished, None).modes(0.4 * hopping)
    theirs, expected = finished.modes(0.4 * hopping)
    np.testing.assert_allclose(ours.velocities, theirs.velocities, rtol=1e-10)
    np.testing.assert_allclose(ours.momenta, theirs.momenta, rtol=1e-10)
    np.testing.assert_allclose(
        np.abs(ours.wave_functions), np.abs(theirs.wave_functions), rtol=1e-9
    )
    np.testing.assert_allclose(stabilised.sqrt_hop, expected.sqrt_hop, rtol=1e-12)
