"""Sites at another place, as value functions see them."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, overload

import numpy as np
import tinyarray
from kwant.builder import Site
from numpy.typing import NDArray

__all__ = ["DisplacedSites", "Stranger", "at_image", "displaced"]

FloatArray = NDArray[np.float64]


def displaced(site: Site, shift: FloatArray) -> Site:
    """Return a site at another place that equals the original, of a family that is there too.

    So functions see it in ``site.pos``, in ``site.family.pos(site.tag)``, and at its images.
    """
    return Site(_moved(site.family, shift), site.tag, True)


def at_image(site: Site, shift: FloatArray) -> Site:
    """Return the same, or the site itself where nothing is to be added."""
    return displaced(site, shift) if np.any(shift) else site


class DisplacedSites(Sequence[Site]):
    """The sites of a system, some of them displaced; made where somebody looks at one.

    Parameters
    ----------
    sites : sequence of Site
        Where they were.
    shifts : dict
        ``{index: shift}`` of those that are displaced.
    """

    def __init__(self, sites: Sequence[Site], shifts: Mapping[int, FloatArray]) -> None:
        self._sites, self._shifts = sites, shifts

    def __len__(self) -> int:
        return len(self._sites)

    @overload
    def __getitem__(self, index: int) -> Site: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Site]: ...

    def __getitem__(self, index: int | slice) -> Site | Sequence[Site]:
        """Return one site, or a tuple of some."""
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        shift = self._shifts.get(int(index) % len(self))
        site = self._sites[index]
        return site if shift is None else at_image(site, shift)


class Stranger(Site):
    """A site at another place that equals no other, not even the original: no cache knows it."""

    def __new__(cls, site: Site, shift: FloatArray) -> "Stranger":
        """Displace `site` by `shift`."""
        return tuple.__new__(cls, (_moved(site.family, shift), site.tag))

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)


def _moved(family: Any, shift: FloatArray) -> Any:
    """Return a family that equals this one, with all of its sites displaced."""
    moved, unmoved, by = copy(family), family.pos, tinyarray.array(shift)

    def pos(tag: Any) -> Any:
        return tinyarray.array(unmoved(tag), float) + by

    moved.pos = pos
    return moved
