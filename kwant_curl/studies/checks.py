"""Whether the assumptions of a study hold, each with the number that says so."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from kwant_curl.studies.study import Study

__all__ = ["BEYOND", "Check", "checks_of"]

LINEAR = 0.1
"""How far linear response may be from the whole window, or a lead's shift from what is near."""

BEYOND = 1.5
"""How far the whole window goes at least, in units of the critical bias of linear response."""

DETUNED = 0.3
"""Detuning over driving up to which Eq. 30 is within 5 % of the growth: 1 - sqrt(1 - 0.3^2)."""

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
        _interfaces(study),
        _fixed_neighbours(study),
        _window(study),
    )


def _linear_response(study: "Study") -> Check:
    name = "linear response"
    if study.whole is None or study.whole_stability is None or study.whole_critical is None:
        distance, what = study.response.nearest_change()
        if not np.isfinite(distance):
            return _check(name, None, LINEAR, "the whole bias window was not integrated")
        shift = float(np.abs(study.response.bias).max())
        number = shift / distance if distance else np.inf
        text = f"shift of a lead at this bias over the distance of {what.removesuffix(',')}"
        return _check(name, number, LINEAR, f"{text}; the whole bias window was not integrated")
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


def _degeneracy(study: "Study") -> Check:
    name = "degenerate pair"
    detuning, driving = abs(study.pairs.detuning[0]), abs(study.pairs.driving[0])
    if study.assumed_equal:
        text = "all frequencies were given as equal, which real vibrations are not"
        return _check(name, None, DETUNED, text)
    number = float(detuning / driving) if driving else np.inf
    text = "detuning over driving at this bias; above it thresholds of Eq. 30 are too low"
    return _check(name, number, DETUNED, text)


def _interfaces(study: "Study") -> Check:
    text = "part of the motion's change of the Hamiltonian at orbitals that leads are attached to"
    return _check("leads at rest", study.at_interfaces, AT_LEADS, text)


def _fixed_neighbours(study: "Study") -> Check:
    text = "part of the motion's energy in atoms with neighbours that are held fixed"
    return _check("free neighbours", study.beside_fixed, BESIDE_FIXED, text)


def _window(study: "Study") -> Check:
    responses = [one for one in (study.response, study.whole) if one is not None]
    partial = any(one.partial for one in responses)
    error = max(study.current_error, *(one.error for one in responses))
    text = "estimated error of the integrals over energy"
    if partial:
        text += "; at some energies of the window no lead is open"
    found = _check("window", error, study.rtol, text)
    return found._replace(holds=found.holds and not partial)
