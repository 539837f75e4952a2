"""The noise of the electrons' force at finite frequency."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.results.exchange_spectrum import ExchangeSpectrum
from kwant_curl.results.mode_pairs import mode_patterns
from kwant_curl.results.operated import Operated
from kwant_curl.support.checks import ascending_array
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import spaced, unit_names

__all__ = ["NoiseSpectrum", "noise_matrices"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False, repr=False)
class NoiseSpectrum(Operated):
    """Noise of the electrons' force at finite frequency: what is emitted, and what is absorbed.

    Made by `noise_spectrum`.  hbar = 1.  With the correlation of the force operators
    C_IJ(omega) = int dt exp(i omega t) <dF_I(t) dF_J(0)>, emission is C(-omega) and absorption
    C(omega): a mode of mass 1 and frequency omega along a real pattern u is given
    u emission u/(2 omega) phonons per unit of time, and loses u absorption u/(2 omega) of each.

    `at_bias` and `at_temperature` give the spectrum elsewhere within the window, without a solve,
    from the samples that the result keeps: for each energy of the integrals n_c^2 numbers per pair
    of leads, ``spectrum.nbytes`` in all, a quarter of `lead_emission` and `lead_absorption` times
    the energies that a frequency takes.  `without_spectrum` drops them.

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
    pinned : array of bool, shape (n_leads,), or None
        In a Nambu model, which leads are superconducting, so that they can't be shifted.
    warnings : tuple of str
        What was warned of.
    spectrum : ExchangeSpectrum or None
        The energies that were sampled (not in a Nambu model, nor between the frequencies): other
        biases and temperatures within the window follow from it.

    Examples
    --------
    >>> spectrum = noise_spectrum(syst, moving, energy, [0.005, 0.01], bias=0.05, temperature=0.01)
    >>> spectrum.noise.shape  # frequencies, coordinates, coordinates
    (2, 2, 2)
    >>> spectrum.at([0.007]).noise.shape
    (1, 2, 2)
    """

    DIMENSIONS = {  # noqa: RUF012
        "bias": ("lead",),
        "pinned": ("lead",),
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

    frequencies: FloatArray
    lead_emission: ComplexArray
    lead_absorption: ComplexArray
    _: KW_ONLY
    patterns: FloatArray | None = None
    positions: FloatArray | None = None
    sites: NDArray[np.int64] | None = None
    spectrum: ExchangeSpectrum | None = None

    def __repr__(self) -> str:
        """Say of how many coordinates it is, and between which frequencies."""
        unit = spaced(unit_names(self.units).energy)
        return (
            f"<NoiseSpectrum of {self.lead_emission.shape[-1]} coordinates, {self._operation}, "
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

        def projected(matrices: NDArray[Any]) -> Any:
            return patterns @ matrices @ patterns.T

        return replace(
            self,
            lead_emission=projected(self.lead_emission),
            lead_absorption=projected(self.lead_absorption),
            spectrum=None if self.spectrum is None else self.spectrum.mapped(projected),
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
            Without the energies that were sampled: first `at_bias` or `at_temperature`, then this.

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
        return replace(
            self,
            frequencies=omega,
            lead_emission=emission,
            lead_absorption=absorption,
            spectrum=None,
        )

    def _integrated(
        self, spectrum: ExchangeSpectrum, shifts: FloatArray, temperature: float
    ) -> tuple[dict[str, Any], float]:
        """Return the matrices that follow from a spectrum, and the estimated error."""
        emitted, absorbed, error = spectrum.integrals(self.energy + shifts, temperature)
        return noise_matrices(emitted, absorbed), error


def noise_matrices(
    emitted: Sequence[FloatArray], absorbed: Sequence[FloatArray]
) -> dict[str, ComplexArray]:
    """Return `lead_emission` and `lead_absorption` from what each frequency's integrals are.

    Real matrices each, (n_leads, n_leads, n_c, n_c), Re + Im of Hermitian ones.
    """
    # Tr[F_I D_alpha F_J D_beta] is that of the emission with I and J exchanged.
    return {
        "lead_emission": _hermitian(np.array(emitted)),
        "lead_absorption": _hermitian(np.array(absorbed)).conj(),
    }


def _hermitian(packed: FloatArray) -> ComplexArray:
    """Return the matrices of which real and imaginary part were added up."""
    turned = packed.swapaxes(-1, -2)
    result: ComplexArray = 0.5 * (packed + turned) + 0.5j * (packed - turned)
    return result
