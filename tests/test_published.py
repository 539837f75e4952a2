"""Closed forms and other programs' numbers, as on the page "Validated against": digit by digit."""

import sys
from pathlib import Path

import kwant
import numpy as np
import pytest

import kwant_curl as kc

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def modules():
    """What the page imports from beside it."""
    sys.path.insert(0, str(DOCS))
    import published
    import trends
    import validation

    yield published, validation, trends
    sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def known(modules):
    return modules[0]


@pytest.fixture(scope="module")
def found(modules):
    """The page's table, by case: (reference, ours, allowed) of each quantity."""
    result = {}
    for n in modules[1].table():
        result.setdefault(n.case, {})[n.quantity] = n.reference, n.ours, n.allowed
    return result


EXPECTED = {
    "two sites, two vibrations": {
        "κ₁₂": -0.78103125,
        "η₁₁": 0.20581852,
        "η₂₂": 1.05149229,
        "J₁₂": 0.29588761,
        "J₂₁": -0.48514364,
        "Lorentz force γ₁₂": 0.08328404,
        "friction by the bias γ₁₂": -0.20480126,
        "V/ω, curl and friction": 1.45,
        "V/ω, all forces": 1.5977537,
        "V/ω, t = Γ, all forces": 1.0,
    },
    "resonant level": {
        "force": 0.0248079728,
        "friction": 0.1758267243,
        "noise": 0.1103394007,
        "dF/dX": -0.0625053927,
    },
    "narrow level, hot": {"friction, kT = 200 Γ": 3129.0664},
    "uniform chain": {
        "V/ω at 2k_F, n = 200": 1.0,
        "current, V = 1": 0.1591549431,
        "bond order, V = 1": -0.0101076642,
    },
    "donor and acceptor": {
        "friction, Γ = 0.025, V = 0.1": -3.73437e-4,
        "friction, Γ = 0.025, V = 0.4": -2.372783e-3,
        "friction, Γ = 0.1, V = 0.1": -8.96030e-4,
        "friction, Γ = 0.1, V = 0.4": -6.185586e-3,
        "sign change at V, Γ = 0.025": 0.05095120,
        "sign change at V, Γ = 0.05": 0.05707776,
        "sign change at V, Γ = 0.1": 0.07097209,
    },
    "Thouless motor": {
        "work per cycle / V, 20 sites": 0.9958854,
        "work per cycle / V, 40 sites": 0.9999956601,
        "work per cycle / V, 80 sites": 1.0,
    },
    "matrices of sclmd": {
        "1/Q of mode 0": 1.44379467e-4,
        "1/Q of mode 1": 6.92545887e-4,
        "1/Q of mode 2": 7.24597549e-4,
        "1/Q of mode 3": 2.506185006e-3,
    },
}
"""The references' numbers; what the page allows is asserted against the deviations measured."""


def test_the_table_is_complete(found):
    assert {case: set(quantities) for case, quantities in found.items()} == {
        case: set(quantities) for case, quantities in EXPECTED.items()
    }


@pytest.mark.parametrize("case", EXPECTED)
def test_numbers_of_the_table(case, found):
    for quantity, number in EXPECTED[case].items():
        reference, ours, allowed = found[case][quantity]
        assert reference == pytest.approx(number, rel=1e-6), quantity
        assert ours == pytest.approx(reference, rel=allowed), quantity
        assert allowed <= 6e-4


