"""Systems that the tests share, and slow references that use nothing of the package."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import kwant
import numpy as np

from kwant_curl import Matrices
from kwant_curl.devices import Atoms
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model import bands
from kwant_curl.model.model import Model as Evaluated
from kwant_curl.model.orbitals import interface_orbitals

SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def rashba_hopping(r1, r2):
    """Two orbitals with spin-orbit coupling that follows the bond's length and direction."""
    bond = r1 - r2
    d = np.linalg.norm(bond)
    spin = bond[0] * SIGMA[1] - bond[1] * SIGMA[0]
    return -(d**-3) * (np.eye(2) + 0.4j * spin / d)


def rashba_gradient(r1, r2):
    """Derivative of `rashba_hopping` with respect to r1, (2, 2, 2)."""
    bond = r1 - r2
    d = np.linalg.norm(bond)
    spin = bond[0] * SIGMA[1] - bond[1] * SIGMA[0]
    radial = 3 * d**-5 * np.eye(2) + 4 * 0.4j * d**-6 * spin
    direct = -0.4j * d**-4 * np.stack([SIGMA[1], -SIGMA[0]])
    return bond[:, None, None] * radial + direct


def plain_hopping(r1, r2):
    """One orbital, t ~ d^-3."""
    return -(np.linalg.norm(r1 - r2) ** -3.0)


def magnetic_hopping(r1, r2):
    """One orbital with a Peierls phase in the gauge A = (-B y, 0)."""
    return plain_hopping(r1, r2) * np.exp(0.35j * (r1[0] - r2[0]) * (r1[1] + r2[1]))


def two_orbital_hopping(r1, r2):
    """Two orbitals that a scaling law can follow: a fixed matrix times d^-3."""
    return plain_hopping(r1, r2) * np.array([[1, 0.3j], [-0.3j, 0.6]])


@cache
def crystal(dim, norbs):
    """Return the lattice of the fixed sites, and its neighbours, which take long to find."""
    lattice = kwant.lattice.general(np.eye(dim), norbs=norbs)
    return lattice, lattice.neighbors()


@dataclass(frozen=True)
class Model:
    """A few atoms at `positions`, between fixed lattice sites that carry the leads.

    The atoms are first at the points of a block of a (hyper)cubic lattice, `shape` points large.
    """

    hopping: Callable
    shape: tuple[int, ...] = (3, 2)
    norbs: int = 1
    third_lead: bool = False
    energy: float = -0.7
    bias: tuple[float, ...] = (0.5, -0.5)

    @property
    def dim(self):
        return len(self.shape)

    def positions(self, seed=0):
        points = np.array(list(np.ndindex(self.shape)), float)
        return points + np.random.default_rng(seed).uniform(-0.15, 0.15, points.shape)

    def dmu(self):
        return dict(enumerate(self.bias))

    def builder(self, positions, value):
        """Build the system with ``value(site1, site2)`` as hoppings between all sites."""
        lattice, _ = crystal(self.dim, self.norbs)
        atoms = Atoms(positions, norbs=self.norbs)
        points = list(np.ndindex(self.shape))
        site_at = {point: atoms(i) for i, point in enumerate(points)}
        for tail in np.ndindex(self.shape[1:]):
            for x in (-2, -1, self.shape[0], self.shape[0] + 1):
                site_at[x, *tail] = lattice(x, *tail)
        if self.third_lead:
            for x in range(self.shape[0]):
                site_at[x, self.shape[1]] = lattice(x, self.shape[1])
                site_at[x, self.shape[1] + 1] = lattice(x, self.shape[1] + 1)
        builder = kwant.Builder()
        rng = np.random.default_rng(5)
        for site in site_at.values():
            noise = rng.normal(size=(self.norbs, self.norbs))
            fixed = site.family is lattice
            builder[site] = np.zeros_like(noise) if fixed else 0.3 * (noise + noise.T)
        for a, b in combinations(site_at, 2):
            if sum(abs(x - y) for x, y in zip(a, b, strict=True)) == 1:
                builder[site_at[a], site_at[b]] = value
        self._attach_leads(builder, lattice)
        return builder

    def _attach_leads(self, builder, lattice):
        axes = np.eye(self.dim, dtype=int)
        for direction in (-axes[0], axes[0]):
            lead = kwant.Builder(kwant.TranslationalSymmetry(direction))
            for tail in np.ndindex(self.shape[1:]):
                lead[lattice(0, *tail)] = np.zeros((self.norbs, self.norbs))
            self._lead_hoppings(lead, lattice)
            builder.attach_lead(lead)
        if self.third_lead:
            lead = kwant.Builder(kwant.TranslationalSymmetry((0, 1)))
            for x in range(self.shape[0]):
                lead[lattice(x, 0)] = np.zeros((self.norbs, self.norbs))
            self._lead_hoppings(lead, lattice)
            builder.attach_lead(lead)

    def _lead_hoppings(self, lead, lattice):
        _, neighbors = crystal(self.dim, self.norbs)
        lead[neighbors] = lambda a, b: self.hopping(
            np.asarray(a.pos, float), np.asarray(b.pos, float)
        )

    def syst(self, positions):
        """The system with constant hoppings for atoms at these positions."""
        builder = self.builder(
            positions, lambda a, b: self.hopping(np.asarray(a.pos), np.asarray(b.pos))
        )
        for hopping in list(builder.hoppings()):
            builder[hopping] = self.hopping(*(np.asarray(site.pos) for site in hopping))
        return builder.finalized()

    def syst_of_functions(self, positions):
        """The same with value functions that see `site.pos`."""

        def value(a, b):
            return self.hopping(np.asarray(a.pos), np.asarray(b.pos))

        return self.builder(positions, value).finalized()

    def syst_of_parameters(self, positions):
        """The same with positions moved by the parameters x, y of atoms 0 and 1."""

        def value(a, b, x0, y0, x1, y1):
            shifts = {0: (x0, y0), 1: (x1, y1)}

            def moved(site):
                position = np.array(site.pos, float)
                if isinstance(site.family, Atoms):
                    position[:2] += shifts.get(site.tag[0], (0, 0))
                return position

            return self.hopping(moved(a), moved(b))

        return self.builder(positions, value).finalized()


