"""What the package reads from a finalized Kwant system: orbitals, positions, interfaces."""

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from itertools import chain, pairwise
from typing import Any

import kwant
import numpy as np
from kwant.lattice import Monatomic
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree, distance_matrix

from kwant_curl.stack import ranges

__all__ = [
    "arguments",
    "block_orbitals",
    "check_finite_system",
    "check_leads",
    "check_sites",
    "has_modes",
    "interface_orbitals",
    "interface_sites",
    "nearest_distance",
    "number_of_orbitals",
    "orbital_offsets",
    "site_positions",
    "site_spacing",
    "with_known_leads",
]


def check_finite_system(syst: Any) -> None:
    """Raise unless `syst` is a finalized, finite Kwant system with known orbitals."""
    if isinstance(syst, kwant.Builder):
        raise TypeError(
            "syst is a kwant.Builder that is not finalized; pass syst.finalized() instead."
        )
    if isinstance(syst, kwant.system.InfiniteSystem):
        raise TypeError(
            "syst is an infinite system (a lead); expected a finite scattering region. "
            "Finalize a Builder without symmetry, with leads attached."
        )
    if not isinstance(syst, kwant.system.FiniteSystem):
        raise TypeError(
            f"syst is a {type(syst).__name__}; expected a finalized Kwant system "
            "(kwant.system.FiniteSystem)."
        )
    if syst.site_ranges is None:
        raise ValueError(_norbs_message(syst))


def _norbs_message(syst: Any) -> str:
    families = {site.family for site in getattr(syst, "sites", ())}
    without = sorted(str(family) for family in families if family.norbs is None)
    which = f" of {', '.join(without)}" if without else ""
    return (
        f"The number of orbitals{which} is not known; declare it with the `norbs` keyword "
        "when the site family is made, e.g. kwant.lattice.square(norbs=1)."
    )


def check_leads(syst: Any) -> None:
    """Raise unless `syst` has leads."""
    if not syst.leads:
        raise ValueError(
            "The system has no leads, so no current can flow; attach leads to the Builder "
            "with attach_lead() before finalizing it."
        )


class SelfEnergyOnly:
    """A lead of which only the self-energy is shown."""

    def __init__(self, lead: Any) -> None:
        self.parameters = lead.parameters
        self.selfenergy = lead.selfenergy


def with_known_leads(syst: Any) -> Any:
    """Return the system with leads that offer modes only if they have them.

    A precalculated lead offers modes always, and raises if only its self-energy was calculated.
    """
    leads = [SelfEnergyOnly(lead) if not has_modes(lead) else lead for lead in syst.leads]
    if all(one is other for one, other in zip(leads, syst.leads, strict=True)):
        return syst
    result = copy(syst)
    result.leads = tuple(leads)
    return result


def has_modes(lead: Any) -> bool:
    """Return whether a lead offers modes, not its self-energy alone."""
    if kwant.system.is_selfenergy_lead(lead):
        return False
    if isinstance(lead, kwant.system.PrecalculatedLead):
        try:
            lead.modes()
        except ValueError:
            return False
    return True


def check_sites(syst: Any) -> None:
    """Raise unless `syst` has `sites` with positions (it is a finalized Builder)."""
    if not hasattr(syst, "sites"):
        raise TypeError(
            f"syst is a {type(syst).__name__} without sites; expected a finalized kwant.Builder. "
            "For other systems give dH/dQ itself, with Matrices."
        )


def orbital_offsets(syst: Any) -> NDArray[np.int64]:
    """Return the first orbital of each site, and last the number of orbitals, (n_sites + 1,)."""
    first_site, norbs, _ = np.array(syst.site_ranges, dtype=np.int64).T
    per_site = np.repeat(norbs[:-1], np.diff(first_site))
    return np.concatenate([[0], np.cumsum(per_site)])


