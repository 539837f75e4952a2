"""Leads, atoms, threads and files of the command, and how it ends."""

import os
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from kwant_curl import Displacements, PowerLaw, curl_map, devices, load
from kwant_curl.__main__ import main
from kwant_curl.devices.command.values import signed
from kwant_curl.support.threads import available_threads, chosen_threads, for_small_matrices

THREE_LEADS = """
import kwant

def make(name="gold"):
    lat = kwant.lattice.square(norbs=1, name=name)
    builder = kwant.Builder()
    builder[(lat(x, y) for x in range(6) for y in range(4) if (x, y) != (2, 1))] = 4
    builder[lat.neighbors()] = -1
    ends = [((-1, 0), [(0, y) for y in range(4)]), ((1, 0), [(0, y) for y in range(4)])]
    for direction, places in [*ends, ((0, 1), [(2, 0), (3, 0)])]:
        lead = kwant.Builder(kwant.TranslationalSymmetry(direction))
        lead[(lat(*place) for place in places)] = 4
        lead[lat.neighbors()] = -1
        builder.attach_lead(lead)
    return builder

def boom():
    raise KeyboardInterrupt
"""

LAW = ["--energy", "2.5", "--power-law", "2"]


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "device.py").write_text(THREE_LEADS)
    return "device.py:make"


def system():
    namespace = {}
    exec(THREE_LEADS, namespace)
    return namespace["make"]().finalized()


def test_a_bias_per_lead(own, capsys):
    """Any number of leads; a lead that isn't named stays where it is."""
    assert main([*LAW, "--bias", "0=0.1", "2=-0.05", own, "--save", "r.npz"]) == 0
    assert "lead 0 at +0.1, lead 1 at +0, lead 2 at -0.05\n" in capsys.readouterr().out
    alone = curl_map(system(), Displacements(scaling=PowerLaw(2)), 2.5, bias={0: 0.1, 2: -0.05})
    found = load("r.npz")
    np.testing.assert_array_equal(found.bias, [0.1, 0, -0.05])
    np.testing.assert_allclose(found.curl, alone.curl)


