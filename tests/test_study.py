"""A junction in one call: composed of the routines, with current, power and doubts of its own."""

import re
import warnings
from importlib import metadata
from types import SimpleNamespace

import kwant
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import constants
from systems import Model, rashba_hopping

import kwant_curl
from kwant_curl import (
    EV_ANGSTROM_AMU,
    Displacements,
    Matrices,
    PowerLaw,
    VibrationalModes,
    critical_bias,
    devices,
    force_response,
    load,
    plot,
    pumped_pairs,
    stability,
    study,
)
from kwant_curl.electrons.kernels.transmission import TransmissionKernel
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import operating_point
from kwant_curl.model.model import Model as Evaluated
from kwant_curl.studies.checks import _degeneracy
from kwant_curl.studies.current import lead_currents
from kwant_curl.studies.routine import _once
from kwant_curl.vibrations.pairs import SOURCES

MOLECULE = devices.bent_molecule()
WHERE = (MOLECULE.syst, MOLECULE.coordinates, MOLECULE.energy)
UNITS = {"degeneracy": 2, "units": MOLECULE.units}
BIAS = 0.3


def three_leads():
    model = Model(rashba_hopping, norbs=2, third_lead=True)
    builder = model.builder(model.positions(), lambda a, b: rashba_hopping(a.pos, b.pos))
    return builder.finalized()


def springs(along=4.0, across=2.0):
    """The springs of the tutorial: each bond has one along itself and a softer one across."""
    everywhere = np.array([site.pos for site in MOLECULE.syst.sites])
    moving = force_response(*WHERE).sites
    n = len(moving)
    result = np.zeros((n, 2, n, 2))
    for i, site in enumerate(moving):
        for j, other in enumerate(everywhere):
            length = np.linalg.norm(everywhere[site] - other)
            if 0 < length < 3:
                unit = (everywhere[site] - other) / length
                block = (along - across) * np.outer(unit, unit) + across * np.eye(2)
                result[i, :, i] += block
                for k in np.flatnonzero(moving == j):
                    result[i, :, k] -= block
    return result


@pytest.fixture(scope="module")
def found():
    """The molecule of the tutorial."""
    known = {"force_constants": springs(), "mass": MOLECULE.mass, "temperature": 0.025}
    return study(*WHERE, bias=BIAS, rtol=1e-5, **known, **UNITS)


@pytest.fixture(scope="module")
def equal():
    """The same with one frequency for everything, as the gallery has it."""
    known = {"frequency": MOLECULE.frequency, "mass": MOLECULE.mass}
    return study(*WHERE, bias=0.005, window=False, **known, **UNITS)


def transmissions(syst, energy, **keywords):
    """Return Kwant's T from lead a to b, minus their sum for a = b."""
    smatrix = kwant.smatrix(syst, energy, **keywords)
    n = len(syst.leads)
    found = [[smatrix.transmission(b, a) * (a != b) for b in range(n)] for a in range(n)]
    return np.array(found) - np.diag(np.sum(found, axis=1))


@pytest.mark.parametrize("energy", [-0.7, 0.3])
def test_transmissions_are_kwants(energy):
    syst = three_leads()
    problem = Evaluated(syst).scattering
    of_modes = TransmissionKernel(problem, Numerics())(energy).by_lead[0]
    np.testing.assert_allclose(of_modes, transmissions(syst, energy), atol=1e-13)
    np.testing.assert_allclose(of_modes.sum(axis=0), 0, atol=1e-13)
    assert of_modes.max() > 0.5
    # And of leads that are known by their self-energies alone, by Kwant's Green's function.
    fixed = syst.precalculate(energy, what="selfenergy")
    green = kwant.greens_function(syst, energy)
    of_selfenergies = TransmissionKernel(Evaluated(fixed).scattering, Numerics())(energy).by_lead[0]
    for a, b in [(0, 1), (1, 2), (2, 0)]:
        assert of_selfenergies[a, b] == pytest.approx(green.transmission(b, a), abs=1e-12)


