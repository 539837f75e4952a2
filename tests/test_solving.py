"""One factorisation, states in blocks, the two routes, compiled loops: all give the same."""

import pickle

import kwant
import kwant.solvers.sparse
import numpy as np
import pytest
from scipy import sparse
from systems import MODELS, atoms_of, energy_shell, has_mumps, square_wire

import kwant_curl as kc
from kwant_curl.algebra import compiled
from kwant_curl.algebra import matrix_elements as kernels
from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import Entries, OperatorStack
from kwant_curl.electrons.inverse import BLOCK
from kwant_curl.model.solvers.superlu import SuperLUSolver

ENERGY = 1.7
FIELDS = ("lead_force", "lead_curl", "friction")
BACKENDS = [
    pytest.param("mumps", marks=pytest.mark.skipif(not has_mumps(), reason="no MUMPS")),
    "superlu",
]


def assert_same(one, other, rtol=1e-9):
    for field in FIELDS:
        a, b = getattr(one, field), getattr(other, field)
        assert np.abs(b).max() > 0
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * np.abs(b).max())


def noted(method, notes, note):
    def call(*args):
        notes.append((note, args[-1].shape[1]))
        return method(*args)

    return call


def recording(solver):
    """Make a solver note what it does: ("factorise" | "modes" | "adjoint", columns)."""
    notes = []
    for owner, name, note in (
        (solver, "factorise", "factorise"),
        (solver, "solve_block", "modes"),
        (solver, "solve_transposed", "adjoint"),
    ):
        setattr(owner, name, noted(getattr(owner, name), notes, note))
    return notes


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MODELS)
def test_states_are_kwants(name, backend):
    model = MODELS[name]
    syst = model.syst(model.positions())
    reference = kwant.wave_function(syst, model.energy)
    expected = [reference(lead) for lead in range(len(syst.leads))]
    assert sum(len(psi) for psi in expected) > 1
    some = np.array([0, 2, 3])
    for route in ("modes", "adjoint"):
        for orbitals in (None, some):
            shell = energy_shell(
                syst,
                model.energy,
                orbitals=orbitals,
                route=route,
                solver=kc.direct_solver(backend),
            )
            assert shell.n_modes == tuple(len(psi) for psi in expected)
            for psi, wanted in zip(shell.states_by_lead(), expected, strict=True):
                wanted = wanted if orbitals is None else wanted[:, orbitals]
                np.testing.assert_allclose(psi, wanted, atol=1e-10)


@pytest.mark.heavy
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("routine", [kc.curl_map, kc.force_response])
def test_both_routes_agree(name, backend, routine):
    model = MODELS[name]
    syst = model.syst(model.positions())
    moving = kc.Displacements(atoms_of(syst), scaling=kc.PowerLaw(2))
    results = [
        routine(
            syst,
            moving,
            model.energy,
            bias=model.dmu(),
            route=route,
            solver=kc.direct_solver(backend),
        )
        for route in ("modes", "adjoint")
    ]
    assert_same(*results)


def test_the_cheaper_route_is_chosen():
    syst = square_wire(length=9, width=7, disorder=0.6).finalized()
    lat = next(iter(syst.sites)).family
    n_modes = sum(energy_shell(syst, ENERGY).n_modes)
    assert n_modes == 6
    for where, route in (([lat(4, 3)], "adjoint"), ([lat(4, 3), lat(5, 4)], "modes")):
        solver = SuperLUSolver()
        notes = recording(solver)
        coordinates = kc.Displacements(where, scaling=kc.PowerLaw(2))
        touched = len(kc.Force(syst, coordinates).bind()._bound.orbitals)
        assert (touched < n_modes) == (route == "adjoint")
        for routine in (kc.force_response, kc.curl_map):
            notes.clear()
            routine(syst, coordinates, ENERGY, solver=solver)
            columns = {"adjoint": touched, "modes": n_modes}[route]
            # One random vector asks whether the system is near to singular.
            assert notes.pop(1) == ("adjoint", 1)
            assert [note for note, _ in notes][:2] == ["factorise", route]
            assert sum(count for note, count in notes if note == route) == columns
            assert {note for note, _ in notes} == {"factorise", route}


