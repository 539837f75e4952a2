"""Sweeps that go on: finished points in a folder, through kills, failures, damage."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from systems import square_wire

import kwant_curl as kc
from kwant_curl.support.values import read_value, write_value

SCRIPT = """
import os, sys, time
import kwant_curl as kc

def slow(x, log):
    with open(log, "a") as file:
        file.write(f"{x}\\n")
    if x == 3 and not os.path.exists(log + ".again"):
        time.sleep(60)  # until it is killed
    return {"square": x * x}

if __name__ == "__main__":
    print(kc.sweep(slow, [{"x": x, "log": sys.argv[1]} for x in range(6)], store=sys.argv[2]))
"""


def wire():
    return square_wire(length=6, width=4, disorder=0.8).finalized()


def called(log):
    return [int(line) for line in Path(log).read_text().split()]


def square(x, log):
    with open(log, "a") as file:
        file.write(f"{x}\n")
    return x * x


def cube(x, log):
    return x**3


def not_three(x, log):
    if x == 3 and not Path(log).exists():
        raise ZeroDivisionError("three it is")
    return x


def plain(x):
    return x


def anything(kind):
    return {"an object": object(), "a set": {1, 2}, "objects": np.array([None])}.get(kind, kind)


def curls(energy):
    result = kc.curl_map(wire(), kc.Displacements(scaling=kc.PowerLaw(2)), energy)
    return {"map": result, "all": (result.curl, float(result.energy), None, 2j)}


def one_map(energy):
    return curls(energy)["map"]


def points_of(log, values):
    return [{"x": x, "log": str(log)} for x in values]


def test_a_sweep_that_is_killed_goes_on(tmp_path):
    """It is killed in its fourth point, and then calculates this one and what follows."""
    script, log, store = tmp_path / "script.py", tmp_path / "log", tmp_path / "store"
    script.write_text(SCRIPT)
    command = [sys.executable, script, log, store]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        end = time.monotonic() + 60
        while not (log.exists() and called(log)[-1:] == [3]) and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert called(log) == [0, 1, 2, 3]
    Path(f"{log}.again").touch()
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout.strip() == str([{"square": x * x} for x in range(6)])
    assert called(log) == [0, 1, 2, 3, 3, 4, 5]


@pytest.mark.parametrize("kind", ["here", "threads", "map alone"])
def test_finished_points_are_not_calculated_again(tmp_path, kind):
    log, store = tmp_path / "log", tmp_path / "deep" / "store"
    with ThreadPoolExecutor(2) as threads:
        executor = {"here": None, "threads": threads, "map alone": SimpleNamespace(map=map)}[kind]
        for n, calls in ((3, 3), (3, 3), (5, 5), (2, 5)):
            found = kc.sweep(square, points_of(log, range(n)), executor=executor, store=store)
            assert found == [x * x for x in range(n)]
            assert sorted(called(log)) == list(range(calls))


def test_a_point_that_fails_leaves_the_others(tmp_path, capsys):
    log, store = tmp_path / "log", tmp_path / "store"
    points = points_of(log, range(5))
    with pytest.raises(kc.SweepError, match="Point 3 of the sweep") as e:
        kc.sweep(not_three, points, store=store)
    assert e.value.results == {0: 0, 1: 1, 2: 2, 4: 4}
    with pytest.raises(kc.SweepError, match="Point 3 of the sweep") as e:  # those of before too
        kc.sweep(not_three, points, store=store)
    assert e.value.results == {0: 0, 1: 1, 2: 2, 4: 4}
    log.touch()
    assert kc.sweep(not_three, points, store=store, progress=True) == [0, 1, 2, 3, 4]
    assert "1/1" in capsys.readouterr().err  # of what was left


def test_results_come_back(tmp_path):
    points = [1.0, 1.2]
    first, again = (kc.sweep(curls, points, store=tmp_path / "store") for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert type(other["map"]) is kc.CurlMap
        np.testing.assert_array_equal(one["map"].lead_curl, other["map"].lead_curl)
        np.testing.assert_array_equal(one["all"][0], other["all"][0])
        assert one["all"][1:] == other["all"][1:]
        assert type(other["all"]) is tuple
    kc.sweep(one_map, points, store=tmp_path / "maps")
    (file, _) = sorted((tmp_path / "maps").glob("*.npz"))
    assert kc.load(file).energy == 1.0


@pytest.mark.parametrize(
    "value",
    [
        None,
        [True, 1, 1.5, "text", 1 - 2j, float("inf")],
        {"a": (1, [2]), "!array": 0, "b": {}},
        {0: 1.5, (1, 2): "pair", None: []},
        np.float64(0.1),
        np.int64(3),
        np.bool_(False),
        [],
    ],
    ids=repr,
)
def test_plain_values(tmp_path, value):
    write_value(tmp_path / "file", value)
    found = read_value(tmp_path / "file")
    assert found == value
    assert type(found) is type(value)


def test_arrays_in_values(tmp_path):
    value = {"a": [np.arange(3), np.array(2j)], "b": np.array([["x"]]), "0": np.zeros((0, 2))}
    write_value(tmp_path / "file", value)
    found = read_value(tmp_path / "file")
    assert list(found) == list(value)
    for one, other in [*zip(value["a"], found["a"], strict=True), (value["b"], found["b"])]:
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    assert found["0"].shape == (0, 2)


@pytest.mark.parametrize("how", ["cut", "empty", "text", "flipped"])
def test_a_damaged_file_is_calculated_anew(tmp_path, how):
    log, store = tmp_path / "log", tmp_path / "store"
    points = points_of(log, range(3))
    kc.sweep(square, points, store=store)
    file = sorted(store.glob("*.npz"))[1]
    whole = file.read_bytes()
    turned = bytearray(whole)
    turned[len(whole) // 3] ^= 255
    file.write_bytes({"cut": whole[:-40], "empty": b"", "text": b"{}", "flipped": turned}[how])
    with pytest.warns(RuntimeWarning, match="Point 1 of the sweep is calculated anew") as said:
        assert kc.sweep(square, points, store=store) == [0, 1, 4]
    assert len(said) == 1
    assert said[0].filename == __file__
    assert called(log) == [0, 1, 2, 1]
    assert kc.sweep(square, points, store=store) == [0, 1, 4]


def test_the_folder_of_another_sweep(tmp_path):
    store, log = tmp_path / "store", tmp_path / "log"
    points = points_of(log, range(3))
    kc.sweep(square, points, store=store)
    with pytest.raises(
        ValueError, match=r"another sweep: its function is .*square.*cube.* Take an"
    ):
        kc.sweep(cube, points, store=store)
    with pytest.raises(ValueError, match=r"its point 1 is .*\"x\": 1.*of this sweep .*\"x\": 7"):
        kc.sweep(square, points_of(log, [0, 7, 2]), store=store)
    with pytest.raises(ValueError, match=r"its point 1 is .*: 1.*\"x\": 1\.0"):
        kc.sweep(square, points_of(log, [0, 1.0]), store=store)
    index = store / "sweep.json"
    asked = json.loads(index.read_text())
    assert asked["kwant_curl"] == kc.__version__
    index.write_text(json.dumps(asked | {"kwant_curl": "0.0.1"}))
    with pytest.raises(ValueError, match=r"version of kwant_curl is '0.0.1', that of this"):
        kc.sweep(square, points, store=store)
    index.write_text("[1]")
    with pytest.raises(ValueError, match="no index of a sweep, or is damaged"):
        kc.sweep(square, points, store=store)
    with pytest.raises(NotADirectoryError, match="a file; expected a folder"):
        kc.sweep(square, points, store=index)


def test_points_that_are_not_known_again(tmp_path):
    with pytest.raises(TypeError, match=r"Point 1 of the sweep holds a CurlMap.*make the rest"):
        kc.sweep(plain, [1, {"x": [one_map(1.0)]}], store=tmp_path)
    with pytest.raises(TypeError, match="Point 0 of the sweep holds a ndarray"):
        kc.sweep(plain, [np.array([None])], store=tmp_path)
    assert not list(tmp_path.iterdir())


def test_arrays_as_points(tmp_path):
    one, other = np.arange(4.0), np.arange(4.0)[::-1]
    for _ in range(2):
        kc.sweep(plain, [one, other, {"x": {1: 0.5, 0: -0.5}}], store=tmp_path)
    kc.sweep(plain, [np.array(one), other, {"x": {0: -0.5, 1: 0.5}}], store=tmp_path)  # order aside
    with pytest.raises(ValueError, match="its point 1 is"):
        kc.sweep(plain, [one, one], store=tmp_path)


def test_numbers_of_numpy_as_points(tmp_path):
    kc.sweep(plain, [0.5, 3, True], store=tmp_path)
    kc.sweep(plain, [np.float64(0.5), np.int64(3), np.bool_(True)], store=tmp_path)
    with pytest.raises(ValueError, match=r"its point 1 is 3, that of this sweep 3\.0"):
        kc.sweep(plain, np.array([0.5, 3]), store=tmp_path)


def test_functions_that_are_not_known_again(tmp_path):
    def inner(x):
        return x

    for function in (lambda x: x, inner, "text".join, partial(inner, 1), np.vectorize(plain)):
        with pytest.raises(TypeError, match="it must be a def of a module or script"):
            kc.sweep(function, [1], store=tmp_path)
    with pytest.raises(TypeError, match="The partial function of the sweep holds a object"):
        kc.sweep(partial(plain, object()), [1], store=tmp_path)
    assert kc.sweep(partial(square, log=str(tmp_path / "log")), [2], store=tmp_path) == [4]
    with pytest.raises(ValueError, match="its function is"):
        kc.sweep(partial(square, log="other"), [2], store=tmp_path)


@pytest.mark.parametrize("kind", ["an object", "a set", "objects"])
def test_results_without_a_file(tmp_path, kind):
    """They are refused when the first comes, and what is there stays."""
    with pytest.raises(TypeError, match=r"which a store has no file for; expected results of"):
        kc.sweep(anything, ["text", kind, "more"], store=tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npz"]


def test_two_processes_in_one_folder(tmp_path):
    """Both calculate, and what is there in the end is whole."""
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(SCRIPT)
    Path(f"{log}.again").touch()
    command = [sys.executable, script, log, tmp_path / "store"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    expected = str([{"square": x * x} for x in range(6)])
    assert [process.communicate()[0].strip() for process in both] == [expected] * 2
    assert [process.returncode for process in both] == [0, 0]
    names = sorted(os.listdir(tmp_path / "store"))
    assert [name[:7] for name in names] == [f"{i:06d}-" for i in range(6)] + ["sweep.j"]


OF_A_CLIENT = """
import os, sys, time
from distributed import Client
import kwant_curl as kc

