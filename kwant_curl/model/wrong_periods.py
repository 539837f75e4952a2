"""Periods that users give and that can't be those of the system."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kwant_curl.algebra.images import nearest_images
from kwant_curl.model.model import Model
from kwant_curl.model.periods import periods_of

__all__ = ["Folded", "check_periods"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

FAR = 1.35
"""How many times as long as all others of its kind a bond to an image must be to be suspected."""

STRONG = 0.5
"""A suspect is at least so strong, relative to one of these others."""

SAME = 1e-3
"""Places are the same if they are closer than this part of the shortest bond."""


class Folded(NamedTuple):
    """Bonds to nearest images.

    here, there: (n,) sites; vector: (n, dim) to the nearest image; shift: (n, dim) what has been
    added to the position of `there`; strength: (n,) the modulus of the element.
    """

    here: IntArray
    there: IntArray
    vector: FloatArray
    shift: FloatArray
    strength: FloatArray


def check_periods(model: Model, periods: FloatArray, bonds: Folded) -> None:
    """Raise if a period closes no bond of the system, or closes bonds wrongly.

    periods: (n, dim), right if they are those of `kwant.wraparound`; bonds: those that are asked
    for, of some sites.
    """
    own = periods_of(model, None)
    if own is not None and np.array_equal(own, periods):
        return
    _check_that_all_are_used(model, periods, bonds.shift)
    folded = np.asarray(bonds.shift.any(axis=1))
    if not folded.any():
        return
    _check_places(model, periods, bonds, folded)
    _check_lengths(model, periods, bonds, folded)


def _check_that_all_are_used(model: Model, periods: FloatArray, shift: FloatArray) -> None:
    unused = ~_used(periods, shift)
    if unused.any():  # by these sites: by others?
        i, j = np.array([(i, j) for i, j in model.syst.graph if i < j]).reshape(-1, 2).T
        unused = ~_used(
            periods, nearest_images(model.positions[j] - model.positions[i], periods)[0]
        )
    if unused.any():
        raise ValueError(
            f"periods holds {periods[unused][0].tolist()}, which closes nothing: no bond of the "
            f"system goes to an image by it. {_CURE}"
        )


def _used(periods: FloatArray, shift: FloatArray) -> NDArray[np.bool_]:
    """Return which periods the shifts, (n, dim), are made of."""
    times = np.round(shift @ np.linalg.pinv(periods))
    return np.asarray(times.any(axis=0))


def _check_places(
    model: Model, periods: FloatArray, bonds: Folded, folded: NDArray[np.bool_]
) -> None:
    """Raise if a bond goes to an image where another site is."""
    here, there, shift = bonds.here[folded], bonds.there[folded], bonds.shift[folded]
    length = np.linalg.norm(bonds.vector, axis=1)
    grain = SAME * float(length[length > 0].min(initial=np.inf))
    image = model.positions[there] + shift
    distance, other = cKDTree(model.positions).query(image)
    if (distance < grain).any():
        first = int((distance < grain).argmax())
        sites = model.syst.sites
        raise ValueError(
            f"periods is {periods.tolist()}, by which the bond of {sites[here[first]]} and "
            f"{sites[there[first]]} would go to an image of that at {image[first].tolist()}, where "
            f"{sites[other[first]]} is. {_CURE}"
        )


def _check_lengths(
    model: Model, periods: FloatArray, bonds: Folded, folded: NDArray[np.bool_]
) -> None:
    """Raise if a bond to an image is longer than all bonds between the same families that aren't.

    And about as strong as some of them.
    """
    begin = np.array([start for start, _, _ in model.syst.site_ranges])
    ends = [np.searchsorted(begin, site, side="right") for site in (bonds.here, bonds.there)]
    kind = np.minimum(*ends) * len(begin) + np.maximum(*ends)
    length = np.linalg.norm(bonds.vector, axis=1)
    for some in np.unique(kind[folded]):
        plain = np.flatnonzero((kind == some) & ~folded)
        closing = np.flatnonzero((kind == some) & folded)
        usual = length[plain].max(initial=0.0)
        strong = bonds.strength[closing] >= STRONG * bonds.strength[plain].min(initial=np.inf)
        far = closing[strong & (length[closing] > FAR * usual)]
        if far.size:
            sites, worst = model.syst.sites, far[0]
            raise ValueError(
                f"periods is {periods.tolist()}, by which the bond of {sites[bonds.here[worst]]} "
                f"and {sites[bonds.there[worst]]} is {length[worst]:.4g} long, and those of the "
                f"same two families that need no period are {usual:.4g} and less. {_CURE}"
            )


_CURE = (
    "Expected the vectors by which the system repeats itself: (0, 6) for a strip in the plane of "
    "six rows that are 1 apart, the last of which is bound to the first. Without periods, the "
    "error names the vector that it seems to be; with periods=[], bonds are taken as they are."
)
