"""How many phonons each mode holds at a bias: heating, by rates."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.coloured import bose_temperature, mean_energy
from kwant_curl.results.noise_spectrum import NoiseSpectrum
from kwant_curl.support.frozen import read_only
from kwant_curl.support.recorded import recorded
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names
from kwant_curl.vibrations.mechanics import either, other_damping
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.noises import (
    lead_memories,
    spectrum_of_modes,
    temperatures_of_leads,
)

__all__ = ["ModeOccupations", "mode_occupations"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ModeOccupations(Storable):
    """Steady numbers of phonons: dN/dt = emission (N + 1) - absorption N + lattice, mode by mode.

    Made by `mode_occupations`.  hbar = 1: rates are energies.

    Attributes
    ----------
    frequencies : array of float, shape (n_modes,)
        omega of the modes.
    emission, absorption : array of float, shape (n_modes,)
        Rates at which electrons emit and absorb phonons of each mode.
    lattice_damping : array of float, shape (n_baths, n_modes)
        Rates at which the energy of each mode decays into each lead of the lattice,
        -Im Pi_kk(omega_k)/omega_k, and, the last one, by the damping of other origin.
    temperatures : array of float, shape (n_baths,)
        kT of these.
    units : Units or None
        The units, for labels.

    Examples
    --------
    >>> spectrum = noise_spectrum(syst, moving, energy, modes.frequencies, temperature=0.01, bias=0)
    >>> equilibrium = mode_occupations(spectrum, modes)
    >>> equilibrium.effective_temperature.round(4)
    array([0.01, 0.01])
    """

    DIMENSIONS = {  # noqa: RUF012
        "frequencies": ("mode",),
        "emission": ("mode",),
        "absorption": ("mode",),
        "lattice_damping": ("bath", "mode"),
        "temperatures": ("bath",),
    }
    DERIVED = {  # noqa: RUF012
        "occupation": ("mode",),
        "effective_temperature": ("mode",),
        "damping": ("mode",),
    }

    frequencies: FloatArray
    emission: FloatArray
    absorption: FloatArray
    lattice_damping: FloatArray
    temperatures: FloatArray
    _: KW_ONLY
    units: Units | None = None

    def __repr__(self) -> str:
        """Say how many modes there are, how hot the hottest is, and how many grow."""
        hottest = self.effective_temperature.max()
        unit = spaced(unit_names(self.units).energy)
        return (
            f"<ModeOccupations of {len(self.frequencies)} modes, effective kT up to "
            f"{hottest:.4g}{unit}, of which {np.count_nonzero(self.damping <= 0)} grow>"
        )

    @property
    def damping(self) -> FloatArray:
        """Rates at which the modes' energy decays in all, (n_modes,): they grow where negative."""
        return read_only(self.absorption - self.emission + self.lattice_damping.sum(axis=0))

    @property
    def occupation(self) -> FloatArray:
        """Steady number of phonons N of each mode, (n_modes,); infinite where it grows.

        N = (emission + sum_b damping_b n_b)/(absorption - emission + sum_b damping_b), n_b Bose's
        function at the temperature of the lattice.
        """
        energies = np.array(
            [mean_energy(self.frequencies, kt, quantum=True) for kt in self.temperatures]
        )
        phonons = np.maximum(energies / self.frequencies - 0.5, 0.0)
        gained = self.emission + (self.lattice_damping * phonons).sum(axis=0)
        result = np.full_like(gained, np.inf)
        np.divide(gained, self.damping, out=result, where=self.damping > 0)
        return read_only(result)

    @property
    def effective_temperature(self) -> FloatArray:
        """KT at which Bose's function is `occupation`, (n_modes,); infinite where it is."""
        return read_only(bose_temperature(self.frequencies, self.occupation))


@recorded
def mode_occupations(
    spectrum: NoiseSpectrum,
    modes: VibrationalModes,
    *,
    damping: ArrayLike = 0.0,
    lead_temperatures: Mapping[int, float] | None = None,
) -> ModeOccupations:
    """Return how far the current heats each vibrational mode, by the rates of the golden rule.

    dN_k/dt = W_em (N_k + 1) - W_abs N_k - sum_b Gamma_b (N_k - n_b), with the electrons' W_em and
    W_abs = emission_kk and absorption_kk at omega_k over 2 omega_k, and each lead's damping
    Gamma_b = -Im Pi_kk(omega_k)/omega_k.

    Parameters
    ----------
    spectrum : NoiseSpectrum
        Of the same coordinates as the modes, or of their patterns, from the lowest to the highest
        of their frequencies at least; between its frequencies it is linear, so
        ``noise_spectrum(..., modes.frequencies)`` is exact.
    modes : VibrationalModes
        The vibrations without current, with their `leads` if they have any.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin, of the spectrum's temperature.
    lead_temperatures : mapping, optional
        kT of the lattice in leads, ``{lead: kT}``; default the spectrum's temperature.

    Returns
    -------
    ModeOccupations

    Raises
    ------
    TypeError, ValueError
        For modes of other coordinates, or with frequencies beyond those of the spectrum, and
        `lead_temperatures` that are no mapping, or above 1 eV where the units are known.

    Notes
    -----
    Each mode by itself: what mixes modes (the curl, off-diagonal friction, the lattice's shift of
    frequencies) is left out; `langevin` with quantum noise has it.

    Examples
    --------
    >>> spectrum = noise_spectrum(
    ...     syst, moving, energy, modes.frequencies, bias=0.05, temperature=0.01
    ... )
    >>> mode_occupations(spectrum, modes).occupation.round(2)
    array([1.84, 1.27])
    """
    found = spectrum_of_modes(spectrum, modes)
    omega = modes.frequencies
    order = np.argsort(omega, kind="stable")
    there = found.at(omega[order])
    emission, absorption = np.empty(len(omega)), np.empty(len(omega))
    each = np.arange(len(omega))
    emission[order] = there.emission[each, order, order].real / (2 * omega[order])
    absorption[order] = there.absorption[each, order, order].real / (2 * omega[order])
    lattice = [memory.damping(omega)[each, each, each] for memory in lead_memories(modes)]
    units = either(spectrum.units, modes.units)
    kt = spectrum.temperature
    temperatures = temperatures_of_leads(lead_temperatures, modes, kt, units)
    return ModeOccupations(
        frequencies=omega,
        emission=emission,
        absorption=absorption,
        lattice_damping=np.array([*lattice, other_damping(damping, len(omega))]),
        temperatures=np.append(temperatures, kt),
        units=units,
    )
