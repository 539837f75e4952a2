"""Time what `curl_map` spends on looking whether its assumptions hold, as a part of the call.

python benchmarks/checks.py

On one thread: the functions that look are timed where they are called.  Medians of several calls.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from typing import Any
from unittest.mock import patch

# Before NumPy starts its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import kwant
import numpy as np
from device import ENERGY, square, square_with_spin, wire
from timing import machine, row

import kwant_curl
from kwant_curl.devices import graphene_constriction

CHECKS = {
    "closing bonds": ("kwant_curl.model.bonds", "check_long_bonds"),
    "bound states": ("kwant_curl.electrons.checked", "_closeness"),
    "bound states in a window": ("kwant_curl.electrons.windows", "narrow_levels"),
    "band edge": ("kwant_curl.maps", "nearest_edge"),
    "resonances": ("kwant_curl.maps", "resonance_distance"),
    "periods": ("kwant_curl.model.bonds", "check_periods"),
    "holes": ("kwant_curl.model.model", "Model.check_charge"),
    "displacements seen": ("kwant_curl.coordinates.moved", "displacements_seen"),
}

LAW = kwant_curl.Displacements(scaling=kwant_curl.PowerLaw(2))


@contextmanager
def noted(spent: dict[str, float]) -> Iterator[None]:
    """Note how long each check takes."""

    def timing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **keywords)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - start

        return call

    with ExitStack() as stack:
        for name, (module, path) in CHECKS.items():
            owner: Any = import_module(module)
            *parents, last = path.split(".")
            for parent in parents:
                owner = getattr(owner, parent)
            stack.enter_context(patch.object(owner, last, timing(name, getattr(owner, last))))
        yield


def share(name: str, call: Callable[[], Any], repeats: int) -> None:
    """Print a row: how long a call takes, and which part of that each check."""
    call()
    totals, parts = [], []
    for _ in range(repeats):
        spent: dict[str, float] = {}
        with noted(spent):
            start = time.perf_counter()
            call()
            totals.append(time.perf_counter() - start)
        parts.append(spent)
    names = list(dict.fromkeys(key for spent in parts for key in spent))
    pairs = list(zip(parts, totals, strict=True))
    each = {
        key: statistics.median(spent.get(key, 0.0) / total for spent, total in pairs)
        for key in names
    }
    whole = statistics.median(sum(spent.values()) / total for spent, total in pairs)
    listed = ", ".join(f"{key} {100 * part:.1f}" for key, part in each.items() if part >= 5e-4)
    row(name, f"{statistics.median(totals):.3f} s", f"{100 * whole:.1f} %", listed)


def functions(length: int, width: int) -> Any:
    """Return a device whose value functions see the sites' positions."""
    lattice = kwant.lattice.square(norbs=1)
    noise = np.random.default_rng(1).uniform(-0.25, 0.25, (length, width))
    syst = kwant.Builder()
    syst[(lattice(x, y) for x in range(length) for y in range(width))] = lambda site: (
        4 + noise[site.tag[0], site.tag[1]]
    )
    syst[lattice.neighbors()] = lambda a, b: (
        -1 / ((a.pos[0] - b.pos[0]) ** 2 + (a.pos[1] - b.pos[1]) ** 2)
    )
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(width))] = 4
    lead[lattice.neighbors()] = -1
    syst.attach_lead(lead)
    syst.attach_lead(lead.reversed())
    return syst.finalized()


def main() -> None:
    """Print the table."""
    print(f"{machine()}\n")
    row("call", "time", "in checks", "which, in %")
    row("---", "---", "---", "---")
    for name, make, energy, repeats in (
        ("30 x 15", partial(square, 30, 15), ENERGY + 0.01, 11),
        ("100 x 100", partial(square, 100, 100), ENERGY, 5),
        ("80 x 80, two orbitals", partial(square_with_spin, 80, 80), ENERGY, 3),
        ("200 x 200", partial(square, 200, 200), ENERGY, 3),
        ("cubic wire, 30 x 15 x 15", partial(wire, 30, 15), 2 * ENERGY + 0.01, 3),
    ):
        made = make()
        call = partial(kwant_curl.curl_map, made.syst, LAW, energy, params=made.params)
        share(name, call, repeats)
    ribbon = graphene_constriction()
    call = partial(kwant_curl.curl_map, ribbon.syst, ribbon.coordinates, ribbon.energy)
    share("graphene constriction", call, 5)
    numerical = kwant_curl.Displacements()
    call = partial(kwant_curl.curl_map, functions(30, 15), numerical, ENERGY + 0.01)
    share("30 x 15, value functions", call, 3)
    small = square(30, 15)
    call = partial(
        kwant_curl.curl_map, small.syst, LAW, ENERGY, params=small.params,
        bias=0.02, linear=False, rtol=1e-3,
    )  # fmt: skip
    share("30 x 15, a window of 0.02", call, 3)


if __name__ == "__main__":
    main()
