"""A program that is asked to end by SIGTERM."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import runpy, sys, time
import spinet_cli.convert
from spinet_cli.main import main
from spinet_cli.script import run_script
from spinet_tf.atomic_write import atomic_path

def run(_):
    with atomic_path("result.txt") as path:
        path.write_text("half of it")
        print("writing", flush=True)
        try:
            time.sleep(120)
        except SystemExit:
            if "an error in its place" in kind:
                raise OSError
            raise

spinet_cli.convert.run = run
kind = sys.argv.pop(1)
if "script" in kind:
    run_script(lambda: None, run)
if kind == "python -m spinet_tf":
    runpy.run_module("spinet_tf", run_name="__main__")
sys.exit(main())
"""
COMMAND = ["convert", "--checkpoint=a.pth", "--stats=a.mat", "--output=a.keras"]


@pytest.mark.parametrize(
    "kind",
    [
        *("spinet-qsm", "an error in its place", "python -m spinet_tf"),
        *("script", "script, an error in its place"),
    ],
)
def test_half_a_file_is_removed(kind, tmp_path):
    words = [kind] if "script" in kind else [kind, *COMMAND]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"writing\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
    assert not list(tmp_path.iterdir())
