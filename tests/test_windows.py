"""Integrals over windows: tiny biases, energies that fail, and what is said of both."""

from decimal import Decimal, getcontext

import kwant
import numpy as np
import pytest
from systems import MODELS, atoms_of, square_wire

import kwant_curl as kc
from kwant_curl.algebra.occupations import fermi_difference
from kwant_curl.devices import graphene_constriction
from kwant_curl.electrons.beside import Beside
from kwant_curl.electrons.kernels.coupled import CoupledKernel
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model import bands
from kwant_curl.model.scattering import BandEdgeError

MOVING = kc.Displacements([9, 10], scaling=kc.PowerLaw(2))


@pytest.fixture(scope="module")
def syst():
    """A disordered wire."""
    return square_wire(length=6, width=3, disorder=0.7).finalized()


def test_a_bias_that_rounding_swallows(syst):
    """1e-12 at an energy of 1.7: the error is what rounding makes it, and is said."""
    linear = kc.curl_map(syst, MOVING, 1.7, bias=1e-12)
    with pytest.warns(RuntimeWarning, match="lost in the rounding"):
        window = kc.curl_map(syst, MOVING, 1.7, bias=1e-12, linear=False, rtol=1e-5)
    error = np.abs(window.curl - linear.curl).max() / np.abs(linear.curl).max()
    assert error < 10 * window.error
    assert 1e-5 < window.error < 1e-2
    with pytest.warns(RuntimeWarning, match="lost in the rounding"):
        rho = kc.NonequilibriumDensity(syst, 1.7, bias=1e-12, linear=False)
    assert rho.error > 1e-5
    assert kc.curl_map(syst, MOVING, 1.7, bias=1e-6, linear=False, rtol=1e-5).error < 1e-5


def test_band_edges_are_found_once(syst, monkeypatch):
    """Of two equal leads, for limits, bound levels and segments together."""
    calls, plain = [], bands._extrema

    def counting(*arguments):
        calls.append(arguments)
        return plain(*arguments)

    monkeypatch.setattr(bands, "_extrema", counting)
    options = {"temperature": 0.01, "rtol": 0.1}
    kc.curl_map(syst, MOVING, 1.7, **options)
    assert len(calls) == 1
    kc.phonon_rates(syst, MOVING, np.eye(4)[:2], 1.7, frequency=0.02, **options)
    assert len(calls) == 2


def broken_lead(failure):
    """A level between two leads, at whose self-energy something fails near the Fermi level."""
    lattice = kwant.lattice.chain(norbs=1)
    syst = kwant.Builder()
    syst[(lattice(i) for i in range(2))] = 0.0
    syst[lattice(0), lattice(1)] = 0.1

    def sigma(energy, args=(), params=None):
        if 1e-4 < abs(energy) < 2e-2:
            raise failure
        return np.array([[-0.1j]])

    for site in range(2):
        syst.leads.append(kwant.builder.SelfEnergyLead(sigma, (lattice(site),), []))
    return syst.finalized(), kc.Matrices([np.diag([1.0, -1.0]), np.array([[0, 1.0], [1.0, 0]])])


@pytest.mark.parametrize("failure", [RuntimeError("no root."), ZeroDivisionError("no root")])
def test_an_energy_that_fails_and_counts(failure):
    """The error says what was done, and how to have what is known by then."""
    syst, moving = broken_lead(failure)
    options = {"temperature": 0.02, "rtol": 1e-8}
    with pytest.raises(kc.IntegrationError, match=r"there was an error: no root\. \d+ ener") as e:
        kc.force_response(syst, moving, 0.0, **options)
    assert e.value.__cause__ is failure
    assert len(e.value.energies) >= e.value.n_done > 3
    assert 1e-4 < abs(e.value.energy) < 2e-2
    known = e.value.result
    np.testing.assert_array_equal(known.spectrum.energies, e.value.energies)
    assert "had to end at energy" in " ".join(known.warnings)
    with pytest.warns(RuntimeWarning, match="did not converge"):
        again = kc.force_response(syst, moving, 0.0, max_energies=e.value.n_done, **options)
    assert set(again.spectrum.energies) <= set(e.value.energies)


def failing_at(monkeypatch, number):
    """Let the shells from the so manieth on fail: of one alone rounding decides if it counts."""
    plain, count = EnergyShell.__init__, []

    def failing(self, *arguments, **options):
        count.append(1)
        if len(count) >= number:
            raise RuntimeError("no root")
        plain(self, *arguments, **options)

    monkeypatch.setattr(EnergyShell, "__init__", failing)


