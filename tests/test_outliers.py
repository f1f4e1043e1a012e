import numpy as np
import pytest
import tensorflow as tf

from spinet_tf.data_consistency import DataConsistency
from spinet_tf.dipole_kernel import dipole_kernel
from spinet_tf.dipole_operator import filter_volume
from spinet_tf.outliers import LEAST_DEVIATION, share_left_out, trust_in_field
from spinet_tf.schatten_norm import SchattenNorm
from tests.grids import geometry

SIZE = (16, 21, 18)


def noise(deviations, channels=1, seed=0):
    """Normal noise in a batch, with a deviation for each [ppm], and masks of a half."""
    rng = np.random.default_rng(seed)
    volume = rng.standard_normal((len(deviations), *SIZE, channels))
    mask = np.zeros((len(deviations), *SIZE, 1))
    mask[:, 2:14, 3:18, 1:15] = 1
    return np.reshape(deviations, (-1, 1, 1, 1, 1)) * volume, mask


def trust(misfit, mask, explained=0.0):
    given = misfit, explained + np.zeros_like(misfit), mask
    return trust_in_field(*map(tf.constant, given)).numpy()


def test_noise_is_believed_whatever_its_level():
    misfit, mask = noise((1e-5, 0.004, 0.1))
    np.testing.assert_array_equal(trust(misfit, mask), mask)


@pytest.mark.parametrize("channels", [1, 2])
def test_outliers_are_left_out_each_field_by_its_own_noise(channels):
    deviations = (0.004, 0.02)
    misfit, mask = noise(deviations, channels)
    outlying = (slice(None), slice(4, 8), slice(5, 9), slice(3, 7))  # 2.5% of the mask
    misfit[(*outlying, 0)] = -18 * 0.004
    found = trust(misfit, mask)
    assert (found[0][outlying[1:]] == 0).all()
    found[0][outlying[1:]] = 1
    np.testing.assert_array_equal(found, mask)


def test_trust_falls_from_one_to_nothing():
    misfit, mask = noise((0.004,))
    sizes = np.linspace(0.01, 0.08, 12)
    misfit[0, 2:14, 5, 5, 0] = sizes
    found = trust(misfit, mask)[0, 2:14, 5, 5, 0]
    assert found[0] == 1 and found[-1] == 0
    between = (found > 0) & (found < 1)
    assert between.sum() >= 2
    np.testing.assert_allclose(np.diff(found[between], 2), 0, atol=1e-9)
    assert (np.diff(found[between]) < 0).all()


def test_what_is_small_is_no_outlier():
    misfit, mask = noise((1e-6,))
    misfit[0, 6, 6, 6] = 7.9 * LEAST_DEVIATION
    np.testing.assert_array_equal(trust(misfit, mask), mask)


def test_what_a_source_explains_in_proportion_is_no_outlier():
    misfit, mask = noise((0.004,), channels=2)
    explained = np.zeros_like(misfit)
    places = ((4, 6, 6), (6, 6, 6), (8, 6, 6))
    for place, field in zip(places, (1.0, -1.0, 0.0), strict=True):
        misfit[(0, *place)], explained[(0, *place)] = 0.17, (field, 9)
    found = trust(misfit, mask, explained)
    assert [found[(0, *place)] for place in places] == [1, 1, 0]
    # 42 deviations are above 0.15 of what is explained by 11, half-way from 8 to 14.
    misfit[0, 4, 6, 6], explained[0, 4, 6, 6] = 0.168, (0.124 / 0.15, 0)
    found = trust(misfit, mask, explained)[0, 4, 6, 6]
    assert found == pytest.approx(0.5, abs=0.1)


def test_what_is_outside_the_mask_does_not_count():
    misfit, mask = noise((0.004,))
    outside = np.where(mask == 0, 1e6, misfit)
    np.testing.assert_array_equal(trust(outside, mask), mask)
    np.testing.assert_array_equal(trust(misfit, 0 * mask), 0 * mask)


def test_gets_no_gradient():
    misfit, mask = map(tf.constant, noise((0.004,)))
    with tf.GradientTape() as tape:
        tape.watch(misfit)
        found = trust_in_field(misfit, misfit, mask)
    assert tape.gradient(found, misfit) is None


