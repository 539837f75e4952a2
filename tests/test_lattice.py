"""Lattices between leads: closed forms of chains, explicit matrices, and what leaves for good."""

import ase
import kwant
import numpy as np
import phonopy
import pytest
from ase.vibrations import VibrationsData
from phonopy.structure.atoms import PhonopyAtoms
from scipy import sparse
from scipy.linalg import expm
from scipy.optimize import brentq

from kwant_curl import EV_ANGSTROM_AMU, Lattice, LatticeLead, VibrationalModes, load
from kwant_curl.algebra.definite import is_positive
from kwant_curl.algebra.memory import evolution


def chain_lead(k=1.0, m=1.0, ground=0.0):
    return LatticeLead([[2 * k + ground]], [[-k]], [m])


def chain_selfenergy(omega, k=1.0, m=1.0):
    """Pi = -(k/m) e^(iq), omega^2 = (4 k/m) sin^2(q/2), Im q >= 0 and outgoing."""
    x = np.asarray(omega, dtype=complex) ** 2 * m / k
    inside = (np.imag(omega) == 0) & (x.real < 4)
    root = np.where(inside, 1j * np.sqrt(np.abs(x * (4 - x))), np.sqrt(x * (x - 4) + 0j))
    one, other = (2 - x + root) / 2, (2 - x - root) / 2
    wave = np.where(inside | (np.abs(one) < np.abs(other)), one, other)
    return -k / m * wave


def strip_lead(width, rng, springs=(1.0, 0.4)):
    """A strip of the square lattice, dim 2: springs along bonds and across them, random masses."""
    along, across = np.diag(springs), np.diag(springs[::-1])
    within, coupling = np.zeros((2, width, 2, width, 2))
    for i in range(width):
        within[i, :, i, :] += 2 * along
        coupling[i, :, i, :] = -along
    for i in range(width - 1):
        for a, b, sign in ((i, i, 1), (i + 1, i + 1, 1), (i, i + 1, -1), (i + 1, i, -1)):
            within[a, :, b, :] += sign * across
    return LatticeLead(within, coupling, rng.uniform(1.0, 2.0, width))


def row(lead, n_cells):
    """Mass-weighted matrix of a row of cells, whose ends are held."""
    step = np.eye(n_cells, k=1)
    matrix = np.kron(np.eye(n_cells), lead.force_constants) + np.kron(step, lead.coupling)
    root = np.sqrt(np.tile(np.repeat(lead.masses, lead.dim), n_cells))
    return (matrix + np.kron(step.T, lead.coupling.T)) / np.outer(root, root)


def disordered(lead, n_cells, rng):
    """A perfect lattice, and one with random masses and springs to the ground in its middle."""
    perfect = Lattice.of_lead(lead, n_cells)
    n, inner = len(lead), n_cells - 2
    matrix, masses = perfect.force_constants.toarray(), perfect.masses.copy()
    masses[n:-n] *= rng.uniform(0.7, 1.6, n * inner)
    own = slice(n * lead.dim, -n * lead.dim)
    matrix[own, own] += np.diag(rng.uniform(0, 0.4, n * inner * lead.dim))
    return perfect, Lattice.from_arrays(matrix, masses, perfect.leads)


@pytest.fixture(scope="module")
def chain():
    return Lattice.of_lead(chain_lead(), 5)


@pytest.fixture(scope="module")
def chain_modes(chain):
    return chain.modes([2], rtol=1e-6)


# One chain, in closed form


@pytest.mark.parametrize("omega", [0.3, 1.0, 1.9, 1.9999, 2.0001, 3.0, 0.5 + 0.2j, 2.5 + 0.01j, 1j])
def test_selfenergy_of_a_chain(omega):
    lattice = Lattice.of_lead(chain_lead(2.0, 3.0), 3)
    unit = np.sqrt(2.0 / 3.0)
    for pi in lattice.selfenergy(omega * unit):
        np.testing.assert_allclose(pi, chain_selfenergy(omega * unit, 2.0, 3.0), rtol=1e-9)
    # Far from the device atoms the same: Pi is that of any cut.
    around = lattice.surroundings([1]).selfenergy(omega * unit)
    np.testing.assert_allclose(around[:, 0, 0], chain_selfenergy(omega * unit, 2.0, 3.0), rtol=1e-9)


def test_a_chain_at_rest(chain):
    for pi in chain.selfenergy(0.0):
        np.testing.assert_allclose(pi, -1.0, atol=1e-11)


