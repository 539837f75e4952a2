"""Which vibrations run away: pairs, stability, dynamics, and the energy that the current gives."""

import copy
import dataclasses
import math
import pickle
import re
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov, solve_discrete_lyapunov
from systems import (
    MODELS,
    atoms_of,
    chain,
    lead_densities,
    random_hermitian,
    random_system,
    square_wire,
    two_levels,
)

import kwant_curl as kc
from kwant_curl.algebra.decay import DecayingEnergy
from kwant_curl.algebra.dynamics import (
    angular_momenta,
    complex_frequencies,
    fastest_growth,
    propagation,
    travel,
)
from kwant_curl.algebra.growing import followed
from kwant_curl.results.mode_pairs import plane_responses
from kwant_curl.vibrations.mechanics import mechanics
from kwant_curl.vibrations.pairs import SOURCES


def synthetic(curl, friction, **more):
    """A response with these tensors per unit of bias, of two leads."""
    kappa = np.asarray(curl, float)
    return kc.ForceResponse(
        energy=0.0,
        bias=np.array([0.5, -0.5]),
        degeneracy=1.0,
        lead_force=np.zeros((2, len(kappa))),
        lead_curl=np.array([kappa, -kappa]),
        friction=np.asarray(friction, float),
        **more,
    )


def two(kappa, eta_x, eta_y, **more):
    return synthetic([[0, kappa], [-kappa, 0]], np.diag([eta_x, eta_y]), **more)


def modes_of(*frequencies, mass=1.0, **more):
    squares = np.diag(np.square(frequencies)) * mass
    return kc.VibrationalModes.from_force_constants(squares, mass, **more)


DEGENERATE = modes_of(0.3, 0.3)


# Two degenerate modes, in closed form


@pytest.mark.parametrize("kappa", [0.02, -0.05])
@pytest.mark.parametrize("eta", [0.0, 0.004, 1.5])
def test_two_degenerate_modes(kappa, eta):
    """Omega^2 + i eta Omega = omega^2 +- i kappa/2, with vectors (1, +-i)."""
    result = kc.stability(two(kappa, eta, eta), DEGENERATE)
    for omega, vector in zip(result.frequencies[0], result.vectors[0], strict=True):
        sense = np.sign((vector[0].conj() * vector[1]).imag)
        value = 0.3**2 + 0.5j * sense * kappa
        assert omega**2 + 1j * eta * omega == pytest.approx(value, abs=1e-14)
        np.testing.assert_allclose(vector[1] / vector[0], 1j * sense, atol=1e-10)
    if eta == 0:
        fastest = result.orbit()
        assert fastest.growth > 0
        turns = 2 * (fastest.vector[0].conj() * fastest.vector[1]).imag
        assert turns == pytest.approx(np.sign(kappa))


def test_critical_bias_of_two_degenerate_modes():
    """V = 2 omega sqrt(eta_XX eta_YY)/|kappa/V|."""
    for eta_x, eta_y in ((0.002, 0.002), (0.001, 0.009), (0.5, 0.01)):
        response = two(0.02, eta_x, eta_y)
        expected = 2 * 0.3 * np.sqrt(eta_x * eta_y) / 0.02
        for direction in (1.0, -1.0, {0: 1.0}):
            found = kc.critical_bias(response, DEGENERATE, 10.0, direction=direction)
            assert found == pytest.approx(expected, rel=1e-8)
    assert kc.critical_bias(two(0.02, 0.5, 0.01), DEGENERATE, 1.0) == np.inf
    slow = two(0.01, 0.002, 0.002)
    rates = slow.pumping_rates(np.eye(2), 0.3)
    found = kc.critical_bias(slow, DEGENERATE, 1.0)
    assert found == pytest.approx(rates.threshold[0], rel=1e-8)


def test_all_that_turns_a_degenerate_pair():
    """`full_growth` and `full_threshold` against the equation of motion, of random tensors.

    Of weak forces, to the first order in them over the frequency; some pairs never turn.
    """
    rng = np.random.default_rng(11)
    found, said = [], []
    for jacobian in 1e-4 * rng.normal(size=(60, 2, 2)):
        root = 1e-2 * rng.normal(size=(2, 2)) * rng.choice([0.3, 1.0], 2)
        friction = root @ root.T
        response = kc.ForceResponse.from_arrays(friction=friction, jacobian=jacobian)
        rates = response.pumping_rates(np.eye(2), 0.3)
        said.append("own springs" in repr(rates))
        driving, springs = abs(rates.driving[0]), np.linalg.norm(rates.springs[0])
        assert said[-1] == (springs > 0.5 * driving)
        growth = kc.stability(response, DEGENERATE, 1.0).growth.max()
        scale = np.abs(jacobian).max() / 0.3 + friction.max()
        assert rates.full_growth[0] == pytest.approx(growth, abs=2e-3 * scale)
        critical = kc.critical_bias(response, DEGENERATE, 20.0)
        expected = rates.full_threshold[0]
        if expected < 5:
            assert critical == pytest.approx(expected, rel=0.02)
        elif np.isinf(expected):
            assert critical == np.inf
        found.append(expected)
    assert 10 < np.isfinite(found).sum() < 50
    assert 10 < sum(said) < 55


def test_uneven_friction_makes_pairs_grow_early():
    """|kappa| = 2 omega sqrt(det eta), off-diagonal friction too; Eq. 30 takes the mean."""
    eta = np.array([[1e-3, 3e-4], [3e-4, 1.5e-4]])
    response = kc.ForceResponse.from_arrays(friction=eta, curl=[[0, 3e-4], [-3e-4, 0]])
    rates = response.pumping_rates(np.eye(2), 0.3)
    assert "The friction differs between directions: by itself it lets entry 0" in rates.warnings[0]
    exact = 2 * 0.3 * np.sqrt(np.linalg.det(eta)) / 3e-4
    assert rates.full_threshold[0] == pytest.approx(exact)
    assert kc.critical_bias(response, DEGENERATE, 2.0) == pytest.approx(exact, rel=1e-5)
    assert rates.growth.max() < 0 < rates.full_growth[0]
    assert "of which 1 grow; threshold from 0.4899" in repr(rates)
    assert rates.full_threshold_bias[0] == pytest.approx(exact)
    even = kc.ForceResponse.from_arrays(friction=1e-3 * np.eye(2), curl=response.curl)
    plain = even.pumping_rates(np.eye(2), 0.3)
    np.testing.assert_array_equal(plain.full_threshold, plain.threshold)
    np.testing.assert_allclose(plain.full_growth, plain.growth.max(axis=1))
    by_hand = kc.PumpingRates(rates.driving, rates.damping)
    np.testing.assert_array_equal(by_hand.full_threshold, by_hand.threshold)


def test_planes_of_rotation_in_space():
    """The same numbers whichever way the axis points: rotated tensors, against the flat ones."""
    rng = np.random.default_rng(5)
    eta = np.array([[1e-3, 3e-4, 0], [3e-4, 1.5e-4, 0], [0, 0, 2e-3]])
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    curl = turn @ [0, 0, 4e-4]
    flat = plane_responses(np.array([4e-4]), eta[None, :2, :2], None)
    for axis in (None, 3 * curl):
        found = plane_responses(curl[None], (turn @ eta @ turn.T)[None], axis)
        np.testing.assert_allclose(found.kappa, flat.kappa)
        np.testing.assert_allclose(found.friction, flat.friction)
        sizes = [np.linalg.norm(one.uneven) for one in (found, flat)]
        assert sizes[0] == pytest.approx(sizes[1])


def test_along_a_straight_wire_nothing_turns():
    """Where dF/dX = 0 the springs are the driving; a warning says that Eq. 30 leaves them out."""
    straight = np.array([[0.0, 2e-4], [0.0, 0.0]])
    response = kc.ForceResponse.from_arrays(friction=1e-5 * np.eye(2), jacobian=straight)
    rates = response.pumping_rates(np.eye(2), 0.3)
    assert re.search(r"split 1 of 1 pairs .* 1\), and 1 by more than the", rates.warnings[0])
    assert np.linalg.norm(rates.springs) == pytest.approx(abs(rates.driving[0]))
    assert rates.growth.max() > 0 > rates.full_growth[0]
    assert rates.full_threshold[0] == np.inf
    assert kc.critical_bias(response, DEGENERATE, 1.0) == np.inf
    alone = kc.ForceResponse.from_arrays(friction=np.eye(2), curl=response.curl)
    assert alone.pumping_rates(np.eye(2), 30.0).springs is None


@pytest.mark.parametrize("omega", [0.01, 0.4])
def test_critical_bias_of_two_levels(omega):
    """Theory, section 5: kappa/V = 1.32629119, eta = 2.21048532 and 1.32629119."""
    syst, coordinates = two_levels()
    response = kc.force_response(syst, coordinates, 0.0)
    modes = modes_of(omega, omega, mass=1e4)
    found = kc.critical_bias(response, modes, 10 * omega)
    assert found == pytest.approx(omega * np.sqrt(20 / 3), rel=1e-7)
    at = kc.stability(response, modes, [0.99 * found, 1.01 * found])
    np.testing.assert_array_equal(at.is_stable, [True, False])
    assert at.is_stable.dtype == bool