def test_share_left_out():
    _, mask = noise((1, 1, 1))
    believed = mask.copy()
    believed[0, 4:8, 5:9, 3:7] = 0
    believed[1] *= 0.25
    mask[2] = believed[2] = 0
    found = share_left_out(tf.constant(believed), tf.constant(mask))
    np.testing.assert_allclose(found, [64 / mask[0].sum(), 0.75, 0])


def fit(field, mask, kernel, denoised, calls, adaptive=True):
    """Susceptibility and trust after some unrolls with the same z."""
    layer = DataConsistency(
        2, 1e-10, 300, SchattenNorm(0.015, 2.0, dtype="float64"), adaptive=adaptive
    )
    chi, found = tf.zeros_like(field), None
    for _ in range(calls):
        result = layer(field, kernel, chi, denoised, mask, trust=found)
        chi, found = result.susceptibility, result.trust
    return (mask * chi).numpy(), found.numpy()


def test_a_layer_leaves_out_what_nothing_explains_and_keeps_what_a_source_does():
    rng = np.random.default_rng(1)
    _, voxel_sizes, b0 = geometry("mixed", np.float64)
    kernel = dipole_kernel(SIZE, voxel_sizes, b0)
    _, mask = noise((1, 1))
    chi = mask * 0.02 * rng.standard_normal(mask.shape)
    denoised = tf.constant(chi.copy())
    chi[:, 8, 8, 8] += 0.5  # z does not have it
    clean = filter_volume(tf.constant(chi), kernel).numpy()
    clean = mask * (clean + 0.001 * rng.standard_normal(mask.shape))
    wrong = np.zeros(mask.shape, bool)
    wrong[:, 5, 12, ::4] = wrong[:, 11, 6, 1::4] = True
    wrong &= mask > 0
    broken = np.where(wrong, clean + 0.4, clean)
    mask = tf.constant(mask)

    right, believed = fit(tf.constant(clean), mask, kernel, denoised, calls=2)
    assert believed[:, 8, 8, 8].min() > 0.9
    np.testing.assert_allclose(right[:, 8, 8, 8], chi[:, 8, 8, 8], rtol=0.3)
    found, believed = fit(tf.constant(broken), mask, kernel, denoised, calls=3)
    assert (believed[wrong] < 0.1).all()
    plain, without = (
        fit(tf.constant(field), mask, kernel, denoised, calls=3, adaptive=False)[0]
        for field in (clean, broken)
    )
    harm = np.linalg.norm(found - right)
    assert harm < 0.2 * np.linalg.norm(without - plain)


def test_deviations_are_those_of_a_normal_variable():
    misfit, mask = noise((0.004,))
    misfit[0, 6, 6, 6], misfit[0, 8, 8, 8] = 7.5 * 0.004, 13 * 0.004
    found = trust(misfit, mask)[0, ..., 0]
    assert found[6, 6, 6] == 1
    assert 0 < found[8, 8, 8] < 1


def test_trust_has_the_numbers_of_the_method_page():
    """1 up to 8 deviations, 0 from 14 on, of 0.002 ppm or more."""
    for deviation, unit in ((0.004, 0.004), (1e-6, 0.002)):
        misfit, mask = noise((deviation,))
        misfit[0, 4:12:2, 6, 6, 0] = np.array([7.7, 11, 13.7, 14.3]) * unit
        found = trust(misfit, mask)[0, 4:12:2, 6, 6, 0]
        assert found[0] == 1 and 0 < found[2] < 0.15 and found[3] == 0
        assert found[1] == pytest.approx(0.5, abs=0.03)


def test_what_outliers_are_measured_by_is_cut_twice_to_three_deviations():
    _, mask = noise((1,))
    misfit = 0.004 / np.sqrt(np.pi / 2) * mask
    inside = np.flatnonzero(mask)
    misfit.flat[inside[::33]] = 0.4  # 3%, of 100 deviations
    misfit.flat[inside[1]] = 15 * 0.004
    # Its deviation is taken for 4.7 of what it is, then for 1.5, then for 1.14.
    found = trust(misfit, mask).flat[inside[1]]
    assert found == pytest.approx((14 - 15 / 1.14) / 6, abs=0.02)
