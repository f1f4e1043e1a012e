"""`spinet-qsm --version`."""

import importlib.metadata
import subprocess
import sys

from spinet_tf import __version__
from tests.command_line import run_words

EXPECTED = (0, f"spinet-qsm {__version__}\n", "")
PROGRAM = """
import sys
from spinet_cli.main import main
code = main(["--version"])
sys.exit(code or ("tensorflow" in sys.modules or "numpy" in sys.modules))
"""


def test_the_version_is_told_at_once():
    command = [sys.executable, "-c", PROGRAM]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == EXPECTED


def test_the_version_of_what_is_not_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert run_words("--version") == EXPECTED
