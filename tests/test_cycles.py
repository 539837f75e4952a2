"""Limit cycles: closed forms, the equation of motion integrated, work against loss, the onset."""

import dataclasses

import kwant
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from systems import two_levels

import kwant_curl as kc
from kwant_curl.algebra.floquet import between, floquet_multipliers
from kwant_curl.algebra.periodic import (
    Local,
    PeriodicOrbit,
    angles,
    fourier_slope,
    harmonic_orbit,
    imbalance,
    neutral_orbit,
    size_of,
)
from kwant_curl.algebra.sustained import sustained_orbit
from kwant_curl.motion.cycles import search_of

SIGMA_X = np.array([[0.0, 1.0], [1.0, 0.0]])
SIGMA_Z = np.diag([1.0, -1.0])


class DenseField(kc.ResponseField):
    """Linear response at zero temperature with dense matrices, which use nothing of the package."""

    def __call__(self, displacements):
        syst, slopes = self.syst, self.coordinates.matrices
        hamiltonian = syst.hamiltonian_submatrix().real
        hamiltonian = hamiltonian + np.tensordot(displacements, slopes, axes=1)
        inverse = self.energy * np.eye(len(hamiltonian)) - hamiltonian
        gammas = []
        for lead, where in zip(syst.leads, syst.lead_interfaces, strict=True):
            sigma = np.zeros(hamiltonian.shape, complex)
            sigma[np.ix_(where, where)] = lead.selfenergy(self.energy)
            inverse = inverse - sigma
            gammas.append(1j * (sigma - sigma.conj().T))
        greens = np.linalg.inv(inverse)
        d = np.array([greens @ g @ greens.conj().T for g in gammas]) / (2 * np.pi)
        rho, total = 0.5 * self.bias * (d[0] - d[1]), d[0] + d[1]
        pairs = [[(a, b) for b in slopes] for a in slopes]
        self.nodes.count(())
        return kc.ForceResponse.from_arrays(
            force=[-np.trace(a @ rho).real for a in slopes],
            jacobian=[[-2 * np.trace(a @ greens @ b @ rho).real for a, b in p] for p in pairs],
            friction=[[np.pi * np.trace(a @ total @ b @ total).real for a, b in p] for p in pairs],
            bias=self.bias or 1.0,
        )


def waterwheel(kind=DenseField, **keywords):
    """Two levels, H = X sigma_z + (0.3 + Y) sigma_x, whose orbits grow from a bias of 0.025 on."""
    syst, _ = two_levels(0.3, (0.4, 0.4))
    moving = kc.Matrices(np.array([SIGMA_Z, SIGMA_X]))
    return kind(syst, moving, 0.2, **keywords)


MASSES = np.full(2, 1000.0)
WELL = kc.QuarticPotential(0.4 * np.eye(2), 5.0)


@pytest.fixture(scope="module")
def cycle():
    return kc.limit_cycle(waterwheel(bias=0.03), WELL, MASSES, multipliers=True)


def test_derivatives_by_fourier_series():
    theta = angles(9)
    values = np.stack([np.cos(3 * theta) + 2, np.sin(theta)], axis=1)
    slopes = np.stack([-3 * np.sin(3 * theta), np.cos(theta)], axis=1)
    assert fourier_slope(9) @ values == pytest.approx(slopes, abs=1e-13)
    others = np.array([0.0, theta[4], 0.3, 7.0])
    expected = np.stack([np.cos(3 * others) + 2, np.sin(others)], axis=1)
    assert between(values, others) == pytest.approx(expected, abs=1e-13)


# Period and largest displacement of x'' = -x + (1 - x^2) x', as tables have them.
VAN_DER_POL = 6.6632868593, 2.0086198609


def van_der_pol(points):
    n_points = len(points)
    return Local(
        points,
        np.zeros_like(points),
        np.zeros((n_points, 1, 1)),
        (points**2 - 1)[:, :, None],
        np.zeros((n_points, 1, 1, 1)),
    )


def spring(points):
    return -points, -np.ones((len(points), 1, 1))


