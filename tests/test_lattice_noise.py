"""Langevin dynamics with a lattice around, and with classical and quantum noise.

Second moments are those of an integral of |D(omega)|^2 S(omega), or of the explicit oscillators;
trajectories are compared with them within four standard errors of the mean over trajectories.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.linalg import expm, solve_continuous_lyapunov
from systems import two_levels

import kwant_curl as kc
from kwant_curl.algebra.coloured import (
    TabulatedSpectrum,
    ThermalSpectrum,
    coloured_noise,
    mean_energy,
    period,
)
from kwant_curl.algebra.dynamics import propagation
from kwant_curl.algebra.memory import evolution

OMEGA = np.array([0.6, 0.9, 1.2, 0.7, 1.0, 1.3])
GAMMA = np.full(6, 0.5)
COUPLING = 0.3 * np.array([[1, 0.2], [1, -0.3], [0.8, 0.5], [0.3, 1], [-0.2, 1], [0.1, 0.7]])
LEAD = np.array([0, 0, 0, 1, 1, 1])
LEADS = kc.PhononLeads.from_oscillators(OMEGA, GAMMA, COUPLING, LEAD)
FREQUENCIES = np.array([1.0, 1.3])


def modes_of(frequencies=FREQUENCIES, leads=LEADS):
    n = len(frequencies)
    return kc.VibrationalModes(np.array(frequencies), np.eye(n), np.ones(n), leads=leads)


def friction_leads(*rates, n=1):
    """Leads without memory."""
    nothing = np.zeros((len(rates), n, n))
    friction = np.array([rate * np.eye(n) for rate in rates])
    return kc.PhononLeads(np.empty(0), np.empty((0, n, n)), np.empty(0, int), nothing, friction)


def response_of(n=2, friction=0.0, temperature=0.3, bias=0.0, curl=0.0):
    """Electrons that damp all modes alike, with a curl between the first two."""
    kappa = np.zeros((n, n))
    kappa[:2, :2] = curl * np.array([[0, 1], [-1, 0]])[:n, :n]
    pairs = np.full((2, 2, n, n), 0.5 * friction * np.eye(n))
    return kc.ForceResponse(
        energy=0.0,
        bias=np.array([bias / 2, -bias / 2]),
        degeneracy=1.0,
        lead_force=np.zeros((2, n)),
        lead_curl=np.array([kappa, -kappa]),
        friction=friction * np.eye(n),
        temperature=temperature,
        pair_noise=pairs,
    )


def propagated(omega, modes, friction=0.0):
    """D(omega) of the modes."""
    n = len(modes)
    squares = (omega**2)[:, None, None] * np.eye(n) - np.diag(modes.frequencies**2)
    selfenergy = 0.0 if modes.leads is None else modes.leads.selfenergy(omega)
    return np.linalg.inv(squares - selfenergy + 1j * friction * omega[:, None, None] * np.eye(n))


GRID = np.linspace(1e-6, 30, 60001)


def exact_moments(modes, temperatures, *, quantum):
    """<q q>, <v v> and the heat that flows from lead 0 to lead 1, by integrals over omega."""
    d = propagated(GRID, modes)
    gammas = -2 * modes.leads.lead_selfenergy(GRID).imag
    held = [mean_energy(GRID, kt, quantum=quantum) for kt in temperatures]
    s = sum(g * (e / GRID)[:, None, None] for g, e in zip(gammas, held, strict=True))
    spectrum = (d @ s @ d.conj().swapaxes(1, 2)).real
    qq = trapezoid(spectrum, GRID, axis=0) / np.pi
    vv = trapezoid(spectrum * (GRID**2)[:, None, None], GRID, axis=0) / np.pi
    through = np.einsum("wij,wjk,wkl,wli->w", gammas[0], d, gammas[1], d.conj().swapaxes(1, 2))
    flow = trapezoid(through.real * (held[0] - held[1]), GRID) / (2 * np.pi)
    return qq, vv, flow


def check_mean(samples, expected, size):
    """Compare the mean over trajectories with what is expected; size: the largest error of it."""
    mean, error = samples.mean(axis=0), samples.std(axis=0) / np.sqrt(len(samples))
    assert (error < size).all()
    assert (np.abs(mean - expected) < 4 * error).all(), (mean, expected, error)


def explicit_covariance(temperatures):
    """<x x> of modes and oscillators, (q, x, q', x'), which have white noise of their kT."""
    n, m = 2, len(OMEGA)
    springs = np.block([[np.diag(FREQUENCIES**2), -COUPLING.T], [-COUPLING, np.diag(OMEGA**2)]])
    rates = np.concatenate([np.zeros(n), GAMMA])
    zero, one = np.zeros((n + m, n + m)), np.eye(n + m)
    whole = np.block([[zero, one], [-springs, -np.diag(rates)]])
    source = np.zeros((2 * (n + m),) * 2)
    kt = np.concatenate([np.zeros(n), np.array(temperatures)[LEAD]])
    source[n + m :, n + m :] = np.diag(2 * rates * kt)
    return solve_continuous_lyapunov(whole, -source), springs


# Formulas


def test_integrals_are_those_of_the_explicit_oscillators():
    """Second moments and heat flow: of the self-energy, and of what it was made of."""
    temperatures = 0.6, 0.2
    qq, vv, flow = exact_moments(modes_of(), temperatures, quantum=False)
    whole, _ = explicit_covariance(temperatures)
    np.testing.assert_allclose(qq, whole[:2, :2], rtol=1e-4)
    np.testing.assert_allclose(vv, whole[8:10, 8:10], atol=1e-4)
    momenta = np.diag(whole)[10:]
    from_first = (GAMMA * (temperatures[0] - momenta))[LEAD == 0].sum()
    assert flow == pytest.approx(from_first, rel=1e-4)
    canonical, springs = explicit_covariance((0.3, 0.3))
    np.testing.assert_allclose(canonical[:8, :8], 0.3 * np.linalg.inv(springs), rtol=1e-8)
    effective = np.diag(FREQUENCIES**2) + LEADS.selfenergy(0.0).real
    np.testing.assert_allclose(canonical[:2, :2], 0.3 * np.linalg.inv(effective), rtol=1e-8)


@pytest.mark.parametrize("quantum", [False, True])
def test_noise_and_damping_at_every_frequency(quantum):
    """S/(2 damping) is the mean energy of a mode; the damping that of Pi."""
    omega = np.array([0.0, 0.01, 0.3, 1.0, 7.0])
    memory = LEADS.memory(1)
    damping = memory.damping(omega)
    expected = -memory(omega[1:]).imag / omega[1:, None, None]
    np.testing.assert_allclose(damping[1:], expected, rtol=1e-12)
    np.testing.assert_allclose(damping[0], damping[1], rtol=1e-3)
    for kt in (0.0, 0.2):
        spectrum = ThermalSpectrum(memory, kt, quantum)(omega, 0.0)
        energy = np.full(5, kt)
        if quantum:
            energy = 0.5 * omega
            energy[1:] /= np.tanh(omega[1:] / (2 * kt)) if kt else 1.0
            energy[0] = kt
        np.testing.assert_allclose(spectrum, 2 * damping * energy[:, None, None], rtol=1e-12)


def test_what_is_generated_has_the_spectrum():
    """Averaged periodograms at all frequencies, of real and of complex matrices."""
    rng = np.random.default_rng(5)
    root = rng.normal(size=(3, 2, 2)) + 1j * rng.normal(size=(3, 2, 2))
    known = np.array([0.5, 4.0, 25.0])
    table = TabulatedSpectrum(known, root @ root.conj().swapaxes(1, 2))
    thermal = ThermalSpectrum(LEADS.memory(0), 0.2, True)
    step, n, samples = 0.1, 240, 4000
    for spectrum in (table, thermal):
        noise = coloured_noise(spectrum, n, step, (samples, 2), np.random.default_rng(1))
        # S = int dt exp(i omega t) <xi(t) xi(0)>: NumPy's transform has the other sign.
        found = np.fft.rfft(noise, axis=0).conj() * step
        periodogram = np.einsum("kti,ktj->kij", found, found.conj()) / (samples * n * step)
        omega = 2 * np.pi * np.fft.rfftfreq(n, step)
        expected = np.array(spectrum(omega, 0.0), complex)
        expected[[0, -1]] = expected[[0, -1]].real
        inside = omega < 25
        size = np.abs(expected[inside]).max(axis=(1, 2), keepdims=True)
        deviation = np.abs(periodogram - expected)[inside] / size
        assert deviation.max() < 6 * np.sqrt(2 / samples)
        assert deviation.mean() < 1 / np.sqrt(samples)
    np.testing.assert_allclose(table(np.array([0.0]), 0.0)[0].imag, 0, atol=1e-15)
    assert not table(np.array([25.1]), 0.0).any()


@pytest.mark.parametrize("slowest", [0.5, 0.05, 1e-7])
def test_the_end_of_a_trajectory_does_not_know_its_beginning(slowest):
    """The period is longer than what is used: no correlation wraps around.

    Of leads that remember for longer than eight durations it is what a period can hold of them.
    """
    step, n_steps = 0.2, 100
    length, width = period(n_steps, step, slowest)
    assert 2 * n_steps < length < 9 * n_steps
    assert (length > n_steps + 18 / (slowest * step)) == (not width) == (slowest == 0.5)
    leads = kc.PhononLeads.from_oscillators([1.0], [2 * slowest], [[0.3]])
    spectrum = ThermalSpectrum(leads.memory(), 1.0, False)
    noise = coloured_noise(spectrum, length, step, (4000, 1), np.random.default_rng(2), width)
    # A line that is narrower than the width has moved to the nearest frequency.
    lags = np.array([0, 7] if slowest == 1e-7 else [0, 7, n_steps])
    omega, times = np.sqrt(1 - slowest**2), step * lags
    # 2 kT int (domega/2 pi) (-Im Pi/omega) cos(omega t) of an oscillator, by hand
    decay = np.cos(omega * times) + slowest / omega * np.sin(omega * times)
    for time, expected in zip(times, 0.09 * np.exp(-slowest * times) * decay, strict=True):
        products = noise[0, :, 0] * noise[round(time / step), :, 0]
        check_mean(products, expected, 0.03 * np.mean(noise[0] ** 2))


def test_the_mean_of_a_damping_over_a_width():
    """In closed form, against sums; the strength of what is narrower than the width is kept."""
    memory = LEADS.memory(1)
    omega, width = np.array([0.0, 0.3, 1.0, 7.0]), 0.05
    fine = omega[:, None] + width * (np.arange(2000) + 0.5 - 1000) / 2000
    summed = memory.damping(fine.ravel()).reshape(*fine.shape, 2, 2).mean(axis=1)
    np.testing.assert_allclose(memory.damping(omega, width), summed, rtol=1e-6)
    narrow = kc.PhononLeads.from_oscillators([1.0], [1e-9], [[0.3]]).memory()
    grid = width * np.arange(200)
    strength = narrow.damping(grid, width)[:, 0, 0].sum() * width
    assert strength == pytest.approx(0.09 * np.pi / 2, rel=1e-3)


# Motion without noise


@pytest.mark.heavy
def test_fitted_leads_of_a_chain():
    """Leads whose poles are next to the axis: the atom has the temperature of its chain."""
    lattice = kc.Lattice.of_lead(kc.LatticeLead([[2.0]], [[-1.0]], [1.0]), 3)
    modes = lattice.modes([1], rtol=1e-3)
    response = kc.ForceResponse.from_arrays(
        friction=[[0.0]], curl=[[0.0]], noise=[[0.0]], temperature=0.2
    )
    found = kc.langevin(response, modes, 60.0, seed=1, n_trajectories=2000, every=20)
    late = found.velocities[:, found.times > 40, 0]
    check_mean((late**2).mean(axis=1), 0.2, 0.02 * 0.2)
    assert found.occupation(40.0)[0] == pytest.approx(0.2 / modes.frequencies[0], rel=0.05)
    assert found.effective_temperature(40.0)[0] == pytest.approx(0.2, rel=0.05)


def test_the_step_is_of_second_order():
    """Against the matrix exponential of all variables, with friction, constant and curl."""
    rng = np.random.default_rng(0)
    friction = np.array([0.03 * np.eye(2), [[0.02, 0.01], [0.01, 0.05]]])
    leads = kc.PhononLeads(LEADS.poles, LEADS.residues, LEADS.lead, 2 * friction, friction)
    modes, response = modes_of(leads=leads), response_of(friction=0.02, curl=0.05, bias=0.5)
    stiffness = np.diag(FREQUENCIES**2) + 0.5 * response.curl
    whole = evolution(stiffness, 0.12 * np.eye(2), leads.memory())
    q, v = rng.normal(size=(2, 2))
    start = np.zeros(len(whole))
    start[:4] = *q, *v
    expected = (expm(8.0 * whole) @ start)[:4]
    errors = []
    for step in (0.1, 0.05):
        motion = kc.langevin(
            response, modes, 8.0, coordinates=q, velocities=v, noise=False, time_step=step,
            damping=0.1,
        )  # fmt: skip
        found = [*motion.coordinates[0, -1], *motion.velocities[0, -1]]
        errors.append(np.abs(found - expected).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert errors[1] < 1e-3


@pytest.mark.heavy
def test_heat_is_what_the_modes_gain():
    """Without electrons all energy comes in from leads; with noise of all kinds."""
    leads = kc.PhononLeads(
        LEADS.poles, LEADS.residues, LEADS.lead, np.zeros((2, 2, 2)), [0 * np.eye(2), np.eye(2)]
    )
    for around, noise in ((LEADS, "quantum"), (leads, "classical"), (leads, False)):
        motion = kc.langevin(
            response_of(), modes_of(leads=around), 30.0, coordinates=[1.0, 0.5], noise=noise,
            time_step=0.01, seed=None if noise is False else 4,
        )  # fmt: skip
        energy = motion.energy[0].sum(axis=1)
        gained = motion.heat[0].sum(axis=1)
        np.testing.assert_allclose(gained, energy - energy[0], atol=2e-3)
        assert motion.heat.shape == (1, len(motion.times), 2)
    assert kc.langevin(response_of(), modes_of(leads=None), 1.0, noise=False).heat is None


def test_without_leads_nothing_has_changed():
    """Number by number: steps of BAOAB with the random numbers that the seed gives."""
    response, modes = response_of(friction=0.1), modes_of(leads=None)
    motion = kc.langevin(response, modes, 3.0, seed=7, n_trajectories=4)
    step = 3.0 / (len(motion.times) - 1)
    move = propagation(np.diag(FREQUENCIES**2), 0.1 * np.eye(2), response.noise, step)
    generator = np.random.default_rng(np.random.default_rng(7).integers(2**63, size=4))
    q = v = np.zeros((4, 2))
    for number in range(1, len(motion.times)):
        q, v = move.advance(q, v, generator.standard_normal(q.shape))
        np.testing.assert_array_equal(motion.coordinates[:, number], q)
    assert motion.noise == "classical"
    same = kc.langevin(response, modes, 3.0, seed=7, n_trajectories=4, noise="classical")
    np.testing.assert_array_equal(same.velocities, motion.velocities)


# Equilibrium, and heat that flows


@pytest.mark.heavy
@pytest.mark.parametrize("noise", ["classical", "quantum"])
def test_equilibrium_with_a_lattice(noise):
    """Canonical with the springs that the lattice softens; quantum, by coth at all frequencies."""
    kt = 0.3
    qq, vv, flow = exact_moments(modes_of(), (kt, kt), quantum=noise == "quantum")
    assert flow == 0
    if noise == "classical":
        np.testing.assert_allclose(vv, kt * np.eye(2), atol=1e-4)
    motion = kc.langevin(
        response_of(temperature=kt), modes_of(), 320.0, noise=noise, n_trajectories=250, every=10,
        seed=1, time_step=0.08,
    )  # fmt: skip
    late = motion.times > 80
    for values, expected in ((motion.coordinates, qq), (motion.velocities, vv)):
        squares = (values[:, late] ** 2).mean(axis=1)
        check_mean(squares, np.diag(expected), 0.02 * np.diag(expected).max())
    flowed = (motion.heat[:, -1] - motion.heat[:, late.argmax()]) / (320.0 - 80)
    check_mean(flowed, 0.0, 1e-3)
    if noise == "classical":  # of the velocities: the lattice softens the springs by a third
        np.testing.assert_allclose(motion.effective_temperature(80.0), kt, rtol=0.05)


@pytest.mark.heavy
@pytest.mark.parametrize(("noise", "n"), [("classical", 400), ("quantum", 1000)])
def test_heat_between_two_leads(noise, n):
    """Landauer's formula for phonons, within 2 %: int dw/2pi w T(w) (n_0 - n_1)."""
    temperatures = {0: 2.0, 1: 0.0}
    *_, flow = exact_moments(modes_of(), temperatures.values(), quantum=noise == "quantum")
    motion = kc.langevin(
        response_of(), modes_of(), 620.0, noise=noise, n_trajectories=n, every=40, seed=3,
        time_step=0.15, lead_temperatures=temperatures,
    )  # fmt: skip
    late = int((motion.times > 60).argmax())
    rate = (motion.heat[:, -1] - motion.heat[:, late]) / (motion.times[-1] - motion.times[late])
    through = 0.5 * (rate[:, 0] - rate[:, 1])
    assert through.std() / np.sqrt(n) < 0.008 * flow
    assert through.mean() == pytest.approx(flow, rel=0.02)


