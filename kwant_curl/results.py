"""What the routines return: frozen, with read-only arrays."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.checks import positive_array
from kwant_curl.frozen import freeze, read_only
from kwant_curl.occupations import chemical_potential_shifts, exchange_window
from kwant_curl.phonons import (
    PumpingRates,
    mode_pairs,
    mode_patterns,
    pair_responses,
    plane_responses,
    pumping_rates,
)
from kwant_curl.storage import Storable
from kwant_curl.units import Units, unit_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CurlMap", "ForceResponse", "Response"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Response(Storable):
    """What results share: where the device is operated, and how the leads' shares add up.

    Attributes
    ----------
    temperature : float
        kT, an energy.
    linear : bool
        Whether the response is linear in the bias.  What is given by lead is then per unit shift
        of each lead's chemical potential; otherwise it is each lead's share at this bias.
    error : float
        Estimated error of the integration over energy, relative to the largest element of each
        quantity (of the integral of its modulus); zero where nothing was integrated.
    partial : bool
        Whether the window holds energies at which no lead has an open mode.
    units : Units or None
        The units, for labels, if they were given.
    """

    energy: float
    bias: FloatArray
    degeneracy: float
    _: KW_ONLY
    temperature: float = 0.0
    linear: bool = True
    error: float = 0.0
    partial: bool = False
    units: Units | None = None

    def at_bias(self, bias: float | Mapping[int, float]) -> Self:
        """Return the result at another bias, without a new solve; exact in linear response.

        Raises
        ------
        ValueError
            For the result of a whole bias window (``linear=False``), which can't be scaled.
        """
        if not self.linear:
            raise ValueError(
                "This result is that of a whole bias window (linear=False), which another bias "
                "changes; call the routine again with the other bias."
            )
        return replace(self, bias=chemical_potential_shifts(bias, len(self.bias)))

    def superposed(self, by_lead: FloatArray) -> FloatArray:
        """Return the sum of all leads' shares, of what is given by lead."""
        weights = self.bias if self.linear else np.ones(len(self.bias))
        return read_only(np.tensordot(weights, by_lead, axes=1))


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
    temperature, linear, error, partial, units
        See `Response`.
    """

    DIMENSIONS = {  # noqa: RUF012
        "positions": ("centre", "direction"),
        "sites": ("centre",),
        "bias": ("lead",),
        "lead_force": ("lead", "centre", "direction"),
        "lead_curl": ("lead", "centre", "axis"),
        "friction": ("centre", "direction", "direction_of_motion"),
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

    def __repr__(self) -> str:
        """Say how large it is, and where the curl is largest."""
        strength = np.abs(self.curl).reshape(len(self.curl), -1)
        top = int(np.linalg.norm(strength, axis=1).argmax())
        place = ", ".join(f"{x:.4g}" for x in self.positions[top])
        energy, length = (f" {unit}" if unit else "" for unit in unit_names(self.units))
        per_area = f"{energy}/{length.strip()}²" if energy and length else ""
        return (
            f"<CurlMap of {len(self.positions)} centres in {self.positions.shape[1]}D, energy "
            f"{self.energy:.6g}{energy}, bias {dict(enumerate(self.bias.tolist()))}: curl of up to "
            f"{np.linalg.norm(strength[top]):.4g}{per_area} at ({place}){length}>"
        )

    def __post_init__(self) -> None:
        freeze(self, "positions", "bias", "lead_force", "lead_curl", "friction")
        if self.sites is not None:
            freeze(self, "sites")

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
            For frequencies, masses or axes that are not positive or of the wrong shape.
        """
        kappa, trace = plane_responses(self.curl, self.friction, self._axis(axis))
        n = len(self.positions)
        omega = positive_array("frequency", frequency, n)
        return pumping_rates(kappa, trace, omega, positive_array("mass", mass, n), units=self.units)

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
        syst: Any = None,
        current: ArrayLike | None = None,
        length_unit: str | None = None,
        energy_unit: str | None = None,
    ) -> "Axes":
        """Draw the curl of the force on each centre, and the current as arrows.

        In 2D the centres are coloured by the curl, on a scale that is symmetric about zero; in
        3D an arrow at each centre, coloured by its length, shows the vector of the curl.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw, 3D axes for a result in 3D; a new figure if not given.
        syst : kwant.system.FiniteSystem, optional
            The system, to draw all of its sites (and in 2D its bonds) behind the map.
        current : array (n, 2), optional
            In 2D, a vector per centre (not per hopping) that is drawn as an arrow; on large
            maps the arrows are means over cells.
        length_unit, energy_unit : str, optional
            Units for the labels; default those of the result.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from kwant_curl.plotting import plot_curl_map

        return plot_curl_map(
            self,
            ax=ax,
            syst=syst,
            current=current,
            length_unit=length_unit,
            energy_unit=energy_unit,
        )


@dataclass(frozen=True, eq=False, repr=False)
class ForceResponse(Response):
    """Nonequilibrium force, generalised curl and electronic friction of coupled coordinates.

    Made by `force_response`.  Coordinates I, J are in the order of the specification.  hbar = 1:
    forces are in energy per unit of Q, curls in energy per Q_I Q_J, frictions in hbar per
    Q_I Q_J.  All of them hold `degeneracy`.

    Attributes
    ----------
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy of every level.
    lead_force : array of float, shape (n_leads, n_c)
        Force per unit shift of the chemical potential of each lead.
    lead_curl : array of float, shape (n_leads, n_c, n_c)
        Curl per unit shift of each lead; the sum over the leads is zero.
    friction : array of float, shape (n_c, n_c)
        Equilibrium electronic friction eta_IJ, symmetric, positive semidefinite.  It doesn't
        depend on the bias.
    lead_jacobian : array of float, shape (n_leads, n_c, n_c), or None
        dF_I/dQ_J per unit shift of each lead, if it was asked for.
    lead_velocity : array of float, shape (n_leads, n_c, n_c), or None
        What each lead adds to the velocity tensor per unit shift, if it was asked for.
    equilibrium_lorentz : array of float, shape (n_c, n_c), or None
        Antisymmetric part of the velocity tensor in equilibrium, of all occupied states of the
        leads' bands: zero with time-reversal symmetry.  None if the velocity tensor was not asked
        for, or `fermi_sea` was not and the symmetry is broken.
    pair_noise : array of float, shape (n_leads, n_leads, n_c, n_c), or None
        2 pi Re Tr[F_I D_beta F_J D_alpha] of each pair of leads, if it was asked for;
        integrated with f_alpha (1 - f_beta) where the response is not linear.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are, if the coordinates are their displacements.
    sites : array of int, shape (n_atoms,), or None
        The sites that they are.
    temperature, linear, error, partial, units
        See `Response`.
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("lead",),
        "lead_force": ("lead", "coordinate"),
        "lead_curl": ("lead", "coordinate_of_motion", "coordinate"),
        "friction": ("coordinate", "coordinate_of_motion"),
        "lead_jacobian": ("lead", "coordinate", "coordinate_of_motion"),
        "lead_velocity": ("lead", "coordinate", "coordinate_of_motion"),
        "equilibrium_lorentz": ("coordinate", "coordinate_of_motion"),
        "pair_noise": ("lead", "other_lead", "coordinate", "coordinate_of_motion"),
        "positions": ("atom", "direction"),
        "sites": ("atom",),
    }
    DERIVED = {  # noqa: RUF012
        "force": ("coordinate",),
        "curl": ("coordinate_of_motion", "coordinate"),
    }
    OPTIONAL = (
        "lead_jacobian",
        "lead_velocity",
        "equilibrium_lorentz",
        "pair_noise",
        "positions",
        "sites",
    )

    lead_force: FloatArray
    lead_curl: FloatArray
    friction: FloatArray
    _: KW_ONLY
    lead_jacobian: FloatArray | None = None
    lead_velocity: FloatArray | None = None
    equilibrium_lorentz: FloatArray | None = None
    pair_noise: FloatArray | None = None
    positions: FloatArray | None = None
    sites: NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        """Say how large it is, what it holds, and where the curl is largest."""
        size = np.abs(self.curl)
        first, second = (int(i) for i in np.unravel_index(size.argmax(), size.shape))
        more = [
            name for name in ("jacobian", "velocity") if getattr(self, f"lead_{name}") is not None
        ]
        more += ["noise"] if self.pair_noise is not None else []
        energy = "" if self.units is None else f" {self.units.energy_unit}"
        extra = f"; with {', '.join(more)}" if more else ""
        return (
            f"<ForceResponse of {len(self.friction)} coordinates, energy "
            f"{self.energy:.6g}{energy}, bias {dict(enumerate(self.bias.tolist()))}: curl of up to "
            f"{size[first, second]:.4g} between {first} and {second}{extra}>"
        )

    def __post_init__(self) -> None:
        freeze(self, "bias", "lead_force", "lead_curl", "friction")
        freeze(self, *(name for name in self.OPTIONAL if getattr(self, name) is not None))

    @property
    def force(self) -> FloatArray:
        """Nonequilibrium force Delta F_I, shape (n_c,): the sum of all leads' shares."""
        return self.superposed(self.lead_force)

    @property
    def curl(self) -> FloatArray:
        """Generalised curl kappa_IJ = dF_J/dQ_I - dF_I/dQ_J, shape (n_c, n_c)."""
        return self.superposed(self.lead_curl)

    @property
    def jacobian(self) -> FloatArray:
        """Derivative of the nonequilibrium force, dF_I/dQ_J, shape (n_c, n_c).

        J_IJ = -g {Tr[H_IJ Delta rho] + 2 Re Tr[H_I G^r H_J Delta rho]} per energy, with H_I =
        dH/dQ_I and H_IJ the second derivatives.  Its antisymmetric part is -curl/2, its
        symmetric part the current's correction to the force constants, which are K - J.
        """
        return self.superposed(self._asked("lead_jacobian", "jacobian"))

    @property
    def velocity(self) -> FloatArray:
        """Velocity tensor gamma_IJ, shape (n_c, n_c): a force -sum_J gamma_IJ dQ_J/dt.

        gamma_IJ = -2 g sum_alpha int dE f_alpha Im Tr[H_I (dG^r/dE) H_J D_alpha]: the friction of
        equilibrium and what the bias adds to it, symmetric, and the Lorentz-like force, see
        `lorentz`.
        """
        result = self.friction + self.superposed(self._asked("lead_velocity", "velocity"))
        if self.equilibrium_lorentz is not None:
            result = result + self.equilibrium_lorentz
        return read_only(result)

    @property
    def lorentz(self) -> FloatArray:
        """Antisymmetric part of `velocity`, (n_c, n_c), a force at right angles to the motion.

        With time-reversal symmetry the bias alone makes it; in a magnetic field all occupied
        states have one in equilibrium too, `equilibrium_lorentz`.
        """
        gamma = self.velocity
        return read_only(0.5 * (gamma - gamma.T))

    @property
    def noise(self) -> FloatArray:
        """Noise of the force at zero frequency, S_IJ, shape (n_c, n_c), positive semidefinite.

        <xi_I(t) xi_J(t')> = S_IJ delta(t - t'), S_IJ = 2 pi g sum_{alpha beta} int dE
        f_alpha (1 - f_beta) Re Tr[F_I D_beta F_J D_alpha]; 2 kT friction in equilibrium.
        """
        pairs = self._asked("pair_noise", "noise")
        if not self.linear:
            return read_only(pairs.sum(axis=(0, 1)))
        return read_only(np.tensordot(exchange_window(self.bias, self.temperature), pairs, axes=2))

    def _asked(self, field: str, keyword: str) -> FloatArray:
        """Return a field that is there only if the routine was asked for it."""
        value: FloatArray | None = getattr(self, field)
        if value is None:
            raise ValueError(
                f"This result holds no {keyword}: call force_response with {keyword}=True."
            )
        return value

    def project(self, modes: ArrayLike) -> Self:
        """Return the response in other coordinates, Q_I = sum_k modes[k, I] q_k.

        Parameters
        ----------
        modes : array of float, shape (n_modes, n_c)
            One displacement pattern per row, of any length; F_k = sum_I modes[k, I] F_I.

        Returns
        -------
        ForceResponse of n_modes coordinates.

        Raises
        ------
        ValueError
            For modes of another shape, or that are not real and finite.
        """
        patterns = mode_patterns(modes, len(self.friction), ndim=2, shape="(n_modes, n_c)")

        def projected(tensor: FloatArray | None) -> Any:
            return None if tensor is None else patterns @ tensor @ patterns.T

        return replace(
            self,
            lead_force=self.lead_force @ patterns.T,
            lead_curl=projected(self.lead_curl),
            friction=projected(self.friction),
            lead_jacobian=projected(self.lead_jacobian),
            lead_velocity=projected(self.lead_velocity),
            equilibrium_lorentz=projected(self.equilibrium_lorentz),
            pair_noise=projected(self.pair_noise),
            positions=None,
            sites=None,
        )

    def pumping_rates(
        self, modes: ArrayLike, frequency: ArrayLike, mass: ArrayLike = 1.0
    ) -> PumpingRates:
        """Return the rates of pairs of modes X, Y of equal mass and frequency.

        Parameters
        ----------
        modes : array of float, shape (2, n_c) or (n_pairs, 2, n_c)
            The patterns of X and Y.  The (+) mode goes from X to Y: for X = cos(q x_i) and
            Y = sin(q x_i) it is the wave that travels towards positive x.
        frequency : float or array (n_pairs,)
            Angular frequency omega; hbar omega is an energy, and hbar = 1.
        mass : float or array (n_pairs,)
            Mass M of the coordinates X and Y (for mass-weighted patterns: 1).

        Returns
        -------
        PumpingRates
            One entry per pair (Todorov et al. (2011), Eq. 30).

        Raises
        ------
        ValueError
            For modes of another shape, and frequencies or masses that are not positive.
        """
        pairs = mode_pairs(modes, len(self.friction))
        kappa, trace = pair_responses(self.curl, self.friction, pairs)
        omega = positive_array("frequency", frequency, len(pairs))
        return pumping_rates(
            kappa, trace, omega, positive_array("mass", mass, len(pairs)), units=self.units
        )
