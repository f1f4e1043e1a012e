"""A program that is asked to end by SIGTERM."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.submission import SUBMISSION
from tests.test_distributed_training import free_ports

PROGRAM = """
import runpy, sys, time
import spinet_cli.convert
from spinet_cli.each_scan import run_each
from spinet_cli.main import main
from spinet_cli.script import run_script
from spinet_tf.atomic_write import atomic_path
from spinet_tf.errors import InputError

def run(_):
    with atomic_path("result.txt") as path:
        path.write_text("half of it")
        print("writing", flush=True)
        try:
            time.sleep(120)
        except SystemExit:
            if "an error in its place" in kind:
                raise OSError
            if "of several scans" in kind:
                raise ERRORS[kind.split()[0]]
            raise

ERRORS = {"InputError": InputError("x"), "MemoryError": MemoryError()}
kind = sys.argv.pop(1)
if "of several scans" in kind:
    spinet_cli.convert.run = lambda _: run_each(["a", "b"], run, str)
else:
    spinet_cli.convert.run = run
if "script" in kind:
    run_script(lambda: None, run)
if kind == "python -m spinet_tf":
    runpy.run_module("spinet_tf", run_name="__main__")
sys.exit(main())
"""
GEOMETRY = {"QSMCI_VOXEL_SIZE": "1 1 1", "QSMCI_B0_DIR": "0 0 1"}
COMMAND = ["convert", "--checkpoint=a.pth", "--stats=a.mat", "--output=a.keras"]


def assert_ends(command, folder):
    environment = {**os.environ, **GEOMETRY}
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout.readline() == b"writing\n"
        assert len(list(folder.iterdir())) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "kind",
    [
        *("spinet-qsm", "an error in its place", "python -m spinet_tf"),
        *("InputError of several scans", "MemoryError of several scans"),
        *("script", "script, an error in its place"),
    ],
)
def test_half_a_file_is_removed(kind, tmp_path):
    words = [kind] if "script" in kind else [kind, *COMMAND]
    assert_ends([sys.executable, "-c", PROGRAM, *words], tmp_path)


def test_the_qsm_ci_submission_removes_half_a_file(tmp_path):
    program = f"""
import runpy, sys, time
import spinet_cli.reconstruct
from spinet_tf.atomic_write import atomic_path

def run(_):
    with atomic_path("result.txt") as path:
        path.write_text("half of it")
        print("writing", flush=True)
        time.sleep(120)

spinet_cli.reconstruct.run = run
sys.argv = ["recon.py", "in", "out"]
runpy.run_path({str(SUBMISSION / "recon.py")!r}, run_name="__main__")
"""
    assert_ends([sys.executable, "-c", program], tmp_path)


def test_one_of_several_training_processes_ends():
    program = """
import time
import train
from spinet_cli.script import run_script
from spinet_cli.training_flags import define_flags

def run(*_):
    print("training", flush=True)
    time.sleep(120)

train.run = run
run_script(define_flags, train.main)
"""
    command = [sys.executable, "-c", program, "--strategy=multi_worker", "--run_dir=x"]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": cluster, "task": task})
        processes.append(
            subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                env={**os.environ, "TF_CONFIG": config},
            )
        )
    try:
        for process in processes:
            assert process.stdout.readline() == b"training\n"
        processes[1].send_signal(signal.SIGTERM)
        assert processes[1].wait(timeout=60) == 143
    finally:
        for process in processes:
            process.kill()
            process.communicate()
