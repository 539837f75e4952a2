"""Why an integral over energy is not there: it doesn't exist, or an energy of it failed."""

from collections.abc import Sequence
from typing import Any

__all__ = ["DivergentIntegralError", "IntegrationError"]


class DivergentIntegralError(ValueError):
    """An integral doesn't exist: a function goes as 1/(E - E0) at an end E0 of a segment.

    Attributes
    ----------
    energy : float
        E0.
    """

    def __init__(self, energy: float) -> None:
        self.energy = energy
        super().__init__(
            f"The integral over energy does not exist: as 1/(E - E0) at E0 = {energy}."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by the energy that it is made of."""
        return DivergentIntegralError, (self.energy,)


class IntegrationError(ValueError):
    """An energy of an integral failed that counts; what was raised there is the `__cause__`.

    The same call with ``max_energies=error.n_done``, if that isn't 0, gives the result of the
    energies that were done before, and its `error`.

    Attributes
    ----------
    energy : float
        The energy that failed.
    energies : tuple of float
        Those that were done.
    n_done : int
        How many energies came before, those that failed without counting included.
    """

    def __init__(self, reason: str, energy: float, energies: Sequence[float], n_done: int) -> None:
        self.energy, self.energies, self.n_done = energy, tuple(energies), n_done
        self._reason = reason
        known = f"; max_energies={n_done} gives what these tell" if n_done else ""
        super().__init__(
            f"At energy {energy} of an integral, which counts, there was an error: "
            f"{reason.rstrip('.')}. {n_done} energies were done before{known}. If a mode of a lead "
            "opens or closes there, exclude=... leaves out the energies around it."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by what it is made of."""
        return IntegrationError, (self._reason, self.energy, self.energies, self.n_done)
