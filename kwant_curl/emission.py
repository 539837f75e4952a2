"""Directional phonons by the golden rule: finite frequency, temperature and bias."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.coordinates import Coordinates, forces_by_energy, gauge_notices
from kwant_curl.electrons.kernels.emission import EmissionKernel, Exchanged, exchanged
from kwant_curl.electrons.kernels.operators import moved_factors, operators_by_energy
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.moved import moved_orbitals
from kwant_curl.electrons.notices import window_notices
from kwant_curl.electrons.numerics import MAX_ENERGIES, MAX_MEMORY, RTOL, Numerics, Route
from kwant_curl.electrons.operation import operating_point
from kwant_curl.electrons.unfinished import finished, noted
from kwant_curl.model.charges import Charge
from kwant_curl.model.model import Model, scattering_model
from kwant_curl.results import PhononRates
from kwant_curl.results.mode_pairs import mode_pairs
from kwant_curl.support.checks import positive_array, positive_number
from kwant_curl.support.magnitudes import check_frequencies, check_masses
from kwant_curl.support.parallel import Executor
from kwant_curl.support.progress import Progress
from kwant_curl.support.units import Units

__all__ = ["phonon_rates"]


@with_shared_keywords
def phonon_rates(
    syst: FiniteSystem | Model,
    coordinates: Coordinates,
    modes: ArrayLike,
    energy: float,
    *,
    frequency: ArrayLike,
    mass: ArrayLike = 1.0,
    hbar: float = 1.0,
    bias: float | Mapping[int, float] = 1.0,
    charge: Charge = None,
    degeneracy: float = 1,
    temperature: float = 0.0,
    rtol: float = RTOL,
    max_energies: int = MAX_ENERGIES,
    exclude: float = 0.0,
    params: Mapping[str, Any] | None = None,
    energy_parameter: str | None = None,
    route: Route = "auto",
    max_memory: float = MAX_MEMORY,
    executor: Executor | None = None,
    progress: Progress = None,
    units: Units | None = None,
) -> PhononRates:
    """Return the rates at which electrons emit and absorb directional phonons.

    The golden rule, to second order in the coupling -F_X X - F_Y Y and to all orders in the bias:
    dN/dt = emission (N + 1) - absorption N for each of the modes (+) and (-), with
    emission = (pi g/2 M omega) sum_{alpha beta} int dE
    Tr[F_pm D_beta(E) F_pm^+ D_alpha(E + hbar omega)] f_alpha(E + hbar omega) (1 - f_beta(E)), and
    absorption the same trace with f_beta(E) (1 - f_alpha(E + hbar omega)).

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized system with any number of leads, known by their modes or by their self-energy.
    coordinates : Displacements, Parameters or Matrices
        What moves, and how the Hamiltonian follows.
    modes : array of float, shape (2, n_c) or (n_pairs, 2, n_c)
        The patterns of X and Y.  The (+) mode goes from X to Y.
    <energy>
    frequency : float or array (n_pairs,)
        Angular frequency omega; hbar omega is an energy.
    mass : float or array (n_pairs,)
        Mass M of the coordinates X and Y.
    hbar : float, default 1.0
        In units of energy times time.
    <bias>
    <charge>
    <degeneracy>
    <temperature>
    <rtol>
    <max_energies>
    <exclude>
    <params>
    <energy_parameter>
    <route>
    <max_memory>
    <executor>
    <progress>
    <units>

    Returns
    -------
    PhononRates
        In units of 1/time, one entry per pair of modes.

    Raises
    ------
    ValueError, TypeError
        As `force_response`; for modes of another shape, and frequencies, masses or an hbar that
        are not positive.

    Warns
    -----
    RuntimeWarning
        If the integral does not reach `rtol`; if at some energies no lead has an open mode; if
        hoppings change their phase with the coordinates and no `vector_potential` is given.

    Notes
    -----
    Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 28 and 29, before the bias and the
    frequency are taken to be small.  Where D does not depend on energy over the window,
    emission - absorption is the growth of `ForceResponse.pumping_rates` exactly.
    """
    model = scattering_model(syst, params, charge, energy_parameter, energy)
    point = operating_point(model, energy, bias, degeneracy, temperature, False, units)
    limits: dict[str, Any] = {"max_energies": max_energies, "exclude": exclude}
    numerics = Numerics(rtol, route, max_memory, None, executor, progress, **limits)
    by_energy = forces_by_energy(coordinates, model, point.energy)
    forces = by_energy.at(point.energy)
    notices = forces.notices
    notices += gauge_notices(coordinates, model, forces, "a rate at a finite frequency")
    moved, unknown = moved_orbitals(
        coordinates, model, by_energy, point.energy, "a rate at a finite frequency"
    )
    notices += unknown
    pairs = mode_pairs(modes, len(forces))
    quanta = positive_number("hbar", hbar) * positive_array("frequency", frequency, len(pairs))
    mass = positive_array("mass", mass, len(pairs))
    if forces.positions is not None:
        squares = np.max(np.sum(pairs**2, axis=2), axis=1)
        check_frequencies(quanta, units)
        check_masses(mass / hbar**2, units, squares=squares)
    _check_quanta(quanta, point.energy)
    prefactor = np.pi * point.degeneracy * hbar / (2 * mass * quanta)
    operators = operators_by_energy(
        by_energy, None, moved=None if moved is None else moved_factors(moved)
    )
    n_leads = len(model.scattering.leads)
    # Unknown are those that come after an energy that fails.
    emission, absorption = (np.full((len(pairs), 2, n_leads, n_leads), np.nan) for _ in range(2))
    at_energy, exchanges = numerics.of_one_energy, []
    for quantum in np.unique(quanta):
        some = quanta == quantum
        kernel = EmissionKernel(
            model.scattering, at_energy, operators, pairs[some], float(quantum), point.energy
        )
        exchange = exchanged(kernel, point, numerics)
        emission[some], absorption[some] = exchange.emitted, exchange.absorbed
        exchanges.append(exchange)
        if exchange.integral.failed is not None:
            break
    failed = exchanges[-1].integral.failed
    rates = prefactor[:, None, None, None]
    result = PhononRates(
        lead_emission=rates * emission,
        lead_absorption=rates * absorption,
        error=max(exchange.integral.error for exchange in exchanges),
        partial=any(exchange.partial for exchange in exchanges),
        units=units,
        warnings=noted(notices + _notices(exchanges, rtol), failed),
    )
    return finished(result, failed)


def _check_quanta(quanta: NDArray[np.float64], energy: float) -> None:
    """Raise for quanta that are lost in the rounding of the Fermi level."""
    lost = quanta[energy + quanta == energy]
    if lost.size:
        raise ValueError(
            f"hbar times the frequency is {lost[0]:.3g}, which is lost in the rounding of the "
            f"energy {energy}; expected a quantum that is larger, or an energy of zero."
        )


def _notices(exchanges: Sequence[Exchanged], rtol: float) -> tuple[str, ...]:
    """Return what to say of the integrals of all frequencies: of the worst, and of bound states."""
    integrals = [exchange.integral for exchange in exchanges]
    worst = max(integrals, key=lambda integral: (integral.failed is not None, integral.error))
    # Of the same states each frequency's window would speak in other words.
    bound = next((exchange.notices for exchange in exchanges if exchange.notices), ())
    return bound + window_notices(worst, rtol, any(exchange.partial for exchange in exchanges))