@pytest.mark.heavy
def test_a_fit_at_rest(chain):
    """A chain that nothing holds can be shifted: the fit has Pi(0) of the lattice, not nearly."""
    pi = chain.modes([2], rtol=1e-4).leads.lead_selfenergy(0.0)
    np.testing.assert_allclose(pi[:, 0, 0], -1.0, atol=1e-10)


def test_symmetries_of_a_selfenergy(chain):
    rng = np.random.default_rng(3)
    _, strip = disordered(strip_lead(2, rng), 4, rng)
    for lattice in (chain, strip):
        around = lattice.surroundings([1, 2])
        for omega in (0.7, 1.3 + 0.2j, -0.4 + 0.1j):
            pi = around.selfenergy(omega)
            np.testing.assert_allclose(pi, pi.swapaxes(1, 2), atol=1e-10)
            mirrored = around.selfenergy(-np.conj(omega))
            np.testing.assert_allclose(mirrored, pi.conj(), atol=1e-12)
        for pi in around.selfenergy(np.linspace(0.05, 2.5, 25)):
            assert np.linalg.eigvalsh(-pi.imag).min() > -1e-9


@pytest.mark.heavy
def test_density_of_a_chain(chain, chain_modes):
    """One atom's share of the whole: 2/(pi sqrt(4 - omega^2)) of each, whose integral is one."""
    angle = (np.arange(400) + 0.5) * np.pi / 800
    omega = 2 * np.sin(angle)
    exact = chain.local_density(omega, [0, 3])
    assert exact.density.shape == (400, 2)
    expected = 2 / np.pi / np.sqrt(4 - omega**2)
    np.testing.assert_allclose(exact.density, np.stack([expected] * 2, axis=1), rtol=1e-9)
    integral = (exact.density * 2 * np.cos(angle)[:, None]).sum(axis=0) * np.pi / 800
    np.testing.assert_allclose(integral, 1, rtol=1e-9)
    np.testing.assert_allclose(exact.band_edges, [2.0])
    inside = omega[20:-20]
    fitted = chain_modes.local_density(inside).density[:, 0]
    np.testing.assert_allclose(fitted, expected[20:-20], rtol=2e-5)


def test_fit_of_a_chain(chain, chain_modes):
    leads = chain_modes.leads
    assert len(leads) == 2
    assert leads.error < 1e-6
    assert np.abs(leads.friction).max() < 1e-6
    omega = np.concatenate([np.linspace(0.0013, 1.998, 301), np.linspace(2.002, 4.0, 101)])
    exact = chain_selfenergy(omega)
    for pi in leads.lead_selfenergy(omega)[:, :, 0, 0]:
        assert np.abs(pi - exact).max() < 2e-6
    dense = np.concatenate([np.linspace(1e-3, 6, 4001), 2 + np.geomspace(1e-8, 1, 500)])
    damping = -leads.selfenergy(dense).imag[:, 0, 0] / dense
    assert damping.min() >= 0


@pytest.mark.heavy
def test_a_light_atom_vibrates_above_the_band():
    """m' < m: omega^2 = (4 k/m)/(2 e - e^2), e = m'/m, and no damping there."""
    light = 0.4
    perfect = Lattice.of_lead(chain_lead(), 5)
    masses = np.array([1, 1, light, 1, 1.0])
    lattice = Lattice.from_arrays(perfect.force_constants, masses, perfect.leads)
    expected = np.sqrt(4 / (2 * light - light**2))

    def condition(omega):
        pi = lattice.surroundings([2]).selfenergy(omega).sum(axis=0)[0, 0]
        assert pi.imag == 0
        return omega**2 - 2 / light - pi.real

    assert brentq(condition, 2.1, 5.0, xtol=1e-14) == pytest.approx(expected, rel=1e-12)
    modes = lattice.modes([2], rtol=1e-6)
    widths = modes.linewidths()
    # What is left of damping is the stated error, of each lead, where |Pi| is at most k/m'.
    left = 2 * modes.leads.error / light / modes.frequencies[0]
    assert widths.poles[0].real == pytest.approx(expected, abs=1e-6)
    assert 0 <= widths.damping[0] < left < 3e-6
    assert widths.shifts[0] == pytest.approx(expected - np.sqrt(2 / light), abs=1e-6)
    assert widths.lifetimes[0] > 1 / left
    assert 0 <= widths.golden_rule[0] < left


