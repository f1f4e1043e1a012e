"""What `train.py` makes of wrong flags, and that the recipes can be read."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from datasets.qsm_cosmos import dummy_data_generation
from tests.conftest import ROOT

LOSSES = ("susceptibility", "field", "gradient")
RECIPES = sorted(set(ROOT.glob("configs/*.flags")) - {ROOT / "configs/export.flags"})


def run_train(*arguments):
    return subprocess.run(
        [sys.executable, "train.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def assert_one_line(result, *words):
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("train.py: error: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["run_dir", "expected a folder"]),
        (["--run_dir="], ["run_dir", "expected a folder"]),
        (["--run_dir=x", "--nonsense=1"], ["nonsense"]),
        (["--run_dir=x", "--steps=many"], ["steps", "many"]),
        (["--run_dir=x", "--steps=0"], ["steps", "0"]),
        (["--run_dir=x", "--initial_p=2.5"], ["initial_p", "2.5"]),
        (["--run_dir=x", "--ema_momentum=1"], ["ema_momentum", "1"]),
        (["--run_dir=x", "--learning_rate=nan"], ["learning_rate", "finite", "nan"]),
        (["--run_dir=x", "--strategy=magic"], ["strategy", "mirrored"]),
        (["--run_dir=x", "--steps=10", "--steps_per_epoch=4"], ["multiple"]),
        (["--run_dir=x", "--noise_low=0.01"], ["noise_low"]),
        (
            ["--run_dir=x", *(f"--{name}_loss=0" for name in LOSSES)],
            ["susceptibility_loss, field_loss, gradient_loss must be above 0"],
        ),
        (["--run_dir=x", f"--seed={2**32}"], ["seed", "4294967295"]),
        (["--run_dir=x", "more"], ["more"]),
        (["--flagfile=missing.flags", "--run_dir=x"], ["missing.flags"]),
    ],
)
def test_wrong_flags(arguments, words):
    assert_one_line(run_train(*arguments), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset=nowhere"], ["nowhere"]),
        (["--dataset=qsm_brain/nothing"], ["nothing"]),
        (["--init_from=missing.keras"], ["missing.keras"]),
        (
            ["--init_from=spinet_tf/weights/pretrained.keras", "--nobatch_norm"],
            ["another size", "filters=16 blocks=4 rather than filters=4 blocks=1\n"],
        ),
        (["--strategy=multi_worker"], ["TF_CONFIG"]),
        (["--run_dir=/proc/none"], ["error: run_dir: /proc/none cannot be made, "]),
        (["--run_dir=/dev/full"], ["error: run_dir: /dev/full cannot be made, "]),
    ],
)
def test_flags_that_do_not_fit(arguments, words, tmp_path):
    folders = [f"--run_dir={tmp_path / 'run'}", f"--data_dir={tmp_path}"]
    small = ["--filters=4", "--blocks=1"]
    assert_one_line(run_train(*folders, *small, *arguments), *words)
    assert not list(tmp_path.iterdir())  # no data set, no run folder


def test_help_lists_all_flags():
    source = (ROOT / "spinet_cli" / "training_flags.py").read_text()
    defined = re.findall(r'(?:DEFINE_\w+|define_path)\(\s*"(\w+)"', source)
    listed = re.findall(r"^  --(?:\[no\])?(\w+): ", run_train("--help").stdout, re.M)
    assert listed == sorted(defined)
    assert {"run_dir", "batch_norm"} < set(listed)


def test_scans_that_cannot_be_used_are_told_in_a_line_each(tmp_path):
    scans = tmp_path / "scans"
    shutil.copytree(dummy_data_generation.FOLDER, scans)
    for mask in scans.rglob("sub-0[23]*_mask.nii.gz"):
        mask.unlink()
    named = os.path.relpath(scans, ROOT)
    data = "qsm_cosmos/volumes"
    result = run_train(
        *(f"--run_dir={tmp_path}", f"--data_dir={tmp_path}", f"--scans_dir={named}"),
        *(f"--dataset={data}", f"--validation={data}", "--filters=4", "--blocks=1"),
    )
    first, *others = result.stderr.splitlines()[-3:]
    assert result.returncode == 2
    assert first == (
        f"train.py: error: {named}: these scans cannot be used, nothing was built:"
    )
    for line, subject in zip(others, ("sub-02/ses-1", "sub-03"), strict=True):
        assert line.startswith(f"  no mask for {subject}/anat/")


def test_nobody_reads_the_help():
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "train.py", "--help"]
    result = subprocess.run(
        command, cwd=ROOT, stdout=write_end, stderr=subprocess.PIPE, timeout=120
    )
    os.close(write_end)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        ("FloatingPointError('the loss')", 1, "the loss"),
        ("MemoryError", 2, "the machine has not enough memory for these volumes"),
        (
            "tf.errors.ResourceExhaustedError(None, None, 'OOM')",
            *(2, "the machine has not enough memory for these volumes"),
        ),
        ("tf.errors.NotFoundError(None, None, 'No algorithm')", 1, "No algorithm"),
        (
            "tf.errors.DataLossError(None, None, 'truncated record')",
            *(2, "a data set is damaged or incomplete: truncated record"),
        ),
        (  # as Keras tells it
            r"tf.errors.DataLossError(None, None, 'Graph execution\n\ncorrupted at 3')",
            *(2, "a data set is damaged or incomplete: corrupted at 3"),
        ),
        (
            "tf.errors.NotFoundError(None, None, 'x; No such file')",
            *(2, "a data set is damaged or incomplete: x; No such file"),
        ),
        (
            "tf.errors.UnavailableError(None, None, 'Socket closed')",
            *(1, "another process of this training has ended"),
        ),
    ],
)
def test_errors_of_libraries(error, exit_code, message):
    code = (
        "import tensorflow as tf\n"
        "from spinet_cli.script import run_script\n"
        f"def run(_): raise {error}\n"
        "run_script(lambda: None, run)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == exit_code
    assert result.stderr.splitlines()[-1].endswith(f": {message}")
    assert ("Traceback" in result.stderr) == ("No algorithm" in message)


def test_a_full_disk_behind_the_output():
    code = (
        "from spinet_cli.script import run_script;"
        "run_script(lambda: None, lambda _: print('x'))"
    )
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    message = "error: standard output: cannot be written, No space left on device\n"
    assert result.returncode == 2
    assert result.stderr.endswith(message)


@pytest.mark.parametrize("path", RECIPES)
def test_recipes_can_be_read(path):
    result = run_train(f"--flagfile={path}", "--run_dir=x", "--only_check_args")
    assert result.returncode == 0, result.stderr


def test_the_flags_of_a_run_are_a_flagfile(tmp_path):
    code = (
        "from absl import flags; import tensorflow, tensorflow_datasets;"
        "from spinet_cli.training_flags import as_flagfile, define_flags;"
        "define_flags(); words = ['train.py', '--flagfile=configs/architecture.flags'];"
        "flags.FLAGS([*words, '--run_dir=x y', '--nolearn_p']);"
        "print(as_flagfile(flags.FLAGS), end='')"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = result.stdout.splitlines()
    assert {"--run_dir=x y", "--nolearn_p", "--filters=16"} <= set(lines), result.stderr
    assert not [line for line in lines if "random_seed" in line or "flagfile" in line]
    path = tmp_path / "flags.txt"
    path.write_text(result.stdout)
    again = run_train(f"--flagfile={path}", f"--run_dir={tmp_path}", "--dataset=none")
    assert_one_line(again, "data set none")
