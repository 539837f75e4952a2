"""Other biases and temperatures from the energies that an integral has sampled."""

import tracemalloc

import numpy as np
import pytest
from systems import MODELS, atoms_of, square_wire, two_levels

import kwant_curl as kc
from kwant_curl.electrons import sampling

MOVING = kc.Displacements(scaling=kc.PowerLaw(2))
FIELDS = ("lead_force", "lead_curl", "friction")


@pytest.fixture
def counted(monkeypatch):
    """Count the energies of integrals."""
    energies = []
    plain = sampling.Shells.__call__

    def counting(self, some):
        energies.extend(some)
        return plain(self, some)

    monkeypatch.setattr(sampling.Shells, "__call__", counting)
    return energies


def close(result, expected, fields, rtol):
    for name in fields:
        one, other = getattr(result, name), getattr(expected, name)
        np.testing.assert_allclose(
            one, other, rtol=0, atol=rtol * np.abs(other).max(), err_msg=name
        )


@pytest.mark.heavy
def test_windows_of_other_biases(counted):
    syst = square_wire(length=6, width=3, disorder=1.0).finalized()
    options = {"temperature": 0.03, "linear": False, "rtol": 1e-7}
    wide = kc.curl_map(syst, MOVING, 1.7, bias=0.6, **options)
    n_energies = len(counted)
    for bias in (0.6, 0.35, -0.2, 1e-3, {0: 0.3, 1: -0.1}):
        there = wide.at_bias(bias)
        assert len(counted) == n_energies
        direct = kc.curl_map(syst, MOVING, 1.7, bias=bias, **options)
        counted[:] = counted[:n_energies]
        close(there, direct, FIELDS, 3e-7)
        np.testing.assert_array_equal(there.bias, direct.bias)
        assert there.error <= 1e-6
    with pytest.raises(ValueError, match=r"integrated over those from .* the largest bias="):
        wide.at_bias(1.2)


@pytest.mark.heavy
@pytest.mark.parametrize("linear", [True, False])
def test_other_temperatures(linear):
    syst = square_wire(length=6, width=3, disorder=1.0).finalized()
    options = {"bias": 0.2, "linear": linear, "rtol": 1e-7}
    hot = kc.curl_map(syst, MOVING, 1.7, temperature=0.05, **options)
    for kt in (0.05, 0.02, 0.004, 0.0):
        direct = kc.curl_map(syst, MOVING, 1.7, temperature=kt, **options)
        there = hot.at_temperature(kt)
        assert there.temperature == kt
        close(there, direct, FIELDS, 3e-6)
    with pytest.raises(ValueError, match="highest temperature="):
        hot.at_temperature(0.3)
    with pytest.raises(ValueError, match="temperature is -1"):
        hot.at_temperature(-1.0)


def test_a_window_without_temperature():
    """Within a wide window at zero temperature narrower ones at a temperature are known."""
    syst, coordinates = two_levels()
    wide = kc.force_response(syst, coordinates, 0.1, bias=1.6, linear=False, rtol=1e-8, noise=True)
    direct = kc.force_response(
        syst, coordinates, 0.1, bias=0.3, temperature=0.02, linear=False, rtol=1e-8, noise=True
    )
    there = wide.at_bias(0.3).at_temperature(0.02)
    close(there, direct, (*FIELDS, "pair_noise", "curl", "noise"), 1e-6)
    narrow = wide.at_bias(0.3)
    np.testing.assert_array_equal(narrow.friction, wide.friction)  # of the Fermi level


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["one orbital", "magnetic field", "three leads"])
def test_all_tensors_and_the_flow(name):
    syst = MODELS[name].syst(MODELS[name].positions())
    options = {"temperature": 0.05, "linear": False, "rtol": 1e-6}
    shifts = {0: 0.3, 1: -0.1}
    moving = kc.Displacements(atoms_of(syst)[:2], scaling=kc.PowerLaw(2))
    asked = {"jacobian": True, "noise": True}
    wide = kc.force_response(syst, moving, 0.2, bias={0: 0.6, 1: -0.2}, **asked, **options)
    direct = kc.force_response(syst, moving, 0.2, bias=shifts, **asked, **options)
    tensors = (*FIELDS, "lead_jacobian", "pair_noise")
    close(wide.at_bias(shifts), direct, tensors, 1e-5)
    patterns = np.random.default_rng(0).normal(size=(3, len(wide.friction)))
    close(wide.project(patterns).at_bias(shifts), direct.project(patterns), tensors, 1e-5)
    assert np.linalg.eigvalsh(wide.at_bias(shifts).noise).min() >= -1e-12 * np.abs(wide.noise).max()
    options["cell_volume"] = 1.0
    flow = kc.flow_map(syst, 0.2, bias={0: 0.6, 1: -0.2}, **options)
    direct = kc.flow_map(syst, 0.2, bias=shifts, **options)
    fields = ("lead_dos", "lead_density", "lead_current", "lead_capacity")
    close(flow.at_bias(shifts), direct, fields, 1e-5)


