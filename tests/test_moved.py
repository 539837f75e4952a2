"""Models at displaced coordinates against systems that are built there."""

import warnings

import kwant
import numpy as np
import overlapping
import pytest
from systems import MODELS, atoms_of, chain, random_hermitian, random_system, rashba_gradient

from kwant_curl import (
    Displacements,
    Exponential,
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


def test_onsite_gradients_are_integrated():
    """H_ii = sum over neighbours of 1/d^2, along the straight way."""
    syst = chain(7).finalized()

    def slope(site, other):
        if site == other:
            return np.sum([-pull(site, lattice_at(site, step)) for step in (-1, 1)], axis=0)
        return pull(site, other)

    def lattice_at(site, step):
        return syst.sites[site.tag[0] + step]

    def pull(site, other):
        return 2 * (site.pos[0] - other.pos[0]) / abs(site.pos[0] - other.pos[0]) ** 4 * np.ones(1)

    moving = Displacements([3], scaling=PowerLaw(2), onsite_gradient=slope)
    moved = Model(syst).moved(moving, [0.1])
    expected = [1 / 1.1**2 - 1, 1 / 1.1**2 + 1 / 0.9**2 - 2, 1 / 0.9**2 - 1]
    found = moved.hamiltonian.diagonal()[[2, 3, 4]]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


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
