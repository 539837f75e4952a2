"""Rates and noise at other biases and temperatures from the energies that were sampled."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from overlapping import NAME, syst_of_matrices
from systems import MODELS, atoms_of, square_wire, two_levels

import kwant_curl as kc
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.solvers import solver_for_one_call

RATES = ("lead_emission", "lead_absorption")
PAIR = np.eye(2)
SCALED = kc.PowerLaw(2)


@pytest.fixture
def solves(monkeypatch):
    """Count the energies that are solved at, and the factorisations."""
    count = []

    def counted(kind, name):
        plain = getattr(kind, name)

        def counting(self, *arguments, **options):
            count.append(name)
            return plain(self, *arguments, **options)

        monkeypatch.setattr(kind, name, counting)

    counted(EnergyShell, "__init__")
    counted(type(solver_for_one_call()), "factorise")
    return count


def close(result, expected, rtol):
    """Each of emission and absorption relative to its largest element."""
    for name in RATES:
        one, other = getattr(result, name), getattr(expected, name)
        np.testing.assert_allclose(
            one, other, rtol=0, atol=rtol * np.abs(other).max(), err_msg=name
        )


def levels_and_modes():
    syst, moving = two_levels()
    return syst, moving, np.array([PAIR, PAIR[::-1] + 0.3]), 0.1


def atoms_and_modes(name):
    """Two atoms of a model, and two pairs of patterns of them."""
    syst = MODELS[name].syst(MODELS[name].positions())
    moving = kc.Displacements(atoms_of(syst)[:2], scaling=SCALED)
    return syst, moving, np.random.default_rng(2).normal(size=(2, 2, 4)), 0.2


def wire_and_modes():
    syst = square_wire(length=5, width=3, disorder=1.0).finalized()
    moving = kc.Displacements([6, 7], scaling=SCALED)
    return syst, moving, np.array([np.eye(4)[:2], np.eye(4)[2:]]), 1.7


CASES = {
    "levels": levels_and_modes,
    "wire": wire_and_modes,
    "magnetic field": lambda: atoms_and_modes("magnetic field"),
    "three leads": lambda: atoms_and_modes("three leads"),
}
WIDE, NARROW = {0: 0.15, 1: -0.15}, {0: -0.03, 1: 0.08}
TWO_QUANTA = {"frequency": [0.1, 0.04], "mass": [2.0, 3.0], "degeneracy": 2, "rtol": 1e-5}


@pytest.mark.parametrize(
    ("case", "kt"),
    [
        ("levels", 0.0),
        ("levels", 0.02),
        ("wire", 0.0),
        ("wire", 0.01),
        ("magnetic field", 0.01),
        ("three leads", 0.0),
        ("three leads", 0.01),
    ],
)
def test_other_biases(case, kt, solves):
    """Of two quanta at once, against a call of its own: both are known to rtol."""
    syst, moving, modes, energy = CASES[case]()
    options = {**TWO_QUANTA, "temperature": kt}
    wide = kc.phonon_rates(syst, moving, modes, energy, bias=WIDE, **options)
    n_solves = len(solves)
    assert n_solves > 20
    kept = copy.deepcopy(wide)
    there = wide.at_bias(NARROW)
    assert len(solves) == n_solves
    direct = kc.phonon_rates(syst, moving, modes, energy, bias=NARROW, **options)
    close(there, direct, 2e-5)
    np.testing.assert_array_equal(there.bias, direct.bias)
    assert there.error <= 1e-5
    assert there.temperature == kt
    assert there.spectrum is wide.spectrum
    close(wide, kept, 0.0)  # as it was
    assert wide.at_bias(WIDE).lead_emission is wide.lead_emission


@pytest.mark.parametrize("temperature", [0.0, 0.05])
def test_many_biases(temperature):
    syst, moving, modes, energy = levels_and_modes()
    options = {**TWO_QUANTA, "rtol": 1e-8, "temperature": temperature}
    wide = kc.phonon_rates(syst, moving, modes, energy, bias=0.8, **options)
    for bias in (0.11, {}, {0: 0.3}, -0.5):
        direct = kc.phonon_rates(syst, moving, modes, energy, bias=bias, **options)
        close(wide.at_bias(bias), direct, 2e-8)
    close(wide.at_bias(0.4), wide.at_bias({0: 0.2, 1: -0.2}), 0.0)
    close(wide.at_bias(0.4).at_bias(0.1), wide.at_bias(0.1), 0.0)


@pytest.mark.parametrize(("case", "colder"), [("levels", (0.02, 0.004, 0.0)), ("wire", (0.004,))])
def test_other_temperatures(case, colder, solves):
    syst, moving, modes, energy = CASES[case]()
    options = {**TWO_QUANTA, "bias": {0: 0.1, 1: -0.1}}
    hot = kc.phonon_rates(syst, moving, modes, energy, temperature=0.03, **options)
    for kt in colder:
        n_solves = len(solves)
        there = hot.at_temperature(kt)
        assert len(solves) == n_solves
        direct = kc.phonon_rates(syst, moving, modes, energy, temperature=kt, **options)
        assert there.temperature == kt
        close(there, direct, 2e-5)
    assert hot.at_temperature(0.03) is hot
    assert hot.at_temperature(1e-12).temperature == 0  # as by the routine


def test_a_temperature_within_a_window_that_had_none():
    syst, moving, modes, energy = levels_and_modes()
    options = {"frequency": 0.15, "rtol": 1e-7}
    wide = kc.phonon_rates(syst, moving, modes, energy, bias=1.6, **options)
    there = wide.at_bias(0.3).at_temperature(0.02)
    direct = kc.phonon_rates(syst, moving, modes, energy, bias=0.3, temperature=0.02, **options)
    close(there, direct, 1e-6)


def test_against_dense_matrices():
    """The golden rule's traces by the trapezoidal rule, at points that were never asked for."""
    syst, moving = two_levels()
    x, y = (-np.asarray(matrix) for matrix in moving.matrices)
    h = syst.hamiltonian_submatrix()
    gammas = np.zeros((2, 2, 2))
    gammas[0, 0, 0], gammas[1, 1, 1] = 0.6, 0.2
    mu, omega, mass = 0.1, 0.23, 3.0
    energies = np.linspace(-3, 3, 3001)

    def densities(e):
        green = np.linalg.inv(e[:, None, None] * np.eye(2) - h + 0.5j * gammas.sum(axis=0))
        return np.einsum("eij,ajk,elk->eail", green, gammas, green.conj()) / (2 * np.pi)

    lower, upper = densities(energies), densities(energies + omega)
    force = x + 1j * y
    path = "ij,ebjk,lk,eali->eab"
    trace = np.einsum(path, force, lower, force.conj(), upper, optimize=True).real
    wide = kc.phonon_rates(
        syst, moving, PAIR, mu, frequency=omega, mass=mass, bias=0.9, temperature=0.07, rtol=1e-8
    )
    for bias, kt in ((0.5, 0.07), (-0.2, 0.03)):
        levels = mu + np.array([0.5, -0.5]) * bias
        above, below = (
            1 / (1 + np.exp((e[:, None] - levels) / kt)) for e in (energies + omega, energies)
        )
        pieces = (above[:, :, None], 1 - below[:, None]), (1 - above[:, :, None], below[:, None])
        unit = np.pi / (2 * mass * omega) * (energies[1] - energies[0])
        there = wide.at_bias(bias).at_temperature(kt)
        for name, (one, other) in zip(RATES, pieces, strict=True):
            expected = unit * (trace * one * other).sum(axis=0)
            np.testing.assert_allclose(
                getattr(there, name)[0, 0], expected, atol=1e-7 * expected.max()
            )


