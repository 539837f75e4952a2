"""What the routines that users call have in common: a log of what they did, and for how long."""

from collections.abc import Callable
from functools import wraps
from logging import getLogger
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

import numpy as np

from kwant_curl.support.storage import Storable

__all__ = ["recorded"]

LOG = getLogger(__name__)

Asked = ParamSpec("Asked")
Result = TypeVar("Result", bound=Storable)


def recorded(routine: Callable[Asked, Result]) -> Callable[Asked, Result]:
    """Log what a routine returned or raised, with the seconds it took."""

    @wraps(routine)
    def timed(*args: Asked.args, **kwargs: Asked.kwargs) -> Result:
        begin = perf_counter()
        try:
            result = routine(*args, **kwargs)
        except Exception as failure:
            seconds = perf_counter() - begin
            kind = type(failure).__name__
            LOG.info("%s: %s after %.3g s: %s", routine.__name__, kind, seconds, failure)
            raise
        LOG.info("%s: %s%.3g s", routine.__name__, _Said(result), perf_counter() - begin)
        return result

    return timed


class _Said:
    """What a log says of a result; made into a text where somebody reads it."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def __str__(self) -> str:
        result = self._result
        spectrum, error = (getattr(result, name, None) for name in ("spectrum", "error"))
        said = "" if spectrum is None else f"{len(spectrum.energies)} energies, "
        if isinstance(error, float | np.ndarray) and np.size(error):
            said += f"error {np.max(error):.3g}, "
        return said + f"{len(result.warnings)} warnings, " * bool(result.warnings)
