"""Stability and the critical bias with leads into which vibrations leave."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.optimize import root
from test_phonon_leads import oscillators
from test_stability import modes_of, synthetic, two

import kwant_curl as kc
from kwant_curl.algebra import motions as solving
from kwant_curl.algebra.balance import growth_by_force
from kwant_curl.algebra.counting import growing_motions
from kwant_curl.algebra.growing import followed
from kwant_curl.algebra.memory import evolution
from kwant_curl.algebra.motions import fastest_motion, motions, shares
from kwant_curl.vibrations.mechanics import FORCES, mechanics

DEGENERATE = modes_of(0.3, 0.3)


def with_leads(modes, leads):
    return dataclasses.replace(modes, leads=leads)


def frictional(gamma):
    """Surroundings without memory."""
    gamma = np.asarray(gamma, float)
    n = len(gamma)
    return kc.PhononLeads(
        np.zeros(0, complex),
        np.zeros((0, n, n), complex),
        np.zeros(0, int),
        0 * gamma[None],
        gamma[None],
    )


def baths(rng, n_c, n, coupling, narrowest=-2.5):
    """Surroundings that leave the springs positive: frequencies, damping, couplings."""
    omega, gamma = rng.uniform(0.2, 0.6, n), 10 ** rng.uniform(narrowest, -1.2, n)
    return omega, gamma, coupling * omega[:, None] * rng.normal(size=(n, n_c)) / math.sqrt(n)


def driven(rng, n, strength, friction=1e-3):
    """A response of unit bias, and modes, at random."""
    a, b = rng.normal(size=(2, n, n))
    modes = modes_of(*np.sort(rng.uniform(0.25, 0.5, n)))  # the coordinates, one by one
    return synthetic(strength * (a - a.T), friction * b @ b.T), modes


# Two degenerate modes


@pytest.mark.parametrize("eta", [0.0, 0.004])
@pytest.mark.parametrize("gamma", [0.003, 0.02])
def test_two_degenerate_modes_and_a_wide_band(eta, gamma):
    """The lattice adds Gamma to the friction: V = 2 omega (eta + Gamma)/|kappa/V|."""
    modes = with_leads(DEGENERATE, frictional(gamma * np.eye(2)))
    found = kc.critical_bias(two(0.02, eta, eta), modes, 10.0)
    assert found == pytest.approx(2 * 0.3 * (eta + gamma) / 0.02, rel=1e-9)
    assert found.lattice == pytest.approx(-gamma, rel=1e-9)
    assert found.friction == pytest.approx(-eta, rel=1e-9)
    assert found.other == 0
    assert found.driving == pytest.approx(eta + gamma, rel=1e-9)
    assert f"damped to {gamma / (eta + gamma):.0%} by the lattice" in repr(found)


def test_two_degenerate_modes_and_a_structured_lattice():
    """Omega^2 - omega^2 - Pi(Omega) + i eta Omega = -+ i kappa/2: Omega and V are real."""
    omega_b, gamma_b, c = np.array([0.29, 0.34, 0.4]), np.array([0.02, 0.05, 0.03]), 0.03
    leads = kc.PhononLeads.from_oscillators(
        np.repeat(omega_b, 2), np.repeat(gamma_b, 2), c * np.tile(np.eye(2), (3, 1))
    )
    eta, kappa = 0.004, 0.02

    def scalar(w):
        return (c**2 / (w**2 - omega_b**2 + 1j * w * gamma_b)).sum()

    def equation(x):
        w, v = x
        value = w**2 - 0.3**2 - scalar(w) + 1j * eta * w - 0.5j * kappa * v
        return [value.real, value.imag]

    starts = [(w, 1.0) for w in np.linspace(0.2, 0.5, 40)]
    solutions = [root(equation, start, tol=1e-14) for start in starts]
    known = [s.x for s in solutions if np.abs(s.fun).max() < 1e-14 and s.x[1] > 0]
    w, v = min(known, key=lambda x: x[1])
    modes = with_leads(DEGENERATE, leads)
    found = kc.critical_bias(two(kappa, eta, eta), modes, 3.0, rtol=1e-12)
    assert found == pytest.approx(v, rel=1e-10)
    assert found.frequency == pytest.approx(w, rel=1e-10)
    # rates over the energy of the springs without leads
    energy = 2 * w**2 / (w**2 + 0.3**2)
    assert found.lattice == pytest.approx(energy * scalar(w).imag / w, rel=1e-9)
    assert found.friction == pytest.approx(-energy * eta, rel=1e-9)
    assert found.growth == pytest.approx(0, abs=1e-12)


# The same by another way


def test_leads_without_memory_are_damping():
    rng = np.random.default_rng(1)
    response, modes = driven(rng, 4, 1e-2)
    gamma = 4e-3
    leads = with_leads(modes, frictional(gamma * np.eye(4)))
    one = kc.stability(response, modes, [0.0, 0.5, 1.0, 2.0], damping=gamma)
    other = kc.stability(response, leads, [0.0, 0.5, 1.0, 2.0])
    for name in ("frequencies", "amplitudes", "driving", "friction"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.other, other.lattice, rtol=0, atol=1e-12)
    assert not other.other.any()
    first = kc.critical_bias(response, modes, 10.0, damping=gamma)
    second = kc.critical_bias(response, leads, 10.0)
    assert first == pytest.approx(second, rel=1e-12)
    assert first.frequency == pytest.approx(second.frequency, rel=1e-12)
    pairs = [kc.pumped_pairs(response, m, damping=d) for m, d in ((modes, gamma), (leads, 0.0))]
    np.testing.assert_allclose(pairs[0].frequencies, pairs[1].frequencies, rtol=0, atol=1e-12)


def explicit(response, modes, bath):
    """The same with all oscillators among the modes: a response, modes, and their damping."""
    omega, gamma, c = bath
    n, m = len(modes), len(omega)
    whole = np.zeros((n + m, n + m))
    whole[:n, :n] = np.diag(modes.frequencies**2)
    whole[:n, n:], whole[n:, :n] = -c.T, -c
    whole[n:, n:] = np.diag(omega**2)
    kappa, friction = np.zeros((2, n + m, n + m))
    kappa[:n, :n] = response.lead_curl[0]
    friction[:n, :n] = response.friction
    friction[n:, n:] = np.diag(gamma)
    return synthetic(kappa, friction), kc.VibrationalModes.from_force_constants(whole, 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_oscillators_as_leads_and_among_the_modes(seed):
    rng = np.random.default_rng(seed)
    response, modes = driven(rng, 3, 2e-2)
    bath = baths(rng, 3, 6, 0.1)
    leads = with_leads(modes, kc.PhononLeads.from_oscillators(*bath))
    whole_response, whole = explicit(response, modes, bath)
    biases = [0.0, 0.5, 1.0]
    found = kc.stability(response, leads, biases).frequencies
    expected = kc.stability(whole_response, whole, biases).frequencies
    assert np.abs(found[:, :, None] - expected[:, None]).min(axis=2).max() < 1e-10
    grows = (expected.imag > 1e-12).sum(axis=1)
    assert ((found.imag > 1e-12).sum(axis=1) == grows).all()
    one = kc.critical_bias(response, leads, 8.0, rtol=1e-12, steps=20)
    other = kc.critical_bias(whole_response, whole, 8.0, rtol=1e-12, steps=20)
    assert one == pytest.approx(other, rel=1e-10)
    assert one.frequency == pytest.approx(other.frequency, rel=1e-10)


# No solution is lost


def test_without_current_nothing_grows():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 5))
        response, modes = driven(rng, n, 0.0, friction=rng.choice([0.0, 1e-3]))
        leads = kc.PhononLeads.from_oscillators(*baths(rng, n, int(rng.integers(1, 9)), 0.1, -6))
        system = mechanics(response, with_leads(modes, leads))
        assert fastest_motion(*system)[1].imag <= 0
        assert growing_motions(*system, above=1e-13) == 0


@pytest.mark.parametrize("exact", [False, True])
def test_the_argument_counts_what_grows(exact):
    counts = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 5))
        response, modes = driven(rng, n, 10 ** rng.uniform(-3, -1))
        bath = baths(rng, n, int(rng.integers(1, 20)), 0.3, -6)
        stiffness, damping, _ = mechanics(response, modes)
        memory = kc.PhononLeads.from_oscillators(*bath).memory().projected(modes.vectors)
        rates = np.linalg.eigvals(evolution(stiffness, damping, memory))
        u, (omega, gamma, c) = modes.vectors, bath

        def oscillating(w, u=u, omega=omega, gamma=gamma, c=c):
            response = 1 / (w[:, None] ** 2 - omega**2 + 1j * w[:, None] * gamma)
            return np.einsum("wj,jk,jl->wkl", response, c @ u.T, c @ u.T)

        counts.append(np.count_nonzero(rates.real > 1e-12))
        pi = oscillating if exact else memory
        near = memory.poles if exact else ()
        assert growing_motions(stiffness, damping, pi, above=1e-12, near=near) == counts[-1]
    assert len(set(counts)) > 3


def test_the_argument_with_a_chain_without_end():
    """Pi of a half-infinite chain has no poles: the threshold is known in closed form."""
    k, coupling = 0.1, 0.04  # band 0 .. 2 sqrt(k)

    def chain(w):
        x = (w**2 - 2 * k) / (2 * k)
        return (coupling**2 / k * (x - np.sqrt(x - 1) * np.sqrt(x + 1)))[:, None, None] * np.eye(2)

    stiffness, eta = 0.2 * np.eye(2), 0.002  # in the middle of the band, where Pi = -i coupling^2/k
    threshold = 2 * (coupling**2 / k + eta * math.sqrt(0.2))
    for kappa, expected in ((0.999 * threshold, 0), (1.001 * threshold, 2), (-2 * threshold, 2)):
        turning = 0.5 * kappa * np.array([[0, 1], [-1, 0]])
        found = growing_motions(stiffness + turning, eta * np.eye(2), chain, above=1e-12)
        assert found == expected


@pytest.mark.parametrize("apart", [0.0, 2e-16, 1e-15, 1e-14])
def test_poles_that_differ_by_rounding_are_no_root(apart):
    """Places to look at that are as near to each other as rounding."""
    stiffness = np.diag([1.0, 1.3]) + 0.25 * np.array([[0, 1], [-1, 0]])
    near = [0.3 + 1e-3j, 0.3 * (1 + apart) + 1e-3j, 0.3 + 1e-3j * (1 + apart)]
    assert growing_motions(stiffness, 0.01 * np.eye(2), near=near) == 2


def test_a_motion_of_the_surroundings_that_grows_is_reported():
    """Two narrow oscillators, driven through modes of a much higher frequency."""
    modes = with_leads(
        modes_of(0.5, 0.5),
        kc.PhononLeads.from_oscillators([0.2, 0.2], [1e-6, 1e-6], 0.02 * np.eye(2)),
    )
    response = two(0.02, 0.1, 0.1)
    found = kc.critical_bias(response, modes, 4.0)
    softened = math.sqrt(0.2**2 - 0.02**2 / (0.5**2 - 0.2**2))
    assert found.frequency == pytest.approx(softened, rel=0.01)
    above = kc.stability(response, modes, 1.1 * found)
    which = int(above.growth[0].argmax())
    assert above.growth[0, which] > 0
    assert above.frequencies[0, which].real == pytest.approx(softened, rel=0.01)
    assert above.frequencies.shape == (1, 2)
    below = kc.stability(response, modes, 0.9 * found)
    assert below.frequencies.real == pytest.approx(np.full((1, 2), 0.5), rel=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_newton_and_all_eigenvalues(seed, monkeypatch):
    """What is found from the modes, certified by the count, and what all eigenvalues say."""
    rng = np.random.default_rng(seed)
    response, modes = driven(rng, 4, 6e-3)
    modes = with_leads(modes, kc.PhononLeads.from_oscillators(*baths(rng, 4, 12, 0.05)))
    every = kc.stability(response, modes, [0.5, 2.0])
    critical = kc.critical_bias(response, modes, 6.0, steps=6)
    monkeypatch.setattr(solving, "FEW", 0)
    again = kc.stability(response, modes, [0.5, 2.0])
    for point, bias in enumerate((0.5, 2.0)):
        system = mechanics(response.at_bias(bias), modes)
        known = 1j * np.linalg.eigvals(evolution(*system))
        for omega in again.frequencies[point]:
            assert np.abs(known - omega).min() < 1e-11
        grows = [np.sort(s.growth[point][s.growth[point] > 1e-12]) for s in (every, again)]
        np.testing.assert_allclose(*grows, rtol=0, atol=1e-11)
    assert kc.critical_bias(response, modes, 6.0, steps=6) == pytest.approx(critical, rel=1e-9)


def test_too_many_variables(monkeypatch):
    """Beyond all eigenvalues what grows and is not found is said, and counted."""
    modes = with_leads(
        modes_of(0.5, 0.5),
        kc.PhononLeads.from_oscillators([0.2, 0.2], [1e-6, 1e-6], 0.02 * np.eye(2)),
    )
    monkeypatch.setattr(solving, "FEW", 0)
    monkeypatch.setattr(solving, "MOST", 0)
    with pytest.warns(RuntimeWarning, match="2 more solutions grow than are reported"):
        kc.stability(two(0.02, 0.1, 0.1), modes, 2.0)
    with pytest.raises(ValueError, match="2 motions of the leads grow that are not found"):
        kc.critical_bias(two(0.02, 0.1, 0.1), modes, 4.0)


def test_a_motion_with_memory_is_followed():
    rng = np.random.default_rng(3)
    response, modes = driven(rng, 4, 6e-3)
    leads = kc.PhononLeads.from_oscillators(*baths(rng, 4, 12, 0.05))
    stiffness, damping, memory = mechanics(response, with_leads(modes, leads))
    frequencies, vectors, missing = motions(stiffness, damping, memory)
    assert not missing
    for omega, vector in zip(frequencies, vectors, strict=True):
        found, v = followed(stiffness, damping, omega * (1 + 1e-4), vector, memory)
        assert found == pytest.approx(omega, rel=1e-12)
        equation = found**2 * v - stiffness @ v - memory(found) @ v + 1j * found * damping @ v
        assert np.abs(equation).max() < 1e-14


def test_the_share_of_one_oscillator_is_that_of_its_amplitude():
    stiffness, c, omega = 0.25, 0.05, 0.45
    values, columns = np.linalg.eigh([[stiffness, -c], [-c, omega**2]])
    leads = kc.PhononLeads.from_oscillators([omega], [1e-9], [[c]])
    found = shares(np.sqrt(values) + 0j, np.ones((2, 1), complex), leads.memory(), 1.0)
    np.testing.assert_allclose(found, columns[0] ** 2, rtol=1e-6)


# What makes a mode grow


@pytest.mark.parametrize("seed", range(8))
def test_the_balance_of_growth_is_exact(seed):
    rng = np.random.default_rng(seed)
    n = 4
    j, gamma = 0.1 * rng.normal(size=(2, n, n))
    springs = rng.uniform(0.4, 1.0, n)
    other = rng.uniform(0, 0.1, n)
    omega, bath_damping, c, lead = oscillators(rng, n)
    memory = kc.PhononLeads.from_oscillators(omega, bath_damping, 0.3 * c, lead).memory()
    if seed > 5:  # a motion that doesn't oscillate
        j += np.diag([2.0, 0, 0, 0])
    stiffness, damping = np.diag(springs) - j, gamma + np.diag(other)
    frequencies, v, _ = motions(stiffness, damping, memory)
    assert (seed > 5) == (frequencies.real == 0).any()
    terms = [(j, 0), (gamma, 1), (np.diag(other), 1)]
    forces = [
        (1j * frequencies) ** power * np.einsum("si,ij,sj->s", v.conj(), m, v) for m, power in terms
    ]
    forces.append(-np.einsum("si,sij,sj->s", v.conj(), memory(frequencies), v))
    parts = growth_by_force(frequencies, v, springs, np.array(forces))
    np.testing.assert_allclose(parts.sum(axis=0), 2 * frequencies.imag, rtol=0, atol=1e-12)


def test_results_hold_the_balance(tmp_path):
    rng = np.random.default_rng(5)
    response, modes = driven(rng, 3, 2e-2)
    modes = with_leads(modes, kc.PhononLeads.from_oscillators(*baths(rng, 3, 8, 0.05)))
    result = kc.stability(response, modes, [0.0, 0.4, 0.8, 1.2], damping=1e-3)
    total = sum(getattr(result, name) for name in FORCES)
    np.testing.assert_allclose(total, result.growth, rtol=0, atol=1e-12)
    assert not result.driving[0].any()
    assert (result.lattice < 0).all()
    with pytest.raises(ValueError, match="read-only"):
        result.lattice[0] = 0
    result.save(tmp_path / "result")
    np.testing.assert_array_equal(kc.load(tmp_path / "result").lattice, result.lattice)
    pytest.importorskip("xarray")
    assert result.to_xarray()["lattice"].dims == ("point", "mode")
    critical = kc.critical_bias(response, modes, 6.0, damping=1e-3, steps=6)
    assert sum(getattr(critical, name) for name in FORCES) == pytest.approx(0, abs=1e-10)
    assert critical.lattice < 0 < critical.driving
    critical.save(tmp_path / "critical")
    assert kc.load(tmp_path / "critical").lattice == critical.lattice
    none = kc.critical_bias(response, modes, 1e-3)
    assert none == math.inf
    assert none.lattice is None


def test_pairs_are_solved_with_the_lattice():
    rng = np.random.default_rng(7)
    response, modes = driven(rng, 3, 6e-3)
    modes = with_leads(modes, kc.PhononLeads.from_oscillators(*baths(rng, 3, 8, 0.05)))
    pairs = kc.pumped_pairs(response, modes)
    for which, omega in zip(pairs.pairs, pairs.frequencies, strict=True):
        two_modes = kc.stability(response, modes.select(which))
        assert omega == pytest.approx(two_modes.frequencies[0][two_modes.growth[0].argmax()])


def test_negative_friction_is_that_of_the_electrons():
    modes = with_leads(DEGENERATE, frictional(0.1 * np.eye(2)))
    with pytest.warns(RuntimeWarning, match="friction of linear response is negative"):
        kc.stability(synthetic(np.zeros((2, 2)), np.diag([0.01, -0.02])), modes)


# Bad input


def test_surroundings_that_feed_energy_in():
    nothing = np.zeros((1, 2, 2))
    residue = np.array([[[1.0, 0.0], [0.0, -0.2]]])
    with pytest.raises(ValueError, match=r"feeds energy .* at the frequency .* eigenvalue -"):
        kc.PhononLeads([1 - 0.1j], residue, [0], nothing, nothing)
    with pytest.raises(ValueError, match=r"friction is not positive semidefinite: eigenvalue -0.1"):
        kc.PhononLeads([1 - 0.1j], 0 * residue, [0], nothing, np.diag([0.3, -0.1])[None])
    # Enough friction makes up for it.
    kc.PhononLeads([1 - 0.1j], residue, [0], nothing, 10 * np.eye(2)[None])
    # In a narrow window only, which the poles point to.
    narrow = [np.diag([1.0, 0.0]), np.diag([-1e-6, 0.0])]
    with pytest.raises(ValueError, match="at the frequency 2 "):
        kc.PhononLeads([1 - 0.1j, 2 - 1e-7j], narrow, [0, 0], nothing, nothing)
    for seed in range(20):  # rounding is none
        bath = baths(np.random.default_rng(seed), 3, 9, 1.0, -9)
        kc.PhononLeads.from_oscillators(*bath)


@pytest.mark.parametrize("spring", [-5e-10, 0.0, 5e-10])
def test_a_lattice_that_nothing_holds_does_not_grow(spring):
    """Whatever its rounding: omega^2 + Pi(0) of a shift is zero."""
    nothing, square = np.zeros((1, 2, 2)), DEGENERATE.frequencies[0] ** 2
    free = np.array([np.diag([(spring - 1) * square, 0.0])])
    leads = kc.PhononLeads([], np.zeros((0, 2, 2)), [], free, nothing + 0.1 * np.eye(2))
    found = kc.stability(two(0.0, 0.1, 0.1), with_leads(DEGENERATE, leads), 0.0)
    assert found.is_stable.all()
    assert (found.growth < 0).all()