@pytest.mark.parametrize(
    ("linear", "kt"), [(True, 0.0), (True, 0.004), (False, 0.0), (False, 0.004)]
)
def test_currents_are_landauers(linear, kt):
    """Three leads, against Kwant's transmissions and a quadrature of their own."""
    syst, mu = three_leads(), -0.7
    shifts = np.array([0.04, -0.05, 0.01])
    model = Evaluated(syst)
    point = operating_point(model, mu, dict(enumerate(shifts)), 2, kt, linear)
    got = lead_currents(model, point, Numerics(rtol=1e-6))

    def excess(energy):
        """Return f_a - f, or its linear part, of each lead."""
        x = energy - mu
        if linear and not kt:
            return shifts
        if linear:
            return shifts / (4 * kt * np.cosh(x / (2 * kt)) ** 2)
        if kt:
            return (np.tanh(x / (2 * kt)) - np.tanh((x - shifts) / (2 * kt))) / 2
        return (x < shifts) * 1.0 - (x < 0)

    if linear and not kt:
        energies, weights = np.array([mu]), np.array([1.0])
    elif kt:  # by the trapezoidal rule, whose error is exp(-2 pi^2 kT / step)
        energies = mu + np.arange(-0.05 - 16 * kt, 0.04 + 16 * kt, 1.2 * kt)
        weights = np.full(len(energies), 1.2 * kt)
    else:
        nodes, weights = np.polynomial.legendre.leggauss(8)
        ends = mu + np.array([-0.05, 0, 0.01, 0.04])
        half, middle = np.diff(ends) / 2, (ends[1:] + ends[:-1]) / 2
        energies = (middle[:, None] + half[:, None] * nodes).ravel()
        weights = np.outer(half, weights).ravel()
    into = sum(
        weight * (excess(energy) @ transmissions(syst, energy))
        for weight, energy in zip(weights, energies, strict=True)
    )
    currents = -2 / (2 * np.pi) * into
    np.testing.assert_allclose(got.currents, currents, rtol=1e-5)
    assert got.currents.sum() == pytest.approx(0, abs=1e-6 * np.abs(currents).max())
    assert got.power == pytest.approx(shifts @ currents, rel=1e-5)
    assert got.power > 0


def test_one_open_channel_in_amperes(equal):
    """G0 = 2 e^2/h, of a perfect channel: 77.48 µA at 1 V."""
    straight = devices.gold_chain(4)
    known = {"frequency": 0.01, "mass": straight.mass, "units": straight.units}
    args = straight.syst, straight.coordinates, straight.energy
    result = study(*args, bias=0.002, degeneracy=2, window=False, **known)
    units = EV_ANGSTROM_AMU
    quantum = 2 * constants.e**2 / constants.h
    np.testing.assert_allclose(units.ampere(result.currents), [0.002 * quantum, -0.002 * quantum])
    assert units.watt(result.power) == pytest.approx(0.002**2 * quantum)
    assert units.volt(0.3) == pytest.approx(0.3)
    assert kwant_curl.MEV_NANOMETRE_AMU.volt(300.0) == pytest.approx(0.3)


def test_it_is_what_the_routines_say(found):
    """Modes, pairs, critical bias and growth are those of the calls in the tutorial."""
    tensors = {"jacobian": True, "velocity": True, "temperature": 0.025, **UNITS}
    response = force_response(*WHERE, bias=BIAS, **tensors)
    modes = VibrationalModes.from_force_constants(springs(), MOLECULE.mass)
    bias = critical_bias(response, modes, 10 * BIAS)
    assert found.critical.bias == pytest.approx(bias, rel=1e-5)
    assert found.critical.bias == pytest.approx(0.395, abs=0.002)
    assert found.critical.mode == bias.mode
    here = stability(response, modes)
    assert found.growth == pytest.approx(here.growth.max(), rel=1e-4)
    assert found.growth < 0
    pairs = pumped_pairs(response, modes)
    # Of the others some are driven equally, by symmetry.
    np.testing.assert_array_equal(found.pairs.pairs[0], pairs.pairs[0])
    np.testing.assert_allclose(found.pairs.driving[0], pairs.driving[0], rtol=1e-4)
    first = tuple(pairs.pairs[0])
    assert found.driven == (first if pairs.driving[0] > 0 else first[::-1])
    window = force_response(*WHERE, bias=2 * BIAS, linear=False, **tensors)
    whole = critical_bias(window, modes, 2 * BIAS, rtol=1e-6)
    assert found.whole_critical.bias == pytest.approx(whole, rel=1e-4)
    assert found.version == kwant_curl.__version__
    assert found.seconds > 0


