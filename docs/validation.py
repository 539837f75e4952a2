"""The numbers of the page "Validated against": published or in closed form, and the package's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from time import perf_counter

import numpy as np
from published import (
    FREQUENCIES,
    HEOM,
    chain,
    donor_acceptor,
    donor_acceptor_by_quadrature,
    inverse_quality,
    junction,
    matrices_of_sclmd,
    motor,
    pumped_by_the_scattering_matrix,
    resonant_level,
    resonant_level_in_closed_form,
    two_sites,
    two_sites_in_closed_form,
)
from scipy.optimize import brentq

import kwant_curl as kc


@dataclass(frozen=True)
class Number:
    """A quantity of a case: the reference's number and the package's."""

    case: str
    quantity: str
    reference: float
    ours: float
    allowed: float
    seconds: float

    @property
    def deviation(self) -> float:
        """Of the package's number, relative to the reference's."""
        return abs(self.ours / self.reference - 1)


@dataclass(frozen=True)
class Table:
    """All numbers, as a page shows them."""

    numbers: tuple[Number, ...]

    def __iter__(self) -> Iterator[Number]:
        """Give the numbers one by one."""
        return iter(self.numbers)

    def _repr_html_(self) -> str:
        heads = ("case", "quantity", "reference", "kwant_curl", "deviation", "time")
        rows = ["".join(f"<th>{head}</th>" for head in heads)]
        seen = set()
        for n in self.numbers:
            first = n.case not in seen
            seen.add(n.case)
            cells = [
                n.case if first else "",
                n.quantity,
                f"{n.reference:.9g}",
                f"{n.ours:.9g}",
                f"{n.deviation:.0e}",
                f"{n.seconds:.2f} s" if first else "",
            ]
            rows.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
        return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def critical_ratio(t, width, coupling=1e-4, frequency=1e-4, **forces):
    """Return the critical bias of two degenerate modes over their frequency, at E = 0."""
    response = two_sites(coupling, coupling, t, width, 0.0, **forces)
    modes = kc.VibrationalModes([frequency] * 2, np.eye(2), 1.0)
    return float(kc.critical_bias(response, modes, 3 * frequency)) / frequency


EVERYTHING = {"jacobian": True, "velocity": True}


def compare_two_sites():
    """Tensors at one point, and critical biases."""
    point = 0.7, 1.1, 0.6, 0.4, 0.3
    r = two_sites(*point, **EVERYTHING)
    rest = r.velocity - r.friction - r.lorentz
    ours = [r.curl[0, 1], r.friction[0, 0], r.friction[1, 1], r.jacobian[0, 1], r.jacobian[1, 0]]
    ours += [r.lorentz[0, 1], rest[0, 1]]
    names = ["κ₁₂", "η₁₁", "η₂₂", "J₁₂", "J₂₁", "Lorentz force γ₁₂", "friction by the bias γ₁₂"]
    closed = two_sites_in_closed_form(*point)
    yield from zip(names, closed, ours, [1e-9] * len(names), strict=True)
    t, width = 0.2, 0.5
    alone = (t**2 + width**2) / (2 * t * width)
    yield "V/ω, curl and friction", alone, critical_ratio(t, width), 1e-6
    every = width / t * np.sqrt((t**2 + width**2) / (3 * width**2 - t**2))
    yield "V/ω, all forces", every, critical_ratio(t, width, **EVERYTHING), 1e-6
    strong = {"coupling": 0.3, "frequency": 0.2}
    yield "V/ω, t = Γ, all forces", 1.0, critical_ratio(0.5, 0.5, **strong, **EVERYTHING), 1e-9


def compare_resonant_level():
    """In a whole window, without temperature."""
    r = resonant_level(0.9, noise=True, rtol=1e-9, **EVERYTHING)
    ours = [x.item() for x in (r.force, r.velocity, r.noise, r.jacobian)]
    names = ["force", "friction", "noise", "dF/dX"]
    yield from zip(names, resonant_level_in_closed_form(0.9), ours, [1e-8] * 4, strict=True)


def compare_hot_level():
    """Of a narrow level: friction lambda^2 f (1 - f)/(kT Gamma), Gamma both leads' full width."""
    kt, level, coupling, width = 0.1, 0.03, 0.8, 5e-4
    syst = junction(np.array([[level]]), [(0, lambda _: -0.5j * width)])
    moving = kc.Matrices([np.array([[coupling]])])
    r = kc.force_response(syst, moving, 0.0, bias={}, temperature=kt, rtol=1e-8)
    filled = 1 / (1 + np.exp(level / kt))
    reference = coupling**2 * filled * (1 - filled) / (kt * width)
    yield "friction, kT = 200 Γ", reference, r.friction.item(), 2e-5


