"""Why an integral over energy is not there: it doesn't exist, or an energy of it failed."""

import pickle
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

__all__ = ["DivergentIntegralError", "Failed", "IntegrationError", "finished"]

Result = TypeVar("Result")


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

    Nothing that was calculated is lost: `result` is what the call would have returned, from the
    energies that were done.  The same call with ``max_energies=error.n_done``, if that isn't 0,
    gives the result of those that came before.

    Attributes
    ----------
    energy : float
        The energy that failed; complex for one above the real axis.
    energies : tuple of float
        Those that were done.
    n_done : int
        How many energies came before, those that failed without counting included.
    result : CurlMap, ForceResponse, ... or None
        The result so far, with its `error` and `warnings`; None if no energy was done.

    Examples
    --------
    >>> try:
    ...     result = curl_map(syst, moving, energy, temperature=0.025)
    ... except IntegrationError as failure:
    ...     result = failure.result
    ...     print(failure, result.error)
    """

    def __init__(
        self,
        reason: str,
        energy: complex,
        energies: Sequence[complex],
        n_done: int,
        result: Any = None,
    ) -> None:
        self.energy, self.energies, self.n_done = energy, tuple(energies), n_done
        self.result = result
        self._reason = reason
        known = f"; max_energies={n_done} gives what these tell" if n_done else ""
        if result is not None:
            known += f"; the error's `result` is what all {len(energies)} that were done tell"
        super().__init__(
            f"At energy {energy} of an integral, which counts, there was an error: "
            f"{reason.rstrip('.')}. {n_done} energies were done before{known}. If a mode of a lead "
            "opens or closes there, exclude=... leaves out the energies around it."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it by what it is made of, without a result that can't be pickled."""
        result = self.result
        try:
            pickle.dumps(result)
        except (pickle.PicklingError, AttributeError, TypeError):  # of functions within functions
            result = None
        return IntegrationError, (self._reason, self.energy, self.energies, self.n_done, result)


class Failed(NamedTuple):
    """An energy that failed and counts, why, and the energies that were done: the error to come."""

    energy: complex
    cause: Exception
    energies: tuple[complex, ...]
    n_done: int


def finished(result: Result, failed: Failed | None) -> Result:
    """Return a result, or raise what ended its integral with the result so far.

    Raises
    ------
    IntegrationError
        If an energy failed that counts.
    """
    if failed is None:
        return result
    energy, cause, energies, n_done = failed
    raise IntegrationError(str(cause), energy, energies, n_done, result) from cause
