"""The ends of a device against the electrodes that are to go on there."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.materials.arrays import largest, orbitals_of
from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.electrode import MATRICES, SAME_PLACES, Electrode
from kwant_curl.materials.transverse import Cell, opposite, wide

__all__ = ["End", "check_place", "compared", "zero_shift"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

OTHER_OVERLAP = 0.02
"""By how much the overlap of a device's end may differ from that of a layer of the electrode."""


class End(NamedTuple):
    """How a device's end differs from a layer of the electrode, in eV."""

    shift: float
    mismatch: float
    mismatch_overlap: float
    mismatch_coupling: float


def zero_shift(difference: Any, overlap: Any) -> float:
    """Return x for which difference - x overlap is smallest, in the sum of the squares."""
    return float((overlap.conj().multiply(difference)).sum().real / (abs(overlap).power(2)).sum())


def check_place(device: Calculation, electrode: Electrode, atoms: IntArray, name: str) -> None:
    """Raise unless these atoms of the device are a layer of the electrode that points outwards."""
    orbitals = device.orbitals[atoms]
    if not np.array_equal(orbitals, electrode.orbitals):
        raise ValueError(
            f"The {name} end of the device has atoms of {orbitals.tolist()} orbitals, a layer of "
            f"the {name} electrode of {electrode.orbitals.tolist()}. Expected the device's atoms "
            "to begin with a layer of the left electrode and to end with one of the right, in the "
            "electrode's order; keep= names atoms in another order."
        )
    places = device.positions[atoms]
    steps = places - electrode.positions
    apart = float(np.abs(steps - steps.mean(axis=0)).max())
    if apart > SAME_PLACES:
        raise ValueError(
            f"The {name} end of the device is no layer of the {name} electrode: atoms lie up to "
            f"{apart:.3g} Å apart after a common shift, more than {SAME_PLACES}. Expected the "
            "same atoms in the same order, turned as the device is."
        )
    inwards = device.positions.mean(axis=0) - places.mean(axis=0)
    if (1 if name == "left" else -1) * inwards @ electrode.period < 0:
        raise ValueError(
            f"The {name} electrode has the wrong orientation: its period "
            f"{electrode.period.round(3).tolist()} Å points from right to left. Expected that from "
            "a layer to the next one on its right, in both electrodes; are left and right mixed up?"
        )


def compared(calculation: Calculation, electrode: Electrode, atoms: IntArray, name: str) -> End:
    """Return how a layer of a calculation differs from that of the electrode, or raise."""
    here = orbitals_of(atoms, calculation.orbitals)
    cells = [*calculation.by_cell("overlap")]
    cells += [cell for cell in electrode.by_cell("overlap") if cell not in cells]
    layer = {name: wide(electrode.by_cell(name), cells) for name in MATRICES}
    of_overlap = largest(_between(calculation, "overlap", (here, here), cells) - layer["overlap"])
    if of_overlap > OTHER_OVERLAP:
        raise ValueError(
            f"The overlap of the {name} end of the device differs from that of a layer of the "
            f"{name} electrode by up to {of_overlap:.3g}; expected the same atoms, in the same "
            "order and turned alike, and the same basis."
        )
    difference = _between(calculation, "hamiltonian", (here, here), cells) - layer["hamiltonian"]
    shift = zero_shift(difference, layer["overlap"])
    coupling = np.nan
    for sign in (1, -1):
        beside = _atoms_at(calculation, calculation.positions[atoms] + sign * electrode.period)
        if beside is not None and np.array_equal(calculation.orbitals[beside], electrode.orbitals):
            other = orbitals_of(beside, calculation.orbitals)
            pair = (here, other) if sign == 1 else (other, here)
            found = [_between(calculation, m, pair, cells) for m in ("hamiltonian", "overlap")]
            _check_orientation(electrode, found[1], cells, name)
            wanted = layer["coupling"] + shift * layer["coupling_overlap"]
            coupling = np.fmax(coupling, largest(found[0] - wanted))
    mismatch = largest(difference - shift * layer["overlap"])
    return End(shift, mismatch, of_overlap, float(coupling))


def _between(
    calculation: Calculation, name: str, pair: tuple[IntArray, IntArray], cells: list[Cell]
) -> Any:
    """Return a matrix between orbitals (rows, columns), those of all images side by side."""
    rows, cols = pair
    found = {cell: m[rows][:, cols] for cell, m in calculation.by_cell(name).items()}
    return wide(found, cells)


def _check_orientation(electrode: Electrode, overlap: Any, cells: list[Cell], name: str) -> None:
    """Raise if the overlap between two layers of the calculation isn't that of the electrode."""
    given = electrode.by_cell("coupling_overlap")
    apart = largest(overlap - wide(given, cells))
    if apart <= OTHER_OVERLAP:
        return
    back = {opposite(cell): sparse.csr_array(m.conj().T) for cell, m in given.items()}
    turned = largest(overlap - wide(back, cells))
    cure = (
        "The conjugate transpose of its coupling fits: it has the wrong orientation. Expected rows "
        "of a layer and columns of the next one to its right."
        if turned <= OTHER_OVERLAP
        else "Expected an electrode whose layers follow each other as in the device."
    )
    raise ValueError(
        f"The overlap between two layers of the {name} electrode differs from that in the device "
        f"by up to {apart:.3g}. {cure}"
    )


def _atoms_at(calculation: Calculation, places: FloatArray) -> IntArray | None:
    """Return the atoms at these places, or None if some place has none."""
    distance = np.linalg.norm(calculation.positions[None] - places[:, None], axis=2)
    nearest = distance.argmin(axis=1)
    found = distance[np.arange(len(places)), nearest].max() < SAME_PLACES * np.sqrt(3)
    return nearest.astype(np.int64) if found else None
