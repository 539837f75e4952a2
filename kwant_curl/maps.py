"""Maps over a device: what is local to each atom."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from kwant_curl import kernels
from kwant_curl.derivatives import CentreBlocks, Derivatives
from kwant_curl.operators import Coordinates, check_coordinates
from kwant_curl.results import CurlMap
from kwant_curl.states import operating_point, scattering_states

__all__ = ["curl_map"]

GATHERED = 2**26
"""Complex numbers that D_alpha on all blocks may take together: 1 GiB."""


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
    coordinates : Displacements or Probe
        Which atoms move, and how the Hamiltonian follows; or a test particle at many points.
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
    point = operating_point(syst, energy, bias, degeneracy)
    check_coordinates(coordinates)

    forces = -coordinates.hamiltonian_derivatives(syst, params=params)
    if forces.positions is None:
        raise TypeError(
            f"{type(coordinates).__name__} has no positions to map; curl_map takes Displacements "
            "or Probe. For other coordinates use force_response."
        )
    dim = forces.positions.shape[1]
    if dim not in (2, 3):
        raise ValueError(
            f"The sites have positions in {dim} dimension(s); a curl needs 2 or 3. For motion "
            "along a line, use force_response with pairs of modes."
        )
    force, curl, friction = _local_responses(syst, forces, point.energy, params)
    return CurlMap(
        positions=forces.positions,
        sites=forces.sites,
        **point._asdict(),
        lead_force=point.degeneracy * force,
        lead_curl=point.degeneracy * kernels.rotation_vector(curl),
        friction=point.degeneracy * friction,
    )


def _local_responses(
    syst: Any, forces: Derivatives, energy: float, params: Mapping[str, Any] | None
) -> tuple[Any, Any, Any]:
    """Return force, curl and friction of each centre by lead, in the order of the centres."""
    touched = forces.orbitals
    whole = len(touched) == forces.n_orbitals
    blocks = (forces if whole else forces.on_orbitals(touched)).centre_blocks()
    states = scattering_states(syst, energy, params=params, orbitals=None if whole else touched)
    n, dim = forces.positions.shape  # type: ignore[union-attr]
    force = np.zeros((len(syst.leads), n, dim))
    curl = np.zeros((len(syst.leads), n, dim, dim))
    friction = np.zeros((n, dim, dim))
    for centres, part in _by_centres(blocks, states, len(syst.leads)):
        force[:, centres], curl[:, centres], friction[centres] = part
    return force, curl, friction


def _by_centres(
    blocks: list[CentreBlocks], states: Iterable[Any], n_leads: int
) -> Iterator[tuple[Any, tuple[Any, Any, Any]]]:
    """Yield some centres and their responses until all are done.

    Where the centres touch few orbitals, D_alpha is gathered as each lead's states come and the
    states are forgotten; else the states are kept and the centres taken a few at a time.
    """
    size = n_leads * sum(block.orbitals.size * block.orbitals.shape[1] for block in blocks)
    if size <= GATHERED:
        by_lead = [
            [kernels.local_densities(psi, block.orbitals) for block in blocks] for psi in states
        ]
        for block, *densities in zip(blocks, *by_lead, strict=True):
            yield block.centres, kernels.local_responses(block.matrices, np.stack(densities))
        return
    kept = list(states)
    n_modes = [len(psi) for psi in kept]
    by_orbital = np.concatenate(kept).T
    for block in blocks:
        n, touched = block.orbitals.shape
        dim, n_states = block.matrices.shape[1], sum(n_modes)
        for some in kernels.chunks(n, (dim + 1) * n_states * (touched + n_states)):
            local = by_orbital[block.orbitals[some]]
            yield (
                block.centres[some],
                kernels.local_responses_by_modes(block.matrices[some], local, n_modes),
            )
