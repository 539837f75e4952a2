"""What results say of their own assumptions: once, with the number, and in `warnings`."""

import dataclasses
import pickle
import re
import warnings

import kwant
import numpy as np
import pytest
from kwant.physics import Bands
from systems import MODELS, chain, random_system, square_wire, two_levels

import kwant_curl as kc
from kwant_curl import devices
from kwant_curl.model.bands import band_edges, nearest_edge
from kwant_curl.model.model import scattering_model
from kwant_curl.support.warning import issued

ENERGY = 1.7
MOVING = kc.Displacements([9, 10, 13], scaling=kc.PowerLaw(2))


@pytest.fixture(scope="module")
def local():
    return kc.curl_map(square_wire(disorder=0.6).finalized(), MOVING, ENERGY, bias=0.4)


def caught(call):
    """Return what a call returns, and the warnings that it issues."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        return call(), found


# Where the bands of the leads begin and end


@pytest.mark.parametrize("energy", [-1.9, 0.3, 1.5])
def test_distance_of_the_band_edge_of_a_chain(energy):
    response = kc.force_response(
        chain(6).finalized(), kc.Displacements(scaling=kc.PowerLaw(2)), energy
    )
    assert response.band_distance == pytest.approx(2 - abs(energy), rel=1e-6)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "make", [devices.graphene_constriction, devices.point_contact, lambda: None, lambda: "complex"]
)
def test_distance_of_the_band_edge(make):
    """Against the edges that integrals use: within a few per cent of a band's width."""
    device = make()
    if device is None:
        syst, energies = square_wire(length=4, width=5).finalized(), (1.2, 1.7, 3.1)
    elif device == "complex":
        syst, energies = random_system(2, n_leads=2).finalized(), (0.0, 0.4)
    else:
        small = {"width": 30, "neck": 20, "length": 60} if "graphene" in device.name else {}
        device = make(**small)
        syst, energies = device.syst, (device.energy,)
    problem = scattering_model(syst).scattering
    for energy in energies:
        found = nearest_edge(problem, energy)
        edges = np.empty(0)
        reach = found
        while not edges.size:
            edges = band_edges(problem, energy - reach, energy + reach)
            reach *= 1.5
        spread = np.ptp([b for k in (0, 1, 2, 3) for b in Bands(problem.leads[0].cells)(k)])
        assert abs(found - np.abs(edges - energy).min()) < 0.03 * spread


def test_bands_that_cross_have_no_edge():
    """A chain in cells of two or three atoms: its bands are folded, and cross at k = 0 and pi."""
    for n in (2, 3):
        lattice = kwant.lattice.chain(norbs=1)
        builder = kwant.Builder()
        builder[(lattice(i) for i in range(3 * n))] = 0
        builder[lattice.neighbors()] = -1
        lead = kwant.Builder(kwant.TranslationalSymmetry((-n,)))
        lead[(lattice(i) for i in range(n))] = 0
        lead[lattice.neighbors()] = -1
        builder.attach_lead(lead)
        problem = scattering_model(builder.finalized()).scattering
        assert nearest_edge(problem, 0.1) == pytest.approx(1.9, rel=1e-9)


def test_leads_whose_bands_are_not_known():
    syst, coordinates = two_levels()
    response = kc.force_response(syst, coordinates, 0.0)
    assert response.band_distance is None
    assert not response.pumping_rates(np.eye(2), 0.01, 1e5).warnings
    window = kc.force_response(syst, coordinates, 0.0, bias=0.1, linear=False, rtol=1e-3)
    assert window.band_distance is None


# Resonances


def dot(level, hopping, *, levels=1, lead=-1.0):
    """Return a row with sites in its middle that are weakly coupled to it."""
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    n = 6 + levels
    builder[(lattice(x, 0) for x in range(n))] = 0.1
    builder[lattice.neighbors()] = lead
    for x in range(3, 3 + levels):
        builder[lattice(x, 0)] = level
    builder[lattice(2, 0), lattice(3, 0)] = hopping
    builder[lattice(2 + levels, 0), lattice(3 + levels, 0)] = hopping
    wire = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    wire[lattice(0, 0)] = 0.1
    wire[lattice.neighbors()] = lead
    builder.attach_lead(wire)
    builder.attach_lead(wire.reversed())
    return builder.finalized()


