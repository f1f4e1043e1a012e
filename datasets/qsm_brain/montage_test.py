"""The picture of synthetic brains, and flags it cannot be made with."""

import subprocess
import sys

import pytest
from matplotlib.image import imread

from tests.conftest import ROOT


def run(*flags):
    command = [sys.executable, "-m", "datasets.qsm_brain.montage", *flags]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(("kind", "height"), [("patch", 1), ("head", 2)])
def test_a_picture_and_a_line_for_each(kind, height, tmp_path):
    path = tmp_path / "brains"
    result = run(f"--kind={kind}", "--size=16", "--count=2", f"--output={path}")
    assert result.returncode == 0, result.stderr
    header, first, second, mean, spread, picture = result.stdout.splitlines()
    assert header.startswith("example") and picture == f"The picture is {path}"
    deviations = [float(line.split()[3]) for line in (first, second)]
    assert float(mean.split()[3]) == pytest.approx(sum(deviations) / 2, abs=1e-3)
    assert all(0.001 < deviation < 1 for deviation in deviations)
    assert spread.startswith("std 5%, 50%, 95% [ppm]: ")
    with open(path, "rb") as file:
        assert imread(file, "png").shape[0] == height * 3 * 70


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--count=0", "--count=0"),
        ("--size=8", "--size=8"),
        ("--seed=-1", "--seed=-1"),
        ("--kind=brain", "--kind=brain"),
        ("--output=missing/brains.png", "missing"),
    ],
)
def test_flags_it_cannot_be_made_with(flag, told):
    result = run("--count=1", "--size=16", flag)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("montage.py: error: ") and told in line
