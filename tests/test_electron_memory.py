"""Electrons whose friction depends on the frequency: what they remember, and heating with it.

The response of the electrons' force to motion at a frequency is calculated here by quadrature with
dense matrices, Lambda(omega) = -int dE Tr[F_I G(E + omega) F_J rho(E) + F_I rho(E) F_J G^+(E -
omega)]: another route than the traces of pairs of states from which the spectrum comes.
"""

import warnings

import numpy as np
import pytest
from scipy.integrate import trapezoid
from systems import two_levels

import kwant_curl as kc
from kwant_curl.algebra.memory import evolution
from kwant_curl.algebra.remembered import remembered
from kwant_curl.vibrations.electron_memory import electron_memory

MU, BIAS, KT = 0.1, 0.8, 0.02
OMEGA = np.concatenate([np.linspace(0.02, 1, 20), np.linspace(1.1, 4, 12)])
AT = {"bias": BIAS, "temperature": KT, "rtol": 1e-3}
ENERGIES = np.linspace(-30, 4, 20001)


def dense_responses(omegas):
    """Lambda(omega) of the two levels, (n_omega, 2, 2)."""
    syst, coordinates = two_levels()
    force = -np.array(coordinates.matrices)
    h, widths = syst.hamiltonian_submatrix(), np.zeros((2, 2, 2))
    widths[0, 0, 0], widths[1, 1, 1] = 0.6, 0.2

    def green(e):
        return np.linalg.inv(e[:, None, None] * np.eye(2) - h + 0.5j * widths.sum(axis=0))

    levels = MU + np.array([BIAS / 2, -BIAS / 2])
    filled = 1 / (1 + np.exp(np.clip((ENERGIES[:, None] - levels) / KT, -500, 500)))
    g = green(ENERGIES)
    rho = np.einsum("ea,eij,ajk,elk->eil", filled, g, widths, g.conj(), optimize=True)
    path = "imn,enp,jpq,eqm->ije"
    result = []
    for omega in omegas:
        later, earlier = green(ENERGIES + omega), green(ENERGIES - omega).conj().swapaxes(1, 2)
        of_both = np.einsum(path, force, later, force, rho, optimize=True)
        of_both += np.einsum(path, force, rho, force, earlier, optimize=True)
        result.append(-trapezoid(of_both, ENERGIES, axis=-1) / (2 * np.pi))
    return np.array(result)


def spectrum_of(frequencies, which=slice(None), **options):
    syst, coordinates = two_levels()
    chosen = kc.Matrices(coordinates.matrices[which])
    return kc.noise_spectrum(syst, chosen, MU, frequencies, **AT | options)


@pytest.fixture(scope="module")
def spectrum():
    return spectrum_of(OMEGA)


def response_of(which=slice(None), **options):
    syst, coordinates = two_levels()
    chosen = kc.Matrices(coordinates.matrices[which])
    options = {"velocity": True, **AT, **options}
    return kc.force_response(syst, chosen, MU, linear=False, noise=True, **options)


def one_mode(omega=0.3, mass=300.0):
    return kc.VibrationalModes.from_force_constants([[mass * omega**2]], mass)


def anti_hermitian(selfenergy):
    return -(selfenergy - selfenergy.conj().swapaxes(1, 2)) / 2j


