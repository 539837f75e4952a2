"""Matrices that another program has calculated, as the fields of a response."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.occupations import chemical_potential_shifts
from kwant_curl.support.checks import nonnegative_number, real_number
from kwant_curl.support.magnitudes import check_temperature
from kwant_curl.support.matrices import (
    SYMMETRIC,
    antisymmetric,
    check_atoms,
    real_matrix,
    symmetric,
)
from kwant_curl.support.units import check_units

__all__ = ["check_direction", "given_fields", "negative_friction"]

FloatArray = NDArray[np.float64]

ALONG = 1e-9
"""By how much a bias may miss the direction in which arrays are known, relatively."""

NEGATIVE = 1e-9
"""Below this part of the largest eigenvalue a negative friction is rounding."""


def given_fields(arrays: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `ForceResponse` that has these arrays at this bias.

    arrays, operation: the arguments of `ForceResponse.from_arrays`, by their names.
    """
    shifts = _shifts(operation["bias"])
    friction = symmetric(
        "friction",
        real_matrix("friction", arrays["friction"]),
        "An antisymmetric part, a Lorentz-like force, belongs to velocity; if it is the error of "
        "the calculation, give (eta + eta.T)/2.",
    )
    n = len(friction)
    at_bias = {
        name: None if arrays[name] is None else real_matrix(name, arrays[name], n)
        for name in ("curl", "jacobian", "velocity", "noise")
    }
    shares = (shifts - shifts.mean()) / np.sum((shifts - shifts.mean()) ** 2)

    def by_lead(tensor: FloatArray | None) -> FloatArray | None:
        return None if tensor is None else np.multiply.outer(shares, tensor)

    velocity = at_bias["velocity"]
    return {
        "lead_force": by_lead(_force(arrays["force"], n)),
        "lead_curl": by_lead(_curl(at_bias["curl"], at_bias["jacobian"])),
        "friction": friction,
        "lead_jacobian": by_lead(at_bias["jacobian"]),
        "lead_velocity": by_lead(None if velocity is None else velocity - friction),
        "given_noise": _noise(at_bias["noise"]),
        "given_at": shifts,
        **_places(arrays["positions"], arrays["sites"], n),
        **_operation(operation, shifts),
    }


def check_direction(shifts: FloatArray, given_at: FloatArray) -> None:
    """Raise unless a bias is a multiple of that at which arrays are known."""
    along = (shifts @ given_at) / (given_at @ given_at) * given_at
    if np.abs(shifts - along).max() <= ALONG * np.abs(shifts).max():
        return
    raise ValueError(
        f"bias shifts the leads by {shifts.tolist()}; expected a multiple of "
        f"{given_at.tolist()}, at which the arrays of this response were given: how they change in "
        "other directions is not known. Give the arrays at that bias to from_arrays."
    )


def negative_friction(friction: FloatArray) -> tuple[str, ...]:
    """Return what to say of a friction of equilibrium that is not positive semidefinite."""
    values = np.linalg.eigvalsh(friction)
    if values[0] >= -NEGATIVE * np.abs(values).max():
        return ()
    return (
        f"friction has the negative eigenvalue {values[0]:.4g} (the largest is {values[-1]:.4g}); "
        "that of equilibrium has none, and without bias modes grow by it. What a bias adds belongs "
        "to velocity, which is the whole tensor at that bias.",
    )


def _shifts(bias: Any) -> FloatArray:
    """Return the shifts of the leads, two of them at least; raise unless they differ."""
    n_leads = 2
    if isinstance(bias, Mapping):
        named = [int(lead) for lead in bias if isinstance(lead, Integral)]
        n_leads = max([n_leads, *(lead + 1 for lead in named)])
    shifts = chemical_potential_shifts(bias, n_leads)
    if not np.ptp(shifts) > 0:
        raise ValueError(
            f"bias is {bias!r}, which drives no current; expected that at which the arrays hold, "
            "1.0 for those per unit of bias."
        )
    return shifts


def _curl(curl: FloatArray | None, jacobian: FloatArray | None) -> FloatArray:
    """Return the curl, that of the Jacobian where there is one; raise if they contradict."""
    if curl is not None:
        cure = "kappa_IJ = dF_J/dQ_I - dF_I/dQ_J changes its sign with I and J."
        curl = antisymmetric("curl", curl, cure)
    if jacobian is None:
        if curl is None:
            raise ValueError(
                "Neither curl nor jacobian is given; expected one of them at least (zeros, if the "
                "current's force is not known or has no curl)."
            )
        return curl
    own: FloatArray = jacobian.T - jacobian
    if curl is not None:
        _check_agreement(curl, own, float(np.abs(jacobian).max()))
    return own


def _check_agreement(curl: FloatArray, own: FloatArray, size: float) -> None:
    """Raise unless a curl is that of a Jacobian, up to the rounding of its largest element."""
    scale = SYMMETRIC * max(size, float(np.abs(curl).max()))
    apart = float(np.abs(own - curl).max())
    if apart <= scale:
        return
    hint = ""
    if np.abs(own + curl).max() <= scale:
        hint = " They differ in sign: jacobian[I, J] is dF_I/dQ_J, of the force."
    raise ValueError(
        f"curl and jacobian contradict each other, by up to {apart:.3g}; expected curl = "
        f"jacobian.T - jacobian, kappa_IJ = dF_J/dQ_I - dF_I/dQ_J.{hint} Either may be left out."
    )


def _noise(noise: FloatArray | None) -> FloatArray | None:
    """Return the noise without what the other program's errors have made negative; or raise."""
    if noise is None:
        return None
    cure = "If that is the error of the calculation, give (S + S.T)/2."
    values, columns = np.linalg.eigh(symmetric("noise", noise, cure))
    if values[0] < -SYMMETRIC * np.abs(values).max():
        raise ValueError(
            f"noise has the negative eigenvalue {values[0]:.4g} (the largest is {values[-1]:.4g}); "
            "expected that of a force, <xi_I(t) xi_J(t')> = S_IJ delta(t - t'), which has none."
        )
    result: FloatArray = (columns * np.maximum(values, 0.0)) @ columns.T
    return 0.5 * (result + result.T)


def _force(force: Any, n_c: int) -> FloatArray | None:
    if force is None:
        return None
    array = np.asarray(force)
    real = array.dtype.kind in "fiu" and np.isfinite(array).all()
    if array.shape != (n_c,) or not real:
        raise ValueError(
            f"force has shape {array.shape} and type {array.dtype}; expected ({n_c},) real, finite "
            "numbers."
        )
    return array.astype(float)


def _places(positions: Any, sites: Any, n_c: int) -> dict[str, Any]:
    places = None if positions is None else np.asarray(positions, dtype=float)
    numbers = None if sites is None else np.asarray(sites)
    check_atoms(places, numbers, n_c)
    return {"positions": places, "sites": numbers}


def _operation(operation: Mapping[str, Any], shifts: FloatArray) -> dict[str, Any]:
    """Return where the device is operated; the arrays hold the degeneracy."""
    units = check_units(operation["units"])
    temperature = nonnegative_number("temperature", operation["temperature"])
    check_temperature(temperature, units)
    return {
        "energy": real_number("energy", operation["energy"]),
        "bias": shifts,
        "degeneracy": 1.0,
        "temperature": temperature,
        "units": units,
    }
