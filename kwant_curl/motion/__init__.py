"""Motion beyond small vibrations: forces at displaced coordinates, their work, cycles.

Imports the routines, `vibrations`, `results`, `electrons`, `coordinates`, `model`, `algebra` and
`support`.  What derives from classes of ASE, `ase_calculator` and `ase_dynamics`, is imported by
those who ask for it.
"""

from kwant_curl.motion.continued import limit_cycles
from kwant_curl.motion.cycles import limit_cycle
from kwant_curl.motion.field import ResponseField
from kwant_curl.motion.paths import curl_flux, force_along, work
from kwant_curl.motion.planes import force_plane
from kwant_curl.motion.pumping import pumped_charge

__all__ = [
    "ResponseField",
    "curl_flux",
    "force_along",
    "force_plane",
    "limit_cycle",
    "limit_cycles",
    "pumped_charge",
    "work",
]
