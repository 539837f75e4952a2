"""Curls that are rounding are zero, and say so; small ones that are none stay."""

import kwant
import numpy as np
import pytest

import kwant_curl as kc


def potential_landscape(seed=1):
    """Return a discretised continuum model whose potential alone depends on the position."""
    lat = kwant.lattice.square(norbs=1)
    syst = kwant.Builder()

    def onsite(site):
        x, y = site.pos
        return 4 + 0.5 * np.exp(-((x - 3.1) ** 2 + (y - 1.3) ** 2) / 3) + 0.1 * np.sin(x + 2 * y)

    syst[(lat(x, y) for x in range(8) for y in range(4))] = onsite
    syst[lat.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(4))] = 4
    lead[lat.neighbors()] = -1
    syst.attach_lead(lead)
    syst.attach_lead(lead.reversed())
    return syst.finalized()


def test_only_onsite_terms_follow():
    """F_x and F_y are multiples of one density: no curl, an infinite threshold, and it is said."""
    syst = potential_landscape()
    result = kc.curl_map(syst, kc.Displacements(), 1.3)
    assert np.abs(result.force).max() > 1e-3
    assert not result.curl.any()
    assert "no curl beyond rounding" in repr(result)
    rates = result.pumping_rates(0.01, 1e4)
    assert np.isinf(rates.threshold).all()
    assert not rates.driving.any()
    response = kc.force_response(syst, kc.Displacements(), 1.3)
    blocks = response.curl.reshape(len(result.curl), 2, -1, 2)
    assert not blocks[np.arange(len(blocks)), 0, np.arange(len(blocks)), 1].any()
    assert np.abs(response.curl).max() > 1e-4  # of different atoms


@pytest.mark.parametrize("barrier", [3.0, 30.0, 3e3])
def test_small_curls_behind_barriers_stay(barrier):
    """Curls that are many orders below the friction, against mean and difference of the leads."""
    lat = kwant.lattice.square(norbs=1)
    syst = kwant.Builder()
    rng = np.random.default_rng(2)
    for x, y in np.ndindex(12, 3):
        syst[lat(x, y)] = rng.uniform(-1, 1) + (barrier if 5 <= x < 9 else 0)
    syst[lat.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(3))] = 0
    lead[lat.neighbors()] = -1
    syst.attach_lead(lead)
    syst.attach_lead(lead.reversed())
    finished = syst.finalized()
    moving = kc.Displacements([lat(2, 1), lat(3, 0), lat(10, 2)], scaling=kc.PowerLaw(2))
    local = kc.curl_map(finished, moving, 0.4)
    coupled = kc.force_response(finished, moving, 0.4)
    expected = [coupled.curl[2 * i, 2 * i + 1] for i in range(3)]
    assert np.abs(expected).min() > 0
    np.testing.assert_allclose(local.curl, expected, rtol=1e-6)
    np.testing.assert_allclose(local.lead_curl.sum(axis=0), 0, atol=0)
