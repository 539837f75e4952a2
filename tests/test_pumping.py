"""Charge pumped by cycles: emissivities against S matrices, reciprocity, Thouless's pump."""

from dataclasses import replace

import kwant
import numpy as np
import published
import pytest
from systems import (
    MODELS,
    SIGMA,
    atoms_of,
    central_difference,
    dense_greens,
    energy_shell,
    magnetic_hopping,
    random_hermitian,
    random_system,
    two_levels,
)

from kwant_curl import (
    Displacements,
    Matrices,
    Parameters,
    PowerLaw,
    PumpedCharge,
    ResponseField,
    force_along,
    force_response,
    load,
    pumped_charge,
)
from kwant_curl.model.orbitals import interface_orbitals


def at_rest(field, n_c):
    """The emissivities where nothing is displaced, (n_leads, n_c)."""
    return pumped_charge(field, np.zeros((2, n_c)), is_cycle=False).emissivity[:, 0]


def circle(radius, centre=(0.0, 0.0)):
    """A circle from the first coordinate to the second."""

    def way(s):
        angle = 2 * np.pi * s
        return np.asarray(centre) + radius * np.array([np.cos(angle), np.sin(angle)])

    return way


def dense_outgoing(syst, energy):
    """Return (1/2 pi) G^a Gamma_alpha G^r of each lead, dense, from the leads' self-energies."""
    greens = dense_greens(syst)(energy)
    found = []
    for number, lead in enumerate(syst.leads):
        here = interface_orbitals(syst, number)
        sigma = lead.selfenergy(energy)
        gamma = 1j * (sigma - sigma.conj().T)
        found.append(greens.conj().T[:, here] @ gamma @ greens[here] / (2 * np.pi))
    return np.array(found)


@pytest.mark.parametrize("route", ["modes", "adjoint"])
@pytest.mark.parametrize("name", ["modes", "self-energy"])
def test_outgoing_states(name, route):
    """G^a Gamma G^r in place of G^r Gamma G^a; the sum over all leads is the same."""
    if name == "modes":
        syst, energy = random_system(3, norbs=2, n_leads=3).finalized(), 0.37
    else:
        syst, energy = two_levels()[0], 0.1
    n = len(dense_greens(syst)(energy))
    some = np.arange(0, n, 1 if n < 3 else 3)
    shell = energy_shell(syst, energy, orbitals=some, route=route)
    states = shell.outgoing_by_lead()
    assert [len(part) for part in states] == list(shell.n_modes)
    found = np.array([part.T @ part.conj() for part in states]) / (2 * np.pi)
    expected = dense_outgoing(syst, energy)[:, some][:, :, some]
    assert found == pytest.approx(expected, abs=1e-12)
    incoming = np.array([part.T @ part.conj() for part in shell.states_by_lead()]) / (2 * np.pi)
    assert found.sum(axis=0) == pytest.approx(incoming.sum(axis=0), abs=1e-12)
    assert np.abs(found - incoming).max() > 1e-2  # they differ lead by lead
    everywhere = energy_shell(syst, energy, route=route).outgoing_by_lead()
    assert np.concatenate(everywhere)[:, some] == pytest.approx(np.concatenate(states), abs=1e-12)


def by_outgoing_mode(s_matrix, q):
    """(1/2 pi) Im sum_n S_mn^* dS_mn/dQ_I of s_matrix(q), by differences, (n_modes, n_c)."""
    here = s_matrix(q).data
    slopes = [
        central_difference(lambda x, axis=axis: s_matrix(q + x * axis).data, h=5e-4)
        for axis in np.eye(len(q))
    ]
    return np.stack([(slope * here.conj()).sum(axis=1).imag for slope in slopes], 1) / (2 * np.pi)


