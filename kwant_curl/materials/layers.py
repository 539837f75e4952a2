"""What follows from the matrices of a layer and its neighbour: bands, Fermi level, overlap."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh
from scipy.optimize import brentq
from scipy.special import expit

from kwant_curl.materials.arrays import smallest_eigenvalue

__all__ = ["neutral_level", "smallest_overlap"]

OVERLAP_MOMENTA = 17
BAND_MOMENTA = 400
"""How many momenta between 0 and pi stand for all."""

SMEARING = 0.01
"""kT, in eV, of the occupations from which the Fermi level follows."""


def smallest_overlap(overlap: Any, coupling_overlap: Any) -> float:
    """Return the smallest eigenvalue of the overlap of all layers, at a few momenta."""
    within, between = overlap.toarray(), coupling_overlap.toarray()
    momenta = np.linspace(0, np.pi, OVERLAP_MOMENTA)
    return min(smallest_eigenvalue(_bloch(within, between, k)) for k in momenta)


def neutral_level(layer: tuple[Any, Any], coupling: tuple[Any, Any], n_electrons: float) -> float:
    """Return the Fermi level at which a layer holds so many electrons, two in a level.

    layer, coupling: H and S within a layer, and between it and the next one.
    """
    (inside, between), (overlap, overlap_between) = (
        [matrix.toarray() for matrix in pair] for pair in zip(layer, coupling, strict=True)
    )
    if not 0 < n_electrons < 2 * len(inside):
        raise ValueError(
            f"electrons is {n_electrons!r}; expected those of a layer, more than 0 and fewer than "
            f"{2 * len(inside)}, two for each of its orbitals."
        )
    # The midpoints of equal parts of half the zone: k and -k have the same levels.
    momenta = np.pi * (np.arange(BAND_MOMENTA) + 0.5) / BAND_MOMENTA
    levels = np.concatenate(
        [eigvalsh(_bloch(inside, between, k), _bloch(overlap, overlap_between, k)) for k in momenta]
    )

    def excess(level: float) -> float:
        return float(2 * expit((level - levels) / SMEARING).sum() / BAND_MOMENTA - n_electrons)

    return float(brentq(excess, levels.min() - 1, levels.max() + 1, xtol=1e-10))


def _bloch(within: NDArray[Any], between: NDArray[Any], momentum: float) -> NDArray[Any]:
    phased = between * np.exp(1j * momentum)
    return np.asarray(within + phased + phased.conj().T)
