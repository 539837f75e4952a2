"""The bonds of a finalized Builder as rows of its Hamiltonian."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.stack import ranges, real_if_real
from kwant_curl.model.long_bonds import check_long_bonds
from kwant_curl.model.model import Model
from kwant_curl.model.periods import bond_shifts, periods_of
from kwant_curl.model.wrong_periods import Folded, check_periods

__all__ = ["BondRows", "bond_rows"]

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


def bond_rows(
    model: Model, sites: IntArray, periods: FloatArray | None, *, charged: bool = False
) -> BondRows:
    """Return the rows of these sites, in their order.

    periods: (n, dim), bonds go to nearest images; None: those that `kwant.wraparound` left, if any.
    Without periods, a bond that seems to close the system on itself is an error, and so are matrix
    elements that are said to be sums over images.
    charged: those of (Q H + H Q)/2 instead, Q the charge of the orbitals.
    """
    _check_no_sums(model.syst)
    rows, offsets = model.rows(sites), model.offsets
    norbs = np.diff(offsets)
    if charged:
        here = ranges(offsets[sites], norbs[sites])
        rows = 0.5 * (model.charges[here][:, here] @ rows + rows @ model.charges)
    site_of = np.repeat(np.arange(len(norbs)), norbs)
    here = np.repeat(np.repeat(sites, norbs[sites]), np.diff(rows.indptr))
    there = site_of[rows.indices]
    bond = here != there
    before = np.concatenate([[0], np.cumsum(bond)])
    here, there = here[bond], there[bond]
    value = real_if_real(rows.data[bond])
    # Bonds are looked at where nothing is displaced.
    vector = _vectors(model.origin.positions, here, there)
    known = periods_of(model, periods)
    shifts = bond_shifts(model, here, there, known)
    if known is not None and shifts is not None:
        vector += shifts.T
        check_periods(model.origin, known, Folded(here, there, vector.T, shifts, np.abs(value)))
    if known is None or len(known):  # [] says that bonds are as they are
        check_long_bonds(model.origin, here, there, vector, np.abs(value) ** 2, known)
    if model.origin is not model:
        vector = vector + _vectors(model.positions - model.origin.positions, here, there)
    return BondRows(
        hubs=ranges(offsets[sites], norbs[sites]),
        start=np.concatenate([[0], np.cumsum(norbs[sites])]),
        indptr=before[rows.indptr],
        cols=rows.indices[bond].astype(np.int64),
        value=value,
        here=here,
        there=there,
        vector=vector,
        n_orbitals=int(offsets[-1]),
    )


def _vectors(positions: FloatArray, here: IntArray, there: IntArray) -> FloatArray:
    """Return what goes from the one to the other, (dim, n)."""
    by_direction = np.ascontiguousarray(positions.T)
    return np.stack([x[there] - x[here] for x in by_direction])


def _check_no_sums(syst: Any) -> None:
    """Raise for value functions that say that they return Bloch sums, as those of a Junction."""
    for value, _ in (getattr(syst, "onsites", None) or ())[:1]:
        if getattr(getattr(value, "__self__", value), "sums_over_images", False):
            raise ValueError(
                "The system holds copies of a junction at transverse k points: its matrix elements "
                "are sums over images, so that two sites have no bond with one direction. Currents "
                "on sites, displacements that follow bonds and probes are not known there; take "
                "Junction.displacements for coordinates, a supercell with one k point for flows."
            )
