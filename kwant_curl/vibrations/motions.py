"""Motions of atoms: whether they turn, and which way they travel."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.dynamics import angular_momenta, travel
from kwant_curl.support.frozen import read_only
from kwant_curl.support.storage import Storable
from kwant_curl.support.units import Units

__all__ = ["Motions", "check_dimension"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class Motions(Storable, ABC, saved=False):
    """What results share that hold motions u_I(t) = Re v_I exp(-i Omega t) of atoms.

    Attributes
    ----------
    masses : array of float, shape (n_c,)
        Mass of each coordinate.
    positions : array of float, shape (n_atoms, dim), or None
        Where the atoms are.
    units : Units or None
        The units, for labels.
    """

    DIMENSIONS = {"masses": ("coordinate",), "positions": ("atom", "direction")}  # noqa: RUF012

    masses: FloatArray
    positions: FloatArray | None
    units: Units | None

    @property
    @abstractmethod
    def _motions(self) -> ComplexArray:
        """The vectors v of the motions, shape (..., n_c)."""

    @property
    def angular_momentum(self) -> FloatArray:
        """Angular momentum of each motion: of the frequencies' shape, in 3D three numbers each.

        In hbar per quantum: 2 sum_i m_i Im(v_ix^* v_iy)/sum_i m_i |v_i|^2, about z in 2D.  Positive
        for atoms that go round anticlockwise; 1 if all do so on circles.
        """
        dim = check_dimension(self.positions)
        if dim == 1:
            raise ValueError("The atoms move on a line, where nothing turns; see `travel`.")
        return read_only(angular_momenta(self._motions, self.masses, dim))

    @property
    def travel(self) -> FloatArray:
        """Which way the wave of each motion travels: of the frequencies' shape, dim numbers each.

        sum_ij n_ij Im(v_i^* . v_j)/sum_ij |v_i| |v_j| over pairs of neighbours, n_ij the unit
        vector from one to the other: sin(q a) for a wave of wave number q along a chain, positive
        if it travels towards positive x; zero for a standing wave.
        """
        check_dimension(self.positions)
        return read_only(travel(self._motions, np.asarray(self.positions)))


def check_dimension(positions: FloatArray | None) -> int:
    """Return the dimension of space; raise if the coordinates are not displacements of atoms."""
    if positions is None:
        raise ValueError(
            "The coordinates are not displacements of atoms, so nothing is known of how "
            "atoms turn; take the complex vector itself."
        )
    return int(positions.shape[1])
