"""At what bias which vibration runs away."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, linear_sum_assignment

from kwant_curl.checks import positive_number, real_number
from kwant_curl.dynamics import complex_frequencies, fastest_growth
from kwant_curl.frozen import freeze, read_only
from kwant_curl.results import ForceResponse
from kwant_curl.storage import Storable
from kwant_curl.units import Units
from kwant_curl.vibrations.mechanics import Mechanics, mechanics, warn_of_negative_friction
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.orbits import Orbit, angular_momentum, direction_of_travel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Stability", "critical_bias", "stability"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Bias = float | Mapping[int, float]

ITERATIONS = 2000
"""Of the root search: enough to halve from the largest number to the smallest."""

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
    DERIVED = {"growth": ("point", "mode"), "voltage": ("point",)}  # noqa: RUF012

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
        at = f"{n_points} biases" if n_points > 1 else f"a bias of {self.voltage[0]:.4g}{unit}"
        if self.is_stable.all():
            return f"<Stability of {n_modes} modes at {at}: stable>"
        return (
            f"<Stability of {n_modes} modes at {at}: growth of up to "
            f"{self.growth[point, mode]:.3g}{unit}/ħ, of mode {mode} at a frequency of "
            f"{self.frequencies[point, mode].real:.4g}{unit} and a bias of "
            f"{self.voltage[point]:.4g}{unit}>"
        )

    @property
    def voltage(self) -> FloatArray:
        """The bias as one number, (n_biases,).

        dmu_0 - dmu_1 of two leads; of more the largest difference between leads, negative for the
        reverse of the largest bias.
        """
        if self.bias.shape[1] == 2:
            return read_only(self.bias[:, 0] - self.bias[:, 1])
        largest = self.bias[np.abs(self.bias).max(axis=1).argmax()]
        sign = np.where(self.bias @ largest < 0, -1.0, 1.0)
        return read_only(sign * np.ptp(self.bias, axis=1))

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
    def angular_momentum(self) -> FloatArray:
        """Angular momentum of each mode, (n_biases, n_modes), in 3D (n_biases, n_modes, 3).

        In hbar per quantum: 2 sum_i m_i Im(v_ix^* v_iy)/sum_i m_i |v_i|^2, about z in 2D.  Positive
        for atoms that go round anticlockwise; 1 if all do so on circles.
        """
        return angular_momentum(self.vectors, self.masses, self.positions)

    @property
    def travel(self) -> FloatArray:
        """Which way the wave of each mode travels, (n_biases, n_modes, dim).

        sum_ij n_ij Im(v_i^* . v_j)/sum_ij |v_i| |v_j| over pairs of neighbours, n_ij the unit
        vector from one to the other: sin(q a) for a wave of wave number q along a chain, positive
        if it travels towards positive x; zero for a standing wave.
        """
        return direction_of_travel(self.vectors, self.positions)

    def orbit(self, point: int = -1, mode: int | None = None) -> Orbit:
        """Return the motion of a mode: the orbits of the atoms.

        Parameters
        ----------
        point : int
            Which bias; default the last.
        mode : int, optional
            Which mode; default the one that grows fastest there.

        Raises
        ------
        IndexError
            For a bias or a mode that is not there.
        """
        n_points, n_modes = self.frequencies.shape
        if not -n_points <= point < n_points or not -n_modes <= (mode or 0) < n_modes:
            raise IndexError(
                f"point {point}, mode {mode}: there are {n_points} biases and {n_modes} modes."
            )
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

        These are the modes that grow by more than a thousandth of the fastest; dashed where they
        grow without oscillating.

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


AtBias = ForceResponse | Callable[[Any], ForceResponse]
"""A response that may be scaled, or a function of the bias that returns it."""


def stability(
    response: AtBias,
    modes: VibrationalModes,
    bias: Bias | Sequence[Bias] | None = None,
    *,
    damping: ArrayLike = 0.0,
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
    damping : float or array (n_modes,), default 0.0
        Damping of other origin than the electrons, into the leads' lattice for instance: the rate
        at which the energy of each mode decays.

    Returns
    -------
    Stability

    Raises
    ------
    ValueError, TypeError
        For modes of other coordinates than the response's; for several biases and a response that
        is not linear in the bias; for something else than a response; for negative damping.

    Warns
    -----
    RuntimeWarning
        Where linear response is taken so far that the friction has become negative.

    Notes
    -----
    A mode that grows and oscillates is a runaway ("waterwheel") mode.  One with Re Omega = 0 that
    grows is none: the current has made a spring negative, and the atoms leave their places.

    The positions of the atoms are those without current: the shift of the equilibrium by the force
    is not followed.  A threshold from linear response is worth a check with the whole window.
    """
    if bias is None and not isinstance(response, ForceResponse) and callable(response):
        raise TypeError("response is a function of the bias, but bias is not given.")
    biases = [None] if bias is None else _listed(bias)
    answers = [_at_bias(response, b) for b in biases]
    systems = [mechanics(answer, modes, damping) for answer in answers]
    warn_of_negative_friction(answers, systems, stacklevel=3)
    frequencies, amplitudes = _solved(systems)
    _follow(frequencies, amplitudes)
    return Stability(
        bias=np.array([answer.bias for answer in answers]),
        frequencies=frequencies,
        amplitudes=amplitudes,
        patterns=modes.patterns,
        masses=modes.masses,
        positions=modes.positions if answers[0].positions is None else answers[0].positions,
        units=modes.units if answers[0].units is None else answers[0].units,
    )


