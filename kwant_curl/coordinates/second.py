"""Second derivatives of the Hamiltonian, in all the ways in which it may follow sites that move.

Each pair of coordinates gets a half B of d^2H/dQ_I dQ_J = B + B^+: hoppings in one direction,
the upper triangles of onsite blocks with half of their diagonals.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.bonds import bond_rows
from kwant_curl.coordinates.differentiate import differentiate, hessian, kinked_slope
from kwant_curl.coordinates.elements import Element, element_at, hoppings, onsites
from kwant_curl.coordinates.gradients import (
    block_norbs,
    check_hermitian,
    gradient_block,
    onsite_pairs,
)
from kwant_curl.coordinates.laws import ScalingLaw
from kwant_curl.coordinates.moved import MovedSite, length_scale, moved_values
from kwant_curl.coordinates.scaled import bond_lengths, law_at, log_derivatives
from kwant_curl.stack import SecondDerivatives, places
from kwant_curl.system import arguments, block_orbitals, orbital_offsets

__all__ = [
    "block_halves",
    "coordinate_halves",
    "second_of_hopping_gradient",
    "second_of_moved_sites",
    "second_of_onsite_gradient",
    "second_of_scaled_bonds",
]

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
    syst: Any, elements: Sequence[Element], coordinates: IntArray, bends: ComplexArray
) -> SecondDerivatives:
    """Collect the second derivatives of the blocks of `elements`, each hopping once.

    coordinates: (n_variables, n_elements), as in `coordinate_halves`; bends: (n_variables,
    n_variables, n), blocks flattened one after another.
    """
    if not elements:
        return SecondDerivatives.empty()
    offsets = orbital_offsets(syst)
    i, j = _ends_of(elements).T
    size = (offsets[i + 1] - offsets[i]) * (offsets[j + 1] - offsets[j])
    _check_onsites(syst, elements, size, bends)
    row, col = block_orbitals(offsets, i, j)
    # Rows below columns within an onsite block are the conjugates of those above.
    upper = np.select([row < col, row == col], [1.0, 0.5])
    weight = np.where(np.repeat(i == j, size), upper, 1.0)
    return coordinate_halves(np.repeat(coordinates, size, axis=1), row, col, weight * bends)


def _ends_of(elements: Sequence[Element]) -> IntArray:
    return np.array([(e.i, e.j) for e in elements], dtype=np.int64).reshape(-1, 2)


def _check_onsites(
    syst: Any, elements: Sequence[Element], size: IntArray, bends: ComplexArray
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


def _of_difference(bends: NDArray[Any]) -> NDArray[Any]:
    """Return derivatives to both ends, (2 dim, 2 dim, n), of functions of r_1 - r_2 alone."""
    whole = np.concatenate([bends, -bends])
    return np.concatenate([whole, -whole], axis=1)


def _coordinates_of(index: IntArray, dim: int) -> IntArray:
    """Return the coordinates (dim, n) of sites that move at these places, negative for others."""
    return np.where(index >= 0, dim * index + np.arange(dim)[:, None], -1)


def second_of_scaled_bonds(
    syst: Any,
    moving: IntArray,
    positions: FloatArray,
    scaling: ScalingLaw | Mapping[Any, ScalingLaw],
    rows: Any,
) -> SecondDerivatives:
    """Return those of hoppings that scale with the length d of their bond, v = r_1 - r_2.

    d^2t/dv_a dv_b = t'' v_a v_b/d^2 + t' (delta_ab - v_a v_b/d^2)/d, and with L = d ln t/dd
    t' = L t, t'' = (L^2 + dL/dd) t.

    rows: the Hamiltonian's at the orbitals of the moving sites, from `hamiltonian_rows`.
    """
    bonds = bond_rows(syst, moving, positions, rows)
    distance = bond_lengths(syst, bonds)
    index = places(moving, len(positions))
    dim = positions.shape[1]
    # A bond of two sites that move is in the rows of both, and counts once.
    once = np.flatnonzero((index[bonds.there] < 0) | (bonds.here < bonds.there))
    here, there, distance = bonds.here[once], bonds.there[once], distance[once]
    slope = log_derivatives(syst, here, there, distance, scaling)
    change = _change_of_law(syst, here, there, distance, scaling)
    unit = bonds.vector[:, once] / distance
    along = unit[:, None] * unit
    across = np.eye(dim)[:, :, None] - along
    bends = bonds.value[once] * ((slope**2 + change) * along + slope / distance * across)
    coordinates = np.concatenate([_coordinates_of(index[end], dim) for end in (here, there)])
    row = np.repeat(bonds.hubs, np.diff(bonds.indptr))[once]
    return coordinate_halves(coordinates, row, bonds.cols[once], _of_difference(bends))


def _change_of_law(
    syst: Any,
    here: IntArray,
    there: IntArray,
    distance: FloatArray,
    scaling: ScalingLaw | Mapping[Any, ScalingLaw],
) -> FloatArray:
    """Return dL/dd of each bond, L = d ln t/dd, by differences over small parts of its length."""

    def values(stretch: float) -> ComplexArray:
        lengths = distance * stretch
        return (distance * log_derivatives(syst, here, there, lengths, scaling)).astype(complex)

    change, converged = differentiate(values, 1.0, (1.0,))
    bad = ~converged | kinked_slope(values, 1.0, 1.0)
    if bad.any():
        worst = int(np.flatnonzero(bad)[0])
        law = law_at(syst, here[worst], there[worst], scaling)
        raise ValueError(
            f"Finite differences of log_derivative of {law!r} at the bond length "
            f"{distance[worst]:.6g} don't converge, so there is no second derivative of the "
            "hopping; expected a law that is smooth there. If it has a cutoff, put it between "
            "bond lengths that occur."
        )
    return np.asarray(change.real / distance**2)


def second_of_hopping_gradient(
    syst: Any,
    moving: IntArray,
    positions: FloatArray,
    gradient: Callable[..., Any],
    params: Mapping[str, Any] | None,
) -> SecondDerivatives:
    """Return those of hoppings that depend on r_1 - r_2, from gradient(site1, site2) = dH_12/dr_1.

    The gradient is differentiated with site1 displaced.
    """
    index = places(moving, len(positions))
    bonds = hoppings(syst, index >= 0)
    pairs = _ends_of(bonds)
    blocks = [(int(i), int(j)) for i, j in pairs]
    bends = _gradient_slopes(syst, moving, positions, gradient, params, pairs, blocks, (0,))
    dim = positions.shape[1]
    coordinates = np.concatenate([_coordinates_of(index[end], dim) for end in pairs.T])
    # Second derivatives are the same in either order of directions; errors average out.
    return block_halves(syst, bonds, coordinates, _of_difference(_symmetric(bends)))


def second_of_onsite_gradient(
    syst: Any,
    moving: IntArray,
    positions: FloatArray,
    gradient: Callable[..., Any],
    params: Mapping[str, Any] | None,
) -> SecondDerivatives:
    """Return those of onsite terms, from gradient(site i, other) = dH_ii/dr_other.

    The terms are taken as sums over pairs (i, other): second derivatives are those to `other`,
    to `other` and i, and, from gradient(i, i), to i.
    """
    index = places(moving, len(positions))
    dim = positions.shape[1]
    pairs = np.array(onsite_pairs(syst, moving), dtype=np.int64)
    site, other = pairs.T
    result = SecondDerivatives.empty()
    for chosen, both_move in (
        (site == other, False),
        ((site != other) & (index[site] < 0), False),
        ((site != other) & (index[site] >= 0), True),
    ):
        some = pairs[chosen]
        blocks = [(int(i), int(i)) for i in some[:, 0]]

        def slopes(
            *ends: int, some: IntArray = some, blocks: list[tuple[int, int]] = blocks
        ) -> ComplexArray:
            return _gradient_slopes(syst, moving, positions, gradient, params, some, blocks, ends)

        own = _symmetric(slopes(0, 1) if np.array_equal(*some.T) else slopes(1))
        coordinates = [_coordinates_of(index[some[:, 1]], dim)]
        if both_move:
            mixed = slopes(0)
            none = np.zeros_like(own)
            own = np.concatenate([np.hstack([own, mixed]), np.hstack([mixed.swapaxes(0, 1), none])])
            coordinates.append(_coordinates_of(index[some[:, 0]], dim))
        elements = [Element(i, i, gradient, ()) for i, _ in blocks]
        result = result.joined(block_halves(syst, elements, np.concatenate(coordinates), own))
    return result


def _symmetric(bends: ComplexArray) -> ComplexArray:
    return np.asarray(0.5 * (bends + bends.swapaxes(0, 1)))


def _gradient_slopes(
    syst: Any,
    moving: IntArray,
    positions: FloatArray,
    gradient: Callable[..., Any],
    params: Mapping[str, Any] | None,
    pairs: IntArray,
    blocks: Sequence[tuple[int, int]],
    ends: tuple[int, ...],
) -> ComplexArray:
    """Return d gradient_a/dr_b, (dim, dim, n), r that of these `ends` of each pair together.

    blocks: the sites of row and column of what the gradient returns for each pair.
    """
    dim = positions.shape[1]
    keywords = arguments(gradient, 2, params)
    norbs = [block_norbs(orbital_offsets(syst), i, j) for i, j in blocks]

    def values(shift: FloatArray) -> ComplexArray:
        found = [np.empty((dim, 0), complex)]
        for pair, shape in zip(pairs, norbs, strict=True):
            sites = [syst.sites[k] for k in pair]
            for end in ends:
                sites[end] = MovedSite(sites[end], shift)
            block = gradient_block(gradient, sites[0], sites[1], keywords, dim, shape)
            found.append(block.reshape(dim, -1))
        return np.concatenate(found, axis=1)

    scale = length_scale(syst, moving, positions)
    columns = []
    for direction in np.eye(dim):

        def along(x: float, direction: FloatArray = direction) -> ComplexArray:
            return values(x * direction).ravel()

        slope, converged = differentiate(along, 0.0, (scale,))
        bad = ~converged | kinked_slope(along, 0.0, scale)
        if bad.any():
            first = np.flatnonzero(bad.reshape(dim, -1).any(axis=0))[0]
            sizes = np.cumsum([rows * cols for rows, cols in norbs])
            culprit = pairs[np.searchsorted(sizes, first, side="right")]
            raise ValueError(_diverging(syst, gradient, culprit))
        columns.append(slope.reshape(dim, -1))
    return np.stack(columns, axis=1)


def _diverging(syst: Any, gradient: Callable[..., Any], pair: IntArray) -> str:
    name = getattr(gradient, "__name__", repr(gradient))
    sites = ", ".join(str(syst.sites[k]) for k in pair)
    return (
        f"Finite differences of the gradient {name}({sites}) with respect to the position of a "
        "site don't converge, so there is no second derivative of the Hamiltonian. Is it smooth "
        "there? If not, leave the site out of `where`."
    )


def second_of_moved_sites(
    syst: Any, moving: IntArray, positions: FloatArray, params: Mapping[str, Any] | None
) -> SecondDerivatives:
    """Return those of the onsite terms and hoppings whose functions see `site.pos`."""
    index = places(moving, len(positions))
    moves = index >= 0
    on_sites = [e for e in onsites(syst, moving) if e.names is not None]
    bonds = [e for e in hoppings(syst, moves) if e.names is not None]
    scale = length_scale(syst, moving, positions)
    dim = positions.shape[1]
    result = SecondDerivatives.empty()
    for elements, ends in (
        (on_sites, (0,)),
        ([e for e in bonds if moves[e.i] and not moves[e.j]], (0,)),
        ([e for e in bonds if moves[e.j] and not moves[e.i]], (1,)),
        ([e for e in bonds if moves[e.i] and moves[e.j]], (0, 1)),
    ):
        bends = _moved_bends(syst, elements, ends, scale, dim, params)
        sites = _ends_of(elements).T
        coordinates = [_coordinates_of(index[sites[end]], dim) for end in ends]
        result = result.joined(block_halves(syst, elements, np.concatenate(coordinates), bends))
    return result


def _moved_bends(
    syst: Any,
    elements: Sequence[Element],
    ends: tuple[int, ...],
    scale: float,
    dim: int,
    params: Mapping[str, Any] | None,
) -> ComplexArray:
    """Return second derivatives of these elements to the positions of these ends."""

    def values(x: FloatArray) -> ComplexArray:
        shifts = dict(zip(ends, x.reshape(-1, dim), strict=True))
        return moved_values(syst, elements, shifts, params)

    n_variables = len(ends) * dim
    bends, converged = hessian(values, np.zeros(n_variables), [(scale,)] * n_variables)
    if not converged.all():
        culprit = element_at(syst, elements, int(np.argwhere(~converged)[0, 2]))
        raise ValueError(
            f"Second differences of {culprit} with respect to the positions of its sites don't "
            "converge. Is it smooth there? If not, leave the site out of `where`; if so, say how "
            "the Hamiltonian follows with hopping_gradient=... and onsite_gradient=... instead."
        )
    return bends
