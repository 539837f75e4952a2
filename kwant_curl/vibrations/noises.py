"""Which noise acts on the vibrations: that of electrons, lattice and other friction."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.coloured import Spectrum, TabulatedSpectrum, ThermalSpectrum
from kwant_curl.algebra.memory import Memory, frictional
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.results.noise_spectrum import NoiseSpectrum
from kwant_curl.support.checks import nonnegative_number, positive_number
from kwant_curl.support.magnitudes import check_temperature
from kwant_curl.support.units import Units
from kwant_curl.vibrations.mechanics import other_damping
from kwant_curl.vibrations.modes import VibrationalModes

__all__ = [
    "NoiseKind",
    "Noises",
    "checked_spectrum",
    "classical_noises",
    "cutoff_of",
    "lead_memories",
    "noise_kind",
    "quantum_noises",
    "spectrum_of_modes",
    "temperatures_of_leads",
]

FloatArray = NDArray[np.float64]

NoiseKind = Literal["none", "classical", "quantum"]

CLOSE = 1e-6
"""By how much numbers of a spectrum and of a response may differ, relative to their size."""


class Noises(NamedTuple):
    """The noise of the modes' own friction, of each lead, and of electrons with a memory, if any.

    white: (n, n) covariances of what has no memory, that of the modes' own first; spectra: of what
    has one, in that order, None for none; slowest: at what rate correlations decay at least.
    """

    white: tuple[FloatArray, ...]
    spectra: tuple[Spectrum | None, ...]
    slowest: float

    @classmethod
    def nothing(cls, n: int, n_memories: int) -> "Noises":
        """Return what is there without noise."""
        return cls((np.zeros((n, n)),) * (n_memories + 1), (None,) * (n_memories + 1), np.inf)


def noise_kind(noise: Any) -> NoiseKind:
    """Return what the keyword `noise` stands for, or raise."""
    if isinstance(noise, bool | np.bool_):
        return "classical" if noise else "none"
    if noise not in get_args(NoiseKind)[1:]:
        raise TypeError(f"noise is {noise!r}; expected 'classical', 'quantum', True or False.")
    kind: NoiseKind = noise
    return kind


def lead_memories(modes: VibrationalModes) -> tuple[Memory, ...]:
    """Return the self-energy of each lead in the basis of the modes."""
    if modes.leads is None:
        return ()
    leads = modes.leads
    return tuple(leads.memory(lead).projected(modes.vectors) for lead in range(len(leads)))


def temperatures_of_leads(
    given: Mapping[int, float] | None,
    modes: VibrationalModes,
    default: float,
    units: Units | None = None,
) -> FloatArray:
    """Return kT of each lead of the lattice, (n_leads,); units: default the modes'."""
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(
            f"lead_temperatures is {given!r}; expected a mapping {{lead: kT}}: give "
            "{0: kT} for lead 0, and the others have that of the electrons."
        )
    n_leads = 0 if modes.leads is None else len(modes.leads)
    result = np.full(n_leads, default)
    for lead, value in ({} if given is None else given).items():
        is_index = isinstance(lead, int | np.integer) and not isinstance(lead, bool)
        if not (is_index and 0 <= lead < n_leads):
            there = f"the leads are 0 to {n_leads - 1}" if n_leads else "the modes have no leads"
            raise ValueError(f"lead_temperatures names lead {lead!r}, but {there}.")
        name = f"lead_temperatures[{lead}]"
        result[lead] = nonnegative_number(name, value)
        check_temperature(float(result[lead]), modes.units if units is None else units, name=name)
    return result


def classical_noises(
    response: ForceResponse, modes: VibrationalModes, damping: ArrayLike, temperatures: FloatArray
) -> Noises:
    """Return the noise of classical vibrations: white, and that of leads with a memory.

    temperatures: kT of each lead.
    """
    n = len(modes)
    other = 2 * response.temperature * other_damping(damping, n)
    own = response.without_spectrum().project(modes.patterns).noise + np.diag(other)
    white, spectra = [own], list[Spectrum | None]([None])
    memories = lead_memories(modes)
    for memory, kt in zip(memories, temperatures, strict=True):
        # What a fit of Pi needs of friction to damp at all frequencies is no noise by itself.
        remembers = len(memory.poles) > 0
        white.append(np.zeros((n, n)) if remembers else 2 * kt * memory.friction)
        spectra.append(ThermalSpectrum(memory, kt, False) if remembers and kt else None)
    return Noises(tuple(white), tuple(spectra), _slowest(memories))


