"""Trends of long and of thick gold wires: the model of the gallery, where no number is printed."""

from itertools import pairwise

import kwant
import numpy as np

import kwant_curl as kc
from kwant_curl import devices
from kwant_curl.devices.gold import BOND, CHAIN_ENERGY, EXPONENT, FCC, FILLING, HOPPING

TWICE_K_F = 2 * np.pi * FILLING
"""Per bond."""
SPRING = 3.0
"""Between neighbours of a chain, in eV per Angstrom squared."""


def driven_wave_numbers(n_atoms=60):
    """Return the wave numbers over pi, per bond, of the modes of a chain in the order of driving.

    Each pair of modes is driven; the two of the pair that is driven most come first.
    """
    gold = devices.gold_chain(n_atoms)
    response = kc.force_response(gold.syst, gold.coordinates, gold.energy, bias=0.01)
    springs = SPRING * (2 * np.eye(n_atoms) - np.eye(n_atoms, k=1) - np.eye(n_atoms, k=-1))
    modes = kc.VibrationalModes.from_force_constants(springs, gold.mass, units=gold.units)
    pairs = kc.pumped_pairs(response, modes, max_detuning=0.002)
    return (pairs.pairs + 1) / (n_atoms + 1)


def reach(bias, n_atoms=40):
    """Return distances in bonds, and the curl of the window over that of linear response there.

    Without distances at which the latter, proportional to sin(2 k_F d), is small.
    """
    gold = devices.gold_chain(n_atoms)
    asked = gold.syst, gold.coordinates, gold.energy
    linear = kc.force_response(*asked, bias=bias)
    window = kc.force_response(*asked, bias=bias, linear=False, rtol=1e-3)
    distances = np.arange(1, n_atoms)
    distances = distances[np.abs(np.sin(TWICE_K_F * distances)) > 0.5]
    whole, at_once = (
        np.array([np.diagonal(r.curl, d).mean() for d in distances]) for r in (window, linear)
    )
    return distances, whole / at_once


def reach_in_closed_form(bias, distances):
    """Return sin(x)/x, x = V d/(hbar v): the phase 2 k d, averaged over the window."""
    speed = 2 * abs(HOPPING) * np.sin(np.pi * FILLING)  # per bond
    return np.sinc(bias * distances / speed / np.pi)


def chain_in_a_wave(n_atoms, amplitude, phase):
    """Return a chain of which `n_atoms` are displaced by a wave of 2 k_F, and these atoms."""
    number = np.arange(n_atoms)
    lattice = kwant.lattice.chain(BOND, norbs=1)
    places = BOND * number + amplitude * np.cos(TWICE_K_F * number - phase)
    atoms = devices.Atoms(places[:, None])
    moving = [atoms(i) for i in number]
    sites = [lattice(-2), lattice(-1), *moving, lattice(n_atoms), lattice(n_atoms + 1)]
    builder = kwant.Builder()
    builder[sites] = 0
    for a, b in pairwise(sites):
        builder[a, b] = HOPPING * (BOND / (b.pos[0] - a.pos[0])) ** EXPONENT
    lead = kwant.Builder(kwant.TranslationalSymmetry((-BOND,)))
    lead[lattice(0)] = 0
    lead[lattice.neighbors()] = HOPPING
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized(), moving


def driving_over_damping(n_atoms, amplitude, n_phases=4):
    """Return kappa/V over eta_XX + eta_YY of the wave itself, while it has this amplitude.

    With springs of frequency omega its energy grows where that exceeds omega/V.
    """
    number = TWICE_K_F * np.arange(n_atoms)
    wave = np.array([np.cos(number), np.sin(number)])
    driving = damping = 0.0
    for phase in 2 * np.pi / n_phases * np.arange(n_phases):
        syst, moving = chain_in_a_wave(n_atoms, amplitude, phase)
        coordinates = kc.Displacements(moving, scaling=kc.PowerLaw(EXPONENT))
        response = kc.force_response(syst, coordinates, CHAIN_ENERGY).project(wave)
        driving += response.curl[0, 1]
        damping += np.trace(response.friction)
    return driving / damping


def surface_over_inside(radius, energy=0.0):
    """Return the root mean square curl of a straight wire's surface over that of its inside.

    Inside are atoms with all of their 12 neighbours; `energy` is measured from the Fermi level.
    """
    wire = devices.nanowire(radius, radius, length=3.0)
    result = kc.curl_map(wire.syst, wire.coordinates, wire.energy + energy, bias=1.0)
    everywhere = np.array([site.pos for site in wire.syst.sites])
    apart = np.linalg.norm(everywhere - result.positions[:, None], axis=2)
    inside = np.count_nonzero(np.abs(apart - FCC / np.sqrt(2)) < 0.01, axis=1) == 12
    squares = (result.curl**2).sum(axis=1)
    return np.sqrt(squares[~inside].mean() / squares[inside].mean())
