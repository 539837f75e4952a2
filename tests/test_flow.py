"""The gas-flow picture: test particles, the momentum current, and the continuum limit."""

import itertools

import kwant
import numpy as np
import pytest
from scipy import sparse
from systems import MODELS, SIGMA, lead_densities, square_wire

from kwant_curl import (
    Displacements,
    Force,
    Matrices,
    MomentumCurrent,
    NonequilibriumDensity,
    PowerLaw,
    Probe,
    born_cross_section,
    curl_map,
    devices,
    flow_map,
    force_response,
)

MASS = 0.5  # hbar^2 / 2m = 1, so that t = 1 / a^2


def continuum_wire(spacing, *, dim=2, length=1.5, field=0.0, gauge=0.0, height=30.0, smooth=0.15):
    """A wire of this width with hard walls and a smooth scatterer: -d^2/dr^2 + V(r), refined."""
    t = spacing**-2
    lattice = kwant.lattice.general(spacing * np.eye(dim), norbs=1)
    center = np.array([length / 2, 0.625, 0.4][:dim])

    def phase(site):
        return np.exp(1j * gauge * np.sin(3 * site.pos[1] + 0.7))

    def potential(site):
        distance = np.linalg.norm(np.array(site.pos) - center)
        return 2 * dim * t + height * np.exp(-(distance**2) / (2 * smooth**2))

    def hopping(a, b):
        (x1, y1, *_), (x2, y2, *_) = a.pos, b.pos
        peierls = np.exp(0.5j * field * (x1 - x2) * (y1 + y2))
        return -t * peierls * phase(a) * phase(b).conj()

    inner = range(1, round(1 / spacing))
    section = list(itertools.product(inner, repeat=dim - 1))
    builder = kwant.Builder()
    for x in range(round(length / spacing) + 1):
        builder[(lattice(x, *tail) for tail in section)] = potential
    value = hopping if field or gauge else -t
    builder[lattice.neighbors()] = value
    lead = kwant.Builder(kwant.TranslationalSymmetry((-spacing,) + (0,) * (dim - 1)))
    lead[(lattice(0, *tail) for tail in section)] = 2 * dim * t
    lead[lattice.neighbors()] = value
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized(), lattice


def central_differences(syst, lattice, point, spacing):
    """dV/dR of V = |R><R|/v, by central differences: 1/2av at R + a, -1/2av at R - a."""
    dim = len(point)
    middle = np.rint(np.divide(point, spacing)).astype(int)
    pairs = [
        [syst.id_by_site[lattice(*(middle + sign * unit))] for sign in (1, -1)]
        for unit in np.eye(dim, dtype=int)
    ]
    slopes = []
    for plus, minus in pairs:
        diagonal = np.zeros(len(syst.sites))
        diagonal[plus], diagonal[minus] = 1, -1
        slopes.append(sparse.diags_array(diagonal / (2 * spacing * spacing**dim)))
    return Matrices(slopes), np.array(pairs)


def curl_of(vectors, pairs, spacing):
    """Curl tensor by central differences of vectors on sites: [i, j] = d_i v_j - d_j v_i."""
    slopes = np.array([vectors[plus] - vectors[minus] for plus, minus in pairs]) / (2 * spacing)
    return slopes - slopes.T


def both_sides(spacing, point, energy, **wire):
    syst, lattice = continuum_wire(spacing, dim=len(point), **wire)
    coordinates, pairs = central_differences(syst, lattice, point, spacing)
    exact = force_response(syst, coordinates, energy).curl
    flow = flow_map(syst, energy)
    factor = 2 * np.pi * MASS
    return (
        exact,
        factor * curl_of(flow.momentum_current, pairs, spacing),
        factor * curl_of(flow.magnetic_correction, pairs, spacing),
    )


def order(spacings, errors):
    return np.polyfit(np.log(spacings), np.log(np.abs(errors)), 1)[0]


@pytest.mark.heavy
def test_continuum_limit_in_2d():
    spacings = [1 / 24, 1 / 48, 1 / 96, 1 / 192]
    sides = [both_sides(a, (1.0, 0.75), 62.0) for a in spacings]
    exact = [side[0][0, 1] for side in sides]
    errors = [side[0][0, 1] - side[1][0, 1] for side in sides]
    assert abs(exact[-1]) > 0.1
    assert 1.8 < order(spacings, errors) < 2.2
    assert abs(errors[-1]) < 1e-4 * abs(exact[-1])


@pytest.mark.heavy
def test_continuum_limit_in_3d():
    spacings = [1 / 12, 1 / 16, 1 / 20]
    sides = [both_sides(a, (0.75, 0.5, 0.25), 40.0, length=1.0) for a in spacings]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        exact = np.array([side[0][i, j] for side in sides])
        errors = exact - [side[1][i, j] for side in sides]
        assert np.abs(exact).min() > 0.05
        assert 1.8 < order(spacings, errors) < 2.2
        assert abs(errors[-1]) < 0.03 * abs(exact[-1])


