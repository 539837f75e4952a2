"""The matrix elements of a finalized Builder: which sites, which value function, which orbitals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from kwant.builder import Other, Site
from kwant.system import FiniteSystem
from numpy.typing import NDArray

from kwant_curl.coordinates.displaced import displaced
from kwant_curl.model.model import Model
from kwant_curl.model.orbitals import block_orbitals

__all__ = [
    "Element",
    "called",
    "element_at",
    "element_name",
    "hoppings",
    "neighbours",
    "onsites",
    "params_of",
    "present_values",
    "value_at",
]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


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


def called(
    model: Model,
    element: Element,
    shifts: Mapping[int, FloatArray],
    move: Callable[[Site, FloatArray], Site] = displaced,
) -> NDArray[np.complex128]:
    """Call the value function of an element, flattened, with sites shifted: {0 or 1: shift}."""
    sites = [model.syst.sites[element.i]]
    if element.i != element.j:
        sites.append(model.syst.sites[element.j])
    for end, shift in shifts.items():
        sites[end] = move(sites[end], shift)
    value = element.value(*sites, *params_of(model, element))
    return np.ravel(np.asarray(value, dtype=complex))


def present_values(model: Model, elements: Sequence[Element]) -> list[NDArray[np.complex128]]:
    """Return the blocks of elements as the Hamiltonian holds them, each flattened."""
    if not elements:
        return []
    i, j = np.array([(e.i, e.j) for e in elements], dtype=np.int64).T
    sites, which = np.unique(i, return_inverse=True)
    rows, norbs = model.rows(sites), np.diff(model.offsets)
    row, col = block_orbitals(model.offsets, i, j)
    # Where the orbitals of each of these sites begin among the rows.
    begin = np.cumsum(norbs[sites]) - norbs[sites]
    size = norbs[i] * norbs[j]
    row += np.repeat(begin[which] - model.offsets[i], size)
    values = np.asarray(rows[row, col]).ravel().astype(complex)
    return np.split(values, np.cumsum(size)[:-1])


def value_at(model: Model, element: Element, params: Mapping[str, Any]) -> NDArray[np.complex128]:
    """Call the value function of an element at other params, flattened."""
    sites = [model.syst.sites[site] for site in dict.fromkeys((element.i, element.j))]
    value = element.value(*sites, *_taken(element, params))
    return np.ravel(np.asarray(value, dtype=complex))


def params_of(model: Model, element: Element) -> list[Any]:
    """Return the parameters that an element's value function takes."""
    return _taken(element, model.params or {})


def _taken(element: Element, params: Mapping[str, Any]) -> list[Any]:
    missing = [name for name in element.names or () if name not in params]
    if missing:
        raise TypeError(
            f"The value function {element.value!r} takes {missing}, which params does not hold."
        )
    return [params[name] for name in element.names or ()]


def element_at(model: Model, elements: Sequence[Element], position: int) -> str:
    """Say which of `elements` the entry at `position` of all their flattened blocks belongs to."""
    norbs = np.diff(model.offsets)
    sizes = [norbs[e.i] * norbs[e.j] for e in elements]
    return element_name(model, elements[int(np.searchsorted(np.cumsum(sizes), position, "right"))])


def element_name(model: Model, element: Element) -> str:
    """Return the name of the value function of an element, with its sites."""
    name = getattr(element.value, "__name__", repr(element.value))
    sites = (element.i,) if element.i == element.j else (element.i, element.j)
    return f"the value function {name}({', '.join(str(model.syst.sites[site]) for site in sites)})"