def routines(syst, **options):
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    yield kc.curl_map(syst, moving, ENERGY, **options)
    yield kc.curl_map(syst, kc.Probe([(3.0, 2.0)], width=1.0), ENERGY, **options)
    yield kc.force_response(syst, moving, ENERGY, **options)
    yield kc.flow_map(syst, ENERGY, **options)
    yield kc.NonequilibriumDensity(syst, ENERGY, **options)


def test_one_factorisation_for_all_leads():
    syst = square_wire(disorder=0.6).finalized()
    solver = SuperLUSolver()
    notes = recording(solver)
    for _ in routines(syst, solver=solver):
        assert [note for note, _ in notes].count("factorise") == 1
        notes.clear()


@pytest.mark.parametrize("columns", [1, 2, 3, 1000])
def test_blocks_follow_the_memory(columns):
    """Two arrays of a column each: the solution, and what is made of it."""
    syst = square_wire(length=8, width=9, disorder=0.6).finalized()
    shell = energy_shell(syst, ENERGY)
    n_modes = shell.n_modes[0]
    assert shell.n_modes == (n_modes, n_modes)
    assert n_modes > 3
    size = shell._rhs[0].shape[0]
    solver = SuperLUSolver()
    notes = recording(solver)
    expected = list(routines(syst))
    for result, other in zip(
        routines(syst, solver=solver, max_memory=32 * size * (columns + 0.5)),
        expected,
        strict=True,
    ):
        blocks = [count for note, count in notes if note in ("modes", "adjoint")]
        assert max(blocks) == min(columns, n_modes, BLOCK)
        notes.clear()
        if hasattr(other, "friction"):
            assert_same(result, other, 1e-11)


def test_flow_and_density_in_blocks():
    syst = square_wire(length=8, width=9, norbs=2, disorder=0.6).finalized()
    one, other = (kc.flow_map(syst, ENERGY, max_memory=limit) for limit in (1, 2**29))
    for field in ("lead_dos", "lead_current", "lead_capacity", "lead_correction"):
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), atol=1e-12)
    one, other = (kc.NonequilibriumDensity(syst, ENERGY, max_memory=limit) for limit in (1, 2**29))
    np.testing.assert_allclose(one.states, other.states, atol=1e-12)
    np.testing.assert_array_equal(one.weights, other.weights)


@pytest.mark.skipif(not has_mumps(), reason="no MUMPS")
def test_the_analysis_is_reused_while_the_pattern_stays(monkeypatch):
    from kwant_curl.model.solvers.mumps import MumpsSolver

    analyses = []
    context = kwant.solvers.mumps.MUMPSContext
    analyse = context.analyze
    monkeypatch.setattr(
        context, "analyze", lambda self, *a, **kw: (analyses.append(1), analyse(self, *a, **kw))
    )
    syst = square_wire(length=12, width=8, disorder=1.0).finalized()
    solver = MumpsSolver()
    coordinates = kc.Displacements(scaling=kc.PowerLaw(2))
    n_modes = set()
    for number, energy in enumerate([0.25, 0.3, 0.9, 2.0, 0.3]):
        kept = kc.curl_map(syst, coordinates, energy, solver=solver)
        assert len(analyses) == 1, number
        n_modes.add(energy_shell(syst, energy).n_modes)
        assert_same(kept, kc.curl_map(syst, coordinates, energy))
        del analyses[1:]
    assert len(n_modes) > 2
    other = square_wire(length=11, width=8, disorder=1.0).finalized()
    for analysed, system in ((2, other), (3, syst), (3, syst)):
        kept = kc.curl_map(system, coordinates, ENERGY, solver=solver)
        assert len(analyses) == analysed
    assert_same(kept, kc.curl_map(syst, coordinates, ENERGY))