@pytest.mark.heavy
def test_narrow_gaussians_are_point_particles():
    """On a fine lattice the Gaussian probe tends to the same limit, quadratically in its width."""
    spacing, point, energy = 1 / 128, (1.0, 0.75), 62.0
    syst, lattice = continuum_wire(spacing)
    _, pairs = central_differences(syst, lattice, point, spacing)
    flow = flow_map(syst, energy)
    limit = 2 * np.pi * MASS * curl_of(flow.momentum_current, pairs, spacing)[0, 1]
    widths = np.array([8, 4, 2]) * spacing
    curls = [curl_map(syst, Probe([point], width=w), energy).curl[0] for w in widths]
    errors = np.array(curls) - limit
    assert 1.7 < order(widths, errors) < 2.3
    assert abs(errors[-1]) < 0.05 * abs(limit)


@pytest.mark.heavy
def test_in_a_magnetic_field():
    """Without time reversal D j misses a part; D j - n j_D is complete."""
    spacings = [1 / 32, 1 / 64, 1 / 128]
    sides = [both_sides(a, (1.0, 0.75), 62.0, field=8.0) for a in spacings]
    exact, capacity, correction = (np.array([side[k][0, 1] for side in sides]) for k in range(3))
    assert abs(exact[-1] - capacity[-1]) > 0.03 * abs(exact[-1])
    errors = exact - capacity - correction
    assert 1.8 < order(spacings, errors) < 2.2
    assert abs(errors[-1]) < 1e-3 * abs(exact[-1])


def test_no_correction_with_time_reversal():
    syst, _ = continuum_wire(1 / 16)
    flow = flow_map(syst, 62.0)
    scale = np.abs(flow.momentum_current).max()
    np.testing.assert_allclose(flow.magnetic_correction, 0, atol=1e-10 * scale)


@pytest.mark.parametrize("field", [0.0, 8.0])
def test_gauge_invariance(field):
    flows = []
    for gauge in (0.0, 1.3):
        syst, _ = continuum_wire(1 / 16, field=field, gauge=gauge)
        flow = flow_map(syst, 62.0)
        grid = flow.interpolate()
        probe = curl_map(syst, Probe([(0.9, 0.4)], width=1 / 12), 62.0)
        flows.append((flow.local_dos, flow.current, flow.momentum_current, grid.curl, probe.curl))
    for before, after in zip(*flows, strict=True):
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-9 * np.abs(before).max())


@pytest.mark.parametrize("name", ["square", "graphene", "spin-orbit", "magnetic", "3D"])
def test_current_is_conserved_and_the_sites_hold_it(name):
    """Kwant's bond currents have no divergence off the leads; site vectors are sums of them."""
    syst, energy = flowing(name)
    rho = NonequilibriumDensity(syst, energy, bias=0.4)
    into, origin = np.array(list(syst.graph)).T
    bond = rho.expectation(kwant.operator.Current(syst))  # from `origin` to `into`
    total = np.abs(np.bincount(into, np.abs(bond)))
    divergence = np.bincount(into, bond)
    inner = np.setdiff1d(np.arange(len(syst.sites)), np.concatenate(syst.lead_interfaces))
    assert np.abs(divergence[inner]).max() < 1e-10 * total.max()

    flow = flow_map(syst, energy, bias=0.4)
    positions = np.array([site.pos for site in syst.sites])
    expected = np.zeros_like(positions)
    np.add.at(expected, into, 0.5 * bond[:, None] * (positions[into] - positions[origin]))
    volume = flow.cell_volumes[:, None]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(flow.current * volume, expected, atol=1e-12 * scale)
    operator = MomentumCurrent(syst)
    np.testing.assert_allclose(rho.expectation(operator), flow.current, atol=1e-12 * scale)


def flowing(name, length=9):
    if name == "square":
        return square_wire(length=length, width=6, disorder=1.0).finalized(), 1.7
    if name == "graphene":
        device = devices.graphene_constriction(width=30, neck=18, length=length)
        return device.syst, 0.9
    if name == "3D":
        model = MODELS["3D wire"]
        builder = kwant.Builder()
        lattice = kwant.lattice.cubic(norbs=1)
        rng = np.random.default_rng(3)
        for point in np.ndindex(5, 3, 3):
            builder[lattice(*point)] = 0.5 * rng.normal()
        builder[lattice.neighbors()] = -1
        model._attach_leads(builder, lattice)
        return builder.finalized(), -1.1
    builder = square_wire(length=length - 1, width=5, norbs=2, disorder=0.6)

    def rashba(a, b):
        x, y = np.array(a.pos) - np.array(b.pos)
        return -np.eye(2) + 0.4j * (x * SIGMA[1] - y * SIGMA[0])

    def magnetic(a, b):
        return rashba(a, b) * np.exp(0.1j * (a.pos[0] - b.pos[0]) * (a.pos[1] + b.pos[1]))

    value = {"spin-orbit": rashba, "magnetic": magnetic}[name]
    for hopping in list(builder.hoppings()):
        builder[hopping] = value
    for lead in builder.leads:
        for hopping in list(lead.builder.hoppings()):
            lead.builder[hopping] = value
    return builder.finalized(), 1.9


