"""Modes of a lead by Kwant, in that of its two ways which is accurate."""

import warnings
from typing import Any

import numpy as np
from kwant.physics import DiscreteSymmetry, PropagatingModes, StabilizedModes, modes
from numpy.typing import NDArray

__all__ = ["has_poor_inverse", "modes_of_cells"]

ComplexArray = NDArray[np.complex128]

POOR = 1e-3
"""Smallest singular value of a hopping, relative to its largest, from which Kwant's momenta, which
are found with its inverse, are accurate to some 1e-12."""

NONE = 1e6 * float(np.finfo(float).eps)
"""Below that Kwant takes it for zero, and takes the other way by itself."""

DECLARED = {
    "Conservation law": "projectors",
    "Time reversal": "time_reversal",
    "Particle-hole": "particle_hole",
    "Chiral": "chiral",
}
"""What Kwant calls a symmetry that is broken, and where it is declared."""


def modes_of_cells(
    cell: ComplexArray, hopping: ComplexArray, energy: float, symmetry: Any
) -> tuple[PropagatingModes, StabilizedModes]:
    """Return what Kwant's `InfiniteSystem.modes` does, without the hopping's inverse if it is poor.

    cell: (n_cell, n_cell); hopping: (n_cell, n); symmetry: what the lead declares.
    """
    holding = _holding(symmetry, cell, hopping, at_zero=energy == 0)
    found: tuple[PropagatingModes, StabilizedModes] = modes(
        cell - energy * np.eye(len(cell)),
        hopping,
        stabilization=(True, False) if has_poor_inverse(hopping, holding.projectors) else None,
        discrete_symmetry=holding,
    )
    return found


def has_poor_inverse(hopping: ComplexArray, projectors: Any = None) -> bool:
    """Return whether a hopping between cells, (n_cell, n), is nearly singular, or a block of it.

    It is so with orbitals that reach over most of a cell, as in calculations from first
    principles.  Kwant multiplies by its inverse all the same, block by block of a conservation
    law (`projectors`).  The modes |lambda| = 1 are then off the circle by more than the 2e-10 that
    Kwant allows: open modes are missing, or are taken for evanescent ones that grow, without a
    word.
    """
    n_cell, n = hopping.shape
    if projectors is None:
        return n == n_cell and _is_nearly_singular(hopping)  # else it has no inverse
    square = np.hstack([hopping, np.zeros((n_cell, n_cell - n))])
    return any(_is_nearly_singular(p.conj().T @ square @ p) for p in projectors)


def _is_nearly_singular(matrix: ComplexArray) -> bool:
    sizes = np.linalg.svd(matrix, compute_uv=False)
    return bool(sizes.size and NONE * sizes[0] < sizes[-1] < POOR * sizes[0])


def _holding(
    symmetry: Any, cell: ComplexArray, hopping: ComplexArray, at_zero: bool
) -> DiscreteSymmetry:
    """Return the symmetries that the matrices have, as Kwant takes them at an energy."""
    kept = {name: getattr(symmetry, name) for name in DECLARED.values()}
    for broken in sorted({*symmetry.validate(cell), *symmetry.validate(hopping)}):
        warnings.warn(
            f"Hamiltonian breaks {broken}, ignoring the symmetry in the computation.", stacklevel=2
        )
        kept[DECLARED[broken]] = None
    if not at_zero:  # these two relate energies of opposite sign
        kept["particle_hole"] = kept["chiral"] = None
    return DiscreteSymmetry(**kept)
