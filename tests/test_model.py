"""A system at its params: evaluated once, asked by everybody."""

import gc
import inspect
import pickle
import weakref
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import kwant
import kwant.solvers.sparse
import numpy as np
import pytest
import tinyarray
from systems import MODELS, has_mumps, square_wire

import kwant_curl as kc
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.leads import Cells

LAW = kc.Displacements(scaling=kc.PowerLaw(2))
ENERGIES = np.linspace(1.2, 2.1, 20)
NAMES = ("lead_force", "lead_curl", "friction")


def counted():
    """A wire whose value functions count their calls, and the counts: of it, of its leads."""
    counts = Counter()
    lattice = kwant.lattice.square(norbs=1)

    def onsite(site, disorder):
        counts["onsite", site.tag] += 1
        return 4 + disorder[site.tag[0], site.tag[1]]

    def hopping(site1, site2, strength):
        counts["hopping", site1.tag, site2.tag] += 1
        return -strength

    def lead_onsite(site):
        counts["lead"] += 1
        return 4.0

    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(7) for y in range(5))] = onsite
    builder[lattice.neighbors()] = hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(5))] = lead_onsite
    lead[lattice.neighbors()] = lambda site1, site2, strength: -strength
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    rng = np.random.default_rng(4)
    params = {"disorder": 0.5 * rng.normal(size=(7, 5)), "strength": 1.0}
    return builder.finalized(), params, counts


def of_the_device(counts):
    return {key: count for key, count in counts.items() if key != "lead"}


@pytest.mark.parametrize(
    "routine",
    [
        lambda syst, **given: kc.curl_map(syst, LAW, 1.7, **given),
        lambda syst, **given: kc.curl_map(syst, LAW, 1.7, temperature=0.02, rtol=1e-2, **given),
        lambda syst, **given: kc.flow_map(syst, 1.7, **given),
        lambda syst, **given: kc.flow_map(syst, 1.7, bias=0.2, linear=False, rtol=1e-2, **given),
        lambda syst, **given: kc.force_response(
            syst, kc.Displacements([10, 11], scaling=kc.PowerLaw(2)), 1.7, velocity=True, **given
        ),
        lambda syst, **given: kc.NonequilibriumDensity(syst, 1.7, **given),
        lambda syst, **given: kc.phonon_rates(
            syst, LAW, np.eye(50)[:2], 1.7, frequency=0.1, bias=0.2, rtol=1e-1, **given
        ),
    ],
)
def test_one_call_asks_each_element_once(routine):
    syst, params, counts = counted()
    routine(syst, params=params)
    assert len(of_the_device(counts)) == 7 * 5 + 6 * 5 + 7 * 4
    assert set(of_the_device(counts).values()) == {1}