def test_detailed_balance_elsewhere():
    """Without bias emission/absorption = exp(-hbar omega/kT), of each pair with its own quantum."""
    syst, moving, modes, energy = levels_and_modes()
    quanta = np.array([0.05, 0.13])
    wide = kc.phonon_rates(
        syst, moving, modes, energy, frequency=quanta, bias=0.5, temperature=0.05, rtol=1e-9
    )
    for kt in (0.05, 0.03):
        there = wide.at_bias(0.0).at_temperature(kt)
        ratio = there.emission / there.absorption
        np.testing.assert_allclose(ratio, np.exp(-quanta / kt)[:, None] * np.ones(2), rtol=1e-7)
        planck = 1 / np.expm1(quanta / kt)
        np.testing.assert_allclose(there.occupation, planck[:, None] * np.ones(2), rtol=1e-6)


def test_emission_starts_at_the_quantum():
    """At zero temperature, from one window, a hair below and above."""
    syst, moving = two_levels()
    wide = kc.phonon_rates(syst, moving, PAIR, 0.1, frequency=0.3, bias=0.8, rtol=1e-8)
    below, above = wide.at_bias(0.299), wide.at_bias(0.301)
    assert not below.emission.any()
    assert (above.emission > 0).all()
    direct = kc.phonon_rates(syst, moving, PAIR, 0.1, frequency=0.3, bias=0.301, rtol=1e-8)
    np.testing.assert_allclose(above.emission, direct.emission, rtol=1e-5)


