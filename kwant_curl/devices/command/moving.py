"""Which atoms move: indices and families of sites, as the user wrote them."""

from collections.abc import Sequence
from typing import Any

from kwant_curl.devices.command.options import CommandError
from kwant_curl.model.orbitals import interface_sites

__all__ = ["moving"]


def moving(syst: Any, which: Sequence[range | str]) -> list[int]:
    """Return the indices of the sites that are named, in the order of the system.

    An index must be of a site that can move; of a family those move that can.
    """
    fixed = set(interface_sites(syst).tolist())
    found: set[int] = set()
    for part in which:
        found |= set(part) if isinstance(part, range) else _of_family(syst, part) - fixed
    if not found:
        raise CommandError("--atoms names sites on the interface of a lead only, which can't move.")
    last = len(syst.sites) - 1
    if max(found) > last:
        raise CommandError(f"--atoms names site {max(found)}; the sites are 0 to {last}.")
    if found & fixed:
        raise CommandError(
            f"--atoms names site {min(found & fixed)}, which is on the interface of a lead and "
            "can't move; leave it out, or attach the lead further away."
        )
    return sorted(found)


def _of_family(syst: Any, name: str) -> set[int]:
    found = {i for i, site in enumerate(syst.sites) if site.family.name == name}
    if not found:
        names = sorted({site.family.name for site in syst.sites} - {""})
        known = f"those with a name are {', '.join(names)}" if names else "none has a name here"
        raise CommandError(f"--atoms names a family of sites {name!r}; {known}.")
    return found
