"""The force along a way of the coordinates, and its work."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.results.base import Response
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import spaced, unit_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ForcePath"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ForcePath(Response):
    """Nonequilibrium force, curl and friction at the points of a way, and the work along it.

    Made by `force_along` and `work`; converts to `float`, the work.  hbar = 1; coordinates in the
    order of the specification.

    Attributes
    ----------
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy of every level.
    path : array of float, shape (n_points, n_c)
        The displacements at each point; of a cycle the last point is the first one again.
    steps : array of float, shape (n_points, n_c)
        dQ at each point: the work is the sum of force times step.
    coarse_steps : array of float, shape (n_points, n_c)
        Those of the rule that takes every second point, NaN where there are too few.
    lead_force : array of float, shape (n_leads, n_points, n_c)
        Force per unit shift of the chemical potential of each lead, or each lead's share of it
        (where `linear` is False).
    lead_curl : array of float, shape (n_leads, n_points, n_c, n_c)
        Curl, alike.
    friction : array of float, shape (n_points, n_c, n_c)
        Equilibrium electronic friction.
    is_cycle : bool
        Whether the way ends where it began, or a period further.
    temperature, linear, error, partial, units, pinned, warnings
        As in `ForceResponse`, the worst of all points; `band_distance`, `resonance_distance` and
        `spectrum` are None.

    Notes
    -----
    The force is that of the current alone:
    what is there in equilibrium belongs to the atoms' potential, whose work around a cycle is zero.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.5)
    >>> way = force_along(field, [[0.0, 0.0], [0.05, 0.0], [0.1, 0.0]])
    >>> way.force.shape
    (3, 2)
    >>> print(f"{way.work:.6f}")
    0.000804
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("lead",),
        "path": ("point", "coordinate"),
        "steps": ("point", "coordinate"),
        "coarse_steps": ("point", "coordinate"),
        "lead_force": ("lead", "point", "coordinate"),
        "lead_curl": ("lead", "point", "coordinate", "other_coordinate"),
        "friction": ("point", "coordinate", "other_coordinate"),
        "pinned": ("lead",),
    }
    DERIVED = {  # noqa: RUF012
        "force": ("point", "coordinate"),
        "curl": ("point", "coordinate", "other_coordinate"),
        "work_so_far": ("point",),
    }

    path: FloatArray
    steps: FloatArray
    coarse_steps: FloatArray
    lead_force: FloatArray
    lead_curl: FloatArray
    friction: FloatArray
    _: KW_ONLY
    is_cycle: bool = False

    def __repr__(self) -> str:
        """Say how long the way is, and the work with its error."""
        unit = spaced(unit_names(self.units).energy)
        kind = "cycle" if self.is_cycle else "path"
        return (
            f"<ForcePath: {kind} of {len(self.path)} points in {self.path.shape[1]} coordinates, "
            f"{self._operation}; work {self.work:.6g}{unit}, error {self.work_error:.2g}>"
            f"{self._noted}"
        )

    def __float__(self) -> float:
        """Return the work."""
        return self.work

    @property
    def force(self) -> FloatArray:
        """The force of the current at this bias, (n_points, n_c)."""
        return self.superposed(self.lead_force)

    @property
    def curl(self) -> FloatArray:
        """kappa_IJ = dF_J/dQ_I - dF_I/dQ_J at this bias, (n_points, n_c, n_c)."""
        return self.superposed(self.lead_curl)

    @property
    def work(self) -> float:
        """The work of the force on what moves along the way, an energy."""
        return float(np.sum(self.force * self.steps))

    @property
    def work_error(self) -> float:
        """How far the work is from that of every second point; NaN for too few points.

        That of the energies comes besides: `error`, relative to the force.
        """
        return float(abs(np.sum(self.force * (self.steps - self.coarse_steps))))

    @property
    def work_so_far(self) -> FloatArray:
        """The work from the first point to each, (n_points,), zero at the first.

        By the trapezoidal rule between points, so less exact than `work`.
        """
        force = self.force
        pieces = 0.5 * np.sum((force[1:] + force[:-1]) * np.diff(self.path, axis=0), axis=1)
        return read_only(np.concatenate([[0.0], np.cumsum(pieces)]))

    def at_bias(self, bias: float | Mapping[int, float]) -> Self:
        """Return the result at another bias, without a new solve; exact in linear response.

        Raises
        ------
        ValueError
            Of a whole bias window (``linear=False``), for another bias than that of the result.
        """
        return super().at_bias(bias)

    def _at(self, shifts: FloatArray, temperature: float, what: str) -> Self:
        """Raise: along a way no energies are kept."""
        raise ValueError(
            f"Along a way no energies are kept from which another {what} would follow; call "
            f"force_along, or work, with a field at the other {what}: field.at_bias(...), or "
            "another ResponseField."
        )

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        quantity: str = "force",
        biases: ArrayLike | None = None,
        energy_unit: str | None = None,
        length_unit: str | None = None,
    ) -> "Axes":
        """Draw the force along the way, the work so far, or the work against bias.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        quantity : {"force", "work", "bias"}
            The component of the force along the way at each point, with its tangent; the work up
            to each point; or the work of the whole way at each of `biases`.
        biases : array of float, optional
            For ``quantity="bias"``.  Default: from 0 to the bias of the result.
        energy_unit, length_unit : str, optional
            Units for the labels; default the result's own.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(
            self,
            ax=ax,
            quantity=quantity,
            biases=biases,
            energy_unit=energy_unit,
            length_unit=length_unit,
        )
