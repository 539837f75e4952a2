"""Junctions from first principles: nonorthogonal matrices of atoms become Kwant systems.

Imports `coordinates`, `model`, `algebra` and `support`. sisl and tblite are imported where they are
asked for, ASE never.
"""

from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.electrode import Electrode
from kwant_curl.materials.junction import Junction
from kwant_curl.materials.moved import AtomDisplacements
from kwant_curl.materials.reports import DisplacementReport, JunctionReport

__all__ = [
    "AtomDisplacements",
    "Calculation",
    "DisplacementReport",
    "Electrode",
    "Junction",
    "JunctionReport",
]
