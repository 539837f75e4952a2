"""The force of the current along ways of the coordinates, its work, and the flux of its curl."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.ways import closed_steps
from kwant_curl.motion.field import ResponseField
from kwant_curl.motion.walks import (
    Walk,
    Way,
    check_cycle,
    is_closed,
    place_on,
    refined,
    responses,
    through,
)
from kwant_curl.results import CurlFlux, ForcePath, ForceResponse
from kwant_curl.support.checks import positive_number
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued

__all__ = ["curl_flux", "force_along", "work"]

FloatArray = NDArray[np.float64]

FIRST_AROUND = 6
"""Points around, of the first rule of a flux; there are half as many from the centre."""


@recorded
def force_along(
    field: ResponseField,
    path: ArrayLike,
    *,
    is_cycle: bool | None = None,
    progress: Progress = None,
) -> ForcePath:
    """Return force, curl and friction at the points of a way of the coordinates, and the work.

    Parameters
    ----------
    field : ResponseField
        System, coordinates, bias and the rest.
    path : array of float, shape (n_points, n_c)
        Displacements at each point, in the order of the coordinates: points of a smooth way.  Of a
        cycle they are at equal times, and the last one is the first one again, or a period further
        where the coordinates are periodic (an angle among `Parameters`).
    is_cycle : bool, optional
        Whether the way is a cycle.  Default: whether the last point is the first one.
    progress : bool, optional
        Show a progress bar: points.  Default: after two seconds, where somebody sees it.

    Returns
    -------
    ForcePath

    Raises
    ------
    ValueError, TypeError
        For a path of another shape; for a cycle whose force at its end is not that at its
        beginning; and as `Model.moved` and `force_response` do.

    Warns
    -----
    RuntimeWarning
        As `force_response`, of all points once.

    Notes
    -----
    The work is W = sum_I int F_I dQ_I.  Along cycles the rule is the trapezoidal one with
    derivatives by Fourier transforms, along other ways cubic splines.  With an odd number of
    points the work has an error, that of leaving out every second one; `work` takes as many points
    as a given error needs.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.5)
    >>> force_along(field, [[0.0, 0.0], [0.05, 0.0], [0.1, 0.0]]).force.shape
    (3, 2)
    """
    result = _path(through(field, path, is_cycle, progress))
    return replace(result, warnings=issued(result.warnings))


@recorded
def work(
    field: ResponseField,
    way: Way,
    *,
    is_cycle: bool | None = None,
    rtol: float = 1e-6,
    max_points: int = 1025,
    progress: Progress = None,
) -> ForcePath:
    """Return the work of the current along a way, with as many points as its error needs.

    Parameters
    ----------
    field : ResponseField
        System, coordinates, bias and the rest.
    way : callable
        ``way(s)`` returns the displacements (n_c,) for s from 0 to 1, a smooth function; of a cycle
        one of period 1, but for periods of the coordinates.
    is_cycle : bool, optional
        Whether the way is a cycle.  Default: whether ``way(1)`` is ``way(0)``.
    rtol : float, default 1e-6
        Error of the quadrature to be reached, relative to the integral of the modulus.  Where
        there is an integral over energy, the field's own `rtol` counts besides.
    max_points : int, default 1025
        How many points are taken at most.
    progress : bool, optional
        Show a progress bar: points.  Default: after two seconds, where somebody sees it.

    Returns
    -------
    ForcePath
        ``float(result)`` is the work; `work_error` how well the quadrature knows it.

    Raises
    ------
    ValueError, TypeError
        As `force_along`.

    Warns
    -----
    RuntimeWarning
        As `force_along`; where `max_points` don't reach `rtol`.

    Notes
    -----
    Points are doubled, those that are there being kept: at equal steps of s for cycles, at
    Chebyshev's points otherwise.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.5)
    >>> turn = lambda s: 0.1 * np.array([np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)])
    >>> print(f"{float(work(field, turn)):.6f}")
    0.000618
    """
    goal = positive_number("rtol", rtol)
    for walk in refined(field, way, is_cycle, max_points, progress):
        result = _path(walk)
        size = float(np.abs(result.force * result.steps).sum())
        if result.work_error <= goal * size:
            break
    notices = result.warnings
    if result.work_error > goal * size:
        notices += (
            f"The work {result.work:.6g} is known to {result.work_error:.2g} with "
            f"{len(result.path)} points, not to rtol={goal:.3g}; give "
            f"max_points={4 * len(result.path) - 3}, or a smoother way.",
        )
    return replace(result, warnings=issued(notices))


@recorded
def curl_flux(
    field: ResponseField,
    way: Way,
    *,
    centre: ArrayLike | None = None,
    rtol: float = 1e-6,
    max_points: int = 16384,
    progress: Progress = None,
) -> CurlFlux:
    """Return the flux of the curl through the cone of a closed way: the work around it (Stokes).

    An independent route to `work`, and a check of the curl.

    Parameters
    ----------
    field : ResponseField
        System, coordinates, bias and the rest.
    way : callable
        ``way(s)`` returns the displacements (n_c,) for s from 0 to 1, of period 1.
    centre : array of float, shape (n_c,), optional
        The tip of the cone: the surface is made of the straight lines from there to the way.
        Default: the mean of the way.
    rtol : float, default 1e-6
        Error to be reached, relative to the integral of the modulus.
    max_points : int, default 16384
        How many points are taken at most.
    progress : bool, optional
        Show a progress bar: points.  Default: after two seconds, where somebody sees it.

    Returns
    -------
    CurlFlux
        Converts to `float`.

    Raises
    ------
    ValueError, TypeError
        For a way that is not closed; and as `force_along`.

    Warns
    -----
    RuntimeWarning
        As `work`.

    Notes
    -----
    The sum over I, J of int ds dt kappa_IJ dQ_I/dt dQ_J/ds on Q(s, t) = centre + t (way(s) -
    centre), with kappa_IJ = dF_J/dQ_I - dF_I/dQ_J.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.5)
    >>> turn = lambda s: 0.1 * np.array([np.cos(2 * np.pi * s), np.sin(2 * np.pi * s)])
    >>> print(f"{float(curl_flux(field, turn, rtol=1e-3)):.6f}")
    0.000618
    """
    goal = positive_number("rtol", rtol)
    if not is_closed(np.stack([place_on(way, s) for s in (0.0, 0.37, 1.0)])):
        raise ValueError("way(1) is not way(0); expected a closed way, which has a surface within.")
    n, last = FIRST_AROUND, None
    while True:
        flux, size, n_points = _flux(field, way, n, centre, progress)
        error = np.inf if last is None else abs(flux - last)
        if error <= goal * size or 2 * n * n > max_points:
            break
        n, last = 2 * n, flux
    notices = field.notices
    if error > goal * size:
        notices += (
            f"The flux {flux:.6g} is known to {error:.2g} with {n_points} points, not to "
            f"rtol={goal:.3g}; give max_points={4 * n_points}, or a smoother way.",
        )
    return CurlFlux(flux, error, n_points, units=field.units, warnings=issued(notices))


def _flux(
    field: ResponseField, way: Way, n: int, centre: ArrayLike | None, progress: Progress
) -> tuple[float, float, int]:
    """Return the flux, the integral of the modulus, and how many points were taken."""
    times = np.linspace(0, 1, n + 1)
    rim = np.stack([place_on(way, s) for s in times.tolist()])
    steps = closed_steps(rim).fine[:-1]
    steps[0] *= 2  # of which half is at the last point
    tip = rim[:-1].mean(axis=0) if centre is None else np.asarray(centre, dtype=float)
    nodes, weights = np.polynomial.legendre.leggauss(n // 2)
    depths = 0.5 * (1 + nodes)
    points = tip + depths[:, None, None] * (rim[:-1] - tip)
    n_c = rim.shape[1]
    found = responses(field, points.reshape(-1, n_c), progress)
    curl = np.stack([each.curl for each in found]).reshape(len(depths), n, n_c, n_c)
    # dQ/dt is rim - tip, dQ/ds ds is t times the step along the rim.
    through = np.einsum("tsij,si,sj->ts", curl, rim[:-1] - tip, steps)
    shares = (0.5 * weights * depths)[:, None] * through
    return float(shares.sum()), float(np.abs(shares).sum()), len(depths) * n


def _path(walk: Walk[ForceResponse]) -> ForcePath:
    """Return the result of responses along a way."""
    found = walk.found
    first = found[0]
    force, curl = (
        np.stack([getattr(each, name) for each in found], axis=1)
        for name in ("lead_force", "lead_curl")
    )
    result = ForcePath(
        first.energy,
        first.bias,
        first.degeneracy,
        path=walk.points,
        steps=walk.steps.fine,
        coarse_steps=walk.steps.coarse,
        lead_force=force,
        lead_curl=curl,
        friction=np.stack([each.friction for each in found]),
        is_cycle=walk.is_cycle,
        temperature=first.temperature,
        linear=first.linear,
        error=max(each.error for each in found),
        partial=any(each.partial for each in found),
        units=first.units,
        pinned=first.pinned,
        warnings=tuple(dict.fromkeys(text for each in found for text in each.warnings)),
    )
    if walk.is_cycle:
        check_cycle("the force (per unit of bias)", result.lead_force, result.error)
    return result
