"""Data sets that are left half built, and those of different scans."""

import os
import shutil
from pathlib import Path

import pytest

from datasets.building import check_same_scans
from datasets.loading import load_dataset
from datasets.qsm_cosmos import dummy_data_generation
from datasets.qsm_shapes.qsm_shapes_dataset_builder import Builder as ShapesBuilder
from spinet_tf.errors import InputError

NAME = "qsm_cosmos/volumes"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder of data sets with one of the dummy scans."""
    data = tmp_path_factory.mktemp("data")
    load_dataset(NAME, data, "train", dummy_data_generation.FOLDER)
    return data


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("disk full")])
def test_a_data_set_without_its_record_does_not_stay(error, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("spinet_tf.atomic_write.write_json", fail)
    with pytest.raises((KeyboardInterrupt, InputError)):
        load_dataset(NAME, tmp_path, "train", dummy_data_generation.FOLDER)
    assert not list(tmp_path.rglob("dataset_info.json"))
    monkeypatch.undo()
    load_dataset(NAME, tmp_path, "train", dummy_data_generation.FOLDER)
    assert list(tmp_path.rglob("scans.json"))


def test_what_a_killed_build_has_left_is_removed(tmp_path):
    place = Path("qsm_shapes", "shapes_24", "incomplete.ABC123_1.0.0")
    left, of_another_program = tmp_path / ".building" / place, tmp_path / place
    for folder in (left, of_another_program):
        folder.mkdir(parents=True)
        (folder / "some.tfrecord").touch()
    assert len(load_dataset("qsm_shapes/shapes_24", tmp_path, "train"))
    assert not (tmp_path / ".building").exists()
    # `tfds build` may be at it.
    assert (of_another_program / "some.tfrecord").exists()


def test_a_data_set_appears_with_its_record(tmp_path, monkeypatch):
    """So that a process that is killed leaves none without."""
    appeared = []

    def rename(source, target):
        appeared.extend([target, Path(source, "scans.json").exists()])
        os.replace(source, target)

    monkeypatch.setattr("datasets.building.os.rename", rename)
    load_dataset(NAME, tmp_path, "train", dummy_data_generation.FOLDER)
    (info,) = tmp_path.rglob("dataset_info.json")
    assert appeared[-2:] == [info.parent, True]


def test_a_data_set_that_another_program_built_meanwhile(tmp_path, monkeypatch):
    build = ShapesBuilder.download_and_prepare
    theirs = tmp_path / "qsm_shapes" / "shapes_24" / "1.0.0"

    def build_twice(builder, **options):
        build(builder, **options)
        shutil.copytree(builder.data_dir, theirs)
        (theirs / "mine").touch()

    monkeypatch.setattr(ShapesBuilder, "download_and_prepare", build_twice)
    assert len(load_dataset("qsm_shapes/shapes_24", tmp_path, "train"))
    assert (theirs / "mine").exists()


def with_scans(built, folder, change):
    """A copy of the data set that is built, whose record is changed."""
    (record,) = built.rglob("scans.json")
    shutil.copytree(record.parent, folder)
    path = folder / record.name
    path.write_text(change(path.read_text()))
    return str(folder)


def test_data_sets_of_different_scans(built, tmp_path):
    (own,) = {str(path.parent) for path in built.rglob("scans.json")}

    def another(name, change):
        return with_scans(built, tmp_path / name, change)

    first = '{"desc-local_fieldmap.json": [1, 2], '
    same = another("same", lambda text: text)
    more = another("more", lambda text: text.replace("{", first, 1))
    apart = another("apart", lambda text: text.replace("sub-", "sub-x"))
    # A record that was written when more counted.
    older = another("older", lambda text: text.replace("{", '{"sub-01_T1w.nii": 1,', 1))
    without = another("without", lambda text: text)
    Path(without, "scans.json").unlink()
    check_same_scans([NAME, own, same, apart, older, without], built)
    check_same_scans([apart, without, "qsm_brain/heads"], built)
    with pytest.raises(InputError) as refused:
        check_same_scans(["qsm_brain/heads", NAME, more], built)
    assert str(refused.value) == (
        f"data sets {NAME} and {more}: expected both built from the same scans, got"
        " different ones with sub-01 in both, which may be in train of one and in"
        " validation of the other"
    )
    damaged = another("damaged", lambda text: text[:20])
    with pytest.raises(InputError, match=f"{damaged}/scans.json: is damaged"):
        check_same_scans([NAME, damaged], built)
