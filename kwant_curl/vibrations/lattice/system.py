"""A lattice as a Kwant system: M^(-1/2) K M^(-1/2), at the energy omega^2."""

from collections.abc import Sequence
from typing import Any

import kwant
import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.model.atoms import Blocks, OneAtom, filled
from kwant_curl.vibrations.lattice.leads import LatticeLead

__all__ = ["coordinates_of", "lattice_system"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def coordinates_of(atoms: Any, dim: int) -> IntArray:
    """Return the coordinates of some atoms, in their order."""
    result: IntArray = (np.asarray(atoms)[:, None] * dim + np.arange(dim)).ravel()
    return result


def lattice_system(
    weighted: Any,
    leads: Sequence[tuple[LatticeLead, FloatArray]],
    dim: int,
    positions: FloatArray | None,
) -> FiniteSystem:
    """Return the finalized system.

    weighted: the matrix of the device, sparse; leads: each with the root of the masses of its
    cell's coordinates.
    """
    n = weighted.shape[0] // dim
    places = np.arange(n, dtype=float)[:, None] if positions is None else positions
    steps = [_period(lead, places, positions is not None) for lead, _ in leads]
    periods = np.broadcast_to(np.eye(places.shape[1])[0], places.shape).copy()
    for (lead, _), step in zip(leads, steps, strict=True):
        periods[lead.atoms] = step
    families = [OneAtom(i, places[i], periods[i], dim) for i in range(n)]
    builder = filled(kwant.Builder(), families, range(n), Blocks(_blocks(weighted.tocoo(), dim)))
    for (lead, root), step in zip(leads, steps, strict=True):
        over = np.outer(root, root)
        found: dict[tuple[int, int, int], FloatArray] = {}
        for matrix, apart in ((lead.force_constants, 0), (lead.coupling, 1)):
            found |= _of_cell(matrix / over, lead, apart, dim)
        found |= _of_cell(lead.coupling.T / over, lead, -1, dim)
        symmetry = kwant.TranslationalSymmetry(step)
        builder.attach_lead(filled(kwant.Builder(symmetry), families, lead.atoms, Blocks(found)))
    system = builder.finalized()
    if len(system.sites) != n:
        raise RuntimeError(f"Kwant has added {len(system.sites) - n} sites to the {n} atoms.")
    return system


def _of_cell(
    matrix: FloatArray, lead: LatticeLead, apart: int, dim: int
) -> dict[tuple[int, int, int], FloatArray]:
    from_atoms = lead.atoms if lead.atoms is not None else np.arange(len(lead))
    blocks = matrix.reshape(len(from_atoms), dim, len(from_atoms), dim).swapaxes(1, 2)
    kept = np.abs(blocks).max(axis=(2, 3)) > 0
    if apart == 0:
        kept |= np.eye(len(from_atoms), dtype=bool)
    return {
        (int(from_atoms[i]), int(from_atoms[j]), apart): blocks[i, j]
        for i, j in zip(*np.nonzero(kept), strict=True)
    }


def _blocks(matrix: Any, dim: int) -> dict[tuple[int, int, int], FloatArray]:
    """Return the blocks of a sparse matrix between atoms that aren't zero, and all onsite ones."""
    found = {(i, i, 0): np.zeros((dim, dim)) for i in range(matrix.shape[0] // dim)}
    for row, col, value in zip(matrix.row, matrix.col, matrix.data, strict=True):
        key = (int(row // dim), int(col // dim), 0)
        found.setdefault(key, np.zeros((dim, dim)))[row % dim, col % dim] = value
    return found


def _period(lead: LatticeLead, places: FloatArray, known: bool) -> FloatArray:
    """Return a lead's period; where it isn't known, a step outwards: for figures alone."""
    if known and lead.period is not None:
        return np.asarray(lead.period[: places.shape[1]])
    outwards = places[lead.atoms].mean(axis=0) - places.mean(axis=0)
    length = float(np.linalg.norm(outwards))
    step = np.eye(places.shape[1])[0] if length == 0 else outwards / length
    result: FloatArray = step * len(lead) if places.shape[1] == 1 else step
    return result