def test_with_all_that_the_current_does():
    """Jacobian and velocity tensor: against the determinant of the equation of motion."""
    syst, coordinates = two_levels()
    response = kc.force_response(syst, coordinates, 0.1, bias=0.2, jacobian=True, velocity=True)
    assert np.abs(response.jacobian + response.jacobian.T).max() > 0.01
    assert np.abs(response.lorentz).max() > 0.01
    masses = np.array([900.0, 400.0])
    constants = np.array([[9.0, 0.5], [0.5, 3.0]])
    modes = kc.VibrationalModes.from_force_constants(constants, masses)
    result = kc.stability(response, modes)
    for omega, vector in zip(result.frequencies[0], result.vectors[0], strict=True):
        matrix = (
            constants
            - response.jacobian
            - 1j * omega * response.velocity
            - omega**2 * np.diag(masses)
        )
        np.testing.assert_allclose(matrix @ vector, 0, atol=1e-13)
    assert (result.frequencies.real > 0).all()


def test_a_whole_bias_window():
    """A function of the bias is called anew at each; small windows are linear response."""
    syst, coordinates = two_levels()
    modes = modes_of(0.01, 0.01, mass=1e4)

    def response(bias):
        return kc.force_response(syst, coordinates, 0.0, bias=bias, linear=False, rtol=1e-8)

    found = kc.critical_bias(response, modes, 0.1, steps=4)
    assert found == pytest.approx(0.01 * np.sqrt(20 / 3), rel=1e-3)
    curve = kc.stability(response, modes, [0.0, 0.5])
    expected = kc.stability(two(0.61705068, 2.21048532, 1.32629119), modes)
    np.testing.assert_allclose(curve.frequencies[1], expected.frequencies[0], rtol=1e-6)


@pytest.mark.heavy
def test_without_current_nothing_grows():
    """A hundred random stable systems, with a Lorentz-like force in half of them."""
    rng = np.random.default_rng(11)
    for seed in range(100):
        syst = random_system(seed % 10, n_leads=2).finalized()
        size = len(syst.sites)
        first = [random_hermitian(rng, size) for _ in range(4)]
        response = kc.force_response(
            syst, kc.Matrices(first), rng.uniform(-1.5, 1.5), jacobian=True
        )
        if seed % 2:
            field = rng.normal(size=(4, 4))
            response = dataclasses.replace(
                response,
                lead_velocity=np.zeros((2, 4, 4)),
                equilibrium_lorentz=field - field.T,
            )
        root = rng.normal(size=(4, 4))
        modes = kc.VibrationalModes.from_force_constants(
            root @ root.T + 0.01 * np.eye(4), rng.uniform(0.5, 3.0, 4)
        )
        result = kc.stability(response, modes, 0.0)
        assert result.is_stable.all()
        assert result.growth.max() < 1e-12
        trajectory = kc.langevin(
            response.at_bias(0.0), modes, 20.0, coordinates=np.ones(4), noise=False
        )
        assert trajectory.energy.sum(axis=2)[0, -1] < trajectory.energy.sum(axis=2)[0, 0]


# Pairs


def test_pairs_of_degenerate_modes_grow_as_the_rates_say():
    """The rates of Eq. 30 are the first order in growth over frequency."""
    deviations = []
    for size in (0.01, 0.005):
        response = two(size, 0.3 * size, 0.3 * size)
        pairs = kc.pumped_pairs(response, DEGENERATE)
        rates = response.pumping_rates(np.eye(2), 0.3)
        np.testing.assert_allclose(pairs.driving, rates.driving)
        np.testing.assert_allclose(pairs.damping, rates.damping)
        deviations.append(abs(pairs.growth[0] / rates.growth.max() - 1))
        assert pairs.rotation[0] == pytest.approx(1)
    assert 0 < deviations[1] < 0.6 * deviations[0] < 0.01


def test_unequal_friction_mixes_both_senses():
    """-eta + sqrt(driving^2 + (eta_XX - eta_YY)^2/4): more than Eq. 30, which leaves that out."""
    for size in (1e-4, 1e-5):
        response = two(0.3 * size, 0.5 * size, 0.1 * size)
        pairs = kc.pumped_pairs(response, DEGENERATE)
        expected = -0.3 * size + np.hypot(0.5 * size, 0.2 * size)
        assert pairs.growth[0] == pytest.approx(expected, rel=10 * size)
        assert pairs.growth[0] > response.pumping_rates(np.eye(2), 0.3).growth.max()


def test_detuned_pairs_grow_only_where_driven_harder():
    """Without friction they grow where |kappa|/(2 omega) exceeds the detuning."""
    modes = modes_of(0.3, 0.301)
    for driving, grows in ((0.0009, False), (0.0011, True)):
        pairs = kc.pumped_pairs(two(driving * 2 * 0.3, 0, 0), modes)
        assert (pairs.growth[0] > 1e-6) == grows
        assert pairs.detuning[0] == pytest.approx(0.001)


