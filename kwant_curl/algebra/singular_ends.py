"""Integrals that don't exist: functions that go as 1/(E - E0) at an end of a segment.

Arrays only: nothing here knows Kwant.
"""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integral_errors import DivergentIntegralError
from kwant_curl.algebra.pieces import Piece
from kwant_curl.algebra.sampled import Sampled

__all__ = ["check_ends"]

FloatArray = NDArray[np.float64]

NEAR_END, NEARER_END = 1e-3, 1e-5
"""Places next to an end of a segment where it is told whether an integral exists."""

SINGULAR = 0.1
"""A function that is 1/s at the end of a segment, times s: from one place to the other as good as
the same; a regular one falls to a hundredth."""


def check_ends(piece: Piece, sampled: Sampled, scale: FloatArray) -> None:
    """Raise if a function goes as 1/(E - E0) at an end; look there if the fit says so.

    scale: what each combination of samples is measured by.
    """
    if piece.fit is None:
        return
    for is_high in (False, True):
        places = [1 - s if is_high else s for s in (NEAR_END, NEARER_END)]
        if is_high in piece.probed:
            known = [piece.places.index(s) for s in places if s in piece.places]
            slopes = piece.segment.slope(np.array(places))[:, None]
            values = slopes * [sampled.rows[piece.index[i]] for i in known]
            if len(known) == len(places) and _is_singular(piece, sampled, values, places, scale):
                raise DivergentIntegralError(piece.segment.high if is_high else piece.segment.low)
            continue
        fit = piece.fit.basis(np.array(places)) @ np.array(sampled.rows)[piece.fit.which]
        if _is_singular(piece, sampled, fit, places, scale):
            piece.probed.add(is_high)
            piece.wanted += [s for s in places if s not in piece.places]


def _is_singular(
    piece: Piece, sampled: Sampled, values: FloatArray, places: list[float], scale: FloatArray
) -> bool:
    """Return whether values at two places near an end go as 1/s there, and count."""
    weights = sampled.envelope(piece.segment.energy(np.array(places)))
    near, nearer = np.abs(values * weights) * [[NEAR_END], [NEARER_END]] / scale
    counts = sampled.sketch.counts & (nearer > sampled.rtol)
    return bool(np.any(nearer[counts] > SINGULAR * near[counts]))
