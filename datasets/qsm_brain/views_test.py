"""Views of the template."""

from types import SimpleNamespace

import numpy as np
import pytest

from datasets.qsm_brain import brain
from datasets.qsm_brain.deformation import View, random_head_view, random_patch_view
from datasets.qsm_brain.template import load_template


@pytest.mark.parametrize("draw", [random_patch_view, random_head_view])
def test_a_view_knows_where_its_voxels_are(draw):
    for seed in range(3):
        view = draw(np.random.default_rng(seed), (20, 17, 18))
        lengths = np.linalg.norm(view.matrix, axis=0)
        np.testing.assert_allclose(view.voxel_size, lengths)
        coordinates = view.coordinates()
        points = coordinates[:, 4:16:4, 4:13:4, 4:14:4].reshape(3, -1).T
        expected = np.stack(np.mgrid[4:16:4, 4:13:4, 4:14:4], -1).reshape(-1, 3)
        error = np.abs(view.to_voxels(points.astype(float)) - expected)
        assert np.median(error) < 0.4  # more where the deformation is strong
        centre, radius = coordinates[:, 10, 8, 9], 3.5 * view.scale
        inside = radius > np.linalg.norm(coordinates.T - centre, axis=-1).T
        outside = inside.copy()
        outside[view.box(centre, radius)] = False
        assert inside.sum() > 50 and not outside.any()


def test_a_box_of_thick_slices_that_lie_across():
    size = np.array([1.0, 1.0, 4.0])
    matrix = np.eye(3)[[2, 0, 1]] * size
    shape = (24, 24, 24)
    nothing = np.zeros((3, *shape), np.float32)
    view = View(shape, size, matrix, np.zeros(3), nothing)
    inside = np.linalg.norm(view.coordinates(), axis=0) < 6
    box = view.box(np.zeros(3), 6.0)
    assert inside[box].sum() == inside.sum()
    assert [part.stop - part.start for part in box] == [18, 18, 6]


def test_a_patch_with_little_mask_is_drawn_again(monkeypatch):
    masks = iter([0.1, 0.25, 0.3])

    def compose(*_, **__):
        return SimpleNamespace(mask=np.float64(next(masks)))

    monkeypatch.setattr(brain, "_compose", compose)
    monkeypatch.setattr(brain, "random_patch_view", lambda *_: None)
    assert brain.random_patch(np.random.default_rng(0), (4, 4, 4)).mask == 0.3


def test_half_of_the_views_are_mirrored():
    views = [
        random_head_view(np.random.default_rng(s), (6, 7, 6)).matrix for s in range(20)
    ]
    assert 4 < sum(np.linalg.det(matrix) < 0 for matrix in views) < 16


def test_the_template_is_in_mni_space():
    points = load_template().brain_points
    np.testing.assert_allclose(points.min(axis=0), (-72, -107, -72), atol=2)
    np.testing.assert_allclose(points.max(axis=0), (72, 73, 82), atol=2)
