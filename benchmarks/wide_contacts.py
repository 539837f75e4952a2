"""Time the fit of the self-energy of wide leads, and measure its true error.

python benchmarks/wide_contacts.py

One thread, CPU time of this process.  Two leads, of strips with random masses and of a cubic wire;
the error is the largest at frequencies at random, which the fit has not seen, against the exact
self-energy, relative to it or to that at rest, whichever is larger.
"""

import os
import resource

# Before NumPy starts its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from typing import Any

import numpy as np
from timing import machine, row

from kwant_curl import Lattice, LatticeLead

RTOL, DISTANCE, CHECKED = 1e-3, 1e-3, 40


def strip(width: int) -> LatticeLead:
    """Return a lead of the square lattice: springs along bonds and across them."""
    along, across = np.diag([1.0, 0.4]), np.diag([0.4, 1.0])
    chain = 2 * np.eye(width) - np.eye(width, k=1) - np.eye(width, k=-1)
    chain[0, 0] = chain[-1, -1] = 1.0
    within = np.kron(np.eye(width), 2 * along) + np.kron(chain, across)
    masses = np.random.default_rng(0).uniform(1.0, 2.0, width)
    return LatticeLead(within, np.kron(np.eye(width), -along), masses)


def wire(width: int) -> LatticeLead:
    """Return a cubic wire, width x width atoms per cell, with springs to second neighbours."""
    places = np.stack(np.meshgrid(*[np.arange(width)] * 2, indexing="ij"), -1).reshape(-1, 2)
    n = len(places)
    within, coupling = np.zeros((2, n, 3, n, 3))
    for i, j, x in np.ndindex(n, n, 3):
        step = np.array([x - 1, *(places[j] - places[i])], float)
        square = step @ step
        if not 0 < square <= 2:
            continue
        direct = np.outer(step, step) / square
        block = (direct + 0.4 * (np.eye(3) - direct)) * (1.0 if square == 1 else 0.15)
        within[i, :, i, :] += block
        if x == 1:
            within[i, :, j, :] -= block
        elif x == 2:
            coupling[i, :, j, :] -= block
    return LatticeLead(within, coupling, np.ones(n))


def task(name: str, lead: LatticeLead, goal: str) -> None:
    """Print the row of a lead."""
    lattice: Any = Lattice.of_lead(lead, 4)
    moving = np.arange(len(lead), 3 * len(lead))
    around, edges = lattice.surroundings(moving), lattice.band_edges
    start = time.process_time()
    leads = lattice.leads_of(moving, rtol=RTOL)
    spent = time.process_time() - start
    omega = np.random.default_rng(1).uniform(0.01, 1.5, CHECKED) * edges.max()
    omega = omega[np.abs(omega[:, None] - edges).min(axis=1) > DISTANCE * edges.max()]
    exact = around.selfenergy(omega)
    size = np.maximum(np.abs(exact).max(axis=(2, 3)), np.abs(around.selfenergy(0.0)).max())
    error = (np.abs(leads.lead_selfenergy(omega) - exact).max(axis=(2, 3)) / size).max()
    variables = 2 * len(leads.memory().factors()[0])
    row(
        name, str(len(lead) * lead.dim), f"{spent:.1f} s", goal, str(variables),
        f"{leads.error:.1e}", f"{error:.1e}",
    )  # fmt: skip


def long_device(width: int, n_cells: int) -> None:
    """Print what it takes to make, and to check, a device of many atoms."""
    lead = wire(width)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    lattice = Lattice.of_lead(lead, n_cells)
    spent = time.process_time() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"Lattice of {len(lattice)} atoms: {spent:.1f} s, {more:.0f} MiB more at its peak\n")


def main() -> None:
    """Print the table."""
    print(f"{machine()}\n")
    long_device(3, 334)
    row("lead", "coordinates", "CPU time", "goal", "variables", "error, stated", "error, measured")
    row(*["---"] * 7)
    task("strip, 5 atoms", strip(5), "< 5 s")
    task("cubic wire, 2 x 2 atoms", wire(2), "")
    task("strip, 15 atoms", strip(15), "< 60 s")
    task("cubic wire, 3 x 3 atoms", wire(3), "< 60 s")


if __name__ == "__main__":
    main()
