"""The systems of the page "Validated against", and what is known of them without the package."""

from collections.abc import Callable, Sequence

import kwant
import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad, trapezoid
from scipy.special import expit

import kwant_curl as kc

SIGMA_X, SIGMA_Z = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
Array = NDArray[np.float64]


def junction(
    hamiltonian: Array, leads: Sequence[tuple[int, Callable[[float], complex]]]
) -> kwant.system.FiniteSystem:
    """Return the finalized system of these orbitals, with leads (orbital, self-energy)."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    for i, row in enumerate(hamiltonian):
        builder[lattice(i)] = row[i]
        for j in range(i):
            builder[lattice(i), lattice(j)] = row[j]
    for orbital, function in leads:

        def selfenergy(energy, args=(), params=None, function=function):
            return np.array([[function(energy)]])

        lead = kwant.builder.SelfEnergyLead(selfenergy, [lattice(orbital)], parameters=[])
        builder.leads.append(lead)
    return builder.finalized()


def two_sites(l1, l2, t, width, energy, **forces):
    """Return the response of H = [[l1 X, t + l2 Y], [t + l2 Y, -l1 X]], Sigma = -i width."""
    leads = [(0, lambda _: -1j * width), (1, lambda _: -1j * width)]
    moving = kc.Matrices([l1 * SIGMA_Z, l2 * SIGMA_X])
    return kc.force_response(junction(t * SIGMA_X, leads), moving, energy, **forces)


def two_sites_in_closed_form(l1, l2, t, width, energy):
    """Return curl_12, eta_11, eta_22, J_12, J_21, Lorentz_12 and the rest of velocity_12, V = 1."""
    a = energy + 1j * width
    d, s, c = a**2 - t**2, energy**2 + width**2 + t**2, 2 * t * energy
    n, p, q = width / (np.pi * abs(d) ** 2), abs(a) ** 2 - t**2, -2 * t * width
    squared = s**2 - c**2
    return np.array(
        [
            -8 * l1 * l2 * t * width**3 * s / (np.pi * squared**2),
            2 * l1**2 * width**2 / (np.pi * squared),
            2 * l2**2 * width**2 * (s**2 + c**2) / (np.pi * squared**2),
            -2 * l1 * l2 * n * ((t * p + 1j * a * q) / d).real,
            -2 * l1 * l2 * n * ((t * p - 1j * a * q) / d).real,
            2 * l1 * l2 * n * q * ((a**2 + t**2) / d**2).real,
            4 * l1 * l2 * n * p * t * (a / d**2).imag,
        ]
    )


WIDTHS, LEVEL, COUPLING, MU = np.array([0.3, 0.5]), 0.2, 0.8, 0.1


def resonant_level(bias, **keywords):
    """Return the response of a level between two wide bands, in the window of the bias."""
    leads = [(0, lambda _, width=width: -1j * width) for width in WIDTHS]
    syst = junction(np.array([[LEVEL]]), leads)
    moving = kc.Matrices([np.array([[COUPLING]])])
    return kc.force_response(syst, moving, MU, bias=bias, linear=False, **keywords)


def resonant_level_in_closed_form(bias):
    """Return force, friction, noise and dF/dX at T = 0, less force and dF/dX at no bias."""
    width, shifts = WIDTHS.sum(), np.array([0.5, -0.5]) * bias

    def of(mu):
        x = mu - LEVEL
        filled = 0.5 + np.arctan(x / width) / np.pi
        force = -COUPLING * (WIDTHS / width) @ filled
        friction = COUPLING**2 / np.pi * (WIDTHS * width) @ (x**2 + width**2) ** -2.0
        slope = COUPLING**2 / np.pi * WIDTHS @ (1 / (x**2 + width**2))
        return np.array([force, friction, slope])

    force, friction, slope = of(MU + shifts) - of(np.array([MU, MU])) * [1, 0, 1]
    window = quad(lambda e: ((e - LEVEL) ** 2 + width**2) ** -2.0, *(MU - shifts))[0]
    noise = 2 * COUPLING**2 / np.pi * WIDTHS.prod() * abs(window)
    return np.array([force, friction, noise, slope])


def chain(n_sites):
    """Return a uniform chain, H = -1 between neighbours, whose leads are alike."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    builder[(lattice(i) for i in range(n_sites))] = 0
    lead[lattice(0)] = 0
    builder[lattice.neighbors()] = lead[lattice.neighbors()] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized()


LEVELS, KT, BAND = 0.2, kc.EV_ANGSTROM_AMU.temperature(300), 10.0
SLOPE = np.sqrt(2) * 0.01
PLACE = 0.001


