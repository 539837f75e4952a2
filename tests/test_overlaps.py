"""Orbitals that overlap: every tensor against dense matrices with E S - H, and moved atoms."""

import kwant
import numpy as np
import pytest
from overlapping import (
    NAME,
    REST,
    Dense,
    derivatives,
    hopping_and_overlap,
    syst_of,
    syst_of_matrices,
    waves_away,
)
from scipy.linalg import eigh
from systems import random_hermitian

import kwant_curl as kc
from kwant_curl.devices import Atoms
from kwant_curl.model.off_axis import self_energy_above

ENERGY = 0.17
MOVING = kc.Displacements(lambda site: isinstance(site.family, Atoms))
KEYS = {"energy_parameter": NAME}


def close(actual, expected, rtol=1e-8):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * np.abs(expected).max())


@pytest.fixture(scope="module")
def syst():
    return syst_of()


def dense_forces(energy):
    return [-(dh - energy * ds) for dh, ds in derivatives()]


def trace(*matrices):
    return np.trace(np.linalg.multi_dot(matrices))


def dense_response(energy, parts=(0.5, -0.5)):
    """Return force, curl and friction from dense matrices."""
    forces, densities = dense_forces(energy), Dense().densities(energy)
    shifted = sum(p * d for p, d in zip(parts, densities, strict=True))
    total = sum(densities)
    force = np.array([trace(f, shifted).real for f in forces])
    pairs = np.array([[trace(a, total, b, shifted) for b in forces] for a in forces])
    friction = np.array([[trace(a, total, b, total).real for b in forces] for a in forces])
    return force, 4 * np.pi * pairs.imag, np.pi * friction


def test_transmission_is_that_of_kwant_and_of_dense_matrices(syst):
    model = Dense()
    sigmas, greens = model.sigmas(ENERGY), model.greens(ENERGY)
    gammas = [1j * (sigma - sigma.conj().T) for sigma in sigmas]
    expected = trace(gammas[0], greens, gammas[1], greens.conj().T).real
    found = kwant.smatrix(syst, 0, params={NAME: ENERGY}).transmission(1, 0)
    assert found == pytest.approx(expected, rel=1e-9)


def test_force_curl_and_friction(syst):
    found = kc.force_response(syst, MOVING, ENERGY, **KEYS)
    force, curl, friction = dense_response(ENERGY)
    close(found.force, force)
    close(found.curl, curl)
    close(found.friction, friction)
    by_atom = kc.curl_map(syst, MOVING, ENERGY, **KEYS)
    close(by_atom.curl, found.curl[::2, 1::2].diagonal())


def moved_force(q, energy=ENERGY):
    """Return the force of the leads' shifts where the atoms are at q, from a system made there."""
    syst = syst_of(np.reshape(q, REST.shape))
    return kc.force_response(syst, MOVING, energy, **KEYS).force


@pytest.mark.heavy
def test_curl_and_jacobian_with_atoms_that_are_really_moved(syst):
    found = kc.force_response(syst, MOVING, ENERGY, jacobian=True, **KEYS)
    step, columns = 2e-3, []
    for i in range(REST.size):
        at = [REST.ravel() + part * step * (np.arange(REST.size) == i) for part in (1, -1, 2, -2)]
        a, b, c, d = (moved_force(q) for q in at)
        columns.append((8 * (a - b) - (c - d)) / (12 * step))
    jacobian = np.array(columns).T
    close(found.jacobian, jacobian)
    close(found.curl, jacobian.T - jacobian)


def test_velocity_by_differences_in_energy(syst):
    with pytest.warns(RuntimeWarning, match="one-sided overlaps"):
        found = kc.force_response(syst, MOVING, ENERGY, velocity=True, **KEYS)
    model, step = Dense(), 1e-3
    a, b, c, d = (model.greens(ENERGY + part * step) for part in (1, -1, 2, -2))
    slope, greens = (8 * (a - b) - (c - d)) / (12 * step), model.greens(ENERGY)
    overlaps, forces = [ds for _, ds in derivatives()], dense_forces(ENERGY)
    shifted = np.tensordot((0.5, -0.5), model.densities(ENERGY), axes=1)
    expected = np.array(
        [
            [
                -2 * trace(forces[i], slope, forces[j], shifted).imag
                - trace(overlaps[i], greens, forces[j], shifted).imag
                - trace(forces[i], greens, overlaps[j], shifted).imag
                for j in range(len(forces))
            ]
            for i in range(len(forces))
        ]
    )
    close(0.5 * (found.lead_velocity[0] - found.lead_velocity[1]), expected, 1e-7)


