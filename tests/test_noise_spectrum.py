"""Noise of the electrons' force at finite frequency: emission, absorption, heating by rates."""

from dataclasses import replace

import numpy as np
import pytest
from systems import chain, square_wire, two_levels

import kwant_curl as kc
from kwant_curl.electrons.exchanges import coupling
from kwant_curl.electrons.kernels.emission import AllTraces, EmissionKernel, PairTraces
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.model.model import scattering_model

PAIR = np.eye(2)


def spectrum(frequencies, **options):
    syst, coordinates = two_levels()
    return kc.noise_spectrum(syst, coordinates, 0.1, frequencies, **{"rtol": 1e-10, **options})


def wire(**options):
    """Two atoms of a wire without symmetry, and what they answer."""
    syst = square_wire(length=6, width=4, disorder=1.0).finalized()
    return syst, kc.Displacements([8, 9], scaling=kc.PowerLaw(2)), {"rtol": 1e-5, **options}


def lowest(matrices):
    return np.linalg.eigvalsh(matrices).min() / np.abs(matrices).max()


@pytest.mark.heavy
@pytest.mark.parametrize(("temperature", "bias"), [(0.05, 0.0), (0.05, 0.4), (0.0, 0.4)])
def test_low_frequencies_are_those_of_force_response(temperature, bias):
    """S goes to the noise at zero frequency, omega times the damping to half the curl."""
    syst, coordinates = two_levels()
    options = {"bias": bias, "temperature": temperature, "degeneracy": 2}
    response = kc.force_response(
        syst, coordinates, 0.1, linear=False, velocity=True, noise=True, rtol=1e-10, **options
    )
    found = spectrum([1e-4, 2e-4], **options)
    limit = 2 * found.noise[0].real - found.noise[1].real  # at T = 0 it goes as |omega|
    scale = np.abs(response.noise).max()
    np.testing.assert_allclose(limit, response.noise, atol=1e-6 * scale)
    gamma = response.velocity
    np.testing.assert_allclose(found.damping[0].real, (gamma + gamma.T) / 2, rtol=1e-5)
    odd = (found.frequencies[:, None, None] * found.damping).imag[0]
    np.testing.assert_allclose(odd, response.curl / 2, atol=1e-6 * scale)
    assert np.abs(found.noise[0].imag).max() < 1e-3 * scale


@pytest.mark.heavy
def test_fluctuation_dissipation():
    """In equilibrium S = omega coth(omega/2kT) damping at all omega, element by element."""
    temperature = 0.04
    omega = np.array([0.01, 0.1, 0.7, 2.0])
    syst, coordinates, options = wire(bias=0.0, temperature=temperature)
    for found, error in (
        (spectrum(omega, bias=0.0, temperature=temperature), 1e-9),
        (kc.noise_spectrum(syst, coordinates, 1.7, omega[1], **options), 1e-5),
    ):
        omega = found.frequencies
        coth = 1 / np.tanh(omega / (2 * temperature))
        expected = (omega * coth)[:, None, None] * found.damping
        np.testing.assert_allclose(found.noise, expected, atol=error * np.abs(expected).max())
        ratio = np.exp(-omega / temperature)[:, None, None]
        turned = found.absorption.swapaxes(1, 2)
        np.testing.assert_allclose(
            found.emission, ratio * turned, atol=error * np.abs(turned).max()
        )
        assert np.abs(found.damping.imag).max() < error * np.abs(found.damping).max()


def test_quantum_noise_without_temperature():
    found = spectrum([0.05, 0.3], bias=0.0)
    assert not found.emission.any()
    np.testing.assert_allclose(
        found.noise, found.frequencies[:, None, None] * found.damping, rtol=1e-9
    )


