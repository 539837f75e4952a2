"""Motion in a potential of the user's own, with forces of the current that depend on the place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.dynamics import propagation
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.units import Units
from kwant_curl.vibrations.mechanics import jacobian_of
from kwant_curl.vibrations.modes import VibrationalModes
from kwant_curl.vibrations.potentials import Potential, exerted
from kwant_curl.vibrations.runs import Group, check_finite

__all__ = ["AnharmonicRun", "Everywhere", "Field", "Places"]

FloatArray = NDArray[np.float64]


class Field(Protocol):
    """The response to the current as a function of the coordinates: a `ResponseField`."""

    @property
    def temperature(self) -> float:
        """Of the electrons, kT."""

    @property
    def noise(self) -> bool:
        """Whether responses hold the noise."""

    @property
    def units(self) -> Units | None:
        """For labels."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What responses have warned of so far."""

    def node(self, displacements: FloatArray) -> NDArray[np.int64] | None:
        """Return numbers of the place (..., n) whose response counts; None: each is its own."""

    def near(self, displacements: FloatArray) -> tuple[ForceResponse, FloatArray]:
        """Return the response there, and how far that is from the displacements, (n_c,)."""


@dataclass(frozen=True, eq=False)
class Everywhere:
    """One response for all displacements, with the force to first order: a `Field`."""

    response: ForceResponse
    noise: bool = True
    notices: tuple[str, ...] = ()

    @property
    def temperature(self) -> float:
        """Of the electrons, kT."""
        return self.response.temperature

    @property
    def units(self) -> Units | None:
        """For labels."""
        return self.response.units

    def node(self, displacements: FloatArray) -> NDArray[np.int64]:
        """Return the number of the only place."""
        return np.zeros((*displacements.shape[:-1], 1), dtype=np.int64)

    def near(self, displacements: FloatArray) -> tuple[ForceResponse, FloatArray]:
        """Return the response, and how far the displacements are."""
        return self.response, displacements


class Tensors(NamedTuple):
    """What the current does about a place, in the basis of the modes, for one step.

    force + slopes q: its force; decay, root: of a step of friction and noise, see `propagation`.
    """

    force: FloatArray
    slopes: FloatArray
    decay: FloatArray
    root: FloatArray


