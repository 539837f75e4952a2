"""Wave functions that users pass: one, or a stack of them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["as_pair", "as_states"]


def as_states(name: str, states: ArrayLike, n_orbitals: int) -> tuple[NDArray[Any], bool]:
    """Return `states` as a stack (n_states, n_orbitals), and whether it was a single one."""
    array = np.asarray(states)
    if array.ndim not in (1, 2) or array.shape[-1] != n_orbitals:
        raise ValueError(
            f"{name} has shape {array.shape}; expected ({n_orbitals},), or (n_states, "
            f"{n_orbitals}) for a stack: the system has {n_orbitals} orbitals."
        )
    return np.atleast_2d(array.astype(complex, copy=False)), array.ndim == 1


def as_pair(
    bra: ArrayLike, ket: ArrayLike | None, n_orbitals: int
) -> tuple[NDArray[Any], NDArray[Any], bool]:
    """Return bra and ket as stacks of one length, and whether both were single."""
    bras, one_bra = as_states("bra", bra, n_orbitals)
    if ket is None:
        return bras, bras, one_bra
    kets, one_ket = as_states("ket", ket, n_orbitals)
    if len(bras) != len(kets) and not (one_bra or one_ket):
        raise ValueError(
            f"bra is a stack of {len(bras)} states and ket of {len(kets)}; expected as many of "
            "both (matrix() takes every bra with every ket)."
        )
    n = len(kets) if one_bra else len(bras)
    bras, kets = (np.broadcast_to(stack, (n, n_orbitals)) for stack in (bras, kets))
    return bras, kets, one_bra and one_ket
