"""The uniform chain: what is known in closed form, and the picture of the paper's Figure 1."""

import numpy as np
import pytest
from systems import chain, square_wire

from kwant_curl import Displacements, NonequilibriumDensity, PowerLaw, curl_map, force_response

K_F = 1.1
HEAVY = 1e9
"""A mass with which rates are slow at any of these frequencies."""


def travelling_wave(n, q):
    x = np.arange(n)
    return np.array([np.cos(q * x), np.sin(q * x)]) / np.sqrt(n)


def response_of_chain(n, bias=1.0):
    syst = chain(n + 2).finalized()
    coordinates = Displacements(scaling=PowerLaw(4))
    return force_response(syst, coordinates, -2 * np.cos(K_F), bias=bias)


def test_no_force_on_a_uniform_chain():
    response = response_of_chain(20)
    scale = np.sqrt(np.trace(response.friction))
    np.testing.assert_allclose(response.force, 0, atol=1e-12 * scale)


def test_no_force_and_no_curl_on_the_axis_of_a_uniform_wire():
    """Straight chains in the plane, and the middle of a wire, where symmetry says so."""
    syst = square_wire(length=6, width=1).finalized()
    alone = curl_map(syst, Displacements(scaling=PowerLaw(4)), 3.3)
    np.testing.assert_allclose(alone.curl, 0, atol=1e-14)
    np.testing.assert_allclose(alone.force, 0, atol=1e-13)
    wire = curl_map(square_wire(6, 3).finalized(), Displacements(scaling=PowerLaw(4)), 3.3)
    middle = wire.positions[:, 1] == 1
    np.testing.assert_allclose(wire.curl[middle], 0, atol=1e-13)
    assert np.abs(wire.curl[~middle]).min() > 1e-3


def test_current_and_bond_order():
    """Current V / 2 pi per level; the bond order changes in second order of the bias only."""
    syst = chain(6).finalized()
    rho = NonequilibriumDensity(syst, 0.0, bias=0.3).toarray()
    current = -2 * (syst.hamiltonian_submatrix() * rho.T).imag
    bonds = np.diagonal(current, 1)  # from site n to n + 1, the way a positive bias drives
    np.testing.assert_allclose(bonds, 0.3 / (2 * np.pi), rtol=1e-12)
    np.testing.assert_allclose(np.diagonal(rho, 1).real, 0, atol=1e-14)


def test_the_current_emits_phonons_that_travel_with_it():
    """Todorov et al., Figure 1: at q = 2 k_F, kappa/V tends to the friction of X and Y."""
    ratios = []
    for n in (50, 100, 200):
        rates = response_of_chain(n).pumping_rates(travelling_wave(n, 2 * K_F), 1.0, HEAVY)
        ratios.append(rates.driving[0] / rates.damping[0])
    assert ratios[-1] > 0.9999
    assert np.all(np.diff(ratios) > 0)
    assert ratios[-1] < 1


def test_threshold_is_the_energy_of_a_phonon():
    omega = 0.01
    rates = response_of_chain(200).pumping_rates(travelling_wave(200, 2 * K_F), omega, HEAVY)
    assert rates.threshold[0] == pytest.approx(omega, rel=1e-4)


def test_the_other_bias_emits_the_other_phonon():
    wave = travelling_wave(200, 2 * K_F)
    forward = response_of_chain(200).pumping_rates(wave, 0.01, HEAVY)
    backward = response_of_chain(200, bias=-1.0).pumping_rates(wave, 0.01, HEAVY)
    assert forward.growth[0, 0] > 0 > forward.growth[0, 1]
    np.testing.assert_allclose(backward.growth[0], forward.growth[0, ::-1], rtol=1e-10)


def test_away_from_twice_the_fermi_wave_number():
    response = response_of_chain(200)
    driven, *others = (
        response.pumping_rates(travelling_wave(200, q), 0.01, HEAVY).driving[0]
        for q in (2 * K_F, 1.8, 1.3, K_F, 0.5)
    )
    assert np.abs(others).max() < 1e-3 * driven


def test_closed_form_of_the_backscattering():
    """Friction at 2 k_F from the one matrix element between exp(ikx) and exp(-ikx).

    States exp(+-ikx)/sqrt(v), v = 2 sin k.  A bond changes by dt/dd = 4 as it is stretched
    (t = -d^-4 at d = 1), so F_X = 4 sum_i B_i (X_i - X_{i+1}) with the bond operator B_i, and
    <-k|B_i|k> = 2 exp(ik(2i + 1))/v.  For X - iY = exp(-2ikx)/sqrt(N) the N terms add up to
    |<-k|F_X - iF_Y|k>| = 8 sqrt(N), whereas F_X + iF_Y gives terms that cancel: |F_X|^2 =
    |F_Y|^2 = 16 N.  Two such elements each, over 4 pi: eta_XX + eta_YY = 16 N / pi.
    """
    n = 400
    rates = response_of_chain(n).pumping_rates(travelling_wave(n, 2 * K_F), 1.0, mass=HEAVY)
    assert rates.damping[0] == pytest.approx(16 * n / np.pi / 2 / HEAVY, rel=1e-5)
    assert rates.driving[0] == pytest.approx(16 * n / np.pi / 2 / HEAVY, rel=1e-5)