@pytest.mark.heavy
def test_a_weakly_held_atom_decays_by_the_golden_rule():
    """An atom on a spring to the ground, weakly coupled to the ends of two chains."""
    weak, held = 0.02, 1.0
    matrix = np.array(
        [[2.0, -1, 0, 0, 0], [-1, 1, 0, 0, 0], [0] * 5, [0, 0, 0, 1, -1], [0, 0, 0, -1, 2]]
    )
    for end in (1, 3):
        matrix[end, end] += weak
        matrix[end, 2] = matrix[2, end] = -weak
    matrix[2, 2] = held + 2 * weak
    perfect = Lattice.of_lead(chain_lead(), 5)
    lattice = Lattice.from_arrays(matrix, 1.0, perfect.leads)
    widths = lattice.modes([2], rtol=1e-4).linewidths()
    omega = np.sqrt(held + 2 * weak)
    # The end of a chain that is held by weak: g = 1/(omega^2 - 1 - weak - Pi).
    g = 1 / (omega**2 - 1 - weak - chain_selfenergy(omega))
    golden = -2 * weak**2 * g.imag / omega
    assert widths.golden_rule[0] == pytest.approx(golden, rel=1e-3)
    assert widths.damping[0] == pytest.approx(golden, rel=0.02)

    # Below the axis Pi is continued from above: -e^(iq) with q from the root that is analytic.
    root = widths.poles[0]
    x = root**2
    wave = (2 - x + 1j * root * np.sqrt(4 - x)) / 2
    left = root**2 - omega**2 - 2 * weak**2 / (x - 1 - weak + wave)
    assert abs(left) < 1e-6


