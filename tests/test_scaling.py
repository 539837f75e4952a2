"""Every routine in other units of energy and length: the numbers scale, and nothing is absolute."""

import dataclasses
import functools

import kwant
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.quiver import QuiverKey

import kwant_curl as kc

SCALES = [(1e-22, 1e3), (1e6, 1e-10), (1.6e-19, 1e10)]
ENERGY, BIAS, KT = 0.4, 0.3, 0.02


class Unit:
    """A device, its modes and its parameters in units of energy e and length a."""

    def __init__(self, e, a):
        self.e, self.a = e, a
        self.lat = kwant.lattice.square(a, norbs=1)
        rng = np.random.default_rng(4)
        disorder = rng.uniform(-0.5, 0.5, (5, 3))
        syst = kwant.Builder()
        for x, y in np.ndindex(5, 3):
            syst[self.lat(x, y)] = self.value(disorder[x, y])
        syst[self.lat.neighbors()] = lambda one, other: (
            -e / (sum((p - q) ** 2 for p, q in zip(one.pos, other.pos, strict=True)) / a**2)
        )
        lead = kwant.Builder(kwant.TranslationalSymmetry((-a, 0)))
        lead[(self.lat(0, y) for y in range(3))] = 0
        lead[self.lat.neighbors()] = -e
        syst.attach_lead(lead)
        syst.attach_lead(lead.reversed())
        self.syst = syst.finalized()
        self.where = [self.lat(1, 1), self.lat(3, 0), self.lat(2, 2)]
        self.law = kc.Displacements(self.where, scaling=kc.PowerLaw(2))
        self.params = {"gate": 0.0, "depth": 0.3 * e}
        self.energy, self.bias, self.kt = ENERGY * e, BIAS * e, KT * e
        self.frequency, self.mass = 0.05 * e, 4e3 / (e * a**2)
        base = rng.normal(size=(6, 6))
        constants = (base @ base.T + 6 * np.eye(6)) * e / a**2
        positions = np.array([site.pos for site in self.where])
        masses = np.full(3, 2e5) / (e * a**2)
        self.modes = kc.VibrationalModes.from_force_constants(
            constants, masses, positions=positions
        )

    def value(self, disorder):
        """Return an onsite function with a gate and a well, whose width is a parameter-free a."""
        e, a = self.e, self.a

        def onsite(site, gate, depth):
            x, y = site.pos[0] / a, site.pos[1] / a
            well = np.exp(-((x - 2.2) ** 2) - (y - 0.7) ** 2)
            return e * disorder + gate * np.sin(x + y) + depth * well

        return onsite


def maps(unit):
    """Return curl maps: laws, value functions and a probe."""
    parts = {}
    for name, moving in (
        ("law", unit.law),
        ("functions", kc.Displacements(unit.where)),
        ("probe", kc.Probe([(1.3 * unit.a, 0.8 * unit.a)], width=1.1 * unit.a,
                           strength=unit.e * unit.a**2)),
    ):  # fmt: skip
        result = kc.curl_map(unit.syst, moving, unit.energy, params=unit.params, bias=unit.bias)
        parts[f"{name} force"] = result.force / (unit.e / unit.a)
        parts[f"{name} curl"] = result.curl / (unit.e / unit.a**2)
        parts[f"{name} friction"] = result.friction * unit.a**2
        rates = result.pumping_rates(unit.frequency, unit.mass)
        parts[f"{name} driving"] = rates.driving / unit.e
        parts[f"{name} threshold"] = rates.threshold
    return parts


def integrals(unit):
    """Return maps at a temperature, of a window, and of both."""
    parts = {}
    for temperature, linear in ((unit.kt, True), (0.0, False)):
        result = kc.curl_map(
            unit.syst, unit.law, unit.energy, params=unit.params, bias=unit.bias,
            temperature=temperature, linear=linear, rtol=1e-8,
        )  # fmt: skip
        parts[f"{linear} {temperature > 0}"] = result.curl / (unit.e / unit.a**2)
    return parts


def responses(unit):
    """Return all tensors, of displacements and of parameters."""
    result = kc.force_response(
        unit.syst, unit.law, unit.energy, params=unit.params, bias=unit.bias,
        jacobian=True, velocity=True, noise=True,
    )  # fmt: skip
    parts = {
        "curl": result.curl / (unit.e / unit.a**2),
        "jacobian": result.jacobian / (unit.e / unit.a**2),
        "velocity": result.velocity * unit.a**2,
        "noise": result.noise / (unit.e / unit.a**2),
    }
    gates = kc.force_response(
        unit.syst, kc.Parameters(["gate", "depth"]), unit.energy, params=unit.params,
        bias=unit.bias, jacobian=True,
    )  # fmt: skip
    parts["gates curl"] = gates.curl * unit.e
    parts["gates friction"] = gates.friction * unit.e**2
    return parts


