"""Models at displaced coordinates against systems that are built there."""

import warnings
from copy import deepcopy
from functools import lru_cache

import kwant
import numpy as np
import overlapping
import pytest
from systems import MODELS, atoms_of, chain, random_hermitian, random_system, rashba_gradient

from kwant_curl import (
    Displacements,
    Exponential,
    Force,
    Matrices,
    Model,
    Parameters,
    PowerLaw,
    Probe,
    curl_map,
    flow_map,
    force_response,
)

SCALED = ["one orbital", "three leads", "3D wire", "two orbitals, scaled"]


def own_gradient(a, b):
    """That of the hopping with spin-orbit coupling."""
    return rashba_gradient(np.asarray(a.pos), np.asarray(b.pos))


def some_way(model, seed, size=0.08):
    """By how much atoms are displaced, (n_atoms, dim)."""
    return np.random.default_rng(seed).uniform(-size, size, (np.prod(model.shape), model.dim))


def laws(name):
    """How the Hamiltonian follows, as coordinates say it."""
    if name in SCALED:
        return {"law": {"scaling": PowerLaw(3)}, "function": {}}
    gradient = {"hopping_gradient": own_gradient}
    return {"function": {}, **({"gradient": gradient} if "spin-orbit" in name else {})}


CASES = [(name, kind) for name in MODELS for kind in laws(name)]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_forces_are_those_of_a_system_that_is_built_there(name, kind):
    model = MODELS[name]
    start, way = model.positions(), some_way(model, 1)
    make = model.syst_of_functions if kind == "function" else model.syst
    syst, there = make(start), make(start + way)
    moving = Displacements(atoms_of(syst), **laws(name)[kind])
    moved = Model(syst).moved(moving, way.ravel())
    np.testing.assert_allclose(
        moved.hamiltonian.toarray(),
        there.hamiltonian_submatrix(),
        atol=1e-12,
    )
    np.testing.assert_allclose(moved.positions[atoms_of(syst)], start + way, atol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the gauge, and of time reversal
        mine, theirs = (
            force_response(one, moving, model.energy, bias=model.dmu(), jacobian=True, noise=True)
            for one in (moved, there)
        )
    for part in ("force", "curl", "friction", "jacobian", "noise"):
        expected = getattr(theirs, part)
        # Numerical derivatives of functions at places that differ by rounding.
        tolerance = 1e-12 if kind == "law" and part != "jacobian" else 1e-9
        np.testing.assert_allclose(
            getattr(mine, part), expected, atol=tolerance * np.abs(expected).max(), err_msg=part
        )


def test_parameters_that_move_are_other_parameters():
    model = MODELS["one orbital"]
    syst = model.syst_of_parameters(model.positions())
    params = {"x0": 0.02, "y0": 0.0, "x1": -0.05, "y1": 0.01}
    moving = Parameters(["x1", "y0"])
    moved = Model(syst, params).moved(moving, [0.07, -0.03])
    there = {**params, "x1": params["x1"] + 0.07, "y0": -0.03}
    expected = syst.hamiltonian_submatrix(params=there)
    np.testing.assert_array_equal(moved.hamiltonian.toarray(), expected)
    assert moved.params == there
    mine, theirs = (
        force_response(one, moving, model.energy, params=p)
        for one, p in ((moved, None), (syst, there))
    )
    np.testing.assert_allclose(mine.curl, theirs.curl, rtol=1e-9)


def test_matrices_go_to_second_order():
    """H + q_I M_I + q_I q_J M_IJ / 2; what they are derivatives of moves along."""
    syst = random_system(3).finalized()
    rng, n = np.random.default_rng(4), len(syst.sites)
    first = [random_hermitian(rng, n) for _ in range(2)]
    second = {(0, 0): random_hermitian(rng, n), (0, 1): random_hermitian(rng, n)}
    q = np.array([0.2, -0.3])
    change = q[0] * first[0] + q[1] * first[1] + 0.5 * q[0] ** 2 * second[0, 0]
    change = change + q[0] * q[1] * second[0, 1]
    moving, model = Matrices(first, second=second), Model(syst)
    # In two steps: the second one begins at other derivatives.
    for moved in (model.moved(moving, q), model.moved(moving, 0.4 * q).moved(moving, 0.6 * q)):
        expected = syst.hamiltonian_submatrix() + change
        np.testing.assert_allclose(moved.hamiltonian.toarray(), expected, atol=1e-13)
        here = [
            first[0] + q[0] * second[0, 0] + q[1] * second[0, 1],
            first[1] + q[0] * second[0, 1],
        ]
        mine = force_response(moved, moving, 0.3, jacobian=True)
        theirs = force_response(moved, Matrices(here, second=second), 0.3, jacobian=True)
        for part in ("force", "curl", "friction", "jacobian"):
            np.testing.assert_allclose(getattr(mine, part), getattr(theirs, part), rtol=1e-11)


class OwnLaw:
    """t ~ exp(-d^2), which says its slope alone."""

    def log_derivative(self, distance):
        return -2 * distance


def test_laws_of_families_and_of_ones_own():
    """A law that says its slope alone is integrated."""
    syst = chain(7).finalized()
    family = syst.sites[0].family
    for scaling, factor in (
        (OwnLaw(), np.exp(1 - np.array([1.1, 0.9]) ** 2)),
        ({(family, family): Exponential(0.5)}, np.exp([-0.2, 0.2])),
        (PowerLaw(-2), np.array([1.1, 0.9]) ** 2),
    ):
        moved = Model(syst).moved(Displacements([3], scaling=scaling), [0.1])
        found = moved.hamiltonian[[3, 3], [2, 4]]
        np.testing.assert_allclose(found, -factor, rtol=1e-13)


def test_a_nonorthogonal_system_moves_at_every_energy():
    way = np.random.default_rng(3).uniform(-0.05, 0.05, overlapping.REST.shape)
    syst, there = overlapping.syst_of(), overlapping.syst_of(overlapping.REST + way)
    moving = Displacements(atoms_of(syst))
    model = Model(syst, energy_parameter=overlapping.NAME).moved(moving, way.ravel())
    for energy in (-0.4, 0.3):
        mine, theirs = (
            force_response(one, moving, energy, energy_parameter=overlapping.NAME)
            for one in (model, there)
        )
        for part in ("force", "curl", "friction"):
            np.testing.assert_allclose(
                getattr(mine, part), getattr(theirs, part), rtol=1e-8, atol=1e-10
            )


def test_what_stays_is_shared():
    """Leads, their modes, solver and its analysis; the model itself is as it was."""
    model = MODELS["one orbital"]
    start = Model(model.syst(model.positions()))
    before = start.hamiltonian.copy()
    moving = Displacements(atoms_of(start.syst), scaling=PowerLaw(3))
    moved = start.moved(moving, some_way(model, 2).ravel())
    assert moved.scattering.leads[0] is start.scattering.leads[0]
    assert moved.scattering.solver is start.scattering.solver
    np.testing.assert_array_equal(start.hamiltonian.toarray(), before.toarray())
    np.testing.assert_array_equal(start.positions, Model(start.syst).positions)
    with pytest.raises(ValueError, match="read-only"):
        moved.positions[0] = 0
    force_response(start, moving, model.energy)
    mine = force_response(moved, moving, model.energy).curl
    back = moved.moved(moving, -some_way(model, 2).ravel())
    np.testing.assert_allclose(back.hamiltonian.toarray(), before.toarray(), atol=1e-13)
    np.testing.assert_allclose(
        force_response(back, moving, model.energy).curl,
        force_response(start, moving, model.energy).curl,
        rtol=1e-11,
    )
    assert np.abs(mine - force_response(start, moving, model.energy).curl).max() > 1e-4


def test_other_routines_see_the_displaced_sites():
    """Maps, flows and a function of the place in `where`, which speaks of the start."""
    model = MODELS["one orbital"]
    start, syst = model.positions(), model.syst(model.positions())
    atoms = atoms_of(syst)

    def left(site):
        return syst.id_by_site[site] in atoms and site.pos[0] < 1.2

    moving = Displacements(left, scaling=PowerLaw(3))
    chosen = [n for n, i in enumerate(atoms) if left(syst.sites[i])]
    way = np.zeros_like(start)
    way[chosen] = 0.3, 0.05
    there = model.syst(start + way)
    assert max((start + way)[chosen, 0]) > 1.2  # no longer on the left
    moved = Model(syst).moved(moving, way[chosen].ravel())
    same = Displacements([atoms[n] for n in chosen], scaling=PowerLaw(3))
    mine, theirs = curl_map(moved, moving, model.energy), curl_map(there, same, model.energy)
    np.testing.assert_allclose(mine.positions, (start + way)[chosen], atol=1e-14)
    np.testing.assert_allclose(mine.curl, theirs.curl, rtol=1e-11)
    flows = [flow_map(one, model.energy, cell_volume=1.0) for one in (moved, there)]
    np.testing.assert_allclose(flows[0].positions, flows[1].positions, atol=1e-14)
    np.testing.assert_allclose(flows[0].current, flows[1].current, atol=1e-12)


def test_a_rebuilt_ring_of_periods():
    """A bond through a seam follows its nearest image."""
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(6) for y in range(4))] = 0
    builder[lattice.neighbors()] = -1
    builder[((lattice(x, 0), lattice(x, 3)) for x in range(6))] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(4))] = 0
    lead[lattice.neighbors()] = -1
    lead[lattice(0, 0), lattice(0, 3)] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    syst = builder.finalized()
    site = syst.id_by_site[lattice(2, 0)]
    other = syst.id_by_site[lattice(2, 3)]
    moving = Displacements([site], scaling=PowerLaw(2), periods=[(0, 4)])
    moved = Model(syst).moved(moving, [0.0, 0.1])
    assert moved.hamiltonian[site, other] == pytest.approx(-(1.1**-2))
    curl = curl_map(moved, moving, -0.7).curl
    assert np.isfinite(curl).all()


