"""Potentials of the atoms: what users give, and one that is ready-made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.support.frozen import read_only
from kwant_curl.vibrations.harmonic import symmetric_matrix

__all__ = ["Potential", "QuarticPotential", "exerted"]

FloatArray = NDArray[np.float64]

Potential = Callable[[FloatArray], tuple[Any, Any]]
"""Energies (n,) and forces (n, n_c) at displacements (n, n_c)."""


def exerted(potential: Potential, displacements: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return energies (n,) and forces (n, n_c) at displacements (n, n_c), or raise."""
    answer = potential(displacements)
    n, n_c = displacements.shape
    shapes = [np.shape(part) for part in answer] if isinstance(answer, tuple) else []
    if shapes != [(n,), (n, n_c)]:
        given = f"arrays of shapes {shapes}" if shapes else f"a {type(answer).__name__}"
        raise ValueError(
            f"The potential returned {given} for displacements of shape {(n, n_c)}; expected "
            f"energies of shape {(n,)} and forces of shape {(n, n_c)}, a tuple: it is asked for "
            "many places at a time, one a row."
        )
    energy, force = (np.asarray(part, dtype=float) for part in answer)
    if not (np.isfinite(energy).all() and np.isfinite(force).all()):
        raise ValueError(
            "The potential returned numbers that are not finite, at displacements of up to "
            f"{np.abs(displacements).max():.4g}: the motion has left where it is defined."
        )
    return energy, force


@dataclass(frozen=True, eq=False)
class QuarticPotential:
    """Springs that stiffen: U = Q^T K Q/2 + sum_I b_I Q_I^4/4.

    A function: ``potential(q)`` returns energies (n,) and forces (n, n_c) at displacements
    (n, n_c).

    Parameters
    ----------
    force_constants : array (n_c, n_c)
        K, symmetric; it need not be positive (a double well).
    quartic : float or array (n_c,), default 0.0
        b, not negative.

    Raises
    ------
    ValueError, TypeError
        For matrices that are not real, finite and symmetric, and b of another shape or negative.

    Examples
    --------
    >>> potential = QuarticPotential(modes.force_constants, 20.0)
    >>> potential(np.array([[0.1, 0.0]]))
    (array([0.003]), array([[-0.07, -0.  ]]))
    """

    force_constants: ArrayLike
    quartic: ArrayLike = 0.0

    def __post_init__(self) -> None:
        springs = symmetric_matrix(self.force_constants)
        quartic = np.asarray(self.quartic, dtype=float)
        if quartic.shape not in ((), (len(springs),)) or not (quartic >= 0).all():
            raise ValueError(
                f"quartic is {self.quartic!r}; expected numbers that are not negative, one or "
                f"{len(springs)}."
            )
        object.__setattr__(self, "force_constants", read_only(springs))
        object.__setattr__(self, "quartic", read_only(np.broadcast_to(quartic, len(springs))))

    def __call__(self, displacements: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return energies (n,) and forces (n, n_c) at displacements (n, n_c)."""
        springs = np.asarray(self.force_constants)
        if displacements.shape[-1] != len(springs):
            raise ValueError(
                f"The potential is one of {len(springs)} coordinates, the displacements are of "
                f"{displacements.shape[-1]}."
            )
        drawn = displacements @ springs
        cubed = np.asarray(self.quartic) * displacements**3
        energy = np.sum(displacements * (0.5 * drawn + 0.25 * cubed), axis=-1)
        return energy, -drawn - cubed
