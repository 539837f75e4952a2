"""What is said of an energy, or of an integral, beside the numbers.

Notices are returned, and the routine issues them at its end (`kwant_curl.support.warning.issued`).
"""

__all__ = ["closed_notices", "integral_notices", "lost_notices", "slow_notices"]

Notices = tuple[str, ...]


def slow_notices(slow_lead: int | None, energy: float) -> Notices:
    """Return what to say where a mode of a lead stands still."""
    if slow_lead is None:
        return ()
    return (
        f"At energy {energy} a mode of lead {slow_lead} opens or closes: its electrons stand "
        "still, the density of states diverges, and so do curls and frictions. Take an energy "
        "that is off this band edge.",
    )


def closed_notices(n_modes: int, energy: float) -> Notices:
    """Return what to say where no lead has an open mode."""
    if n_modes:
        return ()
    return (
        f"No lead has an open mode at energy {energy}: there is no current, and all results "
        "are zero.",
    )


def integral_notices(
    error: float, rtol: float, closed: bool, what: str = "The integral over energy"
) -> Notices:
    """Return what to say of an integral: not converged, or over energies without open modes."""
    notices: Notices = ()
    if error > rtol:
        notices += (
            f"{what} did not converge to rtol={rtol:.3g}: its estimated error is {error:.3g}, as "
            "the result's `error` says.",
        )
    if closed:
        notices += (
            "At some energies of the window no lead has an open mode: the result is that of the "
            "others, and its `partial` is True.",
        )
    return notices


def lost_notices(rounding: float, rtol: float) -> Notices:
    """Return what to say of a window whose width is lost in the rounding of energies."""
    if rounding <= rtol:
        return ()
    return (
        "The smallest shift of a lead is lost in the rounding of its chemical potential: the "
        f"window's width is uncertain by a part of {rounding:.1g}, as the result's `error` says. "
        "Take linear=True for so small a bias, or measure energies from the Fermi level.",
    )
