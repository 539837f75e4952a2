"""Modes of leads whose orbitals reach far: hoppings whose inverse is of no use."""

from copy import copy

import kwant
import numpy as np
import pytest
from kwant.physics import StabilizedModes
from numpy.testing import assert_allclose

import kwant_curl as kc
from kwant_curl.model.cell_modes import has_poor_inverse
from kwant_curl.model.leads import Cells
from kwant_curl.model.mode_currents import check_currents, with_separate_currents

ATOMS = 3
DECAY = 5.0


def chain_matrices(rotation):
    """Return cell and hopping of a chain of two alike orbitals per atom, three atoms per cell.

    Hoppings of -exp(-5 (d - 1)) reach over a cell; orbitals are mixed by a rotation.
    """
    number = np.arange(2 * ATOMS)
    d = np.abs(number[:, None] - number)
    hopping = np.where((d > 0) & (d <= ATOMS), -np.exp(-DECAY * (d - 1.0)), 0.0)
    parts = hopping[:ATOMS, :ATOMS], hopping[:ATOMS, ATOMS:]
    return [rotation @ np.kron(part, np.eye(2)) @ rotation.conj().T for part in parts]


def rotation(seed):
    rng = np.random.default_rng(seed)
    n = 2 * ATOMS
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def junction(seed, n_cells=3):
    """Return a piece of that chain with random onsite terms between two leads of it."""
    cell, hopping = chain_matrices(rotation(seed))
    rng = np.random.default_rng(seed)
    lattice = kwant.lattice.chain(norbs=2 * ATOMS)
    device, lead = kwant.Builder(), kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    for x in range(n_cells):
        device[lattice(x)] = cell + np.diag(rng.uniform(-0.5, 0.5, 2 * ATOMS))
    lead[lattice(0)] = cell
    for builder in (device, lead):
        builder[lattice.neighbors()] = hopping
    device.attach_lead(lead)
    device.attach_lead(lead.reversed())
    return device.finalized()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_both_bands_are_open_at_every_energy(seed):
    """Velocities are the slopes of the band E = -2 sum_d exp(-5 (d - 1)) cos(k d), twice."""
    leads = kc.Model(junction(seed)).scattering.leads
    assert has_poor_inverse(leads[0].cells.inter_cell_hopping())
    d = np.arange(1, ATOMS + 1)
    for energy in np.random.default_rng(seed).uniform(-1.5, 1.5, 25):
        for lead in leads:
            propagating, stabilised = lead.modes(energy)
            assert stabilised.nmodes == 2
            k = propagating.momenta / ATOMS  # to within 2 pi/3: the band is folded
            k = k[:, None] + 2 * np.pi / ATOMS * np.arange(ATOMS)
            band = -2 * np.cos(k[..., None] * d) @ np.exp(-DECAY * (d - 1))
            there = np.abs(band - energy).argmin(axis=1)
            assert_allclose(band[np.arange(4), there], energy, atol=1e-12)
            speed = 2 * np.sin(k[..., None] * d) @ (d * np.exp(-DECAY * (d - 1))) / ATOMS
            assert_allclose(propagating.velocities, speed[np.arange(4), there])
            assert (propagating.velocities[:2] < 0).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_comes_in_is_that_of_the_greens_function(seed):
    """D of each lead is G Gamma G^+/2 pi, with self-energies by iteration at E + i 0."""
    syst = junction(seed)
    cell, hopping = chain_matrices(rotation(seed))
    for energy in (-0.9, 0.13, 1.1):
        sigma = [
            inwards @ decimated(cell, inwards, energy) @ inwards.conj().T
            for inwards in (hopping, hopping.conj().T)
        ]
        h = syst.hamiltonian_submatrix()
        embedded = np.zeros((2, *h.shape), complex)
        ends = [sites_of(syst, lead) for lead in (0, 1)]
        for whole, end, part in zip(embedded, ends, sigma, strict=True):
            whole[np.ix_(end, end)] = part
        greens = np.linalg.inv(energy * np.eye(len(h)) - h - embedded.sum(axis=0))
        for lead, part in enumerate(embedded):
            gamma = 1j * (part - part.conj().T)
            rho = kc.NonequilibriumDensity(syst, energy, bias={lead: 1.0})
            expected = greens @ gamma @ greens.conj().T / (2 * np.pi)
            assert_allclose(rho.toarray(), expected, atol=1e-6 * np.abs(expected).max())


def sites_of(syst, lead):
    """Return the orbitals of the sites to which a lead is attached."""
    (site,) = syst.lead_interfaces[lead]
    return 2 * ATOMS * site + np.arange(2 * ATOMS)


def decimated(cell, hopping, energy, eta=1e-9):
    """Return the surface Green's function of a half-infinite chain, cell by cell doubled."""
    z = (energy + 1j * eta) * np.eye(len(cell))
    surface, bulk, forth, back = cell, cell, hopping, hopping.conj().T
    for _ in range(60):
        g = np.linalg.inv(z - bulk)
        surface = surface + forth @ g @ back
        bulk = bulk + forth @ g @ back + back @ g @ forth
        forth, back = forth @ g @ forth, back @ g @ back
    return np.linalg.inv(z - surface)


