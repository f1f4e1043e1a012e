"""What a synthetic brain is made of."""

import numpy as np
import pytest
from scipy import ndimage

from datasets.qsm_brain import brain, lesions, vessels
from datasets.qsm_brain.brain_mask import random_mask
from datasets.qsm_brain.deformation import View
from datasets.qsm_brain.lesions import LESIONS
from datasets.qsm_brain.nuclei import NUCLEI, add_nuclei
from datasets.qsm_brain.random_fields import log_uniform, smooth_field
from datasets.qsm_brain.tissues import draw_tissues, tissue_susceptibility
from datasets.qsm_brain.tracts import tract_susceptibility
from datasets.qsm_brain.tubes import draw_tubes


def plain_view(voxel_size=3.0, shape=(50, 64, 52), centre=(0, -18, 5)):
    """A head as it lies in the template, not deformed."""
    size = np.full(3, voxel_size)
    nothing = np.zeros((3, *shape), np.float32)
    return View(shape, size, np.diag(size), np.array(centre, float), nothing)


def test_nuclei_lie_where_they_are_on_both_sides():
    view = plain_view(2.0, (40, 48, 40), (0, -10, 0))
    seen = {label: 0 for label in range(4, 17)}
    for seed in range(4):
        chi = np.zeros(view.shape, np.float32)
        labels = np.zeros(view.shape, np.uint8)
        rng = np.random.default_rng(seed)
        filled = add_nuclei(rng, view, view.coordinates(), chi, labels)
        for side in (1, -1):
            for name in ("putamen", "pallidum_external", "red_nucleus"):
                nucleus = NUCLEI[name]
                centre = np.array(nucleus.parts[0][0]) * (side, 1, 1)
                voxel = tuple(np.rint(view.to_voxels(centre[None])[0]).astype(int))
                if labels[voxel] == nucleus.label:
                    seen[nucleus.label] += 1
                    here = labels == nucleus.label
                    assert 0 < chi[here].mean() < 0.4 and filled[here].min() > 0.5
    for name in ("putamen", "pallidum_external", "red_nucleus"):
        assert seen[NUCLEI[name].label] >= 6  # of 8


def test_tracts_are_diamagnetic_on_both_sides():
    places = np.array([(33, -60, 5), (-33, -60, 5), (17, -13, -6), (-17, -13, -6)])
    coordinates = np.float32(places.T.reshape(3, 4, 1, 1))
    white = np.ones((4, 1, 1), np.float32)
    added = [
        tract_susceptibility(np.random.default_rng(s), coordinates, white).ravel()
        for s in range(20)
    ]
    np.testing.assert_allclose(np.mean(added, axis=0), -0.018, atol=0.008)
    assert not tract_susceptibility(
        np.random.default_rng(0), coordinates, 0 * white
    ).any()


def test_tissues_are_where_and_what_they_are():
    view = plain_view(4.0, (38, 46, 40))
    contrasts = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        tissues = draw_tissues(rng, view)
        deep = np.linalg.norm(tissues.coordinates.T - (26, -20, 32), axis=-1).T < 7
        assert tissues.white[deep].mean() > 0.65
        chi = tissue_susceptibility(rng, view, tissues)
        white, grey = (
            chi[tissues.brain & (part > 0.8)].mean()
            for part in (tissues.white, tissues.grey)
        )
        contrasts.append(grey - white)
    assert 0.01 < np.mean(contrasts) < 0.05


def test_a_brain_is_made_of_its_parts(monkeypatch):
    box, other = np.zeros((2, 20, 17, 18), np.float32)
    box[8:10, 8:10, 8:10], other[12:14, 8:10, 8:10] = 1, 1
    asked = []

    def lesions(rng, view, inside, susceptibility, often):
        asked.append(often)
        susceptibility += other * (-2 - susceptibility)
        return other

    monkeypatch.setattr(brain, "draw_vessels", lambda *_: (box, 5 * box))
    monkeypatch.setattr(brain, "add_lesions", lesions)
    monkeypatch.setattr(brain, "add_nuclei", lambda *_: np.zeros_like(box))
    monkeypatch.setattr(brain, "random_mask", lambda *_: np.ones(box.shape, bool))
    maps = []
    for tracts in (0.0, 0.7):
        monkeypatch.setattr(
            brain, "tract_susceptibility", lambda *_, t=tracts: np.float32(t)
        )
        made = brain.random_patch(np.random.default_rng(0), box.shape)
        vein, lesion = box > 0, other > 0
        assert (made.segmentation[vein] == 20).all()
        assert (made.segmentation[lesion] == 21).all()
        np.testing.assert_allclose(np.ptp(made.susceptibility[vein | lesion]), 7)
        assert not made.white_matter[vein | lesion].any()
        assert made.white_matter.max() > 0.9
        maps.append(made.susceptibility[~(vein | lesion)].mean())
    # The mean of all goes off: what the tracts add leaves veins and lesions behind.
    assert maps[1] - maps[0] == pytest.approx(0.7 * 16 / box.size, rel=0.01)
    brain.random_head(np.random.default_rng(0), box.shape)
    assert asked == [1.0, 1.0, 2.0]


