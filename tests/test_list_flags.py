"""Values that a list flag of a benchmark may not have."""

import subprocess
import sys

import pytest

from spinet_cli import arguments_scan
from spinet_tf import copies
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("name", "flag", "expected"),
    [
        ("heads", "noise=0.001,abc", "numbers of at least 0"),
        ("heads", "noise=-0.002", "numbers of at least 0"),
        ("heads", "noise=inf", "numbers of at least 0"),
        ("thick_slices", "parts=2,0", "integers of at least 1"),
        ("sizes", "transforms=1.5", "integers of at least 1"),
        ("reconstruct", "precision=float32,float64", "some of float32, bfloat16"),
    ],
)
def test_a_value_that_is_none(name, flag, expected):
    command = [sys.executable, "-m", f"benchmarks.{name}", f"--{flag}"]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"{name}.py: error: flag --{flag.split('=')[0]}=")
    assert f"expected {expected}, with commas between them" in line


def test_precisions_are_those_of_the_library():
    assert list(arguments_scan.PRECISIONS) == list(copies.PRECISIONS)
