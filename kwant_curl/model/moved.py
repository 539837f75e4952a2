"""A model whose coordinates are displaced by finite amounts, which shares what stays as it was."""

from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.stack import ranges
from kwant_curl.model.model import Model
from kwant_curl.model.pattern import Pattern
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.support.frozen import read_only

__all__ = ["Change", "MovedModel", "continued"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHARED = ("_leads", "_said_of_holes", "has_holes", "offsets", "spacing")
"""What is the same wherever coordinates are, if it is known already."""


class Change(NamedTuple):
    """What a finite displacement changes.

    added: to the Hamiltonian, sparse Hermitian (n_orbitals, n_orbitals); removed: from it before,
    so that what comes in its place is exact, or None; syst: the system with its sites where they
    are now; positions: of all sites, (n_sites, dim), None where they stay; params: those that are
    others now.
    """

    added: Any
    removed: Any = None
    syst: Any = None
    positions: FloatArray | None = None
    params: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class MovedModel(Model):
    """A model at displaced coordinates; made by `Model.moved`.

    Attributes
    ----------
    unmoved : Model
        The model that it comes from.
    moves : tuple
        The coordinates and their displacements, one after the other.
    """

    unmoved: Model | None = field(default=None, repr=False)
    moves: tuple[tuple[Any, FloatArray], ...] = field(default=(), repr=False)

    @property
    def origin(self) -> Model:
        """The model before all displacements."""
        return self if self.unmoved is None else self.unmoved

    def displacement(self, coordinates: Any) -> FloatArray | None:
        """Return by how much these coordinates are displaced, (n_c,); None if they are not."""
        mine = [moved for which, moved in self.moves if _same(which, coordinates)]
        return np.sum(mine, axis=0) if mine else None

    def at(self, energy: float) -> Model:
        """Return the model whose value functions see this energy; itself if they see none."""
        return self if self.energy_parameter is None else self._again(self.origin.at(energy))

    def with_charge(self, charge: Any) -> Model:
        """Return a model that knows electrons from holes, displaced alike."""
        return self._again(self.origin.with_charge(charge))

    def rows(self, sites: IntArray) -> Any:
        """Return the Hamiltonian's rows at the orbitals of these sites, sparse CSR."""
        orbitals = ranges(self.offsets[sites], np.diff(self.offsets)[sites])
        return self.hamiltonian[orbitals]

    def _again(self, model: Model) -> Model:
        for coordinates, displacement in self.moves:
            model = model.moved(coordinates, displacement)
        return model

    def _problem(self) -> ScatteringProblem:
        """Return the Hamiltonian and the leads, with the solver and the modes of the origin."""
        return super()._problem().continuing(self.origin.scattering)

    @cached_property
    def _pattern(self) -> Pattern:
        """The elements that may not be zero at some energy, those of the displacement with them."""
        energies = (0.0, self.energy_unit)
        hamiltonians = [self.at(energy).hamiltonian for energy in energies]
        return self.origin._pattern.joined(abs(hamiltonians[0]) + abs(hamiltonians[1]))


def _same(one: Any, other: Any) -> bool:
    """Return whether these are the same coordinates, or copies that say so by their contents."""
    contents = getattr(one, "contents", None)
    return one is other or (contents is not None and contents == getattr(other, "contents", None))


def continued(model: Model, coordinates: Any, displacement: FloatArray, change: Change) -> Model:
    """Return a model at displaced coordinates: what doesn't change is that of `model`."""
    moves = model.moves if isinstance(model, MovedModel) else ()
    syst = model.syst if change.syst is None else change.syst
    if change.removed is None:  # the hoppings are no longer what its value functions return
        syst = copy(syst)
        syst.hamiltonian = refused
    result = MovedModel(
        syst,
        model.params if change.params is None else {**(model.params or {}), **change.params},
        purpose=model.purpose,
        charge=model.charge,
        energy_parameter=model.energy_parameter,
        unmoved=model.origin,
        moves=(*moves, (coordinates, displacement)),
    )
    known = vars(result)
    known["_leads"] = model._leads
    known |= {name: vars(model)[name] for name in SHARED if name in vars(model)}
    known["hamiltonian"] = _changed(model.hamiltonian, change)
    known["positions"] = model.positions
    if change.positions is not None:
        known["positions"] = read_only(change.positions)
    return result


def refused(*args: Any, **keywords: Any) -> Any:
    """Raise: in place of the Hamiltonian of a system whose elements a law or matrices changed."""
    raise ValueError(
        "This is the system of a displaced model, whose matrix elements follow a law, a gradient "
        "or matrices: it knows where the sites are, and the elements are in model.hamiltonian. "
        "Give the routines the model itself."
    )


def _changed(hamiltonian: Any, change: Change) -> Any:
    """Return the Hamiltonian with a change."""
    if change.removed is not None:
        hamiltonian = hamiltonian - change.removed
    result = sparse.csr_array(hamiltonian + change.added)
    for array in (result.data, result.indices, result.indptr):
        array.flags.writeable = False
    return result