@pytest.mark.parametrize("name", ["square", "graphene", "magnetic"])
def test_flux_through_a_section_is_the_current(name):
    syst, energy = flowing(name, length=30)
    flow = flow_map(syst, energy, bias=0.4)
    grid = flow.interpolate(flow.current)
    transmission = kwant.smatrix(syst, energy).transmission(1, 0)
    middle = np.argmin(np.abs(grid.axes[0] - flow.positions[:, 0].mean()))
    step = grid.axes[1][1] - grid.axes[1][0]
    flux = grid.vectors[middle, :, 0].sum() * step
    assert flux == pytest.approx(transmission * 0.4 / (2 * np.pi), rel=1e-8)


def lowest_mode_wire(n=39):
    """A uniform wire of n rows in the middle of which a single mode flows, and its numbers."""
    syst = square_wire(length=60, width=n).finalized()
    kappa = np.pi / (n + 1)
    second = 4 - 2 * np.cos(2 * kappa) - 2
    first = 4 - 2 * np.cos(kappa) - 2
    energy = 0.5 * (first + second)
    velocity = 2 * np.sqrt(1 - ((energy - 4 + 2 * np.cos(kappa)) / 2) ** 2)
    return syst, energy, kappa, velocity


def test_single_mode_is_sine_squared_times_sine_squared():
    syst, energy, kappa, velocity = lowest_mode_wire()
    assert kwant.smatrix(syst, energy).num_propagating(0) == 1
    flow = flow_map(syst, energy, bias=0.3)
    sine = np.sin(kappa * (flow.positions[:, 1] + 1)) ** 2
    n = np.pi / kappa
    dos = 2 / (2 * np.pi) * (2 / n) * sine / velocity  # two leads
    current = 0.3 / (2 * np.pi) * (2 / n) * sine
    inner = (flow.positions[:, 0] > 0) & (flow.positions[:, 0] < 59)
    np.testing.assert_allclose(flow.local_dos, dos, rtol=1e-9)
    np.testing.assert_allclose(flow.current[inner, 0], current[inner], rtol=1e-9)
    np.testing.assert_allclose(flow.current[inner, 1], 0, atol=1e-12)
    np.testing.assert_allclose(flow.momentum_current[inner, 0], (dos * current)[inner], rtol=1e-9)

    # Its curl -d/dy of A sin^4(kappa y'), smoothed by a Gaussian of width s: the harmonics 2 kappa
    # and 4 kappa of sin^4 = 3/8 - cos(2.)/2 + cos(4.)/8 are damped by exp(-(k s)^2 / 2).
    grid = flow.interpolate(width=1.5, spacing=0.5)
    amplitude = (2 / (2 * np.pi) * (2 / n) / velocity) * (0.3 / (2 * np.pi) * (2 / n))
    y = grid.axes[1] + 1
    far = (y > 12) & (y < n - 12)
    damped = [np.exp(-((k * kappa * 1.5) ** 2) / 2) for k in (2, 4)]
    harmonics = [np.sin(2 * kappa * y), -0.5 * np.sin(4 * kappa * y)]
    slope = kappa * (damped[0] * harmonics[0] + damped[1] * harmonics[1])
    column = len(grid.axes[0]) // 2
    np.testing.assert_allclose(
        grid.curl[column, far], -amplitude * slope[far], atol=1e-8 * amplitude * kappa
    )
    # Zero on the axis, by symmetry, and nowhere else in the section.
    middle = np.argmin(np.abs(y - n / 2))
    sides = np.abs(grid.curl[column, far]) / (amplitude * kappa)
    assert y[middle] == pytest.approx(n / 2)
    assert abs(grid.curl[column, middle]) < 1e-8 * amplitude * kappa
    assert sides[np.abs(y[far] - y[middle]) > 1].min() > 1e-4


