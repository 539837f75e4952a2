"""Pairs of vibrational modes under current: which grow, and which way they turn."""

from dataclasses import KW_ONLY, dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import Units, unit_names
from kwant_curl.vibrations.motions import Motions
from kwant_curl.vibrations.orbits import Orbit, orbit_of

__all__ = ["PumpedPairs"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False, repr=False)
class PumpedPairs(Motions):
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
    warnings : tuple of str
        What was warned of.
    """

    DIMENSIONS = {  # noqa: RUF012
        "pairs": ("pair", "member"),
        "frequencies": ("pair",),
        "amplitudes": ("pair", "member"),
        "driving": ("pair",),
        "damping": ("pair",),
        "detuning": ("pair",),
        "patterns": ("mode", "coordinate"),
        **Motions.DIMENSIONS,
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
    warnings: tuple[str, ...] = ()

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
            f"{still}{first}>{self._noted}"
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
    def _motions(self) -> ComplexArray:
        return self.vectors

    def orbit(self, number: int = 0) -> Orbit:
        """Return the motion of a pair, by its place in the table: the orbits of the atoms."""
        if not -len(self) <= number < len(self):
            raise IndexError(f"number is {number}: there are {len(self)} pairs.")
        vector = self.amplitudes[number] @ self.patterns[self.pairs[number]]
        return orbit_of(self, vector, self.frequencies[number])

    def table(self, rows: int = 10) -> str:
        """Return the first rows as text: modes, frequency, detuning, driving, damping, growth.

        `rotation` is 1 where the motion goes round from the first mode to the second, -1 where it
        goes the other way.
        """
        names = ("modes", "frequency", "detuning", "driving", "damping", "growth", "rotation")
        lines = [" ".join(f"{name:>11}" for name in names)]
        if self.units is not None:
            known = unit_names(self.units)
            units = ["", *[known.energy] * 2, *[known.rate] * 3, ""]
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