@pytest.mark.parametrize("mu", [0.35, 0.41])
def test_distance_of_a_resonance(mu):
    """Of one level between two leads, whose self-energy at the Fermi level is known."""
    level, hopping = 0.4, 0.15
    moving = kc.Displacements([2, 3, 4], scaling=kc.PowerLaw(2))
    response = kc.force_response(dot(level, hopping), moving, mu, bias=0.02)
    x = (level - 0.1) / 2
    sigma = 2 * hopping**2 * (x - 1j * np.sqrt(1 - x**2))
    assert response.resonance_distance == pytest.approx(abs(level + sigma - mu), rel=0.1)
    assert kc.curl_map(dot(level, hopping), moving, mu).resonance_distance == pytest.approx(
        response.resonance_distance, rel=1e-12
    )


def test_what_is_no_resonance():
    """Levels of a clean wire, of a wire with some disorder, broad ones, and of large devices."""
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    assert kc.force_response(chain(20).finalized(), moving, 0.3).resonance_distance is None
    weak = square_wire(length=12, width=3, disorder=0.6).finalized()
    assert kc.curl_map(weak, moving, ENERGY).resonance_distance is None
    assert kc.force_response(*two_levels(), 0.0).resonance_distance is None
    large = dot(0.4, 0.15, levels=60)
    near = kc.Displacements([2, 3], scaling=kc.PowerLaw(2))
    assert kc.force_response(large, near, 0.4).resonance_distance is None


def test_phonons_biases_and_thresholds_that_reach_a_resonance():
    moving = kc.Displacements([2, 3, 4], scaling=kc.PowerLaw(2))
    local = kc.force_response(dot(0.4, 0.15, levels=2), moving, 1.35, bias=0.02)
    distance = local.resonance_distance
    assert distance < local.band_distance
    modes = np.eye(6)[[0, 1]]
    assert not local.pumping_rates(modes, 0.9 * distance, 1e8).warnings
    with pytest.warns(
        RuntimeWarning, match="the nearest resonance of the device, with its half"
    ) as w:
        rates = local.pumping_rates(modes, 1.1 * distance, 1e8)
    assert len(w) == 1
    assert f"hbar omega is {1.1 * distance:.3g}, and the nearest" in rates.warnings[0]
    assert f" is {distance:.3g} from the Fermi level" in rates.warnings[0]
    window = dataclasses.replace(local, linear=False)
    with pytest.warns(RuntimeWarning, match="the nearest resonance"):
        window.pumping_rates(modes, 1.1 * distance, 1e8)


def test_vibrations_under_a_bias_that_reaches_a_resonance(pair):
    near = dataclasses.replace(pair, band_distance=None, resonance_distance=0.3)
    (text,) = kc.stability(near, modes_of(0.3), [0.5, 2.0]).warnings
    assert "a lead is shifted by 1, and the nearest resonance of the device, with its" in text
    assert " is 0.3 from the Fermi level: linear response does not reach as far" in text
    damped = dataclasses.replace(near, friction=0.1 * np.eye(2))
    (threshold,) = damped.pumping_rates(np.eye(2), 0.2, 10.0).warnings
    assert threshold.startswith("At the lowest threshold, ")
    assert "the nearest resonance" in threshold
    assert not kc.stability(near, modes_of(0.3), [0.5]).warnings


# Rates


def test_slow_rates_say_nothing(local):
    rates = local.pumping_rates(0.03, 2e5)
    assert rates.warnings == ()
    assert "warning" not in repr(rates)
    assert "warning" not in rates._repr_html_()


def test_a_driving_that_is_not_slow(local):
    mass = 20.0
    rates, found = caught(lambda: local.pumping_rates(0.03, mass))
    texts = [str(warning.message) for warning in found]
    assert tuple(texts) == rates.warnings
    assert len(set(texts)) == len(texts)
    ratio = np.abs(local.curl).max() / (2 * mass * 0.03**2)
    top = np.abs(local.curl).argmax()
    assert f"The driving is up to {ratio:.3g} times the frequency (entry {top}:" in texts[0]
    assert all(warning.filename == __file__ for warning in found)
    assert repr(rates).endswith("".join(f"\nwarning: {text}" for text in texts))
    html = rates._repr_html_()
    assert html.count("<p>warning: The driving is up to") == 1
    assert html.count("PumpingRates of 3") == 1
    # The cure does what it says.
    factor = float(re.search(r"With (\S+) times the bias", texts[0])[1])
    slower, _ = caught(lambda: local.at_bias(factor * 0.4).pumping_rates(0.03, mass))
    assert not any("driving" in text for text in slower.warnings)


