"""What is no lattice: ends that are no cells of their leads, and what isn't stable."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.sparse.linalg import eigsh

from kwant_curl.algebra.definite import is_positive
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.vibrations.lattice.leads import LatticeLead
from kwant_curl.vibrations.lattice.surfaces import attached_real, lowest_square, top_of
from kwant_curl.vibrations.lattice.system import coordinates_of

__all__ = ["check_ends", "check_stable", "dimension"]

FloatArray = NDArray[np.float64]

DENSE = 300
"""Up to so many coordinates all eigenvalues are calculated, where one is negative."""

NEGATIVE = 1e-9
"""Below this part of the largest omega^2 a negative one is rounding."""

CLOSE = 1e-6
"""How far below zero, in units of the top of the bands, the leads are taken in a search for
negative omega^2 of the device; those nearer to zero are not told from zero."""


def dimension(
    n_c: int,
    shape: tuple[int, ...],
    leads: Sequence[LatticeLead],
    positions: ArrayLike | None,
) -> int:
    """Return the coordinates per atom, or raise where leads and device don't agree on them."""
    if not leads or not all(isinstance(lead, LatticeLead) for lead in leads):
        raise ValueError("leads is empty or holds other things; expected one LatticeLead or more.")
    dims = {lead.dim for lead in leads}
    dims |= {shape[1]} if len(shape) == 4 else set()
    dims |= set() if positions is None else {np.shape(positions)[-1]}
    dim = dims.pop()
    if dims or n_c % dim:
        raise ValueError(
            f"The device has {n_c} coordinates, its leads "
            f"{[lead.dim for lead in leads]} per atom"
            + ("" if positions is None else f", and positions shape {np.shape(positions)}")
            + "; expected the same number of coordinates per atom everywhere."
        )
    if positions is not None and np.shape(positions) != (n_c // dim, dim):
        raise ValueError(
            f"positions has shape {np.shape(positions)}; expected {(n_c // dim, dim)}."
        )
    return int(dim)


def check_ends(
    matrix: Any, masses: FloatArray, leads: Sequence[LatticeLead], tolerance: float
) -> None:
    """Raise unless the atoms that leads are attached to are cells of theirs; matrix: sparse."""
    seen: set[int] = set()
    for number, lead in enumerate(leads):
        if lead.atoms is None:
            raise ValueError(
                f"Lead {number} doesn't say which atoms of the device are its cell; give atoms=."
            )
        if lead.atoms.max() >= len(masses):
            raise ValueError(
                f"Lead {number} is attached to atoms {lead.atoms.tolist()}; the device has "
                f"{len(masses)}."
            )
        if seen & set(lead.atoms.tolist()):
            raise ValueError(
                f"Lead {number} is attached to atoms of another lead; expected a cell of its own "
                "for each: take more atoms into the device."
            )
        seen |= set(lead.atoms.tolist())
        own = coordinates_of(lead.atoms, lead.dim)
        apart = np.abs(matrix[own][:, own].toarray() - lead.force_constants)
        relative = float(apart.max() / np.abs(lead.force_constants).max())
        heavier = float(np.abs(masses[lead.atoms] / lead.masses - 1).max())
        if relative > tolerance or heavier > tolerance:
            what = (
                f"force constants between them differ by up to {relative:.3g} of the largest"
                if relative > tolerance
                else f"masses differ by up to {heavier:.3g} of each"
            )
            raise ValueError(
                f"Lead {number} is of another material than the device's end: from its atoms "
                f"{lead.atoms.tolist()} to the cell of the lead {what}, more than "
                f"tolerance={tolerance:.3g}. Expected that the outermost atoms of the device are a "
                "cell of the lead, in its order; take more atoms of the lead into the device. The "
                "own block of an atom at the end must hold the springs to the lead too: it is the "
                "sum of all its springs. sum_rule=True doesn't add those that are missing."
            )


def check_stable(problem: ScatteringProblem, leads: Sequence[LatticeLead]) -> None:
    """Raise for a negative omega^2, of the leads' bands and of the device with its leads."""
    for number, lead in enumerate(problem.leads):
        if lead.cells is None:
            raise TypeError(f"Lead {number} is not made of cells.")
        lowest, momentum = lowest_square(lead.cells)
        if lowest < -NEGATIVE * top_of(lead.cells):
            raise ValueError(
                f"Lead {number} is not stable: its lowest branch has omega^2 = {lowest:.4g} at the "
                f"wave number {momentum:.4g} per cell (the bands reach to "
                f"{top_of(lead.cells):.4g}). Relax its atoms with the method that gives the force "
                "constants, converge these, or impose the acoustic sum rule (sum_rule=True)."
            )
    top = max(top_of(lead.cells) for lead in problem.leads if lead.cells is not None)
    square = -CLOSE * top
    if is_positive(attached_real(problem, square), square):
        return
    lowest, vector = _lowest(problem, square)
    if lowest >= square:
        return
    # Where omega^2 is an eigenvalue of the matrix that it is in, whose eigenvalues fall with it.
    found = brentq(
        lambda x: _lowest(problem, x)[0] - x, lowest - CLOSE * top, square, xtol=1e-12 * top
    )
    square, vector = _lowest(problem, found)
    atom = int(np.abs(vector).argmax()) // leads[0].dim
    raise ValueError(
        f"The device with its leads is not stable: it has a vibration with omega^2 = "
        f"{square:.4g} (the bands of the leads reach to {top:.4g}), in which atom {atom} moves "
        "most. Relax the atoms with the method that gives the force constants, or converge these."
    )


def _lowest(problem: ScatteringProblem, square: float) -> tuple[float, Any]:
    """Return the lowest eigenvalue of D + Pi at a negative omega^2, and its vector."""
    matrix = attached_real(problem, square)
    if matrix.shape[0] <= DENSE:
        values, vectors = np.linalg.eigh(matrix.toarray())
        return float(values[0]), vectors[:, 0]
    # From below all of them: no row's elements add up to more than this.
    below = -1.01 * float(abs(matrix).sum(axis=1).max())
    start = np.random.default_rng(0).normal(size=matrix.shape[0])
    values, vectors = eigsh(matrix, k=1, sigma=below, v0=start)
    return float(values[0]), vectors[:, 0]
