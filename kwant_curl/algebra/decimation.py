"""The self-energy of a half-infinite row of equal cells, off the real axis."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["decimated"]

ComplexArray = NDArray[np.complex128]

DOUBLINGS = 60
"""After these an imaginary part of the energy of 1e-18 of the bands' width has been felt."""


def decimated(inverse: ComplexArray, hopping: ComplexArray, back: ComplexArray) -> ComplexArray:
    """Return Sigma = V^+ g V of a row of cells, with g that of its end, (..., n, n).

    Parameters
    ----------
    inverse : array (..., n_cell, n_cell)
        E - h of a cell, at energies E above the real axis.
    hopping : array (n_cell, n)
        V, to the first n orbitals of a cell from the next one.
    back : array (n, n_cell)
        V^+, to the next cell.

    Notes
    -----
    Every second cell is eliminated, and again, until those that are left are too far apart to know
    each other: M. P. Lopez Sancho et al., J. Phys. F 15, 851 (1985).
    """
    n = hopping.shape[1]
    forwards, backwards = np.zeros_like(inverse), np.zeros_like(inverse)
    forwards[..., :n], backwards[..., :n, :] = hopping, back
    end, inner = inverse, inverse
    tiny = np.finfo(float).eps * np.abs(hopping).max(initial=0.0)
    for _ in range(DOUBLINGS):
        solved = np.linalg.solve(inner, np.concatenate([forwards, backwards], axis=-1))
        ahead, behind = np.split(solved, 2, axis=-1)
        end = end - backwards @ ahead
        inner = inner - backwards @ ahead - forwards @ behind
        forwards, backwards = forwards @ ahead, backwards @ behind
        # They enter as a product: the smaller one tells.
        sizes = (np.abs(part).max(axis=(-2, -1), initial=0.0) for part in (forwards, backwards))
        if np.minimum(*sizes).max(initial=0.0) <= tiny:
            break
    # NumPy 1 takes a matrix beside a stack of matrices for a stack of vectors.
    hoppings = np.broadcast_to(hopping, (*end.shape[:-2], *hopping.shape))
    sigma: ComplexArray = back @ np.linalg.solve(end, hoppings)
    return sigma
