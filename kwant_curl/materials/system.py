"""The Kwant system of a device between two electrodes."""

from typing import Any

import kwant
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.materials.arrays import blocks
from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.electrode import Electrode
from kwant_curl.model.atoms import Elements, OneAtom, filled

__all__ = ["junction_system"]


def junction_system(
    device: Calculation, electrodes: tuple[Electrode, Electrode], shifts: Any
) -> FiniteSystem:
    """Return the finalized system; shifts are added to the energies of the electrodes.

    The first atoms of the device are a layer of the left electrode, the last ones one of the right.
    """
    left, right = electrodes
    middle = len(device) - len(right)
    periods = [left.period] * middle + [right.period] * len(right)
    atoms = zip(device.positions, periods, device.orbitals, strict=True)
    families = [OneAtom(i, place, period, int(n)) for i, (place, period, n) in enumerate(atoms)]
    between = blocks((device.hamiltonian, device.overlap), device.orbitals)
    elements = Elements({(i, j, 0): pair for (i, j), pair in between.items()})
    builder = filled(kwant.Builder(), families, range(len(device)), elements)
    for electrode, first, sign, shift in zip(electrodes, (0, middle), (-1, 1), shifts, strict=True):
        symmetry = kwant.TranslationalSymmetry(sign * electrode.period)
        numbers = range(first, first + len(electrode))
        lead = filled(
            kwant.Builder(symmetry), families, numbers, _layers(electrode, first, float(shift))
        )
        builder.attach_lead(lead)
    system = builder.finalized()
    if len(system.sites) != len(device):
        raise RuntimeError(
            f"Kwant has added {len(system.sites) - len(device)} sites to the {len(device)} atoms."
        )
    return system


def _layers(electrode: Electrode, first: int, shift: float) -> Elements:
    """Return the elements within and between layers, of atoms numbered from `first` on."""
    within = electrode.hamiltonian + shift * electrode.overlap
    between = electrode.coupling + shift * electrode.coupling_overlap
    found: dict[tuple[int, int, int], tuple[NDArray[Any], NDArray[Any]]] = {}
    for (i, j), pair in blocks((within, electrode.overlap), electrode.orbitals).items():
        found[first + i, first + j, 0] = pair
    coupling = blocks((between, electrode.coupling_overlap), electrode.orbitals)
    for (i, j), (hamiltonian, overlap) in coupling.items():
        found[first + i, first + j, 1] = hamiltonian, overlap
        found[first + j, first + i, -1] = hamiltonian.conj().T, overlap.conj().T
    return Elements(found)
