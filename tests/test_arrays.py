"""Matrices and modes of other codes."""

import re

import kwant
import numpy as np
import pytest
from scipy import sparse
from scipy.integrate import quad
from scipy.linalg import eigvals
from systems import two_levels

import kwant_curl as kc
from kwant_curl.support.storage import load

OMEGA = np.array([0.150, 0.152, 0.160, 0.161])


def from_sclmd(eta, xim, zeta1, zeta2, bias=1.0):
    """As docs/arrays.md has it."""
    return kc.ForceResponse.from_arrays(
        friction=eta, jacobian=bias * (xim - zeta1), velocity=eta + bias * zeta2, bias=bias
    )


def made_up(n=4, seed=7):
    """Matrices in the format of sclmd, in the basis of modes, per volt."""
    rng = np.random.default_rng(seed)
    root, off, springs, berry = rng.normal(size=(4, n, n))
    return (
        1e-4 * root @ root.T,
        2e-4 * (off - off.T),
        1e-4 * (springs + springs.T),
        1e-4 * (berry - berry.T),
    )


def inverse_q(omega, matrices, bias):
    """1/Q = -2 Im Omega/Re Omega of the equation of motion itself, by (L - lambda M) x = 0."""
    eta, xim, zeta1, zeta2 = matrices
    n = len(omega)
    springs = np.diag(omega**2) - bias * xim + bias * zeta1
    unit, none = np.eye(n), np.zeros((n, n))
    left = np.block([[none, unit], [-springs, -(eta + bias * zeta2)]])
    frequencies = 1j * eigvals(left, np.block([[unit, none], [none, unit]]))
    forward = frequencies[frequencies.real > 0]
    return np.sort(-2 * forward.imag / forward.real)


@pytest.mark.parametrize("given_at", [1.0, 0.2])
def test_inverse_q_factors_of_sclmd(given_at):
    matrices = made_up()
    response = from_sclmd(*matrices, bias=given_at)
    modes = kc.VibrationalModes(OMEGA, np.eye(4), 1.0)
    biases = [0.0, 0.3, 0.7, 1.0, -0.4]
    found = kc.stability(response, modes, biases).frequencies
    for bias, frequencies in zip(biases, found, strict=True):
        q = np.sort(-2 * frequencies.imag / frequencies.real)
        np.testing.assert_allclose(q, inverse_q(OMEGA, matrices, bias), atol=1e-13)
    critical = kc.critical_bias(response, modes, 5.0)
    assert 0 < critical < 5
    assert inverse_q(OMEGA, matrices, critical).min() == pytest.approx(0, abs=1e-10)
    pairs = kc.pumped_pairs(response.at_bias(0.5), modes)
    np.testing.assert_allclose(pairs.contributions.sum(axis=1), pairs.growth, atol=1e-12)


def test_names_and_signs_of_sclmd():
    """eta, xi^-, zeta1 and zeta2 from traces with spectral functions, against force_response."""
    rng = np.random.default_rng(1)
    syst, _ = two_levels()
    m = rng.normal(size=(3, 2, 2))
    m = m + m.transpose(0, 2, 1)
    mu, bias = 0.05, 0.02
    tensors = {"jacobian": True, "velocity": True}
    ours = kc.force_response(syst, kc.Matrices(list(m)), mu, bias=bias, **tensors)
    hamiltonian = np.array([[0.0, 0.3], [0.3, 0.0]])
    gammas = [np.diag([0.6, 0.0]), np.diag([0.0, 0.2])]
    sigma = -0.5j * sum(gammas)

    def green(energy):
        return np.linalg.inv(energy * np.eye(2) - hamiltonian - sigma)

    a_left, a_right = (green(mu) @ g @ green(mu).conj().T for g in gammas)
    real = 0.5 * (green(mu) + green(mu).conj().T)
    step = 1e-5
    slope = [0.5 * (green(e) + green(e).conj().T) for e in (mu + step, mu - step)]
    slope = (slope[0] - slope[1]) / (2 * step)

    def trace(a, b):
        return np.einsum("iab,bc,jcd,da->ij", m, a, m, b)

    difference = a_left - a_right
    eta = trace(a_left + a_right, a_left + a_right).real / (4 * np.pi)
    xim = trace(a_left, a_right).imag / (2 * np.pi)
    zeta1 = trace(difference, real).real / (2 * np.pi)
    zeta2 = trace(difference, slope).imag / (2 * np.pi)
    xim, zeta2 = 0.5 * (xim - xim.T), 0.5 * (zeta2 - zeta2.T)
    theirs = from_sclmd(eta, xim, 0.5 * (zeta1 + zeta1.T), zeta2, bias)
    np.testing.assert_allclose(theirs.friction, ours.friction, atol=1e-12)
    np.testing.assert_allclose(theirs.curl, ours.curl, atol=1e-12)
    np.testing.assert_allclose(theirs.jacobian, ours.jacobian, atol=1e-12)
    np.testing.assert_allclose(theirs.lorentz, ours.lorentz, atol=1e-10)
    assert np.abs([ours.curl.max(), ours.lorentz.max()]).min() > 1e-4


