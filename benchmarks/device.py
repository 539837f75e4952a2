"""The devices of the benchmarks: disordered lattices between two leads."""

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
    wide = lead_width or width
    first = (width - wide) // 2
    sites = [lattice(x, y) for x in range(length) for y in range(width)]
    return _disordered(sites, [lattice(0, first + y) for y in range(wide)], 4, one_orbital)


def square_with_spin(length: int, width: int) -> Device:
    """Return the same with two orbitals on each site and Rashba spin-orbit coupling."""
    lattice = kwant.lattice.square(norbs=2)
    sites = [lattice(x, y) for x in range(length) for y in range(width)]
    section = [lattice(0, y) for y in range(width)]
    return _disordered(sites, section, 4 * np.eye(2), spin_orbit)


def wire(length: int, width: int) -> Device:
    """Return a wire of length x width x width sites of a cubic lattice, one orbital each."""
    lattice = kwant.lattice.cubic(norbs=1)
    sites = [lattice(x, y, z) for x, y, z in np.ndindex(length, width, width)]
    section = [lattice(0, y, z) for y, z in np.ndindex(width, width)]
    return _disordered(sites, section, 6, one_orbital)


def one_orbital(builder: Any, lattice: Any) -> None:
    """Add hoppings of -1."""
    builder[lattice.neighbors()] = -1


def spin_orbit(builder: Any, lattice: Any) -> None:
    """Add hoppings of -1 with a spin-orbit coupling of 0.1."""
    sigma_x, sigma_y = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])
    builder[kwant.HoppingKind((1, 0), lattice, lattice)] = -np.eye(2) + 0.1j * sigma_y
    builder[kwant.HoppingKind((0, 1), lattice, lattice)] = -np.eye(2) - 0.1j * sigma_x


def _disordered(sites: Any, section: Any, onsite: Any, add_hoppings: Any) -> Device:
    """Return disordered sites between two leads of this cross-section."""
    lattice = sites[0].family
    shape = 1 + np.max([site.tag for site in sites], axis=0)
    disorder = 0.5 * (np.random.default_rng(1).random(tuple(shape)) - 0.5)

    unit = np.eye(lattice.norbs) if lattice.norbs > 1 else 1.0

    def disordered(site: Any, disorder: Any) -> Any:
        return onsite + disorder[tuple(site.tag)] * unit

    builder = kwant.Builder()
    builder[sites] = disordered
    add_hoppings(builder, lattice)
    lead = kwant.Builder(kwant.TranslationalSymmetry(lattice.vec((-1,) + (0,) * (len(shape) - 1))))
    lead[section] = onsite
    add_hoppings(lead, lattice)
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return Device(builder.finalized(), {"disorder": disorder}, lattice)


def middle_atoms(device: Device, length: int, width: int) -> list[Any]:
    """Return 4 x 6 sites in the middle."""
    x0, y0 = length // 2 - 2, width // 2 - 3
    return [device.lattice(x0 + x, y0 + y) for x in range(4) for y in range(6)]
