"""Limit cycles: the motion at which what the current gives is lost again."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.floquet import between
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LimitCycle"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False, repr=False)
class LimitCycle(Storable):
    """A periodic motion of the atoms that the current sustains.  Made by `limit_cycle`.

    hbar = 1: times are in 1/energy; coordinates in the order of the specification.

    Attributes
    ----------
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    period : float
        The time of a turn.
    points : array of float, shape (n_points, n_c)
        Displacements at equal times, an odd number of them; the next one would be the first again.
    velocities : array of float, shape (n_points, n_c)
        dQ/dt there.
    rest : array of float, shape (n_c,)
        Where the forces of potential and current cancel: the atoms' equilibrium with the current.
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    work : float
        What the force of the current does in a turn, an energy.
    friction_loss : float
        What is lost to the electrons in a turn, the work of gamma dQ/dt.
    damping_loss : float
        What is lost to damping of other origin.
    growth : float
        2 Im Omega of the fastest small vibration about `rest`, the rate at which its energy grows.
    residual : float
        The largest force that is not accounted for at the points, relative to the largest
        M d^2Q/dt^2: how well they obey the equation of motion.
    truncation : float
        The last harmonics that the points hold, relative to the first: how well there are enough.
    n_solved : int
        How many times the electrons were solved for.
    multipliers : array of complex, shape (2 n_c,), or None
        Floquet's multipliers, what becomes of small deviations in a turn, the largest first, if
        they were asked for.  One of them is 1, of a shift along the cycle.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.7)
    >>> well = QuarticPotential(modes.force_constants, 20.0)
    >>> cycle = limit_cycle(field, well, modes.masses, max_amplitude=0.5, n_points=9, rtol=1e-2)
    >>> print(f"{cycle.amplitude:.3f}")
    0.017
    >>> bool(np.isclose(cycle.work, cycle.friction_loss, rtol=1e-2))
    True
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("lead",),
        "points": ("point", "coordinate"),
        "velocities": ("point", "coordinate"),
        "rest": ("coordinate",),
        "masses": ("coordinate",),
        "multipliers": ("deviation",),
    }

    bias: FloatArray
    period: float
    points: FloatArray
    velocities: FloatArray
    rest: FloatArray
    masses: FloatArray
    work: float
    friction_loss: float
    damping_loss: float
    growth: float
    residual: float
    truncation: float
    _: KW_ONLY
    n_solved: int = 0
    multipliers: ComplexArray | None = None
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say how large and how fast it is, what it gains, and whether it is stable."""
        names = unit_names(self.units)
        energy = spaced(names.energy)
        stable = {None: "", True: "; stable", False: "; unstable"}[self.is_stable]
        return (
            f"<LimitCycle of {self.points.shape[1]} coordinates: amplitude {self.amplitude:.6g}"
            f"{spaced(names.length)}, frequency {self.frequency:.6g}{energy}, work of the current "
            f"{self.work:.6g}{energy} a turn{stable}>{self._noted}"
        )

    @property
    def frequency(self) -> float:
        """The angular frequency, 2 pi/period."""
        return 2 * np.pi / self.period

    @property
    def amplitude(self) -> float:
        """The root of the mean square distance from the mean position.

        The radius of a circle; of an oscillation along a line its largest displacement over
        sqrt(2).
        """
        apart = self.points - self.points.mean(axis=0)
        return float(np.sqrt((apart**2).sum(axis=1).mean()))

    @property
    def balance(self) -> float:
        """What the current gives in a turn less what is lost, zero but for errors."""
        return self.work - self.friction_loss - self.damping_loss

    @property
    def power(self) -> float:
        """The work of the current per unit of time."""
        return self.work / self.period

    @property
    def is_stable(self) -> bool | None:
        """Whether small deviations decay; None where the multipliers were not asked for."""
        if self.multipliers is None:
            return None
        along = np.abs(self.multipliers - 1).argmin()
        return bool((np.abs(np.delete(self.multipliers, along)) < 1).all())

    def displacements(self, times: ArrayLike) -> FloatArray:
        """Return the displacements (n_times, n_c) at times, by the Fourier series of the points."""
        theta = self.frequency * np.atleast_1d(np.asarray(times, dtype=float))
        return read_only(between(self.points, theta))

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        coordinates: tuple[int, int] | None = None,
        color: str = "C0",
        label: str | None = None,
        length_unit: str | None = None,
    ) -> "Axes":
        """Draw the cycle in the plane of two coordinates, with its sense and the place of rest.

        Where the units are known, the title has its frequency in meV and its period in ps.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        coordinates : (int, int), optional
            Which two; default the two that move most.  Of one coordinate its velocity is drawn.
        color : str
            Of the cycle.
        label : str, optional
            For the legend.
        length_unit : str, optional
            Unit for the labels; default the cycle's own.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(
            self,
            ax=ax,
            coordinates=coordinates,
            color=color,
            label=label,
            length_unit=length_unit,
        )
