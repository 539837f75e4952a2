"""The noise of the electrons' force at finite frequency."""

from dataclasses import KW_ONLY, dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.results.mode_pairs import mode_patterns
from kwant_curl.support.checks import ascending_array
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units, spaced, unit_names

__all__ = ["NoiseSpectrum"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False, repr=False)
class NoiseSpectrum(Storable):
    """Noise of the electrons' force at finite frequency: what is emitted, and what is absorbed.

    Made by `noise_spectrum`.  hbar = 1.  With the correlation of the force operators
    C_IJ(omega) = int dt exp(i omega t) <dF_I(t) dF_J(0)>, emission is C(-omega) and absorption
    C(omega): a mode of mass 1 and frequency omega along a real pattern u is given
    u emission u/(2 omega) phonons per unit of time, and loses u absorption u/(2 omega) of each.

    Attributes
    ----------
    energy : float
        The equilibrium Fermi level mu.
    bias : array of float, shape (n_leads,)
        dmu_alpha, the shift of each lead's chemical potential.
    degeneracy : float
        Degeneracy of every level.
    frequencies : array of float, shape (n_frequencies,)
        omega, positive and ascending.
    lead_emission : array of complex, shape (n_frequencies, n_leads, n_leads, n_c, n_c)
        2 pi g int dE f_alpha(E + omega) (1 - f_beta(E)) Tr[F_I D_beta(E) F_J D_alpha(E + omega)],
        Hermitian and positive semidefinite in I, J; alpha, the lead at the upper energy, is the
        first lead axis.
    lead_absorption : array of complex, shape (n_frequencies, n_leads, n_leads, n_c, n_c)
        2 pi g int dE f_beta(E) (1 - f_alpha(E + omega)) Tr[F_I D_alpha(E + omega) F_J D_beta(E)],
        of the same axes.
    temperature : float
        kT of the electrons.
    patterns : array of float, shape (n_c, n_coordinates), or None
        The patterns whose coordinates these are, if it isn't those of the specification.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are, if the specification's coordinates are their displacements.
    sites : array of int, shape (n_atoms,), or None
        The sites that they are.
    error : float
        Estimated error of the integration over energy, relative to the largest element of each
        frequency.
    partial : bool
        Whether at some energies no lead has an open mode.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("lead",),
        "frequencies": ("frequency",),
        "lead_emission": (
            "frequency",
            "upper_lead",
            "lower_lead",
            "coordinate",
            "other_coordinate",
        ),
        "lead_absorption": (
            "frequency",
            "upper_lead",
            "lower_lead",
            "coordinate",
            "other_coordinate",
        ),
        "patterns": ("coordinate", "original_coordinate"),
        "positions": ("atom", "direction"),
        "sites": ("atom",),
    }
    DERIVED = {  # noqa: RUF012
        "noise": ("frequency", "coordinate", "other_coordinate"),
        "damping": ("frequency", "coordinate", "other_coordinate"),
    }
    AXES = {"frequency": "frequencies"}  # noqa: RUF012

    energy: float
    bias: FloatArray
    degeneracy: float
    frequencies: FloatArray
    lead_emission: ComplexArray
    lead_absorption: ComplexArray
    _: KW_ONLY
    temperature: float = 0.0
    patterns: FloatArray | None = None
    positions: FloatArray | None = None
    sites: NDArray[np.int64] | None = None
    error: float = 0.0
    partial: bool = False
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Say of how many coordinates it is, and between which frequencies."""
        unit = spaced(unit_names(self.units).energy)
        return (
            f"<NoiseSpectrum of {self.lead_emission.shape[-1]} coordinates, energy "
            f"{self.energy:.6g}{unit}, bias {dict(enumerate(self.bias.tolist()))}, "
            f"{len(self.frequencies)} frequencies from {self.frequencies[0]:.4g} to "
            f"{self.frequencies[-1]:.4g}{unit}>{self._noted}"
        )

    @property
    def emission(self) -> ComplexArray:
        """Emission of all leads, C(-omega), shape (n_frequencies, n_c, n_c)."""
        return read_only(self.lead_emission.sum(axis=(1, 2)))

    @property
    def absorption(self) -> ComplexArray:
        """Absorption of all leads, C(omega), shape (n_frequencies, n_c, n_c)."""
        return read_only(self.lead_absorption.sum(axis=(1, 2)))

    @property
    def noise(self) -> ComplexArray:
        """Symmetrised noise S(omega), shape (n_frequencies, n_c, n_c).

        S_IJ(omega) = [C_IJ(omega) + C_JI(-omega)]/2, Hermitian and positive semidefinite, with
        S(-omega) = S(omega)^*.  For omega to 0 it is `ForceResponse.noise`; in equilibrium omega
        coth(omega/2kT) times `damping`.
        """
        return read_only(0.5 * (self.absorption + self.emission.swapaxes(1, 2)))

    @property
    def damping(self) -> ComplexArray:
        """Damping at finite frequency, [C_IJ(omega) - C_JI(-omega)]/(2 omega), Hermitian.

        Shape (n_frequencies, n_c, n_c).  The real part is the friction at that frequency; omega
        times the imaginary part, which does no work on standing waves, is for omega to 0 half the
        curl.
        """
        difference = self.absorption - self.emission.swapaxes(1, 2)
        return read_only(difference / (2 * self.frequencies[:, None, None]))

    def project(self, modes: ArrayLike) -> Self:
        """Return the spectrum in other coordinates, Q_I = sum_k modes[k, I] q_k.

        Parameters
        ----------
        modes : array of float, shape (n_modes, n_c)
            One displacement pattern per row, of any length.

        Returns
        -------
        NoiseSpectrum of n_modes coordinates.

        Raises
        ------
        ValueError
            For modes of another shape, or that are not real and finite.
        """
        n_c = self.lead_emission.shape[-1]
        patterns = mode_patterns(modes, n_c, ndim=2, shape="(n_modes, n_c)")
        return replace(
            self,
            lead_emission=patterns @ self.lead_emission @ patterns.T,
            lead_absorption=patterns @ self.lead_absorption @ patterns.T,
            patterns=patterns if self.patterns is None else patterns @ self.patterns,
        )

    def at(self, frequencies: ArrayLike) -> Self:
        """Return the spectrum at other frequencies, linear between those that it has.

        Parameters
        ----------
        frequencies : float or array of float, shape (n,)
            Ascending (some may be equal), between the first and the last one of the spectrum.

        Returns
        -------
        NoiseSpectrum

        Raises
        ------
        ValueError
            For frequencies beyond those of the spectrum, none, and those not in order.
        """
        omega = ascending_array("frequencies", frequencies, distinct=False)
        known = self.frequencies
        if not ((omega >= known[0]) & (omega <= known[-1])).all():
            raise ValueError(
                f"frequencies are {omega.tolist()}, and the spectrum goes from {known[0]:.6g} to "
                f"{known[-1]:.6g}; call noise_spectrum with frequencies that reach as far."
            )
        upper = np.clip(np.searchsorted(known, omega), min(1, len(known) - 1), len(known) - 1)
        lower = np.maximum(upper - 1, 0)
        apart = np.where(upper > lower, known[upper] - known[lower], 1.0)
        part = ((omega - known[lower]) / apart).reshape(-1, 1, 1, 1, 1)
        emission, absorption = (
            (1 - part) * matrices[lower] + part * matrices[upper]
            for matrices in (self.lead_emission, self.lead_absorption)
        )
        return replace(self, frequencies=omega, lead_emission=emission, lead_absorption=absorption)