@pytest.mark.heavy
@pytest.mark.parametrize("temperature", [0.0, 0.02])
def test_whole_windows_against_a_loop_over_energies(syst, temperature):
    bias = 0.3
    found = kc.force_response(
        syst, MOVING, ENERGY, bias=bias, linear=False, temperature=temperature, rtol=1e-8, **KEYS
    )
    if temperature:
        x, w = np.polynomial.legendre.leggauss(160)
        energies, weights = ENERGY + 0.9 * x, 0.9 * w
        left, right, middle = (
            1 / (1 + np.exp((energies - ENERGY - shift) / temperature))
            for shift in (0.5 * bias, -0.5 * bias, 0.0)
        )
        parts = weights * (left - middle), weights * (right - middle)
    else:
        x, w = np.polynomial.legendre.leggauss(30)
        halves = [ENERGY + 0.25 * bias * (x + side) for side in (1, -1)]
        energies, none = np.concatenate(halves), np.zeros(len(x))
        weights = 0.25 * bias * w
        parts = np.append(weights, none), np.append(none, -weights)
    force, curl = 0.0, 0.0
    for energy, *share in zip(energies, *parts, strict=True):
        one = dense_response(energy, share)
        force, curl = force + one[0], curl + one[1]
    close(found.force, force, 1e-6)
    close(found.curl, curl, 1e-6)


@pytest.mark.heavy
def test_density_is_mullikens_and_operators_see_the_energy(syst):
    rho = kc.NonequilibriumDensity(syst, ENERGY, bias=0.3, linear=False, rtol=1e-8, **KEYS)
    x, w = np.polynomial.legendre.leggauss(30)
    model, expected, force = Dense(), 0.0, 0.0
    for side in (1, -1):
        for energy, weight in zip(ENERGY + 0.075 * (x + side), 0.075 * w, strict=True):
            density = side * weight * model.densities(energy)[0 if side > 0 else 1]
            expected = expected + (density @ model.S).diagonal().real
            force = force + np.array([trace(f, density).real for f in dense_forces(energy)])
    on_sites = expected.reshape(-1, 2).sum(axis=1)
    order = [
        REST.tolist().index(list(site.pos))
        if isinstance(site.family, Atoms)
        else len(REST) + (site.pos[0] > 0)
        for site in syst.sites
    ]
    close(rho.density(), on_sites[order], 1e-6)
    close(rho.expectation(kc.Force(syst, MOVING, energy_parameter=NAME)), force, 1e-6)
    bonds = [(syst.sites[i], syst.sites[j]) for i, j in syst.graph]
    into = rho.expectation(kwant.operator.Current(syst, where=bonds))
    inner = np.zeros(len(syst.sites))
    np.add.at(inner, [j for _, j in syst.graph], into)
    ends = [n for n, site in enumerate(syst.sites) if not isinstance(site.family, Atoms)]
    assert np.abs(np.delete(inner, ends)).max() < 1e-7 * np.abs(into).max()
    bound = kc.Force(syst, MOVING, energy_parameter=NAME).bind(params={NAME: ENERGY})
    with pytest.raises(ValueError, match="bound at one energy"):
        rho.expectation(bound)


