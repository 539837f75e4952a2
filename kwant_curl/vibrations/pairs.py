"""Pairs of vibrational modes under current: which grow, and which way they turn."""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kwant_curl.support.drawing import plot
from kwant_curl.support.frozen import read_only
from kwant_curl.support.units import Units, unit_names
from kwant_curl.vibrations.motions import Motions
from kwant_curl.vibrations.orbits import Orbit, orbit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SOURCES", "PumpedPairs"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

SOURCES = (
    "curl",
    "friction",
    "bias friction",
    "Lorentz",
    "springs",
    "lattice",
    "other damping",
)
"""What adds to the growth of a pair, in the order of `PumpedPairs.contributions`."""

WIDTH = 13
"""Of a column of the table."""

NONE = 1e-12
"""Below this part of the largest contribution, one is left out of the table."""


@dataclass(frozen=True, eq=False, repr=False)
class PumpedPairs(Motions):
    """Pairs of vibrational modes under current, those that it drives most first.

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
    contributions : array of float, shape (n_pairs, 7)
        What each of `SOURCES` adds to the growth; see Notes.
    single : array of int, shape (n_single,)
        Modes that grow by themselves, without any other: their friction is negative, or their
        spring is lost.  The fastest first.
    single_frequencies : array of complex, shape (n_single,)
        Omega of each of them; its real part is zero where the spring is lost.
    patterns : array of float, shape (n_modes, n_c)
        Displacement patterns of the modes.
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are.
    by : {"driving", "growth"}
        What the pairs are sorted by, descending: |driving|, or growth.
    units : Units or None
        The units, for labels.
    warnings : tuple of str
        What was warned of.

    Notes
    -----
    The contributions are the work that each force does per unit time, over the energy of the
    motion, E = (|Omega|^2 + sum_k omega_k^2 |a_k|^2)/2 (per unit mass, for |a| = 1); their sum is
    `growth` exactly.  They are those of

    - "curl": the antisymmetric part of the Jacobian, kappa_km Re Omega Im(a_k^* a_m)/E, about
      `driving` times `rotation`: what a detuning, unequal springs or a Lorentz force take is the
      rotation;
    - "friction": the friction of equilibrium, -|Omega|^2 a^+ eta a/E, about -`damping`;
    - "bias friction": what the bias adds to it, where the response holds the velocity tensor;
    - "Lorentz": its antisymmetric part, which is at right angles to the motion: zero;
    - "springs": the symmetric part of the Jacobian, Im Omega a^+ J a/E, where the response holds
      it: of second order, but all of the growth that there is without friction where a spring is
      lost;
    - "lattice": the self-energy of the modes' phonon leads, if they have any;
    - "other damping": the keyword `damping`.

    Examples
    --------
    >>> pairs = pumped_pairs(response, modes)
    >>> pairs.pairs.tolist()  # which two modes
    [[0, 1]]
    >>> pairs.table(1).split()[:4]
    ['modes', 'frequency', 'detuning', 'driving']
    """

    DIMENSIONS = {  # noqa: RUF012
        "pairs": ("pair", "member"),
        "frequencies": ("pair",),
        "amplitudes": ("pair", "member"),
        "driving": ("pair",),
        "damping": ("pair",),
        "detuning": ("pair",),
        "contributions": ("pair", "source"),
        "single": ("single",),
        "single_frequencies": ("single",),
        "patterns": ("mode", "coordinate"),
        **Motions.DIMENSIONS,
    }
    DERIVED = {  # noqa: RUF012
        "growth": ("pair",),
        "rotation": ("pair",),
        "of_single": ("pair",),
    }

    pairs: NDArray[np.int64]
    frequencies: ComplexArray
    amplitudes: ComplexArray
    driving: FloatArray
    damping: FloatArray
    detuning: FloatArray
    contributions: FloatArray
    single: NDArray[np.int64]
    single_frequencies: ComplexArray
    patterns: FloatArray
    masses: FloatArray
    positions: FloatArray | None
    _: KW_ONLY
    by: str = "driving"
    units: Units | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        """Say how many grow, which is first and which way it turns, and which grow alone."""
        grows = (self.growth > 0) & ~self.of_single
        lost = np.count_nonzero(grows & (self.frequencies.real == 0))
        still = f" ({lost} of them without oscillating: springs that are lost)" if lost else ""
        first = ""
        if len(self):
            sense = self.orbit().sense if self.frequencies[0].real else ""
            first = f"; first modes {self.pairs[0, 0]} and {self.pairs[0, 1]}"
            first += f" ({sense})" if sense else ""
        return (
            f"<PumpedPairs: {len(self)} pairs of modes, of which {np.count_nonzero(grows)} grow"
            f"{still}{first}{self._named_singles('; ')}>{self._noted}"
        )

    def _named_singles(self, before: str) -> str:
        """Return which modes grow by themselves as text, the first ten of them."""
        if not self.single.size:
            return ""
        names = ", ".join(map(str, self.single[:10])) + (", ..." if self.single.size > 10 else "")
        one = self.single.size == 1
        lost = np.count_nonzero(self.single_frequencies.real == 0)
        still = f" ({lost} of them without oscillating: springs that are lost)" if lost else ""
        return (
            f"{before}{'mode' if one else 'modes'} {names} "
            f"{'grows by itself' if one else 'grow by themselves'}{still}"
        )

    def _repr_html_(self) -> str:
        """Show the first rows of the table in a notebook."""
        return f"{super()._repr_html_()}<pre>{self.table()}</pre>"

    @property
    def growth(self) -> FloatArray:
        """Growth rate of the energy of each pair's motion, 2 Im Omega, (n_pairs,)."""
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
    def of_single(self) -> NDArray[np.bool_]:
        """Whether a pair grows because one of its modes does so by itself, (n_pairs,).

        One of the two is among `single`, and the curl gives less than half of the growth.
        """
        member = np.isin(self.pairs, self.single).any(axis=1)
        curl = self.contributions[:, SOURCES.index("curl")]
        return read_only(member & (self.growth > 0) & (curl < 0.5 * self.growth))

    @property
    def matters(self) -> NDArray[np.bool_]:
        """Which of `SOURCES` add anything to the growth of any pair, (7,); curl and friction do."""
        size = np.abs(self.contributions).max(axis=0, initial=0.0)
        shown = size > NONE * size.max()
        shown[[SOURCES.index("curl"), SOURCES.index("friction")]] = True
        return np.asarray(read_only(shown))

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
        goes the other way.  What follows adds up to the growth, see `contributions`; sources that
        add nothing anywhere are left out, but for curl and friction.  A star after the growth is
        that of a mode that grows by itself, see `of_single`.
        """
        shown = self.matters
        names = ["modes", "frequency", "detuning", "driving", "damping", "growth", "rotation"]
        names += [SOURCES[number].replace(" ", "_") for number in np.flatnonzero(shown)]
        lines = [_columns(names)]
        if self.units is not None:
            known = unit_names(self.units)
            units = ["", *[known.energy] * 2, *[known.rate] * 3, "", *[known.rate] * shown.sum()]
            lines.append(_columns(units).rstrip())
        columns = (
            self.frequencies.real,
            self.detuning,
            self.driving,
            self.damping,
            self.growth,
            self.rotation,
            *self.contributions[:, shown].T,
        )
        rowwise = zip(self.pairs, self.of_single, zip(*columns, strict=True), strict=True)
        for (first, second), alone, numbers in islice(rowwise, rows):
            texts = [f"{first}, {second}", *(f"{number:.4g}" for number in numbers)]
            texts[names.index("growth")] += "*" if alone else ""
            lines.append(_columns(texts))
        if self.single.size:
            lines.append(self._named_singles("* "))
        return "\n".join(lines)

    def plot(
        self, *, ax: "Axes | None" = None, rows: int = 10, energy_unit: str | None = None
    ) -> "Axes":
        """Draw what each force adds to the growth of the first pairs, and the growth.

        A stack of bars for each pair in the order of the table: what feeds its motion upwards from
        zero, what takes from it downwards.  Below are the two modes and the frequency, with a star
        as in `table`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if not given.
        rows : int
            How many pairs, at most.
        energy_unit : str, optional
            Unit of energy of the labels; the numbers are in it then.  Default: frequency in meV,
            rates in 1/ps where the units are known.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            For no pairs.
        """
        return plot(self, ax=ax, rows=rows, energy_unit=energy_unit)


def _columns(texts: Iterable[str]) -> str:
    return " ".join(f"{text:>{WIDTH}}" for text in texts)
