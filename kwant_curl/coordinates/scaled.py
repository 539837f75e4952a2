"""Derivatives of hoppings that scale with the length of their bond, for all bonds at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.coordinates.elements import neighbours
from kwant_curl.coordinates.laws import ScalingLaw
from kwant_curl.coordinates.where import places
from kwant_curl.stack import Entries
from kwant_curl.system import orbital_offsets

__all__ = ["scaled_bonds"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def scaled_bonds(
    syst: Any,
    moving: IntArray,
    positions: FloatArray,
    scaling: ScalingLaw | Mapping[Any, ScalingLaw],
    params: Mapping[str, Any] | None,
) -> Entries:
    """Return dH_ij/dr_i = H_ij (d ln t/dd) (r_i - r_j)/d for every bond of a moving site."""
    offsets = orbital_offsets(syst)
    row, col, value = _elements_from(syst, moving, offsets, params)
    site_of = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    here, there = site_of[col], site_of[row]
    index = places(moving, len(offsets) - 1)
    bond = (here != there) & (index[here] >= 0)
    row, col, value, here, there = (a[bond] for a in (row, col, value, here, there))

    vector = positions[here] - positions[there]
    distance = np.linalg.norm(vector, axis=1)
    if np.any(distance == 0):
        worst = np.flatnonzero(distance == 0)[0]
        raise ValueError(
            f"{syst.sites[here[worst]]} and {syst.sites[there[worst]]} share a bond and a "
            "position; a scaling law needs bonds of nonzero length."
        )
    slope = _log_derivatives(syst, here, there, distance, scaling) / distance
    gradient = (value * slope)[:, None] * vector
    dim = positions.shape[1]
    coordinate = dim * index[here][:, None] + np.arange(dim)
    return Entries(
        coordinate.ravel(), np.repeat(row, dim), np.repeat(col, dim), gradient.ravel()
    ).with_conjugates()


def _elements_from(
    syst: Any, moving: IntArray, offsets: IntArray, params: Mapping[str, Any] | None
) -> tuple[IntArray, IntArray, NDArray[np.complex128]]:
    """Return rows, columns and values of the Hamiltonian, at least in the moving sites' columns."""
    if 2 * moving.size > len(offsets) - 1:
        full = syst.hamiltonian_submatrix(sparse=True, params=params)
        return full.row, full.col, full.data
    around = np.array(
        [other for site in moving for other in neighbours(syst, site)], dtype=np.int64
    )
    to_sites = np.union1d(moving, around)
    part = syst.hamiltonian_submatrix(
        to_sites=to_sites.astype(int), from_sites=moving, sparse=True, params=params
    )
    return _orbitals(offsets, to_sites)[part.row], _orbitals(offsets, moving)[part.col], part.data


def _orbitals(offsets: IntArray, sites: IntArray) -> IntArray:
    """Return the orbitals of these sites, site by site."""
    norbs = offsets[sites + 1] - offsets[sites]
    first = np.cumsum(norbs) - norbs
    return np.arange(norbs.sum()) + np.repeat(offsets[sites] - first, norbs)


def _log_derivatives(
    syst: Any,
    here: IntArray,
    there: IntArray,
    distance: FloatArray,
    scaling: ScalingLaw | Mapping[Any, ScalingLaw],
) -> FloatArray:
    if not isinstance(scaling, Mapping):
        return _evaluate(scaling, distance)
    # Sites come sorted by family, one range after another.
    first = np.array([start for start, _, _ in syst.site_ranges])
    families = [syst.sites[start].family for start in first[:-1]]
    pair = np.stack([np.searchsorted(first, s, side="right") - 1 for s in (here, there)])
    result = np.empty_like(distance)
    for a, b in np.unique(pair, axis=1).T:
        bonds = (pair[0] == a) & (pair[1] == b)
        result[bonds] = _evaluate(_law_of(scaling, families[a], families[b]), distance[bonds])
    return result


def _law_of(scaling: Mapping[Any, ScalingLaw], a: Any, b: Any) -> ScalingLaw:
    laws = [scaling[pair] for pair in ((a, b), (b, a)) if pair in scaling]
    if not laws:
        raise ValueError(f"scaling has no law for bonds between {a} and {b}; add {{(a, b): law}}.")
    if laws[0] != laws[-1]:
        raise ValueError(f"scaling has two different laws for bonds between {a} and {b}.")
    return laws[0]


def _evaluate(law: ScalingLaw, distance: FloatArray) -> FloatArray:
    slope = np.asarray(law.log_derivative(distance))
    if np.iscomplexobj(slope) or slope.shape != distance.shape or not np.isfinite(slope).all():
        raise ValueError(
            f"log_derivative of {law!r} returned an array {slope.shape} for bond lengths "
            f"{distance.shape}; expected as many finite numbers."
        )
    return slope