def test_rates_are_positive():
    """The samples are, and all of an integral's weights have one sign where that does as well."""
    syst, moving, modes, energy = wire_and_modes()
    wide = kc.phonon_rates(
        syst, moving, modes, energy, frequency=[0.1, 0.2], bias=0.5, temperature=0.05, rtol=1e-2
    )
    for bias in (0.4, 0.1, 0.0, -0.3):
        there = wide.at_bias(bias)
        for name in RATES:
            assert getattr(there, name).min() >= 0


def test_beyond_the_window():
    """Refused, with the window that was integrated over and the one that is needed."""
    syst, moving = two_levels()
    options = {"frequency": 0.3, "rtol": 1e-3}
    cold = kc.phonon_rates(syst, moving, PAIR, 0.1, bias=0.8, **options)
    there = r"This needs energies from -0\.7 to 0\.6, but .* over those from -0\.6 to 0\.5"
    with pytest.raises(ValueError, match=there + r"\. .* the largest bias="):
        cold.at_bias(1.0)
    with pytest.raises(ValueError, match="highest temperature="):
        cold.at_temperature(0.05)
    with pytest.raises(ValueError, match=r"over those from -0\.6 to 0\.5"):
        cold.at_bias({0: 0.41})
    hot = kc.phonon_rates(syst, moving, PAIR, 0.1, bias=0.2, temperature=0.05, **options)
    with pytest.raises(ValueError, match=r"This needs energies from .* integrated over"):
        hot.at_temperature(0.2)
    hot.at_bias(0.25)  # the tails of an integral reach further than its error needs
    for wrong, message in (
        ({2: 0.1}, r"bias names lead 2, but the system has leads 0 to 1"),
        (np.nan, "bias is nan"),
    ):
        with pytest.raises(ValueError, match=message):
            hot.at_bias(wrong)
    with pytest.raises(ValueError, match="temperature is -1"):
        hot.at_temperature(-1.0)
    with pytest.raises(ValueError, match=r"number 0\.1, which stands for two leads"):
        replace(hot, bias=np.zeros(3)).at_bias(0.1)


def test_without_the_samples(tmp_path):
    syst, moving, modes, energy = levels_and_modes()
    whole = kc.phonon_rates(syst, moving, modes, energy, frequency=[0.1, 0.3], rtol=1e-6)
    small = whole.without_spectrum()
    assert small.spectrum is None
    assert small.lead_emission is whole.lead_emission  # nothing is copied
    whole.save(tmp_path / "whole")
    small.save(tmp_path / "small")
    assert (tmp_path / "small").stat().st_size < 0.7 * (tmp_path / "whole").stat().st_size
    for result in (small, kc.load(tmp_path / "small")):
        with pytest.raises(
            ValueError, match=r"kept no energies from which another bias .*was made w"
        ):
            result.at_bias(0.1)
        with pytest.raises(ValueError, match="kept no energies from which another temperature"):
            result.at_temperature(0.1)
        np.testing.assert_array_equal(result.at_bias(1.0).lead_emission, whole.lead_emission)


def test_what_is_kept():
    """One number per energy, pair of modes, sign and pair of leads, and nothing twice."""
    syst, moving, modes, energy = levels_and_modes()
    result = kc.phonon_rates(
        syst, moving, modes[[0, 1, 0]], energy, frequency=[0.3, 0.1, 0.3], rtol=1e-6
    )
    kept = result.spectrum
    slow, fast = (len(part) for part in kept.parts)
    assert [part.shape for part in kept.parts] == [(slow, 2, 2, 1, 2), (fast, 2, 2, 2, 2)]
    assert len(kept.energies) == slow + fast
    assert kept.nbytes == 8 * (slow * 8 + fast * 16)
    np.testing.assert_array_equal(kept.quanta, [0.3, 0.1, 0.3])
    np.testing.assert_allclose(kept.limits, energy + np.array([[-0.6, 0.5], [-0.8, 0.5]]))
    for start, part, (low, high) in zip((0, slow), kept.parts, kept.limits, strict=True):
        some = kept.energies[start : start + len(part)]
        assert ((low < some) & (some < high)).all()
    n = len(kept.energies)
    assert repr(kept) == f"<ExchangeSpectrum of {n} energies from -0.7 to 0.6>"


