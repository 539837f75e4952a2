"""A study as a page of text, and as a table."""

from dataclasses import replace
from html import escape
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from kwant_curl.studies.checks import Check, is_driven
from kwant_curl.support.units import Units
from kwant_curl.vibrations.critical import CriticalBias
from kwant_curl.vibrations.mechanics import projected
from kwant_curl.vibrations.orbits import Orbit
from kwant_curl.vibrations.stabilities import Stability

if TYPE_CHECKING:
    from kwant_curl.studies.study import Study

__all__ = ["page", "sections", "table"]

Rows = list[tuple[str, str]]

STILL = 1e-3
"""Angular momentum, in hbar per quantum, below which nothing turns."""

NOTHING = 1e-12
"""Rates below this part of the highest frequency are rounding."""

SMALL = 0.01
"""Voltages below are in millivolts."""

BIASES, RATES, FREQUENCIES, CURRENTS, POWERS = range(5)


def _text(units: Units | None, kind: int, value: float) -> str:
    """Return a quantity with its unit: V, 1/ps, meV, µA, µW, or in units of the Hamiltonian."""
    if units is None:
        return f"{value:.4g}"
    if kind == BIASES:
        volt = units.volt(value)
        return f"{1e3 * volt:.4g} mV" if 0 < abs(volt) < SMALL else f"{volt:.4g} V"
    if kind == RATES:
        return f"{units.per_picosecond(value):.4g} /ps"
    if kind == FREQUENCIES:
        return f"{units.millielectronvolt(value):.4g} meV"
    if kind == CURRENTS:
        return f"{1e6 * units.ampere(value):.4g} µA"
    return f"{1e6 * units.watt(value):.4g} µW"


def sections(study: "Study") -> list[tuple[str, Rows]]:
    """Return headings, and what is said below each as (what, text)."""
    return [
        ("the junction", _junction(study)),
        ("which vibrations are driven", _driven(study)),
        ("when they run away", _runaway(study)),
        (f"at {_text(study.units, BIASES, study.voltage)}", _at_bias(study)),
        ("can it be believed?", [(_verdict(check), _reason(check)) for check in study.checks]),
    ]


def page(study: "Study") -> str:
    """Return a study as text."""
    lines = []
    for heading, rows in sections(study):
        lines += ["", heading]
        for name, text in rows:
            start = f"  {name:<22} "
            lines.append(fill(start + text, 100, subsequent_indent=" " * len(start)))
    lines += [fill(f"warning: {text}", 100) for text in study.warnings]
    return "\n".join(lines[1:])


def table(study: "Study") -> str:
    """Return a study as HTML."""
    rows = []
    for heading, entries in sections(study):
        rows.append(f"<tr><th colspan=2 style='text-align:left'>{escape(heading)}</th></tr>")
        rows += [
            f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in entries
        ]
    noted = "".join(f"<p>warning: {escape(text)}</p>" for text in study.warnings)
    return f"<table>{''.join(rows)}</table>{noted}"


def _junction(study: "Study") -> Rows:
    response, units = study.response, study.units
    energy = f"{response.energy:.6g}{'' if units is None else ' ' + units.energy_unit}"
    shifts = ", ".join(
        f"lead {lead} {_text(units, BIASES, shift)}" for lead, shift in enumerate(response.bias)
    )
    rows = [("Fermi level", energy), ("leads' shifts", shifts)]
    if response.temperature:
        kelvin = "" if units is None else f" ({units.kelvin(response.temperature):.4g} K)"
        kt = _text(units, FREQUENCIES, response.temperature)
        rows.append(("temperature", f"kT = {kt}{kelvin}"))
    low, high = (float(f(study.modes.frequencies)) for f in (np.min, np.max))
    same = ", all taken as equal" if study.assumed_equal else ""
    ends = f"{_text(units, FREQUENCIES, low)} to {_text(units, FREQUENCIES, high)}"
    rows.append(("vibrations", f"{len(study.modes)}, {ends}{same}"))
    said = ", ".join(f"{name}={value}" for name, value in (study.params or {}).items())
    return [*rows, ("params", said)] if said else rows


def _driven(study: "Study") -> Rows:
    pairs, units = study.pairs, study.units
    if not is_driven(study):
        return [("pair", "none: the curl between all of them is zero, but for rounding")]
    first, second = study.driven
    omega = [_text(units, FREQUENCIES, study.modes.frequencies[n]) for n in (first, second)]
    driving = _text(units, RATES, abs(pairs.driving[0]))
    circle = pairs.orbit()
    rotation = float(pairs.rotation[0]) * (1 if pairs.driving[0] >= 0 else -1)
    patterns = study.modes.patterns
    ideal = replace(circle, vector=patterns[first] + 1j * patterns[second])
    return [
        ("pair", f"modes {first} and {second} ({omega[0]} and {omega[1]})"),
        ("driving", f"{driving}, from mode {first} to mode {second}"),
        ("which is for atoms", _motion(ideal)),
        ("damping", _text(units, RATES, pairs.damping[0])),
        (
            "its slowest decay" if pairs.growth[0] <= 0 else "its fastest growth",
            f"turns {_turning(rotation, first, second)}; atoms: {_motion(circle)}",
        ),
        ("threshold, Eq. 30", f"{_text(units, BIASES, study.degenerate_bias)}, if degenerate"),
    ]


