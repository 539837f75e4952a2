"""Directional phonons by the golden rule: finite frequency, temperature and bias."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from kwant_curl import kernels
from kwant_curl.averages import RTOL, check_integration, kept_solver, warn_of_integral
from kwant_curl.bands import band_edges
from kwant_curl.checks import positive_array, positive_number
from kwant_curl.integration import Sample, integrate
from kwant_curl.occupations import fermi, window
from kwant_curl.operators import Coordinates, check_coordinates
from kwant_curl.parallel import mapped
from kwant_curl.phonons import PhononRates, mode_pairs
from kwant_curl.stack import Factors
from kwant_curl.states import MAX_MEMORY, OperatingPoint, energy_shell, operating_point
from kwant_curl.units import Units, check_units

__all__ = ["phonon_rates"]

FloatArray = NDArray[np.float64]


def phonon_rates(
    syst: Any,
    coordinates: Coordinates,
    modes: ArrayLike,
    energy: float,
    *,
    frequency: ArrayLike,
    mass: ArrayLike = 1.0,
    hbar: float = 1.0,
    bias: float | Mapping[int, float] = 1.0,
    degeneracy: float = 1,
    temperature: float = 0.0,
    rtol: float = RTOL,
    params: Mapping[str, Any] | None = None,
    route: str = "auto",
    max_memory: float = MAX_MEMORY,
    executor: Any = None,
    progress: bool = False,
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
    syst : kwant.system.FiniteSystem
        Finalized system with any number of leads, known by their modes or by their self-energy.
    coordinates : Displacements, Parameters or Matrices
        What moves, and how the Hamiltonian follows.
    modes : array of float, shape (2, n_c) or (n_pairs, 2, n_c)
        The patterns of X and Y.  The (+) mode goes from X to Y.
    energy : float
        The equilibrium Fermi level mu.
    frequency : float or array (n_pairs,)
        Angular frequency omega; hbar omega is an energy.
    mass : float or array (n_pairs,)
        Mass M of the coordinates X and Y.
    hbar : float, default 1.0
        In units of energy times time.
    bias : float or mapping, default 1.0
        A number V (an energy): lead 0 at +V/2, lead 1 at -V/2, two leads only.  Or
        ``{lead: dmu}``; leads that are not in it stay at mu.
    degeneracy : float, default 1
        Degeneracy g of every level.
    temperature : float, default 0.0
        kT of the electrons, an energy.
    rtol : float, default 1e-6
        Error to be reached by the integration over energy, relative to the largest element.
    params : mapping, optional
        Parameters of the system's value functions.
    route, max_memory, executor, progress, units
        As those of `force_response`.

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
        If the integral does not reach `rtol`; if at some energies no lead has an open mode.

    Notes
    -----
    Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 28 and 29, before the bias and the
    frequency are taken to be small.  Where D does not depend on energy over the window,
    emission - absorption is the growth of `ForceResponse.pumping_rates` exactly.
    """
    point = operating_point(syst, energy, bias, degeneracy, temperature, False)
    rtol = check_integration(rtol, executor)
    check_coordinates(coordinates)
    derivatives = coordinates.hamiltonian_derivatives(syst, params=params)
    pairs = mode_pairs(modes, len(derivatives))
    quanta = positive_number("hbar", hbar) * positive_array("frequency", frequency, len(pairs))
    prefactor = (
        np.pi * point.degeneracy * positive_number("hbar", hbar)
        / (2 * positive_array("mass", mass, len(pairs)) * quanta)
    )  # fmt: skip
    orbitals = derivatives.orbitals
    factors = derivatives.on_orbitals(orbitals).factors()
    results = []
    for quantum in np.unique(quanta):
        some = quanta == quantum
        traces = partial(
            _traces,
            quantum=float(quantum),
            syst=syst,
            factors=factors,
            pairs=pairs[some],
            params=params,
            orbitals=orbitals,
            route=route,
            max_memory=max_memory,
        )
        rates = _integrated(traces, syst, point, float(quantum), params, rtol, executor, progress)
        results.append((some, *rates))
    shape = (len(pairs), 2, len(syst.leads), len(syst.leads))
    emission, absorption = np.zeros(shape), np.zeros(shape)
    for some, emitted, absorbed, _, _ in results:
        emission[some] = prefactor[some, None, None, None] * emitted
        absorption[some] = prefactor[some, None, None, None] * absorbed
    return PhononRates(
        lead_emission=emission,
        lead_absorption=absorption,
        error=max(error for *_, error, _ in results),
        partial=any(closed for *_, closed in results),
        units=check_units(units),
    )


