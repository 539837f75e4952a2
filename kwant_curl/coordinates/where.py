"""Which sites move: from what the user names to indices, in Kwant's manner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
from kwant.builder import Site
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.algebra.stack import places
from kwant_curl.model.bonds import bond_rows
from kwant_curl.model.checks import check_sites
from kwant_curl.model.model import Model
from kwant_curl.model.orbitals import interface_sites
from kwant_curl.model.periods import bond_shifts, periods_of

__all__ = ["MovingSites", "Where", "moving_sites", "sites_in"]

Where = Sequence[Site | int] | NDArray[np.int64] | Callable[[Site], bool] | None
"""How users name sites."""


@dataclass(frozen=True, eq=False)
class MovingSites:
    """Some sites of a system that move: each has dim coordinates, in the order of `sites`.

    periods: of a system that closes on itself, (n, dim), or None.
    potential: the vector potential at these sites, (n_sites, dim), if phases follow it.
    """

    model: Model
    sites: NDArray[np.int64]
    periods: NDArray[np.float64] | None = None
    potential: NDArray[np.float64] | None = None

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Where each site of the system stands among those that move, or -1, (n_sites,)."""
        return places(self.sites, len(self.model.positions))

    @property
    def dim(self) -> int:
        """Dimension of space."""
        return self.model.dim

    @cached_property
    def scale(self) -> float:
        """Length of the shortest bond of the first site that moves and has any, or the spacing."""
        positions = self.model.positions
        for site in self.sites:
            others = list(self.model.syst.graph.out_neighbors(site))
            lengths = np.linalg.norm(positions[others] - positions[site], axis=1)
            if lengths.any():
                return float(lengths[lengths > 0].min())
        return self.model.spacing

    def images(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what to add to the second site of each pair (n, 2) for the image of its bond."""
        # What has no bonds that can be told is refused there.
        bond_rows(self.model, self.sites, self.periods)
        known = periods_of(self.model, self.periods)
        shifts = bond_shifts(self.model, pairs[:, 0], pairs[:, 1], known)
        return np.zeros((len(pairs), self.dim)) if shifts is None else shifts

    def coordinates(self, sites: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the coordinates (dim, n) of these sites, -1 for sites that don't move."""
        index = self.index[sites]
        return np.where(index >= 0, self.dim * index + np.arange(self.dim)[:, None], -1)


def sites_in(syst: FiniteSystem, where: Where) -> NDArray[np.int64]:
    """Return the indices of the sites in `where`, in its order; by index for None or a function.

    None stands for all sites.
    """
    if where is None:
        return np.arange(len(syst.sites))
    if not callable(where) and (isinstance(where, str) or not np.iterable(where)):
        raise TypeError(
            f"where is {where!r}; expected a sequence of sites or indices, a function of a site, "
            "or None."
        )
    if callable(where):
        sites = np.array([i for i, site in enumerate(syst.sites) if where(site)], dtype=np.int64)
    else:
        sites = np.array([_index(syst, site) for site in where], dtype=np.int64)
    if not sites.size:
        raise ValueError("`where` names no site; expected at least one, or None for all.")
    if len(np.unique(sites)) < len(sites):
        twice, times = np.unique(sites, return_counts=True)
        raise ValueError(f"`where` names {syst.sites[twice[times > 1][0]]} more than once.")
    return sites


def moving_sites(syst: FiniteSystem, where: Where) -> NDArray[np.int64]:
    """Return the same for sites that move: None stands for those off the leads' interfaces."""
    check_sites(syst)
    fixed = interface_sites(syst)
    if where is None:
        moving = np.delete(np.arange(len(syst.sites)), fixed)
        if not moving.size:
            raise ValueError("Every site of the system is on a lead's interface; none may move.")
        return moving
    moving = sites_in(syst, where)
    on_interface = moving[np.isin(moving, fixed)]
    if on_interface.size:
        raise ValueError(
            f"{syst.sites[on_interface[0]]} is on the interface of a lead: moving it would change "
            "hoppings into the lead, which are no part of the model. Leave it out of `where`, or "
            f"attach the lead further away. ({on_interface.size} of the {moving.size} sites named "
            "are on an interface; where=None leaves them out.)"
        )
    return moving


def _index(syst: FiniteSystem, site: Any) -> int:
    if isinstance(site, Integral) and not isinstance(site, bool):
        if 0 <= int(site) < len(syst.sites):
            return int(site)
        raise ValueError(
            f"`where` names site {site}, but the system's sites are 0 to {len(syst.sites) - 1}."
        )
    try:
        return int(syst.id_by_site[site])
    except (KeyError, TypeError):
        raise ValueError(
            f"`where` names {site}, which is no site of the system; expected Site objects or "
            "indices of its sites."
        ) from None
