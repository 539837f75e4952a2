"""Self-energies of a lattice's leads at any frequency on or above the real axis."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.algebra.bloch import BlochCells
from kwant_curl.algebra.decimation import decimated
from kwant_curl.algebra.rows_of_cells import self_energies
from kwant_curl.model.bands import band_edges
from kwant_curl.model.leads import Cells
from kwant_curl.model.off_axis import self_energy_above
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import stein_slope

__all__ = [
    "attached_real",
    "band_frequencies",
    "frequencies_of",
    "lead_selfenergies",
    "lead_selfenergies_above",
    "lowest_square",
    "top_of",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

STATIC = 0.2, 0.01, 10
"""omega = 0 is extrapolated to from these roots of |omega|, on the imaginary axis, largest, least
and how many, in units of the root of the lowest band edge: powers of the root, since bending has
omega ~ q^2."""

MISSED = 1e-10
"""By how much a self-energy that is calculated with others may miss its equation, relatively."""

MOMENTA = 64
"""Momenta at which the bands are looked at for negative omega^2."""


def frequencies_of(omega: ArrayLike) -> ComplexArray:
    """Return frequencies as complex numbers, or raise for those below the real axis."""
    given = np.asarray(omega)
    if given.dtype.kind not in "fiuc" or not np.isfinite(given).all():
        raise ValueError(f"omega is {omega!r}; expected finite frequencies, real or complex.")
    result = given.astype(complex)
    if (result.imag < 0).any():
        raise ValueError(
            f"omega is {omega!r}; expected frequencies on or above the real axis. Below it, the "
            "self-energy is continued by the rational functions of PhononLeads."
        )
    return result


def lead_selfenergies(
    problem: ScatteringProblem, omega: complex, which: Iterable[int] | None = None
) -> dict[int, ComplexArray]:
    """Return the retarded self-energy of leads on their interface orbitals; default of all.

    Pi(-omega^*) = Pi(omega)^*, so that it is asked for at omega^2 on or above the real axis alone.
    """
    if omega.real < 0:
        mirrored = lead_selfenergies(problem, complex(-omega.conjugate()), which)
        return {number: sigma.conj() for number, sigma in mirrored.items()}
    found: dict[int, ComplexArray] = {}
    result = {}
    for number in range(len(problem.leads)) if which is None else which:
        first = problem.first_alike[number]
        if first not in found:
            found[first] = _selfenergy(problem, number, omega)
        result[number] = found[first]
    return result


def lead_selfenergies_above(
    problem: ScatteringProblem, omegas: ComplexArray, which: Iterable[int]
) -> dict[int, tuple[ComplexArray, ComplexArray]]:
    """Return Pi of leads above the real axis, and dPi/d(omega^2), (n_omegas, n, n) each."""
    found: dict[int, tuple[ComplexArray, ComplexArray]] = {}
    result = {}
    for number in which:
        first = problem.first_alike[number]
        if first not in found:
            found[first] = _all_above(problem, number, omegas**2)
        result[number] = found[first]
    return result


def _all_above(
    problem: ScatteringProblem, number: int, squares: ComplexArray
) -> tuple[ComplexArray, ComplexArray]:
    cells = problem.leads[number].cells
    if cells is None:
        raise TypeError(f"Lead {number} is not made of cells.")
    inverse, hopping, *_ = cells.equations(0.0)
    values, slopes, missed = self_energies(-inverse.real, hopping.real, squares)
    for each in np.flatnonzero(~(missed <= MISSED)):
        square = complex(squares[each])
        values[each] = self_energy_above(cells, square, number)
        slopes[each] = stein_slope(cells, values[each], square)[0]
    return values, slopes


def _selfenergy(problem: ScatteringProblem, number: int, omega: complex) -> ComplexArray:
    lead = problem.leads[number]
    if lead.cells is None:
        raise TypeError(f"Lead {number} is not made of cells.")
    top = top_of(lead.cells)
    square = omega * omega
    if square == 0:
        return _at_rest(lead.cells, float(band_frequencies(problem).min()))
    if square.imag or square.real < 0 or square.real > top:
        return self_energy_above(lead.cells, square, number)
    try:
        return lead.selfenergy(square.real)
    except (ValueError, RuntimeError, np.linalg.LinAlgError) as failure:
        raise ValueError(
            f"Kwant can't tell the modes of lead {number} apart at omega = {omega.real:.10g}: most "
            "likely a branch begins or ends there. Take another frequency, or one above the real "
            "axis."
        ) from failure


def _at_rest(cells: Cells, lowest: float) -> ComplexArray:
    """Return Pi(0): a value at a small omega would hold a free lattice by a spring ~ omega."""
    high, low, n = STATIC
    nodes = (high + low) / 2 + (high - low) / 2 * np.cos((np.arange(n) + 0.5) * np.pi / n)
    squares = -((lowest * nodes**2) ** 2)
    values = np.array([decimated(*cells.equations(complex(x))[:3]) for x in squares])
    apart = nodes - nodes[:, None]
    np.fill_diagonal(apart, nodes)
    result: ComplexArray = np.tensordot(np.prod(nodes / apart, axis=1), values, 1)
    return result


def top_of(cells: Cells) -> float:
    """Return an omega^2 above all bands of a lead."""
    cell, hopping = cells.cell_hamiltonian(), cells.inter_cell_hopping()
    return float(np.linalg.norm(cell, 2) + 2 * np.linalg.norm(hopping, 2))


def band_frequencies(problem: ScatteringProblem) -> FloatArray:
    """Return the frequencies at which branches of the leads begin and end, ascending; not zero."""
    top = max(top_of(cells) for cells in problem.distinct_cells())
    squares = band_edges(problem, -1e-3 * top, 1.01 * top)
    result: FloatArray = np.sqrt(squares[squares > 1e-9 * top])
    return result


def lowest_square(cells: Cells) -> tuple[float, float]:
    """Return the lowest omega^2 of a lead's bands, and the momentum where it is."""
    cell, hopping = cells.cell_hamiltonian(), cells.inter_cell_hopping()
    square = np.zeros_like(cell)
    square[:, : hopping.shape[1]] = hopping
    momenta = np.linspace(0, np.pi, MOMENTA // 2 + 1)  # real: omega(-k) = omega(k)
    energies = BlochCells.of(cell, square).energies(momenta, single=False)
    place, _ = np.unravel_index(energies.argmin(), energies.shape)
    return float(energies.min()), float(momenta[place])


def attached_real(problem: ScatteringProblem, square: float) -> Any:
    """Return D + Pi at a negative omega^2, where it is real, sparse (n_orbitals, n_orbitals)."""
    total: Any = problem.hamiltonian.real
    for number, sigma in lead_selfenergies(problem, 1j * np.sqrt(-square)).items():
        orbitals = problem.leads[number].orbitals
        where = np.repeat(orbitals, len(sigma)), np.tile(orbitals, len(sigma))
        total = total + sparse.csr_array((sigma.real.ravel(), where), shape=total.shape)
    return sparse.csc_array((total + total.T) / 2)
