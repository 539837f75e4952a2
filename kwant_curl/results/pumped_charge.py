"""The charge that a motion of the coordinates takes from each lead and gives to others."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PumpedCharge"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class PumpedCharge(Storable):
    """The electrons that each lead gives while the coordinates go slowly along a way.

    Made by `pumped_charge`.  Numbers of electrons: the charge is -e times them, e > 0.  They count
    as positive where they leave the lead for the device, as a positive shift of its chemical
    potential makes them do.

    Attributes
    ----------
    energy : float
        The equilibrium Fermi level mu.
    degeneracy : float
        Degeneracy of every level.
    path : array of float, shape (n_points, n_c)
        The displacements at each point; of a cycle the last point is the first one again.
    steps : array of float, shape (n_points, n_c)
        dQ at each point: the charge is the sum of emissivity times step.
    coarse_steps : array of float, shape (n_points, n_c)
        Those of the rule that takes every second point, NaN where there are too few.
    emissivity : array of float, shape (n_leads, n_points, n_c)
        dN_alpha/dQ_I, electrons that come out of lead alpha per unit of coordinate I.
    temperature : float
        kT, an energy.
    is_cycle : bool
        Whether the way ends where it began, or a period further.
    error : float
        Estimated error of the integration over energy, relative to the largest emissivity of each
        lead, the largest one of all points; zero where nothing was integrated.
    partial : bool
        Whether the window holds energies at which no lead has an open mode.
    units : Units or None
        The units, for labels, if they were given.
    warnings : tuple of str
        What was warned of.

    Notes
    -----
    Around a cycle the device ends with as many electrons as it began with, so that the charges of
    all leads add up to zero (with a superconductor the condensate takes the rest).

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy)
    >>> turn = lambda s: 0.1 * np.array([np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)])
    >>> pumped = pumped_charge(field, [turn(s) for s in np.linspace(0, 1, 9)])
    >>> print(f"{pumped.charge[0]:.4f} {abs(pumped.charge.sum()):.4f}")
    0.0012 0.0000
    """

    DIMENSIONS = {  # noqa: RUF012
        "path": ("point", "coordinate"),
        "steps": ("point", "coordinate"),
        "coarse_steps": ("point", "coordinate"),
        "emissivity": ("lead", "point", "coordinate"),
    }
    DERIVED = {  # noqa: RUF012
        "charge": ("lead",),
        "charge_error": ("lead",),
        "charge_so_far": ("lead", "point"),
    }

    energy: float
    degeneracy: float
    path: FloatArray
    steps: FloatArray
    coarse_steps: FloatArray
    emissivity: FloatArray
    _: KW_ONLY
    temperature: float = 0.0
    is_cycle: bool = False
    error: float = 0.0
    partial: bool = False
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say how long the way is, and the charge from each lead with its error."""
        unit = spaced(unit_names(self.units).energy)
        kind = "cycle" if self.is_cycle else "path"
        charges = ", ".join(f"{number:.6g}" for number in self.charge)
        return (
            f"<PumpedCharge: {kind} of {len(self.path)} points in {self.path.shape[1]} "
            f"coordinates, energy {self.energy:.6g}{unit}; electrons from leads {charges}, error "
            f"{self.charge_error.max():.2g}>{self._noted}"
        )

    @property
    def charge(self) -> FloatArray:
        """The electrons that each lead has given in the end, (n_leads,); negative if it took."""
        return read_only(np.einsum("apc,pc->a", self.emissivity, self.steps))

    @property
    def charge_error(self) -> FloatArray:
        """How far `charge` is from that of every second point, (n_leads,); NaN for too few points.

        That of the energies comes besides: `error`, relative to the emissivity.
        """
        missed = self.steps - self.coarse_steps
        return read_only(np.abs(np.einsum("apc,pc->a", self.emissivity, missed)))

    @property
    def charge_so_far(self) -> FloatArray:
        """The electrons that each lead has given up to each point, (n_leads, n_points).

        By the trapezoidal rule between points, so less exact than `charge`.
        """
        means = 0.5 * (self.emissivity[:, 1:] + self.emissivity[:, :-1])
        pieces = np.einsum("apc,pc->ap", means, np.diff(self.path, axis=0))
        return read_only(np.pad(np.cumsum(pieces, axis=1), ((0, 0), (1, 0))))

    def plot(self, *, ax: "Axes | None" = None, length_unit: str | None = None) -> "Axes":
        """Draw the electrons that each lead has given so far, along the way.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        length_unit : str, optional
            Unit for the label of the way; default the result's own.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(self, ax=ax, length_unit=length_unit)
