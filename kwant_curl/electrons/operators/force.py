"""The force operators."""

from kwant.system import FiniteSystem

from kwant_curl.algebra.stack import OperatorStack
from kwant_curl.coordinates import Coordinates, check_coordinates, forces_of
from kwant_curl.electrons.operators.stacked import StackedOperator
from kwant_curl.model.model import Model
from kwant_curl.support.warning import issued

__all__ = ["Force"]


class Force(StackedOperator):
    """The force operators F_I = -dH/dQ_I of a set of coordinates.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized system; its site families declare `norbs`.
    coordinates : Displacements, Parameters, Matrices or Probe
        What moves, and how the Hamiltonian follows.
    energy_parameter : str, optional
        The entry of `params` in which value functions see the energy, as the routines take it: the
        operators are then -(dH/dQ_I - E dS/dQ_I), at the energy of `params`.

    Notes
    -----
    Results are (n_c,) for one wave function and (n_states, n_c) for a stack, in the order of
    `coordinates`.  A force is in energy per unit of Q; positive pushes towards larger Q.

    ``force(psi)`` gives <psi|F_I|psi>, ``force(phi, psi)`` the matrix element <phi|F_I|psi>.  As
    with `kwant.operator`, the Hamiltonian's parameters are passed to each call as `params`, or
    once to `bind`, which evaluates dH/dQ and returns an operator that takes none.  Bind what is
    called more than once.

    In a Nambu (Bogoliubov-de Gennes) model F_I is that of the whole matrix, which holds each
    electron twice: the force is half of the sum over its states, as
    `NonequilibriumDensity.expectation` takes it.  A `Probe` acts on holes with the opposite sign,
    so that it needs to know them: ``bind(charge=...)``, or a `Model` with `charge`.

    Equation 2 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).

    Examples
    --------
    >>> force = Force(syst, moving)
    >>> states = kwant.wave_function(syst, energy)(0)
    >>> force(states).shape  # a row per state
    (3, 2)
    """

    def __init__(
        self,
        syst: FiniteSystem | Model,
        coordinates: Coordinates,
        *,
        energy_parameter: str | None = None,
    ) -> None:
        super().__init__(syst, energy_parameter)
        check_coordinates(coordinates)
        self.coordinates = coordinates

    def _evaluate(self, model: Model) -> OperatorStack:
        forces = forces_of(self.coordinates, model)
        issued(forces.notices)
        return forces