def test_a_probe_couples_to_mullikens_density(syst):
    """Its force is what the density is worth in its potential, moved by a little."""
    point, width, step = np.array([1.3, 0.4]), 1.4, 1e-3
    found = kc.force_response(syst, kc.Probe([point], width=width), ENERGY, jacobian=True, **KEYS)
    density = kc.NonequilibriumDensity(syst, ENERGY, **KEYS).density()
    places = np.array([site.pos for site in syst.sites])

    def energy(r):
        squares = ((places - r) ** 2).sum(axis=1)
        return density @ np.exp(-squares / (2 * width**2)) / (2 * np.pi * width**2)

    ends = [[energy(point + s * step * axis) for s in (1, -1)] for axis in np.eye(2)]
    close(found.force, [(b - a) / (2 * step) for a, b in ends], 1e-6)
    by_point = kc.curl_map(syst, kc.Probe([point], width=width), ENERGY, **KEYS)
    close(by_point.curl, found.curl[0, 1:])
    close(found.jacobian[1, 0] - found.jacobian[0, 1], found.curl[0, 1])


def test_flow_holds_mullikens_density_and_the_conserved_current(syst):
    flow = kc.flow_map(syst, ENERGY, cell_volume=1.0, **KEYS)
    rho = kc.NonequilibriumDensity(syst, ENERGY, **KEYS)
    close(flow.lead_density[0] - flow.lead_density[1], 2 * rho.density())
    current = kc.MomentumCurrent(syst, cell_volume=1.0, energy_parameter=NAME)
    close(flow.current, rho.expectation(current))


def rebased(seed=3, n=6):
    """Return a random system in an orthogonal basis, and in one that overlaps and moves.

    For both: the system and the coordinates.
    """
    rng = np.random.default_rng(seed)
    H = random_hermitian(rng, n, 0.7)
    first = [np.zeros((n, n), complex) for _ in range(3)]
    for matrix in first:
        block = rng.normal(size=(n - 2, n - 2)) + 1j * rng.normal(size=(n - 2, n - 2))
        matrix[1:-1, 1:-1] = 0.3 * (block + block.conj().T)
    T, turned = np.eye(n, dtype=complex), [np.zeros((n, n), complex) for _ in first]
    T[1:-1, 1:-1] += 0.2 * rng.normal(size=(n - 2, n - 2))
    for matrix in turned:
        shape = (n - 2, n - 2)
        matrix[1:-1, 1:-1] = 0.2 * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    plain = syst_of_matrices(H), kc.Matrices(first)
    dagger = T.conj().T
    here = [
        dagger @ h @ T + t.conj().T @ H @ T + dagger @ H @ t
        for h, t in zip(first, turned, strict=True)
    ]
    overlaps = [t.conj().T @ T + dagger @ t for t in turned]
    one_sided = [dagger @ t for t in turned]
    syst = syst_of_matrices(dagger @ H @ T, dagger @ T)
    return plain, (syst, kc.Matrices(here, overlaps=overlaps, one_sided=one_sided))


@pytest.mark.heavy
@pytest.mark.parametrize("options", [{}, {"temperature": 0.05}, {"linear": False, "bias": 0.4}])
def test_a_basis_that_moves_gives_the_same_as_one_that_does_not(options):
    (syst, moving), (other, turned) = rebased()
    keys = {"noise": True, "velocity": True, "rtol": 1e-9, **options}
    with pytest.warns(RuntimeWarning, match="Time-reversal"):
        plain = kc.force_response(syst, moving, 0.2, **keys)
    with pytest.warns(RuntimeWarning, match="Time-reversal"):
        found = kc.force_response(other, turned, 0.2, energy_parameter=NAME, **keys)
    for name in ("force", "curl", "friction", "velocity", "noise"):
        close(getattr(found, name), getattr(plain, name), 1e-7)


