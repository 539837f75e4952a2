"""Where the energy of a trajectory comes from and goes to."""

from typing import NamedTuple

__all__ = ["EnergyBalance"]


class EnergyBalance(NamedTuple):
    """The energies of the atoms, and what each force has done since the start, in eV.

    Attributes
    ----------
    kinetic, potential : float
        Now; the potential is the energy of the base calculator.
    kinetic_start, potential_start : float
        At the first step.
    base : float
        Work of the base calculator's forces.
    current : float
        Work of the force of the current.
    friction : float
        Work of friction, electrons' and other: what the atoms have lost by it, negative.
    noise : float
        Work of the noise.
    """

    kinetic: float
    potential: float
    kinetic_start: float
    potential_start: float
    base: float = 0.0
    current: float = 0.0
    friction: float = 0.0
    noise: float = 0.0

    @property
    def residual(self) -> float:
        """What the kinetic energy has gained beyond all work: zero, to rounding times steps."""
        works = self.base + self.current + self.friction + self.noise
        return self.kinetic - self.kinetic_start - works

    @property
    def drift(self) -> float:
        """Change of the potential beyond the work of the base forces.

        The integrator's error, as the square of the time step; where nothing but the base acts,
        the drift of the total energy.
        """
        return self.potential - self.potential_start + self.base
