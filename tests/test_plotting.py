"""Each kind of figure is drawn, and what is on it is checked."""

import dataclasses
import io
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image
from systems import MODELS, square_wire

import kwant_curl as kc
from kwant_curl import (
    Displacements,
    PowerLaw,
    Probe,
    curl_map,
    flow_map,
    force_response,
    plot,
)
from kwant_curl.plotting.sites import EDGE, draw_outline

ENERGY = 1.7


@pytest.fixture(scope="module")
def syst():
    return square_wire(disorder=0.6).finalized()


@pytest.fixture(scope="module")
def local(syst):
    return curl_map(syst, Displacements(scaling=PowerLaw(2)), ENERGY)


@pytest.fixture(scope="module")
def spatial():
    model = MODELS["3D wire"]
    syst = model.syst(model.positions())
    return curl_map(syst, Displacements(scaling=PowerLaw(3)), model.energy)


def collections(ax, kind):
    return [c for c in ax.collections if type(c).__name__ == kind]


def test_curl_map(local, syst):
    ax = local.plot(syst=syst, length_unit="nm", energy_unit="meV")
    *_, discs = collections(ax, "EllipseCollection")
    np.testing.assert_array_equal(discs.get_offsets(), local.positions)
    np.testing.assert_array_equal(discs.get_array(), local.curl)
    low, high = discs.get_clim()
    assert -low == high == np.abs(local.curl).max()
    assert ax.get_xlabel() == "x (nm)"
    assert ax.get_ylabel() == "y (nm)"
    assert discs.colorbar.ax.get_ylabel() == "curl of the force (meV/nm²)"
    (bonds,) = collections(ax, "LineCollection")
    drawn = {tuple(map(tuple, np.sort(segment, axis=0))) for segment in bonds.get_segments()}
    ends = ((syst.sites[i].pos, syst.sites[j].pos) for i, j in syst.graph if i < j)
    assert drawn == {tuple(map(tuple, np.sort(np.array(pair), axis=0))) for pair in ends}
    assert ax.get_aspect() == 1
    assert discs.get_cmap().name == "RdBu_r"  # positive is red
    sites, _ = collections(ax, "EllipseCollection")
    assert len(sites.get_offsets()) == len(syst.sites)
    assert ax.get_xlim()[0] < 0
    assert ax.get_xlim()[1] > 5
    ax.figure.canvas.draw()


def test_axes_in_axes_out(local):
    figure, (left, right) = plt.subplots(1, 2)
    assert plot(local, ax=right) is right
    assert not left.collections
    assert plt.get_fignums() == [figure.number]
    assert right.get_xlabel() == "x"


def test_current_as_arrows(local):
    vectors = np.zeros_like(local.positions)
    vectors[3] = (2.0, 0.0)
    vectors[5] = (0.0, 1.0)
    ax = plot(local, current=vectors)
    (arrows,) = collections(ax, "Quiver")
    np.testing.assert_array_equal(arrows.XY, local.positions[[3, 5]])
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V]), [[1.0, 0.0], [0.0, 0.5]])
    assert arrows.angles == "xy"
    assert not collections(plot(local, current=0 * vectors), "Quiver")
    with pytest.raises(ValueError, match=r"current has shape \(2, 2\); expected \(16, 2\)"):
        plot(local, current=np.zeros((2, 2)))


def test_arrows_of_a_large_map_are_means():
    syst = square_wire(length=42, width=12).finalized()
    local = curl_map(syst, Displacements(scaling=PowerLaw(2)), ENERGY)
    vectors = np.tile([0.0, 3.0], (len(local.positions), 1))
    (arrows,) = collections(plot(local, current=vectors), "Quiver")
    assert len(arrows.U) < len(vectors) / 2
    np.testing.assert_allclose(arrows.V, 1.0)
    np.testing.assert_allclose(arrows.U, 0.0)


def test_scale_is_symmetric_for_curls_of_one_sign(local):
    """The largest magnitude sets it, also where that is negative."""
    negative = dataclasses.replace(local, lead_curl=-np.abs(local.lead_curl) * [[1.0], [-1.0]])
    assert negative.curl.max() < 0.1 * np.abs(negative.curl).max()
    *_, discs = collections(plot(negative), "EllipseCollection")
    assert discs.get_clim()[1] == np.abs(negative.curl).max()


