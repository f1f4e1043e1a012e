"""Data sets are built once, and known by what they were built from."""

import os
import shutil

import pytest

from datasets.loading import load_dataset
from datasets.qsm_cosmos import dummy_data_generation
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
