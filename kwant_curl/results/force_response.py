"""Force, curl, friction and more of coupled coordinates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.occupations import chemical_potential_shifts, exchange_window
from kwant_curl.results.base import Response
from kwant_curl.results.given import check_direction, given_fields, negative_friction
from kwant_curl.results.mode_pairs import mode_patterns, pair_responses
from kwant_curl.results.modes import ModeSet, Moved, chosen_pairs
from kwant_curl.results.pumping_rates import PumpingRates, pumping_rates
from kwant_curl.results.spectrum import Spectrum
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import Units
from kwant_curl.support.warning import issued

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ForceResponse"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ForceResponse(Response):
    """Nonequilibrium force, generalised curl and electronic friction of coupled coordinates.

    Made by `force_response`, or `from_arrays` of matrices of other codes.  Coordinates I, J are in
    the order of the specification.  hbar = 1: forces are in energy per unit of Q, curls in energy
    per Q_I Q_J, frictions in hbar per Q_I Q_J.  All of them hold `degeneracy`.

    Attributes
    ----------
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy of every level.
    lead_force : array of float, shape (n_leads, n_c), or None
        Force per unit shift of the chemical potential of each lead; None where other codes' arrays
        were given without it.
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
        Antisymmetric part of the velocity tensor in equilibrium, of all occupied states, bound
        ones too: zero with time-reversal symmetry.  None if the velocity tensor was not asked
        for, or `fermi_sea` was not and the symmetry is broken.
    pair_noise : array of float, shape (n_leads, n_leads, n_c, n_c), or None
        2 pi Re Tr[F_I D_beta F_J D_alpha] of each pair of leads, if it was asked for;
        integrated with f_alpha (1 - f_beta) where the response is not linear.
    crossed_noise : array of float, shape (n_leads, n_leads, n_c, n_c), or None
        In a Nambu model in linear response, the same between electrons of the first lead and holes
        of the second, which shift apart by the sum of the leads' shifts.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are, if the coordinates are their displacements.
    sites : array of int, shape (n_atoms,), or None
        The sites that they are.
    given_at : array of float, shape (n_leads,), or None
        The shifts of the leads at which arrays of another code were given, see `from_arrays`: what
        is given by lead is known for multiples of them alone.
    given_noise : array of float, shape (n_c, n_c), or None
        The noise that was given there.
    temperature, linear, error, partial, units, pinned, band_distance, resonance_distance, warnings,
    spectrum
        See `Response`.

    Examples
    --------
    >>> np.allclose(response.at_bias(0.1).curl, 2 * response.curl)  # without a new solve
    True
    >>> response.pumping_rates(np.eye(2), frequency=0.01, mass=5000.0).damping.shape
    (1,)
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("lead",),
        "pinned": ("lead",),
        "lead_force": ("lead", "coordinate"),
        "lead_curl": ("lead", "coordinate_of_motion", "coordinate"),
        "friction": ("coordinate", "coordinate_of_motion"),
        "lead_jacobian": ("lead", "coordinate", "coordinate_of_motion"),
        "lead_velocity": ("lead", "coordinate", "coordinate_of_motion"),
        "equilibrium_lorentz": ("coordinate", "coordinate_of_motion"),
        "pair_noise": ("lead", "other_lead", "coordinate", "coordinate_of_motion"),
        "crossed_noise": ("lead", "other_lead", "coordinate", "coordinate_of_motion"),
        "positions": ("atom", "direction"),
        "sites": ("atom",),
        "given_at": ("lead",),
        "given_noise": ("coordinate", "coordinate_of_motion"),
    }
    DERIVED = {  # noqa: RUF012
        "force": ("coordinate",),
        "curl": ("coordinate_of_motion", "coordinate"),
    }

    lead_force: FloatArray | None
    lead_curl: FloatArray
    friction: FloatArray
    _: KW_ONLY
    lead_jacobian: FloatArray | None = None
    lead_velocity: FloatArray | None = None
    equilibrium_lorentz: FloatArray | None = None
    pair_noise: FloatArray | None = None
    crossed_noise: FloatArray | None = None
    positions: FloatArray | None = None
    sites: NDArray[np.int64] | None = None
    given_at: FloatArray | None = None
    given_noise: FloatArray | None = None

    @classmethod
    def from_arrays(
        cls,
        *,
        friction: ArrayLike,
        curl: ArrayLike | None = None,
        jacobian: ArrayLike | None = None,
        velocity: ArrayLike | None = None,
        noise: ArrayLike | None = None,
        force: ArrayLike | None = None,
        bias: float | Mapping[int, float] = 1.0,
        energy: float = 0.0,
        temperature: float = 0.0,
        positions: ArrayLike | None = None,
        sites: ArrayLike | None = None,
        units: Units | None = None,
    ) -> Self:
        """Return the response that matrices of another code describe, at the bias given.

        Parameters
        ----------
        friction : array (n_c, n_c)
            eta_IJ of equilibrium, symmetric, in hbar per Q_I Q_J, degeneracy (spin) included.
        curl : array (n_c, n_c), optional
            kappa_IJ = dF_J/dQ_I - dF_I/dQ_J at this bias, antisymmetric.
        jacobian : array (n_c, n_c), optional
            dF_I/dQ_J of the nonequilibrium force at this bias.  Its antisymmetric part is -curl/2;
            of `curl` and `jacobian` one at least is to be given.
        velocity : array (n_c, n_c), optional
            The whole velocity tensor at this bias, of a force -sum_J gamma_IJ dQ_J/dt: friction,
            what the bias adds to it, Lorentz-like force.  In a magnetic field without the
            Lorentz-like force of equilibrium, which doesn't scale with the bias.
        noise : array (n_c, n_c), optional
            S_IJ at this bias, <xi_I(t) xi_J(t')> = S_IJ delta(t - t'), positive semidefinite.
        force : array (n_c,), optional
            Nonequilibrium force at this bias.
        bias : float or mapping
            Where the arrays hold: a number V, lead 0 at +V/2 and lead 1 at -V/2, or
            ``{lead: dmu}``.  Default 1.0: arrays per unit of bias.
        energy : float, default 0.0
            The equilibrium Fermi level, for the record.
        temperature : float, default 0.0
            kT at which the arrays hold.
        positions : array (n_atoms, dim), optional
            Where the atoms are, if the coordinates are their displacements.
        sites : array of int (n_atoms,), optional
            The sites that they are.
        units : Units, optional
            The units, for labels; masses and frequencies that no atoms have are then an error.

        Returns
        -------
        ForceResponse
            In linear response: `at_bias` scales curl, Jacobian, force and velocity - friction with
            the bias, and knows multiples of the bias given alone; the friction stays, and the
            noise is known at the bias given only.

        Raises
        ------
        ValueError, TypeError
            For arrays of another shape, complex or not finite; a friction or a noise that is not
            symmetric, or a curl that is not antisymmetric, by more than 1e-6 of the largest element
            (below that the rest is left out); a curl that is not that of the Jacobian; a noise
            with an eigenvalue below -1e-6 of the largest (above that it is set to zero); a bias
            without current.

        Warns
        -----
        RuntimeWarning
            For a friction with a negative eigenvalue.
        """
        arrays = {"friction": friction, "curl": curl, "jacobian": jacobian, "velocity": velocity}
        arrays |= {"noise": noise, "force": force, "positions": positions, "sites": sites}
        operation = {"bias": bias, "energy": energy, "temperature": temperature, "units": units}
        fields = given_fields(arrays, operation)
        return cls(**fields, warnings=issued(negative_friction(fields["friction"])))

    def derived(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the dimensions of what follows from the arrays."""
        known = dict(self.DERIVED)
        if self.lead_force is None:
            del known["force"]
        return known

    def __repr__(self) -> str:
        """Say how large it is, what it holds, and where the curl is largest."""
        size = np.abs(self.curl)
        first, second = (int(i) for i in np.unravel_index(size.argmax(), size.shape))
        more = [
            name for name in ("jacobian", "velocity") if getattr(self, f"lead_{name}") is not None
        ]
        held = self.pair_noise is not None or self.given_noise is not None
        more += ["noise"] if held else []
        extra = f"; with {', '.join(more)}" if more else ""
        return (
            f"<ForceResponse of {len(self.friction)} coordinates, {self._operation}: curl of up "
            f"to {size[first, second]:.4g} between {first} and {second}{extra}>{self._noted}"
        )

    @property
    def force(self) -> FloatArray:
        """Nonequilibrium force Delta F_I, shape (n_c,): the sum of all leads' shares."""
        if self.lead_force is None:
            raise ValueError("This result holds no force: from_arrays was called without force=.")
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
        if self.given_noise is not None and self.given_at is not None:
            if not np.allclose(self.bias, self.given_at, rtol=1e-12, atol=0.0):
                raise ValueError(
                    f"The noise was given at the bias {dict(enumerate(self.given_at.tolist()))}; "
                    f"at {dict(enumerate(self.bias.tolist()))} it is not known, since it is not "
                    "linear in the bias. Give the arrays at that bias to from_arrays."
                )
            return self.given_noise
        pairs = self._asked("pair_noise", "noise")
        if not self.linear:
            return read_only(pairs.sum(axis=(0, 1)))
        shifts, kt = self.bias, self.temperature
        result = np.tensordot(exchange_window(shifts, kt), pairs, axes=2)
        if self.crossed_noise is not None:
            both_ways = (exchange_window(x, kt, -x) for x in (shifts, -shifts))
            result = result + np.tensordot(sum(both_ways), self.crossed_noise, axes=2)
        return read_only(result)

    def _asked(self, field: str, keyword: str) -> FloatArray:
        """Return a field that is there only if the routine was asked for it."""
        value: FloatArray | None = getattr(self, field)
        if value is None and self.given_at is not None:
            raise ValueError(
                f"This result holds no {keyword}: from_arrays was called without {keyword}=."
            )
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
            lead_force=None if self.lead_force is None else self.lead_force @ patterns.T,
            lead_curl=projected(self.lead_curl),
            friction=projected(self.friction),
            lead_jacobian=projected(self.lead_jacobian),
            lead_velocity=projected(self.lead_velocity),
            equilibrium_lorentz=projected(self.equilibrium_lorentz),
            pair_noise=projected(self.pair_noise),
            crossed_noise=projected(self.crossed_noise),
            given_noise=projected(self.given_noise),
            positions=None,
            sites=None,
            spectrum=_projected(self.spectrum, patterns),
        )

    def at_bias(self, bias: float | Mapping[int, float]) -> Self:
        """Return the result at another bias, without a new solve; exact in linear response.

        Of a whole bias window (``linear=False``) any bias whose window lies within that which was
        integrated over, from the energies that were sampled there; of arrays (`from_arrays`) any
        multiple of the bias at which they were given.

        Raises
        ------
        ValueError
            For a window that goes beyond that of the result, or a result that has kept no energies
            (of a Nambu model), and for a bias that shifts a superconducting lead; for another
            direction than that of arrays.
        """
        if self.given_at is not None:
            check_direction(chemical_potential_shifts(bias, len(self.bias)), self.given_at)
        return super().at_bias(bias)

    def _at(self, shifts: FloatArray, temperature: float, what: str) -> Self:
        """Return the result where the device is operated otherwise, from its spectrum."""
        if self.given_at is not None:
            raise ValueError(
                f"The arrays of this result were given at one {what}, {self.temperature}; give "
                f"those at another {what} to from_arrays."
            )
        lorentz = self.equilibrium_lorentz
        if temperature != self.temperature and lorentz is not None and lorentz.any():
            raise ValueError(
                "The Lorentz-like force of equilibrium (fermi_sea=True) is not known at another "
                "temperature; call force_response again with it."
            )
        return super()._at(shifts, temperature, what)

    def pumping_rates(
        self,
        modes: ArrayLike | ModeSet,
        frequency: ArrayLike | None = None,
        mass: ArrayLike = 1.0,
        *,
        pairs: ArrayLike | None = None,
    ) -> PumpingRates:
        """Return the rates of pairs of modes X, Y of equal mass and frequency.

        Parameters
        ----------
        modes : VibrationalModes, or array of float, shape (2, n_c) or (n_pairs, 2, n_c)
            Modes of which pairs are made, or the patterns of X and Y.  The (+) mode goes from X to
            Y: for X = cos(q x_i) and Y = sin(q x_i) it is the wave that travels towards positive x.
        frequency : float or array (n_pairs,)
            Angular frequency omega; hbar omega is an energy, and hbar = 1.  Of `VibrationalModes`
            not to be given: sqrt(omega_k omega_m).
        mass : float or array (n_pairs,)
            Mass M of the coordinates X and Y (for mass-weighted patterns: 1).
        pairs : array of int, shape (n_pairs, 2), optional
            Which of the `VibrationalModes` are X and Y.  Default: all pairs k < m.

        Returns
        -------
        PumpingRates
            One entry per pair (Todorov et al. (2011), Eq. 30).

        Raises
        ------
        ValueError
            For modes of another shape, and frequencies or masses that are not positive; for
            displacements whose units are known, masses below that of hydrogen and frequencies
            above 1 eV.

        Warns
        -----
        RuntimeWarning
            Where the assumptions of these rates don't hold; see `PumpingRates`.
        """
        moved = Moved(len(self.friction), self.positions, self.sites, self.units, self.temperature)
        chosen = chosen_pairs(modes, pairs, frequency, mass, moved)
        jacobian = None if self.lead_jacobian is None else self.jacobian
        of_pairs = pair_responses(self.curl, self.friction, jacobian, chosen.patterns)
        known = self.positions is None or chosen.numbers is not None  # those have been checked
        squares = None if known else np.max(np.sum(chosen.patterns**2, axis=2), axis=1)
        of_pairs = of_pairs._replace(squares=squares)
        rates = pumping_rates(self, of_pairs, chosen.frequency, chosen.mass)
        return replace(rates, pairs=chosen.numbers)

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        quantity: str = "curl",
        modes: ModeSet | None = None,
        labels: Sequence[str] | None = None,
        energy_unit: str | None = None,
        length_unit: str | None = None,
    ) -> "Axes":
        """Draw a matrix in colour, on a scale that is symmetric about zero.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        quantity : {"curl", "friction", "jacobian", "velocity", "lorentz", "noise"}
            Which one, row I and column J.
        modes : VibrationalModes, optional
            Draw the matrix between these modes, of mass 1 each; default between the coordinates.
        labels : sequence of str, optional
            Names of the rows.  Default: of modes their frequencies, in meV where the units are
            known; of displacements the atom's number and the direction.
        energy_unit, length_unit : str, optional
            Units of the labels; the numbers are in them then.  Default: those of the result;
            between modes meV^2/hbar^2 and 1/ps where the units are known (the noise in the
            result's own).  Matrices of coordinates that aren't atoms' displacements have none.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError, TypeError
            For a matrix that the result doesn't hold, modes of other coordinates, and labels that
            are too many or too few.
        """
        return plot(
            self,
            ax=ax,
            quantity=quantity,
            modes=modes,
            labels=labels,
            energy_unit=energy_unit,
            length_unit=length_unit,
        )


def _projected(spectrum: Spectrum | None, patterns: FloatArray) -> Spectrum | None:
    """Return samples in other coordinates."""
    if spectrum is None:
        return None

    def tensor(samples: FloatArray) -> FloatArray:
        return patterns @ samples @ patterns.T

    functions: dict[str, Callable[[FloatArray], FloatArray]] = dict.fromkeys(spectrum.names, tensor)
    functions["lead_force"] = lambda force: force @ patterns.T
    return spectrum.mapped(functions)
