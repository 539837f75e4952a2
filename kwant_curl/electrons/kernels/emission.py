"""The golden rule between two energies: what pairs of modes emit and absorb."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.integration import Sample, integrate
from kwant_curl.algebra.matrix_elements import all_matrix_elements, chunks
from kwant_curl.algebra.occupations import fermi, reach, window
from kwant_curl.algebra.stack import Factors
from kwant_curl.electrons.averages import energy_bar
from kwant_curl.electrons.beside import Beside
from kwant_curl.electrons.bound import bound_states, counted_range
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.bands import band_edges
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import check_energy_dependence
from kwant_curl.support.parallel import mapped

__all__ = ["EmissionKernel", "Exchanged", "exchanged"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EmissionKernel:
    """Traces of the golden rule between E and E + quantum.

    factors: those of the force operators on `orbitals`; pairs: patterns (n_pairs, 2, n_c).
    """

    problem: ScatteringProblem
    numerics: Numerics
    factors: Factors
    orbitals: NDArray[np.int64]
    pairs: FloatArray
    quantum: float

    def __call__(self, energy: float) -> tuple[FloatArray, bool]:
        """Return Tr[F_pm D_beta(E) F_pm^+ D_alpha(E + quantum)], (n_pairs, 2, n, n) by source.

        The last two axes are alpha, from where an electron comes when it emits, and beta.  And
        whether modes are open at both energies.
        """
        upper, lower = (
            EnergyShell(self.problem, e, self.numerics, self.orbitals).states_by_lead()
            for e in (energy + self.quantum, energy)
        )
        result = np.zeros((len(self.pairs), 2, len(upper), len(lower)))
        width = len(self.factors.start)
        for alpha, initial in enumerate(upper):
            for beta, final in enumerate(lower):
                for some in chunks(len(final), width * len(initial)):
                    elements = all_matrix_elements(self.factors, final[some], initial)
                    x, y = np.tensordot(self.pairs, elements, axes=(2, 0)).swapaxes(0, 1)
                    for sign, part in ((1, 0), (-1, 1)):
                        # <final| F_pm^+ |initial>, F_pm = F_X +- i F_Y
                        squares = np.abs(x - sign * 1j * y) ** 2
                        result[:, part, alpha, beta] += squares.sum(axis=(1, 2))
        return result / (4 * np.pi**2), bool(sum(map(len, upper)) and sum(map(len, lower)))


@dataclass(frozen=True, eq=False)
class Exchanged:
    """The integrals for emission and absorption, their error, and whether they are partial.

    notices: what is to be said of states that are bound there.
    """

    emitted: FloatArray
    absorbed: FloatArray
    error: float
    partial: bool
    notices: tuple[str, ...]


def exchanged(kernel: EmissionKernel, point: OperatingPoint, numerics: Numerics) -> Exchanged:
    """Integrate the traces, with the leads' occupations, over the lower energy E."""
    sources = kernel.problem.sources
    point = point.of_sources(sources)
    check_energy_dependence(kernel.problem, "the golden rule between two energies")
    with energy_bar(numerics) as bar:
        points, bound = _break_points(kernel, point, numerics)
        summed = _WeightedTraces(kernel, float(np.ptp(points)), point, numerics, bar)
        integral = integrate(summed, points, numerics.rtol)
    emitted, absorbed = (sources.of_pairs(part, axes=(2, 3)) for part in integral.parts)
    return Exchanged(emitted, absorbed, integral.error, summed.closed, bound)


def _break_points(
    kernel: EmissionKernel, point: OperatingPoint, numerics: Numerics
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the limits of the integral, and where the integrand isn't smooth between them.

    And what is to be said of states that are bound there.
    """
    levels, quantum = point.energy + point.bias, kernel.quantum
    limits = window(
        np.concatenate([levels, levels - quantum]), point.temperature, reach(numerics.rtol)
    )
    edges = band_edges(kernel.problem, limits[0], limits[-1] + quantum)
    low, high = counted_range(point._replace(linear=False), numerics.rtol)
    bound, notices = bound_states(
        kernel.problem, low - quantum, high + quantum, numerics, kernel.orbitals
    )
    rough = np.append(edges, bound)
    inner = np.concatenate([rough, rough - quantum])
    return np.union1d(limits, inner[(inner > limits[0]) & (inner < limits[-1])]), notices


class _WeightedTraces:
    """The integrand; closed: whether at an energy that counts no mode is open."""

    def __init__(
        self,
        kernel: EmissionKernel,
        width: float,
        point: OperatingPoint,
        numerics: Numerics,
        bar: Any,
    ) -> None:
        self._kernel, self._point, self._numerics, self._bar = kernel, point, numerics, bar
        self._width = width
        self.closed = False

    def __call__(self, energies: Sequence[float]) -> Iterator[Sample]:
        numerics, kt = self._numerics, self._point.temperature
        levels = self._point.energy + self._point.bias
        find = Beside(self._kernel, self._width)
        traces = mapped(find, energies, numerics.executor, self._bar)
        for energy, (trace, is_open) in zip(energies, traces, strict=True):
            above = fermi(energy + self._kernel.quantum, levels, kt)[:, None]
            below = fermi(energy, levels, kt)
            emitted, absorbed = above * (1 - below), below * (1 - above)
            counts = max(emitted.max(), absorbed.max()) > numerics.rtol
            self.closed = self.closed or (counts and not is_open)
            yield (emitted * trace, absorbed * trace), (0.0, 0.0)  # nothing cancels