def test_lesions_have_their_signs_and_are_as_frequent_as_stated(monkeypatch):
    view = plain_view(2.0, (16, 16, 16), (0, 0, 0))
    signs = {"calcification": -1, "bleed": 1, "microbleed": 1, "plaque": 1}
    for name, sign in signs.items():
        monkeypatch.setattr(lesions, "LESIONS", {name: LESIONS[name]})
        found = []
        for seed in range(100):
            chi = np.zeros(view.shape, np.float32)
            rng = np.random.default_rng(seed)
            filled = lesions.add_lesions(rng, view, np.ones(view.shape, bool), chi)
            found.append(filled.any())
            assert not (sign * chi < 0).any() and not chi[filled == 0].any()
        expected = LESIONS[name].patch_probability
        assert np.mean(found) == pytest.approx(expected, abs=0.09)


def test_tubes_hold_what_their_cross_sections_hold():
    z = np.arange(0, 12, 0.5)
    points = np.stack([np.full(z.size, 9), np.full(z.size, 9), z], 1)
    for radius in (0.2, 0.5, 3.0):
        fraction, value = draw_tubes(
            (19, 19, 12), points, np.full(z.size, radius), np.full(z.size, 0.3)
        )
        thin = min(1, (radius / 0.5) ** 2)
        assert fraction[9, 9, 6] == pytest.approx(thin)
        assert value[9, 9, 6] == pytest.approx(0.3)
        area = fraction[..., 6].sum()
        assert area == pytest.approx(thin * np.pi * max(radius, 0.5) ** 2, rel=0.35)
    two = np.array([[9, 9, 6], [9.4, 9, 6]])
    _, value = draw_tubes((19, 19, 12), two, np.full(2, 0.5), np.array([0.1, 0.2]))
    assert value[9, 9, 6] == pytest.approx(0.1)
    assert value[10, 9, 6] == pytest.approx(0.2)


def test_deep_veins_lie_on_both_sides_and_are_millimetres_wide():
    view = plain_view(2.0, (80, 100, 80))
    points, radii, values = vessels._deep_veins(np.random.default_rng(0), view, 0.2)
    right = points[:, 0] > (view.shape[0] - 1) / 2
    assert 0.3 < right.mean() < 0.7
    assert 0.2 / view.scale < radii.min() and radii.max() < 3.7 / view.scale
    assert values.min() > 0
    tissues = draw_tissues(np.random.default_rng(0), plain_view(4.0, (38, 46, 40)))
    rng = np.random.default_rng(0)
    blood, chi = vessels.draw_vessels(rng, plain_view(4.0, (38, 46, 40)), tissues)
    assert 0.04 < np.median(chi[blood > 0.5]) < 0.4


def test_masks_are_eroded_and_of_one_part():
    view = plain_view(2.0, (40, 40, 40))
    ball = np.linalg.norm(np.mgrid[:40, :40, :40].T - 19.5, axis=-1) < 16
    parts, hollow = ball.copy(), ball.copy()
    parts[26:28] = False
    hollow[19:21, 19:21, 19:21] = False
    filled = []
    for seed in range(12):
        mask = random_mask(np.random.default_rng(seed), view, parts)
        assert ndimage.label(mask)[1] == 1
        assert mask.any() and not mask[26:].any()
        assert mask.sum() < parts[:26].sum()
        filled.append(
            random_mask(np.random.default_rng(seed), view, hollow)[19, 19, 19]
        )
    assert 0 < sum(filled) < 12


def test_random_fields_have_the_stated_variance_and_scale():
    rng = np.random.default_rng(0)
    for scale in (1.0, 4.0):
        fields = np.array([smooth_field(rng, (24, 22, 20), scale) for _ in range(30)])
        assert fields.std() == pytest.approx(1, rel=0.1)
        assert np.diff(fields, axis=1).std() == pytest.approx(1 / scale, rel=0.3)
    drawn = log_uniform(rng, 0.01, 1.0, 4000)
    assert np.median(drawn) == pytest.approx(0.1, rel=0.15)
