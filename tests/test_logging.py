"""What the log says, and that nobody is told who didn't ask."""

import inspect
import logging
import re
import subprocess
import sys

import pytest
from systems import square_wire

import kwant_curl as kc
from kwant_curl.support.recorded import recorded
from kwant_curl.support.storage import Storable

MOVING = kc.Displacements(scaling=kc.PowerLaw(2))
PUBLIC = [getattr(kc, name) for name in kc.__all__ if inspect.isfunction(getattr(kc, name))]


def returns_a_result(function):
    kind = inspect.signature(function).return_annotation
    return isinstance(kind, type) and issubclass(kind, Storable)


def wire():
    return square_wire(length=6, width=4, disorder=0.8).finalized()


def said(caplog, level):
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def square(x):
    return 1 / x


def test_a_routine_of_one_energy(caplog):
    caplog.set_level(logging.DEBUG, "kwant_curl")
    kc.curl_map(wire(), MOVING, 1.5)
    (line,) = said(caplog, logging.INFO)
    assert re.fullmatch(r"curl_map: error 0, [\d.e-]+ s", line)
    assert not said(caplog, logging.WARNING)


def test_rounds_of_an_integral(caplog):
    """As many energies as are kept, each named once; the error falls below what is asked for."""
    caplog.set_level(logging.DEBUG, "kwant_curl")
    result = kc.force_response(wire(), MOVING, 1.5, bias=0.4, linear=False, rtol=1e-5)
    *rounds, last = said(caplog, logging.INFO)
    n_energies = len(result.spectrum.energies)
    assert last.startswith(f"force_response: {n_energies} energies, error {result.error:.3g}, ")
    found = [re.fullmatch(r"(\d+) energies: error (\S+), rtol 1e-05", line) for line in rounds]
    assert int(found[-1][1]) == n_energies
    assert [int(each[1]) for each in found] == sorted({int(each[1]) for each in found})
    assert float(found[-1][2]) <= 1e-5
    energies = [line for line in said(caplog, logging.DEBUG) if "open modes" in line]
    assert len(energies) == n_energies


def test_a_routine_that_raises(caplog):
    caplog.set_level(logging.INFO, "kwant_curl")
    with pytest.raises(ValueError, match="expected a finite number"):
        kc.curl_map(wire(), MOVING, float("nan"))
    (line,) = said(caplog, logging.INFO)
    assert re.match(r"curl_map: ValueError after [\d.e-]+ s: .*expected a finite number", line)


def test_points_of_a_sweep(caplog, tmp_path):
    caplog.set_level(logging.INFO, "kwant_curl")
    with pytest.raises(kc.SweepError):
        kc.sweep(square, [1, 0], store=tmp_path)
    assert kc.sweep(square, [1], store=tmp_path) == [1]
    assert said(caplog, logging.INFO) == [
        "sweep: 2 of 2 points to do",
        "sweep: point 0 is finished",
        "sweep: point 1: ZeroDivisionError: division by zero",
        "sweep: 0 of 1 points to do",
    ]


def test_all_routines_say_what_they_did():
    routines = {function.__name__: function for function in PUBLIC if returns_a_result(function)}
    assert {"curl_map", "study", "langevin", "force_plane"} < routines.keys()
    silent = [
        name
        for name, function in routines.items()
        if function.__code__.co_filename != recorded.__code__.co_filename
    ]
    assert not silent


def test_silent_by_itself():
    """Without a handler, even of a root logger that lets everything through."""
    code = (
        "import logging, kwant_curl as kc; logging.getLogger().setLevel(0); kc.sweep(abs, [1, 2]);"
        "logging.getLogger('kwant_curl').error('not shown')"
    )
    run = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
