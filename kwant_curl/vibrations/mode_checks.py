"""What is no set of modes, or of their atoms: what was given, what was expected."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.support.checks import positive_array
from kwant_curl.vibrations.phonon_leads import PhononLeads

__all__ = ["check_atoms", "check_leads", "check_modes", "mode_indices"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ORTHONORMAL = 1e-8
"""By how much products of the vectors may differ from those of orthonormal ones."""


def check_modes(frequencies: FloatArray, vectors: FloatArray, masses: FloatArray) -> None:
    """Raise unless these are orthonormal modes with positive frequencies and masses."""
    n_modes, n_c = frequencies.size, masses.size
    shapes = {"frequencies": frequencies, "vectors": vectors, "masses": masses}
    expected = {"frequencies": (n_modes,), "vectors": (n_modes, n_c), "masses": (n_c,)}
    for name, array in shapes.items():
        if array.shape != expected[name] or not array.size:
            raise ValueError(
                f"{name} has shape {array.shape}; expected frequencies (n_modes,), vectors "
                f"(n_modes, n_c) and masses (n_c,), here with n_modes = {n_modes}, n_c = {n_c}."
            )
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ValueError(f"{name} has entries that are not real, finite numbers.")
    positive_array("frequencies", frequencies, n_modes)
    positive_array("masses", masses, n_c)
    deviation = np.abs(vectors @ vectors.T - np.eye(n_modes)).max()
    if deviation > ORTHONORMAL:
        raise ValueError(
            f"vectors are not orthonormal: their products differ by up to {deviation:.2g} from "
            "those of orthonormal rows; give the mass-weighted ones, sqrt(M_I) u_I."
        )


def check_atoms(positions: FloatArray | None, sites: NDArray[Any] | None, n_c: int) -> None:
    """Raise unless n_c coordinates may be those of atoms at these positions and sites."""
    if positions is not None:
        shape = positions.shape
        if len(shape) != 2 or shape[1] not in (1, 2, 3) or shape[0] * shape[1] != n_c:
            raise ValueError(
                f"positions has shape {shape}; expected (n_atoms, dim) with n_atoms dim = {n_c}, "
                "the number of coordinates, and dim 1, 2 or 3."
            )
        if not np.isfinite(positions).all():
            raise ValueError("positions has entries that are not finite.")
    if sites is not None:
        possible = [n_c // dim for dim in (1, 2, 3) if n_c % dim == 0]
        lengths = possible if positions is None else [len(positions)]
        if sites.ndim != 1 or len(sites) not in lengths or sites.dtype.kind not in "iu":
            raise ValueError(
                f"sites is an array {sites.shape} of {sites.dtype}; expected the index of the "
                f"site of each atom, {' or '.join(map(str, lengths))} integers."
            )
        if len(np.unique(sites)) < len(sites):
            raise ValueError(f"sites is {sites}; expected each site once.")


def check_leads(leads: Any, n_c: int) -> None:
    """Raise unless these are phonon leads of so many coordinates, or None."""
    if leads is None:
        return
    if not isinstance(leads, PhononLeads):
        raise TypeError(f"leads is a {type(leads).__name__}; expected PhononLeads, or None.")
    if leads.constant.shape[-1] != n_c:
        raise ValueError(
            f"leads are of {leads.constant.shape[-1]} coordinates and the modes of {n_c}; expected "
            "the same ones, in mass-weighted coordinates."
        )


def mode_indices(which: ArrayLike, n_modes: int) -> IntArray:
    """Return the modes that are named, by index or by a mask, as indices; raise for others."""
    given = np.atleast_1d(np.asarray(which))
    if given.dtype == bool:
        if given.shape != (n_modes,):
            raise ValueError(
                f"which is a mask of shape {given.shape}; expected ({n_modes},), one per mode."
            )
        given = np.flatnonzero(given)
    if not given.size:
        raise ValueError(f"which names no mode; expected some of the {n_modes}.")
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ValueError(f"which is {which!r}; expected indices of modes, or a mask.")
    if given.min() < -n_modes or given.max() >= n_modes:
        raise ValueError(f"which is {which!r}; the modes are 0 to {n_modes - 1}.")
    chosen = given % n_modes
    if len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"which is {which!r}; expected each mode once.")
    return np.asarray(chosen, dtype=np.int64)
