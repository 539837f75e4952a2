"""The questions of a study, asked of the routines one after another."""

import warnings
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kwant_curl.algebra.integral_errors import IntegrationError
from kwant_curl.coordinates import Coordinates
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.model.model import Model
from kwant_curl.response import force_response
from kwant_curl.results.force_response import ForceResponse
from kwant_curl.studies.boundary import nearness
from kwant_curl.studies.checks import BEYOND
from kwant_curl.studies.current import lead_currents
from kwant_curl.studies.study import Study
from kwant_curl.studies.vibrating import Vibrating
from kwant_curl.support.units import Units
from kwant_curl.support.warning import issued
from kwant_curl.vibrations import (
    CriticalBias,
    VibrationalModes,
    critical_bias,
    pumped_pairs,
    stability,
)
from kwant_curl.vibrations.mechanics import other_damping

__all__ = ["Answers", "Tensors"]

LOOKED_AT = 10
"""Biases of the window at which the error of its integrals is looked at."""


class Tensors(NamedTuple):
    """What is asked of the response, and whether of the whole window too."""

    jacobian: bool
    velocity: bool
    fermi_sea: bool
    window: bool


@dataclass(frozen=True)
class Answers:
    """A junction where it is operated, and how it is calculated."""

    model: Model
    coordinates: Coordinates
    point: OperatingPoint
    tensors: Tensors
    numerics: Numerics
    units: Units | None

    def study(self, vibrating: Vibrating, damping: ArrayLike, largest: float) -> Study:
        """Ask everything."""
        response = self.response(self.point.bias)
        modes = vibrating.of(response)
        critical = self.critical(response, modes, damping, largest)
        here = stability(response, modes, damping=damping)
        motion = here.orbit() if critical.vector is None else critical.orbit()
        near = nearness(
            self.model, self.coordinates, self.point.energy, motion.vector, modes.masses
        )
        found = Study(
            response=response,
            modes=modes,
            pairs=pumped_pairs(response, modes, damping=damping),
            critical=critical,
            stability=here,
            currents=np.zeros(len(response.bias)),
            power=0.0,
            current_error=0.0,
            at_interfaces=near.at_interfaces,
            beside_fixed=near.beside_fixed,
            assumed_equal=vibrating.are_equal,
            damping=other_damping(damping, len(modes)),
            rtol=self.numerics.rtol,
        )
        found = self._of_the_window(found) if self.tensors.window else found
        return self._with_currents(found)

    def response(self, shifts: Any, *, linear: bool = True) -> ForceResponse:
        """Return the response with these shifts of the leads, (n_leads,)."""
        jacobian, velocity, fermi_sea, _ = self.tensors
        point, numerics = self.point, self.numerics
        return force_response(
            self.model,
            self.coordinates,
            point.energy,
            bias=dict(enumerate(np.asarray(shifts).tolist())),
            degeneracy=point.degeneracy,
            temperature=point.temperature,
            linear=linear,
            jacobian=jacobian,
            velocity=velocity,
            fermi_sea=fermi_sea,
            rtol=numerics.rtol,
            max_energies=numerics.max_energies,
            exclude=numerics.exclude,
            executor=numerics.executor,
            progress=numerics.progress,
            units=self.units,
        )

    def critical(
        self, response: ForceResponse, modes: VibrationalModes, damping: ArrayLike, largest: float
    ) -> CriticalBias:
        """Return the critical bias, as the largest difference between leads."""
        shifts = self.point.bias / np.ptp(self.point.bias)
        direction = dict(enumerate(shifts.tolist()))
        return critical_bias(response, modes, largest, direction=direction, damping=damping)

    def _of_the_window(self, found: Study) -> Study:
        """Add what the whole window says, as far as it is of interest."""
        voltage, bias = found.voltage, found.critical.bias
        reach = voltage if np.isinf(bias) else max(voltage, BEYOND * bias)
        try:
            whole = self.response(self.point.bias * (reach / voltage), linear=False)
        except IntegrationError as error:
            issued([f"The whole bias window was not integrated, up to {reach:.4g}: {error}"])
            return found
        at_bias = whole.at_bias(dict(enumerate(self.point.bias.tolist())))
        return replace(
            found,
            whole=at_bias,
            whole_critical=self.critical(whole, found.modes, found.damping, reach),
            whole_stability=stability(at_bias, found.modes, damping=found.damping),
            window_error=_worst(whole.project(found.modes.patterns), reach),
        )

    def _with_currents(self, found: Study) -> Study:
        """Add current and power: of the window where that is known."""
        point = self.point._replace(linear=found.whole is None)
        current = lead_currents(self.model, point, self.numerics)
        return replace(
            found,
            currents=current.currents,
            power=current.power,
            current_error=current.error,
        )


def _worst(whole: ForceResponse, reach: float) -> float:
    """Return the largest error of the integrals at smaller biases than that of a response."""
    shifts = whole.bias / reach
    biases = np.linspace(0, reach, LOOKED_AT + 1)[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the search has said so
        return max(whole.at_bias(dict(enumerate((v * shifts).tolist()))).error for v in biases)
