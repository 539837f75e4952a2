"""Time `curl_map` against `kwant.wave_function` of both leads on small and large devices.

python benchmarks/ratios.py

On one thread, in turn, in one run; then the later energies of a sweep with one `Model`.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

# Before NumPy starts its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import kwant
import numpy as np
from device import ENERGY, square, square_with_spin, wire
from timing import machine, medians, row, seconds, side_by_side, timed

import kwant_curl
from kwant_curl.devices import graphene_constriction

LAW = kwant_curl.Displacements(scaling=kwant_curl.PowerLaw(2))


class Case(NamedTuple):
    """A device, what moves in it, where on the energy axis, and how often it is timed."""

    syst: Any
    params: Any
    coordinates: Any
    energy: float
    repeats: int

    def ours(self) -> Any:
        """Map the curl over all atoms."""
        return kwant_curl.curl_map(self.syst, self.coordinates, self.energy, params=self.params)

    def kwants(self) -> Any:
        """Solve for all states as a Kwant user does, with Kwant's default settings."""
        return states(self.syst, self.energy, self.params)


def states(syst: Any, energy: float, params: Any) -> list[Any]:
    """Return the scattering states of both leads."""
    solve = kwant.wave_function(syst, energy, params=params)
    return [solve(lead) for lead in range(2)]


def lattice(make: Callable[[], Any], energy: float, repeats: int) -> Case:
    """Return the case of a device of benchmarks/device.py."""
    made = make()
    return Case(made.syst, made.params, LAW, energy, repeats)


def ribbon() -> Case:
    """Return a graphene ribbon with a neck, of zigzag edges."""
    made = graphene_constriction(width=240.0, neck=100.0, length=59.0)
    return Case(made.syst, made.params, made.coordinates, made.energy, 7)


CASES: dict[str, Callable[[], Case]] = {
    "30 x 15": partial(lattice, partial(square, 30, 15), ENERGY + 0.01, 21),
    "graphene ribbon with a neck": ribbon,
    "100 x 100": partial(lattice, partial(square, 100, 100), ENERGY, 9),
    "80 x 80, two orbitals, spin-orbit": partial(
        lattice, partial(square_with_spin, 80, 80), ENERGY, 5
    ),
    "200 x 200": partial(lattice, partial(square, 200, 200), ENERGY, 5),
    "cubic wire, 60 x 20 x 20": partial(lattice, partial(wire, 60, 20), 2 * ENERGY + 0.01, 3),
}


def table() -> None:
    """Print the ratio of every device."""
    row("device", "ours", "Kwant's", "ratio", "goal")
    row("---", "---", "---", "---", "---")
    for name, make in CASES.items():
        case = make()
        n_states = sum(map(len, case.kwants()))
        what = f"{name}: {len(case.syst.sites)} sites, {n_states} states"
        timed(what, "<= 1.0", side_by_side(case.ours, case.kwants, case.repeats))


def sweep(n_energies: int, repeats: int) -> None:
    """Print the ratio of the second and later energies of sweeps with one model."""
    made = square(100, 100)
    times = []
    for _ in range(repeats):
        model = kwant_curl.Model(made.syst, made.params)
        for number, energy in enumerate(np.linspace(0.9013, 1.1013, n_energies).tolist()):
            mine = seconds(partial(kwant_curl.curl_map, model, LAW, energy))
            theirs = seconds(partial(states, made.syst, energy, made.params))
            if number:
                times.append((mine, theirs))
    timed("100 x 100, second and later energies of a sweep", "<= 0.45", medians(times))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--energies", type=int, default=10, help="of a sweep")
    parser.add_argument("--repeats", type=int, default=3, help="sweeps")
    options = parser.parse_args()
    print(f"{machine()}\n")
    table()
    sweep(options.energies, options.repeats)


if __name__ == "__main__":
    main()