@pytest.mark.parametrize("first", [0.1, 3.0])
def test_van_der_pols_oscillator(first):
    """Far from harmonic; the damping's slopes are learned from where it was before."""
    turns = []

    def local_at(points):
        turns.append(points)
        return van_der_pol(points)

    points = harmonic_orbit(np.zeros(1), np.ones(1, complex), first, 41)
    start = PeriodicOrbit(points, 1.0, 0.0)
    found = sustained_orbit(start, local_at, spring, (9.0, 1e-8, 60), 1.0)
    period, largest = VAN_DER_POL
    assert 2 * np.pi / found.orbit.frequency == pytest.approx(period, rel=1e-9)
    fine = between(found.orbit.points, np.linspace(0, 2 * np.pi, 4001))
    assert fine.max() == pytest.approx(largest, rel=1e-6)
    assert found.orbit.surplus == 0
    assert len(turns) < 15
    # In a turn a deviation is multiplied by exp(-int gamma dt), besides that along the cycle.
    local = van_der_pol(found.orbit.points)
    full = local._replace(bends=2 * found.orbit.points[:, :, None, None])
    factors = floquet_multipliers(found.orbit, full, spring)
    decay = np.exp(-local.damping.mean() * period)
    assert factors[0] == pytest.approx(1, abs=1e-5)
    assert np.prod(factors) == pytest.approx(decay, rel=1e-5)


def round_well(points, kappa=0.3, friction=0.1, more=0.4):
    """F = kappa/2 (-y, x), gamma = friction + more r^2: an exact circle."""
    turned = 0.5 * kappa * np.array([[0.0, -1.0], [1.0, 0.0]])
    eye = np.eye(2)
    radius = (points**2).sum(axis=1)[:, None, None]
    return Local(
        points,
        points @ turned.T,
        np.tile(turned, (len(points), 1, 1)),
        (friction + more * radius) * eye,
        np.einsum("ik,jl->jikl", eye, 2 * more * points),
    )


def test_an_exact_circle_and_what_becomes_of_deviations():
    """kappa/2 = gamma(r) omega with omega^2 = 1."""
    radius = np.sqrt((0.15 - 0.1) / 0.4)

    def springs(points):
        return -points, np.tile(-np.eye(2), (len(points), 1, 1))

    # Of any size there is one damping that makes it periodic; turning back it is negative.
    for turn, sense in (([1, 1j], 1), ([1, -1j], -1)):
        points = harmonic_orbit(np.zeros(2), np.array(turn) / np.sqrt(2), 0.2, 9)
        x, y = points[:2]
        assert np.sign(x[0] * y[1] - x[1] * y[0]) == sense
        start = PeriodicOrbit(points, 0.99, 0.0)
        orbit = neutral_orbit(start, round_well(points), springs, 0.2)
        assert size_of(orbit.points) == pytest.approx(0.2, rel=1e-12)
        assert orbit.frequency == pytest.approx(1, rel=1e-10)
        assert orbit.surplus == pytest.approx(sense * 0.15 - 0.1 - 0.4 * 0.02, rel=1e-9)
    points = harmonic_orbit(np.zeros(2), np.array([1, 1j]) / np.sqrt(2), 0.2, 9)
    start = PeriodicOrbit(points, 1.0, 0.0)
    found = sustained_orbit(start, round_well, springs, (9.0, 1e-9, 60), 0.05)
    assert np.linalg.norm(found.orbit.points, axis=1) == pytest.approx(radius, rel=1e-8)
    assert found.orbit.frequency == pytest.approx(1, rel=1e-8)
    assert np.abs(imbalance(found.orbit, round_well(found.orbit.points), springs)).max() < 1e-9
    full = round_well(found.orbit.points)
    factors = floquet_multipliers(found.orbit, full, springs)
    # Small deviations by the equation of motion itself.
    assert factors == pytest.approx(integrated_factors(found.orbit, radius), abs=1e-5)


def integrated_factors(orbit, radius, step=1e-5):
    def rate(_, y):
        local = round_well(y[None, :2])
        return np.concatenate([y[2:], -y[:2] + local.force[0] - local.damping[0] @ y[2:]])

    start = np.array([radius, 0, 0, radius])
    columns = []
    for deviation in step * np.eye(4):
        ends = [
            solve_ivp(rate, (0, 2 * np.pi), start + s * deviation, rtol=1e-10, atol=1e-12).y[:, -1]
            for s in (1, -1)
        ]
        columns.append((ends[0] - ends[1]) / (2 * step))
    factors = np.linalg.eigvals(np.array(columns).T).astype(complex)
    return factors[np.argsort(-np.abs(factors), kind="stable")]


