"""A vector potential of the user's own: the field that it has, and the phases that go with it."""

import numpy as np
from numpy.typing import NDArray

from kwant_curl.algebra.differentiate import differentiate
from kwant_curl.algebra.stack import Entries, SecondDerivatives, ranges
from kwant_curl.coordinates.carried import OwnPotential
from kwant_curl.coordinates.displaced import displaced
from kwant_curl.coordinates.gauge import BondPhases, bond_phases
from kwant_curl.coordinates.where import MovingSites

__all__ = ["field_strengths", "other_phases_noticed"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

AGREE = 1e-3
"""How far a hopping's phase may go another way than along the vector potential, relative to that.

Phases of the midpoint's vector potential are close enough in a field that varies slowly."""

STEP = 1e-3
"""Step of differences, in units of the bond length, of line integrals that are smooth."""


def field_strengths(moving: MovingSites, potential: OwnPotential) -> SecondDerivatives:
    """Return the operators d_I N_J - d_J N_I of pairs of directions of a site, N_J = A_J n.

    In elements as those of second derivatives; antisymmetric in I and J.
    """
    model, dim = moving.model, moving.dim
    slopes = _slopes(moving, potential)
    strength = slopes - slopes.swapaxes(1, 2)  # (site, I, J): d_I A_J - d_J A_I
    norbs = np.diff(model.offsets)[moving.sites]
    orbitals = ranges(model.offsets[moving.sites], norbs)
    site = np.repeat(np.arange(len(norbs)), norbs)
    which, first, second = np.nonzero(strength[site])
    return SecondDerivatives(
        dim * site[which] + first,
        dim * site[which] + second,
        orbitals[which],
        orbitals[which],
        0.5 * strength[site[which], first, second],
    )


def _slopes(moving: MovingSites, potential: OwnPotential) -> FloatArray:
    """Return d_I A_J at each site that moves, (n_sites, dim, dim)."""
    syst, shape = moving.model.syst, (len(moving.sites), moving.dim)
    columns = []
    for direction in np.eye(moving.dim):

        def values(x: float, direction: FloatArray = direction) -> NDArray[np.complex128]:
            sites = [displaced(syst.sites[site], x * direction) for site in moving.sites]
            return potential(sites).ravel().astype(complex)

        slope, converged = differentiate(values, 0.0, (moving.scale,))
        if not converged.all():
            culprit = syst.sites[moving.sites[np.flatnonzero(~converged)[0] // moving.dim]]
            raise ValueError(
                f"Finite differences of vector_potential at {culprit} don't converge. Is it a "
                "smooth function of site.pos there?"
            )
        columns.append(slope.real.reshape(shape))
    return np.stack(columns, axis=1)


def other_phases_noticed(
    moving: MovingSites, potential: OwnPotential, halves: Entries
) -> tuple[str, ...]:
    """Say if hoppings don't change as their phase int A dl does, but with the other sign, say.

    halves: dH/dr in rows of the sites that move, the phases of moved orbitals taken off: what is
    left of a hopping's phase is the slope of int_b^a A dl with r_a, less A(r_a).
    """
    found = bond_phases(moving.model, halves)
    which, direction = np.divmod(found.coordinate, moving.dim)
    at_sites = potential([moving.model.syst.sites[site] for site in moving.sites])
    along = at_sites[which, direction]
    expected = _line_slopes(moving, potential, found) - along
    size = max(np.abs(at_sites).max(), np.abs(expected).max(initial=0.0))
    deviation = np.abs(found.twist - found.weight * expected)
    wrong = deviation > AGREE * found.weight * size
    if not size or not wrong.any():
        return ()
    k = int(np.argmax(np.where(wrong, deviation, 0)))
    a, b = (moving.model.syst.sites[site] for site in (found.here[k], found.there[k]))
    slope = found.twist[k] / found.weight[k] + along[k]
    return (
        f"vector_potential and the phases of hoppings don't belong together. As {a} moves in "
        f"direction {direction[k]}, the phase of its hopping with {b} changes by {slope:.4g} "
        f"per length; expected {expected[k] + along[k]:.4g}, that of "
        "exp(i int A dl) in the hopping H_ab, from b to a along a straight line. Check sign "
        "and unit, and that value functions take the phase at site.pos, not by the site (as "
        "kwant.physics.magnetic_gauge does: such phases stay, and no vector_potential is "
        "needed).",
    )


def _line_slopes(moving: MovingSites, potential: OwnPotential, bonds: BondPhases) -> FloatArray:
    """Return d/dr_a int_b^a A dl for each bond and coordinate of a, its site `here`."""
    syst, positions = moving.model.syst, moving.model.positions
    a = positions[bonds.here]
    b = positions[bonds.there] + moving.images(np.stack([bonds.here, bonds.there], axis=1))
    direction = np.eye(moving.dim)[bonds.coordinate % moving.dim]
    step = STEP * np.linalg.norm(a - b, axis=1)[:, None] * direction
    nodes, weights = np.polynomial.legendre.leggauss(4)
    ends = []
    for end in (a + step, a - step):
        integral = np.zeros(len(a))
        for node, weight in zip(0.5 * (1 + nodes), 0.5 * weights, strict=True):
            shifts = b + node * (end - b) - a
            moved = [displaced(syst.sites[i], s) for i, s in zip(bonds.here, shifts, strict=True)]
            integral += weight * (potential(moved) * (end - b)).sum(axis=1)
        ends.append(integral)
    return np.asarray((ends[0] - ends[1]) / (2 * np.linalg.norm(step, axis=1)))
