"""The charge that is pumped from lead to lead while the coordinates go around."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.integral_errors import finished
from kwant_curl.coordinates import forces_by_energy
from kwant_curl.electrons.averages import averaged
from kwant_curl.electrons.kernels.emissivity import EmissivityKernel
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import operating_point
from kwant_curl.model.model import scattering_model
from kwant_curl.motion.field import ResponseField
from kwant_curl.motion.walks import Walk, Way, check_cycle, refined, through
from kwant_curl.results import PumpedCharge
from kwant_curl.support.checks import positive_number
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued

__all__ = ["pumped_charge"]


class _Emissivities(NamedTuple):
    """Those at a point, (n_leads, n_c), and how well they are known."""

    values: NDArray[np.float64]
    error: float
    partial: bool
    notices: tuple[str, ...]


@recorded
def pumped_charge(
    field: ResponseField,
    way: Way | ArrayLike,
    *,
    is_cycle: bool | None = None,
    rtol: float = 1e-6,
    max_points: int = 1025,
    progress: Progress = None,
) -> PumpedCharge:
    """Return the electrons that leads give and take while the coordinates go slowly along a way.

    At zero temperature dN_alpha/dQ_I = (g/2 pi) Im sum_{m in alpha} sum_n S_mn^* dS_mn/dQ_I: what
    comes out of lead alpha for the device, per unit of a coordinate.

    Parameters
    ----------
    field : ResponseField
        System, coordinates, temperature and the rest.  Its bias does not count: the charge is that
        which the motion alone pumps.
    way : callable, or array of float, shape (n_points, n_c)
        ``way(s)`` returns the displacements (n_c,) for s from 0 to 1, as `work` takes it; or the
        points of a smooth way, as `force_along` takes them.
    is_cycle : bool, optional
        Whether the way is a cycle.  Default: whether it ends where it began.
    rtol : float, default 1e-6
        Of a function: error of the quadrature to be reached, relative to the integral of the
        modulus.  Where there is an integral over energy, the field's own `rtol` counts besides.
    max_points : int, default 1025
        How many points of a function are taken at most.
    progress : bool, optional
        Show a progress bar: points.  Default: after two seconds, where somebody sees it.

    Returns
    -------
    PumpedCharge
        ``result.charge[alpha]`` is the number of electrons that lead alpha has given, times the
        degeneracy.

    Raises
    ------
    ValueError, TypeError
        As `work` and `force_along`.

    Warns
    -----
    RuntimeWarning
        As `force_response`, of all points once; where `max_points` don't reach `rtol`.

    Notes
    -----
    P. W. Brouwer, Phys. Rev. B 58, R10135 (1998); electrons count as positive where they enter the
    device.  It takes no S matrix: dN_alpha/dQ_I = (g/2 pi) sum_m <psi_m| F_I |psi_m> with F_I =
    -dH/dQ_I and the states psi_m that go out through lead alpha in mode m alone.  With the states
    that come in instead it is the force per unit shift of lead alpha; with time-reversal symmetry
    the two are the same, and in a magnetic field B it is that force at -B.  So with time-reversal
    symmetry the work of the current around a cycle, in linear response, is the sum over the leads
    of dmu_alpha times their charge.  At a temperature the emissivity is averaged with -df/dE.  The
    motion is slow: the charge does not depend on how fast it is, and a cycle that takes the time T
    brings charge/T on average.  Of a Nambu model it is electrons less holes.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy)
    >>> turn = lambda s: 0.1 * np.array([np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)])
    >>> pumped = pumped_charge(field, turn, rtol=1e-2)
    >>> print(f"{pumped.charge[0]:.4f} {abs(pumped.charge.sum()):.4f}")
    0.0012 0.0000
    """
    goal = positive_number("rtol", rtol)
    solve = partial(_emissivities, field)
    if not callable(way):
        result = _charge(field, through(solve, way, is_cycle, progress))
        return replace(result, warnings=issued(result.warnings))
    for walk in refined(solve, way, is_cycle, max_points, progress):
        result = _charge(field, walk)
        size = float(np.abs(result.emissivity * result.steps).sum(axis=(1, 2)).max())
        missed = float(result.charge_error.max())
        if missed <= goal * size:
            break
    notices = result.warnings
    if missed > goal * size:
        n_points = len(result.path)
        notices += (
            f"The charge is known to {missed:.2g} electrons with {n_points} points, not to "
            f"rtol={goal:.3g}; give max_points={4 * n_points - 3}, or a smoother way.",
        )
    return replace(result, warnings=issued(notices))


def _emissivities(field: ResponseField, displacements: NDArray[np.float64]) -> _Emissivities:
    """Return the emissivities where the coordinates are displaced to."""
    moved = field.model.moved(field.coordinates, displacements)
    model = scattering_model(moved, energy=field.energy)
    point = operating_point(
        model, field.energy, {}, field.degeneracy, field.temperature, units=field.units
    )
    numerics = Numerics(
        field.rtol,
        field.route,
        field.max_memory,
        executor=field.executor,
        max_energies=field.max_energies,
        exclude=field.exclude,
    )
    forces = forces_by_energy(field.coordinates, model, point.energy)
    kernel = EmissivityKernel.of(model.scattering, numerics.of_one_energy, forces, point.energy)
    average = averaged(kernel, point, numerics)
    finished(None, average.failed)
    values = point.degeneracy * average.by_lead[0]
    notices = forces.at(point.energy).notices + average.notices
    return _Emissivities(values, average.error, average.partial, notices)


def _charge(field: ResponseField, walk: Walk[_Emissivities]) -> PumpedCharge:
    """Return the result of emissivities along a way."""
    found = walk.found
    result = PumpedCharge(
        float(field.energy),
        float(field.degeneracy),
        path=walk.points,
        steps=walk.steps.fine,
        coarse_steps=walk.steps.coarse,
        emissivity=np.stack([each.values for each in found], axis=1),
        temperature=float(field.temperature),
        is_cycle=walk.is_cycle,
        error=max(each.error for each in found),
        partial=any(each.partial for each in found),
        units=field.units,
        warnings=tuple(dict.fromkeys(text for each in found for text in each.notices)),
    )
    if result.is_cycle:
        check_cycle("the emissivity", result.emissivity, result.error)
    return result
