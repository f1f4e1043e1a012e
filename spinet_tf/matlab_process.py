"""The process that reads MATLAB files, started for the first and kept for the next."""

import atexit
import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spinet_tf.available_memory import check_fits_in_memory
from spinet_tf.errors import InputError

PROGRAM = Path(__file__).with_name("matlab_program.py")


class MatlabFile:
    """A file that the process has opened.

    Attributes:
        variables: dict of name to shape and MATLAB class.
    """

    def __init__(self, path, process: subprocess.Popen):
        self._path, self._process = path, process
        found = self._ask({"path": os.path.abspath(path)})["variables"]
        self.variables = {name: (tuple(s), kind) for name, (s, kind) in found.items()}

    def read(self, name: str) -> np.ndarray:
        """The array of a variable."""
        answer = self._ask({"name": name})
        dtype, shape = np.dtype(answer["type"]), answer["shape"]
        task = f"{self._path}: reading it"
        check_fits_in_memory(dtype.itemsize * math.prod(shape), task)
        array = np.empty(shape, dtype, order="F")
        # An array without numbers has no memory to view.
        view = memoryview(array.T if array.size else bytearray()).cast("B")
        if self._process.stdout.readinto(view) != len(view):
            raise self._died()
        return array

    def _ask(self, request: dict) -> dict:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._died()
        answer = json.loads(line)
        if "error" in answer:
            raise self._refused(answer["error"])
        return answer

    def _died(self) -> InputError:
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return self._refused("it takes too long for its size")
        return self._refused(f"the reader crashed, exit code {code}")

    def _refused(self, reason: str) -> InputError:
        reason = " ".join(reason.split())
        return InputError(f"{self._path}: cannot be read as a MATLAB file: {reason}")


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[MatlabFile]:
    """A MATLAB file, open while the block lasts.

    Args:
        path: .mat file of any version.

    Yields:
        The file; one at a time, in whatever thread.

    Raises:
        InputError: if the file is damaged or not a MATLAB file.
    """
    with _LOCK:
        try:
            yield MatlabFile(path, _running())
        except BaseException:
            # Whatever state it is in: the next file finds a new one.
            _stop()
            raise


_LOCK = threading.Lock()
_processes: dict[int, subprocess.Popen] = {}
"""That of this process, by its number: a fork is to start one of its own."""


def _running() -> subprocess.Popen:
    process = _processes.get(os.getpid())
    if process is None:
        process = _processes[os.getpid()] = subprocess.Popen(
            [sys.executable, PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # It computes nothing, and threads take address space.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        atexit.register(_stop)
    return process


def _stop() -> None:
    process = _processes.pop(os.getpid(), None)
    if process is not None:
        process.kill()
        process.communicate()
