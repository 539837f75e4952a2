"""A function in a file of the user's own."""

import importlib
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from kwant import UserCodeError

from kwant_curl.devices.command.options import CommandError
from kwant_curl.devices.command.words import in_options

__all__ = ["OwnFunction"]

MODULE = "_device_of_kwant_curl"
"""Name of the user's file as a module, which is nobody else's."""


@dataclass(frozen=True)
class OwnFunction:
    """A function in a file, as the user named it."""

    path: Path
    name: str

    @classmethod
    def named(cls, target: str, devices: Collection[str]) -> "OwnFunction":
        """Return what FILE.py:FUNCTION names, or refuse, with a list of the known devices."""
        file, colon, name = target.rpartition(":")
        if colon and name.isidentifier():
            return cls(Path(file), name)
        if ".py" in target:
            raise CommandError(
                f"{target!r} names no function; expected FILE.py:FUNCTION, for instance "
                "device.py:make_system."
            )
        raise CommandError(
            f"unknown device {target!r}; the known ones are {', '.join(devices)}. Your own is "
            "FILE.py:FUNCTION."
        )

    def __str__(self) -> str:
        return f"{self.path.name}:{self.name}"

    @contextmanager
    def at_home(self) -> Iterator[None]:
        """Let the file import its neighbours, and say in one line what fails in it.

        Afterwards no trace is left in `sys`.
        """
        if not self.path.is_file():
            raise CommandError(f"there is no file {self.path}.")
        if self.path.suffix != ".py":
            raise CommandError(f"{self.path} is no Python file; expected FILE.py:FUNCTION.")
        try:
            with _importing_from(self._file.parent):
                yield
        except CommandError:
            raise
        except Exception as error:  # the user's code, also in value functions: it may raise any
            refusal = self._refusal(error)
            if refusal is None:
                raise
            raise refusal from error

    def __call__(self) -> Any:
        """Return what the function returns."""
        return self._load()()

    @property
    def _file(self) -> Path:
        return self.path.resolve()

    def _load(self) -> Callable[[], Any]:
        spec = spec_from_file_location(MODULE, self._file)
        if spec is None or spec.loader is None:
            raise CommandError(f"{self.path} can't be imported.")
        module = module_from_spec(spec)
        sys.modules[MODULE] = module  # dataclasses, for instance, look there
        spec.loader.exec_module(module)
        if not hasattr(module, self.name):
            raise CommandError(f"there is no {self.name} in {self.path}.")
        function = getattr(module, self.name)
        if not callable(function):
            raise CommandError(
                f"{self.name} in {self.path} is a {type(function).__name__}; expected a function "
                "that returns the system."
            )
        found: Callable[[], Any] = function
        return found

    def _refusal(self, error: Exception) -> CommandError | None:
        """Return what to say of an error: its type, its message, the line in the user's code.

        An error that came through none of the user's code is said without a line if it is of
        the kind that the routines are documented to raise, and else it is a bug: None.
        """
        theirs = isinstance(error, UserCodeError)
        if theirs and isinstance(error.__cause__, Exception):
            error = error.__cause__  # Kwant wraps what value functions raise
        text = error.msg if isinstance(error, SyntaxError) else str(error)  # msg: without the line
        message = " ".join(text.split())
        named = f"{type(error).__name__}: {message}" if message else type(error).__name__
        place = self._place(error)
        if place is not None:
            return CommandError(f"{self}: {named} ({place})")
        if theirs:
            return CommandError(f"{self}: {named}")
        documented = isinstance(error, TypeError | ValueError)
        return CommandError(f"{self}: {in_options(text)}") if documented else None

    def _place(self, error: Exception) -> str | None:
        """Return the last line in the user's folder that an error came through."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [(frame.filename, frame.lineno) for frame in frames]
        if isinstance(error, SyntaxError) and error.filename is not None:
            lines.append((error.filename, error.lineno))
        own = [(Path(f), line) for f, line in lines if Path(f).parent == self._file.parent]
        if not own:
            return None
        file, line = own[-1]
        return f"{self.path.with_name(file.name)}, line {line}"


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Put a folder first on the path, and forget afterwards what came from it."""
    path, modules = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path
        new = [name for name in sys.modules if name.partition(".")[0] not in modules]
        neighbours = {name for name in new if "." not in name and _is_in(folder, name)}
        for name in new:
            if name.partition(".")[0] in neighbours:
                del sys.modules[name]


def _is_in(folder: Path, name: str) -> bool:
    """Return whether a module is a file of this folder, or a package in it."""
    file = getattr(sys.modules[name], "__file__", None)
    return file is not None and folder in Path(file).parents[:2]
