"""Small vibrations about the place of rest, from which limit cycles grow."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from kwant_curl.algebra.dynamics import complex_frequencies, fastest_growth
from kwant_curl.algebra.periodic import PeriodicOrbit, harmonic_orbit, rest_position
from kwant_curl.motion.equations import EquationOfMotion
from kwant_curl.results import ForceResponse
from kwant_curl.vibrations import CriticalBias, VibrationalModes, critical_bias

__all__ = ["Rest", "at_rest", "onset"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

ACCURACY = 1e-9
"""How well the place of rest is known, in units of the largest amplitude."""


class Rest(NamedTuple):
    """The place of rest, and small vibrations about it: x'' = -stiffness x - damping x'.

    place: (n_c,), in x; growth: 2 Im Omega of the fastest.
    """

    place: FloatArray
    stiffness: FloatArray
    damping: FloatArray
    growth: float

    def neutral(self) -> tuple[float, float, ComplexArray]:
        """Return the damping besides with which nothing grows, and omega and v of what would.

        Raises
        ------
        ValueError
            Where what grows is no vibration.
        """
        unit = np.eye(len(self.place))

        def fastest(surplus: float) -> float:
            return fastest_growth(self.stiffness, self.damping + surplus * unit)

        high = self.growth
        while fastest(high) > 0:
            high *= 2
            if high > 1e6 * self.growth:
                raise ValueError(
                    "What grows at the place of rest is no vibration: no damping holds it. The "
                    "current has made a spring negative."
                )
        surplus = float(brentq(fastest, 0.0, high, xtol=1e-15 * high, rtol=1e-14))
        frequencies, vectors = complex_frequencies(self.stiffness, self.damping + surplus * unit)
        mode = int(frequencies.imag.argmax())
        return surplus, float(frequencies[mode].real), vectors[mode]

    def small_orbit(self, roots: FloatArray, size: float, n_points: int) -> PeriodicOrbit:
        """Return the orbit of what grows, of a root mean square displacement."""
        surplus, omega, vector = self.neutral()
        amplitude = size * np.sqrt(2 / np.sum(np.abs(vector / roots) ** 2))
        points = harmonic_orbit(self.place, vector, amplitude, n_points)
        return PeriodicOrbit(points, omega, surplus)


def at_rest(equation: EquationOfMotion, start: FloatArray, extent: float) -> Rest:
    """Return the place of rest, from one that is near."""
    accuracy = ACCURACY * extent * float(equation.roots.min())
    local = rest_position(start, equation.local_at, equation.springs, accuracy, equation.error)
    stiffness = -(equation.springs(local.points)[1] + local.slopes)[0]
    growth = 2 * fastest_growth(stiffness, local.damping[0])
    return Rest(local.points[0], stiffness, local.damping[0], growth)


def onset(rest_at: Callable[[float], Rest], largest: float) -> CriticalBias:
    """Return the bias up to `largest` from which small vibrations grow, by `critical_bias`.

    rest_at: the place of rest at a bias, about which they are.
    """
    still = rest_at(0.0)
    modes = VibrationalModes.from_force_constants(
        _symmetric(still.stiffness), np.ones(len(still.place))
    )

    def response(bias: float) -> ForceResponse:
        rest = rest_at(bias)
        gamma = rest.damping
        return ForceResponse.from_arrays(
            friction=_symmetric(gamma),
            jacobian=modes.force_constants - rest.stiffness,
            velocity=gamma,
            bias=bias or 1.0,  # at zero there is nothing that would scale with it
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what is known of the cycles
        return critical_bias(response, modes, largest, steps=1, rtol=1e-9)


def _symmetric(matrix: FloatArray) -> FloatArray:
    return 0.5 * (matrix + matrix.T)