def test_level_between_wide_leads():
    """Against own quadrature of the golden rule with dense matrices, by pair of leads."""
    syst, coordinates = two_levels()
    force = [-np.asarray(matrix) for matrix in coordinates.matrices]
    h = syst.hamiltonian_submatrix()
    gammas = np.zeros((2, 2, 2))
    gammas[0, 0, 0], gammas[1, 1, 1] = 0.6, 0.2
    mu, bias, omega, kt, g = 0.1, 0.8, 0.23, 0.07, 2
    levels = mu + np.array([bias / 2, -bias / 2])
    energies = np.linspace(-4, 4, 4001)

    def densities(e):
        green = np.linalg.inv(e[:, None, None] * np.eye(2) - h + 0.5j * gammas.sum(axis=0))
        return np.einsum("eij,ajk,elk->eail", green, gammas, green.conj()) / (2 * np.pi)

    lower, upper = densities(energies), densities(energies + omega)
    below, above = (
        1 / (1 + np.exp((e[:, None] - levels) / kt)) for e in (energies, energies + omega)
    )
    step = energies[1] - energies[0]
    path = "imn,ebnp,jpq,eaqm,ea,eb->abij"
    traces = [force, lower, force, upper]
    emission = np.einsum(path, *traces, above, 1 - below, optimize=True) * step
    path = "imn,eanp,jpq,ebqm,ea,eb->abij"
    traces = [force, upper, force, lower]
    absorption = np.einsum(path, *traces, 1 - above, below, optimize=True) * step
    found = spectrum(omega, bias=bias, temperature=kt, degeneracy=g)
    for mine, expected in (
        (found.lead_emission[0], emission),
        (found.lead_absorption[0], absorption),
    ):
        expected = 2 * np.pi * g * expected
        np.testing.assert_allclose(mine, expected, atol=1e-8 * np.abs(expected).max())
        assert np.abs(expected.imag).max() > 1e-3 * np.abs(expected).max()


@pytest.mark.heavy
def test_rates_of_pairs_are_combinations():
    """Those of phonon_rates, (+) and (-), by pair of leads."""
    syst, coordinates, options = wire(bias=0.3, temperature=0.02)
    omega, mass = 0.15, 3.0
    pair = np.array([[1.0, 0.2, 0.0, -0.3], [0.0, 1.0, 0.5, 0.1]])
    rates = kc.phonon_rates(syst, coordinates, pair, 1.7, frequency=omega, mass=mass, **options)
    found = kc.noise_spectrum(syst, coordinates, 1.7, omega, **options)
    for mode, sign in enumerate((1, -1)):
        u = pair[0] + 1j * sign * pair[1]
        emission = np.einsum("i,abij,j->ab", u, found.lead_emission[0], u.conj())
        absorption = np.einsum("i,abij,j->ab", u.conj(), found.lead_absorption[0], u)
        scale = rates.lead_absorption.max()
        for mine, theirs in (
            (emission, rates.lead_emission[0, mode]),
            (absorption, rates.lead_absorption[0, mode]),
        ):
            np.testing.assert_allclose(mine / (4 * mass * omega), theirs, atol=1e-4 * scale)
    assert np.abs(rates.growth[0, 0] - rates.growth[0, 1]) > 1e-3 * scale


def test_traces_at_an_energy_agree_to_rounding():
    syst, coordinates, _ = wire()
    model = scattering_model(syst, None, None, None, 1.7)
    operators = coupling(coordinates, model, 1.7, "a test").operators
    pair = np.random.default_rng(1).normal(size=(2, 4))
    kernels = (
        EmissionKernel(model.scattering, Numerics(), operators, traces, 0.15, 1.7)
        for traces in (PairTraces(pair[None]), AllTraces(np.eye(4)))
    )
    (pairs, _), (packed, _) = (kernel(1.6) for kernel in kernels)
    turned = packed.swapaxes(-1, -2)
    matrices = (packed + turned) / 2 + 0.5j * (packed - turned)
    for mode, sign in enumerate((1, -1)):
        u = pair[0] + 1j * sign * pair[1]
        found = np.einsum("i,abij,j->ab", u, matrices, u.conj())
        np.testing.assert_allclose(found, pairs[:, :, 0, mode], rtol=1e-12)


