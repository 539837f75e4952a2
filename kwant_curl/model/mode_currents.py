"""The current of a lead's modes, by which one sees whether they are right."""

from copy import copy

import numpy as np
from kwant.physics import PropagatingModes, StabilizedModes
from numpy.typing import NDArray

__all__ = ["check_currents", "with_separate_currents"]

CLOSE = 1e-3
"""Momenta that differ by less may be mixed by rounding, by the less the more they differ; Kwant
looks below 2e-10."""

MIXED = 1e-9
"""How large the current between two modes, each of unit current, may be by rounding."""

WRONG = 1e-6
"""From there on it isn't rounding: modes are missing, or are taken for others."""


def with_separate_currents(
    propagating: PropagatingModes, stabilised: StabilizedModes, hopping: NDArray[np.complex128]
) -> tuple[PropagatingModes, StabilizedModes]:
    """Return modes that carry no current together.

    Two modes of different momenta don't, and of equal ones Kwant chooses such.  Where the
    hopping has very different singular values, as with orbitals that reach far, rounding splits
    equal momenta by more than Kwant takes for equal.  What comes in by such modes, and so D, is
    then wrong by any amount.  Of the outgoing ones the space that they span counts alone, and
    that is right; they are separated for `check_currents`.

    hopping: `inter_cell_hopping` of the lead.
    """
    n = stabilised.nmodes
    for some in (slice(0, n), slice(n, 2 * n)):
        propagating, stabilised = _separated(propagating, stabilised, hopping, some)
    return propagating, stabilised


def _separated(
    propagating: PropagatingModes,
    stabilised: StabilizedModes,
    hopping: NDArray[np.complex128],
    some: slice,
) -> tuple[PropagatingModes, StabilizedModes]:
    """Return the modes with some that carry no current together, all of one direction."""
    momenta, waves = propagating.momenta[some], propagating.wave_functions[:, some]
    reached = waves[: hopping.shape[1]]  # the first orbitals of a cell are those at its interface
    half = reached.conj().T @ hopping.conj().T @ (waves * np.exp(1j * momenta))
    current = 1j * (half - half.conj().T)
    apart = np.abs(np.angle(np.exp(1j * (momenta[:, None] - momenta))))
    mixing = np.where(apart < CLOSE, current, 0.0)
    if np.abs(mixing - np.diag(np.diag(mixing))).max(initial=0.0) < MIXED:
        return propagating, stabilised
    values, vectors = np.linalg.eigh(mixing)
    # All of one sign.  The inverse root leaves those that are not mixed as they are.
    turned = vectors / np.sqrt(np.abs(values)) @ vectors.conj().T
    changed = copy(propagating)
    changed.wave_functions = propagating.wave_functions.copy()
    changed.wave_functions[:, some] = waves @ turned
    vecs, inverse = stabilised.vecs.copy(), stabilised.vecslmbdainv.copy()
    vecs[:, some], inverse[:, some] = vecs[:, some] @ turned, inverse[:, some] @ turned
    return changed, StabilizedModes(vecs, inverse, stabilised.nmodes, stabilised.sqrt_hop)


def check_currents(stabilised: StabilizedModes) -> None:
    """Raise RuntimeError unless modes carry unit current each, evanescent ones none, and no pair.

    That is so of exact modes at a real energy: |lambda| = 1 for those that carry any, and
    conj(lambda_i) lambda_j differs from 1 for any two others.  A mode that is open and taken for
    evanescent has a current.
    """
    n = stabilised.nmodes
    vecs, inverse = stabilised.vecs, stabilised.vecslmbdainv
    half = 1j * vecs.conj().T @ inverse
    expected = np.repeat([1.0, -1.0, 0.0], [n, n, vecs.shape[1] - 2 * n])
    wrong = np.abs(half + half.conj().T - np.diag(expected)).max(initial=0.0)
    if not wrong <= WRONG:  # nor where it is no number
        raise RuntimeError(
            f"The modes as found have currents that are off by up to {wrong:.2g} of that of one "
            "open mode, so that they are no modes of this lead, or not all of them"
        )