def test_a_sweep_asks_no_more_often_than_one_energy():
    syst, params, counts = counted()
    kc.curl_map(syst, LAW, 1.7, params=params)
    once = counts.copy()
    counts.clear()
    model = kc.Model(syst, params)
    maps = kc.sweep(partial(kc.curl_map, model, LAW), ENERGIES)
    assert counts == once
    for energy, result in zip(ENERGIES[::7], maps[::7], strict=True):
        expected = kc.curl_map(syst, LAW, energy, params=params)
        for name in NAMES:
            np.testing.assert_allclose(getattr(result, name), getattr(expected, name), atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_everything_takes_a_model(name):
    case = MODELS[name]
    syst, energy = case.syst(case.positions()), case.energy
    model = kc.Model(syst)
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    options = {"bias": case.dmu()}
    psi = kwant.wave_function(syst, energy)(0)
    for take in (
        lambda s: kc.curl_map(s, moving, energy, **options).curl,
        lambda s: kc.force_response(s, moving, energy, jacobian=True, **options).jacobian,
        lambda s: kc.flow_map(s, energy, cell_volume=1.0, **options).momentum_current,
        lambda s: kc.Force(s, moving)(psi),
        lambda s: kc.Force(s, moving).bind().matrix(psi, psi),
        lambda s: kc.MomentumCurrent(s, cell_volume=1.0)(psi),
        lambda s: kc.NonequilibriumDensity(s, energy, **options).density(),
        lambda s: kc.NonequilibriumDensity(s, energy, **options).expectation(kc.Force(s, moving)),
    ):
        expected = take(syst)
        np.testing.assert_allclose(take(model), expected, atol=1e-12 * np.abs(expected).max())


def test_params_of_a_model_are_its_own():
    syst, params, _ = counted()
    model = kc.Model(syst, params)
    with pytest.raises(ValueError, match="params are given, but the model holds its own"):
        kc.curl_map(model, LAW, 1.7, params=params)
    params["strength"] = 7.0
    assert model.params["strength"] == 1.0
    with pytest.raises(TypeError, match="Builder that is not finalized"):
        kc.Model(square_wire())
    operator = kc.Force(model, LAW)
    with pytest.raises(ValueError, match="params are given, but the model holds its own"):
        operator(np.ones(35), params=params)


@pytest.mark.parametrize("name", MODELS)
def test_the_linear_system_is_kwants(name):
    """Element by element, with leads known by modes and by a self-energy."""
    case = MODELS[name]
    whole = case.syst(case.positions())
    solver = kwant.solvers.sparse.Solver()
    for syst in (whole, whole.precalculate(case.energy, what="modes")):
        problem = kc.Model(syst).scattering
        ours = problem.equations(problem.solved_leads(case.energy))
        leads = range(len(syst.leads))
        kwants, _ = solver._make_linear_sys(syst, leads, case.energy)
        assert abs(ours.matrix - kwants.lhs).max() == 0
        for mine, theirs in zip(ours.incoming, kwants.rhs, strict=True):
            assert abs(mine - theirs).max() == 0
    bare = whole.precalculate(case.energy, what="selfenergy")
    problem = kc.Model(bare).scattering
    ours = problem.equations(problem.solved_leads(case.energy))
    kwants, _ = solver._make_linear_sys(bare, [], case.energy, realspace=True)
    np.testing.assert_allclose(ours.matrix.toarray(), kwants.lhs.toarray(), atol=1e-13)


@pytest.mark.parametrize("rank", [1, 2])
def test_the_linear_system_with_complex_hoppings_in_the_leads(rank):
    """Kwant's root of the hopping of a singular hopping is complex then."""
    rng = np.random.default_rng(rank)
    lattice = kwant.lattice.chain(norbs=3)
    left, right = rng.normal(size=(2, 3, rank)) + 1j * rng.normal(size=(2, 3, rank))
    hopping = left @ right.conj().T
    builder = kwant.Builder()
    for x in range(4):
        onsite = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
        builder[lattice(x)] = onsite + onsite.conj().T
    builder[lattice.neighbors()] = hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    lead[lattice(0)] = np.diag([0.1, 0.2, 0.3])
    lead[lattice.neighbors()] = hopping
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    syst = builder.finalized()
    problem = kc.Model(syst).scattering
    energy = kwant.physics.Bands(syst.leads[0])(1.0)[-1]
    solved = problem.solved_leads(energy)
    assert np.abs(solved.modes[0][1].sqrt_hop.imag).max() > 0.1
    assert solved.modes[0][1].nmodes > 0
    ours = problem.equations(solved)
    kwants, _ = kwant.solvers.sparse.Solver()._make_linear_sys(syst, [0, 1], energy)
    assert abs(ours.matrix - kwants.lhs).max() < 1e-14
    for mine, theirs in zip(ours.incoming, kwants.rhs, strict=True):
        assert abs(mine - theirs).max() < 1e-14


def test_modes_of_equal_leads_are_found_once(monkeypatch):
    found = []
    plain = Cells.modes
    monkeypatch.setattr(
        Cells, "modes", lambda self, *a, **k: found.append(1) or plain(self, *a, **k)
    )
    kc.flow_map(square_wire(length=5, width=3, disorder=0.3).finalized(), 1.7)
    assert len(found) == 1
    builder = square_wire(length=5, width=3)
    other = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
    lattice = next(iter(builder.sites())).family
    other[(lattice(0, y) for y in range(3))] = 4.5
    other[lattice.neighbors()] = -1
    builder.leads.pop()
    builder.attach_lead(other)
    kc.flow_map(builder.finalized(), 1.7)
    assert len(found) == 3


def test_leads_with_other_symmetries_are_not_equal():
    """A conservation law changes which modes there are, though not their span."""
    lattice = kwant.lattice.chain(norbs=2)

    def lead(law):
        builder = kwant.Builder(kwant.TranslationalSymmetry((-1,)), conservation_law=law)
        builder[lattice(0)] = 0 * tinyarray.identity(2)
        builder[lattice.neighbors()] = tinyarray.identity(2)
        return Cells(builder.finalized(), None)

    plain, law = None, np.diag([-1.0, 1.0])
    assert lead(plain).is_like(lead(plain))
    assert lead(law).is_like(lead(law))
    assert not lead(plain).is_like(lead(law))
    assert not lead(law).is_like(lead(-law))


def test_a_system_that_cannot_be_pickled_goes_to_processes():
    """Matrices travel, not the system."""
    builder = square_wire(length=5, width=3)
    builder[next(iter(builder.sites()))] = lambda site: 4.2
    syst = builder.finalized()
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(syst)
    options = {"bias": 0.3, "linear": False, "rtol": 1e-2}
    here = kc.curl_map(syst, LAW, 1.7, **options)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        there = kc.curl_map(syst, LAW, 1.7, executor=pool, **options)
    np.testing.assert_allclose(there.curl, here.curl, atol=1e-12)


def test_threads_share_a_model():
    model = kc.Model(square_wire(length=9, width=6, disorder=0.5).finalized())
    with ThreadPoolExecutor(3) as pool:
        maps = kc.sweep(partial(kc.curl_map, model, LAW), ENERGIES, executor=pool)
    for energy, result in zip(ENERGIES, maps, strict=True):
        expected = kc.curl_map(model, LAW, energy)
        np.testing.assert_allclose(result.curl, expected.curl, atol=1e-12)


@pytest.mark.skipif(not has_mumps(), reason="no MUMPS")
def test_a_pattern_that_comes_again_is_analysed_thoroughly(monkeypatch):
    orderings = []
    context = kwant.linalg.mumps.MUMPSContext
    analyse = context.analyze

    def noting(self, matrix, ordering="auto", overwrite_a=False):
        orderings.append(ordering)
        return analyse(self, matrix, ordering, overwrite_a)

    monkeypatch.setattr(context, "analyze", noting)
    monkeypatch.setattr("kwant_curl.model.solvers.mumps.TINY", 0)
    syst = square_wire(length=9, width=6, disorder=0.5).finalized()
    usual = kc.direct_solver().ordering
    kc.curl_map(syst, LAW, 1.7)
    assert orderings == ["amf"]
    kc.curl_map(syst, LAW, 1.7, temperature=0.01, rtol=1e-1)
    assert orderings == ["amf", "amf", usual]
    kc.curl_map(syst, LAW, 1.7, solver=kc.direct_solver())
    model = kc.Model(syst)
    for energy in ENERGIES[:4]:
        kc.curl_map(model, LAW, energy)
    assert orderings == ["amf", "amf", usual, usual, usual]
    options = kwant.solvers.mumps.options(ordering="pord")
    try:
        kc.curl_map(syst, LAW, 1.7)
    finally:
        kwant.solvers.mumps.options(ordering=options["ordering"])
    assert orderings[-1] == "pord"


def test_warnings_name_the_users_line():
    wire = square_wire(length=5, width=3).finalized()
    for routine in (partial(kc.curl_map, wire, LAW), partial(kc.flow_map, wire)):
        with pytest.warns(RuntimeWarning, match="No lead has an open mode") as caught:
            routine(-9.0)
        line = inspect.currentframe().f_lineno - 1
        assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


def test_what_is_asked_of_the_leads():
    problem = kc.Model(square_wire(length=5, width=3).finalized()).scattering
    first, second = problem.leads
    assert first.kind == "Cells"
    with pytest.raises(TypeError, match="knows its cells, and no single sites"):
        first.cells.hamiltonian(0, 0)
    shell = EnergyShell(problem, 1.7, Numerics())
    again = EnergyShell(pickle.loads(pickle.dumps(problem)), 1.7, Numerics())
    np.testing.assert_allclose(shell.states(), again.states(), atol=1e-12)
    assert second.hopping_size == 1.0


def test_a_hamiltonian_that_is_not_hermitian():
    builder = square_wire(length=5, width=3)
    builder[next(iter(builder.sites()))] = 4 - 0.1j
    with pytest.raises(ValueError, match=r"not Hermitian: .* by up to 0.2, at orbital \d"):
        kc.curl_map(builder.finalized(), LAW, 1.7)


class Shifted(kwant.system.InfiniteSystem):
    """A lead that finds its modes at another energy, and whose matrices are real."""

    def __init__(self, lead):
        self.lead, self.parameters, self.calls = lead, frozenset(), []

    def hamiltonian(self, i, j, *args, params=None):
        return self.lead.hamiltonian(i, j, params=params)

    def cell_hamiltonian(self, args=(), sparse=False, *, params=None):
        return self.lead.cell_hamiltonian(params=params).real

    def inter_cell_hopping(self, args=(), sparse=False, *, params=None):
        return self.lead.inter_cell_hopping(params=params).real


class WithOwnModes(Shifted):
    def modes(self, energy=0, args=(), *, params=None):
        self.calls.append(energy)
        return self.lead.modes(energy + 0.4, params=params)


def test_leads_that_find_their_modes_by_themselves():
    """What a low-level lead, or one that was changed, says of its modes is what counts."""
    syst = square_wire(length=5, width=3, disorder=0.4).finalized()
    shifted = square_wire(length=5, width=3, disorder=0.4).finalized()
    shifted.leads = [WithOwnModes(lead) for lead in syst.leads]
    replaced = square_wire(length=5, width=3, disorder=0.4).finalized()
    for lead, plain in zip(replaced.leads, syst.leads, strict=True):
        lead.modes = lambda energy=0, *, params=None, plain=plain: plain.modes(energy + 0.4)
    wave_function = kwant.wave_function(shifted, 1.7)
    psi = np.concatenate([wave_function(lead) for lead in range(2)])
    expected = (np.abs(psi) ** 2).sum(axis=0) / (2 * np.pi)
    for other in (shifted, replaced):
        density = kc.NonequilibriumDensity(other, 1.7, bias={0: 1.0, 1: 1.0}).density()
        np.testing.assert_allclose(density, expected, atol=1e-12)
    assert np.abs(kc.NonequilibriumDensity(syst, 1.7).density() - expected).max() > 1e-2
    assert shifted.leads[0].calls


def test_real_matrices_of_a_lead():
    syst = square_wire(length=5, width=3, disorder=0.4).finalized()
    real = square_wire(length=5, width=3, disorder=0.4).finalized()
    real.leads = [Shifted(lead) for lead in syst.leads]
    one, other = (
        kc.force_response(s, kc.Displacements([7], scaling=kc.PowerLaw(2)), 1.7, velocity=True)
        for s in (syst, real)
    )
    np.testing.assert_allclose(other.velocity, one.velocity, rtol=1e-9)


def test_coordinates_that_override_what_is_public():
    class Reversed(kc.Displacements):
        def hamiltonian_derivatives(self, syst, *, params=None):
            return -super().hamiltonian_derivatives(syst, params=params)

    syst = square_wire(length=5, width=3, disorder=0.4).finalized()
    one, other = (
        kc.curl_map(syst, kind(scaling=kc.PowerLaw(2)), 1.7)
        for kind in (kc.Displacements, Reversed)
    )
    np.testing.assert_allclose(other.force, -one.force, atol=1e-12)
    assert np.abs(one.force).max() > 1e-3


def test_a_model_cannot_be_written_to():
    model = kc.Model(square_wire(length=5, width=3).finalized())
    for array in (model.hamiltonian.data, model.positions, model.offsets):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError, match="params is 3; expected a mapping"):
        kc.Model(model.syst, 3)
    with pytest.raises(ValueError, match="purpose is 'x'; expected one of many calls, one call"):
        kc.Model(model.syst, purpose="x")


def test_a_bound_operator_lets_its_model_go():
    model = kc.Model(square_wire(length=5, width=3).finalized())
    bound = kc.Force(model, LAW).bind()
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert bound(np.ones(15)).shape == (18,)
