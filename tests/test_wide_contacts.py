"""Self-energies of wide leads as rational functions of low order: each part by another route."""

import numpy as np
import pytest
from test_lattice import chain_selfenergy, disordered, strip_lead

from kwant_curl import Lattice
from kwant_curl.algebra.balanced import balanced
from kwant_curl.algebra.gaining import gaining
from kwant_curl.algebra.memory import Memory
from kwant_curl.algebra.passive import passive
from kwant_curl.algebra.rows_of_cells import self_energies
from kwant_curl.vibrations.lattice.sampling import raised


def test_a_chain_above_the_axis():
    omega = np.array([0.3 + 1e-5j, 1.1 + 1e-3j, 1.9999 + 1e-6j, 2.3 + 0.1j, 30.0 + 1e-3j])
    values, slopes, missed = self_energies(np.array([[2.0]]), np.array([[-1.0]]), omega**2)
    exact = chain_selfenergy(omega)
    np.testing.assert_allclose(values[:, 0, 0], exact, rtol=1e-9)
    # Pi^2 + (omega^2 - 2)(-Pi) + 1 = 0, differentiated
    np.testing.assert_allclose(slopes[:, 0, 0], exact / (2 * exact + 2 - omega**2), rtol=1e-7)
    assert missed.max() < 1e-12


def test_baths_above_the_axis():
    """Many at once against one by one, and the slope against differences."""
    rng = np.random.default_rng(1)
    _, lattice = disordered(strip_lead(3, rng), 5, rng)
    around = lattice.surroundings([4, 6, 7, 8])
    omega = raised(np.array([0.2, 0.9, 1.7, 2.9]), lattice.band_edges, 0.1)
    step = 1e-3 * omega.imag
    for which in range(len(around.baths)):
        values, slopes = around.above(which, omega)
        np.testing.assert_allclose(values, around.selfenergy(omega)[which], atol=1e-12)
        high, low = (around.selfenergy(omega + s)[which] for s in (step, -step))
        differences = (high - low) / (2 * step)[:, None, None]
        np.testing.assert_allclose(slopes, differences, atol=1e-5 * np.abs(slopes).max())


@pytest.mark.parametrize("seed", range(4))
def test_what_is_rational_is_found_exactly(seed):
    """With as many terms as it has: rates in pairs and real ones, of either sign."""
    rng = np.random.default_rng(seed)
    rates = -rng.uniform(0.02, 0.3, 6) + 1j * rng.uniform(0.2, 1.0, 6)
    vectors = rng.normal(size=(6, 3)) + 1j * rng.normal(size=(6, 3))
    real, own = -rng.uniform(0.1, 1.0, 2), rng.normal(size=(2, 3)) * np.array([[1], [1j]])
    rates = np.concatenate([rates, rates.conj(), real])
    vectors = np.concatenate([vectors, vectors.conj(), own])

    def function(omega, power=1):
        shares = 1 / (-1j * omega[:, None] - rates) ** power
        return np.einsum("kj,ja,jb->kab", shares, vectors, vectors)

    points = np.concatenate([np.linspace(0.01, 1.5, 40), np.geomspace(1.7, 20, 12)]) + 1e-4j
    found = balanced(points, function(points), 1j * function(points, 2), 1e-10, 99)
    assert len(found.rates) == len(rates)
    assert np.abs(found.rates[:, None] - rates).min(axis=0).max() < 1e-8
    omega = np.linspace(0.05, 1.4, 30)
    shares = 1 / (-1j * omega[:, None] - found.rates)
    again = np.einsum("kj,ja,jb->kab", shares, found.vectors, found.vectors)
    np.testing.assert_allclose(again, function(omega), atol=1e-7)


def test_dips_are_filled_where_they_are():
    """What feeds energy in is cured, and elsewhere nothing changes."""
    poles = np.array([1.0 - 0.2j, 2.0 - 1e-4j])
    residues = np.array([np.diag([1.0, 0.5]), np.diag([0.0, -1e-4])], complex)
    nothing = np.zeros((2, 2))
    memory = Memory(poles, residues, nothing, nothing)
    assert gaining(memory) is not None
    grid = np.unique(np.concatenate([np.linspace(0.01, 5, 500), 2 + np.geomspace(1e-7, 1e-2, 60),
                                     2 - np.geomspace(1e-7, 1e-2, 60), [2.0]]))  # fmt: skip
    cured = passive(memory, grid, 1e-3)
    assert gaining(cured) is None
    assert 0 <= np.abs(cured.friction).max() < 2e-3
    assert len(cured.poles) > 2
    omega = np.array([0.3, 1.0, 1.8, 2.2, 4.0])
    np.testing.assert_allclose(cured(omega), memory(omega), atol=1e-2)
    # Without a tolerance worth a pole it is friction alone.
    constant = passive(memory, grid, 10.0)
    assert len(constant.poles) == 2
    assert constant.friction[0, 0] == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("width", [1, 3])
def test_a_wide_contact(width):
    """The error that is stated, damping at all frequencies, and few variables per coordinate."""
    lead = strip_lead(width, np.random.default_rng(width))
    lattice = Lattice.of_lead(lead, 4)
    moving = np.arange(width, 3 * width)
    leads = lattice.leads_of(moving, rtol=1e-3)
    assert leads.error < 1e-3
    rng = np.random.default_rng(0)
    omega = rng.uniform(0.01, 1.6, 40) * lattice.band_edges.max()
    omega = omega[np.abs(omega[:, None] - lattice.band_edges).min(axis=1) > 3e-3]
    exact = lattice.surroundings(moving).selfenergy(omega)
    size = np.abs(lattice.surroundings(moving).selfenergy(0.0)).max()
    assert np.abs(leads.lead_selfenergy(omega) - exact).max() < 1.2e-3 * max(
        size, np.abs(exact).max()
    )
    assert 2 * len(leads.memory().factors()[0]) < 2 * 2 * width * 50
    dense = np.concatenate([np.linspace(1e-3, 6, 800), lattice.band_edges * (1 + 1e-7)])
    for pi in leads.lead_selfenergy(dense):
        assert np.linalg.eigvalsh(-pi.imag / dense[:, None, None]).min() > -1e-12