def wide_wire(energy, width, strength):
    """A uniform wire with a point scatterer, the force on it along the flow, and the sites."""
    point = (15, width // 2 - 3)
    builder = square_wire(length=31, width=width)
    lattice = next(iter(builder.sites())).family
    builder[lattice(*point)] = 4 + strength
    syst = builder.finalized()
    here, ahead, behind = (syst.id_by_site[lattice(point[0] + x, point[1])] for x in (0, 1, -1))
    slope = np.zeros(len(syst.sites))
    slope[ahead], slope[behind] = strength / 2, -strength / 2  # dV/dX
    force = force_response(syst, Matrices([sparse.diags_array(slope)]), energy).force[0]
    return syst, force, here, ahead


@pytest.mark.heavy
@pytest.mark.parametrize(("energy", "width"), [(0.12, 41), (0.06, 57)])
def test_scatterer_in_a_wide_wire_feels_sigma_p_j(energy, width):
    """With the scatterer in place the flow pushes it with 2 pi C^2 (m/hbar) D j = sigma p j.

    To lowest order in C: the deviation falls linearly.  On the lattice, where the force is a
    central difference, D stands between neighbouring sites, D(r, r + a), which tends to D(r) as
    the filling goes down.
    """
    syst, _, here, ahead = wide_wire(energy, width, 0.0)
    assert kwant.smatrix(syst, energy).num_propagating(0) >= 4
    flow = flow_map(syst, energy)
    rho = NonequilibriumDensity(syst, energy, bias={0: 1.0, 1: 1.0}).toarray()
    between = rho[here, ahead].real
    assert 0 < 1 - between / flow.local_dos[here] < energy / 2
    strengths = np.array([0.2, 0.1, 0.05, 0.025])
    forces = np.array([wide_wire(energy, width, c)[1] for c in strengths])
    momentum = np.sqrt(2 * MASS * energy)
    cross_section = born_cross_section(strengths, between, momentum, mass=MASS)
    deviation = forces / (cross_section * momentum * flow.current[here, 0]) - 1
    assert order(strengths, deviation) == pytest.approx(1, abs=0.1)
    assert abs(deviation[-1]) < 0.03


def test_born_cross_section():
    """sigma = 2 pi m C^2 D / p makes sigma p j of D j; in 3D it doesn't depend on the energy."""
    dos = np.array([0.2, 0.3])
    p = np.array([1.0, 2.0])
    sigma = born_cross_section(0.4, dos, p, mass=0.5)
    np.testing.assert_allclose(sigma * p, 2 * np.pi * 0.5 * 0.4**2 * dos)
    for momentum in (0.3, 2.0):
        free = 0.7 * momentum / (2 * np.pi**2)  # D of free electrons in 3D: m p / (2 pi^2)
        cross_section = born_cross_section(0.4, free, momentum, mass=0.7)
        assert cross_section == pytest.approx(0.7**2 * 0.4**2 / np.pi)
    with pytest.raises(ValueError, match="momentum has values that are not positive"):
        born_cross_section(1.0, 1.0, 0.0, mass=1.0)
    with pytest.raises(ValueError, match="local_dos has values that are negative or not numbers"):
        born_cross_section(1.0, np.nan, 1.0, mass=1.0)
    with pytest.raises(ValueError, match="mass is -1; expected a positive number"):
        born_cross_section(1.0, 1.0, 1.0, mass=-1)


# The probe


def dense_probe(syst, point, width, strength):
    """-dV/dR with dense matrices, by finite differences of the potential."""
    positions = np.array([site.pos for site in syst.sites])
    norbs = np.diff([o for *_, o in syst.site_ranges])[0] // len(positions)
    dim = len(point)

    def potential(center):
        r2 = ((positions - center) ** 2).sum(axis=1)
        return strength * np.exp(-r2 / (2 * width**2)) / (2 * np.pi * width**2) ** (dim / 2)

    h = 1e-4
    slopes = [
        (potential(point + h * unit) - potential(point - h * unit)) / (2 * h)
        for unit in np.eye(dim)
    ]
    return [-np.diag(np.repeat(slope, norbs)) for slope in slopes]


@pytest.mark.parametrize(("dim", "norbs"), [(2, 1), (2, 2), (3, 1)])
def test_probe_is_the_slope_of_its_potential(dim, norbs):
    flat = square_wire(norbs=norbs, disorder=0.5).finalized()
    syst = flat if dim == 2 else flowing("3D")[0]
    point = np.array([2.3, 1.1, 0.9][:dim])
    probe = Probe([point, point + 0.4], width=1.2, strength=0.3)
    forces = Force(syst, probe).matrices()
    assert len(forces) == 2 * dim
    for force, expected in zip(forces, dense_probe(syst, point, 1.2, 0.3), strict=False):
        np.testing.assert_allclose(force.toarray(), expected, atol=1e-8)


def test_the_two_ways_of_the_map_agree():
    syst, energy = flowing("magnetic")
    coordinates = [
        Probe([(2.1, 1.7), (4.0, 3.0), (0.2, 0.1)], width=1.0, strength=2.0),
        Displacements(scaling=PowerLaw(2)),
    ]
    for spec in coordinates:
        results = []
        for limit in (2**29, 1):
            results.append(curl_map(syst, spec, energy, bias={0: 0.3, 1: -0.1}, max_memory=limit))
        for field in ("force", "curl", "friction", "lead_force", "lead_curl"):
            gathered, kept = (getattr(result, field) for result in results)
            np.testing.assert_allclose(kept, gathered, atol=1e-11 * np.abs(gathered).max())


def test_probe_in_response_and_map():
    syst, energy = flowing("square")
    probe = Probe([(2.1, 1.7), (4.0, 3.0)], width=1.0)
    local = curl_map(syst, probe, energy)
    response = force_response(syst, probe, energy)
    np.testing.assert_allclose(local.curl, np.diagonal(response.curl, 1)[::2], rtol=1e-10)
    np.testing.assert_allclose(local.force.ravel(), response.force, rtol=1e-9)
    np.testing.assert_array_equal(local.positions, [(2.1, 1.7), (4.0, 3.0)])
    assert local.sites is None
    strong = curl_map(syst, Probe(probe.points, width=1.0, strength=3.0), energy)
    np.testing.assert_allclose(strong.curl, 9 * local.curl)
    np.testing.assert_allclose(strong.force, 3 * local.force)


@pytest.mark.heavy
def test_many_points_on_a_large_device():
    """2,500 points over 40,000 sites in one call: each is as if it were alone."""
    syst = square_wire(length=200, width=200, disorder=0.3).finalized()
    points = np.random.default_rng(0).uniform(5, 195, (2500, 2))
    together = curl_map(syst, Probe(points, width=1.0), 0.1)
    some = [0, 1234, 2499]
    alone = curl_map(syst, Probe(points[some], width=1.0), 0.1)
    for field in ("curl", "force", "friction"):
        expected = getattr(alone, field)
        np.testing.assert_allclose(
            getattr(together, field)[some], expected, atol=1e-11 * np.abs(expected).max()
        )


def test_point_that_reaches_no_site():
    syst, energy = flowing("square")
    probe = Probe([(2, 2), (100, 2), (2, -50)], width=1.0)
    with pytest.warns(RuntimeWarning, match="2 of the probe's 3 points have no site within reach"):
        result = curl_map(syst, probe, energy)
    assert result.curl[0] != 0
    np.testing.assert_array_equal(result.curl[1:], 0)
    np.testing.assert_array_equal(result.force[1:], 0)


def test_reach_of_the_gaussian():
    syst, _ = flowing("square")
    force = Force(syst, Probe([(4.0, 3.0)], width=1.0)).matrices()[0].tocoo()
    distance = np.linalg.norm([syst.sites[i].pos - np.array([4.0, 3.0]) for i in force.row], axis=1)
    assert distance.max() <= np.sqrt(2 * np.log(1e12))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"width": 0.9}, "width is 0.9, below the distance 1 between neighbouring sites: such a"),
        ({"points": [(1.0, 2.0, 3.0)]}, r"points has shape \(1, 3\), but the sites' positions"),
    ],
)
def test_probe_that_does_not_fit(keywords, message):
    probe = Probe(**{"points": [(2.0, 2.0)], "width": 1.0, **keywords})
    with pytest.raises(ValueError, match=message):
        curl_map(*flowing("square")[:1], probe, 1.7)


