"""What moves, and how the Hamiltonian follows.

Imports `model`, `algebra` and `support`.
"""

from kwant_curl.coordinates.base import (
    Coordinates,
    Specification,
    check_coordinates,
    field_strengths_of,
    forces_of,
    second_derivatives_of,
)
from kwant_curl.coordinates.displacements import Displacements
from kwant_curl.coordinates.gauge import gauge_notices
from kwant_curl.coordinates.laws import Exponential, PowerLaw, ScalingLaw
from kwant_curl.coordinates.matrices import Matrices
from kwant_curl.coordinates.parameters import Parameters
from kwant_curl.coordinates.probe import Probe

__all__ = [
    "Coordinates",
    "Displacements",
    "Exponential",
    "Matrices",
    "Parameters",
    "PowerLaw",
    "Probe",
    "ScalingLaw",
    "Specification",
    "check_coordinates",
    "field_strengths_of",
    "forces_of",
    "gauge_notices",
    "second_derivatives_of",
]
