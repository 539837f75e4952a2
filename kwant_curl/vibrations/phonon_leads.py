"""Leads into which vibrations leave: the lattice around the atoms that move."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.gaining import gaining
from kwant_curl.algebra.memory import Memory
from kwant_curl.support.frozen import Frozen, read_only
from kwant_curl.support.storage import saved_within

__all__ = ["PhononLeads"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

SYMMETRIC = 1e-9
"""By how much residues may differ from their transpose, relative to the largest."""


@saved_within
@dataclass(frozen=True, eq=False, repr=False)
class PhononLeads(Frozen):
    """Leads into which the vibrations of the moving atoms leave, by their self-energy Pi(omega).

    The equation of motion is [omega^2 - D - Pi(omega)] v = 0 in mass-weighted coordinates, D with
    the surroundings held fixed; -Im Pi(omega)/omega is a matrix of damping, Re Pi a shift of
    omega^2.  Pi is a rational function, the sum over leads of
    C - i omega Gamma + sum_j [R_j/(omega - p_j) - R_j^*/(omega + p_j^*)].

    -Im Pi/omega of each lead must not be negative: this is checked at zero, around each pole, and
    beyond them.

    Attributes
    ----------
    poles : array of complex, shape (n_poles,)
        p_j, below the real axis, with real parts that are not negative.
    residues : array of complex, shape (n_poles, n_c, n_c)
        R_j, symmetric.
    lead : array of int, shape (n_poles,)
        The lead that each pole belongs to.
    constant : array of float, shape (n_leads, n_c, n_c)
        C of each lead, symmetric.
    friction : array of float, shape (n_leads, n_c, n_c)
        Gamma of each lead, symmetric and positive semidefinite: damping without memory.
    error : float
        By how much Pi(omega) differs from that of the lattice at frequencies between those of the
        fit, relative to Pi(omega) there or to Pi(0), whichever is larger.

    Examples
    --------
    >>> lead = LatticeLead([[2.0]], [[-1.0]], 1.0)  # a chain of springs of strength 1
    >>> springs = 2 * np.eye(3) - np.eye(3, k=1) - np.eye(3, k=-1)
    >>> chain = Lattice.from_arrays(springs, 1.0, [lead.at([0]), lead.at([2])])
    >>> vibrations = chain.modes([1])
    >>> type(vibrations.leads).__name__
    'PhononLeads'
    """

    DIMENSIONS = {  # noqa: RUF012
        "poles": ("pole",),
        "residues": ("pole", "coordinate", "other_coordinate"),
        "lead": ("pole",),
        "constant": ("lead", "coordinate", "other_coordinate"),
        "friction": ("lead", "coordinate", "other_coordinate"),
    }

    poles: ComplexArray
    residues: ComplexArray
    lead: NDArray[np.int64]
    constant: FloatArray
    friction: FloatArray
    error: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_kinds()
        self._check_shapes()
        if not ((self.poles.imag < 0) & (self.poles.real >= 0)).all():
            raise ValueError(
                f"poles are {self.poles}; expected those below the real axis with real parts that "
                "are not negative (the others are their mirror images)."
            )
        for name in ("residues", "constant", "friction"):
            array = getattr(self, name)
            apart = np.abs(array - array.swapaxes(-1, -2)).max(initial=0.0)
            if not apart <= SYMMETRIC * np.abs(array).max(initial=0.0):
                raise ValueError(
                    f"{name} is not symmetric: elements differ from the transposed ones by up to "
                    f"{apart:.3g}."
                )

        self._check_passive()

    def _check_passive(self) -> None:
        """Raise where Pi of a lead feeds energy in: no other lead's damping is its noise."""
        for lead in range(len(self)):
            found = gaining(self.memory(lead))
            if found is None:
                continue
            frequency, value = found
            if frequency == np.inf:
                raise ValueError(
                    f"Lead {lead} feeds energy into the vibrations: its friction is not positive "
                    f"semidefinite: eigenvalue {value:.3g}."
                )
            raise ValueError(
                f"Lead {lead} feeds energy into the vibrations: at the frequency {frequency:.6g} "
                f"its -Im Pi/omega has the eigenvalue {value:.3g}; expected a damping that is "
                "nowhere negative. Add a friction as large, or fit Pi otherwise."
            )

    def _check_kinds(self) -> None:
        for name in ("constant", "friction"):
            if getattr(self, name).dtype.kind not in "iuf":
                raise TypeError(f"{name} is {getattr(self, name).dtype}; expected real numbers.")
        if self.lead.size and self.lead.dtype.kind not in "iu":
            raise TypeError(
                f"lead is {self.lead}; expected whole numbers, the lead of each pole from 0."
            )

    def _check_shapes(self) -> None:
        n_poles, n_leads, n_c = len(self.poles), len(self.constant), self.constant.shape[-1]
        expected = {
            "poles": (n_poles,),
            "residues": (n_poles, n_c, n_c),
            "lead": (n_poles,),
            "constant": (n_leads, n_c, n_c),
            "friction": (n_leads, n_c, n_c),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise ValueError(
                    f"{name} has shape {array.shape}; expected finite numbers of shape {shape}: "
                    f"{n_poles} poles, {n_leads} leads, {n_c} coordinates."
                )
        if n_poles and not (self.lead.min() >= 0 and self.lead.max() < n_leads):
            raise ValueError(f"lead is {self.lead}; the leads are 0 to {n_leads - 1}.")

    def __repr__(self) -> str:
        return (
            f"<PhononLeads: {len(self)} leads of {self.constant.shape[-1]} coordinates, "
            f"{len(self.poles)} poles, error {self.error:.2g}>"
        )

    def __len__(self) -> int:
        return len(self.constant)

    def memory(self, lead: int | None = None) -> Memory:
        """Return the self-energy of one lead, or of all, for equations of motion."""
        if lead is None:
            total = self.constant.sum(axis=0), self.friction.sum(axis=0)
            return Memory(self.poles, self.residues, *total)
        if not 0 <= lead < len(self):
            raise IndexError(
                f"lead is {lead}; there are {len(self)}, counted from 0. Leads that atoms which "
                "don't move connect with each other are one."
            )
        own = self.lead == lead
        return Memory(self.poles[own], self.residues[own], self.constant[lead], self.friction[lead])

    def selfenergy(self, omega: ArrayLike) -> ComplexArray:
        """Return Pi of all leads, shape (..., n_c, n_c), at real or complex frequencies."""
        return read_only(self.memory()(omega))

    def lead_selfenergy(self, omega: ArrayLike) -> ComplexArray:
        """Return Pi of each lead, shape (n_leads, ..., n_c, n_c)."""
        return read_only(np.stack([self.memory(lead)(omega) for lead in range(len(self))]))

    @classmethod
    def from_oscillators(
        cls, frequencies: ArrayLike, damping: ArrayLike, couplings: ArrayLike, lead: ArrayLike = 0
    ) -> Self:
        """Return surroundings of damped oscillators, each coupled to the moving atoms.

        Pi(omega) = sum_j c_j c_j^T/(omega^2 - omega_j^2 + i omega gamma_j).

        Parameters
        ----------
        frequencies : array of float, shape (n,)
            omega_j.
        damping : array of float, shape (n,)
            gamma_j, the rates at which their energies decay: below 2 omega_j.
        couplings : array of float, shape (n, n_c)
            c_j, in mass-weighted coordinates: the energy is -sum_j x_j c_j . q.
        lead : int or array of int, shape (n,)
            The lead that each belongs to.

        Raises
        ------
        TypeError
            For numbers that are not real, and leads that are not whole numbers.
        ValueError
            For arrays that don't fit, no oscillators, and those that are overdamped.
        """
        given = {"frequencies": frequencies, "damping": damping, "couplings": couplings}
        for name, value in given.items():
            if np.iscomplexobj(value):
                raise TypeError(f"{name} is complex; expected real numbers.")
        omega, gamma, c = (np.asarray(value, dtype=float) for value in given.values())
        fit = omega.ndim == 1 and gamma.shape == omega.shape and c.ndim == 2
        if not fit or len(c) != len(omega) or not c.size:
            raise ValueError(
                f"frequencies, damping and couplings have shapes {omega.shape}, {gamma.shape} and "
                f"{c.shape}; expected (n,), (n,) and (n, n_c), of one oscillator or more."
            )
        if not ((gamma > 0) & (gamma < 2 * omega)).all():
            raise ValueError("Expected a damping of each oscillator between 0 and 2 omega.")
        real = np.sqrt(omega**2 - gamma**2 / 4)
        numbers = _numbers(lead, len(omega))
        nothing = np.zeros((numbers.max() + 1, c.shape[1], c.shape[1]))
        squares = c[:, :, None] * c[:, None, :] / (2 * real)[:, None, None]
        return cls(real - 0.5j * gamma, squares.astype(complex), numbers, nothing, nothing)


def _numbers(lead: ArrayLike, n: int) -> NDArray[np.int64]:
    """Return the number of the lead of each oscillator, (n,), or raise."""
    given = np.asarray(lead)
    if given.dtype.kind not in "iu":
        raise TypeError(f"lead is {lead!r}; expected whole numbers.")
    if given.shape not in ((), (n,)) or given.min() < 0:
        raise ValueError(f"lead is {lead!r}; expected a number, or {n} of them, counted from 0.")
    return np.broadcast_to(given.astype(np.int64), (n,))
