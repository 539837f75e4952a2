"""Peierls phases that follow moving atoms: nothing may depend on the gauge."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import kwant
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from systems import (
    MODELS,
    Model,
    atoms_of,
    central_difference,
    dense_greens,
    lead_densities,
    plain_hopping,
    rashba_hopping,
    square_wire,
    two_orbital_hopping,
)

import kwant_curl as kc
from kwant_curl.coordinates import field_strengths_of
from kwant_curl.devices import Atoms
from kwant_curl.model.model import Model as Evaluated

TENSORS = ["force", "curl", "friction", "jacobian", "velocity", "lorentz", "noise"]
PLAIN = {1: plain_hopping, 2: two_orbital_hopping}
TRIANGLE = np.array([[0.0, 0.0], [0.4, 1.1], [1.0, 0.2]])
WIDTH = 1.5
SEA = "ignore:Time-reversal symmetry is broken"


def close(actual, expected, rtol=1e-8):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * np.abs(expected).max())


@dataclass(frozen=True)
class Gauge:
    """A vector potential A, the phase int_2^1 A dl, and that of the leads' hoppings."""

    potential: Callable
    phase: Callable
    lead_phase: Callable

    def hopping(self, r1, r2, norbs=1):
        return PLAIN[norbs](r1, r2) * np.exp(1j * self.phase(r1, r2))

    def at(self, site):
        return self.potential(np.asarray(site.pos))


def landau(field, origin=0.0, dim=2):
    """A = (-B (y + origin), 0), the same in the leads; in 3D B has a component along y too."""
    slope, constant = np.zeros((dim, dim)), np.zeros(dim)
    slope[0, 1], constant[0] = -field, -field * origin
    if dim == 3:
        slope[0, 2] = 0.6 * field

    def phase(r1, r2):
        return (slope @ (r1 + r2) / 2 + constant) @ (r1 - r2)

    return Gauge(lambda r: slope @ r + constant, phase, phase)


def bump(r):
    """A function that vanishes where the fixed sites begin, and its gradient."""
    height = max((r[0] + 1) * (3 - r[0]), 0.0)
    tilted = 0.02 + 0.01 * r[1]
    slope = 6 * height**2 * (1 - r[0])
    return height**3 * tilted, np.array([slope * tilted, 0.01 * height**3])


def with_bump(field):
    """The Landau gauge with the gradient of `bump` added, which is no field."""
    plain = landau(field)
    return Gauge(
        lambda r: plain.potential(r) + bump(r)[1],
        lambda r1, r2: plain.phase(r1, r2) + bump(r1)[0] - bump(r2)[0],
        plain.phase,
    )


@dataclass(frozen=True)
class Gauged(Model):
    """Atoms between two leads, whose hoppings take the phase at the sites' positions."""

    gauge: Gauge | None = None

    def _lead_hoppings(self, lead, lattice):
        def value(a, b):
            r1, r2 = np.asarray(a.pos), np.asarray(b.pos)
            return PLAIN[self.norbs](r1, r2) * np.exp(1j * self.gauge.lead_phase(r1, r2))

        lead[lattice.neighbors()] = value


def system(gauge, *, shape=(3, 2), norbs=1):
    def hopping(r1, r2):
        return gauge.hopping(r1, r2, norbs)

    model = Gauged(
        hopping, shape=shape, norbs=norbs, energy=-1.1 if len(shape) == 3 else -0.7, gauge=gauge
    )
    return model, model.syst_of_functions(model.positions())


def moving(syst, gauge=None, n_atoms=2):
    given = None if gauge is None else gauge.at
    return kc.Displacements(atoms_of(syst)[:n_atoms], vector_potential=given)


def response(gauge, *, shape=(3, 2), norbs=1, told=True, **options):
    model, syst = system(gauge, shape=shape, norbs=norbs)
    coordinates = moving(syst, gauge if told else None)
    options = {"velocity": True, "jacobian": True, "noise": True, "bias": 0.4, **options}
    return kc.force_response(syst, coordinates, model.energy, **options)