@pytest.mark.heavy
def test_patterns_positions_and_positivity():
    syst, coordinates, options = wire(bias=0.3, temperature=0.02)
    omega = [0.1, 0.2]
    whole = kc.noise_spectrum(syst, coordinates, 1.7, omega, **options)
    patterns = np.random.default_rng(0).normal(size=(3, 4))
    some = kc.noise_spectrum(syst, coordinates, 1.7, omega, modes=patterns, **options)
    projected = whole.project(patterns)
    scale = np.abs(some.noise).max()
    np.testing.assert_allclose(projected.noise, some.noise, atol=1e-4 * scale)
    np.testing.assert_array_equal(projected.patterns, some.patterns)
    again = projected.project([[0.0, 2.0, 0.0]])
    np.testing.assert_allclose(again.patterns, [2 * patterns[1]])
    response = kc.force_response(syst, coordinates, 1.7)
    np.testing.assert_array_equal(whole.positions, response.positions)
    np.testing.assert_array_equal(whole.sites, response.sites)
    for matrices in (whole.lead_emission, whole.lead_absorption, whole.noise):
        assert lowest(matrices) > -1e-9
        np.testing.assert_array_equal(matrices, matrices.conj().swapaxes(-1, -2))
    middle = whole.at(0.15)
    np.testing.assert_allclose(middle.noise[0], whole.noise.mean(axis=0), rtol=1e-12)
    assert repr(whole).startswith("<NoiseSpectrum of 4 coordinates, energy 1.7, bias {0: 0.15, 1")
    with pytest.raises(ValueError, match=r"goes from 0\.1 to 0\.2; call noise_spectrum"):
        whole.at(0.3)


# Heating by rates


def modes_of(*frequencies, **more):
    return kc.VibrationalModes.from_force_constants(np.diag(np.square(frequencies)), 1.0, **more)


def test_occupations_in_equilibrium_are_those_of_bose():
    modes, temperature = modes_of(0.2, 0.35), 0.08
    leads = kc.PhononLeads.from_oscillators([0.3], [0.1], [[0.02, 0.03]])
    for more, options in (({}, {}), ({"leads": leads}, {"damping": [0.01, 0.02]})):
        at = kc.VibrationalModes(modes.frequencies, modes.vectors, modes.masses, **more)
        found = kc.mode_occupations(
            spectrum(modes.frequencies, bias=0.0, temperature=temperature), at, **options
        )
        planck = 1 / np.expm1(modes.frequencies / temperature)
        np.testing.assert_allclose(found.occupation, planck, rtol=1e-8)
        np.testing.assert_allclose(found.effective_temperature, temperature, rtol=1e-8)
    selfenergy = leads.selfenergy(modes.frequencies)
    expected = -selfenergy.imag[[0, 1], [0, 1], [0, 1]] / modes.frequencies
    np.testing.assert_allclose(found.lattice_damping, [expected, [0.01, 0.02]], rtol=1e-12)


def test_the_current_heats_and_the_lattice_cools():
    modes = modes_of(0.2, 0.35)
    hot = spectrum(modes.frequencies, bias=0.8, temperature=0.01)
    free = kc.mode_occupations(hot, modes)
    bulk = kc.PhononLeads(
        np.empty(0), np.empty((0, 2, 2)), np.empty(0, int), np.zeros((1, 2, 2)), [0.5 * PAIR]
    )
    attached = kc.VibrationalModes(modes.frequencies, modes.vectors, modes.masses, leads=bulk)
    cooled = kc.mode_occupations(hot, attached)
    assert (free.effective_temperature > 0.05).all()
    assert (cooled.effective_temperature < free.effective_temperature).all()
    warm = kc.mode_occupations(hot, attached, lead_temperatures={0: 0.1})
    assert (warm.occupation > cooled.occupation).all()
    expected = (hot.emission[0, 0, 0].real / 0.4 + 0.5 / np.expm1(2.0)) / (
        hot.damping[0, 0, 0].real + 0.5
    )
    assert warm.occupation[0] == pytest.approx(expected, rel=1e-10)
    assert "of which 0 grow" in repr(free)


def test_modes_that_grow_have_no_limit():
    """Where electrons emit more than they absorb: an inverted pair of levels."""
    found = kc.ModeOccupations(
        np.array([0.1, 0.2]), [2.0, 1.0], [1.0, 2.0], np.zeros((1, 2)), np.zeros(1)
    )
    np.testing.assert_array_equal(found.occupation, [np.inf, 1.0])
    np.testing.assert_array_equal(found.effective_temperature, [np.inf, 0.2 / np.log(2)])
    assert "of which 1 grow" in repr(found)