def test_arrows_in_3d_turn_about_the_curl(spatial, monkeypatch):
    calls = []
    axes = type(plt.figure().add_subplot(projection="3d"))
    draw = axes.quiver

    def record(self, *arguments, **keywords):
        calls.append(np.array(arguments))
        return draw(self, *arguments, **keywords)

    monkeypatch.setattr(axes, "quiver", record)
    plot(spatial)
    ((x, y, z, u, v, w),) = calls
    strength = np.linalg.norm(spatial.curl, axis=1)
    shown = strength > 0.05 * strength.max()
    # At the end of an arc around the curl, and the way that it turns there.
    arm = np.stack([x, y, z], axis=1) - spatial.positions[shown]
    np.testing.assert_allclose(np.einsum("ni,ni->n", arm, spatial.curl[shown]), 0, atol=1e-12)
    turns = np.cross(arm, np.stack([u, v, w], axis=1))
    assert (np.einsum("ni,ni->n", turns, spatial.curl[shown]) > 0).all()
    radii = np.linalg.norm(arm, axis=1)
    np.testing.assert_allclose(radii**2 / strength[shown], radii[0] ** 2 / strength[shown][0])


def test_curl_map_without_any_curl(local):
    ax = plot(local.at_bias(0.0))
    *_, discs = collections(ax, "EllipseCollection")
    assert discs.get_clim() == (-1.0, 1.0)
    ax.figure.canvas.draw()


def test_single_atom(syst):
    local = curl_map(syst, Displacements([9], scaling=PowerLaw(2)), ENERGY)
    plot(local).figure.canvas.draw()


def test_curl_vectors_in_3d(spatial):
    ax = plot(spatial, length_unit="Å", energy_unit="eV")
    assert ax.name == "3d"
    assert ax.get_zlabel() == "z (Å)"
    arcs, heads = collections(ax, "Line3DCollection")
    strength = np.linalg.norm(spatial.curl, axis=1)
    shown = strength[strength > 0.05 * strength.max()]
    for arrows in (arcs, heads):
        np.testing.assert_array_equal(np.unique(arrows.get_array()), np.unique(shown))
        assert arrows.get_clim() == (0, strength.max())
    assert ax.figure.axes[-1].get_ylabel() == "magnitude of the curl of the force (eV/Å²)"
    ax.figure.canvas.draw()
    with pytest.raises(ValueError, match="pass axes made with projection='3d'"):
        plot(spatial, ax=plt.figure().add_subplot())
    with pytest.raises(ValueError, match="it is drawn in 2D only"):
        plot(spatial, current=spatial.force)
    plot(spatial.at_bias(0.0)).figure.canvas.draw()