@pytest.mark.heavy
def test_heat_by_friction_without_memory():
    """One mode between white leads: Gamma_0 Gamma_1 (T_0 - T_1)/(Gamma_0 + Gamma_1)."""
    modes = modes_of([1.0], friction_leads(0.2, 0.4))
    motion = kc.langevin(
        response_of(1), modes, 320.0, n_trajectories=800, every=20, seed=3,
        lead_temperatures={0: 1.0, 1: 0.4},
    )  # fmt: skip
    late = int((motion.times > 20).argmax())
    rate = (motion.heat[:, -1] - motion.heat[:, late]) / (motion.times[-1] - motion.times[late])
    expected = 0.2 * 0.4 / 0.6 * 0.6
    check_mean(rate, [expected, -expected], 0.02 * expected)
    energy = motion.energy[:, late:, 0].mean(axis=1)
    check_mean(energy, (0.2 * 1.0 + 0.4 * 0.4) / 0.6, 0.01)


def test_quantum_noise_of_friction():
    """Electrons in equilibrium and other damping: coth, up to the cutoff."""
    friction, damping, kt, cutoff = 0.06, 0.1, 0.1, 8.0
    modes = modes_of([1.0], None)
    total = friction + damping
    omega = GRID[cutoff > GRID]
    chi = np.abs(propagated(omega, modes, total)[:, 0, 0]) ** 2
    s = 2 * total * mean_energy(omega, kt, quantum=True)
    expected = np.array([trapezoid(chi * s * omega**k, omega) / np.pi for k in (0, 2)])
    assert expected[0] == pytest.approx(0.5 / np.tanh(0.5 / kt), rel=0.06)
    motion = kc.langevin(
        response_of(1, friction, kt), modes, 250.0, noise="quantum", damping=damping,
        cutoff=cutoff, n_trajectories=1000, every=10, seed=2, time_step=0.1,
    )  # fmt: skip
    late = motion.times > 50
    for values, exact in zip((motion.coordinates, motion.velocities), expected, strict=True):
        check_mean((values[:, late, 0] ** 2).mean(axis=1), exact, 0.01 * exact)
    n = motion.occupation(50.0)
    assert n[0] == pytest.approx(expected.sum() / 2 - 0.5, abs=0.01)
    temperature = motion.effective_temperature(50.0)
    assert 1 / np.expm1(1 / temperature[0]) == pytest.approx(n[0])