def test_probe_arguments():
    with pytest.raises(ValueError, match=r"points has shape \(2,\); expected \(n_points, dim\)"):
        Probe([1.0, 2.0], width=1.0)
    with pytest.raises(TypeError, match="points is no array of real numbers"):
        Probe([["a", "b"]], width=1.0)
    with pytest.raises(ValueError, match="points has entries that are not finite"):
        Probe([[np.nan, 0]], width=1.0)
    with pytest.raises(ValueError, match="width is 0; expected a positive number"):
        Probe([[0.0, 0.0]], width=0)
    with pytest.raises(ValueError, match="strength is inf; expected a finite number"):
        Probe([[0.0, 0.0]], width=1.0, strength=np.inf)


# The operator and the map


def test_momentum_current_has_the_habits_of_force():
    syst, energy = flowing("magnetic")
    where = [7, 3, 11]
    p = np.linspace(1, 2, len(syst.sites))
    operator = MomentumCurrent(syst, momentum=p, where=where)
    psi = kwant.wave_function(syst, energy)(0)
    stack = operator(psi)
    assert stack.shape == (len(psi), 3, 2)
    assert stack.dtype == float
    np.testing.assert_allclose(operator(psi[1]), stack[1], atol=1e-15)
    np.testing.assert_allclose(operator.bind()(psi), stack, atol=1e-15)
    matrices = np.array([m.toarray() for m in operator.matrices()])
    np.testing.assert_allclose(matrices, matrices.conj().swapaxes(1, 2), atol=1e-15)
    expected = np.einsum("ma,iab,nb->imn", psi.conj(), matrices, psi)
    all_elements = operator.matrix(psi, psi)
    assert all_elements.shape == (3, 2, len(psi), len(psi))
    np.testing.assert_allclose(all_elements.reshape(expected.shape), expected, atol=1e-13)
    np.testing.assert_allclose(
        operator(psi[0], psi[1]), expected[:, 0, 1].reshape(3, 2), atol=1e-13
    )
    np.testing.assert_allclose(
        np.vdot(psi[0], operator.act(psi[1])), operator(psi[0], psi[1]).sum(), atol=1e-13
    )
    everything = MomentumCurrent(syst)(psi)
    np.testing.assert_allclose(stack, everything[:, where] * p[where, None], atol=1e-14)


