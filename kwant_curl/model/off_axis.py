"""The linear system above the real axis, where nothing comes in and self-energies are smooth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.decimation import decimated
from kwant_curl.algebra.stein import stein
from kwant_curl.model.leads import CellEquations, Cells
from kwant_curl.model.linear import Equations, equations, with_self_energy
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import stein_slope, summed_slopes

__all__ = ["check_cells", "equations_above", "self_energy_above"]

ComplexArray = NDArray[np.complex128]

FIXED = 1e-12
"""By how much Sigma may miss its own equation, relatively."""

CLOSE = 1e-10
"""What decimation misses where a few cells by themselves have a level at the energy."""

HIGHER = 0.03
"""Distance from the axis, in units of the hopping, from where such a Sigma is followed down."""

STEPS = 30
"""Steps of Newton's method, which doubles the digits with each: ample."""


def are_cells(problem: ScatteringProblem) -> bool:
    """Return whether all leads are made of cells, whose self-energies are known off the axis."""
    return all(lead.cells is not None and lead.source is lead.cells for lead in problem.leads) and (
        problem.varying is None or problem.varying.is_linear
    )


def check_cells(problem: ScatteringProblem, what: str) -> None:
    """Raise for leads, or a Hamiltonian, that are not known at complex energies."""
    if problem.varying is not None and not problem.varying.is_linear:
        raise ValueError(
            f"The Hamiltonian is not linear in energy, so it isn't known at complex energies, "
            f"where {what} is found; expected value functions that return H - E S."
        )
    for number, lead in enumerate(problem.leads):
        if lead.cells is None or lead.source is not lead.cells:
            raise ValueError(
                f"Lead {number} is a {lead.kind} with modes or a self-energy of its own, so that "
                f"its self-energy isn't known at complex energies, where {what} is found; expected "
                "leads that are made with a Builder."
            )


def equations_above(problem: ScatteringProblem, energy: complex) -> tuple[Equations, Any]:
    """Return the linear system at an energy above the real axis, and how E - H - Sigma changes.

    Its leads are made of cells (`check_cells`).  The change is sparse (n_orbitals, n_orbitals).
    """

    def found(number: int) -> tuple[ComplexArray, ComplexArray]:
        cells = problem.leads[number].cells
        if cells is None:
            raise TypeError(f"Lead {number} is not made of cells; check_cells() comes first.")
        sigma = self_energy_above(cells, energy, number)
        return sigma, stein_slope(cells, sigma, energy)[0]

    sigmas, slopes = zip(*problem.of_each_lead(found), strict=True)
    parts = [
        with_self_energy(sigma, [np.empty((len(sigma), 0), complex)], lead.orbitals)
        for sigma, lead in zip(sigmas, problem.leads, strict=True)
    ]
    whole = equations(problem.shifted(energy), problem.n_orbitals, parts)
    return whole, problem.overlap(energy) - summed_slopes(problem, slopes)


def self_energy_above(cells: Cells, energy: complex, number: int = 0) -> ComplexArray:
    """Return Sigma of a lead of equal cells at an energy above the real axis."""
    there = cells.equations(energy)
    sigma = decimated(*there[:3])
    if not _is_small(_newton_step(there, sigma), sigma, CLOSE):
        higher = 1j * HIGHER * np.abs(there.hopping).max(initial=0.0)
        sigma = decimated(*cells.equations(energy + higher)[:3])
    for _ in range(STEPS):
        step = _newton_step(there, sigma)
        sigma = sigma + step
        if _is_small(step, sigma, FIXED):
            return sigma
    raise ValueError(
        f"The self-energy of lead {number} was not found at the complex energy {energy:.6g}: "
        "Newton's method does not converge. Is the Fermi level at an edge of its bands? Take "
        "another energy."
    )


def _newton_step(there: CellEquations, sigma: ComplexArray) -> ComplexArray:
    """Return what Newton's method adds to Sigma for Sigma = V^+ g V, g = 1/(E - h - Sigma)."""
    n = len(sigma)
    inverse = there.inverse.copy()
    inverse[:n, :n] -= sigma
    forwards = np.linalg.solve(inverse, there.hopping)
    backwards = np.linalg.solve(inverse.T, there.back.T).T
    missing = there.back @ forwards - sigma
    left, right = (part.astype(complex) for part in (backwards[:, :n], forwards[:n]))
    return stein(left, right, missing)[0]


def _is_small(step: ComplexArray, sigma: ComplexArray, limit: float) -> bool:
    return bool(np.abs(step).max(initial=0.0) <= limit * np.abs(sigma).max(initial=0.0))