@pytest.mark.heavy
def test_the_fermi_sea_of_orbitals_that_are_not_normalised():
    """Of those that change their norm alone half of dS/dQ is all of the one-sided overlap."""
    (syst, moving), _ = rebased(7)
    H, n = syst.hamiltonian_submatrix(), 6
    rng = np.random.default_rng(8)
    T = np.diag([1.0, *(0.7 + 0.6 * rng.random(n - 2)), 1.0])
    turned = [np.diag([0, *rng.normal(size=n - 2), 0]) for _ in moving.matrices]
    here = [T @ h @ T + t @ H @ T + T @ H @ t for h, t in zip(moving.matrices, turned, strict=True)]
    other = syst_of_matrices(T @ H @ T, T @ T)
    overlapping = kc.Matrices(here, overlaps=[2 * t @ T for t in turned])
    keys = {"velocity": True, "fermi_sea": True, "rtol": 1e-8}
    plain = kc.force_response(syst, moving, 0.2, **keys)
    with pytest.warns(RuntimeWarning, match="one-sided overlaps"):
        found = kc.force_response(other, overlapping, 0.2, energy_parameter=NAME, **keys)
    for name in ("velocity", "equilibrium_lorentz"):
        assert np.abs(getattr(plain, name)).max() > 1e-3
        close(getattr(found, name), getattr(plain, name), 1e-7)


@pytest.mark.heavy
def test_rates_at_a_finite_frequency_in_a_basis_that_moves():
    (syst, moving), (other, turned) = rebased()
    modes = np.array([[1.0, 0, 0.3], [0, 1.0, -0.2]])
    keys = {"frequency": 0.35, "bias": 0.8, "temperature": 0.05, "rtol": 1e-8}
    plain = kc.phonon_rates(syst, moving, modes, 0.2, **keys)
    found = kc.phonon_rates(other, turned, modes, 0.2, energy_parameter=NAME, **keys)
    close(found.lead_emission, plain.lead_emission, 1e-6)
    close(found.lead_absorption, plain.lead_absorption, 1e-6)
    unknown = kc.Matrices(turned.matrices, overlaps=turned.overlaps)
    with pytest.warns(RuntimeWarning, match="one-sided overlaps"):
        half = kc.phonon_rates(other, unknown, modes, 0.2, energy_parameter=NAME, **keys)
    assert np.abs(half.lead_emission - plain.lead_emission).max() > 1e-3 * plain.lead_emission.max()


def test_noise_at_a_finite_frequency_in_a_basis_that_moves():
    (syst, moving), (other, turned) = rebased()
    keys = {"bias": 0.8, "temperature": 0.05, "rtol": 1e-7}
    plain = kc.noise_spectrum(syst, moving, 0.2, 0.35, **keys)
    found = kc.noise_spectrum(other, turned, 0.2, 0.35, energy_parameter=NAME, **keys)
    close(found.lead_emission, plain.lead_emission, 1e-5)
    close(found.lead_absorption, plain.lead_absorption, 1e-5)


def downfolded(H, side):
    """Return a system whose last inner orbital is eliminated: H - E depends on E in another way.

    side: the hoppings of it, (n - 1,), and its level.
    """
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    n = len(H)
    hops, level = side
    builder[(lattice(i) for i in range(n))] = 0.0

    def element(i, j):
        def value(*args):
            E = args[-1]
            folded = hops[i] * np.conj(hops[j]) / (E - level)
            return H[i, j] + folded - (E if i == j else 0.0)

        return value

    for i in range(n):
        onsite = element(i, i)
        builder[lattice(i)] = eval("lambda a, E: f(E)", {"f": onsite})
        for j in range(i):
            if H[i, j] or hops[i] * hops[j]:
                builder[lattice(i), lattice(j)] = eval("lambda a, b, E: f(E)", {"f": element(i, j)})
    for step in (-1, 1):
        lead = kwant.Builder(kwant.TranslationalSymmetry((step,)))
        lead[lattice(0)] = lambda a, E: -E
        lead[lattice.neighbors()] = -1.0
        builder.attach_lead(lead)
    return builder.finalized()


