"""Vibrations of the atoms, and what the current does to them."""

from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.orbits import Orbit
from kwant_curl.vibrations.pairs import PumpedPairs, pumped_pairs
from kwant_curl.vibrations.runaway import Stability, critical_bias, stability
from kwant_curl.vibrations.trajectories import Trajectory, langevin

__all__ = [
    "Orbit",
    "PumpedPairs",
    "Stability",
    "Trajectory",
    "VibrationalModes",
    "critical_bias",
    "langevin",
    "pumped_pairs",
    "stability",
]
