"""Matrices that depend on the energy: value functions see it as one of their params.

They return H - E S, or any Hamiltonian that depends on energy minus E; Kwant's own energy is 0.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from kwant import UserCodeError
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from kwant_curl.algebra.differentiate import differentiate

__all__ = [
    "Curved",
    "Values",
    "check_energy_parameter",
    "check_forgotten",
    "check_lead_overlap",
    "check_named",
    "check_overlap",
    "check_positive",
    "holds_at",
    "values_by_energy",
    "with_energy",
]

ComplexArray = NDArray[np.complex128]

ROUNDING = 1e-13
"""By how much elements may miss a straight line in the energy, in units of what it is made of."""

DENSE = 2000
"""Orbitals up to which an error says the lowest eigenvalue."""

PROBES = (-0.625, 0.3291, 0.07713, -0.1187, 1.618)
"""Energies at which linearity is tried, in units of the elements; no round numbers."""

RTOL = 1e-8
"""Error of the derivative of what is not linear."""


class Values(Protocol):
    """The elements of matrices at any energy, one array (n,)."""

    @property
    def is_linear(self) -> bool:
        """Whether they are linear in the energy, so that they are known at complex ones too."""
        ...

    @property
    def find(self) -> Callable[[float], ComplexArray]:
        """The function of real energies that they are found by."""
        ...

    @property
    def unit(self) -> float:
        """An energy of the order of them."""
        ...

    def at(self, energy: complex) -> ComplexArray:
        """Return the elements at an energy."""
        ...

    def slope(self, energy: complex) -> ComplexArray:
        """Return their derivatives with respect to it."""
        ...


@dataclass(frozen=True, eq=False)
class Straight:
    """Elements of H - E S: those of H, and of -S; find, unit: as in `Curved`."""

    zero: ComplexArray
    change: ComplexArray
    find: Callable[[float], ComplexArray]
    unit: float
    is_linear = True

    def __getstate__(self) -> dict[str, Any]:
        """Travel without the functions."""
        return {"zero": self.zero, "change": self.change, "find": None, "unit": self.unit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def at(self, energy: complex) -> ComplexArray:
        """Return the elements at an energy."""
        return self.zero + energy * self.change

    def slope(self, energy: complex) -> ComplexArray:
        """Return their derivatives, at any energy."""
        return self.change


@dataclass(frozen=True, eq=False)
class Curved:
    """Elements that depend on energy in another way, found anew at each.

    unit: an energy, of the order of the elements.
    """

    find: Callable[[float], ComplexArray]
    unit: float
    is_linear = False

    def at(self, energy: complex) -> ComplexArray:
        """Return the elements at a real energy."""
        if energy.imag:
            raise ValueError(
                f"The Hamiltonian is not linear in energy, so it isn't known at {energy:.6g}, a "
                "complex one, which is asked for. Expected value functions that return H - E S."
            )
        return self.find(float(energy.real))

    def slope(self, energy: complex) -> ComplexArray:
        """Return their derivatives, by finite differences."""
        scales = (self.unit, 0.1 * self.unit, 0.01 * self.unit)
        found, converged = differentiate(self.find, float(energy.real), scales, RTOL)
        if not converged.all():
            raise ValueError(
                f"The Hamiltonian can't be differentiated with respect to energy at {energy:.6g}: "
                "finite differences don't converge. Expected value functions that are smooth."
            )
        return found


def values_by_energy(find: Callable[[float], ComplexArray], unit: float) -> Values:
    """Return elements at any energy, from a function of real energies.

    unit: of the order of them; a power of two, so that an overlap of 1 has no rounding errors.
    """
    try:
        zero, one = find(0.0), find(unit)
        found = Straight(zero, (one - zero) / unit, find, unit)
        is_linear = all(holds_at(found, part * unit) for part in PROBES)
    except (UserCodeError, ValueError, ArithmeticError):  # known in a range of energies alone
        is_linear = False
    return found if is_linear else Curved(find, unit)


def holds_at(values: Values, energy: float) -> bool:
    """Return whether elements are at an energy what they are said to be, if they are linear."""
    if not values.is_linear:
        return True
    size = np.abs(values.at(0.0)) + max(values.unit, abs(energy)) * np.abs(values.slope(0.0))
    missed = np.abs(values.find(energy) - values.at(energy))
    return bool(np.all(missed <= ROUNDING * max(float(size.max(initial=0.0)), values.unit)))


def check_forgotten(syst: Any) -> None:
    """Raise for value functions that say by which parameter they see the energy.

    They are methods of objects with an attribute `energy_parameter`, as those of a Junction.
    """
    for value, _ in (getattr(syst, "onsites", None) or ())[:1]:
        name = getattr(getattr(value, "__self__", value), "energy_parameter", None)
        if name is not None:
            raise ValueError(
                f"The system's value functions return H - E S, but no energy_parameter is given; "
                f"pass energy_parameter={name!r}, and the physical energy as energy."
            )


def check_overlap(overlap: Any, name: str) -> None:
    """Raise unless a matrix may be an overlap, the change of E S - H with E."""
    if not overlap.nnz or not np.any(overlap.data):
        raise ValueError(
            f"energy_parameter is {name!r}, but no value function of the scattering region depends "
            "on it. Expected value functions that take it and return H - E S."
        )
    least = float(overlap.diagonal().real.min())
    if least <= 0:
        raise ValueError(
            f"The overlap S = -dH/d{name} has the diagonal element {least:.3g}. Expected value "
            f"functions that return H - {name} S, with a positive S."
        )


def check_positive(overlap: Any) -> None:
    """Raise unless the overlap of a device, a sparse array, is positive definite."""
    size = overlap.shape[0]
    try:
        # Without pivots of other rows, as the positive ones of such a matrix need none.
        factors = splu(
            sparse.csc_array(overlap).astype(complex),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:  # exactly singular
        is_positive = False
    else:
        pivots = factors.U.diagonal().real
        is_positive = np.array_equal(factors.perm_r, factors.perm_c) and bool(np.all(pivots > 0))
    if is_positive:
        return
    least = "" if size > DENSE else f": its lowest eigenvalue is {_lowest(overlap.toarray()):.3g}"
    raise ValueError(
        f"The overlap of the scattering region is not positive definite{least}. Expected value "
        "functions that return H - E S, with the overlaps of all pairs of orbitals."
    )


def check_lead_overlap(
    lead: int, cell: ComplexArray, hopping: ComplexArray, momenta: Iterable[float]
) -> None:
    """Raise unless the overlap S(k) of a lead's orbitals is positive definite at these momenta."""
    square = np.zeros_like(cell)
    square[:, : hopping.shape[1]] = hopping
    if not (np.any(cell) or np.any(hopping)):
        raise ValueError(
            f"Lead {lead} does not depend on energy, as the scattering region does. Expected value "
            "functions of the lead that return H - E S too."
        )
    for k in momenta:
        forwards = np.exp(-1j * k) * square
        least = _lowest(cell + forwards + forwards.conj().T)
        if least <= 0:
            raise ValueError(
                f"The overlap of the orbitals of lead {lead} is not positive definite: at momentum "
                f"{k:.4g} its lowest eigenvalue is {least:.3g}. Expected value functions of the "
                "lead that return H - E S too, with the overlaps of all pairs of orbitals."
            )


def _lowest(matrix: ComplexArray) -> float:
    return float(np.linalg.eigvalsh(matrix)[0])


def with_energy(params: Any, name: str, energy: Any) -> Any:
    """Return params in which value functions see an energy; no mapping is returned as it is."""
    if params is not None and not isinstance(params, Mapping):
        return params
    return {**(params or {}), name: energy}


def check_named(name: str, known: Iterable[str]) -> None:
    """Raise unless value functions take the parameter that is said to be the energy."""
    names = sorted(known)
    if name not in names:
        raise ValueError(
            f"energy_parameter is {name!r}, but no value function takes it; they take "
            f"{', '.join(names) or 'no parameters'}. Expected the name of an argument of value "
            "functions that return H - E S."
        )


def check_energy_parameter(name: Any, charge: Any) -> None:
    """Raise unless `name` is one of an entry of params, in a model without holes."""
    if not isinstance(name, str):
        raise TypeError(
            f"energy_parameter is {name!r}; expected the name of the entry of params in which "
            "value functions see the energy."
        )
    if charge is not None:
        raise ValueError(
            "energy_parameter and charge are both given; a Nambu model whose Hamiltonian depends "
            "on energy is not supported. Leave one of them out."
        )
