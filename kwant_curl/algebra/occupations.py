"""How the leads are filled: bias, temperature, Fermi functions."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import expit, exprel

from kwant_curl.algebra.segments import Weighting
from kwant_curl.support.checks import real_number

__all__ = [
    "COLD",
    "REACH",
    "check_pinned",
    "chemical_potential_shifts",
    "exchange_window",
    "fermi",
    "fermi_difference",
    "fermi_poles",
    "lead_weighting",
    "reach",
    "thermal_weight",
    "window",
    "window_rounding",
]


def chemical_potential_shifts(bias: Any, n_leads: int) -> NDArray[np.float64]:
    """Return dmu_alpha, the shift of each lead's chemical potential from equilibrium.

    Parameters
    ----------
    bias : float or mapping
        A number V, an energy: lead 0 at +V/2 and lead 1 at -V/2, for two leads only (but zero is
        none, of any number of leads), so that a positive V drives electrons from lead 0 to
        lead 1.  Or ``{lead: dmu}``; leads that are not in it stay at equilibrium.
    n_leads : int
        Number of leads of the system.

    Returns
    -------
    array of float, shape (n_leads,)

    Raises
    ------
    ValueError
        For a lead that is not there, a number with other than two leads, or values that are
        not finite.
    """
    if not isinstance(bias, Mapping):
        value = real_number(
            "bias", bias, "a real number, or {lead: shift of its chemical potential}"
        )
        if value == 0:
            return np.zeros(n_leads)
        if n_leads != 2:
            raise ValueError(
                f"bias is the number {value}, which stands for two leads, but the system has "
                f"{n_leads}; pass {{lead: shift of its chemical potential}}."
            )
        return np.array([value / 2, -value / 2])
    shifts = np.zeros(n_leads)
    for lead, shift in bias.items():
        is_index = isinstance(lead, Integral) and not isinstance(lead, bool)
        if not (is_index and 0 <= int(lead) < n_leads):
            raise ValueError(
                f"bias names lead {lead!r}, but the system has leads 0 to {n_leads - 1}."
            )
        shifts[int(lead)] = real_number(f"bias[{lead}]", shift)
    return shifts


def check_pinned(shifts: NDArray[np.float64], pinned: NDArray[np.bool_] | None) -> None:
    """Raise if a lead is shifted that has no chemical potential of its own.

    pinned: which leads are superconducting, (n_leads,), or None.
    """
    if pinned is None or not np.any(shifts[pinned]):
        return
    lead = int(np.flatnonzero(pinned & (shifts != 0))[0])
    raise ValueError(
        f"bias shifts lead {lead} by {shifts[lead]:.6g}, but it mixes electrons and holes: it is a "
        "superconductor, and its condensate is where all energies are measured from. Leave it at "
        "0 and shift the normal leads, bias={lead: shift}."
    )


COLD = 1e-8
"""kT below this part of the chemical potentials is zero: energies can't resolve it."""

REACH = 40.0
"""Where the Fermi function has ended, in units of kT: exp(-40) = 4e-18."""


def fermi(energy: Any, mu: NDArray[np.float64] | float, temperature: float) -> Any:
    """Return the Fermi function f(energy) of leads at chemical potentials mu and this kT.

    At zero temperature a step, one half at mu itself.
    """
    x = np.asarray(energy - np.asarray(mu, dtype=float))
    if temperature == 0:
        return np.heaviside(-x, 0.5)
    return expit(-x / temperature)


