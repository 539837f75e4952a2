"""Force constants between the layers of a crystal, from a supercell of Phonopy."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.units import Units
from kwant_curl.vibrations.other_programs import PhonopyCalculation, length_in_angstrom

__all__ = ["CrystalLayers", "layers_of_phonopy"]

FloatArray = NDArray[np.float64]

WHOLE = 1e-3
"""How far an atom of a supercell may be from an image of one of the primitive cell, in cells."""


class CrystalLayers(NamedTuple):
    """Layers of a crystal: (n_layers, n_c, n_c), masses (n_atoms,), the step to the next layer."""

    force_constants: FloatArray
    masses: FloatArray
    period: FloatArray


def layers_of_phonopy(
    phonon: PhonopyCalculation, axis: int, layers: int, units: Units
) -> CrystalLayers:
    """Return what Phonopy knows of a crystal's layers along an axis; summed across it."""
    found: Any = phonon
    if not all(hasattr(found, name) for name in ("primitive", "supercell", "force_constants")):
        raise TypeError(
            f"phonon is a {type(phonon).__name__}; expected phonopy.Phonopy with force constants."
        )
    if found.force_constants is None:
        raise ValueError("phonon has no force constants; call its produce_force_constants().")
    if axis not in (0, 1, 2):
        raise ValueError(f"axis is {axis!r}; expected 0, 1 or 2, an axis of the primitive cell.")
    primitive, supercell = found.primitive, found.supercell
    firsts = np.asarray(primitive.p2s_map)
    same = [int(primitive.p2p_map[number]) for number in primitive.s2p_map]
    cell = np.asarray(primitive.cell)
    apart = np.asarray(supercell.positions) - np.asarray(supercell.positions)[firsts][same]
    steps = apart @ np.linalg.inv(cell)
    if np.abs(steps - steps.round()).max() > WHOLE:
        raise ValueError("phonon has a supercell whose atoms are no images of the primitive ones.")
    n_cells = _cells_along(np.asarray(supercell.cell) @ np.linalg.inv(cell), axis)
    reach = (n_cells - 1) // 2
    if reach < layers:
        raise ValueError(
            f"The supercell has {n_cells} primitive cells along axis {axis}; expected at least "
            f"{2 * layers + 1}, so that a cell of {layers} layers, the one before and the next "
            "are different ones."
        )
    layer = np.mod(steps[:, axis].round().astype(int), n_cells)
    rows = np.asarray(found.force_constants)
    if len(rows) != len(firsts):  # of all atoms of the supercell
        rows = rows[firsts]
    blocks = np.zeros((reach + 1, len(firsts), 3, len(firsts), 3))
    for atom, (number, image) in enumerate(zip(same, layer, strict=True)):
        if image <= reach:
            blocks[image, :, :, number] += rows[:, atom]
    n = 3 * len(firsts)
    # Eigenvalues of K over masses in amu, times the square of the factor, are squares of THz.
    squares = units.frequency_from_thz(float(found.unit_conversion_factor)) ** 2
    return CrystalLayers(
        blocks.reshape(-1, n, n) * squares * units.mass(1.0),
        units.mass(np.asarray(primitive.masses, dtype=float)),
        units.length_from_angstrom(
            cell[axis] * length_in_angstrom(getattr(found, "calculator", None))
        ),
    )


def _cells_along(matrix: FloatArray, axis: int) -> int:
    """Return how many primitive cells a supercell has along an axis, on which it is to stand."""
    others = np.delete(matrix.round()[:, axis], axis)
    if others.any() or np.delete(matrix.round()[axis], axis).any():
        raise ValueError(
            f"The supercell is not a row of primitive cells along axis {axis}: its axes are "
            f"{matrix.round().astype(int).tolist()} of them. Expected one that repeats along this "
            'axis alone or beside others, as supercell_matrix=[n, 1, 1] with primitive_matrix="P".'
        )
    return int(abs(matrix.round()[axis, axis]))
