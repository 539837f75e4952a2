"""Nonconservative current-induced forces and directional-phonon pumping for Kwant systems."""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from importlib.util import find_spec as _find_spec
from logging import NullHandler as _NullHandler
from logging import getLogger as _getLogger
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from kwant_curl.algebra.integral_errors import IntegrationError
from kwant_curl.algebra.sustained import NoCycleError
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
from kwant_curl.motion import (
    ResponseField,
    curl_flux,
    force_along,
    force_plane,
    limit_cycle,
    limit_cycles,
    pumped_charge,
    work,
)
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
    LimitCycle,
    LimitCycles,
    NoiseSpectrum,
    PhononRates,
    PumpedCharge,
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
    QuarticPotential,
    Stability,
    Trajectory,
    VibrationalModes,
    critical_bias,
    langevin,
    mode_occupations,
    pumped_pairs,
    stability,
)

if _TYPE_CHECKING:
    from kwant_curl.motion.ase_calculator import CurrentInducedForces
    from kwant_curl.motion.ase_dynamics import CurrentInducedLangevin

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
    "LimitCycle",
    "LimitCycles",
    "Linewidths",
    "LocalVibrations",
    "Matrices",
    "ModeOccupations",
    "Model",
    "MomentumCurrent",
    "NoCycleError",
    "NoiseSpectrum",
    "NonequilibriumDensity",
    "Orbit",
    "Parameters",
    "PhononLeads",
    "PhononRates",
    "PowerLaw",
    "Probe",
    "PumpedCharge",
    "PumpedPairs",
    "PumpingRates",
    "QuarticPotential",
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
    "limit_cycle",
    "limit_cycles",
    "load",
    "mode_occupations",
    "noise_spectrum",
    "phonon_rates",
    "plot",
    "plot_interactive",
    "pumped_charge",
    "pumped_pairs",
    "stability",
    "study",
    "sweep",
    "work",
]

_OF_ASE = {
    "CurrentInducedForces": "kwant_curl.motion.ase_calculator",
    "CurrentInducedLangevin": "kwant_curl.motion.ase_dynamics",
}
"""Classes that derive from ASE's, which is imported when somebody asks for them."""

if _find_spec("ase") is not None:
    __all__ += ["CurrentInducedForces", "CurrentInducedLangevin"]


if not _TYPE_CHECKING:  # for type checkers any name would be there

    def __getattr__(name: str) -> _Any:
        """Import what needs ASE."""
        if name not in _OF_ASE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if _find_spec("ase") is None:
            raise ImportError(
                f"{name} needs ASE, which is not installed: pip install 'kwant-curl[ase]'."
            )
        return getattr(_import_module(_OF_ASE[name]), name)


def __dir__() -> list[str]:
    """Return the names, those that are imported later among them."""
    return sorted({*globals(), *__all__})


__version__ = _version("kwant_curl")

_getLogger(__name__).addHandler(_NullHandler())  # who wants to read it adds another
