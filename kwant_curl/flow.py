"""The gas-flow picture: where a flow can exert a nonconservative force at all."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl import kernels
from kwant_curl.averages import RTOL, Shares, averaged
from kwant_curl.checks import positive_number
from kwant_curl.currents import Momentum, cell_volumes, site_currents, site_momenta
from kwant_curl.fields import FlowMap
from kwant_curl.stack import OperatorStack
from kwant_curl.states import MAX_MEMORY, EnergyShell, energy_shell, operating_point
from kwant_curl.system import check_sites, site_positions, site_spacing
from kwant_curl.units import Units, check_units

__all__ = ["born_cross_section", "flow_map"]


def flow_map(
    syst: Any,
    energy: float,
    *,
    momentum: Momentum | None = None,
    bias: float | Mapping[int, float] = 1.0,
    degeneracy: float = 1,
    cell_volume: ArrayLike | None = None,
    temperature: float = 0.0,
    linear: bool = True,
    rtol: float = RTOL,
    params: Mapping[str, Any] | None = None,
    max_memory: float = MAX_MEMORY,
    solver: Any = None,
    executor: Any = None,
    progress: bool = False,
    units: Units | None = None,
) -> FlowMap:
    """Return the local density of states, the particle current and the momentum current per site.

    D(r) j(r) is the curl-generating capacity of the flow: its curl, times 2 pi C^2 m/hbar, is the
    curl of the force on a weak test particle of strength C, before any atom is named.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized Builder in two or three dimensions (one will do, but has no curl), with leads
        that are known by their modes or by their self-energy.
    energy : float
        The equilibrium Fermi level mu.
    momentum : float, array (n_sites,) or callable, optional
        Local Fermi momentum p(r), a number, one per site, or ``momentum(site, **params)``: the
        momentum current is then p(r) j(r), the semiclassical form, instead of D(r) j(r).
    bias : float or mapping, default 1.0
        A number V (an energy): lead 0 at +V/2, lead 1 at -V/2, two leads only, so that positive
        V drives electrons from lead 0 to lead 1.  Or ``{lead: dmu}``.
    degeneracy : float, default 1
        Degeneracy g of every level: 2 if a spinless Hamiltonian stands for both spins.
    cell_volume : float or array (n_sites,), optional
        Volume (area in 2D) that belongs to each site.  Default: from the primitive vectors of
        the lattice, divided among the sites of its unit cell.  Of sites that share a position
        (two spins as two lattices, say) each has the whole volume.
    temperature : float, default 0.0
        kT, an energy; below 1e-8 of the chemical potentials, which can't resolve it, zero.
    linear : bool, default True
        Linear response to the bias (averaged thermally), or, if False, the whole bias window:
        each lead's Fermi function minus that at mu, integrated over energy.
    rtol : float, default 1e-6
        Error to be reached by the adaptive integration over energy, where there is one, relative
        to the largest element of each quantity; see the result's `error`.
    params : mapping, optional
        Parameters of the system's value functions.
    max_memory : float, default 512 MiB
        Bytes for the states that are being solved for, in blocks of one to 64, beside the
        factorisation and the result.
    solver : optional
        What `direct_solver` returns, to keep the symbolic analysis in a loop over energies or
        parameters.
    executor : optional
        Anything with the `map` of `concurrent.futures.Executor`, for the energies of an integral;
        the system must then be picklable.  Workers keep no analysis, so `solver` goes without.
    progress : bool, default False
        Show a progress bar: energies evaluated.
    units : Units, optional
        The units of the Hamiltonian and of the positions, for labels.

    Returns
    -------
    FlowMap
        One entry per site, in the order of the system.

    Raises
    ------
    ValueError, TypeError
        As `curl_map`; and if the volume of a site can't be told and is not given.

    Warns
    -----
    RuntimeWarning
        If no lead has an open mode at this energy, so that all results are zero, or at some
        energies of the window; if a mode stands still, at a band edge; if the integral does not
        reach `rtol`.

    Notes
    -----
    Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 7 and 9 to 11.  That D j
    is the whole capacity needs time-reversal symmetry; `FlowMap.magnetic_correction` has the rest.
    """
    point = operating_point(syst, energy, bias, degeneracy, temperature, linear)
    check_sites(syst)
    volumes = cell_volumes(syst, cell_volume)
    p = None if momentum is None else site_momenta(syst, momentum, params)
    sites = np.arange(len(volumes))
    currents = site_currents(syst, 1 / volumes, sites, params)
    shares = partial(_shares, syst=syst, currents=currents, params=params, max_memory=max_memory)
    average = averaged(
        shares,
        syst,
        point,
        params=params,
        rtol=rtol,
        executor=executor,
        progress=progress,
        solver=solver,
    )
    density, current, capacity, correction = average.by_lead
    return FlowMap(
        positions=site_positions(syst),
        cell_volumes=volumes,
        spacing=site_spacing(syst),
        **point._asdict(),
        units=check_units(units),
        lead_dos=average.total[0] / volumes,
        lead_current=current,
        lead_capacity=capacity / volumes[:, None],
        lead_correction=correction / volumes[:, None],
        lead_density=density / volumes,
        momentum=p,
        error=average.error,
        partial=average.partial,
    )


def _shares(energy: float, *, syst: Any, currents: OperatorStack, **options: Any) -> Shares:
    """Return the traces on the sites at one energy."""
    shell = energy_shell(syst, energy, **options)
    traces = _onsite_traces(currents, shell)
    dos, current, capacity, _ = (float(np.abs(trace).max(initial=0.0)) for trace in traces)
    sizes = (dos, current, capacity, capacity, dos)
    return Shares(traces, traces[:1], sizes, sum(shell.n_modes), shell.slow_lead)


def _onsite_traces(currents: OperatorStack, shell: EnergyShell) -> tuple[Any, Any, Any, Any]:
    """Return Tr D_alpha, Tr J_alpha, Tr[D J_alpha] and -Tr[D_alpha J] on each site.

    (n_leads, n_sites) and three times (n_leads, n_sites, dim).  On a site, with orbitals a, J_k is
    the Hermitian matrix 2 Re of <a| B_k D |b>, the rows B_k being half of the current operator.
    """
    n_leads, n_sites, dim = len(shell.n_modes), len(currents.start) - 1, currents.dim
    dos = np.zeros((n_leads, n_sites))
    current, capacity, correction = (np.zeros((n_leads, n_sites, dim)) for _ in range(3))
    parts = currents.groups_by_rows()
    for sites, densities in kernels.star_densities(currents, parts, shell):
        n_orbitals = densities.shape[-1] // (1 + dim)
        shape = (n_leads, len(sites), 1 + dim, n_orbitals, 1 + dim, n_orbitals)
        blocks = densities.reshape(shape)
        density = blocks[:, :, 0, :, 0]
        half = blocks[:, :, 1:, :, 0]  # <row a of B_k| D_alpha |b>
        total, total_half = density.sum(axis=0), half.sum(axis=0)
        dos[:, sites] = np.einsum("lnaa->ln", density).real
        current[:, sites] = 2 * np.einsum("lnkaa->lnk", half).real
        capacity[:, sites] = 2 * np.einsum("nba,lnkab->lnk", total, half).real
        correction[:, sites] = -2 * np.einsum("lnba,nkab->lnk", density, total_half).real
    return dos, current, capacity, correction


def born_cross_section(
    strength: ArrayLike, local_dos: ArrayLike, momentum: ArrayLike, *, mass: float
) -> NDArray[np.float64] | float:
    """Return the Born cross section of a test particle, sigma = 2 pi m C^2 D / (hbar p), hbar = 1.

    Parameters
    ----------
    strength : float or array
        C, the integral of the particle's potential: energy times length^dim.
    local_dos : float or array
        D(r), the local density of states per level, without the degeneracy (that of a `FlowMap`
        holds it): 1/(energy length^dim).
    momentum : float or array
        p(r), the local Fermi momentum, positive.
    mass : float
        The electrons' (effective) mass, hbar^2/(energy length^2).

    Returns
    -------
    float or array
        sigma, an area in 3D, a length in 2D.  The force of a flow on the particle is sigma p j.
        It is also the transport cross section, since a point scatters into all directions alike.

    Notes
    -----
    Equation 8 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).  In 3D D is proportional
    to p, and sigma is constant: m^2 C^2 / (pi hbar^4).
    """
    m = positive_number("mass", mass)
    p = np.asarray(momentum, dtype=float)
    if not np.all(p > 0):
        raise ValueError("momentum has values that are not positive; expected p > 0.")
    dos = np.asarray(local_dos, dtype=float)
    if not np.all(dos >= 0):
        raise ValueError("local_dos has values that are negative or not numbers; expected D >= 0.")
    return 2 * np.pi * m * np.asarray(strength, float) ** 2 * dos / p