def test_the_current_reversed(found):
    """The same bias, and the motion goes round the other way."""
    known = {"force_constants": springs(), "mass": MOLECULE.mass, "temperature": 0.025}
    other = study(*WHERE, bias=-BIAS, window=False, velocity=False, jacobian=False, **known)
    plain = study(*WHERE, bias=BIAS, window=False, velocity=False, jacobian=False, **known)
    assert other.critical.bias == pytest.approx(plain.critical.bias, rel=1e-8)
    turns = plain.orbit().angular_momentum
    assert abs(turns) > 0.01
    assert other.orbit().angular_momentum == pytest.approx(-turns, rel=1e-5)
    assert other.driven == plain.driven[::-1]
    np.testing.assert_allclose(other.currents, -plain.currents, rtol=1e-4)


def test_one_frequency_for_all_is_a_model(equal, found):
    """It has everything degenerate, which is why so small a bias is enough."""
    degenerate = next(check for check in equal.checks if check.name == "degenerate pair")
    assert degenerate.holds is None
    assert equal.critical.bias < found.critical.bias / 10
    # Two equal modes alone run away at Eq. 30; more of them no later.
    assert equal.critical.bias <= equal.degenerate_bias
    real = next(check for check in found.checks if check.name == "degenerate pair")
    assert real.holds is False
    # With the springs of the current, to first order: detuning, and the part along a slope.
    k, m = found.pairs.pairs[0]
    along = found.modes.patterns @ found.response.jacobian @ found.modes.patterns.T
    omega = np.sqrt(found.modes.frequencies[k] * found.modes.frequencies[m])
    shift = (along[k, k] - along[m, m]) / (2 * omega)
    slope = (along[k, m] + along[m, k]) / (2 * omega)
    apart = np.hypot(found.pairs.detuning[0] + shift, slope)
    assert real.number == pytest.approx(apart / abs(found.pairs.driving[0]), rel=0.01)
    assert found.critical.bias > 2 * found.degenerate_bias


def ring_of_six(bias=0.2, energy=-1.0, end=2, **options):
    """A study of a ring of six between two chains at 0 and `end`, every other atom against it."""
    angles = np.radians(60 * np.arange(6))
    outward = np.array([np.cos(angles), np.sin(angles)]).T
    ring = [
        family(0, 0)
        for family in kwant.lattice.general([(99, 0), (0, 99)], 1.4 * outward, norbs=1).sublattices
    ]
    builder = kwant.Builder()
    builder[ring] = 0
    builder[[(ring[i], ring[i - 1]) for i in range(6)]] = -2.5
    for i in (0, end):
        step = 1.4 * outward[i]
        chain = kwant.lattice.general([step], [2 * step], norbs=1, name=f"{i}").sublattices[0]
        lead = kwant.Builder(kwant.TranslationalSymmetry(step))
        lead[chain(0)] = builder[chain(0)] = 0
        lead[chain(0), chain(1)] = builder[chain(0), ring[i]] = -2.5
        builder.attach_lead(lead)
    every_other = np.array([1.0, -1.0] * 3)[:, None]
    patterns = [every_other * [1, 0], every_other * [0, -1]]
    omega = EV_ANGSTROM_AMU.frequency_from_millielectronvolt([20.0, 20.0])
    modes = VibrationalModes(omega, patterns, MOLECULE.mass / 16.4, units=EV_ANGSTROM_AMU)
    moving = Displacements(ring, scaling=kwant_curl.Exponential(0.42))
    known = {"modes": modes, "bias": bias, "temperature": 0.0259, **UNITS, **options}
    return study(builder.finalized(), moving, energy, **known)


def test_springs_of_the_current_are_on_the_page():
    """Driving above the damping, and still nothing turns: one spring gives way instead."""
    with pytest.warns(RuntimeWarning, match="no vibration that runs away"):
        result = ring_of_six(window=False)
    assert abs(result.pairs.driving[0]) > result.pairs.damping[0]
    assert result.growth < 0
    assert result.critical.frequency == 0
    checks = {check.name: check for check in result.checks}
    assert checks["degenerate pair"].holds is False
    assert checks["degenerate pair"].number > 1
    assert checks["springs hold"].number == pytest.approx(1)
    assert not result.is_trusted
    # Of the critical bias, which is larger than this one.
    factor = result.critical.bias / result.voltage
    distance = result.response.nearest_change()[0]
    assert checks["linear response"].number == pytest.approx(factor * 0.1 / distance)
    text = " ".join(str(result).split())
    assert "a spring of vibration" in text
    assert "nothing vibrates" in text
    # X + iY turns every atom on a circle; the motion that decays most slowly goes the other way.
    assert "angular momentum -1 ħ per quantum, clockwise" in text
    assert re.search(r"its slowest decay turns from mode 1 to mode 0, 0\.\d+ of a circle", text)


