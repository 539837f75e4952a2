"""The files that the command writes: where they go, and that they are written."""

import os
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase

from kwant_curl.devices.command.options import CommandError

__all__ = ["Files", "written"]


@dataclass(frozen=True)
class Files:
    """Where figure, result and table go; the latter two where they are asked for."""

    figure: Path
    result: Path | None
    table: Path | None

    @classmethod
    def of(cls, options: Namespace, name: str) -> "Files":
        """Return the files of a device, or refuse one that can't be written.

        A figure that was not named goes to a file that isn't there yet.
        """
        figure = _figure(options.out or _next(f"kwant_curl_{name}.png"))
        named = [("figure", figure), ("result", options.save), ("table", options.csv)]
        paths = [(what, path) for what, path in named if path is not None]
        taken: dict[Path, str] = {}
        for what, path in paths:
            other = taken.setdefault(path.resolve(), what)
            if other != what:
                raise CommandError(f"{other} and {what} are both to go to {path}; name two files.")
            _check(what, path)
        return cls(figure, options.save, options.csv)


def _next(name: str) -> Path:
    """Return the file of this name in the working folder, or the first number that is free."""
    path = Path(name)
    numbered = (path.with_stem(f"{path.stem}_{n}") for n in count(2))
    return path if not path.exists() else next(one for one in numbered if not one.exists())


def _check(what: str, path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise CommandError(f"there is no folder {path.parent} to write the {what} to.")
    if path.is_dir():
        raise CommandError(f"can't write the {what} {path}: it is a folder.")
    there = path if path.exists() else path.absolute().parent
    if not os.access(there, os.W_OK):
        raise CommandError(f"can't write the {what} {path}: no permission to write to {there}.")


def _figure(out: Path) -> Path:
    """Return the file of the figure, or refuse one of no known format."""
    formats: Sequence[str] = sorted(FigureCanvasBase.get_supported_filetypes())
    if out.suffix.lower().removeprefix(".") not in formats:
        raise CommandError(
            f"the figure is to be {str(out)!r}, whose suffix is no known format; expected one of "
            f"{', '.join('.' + name for name in formats)}."
        )
    return out


def written(what: str, path: Path, write: Callable[[Path], None]) -> None:
    """Write a file, and say where."""
    try:
        write(path)
    except OSError as error:
        raise CommandError(f"can't write the {what} {path}: {error.strerror}.") from None
    print(f"{what}: {path}")
