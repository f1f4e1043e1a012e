"""Errors of regions, by hand and as QSM-CI scores them."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from spinet_tf.metrics_challenge import challenge_metrics
from spinet_tf.metrics_regions import region_errors, region_statistics


def labelled_maps(seed=0, shape=(30, 26, 23)):
    """Smooth maps with every scored label and a calcification."""
    generator = np.random.default_rng(seed)
    reference = gaussian_filter(generator.standard_normal(shape), 2)
    reference *= 0.05 / reference.std()
    labels = np.digitize(
        gaussian_filter(generator.standard_normal(shape), 1.5),
        np.linspace(-0.2, 0.2, 10),
    )
    labels[labels == 0] = 11
    labels[12:15, 11:14, 9:12] = 16
    reference[labels == 16] = -0.5
    reconstruction = 0.9 * reference + 0.01 * generator.standard_normal(shape)
    return reconstruction, reference, np.ones(shape, bool), labels


def test_region_nrmse_is_that_of_the_region_alone():
    reconstruction, reference, mask, labels = labelled_maps()
    metrics = region_errors(reconstruction, reference, mask, labels)
    for name, members in (("nrmse_tissue", (7, 8, 9)), ("nrmse_dgm", range(1, 7))):
        region = np.isin(labels, members)
        expected = challenge_metrics(reconstruction, reference, region)
        assert metrics[name] == pytest.approx(expected["nrmse_detrend"], rel=1e-9)


def test_blood_includes_its_neighbours():
    reconstruction, reference, mask, _ = labelled_maps()
    labels = np.zeros(mask.shape, int)
    labels[6, 7, 8] = 11
    cube = np.zeros(mask.shape, bool)
    cube[5:8, 6:9, 7:10] = True
    metrics = region_errors(reconstruction, reference, mask, labels)
    expected = challenge_metrics(reconstruction, reference, cube)["nrmse_detrend"]
    assert metrics["nrmse_blood"] == pytest.approx(expected, rel=1e-9)


def test_dgm_linearity_is_the_deviation_from_slope_one():
    _, reference, mask, labels = labelled_maps()
    metrics = region_errors(0.7 * reference + 0.1, reference, mask, labels)
    assert metrics["dgm_linearity"] == pytest.approx(0.3)


def test_calcification_by_hand():
    shape = (29, 28, 27)
    labels = np.zeros(shape, int)
    labels[13:15, 12:14, 13:15] = 16
    reference = np.where(labels == 16, -0.5, 0.0)
    # One voxel is missed; the lowest value outside the box of 3 voxels is -0.104, so
    # what lies below -0.11 in the box belongs to the calcification.
    reconstruction = np.where(labels == 16, -0.4, 0.0)
    reconstruction[13, 12, 13] = -0.1
    reconstruction[13, 12, 9] = -0.104
    metrics = region_errors(reconstruction, reference, np.ones(shape), labels)
    assert metrics["calc_moment_dev"] == pytest.approx(8 * 0.5 - 7 * 0.4)
    rim_voxels = 16**3 - 8**3
    mean = -0.104 / rim_voxels
    deviation = math.sqrt(0.104**2 / rim_voxels - mean**2)
    assert metrics["calc_streak"] == pytest.approx(deviation / 0.4)


def test_a_lost_calcification_costs_its_moment():
    _, reference, mask, labels = labelled_maps()
    metrics = region_errors(np.ones(mask.shape), reference, mask, labels)
    assert metrics["calc_moment_dev"] == pytest.approx(27 * 0.5)
    assert math.isnan(metrics["calc_streak"])


def test_missing_regions_are_undefined():
    reconstruction, reference, mask, _ = labelled_maps()
    metrics = region_errors(reconstruction, reference, mask, np.zeros(mask.shape))
    assert all(math.isnan(value) for value in metrics.values())


def test_region_statistics():
    reconstruction, reference, mask, labels = labelled_maps()
    labels[labels == 3] = 0
    labels[:3, :3, 0] = 3
    labels[0, 0, 5] = 12
    mask[:, :, :3] = False
    regions = region_statistics(reconstruction, reference, mask, labels)
    assert [r["label"] for r in regions] == [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 16]
    assert regions[-1]["name"] == "calcification"
    assert regions[-1]["voxels"] == 27
    assert regions[-1]["reference_mean"] == pytest.approx(-0.5)
    assert regions[-1]["reference_std"] == pytest.approx(0, abs=1e-12)
    white_matter = reconstruction[mask & (labels == 8)]
    assert regions[6]["reconstruction_mean"] == pytest.approx(white_matter.mean())
    assert regions[6]["reconstruction_std"] == pytest.approx(white_matter.std())


def test_agrees_with_the_qsm_ci_scorer():
    qsm_ci = pytest.importorskip("qsm_ci.qsm_eval")
    reconstruction, reference, mask, labels = labelled_maps(1)
    expected, _ = qsm_ci.score_arrays(reconstruction, reference, mask, seg=labels)
    metrics = challenge_metrics(reconstruction, reference, mask)
    metrics |= region_errors(reconstruction, reference, mask, labels)
    assert metrics == pytest.approx(expected, rel=1e-9)


def test_blood_outside_the_mask_does_not_count():
    reconstruction, reference, mask, _ = labelled_maps()
    labels = np.zeros(mask.shape, int)
    labels[6, 7, 8] = 11
    expected = region_errors(reconstruction, reference, mask, labels)
    labels[20, 12, 12], mask[20, 12, 12] = 11, False
    found = region_errors(reconstruction, reference, mask, labels)
    assert found["nrmse_blood"] == pytest.approx(expected["nrmse_blood"], rel=1e-9)


def test_labels_that_are_whole_but_for_rounding():
    maps = labelled_maps()
    labels = maps[3] * (1 - 1e-6)  # as a scaled NIfTI file gives them
    for function in (region_errors, region_statistics):
        assert function(*maps[:3], labels) == function(*maps)


def test_ten_voxels_are_a_region():
    reconstruction, reference, mask, _ = labelled_maps()
    labels = np.zeros(mask.shape, int)
    labels[3, 3, 2:12], labels[9, 9, 2:11] = 7, 8
    found = region_statistics(reconstruction, reference, mask, labels)
    assert [(r["label"], r["voxels"]) for r in found] == [(7, 10)]


def calcified(corner=(13, 12, 13), shape=(29, 28, 27)):
    labels = np.zeros(shape, int)
    labels[tuple(slice(c, c + 2) for c in corner)] = 16
    return labels, np.where(labels == 16, -0.5, 0.0)


def test_a_calcification_at_the_edge_of_the_volume():
    metrics = []
    for corner in ((1, 12, 13), (13, 12, 13)):
        labels, reference = calcified(corner)
        reconstruction = np.where(labels == 16, -0.4, 0.0)
        metrics.append(
            region_errors(reconstruction, reference, np.ones(labels.shape), labels)
        )
    for found in metrics:
        assert found["calc_moment_dev"] == pytest.approx(8 * 0.1)


def test_streaks_below_all_thresholds():
    labels, reference = calcified()
    reconstruction = np.where(labels == 16, -5.0, 0.0)
    reconstruction[13, 12, 8] = -4.0  # nothing above -3.5 is clear of this
    found = region_errors(reconstruction, reference, np.ones(labels.shape), labels)
    assert found["calc_moment_dev"] == pytest.approx(8 * 4.5)


def test_a_nucleus_outside_the_mask_does_not_count():
    labels = np.zeros((12, 12, 12), int)
    labels[1:3], labels[4:6], labels[7:9] = 1, 2, 3
    reference = np.select([labels == n for n in (1, 2, 3)], [0.1, 0.2, 0.15])
    reconstruction = np.select([labels == n for n in (1, 2, 3)], [0.1, 0.3, 0.2])
    slopes = []
    for seen in ((1, 2, 3), (1, 2), (1,)):
        mask = np.isin(labels, (0, *seen))
        metrics = region_errors(reconstruction, reference, mask, labels)
        slopes.append(metrics["dgm_linearity"])
    assert slopes == pytest.approx([1, 1, math.nan], nan_ok=True)


def test_one_susceptibility_in_all_nuclei_has_no_slope():
    labels = np.ones((6, 6, 6), int)
    labels[3:] = 2
    chi = np.full(labels.shape, 0.1)
    errors = region_errors(chi, chi, np.ones_like(labels), labels)
    assert np.isnan(errors["dgm_linearity"])


def test_qsm_ci_and_a_mask_of_a_part():
    qsm_ci = pytest.importorskip("qsm_ci.qsm_eval")
    reconstruction, reference, mask, labels = labelled_maps(1)
    mask[:, :, 11:] = False
    expected, _ = qsm_ci.score_arrays(reconstruction, reference, mask, seg=labels)
    found = region_errors(reconstruction, reference, mask, labels)
    for name in ("nrmse_tissue", "nrmse_blood", "nrmse_dgm"):
        assert found[name] == pytest.approx(expected[name], rel=1e-9)
    # What of a nucleus or a calcification lies outside does not count here.
    assert found == region_errors(reconstruction, reference, mask, mask * labels)
    assert found["calc_streak"] != pytest.approx(expected["calc_streak"], rel=1e-3)
