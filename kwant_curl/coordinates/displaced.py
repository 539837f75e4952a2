"""Sites at another place, as value functions see them."""

from copy import copy
from typing import Any

import numpy as np
import tinyarray
from kwant.builder import Site
from numpy.typing import NDArray

__all__ = ["Stranger", "at_image", "displaced"]

FloatArray = NDArray[np.float64]


def displaced(site: Site, shift: FloatArray) -> Site:
    """Return a site at another place that equals the original, of a family that is there too.

    So functions see it in ``site.pos``, in ``site.family.pos(site.tag)``, and at its images.
    """
    return Site(_moved(site.family, shift), site.tag, True)


def at_image(site: Site, shift: FloatArray) -> Site:
    """Return the same, or the site itself where nothing is to be added."""
    return displaced(site, shift) if np.any(shift) else site


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
