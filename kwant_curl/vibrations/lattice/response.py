"""The lattice's response D(omega) = 1/(omega^2 - M^(-1/2) K M^(-1/2) - Pi), and what follows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.vibrations.lattice.surfaces import frequencies_of, lead_selfenergies

__all__ = ["Response"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class Response(NamedTuple):
    """Of a lattice with leads, exact."""

    problem: ScatteringProblem

    def transmission(self, omega: ArrayLike, lead_in: int, lead_out: int) -> FloatArray:
        """Return Tr[Gamma_out D Gamma_in D^+] at real frequencies."""
        frequencies = frequencies_of(omega)
        if frequencies.imag.any():
            raise ValueError(f"omega is {omega!r}; expected real frequencies.")
        n_leads = len(self.problem.leads)
        if not (0 <= lead_in < n_leads and 0 <= lead_out < n_leads) or lead_in == lead_out:
            raise ValueError(
                f"lead_in is {lead_in} and lead_out {lead_out}; expected two of the {n_leads} "
                "leads, counted from 0."
            )
        found = [self._through(complex(w), lead_in, lead_out) for w in frequencies.ravel()]
        return np.array(found).reshape(frequencies.shape)

    def _through(self, omega: complex, lead_in: int, lead_out: int) -> float:
        sigmas = lead_selfenergies(self.problem, omega)
        entered, left = (-2 * sigmas[number].imag for number in (lead_in, lead_out))
        at, to = (self.problem.leads[number].orbitals for number in (lead_in, lead_out))
        between = self._columns(omega, sigmas, at)[to]
        return float(np.trace(left @ between @ entered @ between.conj().T).real)

    def density(self, frequencies: ComplexArray, columns: NDArray[np.int64]) -> FloatArray:
        """Return -(2/pi) Im[omega D_ii] of these coordinates, (n_omega, n_columns)."""
        found = []
        for w in frequencies:
            omega = complex(w)
            response = self._columns(omega, lead_selfenergies(self.problem, omega), columns)
            diagonal = response[columns, np.arange(len(columns))]
            found.append(-2 / np.pi * (omega * diagonal).imag)
        return np.array(found)

    def _columns(
        self, omega: complex, sigmas: dict[int, ComplexArray], columns: NDArray[np.int64]
    ) -> ComplexArray:
        """Return columns of D, (n_orbitals, n_columns)."""
        n = self.problem.n_orbitals
        inverse: Any = omega**2 * sparse.eye_array(n) - self.problem.hamiltonian
        for number, sigma in sigmas.items():
            orbitals = self.problem.leads[number].orbitals
            rows, cols = np.repeat(orbitals, len(sigma)), np.tile(orbitals, len(sigma))
            inverse = inverse - sparse.csc_array((sigma.ravel(), (rows, cols)), shape=(n, n))
        right = np.zeros((n, len(columns)), complex)
        right[columns, np.arange(len(columns))] = 1
        solved: ComplexArray = splu(sparse.csc_array(inverse)).solve(right)
        return solved
