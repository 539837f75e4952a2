"""The vibrations of a study, in the form in which somebody has them."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from kwant_curl.results.force_response import ForceResponse
from kwant_curl.support.checks import positive_array
from kwant_curl.vibrations import VibrationalModes

__all__ = ["Vibrating"]


class Vibrating(NamedTuple):
    """Modes, or force constants and masses, or frequencies and masses of the coordinates."""

    modes: VibrationalModes | None
    force_constants: ArrayLike | None
    frequency: ArrayLike | None
    mass: ArrayLike | None

    @classmethod
    def given(
        cls,
        modes: VibrationalModes | None,
        force_constants: ArrayLike | None,
        frequency: ArrayLike | None,
        mass: ArrayLike | None,
    ) -> Self:
        """Raise unless it is one of the three."""
        named = {"modes": modes, "force_constants": force_constants, "frequency": frequency}
        known = [name for name, value in named.items() if value is not None]
        if len(known) != 1:
            raise TypeError(
                f"{' and '.join(known) or 'nothing'} is given of the vibrations; expected one of "
                "modes=VibrationalModes(...), force_constants=... with mass=..., or frequency=... "
                "with mass=...."
            )
        if modes is not None and not isinstance(modes, VibrationalModes):
            raise TypeError(f"modes is a {type(modes).__name__}; expected VibrationalModes.")
        if (mass is None) != (modes is not None):
            raise TypeError(
                "mass is given with modes, which know theirs; leave it out."
                if mass is not None
                else f"mass is missing, which goes with {known[0]}; Units.mass makes it from "
                "atomic mass units."
            )
        return cls(modes, force_constants, frequency, mass)

    @property
    def are_equal(self) -> bool:
        """Whether all have one frequency, because only one was given."""
        return self.frequency is not None and bool(np.ptp(np.asarray(self.frequency)) == 0)

    def of(self, response: ForceResponse) -> VibrationalModes:
        """Return the modes of the coordinates of a response."""
        if self.modes is not None:
            return self.modes
        mass = np.asarray(self.mass)
        if self.force_constants is not None:
            return VibrationalModes.from_force_constants(
                self.force_constants,
                mass,
                positions=response.positions,
                sites=response.sites,
                units=response.units if response.positions is not None else None,
            )
        n = len(response.friction)
        return VibrationalModes(
            positive_array("frequency", np.asarray(self.frequency), n),
            np.eye(n),
            np.broadcast_to(mass, n) if not mass.ndim else mass,
            positions=response.positions,
            sites=response.sites,
            units=response.units if response.positions is not None else None,
        )
