"""Derivatives of hoppings that scale with the length of their bond, for all bonds at once."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.straight import along
from kwant_curl.coordinates.laws import Scaling, ScalingLaw
from kwant_curl.coordinates.where import MovingSites
from kwant_curl.model.bonds import BondRows, bond_rows

__all__ = ["bond_lengths", "law_at", "log_derivatives", "ratios", "scaled_bonds"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def scaled_bonds(moving: MovingSites, scaling: Scaling) -> Derivatives:
    """Return dH_ij/dr_i = H_ij (d ln t/dd) (r_i - r_j)/d for every bond of a moving site i."""
    syst, bonds = moving.model.syst, bond_rows(moving.model, moving.sites, moving.periods)
    distance = bond_lengths(syst, bonds)
    slope = log_derivatives(syst, bonds.here, bonds.there, distance, scaling) / distance
    return Derivatives(
        hubs=bonds.hubs,
        start=bonds.start,
        indptr=bonds.indptr,
        cols=bonds.cols,
        values=-slope * bonds.value * bonds.vector,
        n_orbitals=bonds.n_orbitals,
    )


def bond_lengths(syst: FiniteSystem, bonds: BondRows) -> FloatArray:
    """Return the length of each bond, or raise if one has none."""
    distance = np.sqrt((bonds.vector**2).sum(axis=0))
    if not distance.all():
        worst = np.flatnonzero(distance == 0)[0]
        raise ValueError(
            f"{syst.sites[bonds.here[worst]]} and {syst.sites[bonds.there[worst]]} share a bond "
            "and a position; a scaling law needs bonds of nonzero length. Make them one site with "
            "several orbitals, or give hopping_gradient, zero for such a bond."
        )
    return np.asarray(distance)


def log_derivatives(
    syst: FiniteSystem,
    here: IntArray,
    there: IntArray,
    distance: FloatArray,
    scaling: Scaling,
) -> FloatArray:
    """Return d ln t/dd of bonds between these sites, if they had these lengths."""
    if not isinstance(scaling, Mapping):
        return _evaluate(scaling, distance)
    result = np.empty_like(distance)
    for law, bonds in _by_law(syst, here, there, scaling):
        result[bonds] = _evaluate(law, distance[bonds])
    return result


def ratios(
    syst: FiniteSystem,
    here: IntArray,
    there: IntArray,
    lengths: tuple[FloatArray, FloatArray],
    scaling: Scaling,
) -> FloatArray:
    """Return t(after)/t(before) of bonds between these sites, of the lengths before and after."""
    before, after = lengths
    if not isinstance(scaling, Mapping):
        found = _ratio(scaling, before, after)
    else:
        found = np.empty_like(before)
        for law, bonds in _by_law(syst, here, there, scaling):
            found[bonds] = _ratio(law, before[bonds], after[bonds])
    if not np.isfinite(found).all():
        worst = int(np.flatnonzero(~np.isfinite(found))[0])
        raise ValueError(
            f"The scaling law gives the hopping of {syst.sites[here[worst]]} and "
            f"{syst.sites[there[worst]]} the factor {found[worst]} as the bond's length goes from "
            f"{before[worst]:.6g} to {after[worst]:.6g}; expected a finite one. The sites come too "
            "close, or go too far, for this law: displace them less."
        )
    return found


def _ratio(law: Any, before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the ratio that a law says, or that its logarithmic derivative gives."""
    if hasattr(law, "ratio"):
        with np.errstate(over="ignore", divide="ignore"):
            return np.asarray(law.ratio(before, after), dtype=float)
    way = after - before
    logarithm = along(lambda s: way * _evaluate(law, before + s * way))
    if logarithm is None:
        raise ValueError(
            f"log_derivative of {law!r} can't be integrated between the bond lengths "
            f"{before.min():.6g} and {after.max():.6g}: it is not smooth there. Displace the sites "
            "less, or give the law a method ratio(before, after)."
        )
    with np.errstate(over="ignore"):
        return np.exp(logarithm)


def _by_law(
    syst: FiniteSystem, here: IntArray, there: IntArray, scaling: Mapping[Any, ScalingLaw]
) -> Iterator[tuple[ScalingLaw, NDArray[np.bool_]]]:
    """Yield each pair's law, and which of the bonds are between such families."""
    # Sites come sorted by family, one range after another.
    first = np.array([start for start, _, _ in syst.site_ranges])
    families = [syst.sites[start].family for start in first[:-1]]
    pair = np.stack([np.searchsorted(first, s, side="right") - 1 for s in (here, there)])
    for a, b in np.unique(pair, axis=1).T:
        yield _law_of(scaling, families[a], families[b]), (pair[0] == a) & (pair[1] == b)


def law_at(syst: FiniteSystem, here: int, there: int, scaling: Scaling) -> ScalingLaw:
    """Return the law of the bond between two sites."""
    if not isinstance(scaling, Mapping):
        return scaling
    return _law_of(scaling, syst.sites[here].family, syst.sites[there].family)


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
