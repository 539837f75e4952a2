"""Systems that close on themselves: to which image a bond goes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.images import nearest_images, shortest_period
from kwant_curl.model.model import Model

__all__ = ["bond_shifts", "check_own_images", "periods_of"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def periods_of(model: Model, given: FloatArray | None) -> FloatArray | None:
    """Return the periods of a system, (n, dim): those given, those of `kwant.wraparound`, or None.

    None stands for: nothing is known, and bonds that look like closing ones are refused.
    """
    if given is None:
        symmetry = getattr(model.syst, "_wrapped_symmetry", None)
        return None if symmetry is None else np.asarray(symmetry.periods, dtype=float)
    if not len(given):
        return np.empty((0, model.dim))
    if given.shape[1] != model.dim:
        raise ValueError(
            f"periods has vectors of {given.shape[1]} components, but the sites' positions have "
            f"{model.dim}."
        )
    return given


def bond_shifts(
    model: Model, here: IntArray, there: IntArray, periods: FloatArray | None
) -> FloatArray | None:
    """Return what to add to the positions of `there` for the images nearest `here`, (n, dim).

    Those that are nearest where nothing is displaced: bonds keep their images as atoms move.  None
    where nothing is to be added.
    """
    if periods is None or not len(periods):
        return None
    positions = model.origin.positions
    vectors = positions[there] - positions[here]
    far = np.flatnonzero(np.linalg.norm(vectors, axis=1) > 0.25 * shortest_period(periods))
    shifts = np.zeros_like(vectors)
    shifts[far], unique = nearest_images(vectors[far], periods)
    if not unique.all():
        worst = far[np.flatnonzero(~unique)[0]]
        sites = model.syst.sites
        raise ValueError(
            f"{sites[here[worst]]} is as near to one image of {sites[there[worst]]} as to another "
            f"(periods {periods.tolist()}), and they share one matrix element, so it can't be told "
            "which bond that is. Repeat the cell until no bond is half a period long."
        )
    _check_wrapped_sums(model, here, there)
    return shifts


def check_own_images(model: Model) -> None:
    """Raise if `kwant.wraparound` has put bonds of a site to its own images into onsite terms."""
    if not hasattr(model.syst, "_wrapped_symmetry"):
        return
    for site, (value, _) in zip(model.syst.sites, model.syst.onsites, strict=True):
        if _is_wraparounds(value, "bind_hopping_as_site") or _is_wraparounds(value, "bind_sum"):
            raise ValueError(
                f"kwant.wraparound has put the bond of {site} to its own image into its onsite "
                "term, so the current along that bond can't be told. Repeat the cell before it is "
                "wrapped, until no site has its own image for a neighbour."
            )


def _check_wrapped_sums(model: Model, here: IntArray, there: IntArray) -> None:
    """Raise if `kwant.wraparound` has put bonds to several images into one of these elements."""
    if not hasattr(model.syst, "_wrapped_symmetry"):
        return
    pairs = set(zip(here.tolist(), there.tolist(), strict=True))
    sites = model.syst.sites
    for (i, j), (value, _) in zip(model.syst.graph, model.syst.hoppings, strict=True):
        if ((i, j) in pairs or (j, i) in pairs) and _is_wraparounds(value, "bind_sum"):
            raise ValueError(
                f"kwant.wraparound has put the bonds of {sites[i]} to several images of {sites[j]} "
                "into one matrix element, so that they can't be told apart. Repeat the cell before "
                "it is wrapped, until no site has two images of another one for neighbours."
            )


def _is_wraparounds(value: Any, maker: str) -> bool:
    """Return whether this is a value function that a part of `kwant.wraparound` has made."""
    name = getattr(value, "__qualname__", "")
    return getattr(value, "__module__", "") == "kwant.wraparound" and maker in name