@pytest.mark.parametrize(
    "name", ["one orbital", "three leads", "magnetic field", "two orbitals, spin-orbit"]
)
def test_emissivity_is_that_of_kwants_s_matrix(name):
    """Brouwer's formula, with S of systems that are built at displaced atoms."""
    model = MODELS[name]
    start = model.positions()
    moved = np.random.default_rng(2).uniform(-0.04, 0.04, 2 * model.dim)

    def s_matrix(q):
        positions = start.copy()
        positions[:2] += q.reshape(2, model.dim)
        return kwant.smatrix(model.syst(positions), model.energy)

    by_mode = by_outgoing_mode(s_matrix, moved)
    expected = np.add.reduceat(by_mode, s_matrix(moved).out_offsets[:-1])
    syst = model.syst_of_functions(start)
    field = ResponseField(
        syst, Displacements(atoms_of(syst)[:2]), model.energy, bias=model.dmu(), degeneracy=2
    )
    result = pumped_charge(field, [moved, 2 * moved], is_cycle=False)
    scale = np.abs(expected).max()
    assert result.emissivity[:, 0] == pytest.approx(2 * expected, abs=1e-7 * scale)


def test_emissivity_of_electrons_and_holes():
    """With a superconductor in the device: electrons that come out less holes, of Kwant's S."""
    tau_z, at = np.diag([1.0, -1.0]), np.array([0.1, -0.2])

    def device(q):
        lattice = kwant.lattice.chain(norbs=2)
        builder = kwant.Builder()
        for i, level in enumerate([0.2, 0.4 + q[0], -0.3, 0.1, q[1], -0.5]):
            gap = 0.3 * np.exp(0.4j * i) if i in (2, 3) else 0.0
            builder[lattice(i)] = level * tau_z + np.array([[0, gap], [np.conj(gap), 0]])
        for i, j in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (1, 4)]:
            phase = np.exp(0.5j * (i + 2 * j))
            builder[lattice(i), lattice(j)] = np.diag([-phase, phase.conjugate()])
        lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)), conservation_law=-tau_z)
        lead[lattice(0)] = 0.3 * tau_z
        lead[lattice.neighbors()] = -tau_z
        builder.attach_lead(lead)
        builder.attach_lead(lead.reversed())
        return builder.finalized()

    by_mode = by_outgoing_mode(lambda q: kwant.smatrix(device(q), 0.0), at)
    here = kwant.smatrix(device(at), 0.0)
    expected = np.zeros((2, 2))
    for lead in range(2):
        for block, charge in enumerate((1, -1)):
            rows = here.block_coords((lead, block), (0, 0))[0]
            expected[lead] += 0.5 * charge * by_mode[rows].sum(axis=0)
    syst = device(at)
    site_of = {site.tag[0]: i for i, site in enumerate(syst.sites)}
    moving = Matrices([np.kron(np.diag(np.arange(6) == site_of[i]), tau_z) for i in (1, 4)])
    found = at_rest(ResponseField(syst, moving, 0.0, bias={}, charge=tau_z), 2)
    assert found == pytest.approx(expected, abs=1e-9)
    assert np.abs(expected.sum(axis=0)).max() > 0.01  # the condensate takes the rest


