"""Units: what one of the atomistic codes is in those of a Hamiltonian, and back."""

import kwant
import numpy as np
import pytest
from scipy import constants

import kwant_curl as kc
from kwant_curl.devices.device import ion_mass
from kwant_curl.support.units import ATOMIC_UNITS, EV_ANGSTROM_AMU, MEV_NANOMETRE_AMU, Units

ALL = pytest.mark.parametrize(
    "units", [EV_ANGSTROM_AMU, ATOMIC_UNITS, MEV_NANOMETRE_AMU], ids=lambda units: units.energy_unit
)


def test_known_numbers():
    units = EV_ANGSTROM_AMU
    assert units.mass(1.0) == pytest.approx(239.2, abs=0.05)
    assert units.per_picosecond(1e-3) == pytest.approx(1.519, abs=1e-3)
    assert units.millielectronvolt(units.frequency_from_thz(1.0)) == pytest.approx(4.135668)
    assert units.nanonewton(1.0) == pytest.approx(1.602177)
    assert units.time_unit == pytest.approx(6.582120e-16)
    assert units.force_constants(3.0) == pytest.approx(3.0)
    assert units.length_from_angstrom(3.0) == pytest.approx(3.0)


def test_atomic_units():
    units = ATOMIC_UNITS
    electron = constants.electron_mass / constants.atomic_mass
    assert units.mass(electron) == pytest.approx(1.0)
    assert units.length_from_angstrom(1.0) == pytest.approx(1.8897261)
    assert units.time_unit == pytest.approx(constants.physical_constants["atomic unit of time"][0])
    assert units.millielectronvolt(1.0) == pytest.approx(27211.386)
    assert units.nanonewton(1.0) == pytest.approx(82.387235)


@ALL
def test_round_trips(units):
    values = np.array([0.3, 1.0, 70.0])
    np.testing.assert_allclose(units.amu(units.mass(values)), values, rtol=1e-14)
    np.testing.assert_allclose(units.terahertz(units.frequency_from_thz(values)), values)
    assert units.amu(units.mass(12.0)) == pytest.approx(12.0)
    assert isinstance(units.mass(12.0), float)


@ALL
def test_an_oscillator_has_one_frequency(units):
    """sqrt(K/M) in SI units, and in those of the Hamiltonian."""
    spring, amu = 2.5, 28.0
    spring_si = spring * constants.electron_volt / constants.angstrom**2
    omega_si = np.sqrt(spring_si / (amu * constants.atomic_mass))
    omega = np.sqrt(units.force_constants(spring) / units.mass(amu))
    assert units.terahertz(omega) == pytest.approx(omega_si / (2 * np.pi * constants.tera))
    assert units.per_picosecond(omega) == pytest.approx(omega_si * constants.pico)
    energy = constants.hbar * omega_si / (constants.milli * constants.electron_volt)
    assert units.millielectronvolt(omega) == pytest.approx(energy)


@ALL
def test_a_force_is_the_same_in_all_units(units):
    stretch = units.length_from_angstrom(0.1)
    force = units.force_constants(2.0) * stretch
    assert units.nanonewton(force) == pytest.approx(0.2 * 1.602177)


@pytest.mark.parametrize("energy_unit", ["eV", "meV"])
@pytest.mark.parametrize("length_unit", ["Å", "nm"])
def test_the_mass_of_a_device(energy_unit, length_unit):
    energy = {"eV": 1.0, "meV": 1e-3}[energy_unit] * constants.electron_volt
    length = {"Å": 1e-10, "nm": 1e-9}[length_unit]
    expected = 12.0 * constants.atomic_mass * energy * length**2 / constants.hbar**2
    assert ion_mass(12.0, energy_unit, length_unit) == pytest.approx(expected, rel=1e-14)


def test_units_that_are_not_known():
    with pytest.raises(ValueError, match="energy_unit is 'Ry'; expected one of eV, meV, Hartree"):
        Units.named("Ry", "Å")
    with pytest.raises(ValueError, match="length_unit is 'mile'; expected one of Å, nm, Bohr"):
        Units.named("eV", "mile")
    with pytest.raises(ValueError, match="length is 0; expected a positive number"):
        Units("eV", "point", constants.electron_volt, 0)


def test_units_of_ones_own():
    rydberg = Units("Ry", "Bohr", ATOMIC_UNITS.energy / 2, ATOMIC_UNITS.length)
    assert rydberg.mass(1.0) == pytest.approx(ATOMIC_UNITS.mass(1.0) / 2)
    assert rydberg.frequency_from_thz(1.0) == pytest.approx(
        2 * ATOMIC_UNITS.frequency_from_thz(1.0)
    )


@pytest.mark.parametrize("energy_scale", [1e-6, 1e6])
@pytest.mark.parametrize("length_scale", [1e-10, 1e10])
def test_other_units_of_energy_and_length(energy_scale, length_scale):
    """All results scale, and nothing is warned of."""

    def wire(energy, length):
        lattice = kwant.lattice.square(length, norbs=1)
        rng = np.random.default_rng(3)
        builder = kwant.Builder()
        for x, y in np.ndindex(6, 4):
            builder[lattice(x, y)] = energy * (4 + 0.4 * rng.normal())
        builder[lattice.neighbors()] = -energy
        lead = kwant.Builder(kwant.TranslationalSymmetry((-length, 0)))
        lead[(lattice(0, y) for y in range(4))] = 4 * energy
        lead[lattice.neighbors()] = -energy
        builder.attach_lead(lead)
        builder.attach_lead(lead.reversed())
        return builder.finalized()

    moving = kc.Displacements(scaling=kc.PowerLaw(2))
    maps, flows, responses = [], [], []
    for e, a in ((1.0, 1.0), (energy_scale, length_scale)):
        syst, options = wire(e, a), {"bias": 0.3 * e}
        maps.append(kc.curl_map(syst, moving, 2.1 * e, **options))
        flows.append(kc.flow_map(syst, 2.1 * e, **options))
        few = kc.Displacements([9, 10], scaling=kc.PowerLaw(2))
        tensors = {"jacobian": True, "velocity": True, "noise": True}
        responses.append(kc.force_response(syst, few, 2.1 * e, bias=0.3 * e, **tensors))
    e, a = energy_scale, length_scale
    assert flows[1].spacing == pytest.approx(a, rel=1e-12)
    for pair, names in (
        (maps, {"force": e / a, "curl": e / a**2, "friction": 1 / a**2}),
        (flows, {"local_dos": 1 / e / a**2, "current": e / a, "momentum_current": 1 / a**3}),
        (responses, {"jacobian": e / a**2, "velocity": 1 / a**2, "curl": e / a**2}),
    ):
        for name, unit in names.items():
            expected = unit * getattr(pair[0], name)
            tolerance = 1e-10 * np.abs(expected).max()
            np.testing.assert_allclose(getattr(pair[1], name), expected, rtol=0, atol=tolerance)
