"""Value functions that see the energy: the name of their parameter."""

from typing import Any

__all__ = ["check_energy_parameter"]


def check_energy_parameter(name: Any, charge: Any) -> None:
    """Raise unless `name` is one of an entry of params, in a model without holes."""
    if not isinstance(name, str):
        raise TypeError(
            f"energy_parameter is {name!r}; expected the name of the entry of params in which "
            "value functions see the energy."
        )
    if charge is not None:
        raise ValueError(
            "energy_parameter and charge are both given; a Nambu model whose Hamiltonian depends "
            "on energy is not supported. Leave one of them out."
        )