def test_what_feeds_the_critical_motion(found):
    """Of two modes the parts on the page are the contributions of the pair there."""
    modes = found.modes.select(sorted(found.driven))
    result = study(*WHERE, modes=modes, bias=BIAS, temperature=0.025, window=False, **UNITS)
    there = result.response.at_bias(dict(enumerate(result.critical.shifts.tolist())))
    pairs = pumped_pairs(there, modes)
    parts = dict(zip(SOURCES, pairs.contributions[0], strict=True))
    said = re.search(r"what feeds it (.*) at 0.3 V", " ".join(str(result).split())).group(1)
    numbers = dict(re.findall(r"([a-z][a-z ]+?) (-?[\d.e-]+) /ps", said))
    for name, source in (
        ("curl and springs", "curl"),
        ("friction of equilibrium", "friction"),
        ("what the bias adds to it", "bias friction"),
    ):
        expected = result.units.per_picosecond(parts[source])
        small = 1e-3 * abs(float(numbers["curl and springs"]))  # which are left out
        assert float(numbers.get(name, 0.0)) == pytest.approx(expected, rel=1e-3, abs=small)


@pytest.mark.parametrize("sign", [1, -1])
def test_springs_under_current_count(sign):
    """Frequencies that the current's own springs bring together, or take further apart."""
    slope, half_curl = 2e-4, 1e-3
    jacobian = [[sign * slope, half_curl], [-half_curl, -sign * slope]]
    response = kwant_curl.ForceResponse.from_arrays(friction=1e-6 * np.eye(2), jacobian=jacobian)
    modes = VibrationalModes(np.sqrt([0.09 + slope, 0.09 - slope]), np.eye(2), 1.0)
    pairs = pumped_pairs(response, modes)
    asked = SimpleNamespace(response=response, modes=modes, pairs=pairs, assumed_equal=False)
    check = _degeneracy(asked)
    expected = 0.0 if sign > 0 else 2 * slope / half_curl
    assert check.number == pytest.approx(expected, abs=1e-9)
    # What the number says of the growth, by the equation of motion.
    driving = abs(pairs.driving[0]) * np.sqrt(1 - expected**2)
    assert pairs.growth[0] + 1e-6 == pytest.approx(driving, rel=1e-4)


def test_symmetry_leaves_no_pair():
    """Leads at opposite atoms: the curl is rounding, and nothing is said of its size."""
    result = ring_of_six(end=3, window=False, energy=-1.3)
    assert abs(result.pairs.driving[0]) < 1e-9 * result.pairs.damping[0]
    text = str(result)
    assert "none: the curl between all of them is zero" in text
    assert "threshold" not in text.split("can it be believed?")[0]
    check = next(check for check in result.checks if check.name == "degenerate pair")
    assert check.holds is None


def test_warnings_that_differ_in_numbers_are_one():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for error in (0.001, 0.0048, 0.002):
            warnings.warn(f"At the bias 0.1 the error is {error}.", RuntimeWarning, stacklevel=1)
        warnings.warn("Another.", RuntimeWarning, stacklevel=1)
    with pytest.warns(RuntimeWarning) as issued:
        texts = _once(caught)
    assert texts == (
        "At the bias 0.1 the error is 0.0048. (2 more say so with other numbers.)",
        "Another.",
    )
    assert len(issued) == 2


def test_growth_of_two_modes_with_a_detuning():
    """sqrt(driving^2 - detuning^2) - damping: what the limit of the check stands on."""
    response = kwant_curl.ForceResponse.from_arrays(
        friction=1e-9 * np.eye(2), curl=[[0, 2e-3], [-2e-3, 0]]
    )
    modes = VibrationalModes([1.0, 1.0003], np.eye(2), 1.0)
    pair = pumped_pairs(response, modes)
    expected = np.sqrt(pair.driving[0] ** 2 - pair.detuning[0] ** 2)
    assert pair.growth[0] == pytest.approx(expected, rel=1e-5)
    assert abs(pair.driving[0]) - pair.growth[0] < 0.05 * abs(pair.driving[0])


def wire(length=8, gap=0):
    """A wire whose atoms move up to `gap` sites from the leads' interfaces."""
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(length) for y in range(2) if (x, y) != (3, 1))] = 0
    builder[lattice.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(2))] = 0
    lead[lattice.neighbors()] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    where = [lattice(x, 0) for x in range(1 + gap, length - 1 - gap)]
    return builder.finalized(), Displacements(where, scaling=PowerLaw(2))


