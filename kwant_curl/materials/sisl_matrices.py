"""Matrices from sisl, which is imported when a file is read."""

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.materials.arrays import largest
from kwant_curl.materials.transverse import Cell

__all__ = ["cell_matrices", "read_hamiltonian", "sisl_calculation", "sisl_lattice"]

Pair = tuple[Any, Any]


def read_hamiltonian(path: str | PathLike[str]) -> Any:
    """Return the Hamiltonian in a file, as sisl reads it: in eV and Å, the Fermi level at zero."""
    try:
        import sisl
    except ImportError as missing:
        raise ImportError(
            f"Reading {path} needs sisl, which isn't installed: pip install sisl."
        ) from missing
    return sisl.get_sile(path).read_hamiltonian()


def cell_matrices(hamiltonian: Any, axis: int | None, spin: int) -> dict[int, dict[Cell, Pair]]:
    """Return {n: {(n1, n2): (H, S)}} from the cell to others; S None: orthogonal.

    n counts cells along an axis, n1 and n2 those along the other two; images across the axis whose
    elements are all zero are left out.  Raises if there is no axis, and elements to other cells.
    """
    if not all(hasattr(hamiltonian, name) for name in ("tocsr", "geometry", "orthogonal")):
        raise TypeError(
            f"{type(hamiltonian).__name__} is not a sisl.Hamiltonian; expected one, or the path of "
            "a file that has one."
        )
    if not (hamiltonian.spin.is_unpolarized or hamiltonian.spin.is_polarized):
        raise ValueError(f"The Hamiltonian has {hamiltonian.spin}; expected collinear spins.")
    n_spins = hamiltonian.spin.size(hamiltonian.dtype)
    if spin not in range(n_spins):
        raise ValueError(f"spin is {spin!r}; the Hamiltonian has {n_spins}.")
    if axis not in (0, 1, 2, None):
        raise ValueError(f"axis is {axis!r}; expected 0, 1 or 2, the direction of the current.")
    n = hamiltonian.no
    whole = hamiltonian.tocsr(spin)
    overlap = None if hamiltonian.orthogonal else hamiltonian.tocsr(hamiltonian.S_idx)
    result: dict[int, dict[Cell, Pair]] = {}
    for number, cell in enumerate(np.asarray(hamiltonian.geometry.lattice.sc_off)):
        place = slice(number * n, (number + 1) * n)
        found = (whole[:, place], None if overlap is None else overlap[:, place])
        size = max(largest(m) for m in found if m is not None)
        if axis is None and cell.any() and size > 0:
            raise ValueError(
                f"There are elements up to {size:.3g} to the cell {tuple(map(int, cell))}, and no "
                "axis is given; axis= is the direction of the current, and cells across it are for "
                "transverse k points."
            )
        along = 0 if axis is None else int(cell[axis])
        across = tuple(int(cell[other]) for other in _across(axis))
        if size > 0 or not any(across):
            result.setdefault(along, {})[across] = found
    return result


def _across(axis: int | None) -> tuple[int, ...]:
    """Return the lattice vectors across the current."""
    return () if axis is None else tuple(other for other in range(3) if other != axis)


def sisl_lattice(hamiltonian: Any, axis: int | None) -> NDArray[np.float64]:
    """Return the lattice vectors across the current, (2, 3), in Å."""
    return np.asarray(hamiltonian.geometry.cell, dtype=float)[list(_across(axis))]


def sisl_calculation(hamiltonian: Any, axis: int | None, spin: int) -> dict[str, Any]:
    """Return the arguments of a `Calculation`."""
    cells = cell_matrices(hamiltonian, axis, spin)
    outside = [pair[0] for along, found in cells.items() if along for pair in found.values()]
    images = {cell: pair for cell, pair in cells[0].items() if any(cell)}
    own = next(pair for cell, pair in cells[0].items() if not any(cell))
    return {
        "hamiltonian": own[0],
        "overlap": own[1],
        "atoms": np.asarray(hamiltonian.geometry.xyz),
        "orbitals": np.asarray(hamiltonian.geometry.orbitals),
        "fermi": 0.0,
        "dropped": max(map(largest, outside), default=0.0),
        "images": images or None,
        "lattice": sisl_lattice(hamiltonian, axis) if images else None,
    }
