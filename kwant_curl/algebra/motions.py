"""The motions of modes, with surroundings that remember or without: complex frequencies.

Arrays alone, of q'' = -S q - gamma q' - (Pi q)(t); Omega and v as in `dynamics`, Pi as in `memory`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.counting import growing_motions
from kwant_curl.algebra.dynamics import complex_frequencies, forward_frequencies, normalised
from kwant_curl.algebra.growing import followed
from kwant_curl.algebra.memory import Memory, evolution, quadratic_forms, without_constants

__all__ = ["MANY", "Solutions", "fastest_motion", "growing_motion", "motions"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

MANY = 200
"""From so many modes on the vector of one is worth a search of its own."""

FEW = 400
"""Up to so many real variables all eigenvalues are calculated, at once."""

MOST = 4000
"""Beyond so many variables they never are."""

ROUNDING = 1e-12
"""Below this part of the unit of frequency real parts are zero, and growth is none."""

MARGINAL = 1e-8
"""What decays by less than this part of the unit of frequency is about to grow."""

SAME = 1e-9
"""Solutions whose frequencies differ by less than this part of the unit may be one."""

ALIKE = 1 - 1e-6
"""They are if their vectors overlap by more."""


class Solutions(NamedTuple):
    """Omega, (n,), by ascending real part, and v, (n, n).

    Of those that oscillate one of each two, Omega and -Omega^*, is in it, and none is missing.

    missing: how many grow that are not in it.
    """

    frequencies: ComplexArray
    vectors: ComplexArray
    missing: int = 0


def motions(stiffness: FloatArray, damping: FloatArray, memory: Memory | None = None) -> Solutions:
    """Solve [Omega^2 - S - Pi(Omega) + i Omega gamma] v = 0, for n motions Re v exp(-i Omega t).

    Without poles of Pi those of `complex_frequencies`.  With poles there are more solutions than
    modes, motions of the surroundings: of these and those all that grow are returned, or are about
    to, then those that are most the modes' own by their `shares`.

    Of large systems (more than 400 variables q, q', Re y, Im y) the motions that Newton's method
    finds from the modes, with Pi at their own frequencies, are taken, if these are n and if by the
    argument principle (`growing_motions`) no others grow; if not, all eigenvalues.
    """
    stiffness, damping, memory = without_constants(stiffness, damping, memory)
    if memory is None:
        return Solutions(*complex_frequencies(stiffness, damping))
    size = _size(stiffness, memory)
    if size <= FEW:
        return _selected(stiffness, damping, memory)
    found = _from_modes(stiffness, damping, memory)
    if found is not None and not found.missing:
        return found
    if size <= MOST:
        return _selected(stiffness, damping, memory)
    if found is None:
        raise ValueError(
            f"Newton's method finds the motions of {len(stiffness)} modes not one by one, and the "
            f"equation of motion has {size} variables, more than {MOST}: too many for all "
            "eigenvalues. Take phonon leads with fewer poles, or fewer modes (select)."
        )
    return found


def fastest_motion(
    stiffness: FloatArray, damping: FloatArray, memory: Memory | None = None
) -> tuple[int, complex, ComplexArray]:
    """Return the number, Omega and v of the motion that grows fastest.

    The number is that by ascending real part, as in `motions`.
    """
    stiffness, damping, memory = without_constants(stiffness, damping, memory)
    if memory is None and len(stiffness) >= MANY:
        frequencies = forward_frequencies(stiffness, damping)
        number = int(frequencies.imag.argmax())
        found = followed(stiffness, damping, complex(frequencies[number]), None)
        if found is not None:
            return number, complex(frequencies[number]), found[1]
    frequencies, vectors, _ = motions(stiffness, damping, memory)
    number = int(frequencies.imag.argmax())
    return number, complex(frequencies[number]), vectors[number]


def growing_motion(
    stiffness: FloatArray, damping: FloatArray, memory: Memory, above: float
) -> tuple[complex, ComplexArray] | None:
    """Return Omega and v of a motion with Im Omega > above, or None: there is none, by their count.

    Of large systems by Newton's method from the modes, which looks for what was counted; all
    solutions are calculated only if it finds nothing.

    Raises
    ------
    ValueError
        If motions were counted and none is found.
    """
    large = _size(stiffness, memory) > FEW
    count = growing_motions(stiffness, damping, memory, above=above) if large else 0
    if large and not count:
        return None
    if large:
        for start in _starts(stiffness, damping, memory):
            motion = followed(stiffness, damping, *start, memory)
            if motion is not None and motion[0].imag > above:
                return _forwards(motion, _unit(stiffness))
    frequencies, vectors, missing = motions(stiffness, damping, memory)
    fastest = int(frequencies.imag.argmax())
    if frequencies[fastest].imag > above:
        return complex(frequencies[fastest]), vectors[fastest]
    if missing:
        raise ValueError(
            f"{missing} motions of the leads grow that are not found from the modes, and there are "
            "too many variables for all eigenvalues. Take phonon leads with fewer poles."
        )
    return None


def shares(
    frequencies: ComplexArray, vectors: ComplexArray, memory: Memory, unit: float
) -> FloatArray:
    """Return how much the modes have of each solution, between 0 and 1.

    1/(1 + |v^+ Pi'(Omega) v|/|2 Omega|), |v| = 1.  With one undamped oscillator outside it is the
    modes' part of the sum of all squared mass-weighted amplitudes.  It depends on Pi alone, not on
    the variables it is made of.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # on a pole it is the lattice's alone
        outside = np.abs(quadratic_forms(memory.slope, frequencies, vectors))
    own = 2 * np.abs(frequencies)
    total = own + outside
    known = np.isfinite(total) & (total > ROUNDING * unit)
    return np.where(known, own / np.where(known, total, 1.0), 0.0)


def _selected(stiffness: FloatArray, damping: FloatArray, memory: Memory) -> Solutions:
    """Return n of all solutions, from the eigenvalues of the real matrix of all variables."""
    n, unit = len(stiffness), _unit(stiffness)
    scaled = memory.scaled(unit)
    matrix = evolution(stiffness / unit**2, damping / unit, scaled)
    rates, columns = np.linalg.eig(matrix)
    frequencies: ComplexArray = np.multiply(1j, rates)
    frequencies.real[np.abs(frequencies.real) <= ROUNDING] = 0.0
    forward = np.flatnonzero(_forward(frequencies))
    frequencies = frequencies[forward]
    vectors = columns[:n, forward].T.astype(np.complex128)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(length > 0, length, 1.0)
    grows = frequencies.imag > -MARGINAL
    order = np.lexsort((-shares(frequencies, vectors, scaled, 1.0), np.where(grows, -1, 0)))
    order = order[:n] if grows.sum() <= n else np.argsort(-frequencies.imag, kind="stable")[:n]
    order = order[np.argsort(frequencies.real[order], kind="stable")]
    missing = np.count_nonzero(frequencies.imag > ROUNDING) - np.count_nonzero(
        frequencies.imag[order] > ROUNDING
    )
    return Solutions(frequencies[order] * unit, normalised(vectors[order]), int(missing))


def _forward(frequencies: ComplexArray) -> NDArray[np.bool_]:
    """Return which of all solutions are to be looked at.

    Of Omega and -Omega^* the first; of those that don't oscillate the half that decays more slowly,
    and all that grow.
    """
    still = np.flatnonzero(frequencies.real == 0)
    forward = frequencies.real > 0
    slow_first = still[np.argsort(-frequencies.imag[still], kind="stable")]
    forward[slow_first[: len(still) // 2]] = True
    result: NDArray[np.bool_] = forward | ((frequencies.real == 0) & (frequencies.imag > ROUNDING))
    return result


def _from_modes(stiffness: FloatArray, damping: FloatArray, memory: Memory) -> Solutions | None:
    """Return what Newton's method finds from each mode; None if these are not n motions."""
    unit = _unit(stiffness)
    found: list[tuple[complex, ComplexArray]] = []
    for start in _starts(stiffness, damping, memory):
        motion = followed(stiffness, damping, *start, memory)
        if motion is None:
            return None
        motion = _forwards(motion, unit)
        if _is_known(motion, found, unit):
            return None
        found.append(motion)
    found.sort(key=lambda motion: motion[0].real)
    frequencies = np.array([frequency for frequency, _ in found])
    margin = ROUNDING * unit
    grows = frequencies.imag > margin
    known = int(grows.sum() + (grows & (frequencies.real > margin)).sum())
    count = growing_motions(stiffness, damping, memory, above=margin, near=frequencies)
    return Solutions(frequencies, np.array([vector for _, vector in found]), max(0, count - known))


def _starts(
    stiffness: FloatArray, damping: FloatArray, memory: Memory
) -> list[tuple[complex, ComplexArray]]:
    """Return one motion per mode, with Pi at the frequency of this mode."""
    own = np.sqrt(np.abs(np.sort(stiffness.diagonal())))
    surroundings = memory(own)
    friction = -surroundings.imag / np.maximum(own, ROUNDING * _unit(stiffness))[:, None, None]
    found, vectors = complex_frequencies(stiffness + surroundings.real, damping + friction)
    return [(complex(found[k, k]), vectors[k, k]) for k in range(len(own))]


def _forwards(motion: tuple[complex, ComplexArray], unit: float) -> tuple[complex, ComplexArray]:
    """Return the same motion with a real part that is positive, or zero if it is rounding."""
    frequency, vector = motion
    if abs(frequency.real) <= ROUNDING * unit:
        return complex(0.0, frequency.imag), vector
    return motion if frequency.real > 0 else (-frequency.conjugate(), vector.conj())


def _is_known(
    motion: tuple[complex, ComplexArray], others: list[tuple[complex, ComplexArray]], unit: float
) -> bool:
    return any(
        abs(motion[0] - frequency) <= SAME * unit and abs(np.vdot(motion[1], vector)) > ALIKE
        for frequency, vector in others
    )


def _size(stiffness: FloatArray, memory: Memory) -> int:
    """Return how many real variables q, q', Re y, Im y there are."""
    return 2 * (len(stiffness) + len(memory.factors()[0]))


def _unit(stiffness: FloatArray) -> float:
    return float(np.sqrt(np.abs(stiffness).max())) or 1.0
