"""Force, curl and friction, centre by centre."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.results.base import Response
from kwant_curl.results.mode_pairs import plane_responses
from kwant_curl.results.pumping_rates import PumpingRates, pumping_rates
from kwant_curl.support.drawing import plot
from kwant_curl.support.units import spaced, unit_names

if TYPE_CHECKING:
    from kwant.system import FiniteSystem
    from matplotlib.axes import Axes

__all__ = ["CurlMap"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class CurlMap(Response):
    """Nonequilibrium force, its curl and the electronic friction, centre by centre.

    Made by `curl_map`.  hbar = 1: with energies in E and lengths in L, forces are in E/L, curls
    in E/L^2 and frictions in hbar/L^2.  All of them hold `degeneracy`.

    Attributes
    ----------
    positions : array of float, shape (n, dim)
        Where the centres are, in the order of the coordinates.
    sites : array of int, shape (n,), or None
        The sites that they are, if they are sites.
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy of every level.
    lead_force : array of float, shape (n_leads, n, dim)
        Force per unit shift of the chemical potential of each lead.
    lead_curl : array of float, shape (n_leads, n) in 2D, (n_leads, n, 3) in 3D
        Curl per unit shift of each lead; the sum over the leads is zero.
    friction : array of float, shape (n, dim, dim)
        Equilibrium electronic friction eta_ij, positive semidefinite: a force
        -sum_j eta_ij v_j.  It doesn't depend on the bias.
    periods : array of float, shape (n, dim), or None
        Those of a system that closes on itself, if they are known.
    temperature, linear, error, partial, units, pinned, band_distance, resonance_distance, warnings,
    spectrum
        See `Response`.

    Examples
    --------
    >>> result = curl_map(syst, Displacements(scaling=PowerLaw(2)), energy, bias=0.1)
    >>> np.allclose(result.at_bias(0.2).curl, 2 * result.curl)  # without a new solve
    True
    >>> rates = result.pumping_rates(frequency=0.01, mass=5000.0)
    >>> rates.threshold.shape  # one for every site that moves
    (9,)
    """

    DIMENSIONS = {  # noqa: RUF012
        "positions": ("centre", "direction"),
        "sites": ("centre",),
        "bias": ("lead",),
        "pinned": ("lead",),
        "lead_force": ("lead", "centre", "direction"),
        "lead_curl": ("lead", "centre", "axis"),
        "friction": ("centre", "direction", "direction_of_motion"),
        "periods": ("period", "direction"),
    }
    DERIVED = {  # noqa: RUF012
        "force": ("centre", "direction"),
        "curl": ("centre", "axis"),
    }

    positions: FloatArray
    sites: NDArray[np.int64] | None
    lead_force: FloatArray
    lead_curl: FloatArray
    friction: FloatArray
    periods: FloatArray | None = None

    def __repr__(self) -> str:
        """Say how large it is, and where the curl is largest."""
        strength = np.abs(self.curl).reshape(len(self.curl), -1)
        top = int(np.linalg.norm(strength, axis=1).argmax())
        place = ", ".join(f"{x:.4g}" for x in self.positions[top])
        names = unit_names(self.units)
        found = "no curl beyond rounding"
        if strength.any():
            found = (
                f"curl of up to {np.linalg.norm(strength[top]):.4g}"
                f"{spaced(names.curl)} at ({place}){spaced(names.length)}"
            )
        return (
            f"<CurlMap of {len(self.positions)} centres in {self.positions.shape[1]}D, "
            f"{self._operation}: {found}>{self._noted}"
        )

    @property
    def force(self) -> FloatArray:
        """Nonequilibrium force Delta F, shape (n, dim): the sum of all leads' shares."""
        return self.superposed(self.lead_force)

    @property
    def curl(self) -> FloatArray:
        """Curl of the force: dF_y/dx - dF_x/dy, shape (n,), in 2D; a vector, (n, 3), in 3D."""
        return self.superposed(self.lead_curl)

    def pumping_rates(
        self, frequency: ArrayLike, mass: ArrayLike = 1.0, axis: ArrayLike | None = None
    ) -> PumpingRates:
        """Return the rates of one isotropic local oscillator per centre.

        Parameters
        ----------
        frequency : float or array (n,)
            Angular frequency omega; hbar omega is an energy, and hbar = 1.
        mass : float or array (n,)
            Mass M, in hbar^2 / (energy length^2).
        axis : array (3,) or (n, 3), optional
            3D: the axis about which (+) turns anticlockwise.  Default: each centre's own curl.
            In 2D the axis is z, and giving one is an error.

        Returns
        -------
        PumpingRates
            One entry per centre; X and Y of Todorov et al. (2011), Eq. 30, span the plane of
            rotation.

        Raises
        ------
        ValueError
            For frequencies, masses or axes that are not positive or of the wrong shape; where the
            units are known, for masses below that of hydrogen and frequencies above 1 eV.

        Warns
        -----
        RuntimeWarning
            Where the assumptions of these rates don't hold; see `PumpingRates`.
        """
        of_pairs = plane_responses(self.curl, self.friction, self._axis(axis))
        rates = pumping_rates(self, of_pairs, frequency, mass)
        return replace(rates, positions=self.positions)

    def _axis(self, axis: ArrayLike | None) -> FloatArray | None:
        if axis is None:
            return None
        n, dim = self.positions.shape
        if dim == 2:
            raise ValueError("axis is given for a 2D system, whose rotations are about z.")
        vector = np.asarray(axis, dtype=float)
        if vector.shape not in [(3,), (n, 3)]:
            raise ValueError(f"axis has shape {vector.shape}; expected (3,) or {(n, 3)}.")
        if not np.isfinite(vector).all() or not np.linalg.norm(vector, axis=-1).all():
            raise ValueError("axis has a vector that is zero or not finite.")
        return vector

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        syst: "FiniteSystem | None" = None,
        current: ArrayLike | None = None,
        length_unit: str | None = None,
        energy_unit: str | None = None,
    ) -> "Axes":
        """Draw the curl of the force on each centre, and the current as arrows.

        In 2D the centres are coloured by the curl, on a scale that is symmetric about zero; in
        3D an arc around the curl of each centre, coloured by its magnitude, turns as the force
        does.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw, 3D axes for a result in 3D; a new figure if not given.
        syst : kwant.system.FiniteSystem, optional
            The system, to draw all of its sites behind the map, and in 2D its bonds and beside it
            the numbers of its leads, with their bias (in V where the units are known).
        current : array (n, 2), optional
            In 2D, a vector per centre (not per hopping) that is drawn as an arrow; on large
            maps the arrows are means over cells.  A key says how long the longest is.
        length_unit, energy_unit : str, optional
            Units for the labels; default those of the result.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(
            self,
            ax=ax,
            syst=syst,
            current=current,
            length_unit=length_unit,
            energy_unit=energy_unit,
        )