def test_flow_map(syst):
    flow = flow_map(syst, ENERGY)
    ax = plot(flow, length_unit="nm")
    (image,) = collections(ax, "QuadMesh")
    grid = flow.interpolate()
    shown = np.ma.masked_invalid(image.get_array().reshape(grid.curl.T.shape))
    np.testing.assert_allclose(shown.compressed(), grid.curl.T[~shown.mask])
    low, high = image.get_clim()
    assert -low == high == np.abs(shown).max()
    assert shown.mask[0, 0]  # outside of the device
    assert not shown.mask[shown.shape[0] // 2, shown.shape[1] // 2]
    (outline,) = collections(ax, "QuadContourSet")
    corners = outline.get_paths()[0].get_extents()
    assert corners.x0 == pytest.approx(-1.1, abs=0.1)
    assert corners.x1 == pytest.approx(6.1, abs=0.1)
    assert collections(ax, "LineCollection")  # streamlines
    assert image.colorbar.ax.get_ylabel() == "curl of D j (1/nm⁴)"
    assert ax.get_xlabel() == "x (nm)"
    ax.figure.canvas.draw()
    semiclassical = flow_map(syst, ENERGY, momentum=0.4).plot(label="curl (1/nm³)")
    (image,) = collections(semiclassical, "QuadMesh")
    assert image.colorbar.ax.get_ylabel() == "curl (1/nm³)"
    plot(flow.at_bias(0.0)).figure.canvas.draw()


def test_flow_map_in_3d(spatial):
    model = MODELS["3D wire"]
    flow = flow_map(model.syst(model.positions()), model.energy, cell_volume=1.0)
    with pytest.raises(ValueError, match=r"The flow is in 3D; streamlines are drawn in 2D only"):
        plot(flow)


def test_probe_on_a_grid_is_an_image(syst):
    x, y = np.linspace(1, 4, 7), np.linspace(0, 3, 5)
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    local = curl_map(syst, Probe(points[::-1], width=1.0), ENERGY)
    ax = plot(local, syst=syst, length_unit="nm", energy_unit="meV")
    (image,) = collections(ax, "QuadMesh")
    expected = local.curl[::-1].reshape(7, 5).T
    np.testing.assert_array_equal(image.get_array().reshape(5, 7), expected)
    assert image.colorbar.ax.get_ylabel() == "curl of the force (meV/nm²)"
    (outline,) = collections(ax, "QuadContourSet")
    assert outline.get_paths()[0].get_extents().x1 == pytest.approx(6.1, abs=0.1)
    low, high = image.get_clim()
    assert -low == high == np.abs(local.curl).max()


def test_probe_at_scattered_points(syst):
    points = [(1.0, 1.0), (2.5, 0.3), (3.1, 2.2)]
    local = curl_map(syst, Probe(points, width=1.0), ENERGY)
    (discs,) = collections(plot(local, syst=syst), "EllipseCollection")
    np.testing.assert_array_equal(discs.get_offsets(), points)
    np.testing.assert_array_equal(discs.get_array(), local.curl)


def test_pumping_rates(syst):
    response = force_response(syst, Displacements(scaling=PowerLaw(2)), ENERGY)
    modes = np.eye(32).reshape(16, 2, 32)
    rates = response.pumping_rates(modes, 0.03, 1e4)
    ax = rates.plot(x=np.arange(16) / 2, xlabel="q", energy_unit="eV")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), rates.driving)
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(16) / 2)
    assert ax.get_xlabel() == "q"
    assert ax.get_ylabel() == "rate (eV/ħ)"
    (band,) = ax.collections
    extents = band.get_paths()[0].get_extents()
    assert extents.ymax == pytest.approx(rates.damping.max())
    assert extents.ymin == pytest.approx(-rates.damping.max())
    with pytest.raises(ValueError, match=r"x has shape \(3,\); expected \(16,\)"):
        plot(rates, x=[1, 2, 3])


def test_pumping_rates_of_atoms_are_not_joined(local):
    ax = plot(local.pumping_rates(0.03, 1e4))
    assert ax.lines[0].get_linestyle() == "None"
    (bars,) = collections(ax, "LineCollection")
    assert len(bars.get_segments()) == len(local.positions)


def test_labels_are_inside_the_figure():
    for length, width in ((20, 20), (60, 4), (14, 8)):
        syst = square_wire(length=length, width=width).finalized()
        ax = curl_map(syst, Displacements(scaling=PowerLaw(2)), ENERGY).plot(
            syst=syst, length_unit="nm", energy_unit="meV"
        )
        ax.figure.canvas.draw()
        box = ax.figure.get_tightbbox()
        assert box.x0 >= 0
        assert box.x1 <= ax.figure.get_figwidth()
        assert box.y0 >= 0
        assert box.y1 <= ax.figure.get_figheight()


def test_builder_that_is_not_finalized(local):
    with pytest.raises(TypeError, match="not finalized"):
        local.plot(syst=square_wire())


def test_something_else():
    with pytest.raises(TypeError, match="Can't draw a str; expected CurlMap, FlowMap, "):
        plot("curl")


def test_misspelt_option(local):
    with pytest.raises(TypeError, match="lenght_unit"):
        plot(local, lenght_unit="nm")


# Vibrations under current


def circling(dim, positions, vector, **more):
    masses = np.ones(len(positions) * dim)
    return kc.Orbit(np.asarray(vector, complex), 0.1, 0.01, masses, np.asarray(positions), **more)


