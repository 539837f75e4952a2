"""Results say where they come from: parameters, version, seconds."""

import time

import kwant
import numpy as np
import pytest
from systems import square_wire

import kwant_curl as kc
from kwant_curl import devices

LAW = kc.Displacements(scaling=kc.PowerLaw(2))


def onsite(site, V, shape, names):
    return V


@pytest.fixture(scope="module")
def syst():
    lat = kwant.lattice.square(norbs=1)
    builder = square_wire(length=4, width=2)
    builder[lat(1, 0)] = onsite
    return builder.finalized()


PARAMS = {"V": np.float64(0.3), "shape": np.arange(2), "names": "a"}
KEPT = {"V": 0.3, "shape": "array([0, 1])", "names": "a"}


def test_a_routine_says_where_its_result_comes_from(syst, tmp_path):
    begin = time.perf_counter()
    response = kc.force_response(syst, LAW, 1.5, params=PARAMS)
    took = time.perf_counter() - begin
    assert response.params == KEPT
    assert response.version == kc.__version__
    assert 0.5 * took < response.seconds <= took
    response.save(tmp_path / "file")
    again = kc.load(tmp_path / "file")
    for other in (again, response.at_bias(0.3), response.without_spectrum()):
        assert (other.params, other.version) == (KEPT, kc.__version__)
        assert other.seconds == response.seconds
    assert f"kwant_curl {kc.__version__}; {response.seconds:.3g} s" in response._repr_html_()
    attributes = response.to_xarray().attrs
    assert attributes["version"] == kc.__version__
    assert '"V": 0.3' in attributes["params"]


def test_those_of_a_model_and_of_a_response(syst):
    model = kc.Model(syst, params=PARAMS)
    assert kc.curl_map(model, LAW, 1.5).params == KEPT
    response = kc.force_response(model, LAW, 1.5)
    modes = kc.VibrationalModes.from_force_constants(np.eye(len(response.friction)), 1e4)
    assert kc.stability(response, modes).params == KEPT
    assert kc.critical_bias(response, modes, 1e-9, steps=1).seconds > 0


def test_without_params():
    result = kc.curl_map(square_wire(length=4, width=2).finalized(), LAW, 1.5)
    assert result.params == {}


def test_rates_of_a_response_have_its_origin():
    molecule = devices.bent_molecule()
    where = molecule.syst, molecule.coordinates, molecule.energy
    for result in (kc.curl_map(*where), kc.force_response(*where)):
        more = {} if isinstance(result, kc.CurlMap) else {"modes": np.eye(2, 6)}
        rates = result.pumping_rates(frequency=0.01, mass=molecule.mass, **more)
        assert rates.version == kc.__version__
        assert rates.seconds == result.seconds
        assert rates.params == result.params
