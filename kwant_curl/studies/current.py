"""Current and power by Landauer and Buettiker."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kwant_curl.electrons.averages import averaged
from kwant_curl.electrons.kernels.transmission import TransmissionKernel
from kwant_curl.electrons.numerics import Numerics
from kwant_curl.electrons.operation import OperatingPoint
from kwant_curl.electrons.unfinished import finished, noted
from kwant_curl.model.model import Model

__all__ = ["LeadCurrents", "lead_currents"]

FloatArray = NDArray[np.float64]


class LeadCurrents(NamedTuple):
    """Currents of electrons out of the leads, (n_leads,), in E/hbar, and how well they are known.

    power: sum_a dmu_a I_a, what the bias spends, in E^2/hbar.
    """

    currents: FloatArray
    power: float
    error: float
    partial: bool


def lead_currents(model: Model, point: OperatingPoint, numerics: Numerics) -> LeadCurrents:
    """Return the currents out of the leads into the device.

    I_a = (g/2 pi) int dE sum_b [T_ba f_a - T_ab f_b], T_ba from a to b; in linear response the
    same with -df/dE and the leads' shifts.  They add up to zero.
    """
    average = averaged(TransmissionKernel(model.scattering, numerics), point, numerics)
    (into,) = average.by_lead
    weights = point.bias if point.linear else np.ones(len(point.bias))
    currents = -point.degeneracy / (2 * np.pi) * (weights @ into)
    power = float(point.bias @ currents)
    noted(average.notices, average.failed)
    return finished(LeadCurrents(currents, power, average.error, average.partial), average.failed)
