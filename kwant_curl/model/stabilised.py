"""Modes of leads whose hopping has an inverse that is of no use."""

import warnings
from typing import Any

import numpy as np
from kwant.physics import DiscreteSymmetry, PropagatingModes, StabilizedModes, modes
from numpy.typing import NDArray

__all__ = ["has_poor_inverse", "stabilised_modes"]

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


def has_poor_inverse(hopping: ComplexArray) -> bool:
    """Return whether a hopping between cells, (n_cell, n), is nearly singular, and square.

    It is so with orbitals that reach over most of a cell, as in calculations from first
    principles.  Kwant multiplies by its inverse all the same.  The modes |lambda| = 1 are then off
    the circle by more than the 2e-10 that Kwant allows: open modes are missing, or are taken for
    evanescent ones that grow, without a word.
    """
    if hopping.shape[0] != hopping.shape[1]:  # Kwant never inverts it
        return False
    sizes = np.linalg.svd(hopping, compute_uv=False)
    return bool(NONE * sizes[0] < sizes[-1] < POOR * sizes[0])


def stabilised_modes(
    cell: ComplexArray, hopping: ComplexArray, energy: float, symmetry: Any
) -> tuple[PropagatingModes, StabilizedModes]:
    """Return what `InfiniteSystem.modes` does, found in the way for hoppings without an inverse."""
    holding = _holding(symmetry, cell, hopping, at_zero=energy == 0)
    shifted = cell - energy * np.eye(len(cell))
    found: tuple[PropagatingModes, StabilizedModes] = modes(
        shifted, hopping, stabilization=(True, False), discrete_symmetry=holding
    )
    return found


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
