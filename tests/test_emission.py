"""Emission and absorption of directional phonons at finite frequency, temperature and bias."""

import numpy as np
import pytest
from systems import square_wire, two_levels

import kwant_curl as kc
from kwant_curl import devices

PAIR = np.eye(2)


def rates(**options):
    syst, coordinates = two_levels()
    return kc.phonon_rates(syst, coordinates, PAIR, 0.1, **{"rtol": 1e-10, **options})


def test_detailed_balance():
    """Without bias emission/absorption = exp(-hbar omega/kT), the steady number Bose-Einstein's."""
    quantum, temperature = 0.13, 0.05
    result = rates(frequency=2 * quantum, hbar=0.5, bias=0.0, temperature=temperature)
    ratio = result.emission / result.absorption
    np.testing.assert_allclose(ratio, np.exp(-quantum / temperature), rtol=1e-8)
    planck = 1 / np.expm1(quantum / temperature)
    np.testing.assert_allclose(result.occupation, planck, rtol=1e-8)
    assert (result.growth < 0).all()


def test_emission_needs_the_bias():
    """At zero temperature none for hbar omega > eV, some for less."""
    for bias, emits in ((0.29, False), (0.31, True)):
        result = rates(frequency=0.3, bias=bias)
        assert (result.emission > 0).all() == emits
        assert result.emission.any() == emits
        assert (result.absorption > 0).all()
    assert np.isfinite(result.occupation).all()


