"""Whether all motions decay, by an energy that none of them gains: cheaper than eigenvalues.

Arrays alone.  For x' = M x and a positive definite H, the energy x^T H x of every motion decays
where -(M^T H + H M) is positive semidefinite (Lyapunov).  Cholesky decompositions tell.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["DecayingEnergy"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Forces = tuple[FloatArray, FloatArray]
"""Stiffness S and damping gamma of q'' = -S q - gamma q'."""

STEPS = 4
"""How often an energy that doesn't decay is corrected, before it is given up."""


class DecayingEnergy:
    """Looks for an energy that decays, from that of the motion without current on.

    Parameters
    ----------
    frequencies : array (n,)
        omega of the modes, positive, in whose basis the forces will be.
    margin : float
        The growth rate of amplitudes that is taken for none, relative to the largest omega.
    """

    def __init__(self, frequencies: FloatArray, margin: float) -> None:
        self._unit = float(frequencies.max())
        self._frequencies, self._margin = frequencies / self._unit, margin
        self._found = [(0.0, np.eye(2 * len(frequencies)))]

    def is_found(self, bias: float, forces: Forces) -> bool:
        """Return whether an energy decays under the forces at a bias, so that no motion grows.

        False says only that none was found.  The search begins where those at the last two biases,
        of which the first counts as zero, point to.
        """
        energy, below = self._guess(bias), self._lower_rows(forces)
        lost = -self._gained(energy, below)
        if not self._decays(energy, lost):
            corrected = self._corrected(energy, lost, below)
            if corrected is None:
                return False
            energy = corrected
        self._found = [*self._found[-1:], (bias, energy)]
        return True

    def _guess(self, bias: float) -> FloatArray:
        """Return the energy at a bias, by a straight line through the last two."""
        (before, first), (last, second) = self._found[0], self._found[-1]
        if last == before:
            return second
        return second + (bias - last) / (last - before) * (second - first)

    def _lower_rows(self, forces: Forces) -> FloatArray:
        """Return those of M, (n, 2n), for x = (omega q, q'), in which modes without current turn.

        The upper ones are zero and the frequencies.
        """
        stiffness, damping = forces
        springs = stiffness / self._frequencies / self._unit**2
        return np.hstack([-springs, -damping / self._unit])

    def _gained(self, energy: FloatArray, below: FloatArray) -> FloatArray:
        """Return M^T H + H M, what an energy gains; below: the lower rows of M."""
        n = len(below)
        product = energy[:, n:] @ below
        product[:, n:] += energy[:, :n] * self._frequencies
        return product + product.T

    def _decays(self, energy: FloatArray, lost: FloatArray) -> bool:
        """Return whether no motion grows by more than the margin; lost: -(M^T H + H M)."""
        return _positive(lost + 2 * self._margin * energy) and _positive(energy)

    def _corrected(
        self, energy: FloatArray, lost: FloatArray, below: FloatArray
    ) -> FloatArray | None:
        """Solve M^T H + H M = -R, R what each mode would lose alone, until H decays.

        By conjugate residuals.  In amplitudes of modes M is diagonal but for the forces between
        modes: that preconditions.
        """
        n = len(below)
        shifts = 0.5 * below[:, :n].diagonal() - 0.5 * self._frequencies
        rates = 0.5 * below[:, n:].diagonal() + 1j * shifts
        if rates.real.max() >= 0 or not np.isfinite(lost).all():
            return None
        same, opposite = np.add.outer(rates.conj(), rates), np.add.outer(rates, rates).conj()
        missing = lost - np.diag(np.tile(-2 * rates.real, 2))
        known: list[tuple[FloatArray, FloatArray]] = []
        for _ in range(STEPS):
            turning, other = _split(missing)
            change = _joined(turning / same, other / opposite)
            gained = self._gained(change, below)
            for past, of_past in known:
                part = np.vdot(of_past, gained)
                change -= part * past
                gained -= part * of_past
            length = np.linalg.norm(gained)
            change /= length
            gained /= length
            known.append((change, gained))
            part = np.vdot(gained, missing)
            energy, missing, lost = (
                energy + part * change,
                missing - part * gained,
                lost - part * gained,
            )
            if self._decays(energy, lost):
                return energy
        return None


def _split(matrix: FloatArray) -> tuple[ComplexArray, ComplexArray]:
    """Return the blocks of a matrix between amplitudes a = (x + i y)/sqrt(2), and a with a^*."""
    n = len(matrix) // 2
    xx, xy, yx, yy = matrix[:n, :n], matrix[:n, n:], matrix[n:, :n], matrix[n:, n:]
    same, opposite = np.empty((2, n, n), complex)
    same.real, same.imag = 0.5 * (xx + yy), 0.5 * (yx - xy)
    opposite.real, opposite.imag = 0.5 * (xx - yy), 0.5 * (yx + xy)
    return same, opposite


def _joined(same: ComplexArray, opposite: ComplexArray) -> FloatArray:
    """Undo `_split`."""
    plus, minus = same + opposite, same - opposite
    return np.block([[plus.real, -minus.imag], [plus.imag, minus.real]])


def _positive(matrix: FloatArray) -> bool:
    """Return whether a symmetric matrix is positive definite, to rounding."""
    try:
        factor = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(factor.diagonal()).all())  # what isn't a number may pass otherwise
