"""The local momentum current."""

from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.algebra.images import period_vectors
from kwant_curl.algebra.stack import OperatorStack
from kwant_curl.coordinates.where import Where, sites_in
from kwant_curl.electrons.currents import Momentum, cell_volumes, site_currents, site_momenta
from kwant_curl.electrons.operators.stacked import StackedOperator
from kwant_curl.model.checks import check_sites
from kwant_curl.model.model import Model, as_model
from kwant_curl.model.periods import periods_of
from kwant_curl.support.frozen import read_only

__all__ = ["MomentumCurrent"]


class MomentumCurrent(StackedOperator):
    """The particle-current density on sites, weighted by a local momentum: p(r) j(r).

    j(r_i) = (1 / 2 v_i) sum_j (r_j - r_i) I_{i->j}, with I_{i->j} = -2 Im psi_i^+ H_ij psi_j the
    particle current along each bond, all orbitals included, and v_i the volume that belongs to
    the site.  It is the conserved current, with Peierls phases and spin-orbit coupling.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized Builder.
    momentum : float, array (n_sites,) or callable, default 1.0
        p(r): a number, one per site of the system, or ``momentum(site, **params)``.  1.0 gives
        the particle-current density j itself.
    where : sequence of sites or of indices, callable, or None
        The sites; None for all.  Results are ordered like `where`, or by index if it is None or
        a function.
    cell_volume : float or array (n_sites,), optional
        Volume (area in 2D) that belongs to each site.  Default: from the primitive vectors of
        the lattice, divided among the sites of its unit cell.
    periods : array of float, shape (n, dim), optional
        Vectors of the periods of a system that closes on itself: bonds go to nearest images.
        None: those of `kwant.wraparound`, if the system was made by that; otherwise bonds that
        look as if they closed the system are an error.  ``[]``: bonds are taken as they are.
    energy_parameter : str, optional
        The entry of `params` in which value functions see the energy, as the routines take it:
        H - E S takes the place of H in the current.

    Raises
    ------
    ValueError
        If the volume can't be told (several lattices, amorphous systems) and is not given, or
        `where` names sites that are not in the system.

    Notes
    -----
    Results are (n_sites, dim) for one wave function and (n_states, n_sites, dim) for a stack.
    For wave functions that are normalised to unit current j is a current per area (per length in
    2D).  ``matrices()`` is ordered site by site, x, y(, z) within a site.

    As with `kwant.operator`, the Hamiltonian's parameters are passed to each call as `params`,
    or once to `bind`.  Bind what is called more than once.

    In a Nambu (Bogoliubov-de Gennes) model it is the current of electrons, of which holes carry
    the opposite, and needs ``bind(charge=...)``, or a `Model` with `charge`.  Such a model holds
    each electron twice: the current is half of the sum over its states, as
    `NonequilibriumDensity.expectation` takes it.

    Equation 11 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).

    Examples
    --------
    >>> current = MomentumCurrent(syst)
    >>> current(kwant.wave_function(syst, energy)(0)).shape
    (3, 15, 2)
    """

    def __init__(
        self,
        syst: FiniteSystem | Model,
        *,
        momentum: Momentum = 1.0,
        where: Where = None,
        cell_volume: ArrayLike | None = None,
        periods: ArrayLike | None = None,
        energy_parameter: str | None = None,
    ) -> None:
        super().__init__(syst, energy_parameter)
        model = as_model(syst)
        check_sites(model.syst)
        # An array is copied, since the operator shall not change with it.
        is_array = not callable(momentum) and np.ndim(momentum) > 0
        self.momentum = read_only(momentum) if is_array else momentum
        self.where = sites_in(model.syst, where)
        self.cell_volumes = read_only(cell_volumes(model.syst, cell_volume))
        self.periods = periods_of(model, period_vectors(periods))
        if not callable(momentum):
            site_momenta(model, momentum)  # says at once what is wrong with it

    def _evaluate(self, model: Model) -> OperatorStack:
        weights = site_momenta(model, self.momentum) / self.cell_volumes
        return site_currents(model, weights, self.where, self.periods)

    def _shaped(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        shape = values.shape
        dim = shape[axis] // len(self.where)
        return values.reshape(*shape[:axis], len(self.where), dim, *shape[axis + 1 :])