def test_the_dense_field_is_that_of_the_package():
    place = np.array([0.07, -0.04])
    dense = waterwheel(bias=0.03)(place)
    ours = waterwheel(kc.ResponseField, bias=0.03, jacobian=True)(place)
    for name in ("force", "jacobian", "friction", "curl"):
        assert getattr(ours, name) == pytest.approx(getattr(dense, name), rel=1e-12, abs=1e-16)


def rate_of(field, potential=WELL, masses=MASSES):
    """The equation of motion as a function for `solve_ivp`."""

    def rate(_, y):
        response = field(y[:2])
        force = potential(y[None, :2])[1][0] + response.force - response.friction @ y[2:]
        return np.concatenate([y[2:], force / masses])

    return rate


def test_a_cycle_returns_after_its_period(cycle):
    """The equation of motion from one of its points; errors fall faster than the points grow."""
    field, errors = waterwheel(bias=0.03), []
    more = kc.limit_cycle(field, WELL, MASSES, start=cycle, n_points=25, rtol=1e-8)
    for found in (cycle, more):
        start = np.concatenate([found.points[0], found.velocities[0]])
        times = np.linspace(0, found.period, 7)
        options = {"t_eval": times, "rtol": 1e-9, "atol": 1e-11}
        turn = solve_ivp(rate_of(field), (0, found.period), start, **options)
        way = found.displacements(times)
        assert way[-1] == pytest.approx(found.points[0], abs=1e-12)
        errors.append(np.abs(turn.y[:2].T - way).max() / found.amplitude)
    assert errors[0] < 1e-5
    assert errors[1] < 2e-7
    assert more.residual < 1e-7
    assert more.amplitude == pytest.approx(cycle.amplitude, rel=1e-6)
    # The place of rest is where the current pushes it to.
    assert field(cycle.rest).force == pytest.approx(-WELL(cycle.rest[None])[1][0], abs=4e-10)
    assert cycle.growth > 0


def test_motion_from_rest_ends_in_the_cycle(cycle):
    """Multipliers say how fast: deviations decay, slowest as that in size."""
    assert cycle.is_stable
    along, slowest = cycle.multipliers[:2]
    assert along == pytest.approx(1, abs=1e-4)
    field = waterwheel(bias=0.03)
    start = np.concatenate([cycle.points[0], cycle.velocities[0]])
    start[:2] = cycle.rest + 1.1 * (start[:2] - cycle.rest)
    start[2:] *= 1.1
    turns = 6
    end = solve_ivp(rate_of(field), (0, turns * cycle.period), start, rtol=1e-5, atol=1e-7)
    first, last = (energy_of(y, cycle) for y in (start, end.y[:, -1]))
    own = energy_of(np.concatenate([cycle.points[0], cycle.velocities[0]]), cycle)
    assert abs(last / own - 1) < 0.25
    assert (last - own) / (first - own) == pytest.approx(slowest.real**turns, abs=0.06)


def energy_of(y, cycle):
    return 0.5 * cycle.masses @ y[2:] ** 2 + WELL(y[None, :2])[0][0]


def test_the_work_is_the_flux_of_the_curl_and_the_loss(cycle):
    """Stokes; nothing else gives or takes energy."""
    assert cycle.work == pytest.approx(cycle.friction_loss, rel=1e-6)
    assert abs(cycle.balance) < 1e-6 * cycle.work
    assert cycle.damping_loss == 0
    field = waterwheel(bias=0.03)

    def turn(s):
        return cycle.displacements(s * cycle.period)[0]

    assert float(kc.curl_flux(field, turn, rtol=1e-6)) == pytest.approx(cycle.work, rel=1e-5)
    assert float(kc.work(field, turn, rtol=1e-6)) == pytest.approx(cycle.work, rel=1e-6)
    assert cycle.power * cycle.period == pytest.approx(cycle.work)
    assert cycle.frequency * cycle.period == pytest.approx(2 * np.pi)


