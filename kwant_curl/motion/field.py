"""The response to the current as a function of the coordinates."""

import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.coordinates import Coordinates
from kwant_curl.coordinates.base import checked_displacements
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.numerics import MAX_ENERGIES, MAX_MEMORY, RTOL, Route
from kwant_curl.model.charges import Charge
from kwant_curl.model.energies import with_energy
from kwant_curl.model.model import Model, as_model
from kwant_curl.motion.nodes import Nodes
from kwant_curl.response import force_response
from kwant_curl.results import ForceResponse
from kwant_curl.support.checks import positive_number
from kwant_curl.support.parallel import Executor
from kwant_curl.support.units import Units

__all__ = ["ResponseField"]

FloatArray = NDArray[np.float64]

OWN = ("syst", "coordinates", "params", "charge", "energy_parameter", "refresh", "nodes")
"""Fields that are not keywords of `force_response`."""


@with_shared_keywords
@dataclass(frozen=True, eq=False, repr=False)
class ResponseField:
    """The response to the current wherever the coordinates are displaced to.

    A function: ``field(q)`` is the `ForceResponse` of the system displaced by q.  `force_along`,
    `work`, `curl_flux`, `force_plane`, `pumped_charge`, `limit_cycle`, `langevin` and
    `CurrentInducedForces` take one.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized system, where nothing is displaced.
    coordinates : Displacements, Parameters or Matrices
        What moves, and how the Hamiltonian follows: see `Model.moved`.
    <energy>
    <bias>
    <charge>
    <degeneracy>
    <temperature>
    <linear>
    jacobian, velocity, noise : bool, default False
        As in `force_response`.
    refresh : float, optional
        For motion: tensors are those of the nearest node of a grid of this spacing in each
        coordinate, the force to first order from there if there is a `jacobian`; a node is solved
        once, and kept.  Default: they are solved for wherever they are asked for.
    <rtol>
    <max_energies>
    <exclude>
    <params>
    <energy_parameter>
    <route>
    <max_memory>
        The nodes that are kept take as much besides.
    <executor>
    <units>
    nodes : optional
        Nodes that another field of the same system and coordinates has solved; made by `at_bias`.

    Raises
    ------
    ValueError, TypeError
        As `force_response`, and `Model.moved` where a point is displaced to.

    Notes
    -----
    What does not change with the coordinates is evaluated once: leads and their modes, the
    solver's symbolic analysis.  What the responses warn of is in their `warnings`; routines that
    take a field issue it once, at their end.

    Examples
    --------
    >>> field = ResponseField(syst, moving, energy, bias=0.5)
    >>> print(field([0.1, 0.05]).force.round(4))
    [ 0.0249 -0.0088]
    >>> stronger = field.at_bias(1.0)
    """

    syst: FiniteSystem | Model
    coordinates: Coordinates
    energy: float
    _: KW_ONLY
    bias: float | Mapping[int, float] = 1.0
    charge: Charge = None
    degeneracy: float = 1
    temperature: float = 0.0
    linear: bool = True
    jacobian: bool = False
    velocity: bool = False
    noise: bool = False
    refresh: float | None = None
    rtol: float = RTOL
    max_energies: int = MAX_ENERGIES
    exclude: float = 0.0
    params: Mapping[str, Any] | None = None
    energy_parameter: str | None = None
    route: Route = "auto"
    max_memory: float = MAX_MEMORY
    executor: Executor | None = None
    units: Units | None = None
    nodes: Nodes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.refresh is not None:
            object.__setattr__(self, "refresh", positive_number("refresh", self.refresh))
        if isinstance(self.bias, Mapping):  # a copy: the caller's may change
            object.__setattr__(self, "bias", dict(self.bias))
        if self.nodes is None:
            object.__setattr__(self, "nodes", Nodes(self.max_memory))

    def __repr__(self) -> str:
        """Say of what it is, and how many nodes it has solved."""
        return (
            f"<ResponseField of {type(self.coordinates).__name__}, energy {self.energy:.6g}, bias "
            f"{self.bias}; {self._kept.n_solved} places solved>"
        )

    @property
    def _kept(self) -> Nodes:
        if self.nodes is None:
            raise RuntimeError("A ResponseField without nodes.")
        return self.nodes

    @cached_property
    def model(self) -> Model:
        """The system where nothing is displaced."""
        params = self.params
        if self.energy_parameter is not None and not isinstance(self.syst, Model):
            params = with_energy(params, self.energy_parameter, self.energy)
        return as_model(self.syst, params, "many calls", self.charge, self.energy_parameter)

    def __call__(self, displacements: ArrayLike) -> ForceResponse:
        """Return the response where the coordinates are displaced to, (n_c,); solved for anew."""
        moved = self.model.moved(self.coordinates, displacements)
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in (*OWN, "_")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # they are in the result
            result = force_response(moved, self.coordinates, progress=False, **chosen)
        self._kept.count(result.warnings)
        return result

    def node(self, displacements: ArrayLike) -> NDArray[np.int64] | None:
        """Return the numbers of the nearest node, of the same shape; None without `refresh`."""
        if self.refresh is None:
            return None
        return np.rint(np.asarray(displacements, dtype=float) / self.refresh).astype(np.int64)

    def near(self, displacements: ArrayLike) -> tuple[ForceResponse, FloatArray]:
        """Return the response at the nearest node, and how far that is, (n_c,).

        Without `refresh` every place is a node.  Which node is nearest depends on the place alone,
        not on where one was before: the same motion is the same again.
        """
        q = checked_displacements(displacements)
        number = self.node(q)
        if self.refresh is None or number is None:
            return self(q), np.zeros_like(q)
        place = self.refresh * number
        key = tuple(number.tolist())
        found = self._kept.at(key, lambda: self(place))
        return found.at_bias(self.bias) if self.linear else found, q - place

    def force(self, displacements: ArrayLike) -> FloatArray:
        """Return the force where the coordinates are displaced to, (n_c,), as motion takes it.

        At the nearest node, and to first order from there with `jacobian`.
        """
        response, apart = self.near(displacements)
        return response.force + response.jacobian @ apart if self.jacobian else response.force

    def at_bias(self, bias: float | Mapping[int, float]) -> Self:
        """Return the field at another bias; in linear response with the nodes that are solved."""
        nodes = self.nodes if self.linear else None
        return replace(self, bias=bias, nodes=nodes)

    @property
    def n_solved(self) -> int:
        """At how many places the response was solved for."""
        return self._kept.n_solved

    @property
    def notices(self) -> tuple[str, ...]:
        """What the responses have warned of so far, each text once."""
        return self._kept.notices
