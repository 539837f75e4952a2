"""States bound in the device: recognised at their energy, and found in a window."""

import re
import warnings

import kwant
import numpy as np
import pytest
from systems import chain, dense_greens, has_mumps, random_system, square_wire

import kwant_curl as kc
from kwant_curl.devices import Atoms
from kwant_curl.electrons import bound
from kwant_curl.electrons.bound import narrow_levels
from kwant_curl.electrons.nearest_levels import DENSE
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.model.bands import band_edges
from kwant_curl.model.model import Model

BACKENDS = ["superlu", *(["mumps"] if has_mumps() else [])]
LEVEL = 0.3
APART = np.diag([0.0, 1.0, -1.0])
"""Moves the levels of the two twins apart: between their even and their odd state."""


def twins(split=0.0, alone=None):
    """Atom 0 between two leads, atoms 1 and 2 alike on it: the odd state of them is bound.

    split: how far their levels are from alike; its width is about split^2.  alone: the level
    of an atom without bonds.
    """
    atoms = Atoms(np.array([[0.0, 0], [1, 1], [1, -1], [5, 5]]), norbs=1)
    builder = kwant.Builder()
    builder[atoms(0)] = 0.0
    builder[atoms(1)], builder[atoms(2)] = LEVEL + split, LEVEL - split
    builder[atoms(1), atoms(0)] = builder[atoms(2), atoms(0)] = -0.7
    if alone is not None:
        builder[atoms(3)] = alone

    def sigma(energy, args=(), params=None):
        return np.array([[-0.5j]])

    builder.leads += [kwant.builder.SelfEnergyLead(sigma, [atoms(0)], []) for _ in range(2)]
    return builder.finalized()


def ring(step):
    """Benzene between two chains, on its atoms 0 and `step`."""
    angles = np.pi / 3 * np.arange(6)
    atoms = Atoms(1.4 * np.stack([np.cos(angles), np.sin(angles)], axis=1), norbs=1)
    builder = kwant.Builder()
    builder[(atoms(i) for i in range(6))] = 0.0
    for i in range(6):
        builder[atoms(i), atoms((i + 1) % 6)] = -1.0
    for number, end in enumerate((0, step)):
        chain = kwant.lattice.general([(1, 0)], [(3, 9 * number)], name=f"{number}", norbs=1)
        (sites,) = chain.sublattices
        builder[sites(0)] = 0.0
        builder[sites(0), atoms(end)] = -0.6
        lead = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
        lead[sites(0)] = 0.0
        lead[sites(0), sites(1)] = -1.5
        builder.attach_lead(lead)
    return builder.finalized()


def found(syst, low, high):
    """The bound states between two energies, all orbitals asked for, without a warning."""
    problem = Model(syst).scattering
    search = bound._Search(problem, Numerics(), None)
    between = search.between([low, *band_edges(problem, low, high), high])
    return [level.energy for level in between]


