"""Results: frozen, read-only, and what follows from them without a new solve."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from systems import MODELS, random_system, square_wire

from kwant_curl import (
    EV_ANGSTROM_AMU,
    Displacements,
    PowerLaw,
    PumpingRates,
    curl_map,
    force_response,
)

ENERGY = 1.7
MOVING = Displacements([9, 10, 13], scaling=PowerLaw(2))


@pytest.fixture(scope="module")
def local():
    return curl_map(square_wire(disorder=0.6).finalized(), MOVING, ENERGY, bias=0.4)


@pytest.fixture(scope="module")
def response():
    return force_response(square_wire(disorder=0.6).finalized(), MOVING, ENERGY, bias=0.4)


@pytest.fixture(scope="module")
def spatial():
    model = MODELS["3D wire"]
    syst = model.syst(model.positions())
    return curl_map(syst, Displacements(scaling=PowerLaw(3)), model.energy)


def test_frozen_and_read_only(local, response):
    rates = local.pumping_rates(0.03, 1e5)
    for result in (local, response, rates):
        for field in dataclasses.fields(result):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(result, field.name, 0)
            value = getattr(result, field.name)
            if isinstance(value, np.ndarray):
                assert not value.flags.writeable, field.name
    for array in (local.curl, local.force, response.curl, response.force, rates.growth):
        assert not array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        local.friction[0] = 0


def test_repr_is_short(local, response, spatial):
    top = np.abs(local.curl).argmax()
    x, y = local.positions[top]
    assert repr(local) == (
        "<CurlMap of 3 centres in 2D, energy 1.7, bias {0: 0.2, 1: -0.2}: curl of up to "
        f"{np.abs(local.curl).max():.4g} at ({x:.4g}, {y:.4g})>"
    )
    largest = np.linalg.norm(spatial.curl, axis=1).max()
    assert f"curl of up to {largest:.4g} at (" in repr(spatial)
    assert "<ForceResponse of 6 coordinates, energy 1.7, bias {0: 0.2, 1: -0.2}" in repr(response)
    i, j = np.unravel_index(np.abs(response.curl).argmax(), (6, 6))
    assert f"{np.abs(response.curl).max():.4g} between {i} and {j}>" in repr(response)
    full = dataclasses.replace(
        response,
        lead_jacobian=response.lead_curl,
        pair_noise=np.zeros((2, 2, 6, 6)),
        units=EV_ANGSTROM_AMU,
    )
    assert repr(full).endswith("; with jacobian, noise>")
    assert "energy 1.7 eV, bias" in repr(full)
    inner = dataclasses.replace(local, units=EV_ANGSTROM_AMU)
    assert repr(inner).endswith(f"{np.abs(local.curl).max():.4g} eV/Å² at ({x:.4g}, {y:.4g}) Å>")
    rates = PumpingRates(np.array([2.0, -0.5]), np.ones(2))
    assert repr(rates) == (
        "<PumpingRates of 2 pairs of modes, of which 1 grow; threshold from 0.5 times the present "
        "bias>"
    )


def test_notebooks_show_arrays(local):
    html = local._repr_html_()
    assert "CurlMap of 3 centres in 2D" in html
    assert "<tr><td>friction</td><td>float64</td><td>(3, 2, 2)</td>" in html
    assert "<td>centre, direction, direction_of_motion</td>" in html
    assert html.count("<") == html.count(">")


def test_a_result_keeps_its_own_copy():
    driving = np.ones(2)
    rates = PumpingRates(driving, np.ones(2))
    driving[0] = 5
    assert rates.driving[0] == 1


def test_shapes(local, response, spatial):
    assert local.positions.shape == local.force.shape == (3, 2)
    assert local.curl.shape == (3,)
    assert local.friction.shape == (3, 2, 2)
    assert response.force.shape == (6,)
    assert response.curl.shape == response.friction.shape == (6, 6)
    n = len(spatial.positions)
    assert spatial.force.shape == spatial.curl.shape == (n, 3)
    assert spatial.friction.shape == (n, 3, 3)


def test_at_bias_needs_no_solve(local, response):
    syst = square_wire(disorder=0.6).finalized()
    for routine, result in ((curl_map, local), (force_response, response)):
        for bias in (-1.3, {0: 0.2}, {1: 0.5, 0: 0.1}):
            solved = routine(syst, MOVING, ENERGY, bias=bias)
            again = result.at_bias(bias)
            for field in ("curl", "force", "friction", "bias"):
                np.testing.assert_allclose(getattr(again, field), getattr(solved, field))
    with pytest.raises(ValueError, match="bias names lead 2"):
        local.at_bias({2: 1.0})


def test_superposition_of_three_leads():
    syst = random_system(3, n_leads=3).finalized()
    coordinates = Displacements(scaling=PowerLaw(2))
    each = [curl_map(syst, coordinates, 0.3, bias={lead: 1.0}) for lead in range(3)]
    together = each[0].at_bias({0: 0.5, 1: -2.0, 2: 0.7})
    expected = 0.5 * each[0].curl - 2 * each[1].curl + 0.7 * each[2].curl
    np.testing.assert_allclose(together.curl, expected, atol=1e-12 * np.abs(expected).max())


def test_degeneracy_multiplies_everything():
    syst = square_wire(disorder=0.6).finalized()
    for routine in (curl_map, force_response):
        one, two = (routine(syst, MOVING, ENERGY, degeneracy=g) for g in (1, 2))
        for field in ("curl", "force", "friction"):
            np.testing.assert_allclose(getattr(two, field), 2 * getattr(one, field))


def test_pumping_rates_of_local_modes(local):
    rates = local.pumping_rates(0.03, mass=2e5)
    np.testing.assert_allclose(rates.driving, local.curl / (2 * 2e5 * 0.03))
    trace = np.trace(local.friction, axis1=1, axis2=2)
    np.testing.assert_allclose(rates.damping, trace / (2 * 2e5))
    np.testing.assert_allclose(rates.growth[:, 0], rates.driving - rates.damping)
    np.testing.assert_allclose(rates.growth[:, 1], -rates.driving - rates.damping)
    at_threshold = local.at_bias(0.4 * rates.threshold[1]).pumping_rates(0.03, mass=2e5)
    assert at_threshold.growth[1].max() == pytest.approx(0, abs=1e-15)


def test_work_around_the_orbit(local):
    """Todorov et al., Eq. 33 and 34: driving times the energy is the work of the curl per time."""
    omega, mass, amplitude = 0.03, 2e5, 0.01
    rates = local.pumping_rates(omega, mass)
    energy = mass * omega**2 * amplitude**2
    work_per_turn = local.curl * np.pi * amplitude**2
    np.testing.assert_allclose(rates.driving * energy, work_per_turn * omega / (2 * np.pi))


def test_rates_of_masses_and_frequencies_per_atom(local):
    mass, omega = np.array([1e5, 2e5, 3e5]), np.array([0.01, 0.02, 0.03])
    together = local.pumping_rates(omega, mass)
    for n in range(3):
        alone = local.pumping_rates(omega[n], mass[n])
        assert together.driving[n] == alone.driving[n]
        assert together.damping[n] == alone.damping[n]


def test_pairs_are_the_local_modes(local, response):
    modes = np.eye(6).reshape(3, 2, 6)
    pairs, atoms = response.pumping_rates(modes, 0.03, 2e5), local.pumping_rates(0.03, 2e5)
    np.testing.assert_allclose(pairs.driving, atoms.driving)
    np.testing.assert_allclose(pairs.damping, atoms.damping)
    one = response.pumping_rates(modes[1], 0.03, 2e5)
    np.testing.assert_allclose(one.driving, pairs.driving[1:2])
    swapped = response.pumping_rates(modes[:, ::-1], 0.03, 2e5)
    np.testing.assert_allclose(swapped.driving, -pairs.driving)


def test_projection(response):
    rng = np.random.default_rng(1)
    modes = rng.normal(size=(4, 6))
    projected = response.project(modes)
    np.testing.assert_allclose(projected.force, modes @ response.force)
    np.testing.assert_allclose(projected.curl, modes @ response.curl @ modes.T, atol=1e-15)
    np.testing.assert_allclose(projected.friction, modes @ response.friction @ modes.T)
    pair = projected.pumping_rates(np.eye(4)[:2], 0.03, 1e5)
    expected = response.pumping_rates(modes[:2], 0.03, 1e5)
    np.testing.assert_allclose(pair.driving, expected.driving)
    np.testing.assert_allclose(pair.damping, expected.damping)
    again = projected.at_bias(2.0)
    np.testing.assert_allclose(again.curl, modes @ response.at_bias(2.0).curl @ modes.T, atol=1e-14)


def test_axis_of_rotation(spatial):
    own = spatial.pumping_rates(0.05, 3e5)
    length = np.linalg.norm(spatial.curl, axis=1)
    np.testing.assert_allclose(own.driving, length / (2 * 3e5 * 0.05))
    about_z = spatial.pumping_rates(0.05, 3e5, axis=(0, 0, 7.0))
    np.testing.assert_allclose(about_z.driving, spatial.curl[:, 2] / (2 * 3e5 * 0.05))
    in_plane = spatial.friction[:, 0, 0] + spatial.friction[:, 1, 1]
    np.testing.assert_allclose(about_z.damping, in_plane / (2 * 3e5))
    per_atom = spatial.pumping_rates(0.05, 3e5, axis=spatial.curl)
    np.testing.assert_allclose(per_atom.driving, own.driving)
    np.testing.assert_allclose(per_atom.damping, own.damping)
    reversed_ = spatial.pumping_rates(0.05, 3e5, axis=-spatial.curl)
    np.testing.assert_allclose(reversed_.driving, -own.driving)


def test_nothing_drives(local):
    rates = local.at_bias({0: 1.0, 1: 1.0})
    flat = dataclasses.replace(rates, lead_curl=np.zeros_like(rates.lead_curl))
    assert np.isinf(flat.pumping_rates(0.03, 1e5).threshold).all()


def test_modes_that_do_not_couple(response):
    """A mode without coupling has no threshold, rather than one made of rounding errors."""
    modes = np.linalg.svd(response.friction)[2]
    silent = np.zeros((2, 6))
    rates = dataclasses.replace(
        response, friction=np.zeros((6, 6)), lead_curl=np.zeros((2, 6, 6))
    ).pumping_rates(silent + modes[:2], 0.03, 1e5)
    assert rates.damping[0] == 0
    assert np.isinf(rates.threshold[0])


def test_only_what_can_change_is_copied(response):
    """A view is no more safe than what it looks at."""
    base = np.zeros((2, *response.friction.shape))
    view = base[0]
    view.flags.writeable = False
    changed = dataclasses.replace(response, friction=view)
    base[0] = 1.0
    assert not changed.friction.any()
    assert changed.lead_curl is response.lead_curl


def test_copies_are_read_only_too(local, response):
    """As results are that come back from another process."""
    for result in (local, response):
        for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
            assert type(again) is type(result)
            for field in dataclasses.fields(result):
                value = getattr(again, field.name)
                if isinstance(value, np.ndarray):
                    assert not value.flags.writeable, field.name
                    np.testing.assert_array_equal(value, getattr(result, field.name))
