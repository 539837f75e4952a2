"""Work along ways of the coordinates: Stokes, sliding potentials, closed forms of quadratures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from published import motor
from systems import MODELS, atoms_of, two_levels

from kwant_curl import (
    Displacements,
    ForcePath,
    Parameters,
    PowerLaw,
    ResponseField,
    curl_flux,
    force_along,
    force_plane,
    load,
    work,
)
from kwant_curl.algebra.straight import along
from kwant_curl.algebra.ways import chebyshev_points, closed_steps, open_steps, smooth_steps


def test_steps_of_ways_in_closed_form():
    """F = (-y, x) around an ellipse of half axes a, b: 2 pi a b; along a parabola 1/3."""
    s = np.linspace(0, 1, 13)
    ellipse = np.stack([2 * np.cos(2 * np.pi * s), 0.5 * np.sin(2 * np.pi * s)], axis=1)
    force = np.stack([-ellipse[:, 1], ellipse[:, 0]], axis=1)
    for steps in closed_steps(ellipse):
        assert np.sum(force * steps) == pytest.approx(2 * np.pi, rel=1e-13)
    for rule, s, rtol in (
        (open_steps, np.linspace(0, 1, 9), 1e-13),
        (smooth_steps, chebyshev_points(8), 1e-13),
    ):
        parabola = np.stack([s, s**2], axis=1)
        force = np.stack([-parabola[:, 1], parabola[:, 0]], axis=1)
        fine, coarse = rule(parabola)
        assert np.sum(force * fine) == pytest.approx(1 / 3, rel=rtol)
        assert np.sum(force * coarse) == pytest.approx(1 / 3, rel=rtol)
    # Of few points no error is known.
    assert np.isnan(closed_steps(ellipse[:4]).coarse).all()
    assert np.isnan(open_steps(ellipse[:4]).coarse).all()


def test_smooth_rules_converge_faster_than_any_power():
    def error(rule, n):
        s = np.linspace(0, 1, n + 1) if rule is not smooth_steps else chebyshev_points(n)
        way = np.sin(3 * s)[:, None]
        force = np.exp(way)
        exact = np.exp(np.sin(3.0)) - 1
        return abs(np.sum(force * rule(way).fine) / exact - 1)

    assert error(smooth_steps, 16) < 1e-4 * error(smooth_steps, 8)
    assert error(smooth_steps, 24) < 1e-13
    rates = [error(open_steps, n) / error(open_steps, 2 * n) for n in (32, 64)]
    assert all(12 < rate < 30 for rate in rates)  # cubic splines: the fourth power


def test_straight_integrals():
    assert along(lambda s: np.array([s**5, np.exp(s)])) == pytest.approx([1 / 6, np.e - 1])
    assert along(lambda s: np.array([abs(s - 0.3) ** 0.5])) is None


@pytest.mark.parametrize(
    ("n_sites", "expected", "digits"), [(20, 0.99589, 5e-6), (40, 0.9999957, 5e-8), (80, 1, 1e-10)]
)
def test_work_of_a_sliding_potential(n_sites, expected, digits):
    """Thouless's pump as a motor: one electron times the bias per period, where it is gapped."""
    field = ResponseField(
        motor(n_sites), Parameters("theta"), -1.41, bias=0.3, params={"theta": 0.0}
    )
    angles = np.linspace(0, 2 * np.pi, 25)[:, None]
    cycle = force_along(field, angles, is_cycle=True)
    assert cycle.work / 0.3 == pytest.approx(expected, abs=digits)
    assert float(cycle) == cycle.work
    # Backwards it brakes.
    back = force_along(field, angles[::-1], is_cycle=True)
    assert back.work == pytest.approx(-cycle.work, rel=1e-12)


def test_work_of_a_mirror_symmetric_motor():
    """Its force has a period of pi/2 nearly, which rules of four and of two points both miss."""
    field = ResponseField(motor(12), Parameters("theta"), -0.9, params={"theta": 0.0})
    by_points = force_along(field, np.linspace(0, 2 * np.pi, 65)[:, None], is_cycle=True)
    found = work(field, lambda s: [2 * np.pi * s], is_cycle=True)
    assert found.work == pytest.approx(by_points.work, rel=1e-6)
    assert found.work == pytest.approx(0.027713, rel=1e-4)


STOKES = {
    "two orbitals, spin-orbit": "function",
    "magnetic field": "function",
    "three leads": "law",
    "3D wire": "law",
    "one orbital": "parameters",
}


def field_of(name, kind, **keywords):
    model = MODELS[name]
    start = model.positions()
    keywords = {"bias": model.dmu(), **keywords}
    if kind == "parameters":
        syst = model.syst_of_parameters(start)
        params = {"x0": 0.0, "y0": 0.0, "x1": 0.0, "y1": 0.0}
        moving = Parameters(["x0", "y0", "x1", "y1"])
        return ResponseField(syst, moving, model.energy, params=params, **keywords), 4
    if kind == "function":
        syst = model.syst_of_functions(start)
        moving = Displacements(atoms_of(syst)[:2])
    else:
        syst = model.syst(start)
        moving = Displacements(atoms_of(syst)[:2], scaling=PowerLaw(3))
    return ResponseField(syst, moving, model.energy, **keywords), 2 * model.dim