def test_momentum_as_a_function_of_site_and_params():
    syst, energy = flowing("square")

    def momentum(site, scale):
        return scale * (1 + site.pos[0])

    psi = kwant.wave_function(syst, energy)(0)
    operator = MomentumCurrent(syst, momentum=momentum)
    x = np.array([site.pos[0] for site in syst.sites])
    expected = MomentumCurrent(syst)(psi) * (2 * (1 + x))[:, None]
    np.testing.assert_allclose(operator(psi, params={"scale": 2.0}), expected)
    flow = flow_map(syst, energy, momentum=momentum, params={"scale": 2.0}, degeneracy=2)
    plain = flow_map(syst, energy, degeneracy=2)
    np.testing.assert_allclose(flow.momentum_current, plain.current * (2 * (1 + x))[:, None])
    with pytest.raises(TypeError, match="momentum takes 'scale', which params does not hold"):
        operator(psi)


def dense_capacity(syst, energy, dmu):
    """Tr[D J] and -Tr[n J_D] per site of a system of unit cells, with loops over dense blocks."""
    densities = lead_densities(syst, energy)
    h = syst.hamiltonian_submatrix()
    n = len(h) // len(syst.sites)
    total, delta = densities.sum(axis=0), np.tensordot(dmu, densities, axes=1)
    capacity, correction = np.zeros((2, len(syst.sites), len(syst.sites[0].pos)))
    for i, j in syst.graph:
        a, b = slice(n * i, n * i + n), slice(n * j, n * j + n)
        half = 0.5 * (np.array(syst.sites[j].pos) - np.array(syst.sites[i].pos))

        def matrix_current(rho, a=a, b=b):
            x = h[a, b] @ rho[b, a]
            return 1j * (x - x.conj().T)

        capacity[i] += np.trace(total[a, a] @ matrix_current(delta)).real * half
        correction[i] -= np.trace(delta[a, a] @ matrix_current(total)).real * half
    return capacity, correction


def test_two_spins_are_twice_one_spin():
    """As two orbitals, as two lattices, or as a degeneracy of 2."""
    single = flow_map(square_wire(disorder=0.7).finalized(), 1.7, degeneracy=2)
    spinful = flow_map(square_wire(disorder=0.7, norbs=2).finalized(), 1.7)
    for field in ("local_dos", "current", "momentum_current"):
        expected = getattr(single, field)
        np.testing.assert_allclose(
            getattr(spinful, field), expected, atol=1e-12 * np.abs(expected).max()
        )


@pytest.mark.heavy
@pytest.mark.parametrize("field", [0.0, 6.0])
def test_continuum_limit_with_two_orbitals(field):
    """Two channels with different potentials, mixed by a smooth non-collinear texture."""
    spacings = [1 / 24, 1 / 48, 1 / 96]
    errors, exact = [], []
    for a in spacings:
        syst, lattice = textured_wire(a, field)
        coordinates, pairs = central_differences(syst, lattice, (0.75, 0.75), a)
        doubled = [sparse.kron(m, np.eye(2)) for m in coordinates.matrices]
        exact.append(force_response(syst, Matrices(doubled), 45.0).curl[0, 1])
        flow = flow_map(syst, 45.0)
        vectors = flow.momentum_current + flow.magnetic_correction
        errors.append(exact[-1] - 2 * np.pi * MASS * curl_of(vectors, pairs, a)[0, 1])
    assert abs(exact[-1]) > 0.1
    assert 1.8 < order(spacings, errors) < 2.2
    assert abs(errors[-1]) < 0.01 * abs(exact[-1])


def textured_wire(spacing, field):
    t = spacing**-2
    lattice = kwant.lattice.square(spacing, norbs=2)

    def onsite(site):
        x, y = site.pos
        bump = np.exp(-((x - 0.5) ** 2 + (y - 0.6) ** 2) / 0.08)
        angle = 2.0 * x + 1.3 * y
        texture = np.cos(angle) * SIGMA[2] + np.sin(angle) * SIGMA[0] + 0.4 * SIGMA[1]
        return 4 * t * np.eye(2) + bump * (12 * texture + 5 * np.eye(2))

    def hopping(a, b):
        (x1, y1), (x2, y2) = a.pos, b.pos
        return -t * np.exp(0.5j * field * (x1 - x2) * (y1 + y2)) * np.eye(2)

    inner = range(1, round(1 / spacing))
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(round(1 / spacing) + 1) for y in inner)] = onsite
    builder[lattice.neighbors()] = hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-spacing, 0)))
    lead[(lattice(0, y) for y in inner)] = 4 * t * np.eye(2)
    lead[lattice.neighbors()] = hopping
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized(), lattice


