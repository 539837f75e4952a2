"""Displaced calculations: found, and each checked to be the one that is meant."""

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.materials.calculation import Calculation
from kwant_curl.materials.transverse import Cell, same_lattice

__all__ = ["AXES", "Run", "checked_runs", "runs_from_files"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

AXES = "xyz"

SAME_GEOMETRY = 1e-4
"""By how much, in Å, atoms may lie elsewhere than the displacement says."""

EQUAL_STEPS = 0.01
"""By which part the steps in both directions may differ."""


class Run(NamedTuple):
    """The two calculations of a coordinate: at +step and -step, in Å."""

    plus: Calculation
    minus: Calculation
    step: float

    def difference(self) -> Any:
        """Return the derivative of the forces by their difference, (n_atoms, 3)."""
        return (self.plus.forces - self.minus.forces) / (2 * self.step)  # type: ignore[operator]

    def derivatives(self, name: str) -> dict[Cell, Any]:
        """Return those of a matrix from the cell to each cell, with all images displaced."""
        plus, minus = self.plus.by_cell(name), self.minus.by_cell(name)
        none = sparse.csr_array(getattr(self.plus, name).shape)
        return {
            cell: (plus.get(cell, none) - minus.get(cell, none)) / (2 * self.step)
            for cell in dict.fromkeys([*plus, *minus])
        }


def runs_from_files(
    directory: str | PathLike[str], atoms: Iterable[int], pattern: str, axis: int | None, spin: int
) -> dict[tuple[int, str], tuple[Calculation, Calculation]]:
    """Return the displaced calculations of these atoms, as sisl reads them from a directory."""
    found = {}
    for atom in atoms:
        for direction in AXES:
            pair = []
            for sign in "+-":
                path = Path(directory) / pattern.format(atom=atom, axis=direction, sign=sign)
                if not path.exists():
                    raise FileNotFoundError(
                        f"The calculation with atom {atom} displaced along {sign}{direction} is "
                        f"missing: there is no {path.name} in {path.parent}. Expected files named "
                        f"{pattern!r}, of every atom that moves, along +x, -x, +y, -y, +z and -z."
                    )
                pair.append(Calculation.from_sisl(path, axis=axis, spin=spin))
            found[int(atom), direction] = (pair[0], pair[1])
    return found


def checked_runs(
    reference: Calculation, runs: Mapping[Any, Any], kept: IntArray, n_ends: tuple[int, int]
) -> tuple[IntArray, list[Run]]:
    """Return the sites that move, and the runs of their x, y, z in this order, or raise."""
    expected = (
        "expected a mapping {(atom, 'x'): (plus, minus)} of displaced calculations, or a directory "
        "of files."
    )
    if not isinstance(runs, Mapping):
        raise TypeError(f"runs is {type(runs).__name__}; {expected}")
    if not runs:
        raise ValueError(f"runs is empty, no atom is displaced; {expected}")
    given = {_key(key): pair for key, pair in runs.items()}
    site_of = {int(atom): site for site, atom in enumerate(kept)}
    atoms = {atom for atom, _ in given}
    if outside := sorted(atoms - site_of.keys()):
        raise ValueError(f"Atoms {outside} are displaced, which are not in the device.")
    sites = sorted(site_of[atom] for atom in atoms)
    first, last = n_ends[0], len(kept) - n_ends[1]
    if at_ends := [int(kept[site]) for site in sites if not first <= site < last]:
        raise ValueError(
            f"Atoms {at_ends} are displaced, which are in the layers at the ends of the device; "
            "the electrodes are fixed, and so are these."
        )
    found = []
    for site in sites:
        atom = int(kept[site])
        for axis, name in enumerate(AXES):
            if (atom, axis) not in given:
                raise ValueError(
                    f"The calculations with atom {atom} displaced along {name} are missing; "
                    f"expected runs[{atom}, {name!r}] = (plus, minus). Every atom that moves moves "
                    "along x, y and z."
                )
            found.append(_checked(reference, given[atom, axis], atom, axis))
    return np.array(sites, dtype=np.int64), found


def _key(key: Any) -> tuple[int, int]:
    """Return the atom and the axis that a key names, or raise."""
    if isinstance(key, tuple) and len(key) == 2:
        atom, axis = key
        axis = AXES.find(axis) if isinstance(axis, str) and len(axis) == 1 else axis
        if isinstance(atom, int | np.integer) and axis in (0, 1, 2):
            return int(atom), int(axis)
    raise ValueError(f"runs has the key {key!r}; expected (atom, axis), as (3, 'x') or (3, 0).")


def _checked(reference: Calculation, pair: Any, atom: int, axis: int) -> Run:
    """Return a pair of calculations, if they are of the reference with this atom displaced."""
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise TypeError(
            f"runs[{atom}, {AXES[axis]!r}] is {pair!r}; expected a pair of calculations, displaced "
            "along the axis and against it."
        )
    steps = []
    for sign, run in zip((1, -1), pair, strict=True):
        name = f"The calculation with atom {atom} along {'+-'[sign < 0]}{AXES[axis]}"
        if not isinstance(run, Calculation):
            raise TypeError(f"{name} is a {type(run).__name__}; expected a Calculation.")
        if not np.array_equal(run.orbitals, reference.orbitals):
            raise ValueError(
                f"{name} has {len(run)} atoms with {run.orbitals.sum()} orbitals, the reference "
                f"{len(reference)} with {reference.orbitals.sum()}; expected the same, in the same "
                "order."
            )
        _check_repeats(name, run, reference)
        moved = run.positions - reference.positions
        step = sign * float(moved[atom, axis])
        moved[atom, axis] = 0.0
        _check_geometry(name, step, moved, atom)
        steps.append(step)
    if abs(steps[0] - steps[1]) > EQUAL_STEPS * steps[0]:
        raise ValueError(
            f"Atom {atom} is displaced along {AXES[axis]} by {steps[0]:.4g} and -{steps[1]:.4g} Å; "
            "expected as far in both directions."
        )
    return Run(pair[0], pair[1], float(np.mean(steps)))


def _check_repeats(name: str, run: Calculation, reference: Calculation) -> None:
    """Raise unless a calculation repeats across the current as the junction's does."""
    if not same_lattice(run.lattice, reference.lattice) or bool(run.images) != bool(
        reference.images
    ):
        raise ValueError(
            f"{name} has {len(run.images or ())} images across the current, that of the junction "
            f"{len(reference.images or ())}; expected images= and lattice= of the same cell in all "
            "displaced calculations."
        )


def _check_geometry(name: str, step: float, others: FloatArray, atom: int) -> None:
    """Raise unless an atom has moved in its direction, and nothing else: (n_atoms, 3) is zero."""
    worst = int(np.abs(others).max(axis=1).argmax())
    size = np.abs(others[worst]).max()
    if size > SAME_GEOMETRY:
        where = "across it" if worst == atom else "from its place"
        own = f"{step:.4g} Å" if step > SAME_GEOMETRY else "nothing"
        raise ValueError(
            f"{name} is of another geometry: that atom moves by {own} in this direction, and atom "
            f"{worst} by {size:.4g} Å {where}. Expected the geometry of the junction with this "
            "atom alone displaced; atoms are counted from zero, as in the junction's calculation "
            "(not in keep)."
        )
    if step < -SAME_GEOMETRY:
        raise ValueError(
            f"{name} has that atom displaced by {-step:.4g} Å the other way; expected (plus, "
            "minus) in this order. Are they exchanged?"
        )
    if step <= SAME_GEOMETRY:
        raise ValueError(
            f"{name} is not displaced: all atoms are where they are in the junction's calculation, "
            f"to {SAME_GEOMETRY} Å. Expected steps to both sides, of 0.01 Å or so."
        )
