"""The matrix elements of a finalized Builder: which sites, which value function, which orbitals."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from kwant.builder import Other
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.model.model import Model

__all__ = [
    "Element",
    "element_at",
    "hoppings",
    "neighbours",
    "onsites",
]

IntArray = NDArray[np.int64]


class Element(NamedTuple):
    """The Hamiltonian block from site `j` to site `i`, as the Builder was given it.

    value: the constant or the value function; names: the parameters that the function takes
    after its sites, None for a constant.
    """

    i: int
    j: int
    value: Any
    names: Sequence[str] | None


def onsites(syst: FiniteSystem, sites: Iterable[int]) -> list[Element]:
    """Return the onsite elements of these sites."""
    return [Element(int(i), int(i), *_value_and_names(syst.onsites[i])) for i in sites]


def hoppings(syst: FiniteSystem, moving: NDArray[np.bool_] | None = None) -> list[Element]:
    """Return each hopping once, in the Builder's direction; those of `moving` sites if given."""
    return [
        Element(i, j, *_value_and_names(pair))
        for (i, j), pair in zip(syst.graph, syst.hoppings, strict=True)
        if pair[0] is not Other and (moving is None or moving[i] or moving[j])
    ]


def _value_and_names(pair: tuple[Any, Any]) -> tuple[Any, Sequence[str] | None]:
    value, names = pair
    if isinstance(names, Exception):  # Kwant keeps what was wrong with the signature.
        raise names
    return value, names


def neighbours(syst: FiniteSystem, site: int) -> list[int]:
    """Return the sites that share a bond with `site`."""
    return [int(other) for other in syst.graph.out_neighbors(site)]


def element_at(model: Model, elements: Sequence[Element], position: int) -> str:
    """Say which of `elements` the entry at `position` of all their flattened blocks belongs to."""
    norbs = np.diff(model.offsets)
    sizes = [norbs[e.i] * norbs[e.j] for e in elements]
    element = elements[int(np.searchsorted(np.cumsum(sizes), position, side="right"))]
    name = getattr(element.value, "__name__", repr(element.value))
    sites = (element.i,) if element.i == element.j else (element.i, element.j)
    return f"the value function {name}({', '.join(str(model.syst.sites[site]) for site in sites)})"
