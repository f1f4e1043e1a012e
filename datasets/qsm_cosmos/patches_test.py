"""Patches cover the mask, overlap as asked, and stay inside the volume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.qsm_cosmos.patches import crop, patch_corners
from datasets.qsm_cosmos.qsm_cosmos_dataset_builder import CosmosConfig
from datasets.qsm_cosmos.shared_by_tests import build
from spinet_tf import simulate
from spinet_tf.errors import InputError, OutOfMemory

lengths = st.tuples(*[st.integers(5, 14)] * 3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(volume=lengths, shape=lengths, data=st.data())
def test_patches_cover_the_mask(volume, shape, data):
    shape = tuple(min(pair) for pair in zip(volume, shape, strict=True))
    stride = tuple(data.draw(st.integers(1, size)) for size in shape)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    mask = np.zeros(volume, bool)
    for _ in range(3):
        mask[tuple(rng.integers(0, volume))] = True
    covered = np.zeros(volume, bool)
    corners = patch_corners(mask, shape, stride, least_mask=0.0)
    assert len(set(corners)) == len(corners)
    for corner in corners:
        patch = crop(covered, corner, shape)
        assert patch.shape == shape
        assert crop(mask, corner, shape).any()
        patch[...] = True
    assert covered[mask].all()


def test_patches_lie_evenly_and_end_with_the_mask():
    mask = np.zeros((20, 9, 12), bool)
    mask[3:18, 2:8, 1:12] = True
    corners = np.array(patch_corners(mask, (6, 8, 5), (4, 4, 3), least_mask=0.0))
    assert sorted(set(corners[:, 0])) == [3, 6, 9, 12]
    assert sorted(set(corners[:, 1])) == [1]
    assert sorted(set(corners[:, 2])) == [1, 4, 7]
    assert len(corners) == 12


def test_patches_with_little_mask_are_left_out():
    mask = np.zeros((12, 8, 8), bool)
    mask[:7] = True
    mask[11] = True
    shape, stride = (4, 8, 8), (4, 8, 8)
    corners = patch_corners(mask, shape, stride, least_mask=0.25)
    assert corners == [(0, 0, 0), (4, 0, 0)]
    assert len(patch_corners(mask, shape, stride, least_mask=0.24)) == 3
    with pytest.raises(InputError, match="no more than 100% of any patch"):
        patch_corners(mask, shape, stride, least_mask=1.0)


def test_a_patch_larger_than_the_volume_is_refused():
    with pytest.raises(InputError, match="smaller than a patch"):
        patch_corners(np.ones((6, 7, 8), bool), (6, 8, 8), (4, 4, 4), 0.0)


def test_too_little_memory_for_the_field_of_a_scan_is_told_with_its_name(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(simulate, "BYTES_PER_VOXEL", 10**12)
    config = CosmosConfig(name="small", shape=(9, 8, 10), stride=(5, 4, 6))
    with pytest.raises(OutOfMemory, match="^sub-01_run-1: susceptibility: simulating"):
        build(folder, tmp_path / "data", config)
