"""How fast the current pumps a pair of vibrations into a rotation."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.results.base import Response
from kwant_curl.results.mode_pairs import OfPairs
from kwant_curl.results.rate_notices import (
    notices_of_far_thresholds,
    notices_of_fast_rates,
    notices_of_quanta,
    notices_of_springs,
    notices_of_uneven_friction,
)
from kwant_curl.support.checks import positive_array
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.magnitudes import check_frequencies, check_masses
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units
from kwant_curl.support.warning import issued

if TYPE_CHECKING:
    from kwant.system import FiniteSystem
    from matplotlib.axes import Axes

__all__ = ["PumpingRates", "pumping_rates"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class PumpingRates(Storable):
    """Rates at which directional phonons multiply: dN/dt = growth * N.

    A pair of coordinates X, Y of equal mass M and angular frequency omega makes two directional
    modes.  The (+) mode turns from X to Y, anticlockwise, with angular momentum +hbar; the (-)
    mode turns the other way.

    Attributes
    ----------
    driving : array of float, shape (n,)
        kappa_XY / (2 M omega), what the current adds to the growth of (+) and takes from (-);
        negative where it drives (-).
    damping : array of float, shape (n,)
        (eta_XX + eta_YY) / (2 M), the electronic friction of either mode, there without current.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        Where the assumptions of these rates don't hold, with the numbers; see Notes.
    pairs : array of int, shape (n, 2), or None
        Which modes X and Y are, where they are those of `VibrationalModes`.
    voltage : float or None
        The present bias as one number: the largest difference of the leads' chemical potentials.
    uneven : array of float, shape (n, 2), or None
        (eta_XX - eta_YY)/(2 M) and eta_XY/M: by how much the friction differs between directions,
        which Eq. 30 leaves out.
    springs : array of float, shape (n, 2), or None
        (J_XX - J_YY)/(2 M omega) and (J_XY + J_YX)/(2 M omega) of J_IJ = dF_I/dQ_J: the current's
        own springs, which it leaves out too.  None if the response doesn't hold the Jacobian.
    positions : array of float, shape (n, dim), or None
        Where the oscillators are, of `CurlMap.pumping_rates`: for maps.

    Notes
    -----
    Rates are in units of energy (hbar = 1): one oscillator, or pair of modes, per entry, in the
    order of the result or of the modes that they were asked of.  Todorov et al. (2011),
    Eq. 30 to 32, with N + 1 ~ N.

    Eq. 30 takes the friction as the same in all directions, and the current's own springs as none.
    `full_growth` and `full_threshold` have both, of a pair of one frequency: uneven friction makes
    a pair grow earlier, and where the springs exceed the driving nothing turns.  Along a device
    that is uniform they are exactly as large, since the force doesn't depend on where along the
    device it acts.  `stability` and `critical_bias` solve the equation of motion itself, with
    frequencies that differ.

    They hold for driving and damping well below omega, for hbar omega below the distance of the
    Fermi level from the next band edge, and thresholds for biases below it: `warnings` says where
    not.

    Examples
    --------
    >>> rates = response.at_bias(0.01).pumping_rates(np.eye(2), frequency=0.01, mass=5000.0)
    >>> [*rates.driving.shape, *rates.growth.shape]
    [1, 1, 2]
    >>> bool(rates.driving[0] > 0)  # so the (+) mode is driven, from x to y
    True
    """

    DIMENSIONS = {  # noqa: RUF012
        "driving": ("pair",),
        "damping": ("pair",),
        "pairs": ("pair", "member"),
        "uneven": ("pair", "part"),
        "springs": ("pair", "part"),
        "positions": ("pair", "direction"),
    }
    DERIVED = {  # noqa: RUF012
        "growth": ("pair", "mode"),
        "threshold": ("pair",),
        "full_growth": ("pair",),
        "full_threshold": ("pair",),
    }

    driving: FloatArray
    damping: FloatArray
    units: Units | None = None
    warnings: tuple[str, ...] = ()
    pairs: NDArray[np.int64] | None = None
    voltage: float | None = None
    uneven: FloatArray | None = None
    springs: FloatArray | None = None
    positions: FloatArray | None = None

    def __repr__(self) -> str:
        """Say how many grow, and where the threshold is lowest."""
        if not self.driving.size:
            return f"<PumpingRates of nothing>{self._noted}"
        return (
            f"<PumpingRates of {len(self.driving)} pairs of modes, of which "
            f"{np.count_nonzero(self.full_growth > 0)} grow; threshold from "
            f"{self.full_threshold.min():.4g} times the present bias>{self._noted}"
        )

    @property
    def growth(self) -> FloatArray:
        """Growth rates of (+) and (-), shape (n, 2): -damping + driving, -damping - driving."""
        return read_only(
            np.stack([self.driving - self.damping, -self.driving - self.damping], axis=-1)
        )

    @property
    def threshold(self) -> FloatArray:
        """The factor on the present bias at which the driven mode starts to grow, shape (n,).

        Infinite where the current drives neither mode.
        """
        driving = np.abs(self.driving)
        result = np.full_like(driving, np.inf)
        np.divide(self.damping, driving, out=result, where=driving > 0)
        return read_only(result)

    @property
    def full_growth(self) -> FloatArray:
        """Growth rate of the fastest motion of each pair, with all that is known of it, (n,).

        -damping + |Im sqrt(springs^2 - uneven^2 - driving^2 + 2i uneven.springs)|, for rates well
        below the frequency, which X and Y share; `growth` of the driven mode without uneven
        friction and springs.
        """
        uneven, springs = self._left_out
        square = (springs**2).sum(axis=1) - (uneven**2).sum(axis=1) - self.driving**2
        root = np.sqrt(square + 2j * (uneven * springs).sum(axis=1))
        return read_only(np.abs(root.imag) - self.damping)

    @property
    def full_threshold(self) -> FloatArray:
        """The factor on the present bias at which `full_growth` becomes positive, (n,).

        sqrt[(damping^2 - uneven^2)/(driving^2 - springs^2 + (uneven.springs)^2/damping^2)];
        without springs the bias at which |kappa_XY| = 2 omega sqrt(det eta).  Infinite where the
        pair doesn't turn.
        """
        uneven, springs = self._left_out
        # Of a friction that is positive semidefinite, but for rounding.
        held = np.maximum(self.damping**2 - (uneven**2).sum(axis=1), 0.0)
        both = np.zeros_like(held)
        np.divide((uneven * springs).sum(axis=1), self.damping, out=both, where=self.damping > 0)
        turning = self.driving**2 - (springs**2).sum(axis=1) + both**2
        result = np.full_like(held, np.inf)
        drives = (turning > 0) & (self.driving != 0)
        np.sqrt(np.divide(held, turning, out=held, where=drives), out=result, where=drives)
        return read_only(result)

    @property
    def full_threshold_bias(self) -> FloatArray:
        """`full_threshold` as an energy, (n,), the largest difference of chemical potentials.

        Raises
        ------
        ValueError
            As `threshold_bias`.
        """
        return read_only(self.full_threshold * self._known_voltage)

    @property
    def _left_out(self) -> tuple[FloatArray, FloatArray]:
        """What Eq. 30 leaves out, `uneven` and `springs`; zero where it is not known."""
        nothing = np.zeros((len(self.driving), 2))
        return (
            nothing if self.uneven is None else self.uneven,
            nothing if self.springs is None else self.springs,
        )

    @property
    def threshold_bias(self) -> FloatArray:
        """The bias at which the driven mode starts to grow, shape (n,): `threshold` as an energy.

        The largest difference of the leads' chemical potentials there, positive.

        Raises
        ------
        ValueError
            If the present bias is not known: of a file of an earlier version, or made by hand.
        """
        return read_only(self.threshold * self._known_voltage)

    @property
    def _known_voltage(self) -> float:
        if self.voltage is None:
            raise ValueError(
                "The present bias is not known to these rates; multiply `threshold` with it, or "
                "call pumping_rates again."
            )
        return self.voltage

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        quantity: str = "rates",
        x: ArrayLike | None = None,
        xlabel: str = "mode",
        syst: "FiniteSystem | None" = None,
        energy_unit: str | None = None,
        length_unit: str | None = None,
    ) -> "Axes":
        """Draw the driving of the (+) modes by the current, or a map over the atoms.

        The driving is drawn between the friction of either sign: a mode grows where it leaves the
        band, (+) above it, (-) below.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw, 3D axes for a map in 3D; a new figure if not given.
        quantity : {"rates", "growth", "driving", "threshold"}
            Driving and friction side by side, or on each atom the growth of the faster one of (+)
            and (-), the driving of (+), or the bias from which the driven one grows (the factor on
            the present bias where this is not known).  Of thresholds the scale is logarithmic;
            those above a hundred times the lowest have the last colour, infinite ones are grey.
        x : array (n,), optional
            Abscissa of each entry, which are then joined by a line; default its index.
        xlabel : str
            Label of the abscissa.
        syst : kwant.system.FiniteSystem, optional
            The system, to draw all of its sites behind a map.
        energy_unit, length_unit : str, optional
            Units of the labels; the numbers are in them then, and rates in energy over hbar.
            Default: rates in 1/ps and bias in V where the units are known, lengths in the
            result's own.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            For a map of rates that don't know their `positions`, and keywords of the other kind
            of figure.
        """
        return plot(
            self,
            ax=ax,
            quantity=quantity,
            x=x,
            xlabel=xlabel,
            syst=syst,
            energy_unit=energy_unit,
            length_unit=length_unit,
        )


def pumping_rates(
    response: Response, pairs: OfPairs, frequency: ArrayLike, mass: ArrayLike
) -> PumpingRates:
    """Return the rates of pairs (Eq. 30).

    Frequency and mass are one number, or one per pair; raise if they are not positive, or, where
    the units are known, those of no atoms.
    """
    n = len(pairs.kappa)
    omega = positive_array("frequency", frequency, n)
    masses = positive_array("mass", mass, n)
    if pairs.squares is not None and n:
        check_frequencies(omega, response.units)
        check_masses(masses, response.units, squares=pairs.squares)
    with np.errstate(all="ignore"):
        driving, damping = pairs.kappa / (2 * masses * omega), pairs.friction / (2 * masses)
        finite = np.isfinite([driving / omega, damping / omega]).all()
    if not finite:
        raise ValueError(
            f"frequency {frequency!r} and mass {mass!r} give rates beyond all numbers; expected "
            "hbar omega in the unit of energy of the Hamiltonian, masses in hbar^2 / (energy "
            "length^2)."
        )
    rates = PumpingRates(
        driving,
        damping,
        units=response.units,
        voltage=float(np.ptp(response.bias)),
        uneven=pairs.uneven / masses[:, None],
        springs=None if pairs.springs is None else pairs.springs / (masses * omega)[:, None],
        params=response.params,
        version=response.version,
        seconds=response.seconds,
    )
    if not n:
        return rates
    notices = [
        *notices_of_fast_rates(rates, omega),
        *notices_of_quanta(response, omega),
    ]
    # What Eq. 30 leaves out is in most devices no mistake of the user's: said where they print.
    doubts = [
        *notices_of_far_thresholds(response, float(rates.threshold.min())),
        *notices_of_uneven_friction(rates),
        *notices_of_springs(rates),
    ]
    return replace(rates, warnings=issued(notices, doubts))
