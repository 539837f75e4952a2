"""The noise of the electrons' force at finite frequency, temperature and bias."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from kwant.system import FiniteSystem
from numpy.typing import ArrayLike

from kwant_curl.coordinates import Coordinates
from kwant_curl.electrons.exchanges import (
    coupling,
    exchange_notices,
    exchanges,
    sampled_by_lead,
)
from kwant_curl.electrons.kernels.emission import AllTraces
from kwant_curl.electrons.keywords import with_shared_keywords
from kwant_curl.electrons.numerics import MAX_ENERGIES, MAX_MEMORY, RTOL, Numerics, Route
from kwant_curl.electrons.operation import operating_point
from kwant_curl.electrons.unfinished import finished, noted
from kwant_curl.model.charges import Charge
from kwant_curl.model.model import Model, scattering_model
from kwant_curl.results import NoiseSpectrum
from kwant_curl.results.exchange_spectrum import kept_exchanges
from kwant_curl.results.mode_pairs import mode_patterns
from kwant_curl.results.noise_spectrum import noise_matrices
from kwant_curl.support.checks import ascending_array
from kwant_curl.support.magnitudes import check_frequencies
from kwant_curl.support.parallel import Executor
from kwant_curl.support.progress import Progress
from kwant_curl.support.recorded import recorded
from kwant_curl.support.units import Units

__all__ = ["noise_spectrum"]


@recorded
@with_shared_keywords
def noise_spectrum(
    syst: FiniteSystem | Model,
    coordinates: Coordinates,
    energy: float,
    frequencies: ArrayLike,
    *,
    modes: ArrayLike | None = None,
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
) -> NoiseSpectrum:
    """Return the spectrum of the noise of the electrons' force, in equilibrium or at a bias.

    At each frequency the matrices of emission,
    2 pi g sum_{alpha beta} int dE f_alpha(E + omega) (1 - f_beta(E))
    Tr[F_I D_beta(E) F_J D_alpha(E + omega)], and of absorption, the reverse: to second order in
    the coupling, and to all orders in the bias.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem or Model
        Finalized system with any number of leads, known by their modes or by their self-energy.
    coordinates : Displacements, Parameters or Matrices
        What moves, and how the Hamiltonian follows.
    <energy>
    frequencies : float or array of float, shape (n_frequencies,)
        omega, an energy (hbar = 1), positive and ascending: an integral over energy each.
    modes : array of float, shape (n_modes, n_c), optional
        The patterns whose coordinates are wanted, such as `VibrationalModes.patterns`; default
        all coordinates, of which the result holds the square per frequency and pair of leads, and
        once more for each energy of the integrals.
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
    NoiseSpectrum
        Emission and absorption by pair of leads, and from them symmetrised noise and damping.  It
        keeps the samples of its integrals, for other biases and temperatures within the window.

    Raises
    ------
    ValueError, TypeError
        As `phonon_rates`; for frequencies that are not positive and ascending.

    Warns
    -----
    RuntimeWarning
        As `phonon_rates`.

    Notes
    -----
    The rates of `phonon_rates` are of the same traces: for a pair of modes with mass M the
    emission of (+) is sum_IJ u_I u_J^* emission_IJ/(4 M omega) with u = X + iY.

    Examples
    --------
    >>> spectrum = noise_spectrum(syst, moving, energy, [0.005, 0.01], bias=0.05, temperature=0.01)
    >>> np.allclose(spectrum.damping, spectrum.damping.conj().swapaxes(1, 2))
    True
    """
    model = scattering_model(syst, params, charge, energy_parameter, energy)
    point = operating_point(model, energy, bias, degeneracy, temperature, False, units)
    limits: dict[str, Any] = {"max_energies": max_energies, "exclude": exclude}
    numerics = Numerics(rtol, route, max_memory, None, executor, progress, **limits)
    omega = ascending_array("frequencies", frequencies)
    coupled = coupling(coordinates, model, point.energy, "a noise at a finite frequency")
    n_c = len(coupled.forces)
    patterns = None
    if modes is not None:
        patterns = mode_patterns(modes, n_c, ndim=2, shape="(n_modes, n_c)")
    if coupled.forces.positions is not None:
        check_frequencies(omega[0], units, name="frequencies")
    traces = AllTraces(np.eye(n_c) if patterns is None else patterns)
    found = list(exchanges(coupled, [(w, traces) for w in omega], model, point, numerics))
    prefactor, failed = 2 * np.pi * point.degeneracy, found[-1].integral.failed
    asked, factors = omega[: len(found)], [prefactor] * len(found)
    matrices: dict[str, Any] = noise_matrices(
        [prefactor * each.emitted for each in found],
        [prefactor * each.absorbed for each in found],
    )
    result = NoiseSpectrum(
        energy=point.energy,
        bias=point.bias,
        degeneracy=point.degeneracy,
        frequencies=asked,
        **matrices,
        temperature=point.temperature,
        pinned=point.pinned,
        patterns=patterns,
        positions=coupled.forces.positions,
        sites=coupled.forces.sites,
        error=max(each.integral.error for each in found),
        partial=any(each.partial for each in found),
        units=units,
        warnings=noted(coupled.notices + exchange_notices(found, rtol), failed),
        spectrum=kept_exchanges(sampled_by_lead(found, model), asked, factors, rtol),
    )
    return finished(result, failed)
