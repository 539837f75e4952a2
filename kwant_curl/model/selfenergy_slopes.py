"""How the leads' self-energies change with energy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.differentiate import differentiate
from kwant_curl.algebra.stein import stein
from kwant_curl.model.leads import Cells, Lead
from kwant_curl.model.scattering import ScatteringProblem, Solved

__all__ = [
    "check_energy_dependence",
    "self_energy_slope",
    "slope_by_differences",
    "slope_of_cells",
    "stein_slope",
    "summed_slopes",
]

ComplexArray = NDArray[np.complex128]

SINGULAR = 1e-4
"""Closer than this to singular, the equation for dSigma/dE may have lost half its digits."""

NEARBY = 1e-3
"""Distance of energies nearby, in units of Sigma: the bands' width."""

SMOOTH = 1e-5
"""By how much two interpolations may differ, relatively; their order is four."""

RTOL = 1e-8
"""Error that is asked for: self-energies have rounding errors of their modes."""


def check_energy_dependence(problem: ScatteringProblem, what: str) -> None:
    """Raise if the self-energy of a lead is known at one energy only; `what` needs others."""
    for number, lead in enumerate(problem.leads):
        if lead.is_precalculated:
            raise ValueError(
                f"Lead {number} is precalculated at one energy, but {what} needs to know how its "
                "self-energy changes with energy; use the system as it was before precalculate()."
            )


def self_energy_slope(problem: ScatteringProblem, solved: Solved) -> Any:
    """Return the sum of dSigma^r_alpha/dE over all leads, sparse (n_orbitals, n_orbitals).

    solved: the leads at the energy in question.

    Raises
    ------
    ValueError
        At band edges, where a self-energy has no derivative.
    """
    return summed_slopes(
        problem,
        problem.of_each_lead(lambda number: _slope(problem.leads[number], number, solved)),
    )


def summed_slopes(problem: ScatteringProblem, slopes: Sequence[ComplexArray]) -> Any:
    """Return the sum of what each lead's slope is, (n_interface, n_interface), where it is."""
    n = problem.n_orbitals
    total = sparse.csr_array((n, n), dtype=complex)
    for lead, slope in zip(problem.leads, slopes, strict=True):
        row, col = (i.ravel() for i in np.meshgrid(lead.orbitals, lead.orbitals, indexing="ij"))
        total += sparse.csr_array((slope.ravel(), (row, col)), shape=(n, n))
    return total


def _slope(lead: Lead, number: int, solved: Solved) -> ComplexArray:
    modes = solved.modes[number]
    if lead.cells is not None and modes is not None:
        slope = slope_of_cells(lead.cells, modes[1].selfenergy(), solved.energy)
    else:
        slope = slope_by_differences(lead, number, solved.energy)
    if not np.isfinite(slope).all():
        raise ValueError(
            f"The self-energy of lead {number} has no derivative with respect to energy at "
            f"{solved.energy}, a band edge. Take an energy, or a window, that is off it."
        )
    return slope


def slope_of_cells(lead: Cells, sigma: ComplexArray, energy: float) -> ComplexArray:
    """Return dSigma/dE of a lead that is made of equal cells, from its Sigma.

    Sigma = V^+ g V with g = 1/(E - h - Sigma), h the cell's Hamiltonian and V the hopping to the
    next cell.  So Sigma' = -V^+ g (1 - Sigma') g V; where cells depend on energy themselves, E - h
    has another derivative than 1, and V one too.  Not finite where there is no derivative.

    That equation is singular at band edges, and also where the bands of a cell that is made of
    several smaller ones cross at its zone's boundary.  There Sigma' itself is smooth, and is taken
    from energies nearby.
    """
    slope, regularity = stein_slope(lead, sigma, energy)
    if regularity > SINGULAR:
        return slope
    step = NEARBY * (float(np.abs(sigma).max(initial=0.0)) or 1.0)
    wide, narrow = (_from_nearby(lead, energy, d) for d in (step, 0.5 * step))
    if np.abs(wide - narrow).max() <= SMOOTH * np.abs(narrow).max():
        return narrow
    return slope  # a band edge, where it diverges


def stein_slope(lead: Cells, sigma: ComplexArray, energy: complex) -> tuple[ComplexArray, float]:
    """Return the solution of the equation for Sigma', and how far from singular it is."""
    inverse, hopping, back, changes = lead.equations(energy)
    count = hopping.shape[1]  # the interface: the first orbitals of a cell
    inverse = inverse.copy()
    inverse[:count, :count] -= sigma
    try:
        forwards = np.linalg.solve(inverse, hopping)
        backwards = np.linalg.solve(inverse.T, back.T).T
    except np.linalg.LinAlgError:  # a state that is bound to the lead's end
        return np.full_like(sigma, np.nan, dtype=complex), 0.0
    known = -backwards @ changes[0] @ forwards + changes[2] @ forwards + backwards @ changes[1]
    left, right = (part.astype(complex) for part in (backwards[:, :count], forwards[:count]))
    return stein(left, right, known)


def _from_nearby(lead: Cells, energy: float, step: float) -> ComplexArray:
    """Interpolate dSigma/dE from energies around, to fourth order in the step."""

    def slope(e: float) -> ComplexArray:
        return stein_slope(lead, lead.selfenergy(e), e)[0]

    near, far = (slope(energy - d) + slope(energy + d) for d in (step, 2 * step))
    result: ComplexArray = (4 * near - far) / 6
    return result


def slope_by_differences(lead: Lead, number: int, energy: float) -> ComplexArray:
    """Return dSigma/dE of a lead of which nothing else is known."""

    def values(x: float) -> ComplexArray:
        return np.ravel(lead.selfenergy(x))

    here = values(energy)
    size = float(np.abs(here).max(initial=0.0)) or 1.0
    slope, converged = differentiate(values, energy, (size, 0.1 * size), RTOL)
    if not converged.all():
        raise ValueError(
            f"The self-energy of lead {number} can't be differentiated with respect to energy at "
            f"{energy}: finite differences don't converge. Is that a band edge? Take an "
            "energy, or a window, that is off it."
        )
    count = round(np.sqrt(here.size))
    return slope.reshape(count, count)
