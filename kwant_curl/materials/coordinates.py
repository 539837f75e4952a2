"""From displaced calculations of a junction to coordinates."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.materials.arrays import frozen, largest, orbitals_of
from kwant_curl.materials.differences import (
    Zeros,
    blocks_on_atoms,
    one_sided_overlaps,
    springs,
    translation,
    zeros,
)
from kwant_curl.materials.inspection import LEFT_OUT, Parts
from kwant_curl.materials.moved import AtomDisplacements
from kwant_curl.materials.one_cell import (
    Lattice,
    Places,
    between_images,
    moved_alone,
    on_cells,
    to_k_points,
)
from kwant_curl.materials.reports import DisplacementReport
from kwant_curl.materials.runs import Run, checked_runs
from kwant_curl.materials.transverse import Cell
from kwant_curl.support.frozen import read_only

__all__ = ["displacements_of"]

IntArray = NDArray[np.int64]

FIXED_ENDS = 0.1
"""How much of the largest dH may be at the ends of a device without a doubt."""

LARGEST_STEP = 0.03
"""How far, in Å, atoms may be displaced without a doubt: central differences are off by 1 %."""

SHARED = 0.1
"""How much of the largest dH may not be clearly that of one image without a doubt."""

SUM_RULE = 0.01
"""By how much the sum rule of dS may be broken, relative to the largest dS, without a doubt."""


def displacements_of(
    parts: Parts,
    runs: Mapping[Any, Any],
    align: Any,
    on_atom: Mapping[int, ArrayLike] | None,
    tolerance: float,
) -> AtomDisplacements:
    """Return the coordinates; the arguments are those of `Junction.displacements`.

    tolerance: how large elements may be between an atom that moves and its own images, in eV.
    """
    calculation, kept, electrodes, k = parts
    n_ends = (len(electrodes[0]), len(electrodes[1]))
    sites, found = checked_runs(calculation, runs, kept, n_ends)
    own_images = _own_images(parts, sites, tolerance)
    ends = [orbitals_of(atoms, calculation.orbitals) for atoms in parts.ends]
    moves = zeros(calculation, found, ends, align)
    change = _changes(parts, found, moves)
    orbitals = calculation.orbitals[kept]
    dh, ds, one_sided, between = _alone(parts, sites, change, on_atom)
    found_springs = springs(found, kept[sites])
    moving = orbitals_of(sites, orbitals)
    of_all = change.hamiltonians
    report = DisplacementReport(
        align=align if isinstance(align, str) else "as given",
        step=max(run.step for run in found),
        zero_fermi=moves.fermi,
        zero_lead=moves.lead,
        zero_used=moves.used,
        change=np.array([_largest(m) for m in change.plain]),
        ends=max(
            largest(m[place][:, place])
            for matrices in of_all
            for m in matrices.values()
            for place in _places(orbitals, n_ends)
        ),
        translation_overlap=translation([_own(m) for m in change.overlaps], moving),
        translation=translation([_own(m) for m in of_all], moving),
        overlap=max(map(_largest, change.overlaps)),
        drift=np.nan if found_springs is None else found_springs.drift,
        asymmetry=np.nan if found_springs is None else found_springs.asymmetry,
        own_images=own_images,
        between=between,
    )
    return AtomDisplacements(
        dh,
        ds,
        read_only(calculation.positions[kept[sites]]),
        read_only(sites),
        read_only(np.tile(calculation.positions[kept], (len(k.weights), 1))),
        one_sided,
        None if found_springs is None else read_only(found_springs.constants),
        replace(report, doubts=_doubts(report)),
    )


class Changes(NamedTuple):
    """Derivatives of the device's matrices to each cell, all images of an atom displaced.

    One mapping per coordinate: of H as it comes, of H with its zero of energy, of S.
    """

    plain: list[dict[Cell, Any]]
    hamiltonians: list[dict[Cell, Any]]
    overlaps: list[dict[Cell, Any]]


def _changes(parts: Parts, runs: list[Run], moves: Zeros) -> Changes:
    """Return what changes, of the orbitals of the device."""
    device = orbitals_of(parts.kept, parts.calculation.orbitals)

    def within(matrices: Mapping[Cell, Any]) -> dict[Cell, Any]:
        return {cell: _within(matrix, device) for cell, matrix in matrices.items()}

    plain = [within(run.derivatives("hamiltonian")) for run in runs]
    overlap = within(parts.calculation.by_cell("overlap"))
    hamiltonians = []
    for matrices, zero in zip(plain, moves.used, strict=True):
        none = sparse.csr_array(_own(matrices).shape)
        cells = dict.fromkeys([*matrices, *overlap])
        hamiltonians.append(
            {
                cell: frozen(matrices.get(cell, none) - zero * overlap.get(cell, none))
                for cell in cells
            }
        )
    return Changes(plain, hamiltonians, [within(run.derivatives("overlap")) for run in runs])


def _alone(
    parts: Parts, sites: IntArray, change: Changes, on_atom: Mapping[int, ArrayLike] | None
) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...] | None, float]:
    """Return dH, dS and one-sided overlaps of atoms that move in one cell, between all k points.

    And the largest element of dH that is not clearly that of one image, NaN where none repeat.
    """
    calculation, kept, _, k = parts
    orbitals = calculation.orbitals[kept]
    n_orbitals = int(orbitals.sum())
    between = np.nan
    if calculation.lattice is None:
        matrices = [_own(m) for m in (*change.hamiltonians, *change.overlaps)]
        cells: list[Cell] = [()]
    else:
        atoms = calculation.positions[kept]
        lattice = Lattice(np.repeat(atoms, orbitals, axis=0), calculation.lattice)
        places = [
            Places.of(m, lattice, atoms[sites[n % (3 * len(sites)) // 3]])
            for n, m in enumerate((*change.hamiltonians, *change.overlaps))
        ]
        between = max(map(between_images, places[: 3 * len(sites)]))
        cells, matrices = on_cells(list(map(moved_alone, places)), n_orbitals)
    n = 3 * len(sites)
    one_sided = None
    if on_atom is not None:
        of_atoms = blocks_on_atoms(on_atom, kept[sites], orbitals[sites])
        one_sided = one_sided_overlaps(matrices[n:], sites, orbitals, of_atoms)
    if calculation.lattice is None:
        return tuple(matrices[:n]), tuple(matrices[n:]), one_sided, between
    dh, ds = (to_k_points(some, cells, k) for some in (matrices[:n], matrices[n:]))
    return dh, ds, None if one_sided is None else to_k_points(one_sided, cells, k), between


def _own_images(parts: Parts, sites: IntArray, tolerance: float) -> float:
    """Return the largest element of H - E_F S between an atom that moves and its own images.

    NaN where none repeat; raises if it is more than the tolerance.
    """
    calculation, kept, _, _ = parts
    if calculation.lattice is None:
        return np.nan
    overlaps, level = calculation.by_cell("overlap"), calculation.fermi or 0.0
    size, atom = 0.0, -1
    for number in kept[sites].tolist():
        here = orbitals_of(np.array([number]), calculation.orbitals)
        for cell, matrix in calculation.by_cell("hamiltonian").items():
            found = largest((matrix - level * overlaps[cell])[here][:, here]) if any(cell) else 0.0
            size, atom = max((size, atom), (found, number))
    if size > tolerance:
        raise ValueError(
            f"Atom {atom} and its own image across the current share elements up to {size:.3g} eV, "
            f"more than tolerance={tolerance}. How they change as that atom moves alone is in no "
            "calculation that moves all images. Take a larger cell across the current (sisl: "
            "hamiltonian.tile(2, axis))."
        )
    return size


def _own(matrices: Mapping[Cell, Any]) -> Any:
    """Return the matrix within the cell itself."""
    return next(matrix for cell, matrix in matrices.items() if not any(cell))


def _largest(matrices: Mapping[Cell, Any]) -> float:
    return max(map(largest, matrices.values()))


def _within(matrix: Any, orbitals: IntArray) -> Any:
    """Return a matrix between these orbitals, sparse."""
    return frozen(sparse.csr_array(sparse.csr_array(matrix)[orbitals][:, orbitals]))


def _places(orbitals: IntArray, n_ends: tuple[int, int]) -> tuple[slice, slice]:
    """Return where in the device the orbitals of its two ends are."""
    first, last = int(orbitals[: n_ends[0]].sum()), int(orbitals[-n_ends[1] :].sum())
    return slice(0, first), slice(int(orbitals.sum()) - last, None)


def _doubts(report: DisplacementReport) -> tuple[str, ...]:
    """Return what is beyond what one would like."""
    doubts = []
    size = report.change.max()
    if report.ends > FIXED_ENDS * size:
        doubts.append(
            f"displacements change H at the ends of the device by {report.ends:.3g} eV/Å, where "
            "the electrodes don't follow; put more of the electrode between them and what moves"
        )
    if report.step > LARGEST_STEP:
        doubts.append(
            f"atoms are displaced by {report.step:.3g} Å, more than {LARGEST_STEP}: differences "
            "are no derivatives; take steps of 0.01 Å"
        )
    if report.own_images > LEFT_OUT:
        doubts.append(
            f"an atom that moves and its own image share elements up to {report.own_images:.3g} "
            "eV, whose change is left out; take a larger cell across the current"
        )
    if report.between > SHARED * size:
        doubts.append(
            f"dH has elements up to {report.between:.3g} eV/Å that are about as near to another "
            "image of the atom; take a larger cell across the current"
        )
    if report.translation_overlap > SUM_RULE:
        doubts.append(
            f"dS breaks its sum rule by {report.translation_overlap:.2g}; take smaller steps, and "
            "check that all calculations have the same basis (PAW breaks it by itself: overlaps "
            "see the projectors of atoms that stay)"
        )
    return tuple(doubts)