@pytest.mark.heavy
@pytest.mark.parametrize("options", [{}, {"linear": False, "bias": 0.3}, {"temperature": 0.03}])
def test_a_downfolded_orbital_gives_what_the_whole_system_does(options):
    """What moves doesn't touch it; forces, curl and friction are those of all orbitals."""
    rng = np.random.default_rng(11)
    n = 5
    H = random_hermitian(rng, n, 0.9)
    hops, level = np.array([0, 0.4, -0.3, 0.2j, 0]), 1.3
    matrix = np.zeros((n, n), complex)
    matrix[1:4, 1:4] = rng.normal(size=(3, 3))
    matrix = matrix + matrix.conj().T
    other = np.zeros((n, n), complex)
    other[1, 2], other[2, 1] = 1j, -1j
    folded = kc.force_response(
        downfolded(H, (hops, level)),
        kc.Matrices([matrix, other]),
        0.2,
        energy_parameter=NAME,
        params={NAME: 0.2},
        rtol=1e-8,
        **options,
    )
    order = [0, 1, 2, 3, 5, 4]  # the ends first and last
    whole = np.zeros((n + 1, n + 1), complex)
    whole[:n, :n], whole[n, n] = H, level
    whole[:n, n], whole[n, :n] = hops, hops.conj()
    whole = whole[np.ix_(order, order)]
    wide = [np.zeros((n + 1, n + 1), complex) for _ in range(2)]
    for big, small in zip(wide, (matrix, other), strict=True):
        big[:n, :n] = small
    wide = [big[np.ix_(order, order)] for big in wide]
    plain = kc.force_response(syst_of_matrices(whole), kc.Matrices(wide), 0.2, rtol=1e-8, **options)
    for name in ("force", "curl", "friction"):
        close(getattr(folded, name), getattr(plain, name), 1e-6)


@pytest.mark.heavy
def test_an_overlap_of_one_is_no_overlap():
    (syst, moving), _ = rebased(5)
    H = syst.hamiltonian_submatrix()
    same = syst_of_matrices(H, np.eye(len(H)))
    for options in ({}, {"temperature": 0.04}, {"linear": False, "bias": 0.5}):
        plain = kc.force_response(syst, moving, 0.3, **options)
        found = kc.force_response(same, moving, 0.3, energy_parameter=NAME, **options)
        for name in ("force", "curl", "friction"):
            close(getattr(found, name), getattr(plain, name), 1e-12)


def test_what_can_not_be_an_overlap():
    (syst, moving), (other, turned) = rebased()
    with pytest.raises(ValueError, match="no value function takes it; they take no parameters"):
        kc.force_response(syst, moving, 0.2, energy_parameter=NAME)
    with pytest.raises(ValueError, match="no value function takes it; they take E"):
        kc.force_response(other, turned, 0.2, energy_parameter="energy")
    idle = syst_of(onsite=lambda site, E: np.eye(2), hopping=lambda a, b, E: np.eye(2))
    with pytest.raises(ValueError, match="no value function of the scattering region depends"):
        kc.flow_map(idle, 0.2, cell_volume=1.0, energy_parameter=NAME)
    n = len(syst.hamiltonian_submatrix())
    wrong = syst_of_matrices(syst.hamiltonian_submatrix(), -np.eye(n))
    with pytest.raises(ValueError, match="diagonal element -1"):
        kc.force_response(wrong, moving, 0.2, energy_parameter=NAME)
    with pytest.raises(ValueError, match="no energy_parameter"):
        kc.force_response(other, turned, 0.2, params={NAME: 0.2})
    with pytest.raises(TypeError, match="energy_parameter is 3"):
        kc.force_response(other, turned, 0.2, energy_parameter=3)
    bad = kc.Matrices(turned.matrices, overlaps=turned.overlaps, one_sided=turned.overlaps)
    with pytest.raises(ValueError, match="differ from dS/dQ"):
        kc.force_response(other, bad, 0.2, velocity=True, energy_parameter=NAME)


def far_overlap(size):
    """Return value functions whose overlaps are `size`, far larger than orbitals can have."""
    return lambda a, b, E: -np.eye(2) - E * size * np.ones((2, 2))


