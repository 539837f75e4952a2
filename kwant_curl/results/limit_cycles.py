"""Limit cycles against bias."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.drawing import plot
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LimitCycles"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LimitCycles(Storable):
    """Where the motion ends at each bias: at rest, in a limit cycle, or nowhere.

    Made by `limit_cycles`.  hbar = 1; what a bias has no cycle for is NaN.

    Attributes
    ----------
    voltage : array of float, shape (n_biases,)
        The biases, multiples of the direction that was asked for.
    outcome : tuple of str
        "rest", "cycle", "runs away" or "not found", of each bias.
    amplitude : array of float, shape (n_biases,)
        As `LimitCycle.amplitude`; zero at rest.
    frequency : array of float, shape (n_biases,)
        Angular frequency of the cycle.
    work : array of float, shape (n_biases,)
        Of the current in a turn, an energy; zero at rest.
    growth : array of float, shape (n_biases,)
        2 Im Omega of the fastest small vibration about the place of rest.
    rest : array of float, shape (n_biases, n_c)
        Where the forces of potential and current cancel.
    points : array of float, shape (n_biases, n_points, n_c)
        The cycles, as `LimitCycle.points`.
    critical : float or None
        The bias at which small vibrations begin to grow, where that is between two of the biases or
        below the first one.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.7)
    >>> well = QuarticPotential(modes.force_constants, 20.0)
    >>> cycles = limit_cycles(field, well, modes.masses, [0.4, 0.6])
    >>> cycles.outcome
    ('rest', 'rest')
    """

    DIMENSIONS = {  # noqa: RUF012
        "voltage": ("bias",),
        "amplitude": ("bias",),
        "frequency": ("bias",),
        "work": ("bias",),
        "growth": ("bias",),
        "rest": ("bias", "coordinate"),
        "points": ("bias", "point", "coordinate"),
    }
    AXES = {"bias": "voltage"}  # noqa: RUF012

    voltage: FloatArray
    outcome: tuple[str, ...]
    amplitude: FloatArray
    frequency: FloatArray
    work: FloatArray
    growth: FloatArray
    rest: FloatArray
    points: FloatArray
    _: KW_ONLY
    critical: float | None = None
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say how many cycles there are, from which bias on, and how large they become."""
        names = unit_names(self.units)
        counts = [f"{self.outcome.count(kind)} {kind}" for kind in dict.fromkeys(self.outcome)]
        onset = ""
        if self.critical is not None:
            onset = f"; vibrations grow from {self.critical:.6g}{spaced(names.energy)}"
        largest = np.nanmax(self.amplitude, initial=0.0)
        return (
            f"<LimitCycles at {len(self.voltage)} biases: {', '.join(counts)}{onset}; amplitude up "
            f"to {largest:.4g}{spaced(names.length)}>{self._noted}"
        )

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        quantity: str = "amplitude",
        color: str = "C0",
        energy_unit: str | None = None,
        length_unit: str | None = None,
    ) -> "Axes":
        """Draw amplitude, work or frequency against bias, with the onset.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        quantity : {"amplitude", "work", "frequency"}
            What to draw.
        color : str
            Of the line.
        energy_unit, length_unit : str, optional
            Units of the labels; the numbers are in them.  Default: bias in V and frequency in meV
            where the units are known, all else in the result's own.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(
            self,
            ax=ax,
            quantity=quantity,
            color=color,
            energy_unit=energy_unit,
            length_unit=length_unit,
        )