def donor_acceptor(gamma, bias, *, centres=(0.0, 0.0), **keywords):
    """Return the response of the junction; `centres` are those of the leads' Lorentzians."""
    leads = [
        (i, lambda e, centre=centre: 0.5 * gamma * BAND / (e - centre + 1j * BAND))
        for i, centre in enumerate(centres)
    ]
    syst = junction(LEVELS / 2 * SIGMA_Z + SLOPE * PLACE * SIGMA_X, leads)
    settings = {"linear": False, "temperature": KT, "velocity": True, "rtol": 1e-5, **keywords}
    return kc.force_response(syst, kc.Matrices([SLOPE * SIGMA_X]), 0.0, bias=bias, **settings)


def motor(n_sites, depth=0.5):
    """Return a chain along which a potential of period 4 slides with the parameter theta."""
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


def pumped_by_the_scattering_matrix(syst, energy, angles, step=1e-3):
    """Return the electrons that lead 0 gives in a cycle, from differences of Kwant's S (Brouwer).

    The sum over angles of (1/2 pi) Im sum_n S_0n^* dS_0n/dtheta.
    """
    total = 0.0
    for angle in angles:
        here, *around = (
            kwant.smatrix(syst, energy, params={"theta": angle + x}).data[0]
            for x in (0, step, -step, 2 * step, -2 * step)
        )
        slope = (8 * (around[0] - around[1]) - (around[2] - around[3])) / (12 * step)
        total += np.sum(here.conj() * slope).imag / (2 * np.pi)
    return total * 2 * np.pi / len(angles)


def donor_acceptor_by_quadrature(gamma, bias):
    """Return friction and noise from 2 x 2 matrices on a grid of energies, bands at 0."""
    u = np.linspace(-9, 9, 4001)
    e, weight = 0.1 * np.sinh(u), 0.1 * np.cosh(u)  # to 400 eV, for the Lorentzians' tails
    sigma = 0.5 * gamma * BAND / (e + 1j * BAND)
    z, hop = e - sigma, SLOPE * PLACE
    inverse = np.array([[z - LEVELS / 2, -hop + 0 * e], [-hop + 0 * e, z + LEVELS / 2]])
    g = np.linalg.inv(inverse.transpose(2, 0, 1))
    slope = -g @ g * (1 + sigma / (e + 1j * BAND))[:, None, None]
    f = expit((0.5 * bias * np.array([[1], [-1]]) - e) / KT)
    states = [g[:, :, [i]] * g[:, :, [i]].conj().transpose(0, 2, 1) for i in range(2)]
    states = np.array(states) * (-sigma.imag / np.pi)[:, None, None]
    filled = (f[:, :, None, None] * states).sum(axis=0)
    empty = ((1 - f)[:, :, None, None] * states).sum(axis=0)
    traces = [SIGMA_X @ slope @ SIGMA_X @ filled, SIGMA_X @ empty @ SIGMA_X @ filled]
    traces = np.trace(np.array(traces), axis1=2, axis2=3) * SLOPE**2
    friction, noise = -2 * traces[0].imag, 2 * np.pi * traces[1].real
    return trapezoid([friction * weight, noise * weight], u)


HEOM = {
    (0.025, 0.1): -3.73437e-4,
    (0.025, 0.4): -2.372783e-3,
    (0.1, 0.1): -8.96030e-4,
    (0.1, 0.4): -6.185586e-3,
}
"""Friction by the authors' program, for (Gamma, V), with bands that follow the lead's mu."""
HEOM_384 = {
    (0.025, 0.1): -3.73597882e-4,
    (0.025, 0.4): -2.373931058e-3,
    (0.1, 0.1): -8.96441392e-4,
    (0.1, 0.4): -6.188550420e-3,
}
"""The same, with the coefficient 35/384 of Dormand and Prince in place of 35/382."""


FREQUENCIES = np.array([0.150, 0.152, 0.160, 0.161])


def matrices_of_sclmd():
    """Return made-up eta, xi^-, zeta_1, zeta_2 of four modes, per volt, as sclmd's files hold."""
    rng = np.random.default_rng(7)
    root, off, springs, berry = rng.normal(size=(4, 4, 4))
    return (
        1e-4 * root @ root.T,
        2e-4 * (off - off.T),
        1e-4 * (springs + springs.T),
        1e-4 * (berry - berry.T),
    )


def inverse_quality(matrices, bias):
    """Return 1/Q of the modes, from 2 n x 2 n matrices as sclmd takes their eigenvalues."""
    eta, xim, zeta1, zeta2 = matrices
    stiff = -np.diag(FREQUENCIES**2) + bias * (xim - zeta1)
    whole = np.block([[-eta - bias * zeta2, stiff], [np.eye(4), np.zeros((4, 4))]])
    values = np.linalg.eigvals(whole)
    forward = values[values.imag < 0]
    return np.sort(2 * forward.real / forward.imag)