def slow(x, folder):
    with open(os.path.join(folder, f"called_{x}"), "a") as file:
        file.write(f"{os.getpid()} ")
    time.sleep(0.3)
    return x * x

if __name__ == "__main__":
    address, folder, store = sys.argv[1:]
    with Client(address) as client:
        points = [{"x": x, "folder": folder} for x in range(30)]
        print(kc.sweep(slow, points, executor=client.get_executor(), store=store))
"""


def wait_for(condition):
    end = time.monotonic() + 120
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


@pytest.mark.heavy
def test_dask_workers_and_their_client_are_killed(tmp_path):
    """First a worker, then the client; the second client finds what the first one had stored."""
    distributed = pytest.importorskip("distributed")
    script, store = tmp_path / "script.py", tmp_path / "store"
    script.write_text(OF_A_CLIENT)
    options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with (
        distributed.LocalCluster(n_workers=2, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        command = [sys.executable, script, cluster.scheduler_address, tmp_path, store]

        def stored():
            return {int(path.name[:6]) for path in store.glob("*.npz")}

        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            wait_for(lambda: len(stored()) >= 4)
            victims = client.run(os.getpid)
            os.kill(next(iter(victims.values())), signal.SIGKILL)
            at_the_first = len(stored())
            wait_for(lambda: len(stored()) >= at_the_first + 4)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        there = stored()
        assert 8 <= len(there) < 30
        before = {x: (tmp_path / f"called_{x}").read_text() for x in there}
        again = subprocess.run(command, capture_output=True, text=True, check=True)
        assert again.stdout.strip() == str([x * x for x in range(30)])
        assert stored() == set(range(30))
        assert before == {x: (tmp_path / f"called_{x}").read_text() for x in there}


def modulus(x):
    return abs(x)


def test_complex_points_of_numpy(tmp_path):
    points = [np.complex128(1 + 2j), 3 - 1j]
    again = [kc.sweep(modulus, points, store=tmp_path / "store") for _ in range(2)]
    assert again[0] == again[1] == [np.sqrt(5), np.sqrt(10)]
