"""Maps in 3D that can be turned, by Plotly."""

from typing import Any

import numpy as np

from kwant_curl.results import CurlMap
from kwant_curl.system import check_finite_system, nearest_distance, site_positions
from kwant_curl.units import unit_names

__all__ = ["plot_interactive"]

LONGEST = 1.3
"""Length of the longest arrow, in units of the distance between sites."""


def plot_interactive(result: CurlMap, *, syst: Any = None) -> Any:
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
    """
    try:
        from plotly import graph_objects
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "plot_interactive needs Plotly, which isn't installed: pip install plotly."
        ) from missing
    if result.positions.shape[1] != 3:
        raise ValueError("The map is in 2D; plot_interactive is for 3D, plot() draws it.")
    if syst is not None:
        check_finite_system(syst)
    sites = result.positions if syst is None else site_positions(syst)
    energy, length = unit_names(result.units)
    per_area = f" ({energy}/{length}²)" if energy and length else ""
    strength = np.linalg.norm(result.curl, axis=1)
    arrows = result.curl * (LONGEST * nearest_distance(sites) / (strength.max() or 1.0))
    names = [f"{name} ({length})" if length else name for name in "xyz"]
    text = [f"curl {value:.4g}{per_area}" for value in strength]
    return graph_objects.Figure(
        [
            graph_objects.Scatter3d(
                **dict(zip("xyz", sites.T, strict=True)),
                mode="markers",
                marker={"size": 2, "color": "grey"},
                name="sites",
                hoverinfo="skip",
            ),
            graph_objects.Cone(
                **dict(zip("xyz", result.positions.T, strict=True)),
                **dict(zip("uvw", arrows.T, strict=True)),
                sizemode="raw",
                anchor="tail",
                colorscale="Viridis",
                showscale=False,
                text=text,
                hoverinfo="text",
                name="curl of the force",
            ),
        ],
        layout={
            "scene": {
                "aspectmode": "data",
                **{
                    f"{axis}axis": {"title": {"text": name}}
                    for axis, name in zip("xyz", names, strict=True)
                },
            },
            "title": {"text": f"curl of the force, up to {strength.max():.4g}{per_area}"},
        },
    )
