"""The gas-flow picture: where a flow can exert a nonconservative force at all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kwant_curl import kernels
from kwant_curl.checks import positive_number
from kwant_curl.currents import (
    Momentum,
    OnsitePairs,
    bond_vectors,
    cell_volumes,
    onsite_pairs,
    site_momenta,
)
from kwant_curl.fields import FlowMap
from kwant_curl.states import operating_point, scattering_states
from kwant_curl.system import (
    check_sites,
    site_positions,
    site_spacing,
)

__all__ = ["born_cross_section", "flow_map"]


def flow_map(
    syst: Any,
    energy: float,
    *,
    momentum: Momentum | None = None,
    bias: float | Mapping[int, float] = 1.0,
    degeneracy: float = 1,
    cell_volume: ArrayLike | None = None,
    params: Mapping[str, Any] | None = None,
) -> FlowMap:
    """Return the local density of states, the particle current and the momentum current per site.

    D(r) j(r) is the curl-generating capacity of the flow: its curl, times 2 pi C^2 m/hbar, is the
    curl of the force on a weak test particle of strength C, before any atom is named.

    Parameters
    ----------
    syst : kwant.system.FiniteSystem
        Finalized Builder in two or three dimensions (one will do, but has no curl), with leads
        that are known by their modes.
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
    params : mapping, optional
        Parameters of the system's value functions.

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
        If no lead has an open mode at this energy; all results are then zero.

    Notes
    -----
    Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011), Eq. 7 and 11.  That D j is the whole
    capacity needs time-reversal symmetry; `FlowMap.magnetic_correction` has the rest.
    """
    point = operating_point(syst, energy, bias, degeneracy)
    check_sites(syst)
    volumes = cell_volumes(syst, cell_volume)
    p = None if momentum is None else site_momenta(syst, momentum, params)
    pairs = onsite_pairs(syst)
    densities, flows = _onsite_matrices(syst, point.energy, pairs, volumes, params)
    diagonal = pairs.p == pairs.q

    def trace(a: Any, b: Any) -> Any:
        """Return -2 Im Tr[a b] on each site of matrices (..., n_pairs)."""
        return -2 * np.add.reduceat((a[..., pairs.transposed] * b).imag, pairs.start, axis=-1)

    total, total_flow = densities.sum(axis=0), flows.sum(axis=0)
    dos = np.add.reduceat(np.where(diagonal, densities.real, 0), pairs.start, axis=-1)
    return FlowMap(
        positions=site_positions(syst),
        cell_volumes=volumes,
        spacing=site_spacing(syst),
        **point._asdict(),
        lead_dos=dos,
        lead_current=np.moveaxis(trace(diagonal, flows), 1, -1),
        lead_capacity=np.moveaxis(trace(total, flows), 1, -1),
        lead_correction=-np.moveaxis(trace(densities[:, None], total_flow), 1, -1),
        momentum=p,
    )


def _onsite_matrices(
    syst: Any,
    energy: float,
    pairs: OnsitePairs,
    volumes: NDArray[np.float64],
    params: Mapping[str, Any] | None,
) -> tuple[Any, Any]:
    """Return D_alpha and the matrices X_alpha whose -2 Im Tr is the current, on pairs of orbitals.

    D_alpha: (n_leads, n_pairs), X_alpha: (n_leads, dim, n_pairs), both per volume.
    """
    bonds = bond_vectors(syst, volumes, params)
    volume_of_pair = np.repeat(volumes, np.diff([*pairs.start, len(pairs.p)]))
    densities, flows = [], []
    for states in scattering_states(syst, energy, params=params):
        psi = np.ascontiguousarray(states.T)
        densities.append(kernels.onsite_sums(psi, psi, pairs.p, pairs.q) / volume_of_pair)
        flows.append([kernels.onsite_sums(bond @ psi, psi, pairs.p, pairs.q) for bond in bonds])
    return np.array(densities), np.array(flows)


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
    Equation 9 of Todorov et al., Beilstein J. Nanotechnol. 2, 727 (2011).  In 3D D is proportional
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
