"""Bonds that look as if they closed the system on itself, of which nobody said so."""

from typing import NamedTuple

import numpy as np
from kwant.lattice import Monatomic
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kwant_curl.model.model import Model

__all__ = ["check_long_bonds"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

LONG = 1.9
"""How many times as long as another one of its kind a bond must be to be suspected."""

STRONG = 0.5
"""A suspect is at least so strong, relative to that other one: hoppings that reach far are not."""

FEW = 0.25
"""Where sites are on no lattice: suspects are at most so many, relative to the other bonds."""

EQUAL = 1e-6
"""There, how far their strengths may be from that of the others, relatively."""


class _Bonds(NamedTuple):
    """Bonds of one kind: between the same two families, seen from the first of them.

    here, there: (n,) sites; vector: (n, dim); length, strength: (n,) that of the vector, the norm
    of the hopping.
    """

    here: IntArray
    there: IntArray
    vector: FloatArray
    length: FloatArray
    strength: FloatArray

    def at(self, some: NDArray[np.bool_] | IntArray) -> "_Bonds":
        """Return some of them."""
        here, there, vector, length, strength = self
        return _Bonds(here[some], there[some], vector[some], length[some], strength[some])


def check_long_bonds(
    model: Model,
    here: IntArray,
    there: IntArray,
    vector: FloatArray,
    weight: FloatArray,
    known: FloatArray | None = None,
) -> None:
    """Raise if a bond seems to close the system on itself.

    A bond is suspected if it is much longer than another one between the same two families and
    about as strong, and if the difference of the two is a period: no two sites of the system are
    apart by it.  Where the families are no lattices, it is suspected if few are as long, and it is
    exactly as strong as most of the shorter ones.

    Parameters
    ----------
    model : Model
    here, there : arrays of int (n,)
        The sites of each matrix element, which are different ones.
    vector : array (dim, n)
        From the one to the other.
    weight : array (n,)
        The element's modulus squared.
    known : array (n_periods, dim) or None
        Periods that are known; the vectors are to nearest images.
    """
    length = np.sqrt((vector**2).sum(axis=0))
    apart = length > 0
    if not apart.any() or length.max() < LONG * length[apart].min():
        return
    every = _by_kind(model, here, there, vector, weight)
    for family, bonds in every:
        if bonds.length.max() < LONG * bonds.length.min():
            continue
        if not all(isinstance(model.syst.sites[s].family, Monatomic) for s in family):
            elsewhere = _closing_elsewhere(bonds)
            if elsewhere is not None:
                raise ValueError(_message(model, *elsewhere, None, known))
            continue
        found = _closing_on_lattice(model, bonds)
        if found is not None:
            site, other, usual, periods = found
            period = _best([kind for _, kind in every], periods)
            raise ValueError(_message(model, site, other, usual, period, known))


def _by_kind(
    model: Model, here: IntArray, there: IntArray, vector: FloatArray, weight: FloatArray
) -> list[tuple[tuple[int, int], _Bonds]]:
    """Return for each pair of families one site of each, and the bonds between them, once each."""
    n_sites = len(model.positions)
    # Each bond from the site of smaller index: sites come sorted by family.
    first, second = np.minimum(here, there), np.maximum(here, there)
    code, start, which = np.unique(first * n_sites + second, return_index=True, return_inverse=True)
    strength = np.sqrt(np.bincount(which, weight) / np.bincount(which))
    sign = np.where(here[start] < there[start], 1.0, -1.0)
    vectors = (sign * vector[:, start]).T
    length = np.linalg.norm(vectors, axis=1)
    bonds = _Bonds(*np.divmod(code, n_sites), vectors, length, strength).at(length > 0)
    begin = np.array([start for start, _, _ in model.syst.site_ranges])
    family = [np.searchsorted(begin, ends, side="right") for ends in (bonds.here, bonds.there)]
    kind = family[0] * len(begin) + family[1]
    by_kind = [bonds.at(np.flatnonzero(kind == k)) for k in np.unique(kind)]
    return [((int(some.here[0]), int(some.there[0])), some) for some in by_kind]


def _distinct(bonds: _Bonds) -> _Bonds:
    """Return a bond of each vector."""
    _, start = np.unique(np.round(bonds.vector / bonds.length.min(), 6), axis=0, return_index=True)
    return bonds.at(start)


def _closing_on_lattice(
    model: Model, bonds: _Bonds
) -> tuple[int, int, float, list[FloatArray]] | None:
    """Return the sites of a bond that closes a lattice, how long others are, possible periods."""
    distinct, family = _distinct(bonds), _Family(model, int(bonds.here[0]))
    for long in np.flatnonzero(distinct.length >= LONG * bonds.length.min()):
        usual = (LONG * distinct.length <= distinct.length[long]) & (
            STRONG * distinct.strength <= distinct.strength[long]
        )
        vectors = distinct.vector[usual]
        if model.syst.sites[bonds.here[0]].family == model.syst.sites[bonds.there[0]].family:
            vectors = np.concatenate([vectors, -vectors])
        periods = [
            period
            for period in distinct.vector[long] - vectors
            if not family.has_pair_apart_by(period)
        ]
        if periods:
            length = float(distinct.length[usual].max())
            return int(distinct.here[long]), int(distinct.there[long]), length, periods
    return None


def _best(every: list[_Bonds], periods: list[FloatArray]) -> FloatArray | None:
    """Return the period by which most long bonds of all kinds become usual ones, None in a tie."""
    scores = []
    for period in periods:
        score = 0
        for bonds in map(_distinct, every):
            unit = bonds.length.min()
            is_long = bonds.length >= LONG * unit
            short = np.concatenate([bonds.vector[~is_long], -bonds.vector[~is_long]])
            moved = bonds.vector[is_long] + np.array([-1, 1])[:, None, None] * period
            apart = np.linalg.norm(moved[:, :, None] - short, axis=3).min(
                axis=(0, 2), initial=np.inf
            )
            score += int(np.count_nonzero(apart < 1e-6 * unit))
        scores.append(score)
    best = [p for p, score in zip(periods, scores, strict=True) if score == max(scores)]
    return best[0] if len(best) == 1 else None


class _Family:
    """The places of all sites of a family."""

    def __init__(self, model: Model, site: int) -> None:
        begin = np.array([start for start, _, _ in model.syst.site_ranges])
        family = int(np.searchsorted(begin, site, side="right"))
        self._places = model.positions[begin[family - 1] : begin[family]]
        self._tree = cKDTree(self._places)

    def has_pair_apart_by(self, vector: FloatArray) -> bool:
        """Return whether two sites are apart by the vector: a few are asked first."""
        reach = 1e-3 * float(np.linalg.norm(vector))
        few = slice(None, None, max(1, len(self._places) // 100))
        return any(
            np.isfinite(
                self._tree.query(self._places[some] + vector, distance_upper_bound=reach)[0]
            ).any()
            for some in (few, slice(None))
        )


def _closing_elsewhere(bonds: _Bonds) -> tuple[int, int, float] | None:
    """Return the sites, and how long others are, of a bond far longer than most."""
    order = np.argsort(bonds.length)
    length, strength = bonds.length[order], bonds.strength[order]
    gaps = np.flatnonzero(length[1:] >= LONG * length[:-1])
    for gap in gaps:
        n_short = gap + 1
        if len(length) - n_short <= FEW * n_short:
            usual = float(np.median(strength[:n_short]))
            as_strong = np.abs(strength - usual) <= EQUAL * usual
            strong = order[n_short:][as_strong[n_short:]]
            if len(strong) and 2 * np.count_nonzero(as_strong[:n_short]) > n_short:
                site, other = bonds.here[strong[0]], bonds.there[strong[0]]
                return int(site), int(other), float(length[gap])
    return None


def _message(
    model: Model,
    here: int,
    there: int,
    usual: float,
    period: FloatArray | None,
    known: FloatArray | None,
) -> str:
    sites, positions = model.syst.sites, model.positions
    length = float(np.linalg.norm(positions[there] - positions[here]))
    given = [] if known is None else [np.asarray(vector) for vector in known]
    cure = "periods=[...], the vectors of its periods"
    if period is not None:
        forwards = period * np.sign(period[np.flatnonzero(np.abs(period) > 1e-9 * length)[-1]])
        listed = [f"({', '.join(f'{x:.9g}' for x in v + 0.0)})" for v in [*given, forwards]]
        cure = f"periods=[{', '.join(listed)}], if that is the period"
    besides = f" besides {np.array(given).tolist()}" if given else ""
    return (
        f"The bond of {sites[here]} and {sites[there]} is {length:.4g} long, and others of the "
        f"same two families, which are not much stronger, are {usual:.4g} and less. Most likely "
        f"it closes the system on itself{besides}, and its true direction is another one: pass "
        f"{cure}. If it is that long, pass periods=[], and bonds are taken as they are."
    )
