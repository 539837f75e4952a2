"""What a study of a junction found."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwant_curl.results.force_response import ForceResponse
from kwant_curl.studies.checks import Check, checks_of
from kwant_curl.studies.page import page, table
from kwant_curl.support.drawing import picture, plot
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names
from kwant_curl.vibrations import (
    CriticalBias,
    Orbit,
    PumpedPairs,
    Stability,
    VibrationalModes,
    stability,
)

if TYPE_CHECKING:
    from kwant.system import FiniteSystem
    from matplotlib.axes import Axes

__all__ = ["Study"]

FloatArray = NDArray[np.float64]

BIASES = 41
"""At which growth is drawn."""


@dataclass(frozen=True, eq=False, repr=False)
class Study(Storable):
    """What the current does to the vibrations of a junction, and whether to believe it.

    Made by `study`.  ``print(result)`` gives a page of text, a notebook a table and figures.
    hbar = 1: rates and currents are in units of energy, see `Units.per_picosecond` and
    `Units.ampere`; a bias is an energy, see `Units.volt`.

    Attributes
    ----------
    response : ForceResponse
        Force, curl, friction and more in linear response, at the bias.
    modes : VibrationalModes
        The vibrations without current.
    pairs : PumpedPairs
        Pairs of them, those first that the current drives most.
    critical : CriticalBias
        The largest difference between leads at which the first vibration runs away, the leads'
        shifts being in the proportion of those of `response`; with the mode and its orbit.
    stability : Stability
        All vibrations at the bias.
    currents : array of float, shape (n_leads,)
        Electrons per unit of time that come out of each lead into the device, `degeneracy`
        included; their sum is zero.  Of the whole bias window where `whole` is known.
    power : float
        sum_alpha dmu_alpha currents_alpha, what the bias spends.
    current_error : float
        Estimated error of the currents' integral, relative to the largest element.
    at_interfaces : float
        Of the motion that runs away (or decays most slowly) the part, from 0 to 1, of its squared
        elements of dH that is at orbitals to which leads are attached, which stay at rest.
    beside_fixed : float or None
        The part of its energy that is in atoms whose hoppings go to sites that don't move.
    assumed_equal : bool
        Whether one frequency was given for all vibrations.
    damping : array of float, shape (n_modes,)
        Damping of other origin.
    rtol : float
        Error of integrals over energy that was asked for.
    whole : ForceResponse or None
        The same as `response` of the whole bias window.
    whole_critical : CriticalBias or None
        The critical bias of it, searched as far as it was integrated.
    whole_stability : Stability or None
        All vibrations at the bias, with it.
    window_error : float
        The largest estimated error of the window's integrals at the biases looked at.
    warnings : tuple of str
        What was warned of.

    Examples
    --------
    >>> found = study(syst, moving, energy, modes=modes, bias=0.01)
    >>> found.currents.shape
    (2,)
    """

    DIMENSIONS = {"currents": ("lead",), "damping": ("mode",)}  # noqa: RUF012

    response: ForceResponse
    modes: VibrationalModes
    pairs: PumpedPairs
    critical: CriticalBias
    stability: Stability
    currents: FloatArray
    power: float
    _: KW_ONLY
    current_error: float
    at_interfaces: float
    beside_fixed: float | None
    assumed_equal: bool
    damping: FloatArray
    rtol: float
    whole: ForceResponse | None = None
    whole_critical: CriticalBias | None = None
    whole_stability: Stability | None = None
    window_error: float = 0.0
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say at what bias what runs away, and what is in doubt."""
        unit = spaced(unit_names(self.units).energy)
        bias = self.critical.bias
        runs = (
            f"runs away at {bias:.4g}{unit}"
            if np.isfinite(bias)
            else f"stable up to {self.critical.largest:.4g}{unit}"
        )
        doubts = [check.name for check in self.checks if check.holds is False]
        return (
            f"<Study of {len(self.modes)} vibrations at a bias of {self.voltage:.4g}{unit}: {runs}"
            f"{'; in doubt: ' + ', '.join(doubts) if doubts else ''}>{self._noted}"
        )

    def __str__(self) -> str:
        """Return the page."""
        return page(self)

    def _repr_html_(self) -> str:
        """Show the table and the figures in a notebook."""
        return f"{table(self)}<img src='data:image/png;base64,{picture(self)}'/>"

    @property
    def units(self) -> Units | None:
        """The units, if they were given."""
        return self.response.units or self.modes.units

    @property
    def voltage(self) -> float:
        """The bias as one number: the largest difference of the leads' chemical potentials."""
        return float(np.ptp(self.response.bias))

    @property
    def driven(self) -> tuple[int, int]:
        """The two modes that the current drives most, in the order in which it turns them."""
        first, second = (int(number) for number in self.pairs.pairs[0])
        return (first, second) if self.pairs.driving[0] >= 0 else (second, first)

    @property
    def growth(self) -> float:
        """Growth rate of the energy of the fastest vibration at the bias; negative: it decays."""
        return float(self.stability.growth.max())

    @property
    def degenerate_bias(self) -> float:
        """Threshold of the driven pair by Eq. 30, which takes its two modes as degenerate."""
        driving = abs(float(self.pairs.driving[0]))
        return self.voltage * float(self.pairs.damping[0]) / driving if driving else float("inf")

    @property
    def checks(self) -> tuple[Check, ...]:
        """Whether the assumptions hold, each with its number."""
        return checks_of(self)

    @property
    def is_trusted(self) -> bool:
        """Whether no assumption is known to fail; some may not be known."""
        return all(check.holds is not False for check in self.checks)

    def orbit(self) -> Orbit:
        """Return the motion that runs away first; if none does, that which decays most slowly."""
        return self.stability.orbit() if self.critical.vector is None else self.critical.orbit()

    def against_bias(self) -> Stability:
        """Return all vibrations at 41 biases, from zero to beyond this and the critical bias."""
        critical = self.critical.bias
        largest = self.voltage if np.isinf(critical) else max(self.voltage, 1.5 * critical)
        shifts = self.response.bias / self.voltage
        biases = [dict(enumerate((v * shifts).tolist())) for v in np.linspace(0, largest, BIASES)]
        return stability(self.response, self.modes, biases, damping=self.damping)

    def plot(self, *, ax: "Axes | None" = None, syst: "FiniteSystem | None" = None) -> "Axes":
        """Draw growth against bias, with the critical bias, and beside it the motion.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw growth against bias, alone; a new figure with both if not given.
        syst : kwant.system.FiniteSystem, optional
            The system, to draw its sites and bonds behind the motion.

        Returns
        -------
        matplotlib.axes.Axes
            Those of growth against bias.
        """
        return plot(self, ax=ax, syst=syst)