@pytest.mark.parametrize(
    "call",
    [
        lambda syst: kc.curl_map(syst, kc.Displacements(scaling=kc.PowerLaw(2)), 0.1, **KEYS),
        lambda syst: kc.flow_map(syst, 0.1, cell_volume=1.0, **KEYS),
        lambda syst: kc.NonequilibriumDensity(syst, 0.1, **KEYS),
    ],
)
def test_overlaps_that_are_not_positive(call):
    def inner(a, b, E):
        is_inner = isinstance(a.family, Atoms) and isinstance(b.family, Atoms)
        return far_overlap(0.9 if is_inner else 0.1)(a, b, E)

    with pytest.raises(ValueError, match=r"region is not positive definite: its lowest eigenv"):
        call(syst_of(hopping=inner))

    def outer(a, b, E):
        is_inner = isinstance(a.family, Atoms) or isinstance(b.family, Atoms)
        return far_overlap(0.05 if is_inner else 0.9)(a, b, E)

    with pytest.raises(ValueError, match=r"lead 0 is not positive definite: at momentum"):
        call(syst_of(hopping=outer))


def test_an_operator_bound_at_another_energy(syst):
    rho = kc.NonequilibriumDensity(syst, ENERGY, **KEYS)
    force = kc.Force(syst, MOVING, energy_parameter=NAME)
    here = force.bind(params={NAME: ENERGY})
    close(rho.expectation(here), rho.expectation(force), 1e-12)
    elsewhere = force.bind(params={NAME: ENERGY + 0.1})
    with pytest.raises(ValueError, match=r"bound at energy 0\.27"):
        rho.expectation(elsewhere)


def test_operators_of_a_model_act_at_the_energy_of_the_states(syst):
    model = kc.Model(syst, energy_parameter=NAME)
    rho = kc.NonequilibriumDensity(model, ENERGY)
    expected = kc.force_response(model, MOVING, ENERGY).force
    close(rho.expectation(kc.Force(model, MOVING)), expected)
    current = kc.flow_map(model, ENERGY, cell_volume=1.0).current
    close(rho.expectation(kc.MomentumCurrent(model, cell_volume=1.0)), current)
    undeclared = kc.Force(syst, MOVING).bind(params={NAME: 0.7})
    with pytest.raises(ValueError, match=r"bound at energy 0\.7"):
        rho.expectation(undeclared)


def chain_of(level, ends=True):
    """Return three sites between two chains; the middle one's level depends on energy."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(3))] = lambda site, E: -E
    builder[lattice(1)] = level
    builder[lattice.neighbors()] = -1.0
    for step in (-1, 1):
        lead = kwant.Builder(kwant.TranslationalSymmetry((step,)))
        lead[lattice(0)] = (lambda site, E: -E) if ends else 0.0
        lead[lattice.neighbors()] = -1.0
        builder.attach_lead(lead)
    return builder.finalized()


BOTH = np.array([[0, 0.5, 0], [0.5, 1, 0], [0, 0, 0]])
TABLE = np.linspace(1.2, 1.9, 71), 0.3 * np.exp(-(((np.linspace(1.2, 1.9, 71) - 1.5) / 0.05) ** 2))


def limited(site, E):
    if not 1.2 <= E <= 1.9:
        raise ValueError("the table begins at 1.2 and ends at 1.9")
    return -E + np.interp(E, *TABLE)


@pytest.mark.parametrize("level", [lambda site, E: -E + np.interp(E, *TABLE), limited])
def test_a_table_that_is_flat_or_ends_outside_its_range(level):
    """What is linear, or unknown, far away need not be linear at the energy asked for."""
    found = kc.force_response(chain_of(level), kc.Matrices([BOTH]), 1.5, energy_parameter=NAME)
    H = np.diag([-1.0, -1.0], 1) + np.diag([-1.0, -1.0], -1) + np.diag([0, 0.3, 0])
    sigma = 0.5 * (1.5 - 1j * np.sqrt(4 - 1.5**2))
    greens = np.linalg.inv(1.5 * np.eye(3) - H - sigma * np.diag([1, 0, 1]))
    width = -2 * sigma.imag / (2 * np.pi)
    left, right = (width * np.outer(greens[:, i], greens[:, i].conj()) for i in (0, 2))
    close(found.force, [-0.5 * np.trace(BOTH @ (left - right)).real], 1e-10)
    total = left + right
    close(found.friction, [[np.pi * np.trace(BOTH @ total @ BOTH @ total).real]], 1e-10)


def test_leads_that_do_not_see_the_energy():
    syst = chain_of(lambda site, E: -E, ends=False)
    with pytest.raises(ValueError, match="Lead 0 does not depend on energy"):
        kc.flow_map(syst, 1.0, cell_volume=1.0, **KEYS)


def test_a_pole_of_the_hamiltonian_in_the_window():
    """Where its derivative isn't known no level is looked for; nothing else needs it."""
    syst = chain_of(lambda site, E: -E + 0.01 / (E - 0.31))
    options = {"bias": 0.6, "linear": False, "rtol": 1e-5}
    found = kc.force_response(syst, kc.Matrices([BOTH]), 0.2, **options, **KEYS)
    whole = np.diag([0.0, 0.0, 0.31, 0.0])
    for i, j, hopping in ((0, 1, -1.0), (1, 3, -1.0), (1, 2, 0.1)):
        whole[i, j] = whole[j, i] = hopping
    moved = np.zeros((4, 4))
    moved[:2, :2] = BOTH[:2, :2]
    plain = kc.force_response(syst_of_matrices(whole), kc.Matrices([moved]), 0.2, **options)
    close(found.force, plain.force, 1e-4)
    close(found.friction, plain.friction, 1e-4)