def test_other_damping_takes_its_part():
    """A rate of the energy: what is lost is M rate int Q'^2 dt."""
    rates = np.array([2e-4, 1e-4])
    damped = kc.limit_cycle(waterwheel(bias=0.04), WELL, MASSES, damping=rates)
    squares = (damped.velocities**2).mean(axis=0) * damped.period
    assert damped.damping_loss == pytest.approx(squares @ (rates * MASSES), rel=1e-12)
    assert damped.work == pytest.approx(damped.friction_loss + damped.damping_loss, rel=1e-6)
    free = kc.limit_cycle(waterwheel(bias=0.04), WELL, MASSES)
    assert damped.amplitude < free.amplitude


def test_onset_at_the_critical_bias_and_its_exponent():
    """A Hopf bifurcation: the amplitude grows as the root of V - V_c."""
    excess = np.array([2e-4, 8e-4, 3.2e-3, 1.28e-2])
    field = waterwheel(bias=1.0)
    biases = 0.02462625312487156 * np.concatenate([[0.5], 1 + excess])
    found = kc.limit_cycles(field, WELL, MASSES, biases)
    assert found.outcome == ("rest",) + 4 * ("cycle",)
    # In the well, whose springs the shift of the atoms changes a little.
    response = response_in_the_well
    modes = kc.VibrationalModes.from_force_constants(0.4 * np.eye(2), MASSES)
    critical = kc.critical_bias(response, modes, 0.03, steps=2)
    assert found.critical == pytest.approx(float(critical), rel=1e-8)
    slopes = np.diff(np.log(found.amplitude[1:])) / np.diff(np.log(biases[1:] - found.critical))
    # What is missing from 1/2 is proportional to the distance from the onset.
    missing = 0.5 - slopes
    assert abs(missing[0]) < 4e-4
    assert missing[1:] / missing[:-1] == pytest.approx(4, rel=0.15)
    assert found.frequency[1] == pytest.approx(critical.frequency, rel=1e-4)
    assert found.growth[0] < 0
    assert (np.diff(found.growth) > 0).all()
    assert (found.amplitude[0], found.work[0]) == (0, 0)
    assert np.isnan(found.frequency[0])
    assert np.isnan(found.points[0]).all()
    again = kc.limit_cycle(field, WELL, MASSES, bias=biases[-1])
    assert found.amplitude[-1] == pytest.approx(again.amplitude, rel=1e-6)
    assert found.rest[-1] == pytest.approx(again.rest, abs=1e-7)


def response_in_the_well(bias):
    """At the place of rest, by fixed-point iteration; what the well stiffens counts as Jacobian."""
    field, place = waterwheel(bias=bias), np.zeros(2)
    for _ in range(60):
        place = (field(place).force - 5 * place**3) / 0.4
    response = field(place)
    return kc.ForceResponse.from_arrays(
        friction=response.friction,
        jacobian=response.jacobian - np.diag(15 * place**2),
        bias=bias or 1.0,
    )


def test_where_there_is_no_cycle():
    with pytest.raises(kc.NoCycleError, match="about the place of rest decay") as e:
        kc.limit_cycle(waterwheel(bias=0.02), WELL, MASSES)
    assert e.value.reason == "decays"
    with pytest.raises(kc.NoCycleError, match="it runs away") as e:
        kc.limit_cycle(waterwheel(bias=0.06), WELL, MASSES, max_amplitude=0.1)
    assert e.value.reason == "runs away"
    with pytest.raises(kc.NoCycleError, match="not ended after 3 turns") as e:
        kc.limit_cycle(waterwheel(bias=0.06), WELL, MASSES, max_turns=3)
    assert e.value.reason == "not found"
    cycle = kc.limit_cycle(waterwheel(bias=0.03), WELL, MASSES)
    with pytest.raises(kc.NoCycleError, match="and decays") as e:
        kc.limit_cycle(waterwheel(bias=0.02), WELL, MASSES, start=cycle)
    assert e.value.reason == "decays"
    found = kc.limit_cycles(waterwheel(), WELL, MASSES, [0.06, 0.02], max_amplitude=0.1)
    assert found.outcome == ("runs away", "rest")
    assert np.isnan(found.amplitude[0])
    assert found.amplitude[1] == 0