def loop(seed, n_c, size=0.03):
    """A random ellipse."""
    waves = np.random.default_rng(seed).uniform(-size, size, (2, n_c))

    def way(s):
        angle = 2 * np.pi * s
        return np.array([np.cos(angle), np.sin(angle)]) @ waves

    return way


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "kind"), STOKES.items())
def test_work_around_a_loop_is_the_flux_of_the_curl(name, kind):
    field, n_c = field_of(name, kind)
    way = loop(1, n_c)
    around = work(field, way)
    assert around.is_cycle
    assert around.work_error < 1e-6 * np.abs(around.force * around.steps).sum()
    through = curl_flux(field, way, rtol=0.02)
    assert float(through) == pytest.approx(around.work, rel=1e-6)


def two_level_field(**keywords):
    """Two levels with two modes, which are quick to solve."""
    syst, moving = two_levels()
    return ResponseField(syst, moving, 0.1, **{"bias": 0.4, **keywords})


def circle(s):
    return 0.2 * np.array([np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)])


def test_work_of_open_ways_adds_up():
    """Two halves of a circle, by Chebyshev's points and by splines, are the whole one."""
    field = two_level_field()
    whole = work(field, circle)
    halves = [work(field, lambda s, start=start: circle(start + s / 2)) for start in (0.0, 0.5)]
    assert not halves[0].is_cycle
    assert sum(map(float, halves)) == pytest.approx(whole.work, rel=1e-6)
    points = np.stack([circle(s) for s in np.linspace(0, 0.5, 33)])
    by_splines = force_along(field, points)
    assert by_splines.work == pytest.approx(halves[0].work, rel=1e-5)
    assert abs(by_splines.work - halves[0].work) < 2 * by_splines.work_error
    assert by_splines.work_so_far[-1] == pytest.approx(by_splines.work, rel=1e-2)


def test_biases_and_whole_windows():
    """Linear in the bias; the whole window at a small bias is the same."""
    linear = force_along(two_level_field(), np.stack([circle(s) for s in np.linspace(0, 1, 17)]))
    assert linear.at_bias(0.1).work == pytest.approx(linear.work / 4, rel=1e-12)
    small = {"bias": 1e-4, "linear": False, "rtol": 1e-6}
    whole = force_along(two_level_field(**small), linear.path)
    assert whole.work == pytest.approx(linear.at_bias(1e-4).work, rel=1e-3)
    assert np.abs(whole.force - linear.at_bias(1e-4).force).max() < 1e-3 * whole.force.max()
    with pytest.raises(ValueError, match="call force_along"):
        whole.at_bias(2e-4)


def test_plane_of_forces():
    """The curl in the plane is that of the force on the grid."""
    field = two_level_field()
    x, y = np.linspace(-0.05, 0.05, 11), np.linspace(-0.04, 0.04, 9)
    turned = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
    plane = force_plane(field, turned, x, y, origin=[0.1, 0.02])
    assert plane.components.shape == (11, 9, 2)
    slopes = [np.gradient(plane.components[..., k], x, y, edge_order=2) for k in (0, 1)]
    by_differences = slopes[1][0] - slopes[0][1]
    np.testing.assert_allclose(plane.rotation, by_differences, rtol=0.02)
    middle = field(np.array([0.1, 0.02]))
    assert plane.rotation[5, 4] == pytest.approx(turned[0] @ middle.curl @ turned[1], rel=1e-12)
    # Turning the directions in their plane keeps it.
    same = force_plane(field, np.eye(2), [0.1], [0.02])
    assert same.rotation[0, 0] == pytest.approx(plane.rotation[5, 4], rel=1e-12)


def test_nodes_of_a_field():
    """Which node is taken depends on the place alone; the force goes to first order from there."""
    field = two_level_field(refresh=0.05, jacobian=True)
    near = field.force([0.11, 0.02])
    assert field.n_solved == 1
    np.testing.assert_array_equal(field.force([0.11, 0.02]), near)
    field.force([0.09, -0.02])
    assert field.n_solved == 1
    exact = two_level_field()([0.11, 0.02]).force
    node = two_level_field()([0.1, 0.0]).force
    assert np.abs(near - exact).max() < 0.3 * np.abs(node - exact).max()
    other = field.at_bias(0.8)
    np.testing.assert_allclose(other.force([0.11, 0.02]), 2 * near, rtol=1e-12)
    assert (other.n_solved, field.n_solved) == (1, 1)
    few = two_level_field(refresh=0.05, max_memory=1.0)
    for place in ([0.1, 0.0], [0.2, 0.0], [0.1, 0.0]):
        few.force(place)
    assert few.n_solved == 3


