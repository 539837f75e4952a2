"""What is said of an energy, or of an integral, beside the numbers."""

from kwant_curl.support.warning import warn

__all__ = ["warn_if_closed", "warn_if_slow", "warn_of_integral"]


def warn_if_slow(slow_lead: int | None, energy: float) -> None:
    """Warn where a mode of a lead stands still."""
    if slow_lead is not None:
        warn(
            f"At energy {energy} a mode of lead {slow_lead} opens or closes: its electrons stand "
            "still, the density of states diverges, and so do curls and frictions. Take an energy "
            "that is off this band edge."
        )


def warn_if_closed(n_modes: int, energy: float) -> None:
    """Warn where no lead has an open mode."""
    if not n_modes:
        warn(
            f"No lead has an open mode at energy {energy}: there is no current, and all results "
            "are zero."
        )


def warn_of_integral(error: float, rtol: float, closed: bool) -> None:
    """Warn of an integral that has not converged, and of energies without open modes."""
    if error > rtol:
        warn(
            f"The integral over energy did not converge to rtol={rtol:.3g}: its estimated error "
            f"is {error:.3g}, as the result's `error` says."
        )
    if closed:
        warn(
            "At some energies of the window no lead has an open mode: the result is that of the "
            "others, and its `partial` is True."
        )
