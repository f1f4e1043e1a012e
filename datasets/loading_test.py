"""Data sets are built once, and known by what they were built from."""

import contextlib
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from datasets import loading
from datasets.loading import load_dataset
from datasets.qsm_cosmos import dummy_data_generation
from datasets.qsm_cosmos.qsm_cosmos_dataset_builder import Builder as CosmosBuilder
from datasets.qsm_shapes.qsm_shapes_dataset_builder import Builder as ShapesBuilder
from spinet_tf.errors import InputError

NAME = "qsm_cosmos/volumes"


def test_a_data_set_of_scans(tmp_path):
    scans, data = tmp_path / "scans", tmp_path / "scans" / "data"
    shutil.copytree(dummy_data_generation.FOLDER, scans)
    assert len(load_dataset(NAME, data, "train", scans)) == 2
    for at_most, held in ((1, 1), (2, 2), (5, 2)):
        assert len(load_dataset(NAME, data, "train", scans, at_most)) == held
    moved = tmp_path / "moved"
    shutil.move(scans, moved)
    assert len(load_dataset(NAME, moved / "data", "train", moved)) == 2
    (moved / "notes.json").write_text("{}")
    (changed,) = moved.glob("sub-01/anat/*_mask.nii.gz")
    os.utime(changed, (0, 0))
    assert len(load_dataset(NAME, moved / "data", "train", moved)) == 2
    changed.write_bytes(changed.read_bytes() + b"1")
    with pytest.raises(InputError, match="was built from other scans than there are"):
        load_dataset(NAME, moved / "data", "train", moved)


def test_a_built_folder_is_read_in_its_order(tmp_path, monkeypatch):
    name = "qsm_shapes/shapes_24"
    own = load_dataset(name, tmp_path, "validation")
    (info,) = tmp_path.rglob("dataset_info.json")
    again = load_dataset(str(info.parent), tmp_path / "none", "validation")
    for a, b in zip(own, again, strict=True):
        np.testing.assert_array_equal(a["susceptibility"], b["susceptibility"])
    asked = {}
    real = tfds.core.DatasetBuilder.as_dataset

    def as_dataset(self, **arguments):
        asked.update(arguments)
        return real(self, **arguments)

    monkeypatch.setattr(tfds.core.DatasetBuilder, "as_dataset", as_dataset)
    load_dataset(name, tmp_path, "train")
    assert asked["shuffle_files"] is False


@pytest.mark.parametrize("method", ["write", "finalize"])
def test_a_full_disk(method, tmp_path, monkeypatch):
    def fail(*_):
        message = "/data/x.tfrecord; No space left on device"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    name = "qsm_shapes/shapes_24"
    monkeypatch.setattr(f"tensorflow_datasets.core.writer.Writer.{method}", fail)
    with pytest.raises(InputError) as refused:
        load_dataset(name, tmp_path, "train")
    folder = tmp_path / "qsm_shapes" / "shapes_24" / "1.0.0"
    assert str(refused.value) == (
        f"data set {name}: cannot be built in {folder}, No space left on device"
    )
    assert not list(tmp_path.rglob("*tfrecord*"))
    monkeypatch.undo()
    assert len(load_dataset(name, tmp_path, "train"))


def test_what_another_process_has_built_meanwhile(tmp_path, monkeypatch):
    name = "qsm_shapes/shapes_24"

    @contextlib.contextmanager
    def locked_for_a_while(folder, when_taken):
        assert folder == tmp_path
        when_taken()
        ShapesBuilder(config="shapes_24", data_dir=str(folder)).download_and_prepare()
        monkeypatch.setattr(loading, "_build", pytest.fail)
        yield

    monkeypatch.setattr("spinet_tf.folder_lock.locked", locked_for_a_while)
    assert len(load_dataset(name, tmp_path, "train"))
    # One that is there needs no lock: its folder may be read-only.
    monkeypatch.setattr("spinet_tf.folder_lock.locked", pytest.fail)
    assert len(load_dataset(name, tmp_path, "train"))


def test_a_data_set_of_something_else(tmp_path):
    builder = tfds.testing.DummyDataset(data_dir=str(tmp_path))
    builder.download_and_prepare()
    with pytest.raises(
        InputError, match="has no mask, susceptibility, voxel_size, white_matter"
    ):
        load_dataset(builder.data_dir, tmp_path, "train")


def test_what_tells_scans_from_others(tmp_path):
    names = {"sub-1.mat", "sub-1_a.json", "sub-1_a.nii", "sub-1_b.nii.gz"}
    for name in (*names, "notes.json", "sub-1.txt"):
        (tmp_path / name).write_text("1")
    before = loading._listing(tmp_path)
    assert set(before) == names
    (tmp_path / "sub-1.mat").write_text("2")
    after = loading._listing(tmp_path)
    assert {name for name in names if before[name] != after[name]} == {"sub-1.mat"}


def test_the_checksum_of_scans_is_of_their_names_and_contents(tmp_path):
    one, same, renamed, other = (tmp_path / name for name in "abcd")
    for folder, name, text in (
        *((one, "sub-1.mat", "1"), (same, "sub-1.mat", "1")),
        *((renamed, "sub-2.mat", "1"), (other, "sub-1.mat", "2")),
    ):
        folder.mkdir()
        (folder / name).write_text(text)
    told = [loading.checksum_of_scans(path) for path in (one, same, renamed, other)]
    assert told[0] == told[1]
    assert len(set(told)) == 3


def test_scans_are_recorded_of_what_is_built_here(tmp_path):
    scans, data = tmp_path / "scans", tmp_path / "data"
    scans.mkdir()
    for folder in (None, scans, tmp_path / "missing"):
        with pytest.raises(InputError, match="expected a folder of your scans as"):
            load_dataset("qsm_cosmos/volumes", data, "train", folder)
    shutil.copytree(dummy_data_generation.FOLDER, scans, dirs_exist_ok=True)
    CosmosBuilder(config="volumes", data_dir=str(data)).download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(scans))
    )
    assert len(load_dataset("qsm_cosmos/volumes", data, "train", scans)) == 2
    assert not list(data.rglob("scans.json"))
