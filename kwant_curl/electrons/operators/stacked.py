"""The habits that all operators of ours share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import Any, Self

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.matrix_elements import (
    act,
    all_matrix_elements,
    expectations,
    matrix_elements,
    weighted_trace,
)
from kwant_curl.algebra.stack import OperatorStack
from kwant_curl.electrons.operators.arguments import as_pair, as_states
from kwant_curl.model.charges import Charge
from kwant_curl.model.model import Model, as_model

__all__ = ["StackedOperator"]


class StackedOperator(ABC):
    """Many Hermitian operators, called like those of `kwant.operator`: the habits of all of ours.

    Called with ``operator(psi)`` it gives <psi|A|psi>, with ``operator(phi, psi)`` the matrix
    element <phi|A|psi>, of every one of its operators A.  The Hamiltonian's parameters are
    passed to each call as `params`, or once to `bind`, which returns an operator that takes
    none.  Bind what is called more than once.
    """

    def __init__(self, syst: FiniteSystem | Model, energy_parameter: str | None = None) -> None:
        self.syst = syst
        self.energy_parameter = energy_parameter
        self._n_orbitals = as_model(syst).n_orbitals
        self._bound: OperatorStack | None = None
        self.bound_params: Mapping[str, Any] | None = None

    @abstractmethod
    def _evaluate(self, model: Model) -> OperatorStack:
        """Return the operators of a system at its params."""

    def _shaped(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return `values` with the axis over all operators in the shape of the results."""
        return values

    def __call__(
        self,
        bra: ArrayLike,
        ket: ArrayLike | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> NDArray[Any]:
        """Return the matrix elements <bra|A|ket>.

        Parameters
        ----------
        bra, ket : array, shape (n_orbitals,) or (n_states, n_orbitals)
            One wave function or a stack, as `kwant.wave_function` returns it; bra and ket are
            taken pairwise, and a single one goes with each of a stack.  ket: default bra.
        params : mapping, optional
            Parameters of the system's value functions; not for a bound operator.

        Returns
        -------
        array
            One result, or a stack of them along the first axis; real if `ket` is None, else
            complex.

        Raises
        ------
        ValueError
            For arrays of another shape, or `params` for a bound operator.
        """
        bras, kets, single = as_pair(bra, ket, self._n_orbitals)
        operators = self._operators(params)
        if ket is None:
            elements: NDArray[Any] = expectations(operators, bras)
        else:
            elements = matrix_elements(operators, bras, kets)
        values = self._shaped(elements, 1)
        return values[0] if single else values

    def act(self, ket: ArrayLike, *, params: Mapping[str, Any] | None = None) -> NDArray[Any]:
        """Return the sum of all A|ket>, shaped like `ket`: (n_orbitals,) or (n_states, n_orbitals).

        The sum over the operators is Kwant's habit, <phi|act(psi)> = operator(phi, psi).sum();
        for single ones, `matrices`.
        """
        kets, single = as_states("ket", ket, self._n_orbitals)
        result = act(self._operators(params), kets)
        return result[0] if single else result

    def bind(self, *, params: Mapping[str, Any] | None = None, charge: Charge = None) -> Self:
        """Return a copy that is evaluated at `params` and takes no `params` any more.

        charge: electrons and holes of a Nambu model, as the routines take it.
        """
        bound = copy(self)
        bound._bound = self._operators(params, charge)
        bound.bound_params = dict(as_model(self.syst, params).params or {})
        bound.syst = as_model(self.syst).syst  # a model's matrices are not needed any more
        return bound

    def bind_at(self, model: Model) -> Self:
        """Return a copy that is evaluated for this model, at its params."""
        bound = copy(self)
        bound._bound = self._evaluate(model)
        bound.bound_params = model.params
        bound.syst = model.syst
        return bound

    @property
    def is_bound(self) -> bool:
        """Whether `bind` has made this operator."""
        return self._bound is not None

    @property
    def takes_params(self) -> bool:
        """Whether calls may be given `params`: it is not bound, and its system is no `Model`."""
        return not (self.is_bound or isinstance(self.syst, Model))

    @property
    def takes_charge(self) -> bool:
        """Whether `bind` may be given `charge`: it is not bound, and no `Model` holds one."""
        return not self.is_bound and getattr(self.syst, "charge", None) is None

    def matrices(self, *, params: Mapping[str, Any] | None = None) -> list[Any]:
        """Return the operators as sparse arrays (n_orbitals, n_orbitals), in their order."""
        return list(self._operators(params).matrices())

    def matrix(
        self, bras: ArrayLike, kets: ArrayLike, *, params: Mapping[str, Any] | None = None
    ) -> NDArray[np.complex128]:
        """Return <bra_m|A|ket_n> for every bra with every ket, (..., n_bras, n_kets).

        Parameters
        ----------
        bras, kets : array, shape (n_bras, n_orbitals), (n_kets, n_orbitals)
            Stacks of wave functions, as `kwant.wave_function` returns them.
        params : mapping, optional
            Parameters of the system's value functions; not for a bound operator.

        Returns
        -------
        array of complex
            The axes before the last two are those of a single result: (n_c,) for `Force`.
        """
        n = self._n_orbitals
        left, _ = as_states("bras", bras, n)
        right, _ = as_states("kets", kets, n)
        factors = self._operators(params).factors()
        return self._shaped(all_matrix_elements(factors, left, right), 0)

    def trace(
        self,
        states: ArrayLike,
        weights: ArrayLike,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> NDArray[np.float64]:
        """Return the sum of weights[n] <states[n]|A|states[n]> over a stack of states."""
        stack, _ = as_states("states", states, self._n_orbitals)
        numbers = np.asarray(weights)
        if numbers.shape != (len(stack),) or numbers.dtype.kind not in "fiu":
            raise ValueError(
                f"weights has shape {numbers.shape} and type {numbers.dtype}; expected "
                f"{len(stack)} real numbers, one per state."
            )
        values = weighted_trace(self._operators(params), stack, numbers.astype(float))
        return self._shaped(values, 0)

    def _operators(self, params: Mapping[str, Any] | None, charge: Charge = None) -> OperatorStack:
        if self._bound is None:
            model = as_model(
                self.syst, params, charge=charge, energy_parameter=self.energy_parameter
            )
            return self._evaluate(model)
        if params is not None or charge is not None:
            raise ValueError(
                "Parameters are already bound to this operator; call it without params, or bind "
                "the original one again."
            )
        return self._bound