def flows(unit):
    """Return the flow, on sites and on a grid."""
    result = kc.flow_map(unit.syst, unit.energy, params=unit.params, bias=unit.bias)
    grid = result.interpolate()
    psi = np.random.default_rng(8).normal(size=(2, 15)) + 1j
    operator = kc.MomentumCurrent(unit.syst).bind(params=unit.params)
    return {
        "dos": result.local_dos * unit.e * unit.a**2,
        "current": result.current * unit.a / unit.e,
        "capacity": result.momentum_current * unit.a**3,
        "curl": grid.curl * unit.a**4,
        "spacing": np.array(result.spacing / unit.a),
        "operator": operator(psi) * unit.a / unit.e,
    }


def densities(unit):
    """Return the nonequilibrium density and forces in it."""
    parts = {}
    for temperature in (0.0, unit.kt):
        rho = kc.NonequilibriumDensity(
            unit.syst,
            unit.energy,
            params=unit.params,
            bias=unit.bias,
            temperature=temperature,
            rtol=1e-8,
        )
        force = kc.Force(unit.syst, unit.law)
        parts[f"density {temperature > 0}"] = rho.density()
        parts[f"force {temperature > 0}"] = (
            rho.expectation(force.bind(params=unit.params)) / unit.e * unit.a
        )
    return parts


def phonons(unit):
    """Return the golden rule's rates."""
    pairs = np.eye(6)[:2][None]
    rates = kc.phonon_rates(
        unit.syst, unit.law, pairs, unit.energy, frequency=unit.frequency, mass=unit.mass,
        bias=unit.bias, params=unit.params, rtol=1e-8,
    )  # fmt: skip
    return {"emission": rates.emission / unit.e, "absorption": rates.absorption / unit.e}


def vibrations(unit):
    """Return frequencies, pairs, the critical bias and a trajectory."""
    response = kc.force_response(
        unit.syst, unit.law, unit.energy, params=unit.params, bias=unit.bias,
        jacobian=True, noise=True,
    )  # fmt: skip
    pairs = kc.pumped_pairs(response, unit.modes)
    stable = kc.stability(response, unit.modes, [0.0, unit.bias])
    critical = kc.critical_bias(response, unit.modes, 50 * unit.bias, steps=16)
    path = kc.langevin(
        response, unit.modes, 40 / unit.modes.frequencies[0], n_trajectories=2, seed=1, every=20
    )
    return {
        "frequencies": unit.modes.frequencies / unit.e,
        "growth": pairs.growth / unit.e,
        "stability": stable.frequencies / unit.e,
        "critical": np.array(critical / unit.e),
        "path": path.coordinates * np.sqrt(unit.e),
    }


def noises(unit):
    """Return noise at finite frequency, and how it heats the modes."""
    at = {"params": unit.params, "bias": unit.bias, "temperature": unit.kt, "rtol": 1e-8}
    ends = [unit.modes.frequencies.min(), unit.modes.frequencies.max()]
    spectrum = kc.noise_spectrum(unit.syst, unit.law, unit.energy, ends, **at)
    heated = kc.mode_occupations(spectrum, unit.modes, damping=1e-6 * unit.e, lead_temperatures={})
    force = unit.e / unit.a
    return {
        "emission": spectrum.emission / (force**2 / unit.e),
        "noise": spectrum.noise / (force**2 / unit.e),
        "damping": spectrum.damping * unit.a**2,
        "occupation": heated.occupation,
        "effective": heated.effective_temperature / unit.e,
        "rates": heated.damping / unit.e,
    }


def lattice_of(unit):
    """Return a chain that moves in a plane; one atom is lighter, three are held."""
    springs, m = np.diag([12.0, 8.0]) * unit.e / unit.a**2, 2e5 / (unit.e * unit.a**2)
    perfect = kc.Lattice.of_lead(kc.LatticeLead(2 * springs, -springs, [m]), 5)
    masses = perfect.masses * [1, 1, 0.8, 1, 1]
    held = np.repeat([0.0, 2.0, 3.0, 2.0, 0.0], 2) * unit.e / unit.a**2
    matrix = perfect.force_constants.toarray() + np.diag(held)
    return kc.Lattice.from_arrays(matrix, masses, perfect.leads)


