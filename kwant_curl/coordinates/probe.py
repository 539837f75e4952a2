"""A test particle in the flow: a small potential at any point."""

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.images import images_in_box, period_vectors
from kwant_curl.algebra.stack import Entries, SecondDerivatives, ranges, real_if_real
from kwant_curl.coordinates.base import Specification
from kwant_curl.coordinates.second.halves import coordinate_halves
from kwant_curl.model.bonds import bond_rows
from kwant_curl.model.model import Model
from kwant_curl.model.moved import Change
from kwant_curl.model.periods import periods_of
from kwant_curl.support.checks import positive_number, real_number
from kwant_curl.support.frozen import read_only

__all__ = ["Probe"]

FloatArray = NDArray[np.float64]

CUT = 1e-12
"""Where the Gaussian has fallen below this part of its peak, it is cut."""

REACH = float(np.sqrt(-2 * np.log(CUT)))
"""The distance from its centre at which that happens, in units of the width: 7.43."""


class _Reached(NamedTuple):
    """Pairs of a site, or an image of it, and a point: (n,), (n,), and r - R, (n, dim)."""

    site: NDArray[np.int64]
    point: NDArray[np.int64]
    offset: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Probe(Specification):
    """A test particle at each of many points, one at a time: a normalised Gaussian potential.

    V_R(r) = strength w(r - R), w(r) = exp(-r^2 / (2 width^2)) / (2 pi width^2)^(dim/2), added to
    the onsite energies of the sites within reach, all orbitals of a site alike (in a Nambu model,
    whose `charge` is given, with the opposite sign to those of holes; where orbitals overlap,
    (V_i + V_j)/2 S_ij, which couples to Mulliken's density).  The coordinates
    are its position R: each point by itself, none is there for the others.  The particle is not
    there for the electrons either: the flow is the unperturbed one, so forces are first order
    in the strength, curls and frictions second order.

    Parameters
    ----------
    points : array of float, shape (n_points, dim)
        Positions R; coordinates are ordered point by point, x, y(, z) within one.
    width : float
        Standard deviation of the Gaussian, at least the distance between neighbouring sites.
        The Gaussian is cut where it has fallen below 1e-12 of its peak, at 7.43 widths.
    strength : float, default 1.0
        C, the integral of the potential: an energy times length^dim.
    periods : array of float, shape (n, dim), optional
        Vectors of the periods of a system that closes on itself: the particle acts on the images
        of sites too.  None: those of `kwant.wraparound`, if the system was made by that; otherwise
        bonds within reach that look as if they closed the system are an error.  ``[]``: none.

    Notes
    -----
    The force operator is F_nu = -dV/dR_nu = +C (d_nu w)(r - R).  In the continuum and as the
    width goes to zero, the curl of the force is 2 pi g C^2 (m/hbar) curl[D j]: equations 3 to 7
    of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011), and `flow_map`.

    A point that has no site within reach gives zeros; how many there are is said in a warning.
    Sites in the leads are not part of the system, so near a lead the Gaussian is cut off.

    Examples
    --------
    >>> probe = Probe([(2.0, 1.0), (2.5, 1.0)], width=1.0)
    >>> curl_map(syst, probe, energy).curl.shape
    (2,)
    """

    points: ArrayLike
    _: KW_ONLY
    width: float
    strength: float = 1.0
    periods: ArrayLike | None = None

    def __post_init__(self) -> None:
        try:
            points = read_only(np.asarray(self.points, dtype=float))
        except (TypeError, ValueError):
            raise TypeError(
                "points is no array of real numbers; expected one of shape (n_points, dim)."
            ) from None
        if points.ndim != 2 or not points.size:
            raise ValueError(
                f"points has shape {points.shape}; expected (n_points, dim), one point per row."
            )
        if not np.isfinite(points).all():
            raise ValueError("points has entries that are not finite.")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "width", positive_number("width", self.width))
        object.__setattr__(self, "periods", period_vectors(self.periods))
        object.__setattr__(self, "strength", real_number("strength", self.strength))

    def first_derivatives(self, model: Model) -> Derivatives:
        """Return dV/dR of all points for this system; no value function is called."""
        n_points, dim = np.shape(self.points)
        reached = self._within_reach(model)
        n_far = n_points - len(np.unique(reached.point))
        notices: tuple[str, ...] = ()
        if n_far:
            notices += (
                f"{n_far} of the probe's {n_points} points have no site within reach "
                f"({REACH * self.width:.4g}): their results are zero.",
            )
        entries = self._entries(model, reached)
        stack = Derivatives.from_entries(entries, n_points * dim, model.n_orbitals, dim=dim)
        return replace(stack, positions=np.asarray(self.points), notices=notices)

    def change(self, model: Model, displacement: FloatArray) -> Change:
        """Raise: the particle is not there for the electrons."""
        raise TypeError(
            "A Probe is not there for the electrons, so that nothing changes as it moves; give "
            "another Probe with its points elsewhere."
        )

    def second_derivatives(self, model: Model) -> SecondDerivatives:
        """Return d^2V/dR dR of all points for this system; different points don't couple."""
        reached = self._within_reach(model)
        dim = model.dim
        x = reached.offset.T / self.width**2
        bend = self._gaussians(reached) * (x[:, None] * x - np.eye(dim)[:, :, None] / self.width**2)
        row, col, charge, pair = _charges(model, reached.site)
        coordinate = dim * reached.point[pair] + np.arange(dim)[:, None]
        # Half of an element, since that of the conjugate comes on top.
        return coordinate_halves(coordinate, row, col, 0.5 * charge * bend[:, :, pair])

    def _within_reach(self, model: Model) -> _Reached:
        """Return the pairs of a site, or an image of it, and a point that it reaches."""
        points = np.asarray(self.points)
        n_points, dim = points.shape
        if model.dim != dim:
            raise ValueError(
                f"points has shape {points.shape}, but the sites' positions have "
                f"{model.dim} components."
            )
        self._check_width(model.spacing)
        reach = REACH * self.width
        which, places = images_in_box(
            model.positions,
            periods_of(model, period_vectors(self.periods)),
            points.min(axis=0) - reach,
            points.max(axis=0) + reach,
        )
        if not len(places):
            reached = [np.empty(0, np.int64)] * n_points
        else:
            reached = list(cKDTree(places).query_ball_point(points, reach))
        count = np.array([len(sites) for sites in reached])
        image = np.concatenate([np.asarray(sites, dtype=np.int64) for sites in reached])
        point = np.repeat(np.arange(n_points), count)
        # Sites by a seam of which nobody said so are refused there.
        bond_rows(model, np.unique(which[image]), period_vectors(self.periods))
        return _Reached(which[image], point, places[image] - points[point])

    def _check_width(self, spacing: float) -> None:
        if self.width < spacing * (1 - 1e-9):
            raise ValueError(
                f"width is {self.width:.6g}, below the distance {spacing:.6g} between neighbouring "
                "sites: such a Gaussian falls between the sites, and its force would depend on "
                "where in the unit cell it is. Take a width of at least that distance, or a finer "
                "lattice."
            )

    def _gaussians(self, reached: _Reached) -> NDArray[np.float64]:
        """Return V_R(r) of each pair."""
        peak = self.strength / (2 * np.pi * self.width**2) ** (reached.offset.shape[1] / 2)
        return np.asarray(peak * np.exp(-(reached.offset**2).sum(axis=1) / (2 * self.width**2)))

    def _entries(self, model: Model, reached: _Reached) -> Entries:
        """Return dV/dR on the orbitals of each pair of a site and a point."""
        dim = model.dim
        slope = self._gaussians(reached)[:, None] * reached.offset / self.width**2
        row, col, charge, pair = _charges(model, reached.site)
        coordinate = dim * reached.point[pair][:, None] + np.arange(dim)
        return Entries(
            coordinate.ravel(),
            np.repeat(row, dim),
            np.repeat(col, dim),
            (charge[:, None] * slope[pair]).ravel(),
        )


def _charges(
    model: Model, site: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    """Return row, column and value of the charges on these sites, and of which of them each is.

    Of ordinary electrons they are one on the diagonal; of orbitals that overlap half of
    P S + S P, P those of the site, whose expectation is Mulliken's density.
    """
    offsets = model.offsets
    norbs = np.diff(offsets)[site]
    orbital = ranges(offsets[site], norbs)
    overlaps = model.energy_parameter is not None
    rows = (model.overlap().tocsr() if overlaps else model.charges)[orbital]
    count = np.diff(rows.indptr)
    pair = np.repeat(np.repeat(np.arange(len(site)), norbs), count)
    row, col, value = np.repeat(orbital, count), rows.indices.astype(np.int64), rows.data
    if overlaps:
        row, col = np.append(row, col), np.append(col, row)
        value, pair = 0.5 * np.append(value, value.conj()), np.append(pair, pair)
    return row, col, real_if_real(value), pair