@pytest.mark.skipif(not has_mumps(), reason="no MUMPS")
def test_reuse_over_very_different_parameters():
    """The analysis looks at values too; the factorisation must not suffer from old ones."""
    lat = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(15, 6))
    sites = [lat(x, y) for x in range(15) for y in range(6)]
    builder[sites] = lambda site, strength: 4 + strength * noise[tuple(site.tag)]
    builder[lat.neighbors()] = lambda a, b, hopping: -hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lat(0, y) for y in range(6))] = 4.0
    lead[lat.neighbors()] = -1.0
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    syst = builder.finalized()
    solver = kc.direct_solver("mumps")
    coordinates = kc.Displacements([lat(7, 3)], scaling=kc.PowerLaw(2))
    for strength, hopping in ((0.1, 1.0), (30.0, 0.05), (0.0, 5.0), (1.0, 1.0)):
        params = {"strength": strength, "hopping": hopping}
        kept = kc.force_response(syst, coordinates, ENERGY, params=params, solver=solver)
        fresh = kc.force_response(syst, coordinates, ENERGY, params=params)
        for field in FIELDS:  # behind the strongest barrier the curl is rounding, and zero
            one, other = getattr(kept, field), getattr(fresh, field)
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-9 * np.abs(other).max())
        assert fresh.friction.max() > 0


@pytest.mark.skipif(not has_mumps(), reason="no MUMPS")
def test_the_users_ordering_is_kept():
    options = kwant.solvers.mumps.options(ordering="amd")
    try:
        assert kc.direct_solver().ordering == "amd"
    finally:
        kwant.solvers.mumps.options(**options)
    usual = "pord" if options["ordering"] == "scotch" else options["ordering"]
    assert kc.direct_solver().ordering == usual


@pytest.mark.skipif(not has_mumps(), reason="no MUMPS")
def test_equal_calls_give_equal_numbers():
    """To the last bit, also where the analysis is a thorough one, which must not be random."""
    from kwant_curl.model.solvers.mumps import MumpsSolver

    n = 70
    chain = sparse.diags([np.ones(n - 1), np.ones(n - 1)], [-1, 1])
    square = sparse.kron(chain, sparse.eye(n)) + sparse.kron(sparse.eye(n), chain)
    levels = np.random.default_rng(2).normal(size=n**2) + 0.1j
    matrix = (square + sparse.diags(levels)).tocoo()
    rhs = sparse.csc_matrix(np.eye(n**2, 3, dtype=complex))

    def solution():
        solver = MumpsSolver()
        return solver.solve_block(solver.factorise(matrix.copy()), rhs)

    first = solution()
    assert np.abs(matrix @ first - rhs).max() < 1e-12
    for _ in range(3):
        np.testing.assert_array_equal(solution(), first)


def random_stack(rng, dim, is_complex, n_groups=7, n=11):
    """A stack and its operators as dense matrices (n_groups * dim, n, n)."""
    size = 40
    operator = rng.integers(n_groups - 1, size=size) * dim + rng.integers(dim, size=size)
    value = rng.normal(size=size) + 1j * is_complex * rng.normal(size=size)
    halves = Entries(operator, rng.integers(n, size=size), rng.integers(n, size=size), value)
    dense = np.zeros((n_groups * dim, n, n), complex)
    np.add.at(dense, (halves.operator, halves.row, halves.col), value)
    stack = OperatorStack.from_halves(halves, n_groups * dim, n, dim=dim)
    assert np.iscomplexobj(stack.values) == is_complex
    return stack, dense + dense.conj().swapaxes(1, 2)