MODELS = {
    "one orbital": Model(plain_hopping),
    "two orbitals, spin-orbit": Model(rashba_hopping, norbs=2),
    "magnetic field": Model(magnetic_hopping, shape=(3, 3)),
    "three leads": Model(plain_hopping, third_lead=True, bias=(0.6, -0.5, 0.2)),
    "3D wire": Model(plain_hopping, shape=(3, 2, 2), energy=-1.1),
    "two orbitals, scaled": Model(two_orbital_hopping, norbs=2),
}


def atoms_of(syst):
    """Indices of the sites that are atoms, in the order of their tags."""
    return [i for i, site in enumerate(syst.sites) if isinstance(site.family, Atoms)]


def lead_densities(syst, energy, params=None):
    """Dense D_alpha of every lead from Kwant's wave functions."""
    wave = kwant.wave_function(syst, energy, params=params)
    states = [wave(lead) for lead in range(len(syst.leads))]
    return np.array([psi.T @ psi.conj() for psi in states]) / (2 * np.pi)


def central_difference(function, h=2e-3):
    """Fourth-order central difference of function(x) at x = 0."""
    f = {k: function(k * h) for k in (-2, -1, 1, 2)}
    return (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h)


def dense_derivatives(hamiltonian, n_coordinates):
    """dH/dQ_I of a function hamiltonian(Q) -> dense matrix, at Q = 0."""
    axes = np.eye(n_coordinates)
    return np.array([central_difference(lambda x, e=e: hamiltonian(x * e)) for e in axes])


def finite_difference_jacobian(make, n_coordinates, energy, dmu):
    """dF_I/dQ_J of the force Tr[F Delta rho], by rebuilding systems.

    make(Q) -> (syst, params), Q an array of displaced coordinates.  Two displacements in either
    order lead to the same Q, where the system is built once.
    """
    built = {}

    def hamiltonian(q):
        key = tuple(np.round(q, 9))
        if key not in built:
            syst, params = make(q)
            built[key] = syst.hamiltonian_submatrix(params=params)
        return built[key]

    def force(q):
        syst, params = make(q)
        delta_rho = np.tensordot(dmu, lead_densities(syst, energy, params), axes=1)
        slopes = dense_derivatives(lambda dq: hamiltonian(q + dq), n_coordinates)
        return -np.einsum("iab,ba->i", slopes, delta_rho).real

    return dense_derivatives(force, n_coordinates).T


def finite_difference_curl(make, n_coordinates, energy, dmu):
    """kappa_IJ = dF_J/dQ_I - dF_I/dQ_J of the same force."""
    jacobian = finite_difference_jacobian(make, n_coordinates, energy, dmu)
    return jacobian.T - jacobian


def dense_greens(syst, params=None):
    """G^r(E) of the whole system as a function of energy, from the leads' self-energies."""
    hamiltonian = syst.hamiltonian_submatrix(params=params).astype(complex)

    def greens(energy):
        inverse = energy * np.eye(len(hamiltonian)) - hamiltonian
        for number, lead in enumerate(syst.leads):
            here = interface_orbitals(syst, number)
            inverse[np.ix_(here, here)] -= lead.selfenergy(energy, params=params)
        return np.linalg.inv(inverse)

    return greens


