"""Operators with the habits of `kwant.operator`, for one wave function or whole stacks of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import Any, Protocol, Self

import kwant
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl import kernels
from kwant_curl.averages import RTOL, check_integration, collected_states
from kwant_curl.coordinates.where import sites_in
from kwant_curl.currents import Momentum, cell_volumes, site_currents, site_momenta
from kwant_curl.derivatives import Derivatives
from kwant_curl.frozen import read_only
from kwant_curl.stack import OperatorStack
from kwant_curl.states import (
    MAX_MEMORY,
    energy_shell,
    operating_point,
    warn_if_closed,
    warn_if_slow,
)
from kwant_curl.system import check_finite_system, check_sites, number_of_orbitals

__all__ = [
    "Coordinates",
    "Force",
    "MomentumCurrent",
    "NonequilibriumDensity",
    "StackedOperator",
]


class Coordinates(Protocol):
    """What a specification of coordinates offers; one of your own needs this method alone."""

    def hamiltonian_derivatives(
        self, syst: Any, *, params: Mapping[str, Any] | None = None
    ) -> Derivatives:
        """Return dH/dQ of all coordinates for this system, at these `params`."""
        ...


def check_coordinates(coordinates: Any) -> None:
    """Raise unless `coordinates` is a specification, not a class or something else."""
    if isinstance(coordinates, type) or not hasattr(coordinates, "hamiltonian_derivatives"):
        raise TypeError(
            f"coordinates is {coordinates!r}; expected an instance of Displacements, Parameters, "
            "Matrices or Probe."
        )


def as_states(name: str, states: ArrayLike, n_orbitals: int) -> tuple[NDArray[Any], bool]:
    """Return `states` as a stack (n_states, n_orbitals), and whether it was a single one."""
    array = np.asarray(states)
    if array.ndim not in (1, 2) or array.shape[-1] != n_orbitals:
        raise ValueError(
            f"{name} has shape {array.shape}; expected ({n_orbitals},), or (n_states, "
            f"{n_orbitals}) for a stack: the system has {n_orbitals} orbitals."
        )
    return np.atleast_2d(array.astype(complex, copy=False)), array.ndim == 1


def as_pair(
    bra: ArrayLike, ket: ArrayLike | None, n_orbitals: int
) -> tuple[NDArray[Any], NDArray[Any], bool]:
    """Return bra and ket as stacks of one length, and whether both were single."""
    bras, one_bra = as_states("bra", bra, n_orbitals)
    if ket is None:
        return bras, bras, one_bra
    kets, one_ket = as_states("ket", ket, n_orbitals)
    if len(bras) != len(kets) and not (one_bra or one_ket):
        raise ValueError(
            f"bra is a stack of {len(bras)} states and ket of {len(kets)}; expected as many of "
            "both (matrix() takes every bra with every ket)."
        )
    n = len(kets) if one_bra else len(bras)
    bras, kets = (np.broadcast_to(stack, (n, n_orbitals)) for stack in (bras, kets))
    return bras, kets, one_bra and one_ket


class StackedOperator(ABC):
    """Many Hermitian operators, called like those of `kwant.operator`: the habits of all of ours.

    Called with ``operator(psi)`` it gives <psi|A|psi>, with ``operator(phi, psi)`` the matrix
    element <phi|A|psi>, of every one of its operators A.  The Hamiltonian's parameters are
    passed to each call as `params`, or once to `bind`, which returns an operator that takes
    none.  Bind what is called more than once.
    """

    def __init__(self, syst: Any) -> None:
        check_finite_system(syst)
        self.syst = syst
        self._bound: OperatorStack | None = None

    @abstractmethod
    def _evaluate(self, params: Mapping[str, Any] | None) -> OperatorStack:
        """Return the operators at these parameters."""

    def _shaped(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return `values` with the axis over all operators in the shape of the results."""
        return values

    def __call__(
        self,
        bra: ArrayLike,
        ket: ArrayLike | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> NDArray[Any]:
        """Return the matrix elements <bra|A|ket>.

        Parameters
        ----------
        bra, ket : array, shape (n_orbitals,) or (n_states, n_orbitals)
            One wave function or a stack, as `kwant.wave_function` returns it; bra and ket are
            taken pairwise, and a single one goes with each of a stack.  ket: default bra.
        params : mapping, optional
            Parameters of the system's value functions; not for a bound operator.

        Returns
        -------
        array
            One result, or a stack of them along the first axis; real if `ket` is None, else
            complex.

        Raises
        ------
        ValueError
            For arrays of another shape, or `params` for a bound operator.
        """
        bras, kets, single = as_pair(bra, ket, number_of_orbitals(self.syst))
        operators = self._operators(params)
        if ket is None:
            elements: NDArray[Any] = kernels.expectations(operators, bras)
        else:
            elements = kernels.matrix_elements(operators, bras, kets)
        values = self._shaped(elements, 1)
        return values[0] if single else values

    def act(self, ket: ArrayLike, *, params: Mapping[str, Any] | None = None) -> NDArray[Any]:
        """Return the sum of all A|ket>, shaped like `ket`: (n_orbitals,) or (n_states, n_orbitals).

        The sum over the operators is Kwant's habit, <phi|act(psi)> = operator(phi, psi).sum();
        for single ones, `matrices`.
        """
        kets, single = as_states("ket", ket, number_of_orbitals(self.syst))
        result = kernels.act(self._operators(params), kets)
        return result[0] if single else result

    def bind(self, *, params: Mapping[str, Any] | None = None) -> Self:
        """Return a copy that is evaluated at `params` and takes no `params` any more."""
        bound = copy(self)
        bound._bound = self._operators(params)
        return bound

    @property
    def is_bound(self) -> bool:
        """Whether `bind` has made this operator."""
        return self._bound is not None

    def matrices(self, *, params: Mapping[str, Any] | None = None) -> list[Any]:
        """Return the operators as sparse arrays (n_orbitals, n_orbitals), in their order."""
        return list(self._operators(params).matrices())

    def matrix(
        self, bras: ArrayLike, kets: ArrayLike, *, params: Mapping[str, Any] | None = None
    ) -> NDArray[np.complex128]:
        """Return <bra_m|A|ket_n> for every bra with every ket, (..., n_bras, n_kets).

        Parameters
        ----------
        bras, kets : array, shape (n_bras, n_orbitals), (n_kets, n_orbitals)
            Stacks of wave functions, as `kwant.wave_function` returns them.
        params : mapping, optional
            Parameters of the system's value functions; not for a bound operator.

        Returns
        -------
        array of complex
            The axes before the last two are those of a single result: (n_c,) for `Force`.
        """
        n = number_of_orbitals(self.syst)
        left, _ = as_states("bras", bras, n)
        right, _ = as_states("kets", kets, n)
        factors = self._operators(params).factors()
        return self._shaped(kernels.all_matrix_elements(factors, left, right), 0)

    def trace(
        self,
        states: ArrayLike,
        weights: ArrayLike,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> NDArray[np.float64]:
        """Return the sum of weights[n] <states[n]|A|states[n]> over a stack of states."""
        stack, _ = as_states("states", states, number_of_orbitals(self.syst))
        numbers = np.asarray(weights)
        if numbers.shape != (len(stack),) or numbers.dtype.kind not in "fiu":
            raise ValueError(
                f"weights has shape {numbers.shape} and type {numbers.dtype}; expected "
                f"{len(stack)} real numbers, one per state."
            )
        values = kernels.weighted_trace(self._operators(params), stack, numbers.astype(float))
        return self._shaped(values, 0)

    def _operators(self, params: Mapping[str, Any] | None) -> OperatorStack:
        if self._bound is None:
            return self._evaluate(params)
        if params is not None:
            raise ValueError(
                "Parameters are already bound to this operator; call it without params, or bind "
                "the original one again."
            )
        return self._bound


class Force(StackedOperator):
    """The force operators F_I = -dH/dQ_I of a set of coordinates.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized system; its site families declare `norbs`.
    coordinates : Displacements, Parameters, Matrices or Probe
        What moves, and how the Hamiltonian follows.

    Notes
    -----
    Results are (n_c,) for one wave function and (n_states, n_c) for a stack, in the order of
    `coordinates`.  A force is in energy per unit of Q; positive pushes towards larger Q.

    ``force(psi)`` gives <psi|F_I|psi>, ``force(phi, psi)`` the matrix element <phi|F_I|psi>.  As
    with `kwant.operator`, the Hamiltonian's parameters are passed to each call as `params`, or
    once to `bind`, which evaluates dH/dQ and returns an operator that takes none.  Bind what is
    called more than once.

    Equation 2 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).
    """

    def __init__(self, syst: Any, coordinates: Coordinates) -> None:
        super().__init__(syst)
        check_coordinates(coordinates)
        self.coordinates = coordinates

    def _evaluate(self, params: Mapping[str, Any] | None) -> OperatorStack:
        return -self.coordinates.hamiltonian_derivatives(self.syst, params=params)


class MomentumCurrent(StackedOperator):
    """The particle-current density on sites, weighted by a local momentum: p(r) j(r).

    j(r_i) = (1 / 2 v_i) sum_j (r_j - r_i) I_{i->j}, with I_{i->j} = -2 Im psi_i^+ H_ij psi_j the
    particle current along each bond, all orbitals included, and v_i the volume that belongs to
    the site.  It is the conserved current, with Peierls phases and spin-orbit coupling.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
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

    Equation 11 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).
    """

    def __init__(
        self,
        syst: Any,
        *,
        momentum: Momentum = 1.0,
        where: Any = None,
        cell_volume: ArrayLike | None = None,
    ) -> None:
        super().__init__(syst)
        check_sites(syst)
        # An array is copied, since the operator shall not change with it.
        is_array = not callable(momentum) and np.ndim(momentum) > 0
        self.momentum = read_only(momentum) if is_array else momentum
        self.where = sites_in(syst, where)
        self.cell_volumes = read_only(cell_volumes(syst, cell_volume))
        if not callable(momentum):
            site_momenta(syst, momentum)  # says at once what is wrong with it

    def _evaluate(self, params: Mapping[str, Any] | None) -> OperatorStack:
        weights = site_momenta(self.syst, self.momentum, params) / self.cell_volumes
        return site_currents(self.syst, weights, self.where, params)

    def _shaped(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        shape = values.shape
        dim = shape[axis] // len(self.where)
        return values.reshape(*shape[:axis], len(self.where), dim, *shape[axis + 1 :])


class NonequilibriumDensity:
    """Nonequilibrium part of the one-electron density matrix.

    Delta rho = degeneracy sum_alpha int dE [f_alpha(E) - f(E)] D_alpha(E), with
    D_alpha = (1/2 pi) sum_n |psi_{alpha n}><psi_{alpha n}|, kept as scattering states and a weight
    for each; at zero temperature and in linear response degeneracy sum_alpha dmu_alpha D_alpha(mu).

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized system with leads, known by their modes or by their self-energy.
    energy : float
        The equilibrium Fermi level mu.
    bias : float or mapping, default 1.0
        A number V (an energy): lead 0 at +V/2, lead 1 at -V/2, two leads only, so that positive
        V drives electrons from lead 0 to lead 1.  Or ``{lead: dmu}``.
    degeneracy : float, default 1
        Degeneracy of every level: 2 if a spinless Hamiltonian stands for both spins.
    temperature : float, default 0.0
        kT, an energy; below 1e-8 of the chemical potentials, which can't resolve it, zero.
    linear : bool, default True
        Linear response to the bias, or, if False, the whole bias window.
    rtol : float, default 1e-6
        Error of the density in each orbital that the integration over energy is to reach, where
        there is one, relative to the largest.  The states of all energies are kept.
    params : mapping, optional
        Parameters of the system's value functions.
    max_memory : float, default 512 MiB
        Bytes for the states that are being solved for, in blocks of one to 64, beside the
        factorisation and `states`.
    solver : optional
        What `direct_solver` returns, to keep the symbolic analysis in a loop over energies or
        parameters.

    Attributes
    ----------
    states : array of complex, shape (n_states, n_orbitals)
        Scattering states, lead by lead.
    weights : array of float, shape (n_states,)
        Delta rho = sum_n weights[n] |states[n]><states[n]|.
    error : float
        Estimated error of the density in an orbital, relative to the largest.

    Raises
    ------
    ValueError, TypeError
        For a system that is not finalized, without leads, an energy or bias that is not
        finite, a bias for a lead that is not there, a scalar bias with other than two leads, or
        a degeneracy that is not positive.

    Warns
    -----
    RuntimeWarning
        If no lead has an open mode at this energy; Delta rho is then zero.

    Notes
    -----
    Equations 25 to 27 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).  hbar = 1.
    """

    def __init__(
        self,
        syst: Any,
        energy: float,
        *,
        bias: float | Mapping[int, float] = 1.0,
        degeneracy: float = 1,
        temperature: float = 0.0,
        linear: bool = True,
        rtol: float = RTOL,
        params: Mapping[str, Any] | None = None,
        max_memory: float = MAX_MEMORY,
        solver: Any = None,
    ) -> None:
        point = operating_point(syst, energy, bias, degeneracy, temperature, linear)
        rtol = check_integration(rtol, None)
        self.syst = syst
        self.energy, self.degeneracy = point.energy, point.degeneracy
        self.bias = read_only(point.bias)
        self.params = None if params is None else dict(params)
        options = {"params": params, "max_memory": max_memory, "solver": solver}
        self.temperature, self.linear, self.error = point.temperature, point.linear, 0.0
        if point.temperature == 0 and (point.linear or not point.bias.any()):
            shell = energy_shell(syst, self.energy, **options)
            warn_if_closed(sum(shell.n_modes), self.energy, stacklevel=3)
            warn_if_slow(shell.slow_lead, self.energy, stacklevel=3)
            self.states = shell.states()
            weights = np.repeat(self.bias, shell.n_modes) * self.degeneracy / (2 * np.pi)
        else:
            self.states, weights, self.error = collected_states(syst, point, rtol=rtol, **options)
        self.states.flags.writeable = False
        self.weights = read_only(weights)

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
            An operator is bound, or takes the same `params` as Delta rho.  A matrix is sparse
            or dense, (n_orbitals, n_orbitals).

        Returns
        -------
        array or number
            What the operator gives for a wave function: (n_c,) for `Force`, (n_sites, dim) for
            `MomentumCurrent`, one entry per site or hopping for Kwant's; complex where that is
            complex, and for matrices.
        """
        if isinstance(operator, StackedOperator):
            params = None if operator.is_bound else self.params
            return operator.trace(self.states, self.weights, params=params)
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
        bound = operator if is_bound else operator.bind(params=self.params)
        zero = np.zeros(() if operator.sum else len(operator.where))
        terms = zip(self.weights, self.states, strict=True)
        # Kwant's operators take no read-only arrays, hence the copy.
        return sum((weight * bound(state.copy()) for weight, state in terms), zero)

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
        """Return the nonequilibrium density per site, (n_sites,), summed over its orbitals."""
        per_orbital = self.weights @ np.abs(self.states) ** 2
        first, norbs, start = np.array(self.syst.site_ranges).T
        offsets = np.concatenate(
            [
                start[k] + norbs[k] * np.arange(first[k + 1] - first[k])
                for k in range(len(first) - 1)
            ]
        )
        return np.add.reduceat(per_orbital, offsets)

    def toarray(self) -> NDArray[np.complex128]:
        """Return Delta rho as a dense matrix (n_orbitals, n_orbitals): for small systems."""
        return np.ascontiguousarray(self.states.T * self.weights @ self.states.conj())
