"""The Lorentz-like force of equilibrium: above the real axis, against the sum over all states."""

import kwant
import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.special import expit
from systems import (
    chain,
    random_hermitian,
    random_system,
    square_wire,
    two_levels,
)

import kwant_curl as kc
from kwant_curl.algebra.by_energy import Fixed
from kwant_curl.algebra.occupations import fermi_poles
from kwant_curl.devices import Atoms
from kwant_curl.electrons.kernels.coupled import CoupledKernel
from kwant_curl.electrons.kernels.operators import Operators
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.sea import integral_above
from kwant_curl.model.model import Model
from kwant_curl.model.off_axis import self_energy_above


def wired(level=None, n_leads=2, norbs=1, n_sites=4):
    """A random system without time-reversal symmetry; one atom's level may be below the bands."""
    builder = random_system(3, n_sites=n_sites, n_leads=n_leads, norbs=norbs)
    for site in list(builder.sites()):
        builder[site] = 0.3 * builder[site]
    for hopping in list(builder.hoppings()):
        builder[hopping] = 0.5 * builder[hopping]
    if level is not None:
        atom = next(site for site in builder.sites() if isinstance(site.family, Atoms))
        builder[atom] = level * np.diag(1 + 0.1 * np.arange(norbs))
    return builder.finalized()


class Dense:
    """The same with dense matrices: chains of hopping -2 as leads, their bands from -4 to 4."""

    def __init__(self, syst, first):
        self.h, self.first = syst.hamiltonian_submatrix(), np.asarray(first)
        norbs = syst.sites[0].family.norbs
        ends = [syst.lead_interfaces[lead][0] for lead in range(len(syst.leads))]
        self.ends = np.array([norbs * end + k for end in ends for k in range(norbs)])

    def greens(self, z):
        """G and dG/dE; on the real axis the retarded one."""
        root = np.sqrt(z - 4 + 0j) * np.sqrt(z + 4 + 0j)
        inverse = z * np.eye(len(self.h)) - self.h
        inverse[self.ends, self.ends] -= (z - root) / 2
        slope = np.eye(len(self.h), dtype=complex)
        slope[self.ends, self.ends] -= (1 - z / root) / 2
        greens = np.linalg.inv(inverse)
        return greens, -greens @ slope @ greens

    def odd(self, left, right):
        """The antisymmetric part of -2 Im Tr[H_I left H_J right]."""
        traces = np.einsum("iab,bc,jcd,da->ij", self.first, left, self.first, right, optimize=True)
        return -(traces - traces.T).imag

    def bands(self, filled, high=4.0, pair=False):
        """-2 int f Im Tr[H_I G' H_J D] over the leads' bands; pair: int f Re Tr[H G H G^+]/2pi."""

        def integrand(angle):
            energy = -4 * np.cos(angle)
            greens, slope = self.greens(energy)
            density = 0.5j * (greens - greens.conj().T) / np.pi
            if pair:
                slope, density = greens, -0.25j * greens.conj().T / np.pi
            return 4 * np.sin(angle) * filled(energy) * self.odd(slope, density)

        end = np.arccos(-high / 4)
        return quad_vec(integrand, 0, end, epsabs=1e-10, limit=2000)[0]

    def bound(self, low, high):
        """The energy of the state that is bound between these, and its term."""
        centre, radius = (low + high) / 2, (high - low) / 2
        circle = radius * np.exp(2j * np.pi * (np.arange(400) + 0.5) / 400)
        around = np.array([self.greens(centre + z)[0] for z in circle])
        residue = np.tensordot(circle, around, axes=1) / 400
        moment = np.tensordot(circle * (centre + circle), around, axes=1) / 400
        energy = (np.trace(moment) / np.trace(residue)).real
        # What is left of G' at the pole, without the pole.
        rest = np.tensordot(circle / (centre + circle - energy) ** 2, around, axes=1) / 400
        return energy, self.odd(rest, residue)


def matrices(syst, count=3, seed=0):
    rng = np.random.default_rng(seed)
    return [random_hermitian(rng, syst.hamiltonian_submatrix().shape[0]) for _ in range(count)]


