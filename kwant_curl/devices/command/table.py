"""The table that --csv asks for: all atoms, or all waves of a chain, one per row."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.devices.command.job import Job
from kwant_curl.devices.command.report import Report
from kwant_curl.results import CurlMap

__all__ = ["write_table"]

PLAIN = str.maketrans({"Å": "angstrom", "ħ": "hbar"})
"""Units that readers of files can't be trusted with."""

Columns = dict[str, NDArray[np.generic]]


def write_table(path: Path, job: Job, report: Report) -> None:
    """Write headings with units, comments, and a row per atom or wave.

    The headings come first, since `numpy.genfromtxt` looks for names in the first line, even in
    one that is a comment.
    """
    columns = _columns(job, report)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        file.writelines(f"# {line}\n" for line in _comments(job, report))
        for row in zip(*(column.tolist() for column in columns.values()), strict=True):
            file.write(",".join(map(repr, row)) + "\n")


def _comments(job: Job, report: Report) -> Iterator[str]:
    """Return what is to be known of the numbers."""
    energy_unit, length_unit = _units(job)
    yield f"kwant_curl {version('kwant_curl')}: {job.name}"
    yield f"Fermi level: {float(job.energy)!r} {energy_unit}".rstrip()
    for lead, shift in enumerate(job.shifts.tolist()):
        yield f"shift of lead {lead}: {shift!r} {energy_unit}".rstrip()
    yield f"kT: {job.temperature!r} {energy_unit}".rstrip()
    yield f"degeneracy: {job.degeneracy!r}"
    if report.rates is not None:
        yield f"hbar omega: {job.frequency!r} {energy_unit}".rstrip()
        unit = f" hbar^2/({energy_unit} {length_unit}^2)" if energy_unit and length_unit else ""
        yield f"mass: {job.mass!r}{unit}"
    for name, value in job.params.items():
        yield f"parameter {name}: {' '.join(repr(value).split())}"
    yield "threshold and growth: of each row by itself, its vibrations of one frequency"


def _units(job: Job) -> tuple[str, str]:
    return job.energy_unit.translate(PLAIN), job.length_unit.translate(PLAIN)


def _columns(job: Job, report: Report) -> Columns:
    energy, length = _units(job)
    both = bool(energy and length)
    result, columns = report.result, Columns()

    def add(name: str, unit: str, values: ArrayLike) -> None:
        columns[f"{name} [{unit}]" if unit else name] = np.asarray(values)

    if isinstance(result, CurlMap):
        axes = "xyz"[: job.dim]
        if result.sites is not None:
            add("site", "", result.sites)
        for i, x in enumerate(axes):
            add(x, length, result.positions[:, i])
        for i, x in enumerate(axes):
            add(f"force_{x}", f"{energy}/{length}" if both else "", result.force[:, i])
        curl_unit = f"{energy}/{length}^2" if both else ""
        curls = {"curl": result.curl} if job.dim == 2 else _by_axis("curl", result.curl)
        for name, values in curls.items():
            add(name, curl_unit, values)
        for i, x in enumerate(axes):
            for j, y in enumerate(axes):
                unit = f"hbar/{length}^2" if length else ""
                add(f"friction_{x}{y}", unit, result.friction[:, i, j])
    elif report.wave_number is not None:
        add("qa_over_pi", "", report.wave_number / np.pi)
    if report.rates is not None:
        per_time = f"{energy}/hbar" if energy else ""
        add("driving", per_time, report.rates.driving)
        add("damping", per_time, report.rates.damping)
        add("growth", per_time, report.rates.growth.max(axis=1))
        add("threshold", energy, report.rates.threshold_bias)
    return columns


def _by_axis(name: str, vectors: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {f"{name}_{x}": vectors[:, i] for i, x in enumerate("xyz")}
