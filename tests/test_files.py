"""Results in files and as data sets."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from systems import square_wire
from test_cycles import a_limit_cycle, two_biases

import kwant_curl as kc
from kwant_curl.support.frozen import Frozen
from kwant_curl.support.storage import Storable

MOVING = kc.Displacements(scaling=kc.PowerLaw(2))


NAMES = (
    "CurlMap",
    "of a window",
    "of a probe",
    "ForceResponse",
    "of arrays",
    "FlowMap",
    "ForcePath",
    "ForcePlane",
    "CurlFlux",
    "PumpedCharge",
    "without momentum",
    "GridField",
    "PumpingRates",
    "with all tensors",
    "VibrationalModes",
    "PumpedPairs",
    "Stability",
    "Orbit",
    "CriticalBias",
    "no critical bias",
    "Trajectory",
    "with phonon leads",
    "LocalVibrations",
    "Linewidths",
    "stability with leads",
    "heat",
    "NoiseSpectrum",
    "ModeOccupations",
    "PhononRates",
    "LimitCycle",
    "LimitCycles",
    "of a potential",
    "Study",
)


@cache
def all_results():
    """Solve once, and not where tests are only collected."""
    syst = square_wire(length=6, width=4, disorder=0.8).finalized()
    curls = kc.curl_map(syst, MOVING, 1.7, bias=0.3, units=kc.MEV_NANOMETRE_AMU)
    flow = kc.flow_map(syst, 1.7, momentum=0.5)
    modes = np.eye(2, 32)
    some = kc.Displacements([8, 9], scaling=kc.PowerLaw(2))
    tensors = {"jacobian": True, "velocity": True, "noise": True}
    response = kc.force_response(syst, some, 1.7, bias=0.2, **tensors)
    vibrations = kc.VibrationalModes.from_force_constants(
        np.diag([1.0, 1.0, 2.0, 3.0]), 500.0, positions=response.positions, units=kc.EV_ANGSTROM_AMU
    )
    stable = kc.stability(response, vibrations, [0.0, 0.1])
    kappa = np.array([0.5, -0.5])[:, None, None] * np.kron(np.eye(2), [[0, 1.0], [-1, 0]])
    strong = replace(response, lead_curl=1e3 * kappa, lead_jacobian=None, lead_velocity=None)
    leads = kc.PhononLeads.from_oscillators([1.0], [0.1], 0.01 * np.eye(1, 4))
    leaving = replace(vibrations, leads=leads)
    field = kc.ResponseField(syst, some, 1.7, bias=0.2)
    noise = kc.noise_spectrum(syst, some, 1.7, [0.04, 0.08], bias=0.1, rtol=1e-2)
    return {
        "CurlMap": curls,
        "of a window": kc.curl_map(
            syst, MOVING, 1.7, bias=0.1, temperature=0.02, linear=False, rtol=1e-3
        ),
        "of a probe": kc.curl_map(syst, kc.Probe([(2.0, 1.0)], width=1.0), 1.7),
        "ForceResponse": kc.force_response(syst, MOVING, 1.7),
        "of arrays": kc.ForceResponse.from_arrays(
            friction=np.eye(3), curl=np.zeros((3, 3)), noise=np.eye(3), bias={0: 0.1, 2: 0.3}
        ),
        "FlowMap": flow,
        "ForcePath": kc.force_along(field, [[0.0] * 4, [0.1] * 4]),
        "ForcePlane": kc.force_plane(field, np.eye(2, 4), [0.0, 0.1], [0.0]),
        "CurlFlux": kc.CurlFlux(0.5, 1e-7, 32, units=kc.EV_ANGSTROM_AMU),
        "PumpedCharge": kc.pumped_charge(field, [[0.0] * 4, [0.1] * 4]),
        "without momentum": kc.flow_map(syst, 1.7),
        "GridField": flow.interpolate(),
        "PumpingRates": curls.pumping_rates(0.03, 1e5),
        "with all tensors": response,
        "VibrationalModes": vibrations,
        "PumpedPairs": kc.pumped_pairs(response, vibrations),
        "Stability": stable,
        "Orbit": stable.orbit(),
        "CriticalBias": kc.critical_bias(strong, vibrations, 1.0),
        "no critical bias": kc.critical_bias(response, vibrations, 1e-9, steps=1),
        "Trajectory": kc.langevin(response, vibrations, 30.0, seed=1, n_trajectories=2),
        "with phonon leads": leaving,
        "LocalVibrations": leaving.local_density([0.05, 0.06]),
        "Linewidths": leaving.linewidths(),
        "stability with leads": kc.stability(response, leaving),
        "heat": kc.langevin(response, leaving, 30.0, seed=1, lead_temperatures={0: 0.1}),
        "NoiseSpectrum": noise,
        "ModeOccupations": kc.mode_occupations(noise, vibrations),
        "PhononRates": kc.phonon_rates(syst, MOVING, modes, 1.7, frequency=0.1, rtol=1e-3),
        "LimitCycle": a_limit_cycle(),
        "LimitCycles": two_biases(),
        "of a potential": kc.langevin(
            response, vibrations, 30.0, anharmonic=kc.QuarticPotential(np.eye(4)), seed=1
        ),
        "Study": kc.study(syst, some, 1.7, modes=vibrations, bias=0.01, rtol=1e-3),
    }


def assert_equal(one, other):
    if isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert not other.flags.writeable
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, Frozen):
        for field in one.__dataclass_fields__:
            assert_equal(getattr(one, field), getattr(other, field))
    else:
        assert type(one) is type(other)
        assert one == other


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded(name, tmp_path):
    result = all_results()[name]
    path = tmp_path / "a result"
    result.save(path)
    assert path.exists()
    loaded = kc.load(path)
    assert type(loaded) is type(result)
    for field in result.__dataclass_fields__:
        assert_equal(getattr(result, field), getattr(loaded, field))
    with np.load(path, allow_pickle=False) as data:
        metadata = json.loads(str(data["metadata"]))
    assert metadata["kwant_curl"]
    assert "hbar = 1" in metadata["units"]
    if "energy" in result.__dataclass_fields__ and name != "of arrays":
        assert metadata["fields"]["energy"] == 1.7


def test_every_result_can_be_saved():
    assert tuple(all_results()) == NAMES
    kinds = {type(result).__name__ for result in all_results().values()}
    public = {
        name
        for name in kc.__all__
        if isinstance(getattr(kc, name), type) and issubclass(getattr(kc, name), Storable)
    }
    assert kinds == public == {kind for kind in kinds if hasattr(getattr(kc, kind), "save")}


@pytest.mark.parametrize("name", NAMES)
def test_data_sets(name):
    pytest.importorskip("xarray")
    result = all_results()[name]
    data = result.to_xarray()
    for field in result.__dataclass_fields__:
        value = getattr(result, field)
        if isinstance(value, np.ndarray):
            assert len(set(data[field].dims)) == value.ndim
            np.testing.assert_array_equal(data[field], value)
        elif isinstance(value, bool | float):
            assert data.attrs[field] == value
    for derived, dims in result.derived().items():
        assert data[derived].dims == dims[: data[derived].ndim]
        np.testing.assert_array_equal(data[derived], getattr(result, derived))
    if name == "Trajectory":
        assert data.energy.sel(time=0.0).shape == (2, 4)
    if name == "CurlMap":
        assert data.attrs["energy_unit"] == "meV"
    if name == "FlowMap":
        assert data.lead_current.dims == ("lead", "site", "direction")
        np.testing.assert_allclose((data.bias * data.lead_current).sum("lead"), result.current)


def test_other_files(tmp_path):
    path = tmp_path / "file"
    path.write_text("no result")
    with pytest.raises(ValueError, match="is no file that a result of kwant_curl was saved to"):
        kc.load(path)
    np.savez(path.with_suffix(".npz"), a=np.arange(3))
    with pytest.raises(ValueError, match="is no file that a result"):
        kc.load(path.with_suffix(".npz"))
    with path.open("wb") as file:
        np.savez(file, metadata=np.array(json.dumps({"result": "Nothing", "fields": {}})))
    with pytest.raises(ValueError, match="of a newer version: 'Nothing'"):
        kc.load(path)
    np.save(path.with_suffix(".npy"), np.arange(3))
    damaged = tmp_path / "damaged"
    all_results()["PumpingRates"].save(damaged)
    damaged.write_bytes(damaged.read_bytes()[:-100])
    newer = tmp_path / "newer"
    all_results()["PumpingRates"].save(newer)
    with np.load(newer) as data:
        arrays = dict(data)
    metadata = json.loads(str(arrays["metadata"]))
    metadata["fields"]["colour"] = "blue"
    arrays["metadata"] = np.array(json.dumps(metadata))
    with newer.open("wb") as file:
        np.savez(file, **arrays)
    for wrong in (path.with_suffix(".npy"), damaged, newer):
        with pytest.raises(ValueError, match="is no file that a result of kwant_curl was saved"):
            kc.load(wrong)
    with pytest.raises(FileNotFoundError):
        kc.load(tmp_path / "not there")
