"""The orbits of atoms in a mode that turns."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import Units, spaced, unit_names
from kwant_curl.vibrations.motions import Motions, check_dimension

if TYPE_CHECKING:
    from kwant.system import FiniteSystem
    from matplotlib.axes import Axes

__all__ = ["Orbit", "orbit_of"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False, repr=False)
class Orbit(Motions):
    """A mode of vibration with a phase: u_I(t) = Re v_I exp(-i Omega t), an ellipse per atom.

    Made by `orbit` of `Stability`, `CriticalBias` and `PumpedPairs`.

    Attributes
    ----------
    vector : array of complex, shape (n_c,)
        v, displacements in the order of the coordinates; their size is arbitrary.
    frequency : float
        Re Omega.
    growth : float
        2 Im Omega, the growth rate of the energy.
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are.
    units : Units or None
        The units, for labels.

    Examples
    --------
    >>> orbit = stability(response, modes, 0.02).orbit()
    >>> orbit.displacements([0.0, np.pi / 2]).shape
    (2, 2)
    """

    DIMENSIONS = {"vector": ("coordinate",), **Motions.DIMENSIONS}  # noqa: RUF012

    vector: ComplexArray
    frequency: float
    growth: float
    masses: FloatArray
    positions: FloatArray | None = None
    _: KW_ONLY
    units: Units | None = None

    def __repr__(self) -> str:
        """Say its frequency, its growth, and which way it turns or travels."""
        unit = spaced(unit_names(self.units).energy)
        text = (
            f"<Orbit of {len(self.vector)} coordinates, frequency {self.frequency:.4g}{unit}, "
            f"growth {self.growth:.3g}{unit}/ħ"
        )
        return f"{text}, {self.sense}>" if self.sense else f"{text}>"

    @property
    def sense(self) -> str:
        """Which way it turns, or if it doesn't turn which way it travels, as text.

        With the angular momentum in hbar per quantum, in 2D by its name too, anticlockwise where
        it is positive.  Empty where the coordinates aren't displacements of atoms.
        """
        if self.frequency == 0:
            return "no vibration: the atoms leave their places"
        if self.positions is None:
            return ""
        if check_dimension(self.positions) > 1:
            turns = np.atleast_1d(np.round(self.angular_momentum, 3) + 0.0)
            if turns.any():
                shown = [f"{turn:g}" for turn in turns]
                number = shown[0] if len(turns) == 1 else f"({', '.join(shown)})"
                name = "anticlockwise" if turns[0] > 0 else "clockwise"
                known = f", {name}" if len(turns) == 1 else ""
                return f"angular momentum {number} ħ per quantum{known}"
        travels = np.round(self.travel, 3) + 0.0
        return f"travels {travels}" if travels.any() else "to and fro"

    @property
    def _motions(self) -> ComplexArray:
        return self.vector

    def displacements(self, phases: ArrayLike) -> FloatArray:
        """Return Re v exp(-i phase), shape (..., n_c), for phases = Omega t of any shape."""
        turned = np.exp(-1j * np.asarray(phases, dtype=float))
        return read_only((turned[..., None] * self.vector).real)

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        syst: "FiniteSystem | None" = None,
        size: float = 0.4,
        length_unit: str | None = None,
    ) -> "Axes":
        """Draw the ellipses of the atoms, with an arrow for the sense of rotation.

        In 3D as curves in space; on a line the wave and, a quarter of a period later, where it
        has gone.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw, 3D axes for atoms in 3D; a new figure if not given.
        syst : kwant.system.FiniteSystem, optional
            The system, to draw its sites and bonds behind the orbits.
        size : float
            The largest displacement, in units of the distance between atoms.
        length_unit : str, optional
            Unit for the labels; default the orbit's own.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            For coordinates that are not displacements of atoms.
        """
        return plot(self, ax=ax, syst=syst, size=size, length_unit=length_unit)


def orbit_of(motions: Motions, vector: ComplexArray, frequency: complex) -> Orbit:
    """Return one of these motions, with its displacements v and Omega, as an orbit."""
    return Orbit(
        vector,
        float(frequency.real),
        float(2 * frequency.imag),
        motions.masses,
        motions.positions,
        units=motions.units,
    )
