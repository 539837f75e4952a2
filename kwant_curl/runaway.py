"""At what bias which vibration runs away."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, linear_sum_assignment

from kwant_curl.checks import positive_number
from kwant_curl.dynamics import complex_frequencies
from kwant_curl.frozen import freeze, read_only
from kwant_curl.mechanics import mechanics
from kwant_curl.orbits import Orbit, turning
from kwant_curl.results import ForceResponse
from kwant_curl.storage import Storable
from kwant_curl.units import Units
from kwant_curl.vibrations import VibrationalModes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Stability", "critical_bias", "stability"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Bias = float | Mapping[int, float]

MARGINAL = 1e-13
"""Growth below this part of the largest frequency is rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class Stability(Storable):
    """Vibrations under current: complex frequencies at one or more biases.

    Made by `stability`.  The motion of mode s is u(t) = Re v_s exp(-i Omega_s t).

    Attributes
    ----------
    bias : array of float, shape (n_biases, n_leads)
        dmu_alpha, the shifts of the leads' chemical potentials.
    frequencies : array of complex, shape (n_biases, n_modes)
        Omega_s, by ascending real part at the first bias; from one bias to the next a mode is
        followed by the overlap of its vectors.  Im Omega_s is the growth rate of its amplitude.
    amplitudes : array of complex, shape (n_biases, n_modes, n_basis)
        v_s in the basis of the vibrations without current, of length one.
    patterns : array of float, shape (n_basis, n_c)
        Displacement patterns of that basis.
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are.
    units : Units or None
        The units, for labels.
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("point", "lead"),
        "frequencies": ("point", "mode"),
        "amplitudes": ("point", "mode", "vibration"),
        "patterns": ("vibration", "coordinate"),
        "masses": ("coordinate",),
        "positions": ("atom", "direction"),
    }

    bias: FloatArray
    frequencies: ComplexArray
    amplitudes: ComplexArray
    patterns: FloatArray
    masses: FloatArray
    positions: FloatArray | None
    _: KW_ONLY
    units: Units | None = None

    def __post_init__(self) -> None:
        freeze(self, "bias", "frequencies", "amplitudes", "patterns", "masses")
        if self.positions is not None:
            freeze(self, "positions")

    def __repr__(self) -> str:
        """Say how many biases there are, and which mode grows fastest."""
        n_points, n_modes = self.frequencies.shape
        point, mode = np.unravel_index(self.growth.argmax(), self.growth.shape)
        unit = "" if self.units is None else f" {self.units.energy_unit}"
        return (
            f"<Stability of {n_modes} modes at {n_points} biases: growth of up to "
            f"{self.growth[point, mode]:.3g}{unit}/ħ, mode {mode} at a frequency of "
            f"{self.frequencies[point, mode].real:.4g}{unit} and a bias of "
            f"{self.voltage[point]:.4g}{unit}>"
        )

    @property
    def voltage(self) -> FloatArray:
        """The bias as one number, (n_biases,): dmu_0 - dmu_1, or of more leads the largest."""
        if self.bias.shape[1] == 2:
            return read_only(self.bias[:, 0] - self.bias[:, 1])
        return read_only(np.ptp(self.bias, axis=1))

    @property
    def growth(self) -> FloatArray:
        """Growth rate of the energy of each mode, 2 Im Omega, (n_biases, n_modes)."""
        return read_only(2 * self.frequencies.imag)

    @property
    def is_stable(self) -> NDArray[np.bool_]:
        """Whether no mode grows at each bias, (n_biases,)."""
        limit = MARGINAL * np.abs(self.frequencies).max(axis=1, initial=0.0)
        return np.asarray(read_only(self.frequencies.imag.max(axis=1) <= limit))

    @property
    def vectors(self) -> ComplexArray:
        """Displacements v of each mode, (n_biases, n_modes, n_c)."""
        return read_only(self.amplitudes @ self.patterns)

    @property
    def turning(self) -> FloatArray:
        """How each mode turns: (n_biases, n_modes), in 3D (n_biases, n_modes, 3).

        In 2D and 3D its angular momentum in hbar per quantum,
        2 sum_i m_i Im(v_ix^* v_iy)/sum_i m_i |v_i|^2, positive for atoms that go round
        anticlockwise.  On a line which way it travels, sum_i Im(v_i^* v_{i+1})/sum_i |v_i v_{i+1}|
        over neighbours, positive towards positive x.
        """
        return turning(self.vectors, self.masses, self.positions)

    def orbit(self, point: int = -1, mode: int | None = None) -> Orbit:
        """Return the motion of a mode: the orbits of the atoms.

        Parameters
        ----------
        point : int
            Which bias; default the last.
        mode : int, optional
            Which mode; default the one that grows fastest there.
        """
        which = int(self.frequencies[point].imag.argmax()) if mode is None else mode
        return Orbit(
            self.amplitudes[point, which] @ self.patterns,
            float(self.frequencies[point, which].real),
            float(self.growth[point, which]),
            self.masses,
            self.positions,
            units=self.units,
        )

    def plot(
        self, *, ax: "Axes | None" = None, quantity: str = "growth", energy_unit: str | None = None
    ) -> "Axes":
        """Draw growth (or frequency) of all modes against the bias; those that run away in colour.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        quantity : {"growth", "frequency"}
            2 Im Omega, which is minus the damping, or Re Omega.
        energy_unit : str, optional
            Unit for the labels; default the result's own.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from kwant_curl.plotting import plot_stability

        return plot_stability(self, ax=ax, quantity=quantity, energy_unit=energy_unit)