def arrays(seed=0, n=3):
    rng = np.random.default_rng(seed)
    root, jacobian, gamma, xi = rng.normal(size=(4, n, n))
    friction = root @ root.T
    return {
        "friction": friction,
        "jacobian": jacobian,
        "velocity": friction + gamma,
        "noise": xi @ xi.T,
        "force": rng.normal(size=n),
    }


BIASES = [1.0, -0.3, {0: 0.2}, {0: 0.1, 2: 0.3, 4: -0.2}]


@pytest.mark.parametrize("bias", BIASES, ids=str)
def test_arrays_come_back(bias, tmp_path):
    given = arrays()
    response = kc.ForceResponse.from_arrays(**given, bias=bias, temperature=0.02, energy=0.4)
    for name, array in given.items():
        np.testing.assert_allclose(getattr(response, name), array, rtol=1e-12, atol=1e-14)
    jacobian = given["jacobian"]
    np.testing.assert_allclose(response.curl, jacobian.T - jacobian, atol=1e-14)
    np.testing.assert_allclose(response.lead_curl.sum(axis=0), 0, atol=1e-12)
    scaled = {lead: 1.5 * shift for lead, shift in enumerate(response.bias)}
    other = response.at_bias(scaled)
    for name in ("force", "curl", "jacobian"):
        np.testing.assert_allclose(getattr(other, name), 1.5 * getattr(response, name), atol=1e-13)
    extra = 1.5 * (given["velocity"] - given["friction"])
    np.testing.assert_allclose(other.velocity, given["friction"] + extra, atol=1e-13)
    np.testing.assert_array_equal(other.friction, given["friction"])
    with pytest.raises(ValueError, match=r"noise was given at the bias .*not linear in the bias"):
        _ = other.noise
    np.testing.assert_array_equal(other.at_bias(bias).noise, response.noise)
    elsewhere = {lead: shift + 0.1 for lead, shift in enumerate(response.bias)}
    with pytest.raises(ValueError, match=r"expected a multiple of .* Give the arrays at that bias"):
        response.at_bias(elsewhere)
    assert response.at_bias({}).curl.any() == np.False_
    response.save(tmp_path / "file")
    again = load(tmp_path / "file").at_bias(scaled)
    np.testing.assert_array_equal(again.jacobian, other.jacobian)
    modes = np.random.default_rng(1).normal(size=(2, 3))
    projected = response.project(modes)
    np.testing.assert_allclose(projected.noise, modes @ given["noise"] @ modes.T, atol=1e-12)
    np.testing.assert_allclose(projected.force, modes @ given["force"], atol=1e-12)


def test_two_leads_are_those_of_force_response():
    ours = kc.force_response(*two_levels(), 0.0)
    theirs = kc.ForceResponse.from_arrays(friction=ours.friction, curl=ours.curl)
    np.testing.assert_allclose(theirs.lead_curl, ours.lead_curl, atol=1e-14)
    np.testing.assert_array_equal(theirs.bias, ours.bias)
    one, other = (r.pumping_rates(np.eye(2), 0.01, 1e6) for r in (ours, theirs))
    np.testing.assert_allclose(other.driving, one.driving, rtol=1e-12)
    np.testing.assert_allclose(other.threshold, one.threshold, rtol=1e-12)
    with pytest.raises(ValueError, match="holds no force: from_arrays was called without force="):
        _ = theirs.force
    with pytest.raises(ValueError, match="holds no jacobian: from_arrays was called without jac"):
        _ = theirs.jacobian
    with pytest.raises(ValueError, match="arrays of this result were given at one temperature"):
        theirs.at_temperature(0.1)
    assert "force" not in theirs.to_xarray() if pytest.importorskip("xarray") else True
    assert "<td>curl</td>" in theirs._repr_html_()


