"""The golden rule between two energies: what pairs of modes emit and absorb."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.by_energy import ByEnergy
from kwant_curl.algebra.interpolated import Interpolated
from kwant_curl.algebra.matrix_elements import all_matrix_elements, chunks
from kwant_curl.algebra.occupations import reach, window
from kwant_curl.algebra.quanta import exchange_weighting, steps
from kwant_curl.algebra.sketches import Sample
from kwant_curl.algebra.stack import Factors
from kwant_curl.electrons.beside import Attempt, Beside
from kwant_curl.electrons.bound import counted_range, narrow_levels
from kwant_curl.electrons.kernels.operators import Operators
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.sampling import energy_bar, sampled
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.electrons.windows import Window
from kwant_curl.model.bands import band_edges
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.model.selfenergy_slopes import check_energy_dependence
from kwant_curl.support.parallel import mapped
from kwant_curl.support.threads import for_small_matrices

__all__ = ["AllTraces", "EmissionKernel", "Exchanged", "PairTraces", "Traces", "exchanged"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class Traces(Protocol):
    """What is made of matrix elements between two energies; picklable if there is an executor."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what is made."""
        ...

    def __call__(self, elements: ComplexArray) -> FloatArray:
        """Return the sum over all pairs of states; elements: (n_c, n_final, n_initial)."""
        ...


