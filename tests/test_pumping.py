"""Charge pumped by cycles: emissivities against S matrices, reciprocity, Thouless's pump."""

import kwant
import numpy as np
import pytest
from systems import dense_greens, energy_shell, random_system, two_levels

from kwant_curl.model.orbitals import interface_orbitals


def dense_outgoing(syst, energy):
    """Return (1/2 pi) G^a Gamma_alpha G^r of each lead, dense, from the leads' self-energies."""
    greens = dense_greens(syst)(energy)
    found = []
    for number, lead in enumerate(syst.leads):
        here = interface_orbitals(syst, number)
        sigma = lead.selfenergy(energy)
        gamma = 1j * (sigma - sigma.conj().T)
        found.append(greens.conj().T[:, here] @ gamma @ greens[here] / (2 * np.pi))
    return np.array(found)


@pytest.mark.parametrize("route", ["modes", "adjoint"])
@pytest.mark.parametrize("name", ["modes", "self-energy"])
def test_outgoing_states(name, route):
    """G^a Gamma G^r in place of G^r Gamma G^a; the sum over all leads is the same."""
    if name == "modes":
        syst, energy = random_system(3, norbs=2, n_leads=3).finalized(), 0.37
    else:
        syst, energy = two_levels()[0], 0.1
    n = len(dense_greens(syst)(energy))
    some = np.arange(0, n, 1 if n < 3 else 3)
    shell = energy_shell(syst, energy, orbitals=some, route=route)
    states = shell.outgoing_by_lead()
    assert [len(part) for part in states] == list(shell.n_modes)
    found = np.array([part.T @ part.conj() for part in states]) / (2 * np.pi)
    expected = dense_outgoing(syst, energy)[:, some][:, :, some]
    assert found == pytest.approx(expected, abs=1e-12)
    incoming = np.array([part.T @ part.conj() for part in shell.states_by_lead()]) / (2 * np.pi)
    assert found.sum(axis=0) == pytest.approx(incoming.sum(axis=0), abs=1e-12)
    assert np.abs(found - incoming).max() > 1e-2  # they differ lead by lead
    everywhere = energy_shell(syst, energy, route=route).outgoing_by_lead()
    assert np.concatenate(everywhere)[:, some] == pytest.approx(np.concatenate(states), abs=1e-12)