def test_orbits_in_the_plane():
    syst = square_wire(length=4, width=3).finalized()
    places = np.array([syst.sites[i].pos for i in (3, 7)])
    orbit = circling(2, places, [1, 1j, 0.5, -0.25j], units=kc.EV_ANGSTROM_AMU)
    ax = kc.plot(orbit, syst=syst, size=0.3)
    bonds, ellipses = (c for c in ax.collections if isinstance(c, LineCollection))
    assert len(bonds.get_segments()) == sum(i < j for i, j in syst.graph)
    first, second = ellipses.get_segments()
    np.testing.assert_allclose(np.linalg.norm(first - places[0], axis=1), 0.3, atol=1e-12)
    np.testing.assert_allclose(np.ptp(second, axis=0), [0.3, 0.15], rtol=1e-2)
    # Anticlockwise is positive, red.
    area = ellipses.get_array()
    np.testing.assert_allclose(area, 2 * np.array([1, -0.125]) / 2.3125)
    assert ellipses.colorbar.ax.get_ylabel() == "angular momentum (ħ per quantum)"
    assert ellipses.norm.vmin == -ellipses.norm.vmax
    # The arrows go along the motion: v = -i omega u.
    for arrow, centre, sense in zip(ax.texts, places, (1, -1), strict=True):
        start, end = np.array(arrow.xyann), np.array(arrow.xy)
        x, y = start - centre
        along = x * (end - start)[1] - y * (end - start)[0]
        assert np.sign(along) == sense
    assert ax.get_xlabel() == "x (Å)"
    assert ax.get_aspect() == 1


def test_orbits_in_space_and_on_a_line():
    places = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 1]])
    orbit = circling(3, places, [0, 1, 1j, 1, 0, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="projection='3d'"):
        orbit.plot(ax=plt.figure().add_subplot())
    ax = orbit.plot(length_unit="nm")
    assert len(ax.lines) == 3
    x, y, z = ax.lines[0].get_data_3d()
    np.testing.assert_allclose(np.hypot(y, z), 0.4, atol=1e-12)
    np.testing.assert_allclose(x, 0)
    assert ax.get_zlabel() == "z (nm)"
    line = np.array([[2.0], [0.0], [1.0]])
    wave = circling(1, line, np.exp(0.5j * line[:, 0]))
    ax = wave.plot()
    now, later = (curve.get_data() for curve in ax.lines)
    np.testing.assert_allclose(now, [[0, 1, 2], np.cos([0, 0.5, 1])])
    np.testing.assert_allclose(later[1], np.sin([0, 0.5, 1]), atol=1e-15)  # Re v exp(-i pi/2)
    with pytest.raises(ValueError, match="not displacements of atoms"):
        kc.Orbit(np.ones(2) + 0j, 0.1, 0.0, np.ones(2)).plot()


def test_stability_against_bias():
    bias = np.array([[0.2, -0.2], [0.0, 0.0], [0.1, -0.1]])
    frequencies = np.array([[1 + 0.02j, 1 - 0.03j], [0.9 - 0.01j, 1.1 - 0.01j], [1 + 0.01j, 1.05]])
    result = kc.Stability(
        bias,
        frequencies,
        np.ones((3, 2, 2)) + 0j,
        np.eye(2),
        np.ones(2),
        None,
        units=kc.EV_ANGSTROM_AMU,
    )
    ax = result.plot(energy_unit="eV")
    quiet, wild = (line for line in ax.lines if len(line.get_xdata()) == 3)
    np.testing.assert_allclose(wild.get_xdata(), [0, 0.2, 0.4])  # sorted
    np.testing.assert_allclose(wild.get_ydata(), [-0.02, 0.02, 0.04])
    np.testing.assert_allclose(quiet.get_ydata(), [-0.02, 0, -0.06])
    assert wild.get_label() == "mode 0, grows first"
    assert ax.get_xlabel() == "bias (eV)"
    assert ax.get_ylabel() == "growth rate of the energy (eV/ħ)"
    ax = kc.plot(result, quantity="frequency", energy_unit="eV")
    assert ax.get_ylabel() == "frequency (eV)"
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.9, 1, 1])
    with pytest.raises(ValueError, match="quantity is 'speed'; expected \"growth\""):
        result.plot(quantity="speed")