def test_modes_that_are_missing_are_refused():
    """What Kwant finds by the inverse of this hopping, which it takes for good."""
    cell, hopping = chain_matrices(rotation(0))
    wrong = 0
    for energy in np.random.default_rng(0).uniform(-1.5, 1.5, 40):
        try:
            _, stabilised = kwant.physics.modes(cell - energy * np.eye(len(cell)), hopping)
        except RuntimeError:  # Kwant sees it itself where there are more to the left, say
            continue
        if stabilised.nmodes != 2:
            wrong += 1
            with pytest.raises(RuntimeError, match="they are no modes of this lead, or not all"):
                check_currents(stabilised)
    assert wrong
    nothing = np.full_like(stabilised.vecs, np.nan)
    none = StabilizedModes(nothing, nothing, stabilised.nmodes, stabilised.sqrt_hop)
    with pytest.raises(RuntimeError, match="off by up to nan"):
        check_currents(none)


def test_symmetries_that_a_lead_declares_hold_there_too():
    """A conservation law keeps its blocks; one that is broken is left out, with Kwant's warning."""
    cell, hopping = chain_matrices(np.eye(2 * ATOMS))
    lattice = kwant.lattice.chain(norbs=2 * ATOMS)
    found = []
    for mixing in (0.0, 0.2):
        law = np.kron(np.eye(ATOMS), np.diag([1, 2]))
        lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)), conservation_law=law)
        lead[lattice(0)] = cell + mixing * np.kron(np.eye(ATOMS), [[0, 1], [1, 0]])
        lead[lattice.neighbors()] = hopping
        device = kwant.Builder()
        device[lattice(0)] = cell
        device.attach_lead(lead)
        found.append(kc.Model(device.finalized()).scattering.leads[0])
    assert found[0].modes(0.3)[0].block_nmodes == [1, 1]
    with pytest.warns(UserWarning, match="Hamiltonian breaks Conservation law"):
        momenta = found[1].modes(0.3)[0].momenta
    bands = kwant.physics.Bands(lead.finalized())
    assert len(momenta) == 4
    for k in momenta:
        assert np.abs(bands(k) - 0.3).min() < 1e-12


def test_symmetries_of_energy_zero_are_left_out_elsewhere():
    """Electrons and holes: what relates E to -E says nothing of the modes at one energy."""
    cell, hopping = (
        np.kron(part[::2, ::2], np.diag([1, -1])) for part in chain_matrices(np.eye(6))
    )
    lattice = kwant.lattice.chain(norbs=2 * ATOMS)
    lead = kwant.Builder(
        kwant.TranslationalSymmetry((-1,)), particle_hole=np.kron(np.eye(ATOMS), [[0, 1], [1, 0]])
    )
    lead[lattice(0)] = cell
    lead[lattice.neighbors()] = hopping
    cells = Cells(lead.finalized(), None)
    assert has_poor_inverse(cells.inter_cell_hopping())
    momenta = cells.modes(0.3)[0].momenta
    bands = kwant.physics.Bands(lead.finalized())
    assert len(momenta) == 4
    for k in momenta:
        assert np.abs(bands(k) - 0.3).min() < 1e-12


def test_blocks_are_judged_by_themselves():
    """A poor block beside one without an inverse, as Kwant sees them: one after the other."""
    cell, hopping = chain_matrices(np.eye(2 * ATOMS))
    both = hopping.copy()
    both[1::2, 1::2] = 0
    both[2 * ATOMS - 1, 1] = -1.0  # from the last atom of a cell to the first of the next one
    law = np.kron(np.eye(ATOMS), np.diag([1, 2]))
    lattice = kwant.lattice.chain(norbs=2 * ATOMS)
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)), conservation_law=law)
    lead[lattice(0)] = cell
    lead[lattice.neighbors()] = both
    finalized = lead.finalized()
    cells = Cells(finalized, None)
    there = cells.inter_cell_hopping()
    assert not has_poor_inverse(there)
    assert has_poor_inverse(there, cells.discrete_symmetry().projectors)
    bands = kwant.physics.Bands(finalized)
    for energy in np.random.default_rng(3).uniform(-0.9, 0.9, 25):
        propagating, _ = cells.modes(energy)
        assert propagating.block_nmodes == [1, 1]
        for k in propagating.momenta:
            assert np.abs(bands(k) - energy).min() < 1e-12


def test_modes_that_are_mixed_are_no_others():
    """Two of equal momentum, of either direction: D is that of the space, and none is refused."""
    lead = Cells(junction(0).leads[0], None)
    hopping, (propagating, stabilised) = lead.inter_cell_hopping(), lead.modes(0.3)
    for some in (slice(0, 2), slice(2, 4)):
        mixing = np.eye(4)
        mixing[some, some] = [[1.0, 0.6], [0.0, 0.8]]  # each of unit current still
        mixed = copy(propagating)
        mixed.wave_functions = propagating.wave_functions @ mixing
        vecs, inverse = stabilised.vecs.copy(), stabilised.vecslmbdainv.copy()
        vecs[:, :4], inverse[:, :4] = vecs[:, :4] @ mixing, inverse[:, :4] @ mixing
        wrong = StabilizedModes(vecs, inverse, 2, stabilised.sqrt_hop)
        with pytest.raises(RuntimeError, match=r"off by up to 0\.6 of that"):
            check_currents(wrong)
        waves, right = with_separate_currents(mixed, wrong, hopping)
        check_currents(right)
        for one, other in (
            (waves.wave_functions, propagating.wave_functions),
            (right.vecs, stabilised.vecs),
        ):
            one, other = one[:, some], other[:, some]
            assert_allclose(one @ one.conj().T, other @ other.conj().T, atol=1e-12)
