"""Nonconservative current-induced forces and directional-phonon pumping for Kwant systems."""

from kwant_curl.coordinates import Displacements, Exponential, Matrices, Parameters, PowerLaw
from kwant_curl.maps import curl_map
from kwant_curl.operators import Force, NonequilibriumDensity
from kwant_curl.phonons import PumpingRates
from kwant_curl.plotting import plot
from kwant_curl.response import force_response
from kwant_curl.results import CurlMap, ForceResponse

__all__ = [
    "CurlMap",
    "Displacements",
    "Exponential",
    "Force",
    "ForceResponse",
    "Matrices",
    "NonequilibriumDensity",
    "Parameters",
    "PowerLaw",
    "PumpingRates",
    "curl_map",
    "force_response",
    "plot",
]