def test_what_is_refused():
    model = MODELS["one orbital"]
    start = Model(model.syst(model.positions()))
    moving = Displacements(atoms_of(start.syst), scaling=PowerLaw(3))
    n = 2 * len(atoms_of(start.syst))
    with pytest.raises(ValueError, match=f"has 3 entries; expected {n}, one per coordinate"):
        start.moved(moving, [0, 0, 0.1])
    with pytest.raises(ValueError, match="not finite"):
        start.moved(moving, [np.nan] * n)
    with pytest.raises(ValueError, match=r"expected one real number per coordinate, \(n_c,\)"):
        start.moved(moving, np.zeros((n, 1)))
    with pytest.raises(TypeError, match="A Probe is not there for the electrons"):
        start.moved(Probe([(0.0, 0.0)], width=1.5), [0.1, 0.1])
    onsite = Displacements(
        moving.where, scaling=PowerLaw(3), onsite_gradient=lambda site, other: np.zeros(2)
    )
    with pytest.raises(ValueError, match="can't know where all neighbours"):
        start.moved(onsite, np.zeros(n))
    with pytest.raises(TypeError, match="expected Displacements, Parameters or Matrices"):
        start.moved(object(), [0.1])
    # On top of its neighbour, and nearly so.
    near = np.zeros((len(atoms_of(start.syst)), 2))
    near[0] = start.positions[atoms_of(start.syst)[1]] - start.positions[atoms_of(start.syst)[0]]
    with pytest.raises(ValueError, match="share a bond and a position"):
        start.moved(moving, near.ravel())
    steep = Displacements(moving.where, scaling=PowerLaw(60))
    with pytest.raises(ValueError, match="come too close"):
        start.moved(steep, (1 - 1e-7) * near.ravel())

    def value(a, b):
        return -1 / np.sqrt(np.linalg.norm(np.subtract(a.pos, b.pos)) - 0.5)

    strange = model.builder(model.positions(), value).finalized()
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match="expected 1 finite numbers"),
    ):
        Model(strange).moved(Displacements(atoms_of(strange)), 0.9 * near.ravel())


