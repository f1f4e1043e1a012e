"""What views are drawn, and how often."""

import numpy as np
import pytest

from datasets.qsm_brain import deformation
from datasets.qsm_brain.deformation import random_head_view, random_patch_view
from datasets.qsm_brain.template import load_template


@pytest.fixture(autouse=True)
def _undeformed(monkeypatch):
    def nothing(_, shape, scale):
        return np.zeros((3, *shape), np.float32)

    monkeypatch.setattr(deformation, "_random_displacement", nothing)


def test_a_patch_that_would_show_too_much_is_drawn_anew(monkeypatch):
    monkeypatch.setattr(deformation, "_CENTRES", 25)
    shape = (190,) * 3
    first = np.random.default_rng(3)
    assert first.random() < 0.6
    assert (190 / first.uniform(0.8, 1.3)) ** 3 > 4 * len(load_template().brain_points)
    view = random_patch_view(np.random.default_rng(3), shape)
    places = view.coordinates()[:, ::16, ::16, ::16]
    assert load_template().sample(load_template().brain, places).mean() > 0.3


def test_patches_of_a_shape_no_brain_fills_are_refused(monkeypatch):
    monkeypatch.setattr(deformation, "_CENTRES", 2)
    monkeypatch.setattr(deformation, "_VIEWS", 3)
    with pytest.raises(ValueError) as refused:
        random_patch_view(np.random.default_rng(0), (900, 900, 901))
    assert str(refused.value) == (
        "shape: expected patches that a brain fills to 35%, got (900, 900, 901)"
    )


def test_patches_are_magnified_and_look_at_deep_grey_matter_as_often_as_stated(
    monkeypatch,
):
    monkeypatch.setattr(deformation, "_anisotropy", lambda _: np.ones(3))
    rng = np.random.default_rng(0)
    views = [random_patch_view(rng, (24, 24, 24)) for _ in range(120)]
    zooms = np.array([1 / view.scale for view in views])
    assert 0.8 <= zooms.min() < 0.85 and 3.0 < zooms.max() <= 3.2
    assert np.mean(zooms < 1.3) == pytest.approx(0.6, abs=0.12)
    assert 1.9 < np.median(zooms[zooms > 1.3]) < 2.6

    def share_near_deep_grey(points):
        centres = deformation._DEEP_GREY_CENTRES
        centres = np.concatenate([centres, centres * (-1, 1, 1)])
        distances = np.linalg.norm(points[:, None] - centres, axis=-1)
        return np.mean(distances.min(axis=1) < 20)

    anywhere = share_near_deep_grey(load_template().brain_points[::997])
    seen = share_near_deep_grey(np.array([view.centre for view in views]))
    assert anywhere < 0.2 and 0.35 < seen < 0.7


def share_of_thick_slices(voxel_sizes, from_ratio):
    voxel_sizes = np.array(voxel_sizes)
    ratios = voxel_sizes.max(axis=1) / np.median(voxel_sizes, axis=1)
    assert 1.7 < ratios.max() < 2.7
    return np.mean(ratios > from_ratio)


def test_thick_slices_are_as_frequent_as_stated():
    rng = np.random.default_rng(0)
    patches = [deformation._anisotropy(rng) for _ in range(2000)]
    assert 0.11 < share_of_thick_slices(patches, 1.3) < 0.17
    heads = [random_head_view(rng, (6, 7, 6)).voxel_size for _ in range(200)]
    assert 0.18 < share_of_thick_slices(heads, 1.18) < 0.32