def test_emissivity_of_orbitals_that_overlap():
    """Value functions return H - E S; the hopping and the overlap of a bond follow a parameter."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(4))] = lambda site, E: 0.3 * (site.tag[0] == 2) - E
    builder[lattice.neighbors()] = lambda a, b, E: -1 - 0.2 * E
    builder[lattice(0), lattice(1)] = lambda a, b, E, x: -(1 + x) - 0.2 * (1 + x) ** 2 * E
    builder[lattice(2), lattice(3)] = lambda a, b, E, y: -(1 + y) - 0.2 * (1 + y) ** 2 * E
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    lead[lattice(0)] = lambda site, E: -E
    lead[lattice.neighbors()] = lambda a, b, E: -1 - 0.2 * E
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    syst, energy, at = builder.finalized(), 0.4, np.array([0.1, -0.2])

    def s_matrix(q):
        return kwant.smatrix(syst, 0.0, params={"E": energy, "x": q[0], "y": q[1]})

    params = {"E": energy, "x": at[0], "y": at[1]}
    field = ResponseField(syst, Parameters(["x", "y"]), energy, params=params, energy_parameter="E")
    assert at_rest(field, 2) == pytest.approx(by_outgoing_mode(s_matrix, at), abs=1e-8)


def reversed_in_time(builder):
    """The same with the complex conjugate of every element."""
    for site, value in list(builder.site_value_pairs()):
        builder[site] = np.conj(value)
    for hopping, value in list(builder.hopping_value_pairs()):
        builder[hopping] = np.conj(value)
    return builder


@pytest.mark.parametrize("norbs", [1, 2])
def test_reciprocity_without_time_reversal(norbs):
    """The emissivity is the force per unit shift of a lead in the system reversed in time."""
    rng = np.random.default_rng(4)
    builder = random_system(6, norbs=norbs, n_leads=3)
    syst = builder.finalized()
    back = reversed_in_time(builder).finalized()
    n = norbs * len(syst.sites)
    matrices = [random_hermitian(rng, n) for _ in range(3)]
    field = ResponseField(syst, Matrices(matrices), 0.37, bias={})
    there = force_response(syst, Matrices(matrices), 0.37, bias={}).lead_force
    returning = Matrices([matrix.conj() for matrix in matrices])
    force = force_response(back, returning, 0.37, bias={}).lead_force
    emissivity = at_rest(field, 3)
    size = np.abs(emissivity).max()
    assert emissivity == pytest.approx(force, abs=1e-12 * size)
    assert np.abs(emissivity - there).max() > 0.05 * size
    # Friedel: all leads together give what the levels that go below mu hold.
    assert emissivity.sum(axis=0) == pytest.approx(there.sum(axis=0), abs=1e-12 * size)


def test_reciprocity_with_spin_orbit_coupling_and_time_reversal():
    rng = np.random.default_rng(8)
    builder = random_system(7, norbs=2, n_leads=3)
    for site in list(builder.sites()):
        builder[site] = rng.normal() * np.eye(2)
    for hopping in list(builder.hoppings()):
        builder[hopping] = rng.normal() * np.eye(2) + 1j * np.tensordot(
            rng.normal(size=3), SIGMA, axes=1
        )
    syst = builder.finalized()
    n = len(syst.sites)
    turn = np.kron(np.eye(n), np.array([[0, 1], [-1, 0]]))
    matrices = []
    for _ in range(2):
        matrix = random_hermitian(rng, 2 * n)
        matrices.append(matrix + turn @ matrix.conj() @ turn.T)
    coordinates = Matrices(matrices)
    force = force_response(syst, coordinates, 0.37, bias={}).lead_force
    emissivity = at_rest(ResponseField(syst, coordinates, 0.37, bias={}), 2)
    assert emissivity == pytest.approx(force, abs=1e-12 * np.abs(force).max())


def test_emissivity_at_a_temperature():
    """Against a slow loop over energies, with leads known by their self-energy."""
    syst, _ = two_levels()
    rng = np.random.default_rng(5)
    matrices = [random_hermitian(rng, 2, density=1) for _ in range(2)]
    kt = 0.05
    field = ResponseField(syst, Matrices(matrices), 0.1, temperature=kt, rtol=1e-8)
    expected = 0
    step = 0.4 * kt
    for x in step * np.arange(-90, 91):
        weight = step / (4 * kt * np.cosh(x / (2 * kt)) ** 2)
        traces = np.einsum("iab,lba->li", matrices, dense_outgoing(syst, 0.1 + x))
        expected = expected - weight * traces.real
    found = pumped_charge(field, np.zeros((2, 2)), is_cycle=False)
    assert found.emissivity[:, 0] == pytest.approx(expected, abs=1e-7 * np.abs(expected).max())
    assert 0 < found.error < 1e-8
    cold = at_rest(ResponseField(syst, Matrices(matrices), 0.1), 2)
    assert np.abs(cold - expected).max() > 1e-2 * np.abs(expected).max()


@pytest.mark.parametrize(("n_sites", "missing"), [(20, 4.11e-3), (80, 0.0)])
def test_thouless_pump_and_motor(n_sites, missing):
    """One electron per period where it is gapped; its work as a motor is that times the bias."""
    field = ResponseField(
        published.motor(n_sites), Parameters("theta"), -1.41, bias=0.3, params={"theta": 0.0}
    )
    angles = np.linspace(0, 2 * np.pi, 25)[:, None]
    pumped = pumped_charge(field, angles, is_cycle=True)
    assert pumped.charge[0] == pytest.approx(1 - missing, abs=max(0.01 * missing, 1e-10))
    assert pumped.charge.sum() == pytest.approx(0, abs=1e-12)
    motor = force_along(field, angles, is_cycle=True)
    assert motor.work == pytest.approx(0.3 * pumped.charge[0], rel=1e-12)
    assert pumped.charge_so_far[:, -1] == pytest.approx(pumped.charge, abs=1e-6)


def closed_form(x, w=0.3, left=0.6, right=0.2):
    """Electrons from lead 0 per area of X and Y of two levels: the curl per unit bias."""
    size = abs((x + 0.5j * left) * (x + 0.5j * right) - w**2) ** 2
    return (
        left * right * w * (left - right) * (w**2 - x**2 + left * right / 4) / (2 * np.pi * size**2)
    )


def test_weak_pump_is_the_area_times_a_closed_form():
    syst, coordinates = two_levels()
    for energy in (0.0, 0.2):
        field = ResponseField(syst, coordinates, energy)
        missed = []
        for radius in (0.02, 0.01):
            pumped = pumped_charge(field, circle(radius), rtol=1e-9)
            assert pumped.is_cycle
            assert pumped.charge.sum() == pytest.approx(0, abs=1e-12)
            area = np.pi * radius**2
            missed.append(pumped.charge[0] / area / closed_form(energy) - 1)
        assert abs(missed[1]) < 0.02
        assert missed[0] / missed[1] == pytest.approx(4, rel=0.05)


def test_large_pump_against_s_matrices():
    """Brouwer's integral over a disc, with the S matrix of two levels."""
    syst, coordinates = two_levels()
    root = np.diag(np.sqrt([0.6, 0.2]))
    sigma_x = np.array([[0, 1], [1, 0]])

    def density(x, y):
        hamiltonian = x * np.eye(2) + (0.3 + y) * sigma_x
        greens = np.linalg.inv(0.1 * np.eye(2) - hamiltonian + 0.5j * root @ root)
        slopes = [-1j * root @ greens @ h @ greens @ root for h in (np.eye(2), sigma_x)]
        return np.imag(slopes[0].conj() * slopes[1]).sum(axis=1) / np.pi

    nodes, weights = np.polynomial.legendre.leggauss(20)
    expected = 0
    for node, weight in zip(0.5 * (1 + nodes), 0.5 * weights, strict=True):
        for angle in np.linspace(0, 2 * np.pi, 64, endpoint=False):
            x, y = circle(0.2 * node)(angle / (2 * np.pi))
            expected = expected + 0.04 * weight * node * 2 * np.pi / 64 * density(x, y)
    pumped = pumped_charge(ResponseField(syst, coordinates, 0.1), circle(0.2), rtol=1e-10)
    assert pumped.charge == pytest.approx(expected, rel=1e-9)
    assert pumped.charge_error.max() < 1e-9


