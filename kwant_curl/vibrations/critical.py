"""The bias at which the first vibration runs away, and which one it is."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.units import Units, spaced, unit_names
from kwant_curl.vibrations.motions import Motions
from kwant_curl.vibrations.orbits import Orbit, orbit_of

__all__ = ["CriticalBias"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

SAME = 1e-9
"""By how much, relative to it, a voltage and a bias may differ and be one."""


@dataclass(frozen=True, eq=False, repr=False)
class CriticalBias(float, Motions):
    """The bias at which the first vibration begins to grow: a number that knows the mode.

    Made by `critical_bias`.  It is a float in everything, infinite where no mode grows; what
    describes the mode is None then.

    Attributes
    ----------
    bias : float
        The number itself, a multiple of the direction that was asked for.
    largest : float
        How far was searched.
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are.
    shifts : array of float, shape (n_leads,), or None
        dmu_alpha there, the shifts of the leads' chemical potentials.
    mode : int or None
        Which mode begins to grow, by ascending Re Omega there: as `stability` at this bias numbers
        them.
    frequency : float or None
        Re Omega of it, zero where a spring is lost.
    growth : float or None
        2 Im Omega, which is zero but for the accuracy of the search.
    amplitudes : array of complex, shape (n_basis,), or None
        v in the basis of the vibrations without current, of length one.
    vector : array of complex, shape (n_c,), or None
        v, displacements in the order of the coordinates.
    driving, friction, lattice, other : float or None
        What makes its energy grow or decay there: the current's force J q, the electrons'
        -gamma q', the lattice of the leads, and damping of other origin.  Rates as in `Stability`;
        their sum is `growth`.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.

    Examples
    --------
    >>> critical = critical_bias(response, modes, 0.1)
    >>> float(critical), critical.mode, critical.largest  # nothing grows up to 0.1
    (inf, None, 0.1)
    """

    DIMENSIONS = {  # noqa: RUF012
        "shifts": ("lead",),
        "amplitudes": ("vibration",),
        "vector": ("coordinate",),
        **Motions.DIMENSIONS,
    }

    bias: float
    largest: float
    masses: FloatArray
    positions: FloatArray | None
    _: KW_ONLY
    shifts: FloatArray | None = None
    mode: int | None = None
    frequency: float | None = None
    growth: float | None = None
    amplitudes: ComplexArray | None = None
    vector: ComplexArray | None = None
    driving: float | None = None
    friction: float | None = None
    lattice: float | None = None
    other: float | None = None
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __new__(cls, bias: float, *others: Any, **named: Any) -> Self:
        """Make the number; the rest is for the fields."""
        return super().__new__(cls, bias)

    def __repr__(self) -> str:
        """Say which mode begins to grow, and at what bias and frequency."""
        unit = spaced(unit_names(self.units).energy)
        if self.frequency is None:
            return f"<CriticalBias: none up to {self.largest:.4g}{unit}>{self._noted}"
        still = "" if self.frequency else ", no vibration: a spring is lost"
        sense = self.orbit().sense if self.frequency else ""
        bias = f"{self.bias:.6g}{unit}"
        if self.voltage is not None and abs(self.voltage - abs(self.bias)) > SAME * self.voltage:
            bias = f"{self.bias:.6g} times the direction, {self.voltage:.6g}{unit} between leads"
        return (
            f"<CriticalBias {bias}: mode {self.mode}, mostly vibration "
            f"{self.vibration}, frequency {self.frequency:.4g}{unit}{still}"
            f"{', ' if sense else ''}{sense}{self._damped}>"
            f"{self._noted}"
        )

    @property
    def voltage(self) -> float | None:
        """The largest difference of the leads' chemical potentials there, None if not known."""
        return None if self.shifts is None else float(np.ptp(self.shifts))

    @property
    def _damped(self) -> str:
        """Say what share of the damping is the lattice's, where there is one."""
        if self.lattice is None or self.friction is None or self.other is None or not self.lattice:
            return ""
        damping = self.friction + self.lattice + self.other
        return f", damped to {self.lattice / damping:.0%} by the lattice" if damping < 0 else ""

    @property
    def vibration(self) -> int | None:
        """Number of the vibration without current that has the largest part in the mode."""
        return None if self.amplitudes is None else int(np.abs(self.amplitudes).argmax())

    @property
    def _motions(self) -> ComplexArray:
        return self.orbit().vector

    def orbit(self) -> Orbit:
        """Return the motion of the mode: the orbits of the atoms.

        Raises
        ------
        ValueError
            Where no mode grows.
        """
        if self.vector is None or self.frequency is None or self.growth is None:
            raise ValueError(
                f"No mode grows at biases up to {self.largest:.4g}, so there is no orbit; search "
                "further (`largest`), or take one of `stability`."
            )
        return orbit_of(self, self.vector, self.frequency + 0.5j * self.growth)
