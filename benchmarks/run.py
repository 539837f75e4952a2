"""Time kwant_curl against Kwant, side by side in one run.

python benchmarks/run.py

Prints a table of ratios.  --quick takes a smaller device, --million maps 10^6 orbitals, once.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

# Before NumPy starts its threads.
os.environ.setdefault("OMP_NUM_THREADS", "2")

import kwant
import numpy as np
from device import ENERGY, Device, middle_atoms, square
from timing import machine, row, side_by_side, timed, warm_seconds

import kwant_curl
from kwant_curl.coordinates.scaled import scaled_bonds
from kwant_curl.coordinates.where import MovingSites, moving_sites
from kwant_curl.electrons.kernels.local import local_responses

LAW = kwant_curl.PowerLaw(2)
ALL = kwant_curl.Displacements(scaling=LAW)


def kwant_states(device: Device) -> Any:
    """Solve for all states as a Kwant user does, with Kwant's default settings."""
    solve = kwant.wave_function(device.syst, ENERGY, params=device.params)
    return [solve(lead) for lead in range(2)]


def our_map(device: Device) -> Any:
    """Map the curl over all sites."""
    return kwant_curl.curl_map(device.syst, ALL, ENERGY, params=device.params)


def our_flow(device: Device) -> Any:
    """Map the flow over all sites."""
    return kwant_curl.flow_map(device.syst, ENERGY, params=device.params)


def our_molecule(device: Device, size: int, **tensors: bool) -> Any:
    """Return the response of 24 atoms in the middle."""
    atoms = kwant_curl.Displacements(middle_atoms(device, size, size), scaling=LAW)
    return kwant_curl.force_response(device.syst, atoms, ENERGY, params=device.params, **tensors)


def derivatives(model: kwant_curl.Model) -> Any:
    """Return dH/dr of all sites from the Hamiltonian."""
    sites = moving_sites(model.syst, None)
    stack = scaled_bonds(MovingSites(model, sites), LAW)
    return replace(stack, positions=model.positions[sites], sites=sites)


def evaluated(device: Device) -> kwant_curl.Model:
    """Return a model whose Hamiltonian is there."""
    model = kwant_curl.Model(device.syst, device.params)
    _ = model.hamiltonian
    return model


def loop_of_currents(current: Any, states: Any) -> None:
    """Evaluate Kwant's operator for one state after another."""
    for psi in states:
        current(psi)


