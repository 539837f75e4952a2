"""Whether value functions see that their sites are displaced: each is tried by one small step."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.coordinates.displaced import Stranger
from kwant_curl.coordinates.elements import Element, called, element_name, params_of
from kwant_curl.coordinates.where import MovingSites
from kwant_curl.support.warning import warn

__all__ = ["check_that_displacements_are_seen"]

FloatArray = NDArray[np.float64]

STEP = 1e-3
"""The step, in units of the usual bond length."""

ROUNDING = 1e-13
"""A modulus that changes by less than this part of itself, as a phase does, has not changed."""


class _Reaction(NamedTuple):
    """How an element changes by a step of either site.

    first, second: whether its modulus changes by a step of one of its sites; at_all: whether
    anything does; remembers: whether more does if the sites equal no other ones; looks_up: whether
    it can't be had for such sites.
    """

    first: bool
    second: bool
    at_all: bool
    remembers: bool
    looks_up: bool


def check_that_displacements_are_seen(
    moving: MovingSites, on_sites: Sequence[Element], bonds: Sequence[Element]
) -> None:
    """Raise, or warn, where value functions don't see displacements, or see them by half.

    bonds: the hoppings of what moves, constants among them.
    """
    functions = [e for e in bonds if e.names is not None]
    _check_gauges(moving, functions)
    sites = [_reaction(moving, e) for e in on_sites]
    hoppings = [_reaction(moving, e) for e in functions]
    _check_memory(moving, [*on_sites, *functions], [*sites, *hoppings])
    unmoved = [e for e in bonds if e.names is None]
    unmoved += [e for e, found in zip(functions, hoppings, strict=True) if not found.at_all]
    any_hopping = any(found.at_all for found in hoppings)
    if not (any_hopping or any(found.at_all for found in sites)):
        raise ValueError(
            "No value function of the sites that move depends on their position, so every force "
            "would be zero. Say how the hoppings follow, with scaling=PowerLaw(...), "
            "scaling=Exponential(...) or hopping_gradient=..., or write value functions that use "
            "site.pos."
        )
    if unmoved and any_hopping:
        first = moving.model.syst.sites[unmoved[0].i], moving.model.syst.sites[unmoved[0].j]
        warn(
            f"{len(unmoved)} hoppings of the sites that move are constants, or functions that "
            f"don't depend on the position, and don't follow, though others do; the first is that "
            f"of {first[0]} and {first[1]} (sites that attach_lead adds have the lead's values)."
        )
    _warn_of_halves(moving, functions, hoppings)


def _reaction(moving: MovingSites, element: Element) -> _Reaction:
    """Try an element: each of its sites displaced, and once more as sites that no other equals."""
    model = moving.model
    rest = np.zeros(moving.dim)
    along = 1 / (1 + 0.37 * np.arange(moving.dim))  # none of the axes
    step = np.asarray(STEP * moving.scale * along, dtype=np.float64)
    ends = (0,) if element.i == element.j else (0, 1)
    here = called(model, element, {})
    moved = [called(model, element, {end: step}) for end in ends]
    noise = ROUNDING * np.abs(here).max(initial=0.0)
    moduli = [bool(np.abs(np.abs(there) - np.abs(here)).max() > noise) for there in moved]
    reacts = [not np.array_equal(there, here) for there in moved]
    remembers = looks_up = False
    try:
        at_rest = dict.fromkeys(ends, rest)
        before = called(model, element, at_rest, Stranger)
        for end in ends:
            after = called(model, element, {**at_rest, end: step}, Stranger)
            remembers |= not reacts[end] and not np.array_equal(before, after)
    except Exception:  # whatever a function of the user's own raises where it finds no such site
        looks_up = True
    return _Reaction(moduli[0], moduli[-1], any(reacts), remembers, looks_up)


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
) -> None:
    """Raise if a function returns what it has kept for a site, wherever that is now."""
    for element, reaction in zip(elements, found, strict=True):
        if reaction.remembers:
            raise ValueError(
                f"{element_name(moving.model, element)} returns the same for a displaced site, "
                "and another value for a site at the same place that it has not met before: it "
                "keeps values by site, with functools.lru_cache or a dictionary. Take that off, "
                "or keep values by position: a displaced site equals the original."
            )


def _warn_of_halves(
    moving: MovingSites, hoppings: Sequence[Element], found: Sequence[_Reaction]
) -> None:
    """Warn of hoppings that see one of their sites alone, or look them up."""
    both = list(zip(hoppings, found, strict=True))
    halves = [element for element, reaction in both if reaction.first != reaction.second]
    if halves:
        warn(
            f"{len(halves)} hoppings change with the position of one of their sites and not of the "
            f"other; the first is {element_name(moving.model, halves[0])}. A length that is "
            "computed from one displaced site and one that is kept, or looked up by its tag, is "
            "wrong, and so is the force. Use site.pos of both sites; of a hopping that depends on "
            "the place, take the middle of the two."
        )
    looked_up = [element for element, reaction in both if reaction.looks_up and reaction.at_all]
    if looked_up:
        warn(
            f"{len(looked_up)} hoppings depend on the positions of their sites, and look the sites "
            f"up besides, where a displaced site is found as the original; the first is "
            f"{element_name(moving.model, looked_up[0])}. What they find there doesn't follow: "
            "right for a random strength of the bond, wrong for a length or a magnetic phase."
        )