def test_atoms_beside_the_leads_are_noticed():
    """One atom is damped by the electrons alone: that beside the lead, or that in the middle."""
    syst, moving = wire()
    parts, fixed = [], []
    for soft in (0, 3):
        damping = np.ones(12)
        damping[2 * soft : 2 * soft + 2] = 0
        known = {"frequency": 0.02, "mass": 1e4, "velocity": False, "damping": damping}
        result = study(syst, moving, 0.3, window=False, bias=0.1, **known)
        parts.append(result.at_interfaces)
        fixed.append(result.beside_fixed)
        checks = {check.name: check for check in result.checks}
        assert checks["leads at rest"].number == result.at_interfaces
        assert checks["leads at rest"].holds == (result.at_interfaces <= 0.1)
    # Its bonds: one to the interface, one to the row above, one to its neighbour.
    assert parts[0] > 0.1
    assert parts[1] < 1e-3
    assert fixed[0] > 0.99


def test_parts_by_hand():
    """dH of the motion of one coordinate: two elements at an interface of two, one elsewhere."""
    syst, _ = wire()
    site = {tuple(site.tag): n for n, site in enumerate(syst.sites)}
    n = len(syst.sites)
    change = np.zeros((2, n, n))
    change[0, site[0, 0], site[1, 0]] = change[0, site[1, 0], site[0, 0]] = 0.1
    change[0, site[4, 0], site[5, 0]] = change[0, site[5, 0], site[4, 0]] = 0.2
    change[1, site[4, 0], site[4, 0]] = 1e-6
    known = {"frequency": [0.02, 0.5], "mass": 1e4, "bias": 0.1, "window": False}
    known["damping"] = [0.0, 0.1]  # so that it isn't the second coordinate that decays most slowly
    result = study(syst, Matrices(list(change)), 0.3, **known)
    assert result.at_interfaces == pytest.approx(0.01 / 0.05, rel=1e-4)
    assert result.beside_fixed is None
    assert "not known" in str(result)