def compare_chain():
    """Directional phonons as in Figure 1 of Todorov et al., and a window of the chain."""
    k, n = 1.1, 200
    moving = kc.Displacements(scaling=kc.PowerLaw(4))
    r = kc.force_response(chain(n + 2), moving, -2 * np.cos(k))
    wave = np.array([np.cos(2 * k * np.arange(n)), np.sin(2 * k * np.arange(n))]) / np.sqrt(n)
    rates = r.pumping_rates(wave, 0.01, 1e9)
    yield "V/ω at 2k_F, n = 200", 1.0, rates.threshold.item() / 0.01, 1e-4
    rho = kc.NonequilibriumDensity(chain(4), 0.0, bias=1.0, linear=False, rtol=1e-8).toarray()
    yield "current, V = 1", 1 / (2 * np.pi), -2 * (-1 * rho[2, 1]).imag, 1e-8
    yield "bond order, V = 1", (np.sqrt(1 - 1 / 16) - 1) / np.pi, rho[1, 2].real, 1e-8


def compare_donor_acceptor():
    """Negative friction: against hierarchical equations of motion, and where it changes sign."""
    for (gamma, bias), reference in HEOM.items():
        r = donor_acceptor(gamma, bias, centres=(bias / 2, -bias / 2))
        yield f"friction, Γ = {gamma}, V = {bias}", reference, r.velocity.item(), 6e-4
    for gamma in (0.025, 0.05, 0.1):
        window = donor_acceptor(gamma, 0.1)
        ours = brentq(lambda v, r=window: r.at_bias(v).velocity.item(), 0.02, 0.1, xtol=1e-9)
        zero = brentq(lambda v, g=gamma: donor_acceptor_by_quadrature(g, v)[0], 0.02, 0.1)
        yield f"sign change at V, Γ = {gamma}", zero, ours, 1e-6


def compare_motor():
    """Work of a sliding potential per cycle and bias: the charge that it pumps, ideally 1."""
    angles = np.linspace(0, 2 * np.pi, 25)
    for n_sites, allowed in ((20, 1e-9), (40, 1e-9), (80, 1e-10)):
        syst = motor(n_sites)
        moving = kc.Parameters("theta")
        field = kc.ResponseField(syst, moving, -1.41, bias=1.0, params={"theta": 0.0})
        work = kc.force_along(field, angles[:, None], is_cycle=True).work
        pumped = 1.0
        if n_sites < 80:
            pumped = pumped_by_the_scattering_matrix(syst, -1.41, angles[:-1])
        yield f"work per cycle / V, {n_sites} sites", pumped, work, allowed


def compare_matrices_of_sclmd():
    """1/Q of each mode at one bias."""
    eta, xim, zeta1, zeta2 = matrices = matrices_of_sclmd()
    r = kc.ForceResponse.from_arrays(friction=eta, jacobian=xim - zeta1, velocity=eta + zeta2)
    modes = kc.VibrationalModes(FREQUENCIES, np.eye(4), 1.0)
    omega = kc.stability(r, modes, 0.7).frequencies[0]
    ours = np.sort(-2 * omega.imag / omega.real)
    for k, reference in enumerate(inverse_quality(matrices, 0.7)):
        yield f"1/Q of mode {k}", reference, ours[k], 1e-8


CASES = {
    "two sites, two vibrations": compare_two_sites,
    "resonant level": compare_resonant_level,
    "narrow level, hot": compare_hot_level,
    "uniform chain": compare_chain,
    "donor and acceptor": compare_donor_acceptor,
    "Thouless motor": compare_motor,
    "matrices of sclmd": compare_matrices_of_sclmd,
}


def table(cases: Sequence[str] = tuple(CASES)) -> Table:
    """Compute these cases, each with its time."""
    numbers = []
    for case in cases:
        start = perf_counter()
        found = list(CASES[case]())
        seconds = perf_counter() - start
        numbers += [Number(case, *(x for x in row), seconds) for row in found]
    return Table(tuple(numbers))
