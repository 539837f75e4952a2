"""What coordinates that are coupled to each other answer at an energy."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kwant_curl.algebra.by_energy import ByEnergy, Fixed
from kwant_curl.algebra.coupled import lead_responses
from kwant_curl.algebra.propagation import (
    carried_tensors,
    density_traces,
    field_traces,
    jacobians,
    moved_tensors,
    pair_traces,
    trace_size,
    velocity_tensors,
)
from kwant_curl.algebra.stack import Factors
from kwant_curl.electrons.inverse import Propagators, factorised
from kwant_curl.electrons.kernels.operators import Operators, joined_factors
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.shares import Shares, response_sizes
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.model.off_axis import equations_above
from kwant_curl.model.scattering import ScatteringProblem

__all__ = ["CoupledKernel"]

NEARBY = 1e-3
"""The distance of energies nearby, in units of the largest element of the Hamiltonian."""

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class CoupledKernel:
    """Force, curl and friction of coupled coordinates at any energy, and more if it is wanted."""

    problem: ScatteringProblem
    numerics: Numerics
    operators: ByEnergy[Operators]
    velocity: bool = False
    noise: bool = False
    energy: float = 0.0

    @cached_property
    def here(self) -> Operators:
        """The operators at the Fermi level."""
        return self.operators.at(self.energy)

    @property
    def orbitals(self) -> NDArray[np.int64]:
        """The orbitals that the coordinates touch."""
        return self.here.orbitals

    @property
    def by_lead(self) -> list[str]:
        """What is given by lead, in its order."""
        jacobian = [] if self.here.second is None else ["jacobian"]
        return ["force", "curl", *jacobian, *(["velocity"] if self.velocity else [])]

    def in_window(self) -> Self:
        """Return the same for one of many energies, where bound states were looked for already."""
        return replace(self, numerics=replace(self.numerics, in_window=True))

    def __call__(self, energy: float) -> Shares:
        """Return force, curl, Jacobian and velocity tensor by lead, noise by pair, friction."""
        operators = self.operators.at(energy)
        factors, second = operators.factors, operators.second
        shell = EnergyShell(self.problem, energy, self.numerics, operators.orbitals)
        extra: list[FloatArray] = []
        sizes: list[float] = []
        if second is None and not self.velocity:
            states = shell.states_by_lead()
        else:
            propagators = shell.propagators(slopes=self.velocity)
            states = shell.split(propagators.states)
            extra, sizes = _propagated(operators, propagators, states)
        answer = lead_responses(factors, states, noise=self.noise)
        n_modes = sum(shell.n_modes)
        force, curl, friction = response_sizes(answer.friction, n_modes)
        total, total_sizes = [answer.friction], [friction]
        if self.velocity:
            odd = _antisymmetric(extra[-1].sum(axis=0))
            share, share_size = _fermi_share(factors, propagators)
            total += [odd, share]
            total_sizes += [sizes[-1], share_size]
        noise_sizes = [friction] if self.noise else []
        return Shares(
            by_lead=(answer.force, answer.curl, *extra),
            by_pair=() if answer.noise is None else (answer.noise,),
            total=tuple(total),
            sizes=(force, curl, *sizes, *noise_sizes, *total_sizes),
            n_modes=n_modes,
            notices=shell.notices,
        )

    def above(self, energy: complex) -> tuple[FloatArray, float]:
        """Return -Im R/pi - Re Tr[C G]/pi above the real axis, and its size.

        R_IJ = Tr[H_I G' H_J G] without its symmetric part, C_IJ the operators of `fields`.  The
        Lorentz-like force of equilibrium is its integral over Im E, from the Fermi level upwards,
        and what `_fermi_share` and `half_filled` add.
        """
        equations, change = equations_above(self.problem, energy)
        inverse = factorised(self.problem, equations, self.numerics, self.orbitals)
        nothing = sparse.csr_array((equations.matrix.shape[0], 0), dtype=complex)
        found = inverse.propagators(nothing, change)
        traces, size = pair_traces(self._factors_above(energy), found.slope, found.greens)
        result, fields = -_antisymmetric(traces.imag), self.here.fields
        if fields is not None:
            carried = field_traces(fields, found.greens, len(result)).real
            result, size = result - carried, max(size, float(np.abs(carried).max(initial=0.0)))
        return result / np.pi, size / np.pi

    def _factors_above(self, energy: complex) -> Factors:
        """Return the force operators at a complex energy, from two real ones on a line."""
        if isinstance(self.operators, Fixed):
            return self.here.factors
        unit = self.problem.largest
        zero, one = (self.operators.at(e).factors for e in (0.0, unit))
        return joined_factors(zero, 1 - energy / unit, one, energy / unit)

    @property
    def half_filled(self) -> FloatArray:
        """What orbitals that are half filled add to the integral of `above`: -Tr[C_IJ]/2."""
        n_c, fields = len(self.here.factors.start) - 1, self.here.fields
        if fields is None:
            return np.zeros((n_c, n_c))
        return -0.5 * field_traces(fields, np.eye(len(self.orbitals), dtype=complex), n_c).real

    def nearby(self, energy: float) -> float:
        """Return another energy, at which what cancels at this one by symmetry doesn't."""
        return energy + NEARBY * float(abs(self.problem.hamiltonian).max())


def _propagated(
    operators: Operators, propagators: Propagators, states: list[ComplexArray]
) -> tuple[list[FloatArray], list[float]]:
    """Return Jacobian and velocity tensor by lead, those that are asked for, and their sizes."""
    factors, second, fields = operators.factors, operators.second, operators.fields
    parts, sizes = [], []
    if second is not None:
        parts.append(jacobians(factors, second, propagators.greens, states))
        sizes.append(trace_size(factors, propagators.greens, states))
    if propagators.slope is not None:
        parts.append(velocity_tensors(factors, propagators.slope, states))
        sizes.append(trace_size(factors, propagators.slope, states))
        if operators.moved is not None:
            parts[-1] = parts[-1] + moved_tensors(
                factors, operators.moved, propagators.greens, states
            )
        if fields is not None:
            carried = carried_tensors(fields, states, len(factors.start) - 1)
            parts[-1] = parts[-1] + carried
            sizes[-1] = max(sizes[-1], float(np.abs(carried).max(initial=0.0)))
    return parts, sizes


def _fermi_share(factors: Factors, propagators: Propagators) -> tuple[FloatArray, float]:
    """Return what the Fermi level's states add to the integral of `above`, and its size.

    The antisymmetric part of Re Tr[H_I G^r H_J G^a]/(2 pi), with G^a = G^r + 2 pi i D.
    """
    states, greens = propagators.states, propagators.greens
    traces = density_traces(factors, greens, states)
    return -_antisymmetric(traces.imag), trace_size(factors, greens, [states])


def _antisymmetric(tensor: FloatArray) -> FloatArray:
    return 0.5 * (tensor - tensor.T)
