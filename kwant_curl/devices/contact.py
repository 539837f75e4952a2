"""Devices in a two-dimensional electron gas."""

from typing import Any

import kwant
import numpy as np
from scipy import constants

from kwant_curl.coordinates import Displacements, PowerLaw
from kwant_curl.devices.device import Device, ion_mass

__all__ = ["point_contact"]

EFFECTIVE_MASS = 0.067


def point_contact(
    width: float = 300.0,
    length: float = 400.0,
    opening: float = 50.0,
    energy: float = 10.0,
    spacing: float = 5.0,
) -> Device:
    """Build a quantum point contact in a two-dimensional electron gas on a square lattice.

    Parameters
    ----------
    width, length : float
        Size of the region, in nm.
    opening : float
        Scale of the opening, in nm: the gates' potential is
        V(x, y) = V0 exp(-(x/opening)^2) (1 - exp(-(y/opening)^2)) with V0 four times the energy.
    energy : float
        Fermi level above the band bottom, in meV.
    spacing : float
        Lattice constant of the discretisation, in nm, well below the Fermi wavelength.

    Returns
    -------
    Device
        Energies in meV, lengths in nm.

    Notes
    -----
    GaAs: effective mass 0.067 m_e (I. Vurgaftman, J. R. Meyer, L. R. Ram-Mohan, J. Appl. Phys.
    89, 5815 (2001)), t = hbar^2 / (2 m a^2); a smooth saddle as in M. Buttiker, Phys. Rev. B 41,
    7906 (1990).  Hoppings follow the free-electron scaling t ~ d^-2 (W. A. Harrison, Electronic
    Structure and the Properties of Solids, 1980): what moves are points of the lattice, which
    stand for whole cells of the crystal, so read the map as the shape of the flow's curl rather
    than as the forces on gallium and arsenic.  The vibration is the optical phonon at 36 meV.

    Examples
    --------
    >>> device = point_contact()
    >>> device.units.energy_unit, device.units.length_unit
    ('meV', 'nm')
    """
    mass = EFFECTIVE_MASS * constants.electron_mass
    hopping = constants.hbar**2 / (2 * mass * (spacing * constants.nano) ** 2)
    hopping /= constants.milli * constants.electron_volt
    lattice = kwant.lattice.square(spacing, norbs=1)
    columns, rows = round(length / 2 / spacing), round(width / 2 / spacing)

    def gated(site: Any) -> float:
        x, y = site.pos / opening
        return 4 * hopping + 4 * energy * np.exp(-(x**2)) * (1 - np.exp(-(y**2)))

    builder = kwant.Builder()
    for x in range(-columns, columns + 1):
        for y in range(-rows, rows + 1):
            builder[lattice(x, y)] = gated
    builder[lattice.neighbors()] = -hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-spacing, 0)))
    lead[(lattice(0, y) for y in range(-rows, rows + 1))] = 4 * hopping
    lead[lattice.neighbors()] = -hopping
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return Device(
        name="quantum point contact",
        syst=builder.finalized(),
        coordinates=Displacements(scaling=PowerLaw(2)),
        energy=energy,
        bias=1.0,
        frequency=36.0,
        mass=ion_mass(72.3, "meV", "nm"),
        energy_unit="meV",
        length_unit="nm",
    )
