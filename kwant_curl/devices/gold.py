"""Gold devices: one orbital per atom.

The model of A. P. Sutton, T. N. Todorov, M. J. Cawkwell, J. Hoekstra, Phil. Mag. A 81, 1833
(2001): nearest-neighbour hopping t = -3.88 eV at 2.5 Angstrom, t ~ d^-4, band filling 0.36.
"""

from itertools import pairwise
from typing import Any

import kwant
import numpy as np

from kwant_curl.coordinates import Displacements, PowerLaw
from kwant_curl.devices.atoms import Atoms
from kwant_curl.devices.device import Device, ion_mass

__all__ = ["bent_molecule", "gold_chain", "nanowire"]

HOPPING = -3.88
BOND = 2.5
EXPONENT = 4
FILLING = 0.36
MASS = 196.967
PHONON = 0.010

CHAIN_ENERGY = 2 * HOPPING * np.cos(np.pi * FILLING)
"""Fermi level of the infinite chain, where k_F = 0.36 pi / BOND."""


def gold_hopping(distance: Any) -> Any:
    """Return the hopping at this bond length, in eV for Angstrom."""
    return HOPPING * (BOND / distance) ** EXPONENT


def gold_chain(n_atoms: int = 100) -> Device:
    """Build a straight gold chain along a line, `n_atoms` of which move.

    Parameters
    ----------
    n_atoms : int
        Number of atoms that move.

    Returns
    -------
    Device

    Notes
    -----
    The model of Sutton et al., Phil. Mag. A 81, 1833 (2001): t = -3.88 eV at 2.5 Angstrom,
    t ~ d^-4, band filling 0.36, hence k_F = 0.36 pi / 2.5 Angstrom.  Gold chains begin to emit
    phonons at 10 to 20 meV (N. Agrait et al., Phys. Rev. Lett. 88, 216803 (2002)).

    Examples
    --------
    >>> len(gold_chain(10).syst.sites)
    12
    """
    lattice = kwant.lattice.chain(BOND, norbs=1)
    builder = kwant.Builder()
    builder[(lattice(i) for i in range(-1, n_atoms + 1))] = 0
    builder[lattice.neighbors()] = HOPPING
    lead = kwant.Builder(kwant.TranslationalSymmetry((-BOND,)))
    lead[lattice(0)] = 0
    lead[lattice.neighbors()] = HOPPING
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return Device(
        name="gold chain",
        syst=builder.finalized(),
        coordinates=Displacements(scaling=PowerLaw(EXPONENT)),
        energy=CHAIN_ENERGY,
        bias=0.1,
        frequency=PHONON,
        mass=ion_mass(MASS, "eV", "Å"),
    )


def bent_molecule(n_atoms: int = 3, angle: float = 40.0) -> Device:
    """Build a bent molecule of gold atoms between two straight gold chains, in the plane.

    Parameters
    ----------
    n_atoms : int
        Number of atoms in the molecule, all of which move.
    angle : float
        Angle by which the chain turns at each of them, in degrees.

    Returns
    -------
    Device

    Notes
    -----
    Bonds of 2.5 Angstrom and the model of Sutton et al., Phil. Mag. A 81, 1833 (2001):
    t = -3.88 eV at 2.5 Angstrom, t ~ d^-4, band filling 0.36.  A bent chain of gold atoms is the
    atomic waterwheel of D. Dundas, E. J. McEniry, T. N. Todorov, Nat. Nanotechnol. 4, 99 (2009).

    Examples
    --------
    >>> device = bent_molecule()
    >>> curl_map(device.syst, device.coordinates, device.energy).curl.round(3)
    array([0.493, 0.493, 0.493])
    """
    turns = np.radians(angle) * (n_atoms / 2 - np.arange(n_atoms + 1))
    steps = BOND * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    points = np.cumsum(steps, axis=0)
    span = points[-1, 0]
    molecule = Atoms(points[:-1], name="molecule")
    left = kwant.lattice.general([(BOND, 0)], name="left", norbs=1)
    right = kwant.lattice.general([(BOND, 0)], [(span, 0)], name="right", norbs=1).sublattices[0]

    builder = kwant.Builder()
    atoms = [left(-1), left(0), *(molecule(i) for i in range(n_atoms)), right(0), right(1)]
    builder[atoms] = 0
    for a, b in pairwise(atoms):
        builder[a, b] = gold_hopping(np.linalg.norm(a.pos - b.pos))
    for lattice, direction in ((left, -BOND), (right, BOND)):
        lead = kwant.Builder(kwant.TranslationalSymmetry((direction, 0)))
        lead[lattice(0)] = 0
        lead[lattice(0), lattice(1)] = HOPPING
        builder.attach_lead(lead)
    return Device(
        name="bent gold molecule between chains",
        syst=builder.finalized(),
        coordinates=Displacements(
            where=[molecule(i) for i in range(n_atoms)], scaling=PowerLaw(EXPONENT)
        ),
        energy=CHAIN_ENERGY,
        bias=0.5,
        frequency=PHONON,
        mass=ion_mass(MASS, "eV", "Å"),
    )


FCC = 4.08
FCC_ENERGY_PER_HOPPING = 0.220
"""Fermi level of the crystal at band filling 0.36, in units of its hopping."""


def nanowire(radius: float = 7.5, neck: float = 4.5, length: float = 8.0) -> Device:
    """Build a gold nanowire along x, of the fcc lattice, with a neck.

    Parameters
    ----------
    radius, neck : float
        Radius of the wire and of its narrowest part, in Angstrom.
    length : float
        Length of the neck, in Angstrom: its profile is a Gaussian of this scale.

    Returns
    -------
    Device

    Notes
    -----
    Lattice constant 4.08 Angstrom, bonds of 2.885 Angstrom to 12 neighbours, and the model of
    Sutton et al., Phil. Mag. A 81, 1833 (2001): t = -3.88 eV at 2.5 Angstrom, t ~ d^-4, band
    filling 0.36 in the crystal.

    Examples
    --------
    >>> device = nanowire(radius=4.0, neck=3.0, length=3.0)
    >>> curl_map(device.syst, device.coordinates, device.energy).curl.shape[1]  # a vector per atom
    3
    """
    h = FCC / 2
    lattice = kwant.lattice.general([(0, h, h), (h, 0, h), (h, h, 0)], norbs=1)
    hopping = gold_hopping(FCC / np.sqrt(2))

    def wire(position: tuple[float, float, float]) -> bool:
        return np.hypot(position[1], position[2]) < radius

    def necked(position: tuple[float, float, float]) -> bool:
        x, y, z = position
        edge = radius - (radius - neck) * np.exp(-((x / length) ** 2))
        return abs(x) < 2.5 * length and np.hypot(y, z) < edge

    builder = kwant.Builder()
    builder[lattice.shape(necked, (0, 0, 0))] = 0
    builder[lattice.neighbors()] = hopping
    lead = kwant.Builder(kwant.TranslationalSymmetry((-FCC, 0, 0)))
    lead[lattice.shape(wire, (0, 0, 0))] = 0
    lead[lattice.neighbors()] = hopping
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return Device(
        name="gold nanowire",
        syst=builder.finalized(),
        coordinates=Displacements(scaling=PowerLaw(EXPONENT)),
        energy=FCC_ENERGY_PER_HOPPING * hopping,
        bias=0.5,
        frequency=PHONON,
        mass=ion_mass(MASS, "eV", "Å"),
    )