def triangle(gauge, *, chains=False):
    """Three atoms, the last of which moves, with wide bands or chains on the others."""
    atoms = Atoms(TRIANGLE, norbs=1)
    builder = kwant.Builder()
    for i, level in enumerate((0.1, 0.3, -0.2)):
        builder[atoms(i)] = level
    for i, j in ((0, 1), (0, 2), (1, 2)):
        builder[atoms(i), atoms(j)] = lambda a, b: gauge.hopping(
            np.asarray(a.pos), np.asarray(b.pos)
        )
    for i in range(2):
        lattice = kwant.lattice.general([(1, 0)], [(0, 10 + i)], name=f"{i}", norbs=1)
        (chain,) = lattice.sublattices
        if chains:
            builder[chain(0)] = 0
            builder[atoms(i), chain(0)] = -1.2
            lead = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
            lead[chain(0)], lead[chain(0), chain(1)] = 0, -2.0
            builder.attach_lead(lead)
        else:
            wide = kwant.builder.SelfEnergyLead(
                lambda energy, args=(), params=None: np.array([[-0.5j * WIDTH]]), [atoms(i)], []
            )
            builder.leads.append(wide)
    syst = builder.finalized()
    last = next(i for i, site in enumerate(syst.sites) if site == atoms(2))
    return syst, kc.Displacements([last], vector_potential=gauge.at)