def test_a_damping_that_is_not_slow(local):
    trace = np.trace(local.friction, axis1=1, axis2=2)
    mass = trace.max() / (2 * 0.03 * 0.2)
    weak = local.at_bias(1e-4)
    with pytest.warns(RuntimeWarning, match="The damping is up to 0.2 times the frequency") as w:
        rates = weak.pumping_rates(0.03, mass)
    assert len(w) == len(rates.warnings) == 1
    assert not weak.pumping_rates(0.03, 2.1 * mass).warnings


def test_phonons_and_thresholds_that_reach_a_band_edge(local):
    distance = local.band_distance
    assert not local.pumping_rates(0.5 * distance, 1e6).warnings
    with pytest.warns(RuntimeWarning, match=f"the next band edge of the leads is {distance:.3g}"):
        rates = local.pumping_rates(1.01 * distance, 1e6)
    assert rates.warnings[0].startswith(f"hbar omega is {1.01 * distance:.3g}, and")
    # The threshold goes as the frequency.
    omega = 0.01
    bias = 0.4 * local.pumping_rates(omega, 1e6).threshold.min()
    beyond = omega * distance / (0.5 * bias)
    close = dataclasses.replace(local, band_distance=0.5 * bias / 1.01)
    (text,) = close.pumping_rates(omega, 1e6).warnings  # recorded, and no warning
    assert text.startswith("At the lowest threshold, ")
    assert "linear response does not" in text
    assert not local.pumping_rates(min(0.9 * beyond, 0.5 * distance), 1e6).warnings
    # A whole window has no threshold, but its rates leave hbar omega out too.
    window = dataclasses.replace(close, linear=False)
    assert not window.pumping_rates(min(omega, 0.9 * window.band_distance), 1e8).warnings
    with pytest.warns(RuntimeWarning, match="hbar omega is"):
        window.pumping_rates(1.1 * window.band_distance, 1e8)


def test_rates_of_nothing(local):
    empty = dataclasses.replace(
        local,
        positions=np.empty((0, 2)),
        lead_force=np.empty((2, 0, 2)),
        lead_curl=np.empty((2, 0)),
        friction=np.empty((0, 2, 2)),
        units=kc.EV_ANGSTROM_AMU,
    )
    assert repr(empty.pumping_rates(0.1)) == "<PumpingRates of nothing>"


# Vibrations


@pytest.fixture(scope="module")
def pair():
    """Two degenerate modes that the curl of 0.02 per bias drives, and half of that."""
    kappa = np.array([[0, 0.02], [-0.02, 0]])
    return kc.ForceResponse(
        energy=0.0,
        bias=np.array([0.5, -0.5]),
        degeneracy=1.0,
        lead_force=np.zeros((2, 2)),
        lead_curl=np.array([kappa, -kappa]),
        friction=1e-3 * np.eye(2),
        band_distance=0.4,
    )


def modes_of(omega, **more):
    return kc.VibrationalModes.from_force_constants(omega**2 * np.eye(2), 1.0, **more)


ANALYSES = {
    "stability": lambda response, modes: kc.stability(response, modes),
    "pairs": lambda response, modes: kc.pumped_pairs(response, modes),
    "langevin": lambda response, modes: kc.langevin(response, modes, 1.0, noise=False),
}


@pytest.mark.parametrize("analysis", ANALYSES.values(), ids=ANALYSES)
def test_springs_that_the_curl_exceeds(pair, analysis):
    weak = pair.at_bias(0.7)  # below the band edge
    assert not analysis(weak, modes_of(0.2)).warnings
    result, found = caught(lambda: analysis(weak, modes_of(0.05)))
    (text,) = [str(warning.message) for warning in found]
    assert result.warnings == (text,)
    ratio = 0.7 * 0.02 / (2 * 0.05**2)
    assert f"bias {{0: 0.35, 1: -0.35}} the curl of the current's force is {ratio:.3g} t" in text
    assert repr(result).endswith(f">\nwarning: {text}")
    assert result.to_xarray().attrs["warnings"] == text


@pytest.mark.parametrize("analysis", ANALYSES.values(), ids=ANALYSES)
def test_biases_beyond_the_band(pair, analysis):
    (text,) = analysis(pair, modes_of(0.3)).warnings
    assert re.search(r"a lead is shifted by 0.5, .* is 0.4 from .*linear", text)
    window = dataclasses.replace(pair, linear=False)
    assert not analysis(window, modes_of(0.3)).warnings


def test_the_worst_of_many_biases_is_named(pair):
    (text,) = kc.stability(pair, modes_of(0.3), [0.1, 2.0, 1.0]).warnings
    assert text.startswith("At the bias {0: 1.0, 1: -1.0} a lead is")


