"""What is on the figures of vibrations under current, and in which units."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

import kwant_curl as kc

UNITS = kc.EV_ANGSTROM_AMU
PER_PS = 1519.2674  # 1 eV/hbar


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    yield
    plt.close("all")


def junction(n, units=UNITS):
    """Return a response of n coordinates and modes that it drives."""
    rng = np.random.default_rng(1)
    couplings, curl = rng.normal(size=(2, n, n))
    response = kc.ForceResponse.from_arrays(
        friction=0.5 * couplings @ couplings.T,
        curl=3 * (curl - curl.T),
        bias=1.0,
        units=units,
    )
    omega = UNITS.frequency_from_millielectronvolt(np.linspace(15, 18.5, n))
    return response, kc.VibrationalModes(omega, np.eye(n), UNITS.mass(28.0), units=units)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, label):
    (found,) = (one for one in ax.lines if one.get_label().startswith(label))
    return found


def test_the_mode_that_grows_first_is_in_colour():
    response, modes = junction(8)
    critical = kc.critical_bias(response, modes, 1.0)
    curve = kc.stability(response, modes, np.linspace(0, 2.1 * critical, 40))
    bias, mode = curve.onset
    assert bias == pytest.approx(critical, rel=1e-3)
    assert mode == critical.mode
    assert curve.growth[-1].argmax() != mode  # another one is the fastest in the end
    for ax in (curve.plot(), kc.plot(curve, critical=critical)):
        marked = line(ax, "critical bias")
        np.testing.assert_allclose(marked.get_xdata(), critical, rtol=1e-3)
        assert f"critical bias {marked.get_xdata()[0]:.4g} V" in legend(ax)
        coloured = line(ax, f"mode {mode}, grows first")
        np.testing.assert_allclose(coloured.get_xdata(), curve.voltage)
        np.testing.assert_allclose(coloured.get_ydata(), PER_PS * curve.growth[:, mode], rtol=1e-6)
        greys = [one for one in ax.lines if one.get_color() in ("0.35", "0.75")]
        assert len(greys) == 7
        n_growing = np.count_nonzero(curve.growing.any(axis=0))
        assert sum(one.get_color() == "0.35" for one in greys) == n_growing - 1 > 0
        assert ax.get_xlabel() == "bias (V)"
        assert ax.get_ylabel() == "growth rate of the energy (1/ps)"
    frequencies = curve.plot(quantity="frequency")
    assert frequencies.get_ylabel() == "frequency (meV)"
    expected = 1e3 * curve.frequencies.real[:, mode]
    np.testing.assert_allclose(line(frequencies, f"mode {mode}").get_ydata(), expected)
    own = curve.plot(energy_unit="eV")
    assert own.get_ylabel() == "growth rate of the energy (eV/ħ)"
    np.testing.assert_array_equal(line(own, "mode ").get_ydata(), curve.growth[:, mode])


def test_onset_of_either_sign_and_none():
    def of(voltage, growth):
        frequencies = 1 + 0.5j * np.array(growth)
        voltage = np.array(voltage)
        bias = 0.5 * np.stack([voltage, -voltage], axis=1)
        shape = frequencies.shape
        return kc.Stability(
            bias, frequencies, np.ones((*shape, shape[1])) + 0j, np.eye(shape[1]), np.ones(1), None
        )

    # Not in order; of the two sides the nearer one: -0.1 - 0.1 (1/8).
    both = of([0.2, -0.2, 0.0, -0.1, 0.1], [[3, -1], [-1, 7], [-2, -2], [-1, -1], [-1, -1]])
    assert both.onset == pytest.approx((-0.1125, 1))
    ax = both.plot()
    assert "critical bias -0.1125" in legend(ax)
    assert ax.get_xlabel() == "bias"
    decays = of([0.0, 0.1], [[-1, -2], [-1, -2]])
    assert decays.onset is None
    assert legend(decays.plot()) == ["modes that decay"]
    # One grows from the first bias on; that another one begins later is no critical bias.
    grows = of([0.1, 0.2], [[-1, 1], [5, 1]])
    assert grows.onset is None
    assert legend(grows.plot()) == ["other modes that grow", "mode 1, grows fastest"]


def test_a_critical_bias_that_does_not_fit():
    response, modes = junction(4)
    critical = kc.critical_bias(response, modes, 1.0)
    curve = kc.stability(response, modes, [0.0, 0.01])
    with pytest.raises(TypeError, match="critical is a float; expected a CriticalBias"):
        curve.plot(critical=0.02)
    with pytest.raises(ValueError, match="expected those of the same modes"):
        curve.plot(critical=kc.critical_bias(*junction(3), 1.0))
    with pytest.raises(ValueError, match="expected those of the same modes"):
        curve.plot(critical=dataclasses.replace(critical, units=None))
    nothing = kc.critical_bias(response, modes, 0.001)
    assert nothing.mode is None
    assert legend(curve.plot(critical=nothing)) == ["modes that decay"]


def test_cycles_in_volts_and_millielectronvolts():
    cycles = kc.LimitCycles(
        voltage=np.array([0.1, 0.2, 0.3]),
        outcome=("rest", "cycle", "cycle"),
        amplitude=np.array([0.0, 0.1, 0.2]),
        frequency=np.array([np.nan, 0.021, 0.02]),
        work=np.array([0.0, 1e-3, 2e-3]),
        growth=np.array([-1e-4, 1e-4, 2e-4]),
        rest=np.zeros((3, 1)),
        points=np.zeros((3, 3, 1)),
        critical=0.15,
        units=kc.MEV_NANOMETRE_AMU,
    )
    ax = cycles.plot(quantity="frequency")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("bias (mV)", "frequency of the limit cycle (meV)")
    np.testing.assert_allclose(ax.lines[0].get_data(), [[0.2, 0.3], [0.021, 0.02]])
    np.testing.assert_allclose(line(ax, "onset").get_xdata(), 0.15)
    in_ev = dataclasses.replace(cycles, units=UNITS)
    ax = kc.plot(in_ev, quantity="frequency")
    np.testing.assert_allclose(ax.lines[0].get_data(), [[0.2, 0.3], [21, 20]])
    assert in_ev.plot(quantity="work").get_ylabel() == "work of the current per turn (eV)"
    theta = 2 * np.pi * np.arange(9) / 9
    circle = 0.1 * np.stack([np.cos(theta), np.sin(theta)], axis=1)
    cycle = kc.LimitCycle(
        np.array([0.1, -0.1]),
        2 * np.pi / 0.02,
        circle,
        np.zeros_like(circle),
        np.zeros(2),
        np.ones(2),
        *(0.0,) * 6,
        units=UNITS,
    )
    assert cycle.plot().get_title() == "frequency 20 meV, period 0.2068 ps"
    assert dataclasses.replace(cycle, units=None).plot().get_title() == ""
    line_only = dataclasses.replace(
        cycle, points=circle[:, :1], velocities=circle[:, :1], rest=np.zeros(1)
    )
    ax = line_only.plot()
    assert ax.get_ylabel() == "its velocity (Å/ps)"
    # 0.1 Å times 20 meV/hbar
    assert ax.lines[0].get_ydata().max() == pytest.approx(0.1 * 0.02 * PER_PS, rel=1e-3)
