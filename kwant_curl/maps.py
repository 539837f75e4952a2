"""Maps over a device: what is local to each atom."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl import kernels
from kwant_curl.derivatives import CentreBlocks, Derivatives
from kwant_curl.operators import Coordinates, check_coordinates
from kwant_curl.results import CurlMap
from kwant_curl.states import MAX_MEMORY, EnergyShell, energy_shell, operating_point

__all__ = ["curl_map"]


def curl_map(
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
) -> CurlMap:
    """Return the force of the current, its curl and the friction on each atom by itself.

    In linear response at zero temperature.  The curl of the force on one atom is what the
    current does, per area, when it pushes that atom around a small closed path:
    kappa_xy = dF_y/dx - dF_x/dy = 4 pi g sum_alpha dmu_alpha Im Tr[F_x D F_y D_alpha].

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized system in two or three dimensions, with any number of leads, known by their
        modes or by their self-energy.  Time-reversal symmetry is not needed.
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
    route : {"auto", "modes", "adjoint"}, default "auto"
        Solve the linear system for every scattering state, or, transposed, for every orbital
        that the coordinates touch; "auto" takes what there is less of.
    max_memory : float, default 512 MiB
        Bytes that the states in work may take, beside the factorisation and the result: they
        come in blocks.
    solver : optional
        What `direct_solver` returns, to keep the symbolic analysis in a loop over energies or
        parameters.

    Returns
    -------
    CurlMap
        Force, curl and friction per atom, in the order of `coordinates`.

    Raises
    ------
    ValueError, TypeError
        For a system that is not finalized, one-dimensional, or without leads;
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
    touched = forces.orbitals
    shell = energy_shell(
        syst,
        point.energy,
        params=params,
        orbitals=None if 2 * len(touched) > forces.n_orbitals else touched,
        route=route,
        max_memory=max_memory,
        solver=solver,
    )
    local = forces if shell.orbitals is None else forces.on_orbitals(touched)
    force, curl, friction = local_responses(local, shell)
    return CurlMap(
        positions=forces.positions,
        sites=forces.sites,
        **point._asdict(),
        lead_force=point.degeneracy * force,
        lead_curl=point.degeneracy * kernels.rotation_vector(curl),
        friction=point.degeneracy * friction,
    )


def local_responses(forces: Derivatives, shell: EnergyShell) -> tuple[Any, Any, Any]:
    """Return force, curl and friction of each centre by lead, in the order of the centres."""
    n, dim = forces.positions.shape  # type: ignore[union-attr]
    n_leads = len(shell.n_modes)
    force = np.zeros((n_leads, n, dim))
    curl = np.zeros((n_leads, n, dim, dim))
    friction = np.zeros((n, dim, dim))
    for centres, part in _by_centres(forces, shell):
        force[:, centres], curl[:, centres], friction[centres] = part
    return force, curl, friction


def _by_centres(
    forces: Derivatives, shell: EnergyShell
) -> Iterator[tuple[Any, tuple[Any, Any, Any]]]:
    """Yield some centres and their responses until all are done.

    D_alpha is added up where each centre needs it as the states come, block by block, and the
    states are forgotten.  Only where centres touch so many orbitals that this takes more memory
    than allowed, the states are kept and the centres taken a few at a time.
    """
    stars = forces.stars()
    others = np.ones(len(forces.start) - 1, bool)
    for some in stars:
        others[some] = False
    blocks = forces.centre_blocks(np.flatnonzero(others))
    n_leads = len(shell.n_modes)
    sizes = [(n_leads, *block.orbitals.shape, block.orbitals.shape[1]) for block in blocks]
    fits = 16 * sum(math.prod(size) for size in sizes) <= shell.max_memory
    densities = [np.zeros(size, complex) for size in sizes if fits]
    sums = kernels.StarDensities(forces, stars, n_leads)

    kept = None if fits else shell.states()
    by_lead = shell.blocks() if kept is None else enumerate(shell.split(kept))
    for lead, states in by_lead:
        sums.add(lead, states)
        for block, density in zip(blocks, densities, strict=fits):
            kernels.add_local_densities(states, block.orbitals, density[lead])

    for some, density in sums.of_parts():
        yield some, kernels.star_responses(density, forces.dim)
    for block, density in zip(blocks, densities, strict=fits):
        yield block.centres, kernels.local_responses(block.matrices, density)
    if kept is not None:
        yield from _by_modes(blocks, kept, shell.n_modes)


def _by_modes(
    blocks: list[CentreBlocks], kept: NDArray[np.complex128], n_modes: Sequence[int]
) -> Iterator[tuple[Any, tuple[Any, Any, Any]]]:
    """Yield some centres and their responses, from matrix elements between all states."""
    by_orbital = kept.T
    for block in blocks:
        n, touched = block.orbitals.shape
        dim, n_states = block.matrices.shape[1], sum(n_modes)
        for some in kernels.chunks(n, (dim + 1) * n_states * (touched + n_states)):
            local = by_orbital[block.orbitals[some]]
            yield (
                block.centres[some],
                kernels.local_responses_by_modes(block.matrices[some], local, n_modes),
            )
