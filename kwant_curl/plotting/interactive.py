"""Maps in 3D that can be turned, by Plotly."""

from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.model.geometry import nearest_distance
from kwant_curl.plotting.sites import sites_behind
from kwant_curl.results.curl_map import CurlMap
from kwant_curl.support.units import UnitNames, labelled, unit_names

__all__ = ["plot_interactive"]

FloatArray = NDArray[np.float64]

LONGEST = 1.3
"""Length of the longest arrow, in units of the distance between sites."""


def plot_interactive(result: CurlMap, *, syst: FiniteSystem | None = None) -> Any:
    """Return a Plotly figure of a curl map in 3D: vectors of the curl as cones, to be turned.

    Parameters
    ----------
    result : CurlMap
        In 3D.
    syst : kwant.system.FiniteSystem, optional
        The system, to draw all of its sites.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ModuleNotFoundError
        Where Plotly isn't installed.
    ValueError
        For a map in 2D, which `plot` draws.

    Examples
    --------
    >>> device = nanowire(radius=4.0, neck=3.0, length=3.0)
    >>> result = curl_map(device.syst, device.coordinates, device.energy)
    >>> figure = plot_interactive(result)
    """
    try:
        from plotly import graph_objects
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "plot_interactive needs Plotly, which isn't installed: pip install plotly."
        ) from missing
    if result.positions.shape[1] != 3:
        raise ValueError("The map is in 2D; plot_interactive is for 3D, plot() draws it.")
    names = unit_names(result.units)
    sites = sites_behind(syst, result.positions)
    strength = np.linalg.norm(result.curl, axis=1)
    arrows = result.curl * (LONGEST * nearest_distance(sites) / (strength.max() or 1.0))
    dots = graph_objects.Scatter3d(
        **dict(zip("xyz", sites.T, strict=True)),
        mode="markers",
        marker={"size": 2, "color": "grey"},
        name="sites",
        hoverinfo="skip",
    )
    cones = graph_objects.Cone(
        **dict(zip("xyz", result.positions.T, strict=True)),
        **dict(zip("uvw", arrows.T, strict=True)),
        sizemode="raw",
        anchor="tail",
        colorscale="Viridis",
        showscale=False,
        text=[labelled(f"curl {value:.4g}", names.curl) for value in strength],
        hoverinfo="text",
        name="curl of the force",
    )
    return graph_objects.Figure([dots, cones], layout=_layout(names, strength))


def _layout(names: UnitNames, strength: FloatArray) -> dict[str, Any]:
    """Return what Plotly is told of axes and title."""
    axes = {f"{name}axis": {"title": {"text": labelled(name, names.length)}} for name in "xyz"}
    title = labelled(f"curl of the force, up to {strength.max():.4g}", names.curl)
    return {"scene": {"aspectmode": "data", **axes}, "title": {"text": title}}
