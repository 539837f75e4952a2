"""Nambu (Bogoliubov-de Gennes) models: the normal system without doubling, superconductors."""

import dataclasses
from itertools import combinations

import kwant
import numpy as np
import pytest
from scipy import sparse
from systems import SIGMA, central_difference

import kwant_curl as kc
from kwant_curl.devices import Atoms
from kwant_curl.model.orbitals import interface_orbitals

TAU_Z = np.diag([1.0, -1.0])
SCALED = kc.PowerLaw(2)


def plain(h):
    return h


def tau_first(h):
    """Electrons first: kron(tau, orbital)."""
    zero = np.zeros_like(h)
    return np.block([[h, zero], [zero, -h.conj()]])


def tau_last(h):
    """Each orbital's electron and hole beside each other: kron(orbital, tau)."""
    return np.kron(h, np.diag([1, 0])) - np.kron(h.conj(), np.diag([0, 1]))


def rotated(h):
    """Majorana orbitals, of which neither is an electron."""
    n = len(h)
    turn = np.kron(np.array([[1, 1], [1j, -1j]]) / np.sqrt(2), np.eye(n))
    return turn @ tau_first(h) @ turn.conj().T


def charge_of(double, norbs):
    """The charge that goes with a doubling, which makes it of the number of electrons."""
    return None if double is plain else double(np.eye(norbs, dtype=complex))


def random_device(double, *, norbs=1, n_leads=2, n_atoms=6, chains=True):
    """A few atoms with random complex Hamiltonians; `double` makes it Nambu.

    The leads are chains, or what is quicker, self-energies that don't depend on energy.
    """
    mu = 0.3
    rng = np.random.default_rng(3)
    size = len(double(np.eye(norbs, dtype=complex)))
    positions = rng.normal(size=(n_atoms, 2)) + 3 * np.arange(n_atoms)[:, None]
    atoms = Atoms(positions, norbs=size)
    builder = kwant.Builder()

    def block():
        return rng.normal(size=(norbs, norbs)) + 1j * rng.normal(size=(norbs, norbs))

    one = np.eye(norbs, dtype=complex)
    for i in range(n_atoms):
        h = block()
        builder[atoms(i)] = double(0.3 * (h + h.conj().T) - mu * one)
    for i, j in combinations(range(n_atoms), 2):
        if j == i + 1 or rng.random() < 0.3:
            builder[atoms(i), atoms(j)] = double(block())
    for number in range(n_leads):
        lattice = kwant.lattice.general(
            [(1, 0)], [(0, 10 + number)], name=f"lead{number}", norbs=size
        ).sublattices[0]
        if not chains:
            width = 0.5 + 0.2 * number

            def sigma(energy, args=(), *, params=None, width=width):
                return -0.5j * width * np.eye(size)

            interface = [atoms((3 * number) % n_atoms)]
            builder.leads.append(kwant.builder.SelfEnergyLead(sigma, interface, []))
            continue
        builder[lattice(0)] = double((0.2 * number - mu) * one)
        builder[atoms(2 * number % n_atoms), lattice(0)] = double(block())
        lead = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
        lead[lattice(0)] = double((0.2 * number - mu) * one)
        lead[lattice(0), lattice(1)] = double(-2.0 * one)
        builder.attach_lead(lead)
    return builder.finalized()


MOVING = kc.Displacements(range(6), scaling=SCALED)
FEW = kc.Displacements([1, 2], scaling=SCALED)
BIAS = {0: 0.3, 1: -0.2}
DOUBLED = pytest.mark.parametrize(
    ("double", "norbs"), [(tau_first, 1), (tau_first, 2), (tau_last, 2), (rotated, 2)]
)


def assert_same(one, other, rtol=1e-9):
    """All that two results hold, except for what a doubled model has by itself."""
    names = {field.name for field in dataclasses.fields(other)} - {
        "pinned",
        "crossed_noise",
        "seconds",
    }
    # The distance for leads with modes of their own, and samples, which count by source.
    names -= {"band_distance", "resonance_distance", "spectrum"}
    derived = {"force", "curl", "current", "growth"} & set(dir(other))
    for name in names | derived:
        mine, theirs = getattr(one, name), getattr(other, name)
        if isinstance(theirs, np.ndarray):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=rtol * np.abs(theirs).max())
        elif name != "error":
            assert mine == theirs, name