def test_a_window_that_linear_response_does_not_reach():
    """Near a band edge the two differ, and the check says by how much."""
    syst, moving = wire(gap=2)
    known = {"frequency": 0.01, "mass": 1e4, "bias": 0.6, "exclude": 1e-3, "rtol": 1e-3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result = study(syst, moving, 0.9, **known)
    check = result.checks[0]
    assert check.name == "linear response"
    rates = result.stability.growth[0]
    growth = abs(result.whole_stability.growth.max() - rates.max()) / np.abs(rates).max()
    bias = abs(result.whole_critical.bias / result.critical.bias - 1)
    assert check.number == pytest.approx(max(growth, bias))
    assert check.number > 0.1
    assert check.holds is False
    assert not result.is_trusted
    assert "in doubt: linear response" in repr(result)
    ratio = study(syst, moving, 0.9, **(known | {"window": False, "bias": 0.01})).checks[0]
    assert "not integrated" in ratio.text
    assert ratio.number == pytest.approx(0.05, rel=0.1)  # 0.005 of 0.1 to the band edge at 1


def test_it_saves_and_loads(found, equal, tmp_path):
    for result in (found, equal):
        result.save(tmp_path / "study.npz")
        again = load(tmp_path / "study.npz")
        assert str(again) == str(result)
        assert again.critical == result.critical
        assert again.critical.orbit().frequency == result.critical.frequency
        np.testing.assert_array_equal(again.response.curl, result.response.curl)
        assert not again.currents.flags.writeable
        assert again.params == result.params
        assert again.version == kwant_curl.__version__
    with pytest.raises(AttributeError):
        found.power = 0


def test_the_page(found):
    """Each number is on it, in volts, per picosecond, microamperes."""
    text = str(found)
    units = found.units
    for number in (
        f"{found.critical.bias:.4g} V",
        f"{1e6 * units.ampere(found.currents[0]):.4g} µA",
        f"{1e6 * units.watt(found.power):.4g} µW",
        f"{units.per_picosecond(-found.growth):.4g} /ps",
        f"modes {found.driven[0]} and {found.driven[1]}",
        f"{units.kelvin(0.025):.4g} K",
    ):
        assert number in text, number
    assert "anticlockwise" in text or "clockwise" in text
    assert max(map(len, text.splitlines())) <= 100
    assert [check.name in text for check in found.checks] == [True] * 6
    html = found._repr_html_()
    assert f"{found.critical.bias:.4g} V" in html
    assert "data:image/png;base64,iVBOR" in html
    assert html.count("<tr>") == len(re.findall(r"<td>", html)) / 2 + 5
    assert not plt.get_fignums()


def test_the_figure(found):
    axes = found.plot(syst=MOLECULE.syst)
    assert len(axes.figure.axes) >= 2
    assert f"critical bias {found.critical.bias:.4g} V" in axes.get_title()
    critical = [line for line in axes.lines if list(line.get_xdata()) == [found.critical.bias] * 2]
    assert len(critical) == 1
    assert plot(found, ax=axes) is axes
    curve = found.against_bias()
    grows = curve.growth.max(axis=1) > 0
    np.testing.assert_array_equal(grows, curve.voltage > found.critical.bias)
    plt.close("all")


def test_params_are_kept():
    lattice = kwant.lattice.square(norbs=1)
    syst, _ = wire()
    builder = kwant.Builder()
    builder[[site for site in syst.sites]] = lambda site, shift: shift
    builder[lattice.neighbors()] = -1
    for direction in ((-1, 0), (1, 0)):
        lead = kwant.Builder(kwant.TranslationalSymmetry(direction))
        lead[(syst.sites[0].family(0, y) for y in range(2))] = 0
        lead[lattice.neighbors()] = -1
        builder.attach_lead(lead)
    moving = Displacements([syst.sites[0].family(2, 0)], scaling=PowerLaw(2))
    known = {"frequency": 0.05, "mass": 1e4, "bias": 0.01, "window": False}
    result = study(builder.finalized(), moving, 0.3, params={"shift": 0.05}, **known)
    assert result.params == {"shift": 0.05}
    assert "shift=0.05" in str(result)


def test_what_is_refused():
    modes = VibrationalModes(np.full(6, 0.01), np.eye(6), MOLECULE.mass)
    with pytest.raises(TypeError, match="nothing is given of the vibrations; expected one of"):
        study(*WHERE)
    with pytest.raises(TypeError, match="modes and frequency is given"):
        study(*WHERE, modes=modes, frequency=0.01, mass=1.0)
    with pytest.raises(TypeError, match="mass is missing, which goes with frequency"):
        study(*WHERE, frequency=0.01)
    with pytest.raises(TypeError, match="mass is given with modes"):
        study(*WHERE, modes=modes, mass=1.0)
    with pytest.raises(TypeError, match="modes is a float; expected VibrationalModes"):
        study(*WHERE, modes=0.01)
    with pytest.raises(ValueError, match="no bias at all"):
        study(*WHERE, modes=modes, bias=0.0)
    with pytest.raises(ValueError, match="no bias at all"):
        study(*WHERE, modes=modes, bias={0: 0.1, 1: 0.1})
    with pytest.raises(ValueError, match="hydrogen"):
        study(*WHERE, frequency=0.01, mass=197.0, **UNITS)


def test_a_warning_comes_once():
    """Pairs, stability and critical bias would each say it."""
    known = {"frequency": 0.001, "mass": MOLECULE.mass, "window": False}
    with pytest.warns(RuntimeWarning) as caught:
        result = study(*WHERE, bias=2.0, **known, **UNITS)
    texts = [str(one.message) for one in caught]
    assert len(texts) == len(set(texts)) >= 1
    assert result.warnings == tuple(texts)
    assert all(one.filename == __file__ for one in caught)
    assert str(result).replace("\n", " ").count("warning: ") == len(texts)


def test_the_version_has_one_source():
    assert kwant_curl.__version__ == metadata.version("kwant-curl")


def test_threshold_as_a_bias(tmp_path):
    """At it the driven mode neither grows nor decays, whatever the present bias is."""
    response = force_response(*WHERE, bias=-0.02, **UNITS)
    patterns = np.eye(6)[2:4]
    rates = response.pumping_rates(patterns, 0.01, MOLECULE.mass)
    there = response.at_bias(float(rates.threshold_bias[0]))
    growth = there.pumping_rates(patterns, 0.01, MOLECULE.mass).growth
    assert growth.max() == pytest.approx(0, abs=1e-12 * np.abs(growth).max())
    assert rates.threshold_bias[0] == pytest.approx(0.02 * rates.threshold[0])
    rates.save(tmp_path / "rates.npz")
    np.testing.assert_array_equal(load(tmp_path / "rates.npz").threshold_bias, rates.threshold_bias)
    with pytest.raises(ValueError, match="The present bias is not known to these rates"):
        _ = kwant_curl.PumpingRates(rates.driving, rates.damping).threshold_bias