def _turning(rotation: float, first: int, second: int) -> str:
    """Return how much of a circle a motion of two modes is, and which way it goes."""
    if abs(rotation) < STILL:
        return "neither way"
    start, end = (first, second) if rotation > 0 else (second, first)
    return f"from mode {start} to mode {end}, {abs(rotation):.2g} of a circle"


def _motion(orbit: Orbit) -> str:
    """Return which way the atoms go round, or the wave travels, as text."""
    return orbit.sense or "not displacements of atoms"


def _runaway(study: "Study") -> Rows:
    rows = [("critical bias", _critical(study.critical, study.units))]
    if study.critical.vector is not None:
        rows.append(("its motion", _motion(study.orbit())))
        if study.critical.frequency:
            rows.append(("what feeds it", _fed(study)))
    if study.whole_critical is not None:
        rows.append(("of the whole window", _critical(study.whole_critical, study.units)))
    return rows


def _critical(critical: CriticalBias, units: Units | None) -> str:
    if critical.frequency is None:
        return f"none up to {_text(units, BIASES, critical.largest)}, as far as was looked"
    bias = _text(units, BIASES, critical.bias)
    if not critical.frequency:
        return f"{bias}: a spring of vibration {critical.vibration} gives way, nothing vibrates"
    return (
        f"{bias}: mostly vibration {critical.vibration}, at "
        f"{_text(units, FREQUENCIES, critical.frequency)}"
    )


def _fed(study: "Study") -> str:
    """Return what each force adds to the growth at the critical bias, where the sum is zero."""
    critical, friction = study.critical, _equilibrium_friction(study)
    found = {
        "curl and springs": critical.driving,
        "friction of equilibrium": friction,
        "what the bias adds to it": (critical.friction or 0.0) - friction,
        "lattice": critical.lattice,
        "other damping": critical.other,
    }
    size = max(abs(value) for value in found.values() if value is not None)
    return ", ".join(
        f"{name} {_text(study.units, RATES, value)}"
        for name, value in found.items()
        if value is not None and abs(value) > STILL * size
    )


def _equilibrium_friction(study: "Study") -> float:
    """Return what the friction without current adds to the growth of the critical motion."""
    critical, omega = study.critical, study.modes.frequencies
    parts, frequency = np.asarray(critical.amplitudes), float(critical.frequency or 0.0)
    friction = projected(study.response, study.modes).friction
    energy = 0.5 * (frequency**2 + float(omega**2 @ np.abs(parts) ** 2))
    return -(frequency**2) * float((parts.conj() @ friction @ parts).real) / energy


def _at_bias(study: "Study") -> Rows:
    units = study.units
    rows = [("growth", _growth(study.stability, study))]
    if study.whole_stability is not None:
        rows.append(("of the whole window", _growth(study.whole_stability, study)))
    of = "linear response" if study.whole is None else "whole window"
    if len(study.currents) == 2:
        current = f"{_text(units, CURRENTS, study.currents[0])} of electrons from lead 0 to lead 1"
    else:
        current = ", ".join(
            f"lead {lead} {_text(units, CURRENTS, one)}" for lead, one in enumerate(study.currents)
        )
    return [*rows, ("current", f"{current} ({of})"), ("power", _text(units, POWERS, study.power))]


def _growth(stability: Stability, study: "Study") -> str:
    units, rates = study.units, stability.growth[-1]
    n = int(rates.argmax())
    growth, frequency = float(rates[n]), float(stability.frequencies[-1, n].real)
    if abs(growth) < NOTHING * study.modes.frequencies.max():
        return "none: a vibration neither grows nor decays, nothing damps it"
    if growth < 0:
        return f"none: all decay, the slowest with {_text(units, RATES, -growth)}"
    if not frequency:
        return f"{_text(units, RATES, growth)}, where a spring has given way and nothing vibrates"
    return f"{_text(units, RATES, growth)}, of the fastest vibration's energy"


def _verdict(check: Check) -> str:
    word = {True: "yes", False: "no", None: "?"}[check.holds]
    return f"{word:<4}{check.name}"


def _reason(check: Check) -> str:
    number = "not known" if check.number is None else f"{check.number:.3g}"
    return f"{number} (up to {check.limit:.3g}): {check.text}"