def random_chain(n_sites, hopping=-1.0, onsite=None):
    """A chain with levels at random, whose ends are those of its leads."""
    levels = np.random.default_rng(0).uniform(-0.5, 0.5, n_sites)
    builder = chain(n_sites)
    lattice = next(iter(builder.sites())).family
    for i in range(1, n_sites - 1):
        builder[lattice(i)] = levels[i] if onsite is None else onsite(levels[i])
    for i in range(1, n_sites - 2):
        builder[lattice(i), lattice(i + 1)] = hopping
    return builder.finalized()


def test_coordinates_that_ask_functions_do_not_go_on_from_a_law():
    """What a law has changed is no longer what the functions return."""
    syst = random_chain(8, hopping=lambda a, b, t: -t)
    start, bonds = Model(syst, {"t": 1.0}), Parameters("t")
    stretched = start.moved(Displacements([3], scaling=PowerLaw(2)), [0.1])
    for ask in (
        lambda: stretched.moved(bonds, [0.2]),
        lambda: force_response(stretched, bonds, 0.3),
        lambda: force_response(stretched, bonds, 0.3, jacobian=True),
    ):
        with pytest.raises(ValueError, match="returns another value than the displaced model"):
            ask()
    # In the other order the law scales what the parameter has made.
    other = start.moved(bonds, [0.2]).moved(Displacements([3], scaling=PowerLaw(2)), [0.1])
    assert other.hamiltonian[3, 2] == pytest.approx(-1.2 / 1.1**2)


def test_the_system_of_a_law_has_no_hoppings_of_its_own():
    """It knows places; its value functions would return what is no longer there."""
    moving = Displacements([4], scaling=PowerLaw(2))
    moved = Model(random_chain(9)).moved(moving, [0.3])
    assert moved.syst.sites[4].pos[0] == pytest.approx(4.3)
    for ask in (
        lambda: kwant.smatrix(moved.syst, 0.3),
        lambda: Model(moved.syst).hamiltonian,
        lambda: force_response(moved.syst, moving, 0.3),
    ):
        with pytest.raises(ValueError, match="the system of a displaced model"):
            ask()