def close(a, b, rtol):
    assert np.abs(a - b).max() <= rtol * np.abs(b).max()


@pytest.mark.heavy
@pytest.mark.parametrize("n_leads", [2, 3])
def test_a_state_below_the_bands_is_in_it(n_leads):
    """The states of the bands alone give something else altogether."""
    syst = wired(level=-6.0, n_leads=n_leads)
    first, mu = matrices(syst), 0.3
    dense = Dense(syst, first)
    energy, share = dense.bound(-7.5, -4.5)
    assert energy == pytest.approx(-6.2, abs=0.3)
    bands = dense.bands(lambda _: 1.0, high=mu)
    bias = {0: 1.0}
    result = kc.force_response(
        syst, kc.Matrices(first), mu, bias=bias, velocity=True, fermi_sea=True, rtol=1e-6
    )
    close(result.equilibrium_lorentz, bands + share, rtol=1e-6)
    assert np.abs(share).max() > 0.005 * np.abs(bands).max()
    assert 0 < result.error <= 1e-6


@pytest.mark.heavy
def test_a_state_below_the_bands_at_a_temperature():
    """The sum above the axis is all of it but what the Fermi level's states add."""
    syst = wired(level=-6.0, n_sites=3)
    first, mu, kt = matrices(syst, 2), 0.3, 0.2
    dense = Dense(syst, first)
    _, share = dense.bound(-7.5, -4.5)
    level = dense.bands(lambda e: expit((e - mu) / kt) * expit((mu - e) / kt) / kt, pair=True)
    expected = share + dense.bands(lambda e: expit((mu - e) / kt)) - level
    forces = kc.Matrices(first).hamiltonian_derivatives(syst)
    operators = Fixed(Operators.of(forces, None))
    kernel = CoupledKernel(Model(syst).scattering, Numerics(), operators, True)
    point = OperatingPoint(mu, np.zeros(2), 1.0, kt)
    integral = integral_above(kernel.above, point, Numerics(), 1.0)
    close(integral.value, expected, rtol=1e-7)
    assert np.abs(level).max() > 0.01 * np.abs(expected).max()
    assert np.abs(share).max() > 0.01 * np.abs(expected).max()


def test_where_no_lead_is_open():
    """Between the bound state and the bands: that state's Berry curvature alone."""
    syst = wired(level=-6.0)
    first = matrices(syst)
    _, share = Dense(syst, first).bound(-7.5, -4.5)
    coordinates = kc.Matrices(first)
    with pytest.warns(RuntimeWarning, match="No lead has an open mode at energy -5"):
        result = kc.force_response(
            syst, coordinates, -5.0, velocity=True, fermi_sea=True, rtol=1e-7
        )
    close(result.equilibrium_lorentz, share, rtol=1e-6)
    with pytest.warns(RuntimeWarning) as said:
        result = kc.force_response(syst, coordinates, -5.0, velocity=True)
    assert any("fermi_sea=True calculates it" in str(one.message) for one in said)
    assert result.equilibrium_lorentz is None
    with pytest.warns(RuntimeWarning, match="No lead has an open mode"):
        result = kc.force_response(
            chain(4).finalized(), kc.Displacements(scaling=kc.PowerLaw(2)), 2.5, velocity=True
        )
    assert not result.equilibrium_lorentz.any()


def test_sums_over_poles():
    """The Fermi function, and a sum over all Matsubara frequencies by a few."""
    x = np.linspace(-40, 40, 9)
    heights, weights = fermi_poles(32)
    np.testing.assert_allclose(heights[:3], np.pi * np.array([1, 3, 5]), rtol=1e-12)
    poles = 0.5 - 2 * x * (weights[:, None] / (x**2 + heights[:, None] ** 2)).sum(axis=0)
    np.testing.assert_allclose(poles, expit(-x), atol=1e-12)
    point = OperatingPoint(0.3, np.zeros(2), 1.0, 0.01)
    # 2 pi kT sum_n 1/(w_n^2 + 1) = (pi/2) tanh(1/(2 kT)); at kT = 0 the integral, pi/2
    for kt, bottom in ((0.01, 1.0), (0.7, 1.0), (0.0, 1e-3)):

        def above(z, bottom=bottom):
            return np.array([bottom / ((z - 0.3).imag ** 2 + bottom**2)]), 1.0

        integral = integral_above(above, point._replace(temperature=kt), Numerics(rtol=1e-9), 1.0)
        expected = np.pi / 2 * (np.tanh(bottom / (2 * kt)) if kt else 1.0)
        assert integral.value[0] == pytest.approx(expected, rel=1e-8)
        assert integral.error <= 1e-9


