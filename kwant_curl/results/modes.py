"""Sets of vibrational modes, as results take them: pairs of them, and whether they fit."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.results.mode_pairs import mode_pairs
from kwant_curl.support.magnitudes import check_frequencies, check_masses, check_temperature
from kwant_curl.support.units import Units

__all__ = ["ChosenPairs", "ModeSet", "Moved", "check_same_coordinates", "chosen_pairs"]

FloatArray = NDArray[np.float64]

CLOSE = 1e-6
"""By how much positions may differ, relative to the size of the device, and units."""


class ModeSet:
    """What is taken of `VibrationalModes`: patterns (n_modes, n_c) of mass 1, and the like."""

    frequencies: FloatArray
    patterns: FloatArray
    masses: FloatArray
    positions: FloatArray | None
    sites: NDArray[np.int64] | None
    units: Units | None


class Moved(NamedTuple):
    """What moves in a calculation, as far as modes have to agree with it."""

    n_c: int
    positions: FloatArray | None
    sites: NDArray[Any] | None
    units: Units | None
    temperature: float


class ChosenPairs(NamedTuple):
    """Pairs of modes X, Y: patterns (n_pairs, 2, n_c), frequencies and masses, and which."""

    patterns: FloatArray
    frequency: ArrayLike
    mass: ArrayLike
    numbers: NDArray[np.int64] | None


def chosen_pairs(
    modes: Any, pairs: Any, frequency: ArrayLike | None, mass: ArrayLike, moved: Moved
) -> ChosenPairs:
    """Return the pairs that are asked for, by arrays of patterns or by a set of modes."""
    if not isinstance(modes, ModeSet):
        if pairs is not None:
            raise ValueError(
                "pairs names modes of VibrationalModes, but modes is an array: expected the pairs "
                "themselves, (n_pairs, 2, n_c), without pairs."
            )
        if frequency is None:
            raise TypeError("frequency is missing: modes is an array, which doesn't know it.")
        return ChosenPairs(mode_pairs(modes, moved.n_c), frequency, mass, None)
    if frequency is not None or not np.array_equal(mass, 1.0):
        raise ValueError(
            "frequency or mass is given, but modes are VibrationalModes, which know theirs: the "
            "mean sqrt(omega_k omega_m) and 1. Leave them out, or give patterns."
        )
    check_same_coordinates(moved, modes)
    numbers = _numbers(pairs, len(modes.frequencies))
    omega = np.sqrt(modes.frequencies[numbers].prod(axis=1))
    return ChosenPairs(modes.patterns[numbers], omega, 1.0, numbers)


def _numbers(pairs: Any, n_modes: int) -> NDArray[np.int64]:
    """Return which modes are X and Y, (n_pairs, 2); None: all pairs k < m."""
    if n_modes < 2:
        raise ValueError(f"There is {n_modes} mode; expected two or more, to make pairs.")
    if pairs is None:
        return np.stack(np.triu_indices(n_modes, 1), axis=1).astype(np.int64)
    given = np.asarray(pairs)
    if given.ndim != 2 or given.shape[1] != 2 or not given.size or given.dtype.kind not in "iu":
        raise ValueError(
            f"pairs is {pairs!r}; expected (n_pairs, 2) numbers of modes, [(0, 1)] for the first "
            "two."
        )
    if given.min() < 0 or given.max() >= n_modes or (given[:, 0] == given[:, 1]).any():
        raise ValueError(
            f"pairs is {pairs!r}; expected two different modes each, from 0 to {n_modes - 1}."
        )
    return given.astype(np.int64)


def check_same_coordinates(moved: Moved, modes: ModeSet) -> None:
    """Raise unless the modes are those of the coordinates that move."""
    n_c, n = moved.n_c, len(modes.masses)
    if n_c != n:
        raise ValueError(
            f"The response is that of {n_c} coordinates and the modes are of {n}; expected the "
            "same ones: take the modes of what moves, e.g. from_force_constants of these "
            "coordinates or from_ase(..., syst, coordinates)."
        )
    _check_units(moved, modes)
    known = moved.sites is not None and modes.sites is not None
    if known and not np.array_equal(np.asarray(moved.sites), np.asarray(modes.sites)):
        raise ValueError(
            f"The response is that of the sites {moved.sites} and the modes are of "
            f"{modes.sites}; expected the same sites in the same order."
        )
    if moved.positions is None or modes.positions is None:
        return
    if moved.positions.shape != modes.positions.shape:
        raise ValueError(
            f"The response has atoms of shape {moved.positions.shape} and the modes of "
            f"{modes.positions.shape}; expected the same atoms."
        )
    apart = np.abs(moved.positions - modes.positions).max()
    if not apart <= CLOSE * max(1.0, float(np.abs(moved.positions).max())):
        raise ValueError(
            f"The atoms of the response and of the modes differ in their positions (by up to "
            f"{apart:.3g}); expected the same atoms in the same order."
        )


def _check_units(moved: Moved, modes: ModeSet) -> None:
    """Raise where response and modes are in different units, or in none that atoms have."""
    one, other = moved.units, modes.units
    if one is not None and other is not None:
        ratios = np.array([one.energy / other.energy, one.length / other.length])
        if np.abs(ratios - 1).max() > CLOSE:
            raise ValueError(
                f"The response is in {one.energy_unit} and {one.length_unit}, the modes are in "
                f"{other.energy_unit} and {other.length_unit}; expected the same units of both."
            )
        return
    check_temperature(moved.temperature, other)
    if moved.positions is not None:  # other coordinates have masses of another dimension
        check_masses(modes.masses, one, name="masses")
        check_frequencies(modes.frequencies, one, name="frequencies")
