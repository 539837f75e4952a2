"""The response of coupled coordinates to the current."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.algebra.integral_errors import Failed
from kwant_curl.coordinates import (
    Coordinates,
    forces_by_energy,
    second_derivatives_by_energy,
)
from kwant_curl.electrons.averages import averaged
from kwant_curl.electrons.kernels.coupled import CoupledKernel
from kwant_curl.electrons.kernels.operators import operators_by_energy
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.moved import Carried, carried_orbitals
from kwant_curl.electrons.notices import integral_notices
from kwant_curl.electrons.numerics import MAX_ENERGIES, MAX_MEMORY, RTOL, Numerics, Route
from kwant_curl.electrons.operation import OperatingPoint, operating_point
from kwant_curl.electrons.resonances import resonance_distance
from kwant_curl.electrons.sea import integral_above
from kwant_curl.electrons.shares import Average
from kwant_curl.electrons.unfinished import finished, noted
from kwant_curl.model.bands import nearest_edge
from kwant_curl.model.charges import Charge
from kwant_curl.model.model import Model, scattering_model
from kwant_curl.model.off_axis import are_cells, check_cells
from kwant_curl.model.selfenergy_slopes import check_energy_dependence
from kwant_curl.model.solvers import DirectSolver
from kwant_curl.results import ForceResponse
from kwant_curl.results.spectrum import kept_spectrum
from kwant_curl.support.checks import true_or_false
from kwant_curl.support.parallel import Executor
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.units import Units

__all__ = ["force_response"]

UNKNOWN = (
    "No lead has an open mode, and the leads' self-energies aren't known at complex energies, so "
    "it can't be told whether time-reversal symmetry is broken. If it is, there is a Lorentz-like "
    "force in equilibrium, of all occupied states, which is left out."
)
"""What is said where nothing tells of it."""

UNFINISHED = "The Lorentz-like force of equilibrium is left out, since an energy failed."

SYMMETRIC = 1e-7
"""Below this part of its terms, an antisymmetric part is a numerical error."""


@recorded
@with_shared_keywords
def force_response(
    syst: FiniteSystem | Model,
    coordinates: Coordinates,
    energy: float,
    *,
    bias: float | Mapping[int, float] = 1.0,
    charge: Charge = None,
    degeneracy: float = 1,
    temperature: float = 0.0,
    linear: bool = True,
    jacobian: bool = False,
    velocity: bool = False,
    fermi_sea: bool = False,
    noise: bool = False,
    rtol: float = RTOL,
    max_energies: int = MAX_ENERGIES,
    exclude: float = 0.0,
    params: Mapping[str, Any] | None = None,
    energy_parameter: str | None = None,
    route: Route = "auto",
    max_memory: float = MAX_MEMORY,
    solver: DirectSolver | None = None,
    executor: Executor | None = None,
    progress: Progress = None,
    units: Units | None = None,
) -> ForceResponse:
    """Return force, generalised curl and friction of coordinates that are coupled to each other.

    At zero temperature and in linear response
    kappa_IJ = dF_J/dQ_I - dF_I/dQ_J = 4 pi g sum_alpha dmu_alpha Im Tr[F_I D F_J D_alpha].

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized system with any number of leads, known by their modes or by their
        self-energy.  Time-reversal
        symmetry is not needed.
    coordinates : Displacements, Parameters or Matrices
        What moves, and how the Hamiltonian follows.
    <energy>
    <bias>
    <charge>
    <degeneracy>
    <temperature>
    <linear>
    jacobian : bool, default False
        Also the whole derivative of the force, dF_I/dQ_J, symmetric part included.  For
        coordinates that give second derivatives of H, as all of ours do.  Like `velocity`, it
        takes the square of the orbitals that the coordinates touch, in complex numbers.
    velocity : bool, default False
        Also the velocity tensor out of equilibrium: what the current adds to the friction, and
        the Lorentz-like (Berry) force.
    fermi_sea : bool, default False
        With `velocity`: also the Lorentz-like force of equilibrium, which is there in a magnetic
        field and of all occupied states, those included that are bound in the device, filled up
        to the Fermi level.  For leads that are made with a Builder.  With a `vector_potential`,
        the force n_a v x B on the electrons that atoms carry along is (that on the atoms' cores
        is not).
    noise : bool, default False
        Also the noise of the force.
    <rtol>
    <max_energies>
    <exclude>
    <params>
    <energy_parameter>
    <route>
    <max_memory>
    <solver>
    <executor>
    <progress>
    <units>

    Returns
    -------
    ForceResponse
        Force (n_c,), curl (n_c, n_c) and friction (n_c, n_c), in the order of `coordinates`.

    Raises
    ------
    ValueError, TypeError
        For a system that is not finalized, or without leads; an energy or a
        bias that is not finite, a bias for a lead that is not there, a scalar bias with other
        than two leads; an energy at which a state is bound in the device; `fermi_sea` with leads
        whose self-energy isn't known at complex energies; and what `coordinates` raises.

    Warns
    -----
    RuntimeWarning
        If no lead has an open mode at this energy, so that all results are zero, or at some
        energies of the window; if a mode stands still, at a band edge; if a state is bound in the
        device near the energy, or in the window; if the integral does not
        reach `rtol`; if time-reversal symmetry is broken and the velocity tensor is asked for
        without `fermi_sea`; if hoppings change their phase with the coordinates, so that the
        velocity tensor depends on the gauge, and no `vector_potential` is given.

    Notes
    -----
    The states are kept only at the orbitals that the coordinates touch.  The result holds
    n_c^2 numbers per lead: for the local curl of many atoms use `curl_map`.  Todorov et al.,
    Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 1, 2, 31, 32.

    Examples
    --------
    >>> response = force_response(syst, moving, energy, bias=0.1, noise=True)
    >>> response.force.shape, response.curl.shape, response.noise.shape
    ((2,), (2, 2), (2, 2))
    >>> bool(np.isclose(response.curl[0, 1], -response.curl[1, 0]))
    True
    """
    model = scattering_model(syst, params, charge, energy_parameter, energy)
    point = operating_point(model, energy, bias, degeneracy, temperature, linear, units)
    _check_tensors(model, jacobian=jacobian, velocity=velocity, fermi_sea=fermi_sea, noise=noise)
    by_energy = forces_by_energy(coordinates, model, point.energy)
    forces = by_energy.at(point.energy)
    second = second_derivatives_by_energy(coordinates, model, point.energy) if jacobian else None
    limits: dict[str, Any] = {"max_energies": max_energies, "exclude": exclude}
    numerics = Numerics(rtol, route, max_memory, solver, executor, progress, **limits)
    carried = Carried()
    if velocity:
        carried = carried_orbitals(coordinates, model, by_energy, point.energy, fermi_sea=fermi_sea)
    operators = operators_by_energy(by_energy, second, *carried.operators)
    kernel = CoupledKernel(
        model.scattering, numerics.of_one_energy, operators, velocity, noise, point.energy
    )
    average = averaged(kernel, point, numerics)
    sea = _Lorentz(None)
    if velocity:
        sea = _equilibrium_lorentz(kernel, average, point, numerics, fermi_sea)
    notices = forces.notices + carried.notices + average.notices + sea.notices
    failed = average.failed or sea.failed
    g = point.degeneracy
    by_lead = {name: g * part for name, part in zip(kernel.by_lead, average.by_lead, strict=True)}
    result = ForceResponse(
        **point._asdict(),
        units=units,
        lead_force=by_lead["force"],
        lead_curl=by_lead["curl"],
        friction=g * average.total[0],
        lead_jacobian=by_lead.get("jacobian"),
        lead_velocity=by_lead.get("velocity"),
        equilibrium_lorentz=None if sea.value is None else g * sea.value,
        pair_noise=g * average.by_pair[0] if noise else None,
        crossed_noise=g * average.crossed[0] if average.crossed else None,
        positions=forces.positions,
        sites=forces.sites,
        error=max(average.error, sea.error),
        partial=average.partial,
        band_distance=nearest_edge(model.scattering, point.energy),
        resonance_distance=resonance_distance(model.scattering, point.energy, forces.orbitals),
        warnings=noted(notices, failed),
        spectrum=kept_spectrum(average.integral, average.limits, rtol, _fields(kernel, g)),
    )
    return finished(result, failed)


class _Lorentz(NamedTuple):
    """The Lorentz-like force of equilibrium, (n_c, n_c), None where it is left out, and its error.

    failed: an energy at which its integral had to end.
    """

    value: NDArray[np.float64] | None
    error: float = 0.0
    notices: tuple[str, ...] = ()
    failed: Failed | None = None


def _fields(kernel: CoupledKernel, degeneracy: float) -> dict[str, tuple[str, int, Any]]:
    """Return what the samples are in a result: kinds, numbers and factors."""
    fields = {
        f"lead_{name}": ("by_lead", number, degeneracy)
        for number, name in enumerate(kernel.by_lead)
    }
    fields["friction"] = "total", 0, degeneracy
    if kernel.noise:
        fields["pair_noise"] = "by_pair", 0, degeneracy
    return fields


def _check_tensors(model: Model, **asked: Any) -> None:
    """Raise for what is no True or False, or can't be given."""
    for name, value in asked.items():
        true_or_false(name, value)
    if asked["fermi_sea"] and not asked["velocity"]:
        raise ValueError("fermi_sea=True is a part of the velocity tensor; give velocity=True too.")
    if asked["velocity"]:
        check_energy_dependence(model.scattering, "the velocity tensor")


