"""The example program, with TensorFlow beside it and without."""

import json
import re
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest

from benchmarks.agreement import relative_error
from benchmarks.tflite import B0_DIRECTION, VOXEL_SIZE
from examples.python.litert_reconstruct import read_metadata, reconstruct
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.serving.tflite import export_tflite
from tests.conftest import ROOT
from tests.networks import perturbed_model, small_model
from tests.test_tflite import SIZE, scan


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"mask": np.zeros(SIZE)}, "mask is empty"),
        ({"local_field": np.full(SIZE, np.nan)}, "NaN"),
        ({"mask": np.ones((8, 8, 8))}, "differ"),
        (dict.fromkeys(("local_field", "mask"), np.ones((8, 8, 99))), "do not fit"),
        ({"path": __file__}, "not a SpiNet-QSM file"),
        (dict.fromkeys(("local_field", "mask"), np.ones((1, *SIZE))), "three axes"),
        ({"voxel_size": (1, 0, 1)}, "voxel size"),
        ({"b0_direction": (0, 0, 0)}, "B0 direction"),
        ({"local_field": np.full(SIZE, 1e37)}, "not finite"),
    ],
)
def test_the_example_checks_what_the_graph_cannot(bad, message, tmp_path):
    (path,) = export_tflite(small_model(unrolls=1), tmp_path, [SIZE])
    field, mask = scan()
    scanned = {
        "path": str(path),
        "local_field": field,
        "mask": mask,
        "voxel_size": VOXEL_SIZE,
        "b0_direction": B0_DIRECTION,
        **bad,
    }
    with pytest.raises(ValueError, match=message):
        reconstruct(**scanned)


def test_in_a_fresh_environment_without_tensorflow(tmp_path):
    """On a scan smaller than the file, which the program pads."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    packages = [f"{name}=={version(name)}" for name in ("ai-edge-litert", "numpy")]
    install = [python, "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(install, check=True, capture_output=True)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"], capture_output=True, check=True
    )
    installed = {package["name"] for package in json.loads(listed.stdout)}
    assert not {"tensorflow", "keras", "tensorflow-cpu"} & installed

    model = perturbed_model(fill_outside=True)
    (path,) = export_tflite(model, tmp_path, [(16, 12, 14)])
    field, mask = scan()
    for name, volume in (("field", field), ("mask", mask)):
        np.save(tmp_path / f"{name}.npy", volume)
    example = ROOT / "examples" / "python" / "litert_reconstruct.py"
    files = [path, *(tmp_path / f"{name}.npy" for name in ("field", "mask", "chi"))]
    geometry = ["--voxel_size", *VOXEL_SIZE, "--b0_direction", *B0_DIRECTION]
    subprocess.run(
        [python, example, *files, *map(str, geometry)],
        check=True,
        cwd=tmp_path,
        capture_output=True,
    )
    chi = np.load(tmp_path / "chi.npy")

    margins = [(3, 3), (1, 2), (0, 1)]
    inside = tuple(
        slice(before, before + n) for (before, _), n in zip(margins, SIZE, strict=True)
    )
    padded = (np.pad(volume, margins) for volume in (field, mask))
    expected = Reconstructor(model)(*padded, VOXEL_SIZE, B0_DIRECTION).susceptibility
    assert chi.shape == field.shape
    assert relative_error(chi, expected[inside]) < 1e-4


def test_the_example_tells_of_a_file_that_is_cut(tmp_path):
    (path,) = export_tflite(small_model(unrolls=1), tmp_path, [SIZE])
    whole = path.read_bytes()
    told = read_metadata(path)
    for share in (0, 0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        try:
            assert read_metadata(path) == told  # what is cut may lie behind it
        except ValueError as error:
            assert re.search("damaged|not a SpiNet-QSM file", str(error))
        else:
            assert share > 0.5


def test_the_example_does_not_replace_its_inputs(tmp_path):
    example = ROOT / "examples" / "python" / "litert_reconstruct.py"
    files = ["model.tflite", "field.npy", "mask.npy", "./field.npy"]
    geometry = ["--voxel_size", "1", "1", "1", "--b0_direction", "0", "0", "1"]
    result = subprocess.run(
        [sys.executable, example, *files, *geometry],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "./field.npy: is an input, too" in result.stderr


@pytest.mark.parametrize(
    ("voxel_size", "b0_direction", "message"),
    [
        ((1, np.inf, 1), B0_DIRECTION, "voxel size"),
        ((1, 0, 1), B0_DIRECTION, "voxel size"),
        (VOXEL_SIZE, (0, np.nan, 1), "B0 direction"),
        (VOXEL_SIZE, (0, 0, 0), "B0 direction"),
    ],
)
def test_the_example_refuses_a_geometry_that_is_none(voxel_size, b0_direction, message):
    volume = np.ones(SIZE)
    with pytest.raises(ValueError, match=message):
        reconstruct("unread.tflite", volume, volume, voxel_size, b0_direction)
