"""The bonds of a finalized Builder as rows of its Hamiltonian."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.stack import ranges, real_if_real
from kwant_curl.system import orbital_offsets

__all__ = ["BondRows", "bond_rows", "hamiltonian_rows"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class BondRows(NamedTuple):
    """Elements of the Hamiltonian between different sites, in the rows of some sites.

    hubs: (n_rows,) the orbital of each row; start: (n_sites + 1,) where the rows of each site
    begin; indptr: (n_rows + 1,) where the elements of each row begin; cols, value: (n_elements,)
    the elements, real where all are; here, there: (n_elements,) the sites of row and column;
    vector: (dim, n_elements) from the one to the other; n_orbitals: all of the system's.
    """

    hubs: IntArray
    start: IntArray
    indptr: IntArray
    cols: IntArray
    value: NDArray[Any]
    here: IntArray
    there: IntArray
    vector: FloatArray
    n_orbitals: int


def bond_rows(syst: Any, sites: IntArray, positions: FloatArray, rows: Any) -> BondRows:
    """Take apart what `hamiltonian_rows` returns for these sites; positions: of all sites."""
    offsets = orbital_offsets(syst)
    norbs = np.diff(offsets)
    site_of = np.repeat(np.arange(len(norbs)), norbs)
    here = np.repeat(np.repeat(sites, norbs[sites]), np.diff(rows.indptr))
    there = site_of[rows.indices]
    bond = here != there
    before = np.concatenate([[0], np.cumsum(bond)])
    here, there = here[bond], there[bond]
    by_direction = np.ascontiguousarray(positions.T)
    return BondRows(
        hubs=ranges(offsets[sites], norbs[sites]),
        start=np.concatenate([[0], np.cumsum(norbs[sites])]),
        indptr=before[rows.indptr],
        cols=rows.indices[bond].astype(np.int64),
        value=real_if_real(rows.data[bond]),
        here=here,
        there=there,
        vector=np.stack([x[there] - x[here] for x in by_direction]),
        n_orbitals=int(offsets[-1]),
    )


def hamiltonian_rows(syst: Any, sites: IntArray, params: Mapping[str, Any] | None) -> Any:
    """Return the Hamiltonian's rows at the orbitals of these sites, a CSR array."""
    offsets = orbital_offsets(syst)
    norbs = np.diff(offsets)
    orbitals = ranges(offsets[sites], norbs[sites])
    if 2 * len(sites) > len(norbs):
        full = sparse.csr_array(syst.hamiltonian_submatrix(sparse=True, params=params))
        return full if np.array_equal(orbitals, np.arange(offsets[-1])) else full[orbitals]
    around = [int(other) for site in sites for other in syst.graph.out_neighbors(site)]
    from_sites = np.union1d(sites, np.array(around, dtype=np.int64))
    part = syst.hamiltonian_submatrix(
        to_sites=sites, from_sites=from_sites.astype(int), sparse=True, params=params
    )
    col = ranges(offsets[from_sites], norbs[from_sites])[part.col]
    shape = (len(orbitals), int(offsets[-1]))
    return sparse.csr_array((part.data, (part.row, col)), shape=shape)
