"""Functions of the user's own that take some of the params."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["arguments"]


def arguments(
    function: Callable[..., Any], n_sites: int, params: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what of `params` a function takes by keyword after its first `n_sites` arguments."""
    given = dict(params or {})
    signature = list(inspect.signature(function).parameters.values())[n_sites:]
    if any(p.kind is p.VAR_KEYWORD for p in signature):
        return given
    missing = [p.name for p in signature if p.default is p.empty and p.name not in given]
    if missing:
        raise TypeError(
            f"{getattr(function, '__name__', function)} takes {', '.join(map(repr, missing))}, "
            f"which params does not hold (it holds {sorted(given)})."
        )
    return {p.name: given[p.name] for p in signature if p.name in given}
