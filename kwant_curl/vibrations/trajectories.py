"""The motion of the vibrational modes in time."""

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.coloured import bose_temperature
from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Trajectory"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Storable):
    """Motion of the vibrational modes in time.

    Made by `langevin`.  hbar = 1: times are in 1/energy.

    Attributes
    ----------
    times : array of float, shape (n_times,)
        When.
    coordinates : array of float, shape (n_trajectories, n_times, n_modes)
        q, the modes' coordinates, in which masses are 1.
    velocities : array of float, shape (n_trajectories, n_times, n_modes)
        dq/dt.
    mode_frequencies : array of float, shape (n_modes,)
        omega of the modes without current.
    patterns : array of float, shape (n_modes, n_c)
        Displacement patterns of the modes.
    heat : array of float, shape (n_trajectories, n_times, n_leads), or None
        The energy that has come in from each lead of the lattice since the start: the work that
        its self-energy and its noise have done on the modes.  None without leads.
    noise : str
        Which noise acts: "none", "classical" or "quantum".
    potential : array of float, shape (n_trajectories, n_times), or None
        The potential energy, of motion that is not harmonic: in a potential of its own, or with a
        force of the current that depends on the place.
    works : array of float, shape (n_trajectories, n_times, 4), or None
        With it, the work since the start of the potential, of the current, of friction and of
        noise.  Their sum is the change of the kinetic energy to rounding.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.

    Examples
    --------
    >>> start = {"coordinates": [1.0, 0.0], "noise": False}
    >>> run = langevin(response, modes, 2000.0, every=50, **start)
    >>> run.energy.shape
    (1, 9, 2)
    >>> run.displacements.shape
    (1, 9, 2)
    """

    DIMENSIONS = {  # noqa: RUF012
        "times": ("time",),
        "coordinates": ("trajectory", "time", "mode"),
        "velocities": ("trajectory", "time", "mode"),
        "mode_frequencies": ("mode",),
        "patterns": ("mode", "coordinate"),
        "heat": ("trajectory", "time", "lead"),
        "potential": ("trajectory", "time"),
        "works": ("trajectory", "time", "work"),
    }
    DERIVED = {  # noqa: RUF012
        "energy": ("trajectory", "time", "mode"),
        "total_energy": ("trajectory", "time"),
    }
    AXES = {"time": "times"}  # noqa: RUF012

    times: FloatArray
    coordinates: FloatArray
    velocities: FloatArray
    mode_frequencies: FloatArray
    patterns: FloatArray
    _: KW_ONLY
    heat: FloatArray | None = None
    noise: str = "classical"
    potential: FloatArray | None = None
    works: FloatArray | None = None
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say how many trajectories there are, and what becomes of the energy."""
        n, n_times, n_modes = self.coordinates.shape
        mean = self.total_energy.mean(axis=0)
        return (
            f"<Trajectory of {n_modes} modes, {n} times over, {n_times} times up to "
            f"{self.times[-1]:.4g}; mean energy from {mean[0]:.4g} to {mean[-1]:.4g}>{self._noted}"
        )

    @property
    def energy(self) -> FloatArray:
        """Energy of each mode, (dq/dt)^2/2 + omega^2 q^2/2, (n_trajectories, n_times, n_modes).

        Where the motion is not harmonic it is not all of the energy: see `total_energy`.
        """
        potential = self.mode_frequencies**2 * self.coordinates**2
        return read_only(0.5 * (self.velocities**2 + potential))

    @property
    def total_energy(self) -> FloatArray:
        """Kinetic and potential energy, (n_trajectories, n_times)."""
        if self.potential is None:
            return read_only(self.energy.sum(axis=2))
        return read_only(0.5 * (self.velocities**2).sum(axis=2) + self.potential)

    @property
    def drift(self) -> FloatArray:
        """Energy that came from nowhere since the start, (n_trajectories, n_times).

        The change of `total_energy` less the work of current, friction and noise: the error of the
        integrator, which falls as the square of the step.

        Raises
        ------
        ValueError
            Of harmonic motion, of which the works are not noted.
        """
        if self.works is None:
            raise ValueError(
                "The works are noted of motion that is not harmonic alone: call langevin with a "
                "ResponseField, or anharmonic=."
            )
        energy = self.total_energy
        return read_only(energy - energy[:, :1] - self.works[:, :, 1:].sum(axis=2))

    def occupation(self, after: float = 0.0) -> FloatArray:
        """Return the mean number of phonons of each mode, shape (n_modes,).

        The mean energy over omega, less the zero-point energy's 1/2 if the noise is quantum.  With
        phonon leads twice the kinetic energy is taken: the frequencies are those of atoms whose
        lattice is held, and in a lattice that nothing holds the coordinates drift without end.  So
        it is where the motion is not harmonic.

        Parameters
        ----------
        after : float, default 0.0
            The mean is over all trajectories and all times from this one.

        Raises
        ------
        ValueError
            For a time beyond the last one.
        """
        late = self.times >= after
        if not late.any():
            raise ValueError(f"after is {after!r}; the motion ends at {self.times[-1]:.6g}.")
        zero_point = 0.5 if self.noise == "quantum" else 0.0
        is_harmonic = self.heat is None and self.potential is None
        energy = self.energy if is_harmonic else self.velocities**2
        mean = energy[:, late].mean(axis=(0, 1))
        return read_only(mean / self.mode_frequencies - zero_point)

    def effective_temperature(self, after: float = 0.0) -> FloatArray:
        """Return the kT at which each mode would have its `occupation`, shape (n_modes,).

        By Bose's function if the noise is quantum, zero where it has fewer phonons than none;
        else the mean energy itself.
        """
        phonons = self.occupation(after)
        if self.noise == "quantum":
            return read_only(bose_temperature(self.mode_frequencies, phonons))
        return read_only(self.mode_frequencies * phonons)

    @property
    def displacements(self) -> FloatArray:
        """Displacements of the atoms, shape (n_trajectories, n_times, n_c)."""
        return read_only(self.coordinates @ self.patterns)

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        color: str = "C0",
        label: str | None = None,
        energy_unit: str | None = None,
    ) -> "Axes":
        """Draw the total energy against time, each trajectory and their mean.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        color : str
            Colour of the mean, and in a tint of the trajectories.
        label : str, optional
            For the legend; default how many they are.
        energy_unit : str, optional
            Unit of energy of the labels, of both axes.  Default: energy in the trajectory's own
            unit, time in ps where the units are known.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot(self, ax=ax, color=color, label=label, energy_unit=energy_unit)
