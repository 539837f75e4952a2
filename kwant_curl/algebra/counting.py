"""How many motions grow, by the argument principle: no root is left out.  Arrays alone.

Of L(Omega) = Omega^2 - S - Pi(Omega) + i Omega gamma, with Pi analytic above the real axis: det L
turns around zero once for each root of it above a line along which Omega goes, closed far above.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.memory import Memory

__all__ = ["SelfEnergy", "growing_motions"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

SelfEnergy = Memory | Callable[[ComplexArray], ComplexArray]
"""Pi at frequencies (n,): (n, n_modes, n_modes)."""

STEP = 0.8
"""The logarithm of the determinant changes by less from point to point: half a turn is 3.1."""

CONFIRMED = 0.2
"""By how much the changes in both halves of an interval may differ, of a straight line."""

OCTAVES = np.concatenate([-(2.0 ** np.arange(8, -3, -1)), [0.0], 2.0 ** np.arange(-2, 9)])
"""Where to look first around a frequency, in what is known of its width."""

NARROWEST = 1e-6
"""What is narrower, in the unit of frequency, is found from here."""

BACKGROUND = 65
"""Points between zero and infinity at least."""

SMALLEST = 1e-15
"""An interval as small has a root at the line itself: the determinant has no phase there."""

PIECE = 2**21
"""Elements of the matrices whose determinants are calculated together."""


def growing_motions(
    stiffness: FloatArray,
    damping: FloatArray,
    selfenergy: SelfEnergy | None = None,
    *,
    above: float = 0.0,
    near: Iterable[complex] = (),
) -> int:
    """Return how many solutions of [Omega^2 - S - Pi(Omega) + i Omega gamma] v = 0 grow.

    One that oscillates counts twice, as Omega and as -Omega^*.

    Parameters
    ----------
    stiffness, damping : array (n, n)
        S and gamma, real.
    selfenergy : callable or Memory, optional
        Pi, with Pi(-Omega^*) = Pi(Omega)^*, analytic above the real axis, and there of less growth
        than Omega^2.
    above : float, default 0.0
        Those with a larger Im Omega are counted.
    near : iterable of complex
        Roots and poles of L that are known about, where points are close from the start: their
        distance from the line counts.  The poles of a `Memory`, and the modes, are known.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If a root is on the line itself, where nothing can be counted.

    Notes
    -----
    Points are added until log det L changes by less than 0.8 from one to the next and midpoints
    confirm it.  What can be missed is a root and a pole of Pi, at both sides of the line and much
    closer to each other than to any other point: poles of a `Memory` are looked at one by one,
    those of a function are not known.
    """
    unit = float(np.sqrt(np.abs(stiffness).max())) or 1.0
    own = np.sqrt(np.abs(stiffness.diagonal())) + 0.5j * np.abs(damping.diagonal())
    poles = selfenergy.poles if isinstance(selfenergy, Memory) else np.zeros(0, complex)
    known = np.concatenate([own, poles, np.array(list(near), complex)])
    widths = np.maximum(np.abs(known.imag - above), NARROWEST * unit)
    first = np.abs(known.real[:, None] + widths[:, None] * OCTAVES).ravel()

    def logarithms(places: FloatArray) -> ComplexArray:
        omegas = np.asarray(unit * places / (1 - places) + 1j * above, complex)
        return _logarithms(stiffness, damping, selfenergy, unit, omegas)

    places = np.unique(np.concatenate([np.linspace(0, 1, BACKGROUND), first / (first + unit)]))
    # Of many poles two may ask for the same place but for rounding.
    places = places[np.append(True, np.diff(places) > 100 * SMALLEST)]
    turned = _turned(logarithms, places[places < 1])
    count = round(turned / np.pi)
    if abs(turned / np.pi - count) > CONFIRMED:
        raise ValueError(f"The determinant turns by {turned / np.pi:.3g} half turns, no number.")
    return count


def _logarithms(
    stiffness: FloatArray,
    damping: FloatArray,
    selfenergy: SelfEnergy | None,
    unit: float,
    omegas: ComplexArray,
) -> ComplexArray:
    """Return log det L/(omega + i unit)^(2n), with any multiple of 2 pi i."""
    pieces = -(-omegas.size * stiffness.size // PIECE)
    result = []
    for some in np.array_split(omegas, pieces):
        scale = some[:, None, None] + 1j * unit
        forces = some[:, None, None] * (some[:, None, None] * np.eye(len(stiffness)) + 1j * damping)
        forces = forces - stiffness
        if selfenergy is not None:
            forces -= selfenergy(some)
        sign, size = np.linalg.slogdet(forces / scale**2)
        result.append(size + 1j * np.angle(sign))
    return np.concatenate(result)


def _turned(logarithms: Callable[[FloatArray], ComplexArray], places: FloatArray) -> float:
    """Return by how much the imaginary part changes from the first place to 1, where it is zero."""
    # At infinity, t = 1, the function is 1.
    found = np.append(logarithms(places), 0.0)
    places = np.append(places, 1.0)
    turned = 0.0
    left, right = places[:-1], places[1:]
    at_left, at_right = found[:-1], found[1:]
    while left.size:
        middle = 0.5 * (left + right)
        if ((right - left) <= SMALLEST).any():
            raise ValueError(
                "A root is as near to the line above which they are counted as rounding; count "
                "above another one."
            )
        between = logarithms(middle)
        first, second = _wrapped(between - at_left), _wrapped(at_right - between)
        settled = (np.abs(first) < STEP) & (np.abs(second) < STEP)
        settled &= np.abs(first - second) < CONFIRMED
        turned += float((first + second).imag[settled].sum())
        more = ~settled
        left, right = _halves(left[more], middle[more], right[more])
        at_left, at_right = _halves(at_left[more], between[more], at_right[more])
    return turned


def _halves(
    left: NDArray[Any], middle: NDArray[Any], right: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the beginnings and the ends of both halves of intervals."""
    return np.concatenate([left, middle]), np.concatenate([middle, right])


def _wrapped(change: ComplexArray) -> ComplexArray:
    """Return changes of a logarithm, the imaginary part between -pi and pi."""
    turns = np.round(change.imag / (2 * np.pi))
    return change - 2j * np.pi * turns
