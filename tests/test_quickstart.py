"""The quick start's lines work unchanged on systems in the style of Kwant's tutorial."""

import re
from pathlib import Path

import kwant
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tinyarray

PAGE = Path(__file__).parents[1] / "docs" / "quickstart.md"
CELLS = re.findall(
    r"^```\{code-cell\}[^\n]*\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
)
QUICK_START = CELLS[1]  # the first one builds the page's own system

SIGMA_0 = tinyarray.array([[1, 0], [0, 1]])
SIGMA_X = tinyarray.array([[0, 1], [1, 0]])
SIGMA_Y = tinyarray.array([[0, -1j], [1j, 0]])
SIGMA_Z = tinyarray.array([[1, 0], [0, -1]])


def with_leads(device, lead):
    device.attach_lead(lead)
    device.attach_lead(lead.reversed())
    return device.finalized()


def quantum_wire():
    lat = kwant.lattice.square(norbs=1)
    wire = kwant.Builder()
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    wire[(lat(x, y) for x in range(25) for y in range(8))] = 4
    lead[(lat(0, y) for y in range(8))] = 4
    wire[lat.neighbors()] = lead[lat.neighbors()] = -1
    return with_leads(wire, lead), 1.2, None


def spin_orbit_wire():
    """Rashba coupling and a Zeeman field: 2 x 2 matrices that differ between directions."""
    rashba, zeeman = 0.5, 0.1
    lat = kwant.lattice.square(norbs=2)
    wire = kwant.Builder()
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    wire[(lat(x, y) for x in range(20) for y in range(8))] = 4 * SIGMA_0 + zeeman * SIGMA_Z
    lead[(lat(0, y) for y in range(8))] = 4 * SIGMA_0 + zeeman * SIGMA_Z
    for builder in (wire, lead):
        builder[kwant.builder.HoppingKind((1, 0), lat)] = -SIGMA_0 + 0.5j * rashba * SIGMA_Y
        builder[kwant.builder.HoppingKind((0, 1), lat)] = -SIGMA_0 - 0.5j * rashba * SIGMA_X
    return with_leads(wire, lead), 1.2, None


def ring_with_flux():
    """The flux is a phase of the hoppings across a cut through one arm."""
    lat = kwant.lattice.square(norbs=1)

    def annulus(position):
        return 6 < np.hypot(*position) < 13

    def across_the_cut(site1, site2, flux):
        return -np.exp(1j * flux)

    ring = kwant.Builder()
    ring[lat.shape(annulus, (0, 10))] = 4
    ring[lat.neighbors()] = -1
    for y in range(-13, 0):
        if lat(0, y) in ring and lat(1, y) in ring:
            ring[lat(1, y), lat(0, y)] = across_the_cut
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(-4, 5))] = 4
    lead[lat.neighbors()] = -1
    return with_leads(ring, lead), 0.7, {"flux": 0.3 * np.pi}


def graphene_dot():
    """A disk with a p-n step: two sublattices, a potential with parameters."""
    lat = kwant.lattice.honeycomb(norbs=1)

    def disk(position):
        return np.hypot(*position) < 9

    def step(site, height, smoothness):
        x, y = site.pos
        return height * np.tanh((0.5 * x + 0.866 * y) / smoothness)

    dot = kwant.Builder()
    dot[lat.shape(disk, (0, 0))] = step
    dot[lat.neighbors()] = -1
    dot.eradicate_dangling()
    lead = kwant.Builder(kwant.TranslationalSymmetry(lat.vec((-1, 0))))
    lead[lat.shape(lambda position: abs(position[1]) < 4, (0, 0))] = 0.1
    lead[lat.neighbors()] = -1
    return with_leads(dot, lead), 0.7, {"height": 0.1, "smoothness": 3.0}


def magnetic_texture():
    """A skyrmion in a disk, which the electrons' spins feel: an onsite function of vectors."""
    lat = kwant.lattice.square(norbs=2)

    def magnetisation(position, radius, wall):
        x, y = position
        r = np.hypot(x, y)
        tilt = np.pi * (1 + np.tanh((r - radius) / wall)) / 2
        around = np.arctan2(y, x)
        return np.array(
            [np.sin(tilt) * np.cos(around), np.sin(tilt) * np.sin(around), np.cos(tilt)]
        )

    def onsite(site, radius, wall, exchange):
        mx, my, mz = magnetisation(site.pos, radius, wall)
        return 4 * SIGMA_0 - exchange * (mx * SIGMA_X + my * SIGMA_Y + mz * SIGMA_Z)

    def in_the_lead(site, exchange):
        return 4 * SIGMA_0 + exchange * SIGMA_Z

    device = kwant.Builder()
    device[lat.shape(lambda position: np.hypot(*position) < 12, (0, 0))] = onsite
    device[lat.neighbors()] = -SIGMA_0
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)), conservation_law=-SIGMA_Z)
    lead[(lat(0, y) for y in range(-5, 6))] = in_the_lead
    lead[lat.neighbors()] = -SIGMA_0
    return with_leads(device, lead), 1.5, {"radius": 6.0, "wall": 2.0, "exchange": 0.8}


SYSTEMS = [quantum_wire, spin_orbit_wire, ring_with_flux, graphene_dot, magnetic_texture]


# A vibration that suits the page's wire is too light in some of these for Eq. 30.
@pytest.mark.filterwarnings("ignore:The (driving|damping) is up to:RuntimeWarning")
@pytest.mark.parametrize("make_system", SYSTEMS, ids=lambda f: f.__name__)
def test_lines_work_unchanged(make_system, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    syst, energy, params = make_system()
    user = {"syst": syst, "energy": energy, "params": params}
    exec(compile(QUICK_START, PAGE.name, "exec"), user)
    try:
        result, rates, axes = user["result"], user["rates"], user["axes"]
        for values in (result.force, result.curl, result.friction, rates.growth):
            assert np.isfinite(values).all()
        transmission = kwant.smatrix(syst, energy, params=params).transmission(1, 0)
        assert transmission > 0.1
        n_atoms = len(result.positions)
        assert n_atoms > 0.7 * len(syst.sites)
        assert np.count_nonzero(np.abs(result.curl) > 1e-5) > 0.5 * n_atoms
        assert 0 < rates.threshold.min() < np.inf
        drawn = [
            np.ma.getdata(c.get_array()) for c in axes.collections if c.get_array() is not None
        ]
        assert any(np.array_equal(np.ravel(values), result.curl) for values in drawn)
        assert Path("curl.png").stat().st_size > 1e4
    finally:
        plt.close("all")


def test_page_runs_its_own_system(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(CELLS) == 3
    assert len(QUICK_START.split("\n\n")[0].strip().splitlines()) <= 10
    user = {}
    exec(compile("\n".join(CELLS), PAGE.name, "exec"), user)
    # The wire is uniform, so the map is, and it is odd about the middle.
    curl = user["result"].curl.reshape(-1, 10)
    assert np.allclose(curl, curl[0], atol=1e-10)
    assert np.allclose(curl, -curl[:, ::-1], atol=1e-10)
    plt.close("all")
