"""What the routines that users call have in common: results and a log say where they come from."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from importlib.metadata import version
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
    """Log what a routine returned or raised, with the seconds it took; put them into the result.

    The params too: those given, else those of the first argument (a model, a field, a result).
    """

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
        seconds = perf_counter() - begin
        LOG.info("%s: %s%.3g s", routine.__name__, _Said(result), seconds)
        params = _params([*args, *kwargs.values()], kwargs.get("params"))
        return replace(result, params=params, version=version("kwant_curl"), seconds=seconds)

    return timed


def _params(arguments: list[Any], params: Any) -> dict[str, Any]:
    """Return the params as results keep them."""
    if params is None:
        params = getattr(arguments[0], "params", None)
    known = params if isinstance(params, Mapping) else {}
    return {str(name): _plain(value) for name, value in known.items()}


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.bool_ | np.number) else value
    if callable(value):  # whose repr has an address, which is another one each time
        return f"{getattr(value, '__qualname__', type(value).__name__)}()"
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


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
