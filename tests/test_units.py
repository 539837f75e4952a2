"""Units: what one of the atomistic codes is in those of a Hamiltonian, and back."""

import dataclasses
import re
import warnings

import kwant
import numpy as np
import pytest
from scipy import constants
from systems import square_wire

import kwant_curl as kc
from kwant_curl.devices.device import ion_mass
from kwant_curl.support.magnitudes import check_masses
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
def test_lists_are_arrays(units):
    for name in vars(type(units)):
        method = getattr(units, name)
        if name.startswith("_") or name == "named" or not callable(method):
            continue
        found = method([1, 2.5])
        assert isinstance(found, np.ndarray), name
        np.testing.assert_array_equal(found, method(np.array([1, 2.5])))
        with pytest.raises(ValueError, match="could not convert"):
            method("twelve")


@ALL
def test_what_programs_give(units):
    """meV, THz and 1/cm are one frequency; kelvin an energy: CODATA's conversions."""
    omega = units.frequency_from_millielectronvolt(60.0)
    assert units.millielectronvolt(omega) == pytest.approx(60.0)
    assert units.wavenumber(omega) == pytest.approx(60.0 * 8.065543937)
    assert units.frequency_from_wavenumber(60.0 * 8.065543937) == pytest.approx(omega)
    assert units.frequency_from_thz(60.0 / 4.135667697) == pytest.approx(omega)
    kt = units.temperature(300.0)
    assert units.millielectronvolt(kt) == pytest.approx(300.0 * 0.08617333262)
    assert units.kelvin(kt) == pytest.approx(300.0)
    np.testing.assert_allclose(units.kelvin(units.temperature(np.array([4.2, 77.0]))), [4.2, 77])


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
    with pytest.raises(
        ValueError, match="energy_unit is 'Ry'; expected one of eV, meV, Hartree, Ryd"
    ):
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


# Numbers in other units


def wire_response(routine, units, **options):
    syst = square_wire(disorder=0.6).finalized()
    moving = kc.Displacements([9, 10], scaling=kc.PowerLaw(2))
    return routine(syst, moving, 1.7, units=units, **options)


@pytest.fixture(scope="module")
def results():
    return {
        units: (wire_response(kc.curl_map, units), wire_response(kc.force_response, units))
        for units in (EV_ANGSTROM_AMU, ATOMIC_UNITS, MEV_NANOMETRE_AMU, None)
    }


PATTERNS = np.eye(4)[:2]


@ALL
def test_masses_in_atomic_mass_units(results, units):
    local, response = results[units]
    omega = units.frequency_from_millielectronvolt(10.0)
    given = f"mass is 12 hbar.2/.{units.energy_unit} {units.length_unit}.2., which is"
    says = f"{given} {units.amu(12.0):.3g} atomic mass units, less than a hydrogen atom"
    cure = f"give units.mass.12., {units.mass(12.0):.6g}"
    for rates in (
        lambda mass: local.pumping_rates(omega, mass),
        lambda mass: local.pumping_rates(omega, [units.mass(12.0), mass]),
        lambda mass: response.pumping_rates(PATTERNS, omega, mass),
    ):
        with pytest.raises(ValueError, match=f"{says}.*{cure}"):
            rates(12.0)
        with pytest.raises(ValueError, match="mass is 1 "):
            rates(1.0)  # the default
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # this wire is made up
            rates(units.mass(1.008))


def test_all_elements_in_atomic_mass_units_are_told():
    for amu in (1.008, 12.011, 196.967, 238.029):
        with pytest.raises(ValueError, match="less than a hydrogen atom"):
            check_masses(amu, EV_ANGSTROM_AMU)
        check_masses(EV_ANGSTROM_AMU.mass(amu), EV_ANGSTROM_AMU)
    check_masses(EV_ANGSTROM_AMU.mass(1e9), EV_ANGSTROM_AMU)  # a beam
    check_masses(12.0, None)


