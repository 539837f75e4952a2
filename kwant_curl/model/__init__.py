"""A finalized Kwant system at its params, evaluated once: all that is asked of it, at any energy.

Imports Kwant, `algebra` and `support`.
"""

from kwant_curl.model.model import Model
from kwant_curl.model.solvers import direct_solver

__all__ = ["Model", "direct_solver"]