@DOUBLED
def test_a_doubled_system_answers_as_the_normal_one(double, norbs):
    doubled, normal = (random_device(d, norbs=norbs) for d in (double, plain))
    charge = charge_of(double, norbs)
    options = {"bias": BIAS, "degeneracy": 2}
    tensors = {"jacobian": True, "noise": True}
    one = kc.force_response(doubled, MOVING, 0.0, charge=charge, **options, **tensors)
    other = kc.force_response(normal, MOVING, 0.0, **options, **tensors)
    assert_same(one, other)
    np.testing.assert_allclose(one.noise, other.noise, atol=1e-9 * np.abs(other.noise).max())
    again = {0: -0.7, 1: 0.1}
    one, other = one.at_bias(again), other.at_bias(again)
    np.testing.assert_allclose(one.force, other.force, atol=1e-9 * np.abs(other.force).max())
    np.testing.assert_allclose(one.noise, other.noise, atol=1e-9 * np.abs(other.noise).max())
    assert_same(
        kc.curl_map(doubled, MOVING, 0.0, charge=charge, **options),
        kc.curl_map(normal, MOVING, 0.0, **options),
    )
    volume = {"cell_volume": np.full(8, 1.3)}
    assert_same(
        kc.flow_map(doubled, 0.0, charge=charge, **options, **volume),
        kc.flow_map(normal, 0.0, **options, **volume),
    )


@DOUBLED
def test_a_particle_in_a_doubled_system(double, norbs):
    """It repels holes where it attracts electrons."""
    doubled, normal = (random_device(d, norbs=norbs, n_leads=3) for d in (double, plain))
    probe = kc.Probe([(2.0, 1.0), (6.0, 5.0)], width=4.0)
    charge, bias = charge_of(double, norbs), {**BIAS, 2: 0.15}
    assert_same(
        kc.curl_map(doubled, probe, 0.0, bias=bias, charge=charge),
        kc.curl_map(normal, probe, 0.0, bias=bias),
    )
    assert_same(
        kc.force_response(doubled, probe, 0.0, bias=bias, charge=charge, jacobian=True),
        kc.force_response(normal, probe, 0.0, bias=bias, jacobian=True),
    )


@pytest.mark.parametrize("window", [{"linear": False}, {"temperature": 0.01}])
def test_windows_and_temperatures(window):
    doubled, normal = (random_device(d, n_atoms=4, chains=False) for d in (rotated, plain))
    charge = charge_of(rotated, 1)
    options = {"bias": {0: 0.1, 1: -0.05}, "rtol": 1e-2, **window}
    one = kc.force_response(doubled, FEW, 0.0, charge=charge, noise=True, **options)
    other = kc.force_response(normal, FEW, 0.0, noise=True, **options)
    # Both integrals take the same energies only about, not exactly.
    assert_same(one, other, rtol=1e-2)
    np.testing.assert_allclose(one.noise, other.noise, atol=1e-2 * np.abs(other.noise).max())


def test_velocities():
    """Electrons and holes have opposite Lorentz-like forces at the condensate's energy.

    That they cancel there doesn't say that there is none in equilibrium.
    """
    doubled, normal = random_device(tau_last), random_device(plain)
    one, other = (
        under_warning(kc.force_response, syst, MOVING, 0.0, velocity=True, **options)
        for syst, options in ((doubled, {"charge": TAU_Z}), (normal, {}))
    )
    assert np.abs(other.lead_velocity).max() > 1e-3
    assert_same(one, other)


def under_warning(routine, *arguments, **options):
    with pytest.warns(RuntimeWarning, match="Time-reversal symmetry is broken"):
        result = routine(*arguments, **options)
    assert result.equilibrium_lorentz is None
    return result


def test_time_reversal_is_recognised():
    """Real Hamiltonians have no Lorentz-like force in equilibrium."""
    (builder, charge) = families(True)
    for hopping in list(builder.hoppings()):
        builder[hopping] = np.real(builder[hopping])
    moving = kc.Displacements(lambda site: site.tag[0] == 1, scaling=SCALED)
    result = kc.force_response(builder.finalized(), moving, 0.0, velocity=True, charge=charge)
    assert not result.equilibrium_lorentz.any()


