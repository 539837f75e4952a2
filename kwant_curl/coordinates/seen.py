"""Whether value functions see that their sites are displaced: each is tried by one small step."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.coordinates.displaced import Stranger
from kwant_curl.coordinates.elements import (
    Element,
    called,
    element_name,
    params_of,
    present_values,
)
from kwant_curl.coordinates.where import MovingSites

__all__ = ["displacements_seen"]

FloatArray = NDArray[np.float64]

STEP = 1e-3
"""The step, in units of the usual bond length."""

ROUNDING = 1e-13
"""A modulus that changes by less than this part of itself, as a phase does, has not changed."""

FEW = 4
"""Elements of each value function that are tried for what it keeps."""


class _Reaction(NamedTuple):
    """How an element changes by a small step of a site.

    here: its value; of_modulus: for each site, whether its modulus changes; of_value: whether
    anything does.
    """

    here: NDArray[np.complex128]
    of_modulus: tuple[bool, ...]
    of_value: tuple[bool, ...]


_MEMORY = (
    "{} returns the same for a displaced site, and another value for a site at the same place that "
    "it has not met before: it keeps values by site, with functools.lru_cache or a dictionary. "
    "Take that off, or keep values by position: a displaced site equals the original."
)

_IDENTITY = (
    "{} returns another value for a site that equals the original, at the same place: it asks "
    "whether a site or a family *is* another one. Write site.family == lattice instead of "
    "site.family is lattice; displaced sites equal the original, and are other objects."
)


def displacements_seen(
    moving: MovingSites, on_sites: Sequence[Element], bonds: Sequence[Element]
) -> tuple[str, ...]:
    """Raise, or return what to say, where value functions don't see displacements, or by half.

    bonds: the hoppings of what moves, constants among them.
    """
    functions = [e for e in bonds if e.names is not None]
    _check_gauges(moving, functions)
    sites, hoppings = (_reactions(moving, elements) for elements in (on_sites, functions))
    looked_up = _check_memory(moving, [*on_sites, *functions], [*sites, *hoppings])
    unmoved = [e for e in bonds if e.names is None]
    unmoved += [e for e, found in zip(functions, hoppings, strict=True) if not any(found.of_value)]
    any_hopping = any(any(found.of_value) for found in hoppings)
    if not (any_hopping or any(any(found.of_value) for found in sites)):
        raise ValueError(
            "No value function of the sites that move depends on their position, so every force "
            "would be zero. Say how the hoppings follow, with scaling=PowerLaw(...), "
            "scaling=Exponential(...) or hopping_gradient=..., or write value functions that use "
            "site.pos."
        )
    notices: tuple[str, ...] = ()
    if unmoved and any_hopping:
        first = moving.model.syst.sites[unmoved[0].i], moving.model.syst.sites[unmoved[0].j]
        notices += (
            f"{len(unmoved)} hoppings of the sites that move are constants, or functions that "
            f"don't depend on the position, and don't follow, though others do; the first is that "
            f"of {first[0]} and {first[1]} (sites that attach_lead adds have the lead's values).",
        )
    notices += _halves_noticed(moving, functions, hoppings)
    if looked_up:
        notices += (
            f"{element_name(moving.model, looked_up)} depends on the positions of its sites, and "
            "looks the sites up besides, where a displaced site is found as the original. What it "
            "finds there doesn't follow: right for a random strength of the bond, wrong for a "
            "length or a magnetic phase.",
        )
    return notices


def _step(moving: MovingSites) -> FloatArray:
    """Return a small step that is along none of the axes."""
    along = 1 / (1 + 0.37 * np.arange(moving.dim))
    return np.asarray(STEP * moving.scale * along, dtype=np.float64)


def _ends(element: Element) -> tuple[int, ...]:
    return (0,) if element.i == element.j else (0, 1)


def _reactions(moving: MovingSites, elements: Sequence[Element]) -> list[_Reaction]:
    """Try all elements, with each of their sites displaced; all are onsite ones, or none is."""
    if not elements:
        return []
    model, step = moving.model, _step(moving)
    blocks = present_values(model, elements)
    here = np.concatenate(blocks)
    begin = np.cumsum([0, *(len(block) for block in blocks[:-1])])
    noise = ROUNDING * np.repeat(
        np.maximum.reduceat(np.abs(here), begin), np.diff(begin, append=len(here))
    )
    of_modulus, of_value = [], []
    for end in _ends(elements[0]):
        there = np.concatenate([called(model, element, {end: step}) for element in elements])
        changed = np.abs(np.abs(there) - np.abs(here)) > noise
        of_modulus.append(np.logical_or.reduceat(changed, begin).tolist())
        of_value.append(np.logical_or.reduceat(there != here, begin).tolist())
    reactions = zip(blocks, zip(*of_modulus, strict=True), zip(*of_value, strict=True), strict=True)
    return [_Reaction(*reaction) for reaction in reactions]


def _check_gauges(moving: MovingSites, hoppings: Sequence[Element]) -> None:
    """Raise for phases of `kwant.physics.magnetic_gauge`, which are kept by site."""
    for element in hoppings:
        for name, value in zip(element.names or (), params_of(moving.model, element), strict=True):
            if getattr(getattr(value, "func", value), "__module__", "") == "kwant.physics.gauge":
                raise ValueError(
                    f"The parameter {name!r} of {element_name(moving.model, element)} holds the "
                    "phases of kwant.physics.magnetic_gauge, which are kept by site and don't "
                    "follow the sites that move. Write the phase with the sites' positions, or "
                    "keep all phases, with scaling=PowerLaw(...) or scaling=Exponential(...)."
                )


def _check_memory(
    moving: MovingSites, elements: Sequence[Element], found: Sequence[_Reaction]
) -> Element | None:
    """Raise if a function returns what it has kept for a site, wherever that is now.

    A few elements of each function and pair of families are tried, with sites that equal no
    others, and with sites that are displaced by nothing.  Returns a hopping that depends on
    positions and can't be had for such sites, if there is one.
    """
    sites, tried = moving.model.syst.sites, Counter[tuple[object, ...]]()
    rest, step = np.zeros(moving.dim), _step(moving)
    looked_up = None
    for element, reaction in zip(elements, found, strict=True):
        kind = id(element.value), sites[element.i].family, sites[element.j].family
        key = (*kind, all(reaction.of_value))
        tried[key] += 1
        if tried[key] > FEW:
            continue
        at_rest = dict.fromkeys(_ends(element), rest)
        if not np.array_equal(called(moving.model, element, at_rest), reaction.here):
            raise ValueError(_IDENTITY.format(element_name(moving.model, element)))
        try:
            before = called(moving.model, element, at_rest, Stranger)
            after = [
                called(moving.model, element, {**at_rest, end: step}, Stranger) for end in at_rest
            ]
        except Exception:  # whatever a user's function raises where it finds no such site
            if element.i != element.j and any(reaction.of_value):
                looked_up = element
            continue
        changes = [not np.array_equal(there, before) for there in after]
        forgotten = any(
            new and not old for new, old in zip(changes, reaction.of_value, strict=True)
        )
        # What is another number for such a site is chosen by site, not kept for it.
        if forgotten and np.array_equal(before, reaction.here):
            raise ValueError(_MEMORY.format(element_name(moving.model, element)))
    return looked_up


def _halves_noticed(
    moving: MovingSites, hoppings: Sequence[Element], found: Sequence[_Reaction]
) -> tuple[str, ...]:
    """Return what to say of hoppings that change with the position of one of their sites alone."""
    both = zip(hoppings, found, strict=True)
    halves = [element for element, reaction in both if len(set(reaction.of_modulus)) == 2]
    if not halves:
        return ()
    return (
        f"{len(halves)} hoppings change with the position of one of their sites and not of the "
        f"other; the first is {element_name(moving.model, halves[0])}. A length that is "
        "computed from one displaced site and one that is kept, or looked up by its tag, is "
        "wrong, and so is the force. Use site.pos of both sites; of a hopping that depends on "
        "the place, take the middle of the two.",
    )
