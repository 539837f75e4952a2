"""What coordinates that are coupled to each other answer, from matrix elements between states.

Scattering states are rows psi_n, normalised to unit current, so that the density of states
operator of a lead is D = (1/2 pi) sum_n |psi_n><psi_n|.  hbar = 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.matrix_elements import all_matrix_elements, chunks
from kwant_curl.algebra.rounding import antisymmetric_part
from kwant_curl.algebra.stack import Factors

__all__ = ["LeadResponses", "lead_responses"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class LeadResponses(NamedTuple):
    """What coupled coordinates answer, for a degeneracy of one.

    force: (n_leads, n_c) Tr[F_I D_alpha]; curl: (n_leads, n_c, n_c) 4 pi Im Tr[F_I D F_J D_alpha]
    = (1/pi) sum_beta Im sum_{m in alpha, n in beta} F_I^{mn} F_J^{nm}, of which the term
    alpha = beta vanishes; friction: (n_c, n_c) pi Re Tr[F_I D F_J D]; noise:
    (n_leads, n_leads, n_c, n_c) 2 pi Re Tr[F_I D_beta F_J D_alpha], symmetric in both pairs of
    axes, or None.
    """

    force: FloatArray
    curl: FloatArray
    friction: FloatArray
    noise: FloatArray | None


def lead_responses(
    factors: Factors, states: Sequence[ComplexArray], *, noise: bool = False
) -> LeadResponses:
    """Return force, curl, friction and noise of all coordinates by lead, for a degeneracy of one.

    Parameters
    ----------
    factors : Factors
        Those of the force operators, on the orbitals of `states`.
    states : sequence of arrays (n_modes, n_orbitals)
        The scattering states of each lead.
    noise : bool
        Whether the noise of each pair of leads is kept.

    Notes
    -----
    Todorov et al. (2011), Eq. 1, 31 and 32, in the basis of the scattering states.
    """
    n_leads, n_c = len(states), len(factors.start) - 1
    force = np.zeros((n_leads, n_c))
    curl = np.zeros((n_leads, n_c, n_c))
    friction = np.zeros((n_c, n_c))
    pairs = np.zeros((n_leads, n_leads, n_c, n_c)) if noise else None
    for a in range(n_leads):
        for b in range(a, n_leads):
            gram, diagonal = _gram(factors, states[a], states[b], a == b)
            force[a] += diagonal
            friction += gram.real / ((4 if a == b else 2) * np.pi)
            if pairs is not None:
                pairs[a, b] = pairs[b, a] = gram.real / (2 * np.pi)
            if a != b:
                antisymmetric = antisymmetric_part(gram) / np.pi
                curl[a] += antisymmetric
                curl[b] -= antisymmetric
    return LeadResponses(force, curl, friction, pairs)


def _gram(
    factors: Factors, bras: ComplexArray, kets: ComplexArray, same: bool
) -> tuple[ComplexArray, FloatArray]:
    """Return sum_mn F_I^{mn} F_J^{mn*} and, between the same states, sum_m F_I^{mm}/2 pi."""
    n_c = len(factors.start) - 1
    gram, trace = np.zeros((n_c, n_c), complex), np.zeros(n_c)
    for some in chunks(len(bras), n_c * len(kets)):
        elements = all_matrix_elements(factors, bras[some], kets)
        if same:
            mode = np.arange(elements.shape[1])
            diagonal = elements[:, mode, mode + some.start]
            trace += diagonal.real.sum(axis=1) / (2 * np.pi)
        flat = elements.reshape(n_c, -1)
        gram += flat @ flat.conj().T
    return gram, trace
