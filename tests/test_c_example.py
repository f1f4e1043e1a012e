"""The C program of `examples/c`, compiled and run; a C compiler has to be there."""

import os
import re
import resource
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.agreement import relative_error
from spinet_tf.serving.saved_model import export_saved_model
from tests.conftest import ROOT
from tests.networks import small_model

SIZE = (15, 12, 17)
VOXEL_SIZE = (1.0, 1.25, 2.0)
B0_DIRECTION = (0.1, -0.3, 0.9)
MAX_VOXELS = 4000


def joined(values):
    return ",".join(str(value) for value in values)


def scan():
    mask = np.zeros(SIZE, np.float32)
    mask[2:-2, 1:-3, 3:-1] = 1
    noise = np.random.default_rng(0).standard_normal(SIZE)
    return (0.02 * mask * noise).astype(np.float32), mask


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def model_dir(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "spinet_qsm"
    return export_saved_model(model, folder, max_voxels=MAX_VOXELS)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    subprocess.run(
        ["make", "-C", ROOT / "examples" / "c", f"PYTHON={sys.executable}"]
        + [f"BUILD={folder}", "CFLAGS=-O2 -Werror"],
        check=True,
    )
    return folder / "reconstruct"


@pytest.fixture
def run(program, model_dir, tmp_path):
    """Runs the program on a field and a mask; arguments may be replaced by name."""

    def call(field, mask, /, stdout=subprocess.PIPE, address_space=None, **replaced):
        limit = 2 * [address_space or resource.RLIM_INFINITY]
        arguments = {
            "model": model_dir,
            "field": tmp_path / "field.raw",
            "mask": tmp_path / "mask.raw",
            "size": joined(field.shape),
            "voxel_size": joined(VOXEL_SIZE),
            "b0": joined(B0_DIRECTION),
            "output": tmp_path / "chi.raw",
        }
        field.tofile(arguments["field"])
        mask.tofile(arguments["mask"])
        return subprocess.run(
            [program, *{**arguments, **replaced}.values()],
            cwd=tmp_path,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    return call


def assert_fails(result, code, message, output):
    assert result.returncode == code
    (line,) = re.findall("^error: .*$", result.stderr, re.MULTILINE)
    assert message in line
    assert result.stdout == ""
    assert not output.exists()


def test_it_computes_what_keras_does(run, model, tmp_path):
    field, mask = scan()
    result = run(field, mask)
    assert result.returncode == 0, result.stderr
    susceptibility = np.fromfile(tmp_path / "chi.raw", np.float32).reshape(SIZE)
    expected = model(
        {
            "local_field": field[np.newaxis, ..., np.newaxis],
            "mask": mask[np.newaxis, ..., np.newaxis],
            "voxel_size": np.float32([VOXEL_SIZE]),
            "b0_direction": np.float32([B0_DIRECTION]),
        }
    )
    assert relative_error(susceptibility, expected[0, ..., 0].numpy()) <= 1e-5
    report = dict(line.split(": ") for line in result.stdout.splitlines())
    iterations = [int(value) for value in report["solver iterations"].split()]
    residuals = [float(value) for value in report["solver residual"].split()]
    assert len(iterations) == len(residuals) == model.unrolls
    assert min(iterations) > 0
    assert 0 < max(residuals) < 1e-2
    assert 0 < float(report["data consistency"]) < 1


def test_the_geometry_matters(run, tmp_path):
    field, mask = scan()
    chi = []
    for b0 in (B0_DIRECTION, (0, 0, 1)):
        assert run(field, mask, b0=joined(b0)).returncode == 0
        chi.append(np.fromfile(tmp_path / "chi.raw", np.float32))
    assert relative_error(*chi) > 1e-2


def test_a_direction_of_any_length(run, tmp_path):
    chi = []
    for b0 in ((0, 3000, -4000), (0, 3e-9, -4e-9)):
        result = run(*scan(), b0=joined(b0))
        assert result.returncode == 0, result.stderr
        chi.append(np.fromfile(tmp_path / "chi.raw", np.float32))
    assert relative_error(*chi) < 1e-5
    result = run(*scan(), b0="0,0,0", output=tmp_path / "other.raw")
    assert_fails(result, 1, "b0_direction", tmp_path / "other.raw")


def test_a_volume_larger_than_memory(run, tmp_path):
    with open(tmp_path / "large.raw", "wb") as file:
        file.truncate(4 * 4096**2 * 1024)
    limit = 32 * 2**30
    replaced = {"field": "large.raw", "size": "4096,4096,1024"}
    result = run(*scan(), **replaced, address_space=limit)
    message = "large.raw: does not fit into memory"
    assert_fails(result, 1, message, tmp_path / "chi.raw")


def test_a_report_that_cannot_be_printed(run, tmp_path):
    with open("/dev/full", "w") as full:
        result = run(*scan(), stdout=full)
    assert result.returncode == 2
    assert result.stderr.endswith("error: standard output: cannot be written\n")
    assert (tmp_path / "chi.raw").stat().st_size == 4 * np.prod(SIZE)


def test_the_graph_refuses_a_nan(run, tmp_path):
    field, mask = scan()
    field[7, 6, 8] = np.nan
    message = "local_field: expected finite values, got NaN or infinity"
    assert_fails(run(field, mask), 1, message, tmp_path / "chi.raw")


def test_the_graph_refuses_a_shape(run, tmp_path):
    field = np.zeros((16, 16, 16), np.float32)
    message = f"local_field: expected at most {MAX_VOXELS} voxels in all, got the shape"
    assert_fails(run(field, field), 1, message, tmp_path / "chi.raw")


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"size": "15,12,18"}, "field.raw: is not 4 bytes for each voxel of SIZE"),
        ({"size": "15,12,16"}, "field.raw: is not 4 bytes for each voxel of SIZE"),
        ({"size": "15,12"}, "15,12: is no SIZE"),
        ({"size": "15,12,0"}, "15,12,0: is no SIZE"),
        ({"size": "15,12,1.5"}, "15,12,1.5: is no SIZE"),
        ({"voxel_size": "1,1"}, "1,1: is no VOXEL_SIZE"),
        ({"b0": "z"}, "z: is no B0"),
        ({"field": "missing.raw"}, "missing.raw: cannot be opened"),
        ({"output": "missing/chi.raw"}, "missing/chi.raw: cannot be written"),
        ({"output": "mask.raw"}, "mask.raw: is an input, too"),
        ({"output": "./field.raw"}, "./field.raw: is an input, too"),
        ({"output": "/dev/null"}, "/dev/null: is there and is no file"),
        ({"output": "link.raw"}, "link.raw: is there and is no file"),
        ({"output": "long.raw"}, "long.raw.part: is there and is no file"),
        ({"output": "own.raw"}, "own.raw.part: is there; remove it"),
        ({"output": 4100 * "x"}, "xxx: is too long"),
    ],
)
def test_bad_use(replaced, message, run, tmp_path):
    (tmp_path / "link.raw").symlink_to("elsewhere.raw")
    (tmp_path / "long.raw.part").symlink_to("elsewhere.raw")
    (tmp_path / "own.raw.part").write_text("of something else")
    assert_fails(run(*scan(), **replaced), 2, message, tmp_path / "chi.raw")
    assert (tmp_path / "own.raw.part").read_text() == "of something else"


@pytest.mark.parametrize("output", ["", 252 * "x"])
def test_an_output_that_cannot_be_is_told_before_the_work(output, run, tmp_path):
    result = run(*scan(), model="missing", output=output)
    assert_fails(result, 2, f"error: {output}: cannot be written", tmp_path / "chi.raw")


def test_a_folder_that_is_no_model(run, tmp_path):
    message = "Could not find SavedModel"
    result = run(*scan(), model=tmp_path)
    assert_fails(result, 1, message, tmp_path / "chi.raw")


def test_usage(program):
    result = subprocess.run([program], capture_output=True, text=True)
    assert result.returncode == 2
    assert "MODEL_DIR FIELD MASK SIZE VOXEL_SIZE B0 OUTPUT" in result.stderr
