"""Force constants of a device and its leads, and the lattice around the atoms that move."""

from kwant_curl.vibrations.lattice.lattice import Lattice
from kwant_curl.vibrations.lattice.leads import LatticeLead

__all__ = ["Lattice", "LatticeLead"]