def test_saved(tmp_path):
    found = spectrum([0.1, 0.2], bias=0.3)
    found.save(tmp_path / "spectrum")
    back = kc.load(tmp_path / "spectrum")
    np.testing.assert_array_equal(back.noise, found.noise)
    with pytest.raises(ValueError, match="read-only"):
        back.lead_emission[0] = 0
    data = found.to_xarray()
    np.testing.assert_array_equal(data.damping, found.damping)
    assert list(data.frequency) == [0.1, 0.2]
    heat = kc.mode_occupations(found, modes_of(0.1, 0.2))
    heat.save(tmp_path / "heat")
    np.testing.assert_array_equal(kc.load(tmp_path / "heat").occupation, heat.occupation)


@pytest.mark.parametrize(
    ("frequencies", "options", "message"),
    [
        (0.0, {}, "frequencies is .*expected positive"),
        ([0.2, 0.1], {}, r"expected some numbers, ascending"),
        ([], {}, "expected some numbers"),
        (1e-18, {}, "lost in the rounding"),
        (0.1, {"temperature": -1.0}, "temperature is -1.0"),
        (0.1, {"modes": np.eye(3)}, r"expected \(n_modes, n_c\) with n_c = 2"),
    ],
)
def test_bad_input(frequencies, options, message):
    with pytest.raises(ValueError, match=message):
        spectrum(frequencies, **options)


@pytest.mark.heavy
@pytest.mark.parametrize("frequencies", [[0.2, 0.1], [], [[0.1, 0.2]], [0.1, np.nan], [0.1 + 0j]])
def test_a_spectrum_at_frequencies_that_are_none(frequencies):
    found = spectrum([0.1, 0.4], bias=0.0)
    with pytest.raises(ValueError, match=r"frequencies (is|has) .*expected"):
        found.at(frequencies)
    assert len(found.at([0.2, 0.2]).frequencies) == 2  # modes may be degenerate


@pytest.mark.heavy
@pytest.mark.parametrize("given", [[0.1], 0.1, np.array([0.1])])
def test_temperatures_of_leads_are_named(given):
    found = spectrum([0.1, 0.4], bias=0.0)
    with pytest.raises(TypeError, match=r"lead_temperatures is .*mapping {lead: kT}: give {0: kT}"):
        kc.mode_occupations(found, modes_of(0.2, 0.3), lead_temperatures=given)


def test_temperatures_of_leads_in_kelvin():
    leads = kc.PhononLeads([], np.empty((0, 2, 2)), [], np.zeros((1, 2, 2)), np.eye(2)[None])
    modes = replace(modes_of(0.2, 0.3), leads=leads)
    found = replace(spectrum([0.1, 0.4], bias=0.0), units=kc.EV_ANGSTROM_AMU)
    with pytest.raises(ValueError, match=r"lead_temperatures\[0\] is 300 eV, .*units.temperature"):
        kc.mode_occupations(found, modes, lead_temperatures={0: 300.0})
    kc.mode_occupations(found, modes, lead_temperatures={0: 0.025})


def test_spectra_of_other_modes():
    found = spectrum([0.1, 0.4], bias=0.0)
    with pytest.raises(ValueError, match=r"goes from 0\.1 to 0\.4"):
        kc.mode_occupations(found, modes_of(0.2, 0.5))
    with pytest.raises(ValueError, match="of 2 coordinates and the modes are of 3"):
        kc.mode_occupations(found, modes_of(0.2, 0.3, 0.3))
    with pytest.raises(ValueError, match="other patterns than those of the modes"):
        kc.mode_occupations(found.project([[1.0, 1.0]]), modes_of(0.2, 0.3))
    with pytest.raises(TypeError, match="expected a NoiseSpectrum"):
        kc.mode_occupations("x", modes_of(0.2, 0.3))
    with pytest.raises(TypeError, match="expected VibrationalModes"):
        kc.mode_occupations(found, "x")


def test_nothing_comes_in():
    syst = chain(4).finalized()
    moving = kc.Displacements([1, 2], scaling=kc.PowerLaw(2))
    with pytest.warns(RuntimeWarning, match="no lead has an open mode"):
        found = kc.noise_spectrum(syst, moving, -9.0, 0.1, temperature=0.1)
    assert found.partial
    assert not found.noise.any()
