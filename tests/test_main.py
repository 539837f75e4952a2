"""The main job and the devices."""

import os
import re
import subprocess
import sys
from functools import partial
from importlib.metadata import entry_points
from types import SimpleNamespace

import kwant
import numpy as np
import pytest
from scipy import constants

import kwant_curl
from kwant_curl import Displacements, IntegrationError, PowerLaw, curl_map, devices, force_response
from kwant_curl.__main__ import DEVICES, main
from kwant_curl.algebra.interpolated import Interpolated, Skipped
from kwant_curl.devices.command import report
from kwant_curl.devices.command.words import in_options
from kwant_curl.electrons.notices import window_notices


@pytest.mark.parametrize("name", DEVICES)
def test_every_device(name, tmp_path, capsys):
    output = tmp_path / "figure.png"
    assert main([name, "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert output.read_bytes().startswith(b"\x89PNG")
    assert output.stat().st_size > 20_000
    for words in ("atoms move", "pumped fastest" if name != "point-contact" else "first to grow"):
        assert words in printed
    assert "lowest threshold bias" in printed
    assert f"figure: {output}" in printed


def test_the_default_is_graphene(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert (tmp_path / "kwant_curl_graphene.png").exists()
    table = capsys.readouterr().out
    device = devices.graphene_constriction()
    result = curl_map(
        device.syst,
        device.coordinates,
        device.energy,
        bias=device.bias,
        degeneracy=2,
        units=device.units,
    )
    assert f"{np.abs(result.curl).max():.4g}" in table
    assert result.band_distance == pytest.approx(0.0234, rel=0.05)  # 0.023407, by all momenta
    with pytest.warns(RuntimeWarning, match="next band edge of the leads is 0.024"):
        rates = result.pumping_rates(device.frequency, device.mass)
    assert len(rates.warnings) == 2
    for text in rates.warnings:
        assert f"warning: {text.removesuffix(' (linear=False).')}" in table
    assert f"lowest threshold bias: {device.bias * rates.threshold.min():.4g} eV" in table


def test_unknown_device(capsys):
    assert main(["copper"]) == 2
    error = capsys.readouterr().err
    assert "unknown device 'copper'; the known ones are" in error
    for name in DEVICES:
        assert name in error


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for words in (*DEVICES, "--energy", "--bias", "--out", "FILE.py:FUNCTION"):
        assert words in text


def test_what_the_command_refuses(capsys, tmp_path):
    assert main(["molecule", "--energy", "nan"]) == 2
    assert "must be finite" in capsys.readouterr().err
    assert main(["molecule", "--output", str(tmp_path / "nowhere" / "f.png")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_zero_bias(capsys):
    assert main(["molecule", "--bias", "0"]) == 2
    assert "the bias is zero" in capsys.readouterr().err


def test_rates_of_the_gold_chain_are_those_of_an_atom_mass(tmp_path, capsys):
    """The energy M sum_i v_i^2 / 2 of u = X cos - Y sin sets the mass: patterns of length one."""
    main(["gold-chain", "--output", str(tmp_path / "f.png")])
    printed = capsys.readouterr().out
    device = devices.gold_chain()
    response = force_response(
        device.syst, device.coordinates, device.energy, bias=device.bias, degeneracy=2
    )
    x = np.arange(100)
    wave = np.array([np.cos(0.72 * np.pi * x), np.sin(0.72 * np.pi * x)])
    kappa = wave[0] @ response.curl @ wave[1]
    mass_of_pattern = device.mass * (wave[0] @ wave[0])
    assert f"{kappa / (2 * mass_of_pattern * device.frequency):.4g}" in printed


def test_energy_and_bias(tmp_path, capsys):
    main(["molecule", "--energy", "-2", "--bias", "-0.1", "--output", str(tmp_path / "f.png")])
    assert "Fermi level -2 eV, bias -0.1 eV" in capsys.readouterr().out


def test_device_and_out_are_other_words(tmp_path, capsys):
    assert main(["--device", "molecule", "--out", str(tmp_path / "f.svg")]) == 0
    assert b"<svg" in (tmp_path / "f.svg").read_bytes()
    assert "bent gold molecule" in capsys.readouterr().out
    assert main(["molecule", "--device", "molecule"]) == 2
    assert "two devices are named" in capsys.readouterr().err


def test_the_format_is_known_before_anything_is_computed(tmp_path, capsys):
    for name in ("figure", "figure.xyz"):
        assert main(["nanowire", "--out", str(tmp_path / name)]) == 2
        captured = capsys.readouterr()
        assert "whose suffix is no known format; expected one of" in captured.err
        assert not captured.out


def test_a_figure_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "f.png").mkdir()
    assert main(["molecule", "--out", str(tmp_path / "f.png")]) == 2
    assert "can't write the figure" in capsys.readouterr().err


def test_options_go_before_what_a_device_says(tmp_path, capsys):
    out = ["--out", str(tmp_path / "f.png")]
    options = ["--frequency", "0.02", "--degeneracy", "1", "--mass", "50000"]
    assert main(["molecule", *options, *out]) == 0
    printed = capsys.readouterr().out
    device = devices.bent_molecule()
    result = curl_map(device.syst, device.coordinates, device.energy, bias=device.bias)
    rates = result.pumping_rates(0.02, 50000)
    for number in (*rates.driving, 0.5 * rates.threshold.min()):
        assert f" {number:.4g}" in printed
    assert "each vibrating with 0.02 eV" in printed


def test_nothing_driven_has_no_threshold(tmp_path, capsys):
    assert main(["molecule", "--energy", "20", "--out", str(tmp_path / "f.png")]) == 1
    printed, error = capsys.readouterr()
    assert error == "no electrons act on the atoms here: all numbers are zero.\n"
    assert "drives no vibration" in printed
    # Map and current say it, and it is printed once.
    assert printed.count("warning: No lead has an open mode at energy 20.0") == 1


WIRES = """
import kwant

def wire(onsite=4, hopping=-1, n_leads=2, dim=2, whole=False):
    lat = kwant.lattice.square(norbs=1) if dim == 2 else kwant.lattice.chain(norbs=1)
    across = [(y,) for y in range(3)] if dim == 2 else [()]
    builder = kwant.Builder()
    builder[(lat(x, *y) for x in range(6) for y in across if whole or (x, *y) != (2, 0))] = onsite
    builder[lat.neighbors()] = hopping
    for direction in (-1, 1, -1)[:n_leads]:
        lead = kwant.Builder(kwant.TranslationalSymmetry((direction,) + (0,) * (dim - 1)))
        lead[(lat(0, *y) for y in across)] = 4
        lead[lat.neighbors()] = -1
        builder.attach_lead(lead)
    return builder
"""


@pytest.fixture
def run(tmp_path, capsys):
    """Run the command on make() of a file, and return status, output, error and the module."""

    def run(text, *options, name="make", out="f.png"):
        (tmp_path / "wires.py").write_text(WIRES)
        (tmp_path / "device.py").write_text(text)
        arguments = [f"{tmp_path / 'device.py'}:{name}", "--out", str(tmp_path / out), *options]
        status = main(arguments)
        captured = capsys.readouterr()
        if status:
            assert captured.err.count("\n") == 1
        else:
            assert (tmp_path / out).stat().st_size > 5_000
        return SimpleNamespace(status=status, out=captured.out, err=captured.err)

    return run


def wire(**keywords):
    namespace = {}
    exec(WIRES, namespace)
    return namespace["wire"](**keywords).finalized()


BUILDER = "from wires import wire\ndef make():\n    return wire()\n"


@pytest.mark.parametrize("end", ["", ".finalized()"])
def test_own_system(run, end):
    done = run(BUILDER.replace("wire()", f"wire(){end}"), "--energy", "2.5", "--power-law", "3")
    assert done.status == 0
    assert "device.py:make: 17 sites, Fermi level 2.5, bias 1\n" in done.out
    result = curl_map(wire(), Displacements(scaling=PowerLaw(3)), 2.5)
    top = np.abs(result.curl).argmax()
    assert f"{result.curl[top]:.4g}" in done.out
    assert "driving" not in done.out
    assert "give --frequency and --mass" in done.out


def test_where_it_is_operated_arrives(run, monkeypatch):
    """At every routine; what they do with it is tested elsewhere."""
    seen = []
    for name in ("curl_map", "flow_map"):
        routine = getattr(report, name)

        def cold(*arguments, routine=routine, temperature, exclude, max_energies, **keywords):
            seen.append((temperature, exclude, max_energies))
            return routine(*arguments, **keywords)

        monkeypatch.setattr(report, name, cold)
    options = ["--temperature", "0.01", "--exclude", "1e-3", "--max-energies", "50"]
    done = run(BUILDER, "--energy", "2.5", "--power-law", "3", *options)
    assert "Fermi level 2.5, bias 1, kT 0.01\n" in done.out
    assert seen == [(0.01, 1e-3, 50)] * 2


SMALL = {
    "graphene": {"width": 20, "neck": 14, "length": 6},
    "gold-chain": {"n_atoms": 12},
    "point-contact": {"width": 20.0, "length": 30.0, "opening": 10.0, "energy": 60.0},
    "molecule": {},
    "nanowire": {"radius": 4.5, "neck": 3.5, "length": 3.0},
}
"""Sizes with which an integral over energies takes a second."""


@pytest.mark.heavy
@pytest.mark.parametrize("name", DEVICES)
def test_every_device_at_room_temperature(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(DEVICES, name, partial(DEVICES[name], **SMALL[name]))
    made = DEVICES[name]()
    kt = made.units.temperature(300)
    output = tmp_path / "figure.png"
    assert main([name, "--temperature", str(kt), "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert output.stat().st_size > 20_000
    assert f", kT {kt:g} {made.energy_unit}\n" in printed
    assert "lowest threshold bias" in printed
    assert "did not converge" not in printed
    assert not KEYWORD.search(printed)


@pytest.mark.heavy
def test_energies_that_are_left_out(run):
    """A perfect wire: there is an integral only without the energies around its band edges."""
    perfect = BUILDER.replace("return wire()", "return wire(whole=True)")
    options = ["--energy", "3.3", "--power-law", "2", "--temperature", "0.05"]
    error = run(perfect, *options).err
    assert error.endswith("leave out the energies around it with --exclude half their width.\n")
    assert run(perfect, *options, "--exclude", "1e-3").status == 0
    assert ": --exclude is 9, which leaves" in run(perfect, *options, "--exclude", "9").err
    few = run(perfect, *options, "--exclude", "1e-3", "--max-energies", "5").out
    assert "did not converge to 0.0001 with 5 energies" in few


def test_rates_and_units_of_an_own_system(run):
    units = ["--energy-unit", "eV", "--length-unit", "nm"]
    vibration = ["--frequency", "0.1", "--mass", "3e5", "--degeneracy", "2", "--bias", "0.2"]
    done = run(BUILDER, "--energy", "2.5", "--exponential", "0.5", *units, *vibration)
    assert done.status == 0
    for words in ("eV/nm²", "eV/ħ", "Fermi level 2.5 eV, bias 0.2 eV", "lowest threshold bias"):
        assert words in done.out


def test_value_functions_see_the_position_and_parameters(run):
    text = """
from wires import wire

def make():
    def hopping(a, b, t, n):
        import wires  # neighbours are there when the Hamiltonian is evaluated, too
        assert isinstance(n, int)
        d = a.pos - b.pos
        return -t * sum(x * x for x in d) ** (-n / 2)

    return wire(hopping=hopping)
"""
    done = run(text, "--energy", "2.5", "--params", "t=1.0", "n=3")
    assert done.status == 0
    result = curl_map(wire(), Displacements(scaling=PowerLaw(3)), 2.5)
    assert f"{np.abs(result.curl).max():.4g}" in done.out

    assert "give --params n=VALUE t=VALUE" in run(text, "--energy", "2.5").err
    more = run(text, "--energy", "2.5", "--params", "t=1", "n=3", "B=2")
    assert "--params names B, but the system takes n, t." in more.err


OWN_DEVICE = """
from kwant_curl import Displacements, PowerLaw
from kwant_curl.devices import Device
from wires import wire

def make():
    syst = wire(onsite=lambda site, v: v).finalized()
    law = Displacements(scaling=PowerLaw(2))
    return Device("a wire of mine", syst, law, 2.5, 0.1, 0.2, 300.0, "meV", "nm", 1, {"v": 4})
"""


def test_own_device(run):
    done = run(OWN_DEVICE)
    assert done.status == 0
    assert "a wire of mine: 17 sites, Fermi level 2.5 meV, bias 0.1 meV" in done.out
    assert "meV/nm²" in done.out
    shifted = run(OWN_DEVICE, "--params", "v=4.1", "--energy", "2.4")
    assert shifted.out != done.out
    refused = run(OWN_DEVICE, "--power-law", "2")
    assert "--power-law is for a system of your own; the device 'a wire of mine'" in refused.err


def test_own_chain_is_a_device(run):
    text = "from kwant_curl.devices import gold_chain\ndef make():\n    return gold_chain(9)\n"
    assert "q a / pi" in run(text, out="f.pdf").out


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("make = 3", "make in {} is a int; expected a function"),
        ("", "there is no make in {}."),
        ("def make():\n    return 3", "returned a int; expected a kwant.Builder, a finalized"),
        ("def make(n):\n    pass", "make() missing 1 required positional argument: 'n'"),
        ("def make():\n    return 1 / 0", "ZeroDivisionError: division by zero ({}, line 3)"),
        ("def make():\n    raise KeyError", "device.py:make: KeyError ({}, line 3)"),
        ("def make():\n    raise OSError('a\\nb')", "OSError: a b ({}, line 3)"),
        ("import no_such_module", "No module named 'no_such_module' ({}, line 2)"),
        ("def make(:", "SyntaxError: invalid syntax ({}, line 2)"),
        ("def make():\n    return wire(n_leads=0)", "The system has no leads"),
        ("def make():\n    return wire(n_leads=3)", "takes two leads, at +V/2 and -V/2, but"),
        ("def make():\n    return wire(dim=1)", "is one-dimensional"),
        ("def make():\n    return wire().leads[0].builder", "syst is an infinite system"),
        ("def make():\n    return wire()", "No value function of the sites that move depends"),
        (
            "def make():\n    def f(a, b):\n        return 1 / 0\n    return wire(hopping=f)",
            "ZeroDivisionError: division by zero ({}, line 4)",
        ),
    ],
)
def test_what_is_wrong_with_an_own_device(run, tmp_path, body, message):
    done = run(f"from wires import wire\n{body}\n", "--energy", "2.5")
    assert done.status == 2
    assert message.format(tmp_path / "device.py") in done.err


def test_value_functions_that_fail_where_kwant_calls_them(run, tmp_path):
    text = BUILDER.replace("wire()", "wire(onsite=lambda site: 1 / 0)")
    done = run(text, "--energy", "2.5", "--power-law", "2")
    assert f"ZeroDivisionError: division by zero ({tmp_path / 'device.py'}, line 3)" in done.err


def test_bugs_of_our_own_are_not_hidden(run, monkeypatch):
    def broken(job):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("kwant_curl.__main__.report", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(BUILDER, "--energy", "2.5", "--power-law", "2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "the Fermi level of device.py:make is not known; give --energy"),
        (["--energy", "2", "--mass", "1"], "--frequency and --mass go together"),
        (["--energy", "2", "--bias", "0"], "the bias is zero"),
        (["--energy", "two"], "argument --energy: 'two' is not a number"),
        (["--energy", "inf"], "must be finite"),
        (["--energy", "2", "--mass", "0"], "must be positive"),
        (["--energy", "2", "--temperature", "-1"], "must not be negative"),
        (["--energy", "2", "--exclude", "-1"], "must not be negative"),
        (["--energy", "2", "--max-energies", "0"], "--max-energies: 0 is given; it must be pos"),
        (["--energy", "2", "--max-energies", "2.5"], "'2.5' is not a whole number"),
        (["--energy", "2", "--params", "v=a"], "argument --params: 'a' is not a number"),
        (["--energy", "2", "--params", "v"], "argument --params: 'v' is no NAME=VALUE"),
        (["--energy", "2", "--params", "v=1"], "names v, but the system takes none"),
        (["--power-law", "2", "--exponential", "1"], "not allowed with argument --power-law"),
    ],
)
def test_options_that_make_no_sense(run, options, message):
    done = run(BUILDER, *options)
    assert done.status == 2
    assert message in done.err


KEYWORD = re.compile(r"\\b[a-z_]+=[^>]|units\\.|`\\w+` is True")


def test_messages_name_options_not_keywords(run, capsys, tmp_path):
    """Of what the command has other words for, and no keyword of Python is left."""
    follow = "Say how the hoppings follow, with --power-law or --exponential, or write value"
    assert follow in run(BUILDER, "--energy", "2.5").err
    kink = BUILDER.replace(
        "wire()",
        "wire(hopping=lambda a, b: -1 - abs(a.pos[1] - round(a.pos[1])))",
    )
    error = run(kink, "--energy", "2.5").err
    assert "don't converge" in error
    assert "with --power-law or --exponential, or return a Device" in error
    out = ["--out", str(tmp_path / "f.png")]
    refused = [error]
    for options, words in (
        (["--mass", "12"], "If 12 is in atomic mass units, give 2870.7"),
        (["--frequency", "60"], "give one of 0.06, 0.2481, 0.007439."),
        (["--temperature", "300"], "If 300 is in kelvin, give 0.025852."),
    ):
        assert main(["molecule", *options, *out]) == 2
        refused.append(capsys.readouterr().err)
        assert words in refused[-1]
        assert refused[-1].count("\n") == 1
    units = ["--energy-unit", "eV", "--length-unit", "angstrom", "--frequency", "0.01"]
    own = run(BUILDER, "--energy", "2.5", "--power-law", "2", *units, "--mass", "12")
    assert "device.py:make: mass is 12 hbar^2/(eV Å^2), which is 0.0502 atomic" in own.err
    assert main(["gold-chain", *out]) == main(["point-contact", *out]) == 0
    printed = capsys.readouterr().out
    assert "warning: The driving is up to 3.46 times the frequency" in printed
    assert "With 0.027 times the bias it is less" in printed
    assert "the whole bias window does." in printed
    for text in (printed, own.err, *refused):
        assert not KEYWORD.search(text), text


def test_warnings_of_integrals_in_the_words_of_the_command():
    nothing, skipped = np.empty(0), (Skipped(0.3, "ValueError: no mode."),)
    integral = Interpolated(nothing, (), (), (), (), 1e-3, skipped, False)
    text = window_notices(integral, 1e-6, True)
    assert in_options(text[0]) == (
        "The integral over energy did not converge to 1e-06 with 1 energies: its estimated error "
        "is 0.001."
    )
    assert in_options(text[1]).endswith("the first, 0.3: ValueError: no mode.")
    failed = in_options(str(IntegrationError("no mode.", 0.3, [0.1, 0.2], 2, integral)))
    assert (
        "no mode. 2 energies were done before; --max-energies 2 gives what these tell. If" in failed
    )
    assert failed.endswith("opens or closes there, --exclude leaves out the energies around it.")
    assert in_options(text[2]).endswith("the result is that of the others.")


def test_a_units_name_that_has_two_spellings(run):
    """Labels are those of the units."""
    units = ["--energy-unit", "eV", "--length-unit", "angstrom"]
    done = run(BUILDER, "--energy", "2.5", "--power-law", "2", "--bias", "0.1", *units)
    assert done.status == 0


def test_where_the_function_is_looked_for(capsys, tmp_path):
    (tmp_path / "device.txt").write_text(BUILDER)
    for target, message in (
        ("nowhere.py:make", "there is no file nowhere.py."),
        ("device.py", "'device.py' names no function; expected FILE.py:FUNCTION"),
        ("device.py:", "names no function"),
        (f"{tmp_path / 'device.txt'}:make", "is no Python file"),
    ):
        assert main([target]) == 2
        assert message in capsys.readouterr().err


def test_nothing_is_left_behind(run):
    path, modules = list(sys.path), set(sys.modules)
    assert run(BUILDER, "--energy", "2.5", "--power-law", "2").status == 0
    assert run("from wires import wire\nmake = 3\n").status == 2
    assert sys.path == path
    assert not {"wires", "device", "_device_of_kwant_curl"} & (set(sys.modules) - modules)


def test_the_command_is_installed(tmp_path):
    (command,) = entry_points(group="console_scripts", name="kwant-curl")
    assert command.load() is main
    done = subprocess.run(
        [sys.executable, "-m", "kwant_curl", "--device", "molecule", "--out", "f.png"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
    )
    assert b"figure: f.png" in done.stdout
    assert (tmp_path / "f.png").exists()


@pytest.mark.parametrize("name", DEVICES)
def test_devices_conduct(name):
    device = DEVICES[name]()
    transmission = kwant.smatrix(device.syst, device.energy).transmission(1, 0)
    assert transmission > 0.5
    assert device.degeneracy == 2


def test_gold_chain_is_filled_to_its_fermi_wave_number():
    device = devices.gold_chain(20)
    modes = device.syst.leads[1].modes(device.energy)[0]
    k = np.abs(modes.momenta)
    np.testing.assert_allclose(k, 0.36 * np.pi)
    response = force_response(device.syst, device.coordinates, device.energy, degeneracy=2)
    np.testing.assert_allclose(response.force, 0, atol=1e-13)


def test_gold_follows_the_bond_length():
    wire = devices.nanowire()
    assert np.abs(wire.syst.hamiltonian_submatrix(sparse=True).data).max() == pytest.approx(
        3.88 * (2.5 / (4.08 / np.sqrt(2))) ** 4
    )
    neighbours = [len(wire.syst.graph.out_neighbors(i)) for i in range(len(wire.syst.sites))]
    assert max(neighbours) == 12
    molecule = devices.bent_molecule(n_atoms=4, angle=25)
    positions = np.array([site.pos for site in molecule.syst.sites])
    lengths = [np.linalg.norm(positions[i] - positions[j]) for i, j in molecule.syst.graph]
    np.testing.assert_allclose(lengths, 2.5)


def test_fermi_level_of_gold():
    """Band filling 0.36 of the fcc lattice, by counting states."""
    n = 60
    phases = 2 * np.pi * (np.arange(n) + 0.5) / n
    a, b, c = np.meshgrid(phases, phases, phases)
    band = sum(2 * np.cos(x) for x in (a, b, c, a - b, b - c, c - a))
    wire = devices.nanowire()
    hopping = -3.88 * (2.5 / (4.08 / np.sqrt(2))) ** 4
    filled = np.mean(hopping * band < wire.energy)
    assert filled == pytest.approx(0.36, abs=1e-3)


def test_masses():
    """M in hbar^2/(eV Angstrom^2): hbar omega^2... the carbon mass in SI."""
    mass = devices.graphene_constriction(width=30, neck=20, length=8).mass
    si = mass * constants.hbar**2 / (constants.electron_volt * constants.angstrom**2)
    assert si == pytest.approx(12.011 * constants.atomic_mass)


def test_hopping_of_the_point_contact():
    device = devices.point_contact(spacing=10.0)
    hopping = constants.hbar**2 / (2 * 0.067 * constants.electron_mass * (10e-9) ** 2)
    hopping_mev = hopping / (1e-3 * constants.electron_volt)
    h = device.syst.hamiltonian_submatrix(sparse=True).tocsr()
    h.setdiag(0)
    h.eliminate_zeros()
    np.testing.assert_allclose(h.data, -hopping_mev)


def test_atoms():
    atoms = devices.Atoms([(0, 0), (1.5, 0.5)], norbs=2)
    np.testing.assert_array_equal(atoms(1).pos, (1.5, 0.5))
    assert atoms == devices.Atoms([(0, 0), (1.5, 0.5)], norbs=2)
    assert atoms != devices.Atoms([(0, 0), (1.5, 0.6)], norbs=2)
    with pytest.raises(ValueError, match="atom 2 is not among the 2 positions"):
        atoms(2)


def test_version_list_and_unknown_options(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"kwant_curl {kwant_curl.__version__}\n"
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()] == list(DEVICES)
    assert main(["molecule", "--bais", "0.1"]) == 2
    assert "unknown option --bais 0.1; --help lists those" in capsys.readouterr().err


def test_the_result_is_saved(tmp_path, capsys):
    out = ["--out", str(tmp_path / "f.png")]
    assert main(["molecule", "--save", str(tmp_path / "r.npz"), *out]) == 0
    assert f"result: {tmp_path / 'r.npz'}" in capsys.readouterr().out
    made = devices.bent_molecule()
    alone = curl_map(made.syst, made.coordinates, made.energy, bias=made.bias, degeneracy=2)
    np.testing.assert_allclose(kwant_curl.load(tmp_path / "r.npz").curl, alone.curl)
    assert main(["molecule", "--save", str(tmp_path / "no" / "r.npz"), *out]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_kelvin_and_atomic_mass_units(run):
    units = ["--energy-unit", "eV", "--length-unit", "nm"]
    vibration = ["--energy", "2.5", "--power-law", "2", "--frequency", "0.1"]
    amu = run(BUILDER, *vibration, *units, "--amu", "12")
    mass = kwant_curl.Units.named("eV", "nm").mass(12.0)
    assert amu.out == run(BUILDER, *vibration, *units, "--mass", f"{mass!r}").out
    warm = run(BUILDER, *vibration, *units, "--amu", "12", "--kelvin", "30", "--rtol", "1e-3")
    assert f"kT {kwant_curl.Units.named('eV', 'nm').temperature(30.0):g} eV" in warm.out
    assert "--amu needs the units" in run(BUILDER, *vibration, "--amu", "12").err
    assert "not allowed with" in run(BUILDER, *vibration, *units, "--amu", "1", "--mass", "1").err
    both = run(BUILDER, *vibration, *units, "--kelvin", "3", "--temperature", "1", "--amu", "1")
    assert "not allowed with" in both.err


def test_a_function_that_returns_system_and_leads(run):
    """As in many scripts: attached already, or not."""
    text = """
import kwant

def make(attached=%s):
    lat = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[(lat(x, y) for x in range(6) for y in range(3) if (x, y) != (2, 0))] = 4
    builder[lat.neighbors()] = -1
    leads = []
    for direction in (-1, 1):
        lead = kwant.Builder(kwant.TranslationalSymmetry((direction, 0)))
        lead[(lat(0, y) for y in range(3))] = 4
        lead[lat.neighbors()] = -1
        leads.append(lead)
        if attached:
            builder.attach_lead(lead)
    return builder, leads
"""
    options = ["--energy", "2.5", "--power-law", "3"]
    alone = run(BUILDER, *options).out
    for attached in (True, False):
        assert run(text % attached, *options).out == alone
    wrong = run("from wires import wire\ndef make():\n    return wire(), 3\n", *options)
    assert "returned a system and int; expected a list of leads" in wrong.err


def test_a_threshold_says_what_it_takes_for_granted(tmp_path, capsys):
    """The tutorial's springs make it 0.395 eV."""
    assert main(["molecule", "--out", str(tmp_path / "f.png")]) == 0
    printed = capsys.readouterr().out
    assert "lowest threshold bias: 0.03091 eV" in printed
    assert "takes all vibrations to have one frequency" in printed


def test_the_page_of_all_atoms_together(tmp_path, capsys):
    """As `study` says it, by curl and friction; with the whole window where that is asked for."""
    out = ["--out", str(tmp_path / "f.png"), "--bias", "0.005"]
    assert main(["molecule", *out]) == 0
    printed = capsys.readouterr().out
    made = devices.bent_molecule()
    known = {"frequency": made.frequency, "mass": made.mass, "degeneracy": 2, "bias": 0.005}
    tensors = {"jacobian": False, "velocity": False, "window": False}
    where = made.syst, made.coordinates, made.energy
    found = kwant_curl.study(*where, **known, **tensors, units=made.units)
    assert str(found) in printed
    assert "of the whole window" not in printed
    assert main(["molecule", *out, "--window"]) == 0
    assert "of the whole window" in capsys.readouterr().out
    assert main(["gold-chain", *out]) == 0
    assert "is for 2 to 60 coordinates; here are 100." in capsys.readouterr().out


def test_notices_of_far_windows_name_the_option():
    text = "Check with the whole bias window: pass a function of the bias that calls "
    text += "force_response with linear=False."
    assert in_options(text) == "Check with the whole bias window, by --window."


def test_atoms_that_are_alike_have_one_row(tmp_path, capsys):
    """Mirror images in a wire: in pairs, or fours, with the same numbers on each."""
    assert main(["nanowire", "--out", str(tmp_path / "f.png")]) == 0
    table = capsys.readouterr().out.split("Where the curl is largest:")[1].split("\n\n")[0]
    rows = [row[24:] for row in table.splitlines()[3:]]
    assert len(set(rows)) == len(rows) == report.ROWS
    assert any("alike" in row for row in rows)
    columns = [
        report.Column("at", "", ["a", "b", "c"]),
        report.Column("curl", "", ["1", "2", "1"]),
    ]
    order = np.array([0, 1, 2])
    assert report._distinct(columns, order) == [["a", "1", "2 alike"], ["b", "2"]]


def test_figures_of_two_functions_in_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wires.py").write_text(WIRES)
    (tmp_path / "device.py").write_text(BUILDER + "\nother = make\n")
    for name in ("make", "other"):
        assert main([f"device.py:{name}", "--energy", "2.5", "--power-law", "2"]) == 0
        assert (tmp_path / f"kwant_curl_device_{name}.png").exists()
