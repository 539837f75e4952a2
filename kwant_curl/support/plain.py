"""Numbers, texts, arrays and what is made of them, as JSON that says exactly what they were."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["as_json", "from_json"]

TAG = "!"
"""Begins the key of what JSON has no word for; dictionaries with such keys are written as pairs."""


def as_json(value: Any, leaf: Callable[[Any], Any], *, ordered: bool = True) -> Any:
    """Return a value as what `json` writes: None, numbers, strings, lists, tuples, dictionaries.

    leaf: says the same of anything else, scalars of NumPy too, or raises.  ordered: whether the
    order of a dictionary belongs to it.
    """
    inner = [as_json(part, leaf, ordered=ordered) for part in _parts(value)]
    match value:
        case np.generic():
            return leaf(value)
        case None | bool() | int() | float() | str():
            return value
        case complex():
            return {"!complex": [value.real, value.imag]}
        case list():
            return inner
        case tuple():
            return {"!tuple": inner}
        case Mapping():
            keys = [as_json(key, leaf) for key in value]
            if all(isinstance(key, str) and not key.startswith(TAG) for key in keys):
                pairs = list(zip(keys, inner, strict=True))
                return dict(pairs if ordered else sorted(pairs))
            listed = [[key, part] for key, part in zip(keys, inner, strict=True)]
            return {"!pairs": listed if ordered else sorted(listed, key=repr)}
    return leaf(value)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def from_json(value: Any, leaf: Callable[[str, Any], Any]) -> Any:
    """Return what `as_json` was given; leaf: is asked for what it was asked for, by its tag."""
    match value:
        case list():
            return [from_json(part, leaf) for part in value]
        case {"!complex": [real, imag]}:
            return complex(real, imag)
        case {"!tuple": parts}:
            return tuple(from_json(part, leaf) for part in parts)
        case {"!pairs": pairs}:
            return {from_json(key, leaf): from_json(part, leaf) for key, part in pairs}
        case dict():
            for key, part in value.items():
                if key.startswith(TAG):
                    return leaf(key, part)
            return {key: from_json(part, leaf) for key, part in value.items()}
    return value
