"""What moves, and how the Hamiltonian follows."""

from kwant_curl.coordinates.displacements import Displacements
from kwant_curl.coordinates.laws import Exponential, PowerLaw, ScalingLaw
from kwant_curl.coordinates.matrices import Matrices
from kwant_curl.coordinates.parameters import Parameters
from kwant_curl.coordinates.probe import Probe

__all__ = [
    "Displacements",
    "Exponential",
    "Matrices",
    "Parameters",
    "PowerLaw",
    "Probe",
    "ScalingLaw",
]
