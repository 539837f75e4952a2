"""Occupations at two energies that are a quantum apart: by what emission and absorption count."""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import fermi
from kwant_curl.algebra.segments import Weighting

__all__ = ["exchange_weighting", "steps"]

FloatArray = NDArray[np.float64]


def steps(levels: FloatArray, quantum: float) -> FloatArray:
    """Return the lower energies E at which occupations of E and of E + quantum change."""
    return np.concatenate([levels, levels - quantum])


def exchange_weighting(levels: FloatArray, quantum: float, temperature: float) -> Weighting:
    """Return f_alpha(E + quantum) (1 - f_beta(E)), and the same the other way, (n, n, n_E) each.

    levels: the chemical potentials of what comes in, (n,).
    """
    kt = temperature

    def of(energies: FloatArray) -> tuple[FloatArray, FloatArray]:
        above = fermi(energies + quantum, levels[:, None], kt)[:, None]
        below = fermi(energies, levels[:, None], kt)
        if not kt:
            return above * (1 - below), below * (1 - above)
        empty_above = fermi(-energies - quantum, -levels[:, None], kt)[:, None]
        empty_below = fermi(-energies, -levels[:, None], kt)
        return above * empty_below, below * empty_above

    every = np.unique(steps(levels, quantum))
    if kt:
        return Weighting(of, np.asarray(every + 1j * np.pi * kt, dtype=complex), np.empty(0))
    return Weighting(of, np.empty(0, complex), every)
