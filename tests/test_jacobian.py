"""The derivative of the force, the velocity tensor and the noise: each by two routes."""

import warnings

import kwant
import numpy as np
import pytest
from scipy.integrate import quad, quad_vec, solve_ivp
from systems import (
    MODELS,
    atoms_of,
    central_difference,
    chain,
    dense_greens,
    finite_difference_jacobian,
    lead_densities,
    random_hermitian,
    random_system,
    rashba_gradient,
    solved_leads,
    square_wire,
    two_levels,
)

import kwant_curl as kc
from kwant_curl import devices
from kwant_curl.algebra.by_energy import Fixed
from kwant_curl.algebra.occupations import fermi
from kwant_curl.algebra.propagation import jacobians, trace_size, velocity_tensors
from kwant_curl.algebra.stein import stein
from kwant_curl.electrons.kernels.coupled import CoupledKernel
from kwant_curl.electrons.kernels.operators import Operators
from kwant_curl.electrons.numerics import RTOL, Numerics
from kwant_curl.model.leads import Cells
from kwant_curl.model.model import Model
from kwant_curl.model.selfenergy_slopes import (
    self_energy_slope,
    slope_by_differences,
    slope_of_cells,
)

pytestmark = pytest.mark.heavy

NAMES = ["x0", "y0", "x1", "y1"]
SYMMETRIC = [name for name in MODELS if MODELS[name].norbs == 1 and name != "magnetic field"]


def close(actual, expected, rtol=1e-6):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * np.abs(expected).max())


def moved(model, moving, q):
    positions = model.positions()
    positions[moving] += np.reshape(q, (len(moving), model.dim))
    return positions


def ways(model):
    """Each way in which the hoppings of a model may follow, with the system that goes with it."""
    positions = model.positions()
    yield model.syst_of_functions(positions), {}
    if model.norbs == 1 and model.hopping is MODELS["one orbital"].hopping:
        yield model.syst(positions), {"scaling": kc.PowerLaw(3)}
    if model.hopping is MODELS["two orbitals, scaled"].hopping:
        yield model.syst(positions), {"scaling": kc.PowerLaw(3)}
    if model.hopping is MODELS["two orbitals, spin-orbit"].hopping:

        def gradient(site1, site2):
            return rashba_gradient(np.asarray(site1.pos), np.asarray(site2.pos))

        yield model.syst(positions), {"hopping_gradient": gradient}


@pytest.mark.parametrize("name", MODELS)
def test_jacobian_of_displacements(name):
    """Against central differences of the force, of systems with atoms really moved."""
    model, moving = MODELS[name], [0, 1]
    expected = finite_difference_jacobian(
        lambda q: (model.syst(moved(model, moving, q)), None),
        len(moving) * model.dim,
        model.energy,
        model.bias,
    )
    symmetric = expected + expected.T
    assert np.abs(symmetric).max() > 0.1 * np.abs(expected).max()
    assert len(list(ways(model))) == (1 if name == "magnetic field" else 2)
    for syst, how in ways(model):
        coordinates = kc.Displacements([atoms_of(syst)[i] for i in moving], **how)
        result = kc.force_response(
            syst, coordinates, model.energy, bias=model.dmu(), jacobian=True, degeneracy=2
        )
        close(result.jacobian, 2 * expected)


@pytest.mark.parametrize("name", [name for name in MODELS if "scaled" not in name])
def test_jacobian_of_parameters(name):
    model = MODELS[name]
    syst = model.syst_of_parameters(model.positions())
    expected = finite_difference_jacobian(
        lambda q: (syst, dict(zip(NAMES, q, strict=True))), 4, model.energy, model.bias
    )
    params = dict.fromkeys(NAMES, 0.0)
    result = kc.force_response(
        syst,
        kc.Parameters(NAMES),
        model.energy,
        bias=model.dmu(),
        params=params,
        jacobian=True,
    )
    close(result.jacobian, expected)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.05}, {"linear": False}])
@pytest.mark.parametrize("name", ["one orbital", "magnetic field", "three leads"])
def test_antisymmetric_part_is_the_curl(name, options):
    """Two routes: with the Green's function, and by matrix elements between the states alone."""
    model = MODELS[name]
    syst = model.syst_of_functions(model.positions())
    dmu = {lead: 0.3 * shift for lead, shift in model.dmu().items()}
    result = kc.force_response(
        syst,
        kc.Displacements(atoms_of(syst)),
        model.energy,
        bias=dmu,
        jacobian=True,
        **options,
    )
    assert np.abs(result.curl).max() > 1e-3
    close(result.jacobian - result.jacobian.T, -result.curl, rtol=1e-9)
    if not options:
        plain = kc.force_response(
            syst, kc.Displacements(atoms_of(syst)), model.energy, bias=dmu, route="modes"
        )
        close(result.curl, plain.curl, rtol=1e-9)
        close(result.force, plain.force, rtol=1e-9)


