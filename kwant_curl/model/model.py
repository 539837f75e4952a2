"""A Kwant system at its params: what everything below the routines asks."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from kwant_curl.algebra.stack import ranges
from kwant_curl.model.charges import Charge, charge_operator, check_charge, with_charges
from kwant_curl.model.checks import check_finite_system, check_hermitian, check_leads
from kwant_curl.model.energies import (
    Curved,
    Values,
    check_energy_parameter,
    check_forgotten,
    check_named,
    holds_at,
    values_by_energy,
    with_energy,
)
from kwant_curl.model.geometry import site_positions, site_spacing
from kwant_curl.model.leads import Lead, evaluated_lead
from kwant_curl.model.nambu import said_of_holes
from kwant_curl.model.orbitals import interface_orbitals, number_of_orbitals, orbital_offsets
from kwant_curl.model.overlaps import check_overlaps
from kwant_curl.model.pattern import Elements, Pattern
from kwant_curl.model.scattering import ScatteringProblem
from kwant_curl.support.frozen import read_only

__all__ = ["Model", "as_model", "scattering_model"]

IntArray = NDArray[np.int64]
Purpose = Literal["many calls", "one call", "operators"]


@dataclass(frozen=True, eq=False)
class Model:
    """A finalized Kwant system at its params, evaluated once.

    Every routine and operator takes one in place of `syst`; figures take ``model.syst``.  In a loop
    over energies or biases the value functions are then called once, and the solver keeps its
    symbolic analysis.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized system.
    params : mapping, optional
        Parameters of its value functions, as Kwant takes them.
    purpose : {"many calls", "one call", "operators"}, default "many calls"
        What it is made for.  For one call no thorough symbolic analysis pays; for operators
        the whole Hamiltonian isn't evaluated if a few rows are asked for.
    charge : number, array or mapping, optional
        Electrons and holes of a Nambu model, as the routines take it, which then go without.
    energy_parameter : str, optional
        The entry of `params` in which value functions see the energy, as the routines take it:
        they return H - E S.

    Notes
    -----
    A model is a picture of the system at the time when it was first asked: what value functions
    return later, by a variable that they see or an array that was changed, it doesn't know.  It
    keeps the last factorisation of each thread that has used it.

    Examples
    --------
    >>> model = Model(syst, params)
    >>> maps = [curl_map(model, moving, energy) for energy in energies]
    """

    syst: FiniteSystem
    params: Mapping[str, Any] | None = None
    _: KW_ONLY
    purpose: Purpose = "many calls"
    charge: Charge = None
    energy_parameter: str | None = None

    def __post_init__(self) -> None:
        check_finite_system(self.syst)
        if self.purpose not in get_args(Purpose):
            raise ValueError(
                f"purpose is {self.purpose!r}; expected one of {', '.join(get_args(Purpose))}."
            )
        if self.params is not None:
            if not isinstance(self.params, Mapping):
                raise TypeError(
                    f"params is {self.params!r}; expected a mapping of names to values, or None."
                )
            object.__setattr__(self, "params", dict(self.params))
        if self.charge is not None:
            check_charge(self.charge)
        if self.energy_parameter is not None:
            check_energy_parameter(self.energy_parameter, self.charge)
            parts = [self.syst, *self.syst.leads]
            if all(getattr(part, "parameters", None) is not None for part in parts):
                check_named(self.energy_parameter, set().union(*(p.parameters for p in parts)))
            params = {self.energy_parameter: 0.0, **(self.params or {})}
            object.__setattr__(self, "params", params)

    def at(self, energy: float) -> "Model":
        """Return the model whose value functions see this energy; itself if they see none."""
        if self.energy_parameter is None:
            return self
        return replace(self, params={**(self.params or {}), self.energy_parameter: energy})

    @property
    def origin(self) -> "Model":
        """The model before all displacements (`moved`): itself, unless it is a displaced one."""
        return self

    def displacement(self, coordinates: Any) -> NDArray[np.float64] | None:
        """Return by how much these coordinates are displaced, (n_c,); None if they are not."""
        return None

    def moved(self, coordinates: Any, displacements: ArrayLike) -> "Model":
        """Return the same system with its coordinates displaced by finite amounts.

        The Hamiltonian follows by what gave dH/dQ.  What stays is shared: the leads and their
        modes, the solver's symbolic analysis; what changes is evaluated once.

        Parameters
        ----------
        coordinates : Displacements, Parameters, Matrices, ...
            What moves.  The routines take the same object with the displaced model.
        displacements : array of float, shape (n_c,)
            Q_I, from where the coordinates are in this model, in their order and unit.

        Returns
        -------
        Model
            Wherever a `Model` is taken.  Its ``syst`` holds displaced sites, and no matrix elements
            where these follow a law, a gradient or matrices.

        Raises
        ------
        ValueError
            For another number of displacements, or numbers that are not finite; where two sites
            of a bond meet, or a law, a value function or a gradient returns what is not finite;
            for an `onsite_gradient`, and where value functions are asked for elements that other
            coordinates have changed by a law or by matrices.
        TypeError
            For coordinates that don't say how the Hamiltonian follows: a `Probe`, and those of
            your own without a method ``moved(model, displacements)``.

        Notes
        -----
        A scaling law multiplies each hopping by t(d')/t(d).  Value functions are called with
        displaced sites, or changed `params`.  Gradients are integrated along the straight way,
        so they should be gradients of something.  `Matrices` go to first order, to second order
        with `second`; displaced calculations of a `Junction` to first order.

        Examples
        --------
        >>> model = Model(syst)
        >>> stretched = model.moved(moving, displacements)
        >>> response = force_response(stretched, moving, energy)
        """
        if not hasattr(coordinates, "moved"):
            raise TypeError(
                f"coordinates is {coordinates!r}, which can't be displaced by finite amounts; "
                "expected Displacements, Parameters or Matrices, or an object with a method "
                "moved(model, displacements) that returns a Model."
            )
        model: Model = coordinates.moved(self, displacements)
        return model

    def with_charge(self, charge: Charge) -> "Model":
        """Return a model that knows electrons from holes, and has the same Hamiltonian."""
        model = replace(self, charge=charge)
        vars(model)["hamiltonian"] = self.hamiltonian
        return model

    @cached_property
    def hamiltonian(self) -> Any:
        """The Hamiltonian of the scattering region, sparse CSR (n_orbitals, n_orbitals)."""
        submatrix = self.syst.hamiltonian_submatrix(sparse=True, params=self.params)
        matrix = sparse.csr_array(submatrix)
        for array in (matrix.data, matrix.indices, matrix.indptr):
            array.flags.writeable = False
        return matrix

    @cached_property
    def scattering(self) -> ScatteringProblem:
        """The Hamiltonian and the leads, for any energy."""
        return self._problem()

    def _problem(self) -> ScatteringProblem:
        check_leads(self.syst)
        if self.energy_parameter is None:
            check_forgotten(self.syst)
        self.check_charge()
        check_hermitian(self.hamiltonian)
        leads = tuple(self._lead(number) for number in range(len(self.syst.leads)))
        if self.has_holes:
            leads = tuple(map(self._with_charges, leads, self.syst.leads))
        one_call = self.purpose == "one call"
        hamiltonian = self.hamiltonian
        if self._varying is not None:
            hamiltonian = self._pattern.matrix(self._varying.at(self._seen))
        problem = ScatteringProblem(hamiltonian, leads, one_call, self.has_holes, self._varying)
        if self.energy_parameter is not None:
            check_overlaps(problem, self._seen, self.energy_parameter, is_linear=self.is_linear)
        return problem

    def _lead(self, number: int) -> Lead:
        """Return a lead at the params, which is evaluated once."""
        if number not in self._leads:
            orbitals = interface_orbitals(self.syst, number)
            self._leads[number] = evaluated_lead(
                self.syst.leads[number], self.params, orbitals, self.energy_parameter
            )
        return self._leads[number]

    @cached_property
    def _leads(self) -> dict[int, Lead]:
        """The leads that have been evaluated."""
        return {}

    def _with_charges(self, lead: Lead, builder: Any) -> Lead:
        here = self.charges[lead.orbitals][:, lead.orbitals].toarray()
        return with_charges(lead, builder, self.charge, here)

    @cached_property
    def _varying(self) -> Values | None:
        """The elements of the Hamiltonian at any energy that value functions see."""
        if self.energy_parameter is None:
            return None
        return values_by_energy(self._elements, self.energy_unit)

    @property
    def _elements(self) -> Elements:
        """The elements of the Hamiltonian as a function of the energy."""
        return Elements(self._hamiltonian_at, self._pattern)

    def _hamiltonian_at(self, energy: float) -> Any:
        """Return the Hamiltonian at an energy that value functions see."""
        return self.at(energy).hamiltonian

    @cached_property
    def _pattern(self) -> Pattern:
        """The elements that may not be zero at some energy."""
        bonds = np.array(list(self.syst.graph), dtype=np.int64).reshape(-1, 2)
        return Pattern.of(bonds, self.offsets)

    def check_linear(self, energies: Iterable[float]) -> None:
        """Ask the value functions at these energies whether they are linear, as it seemed.

        Where they aren't, device or leads are asked anew at each energy from now on.
        """
        cells = [self._lead(number).cells for number in range(len(self.syst.leads))]
        for energy in energies:
            holds = [some.holds_at(energy) for some in cells if some is not None]
            if self._varying is not None and not holds_at(self._varying, energy):
                vars(self)["_varying"] = Curved(self._elements, self.energy_unit)
                holds.append(False)
            if not all(holds):
                vars(self).pop("scattering", None)

    @property
    def energy_unit(self) -> float:
        """An energy of the order of the Hamiltonian's elements, a power of two."""
        largest = float(np.abs(self.hamiltonian.data).max(initial=0.0))
        return float(2.0 ** np.ceil(np.log2(largest))) if largest else 1.0

    @property
    def is_linear(self) -> bool:
        """Whether the Hamiltonian is linear in an energy that value functions see, or sees none."""
        return self._varying is None or self._varying.is_linear

    def overlap(self) -> Any:
        """Return S = -dH/dE at the energy that its value functions see; one if they see none."""
        if self._varying is None:
            return sparse.eye_array(self.n_orbitals, format="csr")
        return self._pattern.matrix(-self._varying.slope(self._seen))

    @property
    def _seen(self) -> float:
        """The energy that value functions see in `params`."""
        return float((self.params or {})[self.energy_parameter or ""])

    @cached_property
    def charges(self) -> Any:
        """The charge of the orbitals, +1 for electrons and -1 for holes: sparse CSR, Hermitian.

        What the user said, or one; an error where a Nambu model says nothing.
        """
        self.check_charge()
        if self.charge is None:
            return sparse.eye_array(self.n_orbitals, format="csr")
        return charge_operator(self.charge, self.syst, len(self.offsets) - 1)

    def check_charge(self) -> None:
        """Raise if a Nambu model doesn't say which orbitals are electrons and which are holes."""
        if self._said_of_holes is not None:
            raise ValueError(self._said_of_holes)

    @cached_property
    def _said_of_holes(self) -> str | None:
        """What is said where there seem to be holes, and the user has not named them."""
        return said_of_holes(self.syst, self._lead) if self.charge is None else None

    @cached_property
    def has_holes(self) -> bool:
        """Whether some orbitals are those of holes, so that each electron is there twice."""
        return self.charge is not None and bool(self.charges.trace() < self.n_orbitals - 0.5)

    @cached_property
    def offsets(self) -> IntArray:
        """The first orbital of each site, and last the number of orbitals, (n_sites + 1,)."""
        return read_only(orbital_offsets(self.syst))

    @cached_property
    def positions(self) -> NDArray[np.float64]:
        """Positions of all sites, (n_sites, dim)."""
        return read_only(site_positions(self.syst))

    @property
    def dim(self) -> int:
        """Dimension of space."""
        return int(self.positions.shape[1])

    @cached_property
    def spacing(self) -> float:
        """Usual distance between neighbouring sites."""
        return site_spacing(self.syst)

    @property
    def n_orbitals(self) -> int:
        """Dimension of the Hamiltonian."""
        return number_of_orbitals(self.syst)

    def rows(self, sites: IntArray) -> Any:
        """Return the Hamiltonian's rows at the orbitals of these sites, sparse CSR."""
        norbs = np.diff(self.offsets)
        orbitals = ranges(self.offsets[sites], norbs[sites])
        if self.purpose != "operators" or 2 * len(sites) > len(norbs):
            is_whole = np.array_equal(orbitals, np.arange(self.n_orbitals))
            return self.hamiltonian if is_whole else self.hamiltonian[orbitals]
        around = [int(other) for site in sites for other in self.syst.graph.out_neighbors(site)]
        from_sites = np.union1d(sites, np.array(around, dtype=np.int64))
        part = self.syst.hamiltonian_submatrix(
            to_sites=sites, from_sites=from_sites.astype(int), sparse=True, params=self.params
        )
        col = ranges(self.offsets[from_sites], norbs[from_sites])[part.col]
        shape = (len(orbitals), self.n_orbitals)
        return sparse.csr_array((part.data, (part.row, col)), shape=shape)


def as_model(
    syst: FiniteSystem | Model,
    params: Mapping[str, Any] | None = None,
    purpose: Purpose = "operators",
    charge: Charge = None,
    energy_parameter: str | None = None,
) -> Model:
    """Return the model of what a user passes: the user's own, or one for this purpose."""
    if not isinstance(syst, Model):
        return Model(
            syst, params, purpose=purpose, charge=charge, energy_parameter=energy_parameter
        )
    if params is not None:
        raise ValueError(
            "params are given, but the model holds its own; make another one: "
            "Model(model.syst, params)."
        )
    if energy_parameter not in (None, syst.energy_parameter):
        raise ValueError(
            f"energy_parameter is {energy_parameter!r}, but the model's is "
            f"{syst.energy_parameter!r}; leave it out, or make another model: "
            "Model(model.syst, params, energy_parameter=...)."
        )
    if charge is None:
        return syst
    if syst.charge is not None:
        raise ValueError(
            "charge is given, but the model holds one; leave it out, or make another model: "
            "Model(model.syst, params, charge=charge)."
        )
    return syst.with_charge(charge)


def scattering_model(
    syst: FiniteSystem | Model,
    params: Mapping[str, Any] | None = None,
    charge: Charge = None,
    energy_parameter: str | None = None,
    energy: Any = None,
) -> Model:
    """Return the model of a system that is to be solved; raise unless it has leads.

    energy: the Fermi level, which value functions may see.
    """
    if energy_parameter is not None and not isinstance(syst, Model):
        params = with_energy(params, energy_parameter, energy)
    model = as_model(syst, params, "one call", charge, energy_parameter)
    check_leads(model.syst)
    return model
