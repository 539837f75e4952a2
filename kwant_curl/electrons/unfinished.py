"""Results of integrals of which an energy failed: the error that says so carries them."""

from collections.abc import Iterable

from kwant_curl.algebra.integral_errors import Failed, finished
from kwant_curl.support.warning import issued

__all__ = ["finished", "noted"]


def noted(notices: Iterable[str], failed: Failed | None) -> tuple[str, ...]:
    """Return the notices for a result, and issue them, unless an error is going to be raised.

    A warning before it would hide it where warnings are errors.
    """
    return issued(notices) if failed is None else issued((), notices)
