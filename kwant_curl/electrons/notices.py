"""What is said of an energy, or of an integral, beside the numbers.

Notices are returned, and the routine issues them at its end (`kwant_curl.support.warning.issued`).
"""

from kwant_curl.algebra.interpolated import Interpolated

__all__ = ["closed_notices", "integral_notices", "lost_notices", "slow_notices", "window_notices"]

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
    error: float, rtol: float, n_energies: int, what: str = "The integral over energy"
) -> Notices:
    """Return what to say of an integral that did not converge."""
    if error <= rtol:
        return ()
    return (
        f"{what} did not converge to rtol={rtol:.3g} with {n_energies} energies: its estimated "
        f"error is {error:.3g}, as the result's `error` says.",
    )


def window_notices(integral: Interpolated, rtol: float, closed: bool) -> Notices:
    """Return what to say of an integral over a window.

    Not converged, or without some energies, or over energies without open modes.
    """
    notices = integral_notices(integral.error, rtol, integral.n_energies)
    if integral.failed is not None:
        notices += (
            f"The integral over energy had to end at energy {integral.failed.energy:.9g}, where "
            f"there was an error: {integral.failed.cause}",
        )
    if integral.skipped:
        first = integral.skipped[0]
        notices += (
            f"The integral over energy goes without {len(integral.skipped)} energies that hardly "
            f"count, at which there was an error; the first, {first.energy:.9g}: {first.reason}",
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