# Heating


def one_mode(bias, omega=0.03, mass=5000.0, **options):
    """A level pair whose coupling follows one mode: response, spectrum, modes."""
    syst, coordinates = two_levels()
    one = kc.Matrices(coordinates.matrices[1:])
    at = {"bias": bias, "temperature": 0.02, "rtol": 1e-3, **options}
    response = kc.force_response(syst, one, 0.1, linear=False, noise=True, velocity=True, **at)
    modes = kc.VibrationalModes.from_force_constants([[mass * omega**2]], mass)
    return response, kc.noise_spectrum(syst, one, 0.1, [0.01, 0.03, 0.1, 0.3], **at), modes


@pytest.mark.heavy
def test_heating_by_rates_and_by_trajectories():
    """The number of phonons at a bias, within 5 %: golden rule, and quantum noise in time."""
    response, spectrum, modes = one_mode(0.8)
    rates = kc.mode_occupations(spectrum, modes)
    assert rates.damping[0] < 0.05 * modes.frequencies[0]
    assert rates.effective_temperature[0] > 5 * 0.02
    motion = kc.langevin(
        response, modes, 12000.0, noise="quantum", spectrum=spectrum, seed=5, n_trajectories=1500,
        every=40, time_step=3.0,
    )  # fmt: skip
    after = 5000.0
    assert motion.occupation(after)[0] == pytest.approx(rates.occupation[0], rel=0.05)
    energies = motion.energy[:, motion.times > after, 0].mean(axis=1) / modes.frequencies[0]
    assert energies.std() / np.sqrt(1500) < 0.02 * rates.occupation[0]


