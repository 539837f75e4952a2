"""The scattering states on an energy shell, lead by lead."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import kwant
import numpy as np
from numpy.typing import NDArray

from kwant_curl.checks import positive_number, real_number
from kwant_curl.occupations import chemical_potential_shifts
from kwant_curl.system import check_finite_system, check_leads

__all__ = ["OperatingPoint", "operating_point", "scattering_states"]


class OperatingPoint(NamedTuple):
    """Where a device is operated: Fermi level, shifts of the leads (n_leads,), degeneracy."""

    energy: float
    bias: NDArray[np.float64]
    degeneracy: float


def operating_point(
    syst: Any, energy: Any, bias: float | Mapping[int, float], degeneracy: Any
) -> OperatingPoint:
    """Check what a routine is given, from the system to the degeneracy."""
    check_finite_system(syst)
    check_leads(syst)
    return OperatingPoint(
        real_number("energy", energy),
        chemical_potential_shifts(bias, len(syst.leads)),
        positive_number("degeneracy", degeneracy),
    )


def scattering_states(
    syst: Any,
    energy: float,
    *,
    params: Mapping[str, Any] | None = None,
    orbitals: NDArray[np.int64] | None = None,
) -> Iterator[NDArray[np.complex128]]:
    """Yield the scattering states that come in through each lead, one lead after another.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized system with leads that are known by their modes.
    energy : float
        Where on the energy axis.
    params : mapping, optional
        Parameters of the system's value functions.
    orbitals : array of int, optional
        Keep the states at these orbitals only.

    Yields
    ------
    array of complex, shape (n_modes, n_orbitals)
        As `kwant.wave_function` returns them: normalised to unit incoming current.  A lead with
        no open mode yields an array of no rows.

    Warns
    -----
    RuntimeWarning
        If no lead has an open mode at this energy.
    """
    solve = kwant.solvers.default.wave_function(syst, energy, params=params)
    n_modes = 0
    for lead in range(len(syst.leads)):
        states = solve(lead)
        n_modes += len(states)
        yield states if orbitals is None else states[:, orbitals]
    if not n_modes:
        warnings.warn(
            f"No lead has an open mode at energy {energy}: there is no current, and all results "
            "are zero.",
            RuntimeWarning,
            stacklevel=3,
        )
