"""Modes of a lead with nearly the same momentum, which Kwant may leave mixed."""

from copy import copy

import numpy as np
from kwant.physics import PropagatingModes, StabilizedModes
from numpy.typing import NDArray

__all__ = ["with_separate_currents"]

CLOSE = 1e-3
"""Momenta that differ by less may be mixed by rounding, by the less the more they differ; Kwant
looks below 2e-10."""

MIXED = 1e-9
"""How large the current between two modes, each of unit current, may be by rounding."""


def with_separate_currents(
    propagating: PropagatingModes, stabilised: StabilizedModes, hopping: NDArray[np.complex128]
) -> tuple[PropagatingModes, StabilizedModes]:
    """Return modes that carry no current together.

    Two modes of different momenta don't, and of equal ones Kwant chooses such.  Where the
    hopping has very different singular values, as with orbitals that reach far, rounding splits
    equal momenta by more than Kwant takes for equal.  What comes in by such modes, and so D, is
    then wrong by any amount.  Only incoming modes are changed: of the outgoing ones the space
    that they span counts, and that is right.

    hopping: `inter_cell_hopping` of the lead.
    """
    n = stabilised.nmodes
    momenta, waves = propagating.momenta[:n], propagating.wave_functions[:, :n]
    reached = waves[: hopping.shape[1]]  # the first orbitals of a cell are those at its interface
    half = reached.conj().T @ hopping.conj().T @ (waves * np.exp(1j * momenta))
    current = 1j * (half - half.conj().T)
    apart = np.abs(np.angle(np.exp(1j * (momenta[:, None] - momenta))))
    mixing = np.where(apart < CLOSE, current, 0.0)
    if np.abs(mixing - np.diag(np.diag(mixing))).max(initial=0.0) < MIXED:
        return propagating, stabilised
    values, vectors = np.linalg.eigh(mixing)
    # All of one sign: they come in.  The inverse root leaves those that are not mixed as they are.
    turned = vectors / np.sqrt(np.abs(values)) @ vectors.conj().T
    changed = copy(propagating)
    changed.wave_functions = propagating.wave_functions.copy()
    changed.wave_functions[:, :n] = waves @ turned
    vecs, inverse = stabilised.vecs.copy(), stabilised.vecslmbdainv.copy()
    vecs[:, :n], inverse[:, :n] = vecs[:, :n] @ turned, inverse[:, :n] @ turned
    return changed, StabilizedModes(vecs, inverse, n, stabilised.sqrt_hop)
