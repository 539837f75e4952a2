"""Time dynamics of ASE under current: 10^4 steps of the bent gold molecule.

python benchmarks/trajectories.py

At a bias of 0.1 V, where springs and a damping of 5/ps (at 300 K) hold the atoms against the
current.  Prints a table.  --refresh: the spacing of the grid where electrons are solved for, in Å.
"""

import argparse
import os

# Before NumPy starts its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from typing import Any

import ase
import numpy as np
from ase import units
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms, FixCartesian
from timing import machine, row

import kwant_curl
from kwant_curl.devices import bent_molecule


class Springs(Calculator):
    """A spring to its place for each atom."""

    implemented_properties = ("energy", "forces")

    def __init__(self, places: Any, constant: float) -> None:
        super().__init__()
        self.places, self.constant = places.copy(), constant

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Return the energy and the forces."""
        super().calculate(atoms, properties, system_changes)
        moved = self.atoms.positions - self.places
        self.results = {
            "energy": 0.5 * self.constant * float(np.vdot(moved, moved)),
            "forces": -self.constant * moved,
        }


BIAS, DAMPING, TEMPERATURE = 0.1, 5.0, 300.0
"""In V, per ps and in K."""


def field_of(refresh: float | None) -> kwant_curl.ResponseField:
    """Return the response of the molecule."""
    device = bent_molecule()
    return kwant_curl.ResponseField(
        device.syst,
        device.coordinates,
        device.energy,
        bias=BIAS,
        degeneracy=device.degeneracy,
        units=device.units,
        jacobian=True,
        noise=True,
        refresh=refresh,
    )


def molecule(field: kwant_curl.ResponseField) -> ase.Atoms:
    """Return the molecule between its leads, each atom on a spring."""
    device = bent_molecule()
    places = np.array([[*site.pos, 0.0] for site in device.syst.sites])
    atoms = ase.Atoms(f"Au{len(places)}", positions=places)
    moving = 3
    still = list(range(moving, len(places)))
    atoms.set_constraint(
        [
            FixAtoms(still),
            FixCartesian(list(range(moving)), (False, False, True)),
        ]
    )
    constant = device.mass * device.frequency**2
    atoms.calc = kwant_curl.CurrentInducedForces(field, Springs(places, constant))
    return atoms


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--refresh", type=float, default=0.2)
    options = parser.parse_args()
    print(machine())
    field = field_of(options.refresh)
    atoms = molecule(field)
    motion = kwant_curl.CurrentInducedLangevin(
        atoms,
        5 * units.fs,
        rng=1,
        damping=DAMPING / (1000 * units.fs),
        temperature_K=TEMPERATURE,
    )
    motion.run(1)
    frames: list[ase.Atoms] = []
    motion.attach(lambda: frames.append(atoms.copy()), max(1, options.steps // 20))
    start, worked, solved = time.perf_counter(), time.process_time(), field.n_solved
    motion.run(options.steps)
    took, worked = time.perf_counter() - start, time.process_time() - worked
    solved = field.n_solved - solved
    error = error_of_forces(frames, atoms.calc)
    row("steps", "refresh", "places solved", "time", "processor", "error of the force", "goal")
    row(*["---"] * 7)
    row(
        str(options.steps),
        f"{options.refresh} Å",
        str(solved),
        f"{took:.1f} s",
        f"{worked:.1f} s",
        f"{error:.1%}",
        "<= 60 s",
    )
    print(motion.energies, f"residual {motion.energies.residual:.2g} eV")


def error_of_forces(frames: list[ase.Atoms], calculator: kwant_curl.CurrentInducedForces) -> float:
    """Return the error of the current's force in these frames, of its size, root mean squares."""
    exact = kwant_curl.CurrentInducedForces(field_of(None), indices=calculator.indices)
    ours, theirs = (
        np.stack([each.current_forces(atoms) for atoms in frames]) for each in (calculator, exact)
    )
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


if __name__ == "__main__":
    main()
