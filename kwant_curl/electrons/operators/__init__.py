"""Operators with the habits of `kwant.operator`, for one wave function or whole stacks of them."""

from kwant_curl.electrons.operators.density import NonequilibriumDensity
from kwant_curl.electrons.operators.force import Force
from kwant_curl.electrons.operators.momentum import MomentumCurrent

__all__ = ["Force", "MomentumCurrent", "NonequilibriumDensity"]