def test_dynamics_with_given_noise():
    """kT in each mode, of a noise that the friction goes with."""
    response = kc.ForceResponse.from_arrays(
        friction=0.2 * np.eye(2), curl=np.zeros((2, 2)), noise=0.04 * np.eye(2), temperature=0.1
    )
    modes = kc.VibrationalModes([1.0, 1.5], np.eye(2), 1.0)
    motion = kc.langevin(response, modes, 400.0, n_trajectories=60, every=40, seed=3)
    late = motion.energy[:, len(motion.times) // 4 :].mean(axis=(0, 1))
    np.testing.assert_allclose(late, 0.1, rtol=0.05)


EYE, ZERO = np.eye(2), np.zeros((2, 2))
TURN = np.array([[0.0, 1.0], [-1.0, 0.0]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"friction": np.ones(3)}, "friction has shape (3,); expected (n_c, n_c)"),
        ({"curl": np.zeros((3, 3))}, "curl has shape (3, 3); expected (2, 2), as friction"),
        ({"friction": EYE + 0.1 * TURN}, "friction is not symmetric: elements (0, 1) and (1, 0)"),
        ({"friction": 1j * EYE}, "friction has entries of type complex128; expected real"),
        ({"friction": [[np.nan, 0], [0, 1]]}, "friction has entries that are not finite"),
        ({"curl": EYE}, "curl is not antisymmetric: elements (0, 0) and (0, 0)"),
        ({}, "Neither curl nor jacobian is given"),
        ({"curl": TURN, "jacobian": EYE}, "contradict each other, by up to 1; expected curl"),
        ({"curl": TURN, "jacobian": 0.5 * TURN}, "They differ in sign: jacobian[I, J] is dF_I"),
        ({"curl": ZERO, "noise": -EYE}, "noise has the negative eigenvalue -1 "),
        ({"curl": ZERO, "noise": EYE + TURN}, "noise is not symmetric"),
        ({"curl": ZERO, "force": np.ones(3)}, "force has shape (3,) and type float64"),
        ({"curl": ZERO, "bias": 0.0}, "bias is 0.0, which drives no current"),
        ({"curl": ZERO, "bias": {0: 1.0, 1: 1.0}}, "which drives no current"),
        ({"curl": ZERO, "positions": np.zeros((2, 2))}, "positions has shape (2, 2)"),
        ({"curl": ZERO, "sites": [1, 1]}, "sites is [1 1]; expected each site once"),
        ({"curl": ZERO, "temperature": -1.0}, "temperature is -1.0"),
        ({"curl": ZERO, "temperature": 300, "units": kc.EV_ANGSTROM_AMU}, "kT is expected"),
    ],
)
def test_arrays_that_are_none(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        kc.ForceResponse.from_arrays(**{"friction": EYE, **given})


def test_rounding_of_arrays_is_left_out():
    error = 1e-8 * np.array([[1.0, 2.0], [-3.0, 1.0]])
    response = kc.ForceResponse.from_arrays(
        friction=EYE + error, curl=TURN + error, noise=np.ones((2, 2)) - 1e-8 * EYE
    )
    for tensor, sign in ((response.friction, 1), (response.curl, -1), (response.noise, 1)):
        np.testing.assert_allclose(tensor, sign * tensor.T, atol=1e-16)
    assert np.linalg.eigvalsh(response.noise).min() > -1e-15
    half = kc.ForceResponse.from_arrays(friction=EYE, curl=TURN, jacobian=-0.5 * TURN)
    np.testing.assert_array_equal(half.curl, TURN)


def test_negative_friction_is_said():
    with pytest.warns(RuntimeWarning, match=r"negative eigenvalue -1 .*belongs to velocity"):
        response = kc.ForceResponse.from_arrays(friction=np.diag([2.0, -1.0]), curl=ZERO)
    assert len(response.warnings) == 1


# Couplings of electron-phonon codes


def resonant_level(width=0.4):
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[lattice(0)] = 0.1

    def sigma(energy, args=(), params=None):
        return np.array([[-0.25j * width]])

    for _ in range(2):
        builder.leads.append(kwant.builder.SelfEnergyLead(sigma, [lattice(0)], parameters=[]))
    return builder.finalized()


def test_couplings_of_a_resonant_level():
    """Friction omega (M Gamma/(x^2 + Gamma^2/4))^2/(2 pi) 2, and the golden rule's integrals."""
    width, level, mu, omega = 0.4, 0.1, 0.03, 0.02
    couplings = [np.array([[0.05]]), sparse.csr_array([[0.03]])]
    coordinates = kc.Matrices.from_couplings(couplings, [omega, omega])
    syst = resonant_level(width)

    def density(energy):
        return width / (2 * np.pi) / ((energy - level) ** 2 + width**2 / 4)

    friction = kc.force_response(syst, coordinates, mu).friction
    m = np.array([0.05, 0.03])
    expected = np.pi * 2 * omega * np.outer(m, m) * density(mu) ** 2
    np.testing.assert_allclose(friction, expected, rtol=1e-10)
    kt = 0.01
    rates = kc.phonon_rates(
        syst, coordinates, np.eye(2), mu, frequency=omega, bias=0.0, temperature=kt, rtol=1e-9
    )

    def integrand(energy):
        filled = 1 / (1 + np.exp((energy + omega - mu) / kt))
        empty = 1 / (1 + np.exp((mu - energy) / kt))
        return density(energy) * density(energy + omega) * filled * empty

    # (pi/(2 omega)) 2 omega (M_X^2 + M_Y^2), of a level without a phase.
    emission = (
        np.pi * np.sum(m**2) * quad(integrand, mu - 0.6, mu + 0.6, points=[mu, mu - omega])[0]
    )
    np.testing.assert_allclose(rates.emission[0], emission, rtol=1e-7)
    np.testing.assert_allclose(rates.absorption[0], emission * np.exp(omega / kt), rtol=1e-7)
    with pytest.raises(ValueError, match=r"frequencies has shape \(3,\)"):
        kc.Matrices.from_couplings(couplings, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"frequencies is .*; expected positive"):
        kc.Matrices.from_couplings(couplings, [1.0, -1.0])


def test_rates_of_modes():
    """All pairs of them, or those that are named: as their patterns, frequencies and mass 1."""
    syst, coordinates = two_levels()
    response = kc.force_response(syst, coordinates, 0.0, bias=1e-4)
    modes = kc.VibrationalModes([0.01, 0.0101], [[1.0, 0.2], [-0.2, 1.0]], 1e6)
    omega = np.sqrt(0.01 * 0.0101)
    found = response.pumping_rates(modes)
    assert found.pairs.tolist() == [[0, 1]]
    expected = response.pumping_rates(modes.patterns, omega)
    np.testing.assert_allclose(found.driving, expected.driving, rtol=1e-12)
    np.testing.assert_allclose(found.damping, expected.damping, rtol=1e-12)
    back = response.pumping_rates(modes, pairs=[(1, 0)])
    np.testing.assert_allclose(back.driving, -found.driving, rtol=1e-12)
    settings = {"bias": 0.1, "temperature": 0.02, "rtol": 1e-6}
    rates = kc.phonon_rates(syst, coordinates, modes, 0.0, **settings)
    other = kc.phonon_rates(syst, coordinates, modes.patterns, 0.0, frequency=omega, **settings)
    assert rates.pairs.tolist() == [[0, 1]]
    np.testing.assert_allclose(rates.emission, other.emission, rtol=1e-12)
    slow = kc.phonon_rates(syst, coordinates, modes, 0.0, hbar=0.5, **settings)
    np.testing.assert_allclose(slow.emission, 2 * rates.emission, rtol=1e-12)
    with pytest.raises(ValueError, match="VibrationalModes, which know theirs"):
        response.pumping_rates(modes, 0.01)
    with pytest.raises(TypeError, match="frequency is missing"):
        response.pumping_rates(modes.patterns)
    with pytest.raises(ValueError, match="pairs names modes of VibrationalModes"):
        response.pumping_rates(modes.patterns, 0.01, pairs=[(0, 1)])
    for wrong in ([(0, 2)], [(1, 1)], [0, 1]):
        with pytest.raises(ValueError, match=r"pairs is .*; expected"):
            response.pumping_rates(modes, pairs=wrong)
    with pytest.raises(ValueError, match="response is that of 2 coordinates and the modes are"):
        response.pumping_rates(kc.VibrationalModes([1.0, 2.0, 3.0], np.eye(3), 1.0))
