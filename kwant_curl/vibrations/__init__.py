"""Vibrations of the atoms, and what the current does to them.

Imports `results`, `coordinates`, `model`, `algebra` and `support`.
"""

from kwant_curl.vibrations.critical import CriticalBias
from kwant_curl.vibrations.integrator import langevin
from kwant_curl.vibrations.lattice import Lattice, LatticeLead
from kwant_curl.vibrations.local import Linewidths, LocalVibrations
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.occupations import ModeOccupations, mode_occupations
from kwant_curl.vibrations.orbits import Orbit
from kwant_curl.vibrations.pairs import PumpedPairs
from kwant_curl.vibrations.phonon_leads import PhononLeads
from kwant_curl.vibrations.potentials import QuarticPotential
from kwant_curl.vibrations.pumping import pumped_pairs
from kwant_curl.vibrations.runaway import stability
from kwant_curl.vibrations.stabilities import Stability
from kwant_curl.vibrations.thresholds import critical_bias
from kwant_curl.vibrations.trajectories import Trajectory

__all__ = [
    "CriticalBias",
    "Lattice",
    "LatticeLead",
    "Linewidths",
    "LocalVibrations",
    "ModeOccupations",
    "Orbit",
    "PhononLeads",
    "PumpedPairs",
    "QuarticPotential",
    "Stability",
    "Trajectory",
    "VibrationalModes",
    "critical_bias",
    "langevin",
    "mode_occupations",
    "pumped_pairs",
    "stability",
]