def block_orbitals(
    offsets: NDArray[np.int64], i: NDArray[np.int64], j: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the blocks (i, j), row-major within each, one after another."""
    n_rows, n_cols = (offsets[site + 1] - offsets[site] for site in (i, j))
    size = n_rows * n_cols
    first = np.concatenate([[0], np.cumsum(size)])[:-1]
    within = np.arange(size.sum()) - np.repeat(first, size)
    row, col = np.divmod(within, np.repeat(n_cols, size))
    return row + np.repeat(offsets[i], size), col + np.repeat(offsets[j], size)


def number_of_orbitals(syst: Any) -> int:
    """Dimension of the Hamiltonian of the scattering region."""
    return int(syst.site_ranges[-1][2])


def interface_sites(syst: Any) -> NDArray[np.int64]:
    """Return the indices of the sites to which a lead is attached, sorted, each once."""
    interfaces = [np.asarray(interface, dtype=np.int64) for interface in syst.lead_interfaces]
    return np.unique(np.concatenate(interfaces)) if interfaces else np.empty(0, np.int64)


def interface_orbitals(syst: Any, lead: int) -> NDArray[np.int64]:
    """Return the orbitals to which a lead is attached, in the order of its self-energy."""
    offsets = orbital_offsets(syst)
    interface = np.asarray(syst.lead_interfaces[lead], dtype=np.int64)
    return ranges(offsets[interface], offsets[interface + 1] - offsets[interface])


def site_positions(syst: Any) -> NDArray[np.float64]:
    """Return the positions of all sites, (n_sites, dim), in the order of ``syst.sites``."""
    check_sites(syst)
    first_site = [start for start, _, _ in syst.site_ranges]
    parts = [_family_positions(syst.sites[start:stop]) for start, stop in pairwise(first_site)]
    dims = {part.shape[1] for part in parts}
    if len(dims) > 1:
        raise ValueError(
            f"Sites have positions of different dimensions {sorted(dims)}; expected one "
            "dimension for all site families."
        )
    return np.concatenate(parts)


def _family_positions(sites: Any) -> NDArray[np.float64]:
    family = sites[0].family
    if type(family) is not Monatomic:
        return np.array([site.pos for site in sites], dtype=float)
    # A lattice's positions follow from all tags at once.
    n_tag = len(sites[0].tag)
    tags = np.fromiter(chain.from_iterable(site.tag for site in sites), dtype=float)
    return tags.reshape(-1, n_tag) @ np.asarray(family.prim_vecs) + np.asarray(family.offset)


def arguments(
    function: Callable[..., Any], n_sites: int, params: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what of `params` a function takes by keyword after its first `n_sites` arguments."""
    given = dict(params or {})
    signature = list(inspect.signature(function).parameters.values())[n_sites:]
    if any(p.kind is p.VAR_KEYWORD for p in signature):
        return given
    missing = [p.name for p in signature if p.default is p.empty and p.name not in given]
    if missing:
        raise TypeError(
            f"{getattr(function, '__name__', function)} takes {', '.join(map(repr, missing))}, "
            f"which params does not hold (it holds {sorted(given)})."
        )
    return {p.name: given[p.name] for p in signature if p.name in given}


def site_spacing(syst: Any) -> float:
    """Return the distance between neighbouring sites.

    On a lattice, the shortest distance at which all of its sites hang together by steps (so on
    an elongated unit cell its longer side); elsewhere the median distance to the nearest site.
    """
    families = [syst.sites[start].family for start, *_ in syst.site_ranges[:-1]]
    if not all(isinstance(family, Monatomic) for family in families):
        return nearest_distance(site_positions(syst))
    vectors = np.asarray(families[0].prim_vecs)
    if any(not np.array_equal(family.prim_vecs, vectors) for family in families):
        return nearest_distance(site_positions(syst))
    cells = np.array(list(np.ndindex((4,) * len(vectors)))) @ vectors
    patch = _distinct(np.concatenate([cells + np.asarray(f.offset) for f in families]))
    tree = minimum_spanning_tree(distance_matrix(patch, patch))
    return float(tree.data.max())


def nearest_distance(positions: NDArray[np.float64]) -> float:
    """Return the median distance to the nearest other position, 1 if there is none."""
    places = _distinct(positions)
    if len(places) < 2:
        return 1.0
    distance, _ = cKDTree(places).query(places, k=2)
    return float(np.median(distance[:, 1]))


def _distinct(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each position once, up to rounding."""
    grain = 1e-9 * np.ptp(positions, axis=0).max() or 1.0
    _, first = np.unique(np.round(positions / grain), axis=0, return_index=True)
    return positions[first]