def test_phonons():
    """A hole that goes to another lead is an electron that comes from there."""
    doubled, normal = (random_device(d, n_atoms=4, chains=False) for d in (rotated, plain))
    modes = np.random.default_rng(1).normal(size=(2, 4))
    options = {"frequency": 0.05, "bias": {0: 0.05, 1: -0.1}, "rtol": 1e-2}
    one = kc.phonon_rates(doubled, FEW, modes, 0.0, charge=charge_of(rotated, 1), **options)
    assert_same(one, kc.phonon_rates(normal, FEW, modes, 0.0, **options), rtol=1e-2)
    assert one.spectrum is None  # samples count by source
    with pytest.raises(ValueError, match=r"kept no energies.*of a Nambu model"):
        one.at_bias({0: 0.02})


@pytest.mark.parametrize("window", [{}, {"linear": False, "rtol": 1e-2}])
def test_density_and_operators(window):
    doubled, normal = (random_device(d, n_atoms=4, chains=False) for d in (rotated, plain))
    charge = charge_of(rotated, 1)
    one = kc.NonequilibriumDensity(doubled, 0.0, bias=BIAS, charge=charge, **window)
    other = kc.NonequilibriumDensity(normal, 0.0, bias=BIAS, **window)
    volume = {"cell_volume": np.ones(4)}
    for make in (
        lambda syst, **_: kc.Force(syst, FEW),
        lambda syst, **_: kc.Force(syst, kc.Probe([(2.0, 1.0)], width=4.0)),
        lambda syst, **_: kc.MomentumCurrent(syst, **volume),
        lambda syst, charge: kc.MomentumCurrent(kc.Model(syst, charge=charge), **volume),
    ):
        mine = one.expectation(make(doubled, charge=charge))
        theirs = other.expectation(make(normal, charge=None))
        np.testing.assert_allclose(mine, theirs, atol=1e-2 * np.abs(theirs).max())
    np.testing.assert_allclose(
        one.density(), other.density(), atol=1e-2 * np.abs(other.density()).max()
    )


def test_other_energies_are_the_mean_of_both_signs():
    doubled, normal = random_device(tau_last), random_device(plain)
    options = {"bias": BIAS, "jacobian": True, "noise": True}
    one = kc.force_response(doubled, MOVING, 0.05, charge=TAU_Z, **options)
    above, below = (kc.force_response(normal, MOVING, e, **options) for e in (0.05, -0.05))
    for name in ("force", "curl", "friction", "jacobian", "noise"):
        mean = 0.5 * (getattr(above, name) + getattr(below, name))
        np.testing.assert_allclose(getattr(one, name), mean, atol=1e-9 * np.abs(mean).max())


@pytest.mark.parametrize("what", ["selfenergy", "modes", "all"])
def test_leads_that_are_known_in_other_ways(what):
    """Here electrons and holes have the same momenta, and Kwant's modes mix them at will."""
    syst = random_device(rotated, norbs=2)
    known = syst.precalculate(0.0, what=what)
    options = {"charge": charge_of(rotated, 2), "bias": BIAS}
    one, other = (kc.force_response(s, MOVING, 0.0, **options) for s in (known, syst))
    assert_same(one, other)


def families(split):
    """A square wire with a scatterer: electrons and holes on two lattices, or on none."""
    rng = np.random.default_rng(8)
    builder = kwant.Builder()
    if split:
        signs = {kwant.lattice.square(norbs=1, name=name): s for name, s in (("e", 1), ("h", -1))}
    else:
        signs = {kwant.lattice.square(norbs=1): 1}
    onsite, phase = rng.normal(size=(2, 4, 3))
    for lattice, sign in signs.items():
        for x, y in np.ndindex(4, 3):
            builder[lattice(x, y)] = sign * (0.2 + 0.5 * onsite[x, y])
            if y:
                builder[lattice(x, y), lattice(x, y - 1)] = -sign
            if x:
                builder[lattice(x, y), lattice(x - 1, y)] = -sign * np.exp(1j * sign * phase[x, y])
    for direction in ((-1, 0), (1, 0)):
        lead = kwant.Builder(kwant.TranslationalSymmetry(direction))
        for lattice, sign in signs.items():
            lead[(lattice(0, y) for y in range(3))] = 0.2 * sign
            lead[lattice.neighbors()] = -sign
        builder.attach_lead(lead)
    return builder, signs


