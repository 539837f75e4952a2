"""Motion of modes with surroundings that remember, and with noise of any spectrum.

q'' = -S q - gamma q' + xi + sum_l [-(Pi_l q)(t) + xi_l], Pi_l the rational self-energy of a lead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.linalg import expm

from kwant_curl.algebra.dynamics import Propagation, propagation
from kwant_curl.algebra.memory import Memory

__all__ = ["LeadPropagation", "SurroundedPropagation", "surrounded_propagation"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class LeadPropagation(NamedTuple):
    """Half a step of a lead's further variables, and what it does to the modes.

    decay: (n_y,) of y by itself; position, velocity: (n, 2 n_y) what a motion q + t v of the modes
    adds to it; outward: (2 n_y, n), the force being y outward - constant q, with real and
    imaginary parts of y side by side, as they are in memory; rubbing: (n, n),
    -Gamma int exp(-gamma s) ds over a step, or None without Gamma; noise: (n, n), a root of the
    covariance of the velocity that white noise of this lead adds, or None.
    """

    decay: ComplexArray
    position: FloatArray
    velocity: FloatArray
    outward: FloatArray
    constant: FloatArray
    rubbing: FloatArray | None
    noise: FloatArray | None

    @classmethod
    def of(
        cls, memory: Memory, rubbing: FloatArray | None, noise: FloatArray | None, step: float
    ) -> Self:
        """Return it, exact for modes that move uniformly."""
        poles, outward, inward = memory.factors()
        block = np.zeros((len(poles), 3, 3), complex)
        block[:, 0, 0], block[:, 0, 1], block[:, 1, 2] = -1j * poles, -1j, 1
        whole = expm(0.5 * step * block) if len(poles) else block
        position, velocity = (_side_by_side((whole[:, 0, k, None] * inward).T) for k in (1, 2))
        back = _side_by_side(-2 * outward.conj()).T
        return cls(whole[:, 0, 0], position, velocity, back, memory.constant, rubbing, noise)

    def force(self, q: FloatArray, y: ComplexArray) -> FloatArray:
        """Return the force on the modes, (n_trajectories, n)."""
        result: FloatArray = y.view(float) @ self.outward - q @ self.constant.T
        return result

    def moved(self, y: ComplexArray, q: FloatArray, v: FloatArray) -> ComplexArray:
        """Return y, (n_trajectories, n_y), half a step later."""
        added = q @ self.position + v @ self.velocity
        return y * self.decay + added.view(complex)

    def white(self, shape: tuple[int, ...], generator: Generator | None) -> FloatArray | None:
        """Return what white noise adds to the velocity in a step, None for nothing."""
        if self.noise is None or generator is None:
            return None
        result: FloatArray = generator.standard_normal(shape) @ self.noise.T
        return result


def _side_by_side(matrix: ComplexArray) -> FloatArray:
    """Return (n, 2 n_y) real numbers of (n, n_y) complex ones."""
    return np.ascontiguousarray(matrix).view(float)


@dataclass(frozen=True, eq=False)
class SurroundedPropagation:
    """Steps of BAOAB in which the further variables move with the coordinates.

    modes: the step of the modes by themselves, with the friction of all leads; alone: whether
    the white noise of its own acts; leads: what each adds.
    """

    modes: Propagation
    alone: bool
    leads: tuple[LeadPropagation, ...]

    def motion(
        self,
        start: tuple[FloatArray, FloatArray],
        n_steps: int,
        forces: Sequence[FloatArray | None],
        generator: Generator | None,
    ) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Yield coordinates, velocities and heat after each step.

        start: coordinates and velocities (n_trajectories, n); the leads are at rest; forces: on
        the modes, and by each lead, (n_steps + 1, n_trajectories, n), or None.  heat:
        (n_trajectories, n_leads), the work of each lead's forces on the modes.
        """
        q, v = start
        heat = np.zeros((len(q), len(self.leads)))
        ys = [np.zeros((len(q), len(lead.decay)), complex) for lead in self.leads]
        own, of_leads = self._acting(q, ys, forces, 0)
        for number in range(1, n_steps + 1):
            v = self._kicked(q, v, own, of_leads, heat)
            q, ys = self._drifted(q, v, ys)
            v = self._rubbed(v, heat, generator)
            q, ys = self._drifted(q, v, ys)
            own, of_leads = self._acting(q, ys, forces, number)
            v = self._kicked(q, v, own, of_leads, heat)
            yield q, v, heat

    def _acting(
        self,
        q: FloatArray,
        ys: list[ComplexArray],
        forces: Sequence[FloatArray | None],
        number: int,
    ) -> tuple[FloatArray | None, list[FloatArray]]:
        """Return the force of other origin than the springs, and that of each lead."""
        own, *noises = (None if force is None else force[number] for force in forces)
        of_leads = [lead.force(q, y) for lead, y in zip(self.leads, ys, strict=True)]
        for lead, noise in enumerate(noises):
            if noise is not None:
                of_leads[lead] += noise
        return own, of_leads

    def _kicked(
        self,
        q: FloatArray,
        v: FloatArray,
        own: FloatArray | None,
        of_leads: list[FloatArray],
        heat: FloatArray,
    ) -> FloatArray:
        """Return velocities after half a step of all forces, and add up their work."""
        half = 0.5 * self.modes.step
        after = v + q @ self.modes.kick.T
        for force in of_leads if own is None else [own, *of_leads]:
            after += half * force
        middle = 0.5 * half * (v + after)
        for lead, force in enumerate(of_leads):
            heat[:, lead] += np.einsum("ni,ni->n", force, middle)
        return after

    def _drifted(
        self, q: FloatArray, v: FloatArray, ys: list[ComplexArray]
    ) -> tuple[FloatArray, list[ComplexArray]]:
        moved = [lead.moved(y, q, v) for lead, y in zip(self.leads, ys, strict=True)]
        return q + 0.5 * self.modes.step * v, moved

    def _rubbed(self, v: FloatArray, heat: FloatArray, generator: Generator | None) -> FloatArray:
        """Return velocities after a step of friction and white noise, and add up their work."""
        after = v @ self.modes.decay.T  # of the friction of all leads
        if self.alone and generator is not None:
            after += generator.standard_normal(v.shape) @ self.modes.noise.T
        noises = [lead.white(v.shape, generator) for lead in self.leads]
        for noise in noises:
            if noise is not None:
                after += noise
        middle = 0.5 * (v + after)
        for number, (lead, noise) in enumerate(zip(self.leads, noises, strict=True)):
            if lead.rubbing is not None:
                impulse = v @ lead.rubbing.T + (0.0 if noise is None else noise)
                heat[:, number] += np.einsum("ni,ni->n", impulse, middle)
        return after


def surrounded_propagation(
    stiffness: FloatArray,
    damping: FloatArray,
    noise: FloatArray,
    memories: Sequence[Memory],
    lead_noise: Sequence[FloatArray],
    step: float,
) -> SurroundedPropagation:
    """Return steps of modes with leads around; noise, lead_noise: the white ones, (n, n) each.

    Of second order in the step: kick, drift, Ornstein-Uhlenbeck step, drift, kick, the drift being
    the exact motion of coordinates and further variables at constant velocity.
    """
    n = len(stiffness)
    total = damping + sum(memory.friction for memory in memories)
    block = np.block([[-total, np.eye(n)], [np.zeros((n, 2 * n))]])
    lasting = expm(step * block)[:n, n:]
    leads = []
    for memory, white in zip(memories, lead_noise, strict=True):
        rubbing = -memory.friction @ lasting if memory.friction.any() else None
        root = propagation(stiffness, total, white, step).noise if white.any() else None
        leads.append(LeadPropagation.of(memory, rubbing, root, step))
    modes = propagation(stiffness, total, noise, step)
    return SurroundedPropagation(modes, bool(noise.any()), tuple(leads))
