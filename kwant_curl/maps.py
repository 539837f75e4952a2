"""Maps over a device: what is local to each atom."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kwant_curl import kernels
from kwant_curl.checks import positive_number, real_number
from kwant_curl.derivatives import CentreBlocks
from kwant_curl.occupations import chemical_potential_shifts
from kwant_curl.operators import Coordinates, check_coordinates
from kwant_curl.results import CurlMap
from kwant_curl.states import scattering_states
from kwant_curl.system import check_finite_system, check_leads

__all__ = ["curl_map"]


def curl_map(
    syst: Any,
    coordinates: Coordinates,
    energy: float,
    *,
    bias: float | Mapping[int, float] = 1.0,
    degeneracy: float = 1,
    params: Mapping[str, Any] | None = None,
) -> CurlMap:
    """Return the force of the current, its curl and the friction on each atom by itself.

    In linear response at zero temperature.  The curl of the force on one atom is what the
    current does, per area, when it pushes that atom around a small closed path:
    kappa_xy = dF_y/dx - dF_x/dy = 4 pi g sum_alpha dmu_alpha Im Tr[F_x D F_y D_alpha].

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized system in two or three dimensions, with any number of leads that are known by
        their modes.  Time-reversal symmetry is not needed.
    coordinates : Displacements
        Which atoms move, and how the Hamiltonian follows.
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

    Returns
    -------
    CurlMap
        Force, curl and friction per atom, in the order of `coordinates`.

    Raises
    ------
    ValueError, TypeError
        For a system that is not finalized, one-dimensional, or without leads that have modes;
        an energy or a bias that is not finite, a bias for a lead that is not there, a scalar
        bias with other than two leads; coordinates without positions.

    Warns
    -----
    RuntimeWarning
        If no lead has an open mode at this energy; all results are then zero.

    Notes
    -----
    Only the orbitals that an atom touches enter its traces, so the cost grows as sites times
    modes.  Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 1, 2, 31, 32.
    """
    check_finite_system(syst)
    check_leads(syst)
    check_coordinates(coordinates)
    energy = real_number("energy", energy)
    shifts = chemical_potential_shifts(bias, len(syst.leads))
    g = positive_number("degeneracy", degeneracy)

    forces = -coordinates.hamiltonian_derivatives(syst, params=params)
    if forces.positions is None:
        raise TypeError(
            f"{type(coordinates).__name__} has no positions to map; curl_map takes Displacements. "
            "For other coordinates use force_response."
        )
    n, dim = forces.positions.shape
    if dim not in (2, 3):
        raise ValueError(
            f"The sites have positions in {dim} dimension(s); a curl needs 2 or 3. For motion "
            "along a line, use force_response with pairs of modes."
        )
    blocks = forces.centre_blocks()
    densities = [
        [kernels.local_densities(states, block.orbitals) for block in blocks]
        for states in scattering_states(syst, energy, params=params)
    ]
    force = np.zeros((len(densities), n, dim))
    curl = np.zeros((len(densities), n, dim, dim))
    friction = np.zeros((n, dim, dim))
    for block, *by_lead in zip(blocks, *densities, strict=True):
        _fill(block, np.stack(by_lead), force, curl, friction)
    return CurlMap(
        positions=forces.positions,
        sites=forces.sites,
        energy=energy,
        bias=shifts,
        degeneracy=g,
        lead_force=g * force,
        lead_curl=g * kernels.rotation_vector(curl),
        friction=g * friction,
    )


def _fill(block: CentreBlocks, densities: Any, force: Any, curl: Any, friction: Any) -> None:
    """Write the responses of the centres of a block to where they belong."""
    here = block.centres
    force[:, here], curl[:, here], friction[here] = kernels.local_responses(
        block.matrices, densities
    )
