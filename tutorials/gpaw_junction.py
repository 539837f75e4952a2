"""Make the arrays of gpaw_junction.npz with GPAW, in a quarter of an hour of one core's time.

Ran with GPAW 22.8.0, its setups 0.9.20000 and ASE 3.22.1.  Nothing else needs GPAW: the tutorial
and the tests read the arrays.

    python gpaw_junction.py relax  # writes relaxed.xyz
    python gpaw_junction.py run    # writes run00.npz and so on; as often at once as there are cores
    python gpaw_junction.py save   # writes gpaw_junction.npz
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.io import read, write
from ase.optimize import BFGS
from gpaw import GPAW, FermiDirac, Mixer
from gpaw.lcao.tools import get_lcao_hamiltonian

ARM, BOND = 8, 1.35  # atoms of a wire, and length in Å
ACROSS = np.array([9.0, 8.0])  # of the cell, in Å
LAYER = 4  # atoms of a principal layer
STEP = 0.01  # Å
SIGNS = (1, -1)
MOVING = range(ARM, ARM + 4)  # the kink

SINGLE = [[(atom, axis, s * STEP)] for atom in MOVING for axis in range(3) for s in SIGNS]
# Along x and y at once: the curl is compared with that of forces on displaced atoms.
DOUBLE = [[(ARM, 0, s * STEP), (ARM, 1, t * STEP)] for s, t in product(SIGNS, repeat=2)]
RUNS = [[], *SINGLE, *DOUBLE]


def calculator(points, density=1e-6):
    """Return GPAW for a wire along x, with so many k points along it."""
    return GPAW(
        mode="lcao",
        basis="sz(dzp)",
        xc="LDA",
        h=0.2,
        kpts=(points, 1, 1),
        symmetry={"point_group": False},
        occupations=FermiDirac(0.1),
        convergence={"density": density},
        mixer=Mixer(0.25, 5, 1.0),
        txt=None,
    )


def between_cells(calc, number):
    """Return H in eV and S between the orbitals of a cell and of the `number`-th to its right.

    H(R) is the mean of exp(2 pi i k R) H(k) over all k, real because k and -k both count; GPAW
    has one of them, with the weight of both.
    """
    H_skMM, S_kMM = get_lcao_hamiltonian(calc)
    points = calc.wfs.kd
    phases = points.weight_k * np.exp(2j * np.pi * points.ibzk_kc[:, 0] * number)
    return [np.tensordot(phases, matrix, 1).real for matrix in (H_skMM[0], S_kMM)]


def electrode():
    """Return the arrays of a layer of a straight wire."""
    atoms = Atoms(
        f"C{LAYER}",
        np.outer(np.arange(LAYER), [BOND, 0, 0]),
        cell=[LAYER * BOND, *ACROSS],
        pbc=(True, True, False),
    )
    atoms.center(axis=(1, 2))
    atoms.calc = calc = calculator(24)
    atoms.get_potential_energy()
    cells = [between_cells(calc, number) for number in range(3)]
    return {
        "electrode_hamiltonians": np.array([hamiltonian for hamiltonian, _ in cells]),
        "electrode_overlaps": np.array([overlap for _, overlap in cells]),
        "electrode_positions": atoms.positions,
        "electrode_fermi": calc.get_fermi_level(),
    }


def relax():
    """Write a kink between two wires, relaxed."""
    wire = np.outer(np.arange(ARM), [BOND, 0, 0])
    bond = np.array([1.45, 0, 0])
    first = wire[-1] + bond
    second = first + np.array([0.75, 1.2, 0])
    hydrogen = np.array([0.55, -1.0, 0])
    kink = [first, first + hydrogen, second, second - hydrogen]
    places = np.concatenate([wire, kink, second + bond + wire])
    # The cell is tilted: the wire goes on from its right end to the next image's left one.
    cell = np.diag([0, *ACROSS])
    cell[0] = places[-1] + [BOND, 0, 0] - places[0]
    atoms = Atoms(f"C{ARM}CHCHC{ARM}", places, cell=cell, pbc=(True, True, False))
    atoms.positions[:, 1:] += (ACROSS - cell[0, 1:]) / 2
    atoms.set_constraint(FixAtoms(np.setdiff1d(np.arange(len(atoms)), MOVING)))
    atoms.calc = calculator(4, density=1e-5)
    BFGS(atoms).run(fmax=0.01)
    write("relaxed.xyz", atoms)


def run():
    """Solve all displaced geometries that no other process has begun with."""
    calc = calculator(4)
    for number, displacement in enumerate(RUNS):
        path = Path(f"run{number:02}.npz")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        atoms = read("relaxed.xyz")
        atoms.set_constraint()
        for atom, axis, length in displacement:
            atoms.positions[atom, axis] += length
        atoms.calc = calc
        atoms.get_potential_energy()
        hamiltonian, overlap = between_cells(calc, 0)
        upper = np.triu_indices(len(hamiltonian))
        np.savez(
            path,
            positions=atoms.positions,
            hamiltonians=hamiltonian[upper].astype(np.float32),
            overlaps=overlap[upper].astype(np.float32),
            forces=atoms.get_forces(),
            fermi=calc.get_fermi_level(),
            dropped=np.abs(between_cells(calc, 1)[0]).max(),
            orbitals=[setup.nao for setup in calc.wfs.setups],
        )


def save():
    """Write the arrays of the electrode, of the junction, and of displaced atoms."""
    atoms = read("relaxed.xyz")
    runs = [np.load(f"run{number:02}.npz") for number in range(len(RUNS))]
    several = ("positions", "hamiltonians", "overlaps", "forces", "fermi")
    arrays = electrode() | {name: np.array([found[name] for found in runs]) for name in several}
    arrays |= {name: runs[0][name] for name in ("dropped", "orbitals")}
    np.savez_compressed("gpaw_junction.npz", numbers=atoms.numbers, moving=MOVING, **arrays)


if __name__ == "__main__":
    {"relax": relax, "run": run, "save": save}[sys.argv[1]]()
