"""Limit cycles from bias to bias."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.sustained import DECAYS, NoCycleError
from kwant_curl.motion.cycles import Search, search_of
from kwant_curl.motion.field import ResponseField
from kwant_curl.motion.small import Rest, onset
from kwant_curl.results import LimitCycle, LimitCycles
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.potentials import Potential
from kwant_curl.vibrations.runaway import Bias
from kwant_curl.vibrations.search import scaled

__all__ = ["limit_cycles"]

FloatArray = NDArray[np.float64]


@recorded
def limit_cycles(
    field: ResponseField,
    potential: Potential,
    masses: ArrayLike,
    biases: ArrayLike,
    *,
    direction: Bias = 1.0,
    damping: ArrayLike = 0.0,
    max_amplitude: float = 1.0,
    n_points: int = 17,
    rtol: float = 1e-6,
    max_turns: int = 60,
    progress: Progress = None,
) -> LimitCycles:
    """Return where the motion ends at each bias: at rest, in a limit cycle, or nowhere.

    Parameters
    ----------
    field, potential, masses, damping, max_amplitude, n_points, rtol, max_turns
        As for `limit_cycle`.
    biases : array (n_biases,)
        Multiples of `direction`, in the order in which the cycles are followed: each begins with
        the last one.  From large to small ones cycles that exist beside a stable place of rest are
        followed too (hysteresis).
    direction : number or mapping
        What the biases are multiples of.  Default 1.0, for two leads: they are V.  ``{lead: dmu}``
        for other leads.
    progress : bool, optional
        Show a progress bar: biases.  Default: after two seconds, where somebody sees it.

    Returns
    -------
    LimitCycles
        With the bias at which small vibrations begin to grow (`critical_bias`), about the place of
        rest at each bias, if they grow at one of the biases.

    Raises
    ------
    ValueError, TypeError
        As `limit_cycle`, but for a bias without a cycle.

    Warns
    -----
    RuntimeWarning
        As `limit_cycle`.

    Notes
    -----
    Above the bias V_c at which small vibrations begin to grow the amplitude is
    c sqrt(|V - V_c|): a Hopf bifurcation.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.7)
    >>> well = QuarticPotential(modes.force_constants, 20.0)
    >>> cycles = limit_cycles(
    ...     field, well, modes.masses, [0.6, 0.7], max_amplitude=0.5, n_points=9, rtol=1e-2
    ... )
    >>> cycles.outcome
    ('rest', 'cycle')
    >>> print(f"{cycles.critical:.3f}")
    0.651
    """
    factors = np.asarray(biases, dtype=float)
    if factors.ndim != 1 or not factors.size or not np.isfinite(factors).all():
        raise ValueError(f"biases has shape {factors.shape}; expected a list of finite numbers.")
    search = search_of(field, potential, masses, damping, max_amplitude)
    search = search.refined(n_points, rtol, max_turns, False)
    points, place, last = [], None, None
    notices: dict[str, None] = {}
    with bar(progress, " biases", len(factors)) as shown:
        for factor in factors.tolist():
            point = _at(search.at_bias(scaled(direction, factor)), place, last)
            points.append(point)
            place, last = point.rest.place / search.equation.roots, point.cycle
            notices.update(dict.fromkeys(point.notices))
            shown.update()
    critical = _critical(search, direction, factors, points)
    return _result(search, factors, points, critical, issued(notices))


class _Point(NamedTuple):
    """What there is at a bias; cycle: None where there is none."""

    rest: Rest
    outcome: str
    cycle: LimitCycle | None
    notices: tuple[str, ...]


def _at(search: Search, near: FloatArray | None, start: LimitCycle | None) -> _Point:
    """Return what there is at a bias, from a place of rest and a cycle nearby."""
    rest = search.rest(near)
    try:
        found = search.found(rest, start)
    except NoCycleError as failure:
        if start is not None and rest.growth > 0:
            return _at(search, near, None)
        outcome = "rest" if failure.reason == DECAYS else failure.reason
        return _Point(rest, outcome, None, search.equation.field.notices)
    cycle = search.cycle(rest, found, multipliers=False, before=0)
    return _Point(rest, "cycle", cycle, cycle.warnings)


def _critical(
    search: Search, direction: Bias, factors: FloatArray, points: list[_Point]
) -> float | None:
    """Return the bias at which vibrations begin to grow, below the smallest at which they do."""
    growing = [
        f for f, point in zip(factors.tolist(), points, strict=True) if point.rest.growth > 0
    ]
    if not growing:
        return None
    smallest = min(growing, key=abs)
    sign = float(np.sign(smallest))

    def rest_at(factor: float) -> Rest:
        return search.at_bias(scaled(direction, sign * factor)).rest()

    return sign * float(onset(rest_at, abs(smallest)))


def _result(
    search: Search,
    factors: FloatArray,
    points: list[_Point],
    critical: float | None,
    notices: tuple[str, ...],
) -> LimitCycles:
    """Return the result."""
    roots = search.equation.roots
    nothing = np.full((search.n_points, len(roots)), np.nan)
    of_rest = {"rest": 0.0}

    def each(name: str) -> FloatArray:
        return np.array(
            [
                of_rest.get(point.outcome, np.nan)
                if point.cycle is None
                else getattr(point.cycle, name)
                for point in points
            ]
        )

    cycles = [point.cycle for point in points]
    return LimitCycles(
        voltage=factors,
        outcome=tuple(point.outcome for point in points),
        amplitude=each("amplitude"),
        frequency=np.array([np.nan if cycle is None else cycle.frequency for cycle in cycles]),
        work=each("work"),
        growth=np.array([point.rest.growth for point in points]),
        rest=np.array([point.rest.place / roots for point in points]),
        points=np.array([nothing if cycle is None else cycle.points for cycle in cycles]),
        critical=critical,
        units=search.equation.field.units,
        warnings=notices,
    )
