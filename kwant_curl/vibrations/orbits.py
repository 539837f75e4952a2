"""The orbits of atoms in a mode that turns."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.dynamics import angular_momenta, travel
from kwant_curl.frozen import freeze, read_only
from kwant_curl.storage import Storable
from kwant_curl.units import Units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Orbit", "angular_momentum", "check_dimension", "direction_of_travel"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Orbit(Storable):
    """A mode of vibration with a phase: u_I(t) = Re v_I exp(-i Omega t), an ellipse per atom.

    Made by `Stability.orbit` and `PumpedPairs.orbit`.

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
    """

    DIMENSIONS = {  # noqa: RUF012
        "vector": ("coordinate",),
        "masses": ("coordinate",),
        "positions": ("atom", "direction"),
    }

    vector: NDArray[np.complex128]
    frequency: float
    growth: float
    masses: FloatArray
    positions: FloatArray | None = None
    _: KW_ONLY
    units: Units | None = None

    def __post_init__(self) -> None:
        freeze(self, "vector", "masses")
        if self.positions is not None:
            freeze(self, "positions")

    def __repr__(self) -> str:
        """Say its frequency, its growth, and which way it turns or travels."""
        unit = "" if self.units is None else f" {self.units.energy_unit}"
        text = (
            f"<Orbit of {len(self.vector)} coordinates, frequency {self.frequency:.4g}{unit}, "
            f"growth {self.growth:.3g}{unit}/ħ"
        )
        if self.frequency == 0:
            text += ", no vibration: the atoms leave their places"
        elif self.positions is not None:
            text += f", {self._sense()}"
        return text + ">"

    def _sense(self) -> str:
        """Say how it turns, or if it doesn't which way it travels."""
        if check_dimension(self.positions) > 1:
            turns = np.round(self.angular_momentum, 3) + 0.0
            if turns.any():
                return f"angular momentum {turns} ħ per quantum"
        travels = np.round(self.travel, 3) + 0.0
        return f"travels {travels}" if travels.any() else "to and fro"

    @property
    def angular_momentum(self) -> FloatArray:
        """Angular momentum in hbar per quantum: see `Stability.angular_momentum`."""
        return angular_momentum(self.vector, self.masses, self.positions)

    @property
    def travel(self) -> FloatArray:
        """Which way the wave travels, (dim,): see `Stability.travel`."""
        return direction_of_travel(self.vector, self.positions)

    def displacements(self, phases: ArrayLike) -> FloatArray:
        """Return Re v exp(-i phase), shape (..., n_c), for phases = Omega t of any shape."""
        turned = np.exp(-1j * np.asarray(phases, dtype=float))
        return read_only((turned[..., None] * self.vector).real)

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        syst: Any = None,
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
        from kwant_curl.plotting import plot_orbit

        return plot_orbit(self, ax=ax, syst=syst, size=size, length_unit=length_unit)


def angular_momentum(
    vectors: NDArray[np.complex128], masses: FloatArray, positions: FloatArray | None
) -> FloatArray:
    """Return the angular momentum of motions (..., n_c) of atoms in 2D or 3D."""
    dim = check_dimension(positions)
    if dim == 1:
        raise ValueError("The atoms move on a line, where nothing turns; see `travel`.")
    return read_only(angular_momenta(vectors, masses, dim))


def direction_of_travel(
    vectors: NDArray[np.complex128], positions: FloatArray | None
) -> FloatArray:
    """Return which way motions (..., n_c) travel, (..., dim)."""
    check_dimension(positions)
    return read_only(travel(vectors, np.asarray(positions)))


def check_dimension(positions: FloatArray | None) -> int:
    """Return the dimension of space; raise if the coordinates are not displacements of atoms."""
    if positions is None:
        raise ValueError(
            "The coordinates are not displacements of atoms, so nothing is known of how "
            "atoms turn; take the complex vector itself."
        )
    return int(positions.shape[1])
