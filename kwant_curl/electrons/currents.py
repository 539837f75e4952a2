"""The particle current as vectors on sites."""

from collections.abc import Callable, Sequence
from typing import Any

import kwant
import numpy as np
from kwant.builder import Site
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.stack import Entries, OperatorStack
from kwant_curl.model.arguments import arguments
from kwant_curl.model.bonds import bond_rows
from kwant_curl.model.model import Model
from kwant_curl.model.periods import check_own_images
from kwant_curl.support.checks import positive_array, real_number

__all__ = [
    "Momentum",
    "cell_volumes",
    "site_charges",
    "site_currents",
    "site_flows",
    "site_momenta",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Momentum = float | ArrayLike | Callable[..., float]


def cell_volumes(syst: FiniteSystem, cell_volume: ArrayLike | None) -> FloatArray:
    """Return the volume (area in 2D) that belongs to each site, (n_sites,).

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized Builder.
    cell_volume : float or array (n_sites,), optional
        Given by the user; else from the lattice's primitive vectors, divided among the sites
        of the unit cell (families at the same place of the cell are one sublattice).

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
    if any(not _same_vectors(family.prim_vecs, vectors) for family in families):
        raise ValueError(_volume_message("the sites are on several lattices"))
    if vectors.shape[0] != vectors.shape[1]:
        raise ValueError(_volume_message(f"the lattice has primitive vectors {vectors.tolist()}"))
    basis = np.array([family.offset for family in families]) @ np.linalg.inv(vectors)
    counts = _sites_of_sublattices(syst, basis)
    if 2 * min(counts) < max(counts):
        raise ValueError(_volume_message("some sublattices have far fewer sites than others"))
    return np.full(n_sites, abs(np.linalg.det(vectors)) / len(counts))


def _same_vectors(one: Any, other: Any) -> bool:
    """Return whether two lattices have the same primitive vectors, up to rounding."""
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=0, atol=_tiny(other))


def _tiny(vectors: Any) -> float:
    return 1e-9 * float(np.abs(vectors).max())


def _sites_of_sublattices(syst: FiniteSystem, basis: FloatArray) -> list[int]:
    """Return how many sites each place of the unit cell has; raise where two share a position.

    Several families at one place of the cell, as of the elements of an alloy, are one sublattice.
    basis: the offset of each family in primitive vectors, (n_families, dim).
    """
    first = [int(np.flatnonzero(_whole(basis - offset))[0]) for offset in basis]
    starts = np.array([start for start, *_ in syst.site_ranges])
    counts = []
    for family in sorted(set(first)):
        alike = [n for n, other in enumerate(first) if other == family]
        counts.append(int(np.diff(starts)[alike].sum()))
        if len(alike) > 1:
            shifts = np.round(basis[alike] - basis[family]).astype(int)
            _check_apart([syst.sites[starts[n] : starts[n + 1]] for n in alike], shifts)
    return counts


def _whole(differences: FloatArray) -> NDArray[np.bool_]:
    """Return which rows are whole numbers, up to rounding."""
    return np.abs(differences - np.round(differences)).max(axis=1) < 1e-9


def _check_apart(families: Sequence[Sequence[Site]], shifts: IntArray) -> None:
    """Raise if sites of families on one lattice, shifted by whole cells, share a position."""
    taken: dict[tuple[int, ...], Site] = {}
    for sites, shift in zip(families, shifts.tolist(), strict=True):
        for site in sites:
            cell = tuple(t + s for t, s in zip(site.tag, shift, strict=True))
            twin = taken.setdefault(cell, site)
            if twin is not site:
                raise ValueError(_volume_message(f"{twin} and {site} share their position"))


def _volume_message(why: str) -> str:
    return (
        f"The volume that belongs to a site can't be told: {why}. Pass cell_volume=..., one number "
        "or one per site (an area in two dimensions)."
    )


def site_momenta(model: Model, momentum: Momentum) -> FloatArray:
    """Return p(r) per site, (n_sites,), of a number, an array or a function of site and params."""
    n_sites = len(model.syst.sites)
    if callable(momentum):
        keywords = arguments(momentum, 1, model.params)
        values: Any = [momentum(site, **keywords) for site in model.syst.sites]
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


def site_charges(model: Model) -> NDArray[np.complex128]:
    """Return the charge on each site, (n_sites, size, size), zero beyond a site's orbitals."""
    offsets, charges = model.offsets, model.charges.tocoo()
    norbs = np.diff(offsets)
    site = np.repeat(np.arange(len(norbs)), norbs)[charges.row]
    result = np.zeros((len(norbs), norbs.max(), norbs.max()), complex)
    result[site, charges.row - offsets[site], charges.col - offsets[site]] = charges.data
    return result


def site_flows(model: Model, *, weights: FloatArray, periods: FloatArray | None) -> OperatorStack:
    """Return the currents of all sites; where orbitals overlap, after Mulliken's density of each.

    The latter is half of P_i S + S P_i, P_i the orbitals of the site, as a direction before x.
    """
    currents = site_currents(model, weights, np.arange(len(weights)), periods)
    if model.energy_parameter is None:
        return currents
    dim, n = currents.dim, currents.n_orbitals
    flows = currents.halves()
    site, direction = np.divmod(flows.operator, dim)
    overlap = model.overlap().tocoo()
    site_of = np.repeat(np.arange(len(weights)), np.diff(model.offsets))
    density = Entries(
        (1 + dim) * site_of[overlap.row], overlap.row, overlap.col, 0.5 * overlap.data
    )
    halves = flows._replace(operator=(1 + dim) * site + 1 + direction).joined(density)
    return OperatorStack.from_halves(halves, (1 + dim) * len(weights), n, dim=1 + dim)


def site_currents(
    model: Model, weights: FloatArray, where: IntArray, periods: FloatArray | None
) -> OperatorStack:
    """Return the operators weight_i (1/2) sum_j (r_j - r_i) I_{i->j}, site by site, x, y(, z).

    Parameters
    ----------
    model : Model
        A finalized Builder at its params.
    weights : array (n_sites,)
        p(r_i) over the volume of each site.
    where : array of int
        The sites to take, in this order.
    periods : array (n, dim) or None
        As in `bond_rows`.

    Notes
    -----
    I_{i->j} = -2 Im psi_i^+ H_ij psi_j = i (psi_i^+ H_ij psi_j - psi_j^+ H_ji psi_i) is the
    conserved current of all orbitals, with the hoppings of the system (Peierls phases, spin-orbit
    coupling) in it.  In a Nambu model it is the current of electrons, of which holes carry the
    opposite: H_ij stands for (Q_i H_ij + H_ij Q_j)/2, Q the charge.
    """
    model.check_charge()
    check_own_images(model)
    bonds = bond_rows(model, where, periods, charged=model.has_holes)
    return OperatorStack(
        hubs=bonds.hubs,
        start=bonds.start,
        indptr=bonds.indptr,
        cols=bonds.cols,
        values=0.5j * weights[bonds.here] * bonds.value * bonds.vector,
        n_orbitals=bonds.n_orbitals,
    )