def said_by(function):
    """What a call returns, and the warnings that it issues."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function()
    return result, [str(one.message) for one in caught]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("split", [0.0, 1e-15])
def test_at_its_energy_there_is_no_solution(backend, split):
    """A level split off by 1e-15 gave a friction of 1e30."""
    solver = kc.direct_solver(backend)
    message = "At energy 0.3 there is a state that is bound in the device, largest at orbital [12]:"
    with pytest.raises(ValueError, match=message):
        kc.force_response(twins(split), kc.Matrices([APART]), LEVEL, solver=solver)
    # And the solver serves the next call.
    kc.force_response(twins(split), kc.Matrices([APART]), LEVEL + 0.1, solver=solver)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_atom_without_bonds(backend):
    first = np.diag([1.0, 0.0, 0.0, 0.0])
    options = {"solver": kc.direct_solver(backend)}
    with pytest.raises(ValueError, match="a state of an atom without bonds, largest at orbital 3"):
        kc.force_response(twins(0.1, alone=0.6), kc.Matrices([first]), 0.6, **options)


def test_as_good_as_bound():
    for split, energy, distance in ((0.0, LEVEL + 1e-11, "1e-11"), (1e-5, LEVEL, "1e-10")):
        message = f"as good as that, is within {distance} of energy 0.3.*; it is largest"
        for ask in (
            lambda split, energy: kc.force_response(twins(split), kc.Matrices([APART]), energy),
            lambda split, energy: kc.NonequilibriumDensity(twins(split), energy),
        ):
            with pytest.warns(RuntimeWarning, match=message) as found:
                result = ask(split, energy)
            assert result.warnings == tuple(str(said.message) for said in found)
    # A width of 1e-6 is a resonance like others, and a distance of 1e-6 enough.
    for split, energy in ((1e-3, LEVEL), (0.0, LEVEL + 1e-6)):
        kc.force_response(twins(split), kc.Matrices([APART]), energy)


def test_what_a_bound_state_in_a_window_would_have_added():
    """Between odd and even state: nothing if the odd one is bound, this if all but bound."""
    mu, kt = LEVEL + 0.02, 0.05

    def friction(split, matrix):
        coordinates, options = kc.Matrices([matrix]), {"temperature": kt, "rtol": 1e-7}
        return said_by(lambda: kc.force_response(twins(split), coordinates, mu, **options))

    exact, said = friction(0.0, APART + np.diag([0, 1, 1]))
    assert len(said) == 1
    assert re.search(
        "states are bound in the device, at 0.3; the first is .* orbital [12]", said[0]
    )
    greens = dense_greens(twins())(LEVEL + 1e-7)
    density = 0.5j * (greens - greens.conj().T) / np.pi
    even = np.array([0, 1, 1]) / np.sqrt(2)
    weight = 1 / (4 * kt * np.cosh(0.02 / (2 * kt)) ** 2)
    missing = 2 * np.pi * weight * (even @ density @ even).real
    assert exact.friction[0, 0] == pytest.approx(0.3486745, rel=1e-6)
    assert missing == pytest.approx(9.80656, rel=1e-5)
    beside, said = friction(0.05, APART)
    assert not said
    assert beside.friction[0, 0] == pytest.approx(missing, rel=0.05)


@pytest.mark.heavy
@pytest.mark.parametrize("split", [1e-3, 1e-5, 5e-6])
def test_resonances_that_are_all_but_bound(split):
    """As wide as split^2 of the band, and each is found: its area doesn't depend on the width.

    At 1e-6 the rounding of the solves is as large as rtol, and the solver decides.
    """
    mu, kt = LEVEL + 0.02, 0.05
    coordinates, options = kc.Matrices([APART]), {"temperature": kt, "rtol": 1e-4}
    broad = kc.force_response(twins(1e-2), coordinates, mu, **options)
    result = kc.force_response(twins(split), coordinates, mu, **options)
    assert result.friction[0, 0] == pytest.approx(10.68915, rel=2e-4)
    assert broad.friction[0, 0] == pytest.approx(10.68915, rel=3e-3)
    assert len(result.spectrum.energies) <= 60  # 20 to 45: of the force, which cancels, the most


def test_a_level_that_energies_do_not_resolve():
    options = {"temperature": 0.05, "rtol": 1e-4}
    with pytest.raises(ValueError, match=r"At 0\.3 there is a state that is as good as bound"):
        kc.force_response(twins(1e-7), kc.Matrices([APART]), LEVEL + 0.02, **options)


def test_benzene():
    np.testing.assert_allclose(found(ring(3), -1.5, 1.4), [-1, 1], atol=1e-12)
    assert not found(ring(2), -1.5, 1.4)
    assert not found(ring(1), -1.5, 1.4)
    syst = ring(3)
    moving = kc.Displacements(range(6), scaling=kc.PowerLaw(2))
    with pytest.raises(ValueError, match=r"At energy -1\.0 there is a state that is bound"):
        kc.curl_map(syst, moving, -1.0)


def test_below_the_bands():
    """An impurity in a chain: E = -(e^2 + 4 t^2)^(1/2), with a tail in the leads."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(3))] = 0
    builder[lattice(1)] = -3.0
    builder[lattice.neighbors()] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    lead[lattice(0)] = 0
    lead[lattice.neighbors()] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    syst = builder.finalized()
    np.testing.assert_allclose(found(syst, -5, 0), [-np.sqrt(13)], rtol=1e-8)
    assert not found(syst, -3.5, 3)
    coordinates = kc.Matrices([np.diag([0, 1.0, 0])])
    _, said = said_by(
        lambda: kc.force_response(syst, coordinates, -2.5, bias=2.6, linear=False, rtol=1e-2)
    )
    assert any("bound in the device, at -3.60555128" in one for one in said)


