"""The programs that the cases are given to, imported once and run in forks."""

import importlib.util
import os
import sys

import export
import spinet_cli.main
import train
from spinet_cli.script import run_script
from tests.conftest import ROOT

COMMANDS = ("bids", "convert", "evaluate", "reconstruct", "serve", "simulate")
USED_LATER = (
    *(f"spinet_cli.{name}" for name in COMMANDS),
    *("spinet_tf.serving.client", "spinet_tf.serving.saved_model"),
    *("spinet_tf.serving.tflite", "spinet_tf.training.run"),
    *("ancpbids", "matplotlib.pyplot", "tensorflow_datasets", "torch"),
)


def warm_up():
    """Import everything; nothing is computed, so that no thread is lost in a fork."""
    # An exec would lose the warm start.
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0")
    for name in USED_LATER:
        importlib.import_module(name)


def run_program(words):
    """Run a program as a process of its own would.

    Args:
        words: list of str, the program first.

    Returns:
        Exit code.
    """
    program, *arguments = words
    try:
        return PROGRAMS[program](arguments)
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1


def _script(module):
    def run(arguments):
        sys.argv[1:] = arguments
        sys.argv[0] = f"{module.__name__}.py"
        return run_script(module.define_flags, module.main)

    return run


def _qsm_ci(arguments):
    path = ROOT / "deploy" / "qsm-ci" / "spinet-tf" / "recon.py"
    spec = importlib.util.spec_from_file_location("recon", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(arguments)


PROGRAMS = {
    "spinet-qsm": spinet_cli.main.main,
    "train.py": _script(train),
    "export.py": _script(export),
    "recon.py": _qsm_ci,
}