@pytest.mark.heavy
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 7])
def test_stacks_against_dense_matrices(dim, is_complex, monkeypatch):
    rng = np.random.default_rng(dim)
    stack, dense = random_stack(rng, dim, is_complex)
    assert len(stack) == len(dense) == 7 * dim
    bras, kets = rng.normal(size=(2, 5, 11)) + 1j * rng.normal(size=(2, 5, 11))
    for one, other in zip(stack.matrices(), dense, strict=True):
        np.testing.assert_allclose(one.toarray(), other, atol=1e-13)
    for factors in (stack._half_factors(), stack._whole_factors(), stack.factors()):
        parts = np.split(np.arange(factors.start[-1]), factors.start[1:-1])
        for rows, other in zip(parts, dense, strict=True):
            product = factors.left[rows].conj().T @ factors.right[rows]
            np.testing.assert_allclose(product.toarray(), other, atol=1e-13)
        expected = np.einsum("mp,ipq,nq->imn", bras.conj(), dense, kets)
        elements = kernels.all_matrix_elements(factors, bras, kets)
        np.testing.assert_allclose(elements, expected, atol=1e-12)
    pairwise = np.einsum("np,ipq,nq->ni", bras.conj(), dense, kets)
    np.testing.assert_allclose(kernels.matrix_elements(stack, bras, kets), pairwise, atol=1e-12)
    diagonal = np.einsum("np,ipq,nq->ni", kets.conj(), dense, kets)
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        monkeypatch.setattr(compiled, "WORTHWHILE", 1)
        np.testing.assert_allclose(kernels.expectations(stack, kets), diagonal, atol=1e-12)
        np.testing.assert_allclose(
            kernels.expectations(stack, kets[:, ::-1][:, ::-1]), diagonal, atol=1e-12
        )


@pytest.mark.heavy
@pytest.mark.parametrize("name", MODELS)
def test_stars_and_blocks_agree(name, monkeypatch):
    """Each centre by the rows of its halves, or by all orbitals that it touches."""
    model = MODELS[name]
    syst = model.syst_of_functions(model.positions())
    for options in ({}, {"scaling": kc.PowerLaw(2)}):
        moving = kc.Displacements(atoms_of(syst), **options)
        assert moving.hamiltonian_derivatives(syst).are_stars()
        stars = kc.curl_map(syst, moving, model.energy, bias=model.dmu())
        few = kc.curl_map(syst, moving, model.energy, bias=model.dmu(), max_memory=1)
        assert_same(few, stars, 1e-11)
        with monkeypatch.context() as patch:
            patch.setattr(Derivatives, "are_stars", lambda self: False)
            blocks = kc.curl_map(syst, moving, model.energy, bias=model.dmu())
        assert_same(blocks, stars, 1e-11)


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_threads_and_tiles_change_nothing(monkeypatch, threads):
    syst = square_wire(length=9, width=7, norbs=2, disorder=0.6).finalized()
    coordinates = kc.Displacements(scaling=kc.PowerLaw(2))
    expected = kc.curl_map(syst, coordinates, ENERGY)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(compiled, "WORTHWHILE", 1)
    monkeypatch.setattr(compiled, "TILE", 100)
    assert compiled.available_threads() == int(threads)
    assert_same(kc.curl_map(syst, coordinates, ENERGY), expected, 1e-12)


