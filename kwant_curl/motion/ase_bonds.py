"""Bonds that break during a trajectory of ASE."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.checks import positive_number

__all__ = ["Bonds", "Broken"]


class Broken(NamedTuple):
    """A bond that is longer than it may be: its atoms, its length and the longest, in Å."""

    atoms: tuple[int, int]
    length: float
    longest: float


class Bonds:
    """Bonds between atoms, each with a length in Å beyond which it is broken.

    Parameters
    ----------
    longest : mapping
        ``{(i, j): length}``.
    n_atoms : int
    """

    def __init__(self, longest: Any, n_atoms: int) -> None:
        if not isinstance(longest, Mapping):
            raise TypeError(
                f"bonds is {longest!r}; expected a mapping {{(i, j): longest}} of pairs of atoms "
                "and the lengths in Å beyond which their bonds are broken."
            )
        pairs = [_pair(key, n_atoms) for key in longest]
        self._pairs = np.array(pairs, np.int64).reshape(-1, 2)
        lengths = [positive_number(f"bonds[{key}]", value) for key, value in longest.items()]
        self._longest: NDArray[np.float64] = np.array(lengths)

    def broken(self, atoms: Any) -> Broken | None:
        """Return the bond that is longest beyond what it may be, None if none is."""
        if not len(self._pairs):
            return None
        first, second = self._pairs.T
        vectors = atoms.positions[second] - atoms.positions[first]
        if atoms.pbc.any():
            from ase.geometry import find_mic

            vectors = find_mic(vectors, atoms.cell, atoms.pbc)[0]
        lengths = np.linalg.norm(vectors, axis=1)
        worst = int((lengths - self._longest).argmax())
        if lengths[worst] <= self._longest[worst]:
            return None
        i, j = self._pairs[worst].tolist()
        return Broken((i, j), float(lengths[worst]), float(self._longest[worst]))


def _pair(key: Any, n_atoms: int) -> tuple[int, int]:
    """Return a pair of two atoms, or raise."""
    array = np.asarray(key)
    if array.shape != (2,) or array.dtype.kind not in "iu":
        raise TypeError(f"bonds names {key!r}; expected a pair of atoms (i, j).")
    i, j = array.tolist()
    if not (0 <= i < n_atoms and 0 <= j < n_atoms) or i == j:
        raise ValueError(
            f"bonds names {key!r}; expected two of the {n_atoms} atoms, counted from 0."
        )
    return i, j