def test_a_critical_bias_beyond_the_band(pair):
    close = dataclasses.replace(pair, band_distance=0.01)
    with pytest.warns(RuntimeWarning, match="linear response does not reach as far") as found:
        kc.critical_bias(close, modes_of(0.3), 1.0)
    assert len(found) == 1


# Files, copies, data sets


def test_warnings_are_saved(local, tmp_path):
    rates, _ = caught(lambda: local.pumping_rates(0.03, 20.0))
    rates.save(tmp_path / "rates.npz")
    again = kc.load(tmp_path / "rates.npz")
    assert again.warnings == rates.warnings
    assert isinstance(again.warnings, tuple)
    assert pickle.loads(pickle.dumps(rates)).warnings == rates.warnings
    local.save(tmp_path / "map.npz")
    assert kc.load(tmp_path / "map.npz").warnings == ()
    assert kc.load(tmp_path / "map.npz").band_distance == local.band_distance
    assert rates.to_xarray().attrs["warnings"].splitlines() == list(rates.warnings)


def test_files_from_before_there_were_warnings(local, tmp_path):
    import json

    local.save(tmp_path / "map.npz")
    with np.load(tmp_path / "map.npz") as file:
        arrays = dict(file)
    metadata = json.loads(str(arrays.pop("metadata")))
    for name in ("warnings", "band_distance", "resonance_distance"):
        del metadata["fields"][name]
    np.savez(tmp_path / "old.npz", metadata=np.array(json.dumps(metadata)), **arrays)
    old = kc.load(tmp_path / "old.npz")
    assert old.warnings == ()
    assert old.band_distance is None
    np.testing.assert_array_equal(old.curl, local.curl)


# Once per call


def test_equal_texts_are_issued_once():
    with pytest.warns(RuntimeWarning) as found:
        assert issued(["a", "b", "a"]) == ("a", "b")
    assert [str(warning.message) for warning in found] == ["a", "b"]
    assert issued([]) == ()


CLOSED = "No lead has an open mode at energy 20"


@pytest.mark.parametrize(
    "routine",
    [
        lambda syst: kc.curl_map(syst, MOVING, 20),
        lambda syst: kc.flow_map(syst, 20),
        lambda syst: kc.force_response(syst, MOVING, 20, jacobian=True, noise=True),
        lambda syst: kc.NonequilibriumDensity(syst, 20),
    ],
)
def test_closed_leads_are_said_once(routine):
    result, found = caught(lambda: routine(square_wire().finalized()))
    assert [str(warning.message) for warning in found] == list(result.warnings)
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith(CLOSED)
    assert found[0].filename == __file__


def test_several_phonons_say_the_same_once():
    """Each frequency is an integral of its own."""
    result, found = caught(
        lambda: kc.phonon_rates(
            chain(6).finalized(),
            kc.Displacements(scaling=kc.PowerLaw(2)),
            np.eye(4)[:4].reshape(2, 2, 4),
            1.99,
            frequency=[0.02, 0.03],
            bias=0.1,
            rtol=1e-2,
        )
    )
    (text,) = [str(warning.message) for warning in found]
    assert text.startswith("At some energies of the window no lead has an open mode")
    assert result.partial
    assert result.warnings == (text,)
    assert repr(result).endswith(text)


def test_a_probe_out_of_reach_is_said_once():
    """Also where second derivatives are asked for."""
    syst = square_wire().finalized()
    probe = kc.Probe([(2.0, 1.0), (50.0, 50.0)], width=1.0)
    for jacobian in (False, True):
        result, found = caught(
            lambda j=jacobian: kc.force_response(syst, probe, ENERGY, bias=0.1, jacobian=j)
        )
        (text,) = [str(warning.message) for warning in found]
        assert result.warnings == (text,)
        assert text.startswith("1 of the probe's 2 points have no site within reach (7.434)")


def test_three_dimensions():
    model = MODELS["3D wire"]
    spatial = kc.curl_map(
        model.syst(model.positions()), kc.Displacements(scaling=kc.PowerLaw(3)), model.energy
    )
    rates, found = caught(lambda: spatial.pumping_rates(0.05, 1.0))
    assert len(found) == len(rates.warnings) > 0


def test_rates_beyond_all_numbers(local):
    for omega, mass in ((1e-300, 1.0), (1e-200, 1e-200)):
        with pytest.raises(ValueError, match=r"frequency 1e-.* give rates beyond all numbers"):
            local.pumping_rates(omega, mass)
