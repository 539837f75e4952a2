"""The one door for plots: results draw themselves by it, `plotting` registers what it can draw."""

from functools import singledispatch
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["picture", "plot"]


@singledispatch
def plot(result: Any, *, ax: "Axes | None" = None, **keywords: Any) -> "Axes":
    """Draw a result: the same as ``result.plot(...)``.

    The other keywords are those of the result's own `plot`.

    Parameters
    ----------
    result : CurlMap, FlowMap, ForcePath, ForcePlane, LimitCycle, LocalVibrations, Orbit, ...
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.  3D results need 3D axes.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> axes = plot(curl_map(syst, Displacements(scaling=PowerLaw(2)), energy), syst=syst)
    >>> axes.figure.savefig("curl.png")
    """
    raise TypeError(
        f"Can't draw a {type(result).__name__}; expected CurlMap, FlowMap, ForcePath, "
        "ForcePlane, ForceResponse, LimitCycle, LimitCycles, LocalVibrations, Orbit, PhononRates, "
        "PumpedCharge, PumpedPairs, PumpingRates, Stability, Study or Trajectory."
    )


@singledispatch
def picture(result: Any) -> str:
    """Return the figure of a result as PNG in base64, for a notebook; no figure is left open."""
    raise TypeError(f"There is no figure of a {type(result).__name__} for notebooks.")
