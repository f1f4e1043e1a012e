"""An exported SavedModel's files: versions, all or nothing, what lies beside it."""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from spinet_tf.errors import InputError
from spinet_tf.serving.saved_model import export_saved_model, versions
from spinet_tf.serving.served_model import ServedModel
from spinet_tf.serving.warmup import LEAST_VOXELS, read_warmup_requests
from tests.conftest import ROOT


def test_version_folders(exported, tmp_path):
    model, _ = exported
    (tmp_path / "7").mkdir()
    (tmp_path / "8").write_text("a file")
    (tmp_path / "notes").mkdir()
    assert export_saved_model(model, tmp_path) == tmp_path / "9"
    assert versions(tmp_path) == [7, 9]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["7", "8", "9", "notes"]
    assert not list((tmp_path / "7").iterdir())
    for name in ("None", "010", "9" * 200, str(2**63)):
        (tmp_path / name).mkdir()
    assert versions(tmp_path) == [7, 9]
    assert export_saved_model(model, tmp_path) == tmp_path / "11"
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(InputError, match="no number is left for another version"):
        export_saved_model(model, tmp_path)


def test_the_smallest_version_can_be_served(exported, tmp_path):
    folder = tmp_path / "served"
    with pytest.raises(InputError, match="^max_voxels: expected 125 or more, got 124$"):
        export_saved_model(exported[0], folder, max_voxels=124)
    assert not folder.exists()
    ServedModel(export_saved_model(exported[0], folder, max_voxels=LEAST_VOXELS))
    code = (
        "import export; from absl import flags; export.define_flags();"
        "print(flags.FLAGS['max_voxels'].parser.lower_bound)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert int(found.stdout) == LEAST_VOXELS


def test_what_the_graph_says_is_not_about_files(exported, tmp_path, monkeypatch):
    def fail(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM [Op:Conv3D]")

    target = "spinet_tf.serving.saved_model.write_warmup_requests"
    monkeypatch.setattr(target, fail)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        export_saved_model(exported[0], tmp_path / "served")


OF_TENSORFLOW = "{{node}} /x/part-0; No space left on device [Op:SaveV2]"


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, OF_TENSORFLOW),
    ],
)
def test_failed_export_leaves_nothing(error, exported, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    target = "spinet_tf.serving.saved_model.write_warmup_requests"
    monkeypatch.setattr(target, fail)
    folder = tmp_path / "served"
    message = f"{folder}: cannot be written, No space left on device"
    with pytest.raises(InputError, match=f"^{message}$"):
        export_saved_model(exported[0], folder)
    assert not list(tmp_path.iterdir())


def test_what_lies_beside_the_graph(exported):
    model, folder = exported
    facts = json.loads((folder / "spinet_qsm.json").read_text())
    assert (facts["Lambda"], facts["P"]) == (model.lambda_, model.p)
    assert "local_field" in (folder / "README.md").read_text()
    assert "Apache License" in (folder / "LICENSE").read_text()
    requests = dict(read_warmup_requests(folder))
    assert set(requests) == {"serving_default", "unrolls", "local_field_only"}


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_as_readable_as_the_umask_lets_it_be(umask, exported, tmp_path):
    before = os.umask(umask)
    try:
        folder = export_saved_model(exported[0], tmp_path)
    finally:
        os.umask(before)
    for path in (folder, *folder.rglob("*")):
        usual = 0o777 if path.is_dir() else 0o666
        assert (path.stat().st_mode & 0o777) == usual & ~umask, path


def test_few_voxels_are_enough_for_the_warmup(exported, tmp_path):
    folder = export_saved_model(exported[0], tmp_path, max_voxels=20000)
    served = ServedModel(folder)  # which answers the requests
    assert served.version == 1
    shapes = [inputs["local_field"].shape for _, inputs in read_warmup_requests(folder)]
    assert shapes == 3 * [(1, 27, 27, 27)]