def test_golden_rule_with_dense_matrices():
    """Against theory's trace, integrated by the trapezoidal rule, lead by lead."""
    syst, coordinates = two_levels()
    x, y = -np.asarray(coordinates.matrices[0]), -np.asarray(coordinates.matrices[1])
    h = syst.hamiltonian_submatrix()
    gammas = np.zeros((2, 2, 2))
    gammas[0, 0, 0], gammas[1, 1, 1] = 0.6, 0.2

    def densities(energy):
        green = np.linalg.inv(energy * np.eye(2) - h + 0.5j * gammas.sum(axis=0))
        return green @ gammas @ green.conj().T / (2 * np.pi)

    mu, bias, omega, kt, mass, g = 0.1, 0.8, 0.23, 0.07, 3.0, 2
    levels = mu + np.array([bias / 2, -bias / 2])
    energies = np.linspace(-4, 4, 4001)
    expected = np.zeros((2, 2, 2, 2))
    for e in energies:
        below, above = (
            1 / (1 + np.exp((e - levels) / kt)),
            1 / (1 + np.exp((e + omega - levels) / kt)),
        )
        upper, lower = densities(e + omega), densities(e)
        for mode, sign in enumerate((1, -1)):
            f = x + sign * 1j * y
            trace = np.einsum("ij,bjk,kl,ali->ab", f, lower, f.conj().T, upper).real
            expected[0, mode] += trace * above[:, None] * (1 - below)
            expected[1, mode] += trace * below * (1 - above[:, None])
    expected *= np.pi * g / (2 * mass * omega) * (energies[1] - energies[0])
    result = rates(frequency=omega, mass=mass, bias=bias, temperature=kt, degeneracy=g, rtol=1e-9)
    np.testing.assert_allclose(result.lead_emission[0], expected[0], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(result.lead_absorption[0], expected[1], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(result.emission[0], expected[0].sum(axis=(1, 2)), rtol=1e-7)


def test_limit_of_slow_phonons_and_small_bias():
    """Growth becomes that of pumping_rates; the deviation falls with omega, V and kT, linearly."""
    syst = square_wire(length=6, width=4, disorder=1.0).finalized()
    coordinates = kc.Displacements([8, 9], scaling=kc.PowerLaw(2))
    modes = np.array([np.eye(4)[:2], [[1, 0, 1, 0], [0, 1, 0, -1]]])
    deviations = []
    for size in (0.02, 0.01):
        response = kc.force_response(syst, coordinates, 1.7, bias=size)
        limit = response.pumping_rates(modes, frequency=size, mass=2e4)
        result = kc.phonon_rates(
            syst,
            coordinates,
            modes,
            1.7,
            frequency=size,
            mass=2e4,
            bias=size,
            temperature=size / 2,
            rtol=1e-6,
        )
        assert (np.sign(result.growth[:, 0] - result.growth[:, 1]) == np.sign(limit.driving)).all()
        deviations.append(np.abs(result.growth - limit.growth).max() / limit.damping.max())
    assert deviations[1] < 0.05
    assert deviations[0] / deviations[1] > 1.8


@pytest.mark.heavy
def test_leads_add_up_and_pairs_are_independent():
    syst = square_wire(length=6, width=4, disorder=1.0).finalized()
    coordinates = kc.Displacements([8, 9], scaling=kc.PowerLaw(2))
    modes = np.array([np.eye(4)[:2], np.eye(4)[2:]])
    options = {"bias": 0.3, "rtol": 1e-5}
    both = kc.phonon_rates(
        syst, coordinates, modes, 1.7, frequency=[0.1, 0.2], mass=[1.0, 5.0], **options
    )
    for pair, (omega, mass) in enumerate(((0.1, 1.0), (0.2, 5.0))):
        one = kc.phonon_rates(
            syst, coordinates, modes[pair], 1.7, frequency=omega, mass=mass, **options
        )
        np.testing.assert_allclose(one.lead_emission[0], both.lead_emission[pair], rtol=1e-4)
    turned = kc.phonon_rates(
        syst, coordinates, modes[:, ::-1], 1.7, frequency=[0.1, 0.2], mass=[1.0, 5.0], **options
    )
    np.testing.assert_allclose(turned.emission, both.emission[:, ::-1], rtol=1e-4)


def test_uniform_gold_chain_starts_at_hbar_omega():
    """At q = 2 k_F growth starts at eV = hbar omega, here of 15 meV, with its finite effect."""
    gold = devices.gold_chain(60)
    chain = gold.coordinates.hamiltonian_derivatives(gold.syst)
    phase = 2 * np.pi * 0.72 * chain.positions[:, 0] / 2.5 / 2
    modes = np.stack([np.cos(phase), np.sin(phase)])
    omega = 0.015
    options = {"frequency": omega, "mass": gold.mass, "degeneracy": gold.degeneracy, "rtol": 1e-4}
    growth = [
        kc.phonon_rates(
            gold.syst, gold.coordinates, modes, gold.energy, bias=bias, **options
        ).growth[0]
        for bias in (0.95 * omega, 1.05 * omega)
    ]
    assert (growth[0] < 0).all()
    assert (growth[1] > 0).sum() == 1
    grows = int(growth[1].argmax())
    low, high = growth[0][grows], growth[1][grows]
    assert 0.95 + 0.1 * low / (low - high) == pytest.approx(1, abs=3e-3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frequency": 0.0}, "frequency is 0.0; expected positive"),
        ({"frequency": 0.1, "mass": -1.0}, "mass is -1.0; expected positive"),
        ({"frequency": 0.1, "hbar": 0.0}, "hbar is 0.0; expected a positive number"),
        ({"frequency": 0.1, "temperature": -1.0}, "temperature is -1.0"),
        ({"frequency": 0.1, "executor": "dask"}, "expected something with the map"),
    ],
)
def test_bad_input(wrong, message):
    with pytest.raises((TypeError, ValueError), match=message):
        rates(**wrong)


def test_modes_of_the_wrong_shape():
    syst, coordinates = two_levels()
    with pytest.raises(ValueError, match="pairs of X and Y"):
        kc.phonon_rates(syst, coordinates, np.eye(2)[:1], 0.0, frequency=0.1)
    with pytest.raises(ValueError, match="with n_c = 2"):
        kc.phonon_rates(syst, coordinates, np.eye(3), 0.0, frequency=0.1)


def test_nothing_comes_in():
    syst = square_wire(disorder=0.1).finalized()
    coordinates = kc.Displacements([8], scaling=kc.PowerLaw(2))
    with pytest.warns(RuntimeWarning, match="no lead has an open mode"):
        result = kc.phonon_rates(syst, coordinates, np.eye(2), -9.0, frequency=0.1, temperature=0.1)
    assert result.partial
    assert not result.emission.any()
    assert np.isinf(result.occupation).all()
    assert "of which 0 grow" in repr(result)