def _solved(systems: Sequence[Mechanics]) -> tuple[ComplexArray, ComplexArray]:
    return complex_frequencies(
        np.array([system.stiffness for system in systems]),
        np.array([system.damping for system in systems]),
    )


def _listed(bias: Bias | Sequence[Bias]) -> list[Any]:
    """Return the biases; rows of an array (n, n_leads), as `Stability.bias` is, are mappings."""
    if isinstance(bias, Mapping | str) or not np.iterable(bias):
        return [bias]
    listed = [
        b if isinstance(b, Mapping) else dict(enumerate(b)) if np.iterable(b) else b for b in bias
    ]
    if not listed:
        raise ValueError("bias is empty; expected at least one.")
    return listed


def _at_bias(response: AtBias, bias: Any) -> ForceResponse:
    if isinstance(response, ForceResponse):
        return response if bias is None else response.at_bias(bias)
    if not callable(response):
        raise TypeError(
            f"response is a {type(response).__name__}; expected a ForceResponse, or a function of "
            "the bias that returns one."
        )
    answer = response(bias)
    if not isinstance(answer, ForceResponse):
        raise TypeError(
            f"response returned a {type(answer).__name__} at the bias {bias!r}; expected a "
            "ForceResponse."
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
    response: AtBias,
    modes: VibrationalModes,
    largest: float,
    *,
    direction: Bias = 1.0,
    damping: ArrayLike = 0.0,
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
    damping : float or array (n_modes,), default 0.0
        Damping of other origin, as for `stability`.
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
        If a mode grows without bias, for a direction without a bias, and as `stability`.

    Warns
    -----
    RuntimeWarning
        If what grows there does not oscillate: a spring has become negative; and as `stability`.

    Notes
    -----
    The root of the largest Im Omega, by `scipy.optimize.brentq`.  For two degenerate modes with
    diagonal friction and the curl alone, V = 2 omega sqrt(eta_XX eta_YY)/|kappa_XY/V|.
    """
    limit, accuracy = positive_number("largest", largest), positive_number("rtol", rtol)
    _check_direction(direction)
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps is {steps!r}; expected a positive whole number.")

    def system(v: float) -> tuple[ForceResponse, Mechanics]:
        answer = _at_bias(response, _scaled(direction, v))
        return answer, mechanics(answer, modes, damping)

    without = system(0.0)[1]  # which looks at the response and the modes first
    tiny = MARGINAL * float(modes.frequencies.max())

    def excess(v: float) -> float:
        return fastest_growth(*system(v)[1]) - tiny

    if fastest_growth(*without) > tiny:
        raise ValueError(
            "A mode grows without bias: the friction is not positive, or the Hamiltonian's "
            "derivatives are not those of this system."
        )
    last = 0.0
    for v in limit * np.arange(1, steps + 1) / steps:
        if excess(v) > 0:
            root = _root(excess, last, float(v), accuracy)
            _warn_of_the_root(*system(root), root)
            return root
        last = float(v)
    return math.inf


def _root(excess: Callable[[float], float], low: float, high: float, rtol: float) -> float:
    """Return where `excess` turns positive, to a relative error that holds for small roots too."""
    relative = max(rtol, 4 * np.finfo(float).eps)
    tiny = np.finfo(float).tiny
    return float(brentq(excess, low, high, xtol=tiny, rtol=relative, maxiter=ITERATIONS))


def _check_direction(direction: Bias) -> None:
    shifts = list(direction.values()) if isinstance(direction, Mapping) else [direction]
    numbers = [real_number("direction", shift) for shift in shifts]
    if not any(numbers):
        raise ValueError(f"direction is {direction!r}, no bias at all; expected one to multiply.")


def _warn_of_the_root(answer: ForceResponse, system: Mechanics, root: float) -> None:
    """Warn where what becomes unstable is no vibration, or by a friction that is negative."""
    warn_of_negative_friction([answer], [system], stacklevel=4)
    frequencies = _solved([system])[0][0]
    if frequencies[frequencies.imag.argmax()].real == 0:
        warnings.warn(
            f"What becomes unstable at {root:.4g} is no vibration that runs away: the current has "
            "made a spring negative, so that the atoms leave their places.",
            RuntimeWarning,
            stacklevel=3,
        )


def _scaled(direction: Bias, factor: float) -> Bias:
    if isinstance(direction, Mapping):
        return {lead: factor * shift for lead, shift in direction.items()}
    return factor * direction
