"""How well an integral is known whose search didn't come to an end.

There two successive fits may agree and both be wrong: they differ by one sample among peaks that
nobody has looked at.  Fits of half the samples tell more: each has missed what the other has seen.
Arrays only: nothing here knows Kwant.
"""

from collections.abc import Sequence

from kwant_curl.algebra.element_errors import element_errors
from kwant_curl.algebra.pieces import Piece
from kwant_curl.algebra.sampled import Sampled
from kwant_curl.algebra.segments import Fit

__all__ = ["compared_with_halves"]


def compared_with_halves(
    pieces: Sequence[Piece], sampled: Sampled, left: float
) -> tuple[float, list[Fit]]:
    """Return an error from leaving out every other sample, and the fits of the rest.

    The error: by how much integrals change without one half and without the other, together,
    relative to the largest element of each part.  The fits: those of the half that is farther off.
    left: of the integral of a modulus, see `integration`.
    """
    found = []
    for first in (0, 1):
        fits = [(p.fit, p.half_fit(sampled, left, first)) for p in pieces if p.fit is not None]
        error = float(element_errors(fits, sampled).sum())
        found.append((error, [half for _, half in fits]))
    return sum(error for error, _ in found), max(found, key=lambda pair: pair[0])[1]
