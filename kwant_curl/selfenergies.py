"""How the leads' self-energies change with energy."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import kwant
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import schur, solve_triangular

from kwant_curl.coordinates.differentiate import differentiate
from kwant_curl.system import interface_orbitals, number_of_orbitals

__all__ = [
    "check_energy_dependence",
    "self_energy_slope",
    "slope_by_differences",
    "slope_of_cells",
    "stein",
    "with_solved_leads",
]

SINGULAR = 1e-4
"""Closer than this to singular, the equation for dSigma/dE may have lost half its digits."""

NEARBY = 1e-3
"""Distance of energies nearby, in units of Sigma: the bands' width."""

SMOOTH = 1e-5
"""By how much two interpolations may differ, relatively; their order is four."""

RTOL = 1e-8
"""Error that is asked for: self-energies have rounding errors of their modes."""


def check_energy_dependence(syst: Any) -> None:
    """Raise if the self-energy of a lead is known at one energy only."""
    for number, lead in enumerate(syst.leads):
        if isinstance(lead, kwant.system.PrecalculatedLead):
            raise ValueError(
                f"Lead {number} is precalculated at one energy, but the velocity tensor needs to "
                "know how its self-energy changes with energy; use the system as it was before "
                "precalculate()."
            )


def with_solved_leads(syst: Any, energy: float, params: Mapping[str, Any] | None) -> Any:
    """Return the system with the modes of its leads calculated, once for all that needs them."""
    result = copy(syst)
    result.leads = tuple(
        _solved(lead, energy, params) if isinstance(lead, kwant.system.InfiniteSystem) else lead
        for lead in syst.leads
    )
    return result


def _solved(lead: Any, energy: float, params: Mapping[str, Any] | None) -> Any:
    modes = lead.modes(energy, params=params)
    return kwant.system.PrecalculatedLead(modes, modes[1].selfenergy())


def self_energy_slope(
    syst: Any, solved: Any, energy: float, params: Mapping[str, Any] | None
) -> Any:
    """Return the sum of dSigma^r_alpha/dE over all leads, sparse (n_orbitals, n_orbitals).

    solved: the same system `with_solved_leads` at this energy.

    Raises
    ------
    ValueError
        At band edges, where a self-energy has no derivative.
    """
    n = number_of_orbitals(syst)
    total = sparse.csr_array((n, n), dtype=complex)
    for number, lead in enumerate(syst.leads):
        if isinstance(lead, kwant.system.InfiniteSystem):
            slope = slope_of_cells(lead, solved.leads[number].selfenergy(energy), energy, params)
        else:
            slope = slope_by_differences(lead, number, energy, params)
        if not np.isfinite(slope).all():
            raise ValueError(
                f"The self-energy of lead {number} has no derivative with respect to energy at "
                f"{energy}, a band edge; take another energy, or a temperature."
            )
        orbitals = interface_orbitals(syst, number)
        row, col = (index.ravel() for index in np.meshgrid(orbitals, orbitals, indexing="ij"))
        total += sparse.csr_array((slope.ravel(), (row, col)), shape=(n, n))
    return total


def slope_of_cells(
    lead: Any,
    sigma: NDArray[np.complex128],
    energy: float,
    params: Mapping[str, Any] | None,
) -> NDArray[np.complex128]:
    """Return dSigma/dE of a lead that is made of equal cells, from its Sigma.

    Sigma = V^+ g V with g = 1/(E - h - Sigma), h the cell's Hamiltonian and V the hopping to the
    next cell.  So Sigma' = -V^+ g (1 - Sigma') g V.  Not finite where there is no derivative.

    That equation is singular at band edges, and also where the bands of a cell that is made of
    several smaller ones cross at its zone's boundary.  There Sigma' itself is smooth, and is taken
    from energies nearby.
    """
    slope, regularity = _stein_slope(lead, sigma, energy, params)
    if regularity > SINGULAR:
        return slope
    step = NEARBY * (float(np.abs(sigma).max(initial=0.0)) or 1.0)
    wide, narrow = (_from_nearby(lead, energy, d, params) for d in (step, 0.5 * step))
    if np.abs(wide - narrow).max() <= SMOOTH * np.abs(narrow).max():
        return narrow
    return slope  # a band edge, where it diverges


def _stein_slope(
    lead: Any,
    sigma: NDArray[np.complex128],
    energy: float,
    params: Mapping[str, Any] | None,
) -> tuple[NDArray[np.complex128], float]:
    """Return the solution of the equation for Sigma', and how far from singular it is."""
    cell = lead.cell_hamiltonian(params=params)
    hopping = lead.inter_cell_hopping(params=params)
    count = hopping.shape[1]  # the interface: the first orbitals of a cell
    inverse = energy * np.eye(len(cell)) - cell
    inverse[:count, :count] = inverse[:count, :count] - sigma
    try:
        forwards = np.linalg.solve(inverse, hopping)
        backwards = np.linalg.solve(inverse.T, hopping.conj()).T
    except np.linalg.LinAlgError:  # a state that is bound to the lead's end
        return np.full_like(sigma, np.nan, dtype=complex), 0.0
    return stein(backwards[:, :count], forwards[:count], -backwards @ forwards)


def _from_nearby(
    lead: Any, energy: float, step: float, params: Mapping[str, Any] | None
) -> NDArray[np.complex128]:
    """Interpolate dSigma/dE from energies around, to fourth order in the step."""

    def slope(e: float) -> NDArray[np.complex128]:
        return _stein_slope(lead, lead.selfenergy(e, params=params), e, params)[0]

    near, far = (slope(energy - d) + slope(energy + d) for d in (step, 2 * step))
    result: NDArray[np.complex128] = (4 * near - far) / 6
    return result


def stein(
    left: NDArray[np.complex128], right: NDArray[np.complex128], rhs: NDArray[np.complex128]
) -> tuple[NDArray[np.complex128], float]:
    """Return X of X = left X right + rhs, not finite where it has none, and min |1 - l r|.

    l and r are the eigenvalues of left and right.  In the Schur bases of both, where X follows
    column by column.
    """
    upper, left_basis = schur(left, output="complex")
    other, right_basis = schur(right, output="complex")
    regularity = float(np.abs(1 - np.outer(np.diag(upper), np.diag(other))).min(initial=1.0))
    known = left_basis.conj().T @ rhs @ right_basis
    if regularity == 0:
        return np.full_like(known, np.nan), 0.0
    result = np.zeros_like(known)
    one = np.eye(len(left))
    for j in range(len(other)):
        column = known[:, j] + upper @ (result[:, :j] @ other[:j, j])
        result[:, j] = solve_triangular(one - other[j, j] * upper, column)
    return left_basis @ result @ right_basis.conj().T, regularity


def slope_by_differences(
    lead: Any, number: int, energy: float, params: Mapping[str, Any] | None
) -> NDArray[np.complex128]:
    """Return dSigma/dE of a lead of which nothing else is known."""

    def values(x: float) -> NDArray[np.complex128]:
        return np.ravel(np.asarray(lead.selfenergy(x, params=params), dtype=complex))

    here = values(energy)
    size = float(np.abs(here).max(initial=0.0)) or 1.0
    slope, converged = differentiate(values, energy, (size, 0.1 * size), RTOL)
    if not converged.all():
        raise ValueError(
            f"The self-energy of lead {number} can't be differentiated with respect to energy at "
            f"{energy}: finite differences don't converge. Is that a band edge? Take another "
            "energy, or a temperature."
        )
    count = round(np.sqrt(here.size))
    return slope.reshape(count, count)
