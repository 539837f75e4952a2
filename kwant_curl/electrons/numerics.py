"""What is numerical in a calculation, and changes its cost alone."""

from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import numpy as np

from kwant_curl.model.solvers import DirectSolver
from kwant_curl.support.checks import nonnegative_number, positive_integer, positive_number
from kwant_curl.support.parallel import Executor, check_executor
from kwant_curl.support.progress import Progress, check_progress

__all__ = ["MAX_ENERGIES", "MAX_MEMORY", "RTOL", "Numerics", "Route"]

RTOL = 1e-4
"""Error of integrals over energy that is asked for, relative to the largest element."""

MAX_ENERGIES = 2000
"""How many energies an integral takes at most."""

MAX_MEMORY = 2**29
"""Bytes that the states in work may take, beside the factorisation and the results: 512 MiB."""

Route = Literal["auto", "modes", "adjoint"]


@dataclass(frozen=True)
class Numerics:
    """How something is calculated; what comes out is the same up to `rtol`.

    Attributes
    ----------
    rtol : float
        Error of integrals over energy, relative to the largest element.
    route : {"auto", "modes", "adjoint"}
        Whether linear systems are solved for states, or transposed for orbitals.
    max_memory : float
        Bytes for the states that are being solved for.
    solver : DirectSolver or None
        The user's own.  It serves one call at a time, so an executor goes without.
    executor : Executor or None
        Where the energies of an integral go.
    progress : bool or None
        Whether a bar shows how many energies are done; None: after two seconds, if it is seen.
    in_window : bool
        Whether this is one of many energies, among which bound states were looked for already.
    max_energies : int
        How many energies an integral takes at most.
    exclude : float
        How far around band edges of the leads energies are left out of integrals.

    Raises
    ------
    ValueError, TypeError
        For what can't be any of these.
    """

    rtol: float = RTOL
    route: Route = "auto"
    max_memory: float = MAX_MEMORY
    solver: DirectSolver | None = None
    executor: Executor | None = None
    progress: Progress = False
    in_window: bool = False
    max_energies: int = MAX_ENERGIES
    exclude: float = 0.0

    def __post_init__(self) -> None:
        if self.route not in get_args(Route):
            raise ValueError(f'route is {self.route!r}; expected "auto", "modes" or "adjoint".')
        check_executor(self.executor)
        check_progress(self.progress)
        positive_number("rtol", self.rtol)
        nonnegative_number("exclude", self.exclude)
        positive_integer("max_energies", self.max_energies)
        if self.max_memory != np.inf:
            positive_number("max_memory", self.max_memory)
        has_methods = hasattr(self.solver, "factorise") and not isinstance(self.solver, type)
        if self.solver is not None and not has_methods:
            raise TypeError(
                f"solver is of type {type(self.solver).__name__}; expected what direct_solver() "
                "returns (with its parentheses), or None."
            )
        if self.executor is not None:
            object.__setattr__(self, "solver", None)

    @property
    def of_one_energy(self) -> Self:
        """What is left for an energy by itself, which may be a worker's: no executor, no bar."""
        return replace(self, executor=None, progress=False)