def test_a_start_from_another_bias():
    start = kc.limit_cycle(waterwheel(bias=0.03), WELL, MASSES, n_points=11)
    near = kc.limit_cycle(waterwheel(bias=0.031), WELL, MASSES, start=start)
    far = kc.limit_cycle(waterwheel(), WELL, MASSES, bias=0.031)
    assert near.points.shape == (17, 2)
    assert near.amplitude == pytest.approx(far.amplitude, rel=1e-6)
    assert near.n_solved < far.n_solved
    # The reversed current turns the other way.
    back = kc.limit_cycles(waterwheel(), WELL, MASSES, [1.0, 1.1], direction=-0.031)
    assert back.amplitude[0] > 0
    assert back.critical < 1


def test_cycles_beside_a_stable_place_of_rest():
    """Hysteresis: where friction falls with the amplitude, cycles go on below the onset."""
    syst, moving = two_levels()
    field = DenseField(syst, moving, 0.0)
    well = kc.QuarticPotential(0.4 * np.eye(2), 20.0)
    up = kc.limit_cycles(field, well, MASSES, [0.12, 0.14], max_amplitude=0.5)
    down = kc.limit_cycles(field, well, MASSES, [0.14, 0.12], max_amplitude=0.5)
    assert up.outcome == ("rest", "cycle")
    assert down.outcome == ("cycle", "cycle")
    assert down.amplitude[0] == pytest.approx(up.amplitude[1], rel=1e-6)
    assert 0.12 < up.critical < 0.14
    assert down.growth[1] < 0
    assert down.critical == pytest.approx(up.critical, rel=1e-8)
    # No line from the onset is drawn.
    assert down.plot().lines[0].get_ydata() == pytest.approx(down.amplitude[::-1])
    assert up.plot().lines[0].get_xdata()[1] == up.critical
    # What is found there is a motion that goes on, and a stable one.
    known = dict(bias=down.voltage[1], max_amplitude=0.5, multipliers=True)
    start = kc.limit_cycle(field, well, MASSES, bias=0.14, max_amplitude=0.5)
    cycle = kc.limit_cycle(field, well, MASSES, start=start, **known)
    assert cycle.amplitude == pytest.approx(down.amplitude[1], rel=1e-5)
    assert cycle.is_stable
    plt.close("all")


def test_friction_out_of_equilibrium_and_other_leads():
    """The velocity tensor where the field has it; shifts by lead are those of a bias."""
    place, masses = np.array([0.07, -0.04]), np.array([1000.0, 800.0])
    for velocity in (False, True):
        field = waterwheel(kc.ResponseField, bias=0.3, velocity=velocity)
        search = search_of(field, WELL, masses, 1e-3, 1.0)
        local = search.equation.local_at(np.sqrt(masses) * place[None])
        response = field(place)
        gamma = response.velocity if velocity else response.friction
        expected = gamma / np.sqrt(np.outer(masses, masses)) + 1e-3 * np.eye(2)
        assert local.damping[0] == pytest.approx(expected, rel=1e-12)
    assert search.equation.shifts() == pytest.approx([0.15, -0.15])
    other = search.at_bias({0: 0.1}).equation
    assert other.shifts() == pytest.approx([0.1, 0])
    assert other.error == 0
    assert (
        search_of(waterwheel(linear=False, rtol=1e-3), WELL, masses, 0.0, 1.0).equation.error
        == 1e-3
    )


@pytest.mark.heavy
def test_the_cycle_of_a_kwant_system(cycle):
    """With the electrons solved for by Kwant; few points say so."""
    field = waterwheel(kc.ResponseField, bias=0.03)
    with pytest.warns(RuntimeWarning, match="give n_points=17"):
        found = kc.limit_cycle(field, WELL, MASSES, n_points=9)
    assert found.amplitude == pytest.approx(cycle.amplitude, rel=1e-4)
    assert found.n_solved < 130
    assert found.warnings[0].startswith("The last harmonics that 9 points hold")


