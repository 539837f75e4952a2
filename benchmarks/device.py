"""The device of the benchmarks: a disordered square lattice between two leads."""

from typing import Any, NamedTuple

import kwant
import numpy as np

ENERGY = 1.0
"""Above the band bottom, in units of the hopping."""


class Device(NamedTuple):
    """A finalized system, its parameters, and its lattice."""

    syst: Any
    params: dict[str, Any]
    lattice: Any


def square(length: int, width: int, lead_width: int | None = None) -> Device:
    """Return length x width sites, one orbital each, disorder of strength 0.5 (Anderson's)."""
    lattice = kwant.lattice.square(norbs=1)
    disorder = 0.5 * (np.random.default_rng(1).random((length, width)) - 0.5)

    def onsite(site: Any, disorder: Any) -> float:
        return 4 + disorder[site.tag[0], site.tag[1]]

    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(length) for y in range(width))] = onsite
    builder[lattice.neighbors()] = -1
    wide = lead_width or width
    first = (width - wide) // 2
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, first + y) for y in range(wide))] = 4
    lead[lattice.neighbors()] = -1
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return Device(builder.finalized(), {"disorder": disorder}, lattice)


def middle_atoms(device: Device, length: int, width: int) -> list[Any]:
    """Return 4 x 6 sites in the middle."""
    x0, y0 = length // 2 - 2, width // 2 - 3
    return [device.lattice(x0 + x, y0 + y) for x in range(4) for y in range(6)]
