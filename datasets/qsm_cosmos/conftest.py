"""Fixtures of the tests of this data set."""

import shutil

import pytest

from datasets.qsm_cosmos import dummy_data_generation


@pytest.fixture
def folder(tmp_path):
    """A copy of the dummy data."""
    return shutil.copytree(dummy_data_generation.FOLDER, tmp_path / "scans")
