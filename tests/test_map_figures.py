"""Maps over atoms: keys, leads, arcs and the size of files."""

import io

import kwant
import matplotlib.pyplot as plt
import numpy as np
import pytest

import kwant_curl as kc
from kwant_curl.plotting.arcs import turning_arcs

UNITS = kc.EV_ANGSTROM_AMU


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def strip(width=4, length=7, third=False):
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(length) for y in range(width))] = 4
    del builder[lattice(3, width - 1)]
    builder[lattice.neighbors()] = -1
    sides = [((-1, 0), 1), ((1, 0), 1)] + ([((0, -1), 0)] if third else [])
    for direction, axis in sides:
        lead = kwant.Builder(kwant.TranslationalSymmetry(direction))
        n = width if axis else length
        lead[(lattice(0, i) if axis else lattice(i, 0) for i in range(n))] = 4
        lead[lattice.neighbors()] = -1
        builder.attach_lead(lead)
    return builder.finalized()


def map_of(syst, bias=0.1):
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    return kc.curl_map(syst, moving, 1.0, bias=bias, units=UNITS)


@pytest.fixture(scope="module")
def wire():
    syst = strip()
    return syst, map_of(syst)


def test_leads_have_numbers_and_volts():
    syst = strip(third=True)
    result = map_of(syst, {0: 0.1, 1: -0.05, 2: 0.0})
    ax = result.plot(syst=syst)
    places = {text.get_text(): text.get_position() for text in ax.texts}
    assert set(places) == {"lead 0: +0.1 V", "lead 1: -0.05 V", "lead 2: +0 V"}
    sites = np.array([site.pos for site in syst.sites])
    low, high = sites.min(axis=0) - 0.5, sites.max(axis=0) + 0.5  # of the discs
    assert places["lead 0: +0.1 V"][0] < low[0]
    assert places["lead 1: -0.05 V"][0] > high[0]
    assert places["lead 2: +0 V"][1] < low[1]
    for x, y in places.values():  # inside of the axes
        assert ax.get_xlim()[0] < x < ax.get_xlim()[1]
        assert ax.get_ylim()[0] < y < ax.get_ylim()[1]
    assert not result.plot().texts


def test_the_key_of_arrows_and_what_is_above(wire):
    syst, result = wire
    current = np.zeros_like(result.positions)
    current[:, 0] = np.linspace(0, 0.37, len(current))
    ax = result.plot(syst=syst, current=current)
    (key,) = [child for child in ax.get_children() if hasattr(child, "labelpos")]
    assert key.text.get_text() == "current 0.37"
    left, right = ax.get_xlim()
    assert 0 < key.X < 0.98 - 0.79 / (right - left)  # the tip of the longest is inside
    arrows = key.Q
    discs = [one for one in ax.collections if one is not arrows and one.get_zorder() >= 1]
    assert arrows.get_zorder() < min(one.get_zorder() for one in discs)


def test_arcs_turn_about_their_axes():
    rng = np.random.default_rng(3)
    axes, centres, radii = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.uniform(1, 2, 5)
    arcs = turning_arcs(centres, axes, radii) - centres[:, None]
    np.testing.assert_allclose(np.linalg.norm(arcs, axis=2), radii[:, None] * np.ones(37))
    np.testing.assert_allclose(np.einsum("npi,ni->np", arcs, axes), 0, atol=1e-12)
    turns = np.einsum("npi,ni->np", np.cross(arcs[:, :-1], arcs[:, 1:]), axes)
    assert (turns > 0).all()


def test_vector_output_of_a_thousand_atoms():
    """Below 1 MB, as SVG and as PDF, with the system's bonds."""
    syst = strip(25, 41)
    result = map_of(syst)
    assert len(result.positions) > 900
    figure = result.plot(syst=syst, current=np.ones_like(result.positions)).figure
    for kind in ("svg", "pdf"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind)
        assert buffer.tell() < 1e6, (kind, buffer.tell())


def test_waves_on_a_line_say_which_way():
    """exp(iqx) travels to the right, its complex conjugate to the left; leads at their sides."""
    chain = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(chain(i) for i in range(9))] = 0
    builder[chain.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    lead[chain(0)] = 0
    lead[chain.neighbors()] = -1
    builder.attach_lead(lead.reversed())
    builder.attach_lead(lead)
    syst = builder.finalized()
    x = np.arange(9.0)
    for sign, way in ((1, "right (+0.78)"), (-1, "left (-0.78)")):
        orbit = kc.Orbit(np.exp(0.9j * sign * x), 0.1, 0.0, np.ones(9), x[:, None])
        ax = orbit.plot(syst=syst)
        texts = {text.get_text(): text.get_position() for text in ax.texts}
        assert any(text.endswith(f"travels to the {way}") for text in texts)
        assert texts["lead 0"][0] > 0.5 > texts["lead 1"][0]
    standing = kc.Orbit(np.cos(0.9 * x) + 0j, 0.1, 0.0, np.ones(9), x[:, None])
    assert not standing.plot().texts
