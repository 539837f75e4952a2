"""What moves, and how the Hamiltonian follows.

Imports `model`, `algebra` and `support`.
"""

from kwant_curl.coordinates.base import (
    Coordinates,
    Specification,
    check_coordinates,
    field_strengths_of,
    forces_of,
    one_sided_overlaps_of,
)
from kwant_curl.coordinates.by_energy import (
    changes_by_energy,
    forces_by_energy,
    second_derivatives_by_energy,
    stacks_by_energy,
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
    "changes_by_energy",
    "check_coordinates",
    "field_strengths_of",
    "forces_by_energy",
    "forces_of",
    "gauge_notices",
    "one_sided_overlaps_of",
    "second_derivatives_by_energy",
    "stacks_by_energy",
]
