"""Time two calls in turn, and print rows of ratios."""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import kwant


def side_by_side(
    ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int
) -> tuple[float, float, float]:
    """Return the median times and the median of the ratios.

    Before each call that is timed there is one that isn't: memory that was given back to the
    system a second ago may cost more to get again than all that is computed.
    """
    times = [(warm_seconds(ours), warm_seconds(theirs)) for _ in range(repeats)]
    return medians(times)


def medians(times: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the medians of both columns and of their ratios."""
    mine, kwants = (statistics.median(column) for column in zip(*times, strict=True))
    return mine, kwants, statistics.median(a / b for a, b in times)


def warm_seconds(function: Callable[[], Any]) -> float:
    """Return how long the second of two calls takes; what it returns is freed in that time."""
    function()
    return seconds(function)


def seconds(function: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def row(*cells: str) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def timed(what: str, goal: str, times: tuple[float, float, float], inverse: bool = False) -> None:
    """Print the row of two times."""
    mine, kwants, ratio = times
    shown = f"{1 / ratio:.2f} times faster" if inverse else f"{ratio:.2f}"
    row(what, f"{mine:.3f} s", f"{kwants:.3f} s", shown, goal)


def machine() -> str:
    """Say what this runs on."""
    versions = ", ".join(
        f"{name} {sys.modules[name].__version__}" for name in ("kwant", "numpy", "scipy", "numba")
    )
    cpu = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as info:
            cpu = next(line.split(":")[1].strip() for line in info if "model name" in line)
    return (
        f"{cpu}, {os.cpu_count()} cores, OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']}, Python "
        f"{platform.python_version()}, {versions}, "
        f"{kwant.solvers.default.smodule.__name__.rsplit('.', 1)[1]}"
    )
