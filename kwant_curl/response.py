"""The response of coupled coordinates to the current."""

from collections.abc import Mapping
from typing import Any

from kwant_curl import kernels
from kwant_curl.operators import Coordinates, check_coordinates
from kwant_curl.results import ForceResponse
from kwant_curl.states import MAX_MEMORY, energy_shell, operating_point

__all__ = ["force_response"]


def force_response(
    syst: Any,
    coordinates: Coordinates,
    energy: float,
    *,
    bias: float | Mapping[int, float] = 1.0,
    degeneracy: float = 1,
    params: Mapping[str, Any] | None = None,
    route: str = "auto",
    max_memory: float = MAX_MEMORY,
    solver: Any = None,
) -> ForceResponse:
    """Return force, generalised curl and friction of coordinates that are coupled to each other.

    In linear response at zero temperature:
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
    params : mapping, optional
        Parameters of the system's value functions.
    route : {"auto", "modes", "adjoint"}, default "auto"
        Solve the linear system for every scattering state, or, transposed, for every orbital
        that the coordinates touch; "auto" takes what there is less of.
    max_memory : float, default 512 MiB
        Bytes that the states in work may take, beside the factorisation and the result: they
        come in blocks.
        The states themselves are kept at the orbitals that the coordinates touch.
    solver : optional
        What `direct_solver` returns, to keep the symbolic analysis in a loop over energies or
        parameters.

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
        If no lead has an open mode at this energy; all results are then zero.

    Notes
    -----
    The states are kept only at the orbitals that the coordinates touch.  The result holds
    n_c^2 numbers per lead: for the local curl of many atoms use `curl_map`.  Todorov et al.,
    Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 1, 2, 31, 32.
    """
    point = operating_point(syst, energy, bias, degeneracy)
    check_coordinates(coordinates)

    forces = -coordinates.hamiltonian_derivatives(syst, params=params)
    orbitals = forces.orbitals
    shell = energy_shell(
        syst,
        point.energy,
        params=params,
        orbitals=orbitals,
        route=route,
        max_memory=max_memory,
        solver=solver,
    )
    factors = forces.on_orbitals(orbitals).factors()
    force, curl, friction = kernels.lead_responses(factors, shell.states_by_lead())
    return ForceResponse(
        **point._asdict(),
        lead_force=point.degeneracy * force,
        lead_curl=point.degeneracy * curl,
        friction=point.degeneracy * friction,
    )
