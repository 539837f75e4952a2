"""Matrices from sisl, which is imported when a file is read."""

from os import PathLike
from typing import Any

import numpy as np

from kwant_curl.materials.arrays import largest

__all__ = ["cell_matrices", "read_hamiltonian", "sisl_calculation"]


def read_hamiltonian(path: str | PathLike[str]) -> Any:
    """Return the Hamiltonian in a file, as sisl reads it: in eV and Å, the Fermi level at zero."""
    try:
        import sisl
    except ImportError as missing:
        raise ImportError(
            f"Reading {path} needs sisl, which isn't installed: pip install sisl."
        ) from missing
    return sisl.get_sile(path).read_hamiltonian()


def cell_matrices(hamiltonian: Any, axis: int | None, spin: int) -> dict[int, tuple[Any, Any]]:
    """Return {n: (H, S)} from the cell to its n-th neighbour along an axis; S None: orthogonal.

    Raises if there are elements to cells in other directions.
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
    result = {}
    for number, cell in enumerate(np.asarray(hamiltonian.geometry.lattice.sc_off)):
        place = slice(number * n, (number + 1) * n)
        found = (whole[:, place], None if overlap is None else overlap[:, place])
        across = [direction for direction in range(3) if direction != axis and cell[direction]]
        if not across:
            result[0 if axis is None else int(cell[axis])] = found
        elif (size := max(largest(m) for m in found if m is not None)) > 0:
            raise ValueError(
                f"There are elements up to {size:.3g} to the cell {tuple(map(int, cell))}; "
                "expected a junction that is a molecule across the current. Transverse k points "
                "are not supported; axis= is the direction of the current."
            )
    return result


def sisl_calculation(hamiltonian: Any, axis: int | None, spin: int) -> dict[str, Any]:
    """Return the arguments of a `Calculation`."""
    cells = cell_matrices(hamiltonian, axis, spin)
    outside = [matrix for number, (matrix, _) in cells.items() if number]
    return {
        "hamiltonian": cells[0][0],
        "overlap": cells[0][1],
        "atoms": np.asarray(hamiltonian.geometry.xyz),
        "orbitals": np.asarray(hamiltonian.geometry.orbitals),
        "fermi": 0.0,
        "dropped": max(map(largest, outside), default=0.0),
    }