def ring_of_atoms():
    """A wire that closes on itself across."""
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(6) for y in range(4))] = lambda site, mu: mu
    builder[lattice.neighbors()] = -1
    builder[((lattice(x, 0), lattice(x, 3)) for x in range(6))] = -1
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(4))] = 0
    lead[lattice.neighbors()] = -1
    lead[lattice(0, 0), lattice(0, 3)] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized(), lattice


def test_bonds_that_close_are_refused_in_displaced_models_too():
    syst, lattice = ring_of_atoms()
    moved = Model(syst, {"mu": 0.3}).moved(Parameters("mu"), [0.1])
    moving = Displacements([syst.id_by_site[lattice(2, 0)]], scaling=PowerLaw(2))
    for ask in (
        lambda: force_response(moved, moving, -0.7),
        lambda: flow_map(moved, -0.7, cell_volume=1.0),
    ):
        with pytest.raises(ValueError, match="periods"):
            ask()


@pytest.mark.parametrize("far", [0.5, 1.1, 1.5])
def test_bonds_keep_their_image_however_far_an_atom_goes(far):
    """Half a period is 2: the force stays the derivative of the Hamiltonian."""
    syst, lattice = ring_of_atoms()
    site, other = (syst.id_by_site[lattice(2, y)] for y in (0, 3))
    moving = Displacements([site], scaling=PowerLaw(2), periods=[(0, 4)])
    start = Model(syst, {"mu": 0.0})

    def element(q):
        return start.moved(moving, [0.0, q]).hamiltonian[site, other].real

    slope = (element(far + 1e-4) - element(far - 1e-4)) / 2e-4
    (_, force) = Force(start.moved(moving, [0.0, far]), moving).matrices()
    assert -force.toarray()[site, other].real == pytest.approx(slope, rel=1e-6)
    back = start.moved(moving, [0.0, far]).moved(moving, [0.0, -far])
    np.testing.assert_allclose(back.hamiltonian.toarray(), start.hamiltonian.toarray(), atol=1e-13)


def test_operators_see_displacements_whatever_the_model_is_for():
    moving = Displacements([3], scaling=PowerLaw(2))
    by_purpose = [
        force_response(Model(random_chain(9), purpose=purpose).moved(moving, [0.1]), moving, 0.3)
        for purpose in ("operators", "many calls", "one call")
    ]
    for result in by_purpose[1:]:
        np.testing.assert_allclose(result.force, by_purpose[0].force, rtol=1e-12)


def test_functions_that_do_not_see_displacements():
    """They are refused before anything is kept by site."""

    @lru_cache(None)
    def kept(a, b):
        return -(abs(a.pos[0] - b.pos[0]) ** -2.0)

    syst = random_chain(8, hopping=kept)
    with pytest.raises(ValueError, match="it keeps values by site"):
        Model(syst).moved(Displacements([3]), [0.1])
    assert syst.hamiltonian(3, 4) == -1
    with pytest.raises(ValueError, match="No value function of the sites that move"):
        Model(random_chain(8)).moved(Displacements([3]), [0.1])


def test_copies_know_of_displacements():
    """Of second derivatives, dH/dQ is another one where matrices are displaced to."""
    first = [np.diag(np.eye(7)[3]), np.diag(np.eye(7)[2] + np.eye(7)[3])]
    second = {(0, 1): first[1], (0, 0): first[0]}
    moving = Matrices(first, second=second)
    moved = Model(random_chain(7)).moved(moving, [0.3, 0.4])
    expected = force_response(moved, moving, 0.3).force
    again = Matrices([m.copy() for m in first], second=dict(second))
    for other in (again, deepcopy(moving)):
        np.testing.assert_array_equal(force_response(moved, other, 0.3).force, expected)
    at_rest = force_response(Model(random_chain(7)), moving, 0.3).force
    assert np.abs(at_rest - expected).max() > 1e-3


def test_a_matrix_for_a_displaced_parameter_is_refused():
    syst = random_chain(8, onsite=lambda level: lambda site, x: level + x**2)
    (slope,) = Force(Model(syst, {"x": 0.1}), Parameters("x")).matrices()
    fixed = Parameters("x", derivatives={"x": -slope})
    start = Model(syst, {"x": 0.1})
    np.testing.assert_allclose(
        force_response(start, fixed, 0.3).force, force_response(start, Parameters("x"), 0.3).force
    )
    with pytest.raises(ValueError, match="lambda params: matrix"):
        force_response(start.moved(fixed, [0.5]), fixed, 0.3)
