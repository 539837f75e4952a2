"""What is on the figures of rates, pairs and matrices, and in which units."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
from systems import square_wire
from test_vibration_figures import PER_PS, UNITS, junction, legend

import kwant_curl as kc
from kwant_curl.vibrations.pairs import SOURCES


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    yield
    plt.close("all")


def heights(ax, label, n):
    """Return the bars upwards of a label, and those downwards, which follow them."""
    number = [one.get_label() for one in ax.containers].index(label)
    n_parts = len(ax.containers) // 2
    up, down = ax.containers[number], ax.containers[number + n_parts]
    assert len(up) == len(down) == n
    return [np.array([bar.get_height() for bar in bars]) for bars in (up, down)]


def test_contributions_of_pairs():
    response, modes = junction(5)
    pairs = kc.pumped_pairs(response.at_bias(0.03), modes)
    ax = pairs.plot(rows=6)
    for source in ("curl", "friction"):
        up, down = heights(ax, source, 6)
        part = PER_PS * pairs.contributions[:6, SOURCES.index(source)]
        np.testing.assert_allclose(up + down, part, rtol=1e-6)
        assert (up * down == 0).all()
        assert (up >= 0).all()
    (growth,) = (line for line in ax.lines if line.get_label() == "growth, the sum")
    np.testing.assert_allclose(growth.get_ydata(), PER_PS * pairs.growth[:6], rtol=1e-6)
    assert legend(ax) == ["growth, the sum", "curl", "friction"]  # what adds nothing isn't named
    first, second = pairs.pairs[0]
    expected = f"{first}, {second}\n{1e3 * pairs.frequencies[0].real:.4g}"
    assert ax.get_xticklabels()[0].get_text() == expected
    assert ax.get_xlabel() == "pair of modes, frequency (meV)"
    assert ax.get_ylabel() == "growth rate of the energy (1/ps)"
    assert len(kc.plot(pairs).get_xticklabels()) == 10
    assert pairs.plot(energy_unit="eV").get_ylabel() == "growth rate of the energy (eV/ħ)"
    with pytest.raises(ValueError, match="rows is 0; expected a positive whole number"):
        pairs.plot(rows=0)


@pytest.mark.parametrize("n_leads", [2, 3])
def test_emission_and_absorption_by_pair_of_leads(n_leads):
    rng = np.random.default_rng(0)
    emission, absorption = rng.random((2, 3, 2, n_leads, n_leads))
    rates = kc.PhononRates(
        energy=0.0,
        bias=np.zeros(n_leads),
        degeneracy=1.0,
        lead_emission=emission,
        lead_absorption=absorption,
        units=UNITS,
        pairs=np.array([[0, 1], [0, 2], [1, 2]]),
    )
    ax = rates.plot(rows=2)
    for upper in range(n_leads):
        for lower in range(n_leads):
            up, down = heights(ax, f"{upper}, {lower}", 4)
            np.testing.assert_allclose(up, PER_PS * emission[:2, :, upper, lower].ravel(), 1e-6)
            np.testing.assert_allclose(
                down, -PER_PS * absorption[:2, :, upper, lower].ravel(), 1e-6
            )
    (growth,) = (line for line in ax.lines if line.get_label() == "growth, the sum")
    np.testing.assert_allclose(growth.get_ydata(), PER_PS * rates.growth[:2].ravel(), rtol=1e-6)
    assert len(legend(ax)) == n_leads**2 + 1
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["0, 1\n(+)", "0, 1\n(−)", "0, 2\n(+)", "0, 2\n(−)"]
    assert ax.get_ylabel() == "absorption (down), emission (up) (1/ps)"
    faces = {(bars[0].get_facecolor(), bars[0].get_hatch()) for bars in ax.containers}
    assert len(faces) == n_leads**2
    # The legend is above all bars.
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent().transformed(ax.transData.inverted())
    assert box.y0 > PER_PS * rates.emission[:2].max()
    bare = kc.plot(dataclasses.replace(rates, units=None, pairs=None))
    assert bare.get_xticklabels()[5].get_text() == "2\n(−)"
    assert bare.get_ylabel() == "absorption (down), emission (up)"


def test_matrices_of_coordinates_and_modes():
    response, modes = junction(4)
    ax = response.plot(quantity="friction")
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), response.friction)
    assert image.get_clim() == pytest.approx((-response.friction.max(), response.friction.max()))
    assert image.colorbar.ax.get_ylabel() == "electronic friction"  # of coordinates of any kind
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("coordinate J", "coordinate I")
    ax = kc.plot(response, modes=modes)
    mass = UNITS.mass(28.0)
    np.testing.assert_allclose(ax.images[0].get_array(), 1e6 * response.curl / mass, rtol=1e-10)
    assert ax.images[0].colorbar.ax.get_ylabel() == "generalised curl (meV²/ħ²)"
    assert ax.get_yticklabels()[0].get_text() == "0: 15 meV"
    assert ax.get_ylabel() == "mode I"
    friction = response.plot(quantity="friction", modes=modes).images[0]
    np.testing.assert_allclose(friction.get_array(), PER_PS * response.friction / mass, rtol=1e-6)
    assert friction.colorbar.ax.get_ylabel() == "electronic friction (1/ps)"
    given = response.plot(labels=list("abcd"), modes=modes, energy_unit="eV")
    assert [label.get_text() for label in given.get_xticklabels()] == list("abcd")
    assert given.images[0].colorbar.ax.get_ylabel() == "generalised curl (eV²/ħ²)"
    with pytest.raises(ValueError, match="labels has 1 entries; expected 4"):
        response.plot(labels=["a"])
    with pytest.raises(ValueError, match="quantity is 'force'; expected one of curl, friction"):
        response.plot(quantity="force")
    with pytest.raises(ValueError, match="holds no noise"):
        response.plot(quantity="noise")
    with pytest.raises(TypeError, match="modes is a ndarray; expected VibrationalModes"):
        response.plot(modes=np.eye(4))


def test_matrices_of_atoms_have_units():
    atoms = kc.ForceResponse.from_arrays(
        friction=np.eye(4),
        jacobian=np.diag([1.0, 2, -3, 0]),
        noise=np.eye(4),
        positions=[[0.0, 0.0], [1.0, 0.0]],
        units=UNITS,
    )
    for quantity, label in (
        ("jacobian", "Jacobian of the force (eV/Å²)"),
        ("friction", "electronic friction (ħ/Å²)"),
        ("noise", "noise of the force (eV ħ/Å²)"),
    ):
        ax = atoms.plot(quantity=quantity)
        assert ax.images[0].colorbar.ax.get_ylabel() == label
        assert [text.get_text() for text in ax.get_yticklabels()] == ["0 x", "0 y", "1 x", "1 y"]
    many = kc.ForceResponse.from_arrays(
        friction=np.eye(60), curl=np.zeros((60, 60)), positions=np.zeros((30, 2))
    )
    assert len(many.plot().get_xticks()) < 15


@pytest.fixture(scope="module")
def wire():
    return square_wire(length=6, width=3, disorder=0.6).finalized()


@pytest.fixture(scope="module")
def rates(wire):
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    found = kc.curl_map(wire, moving, 1.7, bias=0.5, units=UNITS).pumping_rates(0.02, 1e5)
    driving = found.driving.copy()
    driving[:2] = 0.0, 1e-12  # of one atom there is no threshold, of another it is far
    return dataclasses.replace(found, driving=driving)


def test_rates_over_the_atoms(rates, wire, tmp_path):
    # All but the sites beside the leads move.
    moving = [site.pos for site in wire.sites if 0 < site.pos[0] < 5]
    np.testing.assert_array_equal(rates.positions, moving)
    driven = np.isfinite(rates.threshold)
    assert 0 < driven.sum() < len(driven)
    for quantity, values, label in (
        ("growth", PER_PS * rates.growth.max(axis=1), "growth of the faster mode (1/ps)"),
        ("driving", PER_PS * rates.driving, "driving of (+) by the current (1/ps)"),
        ("threshold", rates.threshold_bias[driven], "threshold bias (V)"),
    ):
        ax = kc.plot(rates, quantity=quantity, syst=wire)
        behind, discs = ax.collections
        np.testing.assert_allclose(discs.get_array(), values, rtol=1e-6)
        assert discs.colorbar.ax.get_ylabel() == label
        assert (ax.get_xlabel(), ax.get_aspect()) == ("x (Å)", 1)
        if quantity == "threshold":
            np.testing.assert_array_equal(discs.get_offsets(), rates.positions[driven])
            low, high = discs.get_clim()
            assert low == values.min()
            assert high == 100 * low < values.max()
            assert len(behind.get_offsets()) == len(wire.sites) + (~driven).sum()
        else:
            assert discs.norm.vcenter == 0
    rates.save(tmp_path / "rates.npz")
    again = kc.load(tmp_path / "rates.npz")
    np.testing.assert_array_equal(again.positions, rates.positions)
    own = again.plot(quantity="growth", energy_unit="eV").collections[-1]
    np.testing.assert_array_equal(own.get_array(), rates.growth.max(axis=1))
    unknown = dataclasses.replace(rates, voltage=None).plot(quantity="threshold").collections[-1]
    assert unknown.colorbar.ax.get_ylabel() == "threshold (times the present bias)"


def test_maps_of_rates_in_3d_and_what_they_need(rates, wire):
    flat = np.pad(rates.positions, ((0, 0), (0, 1)))
    ax = dataclasses.replace(rates, positions=flat).plot(quantity="threshold")
    driven = np.isfinite(rates.threshold)
    np.testing.assert_allclose(ax.collections[-1].get_array(), rates.threshold_bias[driven])
    nowhere = dataclasses.replace(rates, driving=np.zeros_like(rates.driving))
    assert nowhere.plot(quantity="threshold").collections[-1].get_array().size == 0
    with pytest.raises(ValueError, match="don't know where the atoms are"):
        dataclasses.replace(rates, positions=None).plot(quantity="growth")
    with pytest.raises(ValueError, match="quantity is 'speed'; expected one of rates, growth"):
        rates.plot(quantity="speed")
    with pytest.raises(ValueError, match="x is given, which is for"):
        rates.plot(quantity="growth", x=[1.0])
    with pytest.raises(ValueError, match="syst is given, which is for maps"):
        rates.plot(syst=wire)
