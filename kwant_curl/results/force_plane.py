"""The force over a plane of two directions of the coordinates."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwant_curl.results.base import Response
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ForcePlane"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ForcePlane(Response):
    """Nonequilibrium force and curl on a grid in a plane of the coordinates.

    Made by `force_plane`.  A point (x, y) of the plane is the displacement origin + x u + y v.

    Attributes
    ----------
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy of every level.
    directions : array of float, shape (2, n_c)
        u and v.
    origin : array of float, shape (n_c,)
        The displacement at x = y = 0.
    x, y : array of float, shape (n_x,) and (n_y,)
        The grid.
    lead_force : array of float, shape (n_leads, n_x, n_y, n_c)
        Force per unit shift of the chemical potential of each lead, or each lead's share of it
        (where `linear` is False).
    lead_rotation : array of float, shape (n_leads, n_x, n_y)
        The curl in the plane, dF_v/dx - dF_u/dy = sum_IJ u_I kappa_IJ v_J, alike.
    temperature, linear, error, partial, units, pinned, warnings
        As in `ForceResponse`, the worst of all points; `band_distance`, `resonance_distance` and
        `spectrum` are None.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.5)
    >>> plane = force_plane(field, np.eye(2), [-0.1, 0.0, 0.1], [0.0, 0.1])
    >>> plane.force.shape, plane.rotation.shape
    ((3, 2, 2), (3, 2))
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("lead",),
        "directions": ("direction", "coordinate"),
        "origin": ("coordinate",),
        "x": ("u",),
        "y": ("v",),
        "lead_force": ("lead", "u", "v", "coordinate"),
        "lead_rotation": ("lead", "u", "v"),
        "pinned": ("lead",),
    }
    DERIVED = {  # noqa: RUF012
        "force": ("u", "v", "coordinate"),
        "components": ("u", "v", "direction"),
        "rotation": ("u", "v"),
    }
    AXES = {"u": "x", "v": "y"}  # noqa: RUF012

    directions: FloatArray
    origin: FloatArray
    x: FloatArray
    y: FloatArray
    lead_force: FloatArray
    lead_rotation: FloatArray
    _: KW_ONLY

    def __repr__(self) -> str:
        """Say how large the grid is, and where the device is operated."""
        return (
            f"<ForcePlane of {len(self.x)} x {len(self.y)} points in {len(self.origin)} "
            f"coordinates, {self._operation}>{self._noted}"
        )

    @property
    def force(self) -> FloatArray:
        """The force of the current at this bias, (n_x, n_y, n_c)."""
        return self.superposed(self.lead_force)

    @property
    def components(self) -> FloatArray:
        """Its components along u and v, F.u and F.v, (n_x, n_y, 2)."""
        return read_only(self.force @ self.directions.T)

    @property
    def rotation(self) -> FloatArray:
        """The curl in the plane at this bias, dF_v/dx - dF_u/dy, (n_x, n_y)."""
        return self.superposed(self.lead_rotation)

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        arrows: int = 15,
        energy_unit: str | None = None,
        length_unit: str | None = None,
    ) -> "Axes":
        """Draw the force as arrows, and the curl in the plane in colour.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        arrows : int, default 15
            About how many arrows there are in each direction.
        energy_unit, length_unit : str, optional
            Units for the labels; default the result's own.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(self, ax=ax, arrows=arrows, energy_unit=energy_unit, length_unit=length_unit)