def test_table_of_pairs():
    rng = np.random.default_rng(0)
    kappa = rng.normal(size=(6, 6)) * 1e-3
    root = rng.normal(size=(6, 6)) * 0.01
    response = synthetic(kappa - kappa.T, root @ root.T)
    modes = modes_of(0.3, 0.3, 0.3001, 0.31, 0.5, 0.5)
    fastest = kc.pumped_pairs(response, modes, by="growth")
    assert fastest.by == "growth"
    assert (np.diff(fastest.growth) <= 0).all()
    pairs = kc.pumped_pairs(response, modes)
    assert pairs.by == "driving"
    assert len(pairs) == 15
    assert (np.diff(np.abs(pairs.driving)) <= 0).all()
    assert sorted(pairs.growth) == sorted(fastest.growth)
    for number, (k, m) in enumerate(pairs.pairs):
        assert k < m
        assert pairs.driving[number] == pytest.approx(
            response.project(modes.patterns).curl[k, m]
            / (2 * np.sqrt(modes.frequencies[k] * modes.frequencies[m]))
        )
        alone = kc.stability(response, modes.select([k, m]))
        assert pairs.growth[number] == pytest.approx(alone.growth.max(), abs=1e-14)
        fast = alone.orbit().vector
        mine = pairs.orbit(number).vector
        overlap = abs(np.vdot(fast, mine)) / np.linalg.norm(fast) / np.linalg.norm(mine)
        assert overlap == pytest.approx(1, abs=1e-9)
    lines = pairs.table(4).splitlines()
    assert len(lines) == 5
    assert lines[0].split() == [
        "modes",
        "frequency",
        "detuning",
        "driving",
        "damping",
        "growth",
        "rotation",
        "curl",
        "friction",
    ]
    first = lines[1].replace(",", " ").split()
    assert [int(x) for x in first[:2]] == pairs.pairs[0].tolist()
    np.testing.assert_allclose(
        [float(x) for x in first[2:]],
        [
            pairs.frequencies[0].real,
            pairs.detuning[0],
            pairs.driving[0],
            pairs.damping[0],
            pairs.growth[0],
            pairs.rotation[0],
            *pairs.contributions[0, :2],
        ],
        rtol=1e-3,
    )
    near = kc.pumped_pairs(response, modes, max_detuning=0.005)
    assert sorted(map(tuple, near.pairs.tolist())) == [(0, 1), (0, 2), (1, 2), (4, 5)]
    assert repr(near).startswith("<PumpedPairs: 4 pairs of modes, of which ")
    placed = dataclasses.replace(near, positions=np.zeros((near.patterns.shape[1] // 2, 2)))
    first = f"first modes {near.pairs[0, 0]} and {near.pairs[0, 1]} "
    assert first + f"({placed.orbit().sense})" in repr(placed)
    nothing = kc.pumped_pairs(response, modes.select([0, 4]), max_detuning=0.01)
    assert len(nothing) == 0
    assert nothing.table().count("\n") == 0


def pair_by_hand(stiffness, gamma):
    """The fastest solution of the quadratic eigenproblem of two modes, by its determinant."""
    (a, b), (c, d) = stiffness
    # z^2 + z gamma + S at z = -i Omega.
    one, two = np.poly1d([1, gamma[0, 0], a]), np.poly1d([1, gamma[1, 1], d])
    off, back = np.poly1d([gamma[0, 1], b]), np.poly1d([gamma[1, 0], c])
    roots = [z for z in (one * two - off * back).roots if z.imag < 0]
    z = max(roots, key=lambda root: root.real)
    whole = np.array([[one(z), off(z)], [back(z), two(z)]])
    return 1j * z, np.linalg.svd(whole)[2][-1].conj()


@pytest.mark.parametrize("size", [1e-3, 0.03, 1.0])
def test_contributions_add_up_to_the_growth(size):
    """Of everything at once, of motions that oscillate and of those that don't."""
    rng = np.random.default_rng(int(1e3 * size))
    n, still = 12, 0
    tensors = {
        name: np.array([part, -part])
        for name in ("lead_jacobian", "lead_velocity")
        for part in [size * rng.normal(size=(n, n))]
    }
    jacobian = tensors["lead_jacobian"][0]
    root = rng.normal(size=(n, n)) / n
    field = size * rng.normal(size=(n, n))
    response = synthetic(
        jacobian.T - jacobian,
        size * root @ root.T,
        equilibrium_lorentz=field - field.T,
        band_distance=10.0,
        **tensors,
    )
    modes = modes_of(*rng.uniform(0.5, 1.0, n))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At the bias", RuntimeWarning)
        pairs = kc.pumped_pairs(response, modes, damping=size * rng.uniform(size=n))
    np.testing.assert_allclose(pairs.contributions.sum(axis=1), pairs.growth, atol=1e-12)
    assert not pairs.contributions[:, SOURCES.index("Lorentz")].any()
    there = [number for number, name in enumerate(SOURCES) if name not in ("Lorentz", "lattice")]
    assert np.abs(pairs.contributions).max(axis=0)[there].min() > 1e-3 * size**2
    still = np.count_nonzero(pairs.frequencies.real == 0)
    assert (still > 3) == (size == 1.0)


def test_contributions_of_a_lattice_add_up_too():
    rng = np.random.default_rng(3)
    n = 4
    jacobian = 0.1 * rng.normal(size=(n, n))
    response = synthetic(jacobian.T - jacobian, 0.01 * np.eye(n))
    leads = kc.PhononLeads.from_oscillators(
        rng.uniform(0.5, 1.0, 3), rng.uniform(0.05, 0.2, 3), 0.1 * rng.normal(size=(3, n))
    )
    modes = dataclasses.replace(modes_of(*rng.uniform(0.5, 1.0, n)), leads=leads)
    pairs = kc.pumped_pairs(response, modes, damping=0.003)
    np.testing.assert_allclose(pairs.contributions.sum(axis=1), pairs.growth, atol=1e-12)
    assert (pairs.contributions[:, SOURCES.index("lattice")] < -1e-4).all()
    for pair, omega in zip(pairs.pairs, pairs.frequencies, strict=True):
        two = kc.stability(response, modes.select(pair), damping=0.003)
        assert np.abs(two.frequencies - omega).min() < 1e-10


def test_what_each_force_does_by_itself():
    """Its work per time over the energy, from the motion in time."""
    rng = np.random.default_rng(5)
    jacobian, gamma = 0.05 * rng.normal(size=(2, 2, 2))
    eta, rates = np.array([[0.03, 0.01], [0.01, 0.02]]), np.array([0.01, 0.02])
    response = synthetic(
        jacobian.T - jacobian,
        eta,
        lead_jacobian=np.array([jacobian, -jacobian]),
        lead_velocity=np.array([gamma, -gamma]),
    )
    modes = modes_of(0.8, 0.83)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At the bias", RuntimeWarning)
        pairs = kc.pumped_pairs(response, modes, damping=rates)
    squares = np.diag(modes.frequencies**2)
    omega, a = pair_by_hand(squares - jacobian, eta + gamma + np.diag(rates))
    assert pairs.frequencies[0] == pytest.approx(omega, abs=1e-10)
    # Of the ensemble of all phases: the mean over them of what real motions do.
    phases = np.exp(2j * np.pi * np.arange(8) / 8)[:, None]
    q, v = (phases * a).real, (phases * a * -1j * omega).real
    energy = 0.5 * np.mean(np.sum(v * v + q * (q @ squares), axis=1))
    forces = {
        "curl": q @ (0.5 * (jacobian - jacobian.T)).T,
        "springs": q @ (0.5 * (jacobian + jacobian.T)),
        "friction": -v @ eta,
        "bias friction": -v @ (0.5 * (gamma + gamma.T)),
        "Lorentz": -v @ (0.5 * (gamma - gamma.T)).T,
        "lattice": np.zeros_like(q),
        "other damping": -v * rates,
    }
    work = [np.mean(np.sum(v * forces[source], axis=1)) / energy for source in SOURCES]
    np.testing.assert_allclose(pairs.contributions[0], work, atol=1e-10)
    assert pairs.contributions[0, 0] == pytest.approx(pairs.driving[0] * pairs.rotation[0], rel=0.1)


def test_a_mode_with_negative_friction_is_named_once():
    """Not as a member of all its pairs; those that the current drives come first."""
    n = 5
    kappa = np.zeros((n, n))
    kappa[0, 1], kappa[1, 0] = 0.02, -0.02
    kappa[2, 3], kappa[3, 2] = 1e-5, -1e-5
    friction = 1e-3 * np.eye(n)
    extra = np.zeros((n, n))
    extra[3, 3] = -0.1
    response = synthetic(kappa, friction, lead_velocity=np.array([extra, -extra]))
    modes = modes_of(0.3, 0.3, 0.4, 0.41, 0.5)
    with pytest.warns(RuntimeWarning, match="linear response is negative"):
        pairs = kc.pumped_pairs(response, modes)
    assert pairs.single.tolist() == [3]
    alone = kc.stability(response.at_bias(0.0), modes.select([3]), 0.0)
    assert alone.growth.max() == pytest.approx(-1e-3)
    assert 2 * pairs.single_frequencies.imag[0] == pytest.approx(0.1 - 1e-3)
    assert pairs.pairs[0].tolist() == [0, 1]
    assert pairs.growth[0] > 0
    assert not pairs.of_single[0]
    np.testing.assert_array_equal(pairs.of_single, (pairs.pairs == 3).any(axis=1))
    assert "10 pairs of modes, of which 1 grow; first modes 0 and 1; mode 3 grows by" in repr(pairs)
    lines = pairs.table(20).splitlines()
    assert lines[-1] == "* mode 3 grows by itself"
    assert sum("*" in line for line in lines[1:-1]) == 4
    assert "bias_friction" in lines[0]
    # A member of a pair that the curl drives harder is no reason to mark it.
    kappa[2, 3], kappa[3, 2] = 0.3, -0.3
    with pytest.warns(RuntimeWarning):
        driven = kc.pumped_pairs(
            synthetic(kappa, friction, lead_velocity=np.array([extra, -extra])), modes
        )
    assert driven.pairs[0].tolist() == [2, 3]
    assert not driven.of_single[0]
    with pytest.raises(ValueError, match="by is 'size'; expected 'driving' or 'growth'"):
        kc.pumped_pairs(response, modes, by="size")


# What turns, and which way


def test_atoms_on_circles_and_waves():
    masses = np.array([1.0, 1.0, 4.0, 4.0])
    circle = np.array([1, 1j, 0, 0])
    opposed = np.array([1, 1j, 0.5, -0.5j])
    line = np.array([1, 0.3, 2, 1]) * np.exp(0.4j)
    np.testing.assert_allclose(
        angular_momenta(np.array([circle, circle.conj(), opposed, line]), masses, 2),
        [1, -1, 0, 0],
        atol=1e-15,
    )
    about_x = np.array([0, 1, 1j, 0, 0, 0])
    np.testing.assert_allclose(angular_momenta(about_x, np.ones(6), 3), [1, 0, 0], atol=1e-15)
    x = np.array([3.0, 0.0, 1.0, 2.0])
    for q in (0.4, -1.3):
        wave = np.exp(1j * q * x)
        assert travel(wave, x[:, None]) == pytest.approx(np.sin(q))
    assert travel(np.ones(4) + 0j, x[:, None]) == 0
    assert travel(np.zeros(4) + 0j, x[:, None]) == 0
    # Longitudinal along a chain that lies in space, one wave per row.
    along = np.array([1.0, 2.0, 2.0]) / 3
    places = np.outer(x, along) + 0.5
    waves = np.exp(1j * np.array([[0.4], [-1.3]]) * x)[:, :, None] * along
    expected = np.outer(np.sin([0.4, -1.3]), along)
    np.testing.assert_allclose(travel(waves.reshape(2, -1), places), expected, atol=1e-14)
    assert not travel(np.ones(3) + 0j, np.zeros((1, 3))).any()


def test_orbit_follows_the_trajectory():
    """The eigenvector and the integrator agree on where the atoms go."""
    positions = np.array([[0.0, 0.0], [1.0, 0.0]])
    rng = np.random.default_rng(3)
    kappa = 0.01 * rng.normal(size=(4, 4))
    response = synthetic(kappa - kappa.T, 0.002 * np.eye(4), positions=positions)
    root = rng.normal(size=(4, 4))
    modes = kc.VibrationalModes.from_force_constants(
        root @ root.T + np.eye(4), [2.0, 3.0], positions=positions
    )
    result = kc.stability(response, modes)
    orbit = result.orbit(mode=1)
    amplitudes = result.amplitudes[0, 1]
    omega = result.frequencies[0, 1]
    trajectory = kc.langevin(
        response,
        modes,
        6.0,
        time_step=1e-3,
        coordinates=amplitudes.real,
        velocities=(-1j * omega * amplitudes).real,
        noise=False,
        every=1500,
    )
    assert orbit.frequency == omega.real
    assert orbit.growth == 2 * omega.imag
    for time, place in zip(trajectory.times, trajectory.displacements[0], strict=True):
        expected = orbit.displacements(omega.real * time) * np.exp(omega.imag * time)
        np.testing.assert_allclose(place, expected, atol=1e-5)
    assert orbit.angular_momentum == pytest.approx(result.angular_momentum[0, 1])
    np.testing.assert_allclose(orbit.travel, result.travel[0, 1])
    assert -1 <= orbit.angular_momentum <= 1


def test_orbits_say_which_way():
    places = np.array([[0.0, 0.0], [1.0, 0.0]])

    def said(vector, positions=places):
        return repr(kc.Orbit(np.array(vector, complex), 0.5, 0.01, np.ones(4), positions))

    assert said([1, 1j, 1, 1j]).endswith("angular momentum 1 ħ per quantum, anticlockwise>")
    assert said([1, -1j, 1, -1j]).endswith("angular momentum -1 ħ per quantum, clockwise>")
    # Two orbitals at each place of a chain, as atoms of their own, in a wave towards positive x.
    wave = np.repeat(np.exp(1j * np.pi / 2 * np.arange(5)), 2)[:, None] * [1.0, 0.0]
    twice = np.repeat(np.arange(5.0), 2)[:, None] * [1.0, 0.0]
    along = kc.Orbit(wave.ravel(), 0.5, 0.0, np.ones(20), twice)
    np.testing.assert_allclose(along.travel, [1, 0], atol=1e-12)
    one = kc.Orbit(np.array([1, 0, 1, 0]), 0.5, 0.0, np.ones(4), np.zeros((2, 2)))
    assert one.sense == "to and fro"
    deep = kc.Orbit(np.array([0, 1, 1j]), 0.5, 0.0, np.ones(3), np.zeros((1, 3)))
    assert deep.sense == "angular momentum (1, 0, 0) ħ per quantum"
    assert said([1, 0, 1j, 0]).endswith("travels [1. 0.]>")
    assert said([1, 1, 1, 1]).endswith("to and fro>")
    assert said([1, 1, 1, 1], None) == "<Orbit of 4 coordinates, frequency 0.5, growth 0.01/ħ>"


def test_modes_are_followed_through_crossings():
    """Two modes that cross as the bias grows keep their vectors."""
    stiff = np.diag([0.0, -0.1])  # softens the second as V grows
    response = two(0.0, 1e-4, 1e-4, lead_jacobian=np.array([-stiff, stiff]))
    modes = modes_of(0.30, 0.31)
    result = kc.stability(response, modes, np.linspace(0, 0.4, 9))
    assert result.frequencies[-1, 0].real > result.frequencies[-1, 1].real
    np.testing.assert_allclose(np.abs(result.amplitudes[-1]), np.eye(2), atol=1e-3)
    np.testing.assert_allclose(result.voltage, np.linspace(0, 0.4, 9))
    expected = np.sqrt(0.31**2 - 0.1 * result.voltage)
    np.testing.assert_allclose(result.frequencies[:, 1].real, expected, atol=1e-6)


def test_overdamped_and_unstable_springs():
    heavy, vectors = complex_frequencies(np.diag([1.0, 4.0]), np.diag([10.0, 0.1]))
    assert heavy[0].real == 0
    assert heavy[0].imag == pytest.approx(-(5 - np.sqrt(24)))
    assert heavy[1] == pytest.approx(np.sqrt(4 - 0.05**2) - 0.05j)
    np.testing.assert_allclose(np.abs(vectors), np.eye(2), atol=1e-12)
    negative, _ = complex_frequencies(np.diag([-0.01, 4.0]), np.zeros((2, 2)))
    assert negative[0] == pytest.approx(0.1j)


# Dynamics


def test_growth_of_the_energy_is_driving_minus_damping():
    """Without noise; the deviation halves or better as the coupling is halved."""
    deviations = []
    for size in (0.016, 0.008, 0.004):
        response = two(size, 0.2 * size, 0.2 * size)
        expected = response.pumping_rates(np.eye(2), 0.3).growth[0]
        assert expected[0] > 0 > expected[1]
        for sense, rate in zip((1, -1), expected, strict=True):
            motion = kc.langevin(
                response,
                DEGENERATE,
                1.0 / abs(rate),
                coordinates=[1.0, 0.0],
                velocities=[0.0, 0.3 * sense],
                noise=False,
                time_step=0.05,
            )
            energy = motion.energy.sum(axis=2)[0]
            # Whole turns, so that what the start excites besides averages out.
            measured = np.log(energy[-1] / energy[0]) / motion.times[-1]
            if sense > 0:
                deviations.append(abs(measured / rate - 1))
    assert deviations[0] < 0.05
    assert deviations[1] < 0.5 * deviations[0]
    assert deviations[2] < 0.5 * deviations[1]


def test_waterwheel_of_a_device():
    """From the system to the trajectory: the energy grows as pumping_rates says it does."""
    syst = square_wire(length=8, width=6, disorder=1.2).finalized()
    moving = kc.Displacements([20], scaling=kc.PowerLaw(2))
    response = kc.force_response(syst, moving, 1.7, jacobian=False)
    omega, mass = 0.01, 1e4
    modes = modes_of(omega, omega, mass=mass)
    threshold = kc.critical_bias(response, modes, 10.0)
    driven = response.at_bias(3 * threshold)
    rate = driven.pumping_rates(np.eye(2), omega, mass).growth.max()
    sense = np.sign(driven.curl[0, 1])
    motion = kc.langevin(
        driven,
        modes,
        2 / rate,
        coordinates=[1.0, 0.0],
        velocities=[0.0, sense * omega],
        noise=False,
    )
    energy = motion.energy.sum(axis=2)[0]
    assert np.log(energy[-1] / energy[0]) / motion.times[-1] == pytest.approx(rate, rel=0.02)


def test_integrator_is_second_order():
    """Against the exponential of the whole equation of motion."""
    rng = np.random.default_rng(5)
    stiffness = np.diag([1.0, 1.5, 2.0]) + 0.1 * rng.normal(size=(3, 3))
    damping = 0.1 * np.eye(3) + 0.3 * (lambda a: a - a.T)(rng.normal(size=(3, 3)))
    whole = np.block([[np.zeros((3, 3)), np.eye(3)], [-stiffness, -damping]])
    start = rng.normal(size=6)
    exact = expm(4.0 * whole) @ start
    errors = []
    for step in (0.02, 0.01):
        move = propagation(stiffness, damping, np.zeros((3, 3)), step)
        q, v = start[:3], start[3:]
        for _ in range(round(4.0 / step)):
            q, v = move.advance(q, v, None)
        errors.append(np.abs(np.concatenate([q, v]) - exact).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)


def stationary(stiffness, damping, noise, step):
    """Covariance of (q, v) that the integrator tends to: it is a linear map."""
    n = len(stiffness)
    move = propagation(stiffness, damping, noise, step)
    unit, zero = np.eye(2 * n), np.zeros((n, n))
    q, v = move.advance(unit[:, :n], unit[:, n:], None)
    kicked_q, kicked_v = move.advance(zero, zero, np.eye(n))
    step_matrix = np.hstack([q, v]).T
    root = np.hstack([kicked_q, kicked_v]).T
    return solve_discrete_lyapunov(step_matrix, root @ root.T)


def test_equilibrium_is_thermal():
    """S = 2 kT eta: kT in each mode, its coordinates' variance exact at any step."""
    rng = np.random.default_rng(6)
    root = rng.normal(size=(3, 3))
    friction, kt = 0.1 * root @ root.T + 0.01 * np.eye(3), 0.025
    field = rng.normal(size=(3, 3))
    omega = np.array([0.5, 0.8, 1.0])
    errors = []
    for step in (0.2, 0.1):
        covariance = stationary(
            np.diag(omega**2), friction + 0.3 * (field - field.T), 2 * kt * friction, step
        )
        expected = np.diag(np.concatenate([kt / omega**2, [kt] * 3]))
        errors.append(np.abs(covariance - expected).max() / kt)
    assert errors[1] < 0.01
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    plain = stationary(np.diag(omega**2), 0.1 * np.eye(3), 0.2 * kt * np.eye(3), 0.5)
    np.testing.assert_allclose(plain[:3, :3], np.diag(kt / omega**2), atol=1e-12)


def test_steady_state_under_current():
    """Below the threshold: against the continuous Lyapunov equation, with a device's tensors."""
    syst, coordinates = two_levels()
    response = kc.force_response(
        syst, coordinates, 0.0, bias=0.1, temperature=0.02, jacobian=True, velocity=True, noise=True
    )
    modes = modes_of(1.0, 1.1, mass=10.0)
    projected = response.project(modes.patterns)
    stiffness = np.diag(modes.frequencies**2) - projected.jacobian
    whole = np.block([[np.zeros((2, 2)), np.eye(2)], [-stiffness, -projected.velocity]])
    source = np.zeros((4, 4))
    source[2:, 2:] = projected.noise
    expected = solve_continuous_lyapunov(whole, -source)
    errors = [
        np.abs(stationary(stiffness, projected.velocity, projected.noise, h) - expected).max()
        for h in (0.1, 0.05)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] < 1e-3 * np.abs(expected).max()
    sampled = kc.langevin(response, modes, 200.0, n_trajectories=400, every=20, seed=1)
    late = sampled.coordinates[:, len(sampled.times) // 2 :]
    measured = np.einsum("nti,ntj->ij", late, late) / late[..., 0].size
    np.testing.assert_allclose(measured, expected[:2, :2], atol=0.05 * np.abs(expected).max())


def test_seeds():
    syst, coordinates = two_levels()
    response = kc.force_response(syst, coordinates, 0.0, bias=0.1, noise=True)
    modes = modes_of(1.0, 1.1)
    one, same, other = (
        kc.langevin(response, modes, 5.0, seed=seed, n_trajectories=3) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.coordinates, same.coordinates)
    assert np.abs(one.coordinates - other.coordinates).max() > 0.01
    assert np.abs(one.coordinates[0] - one.coordinates[1]).max() > 0.01
    assert one.coordinates.shape == one.velocities.shape == (3, len(one.times), 2)
    assert one.energy.shape == one.displacements.shape == (3, len(one.times), 2)
    thin = kc.langevin(response, modes, 5.0, seed=1, n_trajectories=3, every=7)
    np.testing.assert_array_equal(thin.coordinates, one.coordinates[:, ::7])
    np.testing.assert_allclose(thin.times, one.times[::7])
    assert repr(one).startswith("<Trajectory of 2 modes, 3 times over, ")


# The energy that the current gives: Eq. 33 and 34


def test_work_per_turn_is_the_phonons_emitted():
    """An atom led round a circle in systems that are rebuilt, and the golden rule's phonons.

    Work per turn = hbar omega times the net number of phonons that the current emits per turn,
    (emission - absorption of (+)) less the friction, which (-) tells.
    """
    model = MODELS["one orbital"]
    positions = model.positions()
    radius, n_points, bias = 1e-3, 8, 1.0

    def force(angle):
        moved = positions.copy()
        moved[0] += radius * np.array([np.cos(angle), np.sin(angle)])
        syst = model.syst_of_functions(moved)
        operators = kc.Force(syst, kc.Displacements(atoms_of(syst)[:1])).matrices()
        left, right = lead_densities(syst, model.energy)
        delta_rho = 0.5 * bias * (left - right)
        return np.array([np.trace(f.toarray() @ delta_rho).real for f in operators])

    angles = 2 * np.pi * np.arange(n_points) / n_points
    steps = radius * 2 * np.pi / n_points * np.stack([-np.sin(angles), np.cos(angles)], axis=1)
    work = sum(force(angle) @ step for angle, step in zip(angles, steps, strict=True))

    syst = model.syst_of_functions(positions)
    moving, mass = kc.Displacements(atoms_of(syst)[:1]), 50.0
    ratios = []
    for omega in (0.008, 0.004):
        small = 2 * omega  # the rates are linear in the bias: of that, scaled to `bias`
        rates = kc.phonon_rates(
            syst, moving, np.eye(2), model.energy, frequency=omega, mass=mass, bias=small
        )
        driving = 0.5 * (rates.growth[0, 0] - rates.growth[0, 1]) * bias / small
        phonons = mass * omega * radius**2  # N of M omega^2 A^2 = N hbar omega
        emitted = driving * phonons * 2 * np.pi / omega
        ratios.append(omega * emitted / work)
    assert ratios[1] == pytest.approx(1, abs=0.02)
    assert 2 * ratios[1] - ratios[0] == pytest.approx(1, abs=2e-3)


def test_chain_at_twice_the_fermi_momentum():
    """The wave that the current makes travel: from the modes of a chain of springs."""
    syst = chain(30).finalized()
    energy = -2 * np.cos(1.1)
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    response = kc.force_response(syst, moving, energy, jacobian=True, velocity=True)
    n = len(response.force)
    # Springs to the ground, so that all waves have nearly one frequency.
    spring = np.diag(np.full(n, 20.0 + 2e-6)) - 1e-6 * (np.eye(n, k=1) + np.eye(n, k=-1))
    modes = kc.VibrationalModes.from_force_constants(spring, 1e4, positions=response.positions)
    result = kc.stability(response, modes, [0.5, -0.5])
    for point, sign in enumerate((1, -1)):
        orbit = result.orbit(point)
        assert orbit.growth > 0
        assert np.sign(orbit.travel[0]) == np.sign(np.sin(2.2)) * sign
        assert abs(orbit.travel[0]) > 0.5
    assert "travels" in repr(result.orbit(0))


def test_strong_friction_in_the_integrator():
    """The Ornstein-Uhlenbeck step against its closed form, from weak to very strong friction."""
    rng = np.random.default_rng(8)
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for strength in (0.1, 20.0, 300.0, 1e4):
        rates = strength * np.array([1, 0.1, 1e-3])
        friction, noise = (basis * r @ basis.T for r in (rates, 2 * 0.3 * rates))
        move = propagation(np.zeros((3, 3)), friction, noise, 1.0)
        np.testing.assert_allclose(move.decay, basis * np.exp(-rates) @ basis.T, atol=1e-11)
        expected = basis * (0.3 * (1 - np.exp(-2 * rates))) @ basis.T
        np.testing.assert_allclose(move.noise @ move.noise.T, expected, atol=1e-11)
    with pytest.raises(ValueError, match="not positive semidefinite"):
        propagation(np.eye(2), np.eye(2), np.diag([1.0, -1e-5]), 0.1)


def test_energy_and_times_are_what_they_say():
    modes = modes_of(0.5, 2.0)
    motion = kc.langevin(
        two(0, 0, 0), modes, 3.3, coordinates=[2.0, 0.0], velocities=[0.0, 3.0], noise=False
    )
    np.testing.assert_allclose(motion.energy[0, 0], [0.5 * 0.25 * 4, 4.5])
    assert motion.times[-1] == pytest.approx(3.3)
    assert kc.langevin(two(0, 0, 0), modes, 0.001, noise=False).times[-1] == pytest.approx(0.001)


def test_springs_that_the_current_stiffens():
    """They shorten the longest step, which would otherwise be unstable."""
    stiff = np.array([-2 * np.eye(2), 2 * np.eye(2)])
    response = two(0.0, 0.01, 0.01, lead_jacobian=stiff)
    assert kc.stability(response, DEGENERATE).is_stable.all()
    with pytest.raises(ValueError, match=r"fastest motion, of frequency 1\.446"):
        kc.langevin(response, DEGENERATE, 500.0, time_step=1.6, noise=False)
    motion = kc.langevin(response, DEGENERATE, 500.0, coordinates=[1.0, 0.0], noise=False)
    assert np.abs(motion.coordinates).max() <= 1.0
    wild = two(0.5, 0.0, 0.0)
    with pytest.raises(ValueError, match="beyond all numbers by the time"):
        kc.langevin(wild, DEGENERATE, 1e4, coordinates=[1.0, 0.0], noise=False)


# Where the numbers might go wrong


def test_small_frequencies_and_many_overdamped_modes():
    for scale in (1e-6, 1.0, 1e6):
        kappa, eta = 1e-7 * scale**2, 2e-8 * scale
        frequencies, _ = complex_frequencies(
            np.array([[scale**2, kappa / 2], [-kappa / 2, scale**2]]), eta * np.eye(2)
        )
        expected = kappa / (4 * scale) - eta / 2
        assert frequencies.imag.max() == pytest.approx(expected, rel=1e-6)
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    stiffness = basis @ np.diag(np.repeat([1.0, 4.0], 6)) @ basis.T
    frequencies, vectors = complex_frequencies(stiffness, 10 * np.eye(12))
    slow = 5 - np.sqrt(25 - np.array([1.0, 4.0]))
    np.testing.assert_allclose(np.sort(-frequencies.imag), np.repeat(slow, 6), rtol=1e-6)
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    np.testing.assert_allclose(largest.imag, 0, atol=1e-12)
    assert (largest.real > 0).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)


def test_rounding_is_no_growth():
    """A hundred modes without friction, mixed by a symmetric Jacobian: nothing grows."""
    rng = np.random.default_rng(3)
    mixed = rng.normal(size=(100, 100))
    mixed = 1e-3 * (mixed + mixed.T)
    zero = np.zeros((100, 100))
    response = synthetic(zero, zero, lead_jacobian=np.array([mixed, -mixed]))
    modes = modes_of(*rng.uniform(0.9, 1.1, 100))
    assert kc.stability(response, modes, [0.5, 1.0]).is_stable.all()
    assert kc.critical_bias(response, modes, 1.0, steps=4) == np.inf


@pytest.mark.parametrize("largest", [0.031, 1.0, 1e6, 1e12, 1e150])
def test_critical_bias_does_not_depend_on_the_range(largest):
    found = kc.critical_bias(two(0.02, 1e-3, 1e-3), DEGENERATE, largest)
    assert found == pytest.approx(0.03, rel=1e-8)
    weak = kc.critical_bias(two(0.02, 1e-8, 1e-8), DEGENERATE, largest)
    assert weak == pytest.approx(3e-7, rel=1e-4)  # growth above 1e-13 of the frequency


def test_an_instability_that_ends_again():
    """Found between the biases that are looked at by default; a function of the bias serves."""

    def response(bias):
        size = 0.01 if 0.4 < bias < 0.6 else 0.0
        return two(size, 1e-3, 1e-3).at_bias(1.0)

    found = kc.critical_bias(response, DEGENERATE, 1.0)
    assert found == pytest.approx(0.4, rel=1e-6)
    assert kc.critical_bias(response, DEGENERATE, 1.0, steps=1) == np.inf


def test_modes_are_followed_by_their_phase_and_through_permutations():
    """Degenerate modes (1, i) and (1, -i) differ by a conjugate; three that change places."""
    kappa = np.linspace(0.01, 0.05, 5)
    result = kc.stability(two(1.0, 0.0, 0.0), DEGENERATE, kappa)
    first, second = result.amplitudes[:, 0].T
    turns = 2 * (first.conj() * second).imag
    assert (np.sign(turns) == np.sign(turns[0])).all()
    drift = np.diag([0.5, -0.2, -0.3])  # squares 1, 1.1, 1.2 end in the order 1.1, 1.2, 1.5
    response = synthetic(
        np.zeros((3, 3)), 1e-4 * np.eye(3), lead_jacobian=np.array([-drift, drift])
    )
    modes = modes_of(*np.sqrt([1.0, 1.1, 1.2]))
    # One large step: the order by frequency permutes cyclically, the vectors stay.
    result = kc.stability(response, modes, [0.0, 0.7])
    np.testing.assert_allclose(np.abs(result.amplitudes[1]), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(result.frequencies[1].real, np.sqrt([1.35, 0.96, 0.99]), rtol=1e-6)


def test_pairs_in_pieces(monkeypatch):
    rng = np.random.default_rng(0)
    kappa = 1e-3 * rng.normal(size=(6, 6))
    response = synthetic(kappa - kappa.T, 1e-3 * np.eye(6), positions=None)
    modes = modes_of(
        0.3, 0.3, 0.3001, 0.31, 0.5, 0.5, positions=rng.normal(size=(3, 2)), sites=[3, 1, 2]
    )
    whole = kc.pumped_pairs(response, modes)
    assert whole.angular_momentum.shape == (15,)  # where the atoms are, the modes know
    monkeypatch.setattr("kwant_curl.vibrations.pumping.PIECE", 2)
    pieces = kc.pumped_pairs(response, modes)
    np.testing.assert_array_equal(pieces.frequencies, whole.frequencies)
    np.testing.assert_array_equal(pieces.pairs, whole.pairs)


# What the user should be told


def test_damping_of_other_origin():
    """It adds to that by electrons, brings its own noise, and raises the critical bias."""
    response = two(0.02, 0.002, 0.002)
    total = two(0.02, 0.005, 0.005)
    for name in ("stability", "pumped_pairs"):
        routine = getattr(kc, name)
        one = routine(response, DEGENERATE, damping=0.003)
        np.testing.assert_allclose(one.frequencies, routine(total, DEGENERATE).frequencies)
    pairs = kc.pumped_pairs(response, DEGENERATE, damping=[0.002, 0.004])
    assert pairs.damping[0] == pytest.approx(0.005)
    expected = kc.critical_bias(total, DEGENERATE, 1.0)
    assert kc.critical_bias(response, DEGENERATE, 1.0, damping=0.003) == pytest.approx(expected)
    still = dataclasses.replace(
        synthetic(np.zeros((2, 2)), np.zeros((2, 2)), temperature=0.1),
        pair_noise=np.zeros((2, 2, 2, 2)),
    )
    modes = modes_of(1.0, 1.5)
    motion = kc.langevin(still, modes, 400.0, damping=0.2, n_trajectories=60, every=40, seed=3)
    late = motion.energy[:, len(motion.times) // 4 :].mean(axis=(0, 1))
    np.testing.assert_allclose(late, 0.1, rtol=0.05)  # kT in each


def test_negative_friction_of_linear_response_is_said():
    extra = np.array([np.eye(2), -np.eye(2)]) * 0.01
    response = two(0.0, 1e-3, 1e-3, lead_velocity=-extra)
    kc.stability(response, DEGENERATE, 0.05)
    with pytest.warns(RuntimeWarning, match="linear response is negative .*linear=False"):
        kc.stability(response, DEGENERATE, [0.05, 0.2])
    with pytest.warns(RuntimeWarning, match="linear response is negative"):
        kc.pumped_pairs(response, DEGENERATE)
    with pytest.warns(RuntimeWarning, match="linear response is negative"):
        kc.langevin(response, DEGENERATE, 1.0, noise=False)
    window = dataclasses.replace(response, linear=False, lead_velocity=-0.5 * extra)
    kc.stability(window, DEGENERATE)  # a whole window may have it


def test_springs_that_are_lost_are_no_waterwheels():
    soft = np.array([np.diag([0.0, 0.5]), np.diag([0.0, -0.5])])
    response = two(1e-6, 1e-3, 1e-3, lead_jacobian=soft)
    modes = modes_of(0.3, 0.3)
    with pytest.warns(RuntimeWarning, match=r"unstable at 0\.18 is no vibration"):
        found = kc.critical_bias(response, modes, 1.0)
    assert found == pytest.approx(0.18, rel=1e-6)
    result = kc.stability(response, modes, 0.2)
    assert result.orbit().frequency == 0
    assert "the atoms leave their places" in repr(result.orbit())
    pairs = kc.pumped_pairs(response.at_bias(0.2), modes)
    assert "of which 0 grow; first modes 0 and 1; mode 1 grows by itself (1 of them" in repr(pairs)
    assert "without oscillating: springs that are lost)" in repr(pairs)
    springs = pairs.contributions[0, SOURCES.index("springs")]
    assert springs > pairs.growth[0]  # the friction takes some of it


def test_what_they_say():
    stable = kc.stability(two(0.0, 1e-3, 1e-3), DEGENERATE, [0.0, 1.0])
    assert repr(stable) == "<Stability of 2 modes at 2 biases: stable>"
    grows = kc.stability(two(0.02, 1e-3, 1e-3, units=kc.EV_ANGSTROM_AMU), DEGENERATE)
    assert grows.units is kc.EV_ANGSTROM_AMU
    assert repr(grows).startswith("<Stability of 2 modes at a bias of 1 eV: growth of up to 0.0")
    three = dataclasses.replace(
        grows,
        bias=np.array([[0.3, -0.1, 0.0], [-0.3, 0.1, 0.0], [0.1, 0.0, 0.0]]),
        frequencies=grows.frequencies[[0, 0, 0]],
        amplitudes=grows.amplitudes[[0, 0, 0]],
    )
    np.testing.assert_allclose(three.voltage, [0.4, -0.4, 0.1])
    uneven = dataclasses.replace(three, bias=np.array([[0.6, -0.5, 0.2]] * 3))
    np.testing.assert_allclose(uneven.voltage, 1.1)
    again = kc.stability(two(0.02, 1e-3, 1e-3), DEGENERATE, grows.bias)
    np.testing.assert_allclose(again.frequencies, grows.frequencies)
    pairs = kc.pumped_pairs(two(0.02, 1e-3, 1e-3, units=kc.EV_ANGSTROM_AMU), DEGENERATE)
    names, units = (line.split() for line in pairs.table().splitlines()[:2])
    assert len(names) == 9
    assert units == ["eV", "eV", "eV/ħ", "eV/ħ", "eV/ħ", "eV/ħ", "eV/ħ"]
    assert "<pre>" in pairs._repr_html_()


# Bad input


def test_bad_input():
    response = two(0.01, 1e-3, 1e-3)
    with pytest.raises(
        ValueError, match="response is that of 2 coordinates and the modes are of 3"
    ):
        kc.stability(response, modes_of(1, 2, 3))
    places = dataclasses.replace(response, positions=np.zeros((1, 2)))
    with pytest.raises(ValueError, match="differ in their positions"):
        kc.stability(places, modes_of(1, 2, positions=np.ones((1, 2))))
    near = dataclasses.replace(response, positions=np.array([[1e-4, 0.0]]))
    with pytest.raises(ValueError, match="differ in their positions"):
        kc.stability(near, modes_of(1, 2, positions=np.zeros((1, 2))))
    lost = dataclasses.replace(response, positions=np.full((1, 2), np.nan))
    with pytest.raises(ValueError, match="differ in their positions"):
        kc.stability(lost, modes_of(1, 2, positions=np.zeros((1, 2))))
    with pytest.raises(ValueError, match=r"atoms of shape \(1, 2\) and the modes of \(2, 1\)"):
        kc.stability(near, modes_of(1, 2, positions=np.zeros((2, 1))))
    named = dataclasses.replace(response, sites=np.array([4, 5]))
    with pytest.raises(ValueError, match=r"sites \[4 5\] and the modes are of \[5 4\]"):
        kc.stability(named, modes_of(1, 2, sites=[5, 4]))
    with pytest.raises(TypeError, match="modes is a str; expected VibrationalModes"):
        kc.stability(response, "x")
    with pytest.raises(TypeError, match="modes is a str; expected VibrationalModes"):
        kc.critical_bias(response, "x", 1.0)
    with pytest.raises(TypeError, match="bias is '12'"):
        kc.stability(response, DEGENERATE, "12")
    with pytest.raises(TypeError, match="bias is True"):
        kc.stability(response, DEGENERATE, [True])
    with pytest.raises(TypeError, match="direction is True"):
        kc.critical_bias(response, DEGENERATE, 1.0, direction=True)
    for wrong in (1.5, True):
        with pytest.raises(ValueError, match="steps is"):
            kc.critical_bias(response, DEGENERATE, 1.0, steps=wrong)
    with pytest.raises(ValueError, match=r"rtol is -1"):
        kc.critical_bias(response, DEGENERATE, 1.0, rtol=-1.0)
    with pytest.raises(TypeError, match="response is a int; expected a ForceResponse"):
        kc.stability(3, DEGENERATE)
    with pytest.raises(TypeError, match=r"returned a NoneType at the bias 0\.1"):
        kc.stability(lambda bias: None, DEGENERATE, 0.1)
    with pytest.raises(ValueError, match="bias is empty"):
        kc.stability(response, DEGENERATE, [])
    window = dataclasses.replace(response, linear=False)
    with pytest.raises(ValueError, match="has kept no energies from which another bias"):
        kc.stability(window, DEGENERATE, [0.1])
    assert kc.stability(window, DEGENERATE).frequencies.shape == (1, 2)
    with pytest.raises(ValueError, match="There is 1 mode; expected two"):
        kc.pumped_pairs(response, DEGENERATE.select([0]))
    with pytest.raises(ValueError, match="max_detuning is -1"):
        kc.pumped_pairs(response, DEGENERATE, max_detuning=-1)
    with pytest.raises(ValueError, match="largest is 0"):
        kc.critical_bias(response, DEGENERATE, 0)
    with pytest.raises(ValueError, match="steps is 0"):
        kc.critical_bias(response, DEGENERATE, 1.0, steps=0)
    with pytest.raises(ValueError, match="grows without bias"):
        kc.critical_bias(two(0.01, -1e-3, 1e-3), DEGENERATE, 1.0)
    for name in ("angular_momentum", "travel"):
        with pytest.raises(ValueError, match="not displacements of atoms"):
            getattr(kc.stability(response, DEGENERATE), name)
    with pytest.raises(ValueError, match="on a line, where nothing turns"):
        _ = kc.Orbit(np.ones(1), 1.0, 0.0, np.ones(1), np.zeros((1, 1))).angular_momentum
    with pytest.raises(ValueError, match=r"damping has shape \(3,\)"):
        kc.stability(response, DEGENERATE, damping=np.ones(3))
    with pytest.raises(ValueError, match=r"damping is -1.*not negative"):
        kc.pumped_pairs(response, DEGENERATE, damping=-1.0)
    with pytest.raises(TypeError, match="function of the bias, but bias is not given"):
        kc.stability(lambda bias: response, DEGENERATE)
    with pytest.raises(TypeError, match="response is a function; expected a ForceResponse"):
        kc.pumped_pairs(lambda bias: response, DEGENERATE)
    with pytest.raises(ValueError, match=r"direction is \{0: 0\.0\}, no bias"):
        kc.critical_bias(response, DEGENERATE, 1.0, direction={0: 0.0})
    result = kc.stability(response, DEGENERATE)
    with pytest.raises(IndexError, match="there are 1 biases and 2 modes"):
        result.orbit(3)
    with pytest.raises(IndexError, match="mode 5: there are 1 biases and 2 modes"):
        result.orbit(mode=5)
    with pytest.raises(IndexError, match="number is 1: there are 1 pairs"):
        kc.pumped_pairs(response, DEGENERATE).orbit(1)


def test_bad_input_of_dynamics():
    response = two(0.01, 1e-3, 1e-3)
    with pytest.raises(ValueError, match="holds no noise"):
        kc.langevin(response, DEGENERATE, 1.0, seed=1)
    noisy = dataclasses.replace(response, pair_noise=np.zeros((2, 2, 2, 2)))
    with pytest.raises(ValueError, match="seed is not given"):
        kc.langevin(noisy, DEGENERATE, 1.0)
    quiet = {"noise": False}
    with pytest.raises(TypeError, match="noise is 'no'"):
        kc.langevin(response, DEGENERATE, 1.0, noise="no")
    with pytest.raises(TypeError, match="response is a str"):
        kc.langevin("x", DEGENERATE, 1.0, **quiet)
    with pytest.raises(ValueError, match="duration is 0"):
        kc.langevin(response, DEGENERATE, 0, **quiet)
    with pytest.raises(ValueError, match=r"time_step is 2, too long .* at most 1\.665"):
        kc.langevin(response, DEGENERATE, 1.0, time_step=2.0, **quiet)
    with pytest.raises(ValueError, match="n_trajectories is 0"):
        kc.langevin(response, DEGENERATE, 1.0, n_trajectories=0, **quiet)
    with pytest.raises(ValueError, match=r"every is 1\.5"):
        kc.langevin(response, DEGENERATE, 1.0, every=1.5, **quiet)
    with pytest.raises(ValueError, match=r"coordinates has shape \(3,\)"):
        kc.langevin(response, DEGENERATE, 1.0, coordinates=np.ones(3), **quiet)
    with pytest.raises(ValueError, match=r"velocities has shape .* complex"):
        kc.langevin(response, DEGENERATE, 1.0, velocities=1j * np.ones(2), **quiet)
    with pytest.raises(ValueError, match="coordinates has entries that are not finite"):
        kc.langevin(response, DEGENERATE, 1.0, coordinates=[np.nan, 0], **quiet)
    bad = np.zeros((2, 2, 2, 2))
    bad[0, 1] = -np.eye(2)
    with pytest.raises(ValueError, match="not positive semidefinite"):
        kc.langevin(dataclasses.replace(response, pair_noise=bad), DEGENERATE, 1.0, seed=1)


# The critical bias: which mode it is


def test_the_critical_bias_is_a_number():
    found = kc.critical_bias(two(0.02, 1e-3, 1e-3), DEGENERATE, 1.0)
    assert isinstance(found, float)
    assert float(found) == found.bias == found
    assert 2 * found == pytest.approx(0.06)
    assert found < 0.04 <= found + 0.02
    assert f"{found:.3f}" == "0.030"
    assert np.array([found, 1.0]).dtype == float
    assert found in {found.bias}
    for again in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert type(again) is kc.CriticalBias
        assert again == found
        assert repr(again) == repr(found)
        assert not again.vector.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.bias = 1.0


def test_the_critical_bias_knows_its_mode():
    rng = np.random.default_rng(4)
    kappa, root = rng.normal(size=(6, 6)), rng.normal(size=(6, 6))
    positions = rng.normal(size=(3, 2))
    response = synthetic(
        kappa - kappa.T, 1e-3 * (root @ root.T + np.eye(6)), units=kc.EV_ANGSTROM_AMU
    )
    response = dataclasses.replace(response, positions=positions)
    constants = np.diag(np.linspace(1.0, 1.4, 6)) ** 2
    modes = kc.VibrationalModes.from_force_constants(constants, 2e3, positions=positions)
    found = kc.critical_bias(response, modes, 1.0, direction={1: -1.0})
    np.testing.assert_allclose(found.shifts, [0, -found])
    at = kc.stability(response, modes, found.shifts[None])
    assert found.mode == at.frequencies[0].imag.argmax()
    assert found.frequency == pytest.approx(at.frequencies[0, found.mode].real)
    assert abs(found.growth) < 1e-9
    np.testing.assert_allclose(found.vector, at.vectors[0, found.mode], atol=1e-9)
    np.testing.assert_allclose(found.amplitudes @ modes.patterns, found.vector)
    assert found.vibration == np.abs(at.amplitudes[0, found.mode]).argmax()
    orbit = found.orbit()
    assert orbit.frequency == found.frequency
    assert found.angular_momentum == orbit.angular_momentum == at.angular_momentum[0, found.mode]
    np.testing.assert_array_equal(found.travel, orbit.travel)
    assert repr(found).startswith(f"<CriticalBias {found.bias:.6g} eV: mode {found.mode}, mostly")
    assert f" eV, {orbit.sense}" in repr(found)
    assert orbit.sense.endswith("clockwise")
    alone = kc.critical_bias(response, modes.select([0, 1]), 1.0)
    assert alone.amplitudes.shape == (2,)
    assert alone.vector.shape == (6,)


def test_no_critical_bias_has_no_mode():
    none = kc.critical_bias(two(0.02, 0.5, 0.5, units=kc.EV_ANGSTROM_AMU), DEGENERATE, 1.0)
    assert math.isinf(none)
    assert none.mode is none.frequency is none.vibration is none.vector is None
    assert repr(none) == "<CriticalBias: none up to 1 eV>"
    placed = dataclasses.replace(none, positions=np.zeros((1, 2)))
    for ask in (placed.orbit, lambda: placed.travel, lambda: placed.angular_momentum):
        with pytest.raises(ValueError, match=r"No mode grows at biases up to 1, .* search further"):
            ask()


def test_a_spring_that_is_lost_says_so():
    soft = np.array([np.diag([0.0, 0.5]), np.diag([0.0, -0.5])])
    with pytest.warns(RuntimeWarning, match="is no vibration"):
        found = kc.critical_bias(two(1e-6, 1e-3, 1e-3, lead_jacobian=soft), DEGENERATE, 1.0)
    assert found.frequency == 0
    assert "a spring is lost>" in repr(found)
    assert "is no vibration" in repr(found).splitlines()[1]
    assert "the atoms leave their places" in repr(found.orbit())


# Many modes


def many(seed, n, strength, spread=0.8):
    """Modes in a band, friction and curls of single atoms and their neighbours."""
    rng = np.random.default_rng(seed)
    omega = np.sort(rng.uniform(1 - spread, 1, n))
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    friction = basis * (strength * rng.uniform(0.2, 1.5, n)) @ basis.T
    curls = np.zeros((n, n))
    for start in range(0, n - 3, 2):
        block = rng.normal(size=(4, 4))
        curls[start : start + 4, start : start + 4] += block - block.T
    modes = kc.VibrationalModes(omega, np.eye(n), np.ones(n))
    return synthetic(basis @ curls @ basis.T, friction), modes


def by_all_eigenvalues(monkeypatch, *args, **more):
    with monkeypatch.context() as patch:
        patch.setattr("kwant_curl.vibrations.search.MANY", 10**9)
        patch.setattr("kwant_curl.algebra.motions.MANY", 10**9)
        return kc.critical_bias(*args, **more)


@pytest.fixture
def few_are_many(monkeypatch):
    monkeypatch.setattr("kwant_curl.vibrations.search.MANY", 2)
    monkeypatch.setattr("kwant_curl.algebra.motions.MANY", 2)


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore:At the bias .* times the springs")
@pytest.mark.parametrize("strength", [1e-5, 1e-3, 0.03, 0.5])
@pytest.mark.parametrize("spread", [0.8, 1e-3])
def test_many_modes_as_by_all_eigenvalues(few_are_many, monkeypatch, strength, spread):
    """Weak against the distance of the modes, and so strong that everything mixes."""
    for seed in range(8):
        response, modes = many(seed, 30, strength, spread)
        for steps in (3, 20):
            expected = by_all_eigenvalues(monkeypatch, response, modes, 4 * strength, steps=steps)
            found = kc.critical_bias(response, modes, 4 * strength, steps=steps)
            assert found == pytest.approx(expected, rel=2e-9)
            assert found.mode == expected.mode
            if expected.mode is not None:
                assert found.frequency == pytest.approx(expected.frequency, rel=1e-9)
                overlap = abs(np.vdot(found.amplitudes, expected.amplitudes))
                assert overlap == pytest.approx(1, abs=1e-6)


@pytest.mark.filterwarnings("ignore:At the bias .* times the springs", "ignore:.*no vibration")
def test_many_modes_of_other_kinds(few_are_many, monkeypatch):
    """Negative springs, overdamped and degenerate modes, little friction or none."""
    soft = np.array([np.diag([0.0, 0.5]), np.diag([0.0, -0.5])])
    for response, modes, accuracy in (
        (two(0.02, 1e-3, 1e-3), DEGENERATE, 1e-8),
        (two(0.02, 5.0, 0.5), DEGENERATE, 1e-8),
        (two(1e-6, 1e-3, 1e-3, lead_jacobian=soft), DEGENERATE, 1e-8),
        (two(0.02, 0.0, 0.0), modes_of(0.3, 0.31), 1e-8),
        (two(0.02, 0.0, 1e-3), modes_of(0.3, 0.31), 1e-3),  # growth above 1e-13 of the frequency
        (two(0.02, 0.5, 0.5), DEGENERATE, 1e-8),
    ):
        expected = by_all_eigenvalues(monkeypatch, response, modes, 10.0)
        found = kc.critical_bias(response, modes, 10.0)
        called = kc.critical_bias(response.at_bias, modes, 10.0)
        assert found == called == pytest.approx(expected, rel=accuracy)


@pytest.mark.parametrize("what", ["STEPS", "ALIKE"])
def test_a_motion_that_is_lost(few_are_many, monkeypatch, what):
    """All eigenvalues then."""
    response, modes = many(0, 12, 1e-3)
    expected = by_all_eigenvalues(monkeypatch, response, modes, 4e-3)
    module, value = {
        "STEPS": ("kwant_curl.algebra.growing", 0),
        "ALIKE": ("kwant_curl.vibrations.search", 2.0),
    }[what]
    monkeypatch.setattr(f"{module}.{what}", value)
    found = kc.critical_bias(response, modes, 4e-3)
    assert found == pytest.approx(expected, rel=2e-9)
    assert found.mode == expected.mode


def test_a_second_mode_that_grows_before(few_are_many):
    """Of two that grow at a bias that is looked at, the slower is the first."""
    omega = np.array([0.3, 0.3, 0.7, 0.7])
    kappa = np.zeros((4, 4))
    kappa[0, 1], kappa[2, 3] = 0.02, 0.1
    response = synthetic(kappa - kappa.T, np.diag([1e-3, 1e-3, 0.012, 0.012]))
    first, second = 2 * 0.3 * 1e-3 / 0.02, 2 * 0.7 * 0.012 / 0.1
    modes = kc.VibrationalModes(omega, np.eye(4), np.ones(4))
    at = kc.stability(response, modes, 1.0)
    assert at.frequencies[0, at.frequencies[0].imag.argmax()].real > 0.6
    found = kc.critical_bias(response, modes, 1.0, steps=1)
    assert first < second < 1
    assert found == pytest.approx(first, rel=1e-8)
    assert found.frequency == pytest.approx(0.3, rel=1e-3)


def test_eigenvalues_are_calculated_for_the_last_word_alone(monkeypatch):
    """Of 200 modes: at the upper end of the bracket, and at the root."""
    response, modes = many(1, 200, 1e-4)
    calls = []

    def counted(matrix):
        calls.append(len(matrix))
        return eigvals(matrix)

    eigvals = np.linalg.eigvals
    monkeypatch.setattr("numpy.linalg.eigvals", counted)
    found = kc.critical_bias(response, modes, 4e-4, steps=16)
    assert 4 <= found / (4e-4 / 16) <= 16
    assert len(calls) <= 4
    calls.clear()
    assert by_all_eigenvalues(monkeypatch, response, modes, 4e-4, steps=16) == pytest.approx(found)
    assert len(calls) > 10


def test_energies_decay_only_where_no_motion_grows():
    """A hundred random systems on both sides of their threshold, and what isn't a number."""
    rng = np.random.default_rng(0)
    found = {True: [], False: []}
    for seed in range(100):
        response, modes = many(seed, 12, 10 ** rng.uniform(-5, -0.5))
        bias = rng.uniform(0, 3) * np.linalg.eigvalsh(response.friction)[0]
        stiffness, damping, _ = mechanics(response.at_bias(bias), modes)
        stable = fastest_growth(stiffness, damping) <= 0
        energy = DecayingEnergy(modes.frequencies, 1e-13)
        found[stable].append(energy.is_found(bias, (stiffness, damping)))
    assert not any(found[False])
    assert np.mean(found[True]) > 0.5
    assert min(map(len, found.values())) > 10
    assert not energy.is_found(bias, (np.full((12, 12), np.nan), damping))


def test_a_motion_is_followed():
    response, modes = many(3, 20, 0.01)
    stiffness, damping, _ = mechanics(response.at_bias(0.01), modes)
    frequencies, vectors = complex_frequencies(stiffness, damping)
    for omega, vector in zip(frequencies, vectors, strict=True):
        for guess, start in ((omega, None), (omega * (1 + 1e-4j), vector + 1e-3)):
            again, v = followed(stiffness, damping, complex(guess), start)
            assert again == pytest.approx(omega, rel=1e-11)
            np.testing.assert_allclose(v, vector, atol=1e-9)
    assert followed(np.full((2, 2), np.nan), np.eye(2), 1.0, None) is None


# On many workers


def test_executors_and_bars(capsys, monkeypatch):
    rng = np.random.default_rng(0)
    kappa, root = 1e-2 * rng.normal(size=(6, 6)), rng.normal(size=(6, 6))
    response = synthetic(kappa - kappa.T, 2e-3 * (root @ root.T + np.eye(6)))
    response = dataclasses.replace(response, pair_noise=np.full((2, 2, 6, 6), 0.01 * np.eye(6)))
    modes = modes_of(0.3, 0.3, 0.3001, 0.31, 0.5, 0.5)
    monkeypatch.setattr("kwant_curl.vibrations.pumping.PIECE", 4)
    monkeypatch.setattr("kwant_curl.vibrations.integrator.TOGETHER", 12)
    options = {"seed": 3, "n_trajectories": 5}
    asked = {
        " biases": lambda **on: kc.stability(response, modes, [0.1, 0.2], **on).frequencies,
        "biases": lambda **on: kc.critical_bias(response.at_bias, modes, 40.0, **on).vector,
        " pairs": lambda **on: kc.pumped_pairs(response, modes, **on).amplitudes,
        " steps": lambda **on: kc.langevin(response, modes, 9.0, **options, **on).coordinates,
    }
    with ThreadPoolExecutor(2) as threads:
        for unit, ask in asked.items():
            expected = ask()
            assert not capsys.readouterr().err
            np.testing.assert_array_equal(ask(executor=threads, progress=False), expected)
            assert not capsys.readouterr().err
            for executor in (None, threads):
                np.testing.assert_array_equal(ask(executor=executor, progress=True), expected)
                assert unit in capsys.readouterr().err
            with pytest.raises(TypeError, match="executor is 3; expected something with the map"):
                ask(executor=3)
            with pytest.raises(TypeError, match="progress is 1; expected True, False or None"):
                ask(progress=1)
    motion = asked[" steps"]()
    assert np.unique(np.round(motion[:, -1, 0], 12)).size == 5
    shared = np.random.default_rng(3)
    first, second = (
        kc.langevin(response, modes, 9.0, seed=shared, n_trajectories=5) for _ in range(2)
    )
    np.testing.assert_array_equal(first.coordinates, motion)
    assert np.abs(first.coordinates[:, -1] - second.coordinates[:, -1]).min() > 0


def test_processes_scale_a_response():
    response, modes = many(0, 6, 1e-3)
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        one = kc.stability(response, modes, [1e-4, 2e-4], executor=processes)
        found = kc.critical_bias(response.at_bias, modes, 0.1, steps=2, executor=processes)
    np.testing.assert_array_equal(
        one.frequencies, kc.stability(response, modes, [1e-4, 2e-4]).frequencies
    )
    assert found == kc.critical_bias(response, modes, 0.1, steps=2)


def test_a_multiple_of_a_direction_is_no_bias():
    """Of a mapping the number is a factor on it; `voltage` is the bias, and the text says so."""
    response = two(0.02, 0.002, 0.002)
    plain = kc.critical_bias(response, DEGENERATE, 10.0)
    assert plain.voltage == pytest.approx(plain.bias)
    assert "times" not in repr(plain)
    some = kc.critical_bias(response, DEGENERATE, 100.0, direction={0: 0.2, 1: -0.1})
    assert some.voltage == pytest.approx(plain.voltage, rel=1e-6)
    assert f"{some.bias:.6g} times the direction, {some.voltage:.6g} between leads" in repr(some)
    assert kc.critical_bias(response, DEGENERATE, 0.01).voltage is None


@pytest.mark.parametrize("window", [False, True])
def test_undamped_modes_are_not_taken_for_the_one_that_grows(window):
    """Of four equal frequencies two turn and are damped; nothing does anything to the others."""
    curl = np.zeros((4, 4))
    curl[0, 2], curl[2, 0] = 1e-3, -1e-3
    friction = np.diag([1e-3, 0, 1e-3, 0])
    response = kc.ForceResponse.from_arrays(friction=friction, curl=curl)
    modes = modes_of(0.3, 0.3, 0.3, 0.3)
    found = kc.critical_bias(response.at_bias if window else response, modes, 5.0)
    assert found == pytest.approx(0.6, rel=1e-4)
    np.testing.assert_allclose(np.abs(found.amplitudes) ** 2, [0.5, 0, 0.5, 0], atol=1e-6)
    assert 2 * (found.amplitudes[0].conj() * found.amplitudes[2]).imag == pytest.approx(1)
    assert found.driving == pytest.approx(1e-3, rel=1e-3)