def test_patterns_of_any_length(results):
    """The mass of a coordinate goes with the square of its pattern's length; an atom's doesn't."""
    response, mass = results[EV_ANGSTROM_AMU][1], EV_ANGSTROM_AMU.mass(12.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        response.pumping_rates(PATTERNS / np.sqrt(mass), 0.01)  # mass-weighted: 1
        response.pumping_rates(PATTERNS / 10, 0.01, mass / 100)
    with pytest.raises(ValueError, match=r"with these patterns that of atoms of 0\.12 atomic"):
        response.pumping_rates(10 * PATTERNS, 0.01, mass)
    with pytest.raises(ValueError, match="mass is 12 "):
        response.pumping_rates(np.array([PATTERNS, PATTERNS]), 0.01, [mass, 12.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        response.project(PATTERNS).pumping_rates(np.eye(2), 0.01, 12.0)  # no displacements any more


@ALL
@pytest.mark.parametrize("number", [60.0, 480.0])
def test_frequencies_in_other_units(results, units, number):
    local, response = results[units]
    mass, value = units.mass(12.0), number if units is not MEV_NANOMETRE_AMU else 1000 * number
    energy = units.millielectronvolt(value) / 1000
    for rates in (
        lambda: local.pumping_rates(value, mass),
        lambda: response.pumping_rates(PATTERNS, value, mass),
        lambda: kc.VibrationalModes([value], [[1.0]], [mass], units=units),
    ):
        with pytest.raises(
            ValueError, match=re.escape(f"hbar omega = {energy:.4g} eV; no atoms")
        ) as error:
            rates()
        for call, expected in (
            ("frequency_from_millielectronvolt", units.frequency_from_millielectronvolt(value)),
            ("frequency_from_thz", units.frequency_from_thz(value)),
            ("frequency_from_wavenumber", units.frequency_from_wavenumber(value)),
        ):
            assert f"units.{call}({value:.6g}) = {expected:.4g}" in str(error.value)


def test_the_fastest_vibration_passes():
    omega = EV_ANGSTROM_AMU.frequency_from_wavenumber(4401.0)  # H2
    modes = kc.VibrationalModes(
        [omega], [[1.0]], [EV_ANGSTROM_AMU.mass(1.008)], units=EV_ANGSTROM_AMU
    )
    assert modes.frequencies[0] == pytest.approx(0.5457, abs=1e-4)


@pytest.mark.parametrize("routine", [kc.curl_map, kc.force_response, kc.flow_map, kc.phonon_rates])
def test_temperatures_in_kelvin(routine):
    syst, moving = square_wire().finalized(), kc.Displacements([9], scaling=kc.PowerLaw(2))
    arguments = () if routine is kc.flow_map else (moving,)
    options = {"temperature": 300, "units": EV_ANGSTROM_AMU}
    if routine is kc.phonon_rates:
        arguments += (np.eye(2),)
        options["frequency"] = 0.01
    with pytest.raises(
        ValueError,
        match=r"temperature is 300 eV, which is 3.48e\+06 K: kT is expected.*units.temperature"
        r"\(300\), 0.025852",
    ):
        routine(syst, *arguments, 1.7, **options)


def test_phonon_rates_knows_masses_and_frequencies():
    syst, moving = square_wire().finalized(), kc.Displacements([9], scaling=kc.PowerLaw(2))

    def rates(**options):
        return kc.phonon_rates(syst, moving, np.eye(2), 1.7, units=EV_ANGSTROM_AMU, **options)

    with pytest.raises(ValueError, match=r"mass is 12 .*units.mass\(12\), 2870"):
        rates(frequency=0.06, mass=12.0)
    with pytest.raises(ValueError, match="frequency is 60 eV/ħ"):
        rates(frequency=60, mass=3000.0)
    # With hbar in eV fs, masses are in eV fs^2/Å^2 and frequencies in 1/fs.
    hbar = 0.6582119569
    with pytest.raises(ValueError, match="less than a hydrogen atom"):
        rates(frequency=0.06 / hbar, mass=12.0 * hbar**2, hbar=hbar)


def test_parameters_have_masses_of_another_dimension():
    gate = kc.Parameters("gate")
    lattice = kwant.lattice.square(norbs=1)
    builder = square_wire()
    builder[lattice(2, 1)] = lambda site, gate: 4 + gate
    response = kc.force_response(
        builder.finalized(), gate, 1.7, params={"gate": 0.0}, units=EV_ANGSTROM_AMU
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert response.pumping_rates([[1.0], [1.0]], 3.0, 1.0).driving[0] == 0


def test_modes_in_other_units_than_the_response(results):
    response = results[EV_ANGSTROM_AMU][1]
    spring, mass = np.eye(4), EV_ANGSTROM_AMU.mass(12.0)
    same = kc.Units.named("eV", "angstrom")
    fine = kc.VibrationalModes.from_force_constants(spring, mass, units=same)
    other = kc.VibrationalModes.from_force_constants(
        MEV_NANOMETRE_AMU.force_constants(spring),
        MEV_NANOMETRE_AMU.mass(12.0),
        units=MEV_NANOMETRE_AMU,
    )
    weak = response.at_bias(1e-3)
    kc.stability(weak, fine)
    for analysis in (
        lambda modes: kc.stability(weak, modes),
        lambda modes: kc.pumped_pairs(weak, modes),
        lambda modes: kc.langevin(weak, modes, 1.0, noise=False),
        lambda modes: kc.critical_bias(weak, modes, 1e-3),
    ):
        with pytest.raises(ValueError, match="response is in eV and Å, the modes are in meV and"):
            analysis(other)
        with pytest.raises(ValueError, match=r"masses is 12 .*less than a hydrogen atom"):
            analysis(kc.VibrationalModes.from_force_constants(spring, 12.0))
        with pytest.raises(ValueError, match="frequencies is 2 eV"):
            analysis(kc.VibrationalModes.from_force_constants(4 * mass * spring, mass))
    hot = dataclasses.replace(results[None][1].at_bias(1e-3), temperature=300.0)
    with pytest.raises(ValueError, match="temperature is 300 eV"):
        kc.stability(hot, fine)
