"""dH, dS and force constants from displaced calculations, and the zero of energy of dH."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.materials.arrays import frozen, largest, orbitals_of
from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.ends import zero_shift
from kwant_curl.materials.runs import Run
from kwant_curl.materials.transverse import Cell, wide

__all__ = [
    "Springs",
    "Zeros",
    "blocks_on_atoms",
    "check_align",
    "one_sided_overlaps",
    "springs",
    "translation",
    "zeros",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ANTISYMMETRY = 1e-6
"""How far <phi_i|d phi_j> on an atom may be from anti-Hermitian."""

ELSEWHERE = 0.01
"""How large dS may be between atoms that don't move, relative to the largest."""

DRIFT = 0.1
"""How large the sum of a displacement's forces on all atoms may be, relative to the largest."""


def check_align(align: Any) -> None:
    """Raise unless this says to which zero of energy the displaced calculations are brought."""
    expected = (
        f"align is {align!r}; expected 'fermi' (the Fermi level of each displaced calculation), "
        "'lead' (the ends of the device), or the change of the zero per displacement, in eV/Å: one "
        "number, or one per coordinate (0 leaves the matrices as they are)."
    )
    if isinstance(align, str):
        if align not in ("fermi", "lead"):
            raise ValueError(expected)
        return
    numbers = np.asarray(align)
    if numbers.dtype.kind not in "iuf":
        raise TypeError(expected)
    if not np.isfinite(numbers).all():
        raise ValueError(expected)


class Zeros(NamedTuple):
    """How the zero of energy moves with each coordinate, in eV/Å: (n_c,).

    With the Fermi levels, with the ends of the device, and what is to be subtracted.
    """

    fermi: FloatArray
    lead: FloatArray
    used: FloatArray


def zeros(reference: Calculation, runs: list[Run], ends: list[IntArray], align: Any) -> Zeros:
    """Return how the zero of energy moves; ends: the orbitals of both ends of the device."""
    by_fermi = np.array([_fermi_difference(run) for run in runs])
    overlaps = reference.by_cell("overlap")
    by_ends = []
    for run in runs:
        changes = run.derivatives("hamiltonian")
        cells = list(dict.fromkeys([*overlaps, *changes]))
        change, within = (_at_ends(matrices, ends, cells) for matrices in (changes, overlaps))
        by_ends.append(zero_shift(change, within))
    by_lead = np.array(by_ends)
    if isinstance(align, str):
        if align == "fermi" and np.isnan(by_fermi).any():
            raise ValueError(
                "align='fermi', but a displaced calculation has no Fermi level; give fermi= to "
                "each Calculation, or align='lead'."
            )
        return Zeros(by_fermi, by_lead, by_fermi if align == "fermi" else by_lead)
    given = np.asarray(align, dtype=float)
    if given.shape not in ((), (len(runs),)):
        raise ValueError(
            f"align has shape {given.shape}; expected one number, or {len(runs)}, one for each "
            "coordinate."
        )
    return Zeros(by_fermi, by_lead, np.broadcast_to(given, (len(runs),)).astype(float))


def _at_ends(matrices: Mapping[Cell, Any], ends: list[IntArray], cells: list[Cell]) -> Any:
    """Return matrices to cells within each end, all in one."""
    return sparse.block_diag(
        [wide({cell: m[end][:, end] for cell, m in matrices.items()}, cells) for end in ends]
    )


def _fermi_difference(run: Run) -> float:
    if run.plus.fermi is None or run.minus.fermi is None:
        return np.nan
    return (run.plus.fermi - run.minus.fermi) / (2 * run.step)


def translation(derivatives: list[Any], orbitals: IntArray) -> float:
    """Return the largest element, relative, of their sum over atoms, between some orbitals."""
    sizes = max(map(largest, derivatives))
    sums = [sum(derivatives[axis + 3 :: 3], derivatives[axis]) for axis in range(3)]
    worst = max(largest(total[orbitals][:, orbitals]) for total in sums)
    return worst / sizes if sizes else 0.0


class Springs(NamedTuple):
    """Force constants of the atoms that move, (3n, 3n) in eV/Å^2, and what was wrong with them.

    drift: the largest sum of a displacement's forces on all atoms; asymmetry: the largest
    difference of an element and its transpose.
    """

    constants: FloatArray
    drift: float
    asymmetry: float


