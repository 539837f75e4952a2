"""How the leads are filled: the bias as shifts of their chemical potentials."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.checks import real_number

__all__ = ["chemical_potential_shifts"]


def chemical_potential_shifts(bias: Any, n_leads: int) -> NDArray[np.float64]:
    """Return dmu_alpha, the shift of each lead's chemical potential from equilibrium.

    Parameters
    ----------
    bias : float or mapping
        A number V, an energy: lead 0 at +V/2 and lead 1 at -V/2, for two leads only, so that a
        positive V drives electrons from lead 0 to lead 1.  Or ``{lead: dmu}``; leads that are
        not in it stay at equilibrium.
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