def test_electrons_and_holes_on_lattices_of_their_own():
    (doubled, charge), (normal, _) = families(True), families(False)
    doubled, normal = doubled.finalized(), normal.finalized()

    def middle(site):
        return 0 < site.tag[0] < 3

    one, other = (
        kc.force_response(s, kc.Displacements(middle, scaling=SCALED), 0.0, **options)
        for s, options in ((doubled, {"charge": charge}), (normal, {}))
    )
    # The sites are two: an atom is where its electron and its hole are.
    electrons = [i for i, site in enumerate(one.sites) if doubled.sites[site].family.name == "e"]
    holes = [i for i, site in enumerate(one.sites) if doubled.sites[site].family.name == "h"]
    both = np.zeros((12, 24))
    for atom, (e, h) in enumerate(zip(electrons, holes, strict=True)):
        for direction in (0, 1):
            both[2 * atom + direction, [2 * e + direction, 2 * h + direction]] = 1
    together = one.project(both)
    for name in ("force", "curl", "friction"):
        expected = getattr(other, name)
        np.testing.assert_allclose(
            getattr(together, name), expected, atol=1e-10 * np.abs(expected).max()
        )


def superconductor(pairing=0.4):
    """Two normal leads, a third one that is superconducting, and pairing in the device.

    Electrons of one spin and holes of the other.
    """
    rng = np.random.default_rng(5)
    lattice = kwant.lattice.square(norbs=2)
    builder = kwant.Builder()
    tau_x, tau_y, tau_z = SIGMA
    for x, y in np.ndindex(4, 2):
        builder[lattice(x, y)] = (rng.uniform(-0.5, 0.5) - 0.3) * tau_z
        if x == 2:
            gap = pairing * rng.uniform(0.5, 1)
            builder[lattice(x, y)] = builder[lattice(x, y)] + gap * (tau_x + 0.3 * tau_y)
    for hopping in lattice.neighbors():
        for a, b in list(builder.expand(hopping)):
            t = -(1 + 0.3 * rng.uniform(-1, 1)) * np.exp(0.4j * rng.uniform(-1, 1))
            builder[a, b] = np.diag([t, -np.conj(t)])
    for number, direction in enumerate([(-1, 0), (1, 0), (0, 1)]):
        lead = kwant.Builder(kwant.TranslationalSymmetry(direction))
        tags = [(1, 0), (2, 0)] if number == 2 else [(0, 0), (0, 1)]
        for tag in tags:
            gap = pairing * tau_x if number == 2 else 0
            lead[lattice(*tag)] = (0.1 * number - 0.3) * tau_z + gap
        lead[lattice.neighbors()] = -tau_z
        builder.attach_lead(lead)
    return builder.finalized()


