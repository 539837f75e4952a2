"""Ready-made systems, and the command line that runs them or a system of the user's own.

Imports the routines, `studies`, `results`, `electrons`, `coordinates`, `model`, `algebra` and
`support`; figures are drawn through the results' own `plot`.
"""

from kwant_curl.devices.atoms import Atoms
from kwant_curl.devices.contact import point_contact
from kwant_curl.devices.device import Device
from kwant_curl.devices.gold import bent_molecule, gold_chain, nanowire
from kwant_curl.devices.graphene import graphene_constriction

__all__ = [
    "Atoms",
    "Device",
    "bent_molecule",
    "gold_chain",
    "graphene_constriction",
    "nanowire",
    "point_contact",
]
