"""Atoms on their orbits, moving."""

from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from kwant_curl.model.geometry import nearest_distance
from kwant_curl.plotting.arrows import draw_arrows
from kwant_curl.plotting.motion import plot_orbit, scaled_moves
from kwant_curl.plotting.sites import discs, sites_behind
from kwant_curl.vibrations.motions import check_dimension
from kwant_curl.vibrations.orbits import Orbit

__all__ = ["animate"]

FloatArray = NDArray[np.float64]


def animate(
    orbit: Orbit,
    *,
    ax: Axes | None = None,
    syst: FiniteSystem | None = None,
    current: ArrayLike | None = None,
    size: float = 0.4,
    frames: int = 36,
    interval: float = 50.0,
) -> FuncAnimation:
    """Return an animation of the atoms on their orbits, one period that repeats, in 2D.

    Parameters
    ----------
    orbit : Orbit
        From `Stability.orbit` or `PumpedPairs.orbit`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.
    syst : kwant.system.FiniteSystem, optional
        The system, to draw its sites and bonds behind the orbits.
    current : array (n_sites, 2), optional
        With `syst`: a vector per site that is drawn as an arrow: ``flow_map(...).current``.
    size : float
        The largest displacement, in units of the distance between atoms.
    frames : int
        Pictures in a period.
    interval : float
        Milliseconds between them.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        ``animation.save("orbit.gif", writer="pillow")`` writes it to a file; in a notebook
        ``IPython.display.HTML(animation.to_jshtml())`` shows it.

    Raises
    ------
    ValueError
        For an orbit that is not in 2D, a current without its system, or fewer than two frames.

    Examples
    --------
    >>> film = animate(stability(response, modes, 0.02).orbit(), frames=2)
    >>> film.save("orbit.gif", writer="pillow")
    """
    if not isinstance(orbit, Orbit):
        raise TypeError(
            f"orbit is a {type(orbit).__name__}; expected an Orbit, from Stability.orbit() or "
            "PumpedPairs.orbit()."
        )
    dim = check_dimension(orbit.positions)
    if dim != 2:
        raise ValueError(f"The orbit is in {dim}D; animations are of orbits in 2D.")
    if frames < 2:
        raise ValueError(f"frames is {frames!r}; expected two or more.")
    ax = plot_orbit(orbit, ax=ax, syst=syst, size=size)
    centres = np.asarray(orbit.positions)
    sites = sites_behind(syst, centres)
    if current is not None:
        if syst is None:
            raise ValueError("current is given without syst; pass the system whose sites it is of.")
        _draw_current(ax, sites, current)
    spacing = nearest_distance(sites)
    atoms = discs(ax, centres, 0.35 * spacing, zorder=5)
    atoms.set(facecolor="C1", edgecolor="black")
    phases = 2 * np.pi * np.arange(frames) / frames
    moves = scaled_moves(orbit, phases, size * spacing)

    def show(frame: int) -> list[Any]:
        atoms.set_offsets(centres + moves[frame])
        return [atoms]

    return FuncAnimation(ax.figure, show, frames=frames, interval=interval, blit=False)  # type: ignore[arg-type]


def _draw_current(ax: Axes, sites: FloatArray, current: ArrayLike) -> None:
    vectors = np.asarray(current, dtype=float)
    if vectors.shape != sites.shape:
        raise ValueError(
            f"current has shape {vectors.shape}; expected {sites.shape}, one vector per site."
        )
    draw_arrows(ax, sites, vectors, nearest_distance(sites), "current")
