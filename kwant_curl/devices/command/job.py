"""What is to be computed: a device, and where it is operated."""

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import kwant
import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import chemical_potential_shifts
from kwant_curl.coordinates import Displacements, Exponential, PowerLaw, ScalingLaw
from kwant_curl.devices import Device
from kwant_curl.devices.command.moving import moving
from kwant_curl.devices.command.options import CommandError
from kwant_curl.devices.command.values import Bias
from kwant_curl.model.checks import check_finite_system, check_leads, check_sites
from kwant_curl.model.geometry import site_positions
from kwant_curl.support.units import Units

__all__ = ["Job", "job"]

OWN_ONLY = ("power_law", "exponential", "energy_unit", "length_unit")
"""Options that a `Device` answers itself."""

OF_THE_COMMAND = ("temperature", "exclude", "max_energies", "rtol", "window")
"""Options that no device says anything of."""

OVERRIDES = ("energy", "bias", "degeneracy", "frequency", "mass")
"""Options that go before what a `Device` says."""


@dataclass(frozen=True)
class Job:
    """A `Device` at an operating point; without frequency and mass there are no rates."""

    name: str
    syst: Any
    coordinates: Any
    energy: float
    bias: Bias
    frequency: float | None
    mass: float | None
    energy_unit: str
    length_unit: str
    degeneracy: float
    params: Mapping[str, Any]
    temperature: float
    exclude: float
    max_energies: int
    rtol: float
    window: bool

    @property
    def units(self) -> Units | None:
        """The units, if they are among those that are known by name."""
        try:
            return Units.named(self.energy_unit, self.length_unit)
        except ValueError:
            return None

    @property
    def dim(self) -> int:
        """Dimension of the sites' positions."""
        return len(self.syst.sites[0].pos)

    @property
    def shifts(self) -> NDArray[np.float64]:
        """Shift of each lead, (n_leads,)."""
        return chemical_potential_shifts(self.bias, len(self.syst.leads))

    def energy_text(self, value: float, form: str = ".4g") -> str:
        """Return an energy with its unit."""
        return f"{value:{form}} {self.energy_unit}".rstrip()


def job(made: Any, options: Namespace, name: str = "") -> Job:
    """Return the job of a device, or of a Builder or system that a function `name` has made."""
    if isinstance(made, Device):
        result = _of_device(made, options)
    else:
        result = _of_system(_finalized(made, name), options, name)
    result = _converted(result, options)
    _check_bias(result)
    return result if options.atoms is None else _of_atoms(result, options)


def _check_bias(job: Job) -> None:
    """Refuse a bias of other leads than there are, and one that drives nothing."""
    n_leads = len(job.syst.leads)
    if not isinstance(job.bias, dict) and n_leads != 2:
        raise CommandError(
            f"a bias of one number takes two leads, at +V/2 and -V/2, but the system has "
            f"{n_leads}; give a shift per lead, for instance --bias 0=0.1"
            f"{f' {n_leads - 1}=-0.1' if n_leads > 1 else ''}."
        )
    unknown = [lead for lead in job.bias if lead >= n_leads] if isinstance(job.bias, dict) else []
    if unknown:
        raise CommandError(
            f"--bias names lead {unknown[0]}, but the system has leads 0 to {n_leads - 1}."
        )
    if np.ptp(job.shifts) == 0:
        raise CommandError(
            "the bias is zero between all leads: nothing is driven, and there is no threshold."
        )


def _of_atoms(job: Job, options: Namespace) -> Job:
    """Return a job in which the atoms of --atoms move alone."""
    if job.dim == 1:
        raise CommandError(
            "--atoms is for two and three dimensions; waves along a chain are motions of all atoms."
        )
    if not isinstance(job.coordinates, Displacements):
        raise CommandError(
            f"--atoms is for displacements of sites; {job.name!r} has "
            f"{type(job.coordinates).__name__} as coordinates."
        )
    where = moving(job.syst, options.atoms)
    return replace(job, coordinates=replace(job.coordinates, where=where))


