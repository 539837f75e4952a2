"""The Kwant system of a device between two electrodes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import kwant
import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.materials.arrays import blocks
from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.electrode import Electrode, Layer
from kwant_curl.model.atoms import Elements, OneAtom, filled

__all__ = ["Slice", "junction_system"]

Block = tuple[NDArray[Any], NDArray[Any]]


class Slice(NamedTuple):
    """A device and the layers of its electrodes, at one k point across the current."""

    device: Calculation
    layers: tuple[Layer, Layer]


def junction_system(
    slices: Sequence[Slice], electrodes: tuple[Electrode, Electrode], shifts: Any
) -> FiniteSystem:
    """Return the finalized system of a copy of the device per k point, which don't couple.

    Shifts are added to the energies of the electrodes.  The first atoms of a device are a layer of
    the left electrode, the last ones one of the right.
    """
    left, right = electrodes
    device = slices[0].device
    n_atoms, middle = len(device), len(device) - len(right)
    periods = [left.period] * middle + [right.period] * len(right)
    atoms = list(zip(device.positions, periods, device.orbitals, strict=True)) * len(slices)
    families = [OneAtom(i, place, period, int(n)) for i, (place, period, n) in enumerate(atoms)]
    elements = Elements(_of_device(slices), len(slices) > 1)
    builder = filled(kwant.Builder(), families, range(len(families)), elements)
    # What a lead conserves: a mapping, since Kwant makes functions of functions that don't pickle.
    copies = {f: (f.number // n_atoms) * np.eye(f.norbs) for f in families}
    for lead, (electrode, first, sign) in enumerate(((left, 0, -1), (right, middle, 1))):
        symmetry = kwant.TranslationalSymmetry(sign * electrode.period)
        numbers = [
            copy * n_atoms + first + i for copy in range(len(slices)) for i in range(len(electrode))
        ]
        found: dict[tuple[int, int, int], Block] = {}
        for copy, (_, layers) in enumerate(slices):
            start = copy * n_atoms + first
            found |= _of_layers(layers[lead], electrode.orbitals, start, float(shifts[lead]))
        empty = kwant.Builder(symmetry, conservation_law=copies if len(slices) > 1 else None)
        builder.attach_lead(filled(empty, families, numbers, Elements(found)))
    system = builder.finalized()
    if len(system.sites) != len(families):
        raise RuntimeError(
            f"Kwant has added {len(system.sites) - len(families)} sites to the {len(families)} "
            "atoms."
        )
    return system


def _of_device(slices: Sequence[Slice]) -> dict[tuple[int, int, int], Block]:
    """Return the elements within each copy of the device."""
    found: dict[tuple[int, int, int], Block] = {}
    for copy, (device, _) in enumerate(slices):
        first = copy * len(device)
        between = blocks((device.hamiltonian, device.overlap), device.orbitals)
        found |= {(first + i, first + j, 0): pair for (i, j), pair in between.items()}
    return found


def _of_layers(
    layer: Layer, orbitals: Any, first: int, shift: float
) -> dict[tuple[int, int, int], Block]:
    """Return the elements within and between layers, of atoms numbered from `first` on."""
    within = layer.hamiltonian + shift * layer.overlap
    between = layer.coupling + shift * layer.coupling_overlap
    found: dict[tuple[int, int, int], Block] = {}
    for (i, j), pair in blocks((within, layer.overlap), orbitals).items():
        found[first + i, first + j, 0] = pair
    coupling = blocks((between, layer.coupling_overlap), orbitals)
    for (i, j), (hamiltonian, overlap) in coupling.items():
        found[first + i, first + j, 1] = hamiltonian, overlap
        found[first + j, first + i, -1] = hamiltonian.conj().T, overlap.conj().T
    return found
