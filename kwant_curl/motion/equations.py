"""The equation of motion in a potential and under current, wherever the coordinates are."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.occupations import chemical_potential_shifts
from kwant_curl.algebra.periodic import Local
from kwant_curl.motion.field import ResponseField
from kwant_curl.results import ForceResponse
from kwant_curl.support.checks import positive_array
from kwant_curl.vibrations.mechanics import other_damping
from kwant_curl.vibrations.potentials import Potential, exerted

__all__ = ["EquationOfMotion"]

FloatArray = NDArray[np.float64]

STEP = 1e-3
"""Steps of the second derivatives of the potential, in units of the largest amplitude."""

DIFFERENCES = ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12))
"""Steps and weights of a derivative, of fourth order."""


@dataclass(frozen=True, eq=False)
class EquationOfMotion:
    """M Q'' = -dU/dQ + F(Q) - (gamma(Q) + M damping) Q', in x = sqrt(M) Q.

    gamma is the velocity tensor if the field is asked for it, else the friction.  roots: sqrt(M),
    (n_c,); damping: rates, (n_c,); step: a displacement for differences.
    """

    field: ResponseField
    potential: Potential
    roots: FloatArray
    damping: FloatArray
    step: float

    @classmethod
    def of(
        cls, field: Any, potential: Any, masses: ArrayLike, damping: ArrayLike, extent: float
    ) -> Self:
        """Check what users give; the field is asked for the derivatives of the force too."""
        if not isinstance(field, ResponseField):
            raise TypeError(f"field is a {type(field).__name__}; expected a ResponseField.")
        if not callable(potential):
            raise TypeError(
                f"potential is a {type(potential).__name__}; expected a function that returns "
                "energies (n,) and forces (n, n_c) at displacements (n, n_c)."
            )
        shape = np.shape(masses)
        if len(shape) != 1 or not shape[0]:
            raise ValueError(f"masses has shape {shape}; expected one per coordinate, (n_c,).")
        roots = np.sqrt(positive_array("masses", masses, shape[0]))
        rates = other_damping(damping, shape[0])
        local = replace(field, jacobian=True, refresh=None, nodes=None)
        return cls(local, potential, roots, rates, STEP * extent)

    @property
    def error(self) -> float:
        """Error of the force of the current, relative: that of integrals over energy."""
        integrated = not self.field.linear or self.field.temperature > 0
        return self.field.rtol if integrated else 0.0

    def at_bias(self, bias: Any) -> Self:
        """Return that at another bias."""
        return replace(self, field=self.field.at_bias(bias))

    def shifts(self) -> FloatArray:
        """Return dmu_alpha, the shift of each lead's chemical potential, (n_leads,)."""
        return chemical_potential_shifts(self.field.bias, len(self.field.model.syst.leads))

    def response_at(self, x: FloatArray) -> ForceResponse:
        """Return the response at a place, (n_c,)."""
        return self.field(x / self.roots)

    def local_at(self, x: FloatArray) -> Local:
        """Return the forces of the current at points (n_points, n_c)."""
        found = [self.response_at(each) for each in x]
        products = np.outer(self.roots, self.roots)
        gammas = [each.velocity if self.field.velocity else each.friction for each in found]
        return Local(
            x,
            np.stack([each.force for each in found]) / self.roots,
            np.stack([each.jacobian for each in found]) / products,
            np.stack(gammas) / products + np.diag(self.damping),
            np.zeros((*x.shape, len(self.roots), len(self.roots))),
        )

    def springs(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the force of the potential and its derivatives at points (n_points, n_c)."""
        n_points, n_c = x.shape
        unit = self.step * np.eye(n_c)
        moved = np.concatenate([np.zeros((1, n_c)), *(number * unit for number, _ in DIFFERENCES)])
        places = (x / self.roots)[:, None, :] + moved
        force = exerted(self.potential, places.reshape(-1, n_c))[1].reshape(places.shape)
        weights = np.array([weight for _, weight in DIFFERENCES]) / self.step
        each = force[:, 1:].reshape(n_points, len(weights), n_c, n_c)
        slopes = np.tensordot(weights, each, axes=(0, 1)) / np.outer(self.roots, self.roots)
        return force[:, 0] / self.roots, 0.5 * (slopes + slopes.swapaxes(1, 2))

    def with_bends(self, local: Local, step: float) -> Local:
        """Return the forces with all that gamma changes by, from differences of this step in x."""
        n_c = len(self.roots)
        bends = np.empty((*local.points.shape, n_c, n_c))
        for number, away in enumerate(step * np.eye(n_c)):
            ahead, behind = (self.local_at(local.points + side * away) for side in (1, -1))
            bends[..., number] = (ahead.damping - behind.damping) / (2 * step)
        return local._replace(bends=bends)