def test_files_and_copies(tmp_path):
    """Read-only all of them, and they answer alike."""
    syst, moving, modes, energy = levels_and_modes()
    found = kc.phonon_rates(
        syst, moving, modes, energy, frequency=[0.1, 0.3], temperature=0.02, rtol=1e-5
    )
    found.save(tmp_path / "rates.npz")
    again = kc.load(tmp_path / "rates.npz")
    there = found.at_bias(0.3).at_temperature(0.01)
    there.save(tmp_path / "there")
    for back in (again, kc.load(tmp_path / "there"), pickle.loads(pickle.dumps(found))):
        close(back.at_bias(0.3).at_temperature(0.01), there, 0.0)
    for result in (found, again, there):
        kept = result.spectrum
        arrays = [getattr(result, name) for name in (*RATES, "bias")]
        for array in (*arrays, *kept.parts, kept.energies, kept.quanta, kept.limits):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_energies_that_were_too_few():
    """What is left of an error is said, and so it is at another bias."""
    syst, moving, _, energy = wire_and_modes()
    options = {"frequency": 0.1, "bias": 0.5, "rtol": 1e-9, "max_energies": 15}
    with pytest.warns(RuntimeWarning, match="did not converge to rtol=1e-09"):
        found = kc.phonon_rates(syst, moving, np.eye(4)[:2], energy, **options)
    with pytest.warns(RuntimeWarning, match="At this bias the energies that were sampled leave"):
        there = found.at_bias(0.3)
    assert there.error > 1e-9
    assert not any("did not converge" in text for text in there.warnings)
    assert any("At this bias" in text for text in there.warnings)
    options = {**options, "bias": 0.3, "rtol": 1e-8, "max_energies": 2000}
    direct = kc.phonon_rates(syst, moving, np.eye(4)[:2], energy, **options)
    close(there, direct, 10 * there.error)


def test_after_an_energy_that_failed(monkeypatch):
    """What is known of the frequencies before it serves elsewhere too; the others stay unknown."""
    syst, moving, modes, energy = levels_and_modes()
    options = {"frequency": [0.1, 0.3], "bias": 0.5, "temperature": 0.03, "rtol": 1e-6}
    whole = kc.phonon_rates(syst, moving, modes, energy, **options)
    count, plain = [], EnergyShell.__init__
    first = 2 * len(whole.spectrum.parts[0]) + 12

    def failing(self, *arguments, **more):
        count.append(1)
        if len(count) > first:
            raise RuntimeError("no root")
        plain(self, *arguments, **more)

    monkeypatch.setattr(EnergyShell, "__init__", failing)
    modes, options = modes[[0, 1, 0]], {**options, "frequency": [0.1, 0.3, 0.4]}
    with pytest.raises(kc.IntegrationError) as e:
        kc.phonon_rates(syst, moving, modes, energy, **options)
    known, there = e.value.result, whole.at_bias(0.2)
    with pytest.warns(RuntimeWarning, match="At this bias"):
        found = known.at_bias(0.2)
    np.testing.assert_array_equal(found.lead_emission[0], there.lead_emission[0])
    assert np.isfinite(found.lead_emission[1]).all()
    assert np.isnan(found.lead_emission[2]).all()
    assert len(known.spectrum.parts) == 2


def test_no_lead_is_open():
    syst = square_wire(disorder=0.1).finalized()
    moving = kc.Displacements([8], scaling=SCALED)
    with pytest.warns(RuntimeWarning, match="no lead has an open mode"):
        closed = kc.phonon_rates(syst, moving, PAIR, -9.0, frequency=0.1, temperature=0.1)
    there = closed.at_bias(0.2)
    assert there.partial
    assert not there.emission.any()
    assert there.error == 0


