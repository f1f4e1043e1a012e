"""Runs a case in a fork of this process, with limits, and judges how it ended."""

import atexit
import contextlib
import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.hostile.case import ACCEPTED, EITHER, LISTED, REFUSED
from tests.hostile.programs import run_program

SECONDS = 20
MEMORY = 2 * 10**9
"""Address space beyond what the warm process has, bytes."""
DISK = 2**28
LONGEST_LINE = 1000
CANARY = "canary"
"""File in a case's folder that hostile code is to make."""


class Outcome(NamedTuple):
    """How a case ended.

    Attributes:
        exit_code: int, negative for a signal; None when it took too long.
        err: str, standard error.
        left: names of the files that were not there before.
        orphans: whether a process was left running.
        peak_bytes: int, resident memory at most, that of the warm process too.
        seconds: float.
    """

    exit_code: int | None
    err: str
    left: list[str]
    orphans: bool
    peak_bytes: int
    seconds: float


def run_case(case, scan):
    """Run a case.

    Args:
        case: `Case`.
        scan: `Path` of the folder of the good scan.

    Returns:
        list of faults, empty if it ended as it should, and the `Outcome`.
    """
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        for name in ("out", "tmp"):
            (folder / name).mkdir()
        words = case.make(folder, scan)
        outcome = _run(words, folder)
    finally:
        shutil.rmtree(folder)
    return judge(case, outcome), outcome


def judge(case, outcome):
    """The faults of an outcome, a list of str."""
    faults = []
    code, err = outcome.exit_code, outcome.err
    if code is None:
        faults.append(f"took longer than {SECONDS} s")
    elif code < 0:
        faults.append(f"killed by {signal.Signals(-code).name}")
    elif code not in (0, 1 if case.expected == LISTED else 0, 2):
        faults.append(f"exit code {code}: {err[-300:]!r}")
    if CANARY in outcome.left:
        faults.append("code in the input was executed")
    if outcome.orphans:
        faults.append("a process was left running")
    faults += _faults_of_files(case, outcome)
    if code == 0 and case.expected in (REFUSED, LISTED):
        faults.append("was accepted")
    if code == 2 and case.expected in (ACCEPTED, LISTED):
        faults.append(f"was refused: {err[-300:]!r}")
    if code == 2:
        faults += _faults_of_line(err, case.named)
    if listed(case, outcome):
        faults += _faults_of_list(err, case.named)
    return faults


def listed(case, outcome):
    """Whether the case ended with a list of scans that failed."""
    return outcome.exit_code == 1 and case.expected == LISTED


def accepted(case, outcome):
    """Whether the case ended without an error, as it was allowed to."""
    return outcome.exit_code == 0 and case.expected in (ACCEPTED, EITHER)


def _faults_of_files(case, outcome):
    if outcome.exit_code == 0:
        return []
    left, written = set(outcome.left) - {CANARY}, set()
    if listed(case, outcome):
        written = set(case.written)
        folders = {str(folder) for name in written for folder in Path(name).parents}
        left -= folders - written
    faults = []
    if left - written:
        faults.append(f"left behind {', '.join(sorted(left - written))}")
    if written - left:
        faults.append(f"did not write {', '.join(sorted(written - left))}")
    return faults


def _faults_of_list(err, named):
    """Those of what is printed when some of several scans failed."""
    *told, last = err.splitlines() or [""]
    if not told or told[-1] != "1 of 3 scans failed:" or not last.startswith("  "):
        return [f"does not end with one scan of three that failed: {err[-500:]!r}"]
    error = f"spinet-qsm: error: {last.strip()}"
    if told.count(error) != 1:
        return [f"not told once before the end: {err[-500:]!r}"]
    return _faults_of_line(f"{error}\n", named) + [
        f"not printable, or long: {line[:200]!r}"
        for line in told
        if not line.isprintable() or len(line) > LONGEST_LINE
    ]


def _faults_of_line(err, named):
    if err.count("\n") != 1 or not re.match(r"[\w.-]+( [a-z]+)?: error: ", err):
        return [f"not one line of error: {err[-500:]!r}"]
    faults = []
    if err.rstrip().endswith(":"):
        faults.append(f"gives no reason: {err!r}")
    if named not in err:
        faults.append(f"does not name {named!r}: {err!r}")
    if not err.rstrip("\n").isprintable():
        faults.append(f"not printable: {err!r}")
    if len(err) > LONGEST_LINE:
        faults.append(f"a line of {len(err)} characters: {err[:200]!r}")
    return faults


def _run(words, folder):
    before = _listing(folder)
    # In a place of its own: the folder is to hold what the case leaves there only.
    with tempfile.TemporaryFile() as err:
        start = time.monotonic()
        sys.stdout.flush()
        process = os.fork()
        if process == 0:
            _become(words, folder, err.fileno())
        exit_code, peak_bytes = _wait(process)
        seconds = time.monotonic() - start
        orphans = _kill_group(process)
        err.seek(0)
        text = err.read(10**6).decode(errors="replace")
    left = sorted(_listing(folder) - before)
    return Outcome(exit_code, text, left, orphans, peak_bytes, seconds)


def _listing(folder):
    names = set()
    for where, folders, files in os.walk(folder):
        names |= {
            os.path.relpath(os.path.join(where, name), folder)
            for name in folders + files
        }
    return names


def _wait(process):
    """Exit code or None, and peak of the resident memory in bytes."""
    handle = os.pidfd_open(process)
    try:
        ended, _, _ = select.select([handle], [], [], SECONDS)
    finally:
        os.close(handle)
    if not ended:
        os.kill(process, signal.SIGKILL)
    _, status, usage = os.wait4(process, 0)
    code = os.waitstatus_to_exitcode(status) if ended else None
    return code, usage.ru_maxrss * 1024


def _kill_group(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _become(words, folder, err):
    """Be the program; never returns."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.environ["TMPDIR"] = str(folder / "tmp")
        tempfile.tempdir = None
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.dup2(err, 2)
        # pytest may have put its own in their place.
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace")
        _limit()
        # The handlers of the warm process are not for its forks.
        atexit._clear()
        code = run_program(words)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _limit():
    space = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, DISK))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
