"""The self-energy of a half-infinite row of equal cells, off the real axis."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["decimated"]

ComplexArray = NDArray[np.complex128]

DOUBLINGS = 60
"""After these an imaginary part of the energy of 1e-18 of the bands' width has been felt."""


def decimated(cell: ComplexArray, hopping: ComplexArray, energy: complex) -> ComplexArray:
    """Return Sigma = V^+ g V of a row of cells, with g that of its end, (n, n).

    Parameters
    ----------
    cell : array (n_cell, n_cell)
    hopping : array (n_cell, n)
        V, to the first n orbitals of a cell from the next one.
    energy : complex
        Above the real axis.

    Notes
    -----
    Every second cell is eliminated, and again, until those that are left are too far apart to know
    each other: M. P. Lopez Sancho et al., J. Phys. F 15, 851 (1985).
    """
    n = hopping.shape[1]
    forwards = np.zeros_like(cell)
    forwards[:, :n] = hopping
    backwards = forwards.conj().T
    end, inner, one = cell, cell, np.eye(len(cell))
    tiny = np.finfo(float).eps * np.abs(hopping).max(initial=0.0)
    for _ in range(DOUBLINGS):
        solved = np.linalg.solve(energy * one - inner, np.hstack([forwards, backwards]))
        ahead, back = np.split(solved, 2, axis=1)
        end = end + backwards @ ahead
        inner = inner + backwards @ ahead + forwards @ back
        forwards, backwards = forwards @ ahead, backwards @ back
        # They enter as a product: the smaller one tells.
        if min(np.abs(forwards).max(initial=0.0), np.abs(backwards).max(initial=0.0)) <= tiny:
            break
    solved = np.linalg.solve(energy * one - end, hopping)
    sigma: ComplexArray = hopping.conj().T @ solved
    return sigma