@dataclass(frozen=True, eq=False)
class Places:
    """The tensors wherever the atoms are; those of nodes are kept, as many as memory holds.

    damping: rates of the modes, (n_modes,); with_noise: whether it acts.
    """

    electrons: Field
    modes: VibrationalModes
    damping: FloatArray
    step: float
    with_noise: bool
    max_memory: float
    known: dict[tuple[int, ...], Tensors] = field(default_factory=dict)

    def about(self, q: FloatArray) -> Iterator[tuple[Any, Tensors]]:
        """Yield which of the rows of q (n, n_modes) are about a place, and the tensors there."""
        displacements = q @ self.modes.patterns
        numbers = self.electrons.node(displacements)
        if numbers is None:
            yield from ((slice(i, i + 1), self._made(row)) for i, row in enumerate(displacements))
            return
        if len(q) == 1:
            yield slice(None), self._kept(tuple(numbers[0].tolist()), displacements[0])
            return
        nodes, first, which = np.unique(numbers, axis=0, return_index=True, return_inverse=True)
        for number, node in enumerate(nodes.tolist()):
            tensors = self._kept(tuple(node), displacements[first[number]])
            yield which.ravel() == number, tensors

    def _kept(self, key: tuple[int, ...], displacements: FloatArray) -> Tensors:
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._made(displacements)
            size = sum(array.nbytes for array in found)
            if len(self.known) > max(1, self.max_memory // size):
                del self.known[next(iter(self.known))]
        return found

    def _made(self, displacements: FloatArray) -> Tensors:
        """Return the tensors about a place, (n_c,)."""
        response, apart = self.electrons.near(displacements)
        patterns, n = self.modes.patterns, len(self.modes)
        slopes = np.zeros((len(apart), len(apart)))
        if response.lead_jacobian is not None or isinstance(self.electrons, Everywhere):
            slopes = jacobian_of(response)
        gamma = response.friction if response.lead_velocity is None else response.velocity
        noise = np.zeros((n, n))
        if self.with_noise:
            other = np.diag(2 * self.electrons.temperature * self.damping)
            noise = patterns @ response.noise @ patterns.T + other
        total = patterns @ gamma @ patterns.T + np.diag(self.damping)
        move = propagation(np.zeros((n, n)), total, noise, self.step)
        force = response.force - slopes @ (displacements - apart)
        return Tensors(patterns @ force, patterns @ slopes @ patterns.T, move.decay, move.noise)


class _Forces(NamedTuple):
    """Of the potential and of the current, (n, n_modes) each, and the potential energy, (n,)."""

    energy: FloatArray
    potential: FloatArray
    current: FloatArray


@dataclass(frozen=True, eq=False)
class AnharmonicRun:
    """So many steps of BAOAB, of which every so many are noted.

    The friction's step is exact with the tensors of the middle of the step.  potential: None for
    the springs of the modes.
    """

    places: Places
    potential: Potential | None
    n_steps: int
    every: int

    def __call__(
        self, group: Group, tick: Callable[[], Any] | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return coordinates and velocities, (2, n_times, n, n_modes), and energies; tick: steps.

        Potential energy (n_times, n), and the work of potential, current, friction and noise since
        the start, (n_times, n, 4).
        """
        q, v, generator = group
        n_times = self.n_steps // self.every + 1
        kept = np.empty((2, n_times, *q.shape))
        energies, works = np.empty((n_times, len(q))), np.zeros((n_times, len(q), 4))
        done, forces = np.zeros((len(q), 4)), self._forces(q)
        kept[:, 0], energies[0] = (q, v), forces.energy
        with np.errstate(over="ignore", invalid="ignore"):
            for number in range(1, self.n_steps + 1):
                q, v, forces = self._moved(q, v, forces, generator, done)
                check_finite(q, self.places.step * number)
                if number % self.every == 0:
                    place = number // self.every
                    kept[:, place], energies[place], works[place] = (q, v), forces.energy, done
                if tick is not None:
                    tick()
        return kept, energies, works

    def _moved(
        self, q: FloatArray, v: FloatArray, forces: _Forces, generator: Any, done: FloatArray
    ) -> tuple[FloatArray, FloatArray, _Forces]:
        """Return coordinates, velocities and forces a step later; the work is added to `done`."""
        half = 0.5 * self.places.step
        v = _kicked(v, forces, half, done)
        q = q + half * v
        xi = None if generator is None else generator.standard_normal(q.shape)
        slowed, pushed = np.empty_like(v), np.zeros_like(v)
        for rows, tensors in self.places.about(q):
            slowed[rows] = v[rows] @ tensors.decay.T
            if xi is not None:
                pushed[rows] = xi[rows] @ tensors.root.T
        done[:, 2] += _kinetic(slowed) - _kinetic(v)
        v = slowed + pushed
        done[:, 3] += _kinetic(v) - _kinetic(slowed)
        q = q + half * v
        forces = self._forces(q)
        return q, _kicked(v, forces, half, done), forces

    def _forces(self, q: FloatArray) -> _Forces:
        """Return the forces on the modes, and the potential energy."""
        modes, current = self.places.modes, np.empty_like(q)
        for rows, tensors in self.places.about(q):
            current[rows] = tensors.force + q[rows] @ tensors.slopes.T
        if self.potential is None:
            drawn = modes.frequencies**2 * q
            return _Forces(0.5 * (drawn * q).sum(axis=1), -drawn, current)
        energy, force = exerted(self.potential, q @ modes.patterns)
        return _Forces(energy, force @ modes.patterns.T, current)


def _kicked(v: FloatArray, forces: _Forces, time: float, done: FloatArray) -> FloatArray:
    """Return the velocities after a time under forces, whose work is added."""
    after = v + time * (forces.potential + forces.current)
    way = 0.5 * time * (v + after)
    done[:, 0] += (forces.potential * way).sum(axis=1)
    done[:, 1] += (forces.current * way).sum(axis=1)
    return after


def _kinetic(v: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (v**2).sum(axis=1))
