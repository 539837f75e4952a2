"""The directions in which constraints of ASE let atoms move."""

from typing import Any

import numpy as np
from ase.constraints import FixAtoms, FixCartesian, FixedLine, FixedPlane
from numpy.typing import NDArray

__all__ = ["free_directions"]

FloatArray = NDArray[np.float64]

OF_SINGLE_ATOMS = (FixAtoms, FixCartesian, FixedLine, FixedPlane)
"""Constraints that leave each atom a fixed line or plane, or nothing, whatever the others do."""

ROUNDING = 1e-12


def free_directions(atoms: Any) -> FloatArray | None:
    """Return the projectors on what each atom's constraints leave, (n, 3, 3); None without any.

    Raises
    ------
    TypeError
        For constraints between atoms, which friction with a matrix doesn't know of.
    ValueError
        For constraints of one atom that are at odds with each other.
    """
    if not atoms.constraints:
        return None
    for constraint in atoms.constraints:
        if not isinstance(constraint, OF_SINGLE_ATOMS):
            names = ", ".join(each.__name__ for each in OF_SINGLE_ATOMS)
            raise TypeError(
                f"The atoms have the constraint {type(constraint).__name__}; expected {names}: "
                "friction with a matrix would act along what others hold. Forces of restraints "
                "belong to the base calculator."
            )
    projectors = np.empty((len(atoms), 3, 3))
    for axis in range(3):
        unit = np.zeros((len(atoms), 3))
        unit[:, axis] = 1.0
        for constraint in atoms.constraints:
            constraint.adjust_momenta(atoms, unit)
        projectors[:, :, axis] = unit
    _check(projectors)
    return projectors


def _check(projectors: FloatArray) -> None:
    """Raise unless these are orthogonal projectors: several of one atom may not commute."""
    apart = np.abs(projectors @ projectors.swapaxes(1, 2) - projectors).max(axis=(1, 2))
    if apart.max() > ROUNDING:
        raise ValueError(
            f"Atom {int(apart.argmax())} has constraints along directions that are neither the "
            "same nor at right angles; expected one constraint for it, FixedLine, say."
        )
