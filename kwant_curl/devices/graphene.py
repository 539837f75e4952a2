"""Graphene devices."""

import kwant
import numpy as np

from kwant_curl.coordinates import Displacements, Exponential
from kwant_curl.devices.device import Device, ion_mass

__all__ = ["graphene_constriction"]

HOPPING = -2.7
BOND = 1.42
DECAY = 3.37


def graphene_constriction(
    width: float = 100.0, neck: float = 35.0, length: float = 30.0, energy: float = 0.6
) -> Device:
    """Build a graphene nanoribbon with zigzag edges and a smooth constriction.

    Parameters
    ----------
    width, neck : float
        Width of the ribbon and of its narrowest part, in Angstrom.
    length : float
        Length of the narrow part, in Angstrom: the ribbon's edges are Gaussians of this scale.
    energy : float
        Fermi level above the Dirac point, in eV.

    Returns
    -------
    Device

    Notes
    -----
    One p_z orbital per atom, nearest-neighbour hopping t = -2.7 eV at d0 = 1.42 Angstrom
    (A. H. Castro Neto et al., Rev. Mod. Phys. 81, 109 (2009)), which follows the bond length as
    t ~ exp(-3.37 (d/d0 - 1)) (V. M. Pereira, A. H. Castro Neto, N. M. R. Peres, Phys. Rev. B 80,
    045401 (2009)).  The vibration is the optical phonon at 0.196 eV (S. Piscanec et al., Phys.
    Rev. Lett. 93, 185503 (2004)).

    Examples
    --------
    >>> len(graphene_constriction(width=30.0, neck=15.0, length=10.0).syst.leads)
    2
    """
    # A bond's centre at the origin, so that the device has mirror symmetry in x and y.
    constant = np.sqrt(3) * BOND
    lattice = kwant.lattice.general(
        [(constant, 0), (constant / 2, 1.5 * BOND)], [(0, -BOND / 2), (0, BOND / 2)], norbs=1
    )

    def ribbon(position: tuple[float, float]) -> bool:
        return abs(position[1]) < width / 2

    def constriction(position: tuple[float, float]) -> bool:
        x, y = position
        edge = width - (width - neck) * np.exp(-((x / length) ** 2))
        return abs(x) < 2.5 * length and abs(y) < edge / 2

    builder = kwant.Builder()
    builder[lattice.shape(constriction, (0, BOND / 2))] = 0
    builder[lattice.neighbors()] = HOPPING
    builder.eradicate_dangling()
    symmetry = kwant.TranslationalSymmetry(lattice.vec((-1, 0)))
    for sublattice in lattice.sublattices:  # unit cells at right angles to the ribbon
        symmetry.add_site_family(sublattice, other_vectors=[(-1, 2)])
    lead = kwant.Builder(symmetry)
    lead[lattice.shape(ribbon, (0, BOND / 2))] = 0
    lead[lattice.neighbors()] = HOPPING
    lead.eradicate_dangling()
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return Device(
        name="graphene constriction",
        syst=builder.finalized(),
        coordinates=Displacements(scaling=Exponential(BOND / DECAY)),
        energy=energy,
        bias=0.5,
        frequency=0.196,
        mass=ion_mass(12.011, "eV", "Å"),
    )
