"""The flow of electrons, site by site."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.images import images_in_box
from kwant_curl.algebra.smoothing import smoothed_curl, smoothed_vectors
from kwant_curl.results.base import Response
from kwant_curl.results.grid_field import GridField
from kwant_curl.support.checks import positive_number
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FlowMap"]

FloatArray = NDArray[np.float64]

MARGIN = 6.0
"""Widths that a grid goes beyond the sites: 1e-9 of a Gaussian at the edge is outside."""


@dataclass(frozen=True, eq=False, repr=False)
class FlowMap(Response):
    """Local density of states, particle current and momentum current per site.

    Made by `flow_map`.  hbar = 1.  With energies in E, lengths in L, dim dimensions: densities
    of states are in 1/(E L^dim), currents in E/L^(dim-1), their product in 1/L^(2 dim - 1).

    Attributes
    ----------
    positions : array of float, shape (n_sites, dim)
        The sites of the system, in its order.
    cell_volumes : array of float, shape (n_sites,)
        Volume (area in 2D) that belongs to each site.
    spacing : float
        Usual distance between neighbouring sites.
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy g of every level.
    lead_dos : array of float, shape (n_leads, n_sites)
        Density of states D_alpha(r) of each lead per level, summed over the orbitals of a site.
    lead_current : array of float, shape (n_leads, n_sites, dim)
        Particle-current density per unit shift of each lead's chemical potential, per level.
    lead_capacity, lead_correction : array of float, shape (n_leads, n_sites, dim)
        Tr[D J_alpha] and -Tr[D_alpha J], per level: traces over the orbitals of a site of the
        matrices that D and j are there, alpha the lead's share and no index the sum over leads.
    lead_density : array of float, shape (n_leads, n_sites)
        Nonequilibrium density of each lead per level: in linear response `lead_dos` per unit
        shift, which it is then.
    momentum : array of float, shape (n_sites,), or None
        p(r), if it was given.
    periods : array of float, shape (n, dim), or None
        Those of a system that closes on itself, if they are known.
    temperature, linear, error, partial, units, pinned, band_distance, resonance_distance, warnings,
    spectrum
        See `Response`.

    Examples
    --------
    >>> flow = flow_map(syst, energy, bias=0.1)
    >>> flow.current.shape, flow.local_dos.shape
    ((15, 2), (15,))
    >>> bool(flow.current[:, 0].sum() > 0)  # along x, from lead 0 to lead 1
    True
    """

    DIMENSIONS = {  # noqa: RUF012
        "positions": ("site", "direction"),
        "cell_volumes": ("site",),
        "bias": ("lead",),
        "pinned": ("lead",),
        "lead_dos": ("lead", "site"),
        "lead_current": ("lead", "site", "direction"),
        "lead_capacity": ("lead", "site", "direction"),
        "lead_correction": ("lead", "site", "direction"),
        "lead_density": ("lead", "site"),
        "momentum": ("site",),
        "periods": ("period", "direction"),
    }
    DERIVED = {  # noqa: RUF012
        "local_dos": ("site",),
        "current": ("site", "direction"),
        "momentum_current": ("site", "direction"),
    }

    positions: FloatArray
    cell_volumes: FloatArray
    spacing: float
    lead_dos: FloatArray
    lead_current: FloatArray
    lead_capacity: FloatArray
    lead_correction: FloatArray
    lead_density: FloatArray
    momentum: FloatArray | None
    periods: FloatArray | None = None

    def __repr__(self) -> str:
        """Say how large it is."""
        n, dim = self.positions.shape
        return f"<FlowMap of {n} sites in {dim}D, {self._operation}>{self._noted}"

    @property
    def local_dos(self) -> FloatArray:
        """Local density of states of all levels, (n_sites,): g D(r)."""
        return read_only(self.degeneracy * self.lead_dos.sum(axis=0))

    @property
    def density(self) -> FloatArray:
        """Nonequilibrium particle density of all levels, (n_sites,): g n(r)."""
        return self.superposed(self.degeneracy * self.lead_density)

    @property
    def current(self) -> FloatArray:
        """Particle-current density of all levels, (n_sites, dim): g j(r)."""
        return self.superposed(self.degeneracy * self.lead_current)

    @property
    def momentum_current(self) -> FloatArray:
        """The degeneracy times D(r) j(r), or p(r) j(r) with `momentum`, per level; (n_sites, dim).

        Equations 7 and 9 to 11 of Todorov et al. (2011).
        2 pi C^2 (m/hbar) times the curl of g D j is
        the curl of the force on a test particle of strength C, to lowest order in C, in the
        continuum, with time-reversal symmetry.  With several orbitals on a site D j stands for
        Tr[D J], the trace of the product of two matrices: for two spins that don't mix it is the
        sum of their D j.
        """
        if self.momentum is None:
            return self.superposed(self.degeneracy * self.lead_capacity)
        return read_only(self.momentum[:, None] * self.current)

    @property
    def magnetic_correction(self) -> FloatArray:
        """-g n(r) j_D(r), (n_sites, dim), with n, j_D per level (traced likewise).

        j_D is the current of the whole density of states, all leads filled alike, which vanishes
        with time-reversal symmetry; n is the nonequilibrium density.  In a magnetic field the
        curl of the force on a test particle is that of D j - n j_D, not of D j alone.  So it is,
        in a Nambu model, where a superconductor mixes electrons and holes, in any case.
        """
        return self.superposed(self.degeneracy * self.lead_correction)

    def interpolate(
        self,
        vectors: ArrayLike | None = None,
        *,
        width: float | None = None,
        spacing: float | None = None,
    ) -> GridField:
        """Return a field of vectors on sites as a smooth field on a regular grid, and its curl.

        f(r) = sum_i v_i f_i K(r - r_i), with the cell volumes v_i and a normalised Gaussian K of
        standard deviation `width`.  The flux of f through a cross-section is that of the sites
        (up to 2 exp(-2 pi^2 width^2/a^2) for planes a apart; about a percent on amorphous
        systems), away from the ends of the system,
        beyond which there are no sites.

        Parameters
        ----------
        vectors : array (n_sites, dim), optional
            What to interpolate; default `momentum_current`.
        width : float, optional
            Standard deviation of the Gaussian, at least the distance between neighbouring sites;
            default 1.5 times that distance.
        spacing : float, optional
            Distance of the grid's points; default half the width.

        Returns
        -------
        GridField
            The grid covers the sites and six widths around them; of a system with periods,
            images of the sites too where they are near.

        Raises
        ------
        ValueError
            For vectors of another shape, a width below the distance between neighbours, or a
            spacing that is not positive.
        """
        field = np.asarray(self.momentum_current if vectors is None else vectors, dtype=float)
        if field.shape != self.positions.shape:
            raise ValueError(
                f"vectors has shape {field.shape}; expected {self.positions.shape}, one per site."
            )
        if field.shape[1] not in (2, 3):
            raise ValueError(f"The flow is in {field.shape[1]}D; interpolation needs 2D or 3D.")
        sigma = 1.5 * self.spacing if width is None else positive_number("width", width)
        if sigma < self.spacing * (1 - 1e-9):
            raise ValueError(
                f"width is {sigma:.6g}, below the distance {self.spacing:.6g} between neighbouring "
                "sites: the field would show the sites one by one. Take at least that distance."
            )
        step = sigma / 2 if spacing is None else positive_number("spacing", spacing)
        margin = MARGIN * sigma
        low, high = self.positions.min(axis=0) - margin, self.positions.max(axis=0) + margin
        axes = tuple(np.arange(a, b + step, step) for a, b in zip(low, high, strict=True))
        reach = margin + 2 * sigma  # where a Gaussian has ended
        which, places = images_in_box(self.positions, self.periods, low - reach, high + reach)
        weighted = (self.cell_volumes[:, None] * field)[which]
        return GridField(
            axes=axes,
            vectors=smoothed_vectors(places, weighted, axes, sigma),
            curl=smoothed_curl(places, weighted, axes, sigma),
            width=sigma,
        )

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        vectors: ArrayLike | None = None,
        width: float | None = None,
        length_unit: str | None = None,
        label: str | None = None,
    ) -> "Axes":
        """Draw the streamlines of the momentum current over its curl in colour, in 2D.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        vectors : array (n_sites, 2), optional
            Another field on the sites; default `momentum_current`.
        width : float, optional
            Of the Gaussian that smooths it, see `interpolate`.
        length_unit : str, optional
            Unit for the labels of the axes; default that of the result.
        label : str, optional
            Label of the colour scale.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(self, ax=ax, vectors=vectors, width=width, length_unit=length_unit, label=label)