def test_energy_against_time():
    rng = np.random.default_rng(0)
    q, v = rng.normal(size=(2, 3, 5, 2))
    times, omega = np.arange(5.0), np.array([1.0, 2.0])
    many = kc.Trajectory(times, q, v, omega, np.eye(2), units=kc.EV_ANGSTROM_AMU)
    expected = 0.5 * (v**2 + omega**2 * q**2).sum(axis=2)
    ax = many.plot()
    picoseconds = 6.582119569e-4 * times  # hbar/eV
    for line, energy in zip(ax.lines, [*expected, expected.mean(axis=0)], strict=True):
        np.testing.assert_allclose(line.get_data(), [picoseconds, energy])
    assert ax.get_xlabel() == "time (ps)"
    own = many.plot(energy_unit="eV")
    np.testing.assert_array_equal(own.lines[0].get_xdata(), times)
    assert own.get_xlabel() == "time (ħ/eV)"
    assert ax.get_ylabel() == "energy (eV)"
    one = kc.Trajectory(times, q[:1], v[:1], omega, np.eye(2))
    assert len(kc.plot(one).lines) == 1
    ax = many.plot(color="C3", label="warm")
    assert ax.lines[-1].get_label() == "warm"
    assert all(line.get_color() == "C3" for line in ax.lines)


def test_only_what_turns_gets_an_arrow():
    """Neither a vibration to and fro nor a mode without any rotation."""
    places = np.array([[0.0, 0], [1, 0], [2, 0]])
    ax = circling(2, places, [1, 1j, 1, 1, 0, 0]).plot()
    assert len(ax.texts) == 1
    assert len(circling(2, places, [1, 1, 0, 1, 0, 0]).plot().texts) == 0
    in_space = np.pad(places, ((0, 0), (0, 1)))
    ax = circling(3, in_space, [1, 1, 0, 0, 1, 0, 0, 0, 1]).plot()
    for low, high in (ax.get_xlim(), ax.get_ylim(), ax.get_zlim()):
        assert high - low >= 1  # a straight chain has some room around it


def test_results_carry_their_units(syst):
    moving = Displacements(scaling=PowerLaw(2))
    units = kc.MEV_NANOMETRE_AMU
    local = curl_map(syst, moving, ENERGY, units=units)
    assert local.at_bias(0.2).units is units
    ax = local.plot()
    assert ax.get_xlabel() == "x (nm)"
    *_, discs = collections(ax, "EllipseCollection")
    assert discs.colorbar.ax.get_ylabel() == "curl of the force (meV/nm²)"
    with pytest.raises(ValueError, match="length_unit is 'Å', but the result is in nm"):
        local.plot(length_unit="Å")
    assert local.pumping_rates(0.03, 1e5).plot().get_ylabel() == "rate (1/ps)"
    response = force_response(syst, moving, ENERGY, units=units)
    assert response.pumping_rates(np.eye(2, len(response.force)), 0.03, 1e5).units is units
    assert flow_map(syst, ENERGY, units=units).plot().get_ylabel() == "y (nm)"
    for result in (local, local.pumping_rates(0.03, 1e5), response):
        assert result.units is units


def test_large_maps_are_images():
    """Each pixel has the colour of the nearest site, and sites that don't move are left white."""
    syst = square_wire(length=90, width=70).finalized()
    rng = np.random.default_rng(0)
    moving = np.sort(rng.choice(len(syst.sites), 6000, replace=False))
    positions = np.array([syst.sites[i].pos for i in moving], float)
    curl = rng.normal(size=len(moving))
    result = kc.CurlMap(
        energy=0.0,
        bias=np.array([1.0, 0.0]),
        degeneracy=1.0,
        positions=positions,
        sites=moving,
        lead_force=np.zeros((2, len(moving), 2)),
        lead_curl=np.array([curl, curl]),
        friction=np.zeros((len(moving), 2, 2)),
    )
    ax = result.plot(syst=syst)
    (image,) = collections(ax, "QuadMesh")
    assert not collections(ax, "EllipseCollection")
    assert image.get_rasterized()
    assert image.get_array().size < 1e6
    assert image.get_clim()[1] == np.abs(curl).max()
    corners = image.get_coordinates()
    middle = 0.25 * (corners[:-1, :-1] + corners[1:, :-1] + corners[:-1, 1:] + corners[1:, 1:])
    values = np.asarray(image.get_array().filled(np.nan)).reshape(middle.shape[:2])
    by_place = {tuple(place): value for place, value in zip(positions, curl, strict=True)}
    for row, col in rng.integers(0, values.shape, size=(300, 2)):
        place = tuple(np.round(middle[row, col]))
        inside = 0 <= place[0] < 90 and 0 <= place[1] < 70
        expected = by_place.get(place, np.nan) if inside else values[row, col]
        if np.abs(middle[row, col] - np.array(place)).max() < 0.49:
            assert np.array_equal(values[row, col], expected, equal_nan=True)
    assert len(collections(result.plot(), "QuadMesh")) == 1


