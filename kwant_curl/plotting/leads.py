"""Leads on maps: their numbers, where they are attached, and their bias."""

import numpy as np
from kwant.system import FiniteSystem
from matplotlib.axes import Axes
from numpy.typing import NDArray

from kwant_curl.plotting.scales import Scale

__all__ = ["draw_leads"]

FloatArray = NDArray[np.float64]

ROOM = 0.07
"""What a label takes beside the device, in units of the longer side of the map."""


def draw_leads(
    ax: Axes, syst: FiniteSystem, sites: FloatArray, bias: FloatArray, scale: Scale
) -> None:
    """Write the number and the bias of each lead beside the device, where the lead is attached.

    sites: (n, 2); bias: the shift of each lead, (n_leads,).  The limits of the axes make room.
    """
    low, high = (np.array(ends) for ends in zip(ax.get_xlim(), ax.get_ylim(), strict=True))
    room = ROOM * float((high - low).max())
    free = np.stack([sites.min(axis=0) - low, high - sites.max(axis=0)])
    sides = [_side(syst, sites, lead) for lead in range(len(syst.leads))]
    # What is free already between the sites and the limits counts.
    more = {(axis, sign): max(0.0, 1.2 * room - free[int(sign > 0), axis]) for axis, sign in sides}
    for lead, ((axis, sign), shift) in enumerate(zip(sides, bias, strict=True)):
        place = sites[syst.lead_interfaces[lead]].mean(axis=0)
        place[axis] = (high if sign > 0 else low)[axis] + sign * (more[axis, sign] - 0.5 * room)
        x, y = place
        ax.text(
            x,
            y,
            f"lead {lead}: {scale.text(shift, '+.3g')}",
            rotation=90 if axis == 0 else 0,
            ha="center",
            va="center",
            fontsize="small",
        )
    for (axis, sign), width in more.items():
        (high if sign > 0 else low)[axis] += sign * width
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def _side(syst: FiniteSystem, sites: FloatArray, lead: int) -> tuple[int, int]:
    """Return on which side a lead leaves the device: axis and sign."""
    symmetry = getattr(syst.leads[lead], "symmetry", None)
    periods = np.asarray(getattr(symmetry, "periods", ()), dtype=float)
    if periods.size:
        away = periods.reshape(-1, sites.shape[1])[0]
    else:
        away = sites[syst.lead_interfaces[lead]].mean(axis=0) - sites.mean(axis=0)
    axis = int(np.abs(away).argmax())
    return axis, 1 if away[axis] >= 0 else -1
