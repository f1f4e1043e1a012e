"""`spinet-qsm bids --runner`: the same maps from a Beam pipeline."""

import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from spinet_tf.errors import InputError
from spinet_tf.model_files import save_model
from spinet_tf.serving.local import SavedModelReconstructor, newest_version
from tests.bids_tree import bids, write_tree
from tests.command_line import (
    PNG,
    assert_one_line,
    listing,
    mask,
    read,
    read_json,
)

NAMES = ("sub-02_ses-a", "sub-02_ses-b", "sub-04_acq-x_run-1")
WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")


@pytest.fixture(scope="module")
def tree(scan, tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("tree") / "raw", scan)


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
    field = np.full(mask().shape, np.nan, np.float32)
    with pytest.raises(InputError, match="^model: .*finite"):
        reconstruct(field, mask(), (1, 1, 1), (0, 0, 1))


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
        (
            ["--runner=DirectRunner", "--direct_num_workers=many"],
            "error: argument --direct_num_workers: invalid int value: 'many'",
        ),
        (["--runner=DirectRunner", "--method=tkd"], "--runner goes with the method"),
        (["--runner=DirectRunner", "--server=a:1"], "--runner goes with .* --server"),
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


def test_precision_of_an_export_for_the_run(monkeypatch, tmp_path):
    from spinet_cli import bids_beam

    given = []
    monkeypatch.setattr(bids_beam, "load_model", lambda path: path)
    monkeypatch.setattr(bids_beam, "newest_version", lambda base: base)
    monkeypatch.setattr(
        bids_beam, "export_saved_model", lambda *options: given.append(options)
    )
    flags = SimpleNamespace(saved_model=None, model="a/m.keras", precision="bfloat16")
    assert bids_beam.prepare_saved_model(flags)(tmp_path) == tmp_path / "m.keras"
    assert given == [("a/m.keras", tmp_path / "m.keras", "bfloat16")]


def test_a_worker_knows_the_models_dipole_at_zero_and_its_iterates(monkeypatch):
    from spinet_cli import bids_beam

    monkeypatch.setattr(bids_beam, "SavedModelReconstructor", lambda *given: given)
    monkeypatch.setattr(bids_beam, "solve_scan", lambda *given: given)
    handler = bids_beam._Handler("folder", True, {"DipoleAtZero": 1 / 3})
    assert handler.load_model() == ("folder", True)
    scan = bids_beam.PlannedScan("sub-1", task="task")
    element = bids_beam.Element(scan, scan="scan")
    (solved,) = handler.run_inference([element], "model")
    assert solved.result == ("task", "model", "scan", 1 / 3)


def test_a_scan_that_fails_in_a_worker_is_told(monkeypatch):
    from spinet_cli import bids_beam

    scan = bids_beam.PlannedScan("sub-1", problem="no local field")
    element = bids_beam.Element(scan)
    assert bids_beam._read(element).problem == "no local field"

    def fail(_):
        raise MemoryError

    assert "not enough memory" in bids_beam._step(element, fail).problem


def test_warnings_of_reading_are_in_a_workers_report(monkeypatch):
    from spinet_cli import bids_beam

    told = []
    monkeypatch.setattr(bids_beam, "write_scan", lambda *given: told.extend(given[4]))
    scan = bids_beam.PlannedScan("sub-1")
    element = bids_beam.Element(scan, messages=("1 voxel is NaN",))
    assert bids_beam._write(element, {}) == bids_beam.Element(scan)
    assert told == ["1 voxel is NaN"]
