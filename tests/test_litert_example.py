"""The example program, with TensorFlow beside it and without."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest

from benchmarks.agreement import relative_error
from benchmarks.artefacts import B0_DIRECTION, VOXEL_SIZE
from examples.python.litert_reconstruct import main, read_metadata, reconstruct
from spinet_tf.reconstruct import Reconstructor
from spinet_tf.serving.tflite import export_tflite
from tests.conftest import ROOT
from tests.networks import perturbed_model, small_model
from tests.test_tflite import SIZE, scan


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a model and a scan, which tests leave as it is."""
    folder = tmp_path_factory.mktemp("inputs")
    (path,) = export_tflite(small_model(unrolls=1), folder, [SIZE])
    path.rename(folder / "model.tflite")
    save_scan(folder)
    return folder


@pytest.fixture
def folder(inputs, tmp_path, monkeypatch):
    """A folder of a test's own with the same, to be in."""
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save_scan(folder):
    for name, volume in zip(("field", "mask"), scan(), strict=True):
        np.save(folder / f"{name}.npy", volume)


def run_example(monkeypatch, changed, b0_direction=("0", "0", "1")):
    """Run the program in a folder with a model and a scan."""
    files = {
        **{"model": "model.tflite", "field": "field.npy"},
        **{"mask": "mask.npy", "output": "chi.npy"},
    }
    options = {name: changed[name] for name in changed if name not in files}
    words = [changed.get(name, usual) for name, usual in files.items()]
    words += [word for option in options.items() for word in option]
    words += ["--voxel_size", "1", "1", "2", "--b0_direction", *b0_direction]
    monkeypatch.setattr(sys, "argv", ["litert_reconstruct.py", *words])
    main()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"mask": np.zeros(SIZE)}, "mask is empty"),
        ({"mask": np.full(SIZE, 255)}, "other numbers than 0 and 1"),
        ({"mask": np.full(SIZE, np.nan)}, "other numbers than 0 and 1"),
        ({"local_field": np.full(SIZE, np.nan)}, "NaN"),
        ({"mask": np.ones((8, 8, 8))}, "differ"),
        (dict.fromkeys(("local_field", "mask"), np.ones((8, 8, 99))), "do not fit"),
        ({"path": __file__}, "not a SpiNet-QSM file"),
        (dict.fromkeys(("local_field", "mask"), np.ones((1, *SIZE))), "three axes"),
        ({"local_field": np.full(SIZE, 1e37)}, "not finite"),
    ],
)
def test_the_example_checks_what_the_graph_cannot(bad, message, inputs):
    field, mask = scan()
    scanned = {
        "path": str(inputs / "model.tflite"),
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
    save_scan(tmp_path)
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


def test_the_example_tells_of_a_file_that_is_cut(folder):
    path = folder / "model.tflite"
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


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"output": "./field.npy"}, "./field.npy: is an input, too"),
        # Before anything is read, and computed in vain.
        ({"output": "nowhere/a.npy", "field": "empty.npy"}, "a.npy: cannot be written"),
        ({"output": "folder.npy", "field": "empty.npy"}, "r.npy: cannot be written"),
        ({"field": "empty.npy"}, "empty.npy: not a .npy file of real numbers"),
        ({"field": "text.npy"}, "text.npy: not a .npy file of real numbers"),
        ({"field": "complex.npy"}, "complex.npy: not a .npy file of real numbers"),
        ({"mask": "several.npz"}, "several.npz: not a .npy file of real numbers"),
        ({"mask": "missing.npy"}, "missing.npy"),
        ({"mask": "cut.npz"}, "cut.npz: not a .npy file of real numbers"),
        ({"--threads": "100000"}, "--threads: expected 1 to 256, got '100000'"),
        ({"model": "cut.tflite"}, "cut.tflite: cannot be run"),
    ],
)
def test_the_example_names_what_it_cannot_use(
    changed, message, folder, monkeypatch, capsys
):
    whole = (folder / "model.tflite").read_bytes()
    (folder / "cut.tflite").write_bytes(whole[:-2000] + bytes(2000))
    volume = np.ones(SIZE)
    (folder / "empty.npy").touch()
    (folder / "folder.npy").mkdir(exist_ok=True)
    (folder / "text.npy").write_text("0 1 2")
    np.save(folder / "complex.npy", volume + 1j)
    np.savez(folder / "several.npz", volume)
    whole = (folder / "several.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit) as stop:
        run_example(monkeypatch, changed)
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith("litert_reconstruct.py: error: ")
    assert message in told
    assert not (folder / "chi.npy").exists()


def test_the_length_of_b0_makes_no_difference(folder, monkeypatch):
    maps = []
    for length in (1, 1e300, 1e-300):
        b0_direction = (repr(-0.6 * length), "0", repr(0.8 * length))
        run_example(monkeypatch, {}, b0_direction)
        maps.append(np.load(folder / "chi.npy"))
    for other in maps[1:]:
        np.testing.assert_allclose(other, maps[0], atol=1e-6 * np.abs(maps[0]).max())


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
