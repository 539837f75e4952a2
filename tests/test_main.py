"""The main job and the devices."""

import kwant
import numpy as np
import pytest
from scipy import constants

from kwant_curl import curl_map, devices, force_response
from kwant_curl.__main__ import DEVICES, main


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
        device.syst, device.coordinates, device.energy, bias=device.bias, degeneracy=2
    )
    assert f"{np.abs(result.curl).max():.4g}" in table
    rates = result.pumping_rates(device.frequency, device.mass)
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
    for words in (*DEVICES, "--energy", "--bias", "--output"):
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
