"""Broken and hostile inputs, and that what runs them would notice."""

import faulthandler
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.hostile import runner
from tests.hostile.case import ACCEPTED, EITHER, LISTED, REFUSED, Case
from tests.hostile.programs import PROGRAMS


def run_hostile(*words):
    result = subprocess.run(
        [sys.executable, "-m", "tests.hostile", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_a_sample():
    assert "faults" in run_hostile("--every=60")


@pytest.mark.slow
def test_all():
    table = run_hostile()
    assert int(table.split("\nall")[1].split()[0]) > 1000


def refuse(_arguments):
    print("spinet-qsm: error: bad.nii: no good", file=sys.stderr)
    return 2


def with_canary(arguments):
    Path("canary").touch()
    return refuse(arguments)


def with_rest(arguments):
    Path("out/rest").touch()
    return refuse(arguments)


def with_temporary(arguments):
    Path("tmp/rest").touch()
    return refuse(arguments)


def with_child(arguments):
    subprocess.Popen(["sleep", "60"])
    return refuse(arguments)


def twice(arguments):
    refuse(arguments)
    return refuse(arguments)


def with_traceback(_arguments):
    raise ValueError("bad.nii")


def with_codes(_arguments):
    print("spinet-qsm: error: bad.nii: \x1b[31m", file=sys.stderr)
    return 2


def unnamed(_arguments):
    print("spinet-qsm: error: no good", file=sys.stderr)
    return 2


def without_reason(_arguments):
    print("spinet-qsm: error: bad.nii:", file=sys.stderr)
    return 2


def long(_arguments):
    print(f"spinet-qsm: error: bad.nii: {'x' * 5000}", file=sys.stderr)
    return 2


def crash(_arguments):
    faulthandler.disable()  # pytest's would tell of it
    os.kill(os.getpid(), signal.SIGSEGV)


def take_memory(_arguments):
    return len(bytearray(3 * 10**9))


def list_one(_arguments, end="1 of 3 scans failed:\n  bad.nii: no good"):
    Path("out/maps").mkdir()
    Path("out/maps/good.nii").touch()
    print("scan 2 of 3: bad.nii", file=sys.stderr)
    print(f"spinet-qsm: error: bad.nii: no good\n{end}", file=sys.stderr)
    return 1


def list_with_rest(arguments):
    Path("out/rest").touch()
    return list_one(arguments)


def list_without_the_others(arguments):
    code = list_one(arguments)
    Path("out/maps/good.nii").unlink()
    return code


def list_two(arguments):
    return list_one(arguments, "2 of 3 scans failed:\n  a: a\n  bad.nii: no good")


def list_another(arguments):
    return list_one(arguments, "1 of 3 scans failed:\n  other.nii: no good")


def list_with_codes(arguments):
    print("scan 1 of 3: \x1b[31m", file=sys.stderr)
    return list_one(arguments)


@pytest.fixture
def end_of(monkeypatch, tmp_path):
    """How a program ends, run as a case."""
    monkeypatch.setattr(runner, "SECONDS", 5)

    def run(program, expected=REFUSED):
        monkeypatch.setitem(PROGRAMS, "program", program)
        written = ("out/maps/good.nii",)
        case = Case(
            "kind", "name", lambda *_: ["program"], "bad.nii", expected, written
        )
        return runner.run_case(case, tmp_path)

    return run


pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        (with_canary, "code in the input was executed"),
        (with_rest, "left behind out/rest"),
        (with_temporary, "left behind tmp/rest"),
        (with_child, "a process was left running"),
        (twice, "not one line"),
        (with_traceback, "exit code 1: .*ValueError: bad.nii"),
        (with_codes, "not printable"),
        (unnamed, "does not name"),
        (without_reason, "gives no reason"),
        (long, "a line of 5029 characters"),
        (crash, "killed by SIGSEGV"),
        (take_memory, "exit code 1: .*MemoryError"),
        (lambda _: 0, "was accepted"),
    ],
)
def test_a_fault_is_noticed(end_of, program, fault):
    (found,), _ = end_of(program)
    assert re.match(fault, found, re.DOTALL), found


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        (list_with_rest, "left behind out/rest"),
        (list_without_the_others, "did not write out/maps/good.nii"),
        (list_two, "does not end with one scan of three that failed"),
        (list_another, "not told once before the end"),
        (list_with_codes, "not printable, or long: 'scan 1 of 3: "),
        (lambda _: 0, "was accepted"),
        (refuse, "was refused"),
    ],
)
def test_a_fault_of_a_list_is_noticed(end_of, program, fault):
    (found,), _ = end_of(program, LISTED)
    assert found.startswith(fault)


def test_what_is_too_slow_is_ended(end_of, monkeypatch):
    monkeypatch.setattr(runner, "SECONDS", 0.2)
    faults, outcome = end_of(lambda _: time.sleep(60))
    assert faults == ["took longer than 0.2 s"]
    assert outcome.seconds < 10


def test_what_is_as_it_should_be_is_no_fault(end_of):
    for expected in (REFUSED, EITHER):
        assert end_of(refuse, expected)[0] == []
    for expected in (ACCEPTED, EITHER):
        assert end_of(lambda _: 0, expected)[0] == []
    assert end_of(list_one, LISTED)[0] == []
    assert len(end_of(refuse, ACCEPTED)[0]) == 1
