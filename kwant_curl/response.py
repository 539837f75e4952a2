"""The response of coupled coordinates to the current."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl import kernels
from kwant_curl.averages import (
    RTOL,
    Average,
    Shares,
    averaged,
    occupied,
    response_sizes,
    warn_of_integral,
)
from kwant_curl.checks import true_or_false
from kwant_curl.operators import Coordinates, check_coordinates
from kwant_curl.propagation import jacobians, trace_size, velocity_tensors
from kwant_curl.results import ForceResponse
from kwant_curl.selfenergies import (
    check_energy_dependence,
    self_energy_slope,
    with_solved_leads,
)
from kwant_curl.stack import Factors, SecondDerivatives
from kwant_curl.states import (
    MAX_MEMORY,
    OperatingPoint,
    Propagators,
    energy_shell,
    operating_point,
)
from kwant_curl.units import Units, check_units

__all__ = ["force_response"]

SYMMETRIC = 1e-7
"""Below this part of its terms, an antisymmetric part is a numerical error."""


def force_response(
    syst: Any,
    coordinates: Coordinates,
    energy: float,
    *,
    bias: float | Mapping[int, float] = 1.0,
    degeneracy: float = 1,
    temperature: float = 0.0,
    linear: bool = True,
    jacobian: bool = False,
    velocity: bool = False,
    fermi_sea: bool = False,
    noise: bool = False,
    rtol: float = RTOL,
    params: Mapping[str, Any] | None = None,
    route: str = "auto",
    max_memory: float = MAX_MEMORY,
    solver: Any = None,
    executor: Any = None,
    progress: bool = False,
    units: Units | None = None,
) -> ForceResponse:
    """Return force, generalised curl and friction of coordinates that are coupled to each other.

    At zero temperature and in linear response
    kappa_IJ = dF_J/dQ_I - dF_I/dQ_J = 4 pi g sum_alpha dmu_alpha Im Tr[F_I D F_J D_alpha].

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized system with any number of leads, known by their modes or by their
        self-energy.  Time-reversal
        symmetry is not needed.
    coordinates : Displacements, Parameters or Matrices
        What moves, and how the Hamiltonian follows.
    energy : float
        The equilibrium Fermi level mu.
    bias : float or mapping, default 1.0
        A number V (an energy): lead 0 at +V/2, lead 1 at -V/2, two leads only, so that positive
        V drives electrons from lead 0 to lead 1.  Or ``{lead: dmu}``; leads that are not in it
        stay at mu.
    degeneracy : float, default 1
        Degeneracy g of every level: 2 if a spinless Hamiltonian stands for both spins.
    temperature : float, default 0.0
        kT, an energy; below 1e-8 of the chemical potentials, which can't resolve it, zero.
    linear : bool, default True
        Linear response to the bias (averaged thermally), or, if False, the whole bias window:
        each lead's Fermi function minus that at mu, integrated over energy.
    jacobian : bool, default False
        Also the whole derivative of the force, dF_I/dQ_J, symmetric part included.  For
        coordinates that give second derivatives of H, as all of ours do.  Like `velocity`, it
        takes the square of the orbitals that the coordinates touch, in complex numbers.
    velocity : bool, default False
        Also the velocity tensor out of equilibrium: what the current adds to the friction, and
        the Lorentz-like (Berry) force.
    fermi_sea : bool, default False
        With `velocity`: also the Lorentz-like force of equilibrium, which is there in a magnetic
        field: an integral over all energies of the leads' bands below the Fermi level.  States
        that are bound in the device are not in it.
    noise : bool, default False
        Also the noise of the force.
    rtol : float, default 1e-6
        Error to be reached by the adaptive integration over energy, where there is one, relative
        to the largest element of each quantity; see the result's `error`.
    params : mapping, optional
        Parameters of the system's value functions.
    route : {"auto", "modes", "adjoint"}, default "auto"
        Solve the linear system for every scattering state, or, transposed, for every orbital
        that the coordinates touch, with all states kept there; "auto" takes what there is less
        of (counting all orbitals where more than half are touched).
    max_memory : float, default 512 MiB
        Bytes for the states that are being solved for, in blocks of one to 64, beside the
        factorisation and the result.
    solver : optional
        What `direct_solver` returns, to keep the symbolic analysis in a loop over energies or
        parameters.
    executor : optional
        Anything with the `map` of `concurrent.futures.Executor`, for the energies of an integral;
        the system must then be picklable.  Workers keep no analysis, so `solver` goes without.
    progress : bool, default False
        Show a progress bar: energies evaluated.
    units : Units, optional
        The units of the Hamiltonian and of the positions, for labels.

    Returns
    -------
    ForceResponse
        Force (n_c,), curl (n_c, n_c) and friction (n_c, n_c), in the order of `coordinates`.

    Raises
    ------
    ValueError, TypeError
        For a system that is not finalized, or without leads; an energy or a
        bias that is not finite, a bias for a lead that is not there, a scalar bias with other
        than two leads; and what `coordinates` raises.

    Warns
    -----
    RuntimeWarning
        If no lead has an open mode at this energy, so that all results are zero, or at some
        energies of the window; if a mode stands still, at a band edge; if the integral does not
        reach `rtol`; if time-reversal symmetry is broken and the velocity tensor is asked for
        without `fermi_sea`.

    Notes
    -----
    The states are kept only at the orbitals that the coordinates touch.  The result holds
    n_c^2 numbers per lead: for the local curl of many atoms use `curl_map`.  Todorov et al.,
    Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 1, 2, 31, 32.
    """
    point = operating_point(syst, energy, bias, degeneracy, temperature, linear)
    check_coordinates(coordinates)
    _check_tensors(syst, jacobian=jacobian, velocity=velocity, fermi_sea=fermi_sea, noise=noise)

    forces = -coordinates.hamiltonian_derivatives(syst, params=params)
    second = _second_derivatives(coordinates, syst, params) if jacobian else None
    orbitals = forces.orbitals
    if second is not None:
        orbitals = np.unique(np.concatenate([orbitals, second.row, second.col]))
        second = second.on_orbitals(orbitals, forces.n_orbitals)
    shares = partial(
        _shares,
        syst=syst,
        factors=forces.on_orbitals(orbitals).factors(),
        second=second,
        velocity=velocity,
        noise=noise,
        params=params,
        orbitals=orbitals,
        route=route,
        max_memory=max_memory,
    )
    options: dict[str, Any] = {
        "params": params,
        "rtol": rtol,
        "executor": executor,
        "progress": progress,
        "solver": solver,
    }
    average = averaged(shares, syst, point, **options)
    lorentz, sea_error = (
        _equilibrium_lorentz(shares, average, fermi_sea, syst, point, options)
        if velocity
        else (None, 0.0)
    )
    by_lead, g = iter(average.by_lead), point.degeneracy
    return ForceResponse(
        **point._asdict(),
        units=check_units(units),
        lead_force=g * next(by_lead),
        lead_curl=g * next(by_lead),
        friction=g * average.total[0],
        lead_jacobian=g * next(by_lead) if jacobian else None,
        lead_velocity=g * next(by_lead) if velocity else None,
        equilibrium_lorentz=None if lorentz is None else g * lorentz,
        pair_noise=g * average.by_pair[0] if noise else None,
        positions=forces.positions,
        sites=forces.sites,
        error=max(average.error, sea_error),
        partial=average.partial,
    )


def _check_tensors(syst: Any, **asked: Any) -> None:
    """Raise for what is no True or False, or can't be given."""
    for name, value in asked.items():
        true_or_false(name, value)
    if asked["fermi_sea"] and not asked["velocity"]:
        raise ValueError("fermi_sea=True is a part of the velocity tensor; give velocity=True too.")
    if asked["velocity"]:
        check_energy_dependence(syst)