def test_two_sites_at_other_points(known):
    """The closed forms are no accident of one point."""
    rng = np.random.default_rng(4)
    for _ in range(5):
        point = rng.uniform(0.2, 1.2, 5) * [1, 1, 1, 1, rng.choice([-1, 1])]
        r = known.two_sites(*point, jacobian=True, velocity=True)
        rest = r.velocity - r.friction - r.lorentz
        ours = [r.curl[0, 1], *np.diag(r.friction), r.jacobian[0, 1], r.jacobian[1, 0]]
        ours += [r.lorentz[0, 1], rest[0, 1]]
        closed = known.two_sites_in_closed_form(*point)
        np.testing.assert_allclose(ours, closed, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(np.diag(r.jacobian), 0, atol=1e-12)
        assert r.friction[0, 1] == pytest.approx(0, abs=1e-12)


def test_two_sites_by_the_determinant(known, modules):
    """The bias at which all forces drive at a coupling that is not weak: 1.5825 omega."""
    coupling, frequency = 0.1, 0.01
    with pytest.warns(RuntimeWarning, match="the curl of the current's force is .* the springs"):
        ours = modules[1].critical_ratio(
            0.2, 0.5, coupling, frequency, jacobian=True, velocity=True
        )
    assert ours == pytest.approx(1.5825, abs=5e-5)
    _, eta, _, j12, j21, lorentz, rest = known.two_sites_in_closed_form(
        coupling, coupling, 0.2, 0.5, 0.0
    )
    v = ours * frequency
    stiff = np.poly1d([1, eta, frequency**2])
    forth = np.poly1d([v * (rest + lorentz), -v * j12])
    back = np.poly1d([v * (rest - lorentz), -v * j21])
    assert (stiff * stiff - forth * back).roots.real.max() == pytest.approx(0, abs=1e-12)


def test_resonant_level_in_other_windows(known):
    window = known.resonant_level(3.0, noise=True, jacobian=True, velocity=True, rtol=1e-8)
    for bias in (-2.0, -0.3, 1.1, 3.0):
        r = window.at_bias(bias)
        ours = [x.item() for x in (r.force, r.velocity, r.noise, r.jacobian)]
        closed = known.resonant_level_in_closed_form(bias)
        np.testing.assert_allclose(ours, closed, atol=1e-6)


# Negative friction


FRICTIONS = {
    (0.025, 0.1): -3.7229e-4,
    (0.025, 0.4): -2.35685e-3,
    (0.1, 0.1): -8.8692e-4,
    (0.1, 0.4): -6.0458e-3,
}
"""With the bands at rest."""


@pytest.mark.parametrize(("gamma", "bias"), FRICTIONS)
def test_negative_friction_by_quadrature(gamma, bias, known):
    ours = known.donor_acceptor(gamma, bias, noise=True, rtol=1e-6)
    assert ours.velocity.item() == pytest.approx(FRICTIONS[gamma, bias], rel=1e-5)
    by_hand = known.donor_acceptor_by_quadrature(gamma, bias)
    np.testing.assert_allclose([ours.velocity.item(), ours.noise.item()], by_hand, rtol=1e-6)


def test_a_pole_of_the_leads_as_a_site(known):
    """The self-energy that depends on energy is that of one more site before a wide band."""
    gamma, bias = 0.1, 0.1
    r = known.donor_acceptor(gamma, bias, noise=True, rtol=1e-7)
    hamiltonian = np.zeros((4, 4))
    hamiltonian[:2, :2] = known.LEVELS / 2 * known.SIGMA_Z
    hamiltonian[:2, :2] += known.SLOPE * known.PLACE * known.SIGMA_X
    for site in range(2):
        hop = np.sqrt(0.5 * gamma * known.BAND)
        hamiltonian[site, site + 2] = hamiltonian[site + 2, site] = hop
    syst = known.junction(hamiltonian, [(i, lambda _: -1j * known.BAND) for i in (2, 3)])
    coupling = np.zeros((4, 4))
    coupling[:2, :2] = known.SLOPE * known.SIGMA_X
    settings = {"linear": False, "temperature": known.KT, "velocity": True, "noise": True}
    other = kc.force_response(syst, kc.Matrices([coupling]), 0.0, bias=bias, rtol=1e-7, **settings)
    for name in ("velocity", "noise"):
        assert getattr(other, name).item() == pytest.approx(getattr(r, name).item(), rel=1e-7)


def test_correlation_of_forces(known):
    """The program's integral from 0 to infinity, half of our noise, within its second tier."""
    half = 0.5 * known.donor_acceptor(0.025, 0.4, noise=True).noise.item()
    assert half == pytest.approx(1.1918e-4, rel=1e-4)
    follows = known.donor_acceptor(0.025, 0.4, centres=(0.2, -0.2), noise=True)
    assert 0.5 * follows.noise.item() == pytest.approx(1.1970e-4, rel=1e-4)
    assert 0.5 * follows.noise.item() == pytest.approx(1.1995e-4, rel=3e-3)


def test_nothing_runs_away_before_the_critical_bias(known):
    """1/Q of sclmd's own matrix has one sign below, and the other above."""
    eta, xim, zeta1, zeta2 = matrices = known.matrices_of_sclmd()
    r = kc.ForceResponse.from_arrays(friction=eta, jacobian=xim - zeta1, velocity=eta + zeta2)
    modes = kc.VibrationalModes(known.FREQUENCIES, np.eye(4), 1.0)
    critical = float(kc.critical_bias(r, modes, 2.0))
    assert known.inverse_quality(matrices, 0.999 * critical).min() > 0
    assert known.inverse_quality(matrices, 1.001 * critical).min() < 0


# Trends


def test_driven_modes_lie_at_the_kohn_anomaly(modules):
    driven = modules[2].driven_wave_numbers(40)
    assert abs(driven[:2] - 0.72).max() < 0.04
    # Pairs of equal parity come last: they aren't driven, and rounding orders them.
    steps = np.rint(41 * (driven[:, 1] - driven[:, 0])).astype(int)
    weakly = driven[steps % 2 == 1][-20:]
    assert abs(weakly - 0.72).min() > 0.1


def test_reach_falls_with_the_bias(modules):
    trends = modules[2]
    for bias in (0.5, 1.0):
        distances, ratio = trends.reach(bias)
        form = trends.reach_in_closed_form(bias, distances)
        np.testing.assert_allclose(ratio, form, atol=0.025 * bias)


def test_steady_waves_are_smaller_in_longer_chains(modules):
    """Driving over damping depends on amplitude times length, so energies go as 1/length^2."""
    over = modules[2].driving_over_damping
    for product, value in ((0.8, 0.49), (1.6, 0.10)):
        short, long = (over(n, product / n) for n in (20, 40))
        assert short == pytest.approx(value, abs=0.01)
        assert long == pytest.approx(short, abs=0.01)


def test_the_surface_of_a_wire(modules):
    over = modules[2].surface_over_inside
    np.testing.assert_allclose([over(6.0, e) for e in (-0.6, 0.6)], [2.89, 2.88], atol=0.01)
    np.testing.assert_allclose([over(7.0, e) for e in (-0.6, 0.6)], [3.19, 0.16], atol=0.01)


def test_transmission_of_the_chain_in_a_wave(modules):
    """The current is what falls: less than half of it passes where half of the driving is left."""
    trends = modules[2]
    syst, _ = trends.chain_in_a_wave(20, 0.04, 0.0)
    passed = kwant.smatrix(syst, trends.CHAIN_ENERGY).transmission(1, 0)
    straight, _ = trends.chain_in_a_wave(20, 0.0, 0.0)
    assert kwant.smatrix(straight, trends.CHAIN_ENERGY).transmission(1, 0) == pytest.approx(1)
    assert passed < 0.5
