"""What figures of vibrations are in: V, meV, 1/ps and ps where the units are known."""

from typing import NamedTuple

from kwant_curl.support.units import Units, labelled, unit_names

__all__ = ["Scale", "Scales", "scales"]


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
    """Return V, meV, 1/ps and ps where the units are known and no unit of energy is asked for.

    Else numbers stay as they are, with labels by the unit of energy.
    """
    names = unit_names(units, energy_unit)
    if units is None or energy_unit is not None:
        energy = Scale(1.0, names.energy)
        return Scales(energy, energy, Scale(1.0, names.rate), Scale(1.0, names.time))
    per_ps = units.per_picosecond(1.0)
    return Scales(
        Scale(units.volt(1.0), "V"),
        Scale(units.millielectronvolt(1.0), "meV"),
        Scale(per_ps, "1/ps"),
        Scale(1 / per_ps, "ps"),
    )
