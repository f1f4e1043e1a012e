"""What `train.py` makes of wrong flags, and that the recipes can be read."""

import functools
import os
import re
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf

import train
from datasets.qsm_cosmos import dummy_data_generation
from spinet_cli.training_flags import as_flagfile
from spinet_tf.training import run
from tests.conftest import ROOT
from tests.scripts import defined, run_here

LOSSES = ("susceptibility", "field", "gradient")
RECIPES = sorted(set(ROOT.glob("configs/*.flags")) - {ROOT / "configs/export.flags"})
SHIPPED = ROOT / "spinet_tf" / "weights" / "pretrained.keras"

run_train = functools.partial(run_here, "train.py", train.define_flags, train.main)


def trains(*_):
    pytest.fail("it trains")


def run_process(*command, **settings):
    settings = {"stdout": subprocess.PIPE, "text": True, "timeout": 120, **settings}
    command = [sys.executable, *command]
    return subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, **settings)


def assert_one_line(result, *words):
    exit_code, out, err = result
    assert (exit_code, out) == (2, ""), err
    assert err.startswith("train.py: error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


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
    result = run_here("train.py", train.define_flags, trains, *arguments)
    assert_one_line(result, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset=nowhere"], ["nowhere"]),
        (["--dataset=qsm_brain/nothing"], ["nothing"]),
        (["--init_from=missing.keras"], ["missing.keras"]),
        (
            [f"--init_from={SHIPPED}", "--nobatch_norm"],
            ["another size", "filters=16 blocks=4 rather than filters=4 blocks=1\n"],
        ),
        (["--strategy=multi_worker"], ["TF_CONFIG"]),
        (["--run_dir=/proc/none"], ["error: run_dir: /proc/none cannot be made, "]),
        (["--run_dir=/dev/full"], ["error: run_dir: /dev/full cannot be made, "]),
    ],
)
def test_flags_that_do_not_fit(arguments, words, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "train", trains)
    folders = [f"--run_dir={tmp_path / 'run'}", f"--data_dir={tmp_path}"]
    small = ["--filters=4", "--blocks=1"]
    assert_one_line(run_train(*folders, *small, *arguments), *words)
    assert not list(tmp_path.iterdir())  # no data set, no run folder


def test_help_lists_all_flags():
    source = (ROOT / "spinet_cli" / "training_flags.py").read_text()
    defined = re.findall(r'(?:DEFINE_\w+|define_path)\(\s*"(\w+)"', source)
    told = run_process("train.py", "--help").stdout
    listed = re.findall(r"^  --(?:\[no\])?(\w+): ", told, re.M)
    assert listed == sorted(defined)
    assert {"run_dir", "batch_norm"} < set(listed)


def test_scans_that_cannot_be_used_are_told_in_a_line_each(tmp_path):
    scans = tmp_path / "scans"
    shutil.copytree(dummy_data_generation.FOLDER, scans)
    for mask in scans.rglob("sub-0[23]*_mask.nii.gz"):
        mask.unlink()
    named = os.path.relpath(scans)
    data = "qsm_cosmos/volumes"
    result = run_train(
        *(f"--run_dir={tmp_path}", f"--data_dir={tmp_path}", f"--scans_dir={named}"),
        *(f"--dataset={data}", f"--validation={data}", "--filters=4", "--blocks=1"),
    )
    first, *others = result.err.splitlines()[-3:]
    assert result.exit_code == 2
    assert first == (
        f"train.py: error: {named}: these scans cannot be used, nothing was built:"
    )
    for line, subject in zip(others, ("sub-02/ses-1", "sub-03"), strict=True):
        assert line.startswith(f"  no mask for {subject}/anat/")


def test_nobody_reads_the_help():
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = run_process("train.py", "--help", stdout=write_end)
    os.close(write_end)
    assert (result.returncode, result.stderr) == (141, "")


def failing(error):
    """Run a script that ends with this error."""

    def fail(_):
        raise error

    return run_here("x.py", lambda: None, fail)


UNREADABLE = "a data set is damaged, incomplete or not readable"
PARTED = (
    "another process of this training ended, cannot be reached or has other flags ({});"
    " start all of them again with the same flags"
)


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (FloatingPointError("the loss"), 1, "the loss"),
        (MemoryError(), 2, "the machine has not enough memory for these volumes"),
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM"),
            *(2, "the machine has not enough memory for these volumes"),
        ),
        (
            tf.errors.DataLossError(None, None, "truncated record"),
            *(2, f"{UNREADABLE}: truncated record"),
        ),
        (  # as Keras tells it
            tf.errors.DataLossError(None, None, "Graph execution\n\ncorrupted at 3"),
            *(2, f"{UNREADABLE}: corrupted at 3"),
        ),
        (
            tf.errors.NotFoundError(None, None, "x; No such file"),
            *(2, f"{UNREADABLE}: x; No such file"),
        ),
        (
            tf.errors.PermissionDeniedError(None, None, "x; Permission denied"),
            *(2, f"{UNREADABLE}: x; Permission denied"),
        ),
        (
            tf.errors.UnavailableError(None, None, "Socket closed\n\n"),
            *(1, PARTED.format("Socket closed")),
        ),
        (
            tf.errors.InvalidArgumentError(
                *(None, None),
                "Graph execution error:\n\nCollective ops is aborted by: "
                "Shape mismatch. Op expected\nThis is",
            ),
            *(1, PARTED.format("Shape mismatch")),
        ),
    ],
)
def test_errors_of_libraries(error, exit_code, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert failing(error) == (exit_code, "", f"x.py: error: {message}\n")


def test_an_only_process_has_lost_no_other(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(tf.errors.UnavailableError, match="Socket closed"):
        failing(tf.errors.UnavailableError(None, None, "Socket closed"))


def test_an_error_that_nobody_expects_is_not_hidden():
    with pytest.raises(tf.errors.NotFoundError, match="No algorithm"):
        failing(tf.errors.NotFoundError(None, None, "No algorithm"))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_the_output(unbuffered):
    code = (
        "from spinet_cli.script import run_script;"
        "run_script(lambda: None, lambda _: print('x'))"
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        result = run_process("-c", code, env=environment, stdout=full)
    message = "error: standard output: cannot be written, No space left on device\n"
    assert result.returncode == 2
    assert result.stderr.endswith(message)


@pytest.mark.parametrize("path", RECIPES)
def test_recipes_can_be_read(path, monkeypatch):
    monkeypatch.chdir(ROOT)  # they name each other from there
    with defined(train.define_flags) as flags:
        words = ["train.py", f"--flagfile={path}", "--run_dir=x"]
        assert flags(words) == ["train.py"]


def test_the_flags_of_a_run_are_a_flagfile(options, tmp_path):
    architecture = ROOT / "configs" / "architecture.flags"
    given = options(f"--flagfile={architecture}", "--run_dir=x y", "--nolearn_p")
    written = as_flagfile(given)
    lines = written.splitlines()
    assert {"--run_dir=x y", "--nolearn_p", "--filters=16"} <= set(lines)
    assert not [line for line in lines if "random_seed" in line or "flagfile" in line]
    path = tmp_path / "flags.txt"
    path.write_text(written)
    words = (f"--flagfile={path}", f"--run_dir={tmp_path}", "--dataset=none")
    again = run_process("train.py", *words)
    assert_one_line((again.returncode, again.stdout, again.stderr), "data set none")