WINDOW = {"bias": 0.3, "temperature": 0.03, "rtol": 1e-3}


def density(*arguments, **options):
    """Return the density of the orbitals, as a routine would."""
    return kc.NonequilibriumDensity(*arguments, linear=False, **options)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("call", "fields"),
    [
        (lambda s: kc.curl_map(s, MOVING, 1.7, linear=False, **WINDOW), ("lead_curl", "friction")),
        (lambda s: kc.force_response(s, MOVING, 1.7, linear=False, **WINDOW), ("lead_curl",)),
        (lambda s: kc.flow_map(s, 1.7, linear=False, **WINDOW), ("lead_current", "lead_dos")),
        (lambda s: density(s, 1.7, **WINDOW), ("diagonal",)),
    ],
)
def test_nothing_is_lost_by_an_energy_that_fails(syst, monkeypatch, call, fields):
    """Of all routines the error carries the result, as good as it says."""
    whole = call(syst)
    failing_at(monkeypatch, 14)
    with pytest.raises(kc.IntegrationError, match="`result` is what all") as e:
        call(syst)
    known = e.value.result
    assert type(known) is type(whole)
    assert len(e.value.energies) >= e.value.n_done > 3
    assert 1e-3 < known.error < np.inf
    assert any("no root" in text for text in known.warnings)
    for field in fields:
        one, other = (
            result.density() if field == "diagonal" else getattr(result, field)
            for result in (known, whole)
        )
        assert 0 < np.abs(one - other).max() < known.error * np.abs(other).max()


@pytest.mark.heavy
def test_rates_of_other_frequencies_are_not_lost(syst, monkeypatch):
    """Those before the energy that fails are whole, those after it are unknown and say so."""
    modes = np.array([np.eye(4)[:2], np.eye(4)[2:], np.eye(4)[1:3]])
    options = {"frequency": [0.01, 0.02, 0.03], "rtol": 1e-3, "temperature": 0.03, "bias": 0.3}
    one = kc.phonon_rates(syst, MOVING, modes[:1], 1.7, **{**options, "frequency": 0.01})
    count, plain = [], EnergyShell.__init__
    monkeypatch.setattr(
        EnergyShell, "__init__", lambda *a, **o: (count.append(1), plain(*a, **o))[1]
    )
    kc.phonon_rates(syst, MOVING, modes[:1], 1.7, **{**options, "frequency": 0.01})
    monkeypatch.undo()
    failing_at(monkeypatch, len(count) + 15)
    with pytest.raises(kc.IntegrationError) as e:
        kc.phonon_rates(syst, MOVING, modes, 1.7, **options)
    known = e.value.result
    np.testing.assert_array_equal(known.lead_emission[0], one.lead_emission[0])
    assert np.isfinite(known.lead_emission[1]).all()
    assert np.isnan(known.lead_emission[2]).all()
    assert known.error > 1e-3


@pytest.mark.heavy
@pytest.mark.parametrize("temperature", [0.0, 0.05])
def test_an_energy_above_the_axis_that_fails(monkeypatch, temperature):
    """What is known at the Fermi level is not lost."""
    syst = MODELS["magnetic field"].syst(MODELS["magnetic field"].positions())
    moving = kc.Displacements(atoms_of(syst)[:2], scaling=kc.PowerLaw(2))
    options = {"bias": {0: 0.2}, "velocity": True, "fermi_sea": True, "temperature": temperature}
    whole = kc.force_response(syst, moving, 0.2, rtol=1e-3, **options)
    plain, count = CoupledKernel.above, []

    def failing(self, energy):
        count.append(1)
        if len(count) >= 20:
            raise RuntimeError("no root")
        return plain(self, energy)

    monkeypatch.setattr(CoupledKernel, "above", failing)
    with pytest.raises(kc.IntegrationError, match="no root") as e:
        kc.force_response(syst, moving, 0.2, rtol=1e-12, **options)
    known = e.value.result
    assert e.value.energy.imag > 0
    assert all(energy.imag > 0 for energy in e.value.energies)
    np.testing.assert_allclose(known.lead_curl, whole.lead_curl, rtol=0, atol=1e-2)
    size = np.abs(whole.equilibrium_lorentz).max()
    assert np.abs(known.equilibrium_lorentz - whole.equilibrium_lorentz).max() < 0.1 * size