def test_random_systems():
    """H quadratic in Q, as matrices: against dense traces with G, and against the moved force."""
    for seed in range(6):
        syst = random_system(seed, norbs=1 + seed % 2, n_leads=2 + seed % 3).finalized()
        h = syst.hamiltonian_submatrix()
        rng = np.random.default_rng(seed)
        first = [random_hermitian(rng, len(h)) for _ in range(3)]
        pairs = {(i, j): random_hermitian(rng, len(h)) for i in range(3) for j in range(i, 3)}
        bias = dict(enumerate(rng.normal(size=len(syst.leads))))
        result = kc.force_response(
            syst, kc.Matrices(first, second=pairs), 0.3, bias=bias, jacobian=True
        )
        densities, greens = lead_densities(syst, 0.3), dense_greens(syst)(0.3)
        delta_rho = sum(bias[lead] * d for lead, d in enumerate(densities))
        expected = np.array(
            [
                [
                    -np.trace(pairs[min(i, j), max(i, j)] @ delta_rho)
                    - 2 * np.trace(first[i] @ greens @ first[j] @ delta_rho).real
                    for j in range(3)
                ]
                for i in range(3)
            ]
        )
        assert np.abs(expected.imag).max() < 1e-10
        close(result.jacobian, expected.real, rtol=1e-10)
        close(result.jacobian - result.jacobian.T, -result.curl, rtol=1e-10)


def test_two_levels_in_closed_form():
    """H = X + (w + Y) sigma_x: the force, and so its derivatives, from 2 x 2 matrices by hand."""
    syst, coordinates = two_levels()
    window = 0.5

    def force(x, y):
        def integrand(e):
            w, z = 0.3 + y, e - x
            det = (z + 0.3j) * (z + 0.1j) - w**2
            left = 0.6 * np.array([abs(z + 0.1j) ** 2, w**2, w * (z + 0.1j)]) / abs(det) ** 2
            right = 0.2 * np.array([w**2, abs(z + 0.3j) ** 2, w * (z - 0.3j)]) / abs(det) ** 2
            share = (left if e > 0 else -right) / (2 * np.pi)
            return -np.array([(share[0] + share[1]).real, 2 * share[2].real])

        return quad_vec(integrand, -window / 2, window / 2, points=[0.0], epsabs=1e-13)[0]

    expected = np.stack(
        [central_difference(lambda h: force(h, 0)), central_difference(lambda h: force(0, h))],
        axis=1,
    )
    result = kc.force_response(
        syst, coordinates, 0.0, bias=window, linear=False, jacobian=True, rtol=1e-10
    )
    np.testing.assert_allclose(result.force, force(0, 0), atol=1e-9)
    close(result.jacobian, expected, rtol=1e-7)
    assert result.jacobian[1, 0] - result.jacobian[0, 1] == pytest.approx(0.61705068, abs=1e-7)


def test_probe_and_points_that_touch_nothing():
    syst = square_wire(length=10, width=6, disorder=0.6).finalized()
    points = np.array([(4.2, 2.9), (6.1, 1.7)])
    h = 1e-3

    def response(shift):
        probe = kc.Probe(points + shift, width=1.0, strength=2.0)
        return kc.force_response(syst, probe, 1.7, bias=0.3, jacobian=True)

    result = response(0)
    # A probe isn't there for the electrons: its force changes with its place alone.
    for direction in range(2):
        step = h * np.eye(2)[direction]
        moved_force = (
            8 * (response(step).force - response(-step).force)
            - response(2 * step).force
            + response(-2 * step).force
        ) / (12 * h)
        for point in range(2):
            # dF_I/dQ_J = -Tr[H_IJ Delta rho] alone, without the response of the electrons.
            here = slice(2 * point, 2 * point + 2)
            second = kc.Matrices(
                kc.Force(syst, kc.Probe(points, width=1.0, strength=2.0)).matrices()[here]
            )
            electrons = kc.force_response(syst, second, 1.7, bias=0.3, jacobian=True).jacobian
            static = result.jacobian[here, here] - electrons
            close(static[:, direction], moved_force[here], rtol=1e-7)


# The velocity tensor