def a_limit_cycle():
    """One that only has all fields."""
    points = np.array([[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]])
    known = dict(work=0.3, friction_loss=0.2, damping_loss=0.1, growth=0.01)
    return kc.LimitCycle(
        bias=np.array([0.1, -0.1]),
        period=6.0,
        points=points,
        velocities=points[:, ::-1],
        rest=np.zeros(2),
        masses=np.ones(2),
        residual=1e-7,
        truncation=1e-4,
        n_solved=51,
        multipliers=np.array([1, 0.5 + 0.1j, 0.5 - 0.1j, 0.3]),
        units=kc.EV_ANGSTROM_AMU,
        **known,
    )


def two_biases():
    """Two biases, one without a cycle."""
    none, numbers = np.full((1, 3, 2), np.nan), np.array([0.0, 0.3])
    return kc.LimitCycles(
        voltage=numbers,
        outcome=("rest", "cycle"),
        amplitude=numbers,
        frequency=np.array([np.nan, 1.0]),
        work=numbers,
        growth=numbers,
        rest=np.zeros((2, 2)),
        points=np.concatenate([none, a_limit_cycle().points[None]]),
        critical=0.2,
    )


def test_results_are_kept_and_drawn(cycle, tmp_path):
    assert repr(cycle).startswith("<LimitCycle of 2 coordinates: amplitude 0.1086")
    assert repr(cycle).endswith("a turn; stable>")
    cycle.save(tmp_path / "cycle.npz")
    again = kc.load(tmp_path / "cycle.npz")
    assert np.array_equal(again.points, cycle.points)
    assert np.array_equal(again.multipliers, cycle.multipliers)
    assert again.is_stable
    with pytest.raises(ValueError, match="read-only"):
        cycle.points[0] = 0
    assert set(cycle.to_xarray().dims) == {"lead", "point", "coordinate", "deviation"}
    ax = cycle.plot(label="a cycle")
    assert ax.get_xlabel() == "coordinate 0"
    with pytest.raises(ValueError, match="expected two of 0 to 1"):
        cycle.plot(coordinates=(0, 2))
    one = dataclasses.replace(
        cycle, **{name: getattr(cycle, name)[:, :1] for name in ("points", "velocities")}
    )
    assert one.plot().get_ylabel() == "its velocity"
    cycles = kc.limit_cycles(waterwheel(), WELL, MASSES, [0.02, 0.03])
    assert repr(cycles).startswith(
        "<LimitCycles at 2 biases: 1 rest, 1 cycle; vibrations grow from"
    )
    cycles.save(tmp_path / "cycles.npz")
    assert kc.load(tmp_path / "cycles.npz").outcome == ("rest", "cycle")
    for quantity in ("amplitude", "work", "frequency"):
        ax = kc.plot(cycles, quantity=quantity)
        assert "onset" in [text.get_text() for text in ax.get_legend().get_texts()]
    with pytest.raises(ValueError, match="expected one of amplitude, work, frequency"):
        cycles.plot(quantity="size")
    plt.close("all")


def test_what_users_may_get_wrong(cycle):
    field = waterwheel(bias=0.03)
    for text, error, arguments, keywords in (
        ("expected a ResponseField", TypeError, ("x", WELL, MASSES), {}),
        ("expected a function", TypeError, (field, 0.4, MASSES), {}),
        ("expected one per coordinate", ValueError, (field, WELL, 1000.0), {}),
        ("masses", ValueError, (field, WELL, -MASSES), {}),
        ("damping", ValueError, (field, WELL, MASSES), {"damping": -1}),
        ("odd number", ValueError, (field, WELL, MASSES), {"n_points": 16}),
        ("max_amplitude", ValueError, (field, WELL, MASSES), {"max_amplitude": 0}),
        ("rtol", ValueError, (field, WELL, MASSES), {"rtol": -1.0}),
        ("multipliers", TypeError, (field, WELL, MASSES), {"multipliers": 1}),
        ("expected a LimitCycle", TypeError, (field, WELL, MASSES), {"start": [1, 2]}),
        ("one a row", ValueError, (field, lambda q: (0.2 * (q**2).sum(), -0.4 * q), MASSES), {}),
        ("returned a ndarray", ValueError, (field, lambda q: -0.4 * q, MASSES), {}),
        ("not finite", ValueError, (field, lambda q: (np.nan * q[:, 0], -q), MASSES), {}),
        ("no vibration", ValueError, (field, push, MASSES), {}),
        ("one of 3 coordinates", ValueError, (field, kc.QuarticPotential(np.eye(3)), MASSES), {}),
    ):
        with pytest.raises(error, match=text):
            kc.limit_cycle(*arguments, **keywords)
    other = dataclasses.replace(cycle, points=cycle.points[:, :1])
    with pytest.raises(ValueError, match="start has 1 coordinates; expected 2"):
        kc.limit_cycle(field, WELL, MASSES, start=other)
    with pytest.raises(ValueError, match="expected a list of finite numbers"):
        kc.limit_cycles(field, WELL, MASSES, 0.03)
    with pytest.raises(ValueError, match="expected numbers that are not negative, one or 2"):
        kc.QuarticPotential(np.eye(2), -1.0)