def lattices(unit):
    """Return what is exact of a lattice."""
    lattice = lattice_of(unit)
    omega = np.array([0.0, 0.004, 0.009, 0.02]) * unit.e
    return {
        "edges": lattice.band_edges / unit.e,
        "selfenergy": np.array(lattice.selfenergy(omega)) / unit.e**2,
        "around": lattice.surroundings([2]).selfenergy(omega) / unit.e**2,
        "transmission": lattice.transmission(omega[1:]),
        "density": lattice.local_density(omega[1:]).density * unit.e,
    }


def surrounded(unit):
    """Return stability, the critical bias and motion with phonon leads."""
    at = {"params": unit.params, "bias": unit.bias, "temperature": unit.kt}
    response = kc.force_response(unit.syst, unit.law, unit.energy, jacobian=True, noise=True, **at)
    omega, rng = unit.modes.frequencies, np.random.default_rng(6)
    leads = kc.PhononLeads.from_oscillators(
        rng.uniform(0.5, 1.2, 12) * omega.max(),
        rng.uniform(0.1, 0.3, 12) * omega.max(),
        0.1 * rng.normal(size=(12, 6)) * omega.max() ** 2,
        rng.integers(2, size=12),
    )
    modes = dataclasses.replace(unit.modes, leads=leads)
    stable = kc.stability(response, modes, [0.0, unit.bias])
    critical = kc.critical_bias(response, modes, 1e3 * unit.bias, steps=16)
    widths = modes.linewidths()
    spectrum = kc.noise_spectrum(
        unit.syst, unit.law, unit.energy, [omega.min(), 2 * omega.max()],
        modes=modes.patterns, rtol=1e-8, **at,
    )  # fmt: skip
    moved = {"seed": 1, "n_trajectories": 2, "every": 20, "lead_temperatures": {1: 0.5 * unit.kt}}
    classical, quantum = (
        kc.langevin(response, modes, 20 / omega[0], **moved, **noise)
        for noise in ({}, {"noise": "quantum", "spectrum": spectrum})
    )
    return {
        "leads": leads.lead_selfenergy(omega) / unit.e**2,
        "widths": widths.damping / unit.e,
        "golden rule": widths.golden_rule / unit.e,
        "local": modes.local_density(omega).density * unit.e,
        "growth": stable.growth / unit.e,
        "lattice": stable.lattice / unit.e,
        "critical": np.array(critical / unit.e),
        "critical mode": np.array(critical.frequency / unit.e),
        "classical": classical.coordinates * np.sqrt(unit.e),
        "heat": classical.heat / unit.e,
        "quantum": quantum.coordinates * np.sqrt(unit.e),
        "quantum heat": quantum.heat / unit.e,
    }


def sweeps(unit):
    """Return curls of several energies, of a model, and what a test particle's cross section is."""
    model = kc.Model(unit.syst, unit.params)
    maps = kc.sweep(
        functools.partial(kc.curl_map, model, unit.law, bias=unit.bias),
        [{"energy": x * unit.e} for x in (0.3, 0.4, 0.7)],
    )
    flow = kc.flow_map(model, unit.energy)
    section = kc.born_cross_section(
        0.3 * unit.e * unit.a**2, flow.local_dos, 1.1 / unit.a, mass=0.5 / (unit.e * unit.a**2)
    )
    return {
        "curl": np.array([result.curl for result in maps]) / (unit.e / unit.a**2),
        "section": section / unit.a,
    }


@functools.cache
def in_plain_units(of_routine):
    """Return what every scale is compared with."""
    return of_routine(Unit(1.0, 1.0))


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore:At the bias .* a lead is shifted")  # the critical one
@pytest.mark.parametrize("of_routine", [maps, integrals, responses, flows, densities, phonons,
                                        vibrations, noises, lattices, surrounded,
                                        sweeps])  # fmt: skip
@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_numbers_scale(of_routine, scale):
    """The same numbers in units of energy and length, to a millionth of each array's largest."""
    expected, found = in_plain_units(of_routine), of_routine(Unit(*scale))
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        size = np.abs(value)[np.isfinite(value)].max()
        assert size > 0, name
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-6 * size, err_msg=name)


