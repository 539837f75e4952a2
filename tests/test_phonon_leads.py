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


def test_each_lead_only_takes_energy():
    """A lead can't feed in what another one takes: its noise would be of negative power."""
    none, nothing = np.empty((0, 2, 2)), np.zeros((2, 2, 2))
    friction = np.array([2 * np.eye(2), np.diag([1.0, -1.0])])
    with pytest.raises(
        ValueError, match=r"Lead 1 .*friction is not positive semidefinite: eig.* -1"
    ):
        PhononLeads([], none, [], nothing, friction)
    residues = np.array([np.eye(2), np.diag([0.5, -0.5])])
    with pytest.raises(
        ValueError, match=r"Lead 1 feeds energy .* at the frequency .* eigenvalue -"
    ):
        PhononLeads([1 - 0.1j] * 2, residues, [0, 1], nothing, nothing)
    PhononLeads([1 - 0.1j] * 2, residues, [0, 0], nothing, nothing)  # together they take it


def test_numbers_that_are_of_no_lead():
    nothing = np.zeros((1, 2, 2))
    for wrong in ({"constant": nothing + 0j}, {"friction": nothing + 0j}):
        given = {"constant": nothing, "friction": nothing} | wrong
        with pytest.raises(TypeError, match=rf"{next(iter(wrong))} is complex128; expected real"):
            PhononLeads([1 - 0.1j], nothing, [0], **given)
    for lead in ([0.0], [False], ["0"]):
        with pytest.raises(
            TypeError, match=r"lead is .*; expected whole numbers, the lead of each"
        ):
            PhononLeads([1 - 0.1j], nothing, lead, nothing, nothing)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"lead": -1}, ValueError, "lead is -1; expected a number, or 2 of them, counted from 0"),
        ({"lead": [0, 1, 2]}, ValueError, "expected a number, or 2 of them"),
        ({"lead": 0.5}, TypeError, "lead is 0.5; expected whole numbers"),
        ({"lead": [True, False]}, TypeError, "expected whole numbers"),
        ({"couplings": [[1j], [0.1]]}, TypeError, "couplings is complex; expected real"),
        ({"frequencies": [1 + 0j, 2]}, TypeError, "frequencies is complex; expected real"),
        ({"couplings": [0.1, 0.1]}, ValueError, r"shapes \(2,\), \(2,\) and \(2,\); expected"),
        (
            {"frequencies": [], "damping": [], "couplings": np.zeros((0, 1))},
            ValueError,
            r"and \(0, 1\); expected .* of one oscillator or more",
        ),
    ],
)
def test_what_is_no_oscillator(wrong, error, message):
    good = {"frequencies": [1.0, 2.0], "damping": [0.1, 0.1], "couplings": [[0.1], [0.1]]}
    PhononLeads.from_oscillators(**good)
    with pytest.raises(error, match=message):
        PhononLeads.from_oscillators(**good | wrong)


def with_friction(frequencies, friction, constant=None):
    """Modes of one coordinate each, in a lead without poles."""
    n = len(frequencies)
    constant = np.zeros((n, n)) if constant is None else constant
    leads = PhononLeads([], np.empty((0, n, n)), [], constant[None], np.diag(friction)[None])
    return VibrationalModes(frequencies, np.eye(n), np.ones(n), leads=leads)


@pytest.mark.parametrize(
    ("frequencies", "friction"),
    [([1.0], [5.0]), ([1.0, 1.2], [5.0, 50.0]), ([1.0, 10.0, 12.0], [5.0, 30.0, 0.1])],
)
def test_overdamped_modes_have_the_slow_root(frequencies, friction):
    """Each its own, the slow one of another mode may be faster than its fast one."""
    omega, gamma = np.array(frequencies), np.array(friction)
    poles = with_friction(omega, gamma).linewidths().poles
    root = np.sqrt((omega**2 - gamma**2 / 4).astype(complex))
    # The root of the smaller rate without a cancellation.
    slow = np.where(root.imag > 0, -1j * omega**2 / (gamma / 2 + root.imag), root - 0.5j * gamma)
    np.testing.assert_allclose(poles, slow, rtol=1e-12)


def test_an_overdamped_mode_beside_slow_surroundings():
    """It has its own slow solution, and not that of what relaxes still more slowly elsewhere."""
    pole, strength = -0.01j, 1e-4
    residue = np.array([[[-0.5j * strength]]])
    leads = PhononLeads([pole], residue, [0], [[[0.0]]], [[[5.0]]])
    modes = VibrationalModes([1.0], [[1.0]], [1.0], leads=leads)
    solution = modes.linewidths().poles[0]
    assert solution.real == 0
    assert solution.imag == pytest.approx(-(2.5 - np.sqrt(2.5**2 - 1)), rel=2e-3)
    rest = solution**2 - 1 - leads.selfenergy(solution)[0, 0]
    assert abs(rest) < 1e-10


def test_modes_that_their_leads_make_unstable():
    with pytest.raises(ValueError, match=r"don't fit: omega\^2 \+ Pi\(0\) has the eigenvalue -0.5"):
        with_friction([1.0], [0.1], np.array([[-1.5]]))
