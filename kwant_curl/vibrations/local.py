"""Where vibrations are at which frequency, and how fast those of the moving atoms leave."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eig
from scipy.optimize import linear_sum_assignment

from kwant_curl.algebra.memory import Memory, evolution
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Linewidths", "LocalVibrations", "linewidths_of", "local_density_of"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

ROUNDING = 1e-12
"""Below this part of the highest frequency real parts are zero."""

MARGINAL = 1e-8
"""What grows by less than this part of the highest frequency is a shift of the whole lattice."""


@dataclass(frozen=True, eq=False, repr=False)
class LocalVibrations(Storable):
    """Local density of vibrations: how much of each coordinate's motion is at which frequency.

    Made by `Lattice.local_density` (exact) and `VibrationalModes.local_density` (by the rational
    fit of its leads): rho_I(omega) = -(2/pi) Im[omega D_II(omega)], with
    D = 1/[omega^2 - M^(-1/2) K M^(-1/2) - Pi(omega)].  Its integral over omega > 0 is one.

    Attributes
    ----------
    frequencies : array of float, shape (n_omega,)
        omega.
    density : array of float, shape (n_omega, n_c)
        rho_I, per unit of omega.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are.
    band_edges : array of float, shape (n_edges,), or None
        Frequencies at which branches of the leads begin and end, if these are known.
    units : Units or None
        The units, for labels.

    Examples
    --------
    >>> lead = LatticeLead([[2.0]], [[-1.0]], 1.0)  # a chain of springs of strength 1
    >>> springs = 2 * np.eye(3) - np.eye(3, k=1) - np.eye(3, k=-1)
    >>> chain = Lattice.from_arrays(springs, 1.0, [lead.at([0]), lead.at([2])])
    >>> density = chain.local_density([0.5, 1.0], [1])
    >>> density.density.shape
    (2, 1)
    """

    DIMENSIONS = {  # noqa: RUF012
        "frequencies": ("frequency",),
        "density": ("frequency", "coordinate"),
        "positions": ("atom", "direction"),
        "band_edges": ("edge",),
    }

    frequencies: FloatArray
    density: FloatArray
    positions: FloatArray | None = None
    band_edges: FloatArray | None = None
    _: KW_ONLY
    units: Units | None = None

    def __repr__(self) -> str:
        n, n_c = self.density.shape
        return f"<LocalVibrations: {n_c} coordinates at {n} frequencies>"

    @property
    def by_atom(self) -> FloatArray:
        """The sum over each atom's coordinates, (n_omega, n_atoms); needs `positions`."""
        if self.positions is None:
            raise ValueError("Which coordinates are an atom's is known with positions alone.")
        n, dim = self.positions.shape
        return read_only(self.density.reshape(-1, n, dim).sum(axis=2))

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        label: str | None = None,
        color: str = "C0",
        energy_unit: str | None = None,
    ) -> "Axes":
        """Draw the density, summed over coordinates, against frequency; band edges in grey.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        label, color : str, optional
            Of the line.
        energy_unit : str, optional
            Unit for the labels; default the result's own.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(self, ax=ax, label=label, color=color, energy_unit=energy_unit)


@dataclass(frozen=True, eq=False, repr=False)
class Linewidths(Storable):
    """How fast the modes of the moving atoms leave through their leads; without current.

    Made by `VibrationalModes.linewidths`.

    Attributes
    ----------
    frequencies : array of float, shape (n_modes,)
        omega_k, with all other atoms held.
    golden_rule : array of float, shape (n_modes,)
        -Im Pi_kk(omega_k)/omega_k: the rate at which the energy of mode k decays, to lowest order.
    poles : array of complex, shape (n_modes,)
        Omega_k of the full problem [Omega^2 - omega^2 - Pi(Omega)] v = 0: of all its solutions
        that which mode k answers most to; of an overdamped mode, whose solutions don't oscillate,
        the slow one, which governs how long its energy stays.
    units : Units or None
        The units, for labels.

    Examples
    --------
    >>> lead = LatticeLead([[2.0]], [[-1.0]], 1.0)  # a chain of springs of strength 1
    >>> soft = np.diag([-1.0, -0.2, -0.2, -1.0], 1)  # an atom on soft springs between two chains
    >>> springs = np.diag([2.0, 1.2, 1.4, 1.2, 2.0]) + soft + soft.T
    >>> chain = Lattice.from_arrays(springs, 1.0, [lead.at([0]), lead.at([4])])
    >>> widths = chain.modes([2]).linewidths()
    >>> print(f"{widths.damping[0]:.4f}")
    0.0543
    """

    DIMENSIONS = {  # noqa: RUF012
        "frequencies": ("mode",),
        "golden_rule": ("mode",),
        "poles": ("mode",),
    }
    DERIVED = {"damping": ("mode",), "lifetimes": ("mode",), "shifts": ("mode",)}  # noqa: RUF012

    frequencies: FloatArray
    golden_rule: FloatArray
    poles: ComplexArray
    _: KW_ONLY
    units: Units | None = None

    def __repr__(self) -> str:
        unit = spaced(unit_names(self.units).rate)
        return (
            f"<Linewidths of {len(self.frequencies)} modes: damping from "
            f"{self.damping.min():.3g} to {self.damping.max():.3g}{unit}>"
        )

    @property
    def damping(self) -> FloatArray:
        """Rate at which the energy of each mode decays, -2 Im Omega, (n_modes,)."""
        return read_only(-2 * self.poles.imag)

    @property
    def lifetimes(self) -> FloatArray:
        """Time in which the energy of each mode falls to 1/e, (n_modes,); inf without damping."""
        damping = self.damping
        return read_only(
            np.divide(1.0, damping, out=np.full(len(damping), np.inf), where=damping > 0)
        )

    @property
    def shifts(self) -> FloatArray:
        """How the motion of the other atoms shifts each, Re Omega - omega, (n_modes,)."""
        return read_only(self.poles.real - self.frequencies)


def local_density_of(
    frequencies: FloatArray, vectors: FloatArray, memory: Memory, omega: ComplexArray
) -> FloatArray:
    """Return -(2/pi) Im[omega D_II(omega)] of modes with memory, (n_omega, n_c)."""
    n = len(frequencies)
    inverse = (omega**2)[:, None, None] * np.eye(n) - np.diag(frequencies**2) - memory(omega)
    inner = np.linalg.inv(inverse)
    diagonal = np.einsum("ki,wkl,li->wi", vectors, inner, vectors, optimize=True)
    result: FloatArray = -2 / np.pi * (omega[:, None] * diagonal).imag
    return result


def linewidths_of(frequencies: FloatArray, memory: Memory) -> tuple[FloatArray, ComplexArray]:
    """Return the damping of the golden rule and the complex frequency of each mode.

    D_kk(omega) is a sum over solutions s of r_ks/(omega - Omega_s), of which each has the share
    2 |Omega_s r_ks| of the local density: each mode has the one with the largest share in it.
    Where this doesn't oscillate, the mode is overdamped, with a slow and a fast solution: it has
    the one with the largest share omega_k^2 |r_ks/Omega_s| of its answer at rest, the slow one.
    """
    n = len(frequencies)
    here = memory(frequencies)
    golden = -here[np.arange(n), np.arange(n), np.arange(n)].imag / frequencies
    unit = float(frequencies.max())
    solutions, answers = _solutions(frequencies / unit, memory.scaled(unit))
    chosen = _assigned(np.abs(answers * solutions), solutions.real >= 0)
    # A shift of the whole lattice, at zero, has no energy that could leave.
    still = (solutions.real == 0) & (np.abs(solutions) > MARGINAL)
    slow = np.flatnonzero(still[chosen])
    if slow.size:
        at_rest = np.abs(answers[slow]) / np.maximum(np.abs(solutions), MARGINAL)
        chosen[slow] = _assigned(at_rest * frequencies[slow, None] ** 2, still)
    return golden, solutions[chosen] * unit


def _solutions(frequencies: FloatArray, memory: Memory) -> tuple[ComplexArray, ComplexArray]:
    """Return all Omega_s, and r_ks (n_modes, n_s), with frequencies in units of the largest."""
    n = len(frequencies)
    matrix = evolution(np.diag(frequencies**2), np.zeros((n, n)), memory)
    values, left, right = eig(matrix, left=True, right=True)
    solutions = 1j * values
    solutions.real[np.abs(solutions.real) <= ROUNDING] = 0.0
    norms = np.einsum("is,is->s", left.conj(), right)
    return solutions, right[:n] * left[n : 2 * n].conj() / norms


def _assigned(weights: FloatArray, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return one of the allowed solutions for each mode, such that the weights add up to most."""
    columns = np.flatnonzero(allowed)
    _, chosen = linear_sum_assignment(-weights[:, columns])
    result: NDArray[np.int64] = columns[chosen]
    return result