class GivenStates:
    """What `local_responses` asks of an energy shell, with states that need no solving."""

    def __init__(self, states: Any) -> None:
        self.n_modes = (len(states) // 2, len(states) - len(states) // 2)
        self.max_memory = 2.0**29
        self.given = states

    def blocks(self) -> Any:
        """Yield the states of both leads."""
        yield from enumerate(np.split(self.given, [self.n_modes[0]]))


def growth(sizes: list[int], n_states: int, repeats: int) -> list[float]:
    """Return the time per site and mode of all but Kwant's part, in ns."""
    result = []
    for size in sizes:
        device = square(size, size)
        rng = np.random.default_rng(0)
        n = len(device.syst.sites)
        states = GivenStates(rng.normal(size=(n_states, n)) + 1j * rng.normal(size=(n_states, n)))

        model = evaluated(device)

        def ours(model: Any = model, states: Any = states) -> None:
            local_responses(derivatives(model), states)

        ours()
        usual = statistics.median(warm_seconds(ours) for _ in range(repeats))
        result.append(1e9 * usual / n / n_states)
    return result


def energy_point(energy: float) -> Any:
    """Return the integrand at one energy, on the device of this worker."""
    device, solver = WORKER
    result = kwant_curl.curl_map(device.syst, ALL, energy, params=device.params, solver=solver)
    return result.lead_curl


def start_worker(size: int) -> None:
    """Build the device, and compile, before the clock starts."""
    global WORKER
    WORKER = square(size, size), kwant_curl.direct_solver()
    energy_point(ENERGY)


def integral(pool: Any, nodes: Any, weights: Any) -> Any:
    """Integrate the curl over energy by Gauss and Legendre's rule."""
    values = pool.map(energy_point, nodes)
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def pools(size: int, repeats: int) -> tuple[float, float, float]:
    """Return the times with one and with two processes, of one thread each, and their ratio."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    nodes, weights = ENERGY + 0.1 * nodes, 0.1 * weights
    threads, os.environ["OMP_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"], "1"
    made = [ProcessPoolExecutor(n, get_context("spawn"), start_worker, (size,)) for n in (1, 2)]
    for pool, n in zip(made, (1, 2), strict=True):
        list(pool.map(time.sleep, [0.5] * n))  # starts all workers
    one, two = (partial(integral, pool, nodes.tolist(), weights) for pool in made)
    np.testing.assert_allclose(one(), two(), rtol=1e-9, atol=1e-12)
    result = side_by_side(one, two, repeats)
    for pool in made:
        pool.shutdown()
    os.environ["OMP_NUM_THREADS"] = threads
    return result


def peak_of_this_process() -> float:
    """Return the most memory that was resident, in GiB (on Linux)."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def peak_memory(what: str, size: int) -> float:
    """Return the peak memory in GiB of a process that builds the device and does `what`."""
    command = [sys.executable, __file__, "--peak", what, "--size", str(size)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def show_peak(what: str, size: int) -> None:
    """Do it, and print the peak of this process."""
    device = square(size, size)
    kept = {"nothing": lambda _: None, "states": kwant_states, "map": our_map, "flow": our_flow}[
        what
    ](device)
    del kept
    print(peak_of_this_process())


def table(size: int, repeats: int) -> None:
    """Measure everything and print the table."""
    device = square(size, size)
    n_modes = len(kwant_states(device)[0])
    print(f"{size} x {size} sites, {n_modes} modes per lead, medians of {repeats} pairs\n")
    row("what", "ours", "Kwant's", "ratio", "goal at 400 x 400")
    row("---", "---", "---", "---", "---")
    rows_without_solving(device, n_modes, repeats)
    rows_with_solving(device, size, repeats)
    rows_of_tensors(device, size, repeats)
    rows_of_memory(size, repeats)
    rows_of_ours_alone(size, repeats)


def rows_without_solving(device: Device, n_modes: int, repeats: int) -> None:
    """Print the rows of the operator and of the derivatives."""
    current = kwant.operator.Current(device.syst).bind(params=device.params)
    force = kwant_curl.Force(device.syst, ALL).bind(params=device.params)
    psi = np.ascontiguousarray(kwant_states(device)[0])
    pair = side_by_side(partial(force, psi), partial(loop_of_currents, current, psi), repeats)
    timed(f"`Force`, all sites, {n_modes} states / loop of `Current`", ">= 10 times", pair, True)
    model = evaluated(device)
    evaluate = partial(device.syst.hamiltonian_submatrix, sparse=True, params=device.params)
    pair = side_by_side(partial(derivatives, model), evaluate, repeats)
    timed("dH/dr of all sites by a law / Kwant's H", "<= 0.3", pair)


def rows_with_solving(device: Device, size: int, repeats: int) -> None:
    """Print the rows of the routines."""
    theirs = partial(kwant_states, device)
    for what, goal, ours in (
        ("`curl_map`, all sites / `wave_function`, both leads", "<= 1.0", partial(our_map, device)),
        ("`flow_map`, all sites / the same", "", partial(our_flow, device)),
        ("`force_response`, 24 atoms / the same", "<= 0.5", partial(our_molecule, device, size)),
    ):
        timed(what, goal, side_by_side(ours, theirs, repeats))


def rows_of_tensors(device: Device, size: int, repeats: int) -> None:
    """Print the rows in which more is asked of the same atoms."""
    plain = partial(our_molecule, device, size)
    for what, tensors in (
        ("with `jacobian=True`", {"jacobian": True}),
        ("with `jacobian=True, velocity=True`", {"jacobian": True, "velocity": True}),
    ):
        more = partial(our_molecule, device, size, **tensors)
        times = side_by_side(more, plain, repeats)
        timed(f"`force_response`, 24 atoms, {what} / without", "", times)


def rows_of_memory(size: int, repeats: int) -> None:
    """Print the rows of the peak memory."""
    peaks = {
        what: statistics.median(peak_memory(what, size) for _ in range(repeats))
        for what in ("nothing", "states", "map", "flow")
    }
    for what, name in (("map", "curl_map"), ("flow", "flow_map")):
        row(
            f"peak memory, `{name}` / `wave_function` ({peaks['nothing']:.2f} GiB: the device)",
            f"{peaks[what]:.2f} GiB",
            f"{peaks['states']:.2f} GiB",
            f"{peaks[what] / peaks['states']:.2f}",
            "<= 1.2",
        )


def rows_of_ours_alone(size: int, repeats: int) -> None:
    """Print the rows in which ours is compared with itself."""
    sizes = [size // 4, size // 2, size]
    cost = growth(sizes, 64, repeats)
    row(
        f"our part per site and state, {' / '.join(f'{n}^2' for n in sizes)} sites",
        " / ".join(f"{ns:.2f}" for ns in cost) + " ns",
        "",
        f"{max(cost) / min(cost):.2f}",
        "<= 1.5",
    )
    one, two, ratio = pools(size // 4, repeats)
    row(
        f"64 energies, {size // 4}^2 sites, one process / two",
        f"{one:.2f} s / {two:.2f} s",
        "",
        f"{ratio:.2f} times faster",
        ">= 1.7 times",
    )


def million() -> None:
    """Map 10^6 orbitals, and print the figures."""
    start = time.perf_counter()
    device = square(1000, 1000, lead_width=300)
    built = time.perf_counter()
    result = our_map(device)
    done = time.perf_counter()
    modes = [lead.modes(ENERGY)[1].nmodes for lead in device.syst.leads]
    print(
        f"1000 x 1000 sites, {modes} modes: building {built - start:.0f} s, curl_map "
        f"{done - built:.0f} s, {len(result.curl)} curls, peak memory "
        f"{peak_of_this_process():.1f} GiB"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="160 x 160 sites")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--million", action="store_true", help="10^6 orbitals, once")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=400)
    options = parser.parse_args()
    if options.peak:
        show_peak(options.peak, options.size)
        return
    print(machine())
    if options.million:
        million()
    else:
        table(160 if options.quick else options.size, options.repeats)


if __name__ == "__main__":
    main()
