"""Sweeps and integrals on many workers, dying ones among them."""

import io
import os
import pickle
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from types import SimpleNamespace

import numpy as np
import pytest
from systems import square_wire
from threadpoolctl import threadpool_info, threadpool_limits

import kwant_curl as kc
from kwant_curl.algebra import compiled
from kwant_curl.support.parallel import mapped
from kwant_curl.support.progress import PATIENCE, bar

MOVING = kc.Displacements(scaling=kc.PowerLaw(2))


def wire():
    return square_wire(length=6, width=4, disorder=0.8).finalized()


def square(x):
    return x * x


def curl_at(energy, bias=1.0):
    return kc.curl_map(wire(), MOVING, energy, bias=bias)


def not_three(x):
    if x == 3:
        raise ZeroDivisionError("three it is")
    return x


def dies_at_three(x):
    if x == 3:
        time.sleep(1.0)  # others end before
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def threads_here(_):
    return compiled.available_threads()


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        yield executor


def test_sweep_here():
    assert kc.sweep(square, range(5)) == [0, 1, 4, 9, 16]
    assert kc.sweep(square, []) == []
    maps = kc.sweep(curl_at, [{"energy": 1.0}, {"energy": 1.2, "bias": 0.3}])
    np.testing.assert_array_equal(maps[1].bias, [0.15, -0.15])
    assert [result.energy for result in maps] == [1.0, 1.2]


def test_sweep_in_processes(pool):
    points = [{"energy": 1.0 + 0.1 * i, "bias": 0.2 * i} for i in range(1, 5)]
    for one, other in zip(
        kc.sweep(curl_at, points, executor=pool), kc.sweep(curl_at, points), strict=True
    ):
        np.testing.assert_allclose(one.curl, other.curl, atol=1e-12)
        assert not one.curl.flags.writeable


@pytest.mark.parametrize("kind", ["here", "processes", "threads", "map alone"])
def test_a_point_that_raises(pool, kind):
    with ThreadPoolExecutor(2) as threads:
        executor = {
            "here": None,
            "processes": pool,
            "threads": threads,
            "map alone": SimpleNamespace(map=map),
        }[kind]
        with pytest.raises(kc.SweepError, match=r"Point 2 of the sweep, 3, failed: ZeroDivis") as e:
            kc.sweep(not_three, [1, 2, 3, 4, 5], executor=executor)
    assert e.value.point == 3
    assert e.value.results == {0: 1, 1: 2, 3: 4, 4: 5}
    assert list(e.value.failures) == [2]
    assert isinstance(e.value.__cause__, ZeroDivisionError)


