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

__all__ = ["Orbit", "check_dimension", "turning"]

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
        if self.positions is None:
            return text + ">"
        sense = "travels" if self.positions.shape[1] == 1 else "angular momentum (ħ per quantum)"
        return f"{text}, {sense} {np.round(self.turning, 3)}>"

    @property
    def turning(self) -> FloatArray:
        """Angular momentum, or which way the wave travels on a line: see `Stability.turning`."""
        return turning(self.vector, self.masses, self.positions)

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


def turning(
    vectors: NDArray[np.complex128], masses: FloatArray, positions: FloatArray | None
) -> FloatArray:
    """Return how motions (..., n_c) turn, or travel, by the dimension of the positions."""
    dim = check_dimension(positions)
    if dim == 1:
        return read_only(travel(vectors, positions[:, 0]))  # type: ignore[index]
    return read_only(angular_momenta(vectors, masses, dim))


def check_dimension(positions: FloatArray | None) -> int:
    """Return the dimension of space; raise if the coordinates are not displacements of atoms."""
    if positions is None:
        raise ValueError(
            "The coordinates are not displacements of atoms, so nothing is known of where they "
            "turn; take the complex vector itself."
        )
    return int(positions.shape[1])