def _converted(job: Job, options: Namespace) -> Job:
    """Return a job with what was given in kelvin and in atomic mass units."""
    if options.kelvin is None and options.amu is None:
        return job
    given = "--kelvin" if options.amu is None else "--amu"
    if job.units is None:
        raise CommandError(
            f"{given} needs the units of the Hamiltonian; give --energy-unit and --length-unit, of "
            "those that are known: eV, meV, Hartree or Rydberg; Å, nm or Bohr."
        )
    changed: dict[str, Any] = {}
    if options.kelvin is not None:
        changed["temperature"] = job.units.temperature(options.kelvin)
    if options.amu is not None:
        changed["mass"] = job.units.mass(options.amu)
    return replace(job, **changed)


def _of_device(device: Device, options: Namespace) -> Job:
    for option in OWN_ONLY:
        if getattr(options, option) is not None:
            raise CommandError(
                f"--{option.replace('_', '-')} is for a system of your own; the device "
                f"{device.name!r} has coordinates and units already."
            )
    known = dict(device.params or {})
    _check_system(device.syst)
    _check_params(device.syst, dict(options.params), known)
    values = {field.name: getattr(device, field.name) for field in fields(Device)}
    given = {name: getattr(options, name) for name in OVERRIDES}
    values |= {name: value for name, value in given.items() if value is not None}
    values["params"] = known | dict(options.params)
    return Job(**values, **_of_the_command(options))


def _of_the_command(options: Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in OF_THE_COMMAND}


def _finalized(made: Any, name: str) -> Any:
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], kwant.Builder):
        made = _with_leads(made[0], made[1], name)
    if isinstance(made, kwant.Builder):
        return made.finalized()
    if not isinstance(made, kwant.system.System):
        raise CommandError(
            f"{name} returned a {type(made).__name__}; expected a kwant.Builder, a finalized "
            "system, `syst, leads` (Builders), or a kwant_curl.devices.Device."
        )
    return made


def _with_leads(builder: kwant.Builder, leads: Any, name: str) -> kwant.Builder:
    """Return the Builder of `syst, leads`, with the leads attached unless they are already."""
    given = list(leads) if isinstance(leads, list | tuple) else [leads]
    if not all(isinstance(lead, kwant.Builder) for lead in given):
        raise CommandError(
            f"{name} returned a system and {type(leads).__name__}; expected a list of leads that "
            "are Builders, or the system with its leads attached."
        )
    if not builder.leads:
        for lead in given:
            builder.attach_lead(lead)
    return builder


def _of_system(syst: Any, options: Namespace, name: str) -> Job:
    _check_system(syst)
    if site_positions(syst).shape[1] == 1:
        raise CommandError(
            f"{name} is one-dimensional, and one atom on a line can't go round; return a Device "
            "for waves along the chain, or see force_response."
        )
    if options.energy is None:
        raise CommandError(f"the Fermi level of {name} is not known; give --energy.")
    if (options.frequency is None) != (options.mass is None and options.amu is None):
        raise CommandError("--frequency and --mass go together (or --amu); give both, or neither.")
    _check_params(syst, dict(options.params), {})
    return Job(
        name=name,
        syst=syst,
        coordinates=Displacements(scaling=_law(options)),
        energy=options.energy,
        bias=1.0 if options.bias is None else options.bias,
        frequency=options.frequency,
        mass=options.mass,
        energy_unit=options.energy_unit or "",
        length_unit=options.length_unit or "",
        degeneracy=1.0 if options.degeneracy is None else options.degeneracy,
        params=dict(options.params),
        **_of_the_command(options),
    )


def _law(options: Namespace) -> ScalingLaw | None:
    if options.power_law is not None:
        return PowerLaw(options.power_law)
    return None if options.exponential is None else Exponential(options.exponential)


def _check_system(syst: Any) -> None:
    check_finite_system(syst)
    check_sites(syst)
    check_leads(syst)


def _check_params(syst: Any, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse parameters that nothing takes, and a lack of those that are taken."""
    taken = set(syst.parameters).union(*(lead.parameters for lead in syst.leads))
    unknown = sorted(set(given) - taken - set(known))
    if unknown:
        takes = f"takes {', '.join(sorted(taken))}" if taken else "takes none"
        raise CommandError(f"--params names {', '.join(unknown)}, but the system {takes}.")
    missing = sorted(taken - set(given) - set(known))
    if missing:
        values = " ".join(f"{name}=VALUE" for name in missing)
        raise CommandError(f"the system takes parameters; give --params {values}.")