@pytest.mark.heavy
def test_a_pulse_leaves_without_reflection(chain):
    """Three atoms with memory against the same three in a chain so long that no end is felt."""
    modes = chain.modes([1, 2, 3], rtol=1e-6)
    memory = modes.leads.memory().projected(modes.vectors)
    n, n_long, time = 3, 401, 60.0
    propagator = expm(evolution(np.diag(modes.frequencies**2), np.zeros((n, n)), memory))
    state = np.zeros(len(propagator))
    kick = np.array([0.3, 1.0, -0.5])
    state[n : 2 * n] = modes.vectors @ kick
    squares, vectors = np.linalg.eigh(row(chain_lead(), n_long))
    middle = slice(n_long // 2 - 1, n_long // 2 + 2)
    omega = np.sqrt(squares)
    for step in range(1, int(time) + 1):
        state = propagator @ state
        moved = vectors[middle] @ (np.sin(omega * step) / omega * (kick @ vectors[middle]))
        np.testing.assert_allclose(modes.vectors.T @ state[:n], moved, atol=1e-6)
        speed = vectors[middle] @ (np.cos(omega * step) * (kick @ vectors[middle]))
        np.testing.assert_allclose(modes.vectors.T @ state[n : 2 * n], speed, atol=1e-6)


# Strips


@pytest.mark.parametrize("seed", range(3))
def test_strip_against_explicit_atoms(seed):
    """At complex frequencies a long row of cells is as good as an infinite one."""
    rng = np.random.default_rng(seed)
    lead = strip_lead(2, rng)
    _, lattice = disordered(lead, 4, rng)
    omega, cells = rng.uniform(0.3, 1.5) + 0.2j, 60
    n, dim = len(lead), lead.dim
    whole = row(lead, 2 * cells + 4)
    own = slice(cells * n * dim, (cells + 4) * n * dim)
    root = np.repeat(np.sqrt(lattice.masses), dim)
    device = lattice.force_constants.toarray() / np.outer(root, root)
    # Hoppings out of the device keep their masses: its end cells are the lead's.
    whole[own, own] = device
    moving = [3, 4]
    columns = np.array([a * dim + i for a in moving for i in range(dim)]) + own.start
    others = np.setdiff1d(np.arange(len(whole)), columns)
    inner = omega**2 * np.eye(len(others)) - whole[np.ix_(others, others)]
    between = whole[np.ix_(others, columns)]
    expected = between.T @ np.linalg.solve(inner, between)
    around = lattice.surroundings(moving)
    np.testing.assert_allclose(around.selfenergy(omega).sum(axis=0), expected, atol=1e-12)
    density = lattice.local_density([omega]).density[0]
    inverse = np.linalg.inv(omega**2 * np.eye(len(whole)) - whole)
    exact = -2 / np.pi * (omega * np.diag(inverse)[own]).imag
    np.testing.assert_allclose(density, exact, atol=1e-11)


@pytest.mark.heavy
def test_a_perfect_strip_transmits_each_branch():
    rng = np.random.default_rng(5)
    lead = strip_lead(3, rng)
    perfect, lattice = disordered(lead, 4, rng)
    root = np.sqrt(np.repeat(lead.masses, 2))
    weighted = [part / np.outer(root, root) for part in (lead.force_constants, lead.coupling)]
    momenta = np.linspace(0, np.pi, 2001)[:, None, None]
    bloch = weighted[0] + np.exp(1j * momenta) * weighted[1] + np.exp(-1j * momenta) * weighted[1].T
    bands = np.sqrt(np.maximum(np.linalg.eigvalsh(bloch), 0))
    for omega in rng.uniform(0.05, 2.2, 12):
        if np.abs(perfect.band_edges - omega).min() < 1e-3:
            continue
        branches = np.count_nonzero(np.diff(np.sign(bands - omega), axis=0))
        assert perfect.transmission(omega) == pytest.approx(branches, abs=1e-8)
        through = kwant.smatrix(perfect.syst, omega**2).transmission(1, 0)
        assert through == pytest.approx(branches, abs=1e-8)
        there = lattice.transmission(omega, 0, 1)
        assert there == pytest.approx(float(lattice.transmission(omega, 1, 0)), abs=1e-9)
        assert there == pytest.approx(kwant.smatrix(lattice.syst, omega**2).transmission(1, 0))
        assert -1e-10 <= there <= branches + 1e-10


def test_leads_that_other_atoms_connect_are_one_bath():
    rng = np.random.default_rng(2)
    _, lattice = disordered(strip_lead(2, rng), 4, rng)
    assert [bath.leads for bath in lattice.surroundings([4]).baths] == [(0, 1)]
    assert [bath.leads for bath in lattice.surroundings([4, 5]).baths] == [(0,), (1,)]
    assert [bath.leads for bath in lattice.surroundings(range(8)).baths] == [(0,), (1,)]


@pytest.mark.heavy
def test_fit_of_a_strip():
    rng = np.random.default_rng(4)
    _, lattice = disordered(strip_lead(2, rng), 4, rng)
    with pytest.warns(RuntimeWarning, match=r"omega = \[.*1\.80249.*\] are bound in the atoms"):
        leads = lattice.leads_of([4])
    assert len(leads) == 1
    assert leads.error < 1e-4
    with pytest.raises(IndexError, match=r"lead is 1; there are 1"):
        leads.memory(1)
    omega = np.linspace(0.05, 2.5, 60)
    bound = leads.poles.real[leads.poles.imag > -1e-6]
    near = np.concatenate([lattice.band_edges, bound])
    omega = omega[np.abs(omega[:, None] - near).min(axis=1) > 2e-3]
    exact = lattice.surroundings([4]).selfenergy(omega).sum(axis=0)
    apart = np.abs(leads.selfenergy(omega) - exact).max()
    assert apart < 1e-4 * np.abs(exact).max()
    dense = np.linspace(1e-3, 6, 2001)
    damping = -leads.selfenergy(dense).imag / dense[:, None, None]
    assert np.linalg.eigvalsh(damping).min() >= -1e-12


def test_bands_and_figure(chain, chain_modes, tmp_path):
    density = chain.local_density(np.linspace(0.1, 1.9, 5))
    ax = density.plot(label="chain")
    assert len(ax.lines) == 2
    assert "frequency" in ax.get_xlabel()
    density.save(tmp_path / "density")
    np.testing.assert_array_equal(load(tmp_path / "density").density, density.density)
    widths = chain_modes.linewidths()
    widths.save(tmp_path / "widths")
    np.testing.assert_array_equal(load(tmp_path / "widths").lifetimes, widths.lifetimes)
    assert "1 modes" in repr(widths)
    assert "5 coordinates at 5" in repr(density)


# Sum rule, layers, other programs


def test_sum_rule():
    lead = chain_lead()
    matrix = Lattice.of_lead(lead, 4).force_constants.toarray()
    matrix[1, 2] = matrix[2, 1] = -0.9
    leads = (lead.mirrored().at([0]), lead.at([3]))
    broken = Lattice.from_arrays(matrix, 1.0, leads)
    np.testing.assert_allclose(broken.broken_sum_rule, [0.05, 0, 0], atol=1e-15)
    held = Lattice.from_arrays(matrix, 1.0, leads, sum_rule=True)
    np.testing.assert_allclose(held.broken_sum_rule, 0, atol=1e-15)
    assert held.force_constants[1, 1] == pytest.approx(1.9)


def test_layers_make_cells():
    """Springs to the second neighbour: cells of two layers, the same bands."""
    blocks = np.array([[[2 * 1.0 + 2 * 0.3]], [[-1.0]], [[-0.3]]])
    with pytest.raises(ValueError, match=r"A cell of 1 layers is too thin.*0\.115.*layers=2"):
        LatticeLead.from_layers(blocks, 1.0)
    lead = LatticeLead.from_layers(blocks, 1.0, layers=2)
    np.testing.assert_allclose(lead.force_constants, [[2.6, -1], [-1, 2.6]])
    np.testing.assert_allclose(lead.coupling, [[-0.3, 0], [-1, -0.3]])
    assert lead.dropped == 0
    assert lead.broken_sum_rule < 1e-15
    lattice = Lattice.of_lead(lead, 2)
    q = np.linspace(0, np.pi, 100001)
    top = np.sqrt((2 * (1 - np.cos(q)) + 0.6 * (1 - np.cos(2 * q))).max())
    assert lattice.band_edges.max() == pytest.approx(top, rel=1e-8)
    loose = LatticeLead.from_layers(blocks, 1.0, tolerance=0.2)
    assert loose.dropped == pytest.approx(0.3 / 2.6)


def phonopy_chain(n=5, k=4.0, across=1.0):
    """A chain of gold atoms, each in a cell of its own: springs along it, and across to nothing."""
    cell = PhonopyAtoms(symbols=["Au"], scaled_positions=[[0, 0, 0]], cell=np.diag([2.6, 8, 8]))
    phonon = phonopy.Phonopy(cell, np.diag([n, 1, 1]), primitive_matrix="P")
    matrix = np.zeros((n, n, 3, 3))
    for i in range(n):
        for j, sign in ((i, 2), ((i + 1) % n, -1), ((i - 1) % n, -1)):
            matrix[i, j] += sign * np.diag([k, across, across])
    phonon.force_constants = matrix
    return phonon


def test_a_lead_from_phonopy():
    phonon = phonopy_chain()
    lead = LatticeLead.from_phonopy(phonon, 0)
    np.testing.assert_allclose(lead.force_constants, np.diag([8.0, 2, 2]), rtol=1e-6)
    np.testing.assert_allclose(lead.coupling, -np.diag([4.0, 1, 1]), rtol=1e-6)
    np.testing.assert_allclose(lead.period, [2.6, 0, 0])
    lattice = Lattice.of_lead(lead, 2, units=EV_ANGSTROM_AMU)
    phonon.run_qpoints([[0.5, 0, 0]])
    terahertz = EV_ANGSTROM_AMU.terahertz(lattice.band_edges)
    np.testing.assert_allclose(terahertz.max(), phonon.qpoints.frequencies.max(), rtol=1e-5)
    assert lattice.transmission(EV_ANGSTROM_AMU.frequency_from_thz(0.3)) == pytest.approx(3)
    with pytest.raises(
        ValueError, match=r"has 2 primitive cells along axis 0; expected at least 3"
    ):
        LatticeLead.from_phonopy(phonopy_chain(2), 0)
    with pytest.raises(TypeError, match=r"phonon is a str; expected phonopy.Phonopy"):
        LatticeLead.from_phonopy("file", 0)


def test_a_device_from_ase():
    lead = LatticeLead.from_phonopy(phonopy_chain(), 0)
    perfect = Lattice.of_lead(lead, 4)
    atoms = ase.Atoms("Au4", positions=np.arange(4)[:, None] * [2.6, 0, 0])
    hessian = perfect.force_constants.toarray().reshape(4, 3, 4, 3)
    data = VibrationsData(atoms, hessian)
    leads = (lead.mirrored().at([0]), lead.at([3]))
    lattice = Lattice.from_ase(data, leads)
    np.testing.assert_allclose(lattice.masses, perfect.masses, rtol=1e-3)
    np.testing.assert_allclose(lattice.positions[:, 0], 2.6 * np.arange(4))
    omega = EV_ANGSTROM_AMU.frequency_from_thz(0.7)
    assert lattice.transmission(omega) == pytest.approx(3, abs=1e-3)
    silver = VibrationsData(ase.Atoms("Ag4", positions=atoms.positions), hessian)
    with pytest.raises(ValueError, match=r"of another material than .*masses differ"):
        Lattice.from_ase(silver, leads)


# Errors


def test_leads_of_another_material():
    lead = chain_lead()
    matrix = Lattice.of_lead(lead, 4).force_constants
    stiff = chain_lead(1.5)
    with pytest.raises(ValueError, match=r"Lead 1 is of another material.*\[3\].*force constants"):
        Lattice.from_arrays(matrix, 1.0, (lead.at([0]), stiff.at([3])))
    with pytest.raises(ValueError, match=r"Lead 1 is of another mat.*masses differ by up to 1"):
        Lattice.from_arrays(matrix, [1, 1, 1, 2.0], (lead.at([0]), lead.at([3])))
    with pytest.raises(ValueError, match="Lead 0 doesn't say which atoms"):
        Lattice.from_arrays(matrix, 1.0, (lead,))
    with pytest.raises(ValueError, match="attached to atoms of another lead"):
        Lattice.from_arrays(matrix, 1.0, (lead.at([0]), lead.at([0])))
    with pytest.raises(ValueError, match="the device has 4"):
        Lattice.from_arrays(matrix, 1.0, (lead.at([7]),))
    with pytest.raises(ValueError, match="leads is empty"):
        Lattice.from_arrays(matrix, 1.0, ())


def test_lattices_that_are_not_stable():
    with pytest.raises(ValueError, match=r"Lead 0 is not stable: .*omega\^2 = -0\.5 at the wave"):
        Lattice.of_lead(chain_lead(ground=-0.5), 3)
    lead = chain_lead()
    matrix = Lattice.of_lead(lead, 5).force_constants.toarray()
    matrix[2, 2] -= 1.0
    leads = (lead.mirrored().at([0]), lead.at([4]))
    # 1/g = omega^2 - 2 + 1 + 2 e^(-kappa) = 0 with omega^2 = 2 - 2 cosh(kappa): 2 sinh(kappa) = 1.
    square = 2 - 2 * np.sqrt(1.25)
    with pytest.raises(ValueError, match=rf"omega\^2 = {square:.4g} .*in which atom 2 moves most"):
        Lattice.from_arrays(matrix, 1.0, leads)


def test_what_is_no_lead():
    with pytest.raises(ValueError, match=r"coupling has shape \(1, 1\); expected .*\(2, 2\)"):
        LatticeLead(np.eye(2), [[1.0]], [1.0, 1.0])
    with pytest.raises(ValueError, match="coupling is zero"):
        LatticeLead([[1.0]], [[0.0]], [1.0])
    with pytest.raises(ValueError, match="A cell of 5 coordinates has 2 masses"):
        LatticeLead(np.eye(5), np.eye(5), [1.0, 1.0])
    with pytest.raises(ValueError, match="expected each atom once"):
        chain_lead().at([1, 1])
    with pytest.raises(ValueError, match="n_cells is 1"):
        Lattice.of_lead(chain_lead(), 1)


def test_what_is_no_lattice(chain):
    lead = chain_lead()
    leads = (lead.mirrored().at([0]), lead.at([3]))
    matrix = Lattice.of_lead(lead, 4).force_constants.toarray()
    with pytest.raises(ValueError, match=r"positions has shape \(3, 1\); expected \(4, 1\)"):
        Lattice.from_arrays(matrix, 1.0, leads, positions=np.zeros((3, 1)))
    with pytest.raises(ValueError, match="masses has shape"):
        Lattice.from_arrays(matrix, [1.0, 1.0], leads)
    with pytest.raises(ValueError, match=r"atomic mass units, .*units\.mass"):
        Lattice.from_arrays(matrix, 1.0, leads, units=EV_ANGSTROM_AMU)
    with pytest.raises(ValueError, match="on or above the real axis"):
        chain.selfenergy(1 - 0.1j)
    with pytest.raises(ValueError, match="expected real frequencies"):
        chain.transmission(1 + 0.1j)
    with pytest.raises(ValueError, match="expected two of the 2 leads"):
        chain.transmission(1.0, 0, 2)
    with pytest.raises(ValueError, match="expected each once, of 0 to 4"):
        chain.leads_of([5])
    apart = np.zeros((5, 5))
    apart[np.ix_([0, 1, 2, 3], [0, 1, 2, 3])] = matrix
    apart[4, 4] = 1.0
    apart[1, 1] += 0.1
    apart[4, 1] = apart[1, 4] = -0.1
    lattice = Lattice.from_arrays(apart, 1.0, leads)
    with pytest.raises(ValueError, match=r"Atoms \[4\] don't move and are connected with no lead"):
        lattice.leads_of([1])
    with pytest.raises(ValueError, match="These modes have no leads"):
        VibrationalModes.from_force_constants(np.eye(2), 1.0).linewidths()


@pytest.mark.heavy
def test_a_bath_that_touches_no_moving_atom():
    lattice = Lattice.from_arrays([[2.0, 0], [0, 1]], 1.0, [chain_lead().at([0])])
    leads = lattice.modes([1]).leads
    assert len(leads) == 1
    assert leads.error == 0
    assert not leads.poles.size
    assert not leads.selfenergy([0.0, 0.7]).any()
    # Beside one that does.
    matrix = [[2.0, 0, 0], [0, 2.0, -1.0], [0, -1.0, 2.0]]
    two = Lattice.from_arrays(matrix, 1.0, [chain_lead().at([0]), chain_lead().at([2])])
    found = two.leads_of([1], rtol=1e-3).lead_selfenergy(0.7)
    assert not found[0].any()
    assert found[1, 0, 0] == pytest.approx(chain_selfenergy(0.7), rel=2e-3)


@pytest.mark.parametrize("distance", [0.9999, 1.0, 50.0])
def test_a_distance_that_leaves_no_frequency(chain, distance):
    with pytest.raises(ValueError, match=rf"distance is {distance:.6g}, .*leaves no frequency"):
        chain.leads_of([1, 2], distance=distance)


def test_ends_without_the_spring_to_the_lead():
    lead = chain_lead()
    matrix = Lattice.of_lead(lead, 4).force_constants.toarray()
    matrix[0, 0] = 1.0
    ends = (lead.at([0]), lead.at([3]))
    with pytest.raises(
        ValueError, match=r"own block .* sum of all its springs. sum_rule=True does"
    ):
        Lattice.from_arrays(matrix, 1.0, ends, sum_rule=True)


# Many atoms


@pytest.mark.parametrize("seed", range(4))
def test_positive_without_eigenvalues(seed):
    rng = np.random.default_rng(seed)
    matrix = sparse.random_array((60, 60), density=0.05, rng=rng)
    matrix = sparse.csc_array(matrix + matrix.T)
    lowest = np.linalg.eigvalsh(matrix.toarray())[0]
    assert is_positive(matrix, lowest - 1e-6)
    assert not is_positive(matrix, lowest + 1e-6)
    assert not is_positive(matrix, 0.5 * lowest)
    assert not is_positive(sparse.csc_array((5, 5)), 0.0)


def test_a_long_lattice_is_sparse():
    """Sparse and dense force constants are the same, and so is what is said of unstable ones."""
    lead, n = chain_lead(), 500
    long = Lattice.of_lead(lead, n)
    assert long.force_constants.nnz == 3 * n - 2
    leads = (lead.mirrored().at([0]), lead.at([n - 1]))
    for matrix in (long.force_constants, long.force_constants.toarray()):
        one = Lattice.from_arrays(matrix, 1.0, leads, sum_rule=True)
        np.testing.assert_array_equal(one.force_constants.toarray(), row(lead, n))
        np.testing.assert_allclose(one.broken_sum_rule, 0, atol=1e-15)
    assert one.transmission(0.7) == pytest.approx(1, abs=1e-9)
    loose = long.force_constants.tolil()
    loose[n // 2, n // 2] = 1.0
    square = 2 - 2 * np.sqrt(1.25)  # as of the short one
    with pytest.raises(ValueError, match=rf"omega\^2 = {square:.4g} .*in which atom 250 moves"):
        Lattice.from_arrays(loose.tocsr(), 1.0, leads)
    skew = long.force_constants.tolil()
    skew[3, 4] = -1.1
    with pytest.raises(ValueError, match=r"elements \(3, 4\) and \(4, 3\) are -1\.1 and -1"):
        Lattice.from_arrays(skew.tocsr(), 1.0, leads)
    with pytest.raises(ValueError, match="entries that are not finite"):
        Lattice.from_arrays(long.force_constants * np.inf, 1.0, leads)