Response = ForceResponse | Callable[[Any], ForceResponse]


def stability(
    response: Response, modes: VibrationalModes, bias: Bias | Sequence[Bias] | None = None
) -> Stability:
    """Return the complex frequencies of the vibrations under current.

    The equation of motion in the basis of the modes, where masses are 1,
    q'' = -(omega^2 - J) q - gamma q', is solved with all that the response holds: J its Jacobian,
    or the curl's part of it, -curl/2; gamma its velocity tensor, or the friction of equilibrium.

    Parameters
    ----------
    response : ForceResponse or callable
        Of the same coordinates as the modes, in linear response if there is more than one bias; or
        a function ``response(bias)`` that returns it at each bias, for whole bias windows
        (``linear=False``).
    modes : VibrationalModes
        The vibrations without current: all, or those that are allowed to mix.
    bias : number, mapping, or a sequence of these, optional
        Where: a number V (lead 0 at +V/2, lead 1 at -V/2), ``{lead: dmu}``, or many of them.
        Default: the bias of the response.

    Returns
    -------
    Stability

    Raises
    ------
    ValueError, TypeError
        For modes of other coordinates than the response's; for several biases and a response that
        is not linear in the bias; for something else than a response.

    Notes
    -----
    An eigenvalue that grows is a runaway ("waterwheel") mode.  The positions of the atoms are
    those without current: the shift of the equilibrium by the force is not followed.
    """
    answers = [_at_bias(response, b) for b in ([None] if bias is None else _listed(bias))]
    systems = [mechanics(answer, modes) for answer in answers]
    frequencies, amplitudes = complex_frequencies(
        np.array([system.stiffness for system in systems]),
        np.array([system.damping for system in systems]),
    )
    _follow(frequencies, amplitudes)
    return Stability(
        bias=np.array([answer.bias for answer in answers]),
        frequencies=frequencies,
        amplitudes=amplitudes,
        patterns=modes.patterns,
        masses=modes.masses,
        positions=modes.positions if answers[0].positions is None else answers[0].positions,
        units=modes.units,
    )


def _listed(bias: Bias | Sequence[Bias]) -> list[Bias]:
    if isinstance(bias, Mapping) or not np.iterable(bias):
        return [bias]
    listed = [b if isinstance(b, Mapping) else float(b) for b in bias]
    if not listed:
        raise ValueError("bias is empty; expected at least one.")
    return listed


def _at_bias(response: Response, bias: Bias | None) -> ForceResponse:
    if isinstance(response, ForceResponse):
        return response if bias is None else response.at_bias(bias)
    answer = response(bias) if callable(response) and bias is not None else response
    if not isinstance(answer, ForceResponse):
        raise TypeError(
            f"response is or returned a {type(answer).__name__}; expected a ForceResponse, or, "
            "with `bias`, a function of the bias that returns one."
        )
    return answer


def _follow(frequencies: ComplexArray, amplitudes: ComplexArray) -> None:
    """Reorder the modes at each bias, in place, so that each is most like itself at the last."""
    for point in range(1, len(frequencies)):
        overlap = np.abs(amplitudes[point - 1].conj() @ amplitudes[point].T) ** 2
        order = linear_sum_assignment(overlap, maximize=True)[1]
        frequencies[point] = frequencies[point, order]
        amplitudes[point] = amplitudes[point, order]


def critical_bias(
    response: Response,
    modes: VibrationalModes,
    largest: float,
    *,
    direction: Bias = 1.0,
    steps: int = 64,
    rtol: float = 1e-9,
) -> float:
    """Return the bias at which the first vibration begins to grow.

    Parameters
    ----------
    response, modes
        As for `stability`.
    largest : float
        How far to search, positive.
    direction : number or mapping
        What the bias is a multiple of.  Default 1.0, for two leads: the result is the bias V
        itself; -1.0 for the reversed current.  ``{lead: dmu}`` for other leads.
    steps : int
        The biases that are looked at first: an instability that begins and ends between two of
        them goes unseen.
    rtol : float
        Relative error of the result.

    Returns
    -------
    float
        The smallest V so that at V times `direction` a mode is about to grow; infinite if none
        does up to `largest`.

    Raises
    ------
    ValueError
        If a mode grows without bias, and as `stability`.

    Notes
    -----
    The root of the largest Im Omega, by `scipy.optimize.brentq`.  For two degenerate modes with
    diagonal friction and the curl alone, V = 2 omega sqrt(eta_XX eta_YY)/|kappa_XY/V|.
    """
    limit = positive_number("largest", largest)
    if steps < 1:
        raise ValueError(f"steps is {steps!r}; expected a positive whole number.")
    tiny = MARGINAL * float(modes.frequencies.max())

    def excess(v: float) -> float:
        found = stability(response, modes, _scaled(direction, v)).frequencies
        return float(found.imag.max()) - tiny

    if excess(0.0) > 0:
        raise ValueError(
            "A mode grows without bias: the friction is not positive, or the Hamiltonian's "
            "derivatives are not those of this system."
        )
    last = 0.0
    for v in limit * np.arange(1, steps + 1) / steps:
        if excess(v) > 0:
            return float(brentq(excess, last, v, xtol=rtol * limit / steps, rtol=rtol))
        last = v
    return math.inf


def _scaled(direction: Bias, factor: float) -> Bias:
    if isinstance(direction, Mapping):
        return {lead: factor * shift for lead, shift in direction.items()}
    return factor * direction
