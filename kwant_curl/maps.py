"""Maps over a device: what is local to each atom."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.images import period_vectors
from kwant_curl.coordinates import Coordinates, forces_by_energy
from kwant_curl.electrons.averages import averaged
from kwant_curl.electrons.kernels.local import LocalKernel
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.numerics import MAX_ENERGIES, MAX_MEMORY, RTOL, Numerics, Route
from kwant_curl.electrons.operation import operating_point
from kwant_curl.electrons.resonances import resonance_distance
from kwant_curl.electrons.unfinished import finished, noted
from kwant_curl.model.bands import nearest_edge
from kwant_curl.model.charges import Charge
from kwant_curl.model.model import Model, scattering_model
from kwant_curl.model.periods import periods_of
from kwant_curl.model.solvers import DirectSolver
from kwant_curl.results import CurlMap
from kwant_curl.results.spectrum import kept_spectrum
from kwant_curl.support.parallel import Executor
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.units import Units

__all__ = ["curl_map"]


@recorded
@with_shared_keywords
def curl_map(
    syst: FiniteSystem | Model,
    coordinates: Coordinates,
    energy: float,
    *,
    bias: float | Mapping[int, float] = 1.0,
    charge: Charge = None,
    degeneracy: float = 1,
    temperature: float = 0.0,
    linear: bool = True,
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
) -> CurlMap:
    """Return the force of the current, its curl and the friction on each atom by itself.

    The curl of the force on one atom is what the
    current does, per area, when it pushes that atom around a small closed path:
    kappa_xy = dF_y/dx - dF_x/dy = 4 pi g sum_alpha dmu_alpha Im Tr[F_x D F_y D_alpha].

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized system in two or three dimensions, with any number of leads, known by their
        modes or by their self-energy.  Time-reversal symmetry is not needed.
    coordinates : Displacements or Probe
        Which atoms move, and how the Hamiltonian follows; or a test particle at many points.
    <energy>
    <bias>
    <charge>
    <degeneracy>
    <temperature>
    <linear>
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

    Examples
    --------
    >>> result = curl_map(syst, Displacements(scaling=PowerLaw(2)), energy, bias=0.1)
    >>> len(result.curl), result.friction.shape
    (9, (9, 2, 2))
    """
    model = scattering_model(syst, params, charge, energy_parameter, energy)
    point = operating_point(model, energy, bias, degeneracy, temperature, linear, units)
    operators = forces_by_energy(coordinates, model, point.energy)
    forces = operators.at(point.energy)
    centres = _centres(forces, coordinates)
    numerics = Numerics(
        rtol,
        route,
        max_memory,
        solver,
        executor,
        progress,
        max_energies=max_energies,
        exclude=exclude,
    )
    kernel = LocalKernel.of(model.scattering, numerics.of_one_energy, operators, point.energy)
    average = averaged(kernel, point, numerics)
    force, curl = average.by_lead
    result = CurlMap(
        positions=centres,
        sites=forces.sites,
        periods=periods_of(model, period_vectors(getattr(coordinates, "periods", None))),
        **point._asdict(),
        units=units,
        lead_force=point.degeneracy * force,
        lead_curl=point.degeneracy * curl,
        friction=point.degeneracy * average.total[0],
        error=average.error,
        partial=average.partial,
        band_distance=nearest_edge(model.scattering, point.energy),
        resonance_distance=resonance_distance(model.scattering, point.energy, forces.orbitals),
        warnings=noted(forces.notices + average.notices, average.failed),
        spectrum=kept_spectrum(
            average.integral,
            average.limits,
            rtol,
            {
                "lead_force": ("by_lead", 0, point.degeneracy),
                "lead_curl": ("by_lead", 1, point.degeneracy),
                "friction": ("total", 0, point.degeneracy),
            },
        ),
    )
    return finished(result, average.failed)


def _centres(forces: Derivatives, coordinates: Coordinates) -> NDArray[np.float64]:
    """Return where the centres are; raise if there are none, or nothing can turn about them."""
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
    return forces.positions
