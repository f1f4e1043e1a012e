"""Data sets are built once, and known by what they were built from."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from datasets.building import scans_of
from datasets.loading import load_dataset
from datasets.qsm_cosmos import dummy_data_generation
from datasets.qsm_cosmos.qsm_cosmos_dataset_builder import Builder as CosmosBuilder
from datasets.qsm_cosmos.qsm_cosmos_dataset_builder import CosmosConfig
from datasets.qsm_shapes.qsm_shapes_dataset_builder import Builder as ShapesBuilder
from spinet_tf.errors import InputError
from tests.conftest import ROOT

NAME = "qsm_cosmos/volumes"


def test_a_data_set_of_scans(tmp_path):
    scans, data = tmp_path / "scans", tmp_path / "scans" / "data"
    shutil.copytree(dummy_data_generation.FOLDER, scans)
    assert scans_of(NAME, data) == ""
    assert len(load_dataset(NAME, data, "train", scans)) == 2
    told = scans_of(NAME, data)
    (built,) = data.rglob("scans.json")
    assert scans_of(str(built.parent), "nowhere") == told != ""
    for at_most, held in ((1, 1), (2, 2), (5, 2)):
        assert len(load_dataset(NAME, data, "train", scans, at_most)) == held
    moved = tmp_path / "moved"
    shutil.move(scans, moved)
    assert len(load_dataset(NAME, moved / "data", "train", moved)) == 2
    (moved / "notes.json").write_text("{}")
    # A record that was written when more counted.
    (record,) = (moved / "data").rglob("scans.json")
    written = record.read_text()
    more = {**json.loads(written), "sub-01/anat/sub-01_T1w.nii.gz": [1, 2]}
    record.write_text(json.dumps(more))
    assert len(load_dataset(NAME, moved / "data", "train", moved)) == 2
    record.write_text(written)
    (changed,) = moved.glob("sub-01/anat/*_mask.nii.gz")
    os.utime(changed, (0, 0))
    assert len(load_dataset(NAME, moved / "data", "train", moved)) == 2
    assert scans_of(NAME, moved / "data") == told
    others = tmp_path / "others"
    shutil.copytree(dummy_data_generation.FOLDER, others)
    sidecar = next(others.rglob("sub-03*.json"))
    sidecar.write_text(sidecar.read_text() + "\n")
    load_dataset(NAME, tmp_path / "more", "train", others)
    assert scans_of(NAME, tmp_path / "more") not in ("", told)
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


FULL = tf.errors.ResourceExhaustedError(
    None, None, "/data/x.tfrecord; No space left on device"
)


@pytest.mark.parametrize("error", [FULL, OSError(28, "No space left on device")])
@pytest.mark.parametrize("method", ["write", "finalize"])
def test_a_full_disk(method, error, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    name = "qsm_shapes/shapes_24"
    monkeypatch.setattr(f"tensorflow_datasets.core.writer.Writer.{method}", fail)
    with pytest.raises(InputError) as refused:
        load_dataset(name, tmp_path, "train")
    assert str(refused.value) == (
        f"data set {name}: cannot be built in {tmp_path}, No space left on device"
    )
    assert not list(tmp_path.rglob("*tfrecord*"))
    monkeypatch.undo()
    assert len(load_dataset(name, tmp_path, "train"))


def test_measured_fields_that_a_data_set_has_not(tmp_path):
    name = "qsm_shapes/shapes_24"
    with pytest.raises(InputError) as refused:
        load_dataset(name, tmp_path, "train", measured_fields=True)
    assert str(refused.value) == (
        f"measured_fields: data set {name}: has no b0_direction, local_field"
    )


def test_tfds_builds_one_too(tmp_path):
    words = ("--config=shapes_24", f"--data_dir={tmp_path}")
    command = (Path(sys.executable).with_name("tfds"), "build", "datasets/qsm_shapes")
    done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = tmp_path / "qsm_shapes" / "shapes_24" / "1.0.0"
    assert len(load_dataset(str(built), tmp_path, "train"))


def test_a_data_folder_that_is_a_file(tmp_path):
    path = tmp_path / "data"
    path.touch()
    with pytest.raises(InputError, match=f"cannot be built in {path}, File exists"):
        load_dataset("qsm_shapes/shapes_24", path, "train")


def test_an_error_of_another_kind_is_not_taken_for_a_full_disk(tmp_path, monkeypatch):
    def fail(*_):
        raise tf.errors.InvalidArgumentError(None, None, "no")

    monkeypatch.setattr("tensorflow_datasets.core.writer.Writer.write", fail)
    with pytest.raises(tf.errors.InvalidArgumentError):
        load_dataset("qsm_shapes/shapes_24", tmp_path, "train")


def test_what_another_process_has_built_meanwhile(tmp_path, monkeypatch, capsys):
    name = "qsm_shapes/shapes_24"

    @contextlib.contextmanager
    def locked_for_a_while(folder, when_taken):
        assert folder == tmp_path
        when_taken()
        ShapesBuilder(config="shapes_24", data_dir=str(folder)).download_and_prepare()
        monkeypatch.setattr(ShapesBuilder, "download_and_prepare", pytest.fail)
        yield

    monkeypatch.setattr("spinet_tf.folder_lock.locked", locked_for_a_while)
    assert len(load_dataset(name, tmp_path, "train"))
    told = f"data set {name}: another process builds in {tmp_path}, waiting"
    assert told in capsys.readouterr().err
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


def test_a_sidecar_of_all_subjects_that_changed_is_noticed(tmp_path):
    scans, data = tmp_path / "scans", tmp_path / "data"
    shutil.copytree(dummy_data_generation.FOLDER, scans)
    sidecar = scans / "desc-local_fieldmap.json"
    sidecar.write_text('{"MagneticFieldStrength": 3}')
    load_dataset(NAME, data, "train", scans)
    sidecar.write_text('{"MagneticFieldStrength": 7}')
    with pytest.raises(InputError, match="was built from other scans than there are"):
        load_dataset(NAME, data, "train", scans)


def test_scans_behind_links_that_changed_are_noticed(tmp_path):
    scans, data, elsewhere = (tmp_path / name for name in ("scans", "data", "all"))
    shutil.copytree(dummy_data_generation.FOLDER, elsewhere)
    scans.mkdir()
    for subject in elsewhere.iterdir():
        (scans / subject.name).symlink_to(subject)
    load_dataset(NAME, data, "train", scans)
    assert len(load_dataset(NAME, data, "train")) == 2
    (changed,) = elsewhere.glob("sub-01/anat/*_mask.nii.gz")
    changed.write_bytes(changed.read_bytes() + b"1")
    with pytest.raises(InputError, match="was built from other scans than there are"):
        load_dataset(NAME, data, "train", scans)


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


def test_patches_of_an_earlier_version_are_not_for_measured_fields(tmp_path):
    patches = CosmosConfig(name="small", shape=(9, 8, 10), stride=(5, 4, 6))

    def built(config, version):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(CosmosBuilder, "VERSION", tfds.core.Version(version))
            builder = CosmosBuilder(config=config, data_dir=tmp_path)
        scans = tfds.download.DownloadConfig(manual_dir=dummy_data_generation.FOLDER)
        builder.download_and_prepare(download_config=scans)
        return str(builder.data_dir)

    old = built(patches, "1.0.0")
    assert len(load_dataset(old, tmp_path, "train")) == 16
    with pytest.raises(InputError, match=r"version 1\.1\.0 or later, got 1\.0\.0"):
        load_dataset(old, tmp_path, "train", measured_fields=True)
    # The field of a whole volume is as measured in both.
    for config, version in ((patches, "1.1.0"), ("volumes", "1.0.0")):
        stored = load_dataset(
            built(config, version), tmp_path, "train", measured_fields=True
        )
        assert next(iter(stored))["local_field"].numpy().std() > 1e-3


@pytest.mark.parametrize("name", ["dataset_info.json", "scans.json"])
def test_a_damaged_description_or_record(tmp_path, name):
    scans, data = tmp_path / "scans", tmp_path / "data"
    shutil.copytree(dummy_data_generation.FOLDER, scans)
    load_dataset(NAME, data, "train", scans)
    (path,) = data.rglob(name)
    path.write_text(path.read_text()[:20])
    with pytest.raises(InputError, match=f"data set {NAME}: .* is damaged"):
        load_dataset(NAME, data, "train", scans)
    if name == "dataset_info.json":
        with pytest.raises(InputError, match=f"data set {path.parent}: .* is damaged"):
            load_dataset(str(path.parent), data, "train")
