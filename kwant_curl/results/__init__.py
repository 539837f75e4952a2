"""What the routines return: frozen, with what follows from it.

Imports `algebra` and `support`.
"""

from kwant_curl.results.curl_flux import CurlFlux
from kwant_curl.results.curl_map import CurlMap
from kwant_curl.results.exchange_spectrum import ExchangeSpectrum
from kwant_curl.results.flow_map import FlowMap
from kwant_curl.results.force_path import ForcePath
from kwant_curl.results.force_plane import ForcePlane
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.results.grid_field import GridField
from kwant_curl.results.limit_cycle import LimitCycle
from kwant_curl.results.limit_cycles import LimitCycles
from kwant_curl.results.noise_spectrum import NoiseSpectrum
from kwant_curl.results.phonon_rates import PhononRates
from kwant_curl.results.pumped_charge import PumpedCharge
from kwant_curl.results.pumping_rates import PumpingRates
from kwant_curl.results.spectrum import Spectrum

__all__ = [
    "CurlFlux",
    "CurlMap",
    "ExchangeSpectrum",
    "FlowMap",
    "ForcePath",
    "ForcePlane",
    "ForceResponse",
    "GridField",
    "LimitCycle",
    "LimitCycles",
    "NoiseSpectrum",
    "PhononRates",
    "PumpedCharge",
    "PumpingRates",
    "Spectrum",
]
