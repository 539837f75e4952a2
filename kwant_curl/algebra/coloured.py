"""Gaussian noise with a spectrum: real forces whose second moments are given by frequency.

S(omega) = int dt exp(i omega t) <xi(t) xi(0)^T>, (n, n), Hermitian, positive semidefinite and
S(-omega) = S(omega)^*.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len
from scipy.special import exprel

from kwant_curl.algebra.memory import Memory

__all__ = [
    "Spectrum",
    "TabulatedSpectrum",
    "ThermalSpectrum",
    "bose_temperature",
    "bytes_of_noise",
    "check_positive",
    "coloured_noise",
    "mean_energy",
    "period",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

Spectrum: TypeAlias = Callable[[FloatArray, float], NDArray[np.inexact]]
"""S at frequencies (n_frequencies,) that are not negative, (n_frequencies, n, n); its mean over a
width around each, if that is not zero and S may be narrower."""

FORGOTTEN = 18.0
"""Correlations that have decayed by exp(-18) = 1.5e-8 are gone."""

CHECKED = 1024
"""At how many frequencies a spectrum is looked at before it is used."""

LONGEST = 8
"""Durations that a period takes at most."""

PIECE = 2**20
"""Random numbers that are drawn together."""


def mean_energy(omega: FloatArray, temperature: float, *, quantum: bool) -> FloatArray:
    """Return what a mode of this frequency holds at kT: kT, or omega/2 coth(omega/2kT)."""
    if not quantum:
        return np.full(np.shape(omega), float(temperature))
    size = np.abs(omega)
    if not temperature:
        return 0.5 * size
    result: FloatArray = 0.5 * size + temperature / exprel(size / temperature)
    return result


def bose_temperature(omega: FloatArray, phonons: FloatArray) -> FloatArray:
    """Return kT at which modes have so many phonons: zero for none, infinite for no limit."""
    with np.errstate(divide="ignore"):
        result: FloatArray = omega / np.log1p(1 / np.maximum(phonons, 0.0))
    return result


@dataclass(frozen=True, eq=False)
class ThermalSpectrum:
    """The noise that belongs to a damping: S = 2 (-Im Pi(omega)/omega) times the mean energy.

    Beyond the cutoff there is none.
    """

    memory: Memory
    temperature: float
    quantum: bool
    cutoff: float = math.inf

    def __call__(self, omega: FloatArray, width: float) -> FloatArray:
        """Return S, real and symmetric."""
        energy = mean_energy(omega, self.temperature, quantum=self.quantum)
        energy = np.where(omega <= self.cutoff, energy, 0.0)
        return 2 * energy[:, None, None] * self.memory.damping(omega, width)


@dataclass(frozen=True, eq=False)
class TabulatedSpectrum:
    """A spectrum that is known at some positive frequencies, linear in between.

    Between the first one and its mirror image S(-omega) = S(omega)^* it is linear too; beyond the
    last one, or the cutoff, there is none.  So it is positive semidefinite where the matrices are.
    """

    frequencies: FloatArray
    matrices: ComplexArray
    cutoff: float = math.inf

    def __call__(self, omega: FloatArray, width: float) -> ComplexArray:
        """Return S, whatever the width: nothing is known between its frequencies."""
        known = np.concatenate([-self.frequencies[:1], self.frequencies])
        matrices = np.concatenate([self.matrices[:1].conj(), self.matrices])
        upper = np.clip(np.searchsorted(known, omega), 1, len(known) - 1)
        lower = upper - 1
        part = ((omega - known[lower]) / (known[upper] - known[lower]))[:, None, None]
        found = (1 - part) * matrices[lower] + part * matrices[upper]
        inside = omega <= min(self.cutoff, known[-1])
        result: ComplexArray = np.where(inside[:, None, None], found, 0.0)
        return result


def period(n_steps: int, step: float, slowest: float) -> tuple[int, float]:
    """Return how many samples make a period, of which the first n_steps + 1 are used.

    Twice as many, and so many more that what decays as slowly as exp(-slowest t) is forgotten
    where the noise begins again; but eight times as many at most.  Then the spectrum is to be
    averaged between the period's frequencies, over the width that is returned (else zero).
    Correlations over a time t are then too small by 1 - sinc(pi t/period), below 3 % for all of
    the duration; lines that are narrower keep their strength, and move to the nearest frequency.
    """
    tail = math.ceil(FORGOTTEN / (slowest * step)) if math.isfinite(slowest) else 0
    longest = (LONGEST - 1) * n_steps
    length = int(next_fast_len(n_steps + 1 + max(n_steps, min(tail, longest)), real=True))
    return length, 0.0 if tail <= longest else 2 * math.pi / (length * step)


def bytes_of_noise(length: int, n: int) -> int:
    """Return what the noise of one trajectory takes while it is made."""
    return 40 * length * n


def frequencies_of(length: int, step: float) -> FloatArray:
    """Return the frequencies of a period, from zero to the Nyquist frequency."""
    return np.asarray(2 * np.pi * np.fft.rfftfreq(length, step), dtype=float)


def check_positive(spectrum: Spectrum, highest: float, tolerance: float, name: str) -> None:
    """Raise unless a spectrum is positive semidefinite, up to `tolerance` of its largest value."""
    omega = np.linspace(0, highest, CHECKED)
    values = np.linalg.eigvalsh(spectrum(omega, 0.0))
    largest = float(np.abs(values).max(initial=0.0))
    if values.min(initial=0.0) < -tolerance * largest:
        where = int(values.min(axis=1).argmin())
        raise ValueError(
            f"The noise of {name} is not positive semidefinite: at the frequency "
            f"{omega[where]:.4g} its spectrum has an eigenvalue of {values[where].min():.3g} (the "
            f"largest is {largest:.3g}): what is there feeds energy in instead of damping."
        )


def coloured_noise(
    spectrum: Spectrum,
    length: int,
    step: float,
    shape: tuple[int, int],
    generator: Generator,
    width: float = 0.0,
) -> FloatArray:
    """Return noise with this spectrum, (length, n_trajectories, n), periodic in `length` samples.

    width: over what the spectrum is averaged around each frequency, see `period`.

    Each frequency of the period has random amplitudes of the covariance S(omega), made with its
    Hermitian root: the covariance in time is the exact one summed over all periods.
    """
    omega = frequencies_of(length, step)
    amplitudes = np.empty((len(omega), *shape), complex)
    for some in _pieces(len(omega), shape):
        parts = generator.standard_normal((2, *amplitudes[some].shape))
        # In time as exp(i omega t), so with S^*: the row z R is (R^* z)^T.
        real, imaginary = parts @ _roots(spectrum(omega[some], width))
        amplitudes[some] = real + 1j * imaginary
    # Those of zero and of the Nyquist frequency are real, and twice as large for that.
    alone = [0, -1] if length % 2 == 0 else [0]
    amplitudes[alone] = np.sqrt(2) * amplitudes[alone].real
    amplitudes *= np.sqrt(0.5 * length / step)
    result: FloatArray = irfft(amplitudes, length, axis=0, overwrite_x=True)
    return result


def _pieces(count: int, shape: tuple[int, int]) -> Iterator[slice]:
    size = max(1, PIECE // (shape[0] * shape[1] + shape[1] ** 2))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _roots(matrices: NDArray[np.inexact]) -> NDArray[np.inexact]:
    """Return the Hermitian roots of positive semidefinite matrices; rounding below zero is cut."""
    values, columns = np.linalg.eigh(matrices)
    roots = np.sqrt(np.maximum(values, 0.0))
    result: NDArray[np.inexact] = (columns * roots[:, None]) @ columns.conj().swapaxes(1, 2)
    return result