class AwkwardError(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = b


def awkward(x):
    if x == 1:
        raise AwkwardError("no way", 2)
    return x


def test_an_exception_that_cannot_travel(pool):
    with pytest.raises(
        kc.SweepError, match="Point 1 of the sweep, 1, failed: RuntimeError: Awk"
    ) as e:
        kc.sweep(awkward, range(3), executor=pool)
    assert e.value.results == {0: 0, 2: 2}
    again = pickle.loads(pickle.dumps(e.value))
    assert (again.point, again.results, str(again)) == (1, e.value.results, str(e.value))


def test_a_process_that_dies():
    """What is finished by then is kept; a pool of processes ends with its first dead worker."""
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        list(executor.map(square, range(4)))
        with pytest.raises(kc.SweepError, match="Point 2 of the sweep, 3, failed") as e:
            kc.sweep(dies_at_three, [1, 2, 3, 4, 5, 6], executor=executor)
    assert e.value.results == {0: 1, 1: 2, 3: 4, 4: 5, 5: 6}


def test_a_map_that_breaks():
    def broken(function, items):
        for item in items:
            if item == 3:
                raise OSError("connection lost")
            yield function(item)

    with pytest.raises(kc.SweepError, match="connection lost") as e:
        kc.sweep(square, [1, 2, 3, 4], executor=SimpleNamespace(map=broken))
    assert e.value.results == {0: 1, 1: 4}
    assert list(e.value.failures) == [2, 3]


def test_energies_of_an_integral(pool):
    syst = wire()
    options = {"bias": 0.4, "linear": False, "rtol": 1e-6}
    for routine in (
        partial(kc.curl_map, syst, MOVING, 1.5),
        partial(kc.force_response, syst, MOVING, 1.5),
        partial(kc.flow_map, syst, 1.5),
    ):
        one, other = routine(**options), routine(executor=pool, **options)
        for name in ("lead_force", "lead_curl", "lead_current", "lead_density"):
            if hasattr(one, name):
                np.testing.assert_allclose(
                    getattr(one, name), getattr(other, name), rtol=0, atol=1e-10
                )


def test_an_energy_that_fails_is_named(pool):
    """As the energies of an integral are mapped."""
    for executor in (None, pool):
        with pytest.raises(ZeroDivisionError) as e:
            list(mapped(not_three, [1.5, 3, 4.5], executor))
        assert e.value.__notes__ == ["kwant_curl was at 3."]


def test_workers_leave_the_cores_to_each_other(pool, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with ThreadPoolExecutor(1) as threads:
        assert kc.sweep(threads_here, [0], executor=threads) == [1]
    assert compiled.available_threads() >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with ThreadPoolExecutor(1) as threads:
        assert kc.sweep(threads_here, [0], executor=threads) == [3]


def blas_threads(_):
    time.sleep(0.05)
    return max(pool["num_threads"] for pool in threadpool_info())


def allow_two_threads():
    threadpool_limits(2)


def test_limits_of_other_libraries(monkeypatch):
    """One thread in worker processes; in the caller's process they stay what they were."""
    expected = int(os.environ.get("OMP_NUM_THREADS", 1))  # as the worker has it
    with ProcessPoolExecutor(1, get_context("spawn"), allow_two_threads) as worker:
        assert kc.sweep(blas_threads, [0, 1], executor=worker) == [expected] * 2
        assert list(worker.map(blas_threads, [0])) == [2]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with threadpool_limits(2), ThreadPoolExecutor(3) as threads:
        assert set(kc.sweep(blas_threads, range(6), executor=threads)) == {2}


def test_a_solver_is_not_shared_among_threads():
    with ThreadPoolExecutor(4) as threads:
        options = {"bias": 0.4, "linear": False, "rtol": 1e-5}
        one, other = (
            kc.curl_map(wire(), MOVING, 1.5, executor=executor, solver=solver, **options)
            for executor, solver in ((threads, kc.direct_solver()), (None, None))
        )
    np.testing.assert_allclose(one.curl, other.curl, atol=1e-10)


def test_progress(capsys):
    kc.sweep(square, range(3), progress=True)
    assert "3/3" in capsys.readouterr().err
    kc.curl_map(wire(), MOVING, 1.5, bias=0.1, linear=False, rtol=1e-2, progress=True)
    assert "energies" in capsys.readouterr().err
    kc.sweep(square, range(3))
    assert not capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bars_by_themselves(monkeypatch):
    """After two seconds, where somebody sees them; always or never if asked."""

    def written(progress, file, patience):
        monkeypatch.setattr("sys.stderr", file)
        monkeypatch.setattr("kwant_curl.support.progress.PATIENCE", patience)
        with bar(progress, " things", 3) as shown:
            for _ in range(3):
                time.sleep(0.15)
                shown.update()
        return file.getvalue()

    assert PATIENCE == 2.0
    assert "things" in written(None, Terminal(), 0.1)
    assert not written(None, Terminal(), 60.0)
    assert not written(None, io.StringIO(), 0.1)
    assert "3/3" in written(True, io.StringIO(), 60.0)
    assert not written(False, Terminal(), 0.1)
    with pytest.raises(TypeError, match="progress is 'yes'; expected True, False or None"):
        kc.sweep(square, [1], progress="yes")
    with pytest.raises(TypeError, match="progress is 'yes'; expected True, False or None"):
        kc.curl_map(wire(), MOVING, 1.5, progress="yes")  # of one energy, without a bar


def test_no_executor():
    with pytest.raises(TypeError, match="expected something with the map"):
        kc.sweep(square, [1], executor="processes")
    with pytest.raises(TypeError, match="expected something with the map"):
        kc.sweep(square, [1], executor=ThreadPoolExecutor)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
        ) as local,
        distributed.Client(local) as client,
    ):
        # Workers import this module and those beside it.
        path = os.path.dirname(__file__)
        client.run(lambda: sys.path.insert(0, path))
        yield client


def test_dask(cluster):
    points = [{"energy": 1.0 + 0.1 * i} for i in range(4)]
    executor = cluster.get_executor()
    for one, other in zip(
        kc.sweep(curl_at, points, executor=executor), kc.sweep(curl_at, points), strict=True
    ):
        np.testing.assert_allclose(one.curl, other.curl, atol=1e-12)
    with pytest.raises(kc.SweepError, match="Point 2 of the sweep, 3") as e:
        kc.sweep(not_three, [1, 2, 3, 4], executor=executor)
    assert e.value.results == {0: 1, 1: 2, 3: 4}
    one, other = (
        kc.curl_map(wire(), MOVING, 1.5, bias=0.4, linear=False, rtol=1e-5, executor=executor)
        for executor in (cluster.get_executor(), None)
    )
    np.testing.assert_allclose(one.curl, other.curl, atol=1e-10)


def slow_square(x):
    time.sleep(0.2)
    return x * x


def test_a_dask_worker_that_is_killed(cluster):
    """Its points go to the others, and none is lost."""
    victim = next(iter(cluster.run(os.getpid).values()))
    timer = threading.Timer(1.0, os.kill, (victim, signal.SIGKILL))
    timer.start()
    results = kc.sweep(slow_square, range(20), executor=cluster.get_executor())
    timer.join()
    assert results == [x * x for x in range(20)]
