"""Which pairs of vibrational modes the current drives, and which way they turn."""

from dataclasses import KW_ONLY, dataclass
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.checks import positive_number
from kwant_curl.dynamics import complex_frequencies
from kwant_curl.frozen import freeze, read_only
from kwant_curl.results import ForceResponse
from kwant_curl.storage import Storable
from kwant_curl.units import Units
from kwant_curl.vibrations.mechanics import mechanics, other_damping, warn_of_negative_friction
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.orbits import Orbit, angular_momentum, direction_of_travel

__all__ = ["PumpedPairs", "pumped_pairs"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

PIECE = 2**14
"""Pairs whose equations are solved together."""


@dataclass(frozen=True, eq=False, repr=False)
class PumpedPairs(Storable):
    """Pairs of vibrational modes under current, those that grow fastest first.

    Made by `pumped_pairs`.  hbar = 1: rates are in units of energy.

    Attributes
    ----------
    pairs : array of int, shape (n_pairs, 2)
        Numbers k < m of the two modes X and Y of each pair.
    frequencies : array of complex, shape (n_pairs,)
        Omega of the motion of the two modes that grows fastest, or decays most slowly.
    amplitudes : array of complex, shape (n_pairs, 2)
        The two modes' parts in it, q(t) = Re a exp(-i Omega t): of equal size and a quarter of a
        period apart where the modes are degenerate and the current drives them.
    driving : array of float, shape (n_pairs,)
        kappa_km/(2 omega) with omega^2 = omega_k omega_m, signed: the current drives the motion
        from k to m where it is positive.  What Eq. 30 of Todorov et al. (2011) adds to the growth
        of degenerate modes.
    damping : array of float, shape (n_pairs,)
        (eta_kk + eta_mm)/2, the friction of Eq. 30, and damping of other origin likewise.
    detuning : array of float, shape (n_pairs,)
        omega_m - omega_k.
    patterns : array of float, shape (n_modes, n_c)
        Displacement patterns of the modes.
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are.
    units : Units or None
        The units, for labels.
    """

    DIMENSIONS = {  # noqa: RUF012
        "pairs": ("pair", "member"),
        "frequencies": ("pair",),
        "amplitudes": ("pair", "member"),
        "driving": ("pair",),
        "damping": ("pair",),
        "detuning": ("pair",),
        "patterns": ("mode", "coordinate"),
        "masses": ("coordinate",),
        "positions": ("atom", "direction"),
    }
    DERIVED = {"growth": ("pair",), "rotation": ("pair",)}  # noqa: RUF012

    pairs: NDArray[np.int64]
    frequencies: ComplexArray
    amplitudes: ComplexArray
    driving: FloatArray
    damping: FloatArray
    detuning: FloatArray
    patterns: FloatArray
    masses: FloatArray
    positions: FloatArray | None
    _: KW_ONLY
    units: Units | None = None

    def __post_init__(self) -> None:
        freeze(self, "pairs", "frequencies", "amplitudes", "driving", "damping", "detuning")
        freeze(self, "patterns", "masses")
        if self.positions is not None:
            freeze(self, "positions")

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        """Say how many grow, and which one fastest."""
        grows = self.growth > 0
        lost = np.count_nonzero(grows & (self.frequencies.real == 0))
        still = f" ({lost} of them without oscillating: springs that are lost)" if lost else ""
        first = f"; first modes {self.pairs[0, 0]} and {self.pairs[0, 1]}" if len(self) else ""
        return (
            f"<PumpedPairs: {len(self)} pairs of modes, of which {np.count_nonzero(grows)} grow"
            f"{still}{first}>"
        )

    def _repr_html_(self) -> str:
        """Show the first rows of the table in a notebook."""
        return f"{super()._repr_html_()}<pre>{self.table()}</pre>"

    @property
    def growth(self) -> FloatArray:
        """Growth rate of the energy of each pair's motion, 2 Im Omega, (n_pairs,), descending."""
        return read_only(2 * self.frequencies.imag)

    @property
    def rotation(self) -> FloatArray:
        """How much the motion turns from the first mode to the second, (n_pairs,), in -1 .. 1.

        2 Im(a_k^* a_m) for |a| = 1: the angular momentum in the plane of the two modes, in hbar
        per quantum.
        """
        first, second = self.amplitudes.T
        return read_only(2 * (first.conj() * second).imag)

    @property
    def vectors(self) -> ComplexArray:
        """Displacements of each pair's motion, (n_pairs, n_c)."""
        return read_only(np.einsum("pm,pmc->pc", self.amplitudes, self.patterns[self.pairs]))

    @property
    def angular_momentum(self) -> FloatArray:
        """Angular momentum of the atoms, (n_pairs,) or (n_pairs, 3): see `Stability`."""
        return angular_momentum(self.vectors, self.masses, self.positions)

    @property
    def travel(self) -> FloatArray:
        """Which way the wave travels, (n_pairs, dim): see `Stability`."""
        return direction_of_travel(self.vectors, self.positions)

    def orbit(self, number: int = 0) -> Orbit:
        """Return the motion of a pair, by its place in the table: the orbits of the atoms."""
        if not -len(self) <= number < len(self):
            raise IndexError(f"number is {number}: there are {len(self)} pairs.")
        return Orbit(
            self.amplitudes[number] @ self.patterns[self.pairs[number]],
            float(self.frequencies[number].real),
            float(self.growth[number]),
            self.masses,
            self.positions,
            units=self.units,
        )

    def table(self, rows: int = 10) -> str:
        """Return the first rows as text: modes, frequency, detuning, driving, damping, growth.

        `rotation` is 1 where the motion goes round from the first mode to the second, -1 where it
        goes the other way.
        """
        names = ("modes", "frequency", "detuning", "driving", "damping", "growth", "rotation")
        lines = [" ".join(f"{name:>11}" for name in names)]
        if self.units is not None:
            units = ["", *[self.units.energy_unit] * 2, *[f"{self.units.energy_unit}/ħ"] * 3, ""]
            lines.append(" ".join(f"{unit:>11}" for unit in units).rstrip())
        columns = zip(
            self.pairs,
            self.frequencies.real,
            self.detuning,
            self.driving,
            self.damping,
            self.growth,
            self.rotation,
            strict=True,
        )
        for (first, second), *numbers in islice(columns, rows):
            pair = f"{first}, {second}"
            lines.append(f"{pair:>11} " + " ".join(f"{number:>11.4g}" for number in numbers))
        return "\n".join(lines)


def pumped_pairs(
    response: ForceResponse,
    modes: VibrationalModes,
    *,
    max_detuning: float | None = None,
    damping: ArrayLike = 0.0,
) -> PumpedPairs:
    """Return what the current does to every pair of vibrational modes, each pair by itself.

    For each pair the equation of motion of the two modes is solved with all that the response
    holds: force constants, curl (or the whole Jacobian), friction (or the velocity tensor).  Two
    degenerate modes grow at the driving minus the damping of `ForceResponse.pumping_rates`; others
    only where the driving exceeds their detuning.

    Parameters
    ----------
    response : ForceResponse
        Of the same coordinates as the modes, at the bias in question.
    modes : VibrationalModes
        The vibrations without current.
    max_detuning : float, optional
        Only pairs whose frequencies differ by less.
    damping : float or array (n_modes,), default 0.0
        Damping of other origin than the electrons: the rate at which the energy of each mode
        decays.

    Returns
    -------
    PumpedPairs
        Sorted by growth, the fastest first.

    Raises
    ------
    ValueError
        If there are fewer than two modes, or modes of other coordinates than the response's.

    Warns
    -----
    RuntimeWarning
        Where linear response is taken so far that the friction has become negative.

    Notes
    -----
    Two modes by themselves are an approximation: `stability` has all of them at once.  The time
    grows as the number of pairs.
    """
    system = mechanics(response, modes, damping)
    warn_of_negative_friction([response], [system], stacklevel=3)
    omega = modes.frequencies
    first, second = np.triu_indices(len(omega), 1)
    if not first.size:
        raise ValueError(f"There is {len(omega)} mode; expected two or more, to make pairs.")
    if max_detuning is not None:
        near = np.abs(omega[first] - omega[second]) < positive_number("max_detuning", max_detuning)
        first, second = first[near], second[near]
    projected = response.project(modes.patterns)
    pairs = np.stack([first, second], axis=1)
    frequencies, amplitudes = _fastest(system.stiffness, system.damping, pairs)
    friction = np.diag(projected.friction) + other_damping(damping, len(omega))
    order = np.argsort(-frequencies.imag, kind="stable")
    k, m = first[order], second[order]
    return PumpedPairs(
        pairs=pairs[order],
        frequencies=frequencies[order],
        amplitudes=amplitudes[order],
        driving=projected.curl[k, m] / (2 * np.sqrt(omega[k] * omega[m])),
        damping=0.5 * (friction[k] + friction[m]),
        detuning=omega[m] - omega[k],
        patterns=modes.patterns,
        masses=modes.masses,
        positions=modes.positions if response.positions is None else response.positions,
        units=modes.units if response.units is None else response.units,
    )


def _fastest(
    stiffness: FloatArray, damping: FloatArray, pairs: NDArray[np.int64]
) -> tuple[ComplexArray, ComplexArray]:
    """Return Omega and the amplitudes of the fastest growing motion of each pair."""
    frequencies = np.empty(len(pairs), complex)
    amplitudes = np.empty((len(pairs), 2), complex)
    for start in range(0, len(pairs), PIECE):
        some = slice(start, start + PIECE)
        row, col = pairs[some][:, :, None], pairs[some][:, None, :]
        found, vectors = complex_frequencies(stiffness[row, col], damping[row, col])
        which = found.imag.argmax(axis=1)
        each = np.arange(len(which))
        frequencies[some], amplitudes[some] = found[each, which], vectors[each, which]
    return frequencies, amplitudes
