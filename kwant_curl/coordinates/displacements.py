"""Cartesian displacements of sites, and the ways in which the Hamiltonian may follow them."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
from kwant.builder import SiteFamily
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.derivatives import Derivatives
from kwant_curl.algebra.images import period_vectors
from kwant_curl.algebra.stack import Entries, SecondDerivatives
from kwant_curl.coordinates.base import Specification, check_number
from kwant_curl.coordinates.carried import OwnPotential, VectorPotential
from kwant_curl.coordinates.finite import (
    of_gradients,
    of_scaled_bonds,
    of_value_functions,
    system_moved,
)
from kwant_curl.coordinates.gradients import Gradient, hopping_gradients, onsite_gradients
from kwant_curl.coordinates.laws import Scaling, ScalingLaw
from kwant_curl.coordinates.magnetic import field_strengths, other_phases_noticed
from kwant_curl.coordinates.moved import moved_sites_derivatives
from kwant_curl.coordinates.scaled import scaled_bonds
from kwant_curl.coordinates.second.gradients import (
    second_of_hopping_gradient,
    second_of_onsite_gradient,
)
from kwant_curl.coordinates.second.moved import second_of_moved_sites
from kwant_curl.coordinates.second.scaled import second_of_scaled_bonds
from kwant_curl.coordinates.where import MovingSites, Where, moving_sites
from kwant_curl.model.model import Model
from kwant_curl.model.moved import Change
from kwant_curl.support.frozen import read_only

__all__ = ["Displacements"]

FloatArray = NDArray[np.float64]
Notices = tuple[str, ...]


@dataclass(frozen=True)
class Displacements(Specification):
    """Cartesian displacements of sites.

    Parameters
    ----------
    where : sequence of sites or of indices, callable, or None
        The sites that move: `kwant.builder.Site` objects, indices, or a function that takes a
        site and returns whether it moves.  None: all sites but those on a lead's interface.
    scaling : scaling law or mapping, optional
        Each hopping matrix of the system is scaled with the length of its bond: `PowerLaw`,
        `Exponential`, or any object with the method of `ScalingLaw`; or
        ``{(family_a, family_b): law}``, in either order, with a law for every pair that occurs.
        Onsite terms don't follow.  With an `energy_parameter` H - E S is scaled as a whole, the
        overlap by the same law.
    hopping_gradient : callable, optional
        ``hopping_gradient(site1, site2, **params)`` returns dH_12/dr_1, an array
        (dim, norb1, norb2), or (dim,) for one orbital; dH_12/dr_2 is minus that.  It is called
        once per bond, in the direction in which the Builder holds the hopping, with those of
        `params` that it takes.  Second derivatives call it with `site1` displaced.
    onsite_gradient : callable, optional
        ``onsite_gradient(site, other, **params)`` returns dH_ii/dr_other, the change of the
        onsite block of `site` as `other` moves, an array (dim, norb, norb), or (dim,) for one
        orbital.  Called for every neighbour of what moves, and for itself.  Goes with `scaling`
        or `hopping_gradient`.  Second derivatives call it with either of the two displaced.
    periods : array of float, shape (n, dim), optional
        Vectors of the periods of a system that closes on itself: a bond goes to the nearest
        image.  The gradients are then called with `site2`, or `other`, at the nearest image.
        None: those of `kwant.wraparound`, if the system was made by that; otherwise bonds that
        look as if they closed the system are an error.  ``[]``: bonds are taken as they are.
    vector_potential : callable, optional
        ``vector_potential(site, **params)`` returns A at ``site.pos``, an array (dim,), in the
        gauge of the value functions: their hopping H_ab, from site b to site a, holds the Peierls
        phase exp(+i int_b^a A dl) along the straight line, so A is qA/hbar of electrons of charge
        q, an inverse length.  For value functions that take their phases at ``site.pos``: see
        the notes.  It is called with sites displaced, and along bonds: if the phases that it
        makes are not those of the value functions, a warning says so.

    Notes
    -----
    With none of the three, the system's own value functions are called with displaced sites
    (they see them in ``site.pos``) and differentiated numerically, to a relative error below
    1e-9 where they are smooth.  If none of them depends on the position, that is an error.

    Second derivatives are closed formulas for the scaling laws (with a numerical derivative of
    `log_derivative`), numerical otherwise, to a relative error below 1e-8 where the functions
    are smooth.  A `hopping_gradient` that returns the same wherever its sites are is that of a
    hopping linear in the displacements, without second derivatives.  Of an `onsite_gradient`
    they are those of a sum over pairs of a site and another one: the onsite term of a site has
    no mixed derivatives with respect to two different neighbours, which such a function does
    not show.

    Where phases follow the sites, dH/dQ alone is not the same in every gauge, and neither is what
    needs it at more than one energy: the velocity tensor, and rates at finite frequencies.
    With `vector_potential`, an orbital that moves takes its phase along (London), dH/dr_a has
    i [H, A(r_a) n_a] with it, and the velocity tensor the force n_a v x B on the electrons that
    the atom carries along; force, curl, friction, Jacobian and noise are the same with it and
    without.  Without it, phases that follow bring a warning.  Laws in `scaling`, and
    phases that value functions know by the site (`kwant.physics.magnetic_gauge`), keep the phases:
    nothing depends on the gauge, but the field's force on moving bonds and atoms is left out.

    Coordinates are ordered site by site, x, y(, z) within a site; sites in the order of `where`,
    or by index where it is None or a function.  The force operator is F_I = -dH/dQ_I.

    Atoms of a system with periods move together with all of their images.  Under
    `kwant.wraparound` all of it is at the momenta in `params`.

    Value functions must not be cached by site: a displaced site equals the original.  This and
    other ways of not seeing a displacement are looked for, see :doc:`/limits`.

    Sites on a lead's interface can't move: hoppings into the lead would change, which are no
    part of the model.

    Examples
    --------
    >>> column = Displacements(where=lambda site: site.pos[0] == 2, scaling=PowerLaw(2))
    >>> curl_map(syst, column, energy).positions.tolist()
    [[2.0, 0.0], [2.0, 1.0], [2.0, 2.0]]
    """

    where: Where = None
    _: KW_ONLY
    scaling: Scaling | None = None
    hopping_gradient: Gradient | None = None
    onsite_gradient: Gradient | None = None
    periods: ArrayLike | None = None
    vector_potential: VectorPotential | None = None

    def __post_init__(self) -> None:
        if self.where is not None and not callable(self.where):
            if isinstance(self.where, str) or not np.iterable(self.where):
                raise TypeError(
                    f"where is {self.where!r}; expected a sequence of sites or indices, a "
                    "function of a site, or None."
                )
            if hasattr(self.where, "family"):
                raise TypeError("where is a single site; expected a sequence, e.g. [site].")
            if isinstance(self.where, np.ndarray) and self.where.dtype.kind == "b":
                raise TypeError("where is a mask; expected indices, e.g. np.flatnonzero(mask).")
            object.__setattr__(self, "where", tuple(self.where))
        if isinstance(self.where, SiteFamily):
            raise TypeError("where is a site family; expected lambda site: site.family == family.")
        _check_scaling(self.scaling)
        vectors = period_vectors(self.periods)
        if vectors is not None:
            object.__setattr__(self, "periods", tuple(map(tuple, vectors.tolist())))
        for name in ("hopping_gradient", "onsite_gradient", "vector_potential"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name} is {function!r}; expected a function.")
        if self.scaling is not None and self.hopping_gradient is not None:
            raise ValueError("Both scaling and hopping_gradient are given; expected one of them.")
        follows = self.scaling is not None or self.hopping_gradient is not None
        if self.onsite_gradient is not None and not follows:
            raise ValueError(
                "onsite_gradient is given alone; give scaling or hopping_gradient with it, which "
                "say how the hoppings follow."
            )
        if self.vector_potential is not None and follows:
            name = "hopping_gradient" if self.scaling is None else "scaling"
            raise ValueError(
                f"vector_potential is given with {name}. It is for value functions that take the "
                f"phases at site.pos; with {name} the phases stay as they are, and no gauge "
                "counts. Give one of the two."
            )

    def first_derivatives(self, model: Model) -> Derivatives:
        """Return dH/dQ of all coordinates."""
        moving = self._moving(model)
        notices: Notices = ()
        if self.scaling is not None and self.onsite_gradient is None:
            stack = scaled_bonds(moving, self.scaling)
        else:
            halves, notices = self._halves(moving)
            stack = Derivatives.from_halves(
                halves, moving.sites.size * moving.dim, model.n_orbitals, dim=moving.dim
            )
        positions = model.positions[moving.sites]
        return replace(stack, positions=positions, sites=moving.sites, notices=notices)

    def change(self, model: Model, displacement: FloatArray) -> Change:
        """Return what a finite displacement (n_c,) changes."""
        if self.onsite_gradient is not None:
            raise ValueError(
                "onsite_gradient sees a site and one other, so it can't know where all neighbours "
                "of a site are displaced to. For finite displacements write value functions that "
                "see site.pos."
            )
        moving = self._moving(model)
        check_number(displacement, moving.sites.size * moving.dim)
        mine = displacement.reshape(-1, moving.dim)
        shifts = np.zeros_like(model.positions)
        shifts[moving.sites] = mine
        if self.scaling is not None:
            change = Change(of_scaled_bonds(moving, shifts, self.scaling))
        elif self.hopping_gradient is not None:
            change = Change(of_gradients(moving, shifts, self.hopping_gradient))
        else:
            change = of_value_functions(moving, shifts)
        positions = read_only(model.positions + shifts)
        syst = system_moved(model.syst, moving.sites, mine, positions)
        return change._replace(syst=syst, positions=positions)

    def cure_of_phases(self) -> str | None:
        """Say what to do where hoppings change their phase; None if `vector_potential` says it."""
        if self.scaling is not None or self.vector_potential is not None:
            return None
        if self.hopping_gradient is not None:
            return (
                "leave the change of the phase out of hopping_gradient, as scaling does; or leave "
                "the hoppings to value functions that see site.pos, and give vector_potential."
            )
        return (
            "give Displacements(..., vector_potential=function), a function that returns zeros if "
            "the phase is of another kind."
        )

    def field_strengths(self, model: Model) -> SecondDerivatives | None:
        """Return d_I N_J - d_J N_I, N_J = A_J n of the site that moves with J."""
        if self.vector_potential is None:
            return None
        return field_strengths(self._moving(model), OwnPotential(self.vector_potential, model))

    def second_derivatives(self, model: Model) -> SecondDerivatives:
        """Return d^2H/dQ_I dQ_J of all pairs of coordinates."""
        moving = self._moving(model)
        if self.scaling is not None:
            hoppings = second_of_scaled_bonds(moving, self.scaling)
        elif self.hopping_gradient is not None:
            hoppings = second_of_hopping_gradient(moving, self.hopping_gradient)
        else:
            return second_of_moved_sites(moving)
        if self.onsite_gradient is None:
            return hoppings
        return hoppings.joined(second_of_onsite_gradient(moving, self.onsite_gradient))

    def _moving(self, model: Model) -> MovingSites:
        # A function of the place says it where nothing is displaced.
        sites = moving_sites(model.origin.syst, self.where)
        periods, potential = period_vectors(self.periods), None
        if self.vector_potential is not None:
            if model.has_holes:
                raise ValueError(
                    "vector_potential is given for a Nambu model, where electrons and holes take "
                    "opposite phases; that isn't supported. Leave it out for force, curl and "
                    "friction, which don't depend on the gauge."
                )
            own = OwnPotential(self.vector_potential, model)
            potential = own([model.syst.sites[site] for site in sites])
        return MovingSites(model, sites, periods, potential)

    def _halves(self, moving: MovingSites) -> tuple[Entries, Notices]:
        """Return halves of dH/dQ, and what is to be said of them."""
        if self.scaling is not None:
            hoppings = scaled_bonds(moving, self.scaling).halves()
        elif self.hopping_gradient is not None:
            hoppings = hopping_gradients(moving, self.hopping_gradient)
        else:
            return self._moved(moving)
        if self.onsite_gradient is None:
            return hoppings, ()
        return hoppings.joined(onsite_gradients(moving, self.onsite_gradient)), ()

    def _moved(self, moving: MovingSites) -> tuple[Entries, Notices]:
        halves, notices = moved_sites_derivatives(moving)
        if self.vector_potential is not None:
            potential = OwnPotential(self.vector_potential, moving.model)
            notices += other_phases_noticed(moving, potential, halves)
        return halves, notices


def _check_scaling(scaling: Any) -> None:
    laws = scaling.values() if isinstance(scaling, Mapping) else [scaling]
    for law in laws:
        is_law = isinstance(law, ScalingLaw) and not isinstance(law, type)
        if scaling is not None and not is_law:
            raise TypeError(
                f"scaling holds {law!r}; expected PowerLaw(exponent), Exponential(length) or an "
                "object with a method log_derivative(distance)."
            )
    if isinstance(scaling, Mapping):
        for pair in scaling:
            if not (
                isinstance(pair, tuple)
                and len(pair) == 2
                and all(isinstance(family, SiteFamily) for family in pair)
            ):
                raise TypeError(
                    f"scaling has the key {pair!r}; expected a pair of site families "
                    "(of a lattice with several sublattices, name the sublattices)."
                )
