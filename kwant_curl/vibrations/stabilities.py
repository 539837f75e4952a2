"""Vibrations under current: complex frequencies, and which vibration grows at what bias."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import Units, spaced, unit_names
from kwant_curl.vibrations.motions import Motions
from kwant_curl.vibrations.orbits import Orbit, orbit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kwant_curl.vibrations.critical import CriticalBias

__all__ = ["MARGINAL", "Stability"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

MARGINAL = 1e-13
"""Growth below this part of the largest frequency is rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class Stability(Motions):
    """Vibrations under current: complex frequencies at one or more biases.

    Made by `stability`.  The motion of mode s is u(t) = Re v_s exp(-i Omega_s t).

    Attributes
    ----------
    bias : array of float, shape (n_biases, n_leads)
        dmu_alpha, the shifts of the leads' chemical potentials.
    frequencies : array of complex, shape (n_biases, n_modes)
        Omega_s, by ascending real part at the first bias; from one bias to the next a mode is
        followed by the overlap of its vectors.  Im Omega_s is the growth rate of its amplitude.
        With phonon leads all that grow, then those that are most the moving atoms' own.
    amplitudes : array of complex, shape (n_biases, n_modes, n_basis)
        v_s in the basis of the vibrations without current, of length one.
    patterns : array of float, shape (n_basis, n_c)
        Displacement patterns of that basis.
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are.
    driving, friction, lattice, other : array of float, shape (n_biases, n_modes), or None
        What makes the energy of each mode grow or decay: the current's force J q, the electrons'
        -gamma q', the lattice of the leads, and damping of other origin.  Their work per unit of
        time over the energy |Omega|^2 + v^+ omega^2 v; the sum is `growth`.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.

    Examples
    --------
    >>> curve = stability(response, modes, [0.0, 0.02, 0.04])
    >>> curve.growth.shape  # biases, modes
    (3, 2)
    >>> bool((curve.growth < 0).all())  # all vibrations decay
    True
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("point", "lead"),
        "frequencies": ("point", "mode"),
        "amplitudes": ("point", "mode", "vibration"),
        "patterns": ("vibration", "coordinate"),
        "driving": ("point", "mode"),
        "friction": ("point", "mode"),
        "lattice": ("point", "mode"),
        "other": ("point", "mode"),
        **Motions.DIMENSIONS,
    }
    DERIVED = {"growth": ("point", "mode"), "voltage": ("point",)}  # noqa: RUF012

    bias: FloatArray
    frequencies: ComplexArray
    amplitudes: ComplexArray
    patterns: FloatArray
    masses: FloatArray
    positions: FloatArray | None
    _: KW_ONLY
    driving: FloatArray | None = None
    friction: FloatArray | None = None
    lattice: FloatArray | None = None
    other: FloatArray | None = None
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say how many biases there are, and which mode grows fastest."""
        n_points, n_modes = self.frequencies.shape
        point, mode = np.unravel_index(self.growth.argmax(), self.growth.shape)
        unit = spaced(unit_names(self.units).energy)
        at = f"{n_points} biases" if n_points > 1 else f"a bias of {self.voltage[0]:.4g}{unit}"
        if self.is_stable.all():
            return f"<Stability of {n_modes} modes at {at}: stable>{self._noted}"
        return (
            f"<Stability of {n_modes} modes at {at}: growth of up to "
            f"{self.growth[point, mode]:.3g}{unit}/ħ, of mode {mode} at a frequency of "
            f"{self.frequencies[point, mode].real:.4g}{unit} and a bias of "
            f"{self.voltage[point]:.4g}{unit}>{self._noted}"
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
    def growing(self) -> NDArray[np.bool_]:
        """Whether each mode grows at each bias by more than rounding, (n_biases, n_modes)."""
        limit = MARGINAL * np.abs(self.frequencies).max(axis=1, initial=0.0, keepdims=True)
        return np.asarray(read_only(self.frequencies.imag > limit))

    @property
    def is_stable(self) -> NDArray[np.bool_]:
        """Whether no mode grows at each bias, (n_biases,)."""
        return np.asarray(read_only(~np.asarray(self.growing.any(axis=1))))

    @property
    def onset(self) -> tuple[float, int] | None:
        """The smallest bias at which a mode begins to grow, between the samples, and which mode.

        Its growth is taken as linear between the last bias (`voltage`, from the smallest on, of
        either sign) at which all modes decay and the next one; `critical_bias` searches for it.
        None where no mode begins to grow: all decay, or one grows at the smallest bias already.
        """
        found: list[tuple[float, int]] = []
        smallest = np.abs(self.voltage).argmin()
        start = self.voltage[smallest]
        for sign in (1, -1):
            order = np.argsort(sign * self.voltage, kind="stable")
            order = order[sign * (self.voltage[order] - start) >= 0]
            grows = ~self.is_stable[order]
            place = int(grows.argmax())
            if not grows.any() or not place:
                continue
            before, after = order[place - 1], order[place]
            low, high = np.minimum(self.growth[before], 0.0), self.growth[after]
            which = np.flatnonzero(self.growing[after])
            part = -low[which] / (high[which] - low[which])
            way = float(self.voltage[after] - self.voltage[before])
            mode = int(which[part.argmin()])
            found.append((float(self.voltage[before]) + way * float(part.min()), mode))
        return min(found, key=lambda pair: abs(pair[0]), default=None)

    @property
    def vectors(self) -> ComplexArray:
        """Displacements v of each mode, (n_biases, n_modes, n_c)."""
        return read_only(self.amplitudes @ self.patterns)

    @property
    def _motions(self) -> ComplexArray:
        return self.vectors

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
        vector = self.amplitudes[point, which] @ self.patterns
        return orbit_of(self, vector, self.frequencies[point, which])

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        quantity: str = "growth",
        critical: "CriticalBias | None" = None,
        energy_unit: str | None = None,
    ) -> "Axes":
        """Draw growth (or frequency) against the bias, in colour the mode that grows first.

        The critical bias is marked.  Modes that grow too are dark grey, those that decay everywhere
        are light; dashed are those that grow without oscillating somewhere.  Where a mode grows at
        the smallest bias already, the fastest one there is in colour and no bias is marked.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        quantity : {"growth", "frequency"}
            2 Im Omega, which is minus the damping, or Re Omega.
        critical : CriticalBias, optional
            The critical bias to mark, of the same response and modes; default `onset`, by the
            growth at the biases that there are.
        energy_unit : str, optional
            Unit of energy of the labels; the numbers are in it then.  Default: bias in V, frequency
            in meV, growth in 1/ps where the units are known.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        TypeError, ValueError
            For a critical bias that is none, or is of other modes, leads or units.
        """
        return plot(self, ax=ax, quantity=quantity, critical=critical, energy_unit=energy_unit)