def test_cycles_in_a_magnetic_field():
    """Electrons are conserved; work and charge go together at opposite fields only."""
    model = MODELS["magnetic field"]
    opposite = replace(model, hopping=lambda r1, r2: magnetic_hopping(r1, r2).conjugate())
    field, back = (
        ResponseField(
            syst, Displacements(atoms_of(syst)[:1], scaling=PowerLaw(3)), model.energy, bias=0.5
        )
        for syst in (each.syst(model.positions()) for each in (model, opposite))
    )
    turn = [circle(0.05)(s) for s in np.linspace(0, 1, 25)]
    pumped = pumped_charge(field, turn)
    assert pumped.is_cycle
    size = np.abs(pumped.charge).max()
    assert pumped.charge.sum() == pytest.approx(0, abs=1e-8 * size)
    motor = force_along(field, turn)
    assert abs(motor.work / 0.5 - pumped.charge[0]) > 0.01 * size
    assert force_along(back, turn).work == pytest.approx(0.5 * pumped.charge[0], rel=1e-10)


def test_what_goes_back_as_it_came_pumps_nothing():
    syst, coordinates = two_levels()
    field = ResponseField(syst, coordinates, 0.1)

    def way(s):
        return 0.1 * np.cos(2 * np.pi * s) * np.array([1.0, 0.7])

    pumped = pumped_charge(field, way, rtol=1e-10)
    assert pumped.is_cycle
    given = np.abs(pumped.charge_so_far).max()
    assert given > 0.05
    assert pumped.charge == pytest.approx(0, abs=1e-11)


