"""A vector field on a regular grid, and its curl."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.storage import Storable

__all__ = ["GridField"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class GridField(Storable):
    """A vector field on a regular grid, and the curl of it.

    Made by `FlowMap.interpolate`.

    Attributes
    ----------
    axes : tuple of arrays
        The coordinates along x, y(, z), equally spaced.
    vectors : array of float, shape (n_x, n_y(, n_z), dim)
        The field: the sum over the sites of cell volume times vector times a normalised
        Gaussian, so that it integrates to what the sites hold.
    curl : array of float, shape (n_x, n_y) in 2D, (n_x, n_y, n_z, 3) in 3D
        The curl of that very field, from the gradient of the Gaussian.
    width : float
        Standard deviation of the Gaussian.

    Examples
    --------
    >>> grid = flow_map(syst, energy, bias=0.1).interpolate(spacing=0.5)
    >>> type(grid).__name__, grid.curl.ndim
    ('GridField', 2)
    """

    axes: tuple[FloatArray, ...]
    vectors: FloatArray
    curl: FloatArray
    width: float

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the dimensions of each array."""
        space = ("x", "y", "z")[: len(self.axes)]
        return {"vectors": (*space, "direction"), "curl": (*space, "axis")}

    def __repr__(self) -> str:
        """Say how large it is."""
        return f"<GridField on {'x'.join(str(len(axis)) for axis in self.axes)} points>"