def quantum_noises(
    response: ForceResponse,
    modes: VibrationalModes,
    damping: ArrayLike,
    temperatures: FloatArray,
    spectrum: NoiseSpectrum | None,
    cutoff: float,
) -> Noises:
    """Return the noise of quantum vibrations, up to a cutoff; spectrum: of the modes."""
    n, kt = len(modes), response.temperature
    friction = np.diag(other_damping(damping, n))
    if spectrum is None:
        if response.bias.any():
            raise ValueError(
                f"noise is 'quantum' at the bias {dict(enumerate(response.bias.tolist()))}, where "
                "the electrons' noise at the vibrations' frequencies doesn't follow from the "
                "response; pass spectrum=noise_spectrum(...) of this system at the same energy, "
                "bias and temperature, or response.at_bias(0)."
            )
        friction = friction + response.without_spectrum().project(modes.patterns).friction
    memories = lead_memories(modes)
    spectra: list[Spectrum | None] = [None]
    if friction.any():
        spectra = [ThermalSpectrum(frictional(friction), kt, True, cutoff)]
    for memory, lead_kt in zip(memories, temperatures, strict=True):
        spectra.append(ThermalSpectrum(memory, float(lead_kt), True, cutoff))
    if spectrum is not None:
        spectra.append(TabulatedSpectrum(spectrum.frequencies, spectrum.noise, cutoff))
    nothing = Noises.nothing(n, len(spectra) - 1)
    return nothing._replace(spectra=tuple(spectra), slowest=_slowest(memories))


def _slowest(memories: tuple[Memory, ...]) -> float:
    """Return the lowest rate at which what leads remember decays."""
    return min((float(-m.poles.imag.max(initial=-np.inf)) for m in memories), default=np.inf)


def spectrum_of_modes(spectrum: Any, modes: Any) -> NoiseSpectrum:
    """Return a spectrum in the coordinates of the modes, or raise if it is of other ones."""
    if not isinstance(spectrum, NoiseSpectrum):
        raise TypeError(f"spectrum is a {type(spectrum).__name__}; expected a NoiseSpectrum.")
    if not isinstance(modes, VibrationalModes):
        raise TypeError(f"modes is a {type(modes).__name__}; expected VibrationalModes.")
    _check_atoms(spectrum, modes, "modes")
    if spectrum.patterns is None:
        n_c = spectrum.lead_emission.shape[-1]
        if n_c != len(modes.masses):
            raise ValueError(
                f"The spectrum is of {n_c} coordinates and the modes are of {len(modes.masses)}; "
                "expected the same ones."
            )
        return spectrum.without_spectrum().project(modes.patterns)
    same = spectrum.patterns.shape == modes.patterns.shape
    if not same or not np.allclose(spectrum.patterns, modes.patterns, rtol=CLOSE):
        raise ValueError(
            "The spectrum is of other patterns than those of the modes; expected "
            "noise_spectrum(..., modes=modes.patterns), or the spectrum of all coordinates."
        )
    return spectrum


def checked_spectrum(
    spectrum: Any, response: ForceResponse, modes: VibrationalModes
) -> NoiseSpectrum:
    """Return the spectrum of the modes, or raise if it doesn't belong to the response."""
    found = spectrum_of_modes(spectrum, modes)
    _check_atoms(spectrum, response, "response")
    for name in ("energy", "bias", "temperature", "degeneracy"):
        ours, theirs = (np.asarray(getattr(thing, name)) for thing in (response, spectrum))
        scale = max(float(np.abs(ours).max(initial=0.0)), float(np.abs(response.bias).max()))
        if ours.shape != theirs.shape or np.abs(ours - theirs).max(initial=0.0) > CLOSE * scale:
            raise ValueError(
                f"The spectrum is at {name} = {theirs.tolist()} and the response at "
                f"{ours.tolist()}; expected both of the same system, operated in the same way."
            )
    first, slowest = float(spectrum.frequencies[0]), float(modes.frequencies.min())
    if slowest < first * (1 - CLOSE):
        raise ValueError(
            f"The spectrum begins at the frequency {first:.6g}, and the slowest mode has "
            f"{slowest:.6g}, whose noise would be that of {first:.6g}; expected noise_spectrum of "
            "frequencies from that of the slowest mode on, or lower."
        )
    last, fastest = float(spectrum.frequencies[-1]), float(modes.frequencies.max())
    if last < fastest:
        raise ValueError(
            f"The spectrum ends at the frequency {last:.6g}, and the fastest mode has "
            f"{fastest:.6g}, which would be without noise of electrons; expected noise_spectrum "
            "with frequencies up to several times as much."
        )
    return found


def _check_atoms(spectrum: NoiseSpectrum, other: Any, name: str) -> None:
    """Raise if the atoms are known to be others than those of a response or of modes."""
    for what in ("positions", "sites"):
        ours, theirs = getattr(other, what), getattr(spectrum, what)
        if ours is None or theirs is None:
            continue
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=CLOSE, atol=CLOSE):
            raise ValueError(
                f"The spectrum is of atoms with other {what} than the {name}; expected the same "
                "atoms in the same order."
            )


def cutoff_of(cutoff: float | None, fastest: float, multiple: float) -> float:
    """Return the cutoff that was asked for, or so many times the fastest frequency."""
    if cutoff is None:
        return multiple * fastest
    limit = positive_number("cutoff", cutoff)
    if limit < fastest:
        raise ValueError(
            f"cutoff is {limit:.4g}, below the fastest motion, of frequency {fastest:.4g}, which "
            "would be without its noise; expected several times as much."
        )
    return limit