def test_number_of_threads(monkeypatch):
    for value in ("", "0", "many", "²"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert compiled.available_threads() >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", " 3,1")
    assert compiled.available_threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert compiled.available_threads() >= 1


def test_errors_in_threads_are_raised(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def loop(first, last):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compiled.in_threads(loop, 10, 10**9)


def test_nowhere_to_keep_compiled_code(monkeypatch):
    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("no locator available")
        return lambda function: function

    monkeypatch.setattr(compiled, "njit", njit)
    assert compiled.compiled(len) is len


def test_bad_options():
    syst = square_wire().finalized()
    coordinates = kc.Displacements(scaling=kc.PowerLaw(2))
    for routine in (kc.curl_map, kc.force_response):
        with pytest.raises(ValueError, match="route is 'best'; expected"):
            routine(syst, coordinates, ENERGY, route="best")
        for wrong in (0, -1, float("nan")):
            with pytest.raises(ValueError, match="max_memory is"):
                routine(syst, coordinates, ENERGY, max_memory=wrong)
        with pytest.raises(TypeError, match="max_memory is '1 GB'"):
            routine(syst, coordinates, ENERGY, max_memory="1 GB")
        for wrong in (kwant.solvers.default, kc.direct_solver, SuperLUSolver):
            with pytest.raises(TypeError, match=r"what direct_solver\(\) returns"):
                routine(syst, coordinates, ENERGY, solver=wrong)
        routine(syst, coordinates, ENERGY, max_memory=float("inf"))
    with pytest.raises(ValueError, match="backend is 'umfpack'"):
        kc.direct_solver("umfpack")


def test_mumps_where_it_is_not(monkeypatch):
    monkeypatch.setattr(kwant.solvers.default, "smodule", kwant.solvers.sparse)
    with pytest.raises(ValueError, match="built without MUMPS"):
        kc.direct_solver("mumps")
    assert isinstance(kc.direct_solver(), SuperLUSolver)


@pytest.mark.parametrize("routine", ["curl_map", "flow_map"])
def test_memory_of_many_orbitals(routine, monkeypatch):
    """With many orbitals and few modes the states are kept instead of sums for every site."""
    norbs, n_sites = 6, 40
    syst = square_wire(length=10, width=4, norbs=norbs, disorder=0.6).finalized()
    made = []
    zeros = np.zeros

    def noted(shape, *args, **kwargs):
        result = zeros(shape, *args, **kwargs)
        made.append(result.nbytes)
        return result

    calls = {
        "curl_map": lambda limit: kc.curl_map(
            syst, kc.Displacements(scaling=kc.PowerLaw(2)), 0.5, max_memory=limit
        ),
        "flow_map": lambda limit: kc.flow_map(syst, 0.5, max_memory=limit),
    }
    largest = []
    for limit in (2**29, 1):
        monkeypatch.setattr(kernels, "CHUNK", 2 * (3 * norbs) ** 2)
        monkeypatch.setattr(kernels.np, "zeros", noted)
        made.clear()
        calls[routine](limit)
        monkeypatch.undo()
        largest.append(max(made))
    one_site = 16 * 2 * (3 * norbs) ** 2
    assert largest[0] > 0.7 * n_sites * one_site
    assert largest[1] < 2 * one_site


def test_auto_heeds_the_memory():
    syst = square_wire(length=9, width=7, disorder=0.6).finalized()
    orbitals = np.array([3, 17])
    assert energy_shell(syst, ENERGY, orbitals=orbitals).adjoint
    assert not energy_shell(syst, ENERGY, orbitals=orbitals, max_memory=16 * 2 * 6 - 1).adjoint
    assert energy_shell(syst, ENERGY, orbitals=orbitals, max_memory=16 * 2 * 6).adjoint


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_solver_that_is_shared(backend):
    """The states of one energy never come from the factors of another."""
    syst = square_wire(length=9, width=7, disorder=0.6).finalized()
    solver = kc.direct_solver(backend)
    first = energy_shell(syst, ENERGY, solver=solver)
    second = energy_shell(syst, 2.3, solver=solver)
    np.testing.assert_allclose(second.states(), energy_shell(syst, 2.3).states(), atol=1e-10)
    if backend == "mumps":
        for read in (first.states, lambda: next(first.blocks())):
            with pytest.raises(RuntimeError, match="serves one call at a time"):
                read()
    else:
        np.testing.assert_allclose(first.states(), energy_shell(syst, ENERGY).states(), atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_solvers_can_be_sent_to_workers(backend):
    syst = square_wire(disorder=0.6).finalized()
    solver = kc.direct_solver(backend)
    coordinates = kc.Displacements(scaling=kc.PowerLaw(2))
    expected = kc.curl_map(syst, coordinates, ENERGY, solver=solver)
    sent = pickle.loads(pickle.dumps(solver))
    assert type(sent) is type(solver)
    assert_same(kc.curl_map(syst, coordinates, ENERGY, solver=sent), expected)


@pytest.mark.parametrize("weights", [[1.0], [1.0] * 5, 1.0, [[1.0] * 4], [1j] * 4])
def test_weights_of_a_trace(weights):
    syst = square_wire().finalized()
    force = kc.Force(syst, kc.Displacements(scaling=kc.PowerLaw(2)))
    with pytest.raises(ValueError, match="expected 4 real numbers, one per state"):
        force.trace(np.ones((4, 24)), weights)