def symmetric_matrices(n):
    """Random Hermitian dH/dQ that keep the particle-hole symmetry of `superconductor`."""
    rng = np.random.default_rng(1)
    partner = np.kron(np.eye(n // 2), SIGMA[1])
    matrices = []
    for _ in range(3):
        m = (rng.random((n, n)) < 0.2) * (rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))
        m = m + m.conj().T
        matrices.append(m - partner @ m.conj() @ partner)
    return matrices


def dense_densities(syst, energy, shift=0):
    """D of each lead and charge, 0 for the superconductor, by dense matrices."""
    hamiltonian = syst.hamiltonian_submatrix() + shift
    n = len(hamiltonian)
    widths, inverse = [], energy * np.eye(n) - hamiltonian
    for number, lead in enumerate(syst.leads):
        here = interface_orbitals(syst, number)
        sigma = np.zeros((n, n), complex)
        sigma[np.ix_(here, here)] = lead.selfenergy(energy)
        widths.append(1j * (sigma - sigma.conj().T))
        inverse = inverse - sigma
    greens = np.linalg.inv(inverse)
    tau = np.kron(np.eye(n // 2), TAU_Z)
    found = {(2, 0): widths[2]}
    for number, charge in np.ndindex(2, 2):
        sign = 1 - 2 * charge
        projector = 0.5 * (np.eye(n) + sign * tau)
        found[number, sign] = projector @ widths[number] @ projector
    return {key: greens @ w @ greens.conj().T / (2 * np.pi) for key, w in found.items()}


@pytest.mark.parametrize("energy", [0.0, 0.05, 0.7])
def test_a_superconductor(energy):
    """Against dense matrices, the Jacobian by differences; below and above the gap."""
    syst = superconductor()
    n = len(syst.hamiltonian_submatrix())
    matrices, bias = symmetric_matrices(n), np.array([0.3, -0.1, 0.0])

    def force(shift=0):
        terms = dense_densities(syst, energy, shift).items()
        rho = 0.5 * sum(charge * bias[lead] * part for (lead, charge), part in terms)
        return np.array([-np.trace(m @ rho).real for m in matrices])

    response = kc.force_response(
        syst, kc.Matrices(matrices), energy, bias={0: 0.3, 1: -0.1}, charge=TAU_Z,
        jacobian=True, noise=True,
    )  # fmt: skip
    np.testing.assert_allclose(response.force, force(), rtol=1e-7)
    jacobian = np.array([central_difference(lambda x, m=m: force(x * m)) for m in matrices]).T
    size = np.abs(jacobian).max()
    np.testing.assert_allclose(response.jacobian, jacobian, atol=1e-6 * size)
    np.testing.assert_allclose(response.curl, jacobian.T - jacobian, atol=1e-6 * size)
    densities = dense_densities(syst, energy)
    total = sum(densities.values())
    friction = [[np.trace(a @ total @ b @ total).real for b in matrices] for a in matrices]
    np.testing.assert_allclose(response.friction, 0.5 * np.pi * np.array(friction), rtol=1e-7)
    noise = np.zeros((3, 3))
    for (one, q), first in densities.items():
        for (other, p), second in densities.items():
            traces = [[np.trace(a @ second @ b @ first).real for b in matrices] for a in matrices]
            noise += np.pi * max(q * bias[one] - p * bias[other], 0) * np.array(traces)
    np.testing.assert_allclose(response.noise, noise, rtol=1e-7)
    # The fluctuations of equilibrium are those that go with the friction.
    everything = (response.pair_noise + 2 * response.crossed_noise).sum(axis=(0, 1))
    np.testing.assert_allclose(everything, 2 * response.friction, rtol=1e-7)
    if energy == 0:  # by the symmetry, holes say what electrons say
        electrons = sum(bias[lead] * densities[lead, 1] for lead in (0, 1))
        force_by_electrons = [-np.trace(m @ electrons).real for m in matrices]
        np.testing.assert_allclose(response.force, force_by_electrons, rtol=1e-7)


def test_a_superconducting_lead_is_not_shifted():
    syst = superconductor()
    moving = kc.Displacements(
        lambda site: site.tag[0] in (1, 2) and site.tag[1] == 0, scaling=SCALED
    )
    options = {"charge": TAU_Z}
    message = r"bias shifts lead 2 by 0.1, but it mixes electrons and holes.* Leave it at 0"
    for routine in (kc.curl_map, kc.force_response):
        with pytest.raises(ValueError, match=message):
            routine(syst, moving, 0.0, bias={2: 0.1}, **options)
        result = routine(syst, moving, 0.0, bias={0: 0.1}, **options)
        assert result.pinned.tolist() == [False, False, True]
        assert not result.lead_force[2].any()
        with pytest.raises(ValueError, match=message):
            result.at_bias({0: 0.2, 2: 0.1})
    with pytest.raises(ValueError, match=message):
        kc.NonequilibriumDensity(syst, 0.0, bias={2: 0.1}, **options)


def junction(law=None, pairing=0.3, barrier=0.6, **declared):
    """A row of sites from a normal lead, past a barrier, into a superconducting one."""
    lattice = kwant.lattice.square(norbs=2)
    builder = kwant.Builder()
    for x in range(6):
        builder[lattice(x, 0)] = (barrier * (x == 2) - 0.3) * TAU_Z
        if x > 3:
            builder[lattice(x, 0)] = builder[lattice(x, 0)] + pairing * SIGMA[0]
    builder[lattice.neighbors()] = -TAU_Z
    for number, direction in enumerate([(-1, 0), (1, 0)]):
        lead = kwant.Builder(
            kwant.TranslationalSymmetry(direction),
            conservation_law=law if number == 0 else None,
            **declared,
        )
        lead[lattice(0, 0)] = -0.3 * TAU_Z + (pairing * SIGMA[0] if number else 0)
        lead[lattice.neighbors()] = -TAU_Z
        builder.attach_lead(lead)
    return builder.finalized()


@pytest.mark.parametrize("energy", [0.0, 0.05])
def test_andreev_reflection(energy):
    """Each electron that comes back as a hole has carried two: G = 2 R_he/2 pi per spin.

    With one chemical potential for both there is no current at all.
    """
    syst = junction(law=-TAU_Z)
    matrix = kwant.smatrix(syst, energy)
    reflected = matrix.transmission((0, 1), (0, 0))
    assert 0.05 < reflected < 0.95
    hopping = [(syst.sites[1], syst.sites[0])]
    options = {"bias": {0: 0.2}, "degeneracy": 2}
    current = kwant.operator.Current(syst, TAU_Z, where=hopping)
    rho = kc.NonequilibriumDensity(syst, energy, charge=TAU_Z, **options)
    expected = 2 * 0.2 * 2 * reflected / (2 * np.pi)
    np.testing.assert_allclose(abs(rho.expectation(current)), expected, rtol=1e-9)
    alike = kc.NonequilibriumDensity(syst, energy, charge=1, **options)
    np.testing.assert_allclose(alike.expectation(current), 0, atol=1e-12)
    flow = kc.flow_map(syst, energy, charge=TAU_Z, cell_volume=1.0, **options)
    np.testing.assert_allclose(flow.current[:2].sum(), 1.5 * expected, rtol=1e-9)


def test_the_capacity_where_electrons_and_holes_mix():
    """D j - n j_D is the capacity, where D is that of a particle which repels holes.

    On lattices that are twice as fine, what is left of the difference falls by about four.
    """
    coarse, fine = (capacity_and_curl(n) for n in (2, 4))
    errors = [
        np.linalg.norm(one - other) / np.linalg.norm(other) for one, other, _ in (coarse, fine)
    ]
    assert errors[0] < 0.12
    assert errors[1] < 0.3 * errors[0]
    without = fine[2]
    assert np.linalg.norm(without - fine[1]) > 0.15 * np.linalg.norm(fine[1])


def capacity_and_curl(n):
    """The curl of the flow's capacity, that of the force on point defects, and without n j_D."""
    lattice = kwant.lattice.square(norbs=2)
    builder = kwant.Builder()

    def onsite(site):
        x, y = np.array(site.tag) / n
        barrier = np.exp(-((x - 2.5) ** 2 + (y - 2) ** 2) / 0.8)
        gap = 0.6 * np.exp(-((x - 5) ** 2 + (y - 3.4) ** 2) / 2)
        return (4 + (barrier - 0.9) / n**2) * TAU_Z + gap / n**2 * SIGMA[0]

    builder[(lattice(x, y) for x in range(8 * n) for y in range(6 * n))] = onsite
    builder[lattice.neighbors()] = -TAU_Z
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(6 * n))] = (4 - 0.9 / n**2) * TAU_Z
    lead[lattice.neighbors()] = -TAU_Z
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    syst = builder.finalized()
    index = {tuple(site.tag): i for i, site in enumerate(syst.sites)}
    flow = kc.flow_map(syst, 0.0, charge=TAU_Z, bias={0: 1.0})
    tags = [(int(x * n), int(y * n)) for x in (4, 5, 6) for y in (2, 3, 4)]

    def at(x, y):
        orbital = 2 * index[x, y]
        places = [orbital, orbital + 1]
        return sparse.csr_array(([1.0, -1.0], (places, places)), shape=2 * [2 * len(index)])

    matrices = []
    for x, y in tags:
        matrices += [(at(x + 1, y) - at(x - 1, y)) / 2, (at(x, y + 1) - at(x, y - 1)) / 2]
    response = kc.force_response(syst, kc.Matrices(matrices), 0.0, charge=TAU_Z, bias={0: 1.0})

    def curl(field):
        x, y = np.array(tags).T
        right, left, above, below = (
            field[[index[tag] for tag in zip(x + dx, y + dy, strict=True)]]
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
        )
        return np.pi * (right[:, 1] - left[:, 1] - above[:, 0] + below[:, 0]) / 2

    even = 2 * np.arange(len(tags))
    capacity = flow.momentum_current
    whole = curl(capacity + flow.magnetic_correction)
    return whole, response.curl[even, even + 1], curl(capacity)


ROUTINES = pytest.mark.parametrize(
    "ask",
    [
        lambda syst, **options: kc.curl_map(
            syst, kc.Probe([(1.0, 0.0)], width=1.0), 0.0, **options
        ),
        lambda syst, **options: kc.force_response(syst, kc.Matrices([ONE]), 0.0, **options),
        lambda syst, **options: kc.flow_map(syst, 0.0, **options),
        lambda syst, **options: kc.phonon_rates(
            syst, kc.Matrices([ONE, ONE]), np.eye(2), 0.0, frequency=1.0, **options
        ),
        lambda syst, **options: kc.NonequilibriumDensity(syst, 0.0, **options),
    ],
    ids=["curl_map", "force_response", "flow_map", "phonon_rates", "density"],
)
ONE = np.eye(12)
PROBE = kc.Probe([(1.0, 0.0)], width=1.0)


@ROUTINES
def test_what_declares_itself_is_refused(ask):
    """Until the user says how charges go."""
    with pytest.raises(ValueError, match=r"Lead 0 declares particle_hole.* charge=1 if all"):
        ask(junction(particle_hole=1j * SIGMA[1]))
    partners = r"Lead 0 seems to hold electrons and holes.* blocks 0 and 1 of its conservation_law"
    with pytest.raises(ValueError, match=partners):
        ask(junction(law=-TAU_Z))
    with pytest.raises(ValueError, match=partners):
        ask(kc.Model(junction(law=-TAU_Z)))


def test_a_declared_device_is_refused():
    builder = kwant.Builder(particle_hole=1j * SIGMA[1])
    lattice = kwant.lattice.square(norbs=2)
    builder[(lattice(x, 0) for x in range(3))] = -0.3 * TAU_Z
    builder[lattice.neighbors()] = -TAU_Z
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[lattice(0, 0)] = -0.3 * TAU_Z
    lead[lattice.neighbors()] = -TAU_Z
    builder.attach_lead(lead)
    syst = builder.finalized()
    state = np.ones(6)
    for ask in (
        lambda: kc.NonequilibriumDensity(syst, 0.0, bias={0: 1.0}),
        lambda: kc.MomentumCurrent(syst)(state),
        lambda: kc.Force(syst, kc.Probe([(1.0, 0.0)], width=1.0))(state),
    ):
        with pytest.raises(ValueError, match=r"The system declares particle_hole.* charge=1"):
            ask()
    assert kc.Force(syst, kc.Displacements([1], scaling=SCALED))(state).shape == (2,)


def test_operators_see_holes_in_blocks_of_leads():
    """As the routines do; what needs no charge goes without, and `charge` is taken."""
    syst = junction(law=-TAU_Z)
    state = np.random.default_rng(1).normal(size=12) + 1j
    current = kc.MomentumCurrent(syst, cell_volume=1.0)
    probed = kc.Force(syst, kc.Probe([(1.0, 0.0)], width=1.0))
    for ask in (
        lambda: current(state),
        current.bind,
        current.matrices,
        lambda: probed.act(state),
        lambda: kc.Force(kc.Model(syst), probed.coordinates)(state),
    ):
        with pytest.raises(ValueError, match=r"Lead 0 seems to hold electrons.*bind\(charge=...\)"):
            ask()
    assert kc.Force(syst, kc.Displacements([1], scaling=SCALED))(state).shape == (2,)
    asked = kc.MomentumCurrent(kc.Model(syst, charge=TAU_Z), cell_volume=1.0)
    np.testing.assert_array_equal(current.bind(charge=TAU_Z)(state), asked(state))
    # A state's partner has the opposite current, and is empty where the state is full.
    electron = np.kron(state[::2], [1, 0])
    hole = np.kron(state[::2].conj(), [0, 1])
    np.testing.assert_allclose(asked(electron), -asked(hole), atol=1e-14)
    assert np.abs(asked(electron)).max() > 1e-3


def spins(law, onsite=0.0, exchange=0.0):
    """A wire with two spins, or with the two orbitals of whatever `law` conserves."""
    lattice = kwant.lattice.square(norbs=2)
    builder = kwant.Builder()
    one, up = np.eye(2), np.diag([1.0, -1.0])
    for x, y in np.ndindex(4, 2):
        builder[lattice(x, y)] = (onsite + 0.3 * (x == y)) * one + exchange * up
    builder[lattice.neighbors()] = -one
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)), conservation_law=law)
    lead[(lattice(0, y) for y in range(2))] = onsite * one + exchange * up
    lead[lattice.neighbors()] = -one
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized()


