"""The equation of motion of vibrational modes under current."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.results import ForceResponse
from kwant_curl.vibrations import VibrationalModes

__all__ = ["Mechanics", "check_same_coordinates", "mechanics"]

FloatArray = NDArray[np.float64]

CLOSE = 1e-6
"""By how much positions may differ, relative to the size of the device."""


class Mechanics(NamedTuple):
    """q'' = -stiffness q - damping q' in the basis of modes, (n_modes, n_modes) each."""

    stiffness: FloatArray
    damping: FloatArray


def mechanics(response: ForceResponse, modes: VibrationalModes) -> Mechanics:
    """Return stiffness omega^2 - J and damping gamma, with all that the response knows.

    J is the Jacobian, or, if the response was not asked for it, its antisymmetric part -curl/2;
    gamma the velocity tensor, or the friction of equilibrium.
    """
    check_same_coordinates(response, modes)
    projected = response.project(modes.patterns)
    jacobian = -0.5 * projected.curl if response.lead_jacobian is None else projected.jacobian
    damping = projected.friction if response.lead_velocity is None else projected.velocity
    return Mechanics(np.diag(modes.frequencies**2) - jacobian, damping)


def check_same_coordinates(response: ForceResponse, modes: VibrationalModes) -> None:
    """Raise unless the modes are those of the coordinates of the response."""
    n_c, n = len(response.friction), len(modes.masses)
    if n_c != n:
        raise ValueError(
            f"The response is that of {n_c} coordinates and the modes are of {n}; expected the "
            "same ones: take the modes of what moves, e.g. from_force_constants of these "
            "coordinates or from_ase(..., syst, coordinates)."
        )
    if response.positions is None or modes.positions is None:
        return
    apart = np.abs(response.positions - modes.positions).max()
    if apart > CLOSE * max(1.0, float(np.abs(response.positions).max())):
        raise ValueError(
            f"The atoms of the response and of the modes differ in their positions (by up to "
            f"{apart:.3g}); expected the same atoms in the same order."
        )
