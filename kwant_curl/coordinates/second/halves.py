"""Halves of second derivatives, from those of single matrix elements."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.algebra.stack import SecondDerivatives
from kwant_curl.coordinates.elements import Element
from kwant_curl.coordinates.gradients import check_hermitian
from kwant_curl.model.model import Model
from kwant_curl.model.orbitals import block_orbitals

__all__ = ["block_halves", "coordinate_halves", "ends_of", "of_difference"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def coordinate_halves(
    coordinates: IntArray, row: IntArray, col: IntArray, bends: NDArray[Any]
) -> SecondDerivatives:
    """Collect the second derivatives of n elements with respect to variables of each.

    coordinates: (n_variables, n) which coordinates they are, negative for none; row, col: (n,);
    bends: (n_variables, n_variables, n).  What is zero is left out.
    """
    pairs = (coordinates[:, None] >= 0) & (coordinates >= 0) & (bends != 0)
    first, second, element = np.nonzero(pairs)
    return SecondDerivatives(
        coordinates[first, element],
        coordinates[second, element],
        row[element].astype(np.int64),
        col[element].astype(np.int64),
        bends[pairs],
    )


def block_halves(
    model: Model, elements: Sequence[Element], coordinates: IntArray, bends: ComplexArray
) -> SecondDerivatives:
    """Collect the second derivatives of the blocks of `elements`, each hopping once.

    coordinates: (n_variables, n_elements), as in `coordinate_halves`; bends: (n_variables,
    n_variables, n), blocks flattened one after another.
    """
    if not elements:
        return SecondDerivatives.empty()
    offsets = model.offsets
    i, j = ends_of(elements).T
    size = (offsets[i + 1] - offsets[i]) * (offsets[j + 1] - offsets[j])
    _check_onsites(model.syst, elements, size, bends)
    row, col = block_orbitals(offsets, i, j)
    # Rows below columns within an onsite block are the conjugates of those above.
    upper = np.select([row < col, row == col], [1.0, 0.5])
    weight = np.where(np.repeat(i == j, size), upper, 1.0)
    return coordinate_halves(np.repeat(coordinates, size, axis=1), row, col, weight * bends)


def ends_of(elements: Sequence[Element]) -> IntArray:
    """Return the sites (n_elements, 2) of row and column of each."""
    return np.array([(e.i, e.j) for e in elements], dtype=np.int64).reshape(-1, 2)


def _check_onsites(
    syst: FiniteSystem, elements: Sequence[Element], size: IntArray, bends: ComplexArray
) -> None:
    onsite = [k for k, e in enumerate(elements) if e.i == e.j]
    if onsite:
        flat = bends.reshape(-1, bends.shape[2])
        start = np.cumsum(size) - size
        norb = np.sqrt(size).round().astype(int)
        blocks = [flat[:, start[k] : start[k] + size[k]] for k in onsite]
        shaped = [b.reshape(-1, norb[k], norb[k]) for k, b in zip(onsite, blocks, strict=True)]
        sites = np.array([elements[k].i for k in onsite])
        check_hermitian(syst, sites, shaped, noise=1e-8 * float(np.abs(flat).max()))


def of_difference(bends: NDArray[Any]) -> NDArray[Any]:
    """Return derivatives to both ends, (2 dim, 2 dim, n), of functions of r_1 - r_2 alone."""
    whole = np.concatenate([bends, -bends])
    return np.concatenate([whole, -whole], axis=1)