def push(q):
    """A hill in the first coordinate."""
    return np.zeros(len(q)), q * [0.4, -0.4]


def test_the_quartic_potential_by_differences():
    rng = np.random.default_rng(3)
    springs = rng.normal(size=(3, 3))
    potential = kc.QuarticPotential(springs + springs.T, [1.0, 0.0, 2.0])
    places, step = rng.normal(size=(4, 3)), 1e-4
    force = potential(places)[1]
    for i, away in enumerate(step * np.eye(3)):
        slope = (potential(places + away)[0] - potential(places - away)[0]) / (2 * step)
        assert force[:, i] == pytest.approx(-slope, abs=1e-6)


# G_L, G_R, lambda, eps, mu, V of a resonant level, and kT.
LEVEL = 0.3, 0.5, 0.8, 0.2, 0.1, 0.9


def resonant_level():
    left, right, slope, level, _, _ = LEVEL
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[lattice(0)] = lambda site, x: level + slope * x
    for half in (left, right):
        sigma = np.array([[-1j * half]])
        lead = kwant.builder.SelfEnergyLead(lambda *_, s=sigma, **__: s, [lattice(0)], [])
        builder.leads.append(lead)
    return builder.finalized()


def level_in_closed_form(x):
    """Force less that of equilibrium, friction, noise and dF/dX at a bias, T = 0."""
    left, right, slope, level, mu, bias = LEVEL
    half, level = left + right, level + slope * x
    widths, shifts = np.array([left, right]), mu + np.array([0.5, -0.5]) * bias

    def filled(e):
        return 0.5 + np.arctan((e - level) / half) / np.pi

    def squares(e):
        """int dE/[(E - eps)^2 + G^2]^2 from eps."""
        z = e - level
        return (z / (z**2 + half**2) + np.arctan(z / half) / half) / (2 * half**2)

    force = -slope * widths @ (filled(shifts) - filled(mu)) / half
    lorentzian = (shifts - level) ** 2 + half**2
    friction = slope**2 / np.pi * half * widths @ lorentzian**-2.0
    noise = 2 * slope**2 / np.pi * left * right * (squares(shifts[0]) - squares(shifts[1]))
    jacobian = slope**2 / np.pi * widths @ (1 / lorentzian - 1 / ((mu - level) ** 2 + half**2))
    return force, friction, noise, jacobian


def test_a_resonant_level_along_its_coordinate():
    """F(X), gamma(X), S(X) of the whole window, wherever the level is moved to."""
    seen = 0.0248079728, 0.1758267224, 0.1103394007, -0.0625053927
    assert level_in_closed_form(0.0) == pytest.approx(seen, abs=3e-9)
    field = kc.ResponseField(
        resonant_level(),
        kc.Parameters("x"),
        LEVEL[4],
        bias=LEVEL[5],
        linear=False,
        jacobian=True,
        velocity=True,
        noise=True,
        params={"x": 0.0},
        rtol=1e-6,
    )
    for x in (-0.9, 0.0, 0.4):
        found = field([x])
        values = (found.force[0], found.velocity[0, 0], found.noise[0, 0], found.jacobian[0, 0])
        assert values == pytest.approx(level_in_closed_form(x), abs=2e-7), x
