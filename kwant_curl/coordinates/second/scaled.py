"""Second derivatives of hoppings that scale with the length of their bond."""

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.algebra.differentiate import differentiate
from kwant_curl.algebra.second_differences import kinked_slope
from kwant_curl.algebra.stack import SecondDerivatives
from kwant_curl.coordinates.laws import Scaling
from kwant_curl.coordinates.scaled import bond_lengths, law_at, log_derivatives
from kwant_curl.coordinates.second.halves import coordinate_halves, of_difference
from kwant_curl.coordinates.where import MovingSites
from kwant_curl.model.bonds import bond_rows

__all__ = ["second_of_scaled_bonds"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def second_of_scaled_bonds(moving: MovingSites, scaling: Scaling) -> SecondDerivatives:
    """Return those of hoppings that scale with the length d of their bond, v = r_1 - r_2.

    d^2t/dv_a dv_b = t'' v_a v_b/d^2 + t' (delta_ab - v_a v_b/d^2)/d, and with L = d ln t/dd
    t' = L t, t'' = (L^2 + dL/dd) t.
    """
    syst, bonds = moving.model.syst, bond_rows(moving.model, moving.sites, moving.periods)
    distance = bond_lengths(syst, bonds)
    index, dim = moving.index, moving.dim
    # A bond of two sites that move is in the rows of both, and counts once.
    once = np.flatnonzero((index[bonds.there] < 0) | (bonds.here < bonds.there))
    here, there, distance = bonds.here[once], bonds.there[once], distance[once]
    slope = log_derivatives(syst, here, there, distance, scaling)
    change = _change_of_law(syst, here, there, distance, scaling)
    unit = bonds.vector[:, once] / distance
    along = unit[:, None] * unit
    across = np.eye(dim)[:, :, None] - along
    bends = bonds.value[once] * ((slope**2 + change) * along + slope / distance * across)
    coordinates = np.concatenate([moving.coordinates(end) for end in (here, there)])
    row = np.repeat(bonds.hubs, np.diff(bonds.indptr))[once]
    return coordinate_halves(coordinates, row, bonds.cols[once], of_difference(bends))


def _change_of_law(
    syst: FiniteSystem,
    here: IntArray,
    there: IntArray,
    distance: FloatArray,
    scaling: Scaling,
) -> FloatArray:
    """Return dL/dd of each bond, L = d ln t/dd, by differences over small parts of its length."""

    def values(stretch: float) -> ComplexArray:
        lengths = distance * stretch
        return (distance * log_derivatives(syst, here, there, lengths, scaling)).astype(complex)

    change, converged = differentiate(values, 1.0, (1.0,))
    bad = ~converged | kinked_slope(values, 1.0, 1.0)
    if bad.any():
        worst = int(np.flatnonzero(bad)[0])
        law = law_at(syst, here[worst], there[worst], scaling)
        raise ValueError(
            f"Finite differences of log_derivative of {law!r} at the bond length "
            f"{distance[worst]:.6g} don't converge, so there is no second derivative of the "
            "hopping; expected a law that is smooth there. If it has a cutoff, put it between "
            "bond lengths that occur."
        )
    return np.asarray(change.real / distance**2)