def test_a_single_coordinate_has_no_curvature():
    (_, _), (other, turned) = rebased()
    one = kc.Matrices(
        turned.matrices[:1], overlaps=turned.overlaps[:1], one_sided=turned.one_sided[:1]
    )
    with pytest.warns(RuntimeWarning, match="Time-reversal"):
        alone, together = (
            kc.force_response(other, some, 0.2, velocity=True, **KEYS) for some in (one, turned)
        )
    close(alone.velocity[0], together.velocity[0, :1], 1e-10)


def test_the_density_of_a_ring_is_that_of_its_occupied_states():
    """Leads that hardly touch it fill the levels between mu and mu + V, as in a closed ring."""
    n, weak = 5, 1e-5
    rng = np.random.default_rng(4)
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    H, S = np.diag(rng.uniform(-0.5, 0.5, n)), np.eye(n)
    for i in range(n):
        j = (i + 1) % n
        H[i, j] = H[j, i] = -1 - 0.2 * rng.random()
        S[i, j] = S[j, i] = 0.15 + 0.1 * rng.random()

    def onsite(site, E):
        i = site.tag[0]
        return H[i, i] - E * S[i, i]

    def bond(a, b, E):
        return H[a.tag[0], b.tag[0]] - E * S[a.tag[0], b.tag[0]]

    builder[(lattice(i) for i in range(n))] = onsite
    builder[((lattice(i), lattice((i + 1) % n)) for i in range(n))] = bond

    def sigma(energy, args=(), params=None):
        return np.array([[-0.5j * weak]])

    for i in (0, 2):
        builder.leads.append(kwant.builder.SelfEnergyLead(sigma, [lattice(i)], []))
    levels, states = eigh(H, S)
    low, high = 0.5 * (levels[0] + levels[1]), 0.5 * (levels[2] + levels[3])
    rho = kc.NonequilibriumDensity(
        builder.finalized(), low, bias=dict.fromkeys((0, 1), high - low), linear=False, **KEYS
    )
    filled = states[:, 1:3]
    close(rho.density(), np.diag(filled @ filled.T @ S), 2e-4)


def test_self_energies_above_the_axis(syst):
    """Of leads that overlap, whose hoppings there and back are no conjugates of each other."""
    leads = kc.Model(syst, energy_parameter=NAME).scattering.leads
    for lead, step in zip(leads, (-1.0, 1.0), strict=True):
        h, s = hopping_and_overlap([0, 0], [step, 0])
        for energy in (ENERGY + 0.3j, 0.5 + 2.0j):
            factors, waves = waves_away(energy, h, s)
            expected = (h - energy * s) @ (waves * factors) @ np.linalg.inv(waves)
            close(self_energy_above(lead.cells, energy), expected, 1e-10)
