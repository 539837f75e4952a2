"""Which orbitals belong to which site."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.stack import ranges

__all__ = [
    "block_orbitals",
    "interface_orbitals",
    "interface_sites",
    "number_of_orbitals",
    "orbital_offsets",
]


def orbital_offsets(syst: Any) -> NDArray[np.int64]:
    """Return the first orbital of each site, and last the number of orbitals, (n_sites + 1,)."""
    first_site, norbs, _ = np.array(syst.site_ranges, dtype=np.int64).T
    per_site = np.repeat(norbs[:-1], np.diff(first_site))
    return np.concatenate([[0], np.cumsum(per_site)])


def block_orbitals(
    offsets: NDArray[np.int64], i: NDArray[np.int64], j: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the blocks (i, j), row-major within each, one after another."""
    n_rows, n_cols = (offsets[site + 1] - offsets[site] for site in (i, j))
    size = n_rows * n_cols
    first = np.concatenate([[0], np.cumsum(size)])[:-1]
    within = np.arange(size.sum()) - np.repeat(first, size)
    row, col = np.divmod(within, np.repeat(n_cols, size))
    return row + np.repeat(offsets[i], size), col + np.repeat(offsets[j], size)


def number_of_orbitals(syst: Any) -> int:
    """Dimension of the Hamiltonian of the scattering region."""
    return int(syst.site_ranges[-1][2])


def interface_sites(syst: Any) -> NDArray[np.int64]:
    """Return the indices of the sites to which a lead is attached, sorted, each once."""
    interfaces = [np.asarray(interface, dtype=np.int64) for interface in syst.lead_interfaces]
    return np.unique(np.concatenate(interfaces)) if interfaces else np.empty(0, np.int64)


def interface_orbitals(syst: Any, lead: int) -> NDArray[np.int64]:
    """Return the orbitals to which a lead is attached, in the order of its self-energy."""
    offsets = orbital_offsets(syst)
    interface = np.asarray(syst.lead_interfaces[lead], dtype=np.int64)
    return ranges(offsets[interface], offsets[interface + 1] - offsets[interface])