@pytest.mark.parametrize("name", MODELS)
def test_velocity_against_dense_traces(name):
    model = MODELS[name]
    syst = model.syst_of_functions(model.positions())
    coordinates = kc.Displacements(atoms_of(syst)[:2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result = kc.force_response(
            syst, coordinates, model.energy, bias=model.dmu(), velocity=True, noise=True
        )
    greens = dense_greens(syst)
    slope = central_difference(lambda x: greens(model.energy + 0.05 * x)) / 0.05
    densities = lead_densities(syst, model.energy)
    forces = [f.toarray() for f in kc.Force(syst, coordinates).matrices()]

    def tensor(function):
        return np.array([[function(a, b) for b in forces] for a in forces])

    for lead, density in enumerate(densities):
        expected = tensor(lambda a, b, d=density: -2 * np.trace(a @ slope @ b @ d).imag)
        close(result.lead_velocity[lead], expected, rtol=1e-7)
        for other, second in enumerate(densities):
            expected = tensor(
                lambda a, b, d=density, e=second: 2 * np.pi * np.trace(a @ e @ b @ d).real
            )
            close(result.pair_noise[lead, other], expected, rtol=1e-10)
    total = result.lead_velocity.sum(axis=0)
    broken = np.abs(total - total.T).max() > 1e-3 * np.abs(total).max()
    assert broken == (name not in SYMMETRIC)
    assert (result.equilibrium_lorentz is None) == broken
    if not broken:
        assert not result.equilibrium_lorentz.any()


def test_velocity_against_electrons_in_time():
    """The force on atoms that really move, from i dpsi/dt = H(t) psi with a source in a lead."""
    syst, _ = two_levels()
    rng = np.random.default_rng(4)
    first = [random_hermitian(rng, 2, density=1.0) for _ in range(2)]
    energy, gamma = 0.1, np.diag([0.6, 0.2])
    h = syst.hamiltonian_submatrix()
    with pytest.warns(RuntimeWarning, match="fermi_sea=True calculates it"):
        result = kc.force_response(syst, kc.Matrices(first), energy, bias={0: 1.0}, velocity=True)

    def force(direction, speed):
        def slope(t, psi):
            now = h + speed * t * sum(q * m for q, m in zip(direction, first, strict=True))
            return -1j * ((now - 0.5j * gamma - energy * np.eye(2)) @ psi + source)

        source = np.array([np.sqrt(0.6), 0])
        # What the start was is forgotten as exp(-t/10).
        end = solve_ivp(slope, (-300, 0), np.zeros(2, complex), rtol=1e-10, atol=1e-12)
        psi = end.y[:, -1]
        return np.array([-(psi.conj() @ m @ psi).real for m in first]) / (2 * np.pi)

    def velocity(speed):
        columns = [(force(axis, -speed) - force(axis, speed)) / (2 * speed) for axis in np.eye(2)]
        return np.stack(columns, axis=1)

    slow, fast = velocity(2e-4), velocity(4e-4)
    close((4 * slow - fast) / 3, result.lead_velocity[0], rtol=1e-5)


def test_equilibrium_is_friction_and_nothing_else():
    """sum_alpha int f gamma_alpha, the definition, is the friction of Eq. 32, with symmetry."""
    syst, coordinates = two_levels()
    kt = 0.1

    def integrand(e):
        share = kc.force_response(syst, coordinates, e, velocity=True)
        return fermi(e, 0.05, kt) * share.lead_velocity.sum(axis=0)

    # int f gamma over all energies; the integrand falls as E^-3 or faster.
    wide = quad_vec(integrand, -60.0, 5.0, points=[-1, -0.3, 0.0, 0.3, 1], epsabs=1e-7)[0]
    result = kc.force_response(syst, coordinates, 0.05, bias=0.0, temperature=kt, velocity=True)
    close(wide, result.friction, rtol=2e-4)
    np.testing.assert_allclose(wide, wide.T, atol=1e-7)
    np.testing.assert_array_equal(result.velocity, result.friction)
    assert not result.lorentz.any()


def weakly_coupled(n_sites=5):
    """A random system without time-reversal symmetry and without bound states."""
    builder = random_system(3, n_sites=n_sites)
    for site in list(builder.sites()):
        builder[site] = 0.3 * builder[site]
    for hopping in list(builder.hoppings()):
        builder[hopping] = 0.5 * builder[hopping]
    return builder.finalized()


def test_fermi_sea_in_a_magnetic_field():
    """Against a contour in the upper half plane, where the chains' self-energies are known.

    The antisymmetric part of -2 int f Im Tr[H_I G' H_J D] is that of
    -(1/pi) Re int f Tr[H_I G' H_J G] + (1/2 pi) int (-f') Re Tr[H_I G H_J G^+].
    """
    syst = weakly_coupled()
    mu, hamiltonian = 0.3, syst.hamiltonian_submatrix()
    rng = np.random.default_rng(0)
    first = [random_hermitian(rng, len(hamiltonian)) for _ in range(3)]
    ends = [syst.lead_interfaces[lead][0] for lead in range(2)]

    def greens(z):
        inverse = z * np.eye(len(hamiltonian)) - hamiltonian
        for end in ends:
            inverse[end, end] -= (z - np.sqrt(z - 4) * np.sqrt(z + 4)) / 2
        return np.linalg.inv(inverse)

    def trace(left, right):
        return np.einsum("iab,bc,jcd,da->ij", first, left, first, right, optimize=True)

    def vertical(x):
        y = x / (1 - x)
        z = mu + 1j * (y + 1e-12)
        step = 0.5 * (1 + y)
        slope = central_difference(lambda h: greens(z + step * h)) / step
        return np.ascontiguousarray(trace(slope, greens(z)) / (1 - x) ** 2).view(float)

    upwards = quad_vec(vertical, 0, 1 - 1e-9, epsabs=1e-8, limit=3000)[0].view(complex)
    here = greens(mu + 1e-13j)
    expected = -(-1j * upwards).real / np.pi + trace(here, here.conj().T).real / (2 * np.pi)
    expected = 0.5 * (expected - expected.T)
    options = {"velocity": True, "fermi_sea": True, "rtol": 1e-7}
    result = kc.force_response(syst, kc.Matrices(first), mu, **options)
    close(result.equilibrium_lorentz, expected, rtol=1e-7)
    assert 0 < result.error <= 1e-7  # that of the sea: nothing else was integrated
    close(result.at_bias(0.0).lorentz, expected, rtol=1e-7)
    assert np.linalg.norm(result.at_bias(0.0).velocity - result.friction - expected) < 1e-6


def test_fermi_sea_at_a_temperature():
    """It changes with the Fermi level as the states there say: another integral altogether."""
    syst = weakly_coupled(n_sites=3)
    rng = np.random.default_rng(2)
    first = [random_hermitian(rng, len(syst.sites), 0.8) for _ in range(2)]
    below, above = (
        kc.force_response(
            syst, kc.Matrices(first), mu, temperature=0.2, velocity=True, fermi_sea=True, rtol=1e-3
        )
        for mu in (0.28, 0.32)
    )
    change = (above.equilibrium_lorentz - below.equilibrium_lorentz) / 0.04
    gamma = 0.5 * sum(below.lead_velocity + above.lead_velocity)
    assert np.abs(change).max() > 0.1
    close(change, 0.5 * (gamma - gamma.T), rtol=0.01)


def test_velocity_in_a_window_becomes_linear():
    syst = square_wire(length=6, width=4, disorder=1.0).finalized()
    moving = kc.Displacements([8, 9], scaling=kc.PowerLaw(2))
    options = {"jacobian": True, "velocity": True}
    linear = kc.force_response(syst, moving, 1.7, **options)
    added = linear.velocity - linear.friction
    assert np.abs(linear.lorentz).max() > 1e-4
    deviations = []
    for size in (0.04, 0.02):
        # Of both signs: what is even in the bias is second order, and not in linear response.
        forth, back = (
            kc.force_response(
                syst, moving, 1.7, bias=sign * size, linear=False, rtol=1e-10, **options
            )
            for sign in (1, -1)
        )
        deviations.append(
            [
                np.abs((forth.velocity - back.velocity) / (2 * size) - added).max(),
                np.abs((forth.jacobian - back.jacobian) / (2 * size) - linear.jacobian).max(),
            ]
        )
    np.testing.assert_allclose(np.divide(*deviations), 4, rtol=0.1)


def test_velocity_close_to_a_band_edge():
    """The self-energy goes as a square root there; a window across the edge is integrated."""
    syst = square_wire(length=5, width=2, disorder=0.5).finalized()
    moving = kc.Displacements([4, 5], scaling=kc.PowerLaw(2))
    window = kc.force_response(
        syst, moving, 2.9, bias=0.3, linear=False, velocity=True, jacobian=True
    )
    assert window.error <= RTOL == 1e-4
    fine = kc.force_response(
        syst, moving, 2.9, bias=0.3, linear=False, velocity=True, jacobian=True, rtol=1e-8
    )
    for field in ("jacobian", "velocity"):
        close(getattr(window, field), getattr(fine, field), rtol=1e-4)


def test_self_energies_have_their_derivatives():
    """Of cells exactly, from the fixed point Sigma = V^+ g V, and by differences."""
    builder = square_wire(length=4, width=5, norbs=2)
    for device in (builder.finalized(), devices.graphene_constriction(40, 20, 10).syst):
        for lead in (Cells(lead, None) for lead in device.leads):
            exact = slope_of_cells(lead, lead.selfenergy(1.3), 1.3)
            close(slope_by_differences(lead, 0, 1.3), exact, rtol=1e-9)
    rng = np.random.default_rng(1)
    left, right, rhs = 0.4 * rng.normal(size=(3, 4, 4)) + 0.2j * rng.normal(size=(3, 4, 4))
    solution, regularity = stein(left, right, rhs)
    close(solution, left @ solution @ right + rhs, rtol=1e-12)
    products = np.outer(np.linalg.eigvals(left), np.linalg.eigvals(right))
    assert regularity == pytest.approx(np.abs(1 - products).min())
    singular, regularity = stein(np.eye(2), np.eye(2), np.ones((2, 2)))
    assert np.isnan(singular).all()
    assert regularity == 0
    wire = square_wire(length=4, width=2).finalized()
    edge = 3.0
    sizes = [
        np.abs(self_energy_slope(*solved_leads(wire, e))).max() * np.sqrt(e - edge)
        for e in (edge + 1e-6, edge + 1e-8, edge + 1e-10)
    ]
    np.testing.assert_allclose(sizes, sizes[0], rtol=1e-2)  # the square root's


def folded_wire(width, n_slices):
    """A disordered wire with leads whose cells are as many slices long."""
    lattice = kwant.lattice.square(norbs=1)
    builder, rng = kwant.Builder(), np.random.default_rng(1)
    onsite = 4 if width > 1 else 0
    for x, y in np.ndindex(6, width):
        builder[lattice(x, y)] = onsite + 0.5 * rng.normal()
    builder[lattice.neighbors()] = -1
    for direction in (-1, 1):
        lead = kwant.Builder(kwant.TranslationalSymmetry((direction * n_slices, 0)))
        for x, y in np.ndindex(n_slices, width):
            lead[lattice(x, y)] = onsite
        lead[lattice.neighbors()] = -1
        builder.attach_lead(lead)
    return builder.finalized(), [lattice(2, 0), lattice(3, 0)]


@pytest.mark.parametrize(
    ("width", "energy"),
    [(1, 0.0), (1, 1e-8), (1, 1e-4), (1, 1.0), (1, np.sqrt(2)), (4, 4.0), (4, 3.5)],
)
def test_longer_cells_are_the_same_leads(width, energy):
    """Where bands of a folded cell cross, the equation for dSigma/dE is singular; Sigma isn't."""
    results = []
    for n_slices in (1, 2, 3, 4):
        syst, moving = folded_wire(width, n_slices)
        coordinates = kc.Displacements(moving, scaling=kc.PowerLaw(2))
        results.append(kc.force_response(syst, coordinates, energy, velocity=True).velocity)
    for other in results[1:]:
        close(other, results[0], rtol=1e-7)


def test_longer_cells_at_a_temperature():
    one, two = (
        kc.force_response(
            syst,
            kc.Displacements(moving, scaling=kc.PowerLaw(2)),
            0.0,
            temperature=0.01,
            velocity=True,
            rtol=1e-5,
        ).velocity
        for syst, moving in (folded_wire(1, 1), folded_wire(1, 2))
    )
    close(two, one, rtol=1e-4)


def test_a_state_at_the_end_of_a_lead():
    """Zigzag graphene at the Dirac point: the end of the lead has a level there."""
    lead = Cells(devices.graphene_constriction(40, 20, 10).syst.leads[0], None)
    sigma = lead.selfenergy(0.1)
    assert np.isfinite(slope_of_cells(lead, sigma, 0.1)).all()


def test_parameters_of_the_leads_and_odd_interfaces():
    """Leads that take params, and a self-energy whose sites come in another order."""

    def build(swap):
        builder = square_wire(length=5, width=3, disorder=0.7)
        lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
        lattice = next(iter(builder.sites())).family
        lead[(lattice(0, y) for y in range(3))] = lambda site, gate: 4 + gate
        lead[lattice.neighbors()] = -1
        builder.leads[0] = kwant.builder.BuilderLead(lead, builder.leads[0].interface)
        syst = builder.finalized()
        if swap:
            order = [2, 0, 1]
            interface = [syst.sites[i] for i in syst.lead_interfaces[0]]
            original = syst.leads[0]

            def sigma(energy, args=(), params=None):
                return original.selfenergy(energy, params=params)[np.ix_(order, order)]

            builder.leads[0] = kwant.builder.SelfEnergyLead(
                sigma, [interface[i] for i in order], ["gate"]
            )
            syst = builder.finalized()
        return syst

    moving = kc.Displacements([6, 7], scaling=kc.PowerLaw(2))
    params = {"gate": 0.3}
    one, other = (
        kc.force_response(build(swap), moving, 1.7, velocity=True, params=params)
        for swap in (False, True)
    )
    close(one.velocity, other.velocity, rtol=1e-7)
    syst = build(False)
    greens = dense_greens(syst, params)
    slope = central_difference(lambda x: greens(1.7 + 0.05 * x)) / 0.05
    forces = [f.toarray() for f in kc.Force(syst, moving).matrices(params=params)]
    density = lead_densities(syst, 1.7, params)[0]
    expected = [[-2 * np.trace(a @ slope @ b @ density).imag for b in forces] for a in forces]
    close(one.lead_velocity[0], np.array(expected), rtol=1e-7)


# Noise


def test_noise_in_equilibrium_is_friction():
    """Fluctuation and dissipation: S = 2 kT eta, both integrated, in linear response or not."""
    model = MODELS["magnetic field"]
    syst = model.syst_of_functions(model.positions())
    moving = kc.Displacements(atoms_of(syst)[:3])
    for kt in (0.01, 0.03):
        for linear in (True, False):
            result = kc.force_response(
                syst,
                moving,
                model.energy,
                bias=0.0,
                temperature=kt,
                linear=linear,
                noise=True,
                rtol=1e-9,
            )
            close(result.noise, 2 * kt * result.friction, rtol=1e-8)
            assert np.linalg.eigvalsh(result.noise).min() > -1e-12


def test_noise_by_occupations():
    """S = 2 pi int sum f_alpha (1 - f_beta) Re Tr[F D_beta F D_alpha], with two levels by quad."""
    syst, coordinates = two_levels()
    matrices = [m.toarray() for m in kc.Force(syst, coordinates).matrices()]
    greens = dense_greens(syst)
    kt, bias = 0.05, 0.6

    def integrand(e):
        g = greens(e)
        d = [g @ np.diag(width) @ g.conj().T / (2 * np.pi) for width in ([0.6, 0], [0, 0.2])]
        filled = fermi(e, np.array([bias / 2, -bias / 2]), kt)
        return sum(
            2 * np.pi * filled[a] * (1 - filled[b]) * np.trace(x @ d[b] @ x @ d[a]).real
            for a in range(2)
            for b in range(2)
            for x in (matrices[0] + 0.7 * matrices[1],)
        )

    expected = quad(integrand, -3, 3, points=[-0.3, 0, 0.3], epsabs=1e-12, limit=400)[0]
    pattern = np.array([[1.0, 0.7]])
    options = {"bias": bias, "noise": True, "degeneracy": 2}
    window = kc.force_response(
        syst, coordinates, 0.0, linear=False, temperature=kt, rtol=1e-9, **options
    )
    assert window.project(pattern).noise[0, 0] == pytest.approx(2 * expected, rel=1e-8)
    # With D constant over the window: shot noise |V| at zero temperature.
    cold = kc.force_response(syst, coordinates, 0.0, **options)
    for sign in (1, -1):
        np.testing.assert_allclose(cold.at_bias(sign * bias).noise, bias * cold.pair_noise[0, 1])
    # and V coth(V/2kT)/... of both leads at a temperature, per lead kT
    warm = kc.force_response(syst, coordinates, 0.0, temperature=kt, rtol=1e-9, **options)
    pairs, x = warm.pair_noise, bias / kt
    between = bias / np.tanh(x / 2)
    np.testing.assert_allclose(
        warm.noise, kt * (pairs[0, 0] + pairs[1, 1]) + between * pairs[0, 1], rtol=1e-12
    )


def test_noise_is_positive():
    for seed in range(5):
        syst = random_system(seed, n_leads=3).finalized()
        rng = np.random.default_rng(seed)
        first = [random_hermitian(rng, len(syst.sites)) for _ in range(4)]
        bias = dict(enumerate(rng.normal(size=3)))
        result = kc.force_response(syst, kc.Matrices(first), 0.3, bias=bias, noise=True)
        values = np.linalg.eigvalsh(result.noise)
        assert values[0] > -1e-12 * values[-1]


# What belongs to all of it


def test_backends_and_precalculated_leads():
    syst = square_wire(length=6, width=4, disorder=1.0).finalized()
    moving = kc.Displacements([8, 9], scaling=kc.PowerLaw(2))
    options = {"jacobian": True, "velocity": True}
    default = kc.force_response(syst, moving, 1.7, **options)
    superlu = kc.force_response(
        syst, moving, 1.7, solver=kc.direct_solver("superlu"), max_memory=1e4, **options
    )
    for field in ("lead_jacobian", "lead_velocity", "lead_curl", "lead_force"):
        close(getattr(default, field), getattr(superlu, field), rtol=1e-9)
    bare = syst.precalculate(1.7, what="all")
    close(
        kc.force_response(bare, moving, 1.7, jacobian=True).jacobian,
        default.jacobian,
        rtol=1e-9,
    )
    with pytest.raises(ValueError, match="Lead 0 is precalculated at one energy"):
        kc.force_response(bare, moving, 1.7, velocity=True)


def test_self_energies_of_ones_own():
    """Leads known by a self-energy that depends on energy give what the leads themselves give."""
    syst = chain(7).finalized()
    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    expected = kc.force_response(syst, moving, 0.4, velocity=True, jacobian=True)
    builder = chain(7)
    leads = [lead.finalized() for lead in builder.leads]
    interfaces = [lead.interface for lead in builder.leads]
    builder.leads[:] = [
        kwant.builder.SelfEnergyLead(lead.selfenergy, interface, [])
        for lead, interface in zip(leads, interfaces, strict=True)
    ]
    result = kc.force_response(builder.finalized(), moving, 0.4, velocity=True, jacobian=True)
    for field in ("lead_jacobian", "lead_velocity"):
        close(getattr(result, field), getattr(expected, field), rtol=1e-8)


def test_projection_and_bias():
    syst = square_wire(length=6, width=4, disorder=1.0).finalized()
    moving = kc.Displacements([8, 9], scaling=kc.PowerLaw(2))
    options = {"jacobian": True, "velocity": True, "noise": True}
    result = kc.force_response(syst, moving, 1.7, bias=0.2, **options)
    np.testing.assert_allclose(result.positions, [syst.sites[i].pos for i in (8, 9)])
    np.testing.assert_array_equal(result.sites, [8, 9])
    patterns = np.random.default_rng(2).normal(size=(3, 4))
    projected = result.project(patterns)
    for field in ("jacobian", "velocity", "lorentz", "noise"):
        value = getattr(result, field)
        assert not value.flags.writeable
        np.testing.assert_allclose(
            getattr(projected, field), patterns @ value @ patterns.T, atol=1e-13
        )
    assert projected.positions is None
    assert projected.sites is None
    for bias in (-0.7, {0: 0.3}):
        solved = kc.force_response(syst, moving, 1.7, bias=bias, **options)
        for field in ("jacobian", "velocity", "noise"):
            close(getattr(result.at_bias(bias), field), getattr(solved, field), rtol=1e-12)
    close(
        kc.force_response(syst, moving, 1.7, degeneracy=2, **options).noise,
        2 * result.at_bias(1.0).noise,
        rtol=1e-12,
    )


def test_degeneracy_multiplies_all_tensors():
    syst = weakly_coupled(n_sites=3)
    rng = np.random.default_rng(2)
    coordinates = kc.Matrices([random_hermitian(rng, len(syst.sites), 0.8) for _ in range(2)])
    options = {"jacobian": True, "velocity": True, "fermi_sea": True, "noise": True}
    one, two = (
        kc.force_response(syst, coordinates, 0.3, degeneracy=g, rtol=1e-3, **options)
        for g in (1, 2)
    )
    for field in (
        "lead_jacobian",
        "lead_velocity",
        "equilibrium_lorentz",
        "pair_noise",
        "friction",
    ):
        assert np.abs(getattr(one, field)).max() > 0
        close(getattr(two, field), 2 * getattr(one, field), rtol=1e-12)


def test_second_derivatives_reach_further_than_first():
    """d^2H/dQ^2 on orbitals that dH/dQ doesn't touch, as for motion at right angles to a chain."""
    syst = random_system(1).finalized()
    h = syst.hamiltonian_submatrix()
    first, second = np.zeros_like(h), np.zeros_like(h)
    first[3, 3] = 1.0
    second[3, 6] = 0.7 - 0.2j
    second[6, 3] = 0.7 + 0.2j
    coordinates = kc.Matrices([first], second={(0, 0): second})
    result = kc.force_response(syst, coordinates, 0.3, bias={0: 1.0}, jacobian=True)
    density, greens = lead_densities(syst, 0.3)[0], dense_greens(syst)(0.3)
    expected = (
        -np.trace(second @ density) - 2 * np.trace(first @ greens @ first @ density).real
    ).real
    assert result.jacobian[0, 0] == pytest.approx(expected, rel=1e-10)
    derivatives = coordinates.hamiltonian_second_derivatives(syst)
    with pytest.raises(ValueError, match="orbitals that are not among these"):
        derivatives.on_orbitals(np.array([3, 4]), len(h))


def test_sizes_belong_to_their_parts():
    """What the integration takes for rounding is measured by each array's own terms."""
    syst = weakly_coupled()
    rng = np.random.default_rng(5)
    first = [1e3 * random_hermitian(rng, len(syst.sites)) for _ in range(2)]
    forces = kc.Matrices(first).hamiltonian_derivatives(syst)
    second = kc.Matrices(first).hamiltonian_second_derivatives(syst)
    operators = Fixed(Operators.of(forces, second))
    share = CoupledKernel(Model(syst).scattering, Numerics(), operators, True, True)(0.3)
    parts = (*share.by_lead, *share.by_pair, *share.total)
    assert len(parts) == len(share.sizes)
    for part, size in zip(parts, share.sizes, strict=True):
        assert np.abs(part).max() <= 2.1 * size  # noise is twice the friction
        assert size < 1e4 * np.abs(part).max()


def test_arguments_of_tensors():
    syst, coordinates = two_levels()
    for name in ("jacobian", "velocity", "noise", "fermi_sea"):
        with pytest.raises(TypeError, match=f"{name} is 'no'; expected True or False"):
            kc.force_response(syst, coordinates, 0.0, **{name: "no"})
    with pytest.raises(ValueError, match="give velocity=True too"):
        kc.force_response(syst, coordinates, 0.0, fermi_sea=True)


def test_what_was_not_asked_for():
    syst, coordinates = two_levels()
    result = kc.force_response(syst, coordinates, 0.0)
    for name in ("jacobian", "velocity", "noise"):
        with pytest.raises(ValueError, match=f"holds no {name}: call .* with {name}=True"):
            getattr(result, name)
    with pytest.raises(ValueError, match="holds no velocity"):
        _ = result.lorentz

    class Own:
        def hamiltonian_derivatives(self, syst, *, params=None):
            return coordinates.hamiltonian_derivatives(syst, params=params)

    kc.force_response(syst, Own(), 0.0, velocity=True)
    with pytest.raises(TypeError, match="Own has no method hamiltonian_second_derivatives"):
        kc.force_response(syst, Own(), 0.0, jacobian=True)
    lattice = syst.sites[0].family
    builder = chain(4)
    builder.leads[0] = kwant.builder.SelfEnergyLead(
        lambda energy, args=(), params=None: np.array([[0.1 - 1j]]), [lattice(0)], []
    )
    field = kc.Matrices([np.diag([0, 1j, 0], 1) + np.diag([0, -1j, 0], -1), np.diag([0, 0, 1, 2])])
    with pytest.raises(ValueError, match="Lead 0 is a SelfEnergyLead with modes or"):
        kc.force_response(builder.finalized(), field, 0.3, velocity=True, fermi_sea=True)


def test_sums_are_the_same_in_pieces(monkeypatch):
    """The traces are added up in pieces of bounded memory."""
    rng = np.random.default_rng(1)
    syst = random_system(2, norbs=2).finalized()
    first = [random_hermitian(rng, 20) for _ in range(5)]
    pairs = {(i, i): random_hermitian(rng, 20) for i in range(5)}
    coordinates = kc.Matrices(first, second=pairs)
    factors = coordinates.hamiltonian_derivatives(syst).factors()
    second = coordinates.hamiltonian_second_derivatives(syst)
    greens, states = random_hermitian(rng, 20, 1.0), [rng.normal(size=(4, 20)) + 0j]
    whole = [jacobians(factors, second, greens, states), velocity_tensors(factors, greens, states)]
    monkeypatch.setattr("kwant_curl.algebra.matrix_elements.CHUNK", 8)
    parts = [jacobians(factors, second, greens, states), velocity_tensors(factors, greens, states)]
    for a, b in zip(whole, parts, strict=True):
        close(b, a, rtol=1e-12)
    bound = trace_size(factors, greens, states)
    density = states[0].T @ states[0].conj() / (2 * np.pi)
    largest = max(2 * abs(np.trace(a @ greens @ b @ density)) for a in first for b in first)
    assert largest <= bound < 1e3 * largest


def test_tensors_together_are_those_by_themselves():
    """Whichever are asked for, each comes back under its own name."""
    syst = square_wire(length=7, width=4, disorder=0.6).finalized()
    moving = kc.Displacements([10, 14], scaling=kc.PowerLaw(2))
    whole = kc.force_response(syst, moving, 1.7, jacobian=True, velocity=True, noise=True)
    assert np.abs(whole.lead_jacobian - whole.lead_velocity).max() > 1e-3
    for keyword, field in (
        ("jacobian", "lead_jacobian"),
        ("velocity", "lead_velocity"),
        ("noise", "pair_noise"),
    ):
        alone = kc.force_response(syst, moving, 1.7, **{keyword: True})
        close(getattr(whole, field), getattr(alone, field), rtol=1e-9)