def stretched_wire():
    """A lattice whose unit cell is three times as long as wide."""
    lattice = kwant.lattice.general([(3, 0), (0, 1)], norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(30) for y in range(5))] = 4
    for step in ((1, 0), (0, 1)):
        builder[kwant.HoppingKind(step, lattice)] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-3, 0)))
    lead[(lattice(0, y) for y in range(5))] = 4
    for step in ((1, 0), (0, 1)):
        lead[kwant.HoppingKind(step, lattice)] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized()


def test_elongated_unit_cell():
    """The longer side is the spacing that Gaussians must bridge."""
    syst = stretched_wire()
    flow = flow_map(syst, 1.7, bias=0.4)
    assert flow.spacing == pytest.approx(3)
    np.testing.assert_allclose(flow.cell_volumes, 3)
    with pytest.raises(ValueError, match="width is 1, below the distance 3 between neighbouring"):
        curl_map(syst, Probe([(40.0, 2.0)], width=1.0), 1.7)
    grid = flow.interpolate(flow.current)
    middle = np.argmin(np.abs(grid.axes[0] - 43.5))
    flux = grid.vectors[middle - 2 : middle + 3, :, 0].sum(axis=1)
    flux *= grid.axes[1][1] - grid.axes[1][0]
    transmission = kwant.smatrix(syst, 1.7).transmission(1, 0)
    np.testing.assert_allclose(flux, transmission * 0.4 / (2 * np.pi), rtol=1e-8)


def test_stacks_of_no_states():
    syst, _ = flowing("square")
    nothing = np.zeros((0, 54))
    assert MomentumCurrent(syst)(nothing).shape == (0, 54, 2)
    assert MomentumCurrent(syst).matrix(nothing, nothing).shape == (54, 2, 0, 0)
    assert Force(syst, Probe([(2.0, 2.0)], width=1.0))(nothing).shape == (0, 2)


def test_an_operator_keeps_its_momenta():
    syst, energy = flowing("square")
    momentum = np.ones(54)
    operator = MomentumCurrent(syst, momentum=momentum)
    psi = kwant.wave_function(syst, energy)(0)
    before = operator(psi)
    momentum *= 7
    np.testing.assert_array_equal(operator(psi), before)


def test_flow_map_of_density_degeneracy_and_bias():
    syst, energy = flowing("magnetic")
    flow = flow_map(syst, energy, bias={0: 0.2, 1: -0.5}, degeneracy=2)
    rho = NonequilibriumDensity(syst, energy, bias={0: 0.2, 1: -0.5}, degeneracy=2)
    np.testing.assert_allclose(flow.density * flow.cell_volumes, rho.density(), atol=1e-13)
    ldos = kwant.ldos(syst, energy).reshape(-1, 2).sum(axis=1)
    np.testing.assert_allclose(flow.local_dos, 2 * ldos, rtol=1e-9)
    capacity, correction = dense_capacity(syst, energy, [0.2, -0.5])
    np.testing.assert_allclose(flow.momentum_current, 2 * capacity, atol=1e-14)
    np.testing.assert_allclose(flow.magnetic_correction, 2 * correction, atol=1e-14)
    again = flow.at_bias({0: 1.0, 1: -0.1})
    solved = flow_map(syst, energy, bias={0: 1.0, 1: -0.1}, degeneracy=2)
    np.testing.assert_allclose(again.current, solved.current)
    assert not flow.current.flags.writeable
    assert repr(flow) == "<FlowMap of 40 sites in 2D, energy 1.9, bias {0: 0.2, 1: -0.5}>"


def test_cell_volumes_of_an_alloy():
    """Families that share a lattice, but no position: one sublattice, in every description."""
    alike = kwant.lattice.square(norbs=1)
    plain = square_wire()
    expected = flow_map(plain.finalized(), 1.7)
    np.testing.assert_array_equal(expected.cell_volumes, 1.0)
    for offset in ((0, 0), (3, -1), (1e-14, 0)):
        other = kwant.lattice.Monatomic(np.eye(2), offset, name="impurity", norbs=1)
        builder = square_wire()
        shift = np.round(offset).astype(int)
        for tag in ((2, 1), (3, 2)):
            del builder[alike(*tag)]
            site = other(*(np.array(tag) - shift))
            builder[site] = 4
            for step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                neighbour = alike(*(np.array(tag) + step))
                if neighbour in builder:
                    builder[site, neighbour] = -1
        flow = flow_map(builder.finalized(), 1.7)
        np.testing.assert_array_equal(flow.cell_volumes, 1.0)
        assert np.abs(flow.current).max() == pytest.approx(np.abs(expected.current).max())


