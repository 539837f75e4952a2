"""Bands of a chain of equal cells whose orbitals overlap: H(k) v = E S(k) v."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, eigh

__all__ = ["GeneralisedBands"]

ComplexArray = NDArray[np.complex128]


class GeneralisedBands(NamedTuple):
    """Energies and velocities of H(k) = ham + (hop e^(-ik) + h.c.), S(k) likewise.

    Called as `kwant.physics.Bands` is.  ham, overlap: (n, n); hop, overlap_hop: (n, n), from the
    next cell.
    """

    ham: ComplexArray
    hop: ComplexArray
    overlap: ComplexArray
    overlap_hop: ComplexArray

    @classmethod
    def of(cls, line: tuple[ComplexArray, ComplexArray, ComplexArray, ComplexArray]) -> Any:
        """Return those of a cell, the hopping to its first orbitals, and the overlaps of both."""
        whole = []
        for part in line:
            square = np.zeros((len(part), len(part)), complex)
            square[:, : part.shape[1]] = part
            whole.append(square)
        return cls(*whole)

    def __call__(self, k: float, derivative_order: int = 0) -> Any:
        """Return the energies at a momentum, sorted, and with derivative_order=1 the velocities."""
        phase = np.exp(-1j * k)
        ham, overlap = (
            cell + phase * hop + (phase * hop).conj().T
            for cell, hop in ((self.ham, self.hop), (self.overlap, self.overlap_hop))
        )
        try:
            energies, vectors = eigh(ham, overlap)
        except LinAlgError:
            least = np.linalg.eigvalsh(overlap)[0]
            raise ValueError(
                f"The overlap of a lead's orbitals is not positive definite: at momentum {k:.4g} "
                f"its lowest eigenvalue is {least:.3g}. Expected value functions that return "
                "H - E S with the overlaps of all cells that S reaches."
            ) from None
        if not derivative_order:
            return energies
        slopes = [
            np.einsum("in,ij,jn->n", vectors.conj(), part + part.conj().T, vectors).real
            for part in (-1j * phase * self.hop, -1j * phase * self.overlap_hop)
        ]
        return energies, slopes[0] - energies * slopes[1]
