"""Whether the assumptions of a study hold, each with the number that says so."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kwant_curl.vibrations.mechanics import jacobian_of, projected
from kwant_curl.vibrations.orbits import Orbit

if TYPE_CHECKING:
    from kwant_curl.studies.study import Study

__all__ = ["BEYOND", "Check", "checks_of", "is_driven"]

LINEAR = 0.1
"""How far linear response may be from the whole window, or a lead's shift from what is near."""

BEYOND = 1.5
"""How far the whole window goes at least, in units of the critical bias of linear response."""

DETUNED = 0.3
"""Distance of a pair's springs over the driving up to which Eq. 30 is within 5 % of the growth:
1 - sqrt(1 - 0.3^2)."""

SOFTENED = 0.3
"""By what part the current may change the frequency of the motion that runs away."""

UNDRIVEN = 1e-6
"""A driving below this part of the damping is rounding: it takes a million times the bias."""

STILL = 1e-12
"""Rates below this part of the frequency are rounding."""

AT_LEADS = 0.1
"""What part of the change of the Hamiltonian may be at the leads' interfaces."""

BESIDE_FIXED = 0.5
"""What part of the motion's energy may be in atoms with fixed neighbours."""


class Check(NamedTuple):
    """An assumption, the number that tells of it, and up to where it is taken to hold.

    name : which assumption.
    number : float, what was found; None where nothing was.
    limit : float, the largest number for which it holds.
    holds : True, False, or None where it is not known.
    text : what the number is.
    """

    name: str
    number: float | None
    limit: float
    holds: bool | None
    text: str


def _check(name: str, number: float | None, limit: float, text: str) -> Check:
    return Check(name, number, limit, None if number is None else bool(number <= limit), text)


def checks_of(study: "Study") -> tuple[Check, ...]:
    """Return all checks of a study."""
    return (
        _linear_response(study),
        _degeneracy(study),
        _springs(study),
        _interfaces(study),
        _fixed_neighbours(study),
        _window(study),
    )


def is_driven(study: "Study") -> bool:
    """Return whether the current drives any pair, beyond rounding."""
    driving, damping = abs(study.pairs.driving[0]), abs(study.pairs.damping[0])
    return bool(driving > max(UNDRIVEN * damping, STILL * study.modes.frequencies.max()))


def _linear_response(study: "Study") -> Check:
    name = "linear response"
    if study.whole is None or study.whole_stability is None or study.whole_critical is None:
        return _reach(study, name)
    rates = study.stability.growth[-1]
    largest = float(np.abs(rates).max())
    apart = abs(float(study.whole_stability.growth.max()) - study.growth)
    number = apart / largest if largest else np.inf if apart else 0.0
    linear, whole = study.critical.bias, study.whole_critical.bias
    text = "difference from the whole bias window, of the growth at this bias over the fastest rate"
    if np.isinf(linear):
        return _check(name, number, LINEAR, text)
    if np.isinf(whole):
        text = f"by the whole bias window nothing grows up to {BEYOND:g} times this critical bias"
        return _check(name, BEYOND - 1, LINEAR, text)
    text += " or, if it is larger, of the critical bias"
    return _check(name, max(number, abs(whole / linear - 1)), LINEAR, text)


def _reach(study: "Study", name: str) -> Check:
    """Return the check where nothing but linear response is known."""
    distance, what = study.response.nearest_change()
    if not np.isfinite(distance):
        return _check(name, None, LINEAR, "the whole bias window was not integrated")
    factor, where = 1.0, "this bias"
    if study.voltage < study.critical.bias < np.inf:
        factor, where = study.critical.bias / study.voltage, "the critical bias"
    shift = factor * float(np.abs(study.response.bias).max())
    number = shift / distance if distance else np.inf
    text = f"shift of a lead at {where} over the distance of {what.removesuffix(',')}"
    return _check(name, number, LINEAR, f"{text}; the whole bias window was not integrated")


def _degeneracy(study: "Study") -> Check:
    """Return how far apart the pair's springs are, with those of the current."""
    name = "degenerate pair"
    if not is_driven(study):
        text = "no pair is driven beyond rounding, so there is none to ask about"
        return _check(name, None, DETUNED, text)
    k, m = study.pairs.pairs[0]
    squares = study.modes.frequencies[[k, m]] ** 2
    jacobian = jacobian_of(projected(study.response, study.modes))
    along = 0.5 * (jacobian[k, k] - jacobian[m, m])
    across = 0.5 * (jacobian[k, m] + jacobian[m, k])
    half_curl = 0.5 * abs(jacobian[k, m] - jacobian[m, k])
    own = 0.5 * (squares[0] - squares[1])
    number = float(np.hypot(own - along, across) / half_curl)
    of_current = float(np.hypot(along, across) / half_curl)
    text = (
        "distance of the pair's springs, with those of the current "
        f"(alone {of_current:.3g}), over the driving at this bias; above it thresholds of Eq. 30 "
        "are off, and above 1 (with even friction) the current doesn't turn the pair"
    )
    if study.assumed_equal and number <= DETUNED:
        text = "all frequencies were given as equal, which real vibrations are not; " + text
        return Check(name, number, DETUNED, None, text)
    return _check(name, number, DETUNED, text)


def _springs(study: "Study") -> Check:
    """Return by how much the current changes the frequency of what runs away."""
    text = (
        "change of the frequency of the motion that runs away (or decays most slowly) by the "
        "current; at 1 a spring gives way, and nothing vibrates"
    )
    motions = [study.orbit()]
    if study.whole_critical is not None and study.whole_critical.vector is not None:
        motions.append(study.whole_critical.orbit())
    number = max(_softened(motion, study) for motion in motions)
    return _check("springs hold", number, SOFTENED, text)


def _softened(motion: Orbit, study: "Study") -> float:
    """Return how far a motion's frequency is from those of its vibrations, relative to these."""
    parts = np.abs(study.modes.vectors @ (np.sqrt(study.modes.masses) * motion.vector)) ** 2
    own = float(np.sqrt(parts @ study.modes.frequencies**2 / parts.sum()))
    return abs(motion.frequency - own) / own if own else np.inf


def _interfaces(study: "Study") -> Check:
    text = (
        "part of the motion's change of the Hamiltonian at orbitals that leads are attached to, "
        "which stay at rest; with some cells of the leads inside the device it is less"
    )
    return _check("leads at rest", study.at_interfaces, AT_LEADS, text)


def _fixed_neighbours(study: "Study") -> Check:
    text = (
        "part of the motion's energy in atoms with neighbours that are held fixed; more atoms "
        "that move make it less"
    )
    return _check("free neighbours", study.beside_fixed, BESIDE_FIXED, text)


def _window(study: "Study") -> Check:
    responses = [one for one in (study.response, study.whole) if one is not None]
    partial = any(one.partial for one in responses)
    error = max(study.current_error, study.window_error, *(one.error for one in responses))
    text = "estimated error of the integrals over energy, at the worst of the biases looked at"
    if partial:
        text += "; at some energies of the window no lead is open"
    found = _check("window", error, study.rtol, text)
    return found._replace(holds=found.holds and not partial)
