"""A folder that keeps the finished points of a sweep, so that a run that was killed goes on."""

import json
import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from sys import modules
from tempfile import mkstemp
from types import ModuleType
from typing import Any

import numpy as np

from kwant_curl.support.plain import as_json
from kwant_curl.support.values import read_value, write_value

__all__ = ["Store"]

INDEX = "sweep.json"


class Store:
    """The folder of one sweep: a file per finished point, and an index of what was asked.

    Files appear by one `os.replace` each, under names that say the point, the function and the
    version: processes that share a folder write the same there or don't meet, and what is there
    is whole.
    """

    def __init__(
        self, folder: str | os.PathLike[str], function: Callable[..., Any], points: list[Any]
    ) -> None:
        """Open the folder, made if need be; raise if it is that of another sweep."""
        self.folder = Path(folder)
        asked = {
            "kwant_curl": version("kwant_curl"),
            "function": _named(function),
            "points": [_plain(point, f"Point {i} of the sweep") for i, point in enumerate(points)],
        }
        if self.folder.exists() and not self.folder.is_dir():
            raise NotADirectoryError(f"store is {os.fspath(folder)!r}, a file; expected a folder.")
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self._index()
        if known is not None:
            self._check_same(known, asked)
        if known is None or len(known["points"]) < len(points):
            self._put(INDEX, lambda path: path.write_text(json.dumps(asked, indent=1)))
        self._names = [
            f"{index:06d}-{_digest([asked['kwant_curl'], asked['function'], point])}.npz"
            for index, point in enumerate(asked["points"])
        ]

    def finished(self) -> tuple[dict[int, Any], tuple[str, ...]]:
        """Return the results that are there, by index, and what is to be said of the others."""
        results: dict[int, Any] = {}
        notices: tuple[str, ...] = ()
        for index, name in enumerate(self._names):
            try:
                results[index] = read_value(self.folder / name)
            except FileNotFoundError:
                continue
            except ValueError as damage:
                notices += (
                    f"Point {index} of the sweep is calculated anew, as its file in "
                    f"{self.folder} can't be read: {damage}",
                )
        return results, notices

    def keep(self, index: int, result: Any) -> None:
        """Write the result of a point; a TypeError for what has no file."""
        self._put(self._names[index], lambda path: write_value(path, result))

    def _put(self, name: str, write: Callable[[Path], Any]) -> None:
        """Let a file appear, whole, whoever else writes it."""
        handle, temporary = mkstemp(dir=self.folder, prefix=".", suffix=".part")
        os.close(handle)
        try:
            write(Path(temporary))
            os.replace(temporary, self.folder / name)
        except BaseException:
            os.unlink(temporary)
            raise

    def _index(self) -> dict[str, Any] | None:
        """Return what the folder says was asked, None if it is new."""
        path = self.folder / INDEX
        try:
            index = json.loads(path.read_text())
            return {key: index[key] for key in ("kwant_curl", "function", "points")}
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError) as failure:
            raise ValueError(
                f"{path} is no index of a sweep, or is damaged: {failure}. Take another folder as "
                "store=."
            ) from failure

    def _check_same(self, known: dict[str, Any], asked: dict[str, Any]) -> None:
        """Raise unless one list of points begins with the other, and all else is the same."""
        differing = [
            f"its {what} is {known[key]!r}, that of this sweep {asked[key]!r}"
            for key, what in (("function", "function"), ("kwant_curl", "version of kwant_curl"))
            if known[key] != asked[key]
        ]
        # As texts: 1, 1.0 and True are equal, and ask for different things.
        old, new = (list(map(json.dumps, some["points"])) for some in (known, asked))
        differing += [
            f"its point {index} is {old[index]}, that of this sweep {new[index]}"
            for index in range(min(len(old), len(new)))
            if old[index] != new[index]
        ][:1]
        if differing:
            raise ValueError(
                f"The folder {self.folder} is that of another sweep: {'; '.join(differing)}. Take "
                "another folder as store=, or, for more points, add them at the end."
            )


def _digest(value: Any) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:16]


def _plain(value: Any, what: str) -> Any:
    """Return a point as JSON, arrays by what is in them; raise for what has no such form."""

    def leaf(part: Any) -> Any:
        if isinstance(part, np.bool_ | np.number):
            return as_json(part.item(), leaf)
        if type(part) is np.ndarray and not part.dtype.hasobject:
            content = sha256(np.ascontiguousarray(part).tobytes()).hexdigest()
            return {"!array": [part.dtype.str, list(part.shape), content]}
        raise TypeError(
            f"{what} holds a {type(part).__name__}, {part!r}; store= knows points again by "
            "numbers, strings, None, arrays, and tuples, lists and dictionaries of them. Give it "
            "such values, and make the rest of them in the function."
        )

    return as_json(value, leaf, ordered=False)


def _named(function: Callable[..., Any]) -> Any:
    """Return what a function is known by: its module and name, and what a partial one has."""
    if isinstance(function, partial):
        what = "The partial function of the sweep"
        return [
            _named(function.func),
            _plain(function.args, what),
            _plain(function.keywords, what),
        ]
    name = getattr(function, "__qualname__", "<nameless>")
    owner = getattr(function, "__self__", None)
    if "<" in name or not (owner is None or isinstance(owner, ModuleType)):
        raise TypeError(
            f"function is {function!r}; store= knows a function again by its name, so it must be "
            "a def of a module or script, with what changes in its points: no lambda, no method, "
            "and none that is defined in another one."
        )
    module = function.__module__
    if module == "__main__":  # a script that is run is the module that others import
        file = getattr(modules["__main__"], "__file__", None)
        module = module if file is None else Path(file).stem
    return f"{module}.{name}"
