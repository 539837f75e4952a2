"""Bias windows, temperature, and the integration over energy behind them."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import kwant
import numpy as np
import pytest
from scipy.integrate import quad
from systems import MODELS, atoms_of, band_edges, chain, square_wire, two_levels

import kwant_curl as kc
from kwant_curl.algebra.occupations import fermi, thermal_weight

pytestmark = pytest.mark.heavy

TABLE = {0.2: 0.26693290, 0.5: 0.61705068, 1.0: 0.64880036, 2.0: 0.62592685}
MOVING = kc.Displacements(scaling=kc.PowerLaw(2))


def two_level_integrand(x, w=0.3, left=0.6, right=0.2):
    """kappa_XY per energy of the window, in closed form (lead 0 filled)."""
    size = abs((x + 0.5j * left) * (x + 0.5j * right) - w**2) ** 4
    numerator = left * right * w * (left - right) * (w**2 - x**2 + left * right / 4)
    return numerator / (2 * np.pi * size)


@pytest.mark.parametrize(("bias", "kappa"), TABLE.items())
def test_two_levels_in_a_bias_window(bias, kappa):
    syst, coordinates = two_levels()
    result = kc.force_response(syst, coordinates, 0.0, bias=bias, linear=False, rtol=1e-9)
    assert result.curl[0, 1] == pytest.approx(kappa, abs=1e-7)
    np.testing.assert_allclose(np.diag(result.friction), [2.21048532, 1.32629119], atol=1e-8)
    assert 0 <= result.error <= 1e-9
    assert not result.partial


@pytest.mark.parametrize("temperature", [0.02, 0.1, 1.0])
def test_two_levels_at_a_temperature(temperature):
    syst, coordinates = two_levels()
    result = kc.force_response(
        syst, coordinates, 0.1, bias=0.7, temperature=temperature, linear=False, rtol=1e-10
    )

    def integrand(x):
        filled = fermi(x, 0.1 + 0.35, temperature) - fermi(x, 0.1 - 0.35, temperature)
        return filled * two_level_integrand(x)

    points = {"points": [-0.3, 0.0, 0.45, -0.25], "limit": 500, "epsabs": 1e-12}
    expected = quad(integrand, -45 * temperature - 1, 45 * temperature + 1, **points)[0]
    assert result.curl[0, 1] == pytest.approx(expected, abs=1e-9)
    linear = kc.force_response(
        syst, coordinates, 0.1, bias=0.7, temperature=temperature, rtol=1e-10
    )

    def shell(x):
        return 0.7 * thermal_weight(x, 0.1, temperature) * two_level_integrand(x)

    expected = quad(shell, -45 * temperature - 1, 45 * temperature + 1, **points)[0]
    assert linear.curl[0, 1] == pytest.approx(expected, abs=1e-9)
    assert linear.at_bias(1.4).curl[0, 1] == pytest.approx(2 * expected, abs=1e-9)
    np.testing.assert_allclose(linear.friction, result.friction, rtol=1e-8)


@pytest.mark.parametrize("bias", [0.5, 2.0, 3.9])
def test_uniform_chain(bias):
    """Current V/2 pi per level; bond order (sqrt(1 - (V/4t)^2) - 1)/pi; no force, no curl."""
    syst = chain(8).finalized()
    rho = kc.NonequilibriumDensity(syst, 0.0, bias=bias, linear=False, rtol=1e-10)
    current = kwant.operator.Current(syst, where=[(syst.sites[4], syst.sites[3])])
    assert rho.expectation(current)[0] == pytest.approx(bias / (2 * np.pi), abs=1e-9)
    order = (np.sqrt(1 - (bias / 4) ** 2) - 1) / np.pi
    assert rho.toarray()[3, 4].real == pytest.approx(order, abs=1e-9)
    result = kc.force_response(syst, MOVING, 0.0, bias=bias, linear=False)
    np.testing.assert_allclose(result.force, 0, atol=1e-9)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["magnetic field", "three leads"])
def test_curl_is_that_of_the_force(name):
    """In a bias window: against central differences of the force, with one atom really moved."""
    model = MODELS[name]
    dmu = {lead: 0.4 * shift for lead, shift in model.dmu().items()}
    options = {"bias": dmu, "linear": False, "rtol": 1e-9}
    positions = model.positions()
    atoms = atoms_of(model.syst(positions))[:1]

    def response(x, y):
        moved = positions.copy()
        moved[0] += x, y
        syst = model.syst_of_functions(moved)
        return kc.force_response(syst, kc.Displacements(atoms), model.energy, **options)

    h = 2e-3

    def slope(index, x, y):
        near, far = (
            response(s * x, s * y).force[index] - response(-s * x, -s * y).force[index]
            for s in (h, 2 * h)
        )
        return (8 * near - far) / (12 * h)

    curl = response(0, 0).curl[0, 1]
    assert curl == pytest.approx(slope(1, 1, 0) - slope(0, 0, 1), rel=1e-6)
    syst = model.syst_of_functions(positions)
    local = kc.curl_map(syst, kc.Displacements(atoms), model.energy, **options)
    assert local.curl[0] == pytest.approx(curl, rel=1e-8)


@pytest.mark.parametrize("what", ["bias", "temperature"])
def test_small_windows_become_linear_response_quadratically(what):
    syst = square_wire(length=6, width=4, disorder=1.0).finalized()
    linear = kc.curl_map(syst, MOVING, 1.7, bias=1.0).curl
    deviations = []
    for size in (0.04, 0.02):
        options = {"bias": size, "linear": False} if what == "bias" else {"temperature": size / 4}
        result = kc.curl_map(syst, MOVING, 1.7, rtol=1e-11, **options)
        curl = result.curl / (size if what == "bias" else 1.0)
        deviations.append(np.abs(curl - linear).max())
    assert deviations[0] / deviations[1] == pytest.approx(4, rel=0.1)
    assert deviations[1] < 0.05 * np.abs(linear).max()


@pytest.mark.heavy
def test_flow_in_a_window():
    """Conserved current, equal to the integral of the transmission; density against Delta rho."""
    syst = square_wire(length=7, width=4, disorder=0.9).finalized()
    options = {"bias": 0.6, "temperature": 0.02, "linear": False, "rtol": 1e-6}
    flow = kc.flow_map(syst, 1.2, **options)
    rho = kc.NonequilibriumDensity(syst, 1.2, **options)
    np.testing.assert_allclose(flow.density, rho.density(), atol=1e-6)
    np.testing.assert_allclose(flow.current, rho.expectation(kc.MomentumCurrent(syst)), atol=1e-6)
    per_column = np.zeros(7)
    np.add.at(per_column, flow.positions[:, 0].astype(int), flow.current[:, 0])

    def integrand(energy):
        window = fermi(energy, 1.5, 0.02) - fermi(energy, 0.9, 0.02)
        return window * kwant.smatrix(syst, energy).transmission(1, 0) / (2 * np.pi)

    (edge,) = band_edges(syst, 0.5, 1.9)
    x, weights = np.polynomial.legendre.leggauss(72)
    t = (1 + x) / 2
    # E = edge + (end - edge) t^2: the transmission begins as a square root at a band edge.
    expected = sum(
        weight * abs(end - edge) * place * integrand(edge + (end - edge) * place**2)
        for end in (0.5, 1.9)
        for place, weight in zip(t, weights, strict=True)
    )
    np.testing.assert_allclose(per_column[1:-1], expected, rtol=1e-6)
    linear = kc.flow_map(syst, 1.2, bias=0.6)
    assert np.abs(flow.current - linear.current).max() > 1e-3
    assert flow.local_dos.min() > 0


def test_band_edge_in_the_window():
    """A wire without disorder: D diverges where its second mode opens."""
    syst = square_wire(length=3, width=2, disorder=0.0).finalized()
    edge = 4 - 2 + 1  # of the antisymmetric mode: 4 + 1 - 2 t
    edges = band_edges(syst, 0.5, 3.5)
    np.testing.assert_allclose(edges, [1.0, 3.0], atol=1e-12)
    assert edge in edges.round(12)
    flow = kc.flow_map(syst, 2.9, bias={0: 0.4}, linear=False, rtol=1e-9)
    # Each mode of the window carries 1/2 pi per energy: one below 3, two above.
    current = flow.current[2:4, 0].sum()
    assert current == pytest.approx((0.1 + 2 * 0.3) / (2 * np.pi), abs=1e-8)
    assert flow.error <= 1e-9
    # n = int dE dk/dE |phi|^2 / pi: arccos of both modes between the limits
    low, high = 2.9, 3.3
    momenta = [
        np.arccos((bottom - min(max(e, bottom - 2), bottom + 2)) / 2)
        for bottom in (3.0, 5.0)
        for e in (low, high)
    ]
    filled = (momenta[1] - momenta[0] + momenta[3] - momenta[2]) / (2 * np.pi)
    assert flow.density[2:4].sum() == pytest.approx(filled, abs=1e-6)


def test_nothing_to_integrate():
    syst = square_wire(disorder=0.5).finalized()
    with_bias = kc.force_response(syst, MOVING, 1.7)
    none = kc.force_response(syst, MOVING, 1.7, bias=0.0, linear=False)
    assert not none.force.any()
    assert not none.curl.any()
    np.testing.assert_allclose(none.friction, with_bias.friction)


def test_results_of_windows_do_not_reach_beyond_themselves():
    syst = square_wire(disorder=0.5).finalized()
    result = kc.curl_map(syst, MOVING, 1.7, bias=0.1, linear=False, rtol=1e-3)
    assert (result.linear, result.temperature) == (False, 0.0)
    with pytest.raises(ValueError, match="the largest bias="):
        result.at_bias(0.2)


def test_window_below_all_bands():
    syst = square_wire(disorder=0.2).finalized()
    with (
        pytest.warns(RuntimeWarning, match="`partial` is True"),
        pytest.warns(RuntimeWarning, match=r"bound in the device, at 0\.3813"),  # the edge: 0.3820
    ):
        result = kc.curl_map(syst, MOVING, 0.5, bias=2.0, linear=False, rtol=1e-4)
    assert result.partial
    assert np.isfinite(result.curl).all()
    assert not kc.curl_map(syst, MOVING, 1.7, bias=0.1, linear=False, rtol=1e-3).partial


def test_an_integral_that_does_not_converge():
    syst = square_wire(length=12, disorder=2.0).finalized()
    options = {"bias": 1.5, "linear": False, "rtol": 1e-10, "max_energies": 30}
    with pytest.warns(RuntimeWarning, match="did not converge to rtol=1e-10 with 30 energies"):
        result = kc.curl_map(syst, MOVING, 1.7, **options)
    assert result.error > 1e-10


@pytest.mark.parametrize("routine", [kc.curl_map, kc.force_response])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1; expected a number that is not negative"),
        ({"temperature": "300 K"}, "temperature is '300 K'"),
        ({"rtol": 0.0}, "rtol is 0.0; expected a positive number"),
        ({"rtol": -1e-6}, "rtol is -1e-06; expected a positive number"),
        ({"linear": "no"}, "linear is 'no'; expected True or False"),
        ({"executor": 4}, "executor is 4; expected something with the map"),
    ],
)
def test_bad_input(routine, wrong, message):
    syst = square_wire().finalized()
    with pytest.raises((TypeError, ValueError), match=message):
        routine(syst, MOVING, 1.7, **wrong)


def test_fermi_functions():
    assert fermi(1.0, np.array([1.0, 2.0, 0.0]), 0.0).tolist() == [0.5, 1.0, 0.0]
    assert fermi(1e6, 0.0, 1e-9) == 0.0
    energies = np.linspace(-3, 3, 7)
    for e in energies:
        slope = (fermi(e - 1e-5, 0.2, 0.3) - fermi(e + 1e-5, 0.2, 0.3)) / 2e-5
        assert thermal_weight(e, 0.2, 0.3) == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize("temperature", [1e-300, 1e-12, 1e-8, 1e-6, 1e-4])
@pytest.mark.parametrize("linear", [True, False])
def test_low_temperatures(temperature, linear):
    """Whatever lies between nothing and a little: what it is at zero temperature."""
    syst, coordinates = two_levels()
    options = {"bias": 0.5, "linear": linear, "rtol": 1e-7}
    cold = kc.force_response(syst, coordinates, 0.1, **options)
    result = kc.force_response(syst, coordinates, 0.1, temperature=temperature, **options)
    assert result.temperature == (0 if temperature < 1e-9 else temperature)
    for field in ("friction", "curl", "force"):
        one, other = getattr(result, field), getattr(cold, field)
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * np.abs(other).max())
    rho = kc.NonequilibriumDensity(syst, 0.1, temperature=temperature, **options)
    force = rho.expectation(kc.Force(syst, coordinates))
    np.testing.assert_allclose(force, result.force, atol=3e-6 * np.abs(result.force).max())


@pytest.mark.parametrize(("gamma", "bias"), [((0.6, 0.2), 40.0), ((0.01, 0.02), 4.0)])
def test_narrow_levels_in_wide_windows(gamma, bias):
    syst, coordinates = two_levels(gamma=gamma)
    options = {"bias": bias, "linear": False}
    rho = kc.NonequilibriumDensity(syst, 0.1, **options)
    result = kc.force_response(syst, coordinates, 0.1, rtol=1e-9, **options)
    force = rho.expectation(kc.Force(syst, coordinates))
    np.testing.assert_allclose(force, result.force, atol=1e-5)
    assert rho.error < 1e-5


def test_executor_for_phonons():
    syst, coordinates = two_levels()
    options = {"frequency": 0.1, "bias": 0.4, "temperature": 0.05, "rtol": 1e-5}
    with ThreadPoolExecutor(2) as threads:
        one = kc.phonon_rates(syst, coordinates, np.eye(2), 0.0, executor=threads, **options)
    other = kc.phonon_rates(syst, coordinates, np.eye(2), 0.0, **options)
    np.testing.assert_allclose(one.lead_emission, other.lead_emission, rtol=1e-10)


def test_a_density_in_a_window_that_is_closed_in_part():
    """The same warnings as those of the routines, and never more than the error that was asked."""
    wire = square_wire(length=4, width=1).finalized()  # its band begins at 2
    window = {"linear": False, "rtol": 1e-3}
    for take in (partial(kc.flow_map, wire), partial(kc.NonequilibriumDensity, wire)):
        with pytest.warns(RuntimeWarning, match="At some energies of the window no lead"):
            half = take(2.1, bias=0.6, **window)
        assert half.partial
    with pytest.warns(RuntimeWarning, match="No lead has an open mode at energy 1.0"):
        nothing = kc.NonequilibriumDensity(wire, 1.0, bias=0.6, **window)
    assert not nothing.states.size
    for rtol in (1e-2, 1e-4):
        rho = kc.NonequilibriumDensity(wire, 3.1, bias=1.2, linear=False, rtol=rtol)
        assert rho.error <= rtol
        assert not rho.partial