def fermi_poles(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and r of f = 1/2 - sum_p r_p 2 E/(E^2 + x_p^2) at kT = 1, (count,) each, x rising.

    The first are the Matsubara frequencies pi, 3 pi, ..., with r = 1; the last stand for all that
    follow, as the nodes of Gauss's rule do.  T. Ozaki, Phys. Rev. B 75, 035123 (2007): the
    continued fraction of tanh.
    """
    n = np.arange(1, 2 * count)
    values, vectors = eigh_tridiagonal(np.zeros(2 * count), 0.5 / np.sqrt(4.0 * n**2 - 1))
    inverse = values[: count - 1 : -1]
    return 1 / inverse, (vectors[0, : count - 1 : -1] / (2 * inverse)) ** 2


def fermi_difference(above: Any, shifts: NDArray[np.float64], temperature: float) -> Any:
    """Return f(E - shift) - f(E) of each shift, E above the Fermi level; exact for small shifts.

    f_1 - f_0 = f_1 (1 - f_0) (1 - exp(-shift/kT)).
    """
    if temperature == 0:
        return np.heaviside(shifts - above, 0.5) - np.heaviside(-above, 0.5)
    x, size = above / temperature, np.abs(shifts) / temperature
    low, high = np.minimum(shifts, 0) / temperature, np.maximum(shifts, 0) / temperature
    result: NDArray[np.float64] = (
        np.sign(shifts) * expit(high - x) * expit(x - low) * -np.expm1(-size)
    )
    return result


def thermal_weight(energy: Any, mu: float, temperature: float) -> Any:
    """Return -df/dE, whose integral over energy is one, at a temperature above zero."""
    x = (energy - mu) / temperature
    return expit(x) * expit(-x) / temperature


def lead_weighting(
    mu: float, shifts: NDArray[np.float64], temperature: float, *, linear: bool
) -> Weighting:
    """Return what an energy's shares are weighted with: those by lead, by pair of leads, others.

    Linear: -df/dE for all of them.  Else f_alpha - f, f_alpha (1 - f_beta), and -df/dE.  At zero
    temperature -df/dE is zero here: what it weights is taken at mu.
    """
    n = len(shifts)
    levels = np.unique(np.append(mu + shifts, mu)) if not linear else np.array([mu])

    def of(energies: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        thermal = np.zeros(len(energies))
        if temperature > 0:
            thermal = thermal_weight(energies, mu, temperature)
        if linear:
            ones = np.ones(n)
            by_lead = ones[:, None] * thermal
            return by_lead, ones[:, None, None] * by_lead, thermal
        apart = (energies - mu)[None, :]
        beyond = fermi_difference(apart, shifts[:, None], temperature)
        filled = fermi(energies, (mu + shifts)[:, None], temperature)
        return beyond, filled[:, None] * (1 - filled), thermal

    if temperature > 0:
        return Weighting(of, levels + 1j * np.pi * temperature, np.empty(0))
    return Weighting(of, np.empty(0, complex), levels)


def exchange_window(
    shifts: NDArray[np.float64], temperature: float, others: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the integrals of f_alpha (1 - f_beta) over energy, (n_leads, n_leads).

    x/(1 - exp(-x/kT)) with x = dmu_alpha - dmu_beta; kT where x vanishes.  others: the dmu_beta,
    if these are not the same.
    """
    apart = np.subtract.outer(shifts, shifts if others is None else others)
    if temperature == 0:
        return np.maximum(apart, 0.0)
    # x/(1 - exp(-x)) = x/2 + |x|/2 + |x|/(exp(|x|) - 1), and y/(exp(y) - 1) = 1/exprel(y)
    return np.maximum(apart, 0.0) + temperature / exprel(np.abs(apart) / temperature)


def reach(rtol: float) -> float:
    """Return where a Fermi function has ended for an integral to this rtol, in units of kT."""
    return min(REACH, max(float(np.log(40 / rtol)), 1.0))


def window_rounding(mu: float, shifts: NDArray[np.float64]) -> float:
    """Return how large rounding errors of chemical potentials are, relative to a window.

    Raises
    ------
    ValueError
        If all shifts are lost in it.
    """
    if not shifts.any():
        return 0.0
    if np.all(mu + shifts == mu):
        raise ValueError(
            f"bias shifts the leads by {np.abs(shifts).max():.3g}, which is lost in the rounding "
            f"of the energy {mu}, so that the window is empty; take linear=True for so small a "
            "bias."
        )
    sizes = np.abs(shifts[shifts != 0])
    return float(np.finfo(float).eps) * float((abs(mu) + sizes.max()) / sizes.min())


def window(
    levels: NDArray[np.float64], temperature: float, reach: float = REACH
) -> tuple[float, float]:
    """Return between which energies Fermi functions at these levels change, to `reach` kT."""
    tail = reach * temperature
    return float(levels.min() - tail), float(levels.max() + tail)