@pytest.mark.parametrize("scale", [(1.0, 1.0), *SCALES], ids=str)
def test_fits_scale(scale):
    """A fit of a lattice's self-energy is as good in any units: to its error, not to rounding."""
    unit = Unit(*scale)
    lattice = lattice_of(unit)
    leads = lattice.leads_of([1, 2, 3], rtol=2e-3)
    omega = np.linspace(0.0003, 0.02, 40) * unit.e
    omega = omega[np.abs(omega[:, None] - lattice.band_edges).min(axis=1) > 3e-4 * unit.e]
    exact = lattice.surroundings([1, 2, 3]).selfenergy(omega)
    apart = np.abs(leads.lead_selfenergy(omega) - exact).max()
    assert 0 < leads.error < 2e-3
    assert apart < 2e-3 * np.abs(exact).max()


def figures(unit):
    """Yield names and axes of all kinds of figures."""
    point = {"params": unit.params, "bias": unit.bias}
    local = kc.curl_map(unit.syst, unit.law, unit.energy, **point)
    flow = kc.flow_map(unit.syst, unit.energy, **point)
    yield "curl", local.plot(syst=unit.syst, current=flow.current[local.sites])
    yield "flow", flow.plot()
    yield "rates", local.pumping_rates(unit.frequency, unit.mass).plot()
    axis = np.arange(0.5, 3.6, 0.5) * unit.a
    grid = np.stack(np.meshgrid(axis, axis / 2, indexing="ij"), axis=-1).reshape(-1, 2)
    for name, points in (("image", grid), ("points", grid[[0, 5, 9]])):
        probe = kc.Probe(points, width=1.1 * unit.a, strength=unit.e * unit.a**2)
        yield name, kc.curl_map(unit.syst, probe, unit.energy, **point).plot(syst=unit.syst)
    response = kc.force_response(unit.syst, unit.law, unit.energy, noise=True, **point)
    stable = kc.stability(response, unit.modes, np.linspace(0, 1, 5) * unit.bias)
    yield "growth", stable.plot()
    yield "frequency", stable.plot(quantity="frequency")
    path = kc.langevin(
        response, unit.modes, 40 / unit.modes.frequencies[0], n_trajectories=2, seed=1, every=20
    )
    yield "trajectory", path.plot()
    yield "orbit", stable.orbit().plot(syst=unit.syst)
    film = kc.animate(stable.orbit(), syst=unit.syst, current=flow.current, frames=4)
    film._draw_was_started = True  # no warning: this one is drawn by hand
    (atoms,) = film._func(1)
    yield "film", atoms.axes
    yield from figures_in_space(unit)


def figures_in_space(unit):
    """Yield those of a few atoms in three dimensions."""
    positions = unit.a * np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0.5), (1, 1, 1)])
    turning = np.array([(0, 1, 2), (1, 1, 0), (-1, 0, 0.3), (0, -1, -1)])
    local = kc.CurlMap(
        positions=positions,
        sites=None,
        energy=unit.energy,
        bias=np.array([0.5, -0.5]),
        degeneracy=1.0,
        lead_force=np.zeros((2, 4, 3)),
        lead_curl=np.array([turning, -turning]) * unit.e / unit.a**2,
        friction=np.zeros((4, 3, 3)),
    )
    yield "curl in space", local.plot()
    vector = np.array([1, 1j, 0, 0.5, 0, 0.5j, 0, 0, 1, 0, 1, -1j])
    masses = np.full(12, 1 / (unit.e * unit.a**2))
    orbit = kc.Orbit(vector, 0.1 * unit.e, 0.0, masses, positions)
    yield "orbit in space", orbit.plot()


def picture(axes):
    """Return the pixels of a figure without its numbers."""
    figure = axes.figure
    for each in figure.axes:
        each.set(title="", **{f"{name}label": "" for name in each._axis_names})
        each.set(**{f"{name}ticks": [] for name in each._axis_names})
        for text in each.texts:  # biases of leads
            text.set_text("")
        for key in each.findobj(QuiverKey):
            key.remove()
        if each.get_legend():
            each.get_legend().remove()
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba(), dtype=float)[..., :3] / 255
    plt.close(figure)
    return pixels


@functools.cache
def plain_pictures():
    """Return what every scale's pictures are compared with."""
    return {name: picture(axes) for name, axes in figures(Unit(1.0, 1.0))}


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_pictures_scale(scale):
    """The same pixels, but for a few at the edges of lines."""
    expected = plain_pictures()
    found = {name: picture(axes) for name, axes in figures(Unit(*scale))}
    assert expected.keys() == found.keys()
    for name, pixels in expected.items():
        assert (pixels.min(axis=2) < 0.9).mean() > 5e-3, name
        assert found[name].shape == pixels.shape, name
        assert np.abs(found[name] - pixels).mean() < 1e-4, name