def test_open_way_by_both_rules():
    """Along a way what all leads give is what the levels hold, Im ln det S over 2 pi."""
    syst, coordinates = two_levels()
    field = ResponseField(syst, coordinates, 0.1)
    end = np.array([0.3, -0.2])
    pumped = pumped_charge(field, lambda s: s * end, rtol=1e-10)
    assert not pumped.is_cycle
    x, y = np.linspace(0, 1, 101) * end[:, None]
    hamiltonians = np.multiply.outer(x, np.eye(2)) + np.multiply.outer(0.3 + y, SIGMA[0].real)
    inverses = 0.1 * np.eye(2) - hamiltonians + 0.5j * np.diag([0.6, 0.2])
    phases = np.unwrap(np.angle(np.linalg.det(inverses))) / np.pi
    assert pumped.charge.sum() == pytest.approx(phases[0] - phases[-1], abs=1e-9)
    splines = pumped_charge(field, np.linspace(0, 1, 33)[:, None] * end)
    assert splines.charge == pytest.approx(pumped.charge, abs=1e-5)
    assert (np.abs(splines.charge - pumped.charge) < 3 * splines.charge_error + 1e-9).all()


def test_result_and_its_figure(tmp_path):
    syst, coordinates = two_levels()
    field = ResponseField(syst, coordinates, 0.1)
    pumped = pumped_charge(field, circle(0.1), rtol=1e-4)
    assert isinstance(pumped, PumpedCharge)
    assert repr(pumped).startswith("<PumpedCharge: cycle of 17 points in 2 coordinates")
    pumped.save(tmp_path / "pumped.npz")
    again = load(tmp_path / "pumped.npz")
    assert np.array_equal(again.charge, pumped.charge)
    assert again.is_cycle
    with pytest.raises(ValueError, match="read-only"):
        pumped.emissivity[0] = 0
    ax = pumped.plot()
    assert [line.get_label() for line in ax.lines[1:]] == ["lead 0", "lead 1"]
    assert np.array_equal(ax.lines[1].get_ydata(), pumped.charge_so_far[0])
    # The bias does not count, nor whether the field is one of linear response.
    other = ResponseField(syst, coordinates, 0.1, bias=0.3, linear=False)
    assert np.array_equal(pumped_charge(other, pumped.path).charge, pumped.charge)


def test_what_is_refused_and_warned_of():
    syst, coordinates = two_levels()
    field = ResponseField(syst, coordinates, 0.1)
    with pytest.raises(ValueError, match="the emissivity differs from that at its beginning"):
        pumped_charge(field, [[0.0, 0.0], [0.1, 0.0], [0.2, 0.3]], is_cycle=True)
    with pytest.raises(ValueError, match=r"path has shape \(3,\); expected finite numbers"):
        pumped_charge(field, [0.0, 0.1, 0.2])
    with pytest.raises(ValueError, match="rtol"):
        pumped_charge(field, circle(0.1), rtol=-1)
    with pytest.warns(RuntimeWarning, match=r"17 points, not to rtol=1e-12; give max_points=65"):
        result = pumped_charge(field, circle(0.3), rtol=1e-12, max_points=32)
    assert len(result.path) == 17
    assert "not to rtol" in result.warnings[0]
