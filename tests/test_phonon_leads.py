"""Phonon leads as rational self-energies: against explicit oscillators."""

import numpy as np
import pytest

from kwant_curl import PhononLeads, VibrationalModes, load
from kwant_curl.algebra.memory import evolution


def oscillators(rng, n_c=3, n=5):
    """Damped oscillators, and what they are coupled to, at random."""
    omega, gamma = rng.uniform(0.5, 1.5, n), rng.uniform(0.05, 0.3, n)
    return omega, gamma, 0.3 * rng.normal(size=(n, n_c)), rng.integers(2, size=n)


@pytest.mark.parametrize("seed", range(5))
def test_oscillators_around_are_a_selfenergy(seed):
    omega, gamma, c, lead = oscillators(np.random.default_rng(seed))
    leads = PhononLeads.from_oscillators(omega, gamma, c, lead)
    for w in (0.0, 0.7, -1.3, 0.9 + 0.3j, -0.4 - 0.01j):
        each = np.einsum("ji,jk,j->jik", c, c, 1 / (w**2 - omega**2 + 1j * w * gamma))
        np.testing.assert_allclose(leads.selfenergy(w), each.sum(axis=0), rtol=1e-12, atol=1e-14)
        second = each[lead == 1].sum(axis=0)
        np.testing.assert_allclose(leads.lead_selfenergy(w)[1], second, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_equations_of_motion_have_the_frequencies_of_all_oscillators(seed):
    rng = np.random.default_rng(seed)
    omega, gamma, c, lead = oscillators(rng)
    n, m = c.shape[1], len(c)
    stiffness, damping = 4 * np.eye(n) + 0.2 * rng.normal(size=(n, n)), 0.01 * np.eye(n)
    memory = PhononLeads.from_oscillators(omega, gamma, c, lead).memory()
    found = np.linalg.eigvals(evolution(stiffness, damping, memory))
    whole = np.zeros((2 * (n + m),) * 2)
    whole[: n + m, n + m :] = np.eye(n + m)
    whole[n + m :, : n + m] = -np.block([[stiffness, -c.T], [-c, np.diag(omega**2)]])
    whole[n + m :, n + m :] = -np.diag([*[0.01] * n, *gamma])
    expected = np.linalg.eigvals(whole)
    assert len(found) == len(expected)
    assert np.abs(found[:, None] - expected).min(axis=0).max() < 1e-12
    assert np.abs(found[:, None] - expected).min(axis=1).max() < 1e-12


def test_saved_with_the_modes(tmp_path):
    leads = PhononLeads.from_oscillators(*oscillators(np.random.default_rng(0)))
    modes = VibrationalModes([1.0, 1.1], np.eye(3)[:2], np.ones(3), leads=leads)
    modes.save(tmp_path / "modes")
    back = load(tmp_path / "modes").leads
    np.testing.assert_array_equal(back.selfenergy(0.7), leads.selfenergy(0.7))
    assert len(back) == 2
    assert "2 leads of 3 coordinates, 5 poles" in repr(back)
    with pytest.raises(ValueError, match="read-only"):
        back.residues[0] = 0


def test_what_is_no_selfenergy():
    nothing = np.zeros((1, 2, 2))
    with pytest.raises(ValueError, match="below the real axis"):
        PhononLeads([1 + 0.1j], nothing, [0], nothing, nothing)
    with pytest.raises(ValueError, match="not symmetric"):
        PhononLeads([1 - 0.1j], [[[0, 1], [0, 0]]], [0], nothing, nothing)
    with pytest.raises(ValueError, match="the leads are 0 to 0"):
        PhononLeads([1 - 0.1j], nothing, [1], nothing, nothing)
    with pytest.raises(ValueError, match="expected finite numbers of shape"):
        PhononLeads([1 - 0.1j], nothing, [0], nothing, np.zeros((1, 3, 3)))
    leads = PhononLeads([1 - 0.1j], nothing, [0], nothing, nothing)
    with pytest.raises(ValueError, match="leads are of 2 coordinates and the modes of 3"):
        VibrationalModes([1.0, 1.1], np.eye(3)[:2], np.ones(3), leads=leads)
    held = PhononLeads.from_oscillators([1.0], [0.1], [[1.1, 0.0]])
    with pytest.raises(ValueError, match=r"omega\^2 \+ Pi\(0\) has the eigenvalue -0\.21"):
        VibrationalModes([1.0, 1.1], np.eye(2), 1.0, leads=held)
    with pytest.raises(ValueError, match="between 0 and 2 omega"):
        PhononLeads.from_oscillators([1.0], [2.5], [[1.0]])