@pytest.mark.heavy
def test_memory_of_the_samples(tmp_path, monkeypatch):
    """While the integral is made up, what is kept, and without it."""
    syst = square_wire(length=8, width=4, disorder=0.7).finalized()
    options = {"temperature": 0.02, "rtol": 1e-3, "jacobian": True, "velocity": True}
    kc.force_response(syst, kc.Displacements([5], scaling=MOVING.scaling), 1.7, **options)
    tracemalloc.start()
    result = kc.force_response(syst, MOVING, 1.7, **options)
    size = result.spectrum.nbytes
    assert size == sum(part.nbytes for part in result.spectrum.parts)
    kept, peak = tracemalloc.get_traced_memory()
    assert kept < 1.3 * size
    assert peak < 3.3 * size
    tracemalloc.reset_peak()
    cold = result.at_temperature(0.015)
    assert tracemalloc.get_traced_memory()[1] - kept < 0.7 * size
    tracemalloc.stop()
    assert cold.spectrum is result.spectrum
    assert cold.lead_jacobian is not result.lead_jacobian
    small = result.without_spectrum()
    assert small.spectrum is None
    assert small.lead_curl is result.lead_curl  # nothing is copied
    result.save(tmp_path / "whole")
    small.save(tmp_path / "small")
    assert (tmp_path / "small").stat().st_size < 0.2 * (tmp_path / "whole").stat().st_size
    with pytest.raises(ValueError, match="has kept no energies"):
        small.at_temperature(0.01)
    # What is asked at this point needs no samples of the modes.
    monkeypatch.setattr(kc.Spectrum, "mapped", None)
    n = len(result.friction)
    modes = kc.VibrationalModes(np.linspace(1.0, 1.1, n), np.eye(n), np.full(n, 1e6))
    assert len(kc.pumped_pairs(result.at_bias(1e-4), modes, max_detuning=0.01).detuning)


def test_in_files(tmp_path):
    syst, coordinates = two_levels()
    options = {"temperature": 0.02, "linear": False}
    wide = kc.force_response(syst, coordinates, 0.1, bias=0.8, noise=True, **options)
    wide.save(tmp_path / "wide.npz")
    back = kc.load(tmp_path / "wide.npz")
    there, here = back.at_bias(0.3), wide.at_bias(0.3)
    for name in (*FIELDS, "pair_noise"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert not back.spectrum.energies.flags.writeable
    assert not back.spectrum.parts[0].flags.writeable


def test_where_nothing_was_integrated():
    syst, coordinates = two_levels()
    one = kc.force_response(syst, coordinates, 0.1)
    assert one.spectrum is None
    with pytest.raises(ValueError, match="has kept no energies from which another temperature"):
        one.at_temperature(0.1)


def test_sum_rules_hold_to_rounding():
    """They hold at each energy, and all is added up with the same weights."""
    syst = square_wire(length=6, width=3, disorder=1.0).finalized()
    result = kc.force_response(
        syst, MOVING, 1.7, temperature=0.05, rtol=1e-2, jacobian=True, noise=True
    )
    jacobian, curl = result.lead_jacobian, result.lead_curl
    size = np.abs(curl).max()
    odd = 0.5 * (jacobian - jacobian.swapaxes(1, 2))
    np.testing.assert_allclose(odd, -0.5 * curl, atol=1e-11 * np.abs(jacobian).max())
    np.testing.assert_allclose(curl.sum(axis=0), 0, atol=1e-11 * size)
    equilibrium = result.at_bias(0.0)
    np.testing.assert_allclose(
        equilibrium.noise, 2 * 0.05 * result.friction, atol=1e-11 * np.abs(result.friction).max()
    )
    for tensor in (result.friction, result.noise):
        assert np.linalg.eigvalsh(tensor).min() >= -1e-13 * np.abs(tensor).max()


def test_the_critical_bias_from_one_window(counted):
    """From whole windows, at a temperature, for the solves of the widest of them."""
    syst, coordinates = two_levels()
    modes = kc.VibrationalModes(np.array([0.05, 0.05001]), np.eye(2), np.full(2, 1e3))
    options = {"temperature": 0.02, "linear": False, "rtol": 1e-5}
    wide = kc.force_response(syst, coordinates, 0.1, bias=1.0, **options)
    n_energies = len(counted)
    found = kc.critical_bias(wide, modes, 1.0, steps=8)
    assert len(counted) == n_energies

    def response(bias):
        return kc.force_response(syst, coordinates, 0.1, bias=bias, **options)

    direct = kc.critical_bias(response, modes, 1.0, steps=8)
    assert float(found) == pytest.approx(float(direct), rel=1e-4)
    assert 0 < float(found) < 1


@pytest.mark.parametrize("sign", [1, -1])
def test_the_fermi_level_at_the_end_of_a_window(sign):
    """One lead alone is shifted, at zero temperature: friction is that of the window's end."""
    syst, coordinates = two_levels()
    args = syst, coordinates, 0.1
    whole = kc.force_response(*args, bias={0: sign * 0.02}, linear=False, rtol=1e-6)
    part = kc.force_response(*args, bias={0: sign * 0.005}, linear=False)
    found = whole.at_bias({0: sign * 0.005})
    for name in ("force", "curl", "friction"):
        expected = getattr(part, name)
        size = np.abs(expected).max()
        np.testing.assert_allclose(getattr(found, name), expected, atol=1e-4 * size, err_msg=name)
