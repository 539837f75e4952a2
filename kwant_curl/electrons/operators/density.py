"""The nonequilibrium part of the density matrix."""

from collections.abc import Iterator, Mapping
from typing import Any

import kwant
import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.electrons.collected import collected_states
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.notices import closed_notices
from kwant_curl.electrons.numerics import MAX_ENERGIES, MAX_MEMORY, RTOL, Numerics
from kwant_curl.electrons.operation import operating_point
from kwant_curl.electrons.operators.arguments import as_pair, as_states
from kwant_curl.electrons.operators.stacked import StackedOperator
from kwant_curl.electrons.shell import EnergyShell
from kwant_curl.electrons.unfinished import finished, noted
from kwant_curl.model.charges import Charge
from kwant_curl.model.model import Model, scattering_model
from kwant_curl.model.orbitals import orbital_offsets
from kwant_curl.model.solvers import DirectSolver
from kwant_curl.support.frozen import read_only

__all__ = ["NonequilibriumDensity"]


@with_shared_keywords
class NonequilibriumDensity:
    """Nonequilibrium part of the one-electron density matrix.

    Delta rho = degeneracy sum_alpha int dE [f_alpha(E) - f(E)] D_alpha(E), with
    D_alpha = (1/2 pi) sum_n |psi_{alpha n}><psi_{alpha n}|, kept as scattering states and a weight
    for each; at zero temperature and in linear response degeneracy sum_alpha dmu_alpha D_alpha(mu).

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized system with leads, known by their modes or by their self-energy.
    <energy>
    <bias>
    <charge>
    <degeneracy>
    <temperature>
    <linear>
    rtol : float, default 1e-4
        Error of the density in each orbital that the integration over energy is to reach, where
        there is one, relative to the largest.  The states of all energies are kept.
    <max_energies>
    <exclude>
    <params>
    <energy_parameter>
    <max_memory>
    <solver>

    Attributes
    ----------
    states : array of complex, shape (n_states, n_orbitals)
        Scattering states, lead by lead; in a Nambu model electrons first, then holes.
    weights : array of float, shape (n_states,)
        Delta rho = sum_n weights[n] |states[n]><states[n]|.
    energies : array of float, shape (n_states,)
        The energy of each state.
    error : float
        Estimated error of the density in an orbital, relative to the largest.
    charge : number, array, mapping or None
        Electrons and holes of a Nambu model, as given.
    partial : bool
        Whether the window holds energies at which no lead has an open mode.
    warnings : tuple of str
        What was warned of.

    Raises
    ------
    ValueError, TypeError
        For a system that is not finalized, without leads, an energy or bias that is not
        finite, a bias for a lead that is not there, a scalar bias with other than two leads, or
        a degeneracy that is not positive.

    Warns
    -----
    RuntimeWarning
        If no lead has an open mode, so that Delta rho is zero, or at some energies of the window;
        if a mode stands still, at a band edge; if the integral does not reach `rtol`.

    Notes
    -----
    Equations 25 to 27 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).  hbar = 1.

    Examples
    --------
    >>> rho = NonequilibriumDensity(syst, energy, bias=0.05)
    >>> np.allclose(rho.expectation(Force(syst, moving)), response.force)
    True
    """

    def __init__(
        self,
        syst: FiniteSystem | Model,
        energy: float,
        *,
        bias: float | Mapping[int, float] = 1.0,
        charge: Charge = None,
        degeneracy: float = 1,
        temperature: float = 0.0,
        linear: bool = True,
        rtol: float = RTOL,
        max_energies: int = MAX_ENERGIES,
        exclude: float = 0.0,
        params: Mapping[str, Any] | None = None,
        energy_parameter: str | None = None,
        max_memory: float = MAX_MEMORY,
        solver: DirectSolver | None = None,
    ) -> None:
        model = scattering_model(syst, params, charge, energy_parameter, energy)
        point = operating_point(model, energy, bias, degeneracy, temperature, linear)
        numerics = Numerics(
            rtol=rtol,
            max_memory=max_memory,
            solver=solver,
            max_energies=max_energies,
            exclude=exclude,
        )
        self.syst, self.params = model.syst, model.params
        self.energy_parameter = model.energy_parameter
        self.energy, self.degeneracy = point.energy, point.degeneracy
        self.bias = read_only(point.bias)
        self.temperature, self.linear = point.temperature, point.linear
        self.error, self.partial, failed = 0.0, False, None
        self.charge, self._charges = model.charge, model.charges if model.has_holes else None
        if point.is_one_energy:
            shell = EnergyShell(model.scattering, self.energy, numerics)
            notices = shell.notices + closed_notices(sum(shell.n_modes), self.energy)
            self.states = shell.states()
            sources = model.scattering.sources
            shifts = point.of_sources(sources).bias
            weights = np.repeat(shifts, shell.n_modes) * self.degeneracy / (2 * np.pi)
            weights = sources.share * weights
            energies = np.full(len(weights), self.energy)
        else:
            collected = collected_states(model.scattering, point, numerics)
            self.states, weights = collected.states, collected.weights
            energies = collected.energies
            self.error, self.partial = collected.error, collected.partial
            notices, failed = collected.notices, collected.failed
        self.warnings = noted(notices, failed)
        self.states.flags.writeable = False
        self.weights, self.energies = read_only(weights), read_only(energies)
        self._model = model
        finished(self, failed)

    def __call__(self, bra: ArrayLike, ket: ArrayLike | None = None) -> Any:
        """Return <bra|Delta rho|ket>, a number, or one for each state of a stack (pairwise).

        Real if `ket` is None.  bra, ket: (n_orbitals,) or (n_states, n_orbitals).
        """
        bras, kets, single = as_pair(bra, ket, self.states.shape[1])
        left = bras.conj() @ self.states.T
        if ket is None:
            values: NDArray[Any] = np.abs(left) ** 2 @ self.weights
        else:
            values = np.einsum("mn,mn,n->m", left, kets @ self.states.conj().T, self.weights)
        return values[0] if single else values

    def act(self, ket: ArrayLike) -> NDArray[np.complex128]:
        """Return Delta rho |ket>, shaped like `ket`: (n_orbitals,) or (n_states, n_orbitals)."""
        kets, single = as_states("ket", ket, self.states.shape[1])
        result = (kets @ self.states.conj().T * self.weights) @ self.states
        return result[0] if single else result

    def expectation(self, operator: Any) -> Any:
        """Return Tr[operator Delta rho].

        Parameters
        ----------
        operator : Force, MomentumCurrent; kwant.operator.Density, Current or Source; or a matrix
            An operator is bound, or takes the same `params` as Delta rho; one of ours that is not
            bound takes the same `charge` too.  With an `energy_parameter` it is bound at the energy
            of each state; of Kwant's that are bound it isn't known at which energy, and its Density
            holds no overlaps.  A matrix is sparse or dense, (n_orbitals, n_orbitals).  In a Nambu
            model Kwant's operators, and matrices, count holes as they are told to:
            ``Density(syst, tau_z)`` counts electrons.

        Returns
        -------
        array or number
            What the operator gives for a wave function: (n_c,) for `Force`, (n_sites, dim) for
            `MomentumCurrent`, one entry per site or hopping for Kwant's; complex where that is
            complex, and for matrices.
        """
        if isinstance(operator, StackedOperator):
            return sum(
                self._bound(operator, params).trace(self.states[some], self.weights[some])
                for params, some in self._shells(operator.is_bound)
            )
        if isinstance(
            operator, kwant.operator.Density | kwant.operator.Current | kwant.operator.Source
        ):
            return self._kwant_expectation(operator)
        if sparse.issparse(operator) or isinstance(operator, np.ndarray):
            n = self.states.shape[1]
            if operator.shape != (n, n):
                raise ValueError(f"The matrix has shape {operator.shape}; expected {(n, n)}.")
            acted = (operator @ self.states.T).T
            return np.einsum("n,np,np->", self.weights, self.states.conj(), acted)
        raise TypeError(
            f"operator is a {type(operator).__name__}; expected Force, MomentumCurrent, a "
            "kwant.operator (Density, Current, Source), or a matrix."
        )

    def _kwant_expectation(self, operator: Any) -> Any:
        self._check_strides(operator)
        is_bound = operator._bound_onsite is not None or operator._bound_hamiltonian is not None
        result = np.zeros(() if operator.sum else len(operator.where))
        for params, some in self._shells(is_bound):
            bound = operator if is_bound else operator.bind(params=params)
            for weight, state in zip(self.weights[some], self.states[some], strict=True):
                # Kwant's operators take no read-only arrays, hence the copy.
                result = result + weight * bound(state.copy())
        return result

    def _bound(self, operator: StackedOperator, params: Mapping[str, Any] | None) -> Any:
        """Return an operator of ours at these params, as it is if it is bound."""
        if operator.is_bound:
            name = self.energy_parameter or ""
            bound_at = (operator.bound_params or {}).get(name, self.energy)
            if name and bound_at != self.energy:
                raise ValueError(
                    f"The operator is bound at energy {bound_at}, the states are those at "
                    f"{self.energy}; bind it there, or pass it unbound."
                )
            return operator
        if self.energy_parameter is not None:
            seen = float((params or {})[self.energy_parameter])
            return operator.bind_at(self._model.at(seen))
        charge = self.charge if operator.takes_charge else None
        return operator.bind(params=params if operator.takes_params else None, charge=charge)

    def _shells(self, is_bound: bool) -> Iterator[tuple[Mapping[str, Any] | None, Any]]:
        """Yield params, and which states they belong to: of each energy if functions see it."""
        energies = np.unique(self.energies)
        if self.energy_parameter is None or not len(energies) or (is_bound and len(energies) == 1):
            yield self.params, slice(None)
            return
        if is_bound:
            raise ValueError(
                "The operator is bound at one energy, but the states are those of "
                f"{len(energies)} energies, which value functions see; pass it unbound."
            )
        for energy in energies:
            yield self._model.at(float(energy)).params, self.energies == energy

    def _check_strides(self, operator: Any) -> None:
        """Raise where Kwant (1.5) evaluates its operators wrongly: its strides need equal norbs."""
        if len({norbs for _, norbs, _ in self.syst.site_ranges[:-1]}) == 1:
            return
        if isinstance(operator, kwant.operator.Current):
            raise ValueError(
                "The sites have different numbers of orbitals, for which kwant.operator.Current "
                "gives wrong numbers; use MomentumCurrent, which gives the current on sites."
            )
        if not callable(operator.onsite):
            raise ValueError(
                "The operator has one onsite for all sites, but these have different numbers of "
                "orbitals, for which Kwant's operators give wrong numbers; give the operator "
                "{family: matrix} instead, e.g. {f: np.eye(f.norbs) for f in families}."
            )

    def density(self) -> NDArray[np.float64]:
        """Return the nonequilibrium density per site, (n_sites,), summed over its orbitals.

        Of electrons: in a Nambu model holes count negatively.  Where orbitals overlap it is
        Mulliken's, the real part of the diagonal of Delta rho S.
        """
        if self.energy_parameter is not None:
            per_orbital = np.zeros(self.states.shape[1])
            for energy in np.unique(self.energies):
                some = self.energies == energy
                seen = (self._model.scattering.overlap(float(energy)) @ self.states[some].T).T
                per_orbital += self.weights[some] @ (self.states[some].conj() * seen).real
        elif self._charges is None:
            per_orbital = self.weights @ np.abs(self.states) ** 2
        else:
            charged = (self._charges @ self.states.T).T
            per_orbital = self.weights @ (self.states.conj() * charged).real
        return np.add.reduceat(per_orbital, orbital_offsets(self.syst)[:-1])

    def toarray(self) -> NDArray[np.complex128]:
        """Return Delta rho as a dense matrix (n_orbitals, n_orbitals): for small systems."""
        return np.ascontiguousarray(self.states.T * self.weights @ self.states.conj())
