"""What is no set of modes: what was given, what was expected."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.memory import Memory
from kwant_curl.support.checks import positive_array
from kwant_curl.vibrations.phonon_leads import PhononLeads

__all__ = [
    "HELD",
    "check_held",
    "check_leads",
    "checked_frequencies",
    "masses_of_coordinates",
    "mode_indices",
    "normalised",
    "pattern_rows",
    "springs_of",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ORTHOGONAL = 1e-6
"""By how much products of mass-weighted vectors of length one may differ from zero."""

HELD = 1e-9
"""A spring below this part of the strongest is the rounding of a lattice that nothing holds."""

LENGTH_ONE = 1e-12
"""Patterns whose length differs from one by less are taken as they are."""


def pattern_rows(patterns: ArrayLike) -> FloatArray:
    """Return patterns (n_modes, n_c) or (n_modes, n_atoms, dim) as (n_modes, n_c), or raise."""
    array = np.asarray(patterns)
    if array.ndim == 3:
        array = array.reshape(len(array), -1)
    if array.ndim != 2 or not array.size:
        raise ValueError(
            f"patterns has shape {np.shape(patterns)}; expected (n_modes, n_c) or (n_modes, "
            "n_atoms, dim): a mode per row."
        )
    if array.dtype.kind == "c":
        raise ValueError(
            "patterns is complex; expected real displacements. If the imaginary part is zero, give "
            "patterns.real; the real and imaginary parts of a wave are two modes of one frequency."
        )
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError("patterns has entries that are not real, finite numbers.")
    return array.astype(float)


def masses_of_coordinates(masses: ArrayLike, n_c: int, n_atoms: int | None) -> FloatArray:
    """Return the mass of each coordinate: of one number, one per atom or one per coordinate."""
    per_atom = [n_c // dim for dim in (2, 3) if n_c % dim == 0] if n_atoms is None else [n_atoms]
    size = np.size(masses)
    if np.ndim(masses) > 1 or size not in (1, n_c, *per_atom):
        raise ValueError(
            f"masses has shape {np.shape(masses)}; expected one number, {n_c} of them (one per "
            f"coordinate) or {' or '.join(map(str, per_atom))} (one per atom)."
        )
    given = positive_array("masses", masses, size)
    return np.repeat(given, n_c // size)


def checked_frequencies(frequencies: ArrayLike, n_modes: int) -> FloatArray:
    """Return the frequencies, one per mode, or raise."""
    if np.shape(frequencies) != (n_modes,):
        raise ValueError(
            f"frequencies has shape {np.shape(frequencies)}; expected ({n_modes},), as there are "
            f"{n_modes} patterns."
        )
    return positive_array("frequencies", frequencies, n_modes)


def normalised(patterns: FloatArray, masses: FloatArray) -> FloatArray:
    """Return patterns with sum_I M_I u_I^2 = 1, or raise unless they are orthogonal like that."""
    lengths = np.sqrt(patterns**2 @ masses)
    if not lengths.all():
        raise ValueError(f"patterns: nothing moves in mode {lengths.argmin()}.")
    unit = np.where(np.abs(lengths - 1) < LENGTH_ONE, 1.0, lengths)
    result: FloatArray = patterns / unit[:, None]
    off, k, m = _largest_product(result * np.sqrt(masses))
    if off <= ORTHOGONAL:
        return result
    rows = patterns / np.linalg.norm(patterns, axis=1, keepdims=True)
    if _largest_product(rows)[0] <= ORTHOGONAL:
        cure = (
            "Without the masses they are orthogonal, as mass-weighted vectors are, eigenvectors "
            "of the dynamical matrix: divide these by sqrt(M), or give them to from_eigenvectors."
        )
    else:
        cure = (
            "Are the masses those of these coordinates, in their order, and all atoms that move "
            "among them? Vectors of few digits are to be made orthogonal before."
        )
    raise ValueError(
        f"patterns are not orthogonal: sum_I M_I u_I u'_I of modes {k} and {m} is {off:.2g} for "
        f"patterns of length one; expected zero (up to {ORTHOGONAL:g}). {cure}"
    )


def _largest_product(rows: FloatArray) -> tuple[float, int, int]:
    """Return the largest product of two different rows, and which they are."""
    products = np.abs(np.triu(rows @ rows.T, 1))
    k, m = np.unravel_index(products.argmax(), products.shape)
    return float(products[k, m]), int(k), int(m)


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


def springs_of(frequencies: FloatArray, memory: Memory) -> tuple[float, float]:
    """Return the lowest eigenvalue of omega^2 + Pi(0), and the largest of either."""
    static = memory(0.0).real
    lowest = float(np.linalg.eigvalsh(np.diag(frequencies**2) + static)[0])
    return lowest, max(float((frequencies**2).max()), float(np.abs(static).max()))


def check_held(frequencies: FloatArray, vectors: FloatArray, leads: PhononLeads | None) -> None:
    """Raise where modes and their leads together have a spring that is negative."""
    if leads is None:
        return
    lowest, strongest = springs_of(frequencies, leads.memory().projected(vectors))
    if lowest < -HELD * strongest:
        raise ValueError(
            "The modes and their leads don't fit: omega^2 + Pi(0) has the eigenvalue "
            f"{lowest:.4g} (the largest of both is {strongest:.4g}), so that the atoms don't stay "
            "where they are. Expected frequencies with the surroundings held, of the same force "
            "constants and masses as those of the lattice, with all of their digits: take "
            "Lattice.modes, or from_force_constants(..., leads=)."
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