def springs(runs: list[Run], atoms: IntArray) -> Springs | None:
    """Return the force constants, None if no run has forces, or raise.

    Nothing pushes back an atom that is moved together with all others: what the forces of a
    displacement lack of that is taken from the force on the displaced atom.  phonopy's
    symmetrisation and symfc want the rows of all atoms, and where some are fixed have none: zeros
    in their place break the sums over columns.
    """
    without = [
        n for n, run in enumerate(runs) if run.plus.forces is None or run.minus.forces is None
    ]
    if len(without) == len(runs):
        return None
    if without:
        raise ValueError(
            f"Some displaced calculations have forces, those of atom {int(atoms[without[0] // 3])} "
            "haven't; give forces= to all or to none."
        )
    rows = -np.array([run.difference() for run in runs])  # (3n, n_atoms, 3)
    total = rows.sum(axis=1)
    drift = float(np.abs(total).max())
    if drift > DRIFT * np.abs(rows).max():
        raise ValueError(
            f"The forces on all atoms of a displaced calculation add up to {drift:.3g} eV/Å², the "
            f"largest force constant is {np.abs(rows).max():.3g}. Expected forces on all atoms, "
            "also on fixed ones (ASE: get_forces(apply_constraint=False)), of a system on its own."
        )
    for n, row in enumerate(rows):
        row[atoms[n // 3]] -= total[n]
    block = rows[:, atoms].reshape(len(runs), len(runs))
    return Springs((block + block.T) / 2, drift, float(np.abs(block - block.T).max()))


def one_sided_overlaps(
    overlaps: list[Any], sites: IntArray, orbitals: IntArray, on_atom: list[NDArray[Any]]
) -> tuple[Any, ...]:
    """Return <phi_i|d phi_j/dQ>, of orbitals that go with their atoms.

    Between atoms it is dS_ij for j on the atom that moves; on the atom it is that of `on_atom`.

    Parameters
    ----------
    overlaps : list of sparse arrays
        dS of each coordinate.
    sites : array of int
        The atoms that move, as numbered in the device.
    orbitals : array of int
        Numbers of orbitals of all atoms of the device.
    on_atom : list of arrays (3, n, n)
        Of each atom that moves.
    """
    _check_elsewhere(overlaps, sites, orbitals)
    result = []
    for n, overlap in enumerate(overlaps):
        here = orbitals_of(sites[n // 3 : n // 3 + 1], orbitals)
        block = on_atom[n // 3][n % 3]
        matrix = sparse.lil_array(overlap.shape, dtype=np.result_type(overlap.dtype, block.dtype))
        matrix[:, here] = overlap[:, here]
        matrix[np.ix_(here, here)] = block
        result.append(frozen(sparse.csr_array(matrix)))
    return tuple(result)


def _check_elsewhere(overlaps: list[Any], sites: IntArray, orbitals: IntArray) -> None:
    """Raise if dS isn't zero between atoms that don't move."""
    for n, overlap in enumerate(overlaps):
        site = sites[n // 3]
        others = orbitals_of(np.delete(np.arange(len(orbitals)), site), orbitals)
        size = largest(overlap[others][:, others])
        if size > ELSEWHERE * largest(overlap):
            raise ValueError(
                f"dS of site {site} along {'xyz'[n % 3]} isn't zero between other atoms, by up to "
                f"{size:.3g} 1/Å. Expected overlaps of orbitals that go with their atoms; those of "
                "PAW (GPAW) see the projectors of third atoms. Leave out on_atom=."
            )


def blocks_on_atoms(
    on_atom: Mapping[int, ArrayLike], atoms: IntArray, orbitals: IntArray
) -> list[NDArray[Any]]:
    """Return <phi_i|d phi_j/dR> on each of the atoms that move, (3, n, n), or raise.

    orbitals: the number of orbitals of each of them.
    """
    found = []
    for atom, size in zip(atoms.tolist(), orbitals.tolist(), strict=True):
        if atom not in on_atom:
            raise ValueError(f"on_atom lacks atom {atom}, which moves; expected all that move.")
        block = np.asarray(on_atom[atom])
        if block.shape != (3, size, size):
            raise ValueError(
                f"on_atom[{atom}] has shape {block.shape}; expected {(3, size, size)}."
            )
        symmetric = np.abs(block + block.conj().swapaxes(1, 2)).max()
        if symmetric > ANTISYMMETRY * np.abs(block).max():
            raise ValueError(
                f"on_atom[{atom}] is not anti-Hermitian, by up to {symmetric:.2g}; expected "
                "<phi_i|d phi_j/dR> of orbitals whose overlaps on the atom don't change."
            )
        found.append(block)
    return found
