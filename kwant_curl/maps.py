"""Maps over a device: what is local to each atom."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl import kernels
from kwant_curl.averages import RTOL, Shares, averaged, response_sizes
from kwant_curl.derivatives import CentreBlocks, Derivatives
from kwant_curl.operators import Coordinates, check_coordinates
from kwant_curl.results import CurlMap
from kwant_curl.states import MAX_MEMORY, EnergyShell, energy_shell, operating_point
from kwant_curl.units import Units, check_units

__all__ = ["curl_map"]


def curl_map(
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
    units: Units | None = None,
) -> CurlMap:
    """Return the force of the current, its curl and the friction on each atom by itself.

    The curl of the force on one atom is what the
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
    units : Units, optional
        The units of the Hamiltonian and of the positions, for labels.

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
        If no lead has an open mode at this energy, so that all results are zero, or at some
        energies of the window; if a mode stands still, at a band edge; if the integral does not
        reach `rtol`.

    Notes
    -----
    Only the orbitals that an atom touches enter its traces, so the cost grows as sites times
    modes.  Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 1, 2, 31, 32.
    """
    point = operating_point(syst, energy, bias, degeneracy, temperature, linear)
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
    whole = 2 * len(touched) > forces.n_orbitals
    shares = partial(
        _shares,
        syst=syst,
        forces=forces if whole else forces.on_orbitals(touched),
        params=params,
        orbitals=None if whole else touched,
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
    return CurlMap(
        positions=forces.positions,
        sites=forces.sites,
        **point._asdict(),
        units=check_units(units),
        lead_force=point.degeneracy * force,
        lead_curl=point.degeneracy * curl,
        friction=point.degeneracy * average.total[0],
        error=average.error,
        partial=average.partial,
    )


def _shares(energy: float, *, syst: Any, forces: Derivatives, **options: Any) -> Shares:
    """Return force, curl and friction of each centre at one energy."""
    shell = energy_shell(syst, energy, **options)
    force, curl, friction = local_responses(forces, shell)
    n_modes = sum(shell.n_modes)
    sizes = response_sizes(friction, n_modes)
    by_lead = (force, kernels.rotation_vector(curl))
    return Shares(by_lead, (friction,), sizes, n_modes, shell.slow_lead)


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
    """Yield some centres and their responses until all are done."""
    if not forces.are_stars():
        yield from _by_blocks(forces.centre_blocks(), shell)
        return
    for some, density in kernels.star_densities(forces, forces.groups_by_rows(), shell):
        yield some, kernels.star_responses(density, forces.dim)


def _by_blocks(
    blocks: list[CentreBlocks], shell: EnergyShell
) -> Iterator[tuple[Any, tuple[Any, Any, Any]]]:
    """Yield the same for centres that are no stars.

    D_alpha is added up on all orbitals of each centre as the states come, and the states are
    forgotten.  Only where that takes more memory than allowed, the states are kept and the
    centres taken a few at a time.
    """
    n_leads = len(shell.n_modes)
    sizes = [(n_leads, *block.orbitals.shape, block.orbitals.shape[1]) for block in blocks]
    if 16 * sum(math.prod(size) for size in sizes) > shell.max_memory:
        yield from _by_modes(blocks, shell.states(), shell.n_modes)
        return
    densities = [np.zeros(size, complex) for size in sizes]
    for lead, states in shell.blocks():
        for block, density in zip(blocks, densities, strict=True):
            kernels.add_local_densities(states, block.orbitals, density[lead])
    for block, density in zip(blocks, densities, strict=True):
        yield block.centres, kernels.local_responses(block.matrices, density)


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
