"""`spinet-qsm bids --runner`: the same maps from a Beam pipeline."""

import shutil
import sys

import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.model_files import save_model
from spinet_tf.serving.local import SavedModelReconstructor, newest_version
from tests.bids_tree import bids
from tests.command_line import (
    PNG,
    assert_one_line,
    listing,
    mask,
    read,
    read_json,
)
from tests.served import request

NAMES = ("sub-02_ses-a", "sub-02_ses-b", "sub-04_acq-x_run-1")
WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")


@pytest.fixture(scope="module")
def derivative(scan, tree):
    """The derivative of two workers, and the result of the command."""
    output = tree.parent / "maps"
    words = ("--participant-label", "02", "04", "07", "--model", scan / "tiny.keras")
    return output, on_beam(tree, output, *words, *WORKERS)


def on_beam(tree, output, *words):
    return bids(tree, output, "--runner=DirectRunner", *words)


def maps(output):
    return {path.name: path for path in output.rglob("*_Chimap.nii.gz")}


def test_maps_are_those_of_the_command_without_beam(derivative, scan, tree):
    output, _ = derivative
    local = tree.parent / "local"
    words = ("--participant-label", "02", "04", "--model", scan / "tiny.keras")
    assert bids(tree, local, *words).exit_code == 0
    expected = maps(local)
    assert sorted(expected) == [f"{name}_Chimap.nii.gz" for name in NAMES]
    assert sorted(maps(output)) == sorted(expected)
    for name, path in maps(output).items():
        np.testing.assert_allclose(read(path), read(expected[name]), atol=1e-5)
        assert np.abs(read(path)).max() > 1e-3
        stem = path.name.removesuffix(".nii.gz")
        picture = path.parents[1] / "figures" / f"{stem}.png"
        assert picture.read_bytes().startswith(PNG)
        content = read_json(path.with_name(f"{stem}.json"))
        same = read_json(expected[name].with_name(f"{stem}.json"))
        keys = ("Sources", "Model", "Lambda", "P", "AdaptivePenalty", "DipoleAtZero")
        for key in (*keys, "SolverIterations", "Units"):
            assert content[key] == same[key]


def test_failures_are_collected(derivative, tree):
    output, result = derivative
    assert result.exit_code == 1
    lines = result.err.splitlines()
    assert lines[-2] == "1 of 4 scans failed:"
    assert lines[-1].startswith("  sub-07: ")
    assert "sub-07_desc-local_fieldmap.nii.gz: damaged" in lines[-1]
    assert sorted(result.out.splitlines()) == sorted(
        f"wrote {path}" for path in maps(output).values()
    )
    assert sorted(path.name for path in output.iterdir()) == [
        *(".bidsignore", "README", "dataset_description.json", "sub-02", "sub-04")
    ]


def test_an_older_map_is_not_what_was_written(tree, exported, tmp_path):
    older = tmp_path / "sub-07" / "anat" / "sub-07_Chimap.nii.gz"
    older.parent.mkdir(parents=True)
    older.write_text("a map")
    words = ("--participant-label", "07", "--saved-model", exported[1].parent)
    result = on_beam(tree, tmp_path, *words)
    assert (result.exit_code, result.out) == (1, "")
    assert older.read_text() == "a map"


def test_a_restart_does_the_rest_with_a_saved_model(
    derivative, tree, exported, tmp_path
):
    output, _ = derivative
    model, version = exported
    before = {path: path.stat().st_mtime_ns for path in maps(output).values()}
    words = ("--participant-label", "02", "03", "04", "--saved-model", version.parent)
    result = on_beam(tree, output, *words)
    assert result.exit_code == 0, result.err
    assert result.err.count(": is done, ") == 3
    after = {path: path.stat().st_mtime_ns for path in maps(output).values()}
    assert before.items() < after.items()
    (new,) = set(after) - set(before)
    save_model(model, tmp_path / "m.keras")
    words = ("--participant-label", "03", "--model", tmp_path / "m.keras")
    assert bids(tree, tmp_path / "local", *words).exit_code == 0
    (expected,) = maps(tmp_path / "local").values()
    np.testing.assert_allclose(read(new), read(expected), atol=1e-5)
    assert np.abs(read(new)).max() > 1e-3