def _equilibrium_lorentz(
    shares: Callable[..., Shares],
    average: Average,
    fermi_sea: bool,
    syst: Any,
    point: OperatingPoint,
    options: dict[str, Any],
) -> tuple[NDArray[np.float64] | None, float]:
    """Return the Lorentz-like force of equilibrium, (n_c, n_c), and the error of its integral.

    None where it is left out.

    The occupied states have one only without time-reversal symmetry: it then changes with the
    Fermi level too, as `average` shows.
    """
    slope, size = average.total[1:]
    if np.abs(slope).max(initial=0.0) <= SYMMETRIC * size.max():
        return np.zeros_like(slope), 0.0
    if not fermi_sea:
        warnings.warn(
            "Time-reversal symmetry is broken, so in equilibrium too there is a Lorentz-like "
            "force, of all occupied states. It is left out; fermi_sea=True calculates it.",
            RuntimeWarning,
            stacklevel=3,
        )
        return None, 0.0
    integral = occupied(partial(_lorentz, shares), syst, point, **options)
    warn_of_integral(integral.error, options["rtol"], False, stacklevel=4)
    return integral.parts[0], integral.error


def _lorentz(
    shares: Callable[..., Shares], energy: float, *, solver: Any
) -> tuple[NDArray[np.float64], float]:
    """Return the Lorentz-like part of all leads' velocity tensors at one energy, and its size."""
    share = shares(energy, solver=solver)
    _, slope, size = share.total
    return slope, float(size[0])