def test_hamiltonians_that_depend_on_energy():
    """H - E S, with overlaps that follow the atoms."""
    rng = np.random.default_rng(5)
    H = np.diag(rng.normal(size=5) * 0.1) + np.diag(-np.ones(4), 1) + np.diag(-np.ones(4), -1)
    S = np.eye(5) + 0.1 * (np.diag(np.ones(4), 1) + np.diag(np.ones(4), -1))
    inner = np.zeros((2, 5, 5))
    for number, (i, j) in enumerate(((1, 2), (2, 3))):
        inner[number, i, j] = inner[number, j, i] = 0.5
    syst = syst_of_matrices(H, S)
    moving = kc.Matrices(inner, overlaps=list(0.1 * inner), one_sided=list(0.05 * inner))
    options = {"frequency": 0.2, "temperature": 0.04, "rtol": 1e-7, "energy_parameter": NAME}
    wide = kc.phonon_rates(syst, moving, PAIR, 0.2, bias=0.8, **options)
    direct = kc.phonon_rates(syst, moving, PAIR, 0.2, bias=0.3, **options)
    close(wide.at_bias(0.3), direct, 1e-6)


# Noise


@pytest.mark.parametrize("temperature", [0.0, 0.02])
def test_noise_elsewhere(temperature, solves):
    syst, moving, _, energy = wire_and_modes()
    options = {"temperature": temperature, "degeneracy": 2, "rtol": 1e-5}
    omega = [0.04, 0.1]
    wide = kc.noise_spectrum(syst, moving, energy, omega, bias=0.3, **options)
    n_solves = len(solves)
    there = wide.at_bias(NARROW)
    assert len(solves) == n_solves
    direct = kc.noise_spectrum(syst, moving, energy, omega, bias=NARROW, **options)
    close(there, direct, 2e-5)
    turned = there.lead_emission.conj().swapaxes(-1, -2)
    np.testing.assert_array_equal(there.lead_emission, turned)
    if temperature:
        there = wide.at_bias(0.0).at_temperature(0.01)
        coth = 1 / np.tanh(wide.frequencies / 0.02)
        expected = (wide.frequencies * coth)[:, None, None] * there.damping
        np.testing.assert_allclose(there.noise, expected, atol=1e-5 * np.abs(expected).max())
    with pytest.raises(ValueError, match=r"needs energies from .* the largest bias="):
        wide.at_bias(0.9)
    assert wide.spectrum.nbytes == len(wide.spectrum.energies) * 4 * 16 * 8


def test_noise_of_modes_elsewhere(tmp_path):
    """Projected, saved, and between the frequencies, where there are no samples."""
    syst, moving, _, energy = wire_and_modes()
    options = {"temperature": 0.02, "rtol": 1e-5}
    wide = kc.noise_spectrum(syst, moving, energy, [0.04, 0.1], bias=0.3, **options)
    patterns = np.random.default_rng(0).normal(size=(3, 4))
    projected = wide.project(patterns)
    close(projected.at_bias(0.2), wide.at_bias(0.2).project(patterns), 2e-6)
    own = kc.noise_spectrum(syst, moving, energy, [0.04, 0.1], modes=patterns, bias=0.2, **options)
    close(projected.at_bias(0.2), own, 2e-5)
    projected.save(tmp_path / "noise")
    back = kc.load(tmp_path / "noise")
    close(back.at_bias(0.2), projected.at_bias(0.2), 0.0)
    assert not back.spectrum.parts[0].flags.writeable
    middle = wide.at([0.07])
    with pytest.raises(ValueError, match="kept no energies from which another bias"):
        middle.at_bias(0.2)
    assert wide.at_bias(0.2).at([0.07]).bias[0] == 0.1


def test_heating_from_one_window(monkeypatch):
    """Occupations against bias and temperature; what is asked at a point needs no samples."""
    syst, moving = two_levels()
    modes = kc.VibrationalModes.from_force_constants(np.diag([0.04, 0.1225]), 1.0)
    options = {"temperature": 0.03, "rtol": 1e-8}
    wide = kc.noise_spectrum(syst, moving, 0.1, modes.frequencies, bias=0.8, **options)
    monkeypatch.setattr(kc.ExchangeSpectrum, "mapped", None)
    cold = kc.mode_occupations(wide.at_bias(0.0).at_temperature(0.02), modes)
    np.testing.assert_allclose(cold.effective_temperature, 0.02, rtol=1e-6)
    direct = kc.noise_spectrum(syst, moving, 0.1, modes.frequencies, bias=0.4, **options)
    one, other = (kc.mode_occupations(some, modes) for some in (wide.at_bias(0.4), direct))
    np.testing.assert_allclose(one.occupation, other.occupation, rtol=1e-6)