def test_what_a_saved_model_refuses(exported):
    reconstruct = SavedModelReconstructor(exported[1])
    inputs = request(batch=1)
    inputs["local_field"] += np.nan
    with pytest.raises(InputError, match="^model: .*finite"):
        reconstruct.predict(inputs)


def test_a_saved_model_takes_scans_as_a_reconstructor_does(exported):
    reconstruct = SavedModelReconstructor(exported[1])
    field = np.where(mask(), 0.01, np.nan).astype(np.float32)
    geometry = ((1, 1, 1), (0, 0, 1))
    result = reconstruct(field, mask(), *geometry).susceptibility
    zeros = reconstruct(np.nan_to_num(field), mask(), *geometry).susceptibility
    np.testing.assert_array_equal(result, zeros)
    for scan, message in (
        ((field[0], mask()[0], *geometry), "local_field: expected the axes"),
        ((field, mask(), (1, 1), (0, 0, 1)), "voxel_size: expected three numbers"),
        ((field + np.nan, mask(), *geometry), "local_field: expected finite"),
    ):
        with pytest.raises(InputError, match=message):
            reconstruct(*scan)


def test_a_folder_without_versions(tmp_path):
    (tmp_path / "1").mkdir()
    for folder in (tmp_path, tmp_path / "1", tmp_path / "none"):
        with pytest.raises(InputError, match="expected a folder with version"):
            newest_version(folder)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runner=Hamster"], "--runner: .*Hamster"),
        (["--runner=DirectRunner", "--modle=x"], "unrecognized arguments: --modle"),
        (["--runner=DirectRunner", "stray", "-x"], "unrecognized arguments: stray -x$"),
        (
            ["--runner=DirectRunner", "--save_main_session", "stray"],
            "unrecognized arguments: stray$",
        ),
        (
            ["--runner=DirectRunner", "--direct_running_mode", "in_memory", "b"],
            "unrecognized arguments: b$",
        ),
        (
            ["--runner=DirectRunner", "--direct_num_workers=many"],
            "error: argument --direct_num_workers: invalid int value: 'many'",
        ),
        (["--runner=DirectRunner", "--method=tkd"], "--runner goes with the method"),
        (["--runner=DirectRunner", "--server=a:1"], "--runner goes with .* --server"),
        (["--runner=DirectRunner", "--memory-limit=8"], "without .*--memory-limit"),
        (
            ["--runner=DirectRunner", "--saved-model=a", "--precision=bfloat16"],
            "--model and --precision are not for --saved-model",
        ),
        (
            ["--runner=DirectRunner", "--saved-model=none"],
            "none: expected a folder with version directories",
        ),
        (["--saved-model=none"], "--saved-model goes with --runner"),
        (["--direct_num_workers=2"], "unrecognized arguments: --direct_num_workers"),
    ],
)
def test_wrong_flags(tree, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert_one_line(bids(tree, "maps", *words), message)
    assert listing(tmp_path) == {}


def test_a_damaged_saved_model(exported, tree, tmp_path):
    shutil.copytree(exported[1].parent, tmp_path / "model")
    graph = tmp_path / "model" / exported[1].name / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])
    before = listing(tmp_path)
    words = ("--saved-model", tmp_path / "model")
    message = f"{graph.parent}: cannot be loaded: "
    assert_one_line(on_beam(tree, tmp_path / "maps", *words), message)
    assert listing(tmp_path) == before


def test_without_beam(tree, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "spinet_cli.bids_beam", raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    message = r"--runner needs Apache Beam: pip install 'spinet-tf\[beam\]'"
    assert_one_line(on_beam(tree, tmp_path / "maps"), message)