def test_cell_volumes():
    syst, energy = flowing("graphene")
    area = np.sqrt(3) / 2 * (np.sqrt(3) * 1.42) ** 2 / 2
    np.testing.assert_allclose(flow_map(syst, energy).cell_volumes, area)
    with_adatom = square_wire()
    with_adatom[kwant.lattice.Monatomic(np.eye(2), (0.5, 0.5), norbs=1)(1, 1)] = 4
    with pytest.raises(ValueError, match="some sublattices have far fewer sites than others"):
        flow_map(with_adatom.finalized(), 1.7)
    molecule = devices.bent_molecule()
    with pytest.raises(ValueError, match="can't be told: some sites are not on a lattice"):
        MomentumCurrent(molecule.syst)
    given = flow_map(molecule.syst, molecule.energy, cell_volume=6.0)
    np.testing.assert_array_equal(given.cell_volumes, 6.0)
    builder = square_wire()
    for name, offset, why in (
        ("twin", (0, 0), "<Site .*> and <Site .*> share their position"),
        ("wide", None, "the sites are on several lattices"),
    ):
        vectors = np.eye(2) if offset else 2 * np.eye(2)
        other = kwant.lattice.Monatomic(vectors, offset or (0, 0), name=name, norbs=1)
        builder[other(1, 1)] = 4
        with pytest.raises(ValueError, match=f"can't be told: {why}"):
            flow_map(builder.finalized(), 1.7)
        del builder[other(1, 1)]
    with pytest.raises(ValueError, match="cell_volume is -1; expected positive"):
        MomentumCurrent(builder.finalized(), cell_volume=-1)
    with pytest.raises(ValueError, match=r"cell_volume has shape \(2,\); expected one real"):
        MomentumCurrent(builder.finalized(), cell_volume=[1, 2])


def test_flow_in_one_dimension_has_a_current():
    device = devices.gold_chain(10)
    flow = flow_map(device.syst, device.energy, bias=0.1)
    inner = slice(1, -1)
    np.testing.assert_allclose(flow.current[inner, 0], 0.1 / (2 * np.pi), rtol=1e-9)


def test_wrong_momenta():
    syst, _ = flowing("square")
    with pytest.raises(ValueError, match=r"momentum is an array of float64 of shape \(3,\)"):
        MomentumCurrent(syst, momentum=np.ones(3))
    with pytest.raises(ValueError, match="momentum is nan; expected a finite number"):
        MomentumCurrent(syst, momentum=np.nan)
    with pytest.raises(ValueError, match="momentum has entries that are not finite"):
        MomentumCurrent(syst, momentum=np.full(len(syst.sites), np.inf))
    with pytest.raises(TypeError, match="momentum is None; expected a real number"):
        MomentumCurrent(syst, momentum=None)
    with pytest.raises(TypeError, match="where is 3; expected a sequence of sites"):
        MomentumCurrent(syst, where=3)
    with pytest.raises(ValueError, match="`where` names site 99"):
        MomentumCurrent(syst, where=[99])


def test_wrong_interpolation():
    flow = flow_map(flowing("square")[0], 1.7)
    with pytest.raises(ValueError, match=r"width is 0.5, below the distance 1 between"):
        flow.interpolate(width=0.5)
    with pytest.raises(ValueError, match=r"vectors has shape \(3,\); expected \(54, 2\)"):
        flow.interpolate(np.ones(3))
    with pytest.raises(ValueError, match="spacing is 0; expected a positive number"):
        flow.interpolate(spacing=0)
    chain = devices.gold_chain(10)
    with pytest.raises(ValueError, match="The flow is in 1D; interpolation needs 2D or 3D"):
        flow_map(chain.syst, chain.energy).interpolate()


def test_interpolation_is_the_sum_of_gaussians_and_its_curl():
    """Field and curl against direct sums over the sites, in 2D and 3D."""
    for name in ("square", "3D"):
        syst, energy = flowing(name)
        flow = flow_map(syst, energy)
        dim = flow.positions.shape[1]
        grid = flow.interpolate(width=1.3, spacing=0.5)
        points = np.stack(np.meshgrid(*grid.axes, indexing="ij"), axis=-1)
        offset = points[..., None, :] - flow.positions
        kernel = np.exp(-(offset**2).sum(-1) / (2 * 1.3**2)) / (2 * np.pi * 1.3**2) ** (dim / 2)
        direct = np.einsum("...s,sd->...d", kernel * flow.cell_volumes, flow.momentum_current)
        scale = np.abs(direct).max()
        np.testing.assert_allclose(grid.vectors, direct, atol=1e-10 * scale)
        slope = -kernel[..., None] * offset / 1.3**2
        jacobian = np.einsum("...si,sj->...ij", slope, flow.momentum_current)
        curl = jacobian - jacobian.swapaxes(-1, -2)
        if dim == 2:
            expected = curl[..., 0, 1]
        else:
            expected = np.stack([curl[..., 1, 2], curl[..., 2, 0], curl[..., 0, 1]], axis=-1)
        np.testing.assert_allclose(grid.curl, expected, atol=1e-10 * scale)