# What the user should be told


def test_executors_and_memory():
    modes, response = modes_of(), response_of()
    options = {"noise": "quantum", "seed": 3, "n_trajectories": 6, "max_memory": 5e5}
    one = kc.langevin(response, modes, 40.0, **options)
    with ThreadPoolExecutor(2) as threads:
        two = kc.langevin(response, modes, 40.0, executor=threads, progress=False, **options)
    np.testing.assert_array_equal(one.coordinates, two.coordinates)
    np.testing.assert_array_equal(one.heat, two.heat)
    assert np.unique(np.round(one.coordinates[:, -1, 0], 12)).size == 6
    with pytest.raises(ValueError, match=r"one trajectory takes .* max_memory=1e\+03.*shorter"):
        kc.langevin(response, modes, 40.0, noise="quantum", seed=3, max_memory=1e3)


def test_saved(tmp_path):
    motion = kc.langevin(response_of(), modes_of(), 5.0, noise="quantum", seed=1)
    motion.save(tmp_path / "motion")
    back = kc.load(tmp_path / "motion")
    assert back.noise == "quantum"
    np.testing.assert_array_equal(back.heat, motion.heat)
    assert motion.to_xarray().heat.dims == ("trajectory", "time", "lead")
    with pytest.raises(ValueError, match="the motion ends at 5"):
        motion.occupation(6.0)


