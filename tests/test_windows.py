"""Integrals over windows: tiny biases, energies that fail, and what is said of both."""

from decimal import Decimal, getcontext

import numpy as np
import pytest
from systems import square_wire

import kwant_curl as kc
from kwant_curl.algebra.occupations import fermi_difference
from kwant_curl.electrons.beside import Beside
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
