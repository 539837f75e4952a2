"""What every specification of coordinates offers, and how the routines ask for it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeGuard

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.stack import SecondDerivatives
from kwant_curl.model.model import Model, as_model
from kwant_curl.model.moved import Change, continued
from kwant_curl.support.frozen import read_only
from kwant_curl.support.warning import issued

__all__ = [
    "Coordinates",
    "Specification",
    "check_coordinates",
    "check_number",
    "field_strengths_of",
    "forces_of",
    "one_sided_overlaps_of",
    "second_derivatives_of",
]


FloatArray = NDArray[np.float64]


class Coordinates(Protocol):
    """What a specification of coordinates offers; one of your own needs this method alone."""

    def hamiltonian_derivatives(
        self, syst: FiniteSystem, *, params: Mapping[str, Any] | None = None
    ) -> Derivatives:
        """Return dH/dQ of all coordinates for this system, at these `params`."""
        ...


class Specification(ABC):
    """Coordinates of the package's own, which ask a `Model`."""

    @abstractmethod
    def first_derivatives(self, model: Model) -> Derivatives:
        """Return dH/dQ of all coordinates."""

    @abstractmethod
    def second_derivatives(self, model: Model) -> SecondDerivatives:
        """Return d^2H/dQ_I dQ_J of all pairs of coordinates."""

    def moved(self, model: Model, displacements: ArrayLike) -> Model:
        """Return the model with these coordinates displaced by finite amounts, see there."""
        q = checked_displacements(displacements)
        return continued(model, self, q, self.change(model, q))

    @abstractmethod
    def change(self, model: Model, displacement: FloatArray) -> Change:
        """Return what a finite displacement (n_c,) changes."""

    def cure_of_phases(self) -> str | None:
        """Say what to do where hoppings change their phase; None if that is no question."""
        return None

    def field_strengths(self, model: Model) -> SecondDerivatives | None:
        """Return d_I N_J - d_J N_I where the electrons obey H(Q) - sum_J N_J dQ_J/dt, or None."""
        return None

    def one_sided_overlaps(self, model: Model) -> Sequence[Any] | None:
        """Return <phi_i|d phi_j/dQ_I> of all coordinates as sparse arrays, or None: not known."""
        return None

    def hamiltonian_derivatives(
        self, syst: FiniteSystem | Model, *, params: Mapping[str, Any] | None = None
    ) -> Derivatives:
        """Return dH/dQ of all coordinates for this system, at these `params`.

        What is to be said of them is warned of here, and not kept.
        """
        derivatives = self.first_derivatives(as_model(syst, params))
        issued(derivatives.notices)
        return replace(derivatives, notices=())

    def hamiltonian_second_derivatives(
        self, syst: FiniteSystem | Model, *, params: Mapping[str, Any] | None = None
    ) -> SecondDerivatives:
        """Return d^2H/dQ_I dQ_J of all pairs of coordinates, at these `params`."""
        return self.second_derivatives(as_model(syst, params))


def checked_displacements(given: ArrayLike) -> FloatArray:
    """Return displacements as an array (n_c,) of finite numbers, or raise."""
    array = np.asarray(given)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise ValueError(
            f"displacements is an array of shape {array.shape} and type {array.dtype}; expected "
            "one real number per coordinate, (n_c,)."
        )
    if not np.isfinite(array).all():
        raise ValueError("displacements has entries that are not finite.")
    return read_only(array.astype(float))


def check_number(displacement: FloatArray, n_coordinates: int) -> None:
    """Raise unless there is one displacement per coordinate."""
    if len(displacement) != n_coordinates:
        raise ValueError(
            f"displacements has {len(displacement)} entries; expected {n_coordinates}, one per "
            "coordinate."
        )


def check_coordinates(coordinates: Any) -> None:
    """Raise unless `coordinates` is a specification, not a class or something else."""
    if isinstance(coordinates, type) or not hasattr(coordinates, "hamiltonian_derivatives"):
        raise TypeError(
            f"coordinates is {coordinates!r}; expected an instance of Displacements, Parameters, "
            "Matrices or Probe."
        )


def _is_ours(coordinates: Any, method: str) -> TypeGuard[Specification]:
    """Return whether a model may be asked instead of calling this method, which users override."""
    return isinstance(coordinates, Specification) and (
        getattr(type(coordinates), method) is getattr(Specification, method)
    )


def forces_of(coordinates: Coordinates, model: Model) -> Derivatives:
    """Return the force operators F_I = -dH/dQ_I; their `notices` are to be issued."""
    check_coordinates(coordinates)
    if _is_ours(coordinates, "hamiltonian_derivatives"):
        return -coordinates.first_derivatives(model)
    return -coordinates.hamiltonian_derivatives(model.syst, params=model.params)


def field_strengths_of(coordinates: Any, model: Model) -> SecondDerivatives | None:
    """Return the operators of the Lorentz force on the electrons that are carried along."""
    return coordinates.field_strengths(model) if isinstance(coordinates, Specification) else None


def one_sided_overlaps_of(coordinates: Any, model: Model) -> Sequence[Any] | None:
    """Return <phi_i|d phi_j/dQ_I> of all coordinates where they are known, else None."""
    return coordinates.one_sided_overlaps(model) if isinstance(coordinates, Specification) else None


def second_derivatives_of(coordinates: Any, model: Model) -> SecondDerivatives:
    """Return d^2H/dQ_I dQ_J, or raise if the coordinates don't offer them."""
    if _is_ours(coordinates, "hamiltonian_second_derivatives"):
        return coordinates.second_derivatives(model)
    method = getattr(coordinates, "hamiltonian_second_derivatives", None)
    if method is None:
        raise TypeError(
            f"jacobian=True needs d^2H/dQ_I dQ_J, but {type(coordinates).__name__} has no method "
            "hamiltonian_second_derivatives(syst, *, params=None) that returns them."
        )
    result: SecondDerivatives = method(model.syst, params=model.params)
    return result