def test_figures():
    field = two_level_field()
    cycle = force_along(field, np.stack([circle(s) for s in np.linspace(0, 1, 17)]))
    ax = cycle.plot()
    assert ax.get_ylabel() == "force along the way"
    assert len(ax.lines[-1].get_xdata()) == 17
    ax = cycle.plot(quantity="work")
    assert ax.lines[-1].get_ydata()[0] == 0
    ax = cycle.plot(quantity="bias", biases=[0, 0.2, 0.8])
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), cycle.work * np.array([0, 0.5, 2]))
    assert ax.get_ylabel() == "work per cycle"
    with pytest.raises(ValueError, match="expected one of force, work, bias"):
        cycle.plot(quantity="heat")
    with pytest.raises(ValueError, match=r'for quantity="bias"'):
        cycle.plot(biases=[0.1])
    plane = force_plane(field, np.eye(2), np.linspace(-0.1, 0.1, 5), np.linspace(-0.1, 0.1, 5))
    ax = plane.plot()
    assert len(ax.collections) == 2
    with pytest.raises(ValueError, match="two at least"):
        force_plane(field, np.eye(2), [0.0], [0.0, 0.1]).plot()
    plt.close("all")


def test_results_come_back_from_files(tmp_path):
    field = two_level_field()
    cycle = work(field, circle, rtol=1e-3)
    cycle.save(tmp_path / "cycle.npz")
    back = load(tmp_path / "cycle.npz")
    assert isinstance(back, ForcePath)
    assert (back.work, back.is_cycle, repr(back)) == (cycle.work, True, repr(cycle))
    plane = force_plane(field, np.eye(2), [0.0, 0.1], [0.0, 0.1])
    plane.save(tmp_path / "plane.npz")
    np.testing.assert_array_equal(load(tmp_path / "plane.npz").rotation, plane.rotation)
    flux = curl_flux(field, circle, rtol=0.1)
    flux.save(tmp_path / "flux.npz")
    assert float(load(tmp_path / "flux.npz")) == flux.flux
    assert "error" in repr(flux)


def test_ways_that_are_none():
    field = two_level_field()
    with pytest.raises(ValueError, match=r"expected finite numbers \(n_points, n_c\)"):
        force_along(field, [0.0, 0.1])
    with pytest.raises(ValueError, match="has 3 entries; expected 2"):
        force_along(field, [[0.0, 0.1, 0.0], [0.0, 0.1, 0.2]])
    with pytest.raises(ValueError, match="differs from that at its beginning"):
        force_along(field, [[0.0, 0.1], [0.1, 0.1], [0.2, 0.3]], is_cycle=True)
    with pytest.raises(ValueError, match=r"way\(1\) is not way\(0\)"):
        curl_flux(field, lambda s: np.array([s, 0.0]))
    # A small cycle whose last point was forgotten.
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    small = 5e-7 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    with pytest.raises(ValueError, match="differs from that at its beginning"):
        force_along(field, small, is_cycle=True)
    with pytest.raises(ValueError, match="two points at least"):
        force_along(field, [[0.1, 0.0]])
    with pytest.raises(TypeError, match="Functions go to work"):
        force_along(field, circle)
    with pytest.raises(TypeError, match="Given points go"):
        work(field, small)
    with pytest.raises(ValueError, match=r"expected finite numbers \(n_c,\)"):
        work(field, lambda s: 0.1 * s)
    with pytest.raises(ValueError, match="expected a positive number"):
        work(field, circle, rtol=0.0)
    with pytest.raises(ValueError, match=r"\(2, n_c\), u and v"):
        force_plane(field, [1.0, 0.0], [0.0], [0.0])
    with pytest.warns(RuntimeWarning, match="not to rtol=1e-12; give max_points"):
        work(field, circle, rtol=1e-12, max_points=17)
    with pytest.raises(ValueError, match="17 at least"):
        work(field, circle, max_points=9)


def test_warnings_come_once():
    """Those of all points together, and no result without them."""
    model = MODELS["magnetic field"]
    syst = model.syst_of_functions(model.positions())
    moving = Displacements(atoms_of(syst)[:1])
    field = ResponseField(syst, moving, model.energy, velocity=True)
    with pytest.warns(RuntimeWarning) as caught:
        result = force_along(field, [[0.0, 0.0], [0.01, 0.0], [0.02, 0.01]])
    assert len(caught) == len(result.warnings) == len(field.notices)
    assert any("phase" in text for text in result.warnings)


@pytest.mark.parametrize("place", [[0, np.nan], [0, np.inf], [0, 1j], [0.0, 0.1, 0.2]])
def test_places_that_are_none_are_refused_with_nodes_too(place):
    syst, coordinates = two_levels()
    for refresh in (None, 0.1):
        field = ResponseField(syst, coordinates, 0.1, bias=0.1, refresh=refresh)
        with pytest.raises(ValueError, match="displacement"):
            field.force(place)
