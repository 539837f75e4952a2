"""From a junction to what its current does to its vibrations, in one call."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike

from kwant_curl.coordinates import Coordinates
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.numerics import MAX_ENERGIES, RTOL, Numerics
from kwant_curl.electrons.operation import OperatingPoint, operating_point
from kwant_curl.model.model import Model, scattering_model
from kwant_curl.studies.answers import Answers, Tensors
from kwant_curl.studies.study import Study
from kwant_curl.studies.vibrating import Vibrating
from kwant_curl.support.checks import positive_number, true_or_false
from kwant_curl.support.parallel import Executor
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.units import Units
from kwant_curl.support.warning import issued
from kwant_curl.vibrations import VibrationalModes

__all__ = ["study"]

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
"""A number in a text."""

FAR = 10.0
"""How far a critical bias is searched by default, in units of the bias."""


@recorded
@with_shared_keywords
def study(
    syst: FiniteSystem | Model,
    coordinates: Coordinates,
    energy: float,
    *,
    modes: VibrationalModes | None = None,
    force_constants: ArrayLike | None = None,
    frequency: ArrayLike | None = None,
    mass: ArrayLike | None = None,
    bias: float | Mapping[int, float] = 1.0,
    largest: float | None = None,
    window: bool = True,
    temperature: float = 0.0,
    degeneracy: float = 1,
    damping: ArrayLike = 0.0,
    jacobian: bool = True,
    velocity: bool = True,
    fermi_sea: bool = False,
    rtol: float = RTOL,
    max_energies: int = MAX_ENERGIES,
    exclude: float = 0.0,
    params: Mapping[str, Any] | None = None,
    energy_parameter: str | None = None,
    executor: Executor | None = None,
    progress: Progress = None,
    units: Units | None = None,
) -> Study:
    """Return what the current does to the vibrations of a junction, and whether to believe it.

    Which pair of vibrations is driven, and which way it turns; the bias at which the first one runs
    away, and its orbit; growth, current and power at a bias; and whether linear response, the
    pair's degeneracy, the fixed boundary and the integrals hold, each with a number.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized system with any number of leads.
    coordinates : Displacements, Parameters or Matrices
        What moves, and how the Hamiltonian follows: two coordinates or more.
    <energy>
    modes : VibrationalModes, optional
        The vibrations without current, of the same coordinates.  One of `modes`,
        `force_constants` and `frequency` is to be given.
    force_constants : array (n_c, n_c), optional
        Second derivatives of the energy, in E/L^2; goes with `mass`.
    frequency : float or array (n_c,), optional
        hbar omega of each coordinate by itself, in their order, which no spring couples to others;
        goes with `mass`.  One number makes all vibrations degenerate, which is a model: real ones
        are not.
    mass : float or array (n_c,), optional
        In hbar^2/(E L^2), see `Units.mass`.
    <bias>
    largest : float, optional
        How far to search for the critical bias; default ten times the bias.
    window : bool, default True
        Also integrate over the whole bias window, as far as the bias or 1.5 times the critical one
        of linear response, whichever is larger, and compare; current and power are then those of
        the window.  It takes tens of energies instead of one.
    <temperature>
    <degeneracy>
    damping : float or array (n_modes,), default 0.0
        Damping of other origin, as for `stability`.
    jacobian, velocity, fermi_sea : bool
        As for `force_response`; the first two are on here, so that all forces of the current are
        counted.
    <rtol>
    <max_energies>
    <exclude>
    <params>
    <energy_parameter>
    <executor>
    <progress>
    <units>

    Returns
    -------
    Study

    Raises
    ------
    ValueError, TypeError
        Unless one kind of vibrations is given; without a bias; for a Nambu model; as
        `force_response`, `critical_bias` and `pumped_pairs`.

    Warns
    -----
    RuntimeWarning
        As `force_response`, `stability`, `critical_bias` and `pumped_pairs`; if the whole window
        could not be integrated.

    Notes
    -----
    It composes these routines.  Current and power are
    I_a = (g/2 pi) int dE sum_b [T_ba f_a - T_ab f_b], out of lead a, and sum_a dmu_a I_a.

    Examples
    --------
    >>> import kwant_curl
    >>> from kwant_curl import devices
    >>> molecule = devices.bent_molecule()
    >>> found = kwant_curl.study(
    ...     molecule.syst,
    ...     molecule.coordinates,
    ...     molecule.energy,
    ...     frequency=molecule.frequency,
    ...     mass=molecule.mass,
    ...     bias=0.01,
    ...     degeneracy=2,
    ...     units=molecule.units,
    ... )
    >>> print(f"{found.units.volt(found.critical.bias):.4f} V")
    0.0100 V
    """
    vibrating = Vibrating.given(modes, force_constants, frequency, mass)
    tensors = Tensors(jacobian, velocity, fermi_sea, true_or_false("window", window))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        model = _electrons_alone(scattering_model(syst, params, None, energy_parameter, energy))
        point = operating_point(model, energy, bias, degeneracy, temperature, True, units)
        limits: dict[str, Any] = {"max_energies": max_energies, "exclude": exclude}
        numerics = Numerics(rtol, executor=executor, progress=progress, **limits)
        far = FAR * _voltage(point) if largest is None else positive_number("largest", largest)
        junction = Answers(model, coordinates, point, tensors, numerics, units)
        found = junction.study(vibrating, damping, far)
    return replace(found, warnings=_once(caught))


def _electrons_alone(model: Model) -> Model:
    if model.has_holes:
        raise ValueError(
            "The model holds electrons and holes (charge=...), whose current is not known here; "
            "call force_response and stability with it instead."
        )
    return model


def _voltage(point: OperatingPoint) -> float:
    """Return the largest difference between leads, or raise if there is none."""
    found = float(np.ptp(point.bias))
    if not found:
        raise ValueError(
            f"The leads' shifts are {point.bias.tolist()}, no bias at all, so that nothing is "
            "driven; expected one, of the size at which the junction is operated."
        )
    return found


def _once(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """Issue what the parts have warned of, once each; of other categories as they came.

    Of texts that differ in numbers alone, as at each of the biases of a search, the one with the
    largest number comes, with how many there are.
    """
    alike: dict[str, dict[str, None]] = {}
    for one in caught:
        if one.category is not RuntimeWarning:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        else:
            text = str(one.message)
            alike.setdefault(NUMBER.sub("#", text), {})[text] = None
    return issued(_worst(list(texts)) for texts in alike.values())


def _worst(texts: list[str]) -> str:
    """Return the text whose first number that differs is the largest, and how many there are."""
    if len(texts) == 1:
        return texts[0]
    numbers = np.array([[float(number) for number in NUMBER.findall(text)] for text in texts])
    differs = np.ptp(numbers, axis=0) > 0
    chosen = int(numbers[:, differs.argmax()].argmax()) if differs.any() else 0
    return f"{texts[chosen]} ({len(texts) - 1} more say so with other numbers.)"