@dataclass(frozen=True, eq=False)
class PairTraces:
    """Tr[F_pm D F_pm^+ D'], F_pm = F_X +- i F_Y, of pairs of modes; patterns: (n_pairs, 2, n_c)."""

    patterns: FloatArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Pairs, and (+) and (-) of each."""
        return len(self.patterns), 2

    def __call__(self, elements: ComplexArray) -> FloatArray:
        """Return |<final| F_pm^+ |initial>|^2, summed."""
        result = np.empty(self.shape)
        x, y = np.tensordot(self.patterns, elements, axes=(2, 0)).swapaxes(0, 1)
        for sign, part in ((1, 0), (-1, 1)):
            squares = np.abs(x - sign * 1j * y) ** 2
            result[:, part] = squares.sum(axis=(1, 2))
        return result


@dataclass(frozen=True, eq=False)
class AllTraces:
    """Tr[F_I D F_J D'] of all pairs of patterns (n, n_c), Hermitian: Re + Im, a real matrix.

    The symmetric part of that is the real part, the antisymmetric one the imaginary part.
    """

    patterns: FloatArray

    @property
    def shape(self) -> tuple[int, ...]:
        """A matrix."""
        return 2 * (len(self.patterns),)

    def __call__(self, elements: ComplexArray) -> FloatArray:
        """Return <final| F_I |initial>^* <final| F_J |initial>, summed."""
        flat = self.patterns @ elements.reshape(len(elements), -1)
        gram = flat.conj() @ flat.T
        return np.asarray(gram.real + gram.imag)


@dataclass(frozen=True, eq=False)
class EmissionKernel:
    """Traces of the golden rule between E and E + quantum.

    operators: those of the forces, in the middle of both energies: -(dH/dQ - (E + E')/2 dS/dQ);
    one-sided overlaps N add (E' - E)(N - N^+)/2 to them, where they are known; traces: what is
    made of the matrix elements; energy: the Fermi level.
    """

    problem: ScatteringProblem
    numerics: Numerics
    operators: ByEnergy[Operators]
    traces: Traces
    quantum: float
    energy: float

    @property
    def orbitals(self) -> NDArray[np.int64]:
        """The orbitals that the coordinates touch."""
        return self.operators.at(self.energy).orbitals

    def __call__(self, energy: float) -> tuple[FloatArray, bool]:
        """Return traces with D_beta(E) and D_alpha(E + quantum), (n, n, ...) by source.

        The first two axes are alpha, from where an electron comes when it emits, and beta.  And
        whether modes are open at both energies.
        """
        operators = self.operators.at(energy + 0.5 * self.quantum)
        upper, lower = (
            EnergyShell(self.problem, e, self.numerics, operators.orbitals).states_by_lead()
            for e in (energy + self.quantum, energy)
        )
        result = np.zeros((len(upper), len(lower), *self.traces.shape))
        width = len(operators.factors.start)
        for alpha, initial in enumerate(upper):
            for beta, final in enumerate(lower):
                for some in chunks(len(final), width * len(initial)):
                    elements = self._elements(operators, final[some], initial)
                    result[alpha, beta] += self.traces(elements)
        return result / (4 * np.pi**2), bool(sum(map(len, upper)) and sum(map(len, lower)))

    def _elements(
        self, operators: Operators, final: ComplexArray, initial: ComplexArray
    ) -> ComplexArray:
        """Return <final|F_I|initial> of all coordinates, the final states a quantum below."""
        elements = all_matrix_elements(operators.factors, final, initial)
        moved = operators.moved
        if moved is not None:
            daggered = Factors(moved.right, moved.left, moved.start)
            turned = all_matrix_elements(moved, final, initial)
            turned -= all_matrix_elements(daggered, final, initial)
            elements -= 0.5 * self.quantum * turned
        return elements


@dataclass(frozen=True, eq=False)
class Exchanged:
    """The integrals for emission and absorption, their samples, and whether they are partial.

    emitted, absorbed: (n_leads, n_leads, ...), the lead at the upper energy first; notices: what
    is to be said of states that are bound there; limits: of the lower energies.
    """

    emitted: FloatArray
    absorbed: FloatArray
    integral: Interpolated
    partial: bool
    notices: tuple[str, ...]
    limits: tuple[float, float]


def exchanged(kernel: EmissionKernel, point: OperatingPoint, numerics: Numerics) -> Exchanged:
    """Integrate the traces, with the leads' occupations, over the lower energy E."""
    sources = kernel.problem.sources
    point = point.of_sources(sources)
    check_energy_dependence(kernel.problem, "the golden rule between two energies")
    levels = point.energy + point.bias
    weighting = exchange_weighting(levels, kernel.quantum, point.temperature)
    with energy_bar(numerics) as bar, for_small_matrices(kernel.problem.n_orbitals):
        found = _window(kernel, point, numerics)
        evaluate = _Samples(Beside(kernel, float(np.ptp(found.points))), numerics, bar)
        integral = sampled(evaluate, kernel.problem, found, weighting, numerics)
    closed = any(
        weighting.counts(energy, numerics.rtol)
        for energy, is_open in evaluate.is_open.items()
        if not is_open
    )
    parts = (part for (part,) in integral.integrals(weighting, 0.1 * numerics.rtol))
    emitted, absorbed = (sources.of_pairs(part) for part in parts)
    limits = float(found.points[0]), float(found.points[-1])
    return Exchanged(emitted, absorbed, integral, closed, found.levels.notices, limits)


def _window(kernel: EmissionKernel, point: OperatingPoint, numerics: Numerics) -> Window:
    """Return the energies of the integral, and what there is at E + quantum too."""
    quantum = kernel.quantum
    every = steps(point.energy + point.bias, quantum)
    limits = np.array(window(every, point.temperature, reach(numerics.rtol)))
    low, high = counted_range(point._replace(linear=False), numerics.rtol)
    around = low - quantum, high + quantum
    beyond = (1 + 1e-9) * numerics.exclude
    edges = band_edges(
        kernel.problem,
        min(limits[0], around[0]) - beyond,
        max(limits[1] + quantum, around[1]) + beyond,
    )
    found = narrow_levels(kernel.problem, around, edges, numerics, kernel.orbitals)
    rough = np.append(edges, found.bound)
    inner = np.concatenate([rough, rough - quantum])
    shifted = ((energy - quantum, width) for energy, width in found.resonances)
    return Window(
        np.union1d(limits, inner[(inner > limits[0]) & (inner < limits[1])]),
        np.concatenate([edges, edges - quantum]),
        found._replace(resonances=(*found.resonances, *shifted)),
    )


class _Samples:
    """The samples; is_open: whether modes are open at each energy that was evaluated."""

    def __init__(self, kernel: Callable[[float], Any], numerics: Numerics, bar: Any) -> None:
        self._kernel, self._numerics, self._bar = kernel, numerics, bar
        self.is_open: dict[float, bool] = {}

    def __call__(self, energies: Sequence[float]) -> Iterator[Sample | Exception]:
        found = mapped(Attempt(self._kernel), energies, self._numerics.executor, self._bar)
        for energy, answer in zip(energies, found, strict=True):
            if isinstance(answer, Exception):
                yield answer
                continue
            by_pair, self.is_open[energy] = answer
            yield Sample(((by_pair,), (by_pair,)), (0.0, 0.0))  # nothing cancels