def test_mistakes_in_a_function_of_the_user_are_not_hidden():
    syst, moving = broken_lead(AttributeError("a typing error"))
    with pytest.raises(AttributeError, match="a typing error"):
        kc.force_response(syst, moving, 0.0, temperature=0.02, rtol=1e-8)


@pytest.mark.filterwarnings("ignore:In the window of energies")  # a level below the band
@pytest.mark.parametrize("bias", [0.3, 1e-6])
def test_partial_is_relative_to_the_bias(bias):
    """A window that reaches below the band: what is missed counts as much at every bias."""
    system = square_wire(length=4, width=1, disorder=0.3).finalized()
    moving = kc.Displacements([1, 2], scaling=kc.PowerLaw(2))
    edge = 2.0  # the chain's band begins at 4 - 2
    options = {"linear": False, "temperature": 0.05, "rtol": 1e-2}
    with pytest.warns(RuntimeWarning, match="no lead has an open mode"):
        assert kc.curl_map(system, moving, edge + 0.05, bias=bias, **options).partial


def fails_near(energy):
    """Fail within 1e-7 of zero, and give the energy else."""
    if abs(energy) < 1e-7:
        raise BandEdgeError("Kwant can't tell the modes of lead 0 at energy 0 apart")
    return energy


def test_an_energy_on_a_band_edge_is_taken_beside():
    """A small part of the window away, or not at all."""
    assert Beside(fails_near, 1.0)(0.5) == 0.5
    assert Beside(fails_near, 1.0)(1e-9) == pytest.approx(1e-6, rel=1e-2)
    with pytest.raises(BandEdgeError, match="tell the modes"):
        Beside(fails_near, 1e-3)(0.0)


def test_differences_of_fermi_functions_do_not_cancel():
    """Against 50 digits, and no notice of rounding at a temperature, however small the bias."""
    getcontext().prec = 50
    for above, shift in ((0.3, 1e-13), (-0.2, -1e-9), (0.1, 0.5), (-0.4, 0.7), (0.05, -0.3)):
        kt, e, b = Decimal("0.05"), Decimal(above), Decimal(shift)
        exact = 1 / (1 + ((e - b) / kt).exp()) - 1 / (1 + (e / kt).exp())
        found = fermi_difference(above, np.array([shift]), 0.05)[0]
        assert found == pytest.approx(float(exact), rel=1e-12)


def test_a_tiny_bias_at_a_temperature(syst):
    """The window's differences are as smooth as at any bias: the linear response."""
    options = {"temperature": 0.02, "rtol": 1e-2}
    linear = kc.curl_map(syst, MOVING, 1.7, bias=1e-13, **options)
    window = kc.curl_map(syst, MOVING, 1.7, bias=1e-13, linear=False, **options)
    scale = np.abs(linear.curl).max()
    np.testing.assert_allclose(window.curl, linear.curl, atol=2e-2 * scale)


def test_a_window_that_rounding_closes_is_refused(syst):
    """No bare IndexError."""
    with pytest.raises(ValueError, match="lost in the rounding of the energy"):
        kc.curl_map(syst, MOVING, 1.7, bias=1e-20, linear=False)
    with pytest.raises(ValueError, match="lost in the rounding of the energy"):
        kc.phonon_rates(syst, MOVING, np.eye(4)[:2], 1.7, frequency=1e-20, bias={0: 0.0})


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(40))
def test_narrow_levels_anywhere_in_a_window(seed):
    """Against the closed form; levels from a tenth of the window to 1e-9 of it: none is missed."""
    rng = np.random.default_rng(seed)
    width, centre = 10 ** rng.uniform(-9, -1), rng.uniform(-0.45, 0.45)
    left, right, split = width, 0.4 * width, width * rng.uniform(0.2, 3)
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(2))] = centre
    builder[lattice.neighbors()] = split
    for i, gamma in enumerate((left, right)):

        def sigma(energy, args=(), params=None, gamma=gamma):
            return np.array([[-0.5j * gamma]])

        builder.leads.append(kwant.builder.SelfEnergyLead(sigma, [lattice(i)], []))
    coordinates = kc.Matrices([np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]])])
    rtol = 10 ** rng.uniform(-6, -2)
    result = kc.force_response(
        builder.finalized(), coordinates, 0.0, bias=1.0, linear=False, rtol=rtol
    )
    steps = width * 2.0 ** np.arange(-3, 45)
    middles = np.array([centre - split, centre, centre + split])[:, None]
    points = np.concatenate([[-0.5, 0.5], (middles + steps).ravel(), (middles - steps).ravel()])
    points = np.unique(points[(points >= -0.5) & (points <= 0.5)])
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = 0.5 * np.diff(points)[:, None]
    x = 0.5 * (points[1:] + points[:-1])[:, None] + half * nodes
    values = half * weights * two_level_curl(x - centre, split, left, right)
    # Relative to the largest of all elements' moduli, of which the curl's is one.
    assert abs(result.curl[0, 1] - values.sum()) <= 2 * rtol * np.abs(values).sum()
    assert len(result.spectrum.energies) <= 40


