"""What the parts of a synthetic brain do to each other and to the voxels."""

from types import SimpleNamespace

import numpy as np
import pytest

from datasets.qsm_brain import brain, lesions, vessels
from datasets.qsm_brain.deformation import View
from datasets.qsm_brain.lesions import Lesion
from datasets.qsm_brain.qsm_brain_dataset_builder import _keyed_example
from datasets.qsm_brain.tissues import draw_tissues


def plain_view(voxel_size, shape, centre=(0, 0, 0)):
    """A head as it lies in the template, not deformed."""
    size = np.array(voxel_size, float)
    nothing = np.zeros((3, *shape), np.float32)
    return View(shape, size, np.diag(size), np.array(centre, float), nothing)


@pytest.mark.parametrize("voxel_size", [(0.4, 0.4, 1.6), (1.2, 0.4, 0.4)])
def test_lesions_are_as_large_in_mm_along_every_axis(voxel_size, monkeypatch):
    radius = 5.0
    ball = Lesion(1.0, 1, (radius, radius), (0.3, 0.3), 1.0)
    monkeypatch.setattr(lesions, "LESIONS", {"ball": ball})
    shape = tuple(np.rint(30 / np.array(voxel_size)).astype(int))
    view = plain_view(voxel_size, shape)
    centre = np.zeros(shape, bool)
    centre[tuple(edge // 2 for edge in shape)] = True
    covered = np.zeros(shape)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        chi = np.zeros(shape, np.float32)
        covered += lesions.add_lesions(rng, view, centre, chi) / 40
    spreads = []
    for axis in range(3):
        profile = covered.sum(axis=tuple({0, 1, 2} - {axis}))
        place = voxel_size[axis] * np.arange(len(profile))
        spreads.append(np.sqrt(np.cov(place, aweights=profile)))
    # Of a ball 0.45 of its radius; uneven ones reach further.
    assert 0.55 * radius < min(spreads) and max(spreads) < 0.75 * radius


def test_nuclei_are_no_white_matter(monkeypatch):
    nothing, nuclei = np.zeros((2, 20, 17, 18), np.float32)
    nuclei[5:15, 5:12, 5:12] = 0.75
    monkeypatch.setattr(brain, "draw_vessels", lambda *_: (nothing, nothing))
    monkeypatch.setattr(brain, "add_lesions", lambda *_: nothing)
    monkeypatch.setattr(brain, "random_mask", lambda *_: np.ones(nothing.shape, bool))
    found = []
    for filled in (nothing, nuclei):
        monkeypatch.setattr(brain, "add_nuclei", lambda *_, f=filled: f)
        made = brain.random_patch(np.random.default_rng(0), nothing.shape)
        found.append(made.white_matter)
    assert found[0][nuclei > 0].max() > 0.5
    np.testing.assert_allclose(found[1], (1 - nuclei) * found[0], atol=1e-6)


def test_the_stored_white_matter_is_the_nearest_number():
    made = SimpleNamespace(
        susceptibility=None,
        mask=np.ones(3, bool),
        white_matter=np.float32([0.998, 0.0021, 0.0019]),
        voxel_size=None,
    )
    config = SimpleNamespace(kind="patch", draw=lambda *_: made)
    _, example = _keyed_example(0, config, "train")
    assert example["white_matter"].tolist() == [254, 1, 0]


def test_some_small_vessels_are_arteries():
    view = plain_view((4, 4, 4), (30, 30, 30), (0, -18, 5))
    tissues = draw_tissues(np.random.default_rng(0), view)
    shares = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        drawn = vessels._small_veins(rng, view, tissues, "pial", 500, 0.25)
        values = drawn[2]
        arteries = values < 0.05
        assert values[arteries].min() > -0.0601 and values[arteries].max() < 0.0201
        shares.append(arteries.mean())
    assert np.mean(shares) == pytest.approx(0.08, abs=0.03)
