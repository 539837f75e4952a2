"""Directional phonons by the golden rule: finite frequency, temperature and bias."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike, NDArray

from kwant_curl.coordinates import Coordinates
from kwant_curl.electrons.exchanges import (
    coupling,
    exchange_notices,
    exchanges,
    sampled_by_lead,
)
from kwant_curl.electrons.kernels.emission import PairTraces
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.numerics import MAX_ENERGIES, MAX_MEMORY, RTOL, Numerics, Route
from kwant_curl.electrons.operation import operating_point
from kwant_curl.electrons.unfinished import finished, noted
from kwant_curl.model.charges import Charge
from kwant_curl.model.model import Model, scattering_model
from kwant_curl.results import PhononRates
from kwant_curl.results.exchange_spectrum import kept_exchanges
from kwant_curl.results.modes import ChosenPairs, ModeSet, Moved, chosen_pairs
from kwant_curl.results.phonon_rates import rates_by_pair
from kwant_curl.support.checks import positive_array, positive_number
from kwant_curl.support.magnitudes import check_frequencies, check_masses
from kwant_curl.support.parallel import Executor
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.units import Units

__all__ = ["phonon_rates"]

FloatArray = NDArray[np.float64]


@recorded
@with_shared_keywords
def phonon_rates(
    syst: FiniteSystem | Model,
    coordinates: Coordinates,
    modes: ArrayLike | ModeSet,
    energy: float,
    *,
    frequency: ArrayLike | None = None,
    mass: ArrayLike = 1.0,
    pairs: ArrayLike | None = None,
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
    modes : VibrationalModes, or array of float, shape (2, n_c) or (n_pairs, 2, n_c)
        Modes of which pairs are made, or the patterns of X and Y.  The (+) mode goes from X to Y.
    <energy>
    frequency : float or array (n_pairs,)
        Angular frequency omega; hbar omega is an energy.  Of `VibrationalModes` not to be given:
        sqrt(omega_k omega_m), and an integral of its own for each that is different.
    mass : float or array (n_pairs,)
        Mass M of the coordinates X and Y.
    pairs : array of int, shape (n_pairs, 2), optional
        Which of the `VibrationalModes` are X and Y.  Default: all pairs k < m.
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
        In units of 1/time, one entry per pair of modes.  It keeps the samples of its integrals:
        `PhononRates.at_bias` and `PhononRates.at_temperature` give rates elsewhere within the
        window, without a solve.

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
    emission - absorption is the growth of `ForceResponse.pumping_rates` exactly.  As there the
    current's own springs are left out (`PumpingRates.springs`), and pairs are taken as degenerate:
    whether a pair turns at all is for `critical_bias` to say.

    Examples
    --------
    >>> phonon_rates(syst, moving, modes, energy, bias=0.05, temperature=0.01)
    <PhononRates of 1 pairs of modes, of which 0 grow>
    """
    model = scattering_model(syst, params, charge, energy_parameter, energy)
    point = operating_point(model, energy, bias, degeneracy, temperature, False, units)
    limits: dict[str, Any] = {"max_energies": max_energies, "exclude": exclude}
    numerics = Numerics(rtol, route, max_memory, None, executor, progress, **limits)
    coupled = coupling(coordinates, model, point.energy, "a rate at a finite frequency")
    forces = coupled.forces
    moved_ones = Moved(len(forces), forces.positions, forces.sites, units, point.temperature)
    chosen = chosen_pairs(modes, pairs, frequency, mass, moved_ones)
    patterns = chosen.patterns
    units_of_atoms = None if forces.positions is None else units
    quanta, mass = _quanta_and_masses(chosen, hbar, units_of_atoms)
    prefactor = np.pi * point.degeneracy * hbar / (2 * mass * quanta)
    which = [quanta == quantum for quantum in np.unique(quanta)]
    wanted = [(quanta[some][0], PairTraces(patterns[some])) for some in which]
    found = list(exchanges(coupled, wanted, model, point, numerics))
    failed = found[-1].integral.failed
    rates = prefactor[:, None, None, None]
    factors = [prefactor[some, None] for some in which]
    sampled = sampled_by_lead(found, model)
    result = PhononRates(
        energy=point.energy,
        bias=point.bias,
        degeneracy=point.degeneracy,
        temperature=point.temperature,
        pinned=point.pinned,
        lead_emission=rates * rates_by_pair(quanta, [each.emitted for each in found]),
        lead_absorption=rates * rates_by_pair(quanta, [each.absorbed for each in found]),
        error=max(exchange.integral.error for exchange in found),
        partial=any(exchange.partial for exchange in found),
        units=units,
        warnings=noted(coupled.notices + exchange_notices(found, rtol), failed),
        pairs=chosen.numbers,
        spectrum=kept_exchanges(sampled, quanta, factors, rtol),
    )
    return finished(result, failed)


def _quanta_and_masses(
    chosen: ChosenPairs, hbar: float, units: Units | None
) -> tuple[FloatArray, FloatArray]:
    """Return hbar omega and the masses of the pairs; of `VibrationalModes` hbar is 1."""
    n, unit = len(chosen.patterns), positive_number("hbar", hbar)
    frequency = positive_array("frequency", chosen.frequency, n)
    mass = positive_array("mass", chosen.mass, n)
    if chosen.numbers is not None:  # these have been checked
        return frequency, unit**2 * mass
    squares = np.max(np.sum(chosen.patterns**2, axis=2), axis=1)
    check_frequencies(unit * frequency, units)
    check_masses(mass / unit**2, units, squares=squares)
    return unit * frequency, mass