def dense_curl(forces, densities, dmu):
    """4 pi sum_alpha dmu_alpha Im Tr[F_I D F_J D_alpha], with dense matrices."""
    total = densities.sum(axis=0)
    delta_rho = np.tensordot(dmu, densities, axes=1)
    left = np.array([f @ total for f in forces])
    right = np.array([f @ delta_rho for f in forces])
    return 4 * np.pi * np.einsum("iab,jba->ij", left, right).imag


def random_system(seed, *, norbs=1, n_leads=2, n_sites=8):
    """A random Hermitian Hamiltonian on a random graph, with chains as leads."""
    rng = np.random.default_rng(seed)
    atoms = Atoms(rng.normal(size=(n_sites, 2)) + 3 * np.arange(n_sites)[:, None], norbs=norbs)
    builder = kwant.Builder()

    def block():
        return rng.normal(size=(norbs, norbs)) + 1j * rng.normal(size=(norbs, norbs))

    for i in range(n_sites):
        h = block()
        builder[atoms(i)] = 0.3 * (h + h.conj().T)
    for i in range(n_sites - 1):
        builder[atoms(i), atoms(i + 1)] = block()
    for i, j in combinations(range(n_sites), 2):
        if j > i + 1 and rng.random() < 0.3:
            builder[atoms(i), atoms(j)] = 0.5 * block()
    # Each lead has a lattice of its own, and one site of it in the scattering region.
    for number in range(n_leads):
        lattice = kwant.lattice.general(
            [(1, 0)], [(0, 10 + number)], name=f"lead{number}", norbs=norbs
        ).sublattices[0]
        builder[lattice(0)] = np.zeros((norbs, norbs))
        builder[atoms((3 * number) % n_sites), lattice(0)] = block()
        lead = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
        lead[lattice(0)] = np.zeros((norbs, norbs))
        lead[lattice(0), lattice(1)] = -2.0 * np.eye(norbs)
        builder.attach_lead(lead)
    return builder


def random_hermitian(rng, size, density=0.3):
    """A random sparse Hermitian matrix as a dense array."""
    kept = rng.random((size, size)) < density
    matrix = kept * (rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))
    return matrix + matrix.conj().T


def chain(n_sites, hopping=-1.0):
    """A uniform chain with a lead on either end."""
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(n_sites))] = 0
    builder[lattice.neighbors()] = hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    lead[lattice(0)] = 0
    lead[lattice.neighbors()] = hopping
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder


def has_mumps():
    """Whether Kwant was built with MUMPS."""
    return kwant.solvers.default.smodule.__name__ == "kwant.solvers.mumps"


def square_wire(length=6, width=4, disorder=0.0, seed=0, norbs=1):
    """A square lattice with a lead as wide as itself on either end."""
    lattice = kwant.lattice.square(norbs=norbs)
    rng = np.random.default_rng(seed)
    builder = kwant.Builder()
    one = np.eye(norbs)
    for x in range(length):
        for y in range(width):
            builder[lattice(x, y)] = (4 + disorder * rng.uniform(-1, 1)) * one
    builder[lattice.neighbors()] = -one
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(width))] = 4 * one
    lead[lattice.neighbors()] = -one
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder


def two_levels(v=0.3, gamma=(0.6, 0.2)):
    """Two levels between wide-band leads: H = X + (v + Y) sigma_x, one lead on each level.

    Returns the system and the coordinates X, Y.
    """
    lattice = kwant.lattice.chain(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(2))] = 0
    builder[lattice.neighbors()] = v
    for i, width in enumerate(gamma):

        def sigma(energy, args=(), params=None, width=width):
            return np.array([[-0.5j * width]])

        builder.leads.append(kwant.builder.SelfEnergyLead(sigma, [lattice(i)], []))
    coordinates = Matrices([np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]])])
    return builder.finalized(), coordinates


def energy_shell(syst, energy, *, params=None, orbitals=None, **numerics):
    """The scattering states of a system at an energy."""
    problem = Evaluated(syst, params).scattering
    return EnergyShell(problem, energy, Numerics(**numerics), orbitals)


def band_edges(syst, low, high):
    """The energies at which modes of the leads of a system open or close."""
    return bands.band_edges(Evaluated(syst).scattering, low, high)


def solved_leads(syst, energy):
    """The problem of a system, and its leads at an energy."""
    problem = Evaluated(syst).scattering
    return problem, problem.solved_leads(energy)
