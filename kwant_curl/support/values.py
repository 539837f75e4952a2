"""What a function of a sweep returns, in a file: results, numbers, arrays, and what holds them."""

import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from kwant_curl.support.plain import as_json, from_json
from kwant_curl.support.storage import Storable, packed, read_result, unpacked

__all__ = ["read_value", "write_value"]


def write_value(path: Path, value: Any) -> None:
    """Write a value to a file, a result by its own `save`; raise a TypeError for other things."""
    if isinstance(value, Storable):
        value.save(path)
        return
    arrays: dict[str, Any] = {}

    def leaf(part: Any) -> Any:
        number = str(len(arrays))
        if isinstance(part, Storable):
            inner, described = packed(part)
            arrays.update({f"{number}/{name}": array for name, array in inner.items()})
            arrays[number] = np.empty(0)  # takes the number
            return {"!result": [number, described]}
        is_scalar = isinstance(part, np.generic)
        if (is_scalar or type(part) is np.ndarray) and not part.dtype.hasobject:
            arrays[number] = np.asarray(part)
            return {"!scalar" if is_scalar else "!array": number}
        raise TypeError(
            f"The function returned a {type(part).__name__}, which a store has no file for; "
            "expected results of kwant_curl, numbers, strings, arrays, or lists, tuples and "
            "dictionaries of them. Return such parts of it, or sweep without store=."
        )

    text = json.dumps({"value": as_json(value, leaf)})
    with open(path, "wb") as file:
        np.savez(file, metadata=np.array(text), **arrays)


def read_value(path: Path) -> Any:
    """Return the value in a file of `write_value`; a ValueError if it is damaged."""
    try:
        with open(path, "rb") as file:
            arrays = dict(np.load(file, allow_pickle=False))
        metadata = json.loads(str(arrays.pop("metadata")))
        if "value" not in metadata:
            return read_result(path)
        return from_json(metadata["value"], lambda tag, part: _leaf(arrays, tag, part))
    except (ValueError, LookupError, TypeError, AttributeError, EOFError, BadZipFile) as failure:
        raise ValueError(f"{path.name} is damaged: {failure}") from failure


def _leaf(arrays: dict[str, Any], tag: str, part: Any) -> Any:
    if tag == "!array":
        return arrays[part]
    if tag == "!scalar":
        return arrays[part][()]
    number, described = part
    start = f"{number}/"
    own = {key.removeprefix(start): a for key, a in arrays.items() if key.startswith(start)}
    return unpacked(described, own)