def two_level_curl(x, w, left, right):
    """kappa_XY per energy of the window, in closed form (lead 0 filled)."""
    size = np.abs((x + 0.5j * left) * (x + 0.5j * right) - w**2) ** 4
    numerator = left * right * w * (left - right) * (w**2 - x**2 + left * right / 4)
    return numerator / (2 * np.pi * size)


def lieb(length, width):
    """A Lieb lattice, which has a flat band, between leads of the same."""
    lattice = kwant.lattice.general([(1, 0), (0, 1)], [(0, 0), (0.5, 0), (0, 0.5)], norbs=1)
    a, b, c = lattice.sublattices

    def strip(builder, n):
        builder[(f(x, y) for f in (a, b, c) for x in range(n) for y in range(width))] = 0
        for shift, one, other in (((0, 0), a, b), ((0, 0), a, c), ((1, 0), a, b), ((0, 1), a, c)):
            builder[kwant.builder.HoppingKind(shift, one, other)] = -1
        return builder

    builder = strip(kwant.Builder(), length)
    lead = strip(kwant.Builder(kwant.TranslationalSymmetry((-1, 0))), 1)
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized()


@pytest.mark.heavy
def test_integrals_that_do_not_exist():
    """In a perfect wire curl and friction go as 1/(E - E0) at a band edge."""
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    perfect = square_wire(length=6, width=3).finalized()
    message = r"does not exist: at 3\.41421356, where a mode of lead 0 opens or closes"
    with pytest.raises(ValueError, match=message):
        kc.curl_map(perfect, moving, 3.3, temperature=0.05)
    with pytest.raises(ValueError, match=r"0\.445041868, where a mode of lead 0 .* exclude="):
        kc.curl_map(lieb(5, 3), moving, 0.4, temperature=0.1)
    off = kc.curl_map(perfect, moving, 3.3, temperature=0.05, exclude=1e-3, rtol=1e-3)
    assert off.error <= 1e-3
    # The logarithm: as much again for each factor in the width.
    frictions = [
        np.abs(
            kc.curl_map(perfect, moving, 3.3, temperature=0.05, exclude=w, rtol=1e-6).friction
        ).max()
        for w in (1e-4, 1e-5, 1e-6)
    ]
    first, second = np.diff(frictions)
    assert first > 0.1 * frictions[0]
    assert second == pytest.approx(first, rel=0.02)
    with pytest.raises(ValueError, match="leaves no energies to integrate over"):
        kc.curl_map(perfect, moving, 3.3, temperature=0.05, exclude=9.0)
    with pytest.raises(ValueError, match="exclude"):
        kc.curl_map(perfect, moving, 3.3, temperature=0.05, exclude=-1.0)


@pytest.mark.heavy
@pytest.mark.parametrize("disorder", [0.1, 1.0])
def test_a_scatterer_makes_them_exist(disorder):
    wire = square_wire(length=6, width=3, disorder=disorder).finalized()
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    coarse, fine = (
        kc.curl_map(wire, moving, 1.9, temperature=0.05, rtol=rtol) for rtol in (1e-4, 1e-9)
    )
    for name in ("lead_force", "lead_curl", "friction"):
        one, other = getattr(coarse, name), getattr(fine, name)
        np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max())


@pytest.mark.heavy
@pytest.mark.parametrize("distance", [4, 8, 12, 16])
def test_a_fermi_level_in_a_gap(distance):
    """What is excited over it is all that there is, and is known as well as elsewhere."""
    kt = 0.1
    wire = square_wire(length=5, width=1, disorder=0.3, seed=1).finalized()
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    options = {"temperature": kt, "bias": 0.1}
    with pytest.warns(RuntimeWarning, match="no lead has an open mode"):
        coarse, fine = (
            kc.curl_map(wire, moving, 2.0 - distance * kt, rtol=rtol, **options)
            for rtol in (1e-4, 1e-9)
        )
    largest = np.abs(fine.friction).max()
    assert largest > 0
    np.testing.assert_allclose(coarse.friction, fine.friction, atol=1e-4 * largest)