def _traces(
    energy: float,
    *,
    quantum: float,
    syst: Any,
    factors: Factors,
    pairs: FloatArray,
    solver: Any,
    **options: Any,
) -> tuple[FloatArray, bool]:
    """Return Tr[F_pm D_beta(E) F_pm^+ D_alpha(E + quantum)], (n_pairs, 2, n_leads, n_leads).

    The last two axes are alpha, from where an electron comes when it emits, and beta.  And
    whether modes are open at both energies.
    """
    upper, lower = (
        energy_shell(syst, e, solver=solver, **options).states_by_lead()
        for e in (energy + quantum, energy)
    )
    result = np.zeros((len(pairs), 2, len(upper), len(lower)))
    for alpha, initial in enumerate(upper):
        for beta, final in enumerate(lower):
            for some in kernels.chunks(len(final), len(factors.start) * len(initial)):
                elements = kernels.all_matrix_elements(factors, final[some], initial)
                x, y = np.tensordot(pairs, elements, axes=(2, 0)).swapaxes(0, 1)
                for sign, part in ((1, 0), (-1, 1)):
                    # <final| F_pm^+ |initial>, F_pm = F_X +- i F_Y
                    squares = np.abs(x - sign * 1j * y) ** 2
                    result[:, part, alpha, beta] += squares.sum(axis=(1, 2))
    return result / (4 * np.pi**2), bool(sum(map(len, upper)) and sum(map(len, lower)))


def _integrated(
    traces: Any,
    syst: Any,
    point: OperatingPoint,
    quantum: float,
    params: Mapping[str, Any] | None,
    rtol: float,
    executor: Any,
    progress: bool,
) -> tuple[FloatArray, FloatArray, float, bool]:
    """Return the integrals for emission and absorption, their error, and whether they are partial.

    Over the lower energy E.
    """
    levels = point.energy + point.bias
    limits = window(np.concatenate([levels, levels - quantum]), point.temperature)
    edges = band_edges(syst, limits[0], limits[-1] + quantum, params)
    inner = np.concatenate([edges, edges - quantum])
    inside = (inner > limits[0]) & (inner < limits[-1])
    points = np.union1d(limits, inner[inside])
    at_energy = partial(traces, solver=kept_solver(None, executor))
    closed = [False]
    with tqdm(disable=not progress, unit=" energies") as bar:

        def weighted(energies: Sequence[float]) -> Iterator[Sample]:
            for e, (trace, is_open) in zip(
                energies, mapped(at_energy, energies, executor, bar), strict=True
            ):
                above = fermi(e + quantum, levels, point.temperature)[:, None]
                below = fermi(e, levels, point.temperature)
                emitted, absorbed = above * (1 - below), below * (1 - above)
                counts = max(emitted.max(), absorbed.max()) > rtol
                closed[0] = closed[0] or (counts and not is_open)
                yield (emitted * trace, absorbed * trace), (0.0, 0.0)  # nothing cancels

        integral = integrate(weighted, points, rtol)
    warn_of_integral(integral.error, rtol, closed[0], stacklevel=4)
    emitted, absorbed = integral.parts
    return emitted, absorbed, integral.error, closed[0]