def test_bad_input():
    response, modes = response_of(), modes_of()
    quantum = {"noise": "quantum", "seed": 1}
    spectrum = one_mode(0.0)[1]
    with pytest.raises(TypeError, match="noise is 'thermal'; expected 'classical', 'quantum'"):
        kc.langevin(response, modes, 1.0, noise="thermal")
    with pytest.raises(ValueError, match="seed is not given"):
        kc.langevin(response, modes, 1.0, noise="quantum")
    with pytest.raises(ValueError, match=r"at the bias .* pass spectrum=noise_spectrum"):
        kc.langevin(response_of(bias=0.5), modes, 1.0, **quantum)
    with pytest.raises(ValueError, match=r"lead_temperatures\[0\] is -0.1"):
        kc.langevin(response, modes, 1.0, seed=1, lead_temperatures={0: -0.1})
    with pytest.raises(ValueError, match="names lead 2, but the leads are 0 to 1"):
        kc.langevin(response, modes, 1.0, seed=1, lead_temperatures={2: 0.1})
    with pytest.raises(ValueError, match="names lead 0, but the modes have no leads"):
        kc.langevin(response, modes_of(leads=None), 1.0, seed=1, lead_temperatures={0: 0.1})
    with pytest.raises(ValueError, match="lead_temperatures are those of noise, which is off"):
        kc.langevin(response, modes, 1.0, noise=False, lead_temperatures={0: 0.1})
    with pytest.raises(ValueError, match="cutoff is that of quantum noise"):
        kc.langevin(response, modes, 1.0, seed=1, cutoff=5.0)
    with pytest.raises(ValueError, match=r"cutoff is 0\.5, below the fastest motion"):
        kc.langevin(response, modes, 1.0, cutoff=0.5, **quantum)
    with pytest.raises(TypeError, match="spectrum is a str; expected a NoiseSpectrum"):
        kc.langevin(response, modes, 1.0, spectrum="x", **quantum)
    with pytest.raises(ValueError, match="of 1 coordinates and the modes are of 2"):
        kc.langevin(response, modes, 1.0, spectrum=spectrum, **quantum)


@pytest.mark.heavy
def test_spectra_of_another_response():
    response, spectrum, modes = one_mode(0.2)
    quantum = {"noise": "quantum", "seed": 1}
    other = one_mode(0.2, temperature=0.03)[1]
    with pytest.raises(ValueError, match=r"spectrum is at temperature = 0\.03 .* 0\.02"):
        kc.langevin(response, modes, 1.0, spectrum=other, **quantum)
    with pytest.raises(ValueError, match=r"The spectrum ends at the frequency 0\.02"):
        kc.langevin(response, modes, 1.0, spectrum=spectrum.at([0.01, 0.02]), **quantum)
    with pytest.raises(ValueError, match=r"The spectrum begins at the frequency 0\.05, .* 0\.03"):
        kc.langevin(response, modes, 1.0, spectrum=spectrum.at([0.05, 0.2]), **quantum)
    assert kc.langevin(response, modes, 1.0, spectrum=spectrum, **quantum).noise == "quantum"
