"""Results in files, and as data sets with named dimensions."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field
from html import escape
from importlib.metadata import version
from os import PathLike
from typing import Any, ClassVar, TypeVar
from zipfile import BadZipFile

import numpy as np

from kwant_curl.support.frozen import Frozen, field_values
from kwant_curl.support.units import Units

__all__ = ["Storable", "load", "packed", "read_result", "saved_within", "unpacked"]

Part = TypeVar("Part", bound=Frozen)

UNITS = "hbar = 1; energies in the Hamiltonian's unit, lengths in the lattice's"

SAVED: dict[str, type["Storable"]] = {}
"""The classes of results, by name: what `load` can read."""


PARTS: dict[str, type[Frozen]] = {}
"""The classes of what results hold beside arrays, by name."""


def saved_within(kind: type[Part]) -> type[Part]:
    """Let `load` know a class whose instances are in results."""
    PARTS[kind.__name__] = kind
    return kind


@dataclass(frozen=True, eq=False, repr=False)
class Origin(Frozen):
    """Where a result comes from; None for what is not known, as in files of older versions.

    Attributes
    ----------
    params : dict or None
        The parameters of the system's value functions, {name: value}: numbers, texts and None as
        they were, functions by their names, other things as `repr` writes them.
    version : str or None
        The version of kwant_curl.
    seconds : float or None
        How long the routine took.
    """

    _: KW_ONLY
    params: dict[str, Any] | None = field(default=None, compare=False)
    version: str | None = field(default=None, compare=False)
    seconds: float | None = field(default=None, compare=False)


class Storable(Origin):
    """What results share: where they come from, `save` and `to_xarray`.

    What the routines that users call return has `params`, `version` and `seconds`, see `Origin`;
    what follows from it by another bias or temperature has them too.

    Subclasses are frozen dataclasses; a base of several says ``saved=False``.
    """

    DERIVED: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Names of the dimensions of properties that data sets hold too."""

    AXES: ClassVar[dict[str, str]] = {}
    """Arrays that are coordinates of a dimension: {dimension: array}."""

    warnings: tuple[str, ...] = ()
    """What a user should know of the result beside its numbers; fields of most classes."""

    def __init_subclass__(cls, *, saved: bool = True) -> None:
        """Let `load` know the class by its name, unless it is a base of those that are saved."""
        super().__init_subclass__()
        if saved:
            SAVED[cls.__name__] = cls

    def derived(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the dimensions of what follows from the arrays, as it is known."""
        return self.DERIVED

    @property
    def _noted(self) -> str:
        """The warnings as they follow a `repr`, each on a line of its own."""
        return "".join(f"\nwarning: {text}" for text in self.warnings)

    @property
    def _origin(self) -> str:
        """The params, the version and the seconds as a notebook shows them."""
        said = [] if not self.params else [f"params {self.params}"]
        said += [] if self.version is None else [f"kwant_curl {self.version}"]
        said += [] if self.seconds is None else [f"{self.seconds:.3g} s"]
        return "".join(f"; {text}" for text in said)

    def _repr_html_(self) -> str:
        """Show in a notebook what `repr` says, and behind it which arrays there are."""
        known = self.dimensions() | self.derived()
        derived = [(name, np.asarray(getattr(self, name))) for name in self.derived()]
        rows = "".join(
            f"<tr><td>{name}</td><td>{value.dtype}</td>"
            f"<td>{escape(str(value.shape))}</td>"
            f"<td>{', '.join(known.get(name, ())[: value.ndim])}</td></tr>"
            for name, value in [*derived, *field_values(self)]
            if isinstance(value, np.ndarray)
        )
        summary = escape(repr(self).removesuffix(self._noted).strip("<>"))
        summary += escape(self._origin)
        noted = "".join(f"<p>warning: {escape(text)}</p>" for text in self.warnings)
        return (
            f"<div>{summary}{noted}<details><summary>arrays</summary>"
            "<table><tr><th>name</th><th>type</th><th>shape</th><th>axes</th></tr>"
            f"{rows}</table></details></div>"
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the result to one file, in NumPy's npz format, without pickle.

        It holds the arrays, the other fields, their units and the package's version;
        `kwant_curl.load` reads it.

        Parameters
        ----------
        path : str or path-like
            The file, which is overwritten; no suffix is added.
        """
        arrays, metadata = packed(self)
        metadata |= {"kwant_curl": version("kwant_curl"), "units": UNITS}
        with open(path, "wb") as file:
            np.savez(file, metadata=np.array(json.dumps(metadata)), **arrays)

    def to_xarray(self) -> Any:
        """Return an `xarray.Dataset` of the arrays, with named dimensions.

        Scalars are its attributes.  What follows from the arrays (the curl at this bias, growth
        rates, energies) is in it too.

        Raises
        ------
        ModuleNotFoundError
            Where xarray isn't installed.
        """
        try:
            import xarray
        except ModuleNotFoundError as missing:
            raise ModuleNotFoundError(
                "to_xarray needs xarray, which isn't installed: pip install xarray."
            ) from missing
        variables: dict[str, Any] = {}
        attributes: dict[str, Any] = {"kwant_curl": version("kwant_curl"), "units": UNITS}
        known = self.dimensions()
        for name, value in field_values(self):
            dimensions = known.get(name)
            if dimensions is not None and isinstance(value, np.ndarray):
                variables[name] = (dimensions[: value.ndim], value)
            elif isinstance(value, Units):
                attributes |= {"energy_unit": value.energy_unit, "length_unit": value.length_unit}
            elif name == "warnings":
                attributes[name] = "\n".join(value)  # files have no lists of texts
            elif isinstance(value, str | int | float) and value is not None:
                kind = (
                    int if isinstance(value, bool) else float if isinstance(value, float) else None
                )
                attributes[name] = value if kind is None else kind(value)  # files know no others
        if self.params is not None:
            attributes["params"] = json.dumps(self.params)  # files have no dictionaries
        for name, dimensions in self.derived().items():
            values = np.asarray(getattr(self, name))
            variables[name] = (dimensions[: values.ndim], values)
        axes = {dimension: variables[name][1] for dimension, name in self.AXES.items()}
        return xarray.Dataset(variables, coords=axes, attrs=attributes)


def packed(instance: Any, prefix: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays of a result, by name, and a description of the rest.

    Of what is in it, and made of arrays itself, too; their names begin with its name and a slash.
    """
    arrays: dict[str, Any] = {}
    others: dict[str, Any] = {}
    lists: dict[str, int] = {}
    parts: dict[str, Any] = {}
    for name, value in field_values(instance):
        if isinstance(value, np.ndarray):
            arrays[prefix + name] = value
        elif isinstance(value, Units):
            others[name] = asdict(value)
        elif isinstance(value, Frozen):
            inner, parts[name] = packed(value, f"{prefix}{name}/")
            arrays |= inner
        elif isinstance(value, tuple) and any(isinstance(part, np.ndarray) for part in value):
            lists[name] = len(value)
            arrays |= {f"{prefix}{name}.{i}": part for i, part in enumerate(value)}
        else:
            others[name] = value
    described = {"result": type(instance).__name__, "fields": others, "lists": lists}
    return arrays, {**described, "parts": parts} if parts else described


def unpacked(
    metadata: Mapping[str, Any],
    arrays: Mapping[str, Any],
    kinds: Mapping[str, Any] | None = None,
) -> Any:
    """Return what `packed` described, if it is one of these classes of results, or of all."""
    kind = (SAVED if kinds is None else kinds)[metadata["result"]]
    found = {name: value for name, value in arrays.items() if "/" not in name}
    for name, length in metadata["lists"].items():
        found[name] = tuple(found.pop(f"{name}.{i}") for i in range(length))
    others = dict(metadata["fields"])
    if others.get("units") is not None:
        others["units"] = Units(**others["units"])
    for name, inner in metadata.get("parts", {}).items():
        start = f"{name}/"
        own = {key.removeprefix(start): a for key, a in arrays.items() if key.startswith(start)}
        others[name] = unpacked(inner, own, SAVED | PARTS)
    return kind(**found, **others)


def load(path: str | PathLike[str]) -> Any:
    """Return the result that was saved to a file.

    Parameters
    ----------
    path : str or path-like
        What `save` of a result wrote.

    Returns
    -------
    CurlMap, ForceResponse, FlowMap, ...
        Of the class that was saved.

    Raises
    ------
    ValueError
        For a file of another kind.
    OSError
        If there is no such file.

    Examples
    --------
    >>> response.save("response.npz")
    >>> np.array_equal(load("response.npz").curl, response.curl)
    True
    """
    return read_result(path)


def read_result(path: str | PathLike[str], classes: Iterable[type] | None = None) -> Any:
    """Return the result in a file that `save` wrote, if it is one of these classes, or of all."""
    known = None if classes is None else {kind.__name__: kind for kind in classes}
    try:
        with open(path, "rb") as file:
            arrays = dict(np.load(file, allow_pickle=False))
        metadata = json.loads(str(arrays.pop("metadata")))
        return unpacked(metadata, arrays, known)
    except (ValueError, LookupError, TypeError, AttributeError, EOFError, BadZipFile) as failure:
        raise ValueError(
            f"{path} is no file that a result of kwant_curl was saved to, is damaged, or is of a "
            f"newer version: {failure}."
        ) from failure
