"""The gas-flow picture: where a flow can exert a nonconservative force at all."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.images import period_vectors
from kwant_curl.coordinates import stacks_by_energy
from kwant_curl.electrons.averages import averaged
from kwant_curl.electrons.currents import (
    Momentum,
    cell_volumes,
    site_charges,
    site_flows,
    site_momenta,
)
from kwant_curl.electrons.kernels.flow import FlowKernel
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.numerics import MAX_ENERGIES, MAX_MEMORY, RTOL, Numerics
from kwant_curl.electrons.operation import operating_point
from kwant_curl.electrons.unfinished import finished, noted
from kwant_curl.model.charges import Charge
from kwant_curl.model.checks import check_sites
from kwant_curl.model.model import Model, scattering_model
from kwant_curl.model.periods import periods_of
from kwant_curl.model.solvers import DirectSolver
from kwant_curl.results import FlowMap
from kwant_curl.results.spectrum import kept_spectrum
from kwant_curl.support.checks import positive_number
from kwant_curl.support.parallel import Executor
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.units import Units

__all__ = ["born_cross_section", "flow_map"]


@recorded
@with_shared_keywords
def flow_map(
    syst: FiniteSystem | Model,
    energy: float,
    *,
    momentum: Momentum | None = None,
    bias: float | Mapping[int, float] = 1.0,
    charge: Charge = None,
    degeneracy: float = 1,
    cell_volume: ArrayLike | None = None,
    periods: ArrayLike | None = None,
    temperature: float = 0.0,
    linear: bool = True,
    rtol: float = RTOL,
    max_energies: int = MAX_ENERGIES,
    exclude: float = 0.0,
    params: Mapping[str, Any] | None = None,
    energy_parameter: str | None = None,
    max_memory: float = MAX_MEMORY,
    solver: DirectSolver | None = None,
    executor: Executor | None = None,
    progress: Progress = None,
    units: Units | None = None,
) -> FlowMap:
    """Return the local density of states, the particle current and the momentum current per site.

    D(r) j(r) is the curl-generating capacity of the flow: its curl, times 2 pi C^2 m/hbar, is the
    curl of the force on a weak test particle of strength C, before any atom is named.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized Builder in two or three dimensions (one will do, but has no curl), with leads
        that are known by their modes or by their self-energy.
    <energy>
    momentum : float, array (n_sites,) or callable, optional
        Local Fermi momentum p(r), a number, one per site, or ``momentum(site, **params)``: the
        momentum current is then p(r) j(r), the semiclassical form, instead of D(r) j(r).
    <bias>
    <charge>
    <degeneracy>
    cell_volume : float or array (n_sites,), optional
        Volume (area in 2D) that belongs to each site.  Default: from the primitive vectors of
        the lattice, divided among the sites of its unit cell.  Of sites that share a position
        (two spins as two lattices, say) each has the whole volume.
    periods : array of float, shape (n, dim), optional
        Vectors of the periods of a system that closes on itself: bonds go to nearest images.
        None: those of `kwant.wraparound`, if the system was made by that; otherwise bonds that
        look as if they closed the system are an error.  ``[]``: bonds are taken as they are.
    <temperature>
    <linear>
    <rtol>
    <max_energies>
    <exclude>
    <params>
    <energy_parameter>
    <max_memory>
    <solver>
    <executor>
    <progress>
    <units>

    Returns
    -------
    FlowMap
        One entry per site, in the order of the system.

    Raises
    ------
    ValueError, TypeError
        As `curl_map`; and if the volume of a site can't be told and is not given.

    Warns
    -----
    RuntimeWarning
        If no lead has an open mode at this energy, so that all results are zero, or at some
        energies of the window; if a mode stands still, at a band edge; if the integral does not
        reach `rtol`.

    Notes
    -----
    Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 7 and 9 to 11.  That D j
    is the whole capacity needs time-reversal symmetry; `FlowMap.magnetic_correction` has the rest.

    Examples
    --------
    >>> flow_map(syst, energy, bias=0.1)
    <FlowMap of 15 sites in 2D, energy 0.5, bias {0: 0.05, 1: -0.05}>
    """
    model = scattering_model(syst, params, charge, energy_parameter, energy)
    point = operating_point(model, energy, bias, degeneracy, temperature, linear, units)
    check_sites(model.syst)
    volumes = cell_volumes(model.syst, cell_volume)
    p = None if momentum is None else site_momenta(model, momentum)
    closed = periods_of(model, period_vectors(periods))
    find = partial(site_flows, weights=1 / volumes, periods=closed)
    currents = stacks_by_energy(find, model, point.energy)
    numerics = Numerics(
        rtol,
        max_memory=max_memory,
        solver=solver,
        executor=executor,
        progress=progress,
        max_energies=max_energies,
        exclude=exclude,
    )
    charges = site_charges(model) if model.has_holes else None
    overlaps = model.energy_parameter is not None
    kernel = FlowKernel(model.scattering, numerics.of_one_energy, currents, overlaps, charges)
    average = averaged(kernel, point, numerics)
    density, current, capacity, correction = average.by_lead
    dos = model.scattering.sources.summed(average.total[0])
    result = FlowMap(
        positions=model.positions,
        cell_volumes=volumes,
        spacing=model.spacing,
        **point._asdict(),
        units=units,
        lead_dos=dos / volumes,
        lead_current=current,
        lead_capacity=capacity / volumes[:, None],
        lead_correction=correction / volumes[:, None],
        lead_density=density / volumes,
        momentum=p,
        periods=closed,
        error=average.error,
        partial=average.partial,
        warnings=noted(average.notices, average.failed),
        spectrum=kept_spectrum(average.integral, average.limits, rtol, _fields(volumes)),
    )
    return finished(result, average.failed)


def _fields(volumes: NDArray[np.float64]) -> dict[str, tuple[str, int, Any]]:
    """Return what the samples of a flow are in its result: kinds, numbers and factors."""
    return {
        "lead_dos": ("total", 0, 1 / volumes),
        "lead_density": ("by_lead", 0, 1 / volumes),
        "lead_current": ("by_lead", 1, 1.0),
        "lead_capacity": ("by_lead", 2, 1 / volumes[:, None]),
        "lead_correction": ("by_lead", 3, 1 / volumes[:, None]),
    }


def born_cross_section(
    strength: ArrayLike, local_dos: ArrayLike, momentum: ArrayLike, *, mass: float
) -> NDArray[np.float64] | float:
    """Return the Born cross section of a test particle, sigma = 2 pi m C^2 D / (hbar p), hbar = 1.

    Parameters
    ----------
    strength : float or array
        C, the integral of the particle's potential: energy times length^dim.
    local_dos : float or array
        D(r), the local density of states per level, without the degeneracy (that of a `FlowMap`
        holds it): 1/(energy length^dim).
    momentum : float or array
        p(r), the local Fermi momentum, positive.
    mass : float
        The electrons' (effective) mass, hbar^2/(energy length^2).

    Returns
    -------
    float or array
        sigma, an area in 3D, a length in 2D.  The force of a flow on the particle is sigma p j.
        It is also the transport cross section, since a point scatters into all directions alike.

    Notes
    -----
    Equation 8 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).  In 3D D is proportional
    to p, and sigma is constant: m^2 C^2 / (pi hbar^4).

    Examples
    --------
    >>> float(born_cross_section(0.1, local_dos=0.2, momentum=1.5, mass=0.5).round(5))
    0.00419
    """
    m = positive_number("mass", mass)
    p = np.asarray(momentum, dtype=float)
    if not np.all(p > 0):
        raise ValueError("momentum has values that are not positive; expected p > 0.")
    dos = np.asarray(local_dos, dtype=float)
    if not np.all(dos >= 0):
        raise ValueError("local_dos has values that are negative or not numbers; expected D >= 0.")
    return 2 * np.pi * m * np.asarray(strength, float) ** 2 * dos / p
