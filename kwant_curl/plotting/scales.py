"""What figures are in: V (or mV), meV, 1/ps and ps where the units are known."""

from typing import NamedTuple

from kwant_curl.support.units import Units, labelled, unit_names

__all__ = ["Scale", "Scales", "scales"]


COARSE = 0.1
"""With a unit of energy below this part of an electronvolt biases are in mV."""


class Scale(NamedTuple):
    """What the numbers of a result are multiplied with for a figure, and the unit that gives."""

    factor: float
    unit: str

    def label(self, name: str) -> str:
        """Return the label of an axis with this quantity."""
        return labelled(name, self.unit)

    def text(self, value: float, form: str = ".4g") -> str:
        """Return a number of the result as text, with its unit."""
        return f"{self.factor * value:{form}} {self.unit}".rstrip()


class Scales(NamedTuple):
    """The scales of the quantities of vibrations under current."""

    bias: Scale
    frequency: Scale
    rate: Scale
    time: Scale


def scales(units: Units | None, energy_unit: str | None = None) -> Scales:
    """Return V (or mV), meV, 1/ps and ps where units are known and no unit of energy is asked for.

    Else numbers stay as they are, with labels by the unit of energy.
    """
    names = unit_names(units, energy_unit)
    if units is None or energy_unit is not None:
        energy = Scale(1.0, names.energy)
        return Scales(energy, energy, Scale(1.0, names.rate), Scale(1.0, names.time))
    per_ps, volt = units.per_picosecond(1.0), units.volt(1.0)
    return Scales(
        Scale(1e3 * volt, "mV") if volt < COARSE else Scale(volt, "V"),
        Scale(units.millielectronvolt(1.0), "meV"),
        Scale(per_ps, "1/ps"),
        Scale(1 / per_ps, "ps"),
    )