def test_a_level_far_from_the_fermi_level():
    """Weakly coupled, so that it outweighs all that is near, though few electrons are there."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(2))] = 0.0
    builder[lattice.neighbors()] = 0.3
    for i in range(2):

        def sigma(energy, args=(), params=None):
            return np.array([[-1e-6j]])

        builder.leads.append(kwant.builder.SelfEnergyLead(sigma, [lattice(i)], []))
    coordinates = kc.Matrices([np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]])])
    syst = builder.finalized()
    kt, mu = 0.01, 0.3 - 0.16
    for rtol in (1e-3, 1e-4):
        result = kc.force_response(syst, coordinates, mu, temperature=kt, rtol=rtol)
        # D of one level of half width g: int (g/pi)^2/(x^2 + g^2)^2 = 1/(2 pi g), times pi.
        expected = np.exp(-16) / kt / (2 * 1e-6)
        assert result.friction[0, 0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("most", [1, 3, 7, 12])
def test_few_energies_are_an_answer_still(most):
    wire = square_wire(length=6, width=3, disorder=1.0).finalized()
    with pytest.warns(
        RuntimeWarning, match=f"did not converge to rtol=0.0001 with {most} energies"
    ):
        result = kc.curl_map(wire, MOVING, 3.9, temperature=0.03, max_energies=most)
    assert result.error > 1e-4


@pytest.mark.heavy
def test_a_window_over_all_bands():
    wire = square_wire(length=4, width=2, disorder=1.0, seed=3).finalized()
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    with pytest.warns(RuntimeWarning):
        result = kc.curl_map(wire, moving, 4.0, bias=12.0, linear=False, rtol=1e-3)
    assert result.partial
    assert result.error <= 1e-3
    assert len(result.spectrum.energies) <= 300


@pytest.mark.heavy
def test_zigzag_graphene_at_room_temperature():
    """The flagship of the gallery, whole, but small: its bands are flat at the edge states."""
    device = graphene_constriction(40.0, 20.0, 10.0)
    options = {"temperature": 0.02585, "units": device.units}
    with pytest.warns(RuntimeWarning, match=r"states are bound in the device, at .*0\.5812"):
        result, fine = (
            kc.curl_map(device.syst, device.coordinates, device.energy, rtol=rtol, **options)
            for rtol in (1e-3, 1e-7)
        )
    for name in ("lead_force", "lead_curl", "friction"):
        one, other = getattr(result, name), getattr(fine, name)
        np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(other).max())
    assert np.linalg.eigvalsh(result.friction).min() >= -1e-14 * np.abs(result.friction).max()
    assert len(result.spectrum.energies) <= 150


@pytest.mark.heavy
@pytest.mark.parametrize("seed", [5, 12])
def test_levels_whose_shares_cancel(seed):
    """Many narrow levels in a window: of the Jacobian's integral a thousandth is left."""
    lattice = kwant.lattice.square(norbs=1)
    rng = np.random.default_rng(seed)
    builder = kwant.Builder()
    for x in range(8):
        for y in range(3):
            builder[lattice(x, y)] = 0.05 * rng.uniform(-1, 1)
    builder[(lattice(x, y) for x in (-1, 8) for y in range(3))] = 0
    builder[lattice.neighbors()] = -1
    for inner, end in ((0, -1), (7, 8)):
        builder[((lattice(inner, y), lattice(end, y)) for y in range(3))] = -0.02
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(3))] = 0
    lead[lattice.neighbors()] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    syst = builder.finalized()
    moving = kc.Displacements([syst.sites[8], syst.sites[13]], scaling=kc.PowerLaw(2))
    options = {"bias": {0: 1.53}, "linear": False, "temperature": 0.009}
    found, fine = (
        kc.force_response(syst, moving, 0.1, jacobian=True, noise=True, rtol=rtol, **options)
        for rtol in (1e-4, 1e-6)
    )
    for name in ("force", "curl", "jacobian", "noise"):
        one, other = getattr(found, name), getattr(fine, name)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())
