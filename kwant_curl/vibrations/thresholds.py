"""At what bias the first vibration runs away."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.checks import positive_number, real_number
from kwant_curl.support.parallel import Executor, check_executor
from kwant_curl.support.progress import Progress, bar
from kwant_curl.support.recorded import recorded
from kwant_curl.support.warning import issued
from kwant_curl.vibrations.critical import CriticalBias
from kwant_curl.vibrations.mechanics import (
    FORCES,
    Mechanics,
    either,
    growth_shares,
    notices_of,
    notices_of_far_biases,
)
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.runaway import AtBias, Bias, OperatedModes
from kwant_curl.vibrations.search import Search

__all__ = ["critical_bias"]


@recorded
def critical_bias(
    response: AtBias,
    modes: VibrationalModes,
    largest: float,
    *,
    direction: Bias = 1.0,
    damping: ArrayLike = 0.0,
    steps: int = 64,
    rtol: float = 1e-9,
    executor: Executor | None = None,
    progress: Progress = None,
) -> CriticalBias:
    """Return the bias at which the first vibration begins to grow.

    Parameters
    ----------
    response, modes
        As for `stability`.
    largest : float
        How far to search, positive.
    direction : number or mapping
        What the bias is a multiple of.  Default 1.0, for two leads: the result is the bias V
        itself; -1.0 for the reversed current.  ``{lead: dmu}`` for other leads.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin, as for `stability`.
    steps : int
        The biases that are looked at first: an instability that begins and ends between two of
        them goes unseen.
    rtol : float
        Relative error of the result.
    executor : optional
        Anything with the `map` of `concurrent.futures.Executor`, for a response that is a
        function of the bias, which must be picklable for processes: the first biases are looked
        at eight at a time, the root is searched one after another.
    progress : bool, optional
        Show a progress bar: biases.  Default: after two seconds, on a terminal or in a notebook.

    Returns
    -------
    CriticalBias
        A float, the smallest V so that at V times `direction` a mode is about to grow; infinite if
        none does up to `largest`.  It knows which mode that is: its frequency, its orbit.

    Raises
    ------
    ValueError
        If a mode grows without bias; with phonon leads of more than 4000 variables, if something
        was counted that grows and is not found; for a direction without a bias, and as `stability`.

    Warns
    -----
    RuntimeWarning
        If what grows there does not oscillate: a spring has become negative; and as `stability`.

    Notes
    -----
    The root of the largest Im Omega, by `scipy.optimize.brentq`.  From 200 modes on, eigenvalues
    are calculated only where no energy x^T H x is found that every motion loses (Lyapunov), and
    the root is that of one mode that is followed, checked by all eigenvalues there.

    With `leads` of the modes one motion is followed to its root by Newton's method, and all
    solutions (see `stability`) are the check there.  Of more than 400 variables what grows at each
    bias is counted by the argument principle.

    For two degenerate modes with diagonal friction and the curl alone,
    V = 2 omega sqrt(eta_XX eta_YY)/|kappa_XY/V|.

    Examples
    --------
    >>> critical_bias(response, modes, 0.1)
    <CriticalBias: none up to 0.1>
    """
    limit, accuracy = positive_number("largest", largest), positive_number("rtol", rtol)
    _check_direction(direction)
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps is {steps!r}; expected a positive whole number.")

    check_executor(executor)
    with bar(progress, " biases") as shown:
        search = Search(OperatedModes.of(response, modes, damping), direction, executor, shown)
        if search.growing(0.0) is not None:
            raise ValueError(
                "A mode grows without bias: the friction is not positive, or the Hamiltonian's "
                "derivatives are not those of this system."
            )
        known = response if isinstance(response, ForceResponse) else search.at(0.0)[0]
        bracket = search.bracket((limit * np.arange(1, steps + 1) / steps).tolist())
        found = None if bracket is None else search.root(bracket, accuracy)
    positions, units = either(known.positions, modes.positions), either(known.units, modes.units)
    if found is None:
        far = notices_of_far_biases([search.at(limit)[0]])
        return CriticalBias(
            bias=math.inf,
            largest=limit,
            masses=modes.masses,
            positions=positions,
            units=units,
            warnings=issued([], far),
        )
    root, mode, omega, amplitudes = found
    answer, system = search.at(root)
    shares = growth_shares(system, modes, damping, np.array([omega]), amplitudes[None])
    return CriticalBias(
        bias=root,
        largest=limit,
        masses=modes.masses,
        positions=positions,
        shifts=answer.bias,
        mode=mode,
        frequency=omega.real,
        growth=2 * omega.imag,
        amplitudes=amplitudes,
        vector=amplitudes @ modes.patterns,
        **dict(zip(FORCES, shares[:, 0].tolist(), strict=True)),
        units=units,
        warnings=issued(_notices_of_the_root(answer, system, modes, root, omega)),
    )


def _check_direction(direction: Bias) -> None:
    shifts = list(direction.values()) if isinstance(direction, Mapping) else [direction]
    numbers = [real_number("direction", shift) for shift in shifts]
    if not any(numbers):
        raise ValueError(f"direction is {direction!r}, no bias at all; expected one to multiply.")


def _notices_of_the_root(
    answer: ForceResponse, system: Mechanics, modes: VibrationalModes, root: float, omega: complex
) -> list[str]:
    """Return what to say where what becomes unstable is no vibration, and as `stability`."""
    notices = [*notices_of([answer], [system], modes), *notices_of_far_biases([answer])]
    if omega.real == 0:
        notices.append(
            f"What becomes unstable at {root:.4g} is no vibration that runs away: the current has "
            "made a spring negative, so that the atoms leave their places."
        )
    return notices
