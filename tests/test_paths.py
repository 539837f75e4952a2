"""Work along ways of the coordinates: Stokes, sliding potentials, closed forms of quadratures."""

import kwant
import matplotlib.pyplot as plt
import numpy as np
import pytest
from systems import MODELS, atoms_of, rashba_gradient

from kwant_curl import (
    Displacements,
    ForcePath,
    Model,
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

    assert error(smooth_steps, 16) < 1e-10
    rates = [error(open_steps, n) / error(open_steps, 2 * n) for n in (32, 64)]
    assert all(12 < rate < 30 for rate in rates)  # cubic splines: the fourth power


def test_straight_integrals():
    assert along(lambda s: np.array([s**5, np.exp(s)])) == pytest.approx([1 / 6, np.e - 1])
    assert along(lambda s: np.array([abs(s - 0.3) ** 0.5])) is None


def motor(n_sites, depth=0.5):
    """A sliding potential of period 4 in a chain."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    for i in range(n_sites):
        builder[lattice(i)] = lambda site, theta: depth * np.cos(np.pi * site.tag[0] / 2 - theta)
    builder[lattice(-1)] = builder[lattice(n_sites)] = 0
    builder[lattice.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    lead[lattice(0)] = 0
    lead[lattice.neighbors()] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized()


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
