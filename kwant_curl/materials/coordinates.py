"""From displaced calculations of a junction to coordinates."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.materials.arrays import frozen, largest, orbitals_of
from kwant_curl.materials.differences import (
    blocks_on_atoms,
    one_sided_overlaps,
    springs,
    translation,
    zeros,
)
from kwant_curl.materials.inspection import Parts
from kwant_curl.materials.moved import AtomDisplacements
from kwant_curl.materials.reports import DisplacementReport
from kwant_curl.materials.runs import checked_runs
from kwant_curl.support.frozen import read_only

__all__ = ["displacements_of"]

IntArray = NDArray[np.int64]

FIXED_ENDS = 0.1
"""How much of the largest dH may be at the ends of a device without a doubt."""

LARGEST_STEP = 0.03
"""How far, in Å, atoms may be displaced without a doubt: central differences are off by 1 %."""

SUM_RULE = 0.01
"""By how much the sum rule of dS may be broken, relative to the largest dS, without a doubt."""


def displacements_of(
    parts: Parts, runs: Mapping[Any, Any], align: Any, on_atom: Mapping[int, ArrayLike] | None
) -> AtomDisplacements:
    """Return the coordinates; the arguments are those of `Junction.displacements`."""
    calculation, kept, electrodes = parts
    n_ends = (len(electrodes[0]), len(electrodes[1]))
    sites, found = checked_runs(calculation, runs, kept, n_ends)
    ends = [orbitals_of(atoms, calculation.orbitals) for atoms in parts.ends]
    moves = zeros(calculation, found, ends, align)
    device = orbitals_of(kept, calculation.orbitals)
    plain = [_within(run.difference("hamiltonian"), device) for run in found]
    overlap = _within(calculation.overlap, device)
    dh = [frozen(m - zero * overlap) for m, zero in zip(plain, moves.used, strict=True)]
    ds = [_within(run.difference("overlap"), device) for run in found]
    orbitals = calculation.orbitals[kept]
    one_sided = None
    if on_atom is not None:
        of_atoms = blocks_on_atoms(on_atom, kept[sites], orbitals[sites])
        one_sided = one_sided_overlaps(ds, sites, orbitals, of_atoms)
    found_springs = springs(found, kept[sites])
    moving = orbitals_of(sites, orbitals)
    report = DisplacementReport(
        align=align if isinstance(align, str) else "as given",
        step=max(run.step for run in found),
        zero_fermi=moves.fermi,
        zero_lead=moves.lead,
        zero_used=moves.used,
        change=np.array([largest(m) for m in plain]),
        ends=max(largest(m[place][:, place]) for m in dh for place in _places(orbitals, n_ends)),
        translation_overlap=translation(ds, moving),
        translation=translation(dh, moving),
        overlap=max(map(largest, ds)),
        drift=np.nan if found_springs is None else found_springs.drift,
        asymmetry=np.nan if found_springs is None else found_springs.asymmetry,
    )
    return AtomDisplacements(
        tuple(dh),
        tuple(ds),
        read_only(calculation.positions[kept[sites]]),
        read_only(sites),
        read_only(calculation.positions[kept]),
        one_sided,
        None if found_springs is None else read_only(found_springs.constants),
        replace(report, doubts=_doubts(report)),
    )


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
    if report.translation_overlap > SUM_RULE:
        doubts.append(
            f"dS breaks its sum rule by {report.translation_overlap:.2g}; take smaller steps, and "
            "check that all calculations have the same basis (PAW breaks it by itself: overlaps "
            "see the projectors of atoms that stay)"
        )
    return tuple(doubts)