@pytest.mark.heavy
def test_ordinary_systems_have_none():
    for seed in range(40):
        syst = random_system(seed, n_leads=2 + seed % 2, norbs=1 + seed % 2, n_sites=5).finalized()
        assert not found(syst, -1.0, 1.0)
    # Widths of about 1e-6 and 1e-8.
    assert not found(twins(1e-3), 0, 1)
    assert not found(twins(1e-4), 0, 1)


def test_many_orbitals():
    """Found by Arnoldi's method, in a window that holds more levels than are asked for."""
    builder = square_wire(length=20, width=10, disorder=0.5)
    lattice = next(iter(builder.sites())).family
    atoms = Atoms(np.array([[9.2, 4.3], [9.3, 4.2]]), norbs=1)
    for i in range(2):
        builder[atoms(i)] = 2.9
        builder[atoms(i), lattice(9, 4)] = -0.4
    syst = builder.finalized()
    assert len(syst.sites) > DENSE
    np.testing.assert_allclose(found(syst, 2.4, 3.1), [2.9], rtol=1e-9)
    problem = Model(syst).scattering
    orbital = syst.id_by_site[atoms(0)]
    everywhere = np.arange(len(syst.sites))
    edges = band_edges(problem, 2.0, 4.0)
    window = (2.85, 3.0), edges, Numerics(max_memory=np.inf)
    (notice,) = narrow_levels(problem, *window, np.array([orbital])).notices
    assert "states are bound in the device, at 2.9;" in notice
    # No loss to what doesn't touch it.
    others = everywhere[:50][everywhere[:50] != orbital]
    others = np.setdiff1d(others, [syst.id_by_site[atoms(1)]])
    levels = narrow_levels(problem, *window, others)
    np.testing.assert_allclose(levels.bound, [2.9], rtol=1e-9)
    assert not levels.notices


def test_every_routine_says_so():
    syst, options = ring(3), {"temperature": 0.01, "rtol": 1.0}
    moving = kc.Displacements(range(6), scaling=kc.PowerLaw(2))
    pair = np.eye(12)[:2]
    calls = [
        lambda: kc.curl_map(syst, moving, -1.005, **options),
        lambda: kc.flow_map(syst, -1.005, cell_volume=1.0, **options),
        lambda: kc.NonequilibriumDensity(syst, -1.005, **options),
        lambda: kc.phonon_rates(syst, moving, pair, -1.005, frequency=0.02, **options),
    ]
    for call in calls:
        _, said = said_by(call)
        assert any("states are bound in the device, at -1;" in one for one in said), said


@pytest.mark.heavy
@pytest.mark.parametrize("seed", [3, 12])
def test_levels_that_weak_disorder_binds_below_a_band(seed):
    """A hundred-millionth of the band from its edge, they are a hundred times all the rest."""
    syst = square_wire(6, 3, disorder=2e-3, seed=seed).finalized()
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    found, reference = (
        kc.force_response(syst, moving, 3.5, temperature=0.05, rtol=rtol).friction
        for rtol in (1e-4, 1e-5)
    )
    assert np.abs(reference).max() > 100
    assert np.abs(found - reference).max() <= 1e-4 * np.abs(reference).max()


@pytest.mark.heavy
@pytest.mark.parametrize("depth", [0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5])
def test_a_level_below_a_chain_of_any_depth(depth):
    """An impurity binds one at -sqrt(4 + depth^2), from 1e-5 to 0.1 of the band below it."""
    builder = chain(5)
    builder[kwant.lattice.chain(norbs=1)(2)] = -depth
    problem, level = Model(builder.finalized()).scattering, -np.sqrt(4 + depth**2)
    for low, high in ((-2.2, -1.6), (-2.1, -0.4), (-2.5, 1.0)):
        edges = band_edges(problem, low, high)
        found = narrow_levels(problem, (low, high), edges, Numerics(), None)
        assert found.bound == pytest.approx([level], abs=1e-9)
