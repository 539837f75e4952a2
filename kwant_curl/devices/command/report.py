"""The report on a job: tables on the screen, and a figure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.devices.command.job import Job
from kwant_curl.flow import flow_map
from kwant_curl.maps import curl_map
from kwant_curl.response import force_response
from kwant_curl.results import CurlMap, ForceResponse, PumpingRates
from kwant_curl.studies import study
from kwant_curl.support.warning import issued

__all__ = ["report"]

ROWS = 8
"""Lines of a table."""

STUDIED = 60
"""Coordinates up to which all atoms together are looked at: a second or so."""

DEGENERATE = (
    "It takes all vibrations to have one frequency. Those of real springs differ, and run away at\n"
    "biases that may be ten times as large: give force constants or modes to study() in Python."
)
"""What a threshold of Eq. 30 is to be read with."""

FloatArray = NDArray[np.float64]


class Report(NamedTuple):
    """The figure, and what it is of."""

    figure: Any
    result: CurlMap | ForceResponse
    rates: PumpingRates | None
    wave_number: FloatArray | None = None


class Column(NamedTuple):
    """What a table has in a column: heading, unit, and an entry per atom or mode."""

    heading: str
    unit: str
    entries: Sequence[str]


def report(job: Job) -> Report:
    """Print what the current does, and return the figure and the result."""
    at = f"Fermi level {job.energy_text(job.energy)}, {_driven(job)}"
    print(f"{job.name}: {len(job.syst.sites)} sites, {at}")
    found = _travelling_waves(job) if job.dim == 1 else _local_modes(job)
    _print_study(job, found.result)
    return found


def _print_study(job: Job, result: CurlMap | ForceResponse) -> None:
    """Print the page of all moving atoms together, where they are few and their rates known."""
    n = job.dim * (0 if result.positions is None else len(result.positions))
    if job.frequency is None or job.mass is None or not result.friction.any():
        return
    if not 2 <= n <= STUDIED:
        print(f"\nThe page of all atoms together is for 2 to {STUDIED} coordinates; here are {n}.")
        return
    found = study(
        job.syst,
        job.coordinates,
        job.energy,
        frequency=job.frequency,
        mass=job.mass,
        window=job.window,
        jacobian=False,
        velocity=False,
        **_keywords(job),
    )
    print("\nAll atoms together, by curl and friction:\n")
    print(replace(found, warnings=()))  # they are printed with the others


def _driven(job: Job) -> str:
    """Return bias and temperature, as text."""
    warm = f", kT {job.energy_text(job.temperature, 'g')}" if job.temperature else ""
    if not isinstance(job.bias, dict):
        return f"bias {job.energy_text(job.bias, 'g')}{warm}"
    shifts = (f"lead {lead} at {job.energy_text(v, '+g')}" for lead, v in enumerate(job.shifts))
    return f"{', '.join(shifts)}{warm}"


def _keywords(job: Job) -> dict[str, Any]:
    """Return the keywords that every routine takes."""
    operation = ("bias", "temperature", "params", "degeneracy", "units")
    names = (*operation, "exclude", "max_energies", "rtol")
    return {name: getattr(job, name) for name in names}


def _local_modes(job: Job) -> Report:
    """Take every atom by itself: curl map and local pumping rates."""
    result = curl_map(job.syst, job.coordinates, job.energy, **_keywords(job))
    rates = None
    if job.frequency is None or job.mass is None:
        _print_curls(job, result)
    else:
        rates = result.pumping_rates(job.frequency, job.mass)
        _print_rates(job, result, rates)
    axes = result.plot(
        syst=job.syst,
        current=_current(job, result),
        length_unit=None if job.units else job.length_unit,  # it may be "angstrom", for Å
        energy_unit=job.energy_unit,
    )
    axes.set_title(f"{job.name}, {_driven(job)}")
    return Report(axes.figure, result, rates)


def _current(job: Job, result: CurlMap) -> FloatArray | None:
    """Return the current at the atoms, where it can be drawn."""
    if job.dim != 2 or result.sites is None:
        return None
    # Any cell volume does: the arrows' lengths are relative.
    flow = flow_map(job.syst, job.energy, cell_volume=1.0, **_keywords(job))
    return flow.current[result.sites]


def _numbers(values: FloatArray) -> list[str]:
    return [f"{value:.4g}" for value in values]


def _rate_columns(job: Job, rates: PumpingRates) -> list[Column]:
    issued(rates.warnings)  # what is recorded alone is printed too
    per_time = f"{job.energy_unit}/ħ" if job.energy_unit else ""
    return [
        Column("driving", per_time, _numbers(rates.driving)),
        Column("damping", per_time, _numbers(rates.damping)),
        Column("threshold", job.energy_unit, _numbers(rates.threshold_bias)),
    ]


def _curl_columns(job: Job, result: CurlMap) -> tuple[list[Column], FloatArray]:
    """Return the columns of positions and curls, and the size of the curls."""
    strength = np.abs(result.curl) if job.dim == 2 else np.linalg.norm(result.curl, axis=1)
    units = (job.energy_unit, job.length_unit)
    columns = [
        Column("position", job.length_unit, [_place(place) for place in result.positions]),
        Column(
            "curl",
            "{}/{}²".format(*units) if all(units) else "",
            _numbers(result.curl if job.dim == 2 else strength),
        ),
    ]
    return columns, strength


def _place(position: FloatArray) -> str:
    return ", ".join(f"{x:.2f}" for x in np.round(position, 2) + 0.0)


def _print_table(title: str, columns: Sequence[Column], order: FloatArray) -> None:
    """Print the first rows by `order`, with units if there are any."""
    rows = [[column.heading for column in columns]]
    if any(column.unit for column in columns):
        rows.append([column.unit for column in columns])
    rows += _distinct(columns, np.argsort(order, kind="stable"))
    print(f"\n{title}")
    for first, *others in rows:
        print(" ".join([f"{first:>24}", *(f"{text:>12}" for text in others)]))


def _distinct(columns: Sequence[Column], order: NDArray[np.intp]) -> list[list[str]]:
    """Return the first rows, those that differ in the first column alone once, with their number.

    The first column says where: atoms that symmetry makes equal have all other entries in common.
    """
    alike: dict[tuple[str, ...], list[int]] = {}
    for n in order.tolist():
        alike.setdefault(tuple(column.entries[n] for column in columns[1:]), []).append(n)
    return [
        [columns[0].entries[same[0]], *others, *([f"{len(same)} alike"] if len(same) > 1 else [])]
        for others, same in list(alike.items())[:ROWS]
    ]


def _print_curls(job: Job, result: CurlMap) -> None:
    print(f"{len(result.positions)} atoms move")
    columns, strength = _curl_columns(job, result)
    _print_table("Where the curl is largest:", columns, -strength)
    print("\nFor the rates at which vibrations are pumped give --frequency and --mass.")


def _print_rates(job: Job, result: CurlMap, rates: PumpingRates) -> None:
    print(
        f"{len(result.positions)} atoms move, each vibrating with "
        f"{job.energy_text(job.frequency or 0, 'g')}"
    )
    columns, strength = _curl_columns(job, result)
    columns += _rate_columns(job, rates)
    _print_table("Where the curl is largest:", columns, -strength)
    growth = rates.growth.max(axis=1)
    n_growing = np.count_nonzero(growth > 0)
    if n_growing:
        _print_table(f"Local modes that are pumped fastest ({n_growing} grow):", columns, -growth)
    elif np.isfinite(rates.threshold).any():
        _print_table(
            "No local mode grows at this bias; the first to grow:", columns, rates.threshold
        )
    _print_threshold(job, rates, [_place(place) for place in result.positions])


def _print_threshold(job: Job, rates: PumpingRates, where: Sequence[str]) -> None:
    first = int(rates.threshold.argmin())
    lowest = rates.threshold_bias[first]
    if np.isfinite(lowest):
        print(f"\nlowest threshold bias: {job.energy_text(lowest)} at {where[first]}")
        print(DEGENERATE)
    else:
        print("\nThe current drives no vibration, so there is no threshold bias.")


def _travelling_waves(job: Job) -> Report:
    """Pair the standing waves of a chain on a line, which the current sets travelling."""
    response = force_response(job.syst, job.coordinates, job.energy, **_keywords(job))
    n = len(response.friction)
    wave_number = np.pi * np.arange(1, n) / n
    phase = wave_number[:, None] * np.arange(n)
    # Normalised, so that the mass of a mode is that of an atom.
    modes = np.stack([np.cos(phase), np.sin(phase)], axis=1) * np.sqrt(2 / n)
    rates = response.pumping_rates(modes, job.frequency or 0, job.mass or 0)
    vibration = job.energy_text(job.frequency or 0, "g")
    print(f"{n} atoms move; pairs cos(qx), sin(qx) of vibrations of {vibration}")
    q = [f"{x / np.pi:.4f}" for x in wave_number]
    columns = [Column("q a / pi", "", q), *_rate_columns(job, rates)]
    _print_table("Waves that are pumped fastest:", columns, -rates.growth.max(axis=1))
    _print_threshold(job, rates, [f"q a / pi = {x}" for x in q])
    axes = rates.plot(x=wave_number / np.pi, xlabel="q a / π", energy_unit=job.energy_unit)
    axes.set_title(f"{job.name}, {_driven(job)}: waves along the chain")
    return Report(axes.figure, response, rates, wave_number)