@pytest.mark.parametrize("height", [3.0, 1e-2, 1e-5, 1e-8])
def test_self_energies_above_the_axis(height):
    """At a band's middle and edge too, where decimation by itself fails close to the axis."""
    lead = Model(chain(3).finalized()).scattering.leads[0].cells
    for energy in (0.3, -1.7, 2.5, 0.0, 1.0, 2.0, 2 - 1e-5):
        z = energy + 1j * height
        expected = 0.5 * (z - np.sqrt(z - 2) * np.sqrt(z + 2))
        assert abs(self_energy_above(lead, z)[0, 0] - expected) < 1e-11
    wide = Model(square_wire(width=5, norbs=2).finalized()).scattering.leads[0].cells
    sigma = self_energy_above(wide, 1.3 + 1j * height)
    inverse = (1.3 + 1j * height) * np.eye(10) - wide.cell_hamiltonian() - sigma
    hopping = wide.inter_cell_hopping()
    close(hopping.conj().T @ np.linalg.solve(inverse, hopping), sigma, rtol=1e-11)
    if height == 1e-8:
        close(sigma, wide.selfenergy(1.3), rtol=1e-6)


def test_leads_whose_self_energy_is_known_on_the_axis_alone():
    syst, _ = two_levels()
    first = matrices(syst, 2)
    with pytest.raises(ValueError, match=r"Lead 0 is a SelfEnergyLead .* complex energies"):
        kc.force_response(syst, kc.Matrices(first), 0.1, velocity=True, fermi_sea=True)


def test_a_force_that_cancels_at_the_fermi_level():
    """All hoppings imaginary, H* = -H: at E = 0 the slope is zero, and the force is not."""
    lat = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    sites = [lat(0, 0), lat(1, 0), lat(0, 1)]
    builder[sites] = 0
    ring = [(0, 1, -1j), (1, 2, -0.7j), (2, 0, -0.5j)]
    for i, j, value in ring:
        builder[sites[i], sites[j]] = value
    for k in range(2):
        chain = kwant.lattice.Monatomic([(1, 0)], (0, 9 + k), name=f"chain {k}", norbs=1)
        builder[chain(0)] = 0
        builder[sites[k], chain(0)] = -1.2j
        lead = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
        lead[chain(0)] = 0
        lead[chain(0), chain(1)] = -2j
        builder.attach_lead(lead)
    syst = builder.finalized()
    h = syst.hamiltonian_submatrix()
    place = [syst.id_by_site[site] for site in sites]
    slopes = []
    for i, j, _ in ring:
        slope = np.zeros_like(h)
        slope[place[i], place[j]] = h[place[i], place[j]]
        slope[place[j], place[i]] = h[place[j], place[i]]
        slopes.append(slope)
    forces = kc.Matrices(slopes)
    options = {"velocity": True, "fermi_sea": True}
    here, beside = (
        kc.force_response(syst, forces, energy, **options).equilibrium_lorentz
        for energy in (0.0, 1e-3)
    )
    # From a dense integral over the real axis, 2,000 points: -0.1615085, 0.1615085.
    np.testing.assert_allclose(here[0, 1:], [-0.1615085, 0.1615085], atol=3e-6)
    np.testing.assert_allclose(here, beside, atol=1e-5)
    with pytest.warns(RuntimeWarning, match="Time-reversal symmetry is broken"):
        left_out = kc.force_response(syst, forces, 0.0, velocity=True)
    assert left_out.equilibrium_lorentz is None
