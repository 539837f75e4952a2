"""Whether the overlaps of device and leads are such, where value functions see the energy."""

import numpy as np

from kwant_curl.model.energies import check_lead_overlap, check_overlap, check_positive
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["check_overlaps"]

MOMENTA = 9
"""Momenta at which the overlap of a lead's orbitals is looked at, from -pi to pi."""


def check_overlaps(
    problem: ScatteringProblem, energy: float, name: str, *, is_linear: bool
) -> None:
    """Raise unless the overlaps of device and leads are such.

    energy: that in `params`, under this name; is_linear: whether the Hamiltonian is linear in it.
    """
    overlap = problem.overlap(energy)
    check_overlap(overlap, name)
    if is_linear:
        check_positive(overlap)
    for number in sorted(set(problem.first_alike)):
        cells = problem.leads[number].cells
        line = None if cells is None else cells.line()
        if line is not None:
            check_lead_overlap(number, *line[2:], np.linspace(-np.pi, np.pi, MOMENTA))
