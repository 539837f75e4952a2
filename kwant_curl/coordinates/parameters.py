"""Coordinates that are parameters of the system's value functions."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.differentiate import differentiate
from kwant_curl.algebra.second_differences import hessian
from kwant_curl.algebra.stack import SecondDerivatives
from kwant_curl.coordinates.base import Specification, check_number
from kwant_curl.coordinates.elements import Element, element_at, hoppings, onsites, value_at
from kwant_curl.coordinates.finite import check_as_functions, replaced
from kwant_curl.coordinates.matrices import hermitian_matrix, stack_matrices
from kwant_curl.coordinates.second.halves import block_halves
from kwant_curl.model.checks import check_sites
from kwant_curl.model.model import Model
from kwant_curl.model.moved import Change
from kwant_curl.model.orbitals import block_orbitals
from kwant_curl.support.checks import real_number

__all__ = ["Parameters"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Parameters(Specification):
    """Generalised coordinates Q_I that are entries of `params`.

    Parameters
    ----------
    names : str or sequence of str
        Names of parameters of the system's value functions; coordinates are ordered likewise.
        Their values in `params` are real numbers.
    derivatives : mapping, optional
        ``{name: dH/dQ}``, a Hermitian sparse matrix (n_orbitals, n_orbitals) or a function
        ``function(params)`` that returns one.  Names that are not in it are differentiated
        numerically, to a relative error below 1e-9 where the model is smooth.

    Notes
    -----
    The force operator is F_I = -dH/dQ_I, in energy per unit of the parameter.  dH/dQ is that of
    the scattering region.  A parameter that a lead takes too is an error: the lead would change
    with it, and the formulas are for leads that stay as they are.  Give the lead's parameter
    another name, ``lead.substituted(name='name_lead')``.

    If atoms move with a parameter, and Peierls phases with them, the velocity tensor and rates at
    finite frequencies are the same in every gauge for dH/dQ + i (H N - N H), N diagonal with
    A(r_a) dr_a/dQ at the orbitals of each atom a; see `Displacements`.  Give that in
    `derivatives`; force, curl and friction are the same with it and without.

    Second derivatives are always numerical, from the value functions, to a relative error below
    1e-8 where they are smooth.

    Examples
    --------
    >>> builder[lat(2, 2)] = lambda site, depth: depth
    >>> tunable = builder.finalized()
    >>> depth = Parameters(["depth"])
    >>> force_response(tunable, depth, energy, params={"depth": 0.5}).friction.shape
    (1, 1)
    """

    names: Sequence[str]
    _: KW_ONLY
    derivatives: Mapping[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        given = [self.names] if isinstance(self.names, str) else self.names
        names = tuple(given) if np.iterable(given) else ()
        if not names or not all(isinstance(name, str) for name in names):
            raise TypeError(f"names is {self.names!r}; expected one or more names of parameters.")
        if len(set(names)) < len(names):
            raise ValueError(f"names is {names}; expected each name once.")
        unknown = sorted(set(self.derivatives or ()) - set(names))
        if unknown:
            raise ValueError(
                f"derivatives are given for {unknown}, which are not among names {list(names)}."
            )
        object.__setattr__(self, "names", names)

    def first_derivatives(self, model: Model) -> Derivatives:
        """Return dH/dQ of all coordinates."""
        self._check(model)
        return stack_matrices([self._derivative(model, name) for name in self.names])

    def second_derivatives(self, model: Model) -> SecondDerivatives:
        """Return d^2H/dQ_I dQ_J of all pairs of coordinates."""
        self._check(model)
        check_sites(model.syst)
        result = SecondDerivatives.empty()
        for names, elements in _elements_by_names(model.syst, self.names).items():
            bends = numerical_second_derivatives(model, elements, names)
            coordinates = np.array([[self.names.index(name)] * len(elements) for name in names])
            result = result.joined(block_halves(model, elements, coordinates, bends))
        return result

    def change(self, model: Model, displacement: FloatArray) -> Change:
        """Return what a finite displacement (n_c,) changes: what takes the parameters."""
        self._check(model)
        check_sites(model.syst)
        check_number(displacement, len(self.names))
        present = model.params or {}
        pairs = zip(self.names, displacement.tolist(), strict=True)
        here = {name: float(present[name]) + q for name, q in pairs}
        params = {**present, **here}
        found = _elements_by_names(model.syst, self.names).values()
        elements = [element for some in found for element in some]
        check_as_functions(model, elements)
        blocks = [value_at(model, element, params) for element in elements]
        return replaced(model, elements, blocks)._replace(params=here)

    def cure_of_phases(self) -> str | None:
        """Say what to do where hoppings change their phase; None if all derivatives are given."""
        if set(self.names) <= set(self.derivatives or ()):
            return None
        return (
            "give derivatives={name: dH/dQ + i (H N - N H)}, N the diagonal matrix that holds "
            "A dr/dQ at the orbitals of each site that moves (zeros, so dH/dQ itself, if the phase "
            "is of another kind)."
        )

    def _check(self, model: Model) -> None:
        for name in self.names:
            _check_parameter(model.syst, name, model.params or {})

    def _derivative(self, model: Model, name: str) -> Any:
        supplied = (self.derivatives or {}).get(name)
        if supplied is not None and not callable(supplied) and model.displacement(self) is not None:
            raise ValueError(
                f"derivatives holds a matrix for {name!r}, which was displaced since: there dH/dQ "
                f"may be another one. Give a function, {name!r}: lambda params: matrix."
            )
        if supplied is None:
            matrix = numerical_derivative(model, name)
        else:
            matrix = supplied(dict(model.params or {})) if callable(supplied) else supplied
        return hermitian_matrix(matrix, model.n_orbitals, f"The derivative to {name!r}")


def _check_parameter(syst: FiniteSystem, name: str, params: Mapping[str, Any]) -> None:
    if name not in params:
        raise ValueError(
            f"The parameter {name!r} is not in params, which holds {sorted(params)}; "
            "pass params={...} with its value."
        )
    real_number(f"params[{name!r}]", params[name])
    if syst.parameters is not None and name not in syst.parameters:
        raise ValueError(
            f"No value function of the system takes a parameter {name!r}; they take "
            f"{sorted(syst.parameters)}."
        )
    for number, lead in enumerate(syst.leads):
        if name in (lead.parameters or ()):
            raise ValueError(
                f"Lead {number} takes the parameter {name!r} too and would change with it; the "
                f"leads must stay as they are. Give the lead's parameter another name, "
                f"lead.substituted({name}={name + '_lead'!r}), before it is attached."
            )


def numerical_derivative(model: Model, name: str) -> Any:
    """Return dH/d(name) as a sparse COO array, from the value functions that take `name`."""
    syst, params = model.syst, dict(model.params or {})
    check_sites(syst)
    elements = [
        element
        for element in onsites(syst, range(len(syst.sites))) + hoppings(syst)
        if element.names is not None and name in element.names
    ]

    check_as_functions(model, elements)

    def values(x: float) -> NDArray[np.complex128]:
        return block_values(model, elements, {**params, name: x})

    point = float(params[name])
    derivative, converged = differentiate(values, point, _scales(model, point))
    if not converged.all():
        culprit = element_at(model, elements, int(np.flatnonzero(~converged)[0]))
        raise ValueError(
            f"The Hamiltonian can't be differentiated numerically at {name} = {point}: finite "
            f"differences of {culprit} don't converge. Is it smooth there? If so, pass "
            f"derivatives={{{name!r}: ...}}."
        )
    return _hermitian_coo(model, elements, derivative)


def _scales(model: Model, point: float) -> tuple[float, ...]:
    """Return guesses of the scale on which functions vary with a parameter of this value.

    Its own size, that of a number of the order of one, that of an energy of the system.
    """
    energy = float(np.abs(model.hamiltonian.data).max(initial=0.0))
    return tuple(scale for scale in (abs(point), 1.0, energy) if scale)


def _elements_by_names(
    syst: FiniteSystem, names: Sequence[str]
) -> dict[tuple[str, ...], list[Element]]:
    """Return the elements that take any of these parameters, by which of them they take."""
    result: dict[tuple[str, ...], list[Element]] = {}
    for element in onsites(syst, range(len(syst.sites))) + hoppings(syst):
        taken = tuple(name for name in names if name in (element.names or ()))
        if taken:
            result.setdefault(taken, []).append(element)
    return result


def numerical_second_derivatives(
    model: Model, elements: Sequence[Element], names: Sequence[str]
) -> NDArray[np.complex128]:
    """Return d^2H/d(name) d(name) of `elements`, (n_names, n_names, n), from value functions."""
    params = dict(model.params or {})
    check_as_functions(model, list(elements))

    def values(x: NDArray[np.float64]) -> NDArray[np.complex128]:
        here = dict(zip(names, x.tolist(), strict=True))
        return block_values(model, elements, {**params, **here})

    point = np.array([float(params[name]) for name in names])
    bends, converged = hessian(values, point, [_scales(model, p) for p in point.tolist()])
    if not converged.all():
        a, b, position = np.argwhere(~converged)[0].tolist()
        where = " and ".join(f"{names[k]} = {point[k]}" for k in sorted({a, b}))
        raise ValueError(
            f"The Hamiltonian can't be differentiated twice numerically at {where}: second "
            f"differences of {element_at(model, elements, position)} don't converge. Is it smooth "
            "there? If so, give the derivatives themselves, with Matrices(..., second={...})."
        )
    return bends


def block_values(
    model: Model, elements: Sequence[Element], params: dict[str, Any]
) -> NDArray[np.complex128]:
    """Evaluate the Hamiltonian blocks of `elements`, flattened one after another."""
    return np.concatenate([value_at(model, element, params) for element in elements])


def _hermitian_coo(
    model: Model, elements: Sequence[Element], values: NDArray[np.complex128]
) -> Any:
    """Return the Hermitian matrix with these blocks, each hopping given in one direction."""
    i, j = np.array([(e.i, e.j) for e in elements]).T
    offsets = model.offsets
    row, col = block_orbitals(offsets, i, j)
    is_hopping = np.repeat(i != j, (offsets[i + 1] - offsets[i]) * (offsets[j + 1] - offsets[j]))
    row, col, values = (
        np.concatenate([row, col[is_hopping]]),
        np.concatenate([col, row[is_hopping]]),
        np.concatenate([values, values[is_hopping].conj()]),
    )
    n = model.n_orbitals
    return sparse.coo_array((values, (row, col)), shape=(n, n))
