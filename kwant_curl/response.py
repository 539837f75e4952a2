"""The response of coupled coordinates to the current."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from kwant_curl import kernels
from kwant_curl.averages import RTOL, Shares, averaged, response_sizes
from kwant_curl.operators import Coordinates, check_coordinates
from kwant_curl.results import ForceResponse
from kwant_curl.stack import Factors
from kwant_curl.states import MAX_MEMORY, energy_shell, operating_point

__all__ = ["force_response"]


def force_response(
    syst: Any,
    coordinates: Coordinates,
    energy: float,
    *,
    bias: float | Mapping[int, float] = 1.0,
    degeneracy: float = 1,
    temperature: float = 0.0,
    linear: bool = True,
    rtol: float = RTOL,
    params: Mapping[str, Any] | None = None,
    route: str = "auto",
    max_memory: float = MAX_MEMORY,
    solver: Any = None,
    executor: Any = None,
    progress: bool = False,
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
        energies of the window; if the integral does not reach `rtol`.

    Notes
    -----
    The states are kept only at the orbitals that the coordinates touch.  The result holds
    n_c^2 numbers per lead: for the local curl of many atoms use `curl_map`.  Todorov et al.,
    Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 1, 2, 31, 32.
    """
    point = operating_point(syst, energy, bias, degeneracy, temperature, linear)
    check_coordinates(coordinates)

    forces = -coordinates.hamiltonian_derivatives(syst, params=params)
    orbitals = forces.orbitals
    shares = partial(
        _shares,
        syst=syst,
        factors=forces.on_orbitals(orbitals).factors(),
        params=params,
        orbitals=orbitals,
        route=route,
        max_memory=max_memory,
    )
    average = averaged(
        shares,
        syst,
        point,
        params=params,
        rtol=rtol,
        executor=executor,
        progress=progress,
        solver=solver,
    )
    force, curl = average.by_lead
    return ForceResponse(
        **point._asdict(),
        lead_force=point.degeneracy * force,
        lead_curl=point.degeneracy * curl,
        friction=point.degeneracy * average.total[0],
        error=average.error,
        partial=average.partial,
    )


def _shares(energy: float, *, syst: Any, factors: Factors, **options: Any) -> Shares:
    """Return force, curl and friction of all coordinates at one energy."""
    shell = energy_shell(syst, energy, **options)
    force, curl, friction = kernels.lead_responses(factors, shell.states_by_lead())
    n_modes = sum(shell.n_modes)
    return Shares((force, curl), (friction,), response_sizes(friction, n_modes), n_modes)