@pytest.mark.heavy
def test_the_spectrum_is_the_anti_hermitian_part(spectrum):
    some = [2, 10, 25]
    expected = anti_hermitian(-dense_responses(OMEGA[some])) / OMEGA[some, None, None]
    np.testing.assert_allclose(spectrum.damping[some], expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.heavy
def test_the_hermitian_part_follows_by_causality(spectrum):
    """Against the dense response, less its value at rest, to the 1 % that a fit may miss."""
    omegas = np.array([0.05, 0.13, 0.3, 0.6, 1.0, 1.5])
    zero, *expected = dense_responses([0.0, *omegas])
    found = -remembered(spectrum.frequencies, spectrum.damping)(omegas)
    np.testing.assert_allclose(found, expected - zero, atol=0.015 * np.abs(zero).max())
    # Of the damping alone nothing like it follows: the Hermitian part matters.
    difference = expected - zero
    hermitian = 0.5 * (difference + difference.conj().swapaxes(1, 2))
    assert np.abs(hermitian).max() > 0.3 * np.abs(zero).max()


@pytest.mark.heavy
def test_the_damping_at_every_frequency(spectrum):
    """In the table and beyond its end, where it is constant."""
    memory = remembered(spectrum.frequencies, spectrum.damping)
    omegas = np.linspace(0.03, 3.9, 388)
    selfenergy = memory(omegas)
    found = anti_hermitian(selfenergy) / omegas[:, None, None]
    wanted = spectrum.at(omegas).damping
    size = np.abs(wanted.real).max(axis=(1, 2))
    size = np.maximum(size, 0.02 * size.max())
    assert (np.abs(found.real - wanted.real).max(axis=(1, 2)) < 0.015 * size).all()
    turning = (omegas * (found - wanted).imag.T).T
    still = spectrum.damping[0].imag * OMEGA[0]
    assert (np.abs(turning + still).max(axis=(1, 2)) < 0.015 * omegas * size).all()
    np.testing.assert_allclose(memory.friction, spectrum.damping[-1].real)
    assert (memory.poles.imag < 0).all()
    np.testing.assert_allclose(memory(0.0), 0.0, atol=1e-12)


@pytest.mark.heavy
def test_noise_over_damping_in_equilibrium():
    """Nyquist at every frequency: the spectrum's noise and the memory's damping."""
    kt = 0.2
    spectrum = spectrum_of(OMEGA, slice(1, 2), bias=0.0, temperature=kt)
    noise = spectrum.noise[:, 0, 0].real
    damping = remembered(spectrum.frequencies, spectrum.damping).damping(OMEGA)[:, 0, 0]
    np.testing.assert_allclose(noise / damping, OMEGA / np.tanh(OMEGA / (2 * kt)), rtol=0.02)


def test_constant_damping_is_friction():
    gamma = np.array([[0.3, 0.1], [0.1, 0.2]])
    omega = np.array([0.5, 1.0, 2.0])
    curl = 0.05j * np.array([[0, 1], [-1, 0]]) / omega[:, None, None]
    memory = remembered(omega, gamma + curl)
    assert not memory.poles.size
    np.testing.assert_allclose(memory.friction, gamma, rtol=1e-14)
    np.testing.assert_array_equal(memory.constant, 0.0)
    assert not remembered(np.array([1.0]), gamma[None] + 0j).poles.size
    assert not remembered(omega, np.zeros((3, 2, 2), complex)).friction.any()


def test_what_the_end_of_the_table_hides():
    """The antisymmetric damping of a short table is the response's; that of a long one its own."""
    response = response_of()
    short = spectrum_of([0.001, 0.002, 0.003])
    turning = 0.5 * (response.velocity - response.velocity.T)
    assert np.abs(turning).max() > 0.3 * np.abs(response.velocity).max()
    memory = electron_memory(short, response)
    found = (1j * memory.slope(0.0)).real
    np.testing.assert_allclose(0.5 * (found - found.T), turning, rtol=1e-6)
    alone = electron_memory(short, response_of(velocity=False))
    assert np.abs(alone.friction - alone.friction.T).max() < 0.01 * np.abs(turning).max()


@pytest.mark.heavy
def test_free_motion_has_the_complex_frequency():
    """Decay and shift of one mode's frequency, against the dense response there."""
    omega, mass = 0.3, 300.0
    modes, response = one_mode(omega, mass), response_of(slice(1, 2))
    spectrum = spectrum_of(OMEGA, slice(1, 2))
    motion = kc.langevin(
        response, modes, 400.0, noise=False, spectrum=spectrum, coordinates=[1.0], time_step=0.1,
        every=5,
    )  # fmt: skip
    still, moving = dense_responses([0.0, omega])[:, 1, 1] / mass
    expected = np.sqrt(omega**2 - (moving - still))
    # What the electrons remember of the start is over after 60; then q is one damped oscillation.
    q = motion.coordinates[0, motion.times > 60, 0]
    columns = np.stack([q[1:-1], q[:-2]], axis=1)
    one, two = np.linalg.lstsq(columns, q[2:], rcond=None)[0]
    root = np.roots([1, -one, -two])[0]
    found = np.abs(np.log(root).imag) / 0.5 + 1j * np.log(root).real / 0.5
    assert found.imag == pytest.approx(expected.imag, rel=0.02)
    assert found.real - omega == pytest.approx((expected - omega).real, rel=0.03)
    slow = response.friction[0, 0] / mass
    assert abs(2 * expected.imag / slow) < 0.85  # the damping of slow motion is another


@pytest.mark.heavy
def test_heating_where_friction_depends_on_the_frequency():
    """The number of phonons at a bias, within 5 %: golden rule, and quantum noise in time."""
    modes, response = one_mode(), response_of(slice(1, 2))
    spectrum = spectrum_of(OMEGA, slice(1, 2))
    rates = kc.mode_occupations(spectrum, modes)
    assert rates.damping[0] < 0.03 * modes.frequencies[0]
    motion = kc.langevin(
        response, modes, 2500.0, noise="quantum", spectrum=spectrum, seed=5, n_trajectories=800,
        every=10, time_step=0.5,
    )  # fmt: skip
    after = 600.0
    assert motion.occupation(after)[0] == pytest.approx(rates.occupation[0], rel=0.05)
    phonons = motion.energy[:, motion.times > after, 0].mean(axis=1) / modes.frequencies[0]
    assert phonons.std() / np.sqrt(800) < 0.025 * rates.occupation[0]
    # With the friction of slow motion it would be another number.
    slow = response.velocity[0, 0] / modes.masses[0]
    assert slow > 1.2 * rates.damping[0]


def test_a_table_too_coarse_is_said():
    """A line much narrower than the frequencies are apart."""
    omega = np.array([0.1, 0.28, 0.3, 0.32, 1.0, 3.0])
    spectrum = spectrum_of(omega, slice(1, 2))
    line = spectrum.lead_absorption * np.where(omega == 0.3, 40.0, 1.0).reshape(-1, 1, 1, 1, 1)
    peaked = type(spectrum)(
        **{name: getattr(spectrum, name) for name in spectrum.__dataclass_fields__}
        | {"lead_absorption": line, "spectrum": None}
    )
    response = response_of(slice(1, 2))
    with pytest.warns(RuntimeWarning, match=r"from that of the spectrum \(mode 0: .* more freq"):
        kc.langevin(response, one_mode(), 1.0, noise=False, spectrum=peaked)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kc.langevin(response, one_mode(), 1.0, noise=False, spectrum=spectrum)


def test_classical_noise_has_no_spectrum():
    spectrum = spectrum_of([0.3, 0.5], slice(1, 2))
    with pytest.raises(ValueError, match='expected noise="quantum" with it, or noise=False'):
        kc.langevin(response_of(slice(1, 2)), one_mode(), 1.0, seed=1, spectrum=spectrum)


@pytest.mark.parametrize("seed", range(10))
def test_equilibrium_does_not_grow(seed):
    """Random positive dampings, strong along one direction and weak along others."""
    rng = np.random.default_rng(seed)
    n, omega = 3, np.linspace(0.05, 6.0, 120)
    square = (omega**2)[:, None, None]
    damping = np.tile(1e-6 * np.eye(n, dtype=complex), (len(omega), 1, 1))
    for strength in 10.0 ** rng.uniform(-3, 0, 4):
        along, middle, width = rng.normal(size=n) * [1, 0.1, 0.01], *rng.uniform(0.5, 3, 2)
        line = width / ((square - middle**2) ** 2 + width**2 * square)
        damping += 0.05 * strength * line * np.outer(along, along)
    memory = remembered(omega, damping)
    springs = np.diag(rng.uniform(0.1, 4.0, n) ** 2)
    assert np.linalg.eigvals(evolution(springs, np.zeros((n, n)), memory)).real.max() < 0
    each = np.arange(n)
    found = memory.damping(omega)[:, each, each]
    inside = omega < 5
    wanted = damping.real[:, each, each]
    np.testing.assert_allclose(found[inside], wanted[inside], rtol=0.1)