@pytest.mark.parametrize("exchange", [0.0, 0.2])
def test_spins_that_are_conserved_are_no_holes(exchange):
    """Also where the spectrum is that of electrons and holes: at half filling, in a field."""
    moving = kc.Displacements([2, 3], scaling=SCALED)
    one, other = (
        kc.curl_map(spins(law, exchange=exchange), moving, 0.3, charge=charge)
        for law, charge in ((-TAU_Z, None), (None, 1))
    )
    assert one.pinned is None
    assert other.pinned is None
    for name in ("force", "curl", "friction"):
        expected = getattr(other, name)
        np.testing.assert_allclose(
            getattr(one, name), expected, atol=1e-10 * np.abs(expected).max()
        )


def test_blocks_of_several_orbitals():
    """Particle-hole partners up to a unitary that is the same on all sites."""
    lattice = kwant.lattice.chain(norbs=4)
    rng = np.random.default_rng(2)
    onsite, hopping = rng.normal(size=(2, 2, 2)) + 1j * rng.normal(size=(2, 2, 2))
    onsite = onsite + onsite.conj().T
    turn = np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))[0]

    def lead(holes):
        builder = kwant.Builder(
            kwant.TranslationalSymmetry((-1,)), conservation_law=np.diag([-1, -1, 1, 1])
        )
        zero = np.zeros((2, 2))
        builder[lattice(0)] = np.block([[onsite, zero], [zero, holes(onsite)]])
        builder[lattice(0), lattice(1)] = np.block([[hopping, zero], [zero, holes(hopping)]])
        device = kwant.Builder()
        device[lattice(0)] = builder[lattice(0)]
        device.attach_lead(builder)
        return device.finalized()

    for holes in (lambda h: -h.conj(), lambda h: -turn @ h.conj() @ turn.conj().T):
        with pytest.raises(ValueError, match="Lead 0 seems to hold electrons and holes"):
            kc.NonequilibriumDensity(lead(holes), 0.1, bias={0: 1.0})
    for other in (lambda h: h, lambda h: h.conj(), lambda h: -h):
        kc.NonequilibriumDensity(lead(other), 0.1, bias={0: 1.0})


