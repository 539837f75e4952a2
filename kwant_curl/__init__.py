"""Nonconservative current-induced forces and directional-phonon pumping for Kwant systems."""

from importlib.metadata import version as _version

from kwant_curl.algebra.integral_errors import IntegrationError
from kwant_curl.coordinates import (
    Displacements,
    Exponential,
    Matrices,
    Parameters,
    PowerLaw,
    Probe,
)
from kwant_curl.electrons.operators import Force, MomentumCurrent, NonequilibriumDensity
from kwant_curl.emission import phonon_rates
from kwant_curl.flow import born_cross_section, flow_map
from kwant_curl.maps import curl_map
from kwant_curl.materials import (
    AtomDisplacements,
    Calculation,
    DisplacementReport,
    Electrode,
    Junction,
    JunctionReport,
)
from kwant_curl.model import Model
from kwant_curl.model.solvers import direct_solver
from kwant_curl.motion import ResponseField, curl_flux, force_along, force_plane, work
from kwant_curl.noise import noise_spectrum
from kwant_curl.plotting import animate, plot, plot_interactive
from kwant_curl.response import force_response
from kwant_curl.results import (
    CurlFlux,
    CurlMap,
    ExchangeSpectrum,
    FlowMap,
    ForcePath,
    ForcePlane,
    ForceResponse,
    GridField,
    NoiseSpectrum,
    PhononRates,
    PumpingRates,
    Spectrum,
)
from kwant_curl.studies import Study, study
from kwant_curl.support.parallel import SweepError, sweep
from kwant_curl.support.storage import load
from kwant_curl.support.units import ATOMIC_UNITS, EV_ANGSTROM_AMU, MEV_NANOMETRE_AMU, Units
from kwant_curl.vibrations import (
    CriticalBias,
    Lattice,
    LatticeLead,
    Linewidths,
    LocalVibrations,
    ModeOccupations,
    Orbit,
    PhononLeads,
    PumpedPairs,
    Stability,
    Trajectory,
    VibrationalModes,
    critical_bias,
    langevin,
    mode_occupations,
    pumped_pairs,
    stability,
)

__all__ = [
    "ATOMIC_UNITS",
    "EV_ANGSTROM_AMU",
    "MEV_NANOMETRE_AMU",
    "AtomDisplacements",
    "Calculation",
    "CriticalBias",
    "CurlFlux",
    "CurlMap",
    "DisplacementReport",
    "Displacements",
    "Electrode",
    "ExchangeSpectrum",
    "Exponential",
    "FlowMap",
    "Force",
    "ForcePath",
    "ForcePlane",
    "ForceResponse",
    "GridField",
    "IntegrationError",
    "Junction",
    "JunctionReport",
    "Lattice",
    "LatticeLead",
    "Linewidths",
    "LocalVibrations",
    "Matrices",
    "ModeOccupations",
    "Model",
    "MomentumCurrent",
    "NoiseSpectrum",
    "NonequilibriumDensity",
    "Orbit",
    "Parameters",
    "PhononLeads",
    "PhononRates",
    "PowerLaw",
    "Probe",
    "PumpedPairs",
    "PumpingRates",
    "ResponseField",
    "Spectrum",
    "Stability",
    "Study",
    "SweepError",
    "Trajectory",
    "Units",
    "VibrationalModes",
    "animate",
    "born_cross_section",
    "critical_bias",
    "curl_flux",
    "curl_map",
    "direct_solver",
    "flow_map",
    "force_along",
    "force_plane",
    "force_response",
    "langevin",
    "load",
    "mode_occupations",
    "noise_spectrum",
    "phonon_rates",
    "plot",
    "plot_interactive",
    "pumped_pairs",
    "stability",
    "study",
    "sweep",
    "work",
]

__version__ = _version("kwant_curl")
