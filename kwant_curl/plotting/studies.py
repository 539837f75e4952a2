"""Studies of junctions as figures."""

from base64 import b64encode
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
from kwant.system import FiniteSystem
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kwant_curl.plotting.motion import plot_orbit
from kwant_curl.plotting.scales import scales
from kwant_curl.plotting.stability import plot_stability
from kwant_curl.studies.study import Study

__all__ = ["picture_of_study", "plot_study"]


def plot_study(result: Study, *, ax: Axes | None = None, syst: FiniteSystem | None = None) -> Axes:
    """Draw growth against bias and the motion; the keywords are described in `Study.plot`."""
    return _figure(result, syst)[1] if ax is None else _growth(result, ax)


def picture_of_study(result: Study) -> str:
    """Return the figure of a study as PNG in base64."""
    figure, _ = _figure(result, None)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return b64encode(buffer.getvalue()).decode()


def _figure(result: Study, syst: FiniteSystem | None) -> tuple[Figure, Axes]:
    """Return a new figure, with the motion if it is one of atoms, and the axes of growth."""
    orbit = result.orbit()
    shown = orbit.positions is not None and orbit.frequency != 0
    figure = plt.figure(figsize=(11, 4.5) if shown else None, layout="constrained")
    if orbit.positions is None or not shown:
        return figure, _growth(result, figure.add_subplot())
    ax = _growth(result, figure.add_subplot(1, 2, 1))
    projection = "3d" if orbit.positions.shape[1] == 3 else None
    beside = figure.add_subplot(1, 2, 2, projection=projection)
    plot_orbit(orbit, ax=beside, syst=syst)
    grows = result.critical.mode is not None
    beside.set_title(f"the motion that {'runs away' if grows else 'decays most slowly'}")
    return figure, ax


def _growth(result: Study, ax: Axes) -> Axes:
    """Draw growth against bias, with this bias (dotted) and the critical one."""
    plot_stability(result.against_bias(), ax=ax, critical=result.critical)
    bias = scales(result.units).bias
    here = bias.factor * result.voltage
    ax.axvline(here, color="0.5", linestyle=":", linewidth=0.8, label="this bias")
    if np.isfinite(result.critical.bias):
        ax.set_title(f"critical bias {bias.text(result.critical.bias)}")
    else:
        ax.set_title(f"nothing grows up to {bias.text(result.critical.largest)}")
    ax.legend()
    return ax