@pytest.mark.parametrize(
    ("charge", "error", "message"),
    [
        (0.5, ValueError, r"has the eigenvalues \[0.5, 0.5\]; expected \+1 for electrons"),
        (np.diag([1.0, 0.0]), ValueError, r"has the eigenvalues \[0.0, 1.0\]"),
        (np.eye(3), ValueError, r"has shape \(3, 3\); expected \(2, 2\), the 2 numbers"),
        ([1, -1, 1], ValueError, r"has shape \(3,\); expected \(2, 2\)"),
        ([[0, 1], [0, 0]], ValueError, "is not Hermitian"),
        ({kwant.lattice.chain(norbs=2, name="other"): 1}, ValueError, "does not name the site fam"),
        ("electrons", TypeError, r"charge is 'electrons'; expected \+1 for electrons"),
        (True, TypeError, r"charge is True; expected \+1"),
        (lambda site: 1, TypeError, r"expected \+1 for electrons and -1 for holes: a number"),
    ],
)
def test_charges_that_are_none(charge, error, message):
    with pytest.raises(error, match=message):
        kc.NonequilibriumDensity(junction(), 0.0, bias={0: 1.0}, charge=charge)


def test_charges_are_given_in_many_ways():
    syst = junction()
    lattice = syst.sites[0].family
    expected = kc.NonequilibriumDensity(syst, 0.0, bias={0: 1.0}, charge=TAU_Z).toarray()
    model = kc.Model(syst, charge=(1, -1))
    for asked, charge in (
        (syst, [1, -1]),
        (syst, {lattice: TAU_Z}),
        (kc.Model(syst), {lattice: [1, -1]}),
        (model, None),
    ):
        rho = kc.NonequilibriumDensity(asked, 0.0, bias={0: 1.0}, charge=charge)
        np.testing.assert_array_equal(rho.toarray(), expected)
    with pytest.raises(ValueError, match="charge is given, but the model holds one"):
        kc.NonequilibriumDensity(model, 0.0, bias={0: 1.0}, charge=TAU_Z)


def test_self_energies_of_superconductors():
    """They mix electrons and holes at the condensate's energy, by which they are known."""
    normal, device = junction(), junction().precalculate(0.0, what="selfenergy")
    assert_same(
        *(
            kc.force_response(s, kc.Matrices([np.kron(np.eye(6), TAU_Z)]), 0.0, **options)
            for s, options in ((device, JUNCTION), (normal, JUNCTION))
        )
    )


JUNCTION = {"bias": {0: 1.0}, "charge": TAU_Z}