def _equilibrium_lorentz(
    kernel: CoupledKernel,
    average: Average,
    point: OperatingPoint,
    numerics: Numerics,
    fermi_sea: bool,
) -> _Lorentz:
    """Return the Lorentz-like force of equilibrium.

    The occupied states have one only without time-reversal symmetry.  It is that of the Fermi
    level's states, which is averaged, and an integral above the Fermi level in the complex plane.
    """
    if average.failed is not None:
        return _Lorentz(None, notices=(UNFINISHED,))
    slope, share = average.total[1:]
    size = average.sizes[1]
    if kernel.problem.doubled:
        # Electrons and holes cancel where energies are measured from, and nowhere else.
        nearby = kernel(kernel.nearby(point.energy))
        slope, size = nearby.total[1], nearby.total_sizes[1]
    if np.abs(slope).max(initial=0.0) <= SYMMETRIC * size:
        # At this energy, or on average, it may cancel; or no lead is open.
        if are_cells(kernel.problem):
            slope, size = kernel.above(complex(point.energy, kernel.problem.largest))
        elif not size:
            return _Lorentz(None, notices=(UNKNOWN,))
    if np.abs(slope).max(initial=0.0) <= SYMMETRIC * size:
        return _Lorentz(np.zeros_like(share))
    if not fermi_sea:
        notice = (
            "Time-reversal symmetry is broken, so in equilibrium too there is a Lorentz-like "
            "force, of all occupied states. It is left out; fermi_sea=True calculates it."
        )
        return _Lorentz(None, notices=(notice,))
    what = "the Lorentz-like force of all occupied states (fermi_sea=True)"
    check_cells(kernel.problem, what)
    integral = integral_above(kernel.above, point, numerics, kernel.problem.largest)
    notices = integral_notices(
        integral.error, numerics.rtol, integral.n_energies, "The integral over the occupied states"
    )
    if integral.value is None:
        return _Lorentz(None, notices=(UNFINISHED,), failed=integral.failed)
    occupied = integral.value + kernel.half_filled
    lorentz = share + kernel.problem.sources.share * occupied
    return _Lorentz(lorentz, integral.error, notices, integral.failed)