def messages(call):
    """What a call returns, and the warnings of the package."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [str(w.message) for w in caught if w.category is RuntimeWarning]


@pytest.mark.heavy
@pytest.mark.filterwarnings(SEA)
@pytest.mark.parametrize(
    ("shape", "norbs"), [((3, 2), 1), ((3, 2), 2), ((3, 2, 2), 1)], ids=["2D", "two orbitals", "3D"]
)
def test_all_tensors_are_the_same_in_a_gauge_far_away(shape, norbs):
    """A Landau gauge with its origin a hundred lattice constants away: A = 10 instead of 0.1."""
    here, far = (
        response(landau(0.1, origin, len(shape)), shape=shape, norbs=norbs) for origin in (0, 100)
    )
    for name in TENSORS:
        close(getattr(far, name), getattr(here, name))


@pytest.mark.filterwarnings(SEA)
def test_all_tensors_are_the_same_in_a_gauge_that_varies():
    one, other = (response(gauge) for gauge in (landau(0.1), with_bump(0.1)))
    for name in TENSORS:
        close(getattr(other, name), getattr(one, name))


def test_no_field_is_no_field():
    """A pure gauge: no Lorentz force in equilibrium, and the velocity tensor without any phase."""
    pure, none = response(with_bump(0.0)), response(landau(0.0), told=False)
    assert not pure.equilibrium_lorentz.any()
    for name in TENSORS:
        close(getattr(pure, name), getattr(none, name))


def test_the_fermi_sea_is_the_same_in_every_gauge():
    results = []
    for gauge in (landau(0.5), landau(0.5, 100)):
        syst, coordinates = triangle(gauge, chains=True)
        results.append(
            kc.force_response(syst, coordinates, 0.3, velocity=True, fermi_sea=True, rtol=1e-10)
        )
    here, far = results
    assert np.abs(here.equilibrium_lorentz).max() > 0.01
    close(far.equilibrium_lorentz, here.equilibrium_lorentz)
    close(far.velocity, here.velocity)


@pytest.mark.filterwarnings("ignore:No lead has an open mode")
@pytest.mark.parametrize(("energy", "filling"), [(5.0, 1.0), (-5.0, 0.0)])
def test_full_and_empty_orbitals_are_carried(energy, filling):
    """Above all bands each orbital holds one electron, on which v x B is all that acts."""
    syst, coordinates = triangle(landau(0.5), chains=True)
    result = kc.force_response(syst, coordinates, energy, velocity=True, fermi_sea=True)
    expected = np.zeros_like(result.equilibrium_lorentz)
    for x in range(0, len(expected), 2):
        expected[x, x + 1], expected[x + 1, x] = -0.5 * filling, 0.5 * filling
    np.testing.assert_allclose(result.equilibrium_lorentz, expected, atol=1e-5)


@pytest.mark.heavy
@pytest.mark.filterwarnings(SEA)
def test_a_window_is_the_same_in_every_gauge():
    results = []
    for gauge in (landau(0.5), landau(0.5, 100)):
        syst, coordinates = triangle(gauge)
        options = {"velocity": True, "linear": False, "rtol": 1e-9}
        results.append(kc.force_response(syst, coordinates, 0.2, bias=0.7, **options))
    for name in ("force", "curl", "velocity", "friction"):
        close(getattr(results[1], name), getattr(results[0], name))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("temperature", "gauges"),
    [(0.0, [landau(0.5, 100), with_bump(0.5)]), (0.05, [landau(0.5, 100)])],
)
def test_rates_are_the_same_in_every_gauge(temperature, gauges):
    growth = []
    for gauge in (landau(0.5), *gauges):
        syst, coordinates = triangle(gauge)
        options = {"frequency": 0.3, "bias": 0.7, "temperature": temperature, "rtol": 1e-9}
        growth.append(kc.phonon_rates(syst, coordinates, np.eye(2), 0.2, **options).growth)
    for other in growth[1:]:
        close(other, growth[0])


@pytest.mark.filterwarnings(SEA)
def test_without_the_vector_potential_there_is_a_warning_and_a_difference():
    results = []
    for origin in (0, 100):
        result, said = messages(lambda o=origin: response(landau(0.1, o), told=False))
        assert any(
            "the velocity tensor depends on its gauge: give Displacements(..., vector_potential="
            in text for text in said
        )  # fmt: skip
        assert set(result.warnings) == set(said)
        results.append(result)
    here, far = results
    told = response(landau(0.1))
    assert np.abs(far.velocity - here.velocity).max() > 0.5 * np.abs(here.velocity).max()
    for name in ("force", "curl", "friction", "jacobian", "noise"):
        close(getattr(far, name), getattr(here, name), rtol=1e-7)
        close(getattr(told, name), getattr(here, name), rtol=1e-7)


def test_rates_without_the_vector_potential():
    syst, coordinates = triangle(landau(0.5))
    untold = kc.Displacements(coordinates.where)
    with pytest.warns(RuntimeWarning, match="a rate at a finite frequency depends on its gauge"):
        rates = kc.phonon_rates(syst, untold, np.eye(2), 0.2, frequency=0.3, bias=0.7, rtol=0.5)
    assert any("depends on its gauge" in text for text in rates.warnings)


@pytest.mark.filterwarnings(SEA)
def test_velocity_with_dense_commutators():
    """dH/dQ + i [H, N] and the field's curl, from forces that were told no vector potential."""
    gauge = with_bump(0.3)
    model, syst = system(gauge)
    h, atoms = syst.hamiltonian_submatrix(), atoms_of(syst)[:2]
    operators, n_all = [], []
    for k, force in enumerate(kc.Force(syst, moving(syst)).matrices()):
        n = np.zeros_like(h)
        n[atoms[k // 2], atoms[k // 2]] = 1
        along = gauge.at(syst.sites[atoms[k // 2]])[k % 2]
        operators.append(-force.toarray() + 1j * along * (h @ n - n @ h))
        n_all.append(n)
    greens = dense_greens(syst)
    slope = central_difference(lambda x: greens(model.energy + 0.05 * x)) / 0.05
    result = response(gauge)
    for lead, density in enumerate(lead_densities(syst, model.energy)):
        expected = np.array(
            [[-2 * np.trace(a @ slope @ b @ density).imag for b in operators] for a in operators]
        )
        for k in (0, 2):  # B_z = d_x A_y - d_y A_x = 0.3
            carried = 0.3 * np.trace(n_all[k] @ density).real
            expected[k, k + 1] -= carried
            expected[k + 1, k] += carried
        close(result.lead_velocity[lead], expected, rtol=1e-7)


@pytest.mark.filterwarnings(SEA)
@pytest.mark.parametrize("origin", [0.0, 3.0])
def test_velocity_against_electrons_in_time(origin):
    """An atom that really moves: i dpsi/dt = (H(Q) - v A n) psi, and all of its force."""
    gauge = landau(0.7, origin)
    syst, coordinates = triangle(gauge)
    result = kc.force_response(syst, coordinates, 0.2, bias={0: 1.0}, velocity=True)
    rest = np.diag([0.1, 0.3, -0.2]).astype(complex)
    rest[0, 1] = gauge.hopping(*TRIANGLE[:2])
    rest[1, 0] = rest[0, 1].conj()
    outwards = np.diag([-0.5j * WIDTH, -0.5j * WIDTH, 0]) - 0.2 * np.eye(3)
    grad = np.array([[0, -0.7], [0, 0]])  # grad[i, j] = d_j A_i

    def hamiltonian(r):
        now = rest.copy()
        for i in range(2):
            now[2, i] = gauge.hopping(r, TRIANGLE[i])
            now[i, 2] = now[2, i].conj()
        return now

    def force(v):
        def slope(t, psi):
            now = hamiltonian(TRIANGLE[2] + v * t) + outwards
            now[2, 2] -= v @ gauge.potential(TRIANGLE[2] + v * t)
            return -1j * (now @ psi + [np.sqrt(WIDTH), 0, 0])

        psi = solve_ivp(slope, (-40, 0), np.zeros(3, complex), rtol=1e-8, atol=1e-10).y[:, -1]
        wind = central_difference(
            lambda x: np.array(
                [(psi.conj() @ hamiltonian(TRIANGLE[2] + x * e) @ psi).real for e in np.eye(2)]
            )
        )
        density, change = np.abs(psi[2]) ** 2, 2 * (psi[2].conj() * slope(0.0, psi)[2]).real
        # -<H_I> - d(A_I n)/dt + sum_J v_J (d_I A_J) n
        carried = gauge.potential(TRIANGLE[2]) * change + (grad @ v - grad.T @ v) * density
        return -(wind + carried) / (2 * np.pi)

    speed = 5e-4
    columns = [(force(-speed * e) - force(speed * e)) / (2 * speed) for e in np.eye(2)]
    close(np.stack(columns, axis=1), result.lead_velocity[0], rtol=1e-4)


def test_electrons_of_a_cluster_that_moves_as_a_whole_feel_their_lorentz_force():
    """N electrons of an isolated cluster: N v x B exactly, the Berry force and the rest."""
    field, n = 0.4, 5
    gauge = landau(field, 7.0)
    rng = np.random.default_rng(0)
    atoms = Atoms(rng.uniform(0, 3, (n, 2)), norbs=1)
    builder = kwant.Builder()
    builder[(atoms(i) for i in range(n))] = lambda site: 0.2 * site.tag[0]
    for i in range(n):
        for j in range(i):
            builder[atoms(i), atoms(j)] = lambda a, b: gauge.hopping(
                np.asarray(a.pos), np.asarray(b.pos)
            )
    model = Evaluated(builder.finalized())
    coordinates = kc.Displacements(vector_potential=gauge.at)
    levels, states = np.linalg.eigh(model.hamiltonian.toarray())
    stack = coordinates.first_derivatives(model)
    elements = np.array([states.conj().T @ m @ states for m in stack.matrices()])
    second = field_strengths_of(coordinates, model)
    fields = np.zeros((2 * n, 2 * n, n))
    np.add.at(fields, (second.first, second.second, second.row), 2 * second.value.real)
    for filled in range(1, n):
        gaps = (levels[:filled, None] - levels[filled:]) ** 2
        down, up = elements[:, :filled, filled:], elements[:, filled:, :filled]
        berry = 2 * np.einsum("iou,juo,ou->ij", down, up, 1 / gaps).imag
        density = (np.abs(states[:, :filled]) ** 2).sum(axis=1)
        total = (berry - fields @ density).reshape(n, 2, n, 2).sum(axis=(0, 2))
        # The force is -gamma v: for v along y, N B along x.
        np.testing.assert_allclose(total, filled * field * np.array([[0, -1], [1, 0]]), atol=1e-8)


def test_phases_of_other_kinds_bring_no_warning():
    """Scaling laws keep phases; spin-orbit coupling is a matrix."""
    model = MODELS["magnetic field"]
    scaled = model.syst(model.positions())
    runs = [(model, scaled, kc.Displacements(atoms_of(scaled)[:2], scaling=kc.PowerLaw(3)))]
    for hopping, norbs in ((plain_hopping, 1), (rashba_hopping, 2), (two_orbital_hopping, 2)):
        model = Model(hopping, norbs=norbs)
        syst = model.syst_of_functions(model.positions())
        runs.append((model, syst, moving(syst)))
    for model, syst, coordinates in runs:
        _, said = messages(
            lambda c=coordinates, m=model, s=syst: kc.force_response(s, c, m.energy, velocity=True)
        )
        assert all(text.startswith("Time-reversal") for text in said)


def test_a_vector_potential_of_zero_says_that_a_phase_is_of_another_kind():
    """Hoppings between s and p_x + i p_y orbitals turn with the bond."""

    def chiral(r1, r2):
        return plain_hopping(r1, r2) * complex(*(r1 - r2)) ** 2

    model = Model(chiral)
    syst = model.syst_of_functions(model.positions())
    nothing = kc.Displacements(atoms_of(syst)[:2], vector_potential=lambda site: (0, 0))
    one, said = messages(lambda: kc.force_response(syst, moving(syst), model.energy, velocity=True))
    assert "a function that returns zeros if the phase is of another kind" in said[0]
    other, said = messages(lambda: kc.force_response(syst, nothing, model.energy, velocity=True))
    assert len(said) == 1
    assert said[0].startswith("Time-reversal")
    np.testing.assert_array_equal(one.velocity, other.velocity)


def test_phases_by_the_site_stay():
    """kwant.physics.magnetic_gauge: they don't follow, which is refused, or said if hidden."""
    builder = square_wire(length=5, width=3, disorder=0.5)
    lattice = next(iter(builder.sites())).family

    def hopping(a, b, peierls):
        return -peierls(a, b) / np.linalg.norm(a.pos - b.pos) ** 2

    builder[lattice.neighbors()] = hopping
    for number, lead in enumerate(builder.leads):
        lead.builder[lattice.neighbors()] = (
            lambda a, b, peierls_0: -peierls_0(a, b),
            lambda a, b, peierls_1: -peierls_1(a, b),
        )[number]
    syst = builder.finalized()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Kwant's own use of numpy
        peierls, left, right = kwant.physics.magnetic_gauge(syst)(0.05, 0.05, 0.05)
    params = {"peierls": peierls, "peierls_0": left, "peierls_1": right}
    options = {"params": params, "velocity": True}
    told = kc.Displacements([7], vector_potential=landau(0.3, 1.0).at)
    for moving in (kc.Displacements([7]), told):
        with pytest.raises(ValueError, match="kept by site"):
            kc.force_response(syst, moving, 1.7, **options)
    params["peierls"] = lambda a, b: peierls(a, b)  # as in a function that holds them itself
    _, said = messages(lambda: kc.force_response(syst, kc.Displacements([7]), 1.7, **options))
    assert "looks the sites up" in said[0]
    assert all(text.startswith("Time-reversal") for text in said[1:])
    _, said = messages(lambda: kc.force_response(syst, told, 1.7, **options))
    assert "take the phase at site.pos, not by the site" in said[1]


def test_parameters_that_move_atoms():
    """A warning without, and with the derivative that it asks for the same numbers."""
    gauge = landau(0.2, 5.0)
    model, syst = system(gauge)
    in_parameters = model.syst_of_parameters(model.positions())
    names, params = ["x0", "y0"], dict.fromkeys(["x0", "y0", "x1", "y1"], 0.0)
    h, atom = in_parameters.hamiltonian_submatrix(params=params), atoms_of(syst)[0]
    options = {"params": params, "velocity": True}
    n = np.zeros_like(h)
    n[atom, atom] = 1
    along = gauge.at(syst.sites[atom])
    forces = kc.Force(in_parameters, kc.Parameters(names)).matrices(params=params)
    derivatives = {
        name: -force.toarray() + 1j * a * (h @ n - n @ h)
        for name, force, a in zip(names, forces, along, strict=True)
    }

    def run(coordinates):
        return kc.force_response(in_parameters, coordinates, model.energy, **options)

    _, said = messages(lambda: run(kc.Parameters(names)))
    assert "give derivatives={name: dH/dQ + i (H N - N H)}" in said[0]
    told, said = messages(lambda: run(kc.Parameters(names, derivatives=derivatives)))
    assert len(said) == 1
    assert said[0].startswith("Time-reversal")
    expected, _ = messages(
        lambda: kc.force_response(syst, moving(syst, gauge, 1), model.energy, velocity=True)
    )
    # All but the force on the electrons that are carried along, which Parameters don't know.
    for lead, density in enumerate(lead_densities(syst, model.energy)):
        carried = -0.2 * density[atom, atom].real * np.array([[0, 1], [-1, 0]])
        close(told.lead_velocity[lead] + carried, expected.lead_velocity[lead], rtol=1e-7)


def test_phases_of_the_other_sign_or_another_gauge():
    _, syst = system(landau(0.1))
    for gauge in (landau(-0.1), landau(0.1, 3.0)):
        with pytest.warns(RuntimeWarning, match=r"don't belong together.*Check sign and unit"):
            kc.Force(syst, moving(syst, gauge)).matrices()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(3), r"returned an array of shape \(3,\); expected 2 finite real numbers"),
        (1.0, r"returned an array of shape \(\); expected 2"),
        (np.array([1j, 0]), "returned an array of complex128; expected 2"),
        ([None, 0], "returned an array of object; expected 2"),
        ([np.nan, 0], "returned .*nan.*; expected 2 finite"),
    ],
)
def test_vector_potentials_of_other_shapes(value, message):
    _, syst = system(landau(0.1))
    coordinates = kc.Displacements(atoms_of(syst)[:1], vector_potential=lambda site: value)
    with pytest.raises(ValueError, match=message):
        kc.Force(syst, coordinates).matrices()


def test_what_a_vector_potential_does_not_go_with():
    def potential(site, b):
        return np.array([-b * site.pos[1], 0])

    with pytest.raises(TypeError, match="vector_potential is 3; expected a function"):
        kc.Displacements(vector_potential=3)
    with pytest.raises(ValueError, match="with scaling the phases stay as they are"):
        kc.Displacements(scaling=kc.PowerLaw(2), vector_potential=potential)
    with pytest.raises(ValueError, match="with hopping_gradient the phases stay"):
        kc.Displacements(hopping_gradient=lambda a, b: [0, 0], vector_potential=potential)
    model, syst = system(landau(0.1))
    coordinates = kc.Displacements(atoms_of(syst)[:1], vector_potential=potential)
    with pytest.raises(TypeError, match="potential takes 'b', which params does not hold"):
        kc.Force(syst, coordinates).matrices()
    kc.Force(syst, coordinates).matrices(params={"b": 0.1})
    constant = model.syst(model.positions())
    with pytest.raises(ValueError, match="is a constant, so its phase doesn't follow"):
        kc.Force(constant, moving(constant, landau(0.1, 0.5))).matrices()


def test_a_vector_potential_with_a_step():
    _, syst = system(landau(0.0))
    atom = atoms_of(syst)[0]
    at = syst.sites[atom].pos[1]
    step = kc.Displacements([atom], vector_potential=lambda s: (np.sign(s.pos[1] - at), 0.0))
    with pytest.raises(ValueError, match=r"Finite differences of vector_potential at .* converge"):
        kc.force_response(syst, step, -0.7, velocity=True)


def test_a_gradient_with_a_phase():
    """hopping_gradient can't say how both ends change a phase: it is asked to leave it out."""
    gauge = landau(0.1, 4.0)
    model, syst = system(gauge)

    def staying(a, b):
        r1, r2 = np.asarray(a.pos), np.asarray(b.pos)
        return gauge.hopping(r1, r2) * -3 * (r1 - r2) / ((r1 - r2) @ (r1 - r2))

    def turning(a, b):
        hopping = gauge.hopping(np.asarray(a.pos), np.asarray(b.pos))
        return staying(a, b) + 1j * hopping * gauge.at(a)

    for gradient, n_warnings in ((turning, 2), (staying, 1)):
        coordinates = kc.Displacements(atoms_of(syst)[:1], hopping_gradient=gradient)
        _, said = messages(
            lambda c=coordinates: kc.force_response(syst, c, model.energy, velocity=True)
        )
        assert len(said) == n_warnings
        assert ("leave the change of the phase out" in said[0]) == (gradient is turning)
