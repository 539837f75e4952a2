"""What the electrons remember of the atoms' motion: friction that depends on the frequency."""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.memory import Memory
from kwant_curl.algebra.remembered import remembered
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.results.noise_spectrum import NoiseSpectrum
from kwant_curl.vibrations.modes import VibrationalModes

__all__ = ["electron_memory", "notices_of_memory"]

FloatArray = NDArray[np.float64]

UNCERTAIN = 0.1
"""Part of the response's antisymmetric damping that the memory of a spectrum may miss unsaid."""

DIFFERENT = 0.05
"""Part by which the memory's damping may miss the spectrum's without a word."""


def electron_memory(spectrum: NoiseSpectrum, response: ForceResponse) -> Memory:
    """Return Pi of the electrons without its value at zero frequency, which is the response's.

    Both of the modes.  The damping is the spectrum's, the Hermitian part of Pi follows from it.
    What the spectrum's end hides of the antisymmetric damping (a force like Lorentz's) is made up
    for by that of the response's velocity tensor.
    """
    memory = remembered(spectrum.frequencies, spectrum.damping)
    if response.lead_velocity is None:
        return memory
    known = _antisymmetric(response.velocity)
    missing = known - _antisymmetric((1j * memory.slope(0.0)).real)
    if np.linalg.norm(missing) <= UNCERTAIN * np.linalg.norm(known):
        return memory
    return memory._replace(friction=memory.friction + missing)


def _antisymmetric(matrix: FloatArray) -> FloatArray:
    return 0.5 * (matrix - matrix.T)


def notices_of_memory(
    memory: Memory, spectrum: NoiseSpectrum, modes: VibrationalModes
) -> list[str]:
    """Return what to say where the memory doesn't damp the modes as their spectrum has it."""
    omega = np.maximum(np.sort(modes.frequencies), spectrum.frequencies[0])
    order, each = np.argsort(modes.frequencies), np.arange(len(modes))
    wanted, found = np.empty(len(modes)), np.empty(len(modes))
    wanted[order] = spectrum.at(omega).damping[each, order, order].real
    found[order] = memory.damping(omega)[each, order, order]
    size = np.maximum(np.abs(wanted), np.abs(found))
    apart = np.divide(np.abs(wanted - found), size, out=np.zeros_like(size), where=size > 0)
    if apart.max() < DIFFERENT:
        return []
    mode = int(apart.argmax())
    return [
        f"The damping by electrons differs by up to {100 * apart.max():.0f} % from that of the "
        f"spectrum (mode {mode}: {found[mode]:.3g} and {wanted[mode]:.3g}): the rational function "
        "through its frequencies is too coarse there, and the modes' energies are off by as much. "
        "Take noise_spectrum at more frequencies around those of the modes."
    ]