def test_thresholds_are_differences_between_leads(tmp_path, capsys):
    """Whether they are given as one number or lead by lead."""
    printed = []
    for bias in (["0.2"], ["0=0.1", "1=-0.1"], ["-0.2"]):
        assert main(["molecule", "--bias", *bias, "--out", str(tmp_path / "f.png")]) == 0
        text = capsys.readouterr().out
        printed.append(next(row for row in text.splitlines() if row.startswith("lowest")))
    assert len(set(printed)) == 1
    assert "0.03091 eV" in printed[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bias", "0.1"], "takes two leads, at +V/2 and -V/2, but the system has 3; give a"),
        (["--bias", "0=0.1", "3=0"], "--bias names lead 3, but the system has leads 0 to 2."),
        (["--bias", "0=0.1", "0=0.2"], "argument --bias: lead 0 is given twice."),
        (["--bias", "left=0.1"], "'left=0.1' is no LEAD=V; give a number, or for instance"),
        (["--bias", "0="], "'0=' is no LEAD=V"),
        (["--bias", "0=a"], "argument --bias: 'a' is not a number"),
        (["--bias", "0=1", "1=1", "2=1"], "the bias is zero between all leads"),
        (["--bias"], "argument --bias: expected one argument"),
        (["--bias", "0=1", "--atoms", "3-1"], "argument --atoms: '3-1' ends before it begins"),
        (["--bias", "0=1", "--atoms", "1.5"], "'1.5' is no atom; give indices of sites"),
        (["--bias", "0=1", "--atoms", "-1"], "'-1' is no atom"),
        (["--bias", "0=1", "--atoms", "1,,2"], "'' is no atom"),
        (["--bias", "0=1", "--atoms", "99"], "--atoms names site 99; the sites are 0 to 22."),
        (["--bias", "0=1", "--atoms", "0-22"], "is on the interface of a lead and can't move"),
        (["--bias", "0=1", "--atoms", "iron"], "'iron'; those with a name are gold."),
        (["--bias", "0=1", "--threads", "0"], "argument --threads: 0 is given; it must be pos"),
        (["--bias", "0=1", "--csv", "no/t.csv"], "there is no folder no to write the table to"),
        (["--bias", "0=1", "--csv", "."], "can't write the table .: it is a folder"),
        (["--bias", "0=1", "--csv", "a", "--save", "a"], "result and table are both to go to a"),
    ],
)
def test_options_that_make_no_sense(own, capsys, options, message):
    assert main([own, *LAW, *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_which_atoms_move(own):
    """By index, as in a result's `sites`; of a family, those that can."""
    bias = ["--bias", "0=0.1"]
    assert main([own, *LAW, *bias, "--save", "all.npz"]) == 0
    assert main([own, *LAW, *bias, "--atoms", "gold", "--save", "gold.npz"]) == 0
    everything, gold = load("all.npz"), load("gold.npz")
    np.testing.assert_array_equal(gold.sites, everything.sites)
    first, *others = everything.sites[[1, 2, 3, 6]].tolist()
    some = f"{others[-1]},{first}-{first + 2}"
    assert main([own, *LAW, *bias, "--atoms", some, "--save", "some.npz"]) == 0
    found = load("some.npz")
    assert found.sites.tolist() == sorted({first, first + 1, first + 2, others[-1]})
    np.testing.assert_allclose(found.curl, everything.curl[np.isin(everything.sites, found.sites)])


def test_atoms_of_what_has_other_coordinates(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["gold-chain", "--atoms", "1"]) == 2
    assert "--atoms is for two and three dimensions" in capsys.readouterr().err
    (tmp_path / "device.py").write_text(
        "from dataclasses import replace\nfrom kwant_curl import devices\n"
        "class Own: pass\n"
        "def make():\n"
        "    return replace(devices.bent_molecule(), coordinates=Own())\n"
    )
    assert main(["device.py:make", "--atoms", "1"]) == 2
    assert "has Own as coordinates" in capsys.readouterr().err


def test_the_table_is_that_of_the_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["molecule", "--csv", "t.csv", "--save", "r.npz", "--bias", "0=0.2"]) == 0
    result, device = load("r.npz"), devices.bent_molecule()
    rates = result.pumping_rates(device.frequency, device.mass)
    table = np.genfromtxt("t.csv", delimiter=",", names=True)
    expected = {
        "site": result.sites,
        "x_angstrom": result.positions[:, 0],
        "y_angstrom": result.positions[:, 1],
        "force_x_eVangstrom": result.force[:, 0],
        "force_y_eVangstrom": result.force[:, 1],
        "curl_eVangstrom2": result.curl,
        "friction_xx_hbarangstrom2": result.friction[:, 0, 0],
        "friction_xy_hbarangstrom2": result.friction[:, 0, 1],
        "friction_yx_hbarangstrom2": result.friction[:, 1, 0],
        "friction_yy_hbarangstrom2": result.friction[:, 1, 1],
        "driving_eVhbar": rates.driving,
        "damping_eVhbar": rates.damping,
        "growth_eVhbar": rates.growth.max(axis=1),
        "threshold_eV": rates.threshold_bias,
    }
    assert table.dtype.names == tuple(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(table[name], values)
    head, *others = (tmp_path / "t.csv").read_text().splitlines()
    assert head.startswith("site,x [angstrom],y [angstrom],force_x [eV/angstrom],")
    comments = [row for row in others if row.startswith("# ")]
    assert others[: len(comments)] == comments
    for text in (
        f"# Fermi level: {float(device.energy)!r} eV",
        "# shift of lead 0: 0.2 eV",
        "# shift of lead 1: 0.0 eV",
        "# kT: 0.0 eV",
    ):
        assert text in comments


def test_the_table_for_pandas(own):
    pandas = pytest.importorskip("pandas")
    assert main([own, *LAW, "--bias", "0=1", "--csv", "t.csv", "--save", "r.npz"]) == 0
    table = pandas.read_csv("t.csv", comment="#")
    np.testing.assert_allclose(table["curl"], load("r.npz").curl, rtol=1e-15)


def test_tables_in_three_dimensions_and_of_waves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(
        main.__globals__["DEVICES"],
        "nanowire",
        partial(devices.nanowire, radius=4.5, neck=3.5, length=3.0),
    )
    assert main(["nanowire", "--csv", "t.csv", "--save", "r.npz"]) == 0
    table, result = np.genfromtxt("t.csv", delimiter=",", names=True), load("r.npz")
    for i, x in enumerate("xyz"):
        np.testing.assert_array_equal(table[f"curl_{x}_eVangstrom2"], result.curl[:, i])
    monkeypatch.setitem(
        main.__globals__["DEVICES"], "gold-chain", partial(devices.gold_chain, n_atoms=8)
    )
    assert main(["gold-chain", "--csv", "w.csv"]) == 0
    waves = np.genfromtxt("w.csv", delimiter=",", names=True)
    np.testing.assert_allclose(waves["qa_over_pi"], np.arange(1, 8) / 8)
    assert np.all(waves["growth_eVhbar"] > -waves["damping_eVhbar"])


@pytest.mark.parametrize("name", ["new.npz", "old.npz"])
def test_places_that_are_read_only_are_found_before_the_work(name, tmp_path, monkeypatch, capsys):
    (tmp_path / "old.npz").write_bytes(b"old")
    read_only = tmp_path if name == "new.npz" else tmp_path / name
    monkeypatch.setattr("os.access", lambda path, mode: path != read_only and mode == os.W_OK)
    monkeypatch.setattr("kwant_curl.__main__.report", lambda job: pytest.fail("work was done"))
    monkeypatch.chdir(tmp_path.parent)
    assert main(["molecule", "--save", str(tmp_path / name)]) == 2
    said = f"can't write the result {tmp_path / name}: no permission to write to {read_only}."
    assert said in capsys.readouterr().err


def test_figures_that_were_not_named_overwrite_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("", "_2", "_3"):
        assert main(["molecule"]) == 0
        assert f"figure: kwant_curl_molecule{name}.png" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.png"))) == 3
    before = (tmp_path / "kwant_curl_molecule.png").read_bytes()
    (tmp_path / "mine.png").write_bytes(b"old")
    assert main(["molecule", "--out", "mine.png", "--bias", "0.1"]) == 0
    assert (tmp_path / "mine.png").read_bytes() != b"old"
    assert (tmp_path / "kwant_curl_molecule.png").read_bytes() == before


@pytest.mark.parametrize("option", ["--csv", "--save", "--out"])
def test_files_that_cannot_be_written(option, own, capsys, monkeypatch):
    """/dev/full takes nothing."""
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    os.symlink("/dev/full", "full.png")
    assert main([own, *LAW, "--bias", "0=1", option, "full.png"]) == 2
    assert "can't write the" in capsys.readouterr().err


def test_threads(tmp_path, monkeypatch):
    """As many as are asked for, within the call alone."""
    seen = []

    def job(*arguments):
        with for_small_matrices(10):
            seen.append((available_threads(), max(one["num_threads"] for one in threadpool_info())))
        raise KeyboardInterrupt

    monkeypatch.setattr("kwant_curl.__main__.job", job)
    before = available_threads()
    for number in (1, 2):
        assert main(["molecule", "--threads", str(number), "--out", str(tmp_path / "f.png")]) == 130
    assert [one[0] for one in seen] == [1, 2]
    assert seen[0][1] == 1
    assert available_threads() == before
    with chosen_threads(None):
        assert available_threads() == before


def test_negative_numbers_and_leads_are_values():
    assert signed(["--energy", "-1e-3", "molecule"]) == ["--energy=-1e-3", "molecule"]
    assert signed(["--bias", "0=1", "1=-2", "f.py:make"]) == ["--bias=0=1,1=-2", "f.py:make"]
    assert signed(["--bias", "-.5", "--window"]) == ["--bias=-.5", "--window"]
    assert signed(["--bias", "--window"]) == ["--bias", "--window"]
    assert signed(["--bias=0=1", "1=2"]) == ["--bias=0=1,1=2"]
    assert signed(["--params", "a=1", "b=2"]) == ["--params", "a=1", "b=2"]


def test_interrupted(own, capsys):
    assert main(["device.py:boom", *LAW]) == 130
    assert capsys.readouterr().err == "interrupted.\n"


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no such pipes")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough(unbuffered, tmp_path):
    """No traceback; what is printed in one piece comes after the figure."""
    with subprocess.Popen(
        [sys.executable, "-m", "kwant_curl", "molecule", "--out", "f.png"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        error = process.stderr.read()
    assert error == b""
    assert process.returncode == 141
    assert (tmp_path / "f.png").exists() == (not unbuffered)


def test_warnings_of_ones_own_file_have_no_source_lines(own, capsys):
    with open("device.py", "a", encoding="utf-8") as file:
        file.write("\nimport warnings\n\ndef loud():\n")
        file.write("    for _ in range(2):\n        warnings.warn('Mind.', RuntimeWarning)\n")
        file.write("    return make()\n")
    assert main(["device.py:loud", *LAW, "--bias", "0=1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("warning: Mind.\n") == 1
    assert captured.err == ""
