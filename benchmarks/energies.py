"""Count the energies of integrals, and measure their true errors against finer ones.

python benchmarks/energies.py

One thread.  The error of each row is the largest of force, curl and friction (or of rates),
relative to the largest element of each, against the same with rtol = 1e-8.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

# Before NumPy starts its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
import warnings

import kwant
import numpy as np
from timing import machine, row

import kwant_curl as kc
from kwant_curl.algebra.sampled import Sampled
from kwant_curl.devices import bent_molecule, gold_chain, graphene_constriction

ROOM = 0.02585
FINE = 1e-8


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the energies that integrals evaluate."""
    count: list[int] = []
    plain = Sampled.add

    def counting(self: Any, energies: Sequence[float]) -> list[int | None]:
        before = self.n_energies
        numbers = plain(self, energies)
        count.append(self.n_energies - before)
        return numbers

    with patch.object(Sampled, "add", counting):
        yield count


def errors(result: Any, reference: Any, fields: tuple[str, ...]) -> float:
    """Return the largest error of the fields."""
    return max(
        float(np.abs(getattr(result, f) - getattr(reference, f)).max())
        / float(np.abs(getattr(reference, f)).max())
        for f in fields
    )


def task(
    name: str,
    call: Callable[[float], Any],
    fields: tuple[str, ...],
    rtols: tuple[tuple[float, str], ...],
) -> None:
    """Print a row for each tolerance."""
    reference = call(FINE)
    for rtol, goal in rtols:
        with counted() as count:
            start = time.perf_counter()
            result = call(rtol)
            spent = time.perf_counter() - start
        error = errors(result, reference, fields)
        row(name, f"{rtol:g}", str(sum(count)), goal, f"{error:.2g}", f"{spent:.2f} s")


def two_levels(gamma: float) -> tuple[Any, Any]:
    """Return two levels that two leads broaden, and what moves them: closed forms are known."""
    lattice = kwant.lattice.chain(norbs=1)
    syst = kwant.Builder()
    syst[(lattice(i) for i in range(2))] = 0.0
    syst[lattice(0), lattice(1)] = 0.4 * gamma

    def broadened(width: float) -> Callable[..., Any]:
        return lambda energy, *args, **params: np.array([[-0.5j * width]])

    for site, width in ((0, gamma), (1, 0.7 * gamma)):
        lead = kwant.builder.SelfEnergyLead(broadened(width), (lattice(site),), [])
        syst.leads.append(lead)
    matrices = kc.Matrices([np.diag([1.0, -1.0]), np.array([[0, 1.0], [1.0, 0]])])
    return syst.finalized(), matrices


def critical(rtol: float) -> Any:
    """Return the critical bias of the molecule from whole windows, at room temperature."""
    made = bent_molecule()
    response = kc.force_response(
        made.syst,
        made.coordinates,
        made.energy,
        bias=1.0,
        temperature=ROOM,
        linear=False,
        rtol=rtol,
    )
    n = len(response.friction)
    modes = kc.VibrationalModes(
        made.frequency * np.linspace(1, 1.001, n), np.eye(n), np.full(n, made.mass)
    )
    return kc.critical_bias(response, modes, 1.0)


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")  # of devices that are known
    print(f"{machine()}\n")
    row("task", "rtol", "energies", "goal", "true error", "time")
    row(*["---"] * 6)
    ribbon = graphene_constriction()
    of_ribbon = partial(kc.curl_map, ribbon.syst, ribbon.coordinates, ribbon.energy)
    maps = ("lead_force", "lead_curl", "friction")
    task(
        "graphene constriction, kT = 0.025 eV",
        lambda rtol: of_ribbon(temperature=0.025, rtol=rtol),
        maps,
        ((1e-3, "<= 70"), (1e-6, "<= 150")),
    )
    task(
        "the same, a window of 0.5 eV, T = 0",
        lambda rtol: of_ribbon(bias=0.5, linear=False, rtol=rtol),
        ("lead_force", "lead_curl"),
        ((1e-3, "<= 80"),),
    )
    task(
        "bent molecule, critical bias from whole windows at 300 K",
        critical,
        ("bias",),
        ((1e-4, "<= 60"),),
    )
    syst, matrices = two_levels(1e-5)
    task(
        "two levels, widths of 1e-5 of the window",
        lambda rtol: kc.force_response(syst, matrices, 0.1, bias=1.0, linear=False, rtol=rtol),
        ("lead_force", "lead_curl"),
        ((1e-6, "<= 60"),),
    )
    chain = gold_chain()
    n_c = len(kc.force_response(chain.syst, chain.coordinates, chain.energy).friction)
    wave = 0.5 * np.pi * np.arange(n_c)
    pairs = np.array([np.cos(wave), np.sin(wave)]) / np.sqrt(0.5 * n_c)
    task(
        "`phonon_rates`, gold chain, 300 K",
        lambda rtol: kc.phonon_rates(
            chain.syst, chain.coordinates, pairs, chain.energy, frequency=chain.frequency,
            mass=chain.mass, bias=chain.bias, temperature=ROOM, rtol=rtol,
        ),
        ("emission", "absorption"),
        ((1e-4, "<= 80"),),
    )  # fmt: skip


if __name__ == "__main__":
    main()