def _second_derivatives(
    coordinates: Any, syst: Any, params: Mapping[str, Any] | None
) -> SecondDerivatives:
    method = getattr(coordinates, "hamiltonian_second_derivatives", None)
    if method is None:
        raise TypeError(
            f"jacobian=True needs d^2H/dQ_I dQ_J, but {type(coordinates).__name__} has no method "
            "hamiltonian_second_derivatives(syst, *, params=None) that returns them."
        )
    result: SecondDerivatives = method(syst, params=params)
    return result


def _shares(
    energy: float,
    *,
    syst: Any,
    factors: Factors,
    second: SecondDerivatives | None,
    velocity: bool,
    noise: bool,
    params: Mapping[str, Any] | None,
    **options: Any,
) -> Shares:
    """Return what all coordinates answer at one energy."""
    solved = with_solved_leads(syst, energy, params) if velocity else syst
    shell = energy_shell(solved, energy, params=params, **options)
    extra: list[NDArray[np.float64]] = []
    sizes: list[float] = []
    if second is None and not velocity:
        states = shell.states_by_lead()
    else:
        slope = self_energy_slope(syst, solved, energy, params) if velocity else None
        propagators = shell.propagators(slope)
        states = shell.split(propagators.states)
        extra, sizes = _propagated(factors, second, propagators, states)
    answer = kernels.lead_responses(factors, states, noise=noise)
    n_modes = sum(shell.n_modes)
    force, curl, friction = response_sizes(answer.friction, n_modes)
    total, total_sizes = [answer.friction], [friction]
    if velocity:
        gamma = extra[-1].sum(axis=0)
        total += [0.5 * (gamma - gamma.T), np.array([sizes[-1]])]
        total_sizes += [sizes[-1], sizes[-1]]
    return Shares(
        by_lead=(answer.force, answer.curl, *extra),
        by_pair=() if answer.noise is None else (answer.noise,),
        total=tuple(total),
        sizes=(force, curl, *sizes, *([friction] if noise else []), *total_sizes),
        n_modes=n_modes,
        slow_lead=shell.slow_lead,
    )


def _propagated(
    factors: Factors,
    second: SecondDerivatives | None,
    propagators: Propagators,
    states: list[NDArray[np.complex128]],
) -> tuple[list[NDArray[np.float64]], list[float]]:
    """Return Jacobian and velocity tensor by lead, those that are asked for, and their sizes."""
    parts, sizes = [], []
    if second is not None:
        parts.append(jacobians(factors, second, propagators.greens, states))
        sizes.append(trace_size(factors, propagators.greens, states))
    if propagators.slope is not None:
        parts.append(velocity_tensors(factors, propagators.slope, states))
        sizes.append(trace_size(factors, propagators.slope, states))
    return parts, sizes
