"""Where the sites are."""

from itertools import chain, pairwise
from typing import Any

import numpy as np
from kwant.lattice import Monatomic
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree, distance_matrix

from kwant_curl.model.checks import check_sites

__all__ = ["nearest_distance", "site_positions", "site_spacing"]


def site_positions(syst: Any) -> NDArray[np.float64]:
    """Return the positions of all sites, (n_sites, dim), in the order of ``syst.sites``."""
    known: NDArray[np.float64] | None = getattr(syst, "displaced_positions", None)
    if known is not None:  # those of `Model.moved`
        return known
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
    # In units of the lattice: the search for the tree takes small numbers for none.
    unit = float(np.abs(vectors).max())
    tree = minimum_spanning_tree(distance_matrix(patch, patch) / unit)
    return float(tree.data.max()) * unit


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