def test_animation(tmp_path):
    syst = square_wire(length=4, width=3).finalized()
    places = np.array([syst.sites[i].pos for i in (3, 7)])
    orbit = circling(2, places, [1, 1j, 0.5, 0])
    current = np.ones((len(syst.sites), 2))
    animation = kc.animate(orbit, syst=syst, current=current, frames=4, size=0.3)
    animation.save(tmp_path / "orbit.gif", writer="pillow")
    with Image.open(tmp_path / "orbit.gif") as gif:
        assert gif.n_frames == 4
    (atoms,) = animation._func(1)
    # A quarter of a period: Re (1, i) exp(-i pi/2) = (0, 1)
    np.testing.assert_allclose(atoms.get_offsets() - places, [[0, 0.3], [0, 0]], atol=1e-12)
    with pytest.raises(ValueError, match="given without syst"):
        kc.animate(orbit, current=current)
    with pytest.raises(ValueError, match=r"current has shape \(2, 2\)"):
        kc.animate(orbit, syst=syst, current=current[:2])
    with pytest.raises(ValueError, match="frames is 1"):
        kc.animate(orbit, frames=1)
    line = circling(1, [[0.0], [1.0]], [1, 1j])
    with pytest.raises(ValueError, match="orbit is in 1D"):
        kc.animate(line)


def test_interactive(spatial, local):
    pytest.importorskip("plotly")
    model = MODELS["3D wire"]
    syst = model.syst(model.positions())
    result = dataclasses.replace(spatial, units=kc.EV_ANGSTROM_AMU)
    figure = kc.plot_interactive(result, syst=syst)
    sites, cones = figure.data
    assert len(sites.x) == len(syst.sites)
    arrows = np.stack([cones.u, cones.v, cones.w], axis=1)
    largest = np.linalg.norm(spatial.curl, axis=1).max()
    ratio = np.linalg.norm(arrows, axis=1).max() / largest
    np.testing.assert_allclose(arrows, ratio * spatial.curl)
    np.testing.assert_allclose(cones.z, spatial.positions[:, 2])
    assert figure.layout.scene.zaxis.title.text == "z (Å)"
    assert "eV/Å²" in cones.text[0]
    assert len(kc.plot_interactive(spatial).data[0].x) == len(spatial.positions)
    with pytest.raises(ValueError, match="The map is in 2D"):
        kc.plot_interactive(local)
    figure.to_json()


def test_without_plotly(spatial, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ModuleNotFoundError, match="pip install plotly"):
        kc.plot_interactive(spatial)


def test_outline_does_not_scallop():
    """Gaps of sqrt(3) between the sites of an edge leave no bulges; discs of EDGE left 0.42."""
    x, y = np.meshgrid(np.sqrt(3) * np.arange(20), np.arange(12), indexing="ij")
    ax = plt.figure().add_subplot()
    draw_outline(ax, np.stack([x.ravel(), y.ravel()], axis=1), 1.0)
    (outline,) = collections(ax, "QuadContourSet")
    (path,) = outline.get_paths()
    line = path.vertices
    top = line[(np.abs(line[:, 0] - x.max() / 2) < 12) & (line[:, 1] > 8), 1]
    assert len(top) > 50
    assert top.max() == pytest.approx(11 + EDGE, abs=0.02)
    assert np.ptp(top) < 0.15


def test_vector_output_of_a_thousand_atoms_is_small():
    x, y = np.meshgrid(np.arange(40.0), np.arange(25.0), indexing="ij")
    positions = np.stack([x.ravel(), y.ravel()], axis=1)
    curl = np.random.default_rng(0).normal(size=1000)
    result = kc.CurlMap(
        energy=0.0,
        bias=np.array([1.0, 0.0]),
        degeneracy=1.0,
        positions=positions,
        sites=np.arange(1000),
        lead_force=np.zeros((2, 1000, 2)),
        lead_curl=np.array([curl, -curl]),
        friction=np.zeros((1000, 2, 2)),
    )
    figure = result.plot(current=np.ones((1000, 2))).figure
    for kind in ("svg", "pdf"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind)
        assert 1e4 < buffer.tell() < 1e6, (kind, buffer.tell())
