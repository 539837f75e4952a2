"""The particle current as vectors on sites."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import kwant
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.checks import positive_array, real_number
from kwant_curl.coordinates.where import places
from kwant_curl.stack import Entries, OperatorStack
from kwant_curl.system import (
    arguments,
    block_orbitals,
    number_of_orbitals,
    orbital_offsets,
    site_positions,
)

__all__ = [
    "Momentum",
    "OnsitePairs",
    "bond_vectors",
    "cell_volumes",
    "onsite_pairs",
    "site_currents",
    "site_momenta",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Momentum = float | ArrayLike | Callable[..., float]


def cell_volumes(syst: Any, cell_volume: ArrayLike | None) -> FloatArray:
    """Return the volume (area in 2D) that belongs to each site, (n_sites,).

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized Builder.
    cell_volume : float or array (n_sites,), optional
        Given by the user; else from the lattice's primitive vectors, divided among the sites
        of the unit cell.

    Raises
    ------
    ValueError
        If the sites are not those of one lattice with as many primitive vectors as dimensions,
        and no volume is given.
    """
    n_sites = len(syst.sites)
    if cell_volume is not None:
        return positive_array("cell_volume", cell_volume, n_sites)
    families = [syst.sites[start].family for start, *_ in syst.site_ranges[:-1]]
    if not all(isinstance(family, kwant.lattice.Monatomic) for family in families):
        raise ValueError(_volume_message("some sites are not on a lattice"))
    vectors = np.asarray(families[0].prim_vecs)
    if any(not np.array_equal(family.prim_vecs, vectors) for family in families):
        raise ValueError(_volume_message("the sites are on several lattices"))
    if vectors.shape[0] != vectors.shape[1]:
        raise ValueError(_volume_message(f"the lattice has primitive vectors {vectors.tolist()}"))
    basis = np.array([family.offset for family in families]) @ np.linalg.inv(vectors)
    for a, b in ((a, b) for i, a in enumerate(basis) for b in basis[:i]):
        if np.allclose(a - b, np.round(a - b), atol=1e-9):
            raise ValueError(_volume_message("two lattices share their positions"))
    counts = np.diff([start for start, *_ in syst.site_ranges])
    if 2 * counts.min() < counts.max():
        raise ValueError(_volume_message("some sublattices have far fewer sites than others"))
    return np.full(n_sites, abs(np.linalg.det(vectors)) / len(families))


def _volume_message(why: str) -> str:
    return (
        f"The volume that belongs to a site can't be told: {why}. Pass cell_volume=..., one number "
        "or one per site (an area in two dimensions)."
    )


def site_momenta(
    syst: Any, momentum: Momentum, params: Mapping[str, Any] | None = None
) -> FloatArray:
    """Return p(r) per site, (n_sites,), of a number, an array or a function of site and params."""
    n_sites = len(syst.sites)
    if callable(momentum):
        keywords = arguments(momentum, 1, params)
        values: Any = [momentum(site, **keywords) for site in syst.sites]
    else:
        values = momentum
    if np.ndim(values) == 0:
        return np.full(n_sites, real_number("momentum", values))
    array = np.asarray(values)
    if array.shape != (n_sites,) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"momentum is an array of {array.dtype} of shape {array.shape}; expected real numbers, "
            f"one or {n_sites}, one per site of the system."
        )
    if not np.isfinite(array).all():
        raise ValueError("momentum has entries that are not finite.")
    return array.astype(float)


class OnsitePairs(NamedTuple):
    """All pairs of orbitals (p, q) on the same site, site by site.

    p, q: (n_pairs,); transposed: where the pair (q, p) is; start: (n_sites,) the first pair of
    each site.
    """

    p: IntArray
    q: IntArray
    transposed: IntArray
    start: IntArray


def onsite_pairs(syst: Any) -> OnsitePairs:
    """Return the pairs of orbitals on the same site."""
    offsets = orbital_offsets(syst)
    sites = np.arange(len(offsets) - 1)
    p, q = block_orbitals(offsets, sites, sites)
    norbs = np.diff(offsets)
    start = np.cumsum(norbs**2) - norbs**2
    site = np.repeat(sites, norbs**2)
    transposed = start[site] + (q - offsets[site]) * norbs[site] + (p - offsets[site])
    return OnsitePairs(p, q, transposed, start)


class Bonds(NamedTuple):
    """The Hamiltonian's elements (row, col, value) and, for each, the sites of row and column.

    vector: (n_elements, dim), from the site of the row to that of the column.
    """

    row: IntArray
    col: IntArray
    value: NDArray[np.complex128]
    here: IntArray
    there: IntArray
    vector: FloatArray


def bonds_of(syst: Any, params: Mapping[str, Any] | None) -> Bonds:
    """Return all elements of the Hamiltonian with the bonds that they are."""
    offsets = orbital_offsets(syst)
    positions = site_positions(syst)
    h = syst.hamiltonian_submatrix(sparse=True, params=params)
    site_of = np.repeat(np.arange(len(positions)), np.diff(offsets))
    here, there = site_of[h.row], site_of[h.col]
    return Bonds(h.row, h.col, h.data, here, there, positions[there] - positions[here])


def bond_vectors(
    syst: Any, volumes: FloatArray, params: Mapping[str, Any] | None = None
) -> list[sparse.csr_array]:
    """Return the matrices H_ij (r_j - r_i) / 2 v_i, one per direction.

    For psi, -2 Im of psi_i^+ (matrix psi)_i is the current density at site i.
    """
    bonds = bonds_of(syst, params)
    n = number_of_orbitals(syst)
    values = bonds.value[:, None] * bonds.vector / (2 * volumes[bonds.here])[:, None]
    return [sparse.csr_array((v, (bonds.row, bonds.col)), shape=(n, n)) for v in values.T]


def site_currents(
    syst: Any,
    weights: FloatArray,
    where: IntArray,
    params: Mapping[str, Any] | None = None,
) -> OperatorStack:
    """Return the operators weight_i (1/2) sum_j (r_j - r_i) I_{i->j}, site by site, x, y(, z).

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized Builder.
    weights : array (n_sites,)
        p(r_i) over the volume of each site.
    where : array of int
        The sites to take, in this order.
    params : mapping, optional
        Parameters of the system's value functions.

    Notes
    -----
    I_{i->j} = -2 Im psi_i^+ H_ij psi_j = i (psi_i^+ H_ij psi_j - psi_j^+ H_ji psi_i) is the
    conserved current of all orbitals, with the hoppings of the system (Peierls phases, spin-orbit
    coupling) in it.
    """
    bonds = bonds_of(syst, params)
    dim = bonds.vector.shape[1]
    index = places(where, len(syst.sites))[bonds.here]
    kept = (bonds.here != bonds.there) & (index >= 0)
    row, col, value, here, _, vector = (array[kept] for array in bonds)
    entries = Entries(
        (dim * index[kept][:, None] + np.arange(dim)).ravel(),
        np.repeat(row, dim),
        np.repeat(col, dim),
        (0.5j * (value * weights[here])[:, None] * vector).ravel(),
    ).with_conjugates()
    return OperatorStack.from_entries(entries, dim * len(where), number_of_orbitals(syst))
